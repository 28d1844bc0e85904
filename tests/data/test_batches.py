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

from recbook.data import from_frame, leave_last_out
from recbook.data.batches import Negatives, Pairs, Ratings, RatingsByUser
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


@pytest.mark.parametrize("batches", [Pairs(2), Ratings(), RatingsByUser()], ids=["pairs", "ratings", "by user"])
def test_an_epoch_is_a_new_order_and_repeats_with_its_seed(batches):
    prepared = batches.prepare(split_of([9, 9, 9, 9]))
    generator = torch.Generator().manual_seed(3)
    first, second = ([batch.items for batch in prepared.epoch(10, generator)] for _ in range(2))
    again = [batch.items for batch in prepared.epoch(10, torch.Generator().manual_seed(3))]
    assert torch.equal(torch.cat(first), torch.cat(again))
    assert not torch.equal(torch.cat(first), torch.cat(second))
