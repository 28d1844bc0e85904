"""A split cuts where it says, loses nothing, and shows no case its own answer."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import recbook as rb
from recbook.data import by_ratio, by_time, from_frame, leave_last_out, random_folds
from recbook.data.splits import cases_from_rows
from recbook.errors import DataError


def dataset(*events, **options):
    """events: (user, item, time)."""
    return from_frame(pd.DataFrame(events, columns=["user", "item", "time"]), timestamp="time", **options)


# Ana meets items 0 1 2 3, Ben 1 0, Cem 3 2 1, interleaved in time.
SMALL = dataset((0, 0, 10), (0, 1, 20), (0, 2, 50), (0, 3, 90), (1, 1, 30), (1, 0, 60), (2, 3, 40), (2, 2, 70),
                (2, 1, 80))


def pairs(frame):
    return list(zip(frame["user"], frame["item"]))


def asked(cases):
    """Each case as (user, history, answers)."""
    answers = [cases.target[cases.case == number].tolist() for number in range(len(cases))]
    histories = [[item for item in row if item >= 0] for row in cases.context().items.tolist()]
    return list(zip(cases.users.tolist(), histories, answers))


def test_leave_last_out_tests_the_last_and_validates_on_the_one_before():
    split = leave_last_out(SMALL)
    assert asked(split.test) == [(0, [0, 1, 2], [3]), (2, [3, 2], [1])]
    assert asked(split.validation) == [(0, [0, 1], [2]), (2, [3], [2])]
    assert pairs(split.train) == [(0, 0), (0, 1), (1, 1), (1, 0), (2, 3)]    # Ben, with two items, only trains


def test_leave_last_out_needs_a_user_with_three_interactions():
    with pytest.raises(DataError, match="no user has three interactions"):
        leave_last_out(dataset((0, 0, 1), (0, 1, 2), (1, 0, 3)))


def test_what_a_user_is_known_to_have_is_masked_unless_items_return():
    split = leave_last_out(SMALL)
    assert split.validation.masked.toarray().tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]]
    assert split.test.masked.toarray().tolist() == [[1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 1, 1]]   # and validation's
    assert (split.test.masked != split.refit().matrix()).nnz == 0
    for split in (leave_last_out(SMALL, mask="train"), by_ratio(SMALL, validation=0.25, test=0.25, mask="train")):
        assert (split.test.masked != split.matrix()).nnz == 0 < (split.matrix() != split.refit().matrix()).nnz
    returning = dataset((0, 0, 1), (0, 0, 2), (0, 0, 3))
    assert returning.items_return and leave_last_out(returning).test.masked is None
    assert leave_last_out(returning, mask="train").test.masked.toarray().tolist() == [[1]]
    assert leave_last_out(SMALL, mask=None).test.masked is None
    with pytest.raises(DataError, match="mask is"):
        leave_last_out(SMALL, mask="all")


def test_by_time_has_one_clock_for_everybody():
    split = by_time(SMALL, validation=2 / 9, test=2 / 9)
    assert sorted(split.train["timestamp"]) == [10, 20, 30, 40, 50]
    assert asked(split.validation) == [(1, [1], [0]), (2, [3], [2])]          # at 60 and 70
    assert asked(split.test) == [(0, [0, 1, 2], [3]), (2, [3, 2], [1])]       # at 90 and 80
    assert split.test.now.tolist() == [90, 80]


def test_by_time_can_do_without_validation():
    split = by_time(SMALL, validation=0, test=2 / 9)
    assert split.validation is None and len(split.train) == 7


def test_by_time_refuses_times_that_do_not_tell_events_apart():
    with pytest.raises(DataError, match="too coarse"):
        by_time(dataset((0, 0, 5), (0, 1, 5), (0, 2, 5)))


def test_trains_on_the_future_is_the_share_asked_before_the_end_of_training():
    assert by_time(SMALL, 0.2, 0.2).trains_on_the_future() == 0
    # Training ends at 60 (Ben); tests are asked at 90 (Ana) and 80 (Cem). If Ben's second is at 85, Cem's is early.
    assert leave_last_out(SMALL).trains_on_the_future() == 0
    later = dataset(*[(0, item, time) for item, time in ((0, 10), (1, 20), (2, 50), (3, 90))], (1, 1, 30), (1, 0, 85),
                    (2, 3, 40), (2, 2, 70), (2, 1, 80))
    assert leave_last_out(later).trains_on_the_future() == 0.5
    timeless = from_frame(pd.DataFrame({"user": [0] * 4, "item": range(4)}))
    with pytest.raises(DataError, match="no timestamps, so nothing says what was later"):
        leave_last_out(timeless).trains_on_the_future()


def test_by_ratio_rounds_the_earlier_parts_up():
    ten = dataset(*[(0, item, item) for item in range(10)])
    split = by_ratio(ten, validation=0.1, test=0.2)
    assert split.train["item"].tolist() == [0, 1, 2, 3, 4, 5, 6]             # in spite of 7.000000000000001
    assert asked(split.validation) == [(0, [0, 1, 2, 3, 4, 5, 6], [7])]
    assert asked(split.test) == [(0, [0, 1, 2, 3, 4, 5, 6, 7], [8, 9])]
    assert split.test.masked.toarray()[0].tolist() == [1] * 8 + [0] * 2
    single = by_ratio(dataset((0, 0, 0), *[(1, item, item) for item in range(5)]), validation=0.1, test=0.2)
    assert split.test.now.tolist() == [8]
    assert 0 not in single.test.users and (0, 0) in pairs(single.train)       # ceil(0.7) = 1: a single item trains


@pytest.mark.parametrize("validation, test", [(0.5, 0.5), (0, 0), (0, 1), (-0.1, 0.2), (0, "x"), (0, float("nan"))])
@pytest.mark.parametrize("cut", [by_time, by_ratio])
def test_shares_must_leave_something_to_train_on(cut, validation, test):
    with pytest.raises(DataError, match="shares"):
        cut(SMALL, validation=validation, test=test)


def rated(n):
    """n ratings in a file whose order is neither that of users nor of times."""
    random = np.random.default_rng(7)
    frame = pd.DataFrame({"user": random.integers(0, 5, n), "item": np.arange(n), "rating": random.integers(1, 6, n)})
    return frame, from_frame(frame, rating="rating")


@pytest.mark.parametrize("n, folds, seed", [(23, 5, 0), (20, 5, 3), (7, 3, 1)])
def test_random_folds_are_those_of_surprise(n, folds, seed):
    """scikit-surprise's KFold, from its documentation: shuffle the file's rows with RandomState(seed), cut in order,
    the first n % folds folds one longer. Each item is one row of the file here."""
    _, data = rated(n)
    rows = np.arange(n)
    np.random.RandomState(seed).shuffle(rows)
    stop = 0
    for fold, split in enumerate(random_folds(data, folds, seed)):
        start, stop = stop, stop + n // folds + (fold < n % folds)
        assert sorted(split.test.target) == sorted(rows[start:stop])
    assert stop == n


@pytest.mark.parametrize("folds", [0, 1, -1, 2.5, "x", 1000])
def test_so_many_folds_cannot_be(folds):
    with pytest.raises(DataError, match=f"folds={folds!r}: a whole number from 2"):
        random_folds(rated(6)[1], folds)


def test_a_rating_is_asked_with_all_the_training_ratings_of_its_user():
    frame, data = rated(20)
    split = random_folds(data, 4)[1]
    context = split.test.context()
    for case, (user, target) in enumerate(zip(split.test.users, split.test.target)):
        known = split.train[split.train["user"] == user]
        assert [item for item in context.items[case].tolist() if item >= 0] == known["item"].tolist()
        assert split.test.rating[case] == frame["rating"][target]
        assert context.ratings[case].nansum() == known["rating"].sum()


def test_refit_moves_validation_into_training():
    split = leave_last_out(SMALL)
    refitted = split.refit()
    assert pairs(refitted.train) == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 0), (2, 3), (2, 2)]
    assert refitted.validation is None and refitted.test is split.test and refitted.refit() is refitted


def test_a_sealed_split_trains_and_validates_and_shows_no_test():
    shop = rb.load("shop", n_users=60, n_events=3000)
    split = rb.by_time(shop).sealed()
    rb.fit(rb.BPRMF(shop.n_users, shop.n_items, dim=4), split, epochs=1, metric="NDCG@10", progress=False, device="cpu")
    for ask in (lambda: rb.evaluate(rb.Popularity(shop.n_users, shop.n_items).fit(split), split.test), lambda: len(split.test),
                lambda: split.test.target, lambda: split.refit().test.subset([0])):
        with pytest.raises(DataError, match="sealed"):
            ask()
    assert repr(split).endswith("sealed test cases") and rb.by_time(shop).test is not None


def test_a_context_is_padded_behind_and_cut_in_front():
    data = from_frame(pd.DataFrame({"user": [0, 0, 0, 0, 1, 1, 1], "item": [0, 1, 2, 3, 3, 2, 1],
                                    "time": [10, 20, 30, 40, 50, 60, 70], "stars": [1, 2, 3, 4, 5, 4, 3],
                                    "act": ["view", "cart", "view", "view", "purchase", "favourite", "view"]}),
                      timestamp="time", rating="stars", behaviour="act")
    test = leave_last_out(data).test
    context = test.context()
    assert context.items.tolist() == [[0, 1, 2], [3, 2, -1]]
    assert context.times.tolist() == [[10, 20, 30], [50, 60, -1]]
    assert context.behaviours.tolist() == [[0, 2, 0], [3, 1, -1]]
    assert torch.equal(context.ratings.isnan(), torch.tensor([[False] * 3, [False, False, True]]))
    assert context.now.tolist() == [40, 70] and context.users.tolist() == [0, 1] and context.sessions is None
    assert test.context(length=1).items.tolist() == [[2], [2]]
    assert test.context(rows=[1]).items.tolist() == [[3, 2]]
    assert test.context(length=0).items.shape == (2, 0)
    assert len(context) == 2


def test_a_subset_renumbers_its_cases():
    test = by_ratio(dataset(*[(user, item, item) for user in range(3) for item in range(5)]), 0.2, 0.4).test
    assert asked(test) == [(user, [0, 1, 2], [3, 4]) for user in range(3)]
    assert asked(test.subset([True, False, True])) == [(0, [0, 1, 2], [3, 4]), (2, [0, 1, 2], [3, 4])]
    assert len(test.subset([False] * 3)) == 0


def test_the_matrix_counts_an_item_once():
    split = leave_last_out(dataset((0, 0, 1), (0, 0, 2), (0, 1, 3), (0, 1, 4)))
    assert split.matrix().toarray().tolist() == [[1, 0]]


events = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 20)), min_size=3, max_size=40)


@pytest.mark.parametrize("cut", [leave_last_out, by_time, by_ratio])
@given(events=events)
def test_the_parts_are_all_the_rows_and_each_once(cut, events):
    data = dataset(*events)
    try:
        split = cut(data)
    except DataError:
        assume(False)
    parts = pairs(split.train)
    for cases in (split.validation, split.test):
        if cases is not None:
            parts += zip(cases.users[cases.case], cases.target)
    assert Counter(parts) == Counter(pairs(data.interactions))
    n_validation = 0 if split.validation is None else len(split.validation.target)
    assert len(split.train_and_validation) == len(split.train) + n_validation


@pytest.mark.parametrize("cut", [leave_last_out, by_time, by_ratio])
@given(events=events)
def test_no_history_holds_its_answer_or_anything_later(cut, events):
    """Each event gets an item of its own, so that an item says which event it is."""
    times = [(user, number, time) for number, (user, _, time) in enumerate(events)]
    data = dataset(*times)
    try:
        split = cut(data)
    except DataError:
        assume(False)
    place = {item: place for place, item in enumerate(data.interactions["item"])}
    for cases in (split.validation, split.test):
        for user, history, answers in [] if cases is None else asked(cases):
            assert all(times[item][0] == data.users["original"][user] for item in history + answers)
            assert all(place[known] < place[answer] for known in history for answer in answers)


@given(events=events)
def test_by_time_never_trains_on_the_future(events):
    try:
        split = by_time(dataset(*events))
    except DataError:
        assume(False)
    assert split.trains_on_the_future() == 0
    assert split.train["timestamp"].max() < split.test.now.min()


@given(events=events, seed=st.integers(0, 9))
def test_each_rating_is_tested_in_one_fold(events, seed):
    frame = pd.DataFrame(events, columns=["user", "item", "rating"])
    data = from_frame(frame, rating="rating")
    folds = random_folds(data, 3, seed)
    tested = [pair for split in folds for pair in zip(split.test.users, split.test.target)]
    assert Counter(tested) == Counter(pairs(data.interactions))
    assert all(len(split.train) + len(split.test) == len(events) for split in folds)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=8, max_size=30), st.data())
def test_an_answer_is_met_again_if_it_stands_in_its_own_history(pairs, data):
    """As plain Python finds it, for a case a row and for a case a user."""
    events = from_frame(pd.DataFrame(pairs, columns=["user", "item"]))
    frame = events.interactions
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, len(frame) - 1), min_size=1))))
    cases = cases_from_rows(events, rows)
    by_hand = [frame["item"][row] in list(frame["item"][:row][frame["user"][:row] == frame["user"][row]]) for row in rows]
    assert cases.again().tolist() == by_hand
    split = by_ratio(events, validation=0, test=0.5)
    known = {user: set(part["item"]) for user, part in split.train.groupby("user")}
    by_hand = [item in known.get(split.test.users[case], ()) for case, item in zip(split.test.case, split.test.target)]
    assert split.test.again().tolist() == by_hand


def test_rows_without_times_are_not_split_by_time():
    long = [(f"long{u}", i) for u in range(2) for i in range(50)] + [(f"short{u}", i) for u in range(50) for i in range(4)]
    with pytest.raises(DataError, match="there are no timestamps, only the order of each user's events"):
        by_time(from_frame(pd.DataFrame(long, columns=["user", "item"])))


# ------------------------------------------------------------------------------------------------ users never seen


def many(n_users=40, seed=0):
    """Users with 3 to 12 different items each of 20; user 0 has two."""
    rng = np.random.default_rng(seed)
    rows = [(user, item, time) for user in range(n_users)
            for time, item in enumerate(rng.permutation(20)[:2 if user == 0 else rng.integers(3, 13)])]
    return dataset(*rows)


@settings(deadline=None, max_examples=30)
@given(st.integers(4, 12), st.sampled_from([0.3, 0.5, 0.8]), st.integers(1, 5), st.integers(0, 5))
def test_strong_generalisation_trains_on_nothing_of_whom_it_asks_about(held_out, share, least, seed):
    data = many()
    split = rb.strong_generalisation(data, held_out, share, least, seed)
    met = {user: set(own["item"]) for user, own in data.interactions.groupby("user")}
    active = {user for user, own in met.items() if len(own) >= least}
    trains = set(split.train["user"])
    known = set(split.train["item"])
    held = [set(cases.users.tolist()) for cases in (split.validation, split.test)]
    assert not held[0] & held[1] and not (held[0] | held[1]) & trains and trains | held[0] | held[1] <= active
    assert len(active - trains) == 2 * held_out                         # who has nothing left to ask for is not asked
    assert pairs(split.train) == [pair for pair in pairs(data.interactions) if pair[0] in trains]
    for cases in (split.validation, split.test):
        for user, history, answers in asked(cases):
            own = met[user] & known
            assert set(history) | set(answers) == own and not set(history) & set(answers)
            assert len(answers) == int(round((1 - share) * len(own), 9)) > 0 and history
            hidden = set(cases.masked[user].indices.tolist())
            assert hidden == set(history) | set(range(data.n_items)) - known
    assert split.refit() is split


def test_the_same_seed_holds_out_the_same_users_and_another_others():
    data = many()
    one, same, other = (rb.strong_generalisation(data, 8, seed=seed) for seed in (1, 1, 2))
    assert asked(one.test) == asked(same.test) != asked(other.test)


def test_a_history_that_is_folded_in_keeps_its_order():
    data = many()
    place = {(row.user, row.item): row.timestamp for row in data.interactions.itertuples()}
    for user, history, _ in asked(rb.strong_generalisation(data, 10).test):
        times = [place[user, item] for item in history]
        assert times == sorted(times)


def test_an_item_that_was_met_twice_is_folded_in_or_asked_for_once():
    data = dataset(*[(user, item, time) for user in range(12) for time, item in enumerate([0, 1, 0, 2, 3, 4, 1, 0])])
    for user, history, answers in asked(rb.strong_generalisation(data, 3).test):
        assert sorted(history + answers) == [0, 1, 2, 3, 4] and len(answers) == 1


def test_a_share_of_the_users_may_be_held_out():
    assert len(rb.strong_generalisation(many(41), held_out=0.25, least=3).test) == 10     # of the forty with three items


def test_strong_generalisation_says_what_cannot_be():
    data = many()
    for options, says in (({"held_out": 20}, "40 users twice|somebody to train"), ({"share": 1.0}, "share=1.0"),
                          ({"share": 0.0}, "share=0.0"), ({"held_out": 0}, "at least one user"),
                          ({"least": 30}, "0 have met 30 items"),
                          ({"held_out": 3, "share": 0.99}, "nothing is left to ask for")):
        with pytest.raises(DataError, match=says):
            rb.strong_generalisation(data, **options)


def test_a_user_with_no_click_to_fold_in_is_named():
    """Everybody has items of their own: whoever is held out, nobody else has met them."""
    data = dataset(*[(user, 5 * user + item, item) for user in range(6) for item in range(5)])
    with pytest.raises(DataError, match="user . is held out, and nobody who trains has met any of their items"):
        rb.strong_generalisation(data, held_out=1)
