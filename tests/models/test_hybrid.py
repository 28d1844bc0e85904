"""Hybrids: by hand on four items, against their parts, and on what cannot be."""

import math

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

import recbook
from recbook.data.splits import Context
from recbook.errors import ModelError
from recbook.models.base import select
from recbook.models.hybrid import Cascade, Newcomers, Switching, Weighted, standardised


class Given(recbook.Recommender):
    """Scores that are known."""

    reads = None

    def __init__(self, scores, as_array=False):
        super().__init__()
        self.known, self.as_array = torch.tensor(scores, dtype=torch.float64), as_array

    def scores(self, context, items=None):
        known = select(self.known.expand(len(context), -1), items)
        return known.numpy() if self.as_array else known


FIRST, SECOND = Given([0.0, 0, 10, 10]), Given([-1.0, 1, -1, 1])
HISTORIES = Context(users=torch.tensor([2, 0, 1]), items=torch.tensor([[1, 2, 3], [1, -1, -1], [-1, -1, -1]]))


def test_a_weighted_mean_of_standardised_scores():
    assert_close(Weighted(FIRST, SECOND, 0.75).scores(HISTORIES),
                 torch.tensor([[-1.0, -0.5, 0.5, 1]]).double().expand(3, -1))


def test_who_has_few_events_gets_less_of_the_first():
    """With half = 1 and weight 1: three events 3/4, one 1/2, none 0."""
    scores = Weighted(FIRST, SECOND, 1.0, half=1, met=[1, 0, 3]).scores(HISTORIES)      # users 2, 0, 1 ask
    assert_close(scores, torch.tensor([[-1.0, -0.5, 0.5, 1], [-1, 0, 0, 1], [-1, 1, -1, 1]]).double())


def test_newcomers_share_what_is_theirs():
    """Items 0 and 3 are new and get a quarter, 4 : 1 as the second model says; 1 and 2 the rest, 2 : 1 as the first."""
    first, second = (Given([math.log(chance) for chance in chances]) for chances in ((5, 2, 1, 7), (8, 1, 1, 2)))
    scores = Newcomers(first, second, met=[9, 10, 50, 0], enough=10, share=0.25).scores(HISTORIES)
    assert_close(scores.exp(), torch.tensor([0.2, 0.5, 0.25, 0.05]).double().expand(3, -1))


def test_switching_takes_one_or_the_other():
    scores = Switching(FIRST, SECOND, enough=2).scores(HISTORIES)
    assert_close(scores, torch.tensor([[0.0, 0, 10, 10], [-1, 1, -1, 1], [-1, 1, -1, 1]]).double())


def test_a_cascade_orders_the_best_of_the_first_by_the_second():
    scores = Cascade(Given([3.0, 2, 1, 0]), Given([0.0, 5, 9, 7]), kept=2).scores(HISTORIES)
    assert scores[0].argsort(descending=True).tolist() == [1, 0, 2, 3]


@given(st.lists(st.integers(-50, 50), min_size=4, max_size=4), st.lists(st.integers(-50, 50), min_size=4, max_size=4),
       st.integers(1, 6))
def test_a_cascade_keeps_the_same_items_on_top(first, second, kept):
    first = torch.tensor(first).double() + torch.arange(4) / 10         # no ties
    scores = Cascade(Given(first.tolist()), Given(second), kept).scores(HISTORIES)[0]
    kept = min(kept, 4)
    assert set(scores.argsort(descending=True)[:kept].tolist()) == set(first.argsort(descending=True)[:kept].tolist())
    assert scores.argsort(descending=True)[kept:].tolist() == first.argsort(descending=True)[kept:].tolist()


@pytest.mark.parametrize("weight, part", [(1.0, FIRST), (0.0, SECOND)])
def test_at_the_ends_a_weighted_hybrid_is_one_of_its_parts(weight, part):
    assert_close(Weighted(FIRST, SECOND, weight).scores(HISTORIES), standardised(part.scores(HISTORIES)))


def test_scores_without_differences_become_zero():
    assert_close(standardised(torch.full((2, 3), 7.0)), torch.zeros(2, 3))
    assert_close(standardised(torch.tensor([[1.0, 3]])), torch.tensor([[-1.0, 1]]))


@pytest.mark.parametrize("items", [None, torch.tensor([3, 0]), torch.tensor([[1, 2], [0, 0], [3, 1]])])
@pytest.mark.parametrize("hybrid", [Weighted(FIRST, SECOND), Switching(FIRST, SECOND), Cascade(FIRST, SECOND, 2),
                                    Newcomers(FIRST, SECOND, [0, 10, 10, 10])])
def test_candidates_have_the_scores_they_have_among_all(hybrid, items):
    everything = hybrid.scores(HISTORIES)
    if items is None:
        assert everything.shape == (3, 4)
    else:
        expected = everything[:, items] if items.ndim == 1 else everything.gather(1, items)
        assert_close(hybrid.scores(HISTORIES, items), expected)


def test_a_weighted_hybrid_of_products_makes_the_scores_of_the_candidates_alone(monkeypatch):
    """The same numbers as among all items, before and after a weight has changed, and no part is asked of all."""
    recbook.seed_everything(0)
    parts = recbook.GRU4Rec(3, 50, dim=8, hidden=8).eval(), recbook.BPRMF(3, 50, dim=6)
    hybrid, some = Weighted(*parts, weight=0.3), torch.tensor([4, 40, 7])
    with torch.no_grad():
        for change in (1, 3):
            parts[1].item.weight.mul_(change)
            whole = hybrid.scores(HISTORIES)
            with monkeypatch.context() as patch:
                for part in parts:
                    patch.setattr(part, "scores", None)
                assert_close(hybrid.scores(HISTORIES, some), whole[:, some])
                each = some[torch.tensor([[0, 1], [2, 0], [1, 1]])]
                assert_close(hybrid.scores(HISTORIES, each), whole.gather(1, each))


def test_of_somebody_new_the_first_has_seen_nothing():
    new = Context(items=torch.tensor([[1, 2]]))
    assert_close(Weighted(FIRST, SECOND, 1.0, half=1, met=[1, 0, 3]).scores(new), standardised(SECOND.known[None]))


def test_a_part_may_answer_with_an_array_as_a_keras_model_does():
    assert_close(Weighted(Given([0.0, 0, 10, 10], as_array=True), SECOND).scores(HISTORIES),
                 Weighted(FIRST, SECOND).scores(HISTORIES))


def test_it_is_evaluated_like_any_model():
    """User u meets item u; each part knows half of the users' items and the hybrid all."""
    log = pd.DataFrame([(user, item) for user in range(4) for item in (4, 5, user)], columns=["user", "item"])
    split = recbook.leave_last_out(recbook.from_frame(log))

    class Half(recbook.Recommender):
        def __init__(self, mine):
            super().__init__()
            self.mine = mine

        def scores(self, context, items=None):
            return torch.eye(6)[context.users] * torch.isin(context.users, torch.tensor(self.mine))[:, None]

    parts = Half([0, 1]), Half([2, 3])
    hits = [recbook.evaluate(model, split.test, ["HR@1"])["HR@1"] for model in (*parts, Weighted(*parts))]
    assert max(hits[:2]) < 1 and hits[2] == 1


@pytest.mark.parametrize("build, message", [
    (lambda: Weighted(FIRST, SECOND, 1.5), "weight=1.5"), (lambda: Weighted(FIRST, SECOND, -0.1), "weight=-0.1"),
    (lambda: Weighted(FIRST, SECOND, float("nan")), "weight=nan"), (lambda: Weighted(FIRST, SECOND, half=-1), "half=-1"),
    (lambda: Switching(FIRST, SECOND, 0), "enough=0"), (lambda: Cascade(FIRST, SECOND, 0), "kept=0"),
    (lambda: Weighted(FIRST, SECOND, half=3), "half needs met"), (lambda: Weighted(FIRST, SECOND, "x"), "weight='x'"),
    (lambda: Weighted(FIRST, SECOND, half="x"), "half='x'"), (lambda: Switching(FIRST, SECOND, 2.5), "enough=2.5"),
    (lambda: Cascade(FIRST, SECOND, True), "kept=True"), (lambda: Weighted(None, SECOND), "of two models, not of a NoneType"),
    (lambda: Newcomers(FIRST, SECOND, [0, 10, 10, 10], share=0), "share=0"),
    (lambda: Newcomers(FIRST, SECOND, [0, 10, 10, 10], share=1.0), "share=1.0"),
    (lambda: Newcomers(FIRST, SECOND, [10, 10, 10, 10]), "0 of 4 items"),
    (lambda: Newcomers(FIRST, SECOND, [0, 1, 2, 9]), "4 of 4 items")])
def test_what_cannot_be_is_refused(build, message):
    with pytest.raises(ModelError, match=message):
        build()


def test_it_is_not_saved_as_one(tmp_path):
    from recbook.models import hybrid
    assert issubclass(hybrid.Weighted, recbook.Recommender)
    with pytest.raises(ModelError, match="save each|not a model of recbook's"):
        recbook.save_model(Weighted(FIRST, SECOND), tmp_path / "hybrid")
    assert not list(tmp_path.iterdir())
