"""Notebooks are pairs: people edit the text twin, the notebook is made from it.

Chapters: `chapters/text/NAME.md`, and `chapters/NAME.ipynb` with the outputs. Assignments: `assignments/text/NAME.md`,
and `assignments/source/NAME/NAME.ipynb`, which is not executed: nbgrader's source, solutions included.

    python tools/notebooks.py execute [NAME ...]   run the chapters' text twins and store the outputs
    python tools/notebooks.py assignments          write the assignments' notebooks
    python tools/notebooks.py check [FOLDER]       fail if a pair disagrees or a chapter has no outputs
"""

import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS, ASSIGNMENTS = ROOT / "chapters", ROOT / "assignments"
PYTHON = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}
METADATA = PYTHON | {"jupytext": {"formats": "ipynb,text///md:myst"}}


def texts(chapters=CHAPTERS):
    return sorted((chapters / "text").glob("*.md"))


def execute(names):
    unknown = set(names) - {path.stem for path in texts()}
    if unknown:
        sys.exit(f"No text twin chapters/text/{min(unknown)}.md.")
    for path in texts():
        if names and path.stem not in names:
            continue
        start = time.perf_counter()
        notebook = jupytext.read(path)
        notebook.metadata = nbformat.from_dict(METADATA)
        NotebookClient(notebook, timeout=600, kernel_name="python3", record_timing=False, coalesce_streams=True,
                       resources={"metadata": {"path": str(CHAPTERS)}}).execute()
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{number}"                               # ids would differ from run to run
        beside = CHAPTERS / f".{path.stem}.ipynb"
        nbformat.write(notebook, beside)
        beside.replace(CHAPTERS / f"{path.stem}.ipynb")
        print(f"{path.stem}: {time.perf_counter() - start:.1f} s")


def write_assignments():
    for path in texts(ASSIGNMENTS):
        stored = assignment(path.stem)
        stored.parent.mkdir(parents=True, exist_ok=True)
        notebook = jupytext.read(path)
        notebook.metadata = nbformat.from_dict(PYTHON)
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{number}"
        nbformat.write(notebook, stored)


def assignment(name):
    return ASSIGNMENTS / "source" / name / f"{name}.ipynb"


def content(notebook):
    """What a pair must agree on: kind, source and tags of every cell."""
    return [(cell.cell_type, cell.source.strip(), dict(cell.metadata)) for cell in notebook.cells]


def differ(text, stored, remedy):
    """One line if the two of a pair do not agree."""
    if not (text.exists() and stored.exists()):
        yield f"{text.stem}: one of the pair is missing"
        return
    ours, theirs = content(jupytext.read(text)), content(nbformat.read(stored, 4))
    if ours != theirs:
        same = [mine == other for mine, other in zip(ours, theirs)]
        first = same.index(False) if False in same else len(same)
        yield f"{text.stem}: cell {first} of the text and of the notebook differ; run {remedy} after an edit"


def unpaired_assignments():
    """One line for each assignment that is not as its text says."""
    names = {path.stem for path in texts(ASSIGNMENTS)} | {path.name for path in (ASSIGNMENTS / "source").iterdir()}
    for name in sorted(names):
        yield from differ(ASSIGNMENTS / "text" / f"{name}.md", assignment(name), "`make assignments`")


def problems(chapters=CHAPTERS):
    """One line for each chapter that is not as it should be."""
    names = {path.stem for path in texts(chapters)} | {path.stem for path in chapters.glob("*.ipynb")}
    for name in sorted(names):
        text, stored = chapters / "text" / f"{name}.md", chapters / f"{name}.ipynb"
        yield from differ(text, stored, "`make execute`")
        if not (text.exists() and stored.exists()):
            continue
        cells = [cell for cell in nbformat.read(stored, 4).cells if cell.cell_type == "code"]
        if any(cell.execution_count is None for cell in cells):
            yield f"{name}: a cell of the notebook was never executed"
        if any(output.output_type == "error" for cell in cells for output in cell.outputs):
            yield f"{name}: the notebook holds an error"
        if any(output.get("name") == "stderr" for cell in cells for output in cell.outputs):
            yield f"{name}: the notebook shows stderr to the reader"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["execute", *names]:
            execute(names)
        case ["assignments"]:
            write_assignments()
        case ["check", *folder] if len(folder) <= 1:
            found = list(problems(*map(Path, folder))) + ([] if folder else list(unpaired_assignments()))
            sys.exit("\n".join(found) if found else 0)
        case _:
            sys.exit(__doc__)
