"""Learners that choose what they learn from: each by hand, against chances that are known; regret as theory says."""

import numpy as np
import pytest

from recbook import bandits
from recbook.bandits import UCB1, EpsilonGreedy, LinTS, LinUCB, Thompson
from recbook.errors import ModelError

CHANCES = np.array([0.6, 0.4, 0.3, 0.2])


def walk(learner, chances, visits, seed=0):
    """Regret (visits, R) of a learner whose arms are clicked with these chances."""
    rng, regret = np.random.default_rng(seed), np.zeros((visits, learner.runs))
    for visit in range(visits):
        arms = learner.choose()
        learner.learn(arms, rng.random(learner.runs) < chances[arms])
        regret[visit] = chances.max() - chances[arms]
    return regret.cumsum(0)


def test_the_three_rules_by_hand():
    """Shown 4, 2 and 1 times, clicked 2, 1 and 0 times."""
    for learner in (UCB1(3), EpsilonGreedy(3, 0.0)):
        learner.tried[:], learner.clicked[:] = [[4, 2, 1]], [[2, 1, 0]]
        expected = {UCB1: [1.486, 1.895, 1.973], EpsilonGreedy: [0.5, 0.5, 0.0]}[type(learner)]
        assert learner.index()[0] == pytest.approx(expected, abs=0.001)
    learner = Thompson(3, runs=40_000)
    learner.tried[:], learner.clicked[:] = [4, 2, 1], [2, 1, 0]
    drawn = learner.index()
    assert drawn.mean(0) == pytest.approx([1 / 2, 1 / 2, 1 / 3], abs=0.01)
    assert drawn.var(0) == pytest.approx([1 / 28, 1 / 20, 1 / 18], abs=0.002)


def test_every_arm_is_tried_once_at_first_and_equals_are_drawn():
    learner = UCB1(4, runs=200)
    walk(learner, CHANCES, 4)
    assert (learner.tried == 1).all()
    first = EpsilonGreedy(4, 0.0, runs=4_000).choose()
    assert abs(np.bincount(first) / 4_000 - 0.25).max() < 0.03


def test_epsilon_is_the_share_of_visits_that_explore():
    learner = EpsilonGreedy(4, 0.4, runs=20_000)
    learner.tried[:], learner.clicked[:] = 10, [9, 1, 1, 1]
    assert abs(np.bincount(learner.choose()) / 20_000 - [0.7, 0.1, 0.1, 0.1]).max() < 0.015


def test_the_lower_bound_by_hand():
    """Chances 1/2 and 1/4: the gap 1/4 over KL = 1/4 log 1/2 + 3/4 log 3/2."""
    assert bandits.lower_bound([0.5, 0.25]) == pytest.approx(0.25 / (0.25 * np.log(0.5) + 0.75 * np.log(1.5)))


def test_regret_grows_as_theory_says():
    """UCB1: when all bounds are level, and under the bound of its theorem. Thompson, from 1,000 to 10,000 visits: the
    lower bound for each unit of ln t. A constant epsilon: with t itself."""
    found = {name: walk(learner, CHANCES, 10_000).mean(1) for name, learner in {
        "ucb1": UCB1(4, runs=40), "thompson": Thompson(4, runs=40),
        "epsilon": EpsilonGreedy(4, 0.1, runs=40)}.items()}
    gaps, visits = 0.6 - CHANCES[1:], np.array([1_000, 3_000, 10_000])
    assert found["ucb1"][visits - 1] == pytest.approx(bandits.ucb1_regret(CHANCES, visits), rel=0.1)
    assert (found["ucb1"][visits - 1] < (8 / gaps).sum() * np.log(visits)).all()
    slope = (found["thompson"][-1] - found["thompson"][999]) / np.log(10)
    assert slope == pytest.approx(bandits.lower_bound(CHANCES), rel=0.4)
    late = (found["epsilon"][-1] - found["epsilon"][4_999]) / 5_000
    assert late == pytest.approx(0.1 * gaps.sum() / 4, rel=0.15)


def test_the_level_of_all_bounds_by_hand():
    """One arm is tried each time; and for very many visits each unit of ln t costs 2 / gap."""
    assert bandits.ucb1_regret([0.5], [100.0]) == pytest.approx(0)
    far = bandits.ucb1_regret([0.6, 0.4], [1e30, 1e33])
    assert (far[1] - far[0]) / np.log(1e3) == pytest.approx(2 / 0.2, rel=0.001)


def test_without_exploration_some_runs_never_find_the_best():
    regret = walk(EpsilonGreedy(4, 0.0, runs=200), CHANCES, 1_000)
    last = regret[-1] - regret[-2]
    assert 0.1 < (last > 0).mean() < 0.7


def test_ridge_is_kept_up_exactly():
    rng = np.random.default_rng(0)
    learner = LinUCB(3, alpha=2.0, l2=0.5, runs=2)
    seen, clicks = rng.normal(size=(30, 2, 3)), rng.integers(0, 2, (30, 2))
    for features, click in zip(seen, clicks):
        learner.learn(features, click)
    for run in range(2):
        x = seen[:, run]
        matrix = x.T @ x + 0.5 * np.eye(3)
        theta = np.linalg.solve(matrix, x.T @ clicks[:, run])
        assert np.allclose(learner.inverse[run], np.linalg.inv(matrix)) and np.allclose(learner.theta[run], theta)
        arms = rng.normal(size=(2, 5, 3))
        bound = arms[run] @ theta + 2 * np.sqrt(np.einsum("nd,de,ne->n", arms[run], np.linalg.inv(matrix), arms[run]))
        assert np.allclose(learner.index(arms)[run], bound)


def test_a_draw_of_theta_has_the_width_of_the_belief():
    learner = LinTS(2, alpha=0.5, runs=20_000)
    learner.learn(np.tile([1.0, 1.0], (20_000, 1)), np.ones(20_000))
    drawn = learner.index(np.broadcast_to(np.eye(2), (20_000, 2, 2)))
    assert np.allclose(np.cov(drawn.T), 0.25 * np.array([[2, -1], [-1, 2]]) / 3, atol=0.01)
    assert drawn.mean(0) == pytest.approx([1 / 3, 1 / 3], abs=0.01)


def test_a_slate_is_the_best_in_their_order():
    learner = UCB1(4, width=0.0)
    learner.tried[:], learner.clicked[:] = 10, [[3, 9, 1, 5]]
    assert learner.choose(places=3).tolist() == [[1, 3, 0]]


def test_replay_keeps_one_row_in_n_and_earns_what_acting_earns():
    rng = np.random.default_rng(0)
    arms = rng.integers(4, size=(2_000, 40))
    clicks = rng.random(arms.shape) < CHANCES[arms]
    counts = bandits.replay(Thompson(4, runs=40), arms, clicks)
    assert counts.sum(0).mean() == pytest.approx(500, rel=0.05)
    earned = [clicks[:, run][counts[:, run]][:400].mean() for run in range(40)]
    online = 0.6 - walk(Thompson(4, runs=400), CHANCES, 400)[-1] / 400
    assert abs(np.mean(earned) - online.mean()) < 4 * np.std(earned) / np.sqrt(40)


def test_replay_by_hand():
    """Greedy, all arms hoped for at first: it agrees with what it would have shown, and skips all else."""
    learner = EpsilonGreedy(2, 0.0, untried=0.0)
    learner.tried[:], learner.clicked[:] = 1, [[1, 0]]
    counts = bandits.replay(learner, [1, 0, 1, 0, 0, 1], [1, 0, 1, 0, 0, 0])
    assert counts.tolist() == [False, True, False, True, True, False]
    assert learner.tried.tolist() == [[4, 1]] and learner.clicked.tolist() == [[1, 0]]


def test_replay_tells_a_linear_learner_what_was_shown():
    rng = np.random.default_rng(0)
    arms, clicks = rng.integers(3, size=60), rng.integers(0, 2, 60)
    learner, other = LinUCB(3, alpha=1.0), LinUCB(3, alpha=1.0)
    counts = bandits.replay(learner, arms, clicks, np.tile(np.eye(3), (60, 1, 1)))
    for row in np.flatnonzero(counts):
        other.learn(np.eye(3)[None, arms[row]], clicks[row:row + 1])
    assert np.allclose(learner.theta, other.theta) and 5 < counts.sum() < 45


@pytest.mark.parametrize("make, says", [
    (lambda: UCB1(0), "n_arms=0"), (lambda: UCB1(3, width=-1), "width=-1"), (lambda: Thompson(3, runs=0), "runs=0"),
    (lambda: EpsilonGreedy(3, epsilon=2), "epsilon=2"), (lambda: LinUCB(3, alpha=-1.0), "alpha=-1.0"),
    (lambda: LinTS(3, l2=0), "l2=0: a number above 0"), (lambda: LinTS(0), "dim=0"),
    (lambda: bandits.replay(Thompson(3, runs=2), [0], [1]), r"for 2 runs a column each, \(V, 2\)"),
])
def test_a_setting_that_cannot_be_is_refused(make, says):
    with pytest.raises(ModelError, match=says):
        make()
