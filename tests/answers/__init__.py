"""What students hand in, task by task: mistakes that are really made, and answers that are right in an unusual way.

One module an assignment, a dict in each: cell: {"wrong": [source, ...], "right": [source, ...]}. A comment says what is
wrong. Only what differs from the reference is given where a cell holds several functions; the others are taken from it.
"""

from pathlib import Path

import nbformat
from nbgrader.utils import determine_grade, is_grade, is_solution

from assignments import sandbox

SOURCE = Path(__file__).resolve().parents[2] / "assignments" / "source"


def source(name):
    return nbformat.read(SOURCE / name / f"{name}.ipynb", as_version=4)


def cell(notebook, grade_id):
    return next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def points(notebook, outputs):
    """The automatic points of each graded code cell after a run."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for each, own in zip(code, outputs):
        each.outputs = own
    return {each.metadata.nbgrader.grade_id: determine_grade(each)[0] for each in code if is_grade(each)}


def tasks(name):
    """The cells to fill in, and the tests that follow each: {cell: [test, ...]}."""
    found, own = {}, None
    for each in source(name).cells:
        about = each.metadata.get("nbgrader", {})
        if each.cell_type == "code" and is_solution(each):
            own = found.setdefault(about["grade_id"], [])
        elif each.cell_type == "code" and is_grade(each):
            own.append(about["grade_id"])
    return found


def with_answers(name, answers):
    """The reference with some functions replaced: a later definition of a name counts."""
    notebook = source(name)
    for grade_id, answer in answers.items():
        cell(notebook, grade_id).source += "\n\n" + answer
    return notebook


def run(notebook):
    """The automatic points of a notebook, run in a sandbox."""
    return points(notebook, sandbox.run([cell.source for cell in notebook.cells if cell.cell_type == "code"]))


def graded(name, answers):
    return run(with_answers(name, answers))
