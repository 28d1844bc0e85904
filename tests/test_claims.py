"""What a chapter shows is there because of a mechanism: take it out of the world, and that very claim fails.

And a control notices its rival: put the plain rival where the model was, and the control's assertion fails.
"""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

from tests.names import bound, imported, root, used

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"
CASES = sorted(path.stem for path in (Path(__file__).parent / "claims").glob("[a-z]*.py"))

CELLS = """
import ast, sys
def run_cells(cells, claim):
    space = {"__name__": "__main__"}
    for cell in cells:
        for statement in ast.parse(cell).body:
            try:
                exec(compile(ast.Module([statement], []), "cell", "exec"), space)
            except AssertionError:
                if claim in ast.unparse(statement):
                    sys.exit("the claim failed")
"""


CHANGES = {"fit", "train", "step", "backward", "append", "update", "extend", "add", "load_state_dict", "compile", "evaluate"}


def claim_fails(chapter, breakage, claim):
    """Whether an assertion that holds the text `claim` fails in a chapter that runs in a broken world."""
    text = jupytext.read(CHAPTERS / "text" / f"{chapter}.md")
    cells = needed([cell.source for cell in text.cells if cell.cell_type == "code"], claim)
    program = f"{CELLS}\n{breakage}\nrun_cells({cells!r}, {claim!r})\n"
    done = subprocess.run([sys.executable, "-"], input=program, cwd=CHAPTERS, capture_output=True, text=True,
                          env=os.environ | {"MPLBACKEND": "Agg"}, timeout=500)
    return done.stderr.rstrip().endswith("the claim failed")


def needed(cells, claim):
    """The cells up to the one that asserts the claim, less those that give it no name and change nothing that it uses."""
    trees = [ast.parse(cell) for cell in cells]
    last = next(number for number, tree in enumerate(trees) for node in ast.walk(tree)
                if isinstance(node, ast.Assert) and claim in ast.unparse(node))
    own = {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    wanted, kept = used(trees[last]), [last]
    for number in reversed(range(last)):
        if (bound(trees[number]) | imported(trees[number]) | changed(trees[number], own)) & wanted:
            wanted |= used(trees[number])
            kept.insert(0, number)
    return [cells[number] for number in kept]


def changed(tree, own):
    """Names whose objects a call may change: what has a method of `CHANGES` called, or is given to such a function, or to
    one of the chapter's `own`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in CHANGES or name.endswith("_") or name in own:
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                found |= {root(node.func)} | {inner.id for part in given for inner in ast.walk(part)
                                              if isinstance(inner, ast.Name)}
    return found - {None}


def cases(kind):
    for name in CASES:
        chapter = name.replace("_", "-")
        for what, claim, breakage in getattr(importlib.import_module(f"tests.claims.{name}"), kind, ()):
            yield pytest.param(chapter, claim, breakage, id=f"{chapter}: {what}")


def check(chapter, claim, breakage):
    assert claim.replace("'", '"') in (CHAPTERS / "text" / f"{chapter}.md").read_text()
    assert claim_fails(chapter, breakage, claim)


@pytest.mark.parametrize("chapter, claim, breakage", list(cases("TAKEN_OUT")))
def test_a_claim_fails_when_its_effect_is_taken_out(chapter, claim, breakage):
    check(chapter, claim, breakage)


@pytest.mark.parametrize("chapter, claim, breakage", list(cases("RIVALS")))
def test_a_control_notices_the_rival(chapter, claim, breakage):
    check(chapter, claim, breakage)
