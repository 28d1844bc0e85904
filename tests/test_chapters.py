"""A chapter's notebook was run, shows what its text says, and can be read without seeing."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

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
    """A cell that shows numbers which differ from machine to machine asserts something; a mere picture need not."""
    loose = [cell.source for cell in code_cells(notebook) if "nbval-ignore-output" in tags(cell)
             and "assert " not in cell.source and len(images(cell)) < len(cell.outputs)]
    assert loose == []


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
