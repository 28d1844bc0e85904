"""Anybody's frame or CSV file becomes a data set, or a sentence about the row that stands in the way."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbook.data import Dataset, from_csv, from_frame
from recbook.errors import DataError

CLICKS = pd.DataFrame({"customer": ["eve", "ana", "ana"], "sku": ["tea", "cup", "tea"], "when": [30, 20, 10],
                       "stars": [5, 4, 3]})


def test_ids_run_from_zero_in_sorted_order_and_keep_their_originals():
    dataset = from_frame(CLICKS, user="customer", item="sku", timestamp="when", rating="stars")
    assert dataset.users["original"].tolist() == ["ana", "eve"]
    assert dataset.items["original"].tolist() == ["cup", "tea"]
    assert dataset.interactions.to_dict("list") == {
        "user": [0, 0, 1], "item": [1, 0, 1], "timestamp": [10, 20, 30], "rating": [3.0, 4.0, 5.0], "row": [2, 1, 0]}


def test_without_a_timestamp_the_rows_are_the_order():
    dataset = from_frame(CLICKS, user="customer", item="sku")
    assert dataset.interactions["timestamp"].tolist() == [0, 1, 0]
    assert dataset.interactions["item"].tolist() == [0, 1, 1]


def test_dates_are_seconds_since_1970():
    frame = pd.DataFrame({"user": [1, 1], "item": [1, 2], "day": ["1970-01-02", "1970-01-01"]})
    assert from_frame(frame, timestamp="day").interactions["timestamp"].tolist() == [0, 86400]


@pytest.mark.parametrize("column", ["user", "item", "timestamp", "rating", "behaviour", "session"])
def test_a_misnamed_column_is_named_with_those_that_exist(column):
    with pytest.raises(DataError, match=f"no column 'nope' for {column}; the columns are 'customer', 'sku', 'when'"):
        from_frame(CLICKS, **({"user": "customer", "item": "sku"} | {column: "nope"}))


@pytest.mark.parametrize("column, value, says", [
    ("user", None, "row 2 has no user"), ("item", np.nan, "row 2 has no item"),
    ("session", None, "row 2 has no session"),
    ("timestamp", -5, "row 2: -5 is no time"), ("timestamp", 978300760000, "divide by 1000"),
    ("timestamp", np.nan, "row 2: nan is not a timestamp"), ("timestamp", "soon", "row 2: 'soon' is not a date"),
    ("rating", np.nan, "row 2: nan is no rating"), ("rating", -1, "row 2: -1.0 is no rating"),
    ("rating", np.inf, "row 2: inf is no rating"), ("rating", "good", "row 2: 'good' is no rating"),
    ("behaviour", "steal", "row 2: 'steal' is no behaviour")])
def test_a_bad_value_is_named_by_its_row(column, value, says):
    good = {"user": "ana", "item": "cup", "timestamp": "2020-01-01" if value == "soon" else 10, "rating": 3,
            "behaviour": "view", "session": "s"}
    frame = pd.DataFrame([good, good | {column: value}])
    with pytest.raises(DataError, match=says):
        from_frame(frame, timestamp="timestamp", rating="rating", session="session",
                   behaviour="behaviour" if column == "behaviour" else None)


def test_no_rows_is_an_error():
    with pytest.raises(DataError, match="no interactions. Is the file empty?"):
        from_frame(CLICKS[:0], user="customer", item="sku")


def test_features_keep_cold_items_and_add_undescribed_ones():
    items = pd.DataFrame({"sku": ["pot", "tea"], "title": ["A pot", "Green tea"]})
    dataset = from_frame(CLICKS, user="customer", item="sku", items=items)
    assert dataset.items["original"].tolist() == ["pot", "tea", "cup"]
    assert [dataset.title(item) for item in range(3)] == ["A pot", "Green tea", "cup"]
    assert dataset.n_items == 3 and 0 not in dataset.interactions["item"].tolist()


def test_features_must_describe_each_item_once_and_at_least_one_that_was_met():
    with pytest.raises(DataError, match="item 'tea' is described twice"):
        from_frame(CLICKS, user="customer", item="sku", items=pd.DataFrame({"sku": ["tea", "tea"]}))
    with pytest.raises(DataError, match="the item features have no column 'sku'"):
        from_frame(CLICKS, user="customer", item="sku", items=pd.DataFrame({"item": ["tea"]}))
    with pytest.raises(DataError, match="describe no item of the interactions. Are their ids of the same kind"):
        from_frame(CLICKS, user="customer", item="sku", items=pd.DataFrame({"sku": [1, 2]}))


def test_friends_are_directed_ties_between_users():
    friends = pd.DataFrame({"from": ["eve", "eve", "ana"], "to": ["ana", "ana", "stranger"]})
    dataset = from_frame(CLICKS, user="customer", item="sku", friends=friends)
    assert dataset.friends.to_dict("list") == {"user": [1], "friend": [0]}
    with pytest.raises(DataError, match="no friends are both users"):
        from_frame(CLICKS, user="customer", item="sku", friends=friends[2:])


def test_items_return_if_any_does_unless_the_caller_knows_better():
    again = pd.concat([CLICKS, CLICKS[:1]])
    assert not from_frame(CLICKS, user="customer", item="sku").items_return
    assert from_frame(again, user="customer", item="sku").items_return
    assert not from_frame(again, user="customer", item="sku", items_return=False).items_return


def test_sessions_are_numbered():
    dataset = from_frame(CLICKS.assign(visit=["b", "a", "a"]), user="customer", item="sku", session="visit")
    assert dataset.interactions["session"].tolist() == [1, 1, 0]


def test_from_csv_reads_what_a_spreadsheet_writes(tmp_path):
    path = tmp_path / "clicks.csv"
    path.write_text("customer;sku;when\nana;cup;2024-01-02\nana;tea;2024-01-01\n")
    dataset = from_csv(path, user="customer", item="sku", timestamp="when")
    assert dataset.items["original"].tolist() == ["cup", "tea"]
    assert dataset.interactions["item"].tolist() == [1, 0]


def test_from_csv_names_the_file_and_the_line(tmp_path):
    path = tmp_path / "clicks.csv"
    path.write_text("user,item,stars\nana,cup,5\nana,tea\n")
    with pytest.raises(DataError, match="clicks.csv, line 3: 2 fields where 3 belong"):
        from_csv(path)
    path.write_text("user,item,stars\nana,cup,5\nana,tea,good\n")
    with pytest.raises(DataError, match="clicks.csv: row 2: 'good' is no rating"):
        from_csv(path, rating="stars")


def test_a_reader_of_ones_own_is_a_few_lines():
    """What the documentation promises: frames with the documented columns are a data set."""
    interactions = pd.DataFrame({"user": [0, 0, 1], "item": [1, 0, 1], "timestamp": [10, 20, 30]})
    users = pd.DataFrame({"original": ["ana", "eve"]})
    items = pd.DataFrame({"original": ["cup", "tea"], "title": ["A cup", "Tea"]})
    dataset = Dataset("mine", interactions, users, items)
    assert (dataset.n_users, dataset.n_items, dataset.title(1)) == (2, 2, "Tea")
    assert dataset.published is None and dataset.images is None
    assert repr(dataset) == "Dataset 'mine': 2 users, 2 items, 3 interactions (user, item, timestamp)"


@pytest.mark.parametrize("column, value, says", [
    ("user", 2, "row 1: 2 is no user of 0 to 1"), ("item", -1, "row 1: -1 is no item of 0 to 1")])
def test_ids_beyond_the_frames_are_refused(column, value, says):
    interactions = pd.DataFrame({"user": [0], "item": [0], "timestamp": [0]}).assign(**{column: value})
    both = pd.DataFrame({"original": ["a", "b"]})
    with pytest.raises(DataError, match=says):
        Dataset("mine", interactions, both, both)
    with pytest.raises(DataError, match=f"interactions have no column '{column}'"):
        Dataset("mine", interactions.drop(columns=column), both, both)


def test_describe_counts_by_hand():
    facts = from_frame(pd.DataFrame({"user": [1, 1, 1, 2], "item": [1, 2, 1, 1]})).describe()
    assert facts["users"] == 2 and facts["items"] == 2 and facts["interactions"] == 4
    assert facts["density of the user-item matrix"] == 3 / 4       # (1, 1), (1, 2), (2, 1) of four pairs
    assert facts["interactions a user, median"] == 2
    assert facts["share of the top tenth of items"] == 3 / 4       # item 1
    assert facts["share that returns to an item"] == 1 / 4


events = st.lists(st.tuples(st.integers(0, 9), st.integers(100, 109), st.integers(0, 5)), min_size=1, max_size=30)


@given(events)
def test_nothing_is_lost_and_ties_keep_their_order(events):
    frame = pd.DataFrame(events, columns=["user", "item", "time"])
    dataset = from_frame(frame, timestamp="time")
    log = dataset.interactions
    back = list(zip(dataset.users["original"][log["user"]], dataset.items["original"][log["item"]], log["timestamp"]))
    assert back == sorted(events, key=lambda event: (event[0], event[2]))     # Python's sort is stable too
    assert [events[row] for row in log["row"]] == back
