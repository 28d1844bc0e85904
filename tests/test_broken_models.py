"""A chapter must notice when its model is broken: each breakage below makes an assertion of its notebook fail."""

from pathlib import Path

import jupytext
import numpy as np
import pytest

import recbook as rb
from tests.forked import server

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"

POPULARITY = """
import recbook.training
sound_fit = recbook.training.fit
def broken_fit(model, split, **options):
    history = sound_fit(model, split, **options)
    if isinstance(model, recbook.models.BPRMF):
        popularity = recbook.models.Popularity(split.n_users, split.n_items).fit(split)
        model.scores = popularity.scores
        if "NDCG@10" in history:
            history["NDCG@10"] = recbook.evaluate(model, split.validation, ["NDCG@10"])["NDCG@10"]
    return history
recbook.training.fit = broken_fit
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
sound_fit = recbook.training.fit
def broken_fit(model, split, **options):
    if isinstance(model, recbook.models.BPRMF):
        model.item.weight.requires_grad_(False)
    return sound_fit(model, split, **options)
recbook.training.fit = broken_fit
"""

TOWER_CUT = """
import recbook.training
sound_fit = recbook.training.fit
def broken_fit(model, split, **options):
    if hasattr(model, "tower"):
        model.tower.output.data.zero_()
        model.tower.output.requires_grad_(False)
    return sound_fit(model, split, **options)
recbook.training.fit = broken_fit
"""

REVERSED_HISTORIES = """
import recbook.training, recbook.data.batches
sound_fit = recbook.training.fit
class Reversed(recbook.data.batches.Sequences):
    def batch(self, before, *others):
        before["items"] = before["items"].flip(1)
        return super().batch(before, *others)
def broken_fit(model, split, **options):
    model.batches = Reversed(model.length, model.negatives)
    return sound_fit(model, split, **options)
recbook.training.fit = broken_fit
"""

UPSIDE_DOWN = """
import recbook.training
sound_fit = recbook.training.fit
def broken_fit(model, split, **options):
    sound = model.picture
    model.picture = lambda items: sound(items).flip(1)
    history = sound_fit(model, split, **options)
    model.picture = sound
    return history
recbook.training.fit = broken_fit
"""

MASK_REMOVED = """
import recbook.training, torch.nn.functional
sound_fit, masked = recbook.training.fit, torch.nn.functional.scaled_dot_product_attention
def unmasked(queries, keys, values, dropout_p=0.0, is_causal=True):
    return masked(queries, keys, values, dropout_p=dropout_p)
def broken_fit(model, split, **options):
    torch.nn.functional.scaled_dot_product_attention = unmasked
    history = sound_fit(model, split, **options)
    torch.nn.functional.scaled_dot_product_attention = masked
    return history
recbook.training.fit = broken_fit
"""

CLICKS_TURNED_ROUND = """
from recbook.bandits import Counts
learns = Counts.learn
Counts.learn = lambda self, arms, clicks, examined=1.0: learns(self, arms, 1 - clicks, examined)
"""

EVEN_WEIGHTS = """
import torch
torch.Tensor.softmax = lambda relevance, dim: torch.full_like(relevance, 1 / relevance.shape[dim])
"""

REWARDS_TURNED_ROUND = """
from recbook import ShopEnv
sound_step = ShopEnv.step
def step(self, action):
    seen, reward, *rest = sound_step(self, action)
    return seen, -reward, *rest
ShopEnv.step = step
"""

TEACHER_LEAKS = """
import recbook.models.writer
recbook.models.writer.one_later = lambda items: items
"""

WEIGHTS_FORGOTTEN = """
import recbook.models
sound_grow = recbook.models.grow
def grow(model, dataset):
    grown = sound_grow(model, dataset)
    for module in grown.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return grown
recbook.models.grow = grow
"""


@pytest.fixture(scope="module")
def run():
    with server(CHAPTERS) as run:
        yield run


def said(run, chapter, breakage):
    """Run a chapter's code with something broken in it: what it printed on stderr."""
    cells = [cell for cell in jupytext.read(CHAPTERS / "text" / f"{chapter}.md").cells if cell.cell_type == "code"]
    numbered = "\n".join(cell.source for cell in cells)
    return run(f"{breakage}\n{numbered}\n").stderr


@pytest.mark.parametrize("breakage", [POPULARITY, SHUFFLED_LABELS, FROZEN_ITEMS],
                         ids=["popularity in its place", "labels shuffled", "item factors frozen"])
def test_matrix_factorization_notices(run, breakage):
    assert "AssertionError" in said(run, "matrix-factorization", breakage)


@pytest.mark.parametrize("chapter, breakage", [
    ("neumf", TOWER_CUT), ("recurrent", REVERSED_HISTORIES), ("caser", UPSIDE_DOWN),
    ("attention", MASK_REMOVED), ("attention", EVEN_WEIGHTS), ("exploring", CLICKS_TURNED_ROUND),
    ("writing-a-list", EVEN_WEIGHTS), ("writing-a-list", TEACHER_LEAKS),
    ("long-run", REWARDS_TURNED_ROUND), ("growing-old", WEIGHTS_FORGOTTEN),
], ids=["one tower of NeuMF cut", "histories reversed", "Caser's picture upside down", "causal mask removed",
        "attention made even", "a click is a refusal", "the decoder's attention made even",
        "the teacher's answers leak", "rewards are costs", "a grown model forgets its network"])
def test_the_neural_chapters_notice(run, chapter, breakage):
    assert "AssertionError" in said(run, chapter, breakage)


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
