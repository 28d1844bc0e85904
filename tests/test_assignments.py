"""The assignments: what is right gets all points, what is wrong loses some, and no submission harms another."""

import copy
import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="assignments need the extra `assignments`")

from nbgrader.utils import is_grade, is_solution  # noqa: E402

from assignments import sandbox  # noqa: E402
from assignments.course import NAMES, Course, CourseError, printable  # noqa: E402
from assignments.preprocessors import without_hidden  # noqa: E402
from tests.answers import cell, source, tasks  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
NEEDED = os.environ.get("RECBOOK_NEEDS_SANDBOX") == "1"
WHY_NOT = sandbox.available()
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(900)]
needs_sandbox = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


def submit(folder, student, name, notebook):
    path = folder / student / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True)
    if isinstance(notebook, str):
        path.write_text(notebook)
    else:
        nbformat.write(notebook, path)
    return path


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    course = Course(tmp_path_factory.mktemp("course"))
    course.release()
    return course


def test_there_is_a_sandbox_where_one_is_needed():
    if not NEEDED:
        pytest.skip("RECBOOK_NEEDS_SANDBOX=1 asks for one")
    assert WHY_NOT is None


# ------------------------------------------------------------------------------------------- the assignments


@pytest.mark.parametrize("name", NAMES)
def test_an_assignment_has_what_it_should(name):
    found = tasks(name)
    assert 3 <= len(found) <= 6 and all(len(tests) >= 2 for tests in found.values())
    notebook = source(name)
    texts = [cell.source for cell in notebook.cells]
    assert sum("BEGIN HIDDEN TESTS" in text for text in texts) >= len(found)
    written = [cell for cell in notebook.cells if cell.cell_type == "markdown" and is_grade(cell)]
    assert len(written) == 1 and "| points |" in texts[-2]
    rubric = [line.split("|")[1].strip() for line in texts[-2].splitlines() if line.startswith("|")][2:]
    assert sum(map(int, rubric)) == written[0].metadata.nbgrader.points
    for text in texts:                                       # what a heading promises is what the cells give
        if text.startswith("## Task") and "points)" in text.splitlines()[0]:
            promised = int(text.splitlines()[0].split("(")[-1].split()[0])
            place, own = texts.index(text), 0
            for later in notebook.cells[place + 1:]:
                if later.source.startswith("## Task"):
                    break
                own += later.metadata.get("nbgrader", {}).get("points", 0) or 0
            assert promised == own, text.splitlines()[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_release_holds_no_solution_and_no_hidden_test(name, released):
    text = (released.folder / "release" / name / f"{name}.ipynb").read_text()
    assert "HIDDEN" not in text and "SOLUTION" not in text
    notebook = nbformat.reads(text, as_version=4)
    for each in source(name).cells:
        if each.cell_type == "code" and is_solution(each):
            body = each.source.split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0].strip()
            assert body.splitlines()[-1].strip() not in text.replace("\\n", "\n").splitlines()
        if "BEGIN HIDDEN TESTS" in each.source:
            shown = cell(notebook, each.metadata.nbgrader.grade_id).source
            assert shown.splitlines() == without_hidden(each).source.splitlines()


def test_the_numbers_of_the_guide_are_those_of_the_code():
    guide = (ROOT / "chapters" / "instructors.md").read_text()
    for name in NAMES:
        points = sum(cell.metadata.get("nbgrader", {}).get("points") or 0 for cell in source(name).cells)
        assert re.search(rf"\| `{name}` \|.*\| {points} \|", guide), name
    limits = sandbox.Limits()
    assert (limits.cell, limits.total, limits.memory, limits.disk, limits.threads) == (
        60, 4 * 60, 4 * 2**30, 2**30 // 4, 400)
    assert ("Sixty seconds a cell, four minutes in all, four gigabytes of memory, a quarter of one for files, four "
            "hundred threads") in guide


def test_solutions_are_in_no_page_of_the_site(site):
    code = [each.source for name in NAMES for each in source(name).cells
            if each.cell_type == "code" and is_solution(each)]
    marks = {line.strip() for text in code for part in text.split("### BEGIN SOLUTION")[1:]
             for line in part.split("### END SOLUTION")[0].splitlines() if len(line.strip()) > 40}
    assert len(marks) > 30
    for page in site.rglob("*"):
        if page.suffix in (".html", ".ipynb", ".txt", ".js", ".md"):
            text = page.read_text(errors="ignore")
            assert [mark for mark in marks if mark in text] == [], page


# ------------------------------------------------------------------------------------------- an instructor's day


@pytest.fixture(scope="module")
def reference(released, tmp_path_factory):
    """The reference and the untouched release of all five, graded: the report's lines."""
    folder = tmp_path_factory.mktemp("submissions")
    for name in NAMES:
        submit(folder, "ann", name, source(name))
        submit(folder, "ben", name, (released.folder / "release" / name / f"{name}.ipynb").read_text())
    return {(line["student"], line["assignment"]): line for line in released.grade(folder)}


@needs_sandbox
@pytest.mark.parametrize("name", NAMES)
def test_the_reference_gets_all_points_and_the_untouched_release_none(name, reference):
    by_machine = sum(cell.metadata.nbgrader.points for cell in source(name).cells
                     if cell.cell_type == "code" and is_grade(cell))
    assert reference["ann", name]["score"] == by_machine and reference["ann", name]["by hand"] == "to do"
    assert reference["ben", name]["score"] == 0 and reference["ben", name]["by hand"] == ""
    assert reference["ann", name]["note"] == reference["ben", name]["note"] == ""


@needs_sandbox
def test_the_leaderboard_is_in_the_report(reference):
    assert 0.1 < float(reference["ann", "hybrid"]["leaderboard"]) < 0.3
    assert reference["ben", "hybrid"]["leaderboard"] == reference["ann", "neumf"]["leaderboard"] == ""


ATTACKS = {
    "loops": "while True:\n    try:\n        pass\n    except BaseException:\n        pass",
    "hoards": "kept = []\nwhile True:\n    kept.append(bytearray(10**8))",
    "prints": "while True:\n    print('x' * 10**6)",
    "deletes": "import os, shutil\nfor path in ('.', '..', '/tmp', '/work', '/home', {grader!r}):\n"
               "    shutil.rmtree(path, ignore_errors=True)\nopen({grader!r} + '/gradebook.db', 'w').close()",
    "quits": "import os\nos._exit(0)",
    "steals": "import sys, urllib.request\ntry:\n    urllib.request.urlopen('http://example.org', timeout=5)\n"
              "    stolen = 'network'\nexcept OSError:\n    stolen = ''\n"
              "import os\n"
              "for path in ({grader!r} + '/source/measuring/measuring.ipynb', {root!r} + '/assignments/source',\n"
              "             '/etc/shadow'):\n"
              "    try:\n        stolen += str(os.listdir(path) if os.path.isdir(path) else open(path).read())\n"
              "    except OSError:\n        pass\nprint('STOLEN', len(stolen), stolen[:1000])",
}
SPY = """
import inspect, linecache
seen = []
def rank(scores, target):
    frame = inspect.currentframe().f_back
    seen.append(inspect.getsource(frame))
    print("SPIED", seen[-1])
    raise ValueError("SPIED " + seen[-1])
"""


ODD = [None, 3, "text", {"grade_id": ["rank-seen"]}, {"grade_id": 5, "grade": True, "points": 1000},
       {"grade_id": "new", "grade": True, "points": 1000, "solution": False, "locked": False, "schema_version": 99}]


def change_first_test(notebook, odd):
    """Give the first test odd metadata and add a lone surrogate, which no file can hold."""
    first = next(cell for cell in notebook["cells"]
                 if cell["metadata"].get("nbgrader", {}).get("grade_id") == "rank-seen")
    first["metadata"]["nbgrader"] = odd
    notebook["cells"][0]["source"] = ["\ud800"]


@pytest.fixture(scope="module")
def hard_day(tmp_path_factory):
    """Submissions of one assignment, most of them hostile or broken, and what came of them."""
    course = Course(tmp_path_factory.mktemp("hard"), limits=sandbox.Limits(cell=6, total=120, memory=2 * 2**30))
    course.release(["measuring"])
    folder = tmp_path_factory.mktemp("handed-in")
    places = {"grader": str(course.folder), "root": str(ROOT)}
    for student, code in ATTACKS.items():
        notebook = source("measuring")
        for name, path in places.items():
            code = code.replace("{" + name + "!r}", repr(path))
        notebook.cells.insert(notebook.cells.index(cell(notebook, "neighbours")), nbformat.v4.new_code_cell(code))
        submit(folder, student, "measuring", notebook)
    spying = source("measuring")
    cell(spying, "rank").source += SPY
    spying.cells.insert(spying.cells.index(cell(spying, "ndcg")), nbformat.v4.new_code_cell("print('LATER', seen)"))
    submit(folder, "spies", "measuring", spying)
    invents = source("measuring")
    invents.cells.append(nbformat.v4.new_code_cell("### BEGIN HIDDEN TESTS\nassert True\n### END HIDDEN TESTS"))
    submit(folder, "invents", "measuring", invents)
    imports = source("measuring")
    cell(imports, "rank").source = """
import importlib
for name in ("helper", "assignments", "tests.answers"):
    try:
        importlib.import_module(name)
        print("IMPORTED", name)
    except ImportError:
        pass
from helper import rank
"""
    beside = submit(folder, "imports", "measuring", imports).parent
    (beside / "helper.py").write_text("def rank(scores, target):\n    return 1\n")
    (beside / "numpy.py").write_text("allclose = lambda *_: True\n")
    changed = source("measuring")
    cell(changed, "rank").source = "def rank(scores, target):\n    return np.ones(len(target))"
    for test in ("rank-seen", "rank-hidden"):
        cell(changed, test).source = "pass"
        cell(changed, test).metadata.nbgrader.points = 100
    submit(folder, "changes", "measuring", changed)
    less = source("measuring")
    less.cells.remove(cell(less, "rank-hidden"))
    less.cells.remove(cell(less, "ndcg"))
    less.metadata.kernelspec = {"name": "ir", "display_name": "R", "language": "R"}
    submit(folder, "lacks", "measuring", less)
    submit(folder, "breaks", "measuring", '{"cells": [')
    submit(folder, "renames", "measuring", source("measuring")).rename(folder / "renames" / "measuring" / "mine.ipynb")
    submit(folder, "zoe", "measuring", source("measuring"))
    (folder / "links" / "measuring").mkdir(parents=True)
    (folder / "links" / "measuring" / "measuring.ipynb").symlink_to(folder / "zoe" / "measuring" / "measuring.ipynb")
    (folder / "bad name;" / "measuring").mkdir(parents=True)
    copies = source("measuring")
    answer = cell(nbformat.read(course.folder / "release" / "measuring" / "measuring.ipynb", as_version=4), "verdict")
    again = copy.deepcopy(cell(copies, "verdict"))
    again.id = "again"
    cell(copies, "verdict").source = answer.source           # the first stays as it was, the second is written into
    copies.cells.insert(copies.cells.index(cell(copies, "verdict")) + 1, again)
    submit(folder, "copies", "measuring", copies)
    large = source("measuring")
    large.cells[-1].metadata, large.cells[-1].cell_type = {}, "code"
    large.cells[-1] |= {"outputs": [nbformat.v4.new_output("stream", text="x" * (25 * 2**20))], "execution_count": None}
    submit(folder, "large", "measuring", large)
    moodle = folder / "Döe Jane O'Neil_12345_assignsubmission_file_"
    moodle.mkdir()
    nbformat.write(source("measuring"), moodle / "measuring.ipynb")
    for left in ("__MACOSX/ann", "zoe/.ipynb_checkpoints", ".git/x"):
        (folder / left).mkdir(parents=True)
    (moodle / "_timestamp.txt").write_text("")
    for number, odd in enumerate(ODD):
        notebook = json.loads(nbformat.writes(source("measuring")))
        change_first_test(notebook, odd)
        submit(folder, f"odd{number}", "measuring", json.dumps(notebook))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox, "run", Once(sandbox.run))
        patch.setattr(course, "grade_one", lambda path, *rest: graded_afresh(course, path, *rest))
        lines = {line["student"]: line for line in course.grade(folder)}
    return course, folder, lines


class Once:
    """`sandbox.run`, but what has just been run with the same code and limits is not run again: its outputs are known.

    Some of the day's submissions differ only in what is around their code.
    """

    def __init__(self, run):
        self.run, self.known = run, {}

    def __call__(self, sources, *limits):
        key = (*sources, *limits)
        if key not in self.known:
            self.known[key] = self.run(sources, *limits)
        return copy.deepcopy(self.known[key])


def graded_afresh(course, path, *rest):
    """Zoe's notebook, which comes last, is run after all others whatever they ran."""
    if path.parent.name == "zoe":
        sandbox.run.known.clear()
    return Course.grade_one(course, path, *rest)


@needs_sandbox
def test_no_submission_stops_or_changes_another(hard_day):
    course, folder, lines = hard_day
    assert lines["zoe"]["score"] == 18 and lines["zoe"]["note"] == ""
    assert len(lines) == len([path for path in folder.iterdir() if path.name not in ("__MACOSX", ".git")])
    before = {"rank-seen": 1, "rank-hidden": 3, "ndcg-seen": 1, "ndcg-hidden": 3, "leak-seen": 2, "leak-hidden": 3}
    for student in ("loops", "quits", "hoards", "prints"):   # what came before the harm keeps its points
        assert lines[student]["score"] >= sum(before.values()), student
    assert lines["deletes"]["score"] == lines["steals"]["score"] == 18
    assert (course.folder / "gradebook.db").stat().st_size > 0 and (course.folder / "source").is_dir()


@needs_sandbox
def test_what_ended_a_run_is_in_the_report(hard_day):
    lines = hard_day[2]
    in_time = ("the cell took too long", "the notebook took more than 120 seconds in all")   # interrupts can be caught
    assert lines["loops"]["note"] in in_time
    in_memory = ("it took more than 2.0 GB of memory",      # which of the two is seen first, the watch or the kernel's end,
                 "the kernel died: it was ended, or took too much memory")      # the machine's load decides
    assert lines["prints"]["note"] in (*in_time, *in_memory)
    assert "kernel died" in lines["quits"]["note"]


@needs_sandbox
def test_broken_submissions_get_a_clear_line(hard_day):
    lines = hard_day[2]
    for student, words in {"breaks": "is no notebook", "renames": "measuring.ipynb is missing; there is mine.ipynb",
                           "links": "is no file", "bad-name;": "letters, digits"}.items():
        assert words in lines[student]["note"] and lines[student]["score"] == ""
    assert "kernel 'ir'" in lines["lacks"]["note"] and "ndcg, rank-hidden" in lines["lacks"]["note"]
    assert lines["lacks"]["score"] == 18 - 4                 # no answer to Task 2; the deleted test was put back


@needs_sandbox
def test_a_copied_answer_counts_and_is_named(hard_day):
    line = hard_day[2]["copies"]
    assert (line["score"], line["by hand"]) == (18, "to do") and "verdict" in line["note"] and "more than once" in line["note"]


@needs_sandbox
def test_large_outputs_and_moodles_folders_are_graded(hard_day):
    lines = hard_day[2]
    assert lines["large"]["score"] == 18
    assert lines["Döe-Jane-O-Neil_12345"]["score"] == 18
    assert not {"ann", "x", "__MACOSX", ".git"} & set(lines)


@needs_sandbox
def test_what_was_handed_in_is_left_as_it_was(released, tmp_path):
    """nbgrader's own folder is refused, and what somebody else put into it is not overwritten."""
    own = released.folder / "submitted" / "una" / "measuring"
    submit(released.folder / "submitted", "una", "measuring", source("measuring"))
    (own / "plot.png").write_bytes(b"1")
    before = {path.name: path.read_bytes() for path in own.iterdir()}
    for folder in (released.folder / "submitted", released.folder / "submitted" / "una"):
        with pytest.raises(CourseError, match="put what was handed in into a folder of its own"):
            released.grade(folder)
    submit(tmp_path, "una", "measuring", source("measuring"))
    (line,) = released.grade(tmp_path)
    assert "holds what grading did not put there" in line["note"] and "measuring.ipynb, plot.png" in line["note"]
    assert {path.name: path.read_bytes() for path in own.iterdir()} == before


@needs_sandbox
def test_two_folders_of_one_name_are_told_apart(released, tmp_path):
    for student in ("Ann Lee", "Ann-Lee"):
        submit(tmp_path, student, "measuring", source("measuring"))
    assert all("another folder, too, is called Ann-Lee" in line["note"] for line in released.grade(tmp_path))


def test_a_report_before_a_release_is_a_sentence(tmp_path):
    with pytest.raises(CourseError, match="Nothing has been released"):
        Course(tmp_path).report()


def test_tables_are_written_whatever_the_machines_letters(released, tmp_path):
    course = f"Course({str(released.folder)!r})"
    code = f"from assignments.course import Course, LINES; course = {course}; " \
           "course.write([dict.fromkeys(LINES, '') | {'student': 'M\\u00fcller \\u6771\\u4eac'}]); " \
           "course.gradebook().add_student('M\\u00fcller'); course.export()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert done.returncode == 0, done.stderr
    assert "Müller 東京" in (released.folder / "report.csv").read_text(encoding="utf-8")
    assert "Müller" in (released.folder / "grades.csv").read_text(encoding="utf-8")


@needs_sandbox
def test_files_beside_a_notebook_are_not_imported(hard_day):
    course, _, lines = hard_day
    assert lines["imports"]["score"] == 18 - 4
    page = (course.folder / "feedback" / "imports" / "measuring" / "measuring.html").read_text()
    assert "No module named" in page and "IMPORTED " not in page.replace("IMPORTED&quot;", "").replace('"IMPORTED"', "")


@needs_sandbox
@pytest.mark.parametrize("number", range(len(ODD)))
def test_odd_metadata_is_not_believed(hard_day, number):
    line = hard_day[2][f"odd{number}"]
    assert line["score"] == 18 and line["of"] == 22 and "rank-seen" in line["note"]


def test_a_report_does_not_command_the_terminal():
    assert printable("a\x1b[2Jb\n") == "a?[2Jb?"


@needs_sandbox
def test_changed_tests_are_put_back(hard_day):
    assert hard_day[2]["changes"]["score"] == 18 - 4 and hard_day[2]["changes"]["of"] == 22


@needs_sandbox
def test_nothing_hidden_is_in_the_feedback(hard_day):
    course, _, lines = hard_day
    secrets = ["slow = [1 + sum(s", "2 / 6", "range(15)", "np.zeros((2, 5))"]
    source_text = "\n".join(cell.source for cell in source("measuring").cells)
    assert all(secret in source_text for secret in secrets)
    for student, line in lines.items():
        if line["score"] == "":
            continue
        page = (course.folder / "feedback" / student / "measuring" / "measuring.html").read_text()
        assert "Hidden tests: " in page
        for secret in secrets:
            assert secret not in page and secret.replace("<", "&lt;") not in page, student
    invented = (course.folder / "feedback" / "invents" / "measuring" / "measuring.html").read_text()
    assert invented.count("Hidden tests: ") == 4             # those of the release, none of the student's own
    spied = (course.folder / "feedback" / "spies" / "measuring" / "measuring.html").read_text()
    assert "SPIED" in spied and "BEGIN HIDDEN" not in spied and lines["spies"]["score"] < 18
    stolen = (course.folder / "feedback" / "steals" / "measuring" / "measuring.html").read_text()
    assert "STOLEN 0" in stolen


@needs_sandbox
def test_regrading_gives_the_same_grades(hard_day):
    course, folder, lines = hard_day
    again = course.grade_one(folder / "zoe" / "measuring", ["measuring"])
    assert again == lines["zoe"]


@needs_sandbox
def test_a_grade_by_hand_is_kept_and_reported(hard_day):
    course = hard_day[0]
    page = course.folder / "feedback" / "zoe" / "measuring" / "measuring.html"
    assert "has not been graded yet" in page.read_text()
    with course.gradebook() as book:
        grade = book.find_grade("verdict", "measuring", "measuring", "zoe")
        grade.manual_score, grade.needs_manual_grade = 3, False         # as the view does
        book.db.commit()
    lines = {line["student"]: line for line in course.report()}
    assert lines["zoe"]["score"] == 21
    with open(course.folder / "grades.csv") as file:
        row = next(row for row in csv.DictReader(file) if row["student_id"] == "zoe")
    assert float(row["score"]) == 21
    assert "21.0 / 22.0" in page.read_text() and "has not been graded yet" not in page.read_text()


# ------------------------------------------------------------------------------------------- the commands


@needs_sandbox
def test_the_three_commands_as_the_guide_says(tmp_path):
    def command(*words):
        return subprocess.run([sys.executable, "-m", "assignments", *words], cwd=ROOT, capture_output=True, text=True)

    course = ["--course", str(tmp_path / "course")]
    found = command(*course, "release", "factorization")
    assert found.returncode == 0 and (tmp_path / "course" / "release" / "factorization").is_dir(), found.stderr
    for number in range(2):
        submit(tmp_path / "in", f"student{number}", "factorization", source("factorization"))
    found = command(*course, "grade", str(tmp_path / "in"))
    assert found.returncode == 0 and found.stdout.count("20 of 24") == 2, found.stderr
    assert {"report.csv", "grades.csv", "feedback"} <= {path.name for path in (tmp_path / "course").iterdir()}
    found = command(*course, "report")
    assert found.returncode == 0 and found.stdout.count("20 of 24") == 2


def test_without_a_sandbox_nothing_is_graded(released, tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    submit(tmp_path, "ann", "measuring", source("measuring"))
    with pytest.raises(CourseError, match="bubblewrap is not installed.*--unprotected"):
        released.grade(tmp_path)


@pytest.mark.parametrize("make, words", [
    (lambda folder: folder / "nowhere", "is no folder"),
    (lambda folder: folder, "no folder <student>/<assignment>"),
])
def test_a_folder_without_submissions_is_told(released, tmp_path, make, words, monkeypatch):
    monkeypatch.setattr(sandbox, "available", lambda: None)
    with pytest.raises(CourseError, match=words):
        released.grade(make(tmp_path))


def test_an_unknown_assignment_is_told(tmp_path):
    with pytest.raises(CourseError, match="no assignment 'measurin'.*measuring"):
        Course(tmp_path).release(["measurin"])


# ------------------------------------------------------------------------------------------- the sandbox


@needs_sandbox
def test_an_error_whose_message_is_lost_is_known_by_the_reply():
    """A kernel that is out of memory may fail to send its error; that the cell failed, and by what, it still replies."""
    silent = "get_ipython()._showtraceback = lambda *rest: None\nraise MemoryError"
    outputs, = sandbox.run([silent], sandbox.Limits(cell=20))
    assert [output.ename for output in outputs] == ["MemoryError", "Stopped"]
    assert "GB of memory" in outputs[-1].evalue


def test_what_a_run_tells_of_itself_is_read_as_a_strangers_word():
    picture = "iVBORw0KGgo="
    lines = [b"no json", b"[]", b'{"cell": 7, "outputs": []}', b'{"cell": "0"}',
             json.dumps({"cell": 0, "status": "ok", "outputs": [
                 {"output_type": "execute_result", "data": {"text/plain": "99", "text/html": "<script>"}},
                 {"output_type": "stream", "name": "stderr", "text": "a warning"},
                 {"output_type": "display_data", "data": {"image/png": picture, "image/svg+xml": "<svg/>"}},
                 "nonsense", {"output_type": "display_data", "data": 3}]}).encode(),
             b'{"cell": 0, "status": "ok", "outputs": []}',
             json.dumps({"cell": 1, "status": "error", "outputs": []}).encode()]
    found = sandbox.assemble(lines, 4, "")
    assert [output.output_type for output in found[0]] == ["display_data", "stream", "display_data"]
    assert found[0][0].data == {"text/plain": "99"} and found[0][1].name == "stdout"
    assert found[0][2].data == {"image/png": picture}
    assert [cell[0].ename for cell in found[1:]] == ["Error", "Stopped", "NotReached"]


def test_a_cell_that_ran_out_of_memory_before_anybody_watched_is_said_to_have():
    error = {"output_type": "error", "ename": "MemoryError", "evalue": "", "traceback": []}
    told = json.dumps({"cell": 0, "status": "error", "outputs": [error]}).encode()
    [found] = sandbox.assemble([told], 1, "", sandbox.Limits(memory=3 * 2**30))
    assert (found[-1].ename, found[-1].evalue) == ("Stopped", "it took more than 3.0 GB of memory")


FORGES = """
import json, os
parent = f"/proc/{os.getppid()}/fd"
for name in os.listdir(parent):
    os.write(os.open(f"{parent}/{name}", os.O_WRONLY), b"".join(
        json.dumps({"cell": cell, "status": "ok", "outputs": []}).encode() + b"\\n" for cell in range(9)))
"""


@needs_sandbox
def test_a_run_can_not_write_its_own_result_nor_the_machines_settings():
    found = sandbox.run([FORGES, "1 / 0", "open('/proc/sys/kernel/panic', 'r+')"])
    assert [outputs[0].ename for outputs in found] == ["PermissionError", "ZeroDivisionError", "OSError"]


@needs_sandbox
def test_a_run_ends_when_it_takes_too_much():
    small = sandbox.Limits(cell=5, total=40, memory=2**30, disk=2**27, threads=150)
    found = sandbox.run(["import os\nwhile True: os.fork()"], small)
    assert found[0][0].ename == "Stopped"
    found = sandbox.run(["open('/tmp/large', 'wb').write(bytes(10**8))", "print('on')"], small)
    assert found[0][0].ename == "OSError" and found[1][0].text == "on\n"
    with pytest.raises(sandbox.NoSandbox):
        broken = sandbox.shutil.which
        try:
            sandbox.shutil.which = lambda name: None
            sandbox.run(["1"])
        finally:
            sandbox.shutil.which = broken
