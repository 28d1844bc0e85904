"""Regular customers: the law by hand, simulated as it says, and as others' environment."""

import numpy as np
import pytest
import torch

import recbook as rb
from recbook.agents import TabularWorld, greedy, policy_value, value_iteration, worth
from recbook.data.shop.regulars import Regulars
from recbook.errors import DataError

SMALL = dict(kinds=("phones", "teas", "bikes"), levels=3, tire=0.5, rest=0.25, loyal=(0.9, 0.8, 0.5), bored=0.6,
             worth=(1, 1, 2))


@pytest.fixture(scope="module")
def shop():
    return rb.load("shop", n_users=60, n_events=600)


@pytest.fixture(scope="module")
def regulars(shop):
    return Regulars(shop, places=2, **SMALL)


def test_a_choice_by_hand(regulars):
    odds = regulars.odds[4]
    chance = regulars.choice([4], [[0, 2, 1]], [regulars.slates.tolist().index([1, 2])])[0]
    teas, bikes = odds[1] * 0.25, odds[2] * 0.5                         # two helpings, one helping
    assert chance == pytest.approx(np.array([teas, bikes, 1]) / (teas + bikes + 1))


def test_all_slates_at_once_are_the_same_choice(regulars):
    states = np.arange(0, regulars.n_states, 7)
    found = regulars.choices(torch.from_numpy(regulars.seen(states))).numpy()      # (B, A, K + 1)
    for action in range(regulars.n_actions):
        one = regulars.choice(regulars.tastes[states], regulars.helpings[states], np.full(len(states), action))
        assert found[:, action] == pytest.approx(one, abs=1e-6)


def test_what_follows_by_hand(regulars):
    helpings = [[0, 2, 1]] * 3
    found = regulars.after(helpings, [1, 0, -1], [True, True, False])
    assert found.tolist() == [[0, 2, 0], [1, 1, 0], [0, 2, 1]]           # at most two; the taken one does not rest


def test_one_state_and_slate_of_the_table_by_hand(regulars):
    rewards, following, chances = regulars.outcomes()
    state = 3 * 27 + 0 + 2 * 3 + 1 * 9                                  # taste 3, helpings (0, 2, 1)
    assert regulars.tastes[state] == 3 and regulars.helpings[state].tolist() == [0, 2, 1]
    action = regulars.slates.tolist().index([0, 2])
    take = regulars.choice([3], [[0, 2, 1]], [action])[0]
    assert rewards[state, action] == pytest.approx(take[0] * 1 + take[1] * 2)
    by_hand = {(1, 1, 0): take[0] * 0.9 * 0.25, (1, 2, 1): take[0] * 0.9 * 0.75,
               (0, 1, 2): take[1] * 0.5 * 0.25, (0, 2, 2): take[1] * 0.5 * 0.75,
               (0, 1, 0): take[2] * 0.6 * 0.25, (0, 2, 1): take[2] * 0.6 * 0.75}
    found = dict(zip(map(tuple, regulars.helpings[following[state, action]].tolist()), chances[state, action]))
    assert found == pytest.approx(by_hand)


@pytest.mark.parametrize("places", [1, 2])
def test_a_log_earns_what_the_law_says(shop, places):
    regulars = Regulars(shop, places=places, **SMALL)
    world = TabularWorld.of(regulars)
    for policy in (greedy(world.rewards), np.full(world.rewards.shape, 1 / regulars.n_actions)):
        log = regulars.log(policy, customers=4000)
        earned = log.groupby("customer")["reward"].sum()
        assert abs(earned.mean() - worth(world, policy)) < 4 * earned.std() / 4000**0.5
        assert np.allclose(earned, log[log["visit"] == 0]["return"])
        assert (log["propensity"] > 0).all() and log.groupby("customer")["gone"].last().all()


def test_the_shares_of_a_log_are_its_propensities(regulars):
    rng = np.random.default_rng(0)
    policy = rng.dirichlet(np.ones(regulars.n_actions), size=regulars.n_states)
    log = regulars.log(policy, customers=6000)
    first = log[(log["visit"] == 0) & (regulars.tastes[log["state"]] == 4)]
    share = np.bincount(first["action"], minlength=regulars.n_actions) / len(first)
    assert share == pytest.approx(policy[first["state"].iloc[0]], abs=4 * 0.5 / len(first) ** 0.5)


def test_the_environment_is_one_of_gymnasium_and_earns_the_same(shop):
    checker = pytest.importorskip("gymnasium.utils.env_checker")
    regulars = Regulars(shop, **SMALL)
    environment = rb.ShopEnv(regulars)
    checker.check_env(environment, skip_render_check=True)
    world = TabularWorld.of(regulars)
    best = value_iteration(world).argmax(1)
    code = {row.tobytes(): state for state, row in enumerate(regulars.seen(np.arange(regulars.n_states)))}
    earned = []
    for customer in range(1500):
        seen, _ = environment.reset(seed=customer)
        total, gone = 0.0, False
        while not gone:
            seen, reward, gone, _, info = environment.step(best[code[seen.tobytes()]])
            total += reward
            assert reward == (0 if info["taken"] < 0 else regulars.worth[info["taken"]])
        earned.append(total)
    assert abs(np.mean(earned) - worth(world, best)) < 4 * np.std(earned) / 1500**0.5


def test_nobody_tires_where_a_helping_does_nothing(shop):
    regulars = Regulars(shop, **{**SMALL, "tire": 1.0})
    values = policy_value(TabularWorld.of(regulars), np.zeros(regulars.n_states, dtype=int))
    assert np.ptp(values.reshape(regulars.n_tastes, -1), axis=1) == pytest.approx(0, abs=1e-9)


def test_what_cannot_be_is_refused_by_name(shop):
    for settings, word in [({"kinds": ("phones", "moons")}, "kinds"), ({"kinds": ("teas", "teas")}, "kinds"),
                           ({"kinds": ()}, "kinds"), ({"places": 5}, "places"), ({"places": True}, "places"),
                           ({"levels": 0}, "levels"), ({"tire": -0.1}, "tire"), ({"rest": float("nan")}, "rest"),
                           ({"bored": 1.2}, "bored"), ({"loyal": [0.5, 0.5]}, "loyal"), ({"loyal": 1.5}, "loyal"),
                           ({"loyal": 1, "bored": 1}, "leave"), ({"worth": [1, 2, 3, float("inf")]}, "worth"),
                           ({"click": 1}, "click")]:
        with pytest.raises(DataError, match=word):
            Regulars(shop, **settings)
    with pytest.raises(DataError, match="simulated shop"):
        Regulars(rb.from_frame(shop.interactions[["user", "item"]]))
    with pytest.raises(DataError, match="customers"):
        Regulars(shop).log(lambda seen: None, customers=0)
    with pytest.raises(DataError, match="sum to 1"):
        Regulars(shop).log(lambda seen: np.ones((len(seen), 4)), customers=3)
