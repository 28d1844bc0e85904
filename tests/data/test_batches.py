"""Batches cover the data once an epoch, and a negative is never a positive."""

from collections import Counter
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from recbook.data import everything, from_frame, leave_last_out
from recbook.data.batches import Negatives, Pairs, Ratings, RatingsByUser, Rows, Sequences, SkipGrams, Windows
from recbook.data.splits import BEHAVIOUR_CODES
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


@given(COUNTS, st.integers(1, 30), st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_batches_of_pairs_do_not_depend_on_how_many_get_their_negatives_together(counts, batch_size, together):
    prepared = Pairs(negatives=3).prepare(split_of(counts))
    with mock.patch("recbook.data.batches.DRAWN_AT_ONCE", together):
        in_pieces = list(prepared.epoch(batch_size, torch.Generator().manual_seed(0)))
    at_once = list(prepared.epoch(batch_size, torch.Generator().manual_seed(0)))
    assert len(in_pieces) == len(at_once)
    for piece, batch in zip(in_pieces, at_once):
        for column in ("users", "items", "negatives"):
            assert torch.equal(getattr(piece, column), getattr(batch, column))


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


@pytest.mark.parametrize("by", ["user", "item"])
@given(COUNTS, st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_rows_hold_every_rating_once_and_each_row_whole_in_one_batch(by, counts, batch_size):
    split = split_of(counts)
    batches = list(Rows(by, ratings=True).prepare(split).epoch(batch_size))
    assert triples(batches) == rows_of(split.train)
    assert sum(len(batch.owners) for batch in batches) == split.train[by].nunique()
    for batch in batches:
        own = batch.users if by == "user" else batch.items
        assert batch.owners[batch.owner].tolist() == own.tolist() and len(batch.owners) <= batch_size
        assert batch.owner.tolist() == sorted(batch.owner.tolist())


def test_rows_hold_a_pair_once_with_its_latest_rating():
    frame = pd.DataFrame({"user": [0] * 4, "item": [1, 0, 1, 2], "rating": [1, 2, 5, None], "behaviour": "purchase"})
    split = everything(from_frame(frame, rating="rating", behaviour="behaviour"))
    (batch,) = Rows(ratings=True).prepare(split).epoch(5)
    assert triples([batch]) == {(0, 0, 2.0): 1, (0, 1, 5.0): 1}
    (batch,) = Rows().prepare(split).epoch(5)
    assert sorted(batch.items.tolist()) == [0, 1, 2] and batch.ratings is None


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


@pytest.mark.parametrize("batches", [Pairs(2), Ratings(), RatingsByUser(), Rows(), SkipGrams()],
                         ids=["pairs", "ratings", "by user", "rows", "skip-grams"])
def test_an_epoch_is_a_new_order_and_repeats_with_its_seed(batches):
    prepared = batches.prepare(split_of([9, 9, 9, 9]))
    generator = torch.Generator().manual_seed(3)
    first, second = ([batch.items for batch in prepared.epoch(10, generator)] for _ in range(2))
    again = [batch.items for batch in prepared.epoch(10, torch.Generator().manual_seed(3))]
    assert torch.equal(torch.cat(first), torch.cat(again))
    assert not torch.equal(torch.cat(first), torch.cat(second))


# ------------------------------------------------------------------------------------------------ histories


def log_of(counts, seed=0, never_met=3):
    """A split whose user u has `counts[u]` events, each with its own item, time and a random behaviour."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(len(counts)), counts)
    frame = pd.DataFrame({"user": users, "item": rng.permutation(len(users)),
                          "behaviour": rng.choice(list(BEHAVIOUR_CODES), len(users)),
                          "timestamp": 1000 + rng.permutation(len(users))})
    return everything(from_frame(frame, timestamp="timestamp", behaviour="behaviour",
                                 users=pd.DataFrame({"user": range(len(counts))}),
                                 items=pd.DataFrame({"item": range(len(users) + never_met)})))


def events_of(split):
    """Each user's events in order: (item, behaviour's code, time)."""
    train = split.train.assign(code=split.train["behaviour"].map(BEHAVIOUR_CODES))
    return {user: list(own[["item", "code", "timestamp"]].itertuples(index=False, name=None))
            for user, own in train.groupby("user")}


def rows_without_padding(batch):
    """Of each row of a batch: user, known events (item, behaviour, time), items that follow, now. Padding is -1."""
    context = batch.context
    fields = torch.stack([context.items, context.behaviours, context.times], dim=-1)
    for user, known, following, now in zip(context.users.tolist(), fields, batch.items, context.now.tolist()):
        real, wanted = (known[:, 0] >= 0), (following >= 0)
        assert (known[~real] == -1).all() and (following[~wanted] == -1).all()
        assert real.sort(descending=True, stable=True).values.equal(real)               # padding comes last
        assert wanted.sort(descending=True, stable=True).values.equal(wanted)
        yield user, [tuple(event) for event in known[real].tolist()], following[wanted].tolist(), now


LENGTHS = st.lists(st.integers(0, 13), min_size=1, max_size=7).filter(lambda counts: max(counts) >= 2)


@given(LENGTHS, st.integers(1, 6), st.booleans(), st.integers(1, 30), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_every_event_but_a_users_first_is_next_once_an_epoch_after_the_events_just_before_it(counts, length, mixed,
                                                                                            size, seed):
    split = log_of(counts)
    events = events_of(split)
    batches = Sequences(length, mixed=mixed).prepare(split)
    for _ in range(2):
        predicted, pieces = [], Counter()
        for batch in batches.epoch(size, torch.Generator().manual_seed(seed)):
            assert batch.users.tolist() == batch.context.users.tolist() and batch.negatives is None
            assert len(batch.items) <= max(1, size // length)
            for user, known, following, now in rows_without_padding(batch):
                first = events[user].index(known[0])
                assert 1 <= len(known) == len(following) <= length
                assert known == events[user][first:first + len(known)]                  # of this user, without a gap
                expected = events[user][first + 1:first + 1 + len(known)]
                assert following == [item for item, _, _ in expected] and now == expected[-1][2]
                predicted += following
                pieces[user] += 1
        assert sorted(predicted) == sorted(item for own in events.values() for item, _, _ in own[1:])
        assert pieces == Counter({user: -(-(len(own) - 1) // length) for user, own in events.items() if len(own) > 1})


def test_a_history_is_cut_at_other_places_each_epoch():
    """Eleven targets in pieces of at most 5: the first piece may have 1, 2, 3, 4 or 5, each is as likely."""
    batches, generator = Sequences(5).prepare(log_of([12])), torch.Generator().manual_seed(0)
    first = events_of(log_of([12]))[0][0]
    sizes = [len(known) for _ in range(500) for batch in batches.epoch(100, generator)
             for _, known, _, _ in rows_without_padding(batch) if known[0] == first]
    count = np.bincount(sizes, minlength=6)
    assert count[0] == 0 and count.sum() == 500 and chisquare(count[1:]).pvalue > 0.001


def test_a_history_that_fits_is_never_cut():
    batches, generator = Sequences(5).prepare(log_of([6, 4])), torch.Generator().manual_seed(0)
    for _ in range(20):
        sizes = [len(known) for batch in batches.epoch(1, generator) for _, known, _, _ in rows_without_padding(batch)]
        assert sorted(sizes) == [3, 5]


def real(row):
    """A row of items without its padding, which comes last."""
    count = sum(item >= 0 for item in row)
    assert all(item >= 0 for item in row[:count])
    return row[:count]


@given(LENGTHS, st.integers(1, 6), st.data(), st.integers(1, 30), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_pieces_overlap_so_that_each_next_event_is_asked_for_once_after_enough_others(counts, length, data, size, seed):
    """A piece reads the `length` events up to its end, or all there are, and asks about its last, `stride` or fewer."""
    stride = data.draw(st.integers(1, length))
    split = log_of(counts)
    events = {user: [item for item, _, _ in own] for user, own in events_of(split).items()}
    asked = []
    for batch in Sequences(length, stride=stride).prepare(split).epoch(size, torch.Generator().manual_seed(seed)):
        assert len(batch.items) <= max(1, size // stride)
        for user, known, following, place in zip(batch.users.tolist(), batch.context.items.tolist(),
                                                 batch.items.tolist(), batch.first.tolist()):
            known, following, own = real(known), real(following), events[user]
            first = own.index(known[0])
            assert known == own[first:first + len(known)]                               # of this user, without a gap
            assert len(known) == min(first + len(known), length)
            assert following == own[first + place + 1:first + len(known) + 1] and 1 <= len(following) <= stride
            assert place + 1 >= min(first + place + 1, length - stride + 1)
            asked += following
    assert sorted(asked) == sorted(item for own in events.values() for item in own[1:])


@pytest.mark.parametrize("stride", [0, 6, -1])
def test_pieces_that_would_leave_a_gap_or_never_move_on_are_refused(stride):
    with pytest.raises(DataError, match=f"stride={stride}: pieces of length=5 end 1 to 5 events apart"):
        Sequences(5, stride=stride)


@pytest.mark.parametrize("batches", [Sequences(4, negatives=1), Sequences(4, negatives=1, stride=2),
                                     Windows(3, 2, negatives=1)], ids=["sequences", "overlapping", "windows"])
def test_an_epoch_of_histories_is_a_new_order_and_repeats_with_its_seed(batches):
    prepared = batches.prepare(log_of([9, 14, 2, 1, 30, 5]))

    def epoch(generator):
        return [(batch.users.tolist(), batch.items.tolist(), batch.context.items.tolist(), batch.negatives.tolist())
                for batch in prepared.epoch(8, generator)]

    generator = torch.Generator().manual_seed(3)
    first, second = epoch(generator), epoch(generator)
    assert first == epoch(torch.Generator().manual_seed(3))
    assert first != second and sorted(row for batch in first for row in batch[0]) == sorted(
        row for batch in second for row in batch[0])


@given(LENGTHS, st.integers(1, 6), st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_every_epoch_has_as_many_batches(counts, length, size):
    batches = Sequences(length).prepare(log_of(counts))
    assert len({len(list(batches.epoch(size, torch.Generator().manual_seed(seed)))) for seed in range(5)}) == 1


def test_pieces_of_nearly_the_same_length_go_together():
    """Whoever is in a batch is at least as long as all of the batches that are narrower."""
    batches = Sequences(40).prepare(log_of(range(2, 41)))
    spans = []
    for batch in batches.epoch(160, torch.Generator().manual_seed(0)):
        sizes = (batch.items >= 0).sum(1)
        assert len(sizes) <= 4 and batch.items.shape[1] == sizes.max()
        spans.append((int(sizes.min()), int(sizes.max())))
    assert sorted(spans)[0] != spans[0]                                 # and batches come in any order
    spans.sort()
    assert len(spans) == 10 and all(wide <= next_narrow for (_, wide), (next_narrow, _) in zip(spans, spans[1:]))


def test_mixed_batches_hold_histories_of_all_lengths():
    """Each history is as likely to be in one batch as in another: the mean length says nothing about the batch."""
    batches, generator = Sequences(40, mixed=True).prepare(log_of(range(2, 41))), torch.Generator().manual_seed(0)
    sizes = [(batch.items >= 0).sum(1).double() for _ in range(200) for batch in batches.epoch(160, generator)]
    assert all(len(own) == 4 or len(own) == 3 for own in sizes)
    means = torch.stack([own.mean() for own in sizes if len(own) == 4])
    chance = np.arange(1, 40).var(ddof=1) / 4 * (1 - 4 / 39)            # of four drawn without replacement
    assert means.mean() == pytest.approx(20, abs=0.5) and means.var() == pytest.approx(chance, rel=0.1)


@pytest.mark.parametrize("batches", [Sequences(4, negatives=3), Windows(2, 5, negatives=3)],
                         ids=["sequences", "windows"])
def test_negatives_of_histories_are_every_item_that_the_user_never_met(batches):
    frame = pd.DataFrame({"user": [0] * 8 + [1] * 7, "item": [0, 1, 2, 0, 1, 2, 0, 1] + [3, 4, 5, 3, 4, 5, 3]})
    split = everything(from_frame(frame, items=pd.DataFrame({"item": range(8)})))
    drawn = {0: set(), 1: set()}
    generator = torch.Generator().manual_seed(0)
    for batch in (batch for _ in range(50) for batch in batches.prepare(split).epoch(8, generator)):
        assert batch.negatives.shape == (*batch.items.shape, 3)
        for user, items in zip(batch.users.tolist(), batch.negatives.flatten(1).tolist()):
            drawn[user].update(items)
    assert drawn == {0: {3, 4, 5, 6, 7}, 1: {0, 1, 2, 6, 7}}


@pytest.mark.parametrize("batches", [Sequences(4), Windows(3, 2)], ids=["sequences", "windows"])
def test_where_nobody_has_two_interactions_there_is_nothing_to_predict(batches):
    with pytest.raises(DataError, match="No user in the training part of .* has two interactions"):
        batches.prepare(log_of([1, 0, 1]))


@pytest.mark.parametrize("batches", [Sequences(3), Windows(3, 2)], ids=["sequences", "windows"])
def test_behaviours_are_left_out_where_the_data_have_none(batches):
    frame = pd.DataFrame({"user": [0, 0, 0], "item": [0, 1, 2]})
    batch = next(batches.prepare(everything(from_frame(frame, items=pd.DataFrame({"item": range(4)})))).epoch(9))
    assert batch.context.behaviours is None and batch.context.times is not None


def windows_of(own, length, targets):
    """What Caser's code takes of one user's items: (the last `length` before a moment, the next `targets`)."""
    if len(own) >= length + targets:
        moments = range(length, len(own) - targets + 1)
    else:
        moments = [max(len(own) - targets, 1)] if len(own) > 1 else []  # too short: one, with what there is
    return [(own[max(moment - length, 0):moment], own[moment:moment + targets]) for moment in moments]


def test_windows_slide_over_a_long_history_and_are_one_for_a_short_one():
    assert windows_of([0, 1, 2, 3, 4], 2, 2) == [([0, 1], [2, 3]), ([1, 2], [3, 4])]
    assert windows_of([0, 1, 2], 2, 2) == [([0], [1, 2])]
    assert windows_of([0, 1], 2, 2) == [([0], [1])]
    assert windows_of([0], 2, 2) == []


@given(LENGTHS, st.integers(1, 6), st.integers(1, 5), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_windows_hold_every_moment_of_casers_code_once_an_epoch(counts, length, targets, size):
    split = log_of(counts)
    events = events_of(split)
    times = {item: time for own in events.values() for item, _, time in own}
    expected = Counter((user, tuple(known), tuple(after)) for user, own in events.items()
                       for known, after in windows_of([item for item, _, _ in own], length, targets))
    found = Counter()
    for batch in Windows(length, targets, negatives=2).prepare(split).epoch(size):
        assert batch.users.tolist() == batch.context.users.tolist() and len(batch.users) <= size
        assert batch.items.shape[1] == targets and batch.context.items.shape[1] == length
        assert batch.negatives.shape == (len(batch.users), targets, 2)
        for user, known, following, now in rows_without_padding(batch):
            assert set(known) <= set(events[user]) and now == times[following[0]]
            found[user, tuple(item for item, _, _ in known), tuple(following)] += 1
    assert found == expected
