"""Models that grow old: questions cut by moments, older histories, grown models, limits of quiet days, trials."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import recbook as rb
from recbook import monitoring
from recbook.data.shop.world import DAY, YEAR_START, Parameters, State, World
from recbook.errors import DataError, ModelError
from recbook.service import trial
from recbook.service.store import Event, Impression, open_store

JULY = YEAR_START + 181 * DAY


@pytest.fixture(scope="module")
def shop():
    return rb.load("shop", n_users=80, n_items=48, n_events=4_000)


@pytest.fixture(scope="module")
def week(shop):
    return rb.by_moment(shop, JULY, JULY + 30 * DAY, JULY + 37 * DAY)


# ------------------------------------------------------------------------------------------------ a shop that changes


def test_without_fashion_the_seasons_differ_only_in_what_is_on_sale():
    world = World(Parameters(n_items=40))
    first, last = world.weights[0], world.weights[-1]
    on_sale = world.available[0]
    assert (first[..., on_sale] == last[..., on_sale]).all() and not first[..., ~on_sale].any()


def test_fashion_changes_the_law_from_month_to_month():
    world = World(Parameters(n_items=40, fashion=0.3, cold_items=0.0))
    state = State.first(world, 12)
    state.season[:] = np.arange(12)
    chances = world.next_item(np.full((12, 6), 1 / 6), state)           # (months, items)
    assert np.allclose(chances.sum(1), 1)
    apart = np.abs(chances - chances[0]).sum(1) / 2
    assert apart[0] == 0 and apart[1] > 0.02 and apart[6:].mean() > 1.5 * apart[1]


def test_events_follow_the_law_of_their_month():
    """Who knows the wandering gives what came a higher chance than who believes that nothing changes."""
    shop = rb.load("shop", n_users=80, n_items=48, n_events=4_000, fashion=0.4)
    cases = rb.by_moment(shop, YEAR_START + 240 * DAY).test
    still = rb.Oracle(shop)
    still.world = World(replace(shop.truth.world.parameters, fashion=0.0))
    knows, believes = (one.scores(cases.context()).numpy()[np.arange(len(cases)), cases.target]
                       for one in (rb.Oracle(shop), still))
    gain = np.log(knows) - np.log(believes)
    assert gain.mean() > 5 * gain.std() / np.sqrt(len(gain))


def test_what_has_left_is_never_met_again():
    shop = rb.load("shop", n_users=80, n_items=48, n_events=4_000, leaving=0.3, cold_items=0.0)
    world, log = shop.truth.world, shop.interactions
    gone = world.leaves[log["item"]] * DAY + YEAR_START <= log["timestamp"]
    assert (world.leaves < 365).sum() == 14 and not gone.any()
    state = State.first(world, 1)
    state.season[:] = 11
    assert (world.next_item(np.full((1, 6), 1 / 6), state)[0, world.leaves < 365] == 0).all()
    assert np.allclose(world.likelihood(np.flatnonzero(world.leaves < 365)[:1], state), 0, atol=1e-12)


@pytest.mark.parametrize("wrong", [{"fashion": -1.0}, {"leaving": 1.5}])
def test_a_change_that_cannot_be_is_refused(wrong):
    with pytest.raises(DataError, match=next(iter(wrong))):
        Parameters(**wrong)


# ------------------------------------------------------------------------------------------------ questions and histories


def test_what_trains_is_older_than_the_moment_and_histories_are_fresh(shop, week):
    assert week.train["timestamp"].max() < JULY
    assert week.test.now.min() >= JULY + 30 * DAY and week.test.now.max() < JULY + 37 * DAY
    last = week.test.log.times[week.test.ends - 1][week.test.ends > week.test.log.starts[week.test.users]]
    assert (last >= JULY).any()                                         # of after the training
    with pytest.raises(DataError, match="what trains would be asked"):
        rb.by_moment(shop, JULY, JULY - DAY)
    with pytest.raises(DataError, match="nothing happened"):
        rb.by_moment(shop, JULY, JULY + 900 * DAY)


def test_an_older_history_holds_what_happened_before_its_moment(week):
    cases = week.test
    for delay in (0, 3600, 7 * DAY, 900 * DAY):
        late = cases.known_until(cases.now - delay)
        for case, end in enumerate(late.ends):
            start = cases.log.starts[cases.users[case]]
            known = cases.log.times[start:cases.ends[case]] < cases.now[case] - delay
            assert end - start == known.sum()
    assert (cases.known_until(cases.now + 900 * DAY).ends == cases.ends).all()
    assert (cases.known_until(JULY).ends <= cases.ends).all()


# ------------------------------------------------------------------------------------------------ grown models


def tomorrow():
    """Today's ids in another order, without one of them, and with new ones."""
    today = rb.from_frame({"user": ["a", "a", "b", "b", "c", "c"], "item": ["t", "u", "v", "w", "t", "w"]})
    return today, rb.from_frame({"user": ["z", "z", "b", "b", "c"], "item": ["x", "w", "t", "v", "y"]})


@pytest.mark.parametrize("name", ["gru4rec", "sasrec", "bpr-mf", "mult-vae", "writer", "caser"])
def test_a_grown_model_keeps_what_it_knows(name):
    today, grown = tomorrow()
    rb.seed_everything(0)
    kind = rb.MODELS[name]
    model = kind(today.n_users, today.n_items)
    model.trained_on = today.ids
    more = rb.grow(model, grown)
    items = [today.ids.items.index(one) if one in today.ids.items else -1 for one in grown.ids.items]
    old, new = dict(model.named_parameters()), dict(more.named_parameters())
    assert more.n_items == grown.n_items and new.keys() == old.keys()
    same = [key for key in old if old[key].shape == new[key].shape and torch.equal(old[key], new[key])]
    assert same or name == "bpr-mf"
    if "item.weight" in old:
        for here, there in enumerate(items):
            if there >= 0:
                assert torch.equal(new["item.weight"][here], old["item.weight"][there])
    rb.fit(more, rb.everything(grown), epochs=1, progress=False, device="cpu")
    assert more.trained_on is grown.ids


def test_a_grown_model_answers_as_before_about_what_it_knew():
    """The scores of known items after a known history are the same numbers, in the new order."""
    today, grown = tomorrow()
    rb.seed_everything(0)
    model = rb.GRU4Rec(today.n_users, today.n_items, dim=8, hidden=8).eval()
    model.trained_on = today.ids
    more = rb.grow(model, grown).eval()
    numbers = {one: number for number, one in enumerate(grown.ids.items)}
    asked = lambda data: rb.Context(items=torch.tensor([[data.ids.items.index("t"), data.ids.items.index("v")]]))
    before, after = model.scores(asked(today))[0], more.scores(asked(grown))[0]
    for old, one in enumerate(today.ids.items):
        if one in numbers:
            assert torch.isclose(before[old], after[numbers[one]])


def test_what_cannot_grow_says_so():
    today, grown = tomorrow()
    with pytest.raises(ModelError, match="solved at once"):
        rb.grow(rb.EASE(today.n_users, today.n_items).fit(rb.everything(today)), grown)
    with pytest.raises(ModelError, match="which ids"):
        rb.grow(rb.GRU4Rec(today.n_users, today.n_items), grown)


# ------------------------------------------------------------------------------------------------ monitors


def test_limits_ring_as_often_as_they_say_on_days_that_are_alike():
    draw = np.random.default_rng(0)
    rang = []
    for _ in range(200):
        limits = monitoring.limits(pd.DataFrame(draw.normal(size=(20, 3)), columns=list("abc")), false_alarms=0.1)
        rang.append(limits.out(pd.DataFrame(draw.normal(size=(20, 3)), columns=list("abc"))).any(axis=1).mean())
    assert 0.07 < np.mean(rang) < 0.13


def test_an_alarm_names_what_is_out_and_how_long_it_took():
    quiet = pd.DataFrame({"a": np.arange(10.0) % 2, "b": 1.0})
    limits = monitoring.limits(quiet)
    days = pd.DataFrame({"a": [0.0, 1.0, 9.0], "b": [1.0, np.nan, 1.0]})
    assert limits.first_alarm(days) == {"a": 3, "b": 2}
    assert limits.first_alarm(days[:1]) == {"a": None, "b": None}
    with pytest.raises(DataError, match="ten"):
        monitoring.limits(quiet[:5])


def test_the_numbers_of_a_day(shop, week):
    model = rb.Popularity(shop.n_users, shop.n_items).fit(week)
    days = monitoring.daily(model, week.test, shop.items, k=6)
    assert days["events"].sum() == len(week.test)
    assert (days["coverage"] == 6 / 48).all() and days["category"].between(0, 1).all()
    found = rb.evaluate(model, week.test, ["HR@6"])["HR@6"]
    assert np.isclose((days["hits"] * days["events"]).sum() / len(week.test), found, atol=0.02)
    dear = shop.items.assign(price=shop.items["price"] * 100)
    assert np.allclose(monitoring.daily(model, week.test, dear, k=6)["price"] - days["price"], np.log(100))
    late = monitoring.daily(model, week.test.known_until(JULY - 30 * DAY), shop.items, k=6)
    assert (late["age"].fillna(np.inf) > days["age"]).all() and (late["nothing known"] >= days["nothing known"]).all()


def test_two_samples_of_one_law_and_of_two():
    draw = np.random.default_rng(1)
    assert monitoring.p_value(draw.normal(size=500), draw.normal(size=500)) > 0.01
    assert monitoring.p_value(draw.normal(size=500), 1 + draw.normal(size=500)) < 1e-6
    assert monitoring.p_value(["tea"] * 50 + ["pot"] * 50, ["tea"] * 45 + ["pot"] * 55) > 0.05
    assert monitoring.p_value(["tea"] * 50 + ["pot"] * 50, ["tea"] * 5 + ["cup"] * 95) < 1e-6


# ------------------------------------------------------------------------------------------------ champion and challenger


def test_what_became_of_the_lists(tmp_path):
    store = open_store(tmp_path / "small.sqlite")
    for number, (user, version) in enumerate([(1, "old"), (1, "old"), (2, "new"), (None, "new")]):
        store.add_impression(Impression(f"r{number}", 0.0, user, version, 0.5, "model", ("tea", "pot")))
    store.add_events([Event("e1", 1, "tea", 1.0, request="r0"), Event("e2", 1, "cup", 2.0, request="r1"),
                      Event("e3", 2, "pot", 3.0)])                      # not on the list; of no list
    found = trial.outcomes(store).set_index(["version", "user"])
    store.close()
    assert found.loc[("old", 1), "lists"] == 2 and found.loc[("old", 1), "taken"] == 0.5
    assert found.loc[("new", 2), "taken"] == 0 and len(found) == 2


def customers(better, size=400, seed=0):
    draw = np.random.default_rng(seed)
    rate = np.repeat([0.3, 0.3 + better], size)
    return pd.DataFrame({"version": np.repeat(["old", "new"], size), "taken": draw.random(2 * size) < rate}).astype({"taken": float})


def test_a_worse_challenger_goes_back_and_an_equal_one_seldom():
    assert trial.look(customers(-0.2), "old", "new", looks=5, number=1).verdict == "back"
    assert trial.look(customers(0.0), "old", "new", looks=5, number=1).verdict == "go on"
    assert trial.look(customers(0.0), "old", "new", looks=5, number=5).verdict == "keep"
    sent = [trial.look(customers(0.0, seed=seed), "old", "new", looks=5, number=1).verdict == "back" for seed in range(300)]
    assert np.mean(sent) < 0.02
    with pytest.raises(DataError, match="beforehand"):
        trial.look(customers(0.0), "old", "new", looks=5, number=6)


@pytest.fixture
def on_trial(tmp_path):
    """`on_trial()`: a service of two runs; called again, started anew on the same store."""
    pytest.importorskip("fastapi")
    from recbook.probes import probe
    from recbook.service.service import Service

    data = rb.from_frame({"user": [1, 1, 2, 2, 3], "item": ["tea", "pot", "tea", "cup", "pot"]})
    for name in ("old", "new"):
        model = rb.Popularity(data.n_users, data.n_items).fit(rb.everything(data))
        rb.save_model(model, tmp_path / name, probe=probe(model, data))
    stores = []

    def start():
        stores.append(open_store(tmp_path / "small.sqlite"))
        return Service(data, tmp_path, "old", stores[-1])

    yield start
    for store in stores:
        store.close()


def serve_customers(service, first, last, worse=(), clock=0.0):
    """Everybody takes what they are shown, but not from the versions that are worse."""
    for user in range(first, last):
        answer = service.recommend(user, 1)
        if answer["version"] not in worse:
            service.accept([{"user": user, "item": answer["items"][0]["item"], "request": answer["request"], "time": 1e9 - clock * user}])


def test_a_challenger_that_fails_goes_back_by_itself_and_is_not_tried_again(on_trial):
    service = on_trial()
    service.watch.start("new", 0.5, looks=4, customers=80)
    serve_customers(service, 100, 115, worse={"new"})
    assert len(service.versions.now) == 2 and service.watch.trial["found"] == []
    service = on_trial()                                                # killed, and started anew: the trial goes on
    service.watch.start("new", 0.5, looks=4, customers=80)
    serve_customers(service, 115, 180, worse={"new"}, clock=1e4)        # a clock that runs backwards changes nothing
    assert service.watch.trial["verdict"] == "back" and [one.name for one in service.versions.now] == ["old"]
    service = on_trial()
    service.watch.start("new", 0.5, looks=4, customers=80)
    assert [one.name for one in service.versions.now] == ["old"] and service.watch.trial["found"][-1]["high"] < 0


def test_a_challenger_that_is_as_good_stays_and_hands_end_a_trial(on_trial):
    service = on_trial()
    for options in ({"share": 1.0}, {"looks": 0}, {"customers": 2}):
        with pytest.raises(ModelError, match="share|look"):
            service.watch.start("new", **({"share": 0.5, "looks": 4, "customers": 40} | options))
    service.watch.start("new", 0.5, looks=2, customers=20)
    serve_customers(service, 100, 121)
    assert service.watch.trial["verdict"] == "keep" and len(service.versions.now) == 2 and len(service.watch.trial["found"]) == 2


def test_whoever_changes_the_versions_ends_the_trial(on_trial):
    service = on_trial()
    service.watch.start("new", 0.5, looks=2, customers=20)
    service.versions.change("old", 1)
    serve_customers(service, 100, 121)
    assert service.watch.trial["verdict"] == "ended"


# ------------------------------------------------------------------------------------------------ days that are odd


def test_a_day_without_events_is_there_and_rings(shop, week):
    model = rb.Popularity(shop.n_users, shop.n_items).fit(week)
    span = JULY + 30 * DAY, JULY + 37 * DAY
    silent = week.test.subset((week.test.now - span[0]) // DAY != 3)
    days = monitoring.daily(model, silent, shop.items, span=span)
    assert len(days) == 7 and days.loc[3, "events"] == 0 and days.loc[3].drop("events").isna().all()
    quiet = monitoring.daily(model, rb.by_moment(shop, JULY, JULY + 37 * DAY).test, shop.items)
    assert monitoring.limits(quiet.dropna()).out(days).loc[3].drop("events").all()
    ended = monitoring.daily(model, week.test.subset(week.test.now < span[0] + 5 * DAY), shop.items, span=span)
    assert ended["events"].tolist()[5:] == [0, 0]


def test_a_day_with_only_new_users_has_no_age_and_is_answered(shop, week):
    model = rb.Popularity(shop.n_users, shop.n_items).fit(week)
    days = monitoring.daily(model, week.test.known_until(0), shop.items)
    assert (days["nothing known"] == 1).all() and days["age"].isna().all() and days["hits"].notna().all()
    with pytest.raises(DataError, match="age"):
        monitoring.limits(pd.concat([days] * 3))


def test_a_clock_that_jumps_is_refused(shop, week):
    model, now = rb.Popularity(shop.n_users, shop.n_items).fit(week), week.test.now.copy()
    now[0] = 4_000_000_000
    with pytest.raises(DataError, match="a clock"):
        monitoring.daily(model, replace(week.test, now=now), shop.items)
    with pytest.raises(DataError, match="a clock"):
        monitoring.daily(model, week.test, shop.items, span=(JULY, JULY + DAY))
