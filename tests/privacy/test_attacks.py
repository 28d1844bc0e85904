"""Attacks on a shop whose secrets are known, and on worlds in which there is nothing to find."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

import recbook as rb
from recbook.privacy import attribute_auc, auc, by_taste, keys, named, read_off, returned, row_loss, threshold
from recbook.privacy.attacks import mean, row_scores

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def shop():
    return rb.load("shop", n_users=600, n_items=60, n_events=24_000)


def log_of(*events):
    user, item, day = zip(*events)
    return pd.DataFrame({"user": user, "item": item, "timestamp": np.array(day) * 86_400})


# -------------------------------------------------------------------------------------------- AUC

@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30)
       .filter(lambda pairs: len({kind for _, kind in pairs}) == 2))
def test_auc_is_the_share_of_pairs_in_the_right_order(pairs):
    score, true = (np.array(column) for column in zip(*pairs))
    gap = score[true][:, None] - score[~true]
    found = auc(score, true)
    assert found.value == pytest.approx(((gap > 0) + 0.5 * (gap == 0)).mean())
    assert found.influence.mean() == pytest.approx(0, abs=1e-12)


def test_its_interval_is_that_of_customers_drawn_anew():
    rng = np.random.default_rng(0)
    true = rng.random(600) < 0.4
    score = rng.normal(size=600) + true
    low, high = auc(score, true).interval()
    again = []
    for _ in range(2000):
        drawn = rng.integers(600, size=600)
        again.append(auc(score[drawn], true[drawn]).value)
    assert (low, high) == pytest.approx(np.quantile(again, [0.025, 0.975]), abs=0.006)


def test_paired_attacks_differ_by_less_than_their_intervals():
    rng = np.random.default_rng(0)
    true = rng.random(500) < 0.5
    score = rng.normal(size=500) + true
    first, second = auc(score, true), auc(score + 0.05 * rng.normal(size=500), true)
    gap = first.less(second)
    assert gap["high"] - gap["low"] < 0.3 * np.diff(first.interval())[0]
    assert first.less(first) == {"difference": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}
    assert mean([first, second]).value == pytest.approx((first.value + second.value) / 2)


def test_an_attack_on_nobody_is_refused_in_one_line():
    for score, true, why in (([1.0, 2.0], [True, True], "both kinds"), ([1.0, np.nan], [True, False], "one number"),
                             ([1.0], [True, False], "one number")):
        with pytest.raises(rb.RecbookError, match=why) as problem:
            auc(score, true)
        assert "\n" not in str(problem.value)


# -------------------------------------------------------------------------------------------- attributes

def test_what_is_there_is_read_and_what_is_not_is_not():
    rng = np.random.default_rng(0)
    value = rng.integers(3, size=1500)
    features = np.eye(3)[value] + 0.1 * rng.normal(size=(1500, 3))
    assert attribute_auc(read_off(features, value), value).value > 0.999
    low, high = attribute_auc(read_off(features, rng.permutation(value)), rng.permutation(value)).interval()
    assert low < 0.5 < high


def test_a_customer_is_never_read_by_what_was_learned_on_them():
    noise = np.random.default_rng(0).normal(size=(200, 199))            # enough to learn 200 customers by heart
    value = np.random.default_rng(1).integers(2, size=200)
    assert abs(attribute_auc(read_off(noise, value), value).value - 0.5) < 0.12


def test_more_parts_than_customers_are_refused():
    with pytest.raises(rb.RecbookError, match="folds=5: the rarest value"):
        read_off(np.zeros((6, 1)), [0, 0, 0, 1, 1, 1])


def test_taste_says_what_the_law_says(shop):
    """One customer's posterior, as the sum over all profiles that the law spells out."""
    train, world, log = shop.interactions, shop.truth.world, shop.interactions
    found = by_taste(shop, train)
    user = 17
    mine = (log["user"] == user).to_numpy()
    session = log["session"].to_numpy()[mine]
    tastes = shop.truth.tastes[mine][np.append(True, session[1:] != session[:-1])]
    weight = {}
    for other in range(shop.n_users):                                   # each customer stands for a profile
        prior, chance = world.prior[other], world.prior[other][tastes[0]]
        for before, after in zip(tastes, tastes[1:]):
            chance *= world.parameters.drift * prior[after] + (1 - world.parameters.drift) * (before == after)
        weight[other] = chance
    total = sum(weight.values())
    for value in range(5):
        expected = sum(weight[other] for other in weight if world.city[other] == value) / total
        assert found["city"][user, value] == pytest.approx(expected)


def test_where_profiles_say_nothing_of_taste_nothing_can_be_read():
    plain = rb.load("shop", n_users=400, n_items=60, n_events=8000, profile=0.0)
    chance = by_taste(plain, plain.interactions)
    for name, values in chance.items():
        assert attribute_auc(values.round(9), plain.users[name].cat.codes.to_numpy()).value == pytest.approx(0.5)


def test_only_a_shop_knows_taste():
    log = rb.from_frame({"user": ["a", "b"], "item": ["x", "y"]})
    with pytest.raises(rb.RecbookError, match="no hidden truth"):
        by_taste(log, log.interactions)


# -------------------------------------------------------------------------------------------- membership

def halves(shop):
    split = rb.everything(shop)
    inside = np.random.default_rng(0).random(shop.n_users) < 0.5
    return [type(split)("half", shop, split.train[keep[split.train["user"]]].reset_index(drop=True), None)
            for keep in (inside, ~inside)], inside


def test_who_trained_a_model_that_learned_by_heart_is_found_and_elsewhere_nobody_is(shop):
    (inner, outer), inside = halves(shop)
    matrix = rb.everything(shop).matrix()
    sizes = shop.n_users, shop.n_items
    model, other = rb.EASE(*sizes, l2=1.0).fit(inner), rb.EASE(*sizes, l2=1.0).fit(outer)
    assert auc(row_loss(other, matrix) - row_loss(model, matrix), inside).value > 0.9
    assert auc(returned(model, matrix) - returned(other, matrix), inside).value > 0.6
    elsewhere = np.random.default_rng(1).random(shop.n_users) < 0.5     # a half of no meaning
    low, high = auc(row_loss(other, matrix) - row_loss(model, matrix), elsewhere).interval()
    assert low < 0.5 < high


def test_the_loss_of_a_row_is_what_the_model_was_trained_on(shop):
    split = rb.everything(shop)
    model = rb.MultDAE(shop.n_users, shop.n_items, dim=4, dropout=0.0)
    model.start(split)
    batch = next(iter(rb.MultDAE.batches.prepare(split).epoch(10**6)))
    matrix = split.matrix()
    size = np.diff(matrix.indptr)
    expected = pytest.approx(model.loss(batch).item(), rel=1e-5)
    assert (row_loss(model, matrix) * size).sum() / (size > 0).sum() == expected
    ease = rb.EASE(shop.n_users, shop.n_items).fit(split)
    dense = matrix.toarray()
    assert row_loss(ease, matrix) == pytest.approx(((dense @ ease.weight.numpy() - dense) ** 2).sum(1), rel=1e-4)


def test_what_returns_is_counted_among_what_was_hidden():
    class Knows(rb.Recommender):
        reads = None

        def __init__(self, first):
            super().__init__()
            self.first = first

        def scores(self, context, items=None):
            return (torch.arange(10) < self.first).float().expand(len(context), 10)

    rows = sp.csr_matrix(np.tile([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], (500, 1)))
    count = returned(Knows(4), rows, k=4)
    hidden = 4 - (np.random.default_rng(0).random((500, 4)) < 0.5).sum(1)
    assert (count == hidden).all()


def test_a_model_without_histories_has_no_answer_to_a_row(shop):
    with pytest.raises(rb.RecbookError, match="Popularity reads no histories"):
        row_scores(rb.Popularity(shop.n_users, shop.n_items), rb.everything(shop).matrix())


def test_the_cut_that_tells_most_apart():
    assert threshold([1, 2, 3, 4], [False, False, True, True]) == 2.5
    assert threshold([1, 1, 3, 4], [True, False, False, True]) == 3.5   # never between equals
    assert threshold([4, 3, 2, 1], [True, True, True, False]) == 1.5


# -------------------------------------------------------------------------------------------- who is it?

def test_a_few_events_name_a_customer():
    log = log_of((0, 1, 1), (0, 2, 2), (1, 1, 1), (1, 2, 9), (2, 3, 3), (2, 1, 1))
    alone, right = named(log, known=2)
    assert alone.all() and (right == 1).all()                           # nobody shares both events with anybody
    alone, right = named(log, known=2, by=("item",))
    assert list(alone) == [False, False, True]
    assert list(right) == [0.5, 0.5, 1]                                 # 0 and 1 took the same two items
    assert len(set(keys(log, ("item", "month")))) == 3


def test_who_is_not_there_is_not_named():
    log = log_of((0, 1, 1), (1, 2, 2))
    alone, right = named(log, known=1, released=log_of((0, 7, 7), (1, 2, 2)))
    assert list(alone) == [False, True] and list(right) == [0, 1]
    with pytest.raises(rb.RecbookError, match="known=3: no customer"):
        named(log, known=3)


def test_days_that_are_mixed_name_nobody(shop):
    log = shop.interactions
    mixed = log.assign(timestamp=np.random.default_rng(0).permutation(log["timestamp"].to_numpy()))
    assert named(log, 3)[1].mean() > 0.9
    assert named(log, 3, released=mixed)[1].mean() < 0.1


def test_rows_are_judged_some_at_a_time_and_alike():
    split = rb.by_time(rb.load("shop", n_users=600, n_items=60, n_events=20_000))
    model, matrix = rb.EASE(split.n_users, split.n_items).fit(split), split.matrix()
    by_one = [row_loss(model, matrix[[row]])[0] for row in (0, 255, 256, 599)]
    np.testing.assert_allclose(row_loss(model, matrix)[[0, 255, 256, 599]], by_one, rtol=1e-5)
    assert len(returned(model, matrix, k=3)) == 600
