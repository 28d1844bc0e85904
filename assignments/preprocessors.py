"""Two steps of nbgrader's own pipeline, replaced: how a submission is executed, and what its feedback shows."""

from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.preprocessors import ClearHiddenTests, NbGraderPreprocessor
from traitlets import Bool, Dict

from . import sandbox

MARKER = ClearHiddenTests.begin_test_delimeter.default_value


class ExecuteInSandbox(NbGraderPreprocessor):
    """Executes a submission twice, each time in a sandbox of its own.

    First without the hidden tests, for what the student will see, and after that with them, for the grade. What the
    first run shows cannot tell of tests that it never met; side by side the two could find ways to talk.
    """

    limits = Dict({}, help="What a run may take: see `sandbox.Limits`.").tag(config=True)
    unprotected = Bool(False, help="Execute without a sandbox, as the grader's own user.").tag(config=True)

    def preprocess(self, notebook, resources):
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        complete = [cell.source for cell in cells]
        shown = [without_hidden(cell).source if utils.is_grade(cell) else cell.source for cell in cells]
        limits = sandbox.Limits(**self.limits)
        seen = sandbox.run(shown, limits, self.unprotected)
        graded = sandbox.run(complete, limits, self.unprotected)
        for cell, outputs, visible in zip(cells, graded, seen):
            cell.outputs = outputs
            cell.metadata["seen"] = visible
        return notebook, resources


class ShowWhatStudentsSee(NbGraderPreprocessor):
    """In the feedback a hidden test is one line, passed or failed; an answer that waits for a person says so."""

    def preprocess(self, notebook, resources):
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as book:
            submission = book.find_submission_notebook(about["notebook"], about["assignment"], about["student"])
            self.waiting = {grade.cell.name for grade in submission.grades if grade.needs_manual_grade}
        return super().preprocess(notebook, resources)

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type != "code":
            if cell.metadata.get("nbgrader", {}).get("grade_id") in self.waiting:
                cell.source += "\n\n*This answer has not been graded yet.*"
            return cell, resources
        hidden, failed = utils.is_grade(cell) and MARKER in cell.source, utils.has_failed(cell)
        if hidden:
            cell.source = without_hidden(cell).source
        cell.outputs = cell.metadata.pop("seen", [])
        if hidden:
            cell.outputs.append(new_output("stream", name="stdout",
                                           text=f"Hidden tests: {'failed' if failed else 'passed'}.\n"))
        return cell, resources


def without_hidden(cell):
    """A copy of a cell without its hidden tests."""
    copy = cell.copy()
    ClearHiddenTests()._remove_hidden_test_region(copy)
    return copy
