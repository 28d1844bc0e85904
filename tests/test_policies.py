"""What cannot be a policy is refused, in one line."""

import numpy as np
import pytest
import torch

import recbook as rb
from recbook.policies import EpsilonGreedy, Greedy, Softmax, Uniform

SOMEBODY = rb.Context(users=torch.tensor([0]))


def scores(context):
    return torch.tensor([[1.0, 3.0, 2.0]])


@pytest.mark.parametrize("make, says", [
    (lambda: Uniform(3, places=4), "items up to 2 for 4 places, but the catalogue has 3"),
    (lambda: Uniform(3, places=0), "places=0: a whole number of at least 1"),
    (lambda: Greedy(scores, items=[1, 1]), r"items=\[1\]: for 3 places at least as many different items"),
    (lambda: Greedy(scores, places=1, items=[-1]), r"items=\[-1\]: .* from 0 up"),
    (lambda: Softmax(scores, temperature=0), "temperature=0: a number above 0"),
    (lambda: EpsilonGreedy(scores, 1.2), "epsilon=1.2: a share of 0 to 1"),
    (lambda: Greedy(scores, places=1, items=[5]).propensities(SOMEBODY), "items up to 5 .* catalogue has 3"),
    (lambda: Softmax(scores, 0.001).propensities(SOMEBODY), "temperature=0.001: scores are 2000 temperatures apart"),
    (lambda: Softmax(lambda context: -torch.inf * scores(context), 1.0, 2).propensities(SOMEBODY), "cannot be filled"),
    (lambda: Greedy(lambda context: scores(context) * torch.nan).propensities(SOMEBODY), "not a number"),
])
def test_it_is_refused(make, says):
    with pytest.raises(rb.ModelError, match=says):
        make()


def test_only_what_may_be_shown_is_shown():
    for policy in (Uniform(3, 2, [0, 2]), Softmax(scores, 1.0, 2, [0, 2]), Greedy(scores, 2, [0, 2])):
        assert (policy.propensities(SOMEBODY)[0][:, 1] == 0).all()
        slates, chance = policy.draw(SOMEBODY, np.random.default_rng(0))
        assert set(slates[0]) == {0, 2} and 0 < chance[0] <= 1


def test_scores_of_what_may_not_be_recommended_are_minus_infinity():
    hidden = Softmax(lambda context: torch.tensor([[0.0, -torch.inf, 0.0]]), 1.0, places=2).propensities(SOMEBODY)
    assert np.allclose(hidden[0], [[0.5, 0, 0.5]] * 2)
