"""Batches cover the data once an epoch, and a negative is never a positive."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from recbook.data import everything, from_frame, leave_last_out
from recbook.data.batches import Negatives, Pairs, Ratings, RatingsByUser, SkipGrams
from recbook.errors import DataError

N_ITEMS = 6
MET = st.lists(st.sets(st.integers(0, N_ITEMS - 1), max_size=N_ITEMS - 1), min_size=1, max_size=5)


def matrix_of(met):
    """A sparse matrix from the set of items that each user met."""
    dense = np.zeros((len(met), N_ITEMS), dtype=np.float32)
    for user, items in enumerate(met):
        dense[user, list(items)] = 1
    return sp.csr_matrix(dense)


@given(MET, st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_a_negative_is_never_a_positive_and_every_unmet_item_comes(met, seed):
    users = torch.arange(len(met)).repeat(2)
    drawn = Negatives(matrix_of(met)).draw(users, 200, torch.Generator().manual_seed(seed))
    for user, items in zip(users.tolist(), drawn.tolist()):
        assert set(items) == set(range(N_ITEMS)) - met[user]            # 200 draws miss one of six once in 10^16


def test_every_unmet_item_is_as_likely_as_any_other():
    met = [{0, 3}, set(), {5}, {0, 1, 2, 4}]
    drawn = Negatives(matrix_of(met)).draw(torch.arange(4), 20_000, torch.Generator().manual_seed(0))
    for user, items in enumerate(drawn.numpy()):
        count = np.bincount(items, minlength=N_ITEMS)[sorted(set(range(N_ITEMS)) - met[user])]
        assert count.sum() == 20_000 and chisquare(count).pvalue > 0.001


def test_negatives_are_each_users_own_whatever_the_order_of_users():
    negatives = Negatives(matrix_of([{0, 1, 2, 3, 4}, {1, 2, 3, 4, 5}]))
    assert negatives.draw(torch.tensor([1, 0, 0, 1]), 2).tolist() == [[0, 0], [5, 5], [5, 5], [0, 0]]


def test_a_user_who_met_everything_has_no_negatives():
    with pytest.raises(DataError, match="User 1 has met every item"):
        Negatives(matrix_of([{0}, set(range(N_ITEMS))]))


def split_of(counts, ratings=True, seed=0):
    """A split whose user u has `counts[u]` training ratings, each of its own value; one user more holds tests."""
    rng = np.random.default_rng(seed)
    rows = [(user, item) for user, count in enumerate(counts) for item in rng.permutation(20)[:count]]
    rows += [(len(counts), item) for item in range(3)]
    frame = pd.DataFrame(rows, columns=["user", "item"])
    frame["rating"] = np.arange(len(frame)) / 2
    users = pd.DataFrame({"user": range(len(counts) + 1)})
    items = pd.DataFrame({"item": range(20)})
    return leave_last_out(from_frame(frame, rating="rating" if ratings else None, users=users, items=items)).refit()


COUNTS = st.lists(st.integers(0, 9), min_size=1, max_size=8)


def triples(batches):
    return Counter((int(user), int(item), float(rating)) for batch in batches
                   for user, item, rating in zip(batch.users, batch.items, batch.ratings))


def rows_of(train):
    return Counter(zip(train["user"], train["item"], train["rating"]))


@given(COUNTS, st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_pairs_hold_every_interaction_once_an_epoch(counts, batch_size):
    split = split_of(counts)
    batches = list(Pairs(negatives=3).prepare(split).epoch(batch_size))
    met = Counter((int(user), int(item)) for batch in batches for user, item in zip(batch.users, batch.items))
    assert met == Counter(zip(split.train["user"], split.train["item"]))
    for batch in batches:
        assert batch.negatives.shape == (len(batch.users), 3) and len(batch.users) <= batch_size
        for user, items in zip(batch.users.tolist(), batch.negatives.tolist()):
            assert not any((user, item) in met for item in items)


@given(COUNTS, st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_ratings_hold_every_rating_once_an_epoch(counts, batch_size):
    split = split_of(counts)
    assert triples(Ratings().prepare(split).epoch(batch_size)) == rows_of(split.train)


@given(COUNTS, st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_ratings_by_user_hold_every_rating_once_beside_its_users_whole_history(counts, batch_size):
    split = split_of(counts)
    batches = list(RatingsByUser().prepare(split).epoch(batch_size))
    assert triples(batches) == rows_of(split.train)
    assert sum(len(batch.owners) for batch in batches) == split.train["user"].nunique()     # each in one batch only
    for batch in batches:
        assert batch.owners[batch.owner].tolist() == batch.users.tolist()
        for owner, history in zip(batch.owners.tolist(), batch.histories.tolist()):
            own = split.train["item"][split.train["user"] == owner].tolist()
            assert history == own + [-1] * (len(history) - len(own))


def test_an_item_met_twice_stands_twice_among_the_pairs():
    frame = pd.DataFrame({"user": [0, 0, 0, 1, 1, 1], "item": [0, 0, 1, 2, 1, 0]})
    split = leave_last_out(from_frame(frame)).refit()
    items = torch.cat([batch.items[batch.users == 0] for batch in Pairs().prepare(split).epoch(2)])
    assert sorted(items.tolist()) == sorted(split.train["item"][split.train["user"] == 0]) == [0, 0]


def test_unrated_interactions_are_left_out_of_ratings():
    frame = pd.DataFrame({"user": [0] * 5, "item": range(5), "rating": [4, None, 2, None, 5],
                          "behaviour": "purchase"})
    split = leave_last_out(from_frame(frame, rating="rating", behaviour="behaviour"))
    for batches in (Ratings(), RatingsByUser()):
        assert triples(batches.prepare(split).epoch(10)) == {(0, 0, 4.0): 1, (0, 2, 2.0): 1}


def test_a_data_set_without_ratings_is_refused_with_a_hint():
    with pytest.raises(DataError, match="has no ratings; models of clicks"):
        Ratings().prepare(split_of([4, 5], ratings=False))


def sessions_of(*sessions):
    """A split of one event a second; sessions are (user, items) or items of user 0."""
    sessions = [session if isinstance(session, tuple) else (0, session) for session in sessions]
    rows = [(user, item, number) for number, (user, items) in enumerate(sessions) for item in items]
    frame = pd.DataFrame(rows, columns=["user", "item", "session"])
    frame["timestamp"] = range(len(frame))
    return everything(from_frame(frame, session="session", items=pd.DataFrame({"item": range(N_ITEMS)})))


def skip_grams(split, window, batch_size=7):
    return Counter((int(centre), int(item)) for batch in SkipGrams(window).prepare(split).epoch(batch_size)
                   for centre, item in zip(batch.centres, batch.items))


def test_skip_grams_pair_an_item_with_those_at_most_a_window_away():
    split = sessions_of([0, 1, 2, 3])
    assert skip_grams(split, window=1) == Counter([(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)])
    assert skip_grams(split, window=2) == skip_grams(split, window=1) + Counter([(0, 2), (2, 0), (1, 3), (3, 1)])


def test_an_item_met_again_is_its_own_neighbour_and_an_event_never_is():
    assert skip_grams(sessions_of([4, 1, 4]), window=2) == Counter({(4, 1): 2, (1, 4): 2, (4, 4): 2})


def test_windows_stop_at_the_edge_of_a_session():
    assert skip_grams(sessions_of([0, 1], [2, 3], (1, [4, 5])), window=5) == Counter(
        [(0, 1), (1, 0), (2, 3), (3, 2), (4, 5), (5, 4)])


def test_two_sessions_that_overlap_in_time_are_still_two():
    frame = pd.DataFrame({"user": 0, "item": [0, 1, 2, 3], "session": [7, 8, 7, 8], "timestamp": range(4)})
    split = everything(from_frame(frame, session="session"))
    assert skip_grams(split, window=1) == Counter([(0, 2), (2, 0), (1, 3), (3, 1)])


def test_without_sessions_a_users_whole_sequence_is_one():
    frame = pd.DataFrame({"user": [0, 0, 1, 1], "item": [0, 1, 2, 3], "timestamp": range(4)})
    assert skip_grams(everything(from_frame(frame)), window=5) == Counter([(0, 1), (1, 0), (2, 3), (3, 2)])


@given(st.lists(st.lists(st.integers(0, N_ITEMS - 1), min_size=1, max_size=8), min_size=1, max_size=6),
       st.integers(1, 9), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_skip_grams_agree_with_their_definition(sessions, window, batch_size):
    expected = Counter((session[here], session[there]) for session in sessions for here in range(len(session))
                       for there in range(len(session)) if here != there and abs(here - there) <= window)
    if expected:
        assert skip_grams(sessions_of(*sessions), window, batch_size) == expected
    else:
        with pytest.raises(DataError, match="No session in the training part of .* has two interactions"):
            skip_grams(sessions_of(*sessions), window, batch_size)


def test_negatives_of_skip_grams_follow_the_count_to_the_power_of_three_quarters():
    split = sessions_of([0] * 81 + [1] * 16 + [2])                      # 27, 8, 1, and three items never met
    batch = next(SkipGrams(negatives=100).prepare(split).epoch(500, torch.Generator().manual_seed(0)))
    count = np.bincount(batch.negatives.flatten(), minlength=N_ITEMS)
    assert count.sum() == 50_000 and count[3:].sum() == 0
    assert chisquare(count[:3], 50_000 * np.array([27, 8, 1]) / 36).pvalue > 0.001


def test_the_rarest_and_the_commonest_draw_are_items_that_were_met(monkeypatch):
    batches = SkipGrams(negatives=2).prepare(sessions_of([1, 4]))       # items 0 and 5 stand at the ends, never met
    draws = torch.tensor([[0.0, 1 - 2.0**-53]], dtype=torch.float64)
    monkeypatch.setattr(torch, "rand", lambda *size, **options: draws)
    assert batches.draw(1).tolist() == [[1, 4]]


@pytest.mark.parametrize("batches", [Pairs(2), Ratings(), RatingsByUser(), SkipGrams()],
                         ids=["pairs", "ratings", "by user", "skip-grams"])
def test_an_epoch_is_a_new_order_and_repeats_with_its_seed(batches):
    prepared = batches.prepare(split_of([9, 9, 9, 9]))
    generator = torch.Generator().manual_seed(3)
    first, second = ([batch.items for batch in prepared.epoch(10, generator)] for _ in range(2))
    again = [batch.items for batch in prepared.epoch(10, torch.Generator().manual_seed(3))]
    assert torch.equal(torch.cat(first), torch.cat(again))
    assert not torch.equal(torch.cat(first), torch.cat(second))
