"""The shop is what it says: the same everywhere, like real shops in the ways stated, and true to its own law."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

import recbook as rb
from recbook.data.shop.events import simulate
from recbook.data.shop.world import CATEGORIES, YEAR_START, Parameters, State, World
from recbook.errors import DataError


@pytest.fixture(scope="module")
def shop():
    return rb.load("shop")


def test_events_are_the_same_on_every_machine(shop):
    log = shop.interactions
    digest = hashlib.sha256()
    for column in ("user", "item", "timestamp", "session"):
        digest.update(log[column].to_numpy(np.int64).tobytes())
    digest.update(log["behaviour"].cat.codes.to_numpy(np.int64).tobytes())
    digest.update(log["rating"].fillna(0).to_numpy(np.int64).tobytes())
    assert digest.hexdigest() == "314c4e226a4c7cb1e3733d913d3d4aa9464c5e99d1e23dc4e808f20c2439dd1e"


def test_another_seed_is_another_world(shop):
    other = rb.load("shop", seed=1)
    assert (other.interactions["item"] != shop.interactions["item"]).mean() > 0.9


def test_popularity_is_long_tailed_as_in_real_shops(shop):
    assert 0.4 < shop.describe()["share of the top tenth of items"] < 0.6           # MovieLens 1M: .43, Beauty: .48
    count = np.sort(shop.interactions["item"].value_counts().to_numpy())[::-1]
    slope = np.polyfit(np.log(np.arange(1, 181)), np.log(count[:180]), 1)[0]        # Zipf: straight on a log-log plot
    assert -1.0 < slope < -0.5


def test_most_of_the_matrix_is_empty(shop):
    assert shop.describe()["density of the user-item matrix"] < 0.15                # MovieLens 100K: .063


def test_few_users_do_much(shop):
    count = np.sort(np.bincount(shop.interactions["user"], minlength=shop.n_users))[::-1]
    assert 0.25 < count[: shop.n_users // 10].sum() / count.sum() < 0.5
    assert count.sum() == 250_000


def test_sessions_are_short_and_apart(shop):
    log = shop.interactions
    length = log.groupby("session").size()
    assert 5 < length.mean() < 7 and 0.1 < (length == 1).mean() < 0.25
    gap = log["timestamp"].diff()
    same_user = log["user"].diff() == 0
    same_session = log["session"].diff() == 0
    assert gap[same_session].between(1, 1_799).all()
    assert (gap[same_user & ~same_session] >= 3_600).all()


def test_looks_outnumber_carts_and_purchases_and_only_purchases_are_rated(shop):
    share = shop.interactions["behaviour"].value_counts(normalize=True)
    assert share["view"] > 0.6 and share["cart"] > 0.05 and share["purchase"] > 0.05
    rated = shop.interactions.dropna(subset="rating")
    assert (rated["behaviour"] == "purchase").all() and rated["rating"].isin([1, 2, 3, 4, 5]).all()
    assert rated["rating"].std() > 0.8                                              # opinions differ


def test_nothing_is_bought_twice_but_looks_repeat(shop):
    bought = shop.interactions[shop.interactions["behaviour"] == "purchase"]
    assert not bought.duplicated(["user", "item"]).any()
    assert shop.interactions.duplicated(["user", "item"]).mean() > 0.3


def test_cold_items_and_cold_users_come_late(shop):
    world, log = shop.truth.world, shop.interactions
    day = (log["timestamp"] - YEAR_START) / 86_400
    first = day.groupby(log["item"]).min()
    late = np.flatnonzero(world.launch > 0)
    assert len(late) == round(0.08 * shop.n_items)
    assert (first.reindex(late).dropna() >= world.launch[first.reindex(late).dropna().index]).all()
    joined = day.groupby(log["user"]).min()
    assert 0.05 < (joined > 330).mean() < 0.11


def test_friends_share_tastes(shop):
    first = shop.interactions.groupby("user").head(1)
    taste = pd.Series(shop.truth.tastes[first.index], index=first["user"])
    ties = shop.friends[shop.friends["user"].isin(taste.index) & shop.friends["friend"].isin(taste.index)]
    alike = (taste[ties["user"]].to_numpy() == taste[ties["friend"]].to_numpy()).mean()
    strangers = (taste.value_counts(normalize=True) ** 2).sum()
    assert alike > strangers + 0.4
    assert 5 < len(shop.friends) / shop.n_users < 7


def test_pictures_show_category_and_style(shop):
    images = shop.images.reshape(shop.n_items, -1).astype(float)
    assert shop.images.shape == (shop.n_items, 32, 32, 3) and shop.images.dtype == np.uint8
    assert similarity_follows_truth(images, shop.truth.world) > 0.1


# ------------------------------------------------------------------------------------------------ the law


def test_probabilities_are_the_softmax_that_the_law_states():
    world = World(Parameters(n_items=40, noise=0.1))
    p = world.parameters
    state = State(*(np.array([value]) for value in (0, 2, 3, 8, 5)))    # style 2; saw 8, then 3; bought 5
    for taste in range(p.n_tastes):
        weight = np.zeros(p.n_items)
        for item in range(p.n_items):
            if world.launch[item] == 0:
                category = world.item_category[item]
                utility = 1.8 * world.taste_vectors[taste] @ world.item_vectors[item]
                utility += world.style_vectors[2] @ world.item_vectors[item]
                utility += world.popularity[item] + world.quality[item]
                utility += {3: 1.2, 2: 1.6, (8 + 5) % 12: 1.4}.get(category, 0)
                utility += 2.4 * ((8, 3, category) in unions(world))
                utility += {4: 1.3, 5: -1.3}.get(category, 0)
                weight[item] = np.exp(utility)
        expected = 0.9 * weight / weight.sum() + 0.1 * (world.launch == 0) / (world.launch == 0).sum()
        belief = np.eye(p.n_tastes)[[taste]]
        found = world.next_item(belief, state)[0]
        assert found.sum() == pytest.approx(1)
        assert found == pytest.approx(expected, rel=0.01, abs=1e-4)     # weights are rounded to whole numbers
        each = np.array([world.likelihood(np.array([item]), state)[0, taste] for item in range(p.n_items)])
        assert found == pytest.approx(each)


def unions(world):
    return {(a, b, c) for first, second, c in world.unions for a, b in ((first, second), (second, first))}


def test_draws_follow_the_probabilities():
    world = World(Parameters(n_items=30, n_users=200_000, n_events=200_000, cold_users=0))
    events, first_taste = simulate(world)
    first = np.flatnonzero(np.diff(events.user, prepend=-1))
    taste, users = events.taste[first], events.user[first]
    expected = np.zeros(30)
    for z in range(world.parameters.n_tastes):
        state = State.first(world, 1)
        expected += (taste == z).sum() * world.next_item(np.eye(world.parameters.n_tastes)[[z]], state)[0]
    early = world.season(events.time[first]) == 0
    assert early.mean() > 0.8
    found = np.bincount(events.item[first][early], minlength=30) / early.sum()
    assert found == pytest.approx(expected / len(users), abs=0.004)


def test_no_item_is_met_before_it_is_on_sale(shop):
    world, log = shop.truth.world, shop.interactions
    assert (world.launch[log["item"]] <= (log["timestamp"] - YEAR_START) // 86_400).all()


# ------------------------------------------------------------------------------------------------ mechanisms


def similarity_follows_truth(features, world):
    """Correlation, over pairs of items, between cosine of features and cosine of the true vectors."""
    def cosines(vectors):
        vectors = vectors - vectors.mean(0)
        vectors = vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9)
        return (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]

    return np.corrcoef(cosines(features), cosines(world.item_vectors))[0, 1]


def words(shop):
    """Bags of the adjectives of the items' descriptions."""
    return TfidfVectorizer().fit_transform(shop.items["text"]).toarray()


def test_text_tells_where_an_item_lies_and_only_with_text_signal(shop):
    mute = rb.load("shop", text_signal=0)
    pd.testing.assert_frame_equal(mute.interactions, shop.interactions)             # nothing else changes
    nouns = shop.items["category"].cat.codes.to_numpy()
    assert len(np.unique(nouns)) == len(CATEGORIES)
    spoken, silent = (within_category(words(data), data.truth.world) for data in (shop, mute))
    assert spoken > 0.2 and abs(silent) < 0.05


def within_category(features, world):
    """Mean `similarity_follows_truth` among items of one category, whose nouns are alike."""
    kinds = [np.flatnonzero(world.item_category == category) for category in range(len(CATEGORIES))]
    worlds = [type("Part", (), {"item_vectors": world.item_vectors[rows]}) for rows in kinds]
    return np.mean([similarity_follows_truth(features[rows], part) for rows, part in zip(kinds, worlds)])


def gain(shop, **off):
    """NDCG@10 that the observer loses by not knowing of a mechanism: (difference, low, high)."""
    cases = rb.by_time(shop).test
    blind = rb.Observer(shop)
    blind.world = World(replace(shop.truth.world.parameters, **off))
    test = rb.compare({"sees": rb.Observer(shop), "blind": blind}, cases, ["NDCG@10"]).difference("sees", "blind")
    return test["difference"], test["low"], test["high"]


SMALL = {"n_users": 1_000, "n_events": 80_000}


@pytest.mark.parametrize(("mechanism", "least"), [("complements", 0.03), ("intent", 0.01), ("drift", 0.001),
                                                  ("taste", 0.03)])
def test_a_mechanism_is_worth_knowing_and_worth_nothing_when_off(mechanism, least):
    difference, low, _ = gain(rb.load("shop", **SMALL), **{mechanism: 0.0})
    assert low > 0 and difference > least
    assert gain(rb.load("shop", **SMALL, **{mechanism: 0.0}), **{mechanism: 0.0}) == (0, 0, 0)


def test_switching_complements_off_leaves_taste_alone():
    off = rb.load("shop", **SMALL, complements=0.0)
    _, low, _ = gain(off, taste=0.0)
    assert low > 0.03


def test_a_million_users_are_cheap():
    code = ("import resource, time; start = time.perf_counter(); import recbook; "
            "recbook.load('shop', n_users=100_000, n_items=20_000, n_events=1_000_000); "
            "print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")
    seconds, kilobytes = map(float, subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                                                   check=True).stdout.split())
    assert seconds < 40 and kilobytes < 3e6                             # a tenth of it; benchmarks/ has the whole


@pytest.mark.parametrize("wrong", [{"n_items": 5}, {"n_users": 0}, {"drift": 1.5}, {"noise": -0.1},
                                   {"n_users": "x"}, {"n_users": 2.5}, {"seed": -1}, {"taste": float("nan")}])
def test_an_impossible_world_is_refused(wrong):
    with pytest.raises(DataError, match="|".join(wrong)):
        Parameters(**wrong)
