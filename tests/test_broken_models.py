"""A chapter must notice when its model is broken, or when the effect that it shows is taken out of the world.

Each breakage below makes an assertion of its notebook fail, and where one claim is meant, that very claim.
"""

import os
import subprocess
import sys
from pathlib import Path

import jupytext
import numpy as np
import pytest

import recbook as rb

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"

POPULARITY = """
import recbook.training
train = recbook.training.fit
def fit(model, split, **options):
    history = train(model, split, **options)
    if isinstance(model, recbook.models.BPRMF):
        popularity = recbook.models.Popularity(split.n_users, split.n_items).fit(split)
        model.scores = popularity.scores
        if "NDCG@10" in history:
            history["NDCG@10"] = recbook.evaluate(model, split.validation, ["NDCG@10"])["NDCG@10"]
    return history
recbook.training.fit = fit
"""

SHUFFLED_LABELS = """
import torch, recbook.data.batches
prepare = recbook.data.batches.Pairs.prepare
def shuffled(self, split, device="cpu"):
    prepare(self, split, device)
    self.items = self.items[torch.randperm(len(self.items))]
    return self
recbook.data.batches.Pairs.prepare = shuffled
"""

FROZEN_ITEMS = """
import recbook.training
train = recbook.training.fit
def fit(model, split, **options):
    if isinstance(model, recbook.models.BPRMF):
        model.item.weight.requires_grad_(False)
    return train(model, split, **options)
recbook.training.fit = fit
"""


def run(chapter, breakage):
    """Run a chapter's code with something broken in it: what it printed on stderr."""
    cells = [cell for cell in jupytext.read(CHAPTERS / "text" / f"{chapter}.md").cells if cell.cell_type == "code"]
    numbered = "\n".join(cell.source for cell in cells)
    done = subprocess.run([sys.executable, "-"], input=f"{breakage}\n{numbered}\n", cwd=CHAPTERS, capture_output=True,
                          text=True, env=os.environ | {"MPLBACKEND": "Agg"}, timeout=500)
    return done.stderr


CELLS = """
import ast, sys
def run_cells(cells, claim):
    space = {"__name__": "__main__"}
    for source in cells:
        try:
            exec(compile(source, "cell", "exec"), space)
        except AssertionError as failed:
            line = failed.__traceback__.tb_next.tb_lineno
            statement = next(node for node in ast.parse(source).body if node.lineno <= line <= node.end_lineno)
            if claim in ast.unparse(statement):
                sys.exit("the claim failed")
"""


def claim_fails(chapter, breakage, claim):
    """Whether an assertion that holds the text `claim` fails in a chapter that runs in a broken world."""
    cells = [cell.source for cell in jupytext.read(CHAPTERS / "text" / f"{chapter}.md").cells if cell.cell_type == "code"]
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
    ("embeddings", "found.iloc[2] > found.iloc[1] + 0.05", world(drift=0.0)),
], ids=["no unions", "no taste", "no cold items", "no sessions", "all items ranked", "bought again", "friends at random",
        "nothing to recover", "no drift"])
def test_a_claim_fails_when_its_effect_is_taken_out(chapter, claim, breakage):
    claim_in_text = claim.replace("'", '"')
    cells = (CHAPTERS / "text" / f"{chapter}.md").read_text()
    assert claim_in_text in cells
    assert claim_fails(chapter, breakage, claim)


@pytest.mark.parametrize("breakage", [POPULARITY, SHUFFLED_LABELS, FROZEN_ITEMS],
                         ids=["popularity in its place", "labels shuffled", "item factors frozen"])
def test_matrix_factorization_notices(breakage):
    assert "AssertionError" in run("matrix-factorization", breakage)


def test_the_bound_on_bpr_holds_for_five_seeds():
    """The chapter asserts validation NDCG@10 > 1.4 x popularity: five standard deviations below the sound model."""
    shop = rb.load("shop")
    split = rb.by_time(shop)
    sizes = shop.n_users, shop.n_items
    floor = rb.evaluate(rb.Popularity(*sizes).fit(split), split.validation, ["NDCG@10"])["NDCG@10"]
    found = []
    for seed in range(5):
        rb.seed_everything(seed)
        model = rb.BPRMF(*sizes, dim=8, l2=0.03)
        rb.fit(model, split, epochs=8, batch_size=4096, seed=seed, progress=False)
        found.append(rb.evaluate(model, split.validation, ["NDCG@10"])["NDCG@10"])
    assert np.mean(found) - 5 * np.std(found, ddof=1) > 1.4 * floor
