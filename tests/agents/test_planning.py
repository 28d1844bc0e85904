"""Planning: by hand on two states, by brute force on small worlds, and refused where nothing settles."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recbook.agents import TabularWorld, greedy, policy_value, value_iteration, worth
from recbook.errors import ModelError


def two_states(stay=0.5):
    """Fresh and tired: in each, sell (reward 1 when fresh, 0 when tired; leads to tired) or wait (nothing; to fresh)."""
    return TabularWorld(rewards=np.array([[1.0, 0], [0, 0]]), following=np.array([[[1], [0]], [[1], [0]]]),
                        chances=np.full((2, 2, 1), stay), start=np.array([1.0, 0]))


def test_two_states_by_hand():
    q = value_iteration(two_states())                   # fresh: sell, 1 + v(tired) / 2; tired: wait, v(fresh) / 2
    assert q.max(1) == pytest.approx([4 / 3, 2 / 3])
    assert q.argmax(1).tolist() == [0, 1]
    assert policy_value(two_states(), np.array([0, 1])) == pytest.approx([4 / 3, 2 / 3])
    assert policy_value(two_states(), np.array([0, 0])) == pytest.approx([1, 0])
    assert worth(two_states(), np.full((2, 2), 0.5)) == pytest.approx(0.75)     # v1 = .5 + v2, v2 = (v1 + v2) / 4 ...


def random_world(seed, S=4, A=2, O=2, stay=0.8):
    rng = np.random.default_rng(seed)
    return TabularWorld(rng.normal(size=(S, A)), rng.integers(S, size=(S, A, O)),
                        rng.dirichlet(np.ones(O), size=(S, A)) * stay, np.full(S, 1 / S))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**16), st.floats(0, 1))
def test_no_policy_is_better_than_the_one_that_is_found(seed, discount):
    world = random_world(seed)
    q = value_iteration(world, discount)
    best = max(worth(world, np.array(policy), discount) for policy in product(range(2), repeat=4))
    assert worth(world, greedy(q), discount) == pytest.approx(best, abs=1e-6)
    assert policy_value(world, q.argmax(1), discount) == pytest.approx(q.max(1), abs=1e-6)


def test_a_discount_of_nothing_is_the_myopic_policy():
    world = random_world(3)
    assert np.array_equal(value_iteration(world, 0.0), world.rewards)


def test_what_never_ends_is_refused():
    with pytest.raises(ModelError, match="does every episode end"):
        value_iteration(two_states(stay=1.0), sweeps=50)
    with pytest.raises(ModelError, match="discount"):
        value_iteration(two_states(), 1.5)
    with pytest.raises(ModelError, match="at most 1"):
        two_states(stay=1.5)
    with pytest.raises(ModelError, match="start"):
        TabularWorld(np.zeros((1, 1)), np.zeros((1, 1, 1), dtype=int), np.zeros((1, 1, 1)), np.array([0.5]))
