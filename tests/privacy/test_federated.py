"""Training without collecting: the same step as in one place, what a message tells, and sums without their parts."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import chisquare

import recbook as rb
from recbook.privacy import FederatedMF, federate, masked, read_message, sum_of_masked
from recbook.privacy.federated import balanced, draw_unmet


@pytest.fixture(scope="module")
def split():
    return rb.by_time(rb.load("shop", n_users=300, n_items=40, n_events=9000))


def model_of(split, **options):
    rb.seed_everything(0)
    return FederatedMF(split.n_users, split.n_items, **({"dim": 6} | options))


def test_the_mean_of_changes_is_the_step_of_who_has_all_events(split):
    model = model_of(split, l2=0.1).double()
    met = torch.from_numpy(split.matrix().toarray()).double()
    met = met[met.sum(1) > 0]
    asked = draw_unmet(met, 2, torch.Generator().manual_seed(0))
    weight = balanced(met, asked)
    with torch.no_grad():
        vector = model.at_home(met, weight)
    scores = vector @ model.item.weight.T + model.item_bias
    each = weight * F.binary_cross_entropy_with_logits(scores, met, reduction="none")
    loss = (each + model.l2 / 2 * weight * model.item.weight.square().sum(1)).sum(1).mean()
    loss.backward()
    mean = model.messages(met, asked, steps=1, learning_rate=0.7).mean(0)
    torch.testing.assert_close(mean[:, :-1], -0.7 * model.item.weight.grad)
    torch.testing.assert_close(mean[:, -1], -0.7 * model.item_bias.grad)


def test_the_server_makes_the_mean_of_what_was_sent(split, monkeypatch):
    """One round with everybody: not the sum, and not one customer's."""
    model, matrix = model_of(split), split.matrix()
    met = torch.from_numpy(matrix[np.diff(matrix.indptr) > 0].toarray())
    before = model.answers().detach().clone()
    expected = before + model.messages(met, 1 - met, 3, 0.5).mean(0)
    federate(model, split, rounds=1, customers=len(met), steps=3, learning_rate=0.5, negatives=None)
    torch.testing.assert_close(model.answers().detach(), expected, atol=1e-6, rtol=1e-5)


def test_masked_rounds_give_the_model_of_open_ones(split):
    found = []
    for hidden in (False, True):
        model = model_of(split)
        federate(model, split, rounds=5, customers=8, steps=2, hidden=hidden)
        found.append(model.answers().detach())
    assert (found[0] - found[1]).abs().max() < 5 * 2**-16               # half a part of one for each of five rounds


def test_rounds_teach_what_people_take(split):
    model = model_of(split)
    start = rb.evaluate(model, split.validation, ["NDCG@10"])["NDCG@10"]
    travelled = federate(model, split, rounds=150, customers=50, steps=5, learning_rate=3.0, negatives=None)
    floor = rb.evaluate(rb.Popularity(300, 40).fit(split), split.validation, ["NDCG@10"])["NDCG@10"]
    assert rb.evaluate(model, split.validation, ["NDCG@10"])["NDCG@10"] > floor > start
    assert travelled.up == travelled.down == 4 * 40 * 7
    assert travelled.passes == pytest.approx(150 * 50 / (np.diff(split.matrix().indptr) > 0).sum())


def test_nobody_has_the_customers_vectors(split):
    model = model_of(split)
    assert not model.knows_users and not any("user" in name for name in model.state_dict())
    mine = rb.Context(items=torch.tensor([[3, 5, 3, -1]]))
    theirs = rb.Context(items=torch.tensor([[5, 3]]), users=torch.tensor([7]))
    torch.testing.assert_close(model.scores(mine), model.scores(theirs))
    torch.testing.assert_close(model.question(mine) @ model.answers().T, model.scores(mine))
    torch.testing.assert_close(model.scores(mine, torch.tensor([4, 2])), model.scores(mine)[:, [4, 2]])


# -------------------------------------------------------------------------------------------- what a message tells

@pytest.mark.parametrize("negatives", [1, 4, None])
@pytest.mark.parametrize("steps", [1, 5])
def test_one_message_tells_everything_that_was_met(split, negatives, steps):
    model = model_of(split)
    met = torch.from_numpy(split.matrix()[:50].toarray())
    asked = draw_unmet(met, negatives, torch.Generator().manual_seed(0))
    for row, others, change in zip(met, asked, model.messages(met, asked, steps)):
        guess, moved = read_message(change)
        assert torch.equal(guess, row.bool())
        assert torch.equal(moved, (row + others).bool())


def test_negatives_are_items_that_were_not_met(split):
    met = torch.from_numpy(split.matrix()[:50].toarray())
    for negatives in (1, 3, None):
        unmet = draw_unmet(met, negatives, torch.Generator().manual_seed(0))
        assert not (unmet * met).any()
        room = met.shape[1] - met.sum(1)
        assert torch.equal(unmet.sum(1), room if negatives is None else torch.minimum(negatives * met.sum(1), room))


# -------------------------------------------------------------------------------------------- secure aggregation

def test_masks_cancel_in_the_sum():
    messages = torch.randn(12, 5, 3)
    sent = masked(messages, seed=1)
    assert (sum_of_masked(sent) - messages.sum(0)).abs().max() <= 12 * 2**-17 + 1e-5
    assert sent.min() >= 0 and sent.max() < 2**32


def test_one_masked_message_is_noise_whatever_it_says():
    said = torch.zeros(2, 40_000)
    said[0] = 100.0
    for sender in (0, 1):
        sent = masked(said, seed=3)[sender]
        assert chisquare(np.bincount(sent >> 28, minlength=16)).pvalue > 1e-3
        assert chisquare(np.bincount(sent & 15, minlength=16)).pvalue > 1e-3
    other = masked(torch.zeros(2, 40_000), seed=4)[0]
    assert abs(np.corrcoef(masked(said, seed=3)[0], other)[0, 1]) < 0.03


def test_a_message_that_does_not_come_leaves_noise():
    messages = torch.zeros(4, 1000)
    assert sum_of_masked(masked(messages)[:3]).abs().mean() > 1000
    assert (masked(messages[:1]) == 0).all()                            # who is alone has nobody to hide among


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(rb.RecbookError, match="fits up to") as problem:
        masked(torch.full((4, 2), 1e4))
    assert "\n" not in str(problem.value)
    with pytest.raises(rb.RecbookError, match="fits up to"):
        masked(torch.tensor([[1.0], [float("nan")]]))


@pytest.mark.parametrize("options, why", [
    ({"rounds": 0}, "rounds=0"), ({"customers": 0}, "customers=0"), ({"customers": 1000}, "customers=1000: only"),
    ({"steps": 0}, "steps=0"), ({"learning_rate": 0.0}, "learning_rate=0.0"), ({"negatives": -1}, "negatives=-1"),
    ({"learning_rate": 1e30, "steps": 5}, "smaller learning rate")])
def test_what_cannot_train_is_refused_in_one_line(split, options, why):
    with pytest.raises(rb.RecbookError, match=why) as problem:
        federate(model_of(split), split, **({"rounds": 5, "customers": 5} | options))
    assert "\n" not in str(problem.value)
