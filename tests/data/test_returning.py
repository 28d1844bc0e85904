"""Customers over many visits: what is written down as a decision process is what happens, and gymnasium accepts it."""

import numpy as np
import pytest

import recbook as rb
from recbook.data.shop.returning import Returning
from recbook.errors import DataError

OFFER = [0, 1, 9, 14]


@pytest.fixture(scope="module")
def showing():
    return rb.Showing(rb.load("shop", n_users=20, n_items=24, n_events=400), places=1)


def test_weariness_by_hand(showing):
    """Items 0 and 1 are of one kind, 9 and 14 of others. A chance of one half, two levels tired: 1 / (1 + e^2)."""
    world = Returning(showing, OFFER, tires=1.0, levels=2)
    assert world.kinds.tolist() == [0, 0, 1, 2]
    weary = np.array([[0, 1, 2]])
    assert world.wearier(weary, np.array([[0]])).tolist() == [[1, 0, 1]]
    assert world.wearier(world.wearier(weary, np.array([[3]])), np.array([[3]])).tolist() == [[0, 0, 2]]
    chance = world.chances(np.full((1, 4), 0.5), np.array([[2, 0, 0]]), np.array([[1]]))
    assert chance == pytest.approx(1 / (1 + np.e**2))
    assert world.comes_back(np.array([[True], [False]])) == pytest.approx([0.95, 0.95 * 0.7])


@pytest.mark.parametrize("places", [1, 2])
def test_the_decision_process_is_what_happens(showing, places):
    """From one state and slate 40,000 visits: mean reward, and the share that comes back to the stated next state."""
    one = rb.Showing(showing.dataset, places=places, worth=np.linspace(0.5, 1.5, 24))
    returning = Returning(one, OFFER)
    world, rng, many = returning.tabular(user=3), np.random.default_rng(0), 40_000
    assert world.start.sum() == pytest.approx(1) and (world.next.sum(2) <= 0.95 + 1e-12).all()
    for state, action in ((5, 1), (70, 3), (161, 2)):
        slate = np.searchsorted(OFFER, world.slates[action])
        rested = np.tile(one.by_taste[3, world.taste[state]][OFFER], (many, 1))
        before = np.tile(world.weary[state], (many, 1))
        click, back, weary = returning.visit(rested, before, np.tile(slate, (many, 1)), rng)
        reward = (click * one.worth[world.slates[action]]).sum(1)
        assert abs(reward.mean() - world.reward[state, action]) < 4 * reward.std() / np.sqrt(many) + 1e-9
        (following,) = np.flatnonzero(world.next[state, action])
        assert world.taste[following] == world.taste[state] and (world.weary[following] == weary).all()
        chance = world.next[state, action, following]
        assert abs(back.mean() - chance) < 4 * np.sqrt(chance * (1 - chance) / many)


def value(world, policy):
    """The expected reward of all visits, exactly."""
    rows = np.arange(len(policy))
    return world.start @ np.linalg.solve(np.eye(len(policy)) - world.next[rows, policy], world.reward[rows, policy])


def best(world):
    values = np.zeros(len(world.start))
    for _ in range(400):
        choice = world.reward + world.next @ values
        values = choice.max(1)
    return choice.argmax(1)


def test_thinking_ahead_pays_only_where_customers_tire(showing):
    """Without weariness, and with dullness of no account, nothing of today matters tomorrow."""
    for tires, dull, least in ((1.0, 0.3, 0.02), (0.0, 0.0, 0.0)):
        world = Returning(showing, OFFER, tires=tires, dull=dull).tabular(user=3)
        ahead, myopic = value(world, best(world)), value(world, world.reward.argmax(1))
        assert ahead >= (1 + least) * myopic
        assert least or ahead == pytest.approx(myopic)


def test_gymnasium_accepts_it(showing):
    pytest.importorskip("gymnasium")
    from gymnasium.utils.env_checker import check_env

    for places in (1, 2):
        one = rb.Showing(showing.dataset, places=places)
        check_env(rb.ShopEnv(Returning(one, OFFER)), skip_render_check=True)


def test_an_episode_earns_what_the_decision_process_says(showing):
    """The mean reward of 600 customers under the myopic policy, against its exact value."""
    pytest.importorskip("gymnasium")
    returning = Returning(showing, OFFER, stays=0.8)
    env, world, earned = rb.ShopEnv(returning, users=[3]), returning.tabular(user=3), []
    env.reset(seed=0)
    for _ in range(600):
        env.reset()
        earned.append(0.0)
        over = False
        while not over:
            chances = returning.chances(env.rested.repeat(4, 0), env.weary.repeat(4, 0), np.arange(4)[:, None])
            action = int(chances.argmax())
            _, reward, over, cut, _ = env.step(action)
            earned[-1] += reward
            over |= cut
    expected = value(world, world.reward.argmax(1))
    assert abs(np.mean(earned) - expected) < 4 * np.std(earned) / np.sqrt(len(earned))


@pytest.mark.parametrize("options, says", [
    ({"items": [1, 1]}, "at least 1 different items"), ({"items": [24]}, "items are 0 to 23"),
    ({"tires": -1}, "tires=-1"), ({"levels": 0}, "levels=0"), ({"stays": 1}, "stays=1"), ({"dull": 2.0}, "dull=2.0"),
])
def test_a_setting_that_cannot_be_is_refused(showing, options, says):
    with pytest.raises(DataError, match=says):
        Returning(showing, **options)


def test_what_cannot_be_written_down_or_shown_is_refused(showing):
    with pytest.raises(DataError, match="too many to write down"):
        Returning(showing).tabular(0)
    pytest.importorskip("gymnasium")
    env = rb.ShopEnv(Returning(showing, OFFER))
    env.reset(seed=0)
    with pytest.raises(DataError, match="action 4: for each of 1 places"):
        env.step(4)
