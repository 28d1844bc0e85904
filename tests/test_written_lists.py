"""How lists agree with what followed: by hand, against plain Python, and in their order from set to sequence."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recbook as rb
from recbook.metrics import WRITTEN, in_order, in_place, overlap

K = 4
pairs = st.lists(st.tuples(st.permutations(range(6)), st.lists(st.integers(-1, 5), min_size=K, max_size=K)), min_size=1,
                 max_size=5)


def test_a_list_on_paper():
    """Written: kettle, tea, lamp, chair; what followed: tea, kettle, lamp, boots."""
    written, followed = np.array([[0, 1, 2, 3]]), np.array([[1, 0, 2, 4]])
    assert overlap(written, followed) == [3 / 4] and in_order(written, followed) == [2 / 4]
    assert in_place(written, followed) == [1 / 4]


@settings(deadline=None)
@given(pairs)
def test_each_is_what_plain_python_says(found):
    written, followed = (np.array(part) for part in zip(*[(own[:K], after) for own, after in found]))
    for case, (own, after) in enumerate(zip(written.tolist(), followed.tolist())):
        assert overlap(written, followed)[case] == len(set(own) & set(after)) / K
        assert in_place(written, followed)[case] == sum(a == b for a, b in zip(own, after)) / K
        parts = {part for size in range(K + 1) for part in combinations(after, size)}
        longest = max(size for size in range(K + 1) for part in combinations(own, size) if part in parts)
        assert in_order(written, followed)[case] == longest / K


@settings(deadline=None)
@given(pairs)
def test_who_stands_in_place_stands_in_order_and_who_stands_in_order_is_there(found):
    written, followed = (np.array(part) for part in zip(*[(own[:K], after) for own, after in found]))
    assert (in_place(written, followed) <= in_order(written, followed)).all()
    assert (in_order(written, followed) <= overlap(written, followed)).all()


@settings(deadline=None)
@given(pairs, st.permutations(range(K)))
def test_only_as_a_set_another_order_of_the_list_changes_nothing(found, order):
    written, followed = (np.array(part) for part in zip(*[(own[:K], after) for own, after in found]))
    assert (overlap(written[:, order], followed) == overlap(written, followed)).all()


def test_no_item_is_never_right():
    nothing = np.full((1, 3), -1)
    assert all(measure(nothing, nothing) == [0] for measure in WRITTEN.values())


@pytest.fixture
def cases():
    frame = pd.DataFrame({"user": ["a"] * 6 + ["b"] * 4, "item": [0, 1, 2, 3, 1, 4, 4, 3, 2, 1], "when": range(10)})
    return rb.by_ratio(rb.from_frame(frame, timestamp="when"), validation=0, test=0.5).test


@pytest.mark.parametrize("cut", [rb.by_time, rb.leave_last_out, rb.by_ratio])
def test_what_followed_is_what_the_user_did_next(cut):
    data = rb.from_frame(pd.DataFrame({"user": np.arange(60) % 7, "item": np.arange(60) * 5 % 11, "when": np.arange(60)}),
                         timestamp="when")
    cases = cut(data, **({} if cut is rb.leave_last_out else {"test": 0.4})).test
    for user, history, after in zip(cases.users, cases.context().items.tolist(), cases.followed(3).tolist()):
        own = data.interactions.loc[data.interactions["user"] == user, "item"].tolist()
        known = sum(item >= 0 for item in history)
        assert own[:known] == history[:known] and (own[known:] + [-1] * 3)[:3] == after


def test_lists_are_compared_case_by_case(cases):
    followed = cases.followed(2)
    result = rb.compare_lists({"right": followed, "turned": followed[:, ::-1]}, on=cases)
    assert result.reports["right"]["in place"] == result.reports["turned"]["overlap"] == 1
    assert result.reports["turned"]["in place"] == 0 and result.reports["turned"]["in order"] == 0.5
    assert result.difference("right", than="turned", metric="in order")["difference"] == 0.5


def test_what_was_met_and_what_is_new_add_up_to_the_overlap(cases):
    """a: 0 1 2, then 3 1 4, of which 1 was met; b: 4 3, then 2 1, both new."""
    cases = cases.subset(np.array([True, False]))
    assert cases.met(np.array([[1, 3, -1]])).tolist() == [[True, False, False]]
    report = rb.compare_lists({"": np.array([[4, 1, 2]])}, on=cases).reports[""]
    assert (report["again"], report["new"], report["overlap"]) == (1 / 3, 1 / 3, 2 / 3)


@pytest.mark.parametrize("lists, message", [
    ({"one": [[0, 1]]}, r"The lists of 'one' have the shape \(1, 2\)"),
    ({"two": [[0, 1], [3, 3]]}, "List 1 of 'two' holds an item twice"),
    ({"long": [[0, 1, 2, 3], [0, 1, 2, 3]]}, r"After case . fewer than 4 events follow: cases.subset"),
    ({"flat": [0, 1]}, r"The lists of 'flat' have the shape \(2,\)")])
def test_what_cannot_be_compared_is_refused_in_a_line(lists, message, cases):
    with pytest.raises(rb.ModelError, match=message):
        rb.compare_lists(lists, on=cases)


@pytest.mark.parametrize("nothing", [{}, [[0, 1], [2, 3]]])
def test_lists_come_by_name(nothing, cases):
    with pytest.raises(rb.ModelError, match="compare_lists is given lists by name"):
        rb.compare_lists(nothing, on=cases)
