"""What a chapter shows is there because of a mechanism: take it out of the world, and that very claim fails.

And a control notices its rival: put the plain rival where the model was, and the control's assertion fails.
"""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

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


def claim_fails(chapter, breakage, claim):
    """Whether an assertion that holds the text `claim` fails in a chapter that runs in a broken world."""
    text = jupytext.read(CHAPTERS / "text" / f"{chapter}.md")
    cells = [cell.source for cell in text.cells if cell.cell_type == "code"]
    program = f"{CELLS}\n{breakage}\nrun_cells({cells!r}, {claim!r})\n"
    done = subprocess.run([sys.executable, "-"], input=program, cwd=CHAPTERS, capture_output=True, text=True,
                          env=os.environ | {"MPLBACKEND": "Agg"}, timeout=500)
    return done.stderr.rstrip().endswith("the claim failed")


def cases(kind):
    for name in CASES:
        chapter = name.replace("_", "-")
        for what, claim, breakage in getattr(importlib.import_module(f"tests.claims.{name}"), kind, ()):
            yield pytest.param(chapter, claim, breakage, id=f"{chapter}: {what}")


def check(chapter, claim, breakage):
    assert claim.replace("'", '"') in (CHAPTERS / "text" / f"{chapter}.md").read_text()
    assert claim_fails(chapter, breakage, claim)


@pytest.mark.parametrize("chapter, claim, breakage", cases("TAKEN_OUT"))
def test_a_claim_fails_when_its_effect_is_taken_out(chapter, claim, breakage):
    check(chapter, claim, breakage)


@pytest.mark.parametrize("chapter, claim, breakage", cases("RIVALS"))
def test_a_control_notices_the_rival(chapter, claim, breakage):
    check(chapter, claim, breakage)
