"""Popularity counts; personal popularity counts for each user alone."""

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import recbook
from recbook.data.splits import Context


def test_items_are_ranked_by_their_training_interactions():
    # Item 2 is met four times, 0 twice, 1 once; the last interaction of each user (item 3) is the test.
    frame = pd.DataFrame([(0, 2), (0, 0), (0, 3), (1, 2), (1, 0), (1, 3), (2, 2), (2, 2), (2, 1), (2, 3)],
                         columns=["user", "item"])
    split = recbook.leave_last_out(recbook.from_frame(frame)).refit()
    model = recbook.Popularity(3, 4).fit(split)
    assert model.count.tolist() == [2, 1, 4, 0]
    scores = model.scores(Context(users=torch.tensor([0, 1])))
    assert scores.tolist() == [[2, 1, 4, 0]] * 2                        # everyone gets the same list
    assert model.top(Context(users=torch.tensor([1])), k=3)[0].tolist() == [[2, 0, 1]]
    candidates = torch.tensor([[3, 2], [0, 1]])
    assert model.scores(Context(users=torch.tensor([0, 1])), candidates).tolist() == [[0, 4], [2, 1]]


def test_an_item_that_was_never_met_has_count_zero_at_the_end_of_the_catalogue():
    frame = pd.DataFrame({"user": [0, 0, 0], "item": ["a", "a", "b"]})
    items = pd.DataFrame({"item": ["a", "b", "cold"]})
    split = recbook.leave_last_out(recbook.from_frame(frame, items=items))
    assert recbook.Popularity(1, 3).fit(split).count.tolist() == [1, 0, 0]


def test_a_window_counts_only_the_last_days():
    """The last event is at day 10: three days reach back to after day 7."""
    day = 86_400
    log = recbook.from_frame(pd.DataFrame(
        [("u", "a", 0), ("u", "a", 7 * day), ("v", "b", 7 * day + 1), ("v", "a", 8 * day), ("w", "b", 9 * day), ("w", "c", 10 * day)],
        columns=["user", "item", "when"]), timestamp="when")
    split, sizes = recbook.everything(log), (log.n_users, log.n_items)

    def count(days):
        found = recbook.Popularity(*sizes, days=days).fit(split).count.tolist()
        return dict(zip(log.ids.items, found))

    assert count(3) == {"a": 1, "b": 2, "c": 1}
    assert count(0.5) == {"a": 0, "b": 0, "c": 1}
    assert count(None) == count(11) == {"a": 3, "b": 2, "c": 1}


def test_a_window_needs_times_and_a_length():
    order_only = recbook.everything(recbook.from_frame({"user": ["u", "u"], "item": ["a", "b"]}))
    with pytest.raises(recbook.errors.ModelError, match="days=3: .* has no times"):
        recbook.Popularity(1, 2, days=3).fit(order_only)
    with pytest.raises(recbook.errors.ModelError, match="days=0: a number above 0, or None"):
        recbook.Popularity(1, 2, days=0)


def counted(reads=None):
    """Item 3 is the most popular, then 1, then 0 and 2; the item 4 is never met."""
    frame = pd.DataFrame([(0, 3), (0, 1), (1, 3), (1, 1), (2, 3), (2, 0), (2, 2)], columns=["user", "item"])
    split = recbook.everything(recbook.from_frame(frame, items=pd.DataFrame({"item": range(5)})))
    return recbook.PersonalPopularity(3, 5, reads).fit(split)


def test_what_a_user_met_most_often_comes_first_and_ties_stand_by_popularity():
    histories = torch.tensor([[2, 0, 2], [0, 2, -1], [-1, -1, -1]])
    order = counted().top(Context(items=histories), k=5)[0].tolist()
    assert order[0][:3] == [2, 0, 3]                                    # twice, once, then by popularity
    assert set(order[1][:2]) == {0, 2} and order[1][2:] == [3, 1, 4]    # met once each, and equally popular
    assert order[2][:2] == [3, 1]                                       # who met nothing: popularity
    scores = counted().scores(Context(items=histories), torch.tensor([4, 3]))
    assert scores[0, 0] == 0 and 0 < scores[0, 1] < 1                   # popularity never outweighs one event


@given(st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=4), st.none() | st.integers(1, 7))
def test_personal_popularity_is_what_counting_gives(histories, reads):
    popular = {0: 3, 1: 1, 2: 2, 3: 1, 4: 0, 5: 0}
    frame = pd.DataFrame([(n, item) for item, count in popular.items() for n in range(count)], columns=["user", "item"])
    split = recbook.everything(recbook.from_frame(frame, items=pd.DataFrame({"item": range(6)})))
    model = recbook.PersonalPopularity(split.n_users, 6, reads).fit(split)
    width = max(map(len, histories))
    padded = torch.tensor([history + [-1] * (width - len(history)) for history in histories]).view(len(histories), width)
    scores = model.scores(Context(items=padded))
    for history, row in zip(histories, scores):
        read = history[-reads:] if reads else history
        expected = [read.count(item) + popular[item] / 4 for item in range(6)]
        assert row.tolist() == pytest.approx(expected)


def test_a_history_of_200_000_events_still_has_its_order():
    many = torch.cat([torch.zeros(200_000, dtype=torch.long), torch.ones(200_000, dtype=torch.long)])[None]
    assert counted().top(Context(items=many), k=2)[0].tolist() == [[1, 0]]       # as often as 0, and more popular
