"""The ceiling is exact: the observer's belief is Bayes' rule, and what it promises is what it gets."""

from itertools import product

import numpy as np
import pytest
import torch

import recbook as rb
from recbook.data.shop.world import State
from recbook.models.observer import expected_ndcg


@pytest.fixture(scope="module")
def shop():
    return rb.load("shop")


@pytest.fixture(scope="module")
def split(shop):
    return rb.by_time(shop)


@pytest.mark.parametrize("model", [rb.Oracle, rb.Observer])
def test_expected_ndcg_is_the_simulated_one(shop, split, model):
    model = model(shop)
    report = rb.evaluate(model, split.test, ["NDCG@10"])
    promised = expected_ndcg(model.scores(split.test.context())).mean()
    low, high = report.interval("NDCG@10")
    assert low < promised < high
    assert high - low < 0.02


def test_belief_is_bayes_rule_over_all_paths_of_tastes():
    shop = rb.load("shop", n_users=20, n_events=120, n_items=30, n_tastes=2, drift=0.3, seed=4)
    world, cases = shop.truth.world, rb.by_time(shop, 0.1, 0.3).test
    belief, _ = rb.Observer(shop).follow(cases.context())
    for case in range(len(cases)):
        user = cases.users[case]
        log = shop.interactions.iloc[cases.log.starts[user]: cases.ends[case]]
        if len(log) <= 6:
            assert belief[case] == pytest.approx(by_enumeration(world, user, log, cases.now[case]))


def by_enumeration(world, user, log, now):
    """P(taste at `now` | events), summing over every path of tastes: one taste an event, and one for the question."""
    prior, drift = world.prior[user], world.parameters.drift
    times = [*log["timestamp"], now]
    begins = [True] + [later - earlier > 1_800 for earlier, later in zip(times, times[1:])]
    total = np.zeros(2)
    for path in product(range(2), repeat=len(times)):
        probability, state, owned = 1.0, State.first(world, 1), set()
        for step, taste in enumerate(path):
            if step == 0:
                probability *= prior[taste]
            elif begins[step]:
                probability *= (1 - drift) * (taste == path[step - 1]) + drift * prior[taste]
            else:
                probability *= taste == path[step - 1]
            if step == len(log):
                break
            event = log.iloc[step]
            if begins[step]:
                state.leave(world, [0])
            state.season[:] = world.season(event["timestamp"])
            probability *= world.next_item(np.eye(2)[[taste]], state)[0, event["item"]]
            if event["item"] not in owned:
                cart = world.cart_probability(taste, event["item"])
                probability *= 1 - cart if event["behaviour"] == "view" else cart
            if event["rating"] > 0:
                star = world.star_probability(taste, event["item"], user)
                probability *= star ** (event["rating"] - 1) * (1 - star) ** (5 - event["rating"])
            bought = event["behaviour"] == "purchase"
            owned |= {event["item"]} if bought else set()
            state.see(world, np.array([0]), np.array([event["item"]]), np.array([bought]))
        total[path[-1]] += probability
    return total / total.sum()


DENIED = [{"ratings": False}, {"pauses": False}, {"ratings": False, "pauses": False},
          {"behaviours": False, "ratings": False}, {"behaviours": False, "ratings": False, "pauses": False}]


@pytest.mark.parametrize("denied", DENIED, ids=lambda denied: "no " + ", ".join(denied))
def test_who_is_denied_something_sums_over_all_that_it_may_have_been(denied):
    shop = rb.load("shop", n_users=60, n_events=150, n_items=24, n_tastes=2, drift=0.3, seed=4)
    cases = rb.by_time(shop, 0.2, 0.6).test
    scores = rb.Observer(shop, **denied).scores(cases.context()).numpy()
    returned = 0
    for case in range(len(cases)):
        log = shop.interactions.iloc[cases.log.starts[cases.users[case]]: cases.ends[case]]
        if len(log) <= 3:
            expected = over_all_paths(shop.truth.world, cases.users[case], log, cases.now[case], **denied)
            again = log["item"].duplicated().any() and "behaviours" in denied
            assert scores[case] == pytest.approx(expected, rel=1e-9, abs=0.002 if again else 1e-12)
            returned += again
    assert returned or "behaviours" not in denied


def over_all_paths(world, user, log, now, behaviours=True, ratings=True, pauses=True):
    """P(next item | what is told of the events): the sum over tastes, beginnings of visits and purchases."""
    prior, drift, size = world.prior[user], world.parameters.drift, len(log)
    times = [*log["timestamp"], now]
    known = [later - earlier > 1_800 for earlier, later in zip(times, times[1:])]
    told = [tuple(log["behaviour"])] if behaviours else product(("view", "purchase"), repeat=size)
    total, probability_of_told = 0, 0
    for done, begins, path in product(list(told), [known] if pauses else list(product((False, True), repeat=size)),
                                      list(product(range(2), repeat=size + 1))):
        probability, state, owned = prior[path[0]], State.first(world, 1), set()
        for step, taste in enumerate(path):
            if step:
                new = drift * prior[taste] if begins[step - 1] else 0
                stays = taste == path[step - 1]
                probability *= (1 - drift) * stays + new if begins[step - 1] else stays
                if not pauses:
                    probability *= 0.16 if begins[step - 1] else 0.84
                if begins[step - 1]:
                    state.leave(world, [0])
            state.season[:] = world.season(times[step])
            following = world.next_item(np.eye(2)[[taste]], state)[0]
            if step == size or probability == 0:
                break
            item, rating = int(log["item"].iloc[step]), log["rating"].iloc[step]
            cart = 0 if item in owned else world.cart_probability(taste, item)
            if not behaviours:
                buys = cart * world.buy_probability(item)
                probability *= buys if done[step] == "purchase" else 1 - buys
            elif item not in owned:
                probability *= 1 - cart if done[step] == "view" else cart
            if ratings and rating > 0:
                star = world.star_probability(taste, item, user)
                probability *= star ** (rating - 1) * (1 - star) ** (5 - rating)
            probability *= following[item]
            bought = done[step] == "purchase"
            owned |= {item} if bought else set()
            state.see(world, np.array([0]), np.array([item]), np.array([bought]))
        total, probability_of_told = total + probability * following, probability_of_told + probability
    return total / probability_of_told


def test_what_an_observer_is_not_told_does_not_reach_it(shop, split):
    context = split.test.context(slice(0, 40))
    blind = rb.Observer(shop, behaviours=False, ratings=False, pauses=False)
    changed = rb.Context(**vars(context))
    changed.behaviours = torch.zeros_like(context.behaviours)
    changed.ratings = torch.full_like(context.ratings, torch.nan)
    changed.now = context.now - context.now % 86_400                    # another time of the same day
    assert torch.equal(blind.scores(context), blind.scores(changed))
    assert not torch.equal(rb.Observer(shop).scores(context), rb.Observer(shop).scores(changed))


def test_the_less_an_observer_is_told_the_lower_it_stands(shop, split):
    some = split.test.subset(np.arange(len(split.test)) % 8 == 0)
    told = [{}, {"ratings": False}, {"ratings": False, "behaviours": False},
            {"ratings": False, "behaviours": False, "pauses": False}]
    result = rb.compare({str(number): rb.Observer(shop, **denied) for number, denied in enumerate(told)}, some)
    assert result.better("0", than="2") and result.better("2", than="3")
    assert abs(result.difference("0", than="1")["difference"]) < 0.002
    promised = expected_ndcg(rb.Observer(shop, **told[-1]).scores(some.context())).mean()
    low, high = result.reports["3"].interval("NDCG@10")
    assert low < promised < high


def test_a_rating_cannot_be_told_without_the_purchase(shop):
    with pytest.raises(rb.ModelError, match="needs ratings=False"):
        rb.Observer(shop, behaviours=False)


def test_belief_finds_the_hidden_taste(shop, split):
    belief, _ = rb.Observer(shop).follow(split.test.context())
    taste = shop.truth.taste_at(split.test.users, split.test.now)
    right = belief[np.arange(len(taste)), taste]
    assert (belief.argmax(1) == taste).mean() > 0.8
    assert right.mean() == pytest.approx(belief.max(1).mean(), abs=0.02)            # as sure as it is right


def test_no_model_stands_above_the_observer_nor_the_observer_above_the_oracle(shop, split):
    sizes = shop.n_users, shop.n_items
    models = {"popularity": rb.Popularity(*sizes), "ease": rb.EASE(*sizes, l2=1000.0), "svd": rb.PureSVD(*sizes, dim=6),
              "ials": rb.IALS(*sizes, dim=8, unmet_weight=0.3, l2=0.03)}
    for model in models.values():
        model.fit(split)
    models |= {"taste": rb.TasteObserver(shop), "observer": rb.Observer(shop), "oracle": rb.Oracle(shop)}
    result = rb.compare(models, split.test, ["NDCG@10"])
    ceiling = result.reports["observer"].interval("NDCG@10")[1]
    for name in ("popularity", "ease", "svd", "ials", "taste"):
        assert result.reports[name].interval("NDCG@10")[0] < ceiling
        assert result.better("observer", than=name)
    assert result.reports["oracle"]["NDCG@10"] > result.reports["observer"]["NDCG@10"]
    for name in ("ease", "svd", "ials"):                                # one vector a user: below the belief about taste
        assert result.better("taste", than=name) and result.better(name, than="popularity")


def test_the_observer_does_not_look_ahead(shop, split):
    cases = split.test.subset(np.arange(len(split.test)) < 50)
    context = cases.context()
    whole = rb.Observer(shop).scores(context)
    padded = rb.Context(**{name: torch.nn.functional.pad(value, (0, 3), value=-1) if value.ndim == 2 else value
                           for name, value in vars(context).items()})
    assert torch.equal(whole, rb.Observer(shop).scores(padded))


def test_only_a_simulated_world_has_an_observer():
    import pandas as pd

    real = rb.from_frame(pd.DataFrame({"user": [1, 2], "item": [1, 2]}), name="real")
    with pytest.raises(rb.ModelError, match="truth behind real is not known"):
        rb.Observer(real)
