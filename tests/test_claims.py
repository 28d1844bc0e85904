"""What a chapter shows is there because of a mechanism: take it out of the world, and that very claim fails."""

import os
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"

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


def world(**changes):
    """The shop with other parameters: a mechanism is switched off."""
    return f"""
import recbook.data
load = recbook.data.load
def other(name="shop", **options):
    return load(name, **(({changes} | options) if name == "shop" else options))
recbook.data.load = other
"""


ALL_ITEMS = """
import recbook.evaluation
from dataclasses import replace
recbook.evaluation.sample_candidates = lambda cases, negatives=99, seed=0: replace(cases, candidates=None)
"""

BOUGHT_AGAIN = """
import recbook.data.shop.events
recbook.data.shop.events.Owned.has = lambda self, users, items: self.items[users, 0] != self.items[users, 0]
"""


@pytest.mark.parametrize("chapter, claim, breakage", [
    ("background", "says['two says, added'] < common", world(complements=0.0)),
    ("background", "gain[0] < 0.4 * gain[-1]", world(taste=0.0)),
    ("background", "'matrix factorization', 'answer is new'", world(cold_items=0.0)),
    ("measuring", "leaky['nearest in time'] > 1.1", world(intent=0.0, complements=0.0)),
    ("measuring", "among[weak] > among[strong]", ALL_ITEMS),
    ("measuring", "bought < 2 * bought_error", BOUGHT_AGAIN),
    ("neighbours", "first['friends'] > first['popularity']", world(homophily=0.0)),
    ("embeddings", "curve['item2vec'][-1] > 0.5", world(taste=0.0, intent=0.0, complements=0.0)),
    ("hybrids", "quality['words'][new].mean() > 0.05", world(text_signal=0.0)),
    ("embeddings", "found.iloc[2] > found.iloc[1] + 0.05", world(drift=0.0)),
], ids=["no unions", "no taste", "no cold items", "no sessions", "all items ranked", "bought again",
        "friends at random", "nothing to recover", "words say nothing", "no drift"])
def test_a_claim_fails_when_its_effect_is_taken_out(chapter, claim, breakage):
    claim_in_text = claim.replace("'", '"')
    cells = (CHAPTERS / "text" / f"{chapter}.md").read_text()
    assert claim_in_text in cells
    assert claim_fails(chapter, breakage, claim)
