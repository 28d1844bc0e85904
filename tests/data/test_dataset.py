"""Anybody's frame or CSV file becomes a data set, or a sentence about the row that stands in the way."""

import io
import tempfile
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recbook.data import Dataset, from_csv, from_frame
from recbook.errors import DataError, UnknownName

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
    ("timestamp", -5, "row 2: -5 is no time"), ("timestamp", 978300760000, "say dates='milliseconds'"),
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


def test_items_return_if_more_than_a_handful_does_unless_the_caller_knows_better():
    again = pd.concat([CLICKS, CLICKS[:1]])
    assert not from_frame(CLICKS, user="customer", item="sku").items_return
    assert from_frame(CLICKS, user="customer", item="sku", items_return=True).items_return
    assert from_frame(again, user="customer", item="sku").items_return                      # one of four
    many = pd.DataFrame([(u, i) for u in range(50) for i in range(8)] + [(7, 3), (7, 3)], columns=["user", "item"])
    with pytest.warns(UserWarning, match=r"2 of 402 rows repeat an item .* row 401 does \(user 7, item 3\)"):
        assert not from_frame(many).items_return
    assert from_frame(many, items_return=True).items_return


def test_a_declaration_that_the_data_contradict_is_an_error():
    again = pd.concat([CLICKS, CLICKS[:1]])
    with pytest.raises(DataError, match=r"items_return=False, but 1 of 4 rows .* row 4 does \(user 'eve', item 'tea'\)"):
        from_frame(again, user="customer", item="sku", items_return=False)


def test_rows_that_correct_earlier_ones_are_kept_where_each_item_is_taken_once():
    again = pd.concat([CLICKS, CLICKS[:1]])
    dataset = from_frame(again, user="customer", item="sku", items_return="once")
    assert not dataset.items_return and len(dataset.interactions) == 4


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


# ------------------------------------------------------------------------------------------------ ids


def written(tmp_path, text, **options):
    path = tmp_path / "z.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return from_csv(path, **options)


@pytest.mark.parametrize("user, item, users, items", [
    (["007", "7", "07"], ["0012", "012", "12"], ["007", "07", "7"], ["0012", "012", "12"]),
    (["a", "b", "c"], ["12E3", "34E1", "12000"], ["a", "b", "c"], ["12000", "12E3", "34E1"]),
    (["NA", "null", "nan"], ["None", "true", "True"], ["NA", "nan", "null"], ["None", "True", "true"]),
    (["inf", "Infinity", "x"], ["9007199254740992", "9007199254740993", "1.5"], ["Infinity", "inf", "x"],
     ["1.5", "9007199254740992", "9007199254740993"]),
    (["-0", "0", "1"], ["1.50", "1.5", "+1"], ["-0", "0", "1"], ["+1", "1.5", "1.50"]),
    (["10", "9", "-1"], ["9007199254740992", "9007199254740993", "1"], [-1, 9, 10], [1, 2**53, 2**53 + 1]),
])
def test_no_two_ids_of_a_file_are_merged(user, item, users, items, tmp_path):
    lines = "".join(f"{u},{i}\n" for u, i in zip(user, item))
    dataset = written(tmp_path, f"user,item\n{lines}")
    assert dataset.users["original"].tolist() == users and dataset.items["original"].tolist() == items


@settings(deadline=None)                                            # each example writes a file
@given(st.lists(st.tuples(*[st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"],
                                                  exclude_characters=',;"'), min_size=1, max_size=4)] * 2), min_size=1,
                max_size=8))
def test_ids_of_a_file_are_what_is_written_there(pairs):
    with tempfile.TemporaryDirectory() as folder:
        dataset = written(Path(folder), "user,item\n" + "".join(f"{u},{i}\n" for u, i in pairs), ids="text",
                          items_return=True)
    log = dataset.interactions.sort_values("row")
    assert list(zip(dataset.users["original"][log["user"]], dataset.items["original"][log["item"]])) == pairs


def test_ids_may_be_called_text(tmp_path):
    assert written(tmp_path, "user,item\n10,1\n9,2\n", ids="text").users["original"].tolist() == ["10", "9"]


@pytest.mark.parametrize("frame, says", [
    ({"user": [1, "a", 2], "item": list("xyz")}, "row 2: the user 'a' is text, the one before it a number"),
    ({"user": list("abc"), "item": ["x", 5, "w"]}, "row 2: the item 5 is a number, the one before it text"),
    ({"user": [[1], [2]], "item": [1, 2]}, r"row 1: the user \[1\] is neither a number nor text"),
    ({"user": pd.to_datetime(["2024-01-31"]), "item": [1]}, "the user Timestamp.* is neither a number nor text"),
    ({"user": pd.Series([1, True], dtype=object), "item": [1, 2]}, "row 2: the user True is True or False, the one before it a"),
    ({"user": [1], "item": [1j]}, "the item 1j is neither a number nor text"),
])
def test_ids_of_two_kinds_are_named_by_their_row(frame, says):
    with pytest.raises(DataError, match=says):
        from_frame(pd.DataFrame(frame))


def test_blanks_around_an_id_are_refused(tmp_path):
    with pytest.raises(DataError, match="row 2: ' a' has blanks around it"):
        written(tmp_path, "user, item\na,x\n a,y\n")


# ------------------------------------------------------------------------------------------------ times


def order(times, **options):
    frame = pd.DataFrame({"user": "u", "item": range(len(times)), "t": times})
    dataset = from_frame(frame, timestamp="t", **options)
    return dataset.items["original"][dataset.interactions["item"]].tolist(), dataset.interactions["timestamp"].tolist()


@pytest.mark.parametrize("times, expected, seconds, options", [
    (["2024-01-01T00:00:00.900Z", "2024-01-01T00:00:00.100Z"], [1, 0], [1704067200] * 2, {}),
    ([10.9, 10.1], [1, 0], [10, 10], {}),
    (pd.to_datetime(["2024-01-01 00:00:00.9", "2024-01-01 00:00:00.1"]), [1, 0], [1704067200] * 2, {}),
    (pd.Series([1700000200, 1700000100], dtype=object), [1, 0], [1700000100, 1700000200], {}),
    ([Decimal(1700000200), Decimal(1700000100)], [1, 0], [1700000100, 1700000200], {}),
    (["1700000200", "1700000100"], [1, 0], [1700000100, 1700000200], {}),
    (["05.03.2024", "06.01.2024"], [1, 0], [1704499200, 1709596800], {"dates": "day first"}),
    (["05.03.2024", "06.01.2024"], [0, 1], [1714694400, 1717200000], {"dates": "month first"}),
    (["01/02/2024", "13/02/2024"], [0, 1], [1706745600, 1707782400], {}),
    (["2024-02-01 10:00", "2024-01-31"], [1, 0], [1706659200, 1706781600], {}),
    ([" 2024-01-02 ", "2024-01-01"], [1, 0], [1704067200, 1704153600], {}),
    ([20240131, 20231231], [1, 0], [1703980800, 1706659200], {"dates": "%Y%m%d"}),
    ([45322.5, 45322.25], [1, 0], [1706680800, 1706702400], {"dates": "days"}),
    ([1700000000900, 1700000000100], [1, 0], [1700000000] * 2, {"dates": "milliseconds"}),
    (pd.to_datetime(["2024-01-01", "2024-01-01"]) + pd.to_timedelta([2, 1], "ns"), [1, 0], [1704067200] * 2, {}),
    ([1700000000000000002, 1700000000000000001], [1, 0], [1700000000] * 2, {"dates": "nanoseconds"}),
    (["1700000000000000002", "1700000000000000001"], [1, 0], [1700000000] * 2, {"dates": "nanoseconds"}),
    (["05/03/2024T10:00Z", "06/01/2024T10:00Z"], [1, 0], [1704535200, 1709632800], {"dates": "day first"}),
    (["05.05.2024", "06.06.2024"], [0, 1], [1714867200, 1717632000], {}),
    ([2012024, 31122023], [1, 0], [1703980800, 1704153600], {"dates": "%d%m%Y"}),
    (pd.period_range("2024-01", periods=2, freq="M")[::-1], [1, 0], [1704067200, 1706745600], {}),
])
def test_events_stand_in_the_order_in_which_they_happened(times, expected, seconds, options):
    assert order(times, **options) == (expected, seconds)


@pytest.mark.parametrize("times, says", [
    (["05.03.2024", "06.01.2024"], "row 1: '05.03.2024' can be read in two ways: say dates='day first'"),
    (["13/02/2024", "02/13/2024"], "row 2: '02/13/2024' has day and month in another order"),
    ([20240131, 20231231], "row 1: 20240131 looks like a date: say dates='%Y%m%d'"),
    ([31122023, 2012024], "row 1: 31122023 looks like a date: say dates='%d%m%Y'"),
    (["202401", "202312"], "row 1: '202401' looks like a date: say dates='%Y%m'"),
    ([20240131120000], "row 1: 20240131120000 looks like a moment: say dates='%Y%m%d%H%M%S'"),
    ([45322, 45000], "looks like a spreadsheet's days"),
    (["05 03 2024", "06 01 2024"], "can be read in two ways"), (["Fri 05/03/2024"], "can be read in two ways"),
    (["10:00 05/03/2024"], "can be read in two ways"), (["05/03/2024T10:00Z"], "can be read in two ways"),
    (pd.Series([1700000000, "2024-01-01"], dtype=object), "row 2: '2024-01-01' is no number, and row 1 is one"),
    ([2019, 2020], "row 1: 2019 looks like a year"), ([45322.5, 45000.0], "looks like a spreadsheet's days"),
    (["2024-01-31 10:00 CET", "2024-01-31"], "row 1: '2024-01-31 10:00 CET' is not a date .*offset"),
])
def test_a_time_that_can_be_read_in_two_ways_is_refused_and_says_how_to_decide(times, says):
    with pytest.raises(DataError, match=says):
        order(times)


@pytest.mark.parametrize("times, says", [
    (["9999-12-31", "2024-01-01"], "row 1: '9999-12-31' is not a date of the years 1678 to 2261"),
    (["2024-01-01", "Jan-24"], "row 2: 'Jan-24' is not a date"), (["today"], "row 1: 'today' is not a date"),
    ([1j], "row 1: 1j is not a date"), ([1700000000000], "say dates='milliseconds'"),
    ([1700000000000000], "say dates='microseconds'"), ([1700000000000000000], "say dates='nanoseconds'"),
])
def test_what_is_no_time_is_named(times, says):
    with pytest.raises(DataError, match=says):
        order(times)


def test_no_warning_of_pandas_reaches_the_reader(recwarn):
    for times in (["13/02/2024", "14/02/2024"], ["31.01.2024", "30.01.2024"], ["1/31/2024 4:00 PM", "1/31/2024 3:00 AM"]):
        order(times)
    assert [warning.message for warning in recwarn] == []


def test_an_unknown_way_to_read_dates_lists_those_there_are():
    with pytest.raises(DataError, match="dates='european': say 'day first', 'month first', 'seconds'"):
        order([1, 2], dates="european")
    with pytest.raises(DataError, match="dates=5: say 'day first'"):
        order([1, 2], dates=5)
    with pytest.raises(DataError, match="dates='%Q' is no format"):
        order(["2024"], dates="%Q")


# ------------------------------------------------------------------------------------------------ asking for a user


def test_a_user_is_found_by_the_id_in_either_type_where_only_one_can_be_meant():
    numbered = from_frame(pd.DataFrame({"user": [42, 42, 7], "item": [1, 2, 3]}))
    assert numbered.find_user(42) == numbered.find_user("42") == numbered.find_user(np.int64(42)) == 1
    assert numbered.history("42").items.tolist() == [[0, 1]]
    with pytest.raises(UnknownName, match=r"Unknown user of my data .*\['a'\]"):
        numbered.history([["a"]])
    texts = from_frame(pd.DataFrame({"user": ["42", "007", "7"], "item": [1, 2, 3]}))
    assert texts.find_user(42) == texts.find_user("42") and texts.find_user(7) == texts.find_user("7") != texts.find_user("007")
    with pytest.raises(UnknownName, match=r"Unknown user of my data \(its ids are whole numbers\) 'x'"):
        numbered.history("x")


def test_the_histories_of_many_users_in_one_call():
    dataset = from_frame(pd.DataFrame({"user": [5, 5, 5, 7], "item": [1, 2, 3, 1]}))
    assert dataset.history([7, 5]).items.tolist() == [[0, -1, -1], [0, 1, 2]]
    assert dataset.history([7, 5], length=2).items.tolist() == [[0, -1], [1, 2]]


# ------------------------------------------------------------------------------------------------ forms of a table


@pytest.mark.parametrize("text, options", [
    ("a|x|4\nb|y|5\n", {"header": False, "separator": "|", "user": 0, "item": 1, "rating": 2}),
    ("a::x::4\nb::y::5\n", {"header": False, "separator": "::", "user": 0, "item": 1, "rating": 2}),
    ("user;item;r\na;x;4,0\nb;y;5,0\n", {"decimal": ",", "rating": "r"}),
    ("user|item|r\na|x|4\nb|y|5\n", {"separator": "|", "rating": "r"}),
    ("a|x|4\nb|y|5\n", {"header": False, "separator": "|", "user": "0", "item": "1", "rating": "2"}),
    ('user;item;"stars, of 5"\na;x;4\nb;y;5\n', {"rating": "stars, of 5"}),
    ("user,item,r\na,x,4\nb,y,5\n".encode("utf-16"), {"encoding": "utf-16", "rating": "r"}),
])
def test_the_forms_of_a_file(text, options, tmp_path):
    dataset = written(tmp_path, text, **options)
    assert dataset.users["original"].tolist() == ["a", "b"] and dataset.items["original"].tolist() == ["x", "y"]
    assert dataset.interactions["rating"].tolist() == [4, 5]


def test_the_one_file_of_a_zip_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("folder/a.csv", "user,item\na,x\n")
        archive.writestr("__MACOSX/a.csv", "?")
    assert from_csv(tmp_path / "z.zip").n_items == 1
    with zipfile.ZipFile(tmp_path / "z.zip", "a") as archive:
        archive.writestr("b.csv", "user,item\nb,x\n")
    with pytest.raises(DataError, match="z.zip: holds 2 files, and one is read"):
        from_csv(tmp_path / "z.zip")


@pytest.mark.parametrize("options, says", [
    ({"separator": 5}, "separator=5: text is needed"), ({"encoding": None}, "encoding=None"),
    ({"items_return": "maybe"}, "items_return='maybe': say True, False or 'once'"),
    ({"behaviours": ["pv"]}, "behaviours=.'pv'.: say which is which"),
    ({"rating_scale": 5}, "rating_scale=5: say how low"), ({"rating_scale": (1, -1)}, "rating_scale=.1, -1."),
    ({"rating": ["r"]}, "no column .'r'. for rating"), ({"header": "no"}, "header='no': say True or False"),
])
def test_what_is_said_of_a_file_in_a_way_that_says_nothing(options, says, tmp_path):
    with pytest.raises(DataError, match=says):
        written(tmp_path, "user,item,r\na,b,1\n", **options)


@pytest.mark.parametrize("path", [5, None, CLICKS, io.StringIO("user,item\n"), "https://example.org/a.csv"])
def test_what_is_no_path(path):
    with pytest.raises(DataError, match="is no path of a file"):
        from_csv(path)


@pytest.mark.parametrize("rating", ["1.234", "1.234,5", "1,234,5"])
def test_a_point_beside_a_decimal_comma_is_refused(rating, tmp_path):
    with pytest.raises(DataError, match=f"row 1: '{rating}' is no rating with one comma"):
        written(tmp_path, f"user;item;r\na;x;{rating}\n", decimal=",", rating="r")


@pytest.mark.parametrize("rating", [pd.Timestamp(0), pd.Timedelta(1), 1j])
def test_what_is_no_number_is_no_rating(rating):
    for ratings in ([rating, rating], pd.Series([3, rating], dtype=object)):
        with pytest.raises(DataError, match="is no rating"):
            from_frame(pd.DataFrame({"user": [1, 1], "item": [1, 2], "r": ratings}), rating="r")


def test_an_umlaut_in_latin_1(tmp_path):
    dataset = written(tmp_path, "user,item\nJürgen,Käse\n".encode("latin-1"), encoding="latin-1")
    assert dataset.title(0) == "Käse"
    with pytest.raises(DataError, match="line 2: byte 0xfc is no utf-8 text"):
        written(tmp_path, "user,item\nJürgen,Käse\n".encode("latin-1"))
    with pytest.raises(DataError, match="encoding='latin-99' is not known"):
        written(tmp_path, "user,item\na,b\n", encoding="latin-99")


@pytest.mark.parametrize("more, says", [
    ({"friends": pd.DataFrame({"a": ["ana"]})}, "friends are two columns of user ids, and here is 1"),
    ({"user": None}, "which column holds the user"),
    ({"items": pd.DataFrame([["a", "b"]], columns=["sku", "sku"])}, "two columns of the item features are called 'sku'"),
    ({"friends": pd.DataFrame({"a": [["ana"]], "b": [["bo"]]})}, "friends: row 1: the user .'ana'. is neither"),
    ({"session": "sessions"}, "the session .1. is neither"),
    ({"items": pd.DataFrame({"sku": ["tea", None]})}, "item features: row 2 has no item"),
    ({"items": pd.DataFrame({"sku": ["tea"], "original": ["Tee"]})}, "a column 'original' of their own"),
])
def test_features_and_friends_that_are_not_what_they_should_be(more, says):
    with pytest.raises(DataError, match=says):
        from_frame(CLICKS.assign(sessions=[[1]] * len(CLICKS)), **({"user": "customer", "item": "sku"} | more))


@pytest.mark.parametrize("frame, says", [
    ("clicks.csv", "is a path: recbook.from_csv reads files"), (Path("clicks.csv"), "is a path"), (5, "a int is no table"),
    (pd.DataFrame([[1, 2, 3]], columns=["user", "user", "item"]), "two columns are called 'user'"),
    (pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "user"), ("a", "item")])), "several levels"),
])
def test_what_is_no_table_is_refused_in_words(frame, says):
    with pytest.raises(DataError, match=says):
        from_frame(frame)


def test_whatever_holds_a_table_is_taken():
    rows = [{"user": "a", "item": "x"}, {"user": "b", "item": "y"}]
    class Relation:
        def df(self):
            return pd.DataFrame(rows)

    for frame in (rows, {"user": ["a", "b"], "item": ["x", "y"]}, Relation()):
        assert from_frame(frame).n_items == 2


def test_a_scale_may_go_below_zero():
    thumbs = pd.DataFrame({"user": [1, 1, 2], "item": [1, 2, 1], "thumb": [1, -1, -1]})
    with pytest.raises(DataError, match=r"row 2: -1.0 is no rating: ratings are 0 or more, unless rating_scale"):
        from_frame(thumbs, rating="thumb")
    dataset = from_frame(thumbs, rating="thumb", rating_scale=(-1, 1))
    assert dataset.interactions["rating"].tolist() == [1, -1, -1]
    with pytest.raises(DataError, match="row 2: -1.0 is no rating of 0 to 1"):
        from_frame(thumbs, rating="thumb", rating_scale=(0, 1))


def test_behaviours_of_ones_own_names():
    clicks = CLICKS.assign(what=["pv", "buy", "pv"])
    dataset = from_frame(clicks, user="customer", item="sku", behaviour="what", behaviours={"pv": "view", "buy": "purchase"})
    assert sorted(dataset.interactions["behaviour"]) == ["purchase", "view", "view"]
    with pytest.raises(DataError, match="row 2: 'buy' is none of the behaviours given"):
        from_frame(clicks, user="customer", item="sku", behaviour="what", behaviours={"pv": "view"})
    with pytest.raises(DataError, match="'click' is no behaviour"):
        from_frame(clicks, user="customer", item="sku", behaviour="what", behaviours={"pv": "click"})
