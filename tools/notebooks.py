"""Chapters are pairs: `chapters/text/NAME.md` is what people edit, `chapters/NAME.ipynb` holds the outputs.

    python tools/notebooks.py execute [NAME ...]   run the text twins and store the outputs
    python tools/notebooks.py check [FOLDER]       fail if a pair disagrees or a notebook has no outputs
"""

import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
    "jupytext": {"formats": "ipynb,text///md:myst"},
}


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
        NotebookClient(notebook, timeout=600, kernel_name="python3", record_timing=False,
                       resources={"metadata": {"path": str(CHAPTERS)}}).execute()
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{number}"                               # ids would differ from run to run
        beside = CHAPTERS / f".{path.stem}.ipynb"
        nbformat.write(notebook, beside)
        beside.replace(CHAPTERS / f"{path.stem}.ipynb")
        print(f"{path.stem}: {time.perf_counter() - start:.1f} s")


def content(notebook):
    """What a pair must agree on: kind, source and tags of every cell."""
    return [(cell.cell_type, cell.source.strip(), dict(cell.metadata)) for cell in notebook.cells]


def problems(chapters=CHAPTERS):
    """One line for each pair that is not as it should be."""
    names = {path.stem for path in texts(chapters)} | {path.stem for path in chapters.glob("*.ipynb")}
    for name in sorted(names):
        text, stored = chapters / "text" / f"{name}.md", chapters / f"{name}.ipynb"
        if not (text.exists() and stored.exists()):
            yield f"{name}: one of the pair is missing"
            continue
        ours, theirs = content(jupytext.read(text)), content(nbformat.read(stored, 4))
        if ours != theirs:
            same = [mine == other for mine, other in zip(ours, theirs)]
            first = same.index(False) if False in same else len(same)
            yield f"{name}: cell {first} of the text and of the notebook differ; run `make execute` after an edit"
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
        case ["check", *folder] if len(folder) <= 1:
            found = list(problems(*map(Path, folder)))
            sys.exit("\n".join(found) if found else 0)
        case _:
            sys.exit(__doc__)
