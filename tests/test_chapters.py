"""A chapter's notebook was run, shows what its text says, and can be read without seeing."""

import ast
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

from tests.names import bound, used

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = ROOT / "chapters"
NAMES = sorted(path.stem for path in CHAPTERS.glob("*.ipynb"))


TOOL = ROOT / "tools" / "notebooks.py"
problems = runpy.run_path(str(TOOL))["problems"]


def check(folder):
    return subprocess.run([sys.executable, TOOL, "check", folder], capture_output=True, text=True)


def test_there_is_a_notebook_for_every_text():
    assert NAMES == sorted(path.stem for path in (CHAPTERS / "text").glob("*.md")) != []


def test_the_pairs_agree():
    run = check(CHAPTERS)
    assert run.returncode == 0, run.stderr


def test_the_check_fails_where_there_is_a_problem(tmp_path):
    (tmp_path / "alone.ipynb").write_text("")
    run = check(tmp_path)
    assert run.returncode == 1 and run.stderr == "alone: one of the pair is missing\n"


# ---------------------------------------------------------------------------------------------- what the check finds


def edit_text(text, stored):
    text.write_text(text.read_text().replace("# ", "# Not ", 1))


def edit_notebook(text, stored):
    notebook = nbformat.read(stored, 4)
    code_cells(notebook)[0].source += "\nprint()"
    nbformat.write(notebook, stored)


def edit_tags(text, stored):
    notebook = nbformat.read(stored, 4)
    code_cells(notebook)[0].metadata["tags"] = ["nbval-skip"]
    nbformat.write(notebook, stored)


def remove_text(text, stored):
    text.unlink()


def remove_notebook(text, stored):
    stored.unlink()


def forget_a_run(text, stored):
    notebook = nbformat.read(stored, 4)
    code_cells(notebook)[-1].update(execution_count=None, outputs=[])
    nbformat.write(notebook, stored)


def store_an_error(text, stored):
    notebook = nbformat.read(stored, 4)
    code_cells(notebook)[-1].outputs = [nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])]
    nbformat.write(notebook, stored)


def store_a_warning(text, stored):
    notebook = nbformat.read(stored, 4)
    code_cells(notebook)[-1].outputs = [nbformat.v4.new_output("stream", name="stderr", text="careful")]
    nbformat.write(notebook, stored)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("damage, says", [
    (edit_text, "differ"), (edit_notebook, "differ"), (edit_tags, "differ"), (remove_text, "missing"),
    (remove_notebook, "missing"), (forget_a_run, "never executed"), (store_an_error, "error"),
    (store_a_warning, "stderr"),
])
def test_the_check_names_the_chapter_and_what_is_wrong_with_it(damage, says, tmp_path):
    (tmp_path / "text").mkdir()
    for name in ("sound", "damaged"):
        shutil.copy(CHAPTERS / "index.ipynb", tmp_path / f"{name}.ipynb")
        jupytext.write(nbformat.read(CHAPTERS / "index.ipynb", 4), tmp_path / "text" / f"{name}.md", fmt="md:myst")
    assert list(problems(tmp_path)) == []
    damage(tmp_path / "text" / "damaged.md", tmp_path / "damaged.ipynb")
    (found,) = problems(tmp_path)
    assert found.startswith("damaged: ") and says in found


# ------------------------------------------------------------------------------------------------ every notebook


@pytest.fixture(params=NAMES)
def notebook(request):
    return nbformat.read(CHAPTERS / f"{request.param}.ipynb", 4)


def tags(cell):
    return cell.metadata.get("tags", [])


def images(cell):
    return [output for output in cell.outputs if any(kind.startswith("image/") for kind in output.get("data", {}))]


def test_outputs_are_stored(notebook):
    assert all(cell.execution_count is not None for cell in code_cells(notebook))
    assert sum(bool(cell.outputs) for cell in code_cells(notebook)) >= 3


def test_output_that_is_not_compared_is_asserted(notebook):
    """A cell that shows numbers which differ from machine to machine asserts something, or a check after it does so
    with a name of it; a mere picture need not."""
    cells = code_cells(notebook)
    loose = [cell.source for number, cell in enumerate(cells)
             if "nbval-ignore-output" in tags(cell) and not asserts(cell)
             and len(images(cell)) < len(cell.outputs)
             and not bound(tree(cell)) & set().union(*(used(tree(later)) for later in cells[number + 1:] if asserts(later)))]
    assert loose == []


def asserts(cell):
    return [node for node in ast.walk(tree(cell)) if isinstance(node, ast.Assert)]


def tree(cell):
    return ast.parse(cell.source)


# ------------------------------------------------------------------------------------------------ claims and checks


MARK = re.compile(r"\]\{\.(claim|cause)\}")
CONTROL = re.compile(r"^\s*# control: \S", re.M)


def in_solutions(notebook):
    """For each cell whether it stands within the folded solution of an exercise."""
    inside, found = False, []
    for cell in notebook.cells:
        opened, closed = (cell.cell_type == "markdown" and cell.source.rfind(mark) for mark in
                          ("{solution-start}", "{solution-end}"))
        found.append(inside)
        if cell.cell_type == "markdown" and max(opened, closed) >= 0:
            inside = opened > closed
    return found


def test_no_assertion_is_in_sight(notebook):
    """They stand in cells that are folded away (checks, solutions) or not shown at all."""
    seen = [cell.source for cell, solution in zip(notebook.cells, in_solutions(notebook))
            if cell.cell_type == "code" and asserts(cell) and not solution and not {"check", "remove-cell"} & set(tags(cell))]
    assert seen == []


def claims_and_checks(notebook):
    """[(kinds of the claims of a text, the cell that follows it)]"""
    waiting, found = [], []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            waiting += MARK.findall(cell.source)
        elif waiting:
            found.append((waiting, cell))
            waiting = []
    return found + [(waiting, None)] * bool(waiting)


def test_no_claim_without_a_check(notebook):
    for claims, cell in claims_and_checks(notebook):
        assert cell is not None and "check" in tags(cell), claims
        assert len(asserts(cell)) >= len(claims), cell.source


def test_no_cause_without_a_control_and_its_numbers(notebook):
    for claims, cell in claims_and_checks(notebook):
        controls = len(CONTROL.findall(cell.source))
        assert claims.count("cause") <= controls, cell.source
        assert not controls or cell.outputs, cell.source


def test_a_chapter_makes_claims(notebook, request):
    counts = [len(claims) for claims, _ in claims_and_checks(notebook)]
    assert sum(counts) >= (1 if request.node.callspec.params["notebook"] in ("index", "speed") else 8)


HIDDEN = (r"(?s):::\{live\}.*?\n:::", r"(?s):::+\{solution-start\}.*?\{solution-end\}",
          r"(?s)(:::+)\s*\{dropdown\}.*?\n\1\s*(?=\n|$)",
          r"(?s)```+\{[\w-]+\}.*?```+", r"(?m)^:\w.*$", r"(?m)^:::+.*$", r"\{[\w:-]+\}`[^`]*`", r"(?s)\$\$.*?\$\$")


def test_a_chapter_is_read_in_an_hour(notebook):
    """At most about 2,500 words in sight: without code, formulas, figures and their captions, folds and solutions."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for pattern in HIDDEN:
        text = re.sub(pattern, " ", text)
    words = re.findall(r"[A-Za-z][\w'’-]*", text)
    assert len(words) <= 2600


def test_no_cell_escapes_the_comparison_by_another_tag(notebook):
    assert not {"nbval-skip", "raises-exception", "nbval-raises-exception"} & {tag for cell in notebook.cells
                                                                             for tag in tags(cell)}


def test_every_picture_has_alternative_text(notebook):
    alone = [cell.source for cell in code_cells(notebook) if images(cell)
             and len(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")) < 20]
    assert alone == []


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_small(name):
    assert (CHAPTERS / f"{name}.ipynb").stat().st_size < 2_000_000
