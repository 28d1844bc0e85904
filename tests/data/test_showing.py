"""What is clicked follows the stated law, propensities are shares of slates, the exact value is a simulation's."""

from itertools import permutations, product

import numpy as np
import pytest
import torch

import recbook as rb
from recbook.data.shop.showing import Showing
from recbook.data.shop.world import State
from recbook.errors import DataError
from recbook.policies import EpsilonGreedy, Greedy, Softmax, Uniform


@pytest.fixture(scope="module")
def shop():
    return rb.load("shop", n_users=40, n_items=24, n_events=1_000)


@pytest.fixture(scope="module")
def showing(shop):
    return Showing(shop, places=3)


def policies(showing):
    return {"uniform": Uniform(24), "greedy": Greedy(showing.truth), "softmax": Softmax(showing.truth, 0.1),
            "epsilon": EpsilonGreedy(showing.truth, 0.2)}


def test_a_slate_of_three_by_hand():
    """Chances of a click .5, .2, .4 if examined; examined with 1, .6, .36: .5 + .12 + .144."""
    shop = rb.load("shop", n_users=1, n_items=24, n_events=10)
    showing = Showing(shop, places=3, attention=0.6)
    showing.by_taste = np.full((1, 6, 24), 0.0)
    showing.by_taste[0, :, [7, 3, 5]] = np.array([0.5, 0.2, 0.4])[:, None]
    order = np.zeros(24)
    order[[7, 3, 5]] = 3, 2, 1
    fixed = Greedy(lambda context: np.tile(order, (len(context), 1)))
    assert showing.value(fixed) == pytest.approx(0.764)
    log = showing.log(fixed, visits=20_000)
    clicked = log.groupby("position")["click"].mean()
    assert abs(clicked - [0.5, 0.12, 0.144]).max() < 0.015
    assert log["item"].tolist()[:3] == [7, 3, 5] and (log["propensity"] == 1).all()


def test_the_law_in_view(shop, showing):
    """An item that the law takes as often as the mean item is clicked with the chance `click`; odds in proportion."""
    world = shop.truth.world
    state = State.first(world, 1)
    state.season[:] = 2
    law = world.next_item(np.eye(6)[[2]], state)[0]
    bought = shop.interactions.groupby("user")["behaviour"].apply(lambda done: (done == "purchase").any())
    nobody = int(bought.index[~bought][0])          # who bought nothing: the first state
    found = showing.by_taste[nobody, 2]
    ratio = found / (1 - found) / (law / (1 - law))
    assert np.allclose(ratio, 0.1 / 0.9 * 23)


def test_who_has_no_past_comes_with_the_prior(shop, showing):
    assert np.allclose(showing.tastes.sum(1), 1)
    last = shop.truth.tastes[shop.interactions.groupby("user").tail(1).index]
    expected = 0.04 * shop.truth.world.prior + 0.96 * np.eye(6)[last]
    assert np.allclose(showing.tastes, expected)
    late = rb.load("shop", n_users=50, n_items=24, n_events=60)
    new = np.setdiff1d(np.arange(50), late.interactions["user"])
    if len(new):
        assert np.allclose(Showing(late).tastes[new], late.truth.world.prior[new])


@pytest.mark.parametrize("name", ["uniform", "greedy", "softmax", "epsilon"])
def test_propensities_are_the_shares_of_slates(showing, name):
    """Of one customer's 20,000 slates: each item at each position, and each likely slate, as often as is said."""
    policy, rng, draws = policies(showing)[name], np.random.default_rng(0), 20_000
    customer = showing.context(np.full(draws, 7))
    stated = policy.propensities(showing.context([7]))[0]               # (K, N)
    assert np.allclose(stated.sum(1), 1)
    slates, chance = policy.draw(customer, rng)
    for place in range(3):
        share = np.bincount(slates[:, place], minlength=24) / draws
        assert (abs(share - stated[place]) <= 4.5 * np.sqrt(stated[place] * (1 - stated[place]) / draws) + 1e-9).all()
    _, first, count = np.unique(slates, axis=0, return_index=True, return_counts=True)
    often = np.flatnonzero(chance[first] > 0.002)
    error = np.sqrt(chance[first] * (1 - chance[first]) / draws)
    assert (abs(count / draws - chance[first])[often] <= 4.5 * error[often] + 1e-9).all()
    assert len(often) or np.allclose(chance, 1 / (24 * 23 * 22))


def test_propensities_are_sums_over_slates():
    """Of four items and three places, all 24 slates written out."""
    scores = np.array([[0.0, 1.0, -0.5, 2.0]])
    for policy in (Softmax(lambda context: scores, 0.7), Uniform(4), EpsilonGreedy(lambda context: scores, 0.3)):
        stated, total = policy.propensities(rb.Context(users=torch.tensor([0])))[0], np.zeros((3, 4))
        for slate in permutations(range(4), 3):
            if isinstance(policy, Softmax):
                left, chance = np.exp(scores[0] / 0.7), 1.0
                for item in slate:
                    chance, left[item] = chance * left[item] / left.sum(), 0
            else:
                epsilon = 1.0 if isinstance(policy, Uniform) else 0.3
                chance = epsilon / 24 + (1 - epsilon) * (slate == (3, 1, 0))
            for place, item in enumerate(slate):
                total[place, item] += chance
        assert np.allclose(stated, total)


def test_a_cold_softmax_is_greedy_and_loses_nothing():
    scores = np.array([[0.0, 3.0, 1.0, 2.0]])
    chances = Softmax(lambda context: scores, 0.01).propensities(rb.Context(users=torch.tensor([0])))[0]
    assert chances.argmax(1).tolist() == [1, 3, 2] and np.allclose(chances.sum(1), 1)


@pytest.mark.parametrize("name", ["uniform", "greedy", "softmax", "epsilon"])
def test_the_exact_value_lies_in_the_interval_of_a_simulation(showing, name):
    policy = policies(showing)[name]
    found = showing.simulate(policy, visits=20_000, seed=3)
    slack = 0.5 * (found["high"] - found["low"])
    assert found["low"] - slack < showing.value(policy) < found["high"] + slack


def test_the_value_is_the_sum_over_customers_tastes_slates_and_clicks():
    """Nothing is left to additivity: every slate and every pattern of clicks, in a world of two customers."""
    shop = rb.load("shop", n_users=2, n_items=24, n_events=40)
    showing = Showing(shop, places=2, worth=np.linspace(1, 2, 24))
    some = [1, 5, 8, 20]
    policy = Softmax(showing.truth, 0.3, places=2, items=some)
    total = 0.0
    for user, (first, second) in product(range(2), permutations(some, 2)):
        left = np.exp(showing.truth(showing.context([user]))[0] / 0.3)[some]
        one, other = left[some.index(first)], left[some.index(second)]
        chance = one / left.sum() * other / (left.sum() - one)
        for taste, clicks in product(range(6), product((0, 1), repeat=2)):
            a = showing.examination * showing.by_taste[user, taste, [first, second]]
            likely = np.prod(np.where(clicks, a, 1 - a))
            total += chance * showing.tastes[user, taste] * likely * (clicks @ showing.worth[[first, second]]) / 2
    assert showing.value(policy) == pytest.approx(total)


def test_no_policy_is_better_than_the_one_that_knows(showing):
    best = showing.value(Greedy(showing.truth))
    assert all(showing.value(policy) <= best for policy in policies(showing).values())
    assert best > 1.2 * showing.value(Uniform(24))


def test_the_same_seed_brings_the_same_customers_and_dice(showing):
    one, other = (showing.log(policy, visits=50, seed=2) for policy in (Uniform(24), Greedy(showing.truth)))
    assert (one["user"] == other["user"]).all() and not (one["item"] == other["item"]).all()
    assert not one.equals(showing.log(Uniform(24), visits=50, seed=3))
    assert one.equals(showing.log(Uniform(24), visits=50, seed=2))


def test_the_weights_of_a_log_average_to_one(showing):
    log = showing.log(Uniform(24), visits=5_000)
    weight = showing.chances(Softmax(showing.truth, 0.1), log) / log["propensity"]
    assert abs(weight.mean() - 1) < 4 * weight.std() / np.sqrt(len(weight))
    assert (showing.chances(Uniform(24), log) == log["propensity"]).all()


def test_what_a_model_says_is_remembered(shop, showing):
    asked = []

    def scores(context):
        asked.append(len(context))
        return torch.arange(24.0).expand(len(context), -1) * (1 + context.users[:, None])

    quick = showing.remember(scores)
    log = showing.log(Greedy(quick), visits=200)
    assert sum(asked) == 40 and set(log["item"]) == {23, 22, 21}


@pytest.mark.parametrize("options, says", [
    ({"places": 0}, "places=0: a whole number from 1 to 24"), ({"places": 25}, "places=25"),
    ({"click": 0.0}, "click=0.0: a chance above 0"), ({"attention": 1.5}, "attention=1.5"),
    ({"worth": [1, 2]}, "one number for each of 24 items"),
])
def test_a_setting_that_cannot_be_is_refused(shop, options, says):
    with pytest.raises(DataError, match=says):
        Showing(shop, **options)


class Twice(Uniform):
    def draw(self, context, rng):
        return np.zeros((len(context), 3), dtype=int), np.ones(len(context))


def test_what_is_no_slate_is_refused(showing):
    for policy, says in ((Twice(24), "twice in one slate"), (Uniform(24, places=2), "a slate has 3 places"),
                         (Uniform(30), "items are 0 to 23")):
        with pytest.raises(DataError, match=says):
            showing.log(policy, visits=50)
    with pytest.raises(DataError, match="fills 2 places from 24 items"):
        showing.value(Uniform(24, places=2))
    with pytest.raises(DataError, match="no column 'position'"):
        showing.chances(Uniform(24), showing.log(Uniform(24), visits=5).drop(columns="position"))
    with pytest.raises(DataError, match="gives no answers"):
        Showing(rb.from_frame({"user": [1, 1], "item": [1, 2]}))
