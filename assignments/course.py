"""A course folder: release the assignments, grade what comes back, report."""

import copy
import csv
import functools
import os
import re
import shutil
import stat
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.plugins import CsvExportPlugin, export
from nbgrader.preprocessors import AssignLatePenalties, CheckCellMetadata, GetGrades, LimitOutput, SaveAutoGrades
from traitlets.config import Config

from . import sandbox
from .preprocessors import MARKER, ExecuteInSandbox, ShowWhatStudentsSee

HERE = Path(__file__).resolve().parent
NAMES = ("measuring", "factorization", "neumf", "sequences", "hybrid")
LARGEST, MOST = 20 * 2**20, 500          # bytes of a notebook without its outputs, cells
LARGEST_FILE = 100 * 2**20               # bytes with them
STUDENT = re.compile(r"[\w.@-]+")
MOODLE = re.compile(r"(.+_\d+)_assignsubmission_file_?")      # a folder of "download all submissions"
LEFT_BY_PROGRAMS = re.compile(r"[.]|__MACOSX|desktop[.]ini")
OURS = "graded from a copy"             # in the metadata of a notebook that `collect` wrote
export.open = functools.partial(open, encoding="utf-8")       # nbgrader asks for the machine's encoding, which may be ASCII
LINES = ("student", "assignment", "score", "of", "by hand", "leaderboard", "note")
LEADERBOARD = re.compile(r"leaderboard: (0\.\d{4})\b")


class CourseError(Exception):
    """Something that the instructor has to put right, in a sentence."""


@dataclass
class Course:
    """A folder as nbgrader has it: `source`, `release`, `submitted`, `autograded`, `feedback` and the gradebook."""

    folder: Path
    unprotected: bool = False
    limits: sandbox.Limits = sandbox.Limits()

    def __post_init__(self):
        self.folder = Path(self.folder).resolve()
        programs = str(Path(sys.executable).parent)     # nbgrader calls `alembic`, wherever Python was started from
        if programs not in os.environ["PATH"].split(os.pathsep):
            os.environ["PATH"] = programs + os.pathsep + os.environ["PATH"]

    @property
    def config(self):
        """nbgrader's settings; `nbgrader_config.py` in the folder says the same to its own commands."""
        config = Config()
        config.CourseDirectory.root = str(self.folder)
        configure(config)
        config.ExecuteInSandbox.unprotected = self.unprotected
        config.ExecuteInSandbox.limits = asdict(self.limits)
        return config

    @property
    def api(self):
        api = NbGraderAPI(config=self.config)
        api.log.setLevel("WARNING")
        return api

    def gradebook(self):
        return Gradebook(f"sqlite:///{self.folder / 'gradebook.db'}")

    # -------------------------------------------------------------------------------------------- release

    def release(self, names=NAMES):
        """Make the students' version of assignments; the sources are copied into the folder when it is new."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "nbgrader_config.py").write_text(
            f"import sys\n\nsys.path.insert(0, {str(HERE.parent)!r})\n"
            f"from {__package__}.course import configure\n\nconfigure(get_config())\n")
        for name in names:
            source = self.folder / "source" / name
            if not source.exists():
                if not (HERE / "source" / name).is_dir():
                    raise CourseError(f"There is no assignment {name!r}: {', '.join(NAMES)}.")
                shutil.copytree(HERE / "source" / name, source)
            found = self.api.generate_assignment(name, force=True, create=True)
            if not found["success"]:
                raise CourseError(f"{name}: {last_line(found)}")
        return [self.folder / "release" / name for name in names]

    # -------------------------------------------------------------------------------------------- grade

    def grade(self, submissions):
        """Grade every notebook of a folder <student>/<assignment>/<assignment>.ipynb: a line for each.

        What Moodle gives is taken as well: <name>_<number>_assignsubmission_file_/<assignment>.ipynb. Nothing in
        `submissions` is changed.

        Raises
        ------
        CourseError
            If there is nothing to grade, or no sandbox and `unprotected` is not said.
        """
        why = None if self.unprotected else sandbox.available()
        if why:
            raise CourseError(f"{why} Without it a submission could read and delete your files. For submissions "
                              "that you trust: --unprotected.")
        submissions = Path(submissions)
        if not submissions.is_dir():
            raise CourseError(f"{submissions} is no folder.")
        for own in ("source", "release", "submitted", "autograded", "feedback"):
            if submissions.resolve().is_relative_to(self.folder / own):
                raise CourseError(f"{submissions} is where grading writes what it has read, and would be overwritten: put "
                                  "what was handed in into a folder of its own.")
        known = self.released()
        found = sorted(path for path in submissions.glob("*/*")
                       if not (LEFT_BY_PROGRAMS.match(path.name) or LEFT_BY_PROGRAMS.match(path.parent.name)))
        found = [path for path in found if path.is_dir() and not path.is_symlink()
                 or path.suffix == ".ipynb" and path.stem in known and not path.with_suffix("").is_dir()]
        if not found:
            raise CourseError(f"{submissions} has no folder <student>/<assignment>.")
        students = {path.parent for path in found}
        named = {folder: student_of(folder) for folder in students}
        twice = {student for student in named.values() if list(named.values()).count(student) > 1}
        return [self.grade_one(path, known, named[path.parent] in twice) for path in found]

    def released(self):
        """The assignments that students have."""
        known = [name for name in NAMES if (self.folder / "release" / name).is_dir()]
        if not known:
            raise CourseError(f"Nothing has been released in {self.folder} yet: make the release first.")
        return known

    def grade_one(self, path, known, twice=False):
        """Grade one submission; whatever is wrong with it is told in its line. `twice`: two folders give one name."""
        student, name = student_of(path.parent), path.stem if path.suffix == ".ipynb" else path.name
        line = dict.fromkeys(LINES, "") | {"student": student, "assignment": name}
        try:
            if twice:
                raise CourseError(f"not graded: another folder, too, is called {student} when written in letters, digits "
                                  f"and . _ @ - alone; rename {path.parent.name!r}")
            if not STUDENT.fullmatch(student):
                raise CourseError("not graded: the folder's name may have letters, digits, blanks and . _ @ ' - only")
            if path.parent.is_symlink():
                raise CourseError("not graded: the folder is a link")
            if name not in known:
                raise CourseError(f"not graded: no such assignment; released are {', '.join(known)}")
            notes = self.collect(path, student, name)
            result = self.api.autograde(name, student, force=True, create=True)
            if not result["success"]:
                raise CourseError(f"not graded: {last_line(result)}")
            line |= self.score(student, name)
            line["note"] = "; ".join(notes + self.stops(student, name))
            result = self.api.generate_feedback(name, student, force=True)
            if not result["success"]:
                raise CourseError(f"graded, but without feedback: {last_line(result)}")
        except CourseError as problem:
            line["note"] = str(problem)
        except Exception as problem:                # whatever a strange notebook provokes, the others are graded
            line["note"] = f"not graded: {type(problem).__name__} within the grading, {problem}"
        return {key: printable(value) if isinstance(value, str) else value for key, value in line.items()}

    def collect(self, path, student, name):
        """Copy the notebook, and nothing else, into the course folder. Returns what is odd about it."""
        wanted = path / f"{name}.ipynb" if path.is_dir() else path
        if not wanted.exists():
            others = ", ".join(sorted(found.name for found in path.iterdir())) or "nothing"
            raise CourseError(f"not graded: {name}.ipynb is missing; there is {others}")
        about = wanted.lstat()
        if not stat.S_ISREG(about.st_mode):
            raise CourseError(f"not graded: {name}.ipynb is no file")
        if about.st_size > LARGEST_FILE:
            raise CourseError(f"not graded: {name}.ipynb is larger than {LARGEST_FILE // 2**20} MB")
        try:
            notebook = nbformat.read(wanted, as_version=4)
            nbformat.validate(notebook)
        except Exception as problem:                # nbformat lets through whatever its parser raises
            raise CourseError(f"not graded: {name}.ipynb is no notebook ({type(problem).__name__})") from None
        if sum(len(cell.source) for cell in notebook.cells) > LARGEST:
            raise CourseError(f"not graded: {name}.ipynb is larger than {LARGEST // 2**20} MB without its outputs")
        if len(notebook.cells) > MOST:
            raise CourseError(f"not graded: {name}.ipynb has more than {MOST} cells")
        released = nbformat.read(self.folder / "release" / name / f"{name}.ipynb", as_version=4)
        notes = []
        kernel = notebook.metadata.get("kernelspec", {}).get("name")
        if kernel != released.metadata.kernelspec.name:
            notes.append(f"kernel {kernel!r}, graded with {released.metadata.kernelspec.name!r}")
        clean, missing, twice = rebuilt(notebook, released)
        if twice:
            notes.append(f"there more than once, the last copy that was changed counts: {', '.join(twice)}")
        if missing:
            notes.append(f"missing cells (tests were put back): {', '.join(missing)}")
        target = self.folder / "submitted" / student / name
        target.mkdir(parents=True, exist_ok=True)
        if foreign := [found.name for found in target.iterdir() if not written_by_grading(found, name)]:
            raise CourseError(f"not graded: {target} holds what grading did not put there, and would be overwritten: "
                              f"{', '.join(sorted(foreign))}")
        (target / "timestamp.txt").unlink(missing_ok=True)
        clean.metadata["recbook"] = OURS
        nbformat.write(clean, target / f"{name}.ipynb")
        handed_in = wanted.parent / "timestamp.txt"  # nbgrader's own: when it was handed in
        if handed_in.exists() and not handed_in.is_symlink() and handed_in.is_file():
            try:
                when = handed_in.read_text(encoding="utf-8")[:100].strip()
                (target / "timestamp.txt").write_text(str(utils.parse_utc(when)), encoding="utf-8")
            except (ValueError, OverflowError):
                notes.append("timestamp.txt holds no time")
        return notes

    def score(self, student, name):
        with self.gradebook() as book:
            submission = book.find_submission(name, student)
            line = {"score": submission.score, "of": submission.max_score,
                    "by hand": "to do" if submission.needs_manual_grade else ""}
        shown = [found for cell, output in self.outputs(student, name)
                 if utils.is_grade(cell) and MARKER in cell.source and not utils.has_failed(cell)
                 for found in LEADERBOARD.findall(output.get("text", ""))]
        return line | {"leaderboard": shown[0] if shown else ""}

    def outputs(self, student, name):
        """Each output of a graded submission, with its cell."""
        notebook = nbformat.read(self.folder / "autograded" / student / name / f"{name}.ipynb", as_version=4)
        return [(cell, output) for cell in notebook.cells for output in cell.get("outputs", ())]

    def stops(self, student, name):
        """What ended the run of a submission early, if something did."""
        return [output.evalue for _, output in self.outputs(student, name)
                if output.output_type == "error" and output.ename == "Stopped"]

    # -------------------------------------------------------------------------------------------- report

    def export(self):
        """Write grades.csv, nbgrader's own table."""
        exporter = CsvExportPlugin(to=str(self.folder / "grades.csv"))
        with self.gradebook() as book:
            exporter.export(book)

    def report(self):
        """Write grades.csv and make all feedback anew, with what was graded by hand: a line for each submission."""
        self.released()
        self.export()
        with self.gradebook() as book:
            graded = [(submission.student.id, assignment.name) for assignment in book.assignments
                      for submission in book.assignment_submissions(assignment.name)]
        lines = []
        for student, name in sorted(graded):
            if (self.folder / "autograded" / student / name).is_dir():
                self.api.generate_feedback(name, student, force=True)
                lines.append(dict.fromkeys(LINES, "") | {"student": student, "assignment": name}
                             | self.score(student, name))
        return lines

    def write(self, lines):
        """Write a line for each submission to report.csv."""
        with open(self.folder / "report.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, LINES)
            table.writeheader()
            table.writerows(lines)


def configure(config):
    """What differs from nbgrader's defaults."""
    config.CourseDirectory.course_id = "recbook"
    config.Autograde.autograde_preprocessors = [ExecuteInSandbox, LimitOutput, SaveAutoGrades, AssignLatePenalties,
                                                CheckCellMetadata]
    config.OverwriteCells.add_missing_cells = True
    config.GenerateFeedback.preprocessors = [GetGrades, ShowWhatStudentsSee, CSSHTMLHeaderPreprocessor]
    config.ClearSolutions.code_stub = {"python": "raise NotImplementedError  # your code"}
    config.ClearSolutions.text_stub = "*Your answer.*"


def student_of(folder):
    """Whose folder it is: its name, in which Moodle's ending is left out and blanks and apostrophes become "-"."""
    found = MOODLE.fullmatch(folder.name)
    return re.sub(r"[ '’]+", "-", found[1] if found else folder.name)


def written_by_grading(path, name):
    """Whether `collect` wrote this file of an earlier run (the time goes with its notebook)."""
    notebook = path.with_name(f"{name}.ipynb")
    if path.name not in (notebook.name, "timestamp.txt") or not notebook.is_file():
        return False
    try:
        return nbformat.read(notebook, as_version=4).metadata.get("recbook") == OURS
    except Exception:                           # no notebook, so not ours
        return False


def rebuilt(notebook, released):
    """A submission as the release has it, with the student's text in it: (notebook, missing cells, repeated cells).

    Of the student's metadata nothing is kept but which cell is which. A cell that the release does not have becomes a
    plain one; so does a cell that is there twice, but for the last copy that the student has changed, or the first. One
    that is missing is put back as it was released.
    """
    known = {about["grade_id"]: cell for cell in released.cells if (about := cell.metadata.get("nbgrader"))}
    copies = {grade_id: [] for grade_id in known}
    for number, cell in enumerate(notebook.cells):
        about = cell.metadata.get("nbgrader")
        grade_id = about.get("grade_id") if isinstance(about, dict) else None
        if isinstance(grade_id, str) and grade_id in known:
            copies[grade_id].append(number)
    counts = {}                                                         # number of a cell: its grade_id
    for grade_id, numbers in copies.items():
        changed = [number for number in numbers if notebook.cells[number].source.strip() != known[grade_id].source.strip()]
        if numbers:
            counts[changed[-1] if changed else numbers[0]] = grade_id
    clean = copy.deepcopy(released)
    clean.cells = []
    for number, cell in enumerate(notebook.cells):
        source = cell.source.encode("utf-8", "replace").decode()        # a lone surrogate cannot be written
        if number in counts:
            own = copy.deepcopy(known[counts[number]])
            own.source = source
        else:
            make = new_code_cell if cell.cell_type == "code" else new_markdown_cell
            own = make(source)
        own.id = f"cell-{number}"
        clean.cells.append(own)
    last = 0                                                            # behind the cell before it in the release
    for grade_id, cell in known.items():
        if copies[grade_id]:
            last = next(number for number, own in enumerate(clean.cells, 1)
                        if own.metadata.get("nbgrader", {}).get("grade_id") == grade_id)
        else:
            clean.cells.insert(last, copy.deepcopy(cell))
            last += 1
    graded = {grade_id for grade_id, cell in known.items() if utils.is_grade(cell) or utils.is_solution(cell)}
    return (clean, sorted(grade_id for grade_id in graded if not copies[grade_id]),
            sorted(grade_id for grade_id, numbers in copies.items() if len(numbers) > 1))


def printable(text):
    """Without what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)


def last_line(result):
    """The line of a log that says what went wrong."""
    text = result.get("error") or result.get("log") or "nbgrader gave no reason"
    return text.strip().splitlines()[-1]
