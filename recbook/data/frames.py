"""Anybody's frame or CSV file becomes a `Dataset`, or one sentence about the row that stands in the way."""

import os
import warnings
from collections.abc import Hashable
from datetime import date, timedelta
from numbers import Real

import numpy as np
import pandas as pd

from recbook.data.dataset import BEHAVIOURS, Dataset, refuse_rows
from recbook.data.times import moments
from recbook.errors import DataError, shown

WHOLE = r"0|-?[1-9]\d{0,17}"   # a whole number as Python writes it: 007, -0, 12E3 and 1.0 are text
NUMBER = r"-?(0|[1-9]\d*)(\.\d+)?"
NAMED = ("timestamp", "rating", "behaviour", "session")         # columns that a file may have or not
RETURNING = 0.01                # share of rows that repeat an item of the same user, from which on items return


def from_frame(frame, name="my data", user="user", item="item", timestamp=None, rating=None, behaviour=None,
               session=None, items=None, users=None, friends=None, items_return=None, dates=None, behaviours=None,
               rating_scale=None):
    """A `Dataset` from a frame with one row an interaction.

    Parameters
    ----------
    frame : DataFrame
        Of pandas, Polars or Arrow, or a relation of DuckDB; or what pandas makes a frame of, such as a dict of lists.
    name : str
        What the data set is called in messages.
    user, item, timestamp, rating, behaviour, session : str or None
        The columns of `frame` that hold these; ids are numbers or text, of one kind in a column. Without `timestamp`
        the order of the rows is the order of events. Timestamps are seconds since 1970 or dates in any usual form.
    items, users : DataFrame or None
        Features, one row an item or user, with the id in the column that `item` or `user` names. Rows that nobody
        interacted with are kept: cold items are part of a catalogue.
    friends : DataFrame or None
        Two columns of user ids: who names whom. Ties to people who are no users here are left out.
    items_return : bool, "once" or None
        Whether users meet items again. By default they do if at least a hundredth of the rows repeats an item of the
        same user; fewer repeats are kept, and a warning says how many. False is an error if any row does; "once" says
        that such rows are corrections (a film rated twice), and keeps them.
    dates : str or None
        How timestamps are to be read where they can be read in two ways: "day first", "month first", a unit ("seconds",
        "milliseconds", "microseconds", "nanoseconds", "days" of a spreadsheet), or a format such as "%Y%m%d".
    behaviours : dict or None
        From the source's names of behaviours to view, favourite, cart, purchase: {"pv": "view", "buy": "purchase"}.
    rating_scale : (low, high) or None
        The scale of ratings, where it goes below 0: (-1, 1) for thumbs. By default ratings are 0 or more.

    Returns
    -------
    dataset : Dataset

    Raises
    ------
    DataError
        Names the column and the first row that is missing, malformed, out of range, or ambiguous.

    Example
    -------
    >>> orders = pd.DataFrame({"who": ["ann", "ann", "bob"],
    ...                        "what": ["tea", "pot", "tea"]})
    >>> log = rb.from_frame(orders, user="who", item="what")
    >>> log.n_users, log.n_items
    (2, 2)
    """
    frame = as_frame(frame, name)
    if not len(frame):
        raise DataError(f"{name}: no interactions. Is the file empty?")
    refuse_options(name, items_return, behaviours, rating_scale)
    named = {"user": user, "item": item, "timestamp": timestamp, "rating": rating, "behaviour": behaviour,
             "session": session}
    for ours in ("user", "item"):
        if named[ours] is None:
            raise DataError(f"{name}: which column holds the {ours}? Say {ours}='...'.")
    log = pd.DataFrame({ours: column_of(frame, theirs, ours, name) for ours, theirs in named.items()
                        if theirs is not None})
    for column in ("user", "item", "session"):
        if column in log:
            refuse_missing(log[column], name, column)
            refuse_odd_ids(log[column], name, column)
    order = [log.index]
    if "timestamp" in log:
        log["timestamp"], fraction = moments(log["timestamp"], name, dates)
        order = [fraction, log["timestamp"]]
    if "rating" in log:
        log["rating"] = as_ratings(log["rating"], name, rating_scale)
    if "behaviour" in log and behaviours is not None:
        log["behaviour"] = translated(log["behaviour"], behaviours, name)
    if "session" in log:
        log["session"] = pd.factorize(log["session"])[0]
    log["user"], users = encode(log["user"], users, user, name, "user")
    log["item"], items = encode(log["item"], items, item, name, "item")
    if friends is not None:
        friends = ties(friends, users, name)
    log["row"] = np.arange(len(log))
    log = log.iloc[np.lexsort((*order, log["user"]))].reset_index(drop=True)        # stable: ties as in the source
    if "timestamp" not in log:
        log.insert(2, "timestamp", log.groupby("user").cumcount())
    return Dataset(name, log, users, items, friends, returning(log, items, users, items_return, name),
                   clock=timestamp is not None, rating_scale=rating_scale)


def from_csv(path, name=None, user="user", item="item", separator=None, encoding="utf-8", header=True, decimal=".",
             ids="auto", **columns):
    """A `Dataset` from a CSV file with one line an interaction. Ids stay as they are written.

    Parameters
    ----------
    path : str or Path
    name : str or None
        What the data set is called in messages; the path if not given.
    user, item : str, or int
        The columns that hold the ids; numbers from 0 where the file has no header.
    separator : str or None
        Such as ";", "|" or "::"; found in the header among comma, tab and semicolon if not given.
    encoding : str
        Of the file, such as "latin-1" or "utf-16".
    header : bool
        False: the first line is data, and columns are named by their place: `user=0, item=1, rating=2`.
    decimal : "." or ","
        What stands before the fraction of a rating.
    ids : "auto" or "text"
        "auto": whole numbers where every id of a column is written as one (7, but not 007 or 7.0).
    **columns
        All else that `from_frame` takes. `items`, `users` and `friends` may be paths of files that are written in the
        same way.

    Returns
    -------
    dataset : Dataset

    Raises
    ------
    DataError
        Names the file and the line that has too many or too few fields, or the file and the row, counted below the
        header, of a value that cannot be, such as a rating that is no number.

    Example
    -------
    >>> orders = pd.DataFrame({"customer": ["007", "NA"], "product": ["x", "y"]})
    >>> orders.to_csv("orders.csv", index=False)
    >>> log = rb.from_csv("orders.csv", user="customer", item="product")
    >>> log.users["original"].tolist()
    ['007', 'NA']
    """
    from recbook.data.files import read_table

    if not isinstance(path, str | os.PathLike) or "://" in str(path):
        what = repr(path) if isinstance(path, str) else f"a {type(path).__name__}"
        raise DataError(f"{what} is no path of a file: download it, or give from_frame the table itself.")
    if not isinstance(encoding, str) or not isinstance(separator, str | None):
        raise DataError(f"{path}: encoding={encoding!r}, separator={separator!r}: text is needed, as in 'latin-1' and '|'.")
    for said, value, known in (("ids", ids, ("auto", "text")), ("decimal", decimal, (".", ",")),
                               ("header", header, (True, False))):
        if value not in known:
            raise DataError(f"{path}: {said}={value!r}: say {known[0]!r} or {known[1]!r}.")

    def table_of(file, *of_ids):
        table = read_table(file, types={}, separator=separator, encoding=encoding, header=header)
        for column in set(of_ids or table.columns) & set(table.columns):
            refuse_rows(file, table[column] != table[column].str.strip(), table[column],
                        "has blanks around it, and would be another id than without them")
            if ids == "auto" and table[column].str.fullmatch(WHOLE).all():
                table[column] = table[column].astype(np.int64)
        others = table.columns.difference(of_ids or table.columns)
        table[others] = table[others].mask(table[others] == "")
        return table

    def place(column):
        return int(column) if header is False and isinstance(column, str) and column.isdecimal() else column

    user, item = place(user), place(item)
    columns = {ours: place(theirs) if ours in NAMED else theirs for ours, theirs in columns.items()}
    table = table_of(path, user, item)
    rating = columns.get("rating")
    if decimal == "," and rating in table:
        odd = table[rating].str.contains(".", regex=False, na=False) | (table[rating].str.count(",") > 1)
        refuse_rows(path, odd, table[rating], "is no rating with one comma, before its fraction")
        table[rating] = table[rating].str.replace(",", ".")
    for part, of_ids in (("items", (item,)), ("users", (user,)), ("friends", ())):
        if isinstance(columns.get(part), str | os.PathLike):
            columns[part] = with_numbers(table_of(columns[part], *of_ids), of_ids)
    return from_frame(table, name or str(path), user=user, item=item, **columns)


def with_numbers(features, but):
    """Features that were read as text: numbers where every one that is given is a number as Python writes it."""
    for column in features.columns.difference(but):
        given = features[column].dropna().astype(str)
        if len(given) and given.str.fullmatch(NUMBER).all():
            features[column] = features[column].astype(float)
    return features


def from_parquet(path, name=None, **columns):
    """A `Dataset` from a Parquet file with one row an interaction. It needs pyarrow.

    Parameters
    ----------
    path : str or Path
    name : str or None
        What the data set is called in messages; the path if not given.
    **columns
        What `from_frame` takes.

    Returns
    -------
    dataset : Dataset

    Raises
    ------
    DataError
        The file cannot be read as Parquet, or holds what `from_frame` refuses.

    Example
    -------
    >>> orders = pd.DataFrame({"user": ["ann", "bob"], "item": ["tea", "tea"]})
    >>> orders.to_parquet("orders.parquet")
    >>> rb.from_parquet("orders.parquet").n_users
    2
    """
    try:
        frame = pd.read_parquet(os.fspath(path))
    except ImportError:
        raise DataError(f"{path}: reading Parquet needs pyarrow: pip install pyarrow.") from None
    except (OSError, ValueError, TypeError) as problem:
        raise DataError(f"{path}: cannot be read as Parquet ({str(problem).splitlines()[0]}).") from None
    return from_frame(frame, name or str(path), **columns)


# ------------------------------------------------------------------------------------------------ parts of the way


def as_frame(frame, name):
    """A pandas frame with plain columns, from whatever holds one."""
    if isinstance(frame, str | os.PathLike):
        raise DataError(f"{name}: {str(frame)!r} is a path: recbook.from_csv reads files.")
    for method in ("to_pandas", "df"):                                  # Polars and Arrow; DuckDB
        if not isinstance(frame, pd.DataFrame) and hasattr(frame, method):
            frame = getattr(frame, method)()
    if not isinstance(frame, pd.DataFrame):
        try:
            frame = pd.DataFrame(frame)
        except (TypeError, ValueError) as problem:
            raise DataError(f"{name}: a {type(frame).__name__} is no table of interactions ({problem}).") from None
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(f"{name}: the columns have several levels; give them one name each.")
    return frame


def column_of(frame, theirs, ours, name):
    """The values of a named column."""
    if not isinstance(theirs, Hashable) or theirs not in frame.columns:
        raise DataError(f"{name}: no column {theirs!r} for {ours}; the columns are "
                        f"{', '.join(map(repr, frame.columns))}. Say {ours}='...' with the right one.")
    if (frame.columns == theirs).sum() > 1:
        raise DataError(f"{name}: two columns are called {theirs!r}.")
    values = frame[theirs].reset_index(drop=True)
    return values.sparse.to_dense() if isinstance(values.dtype, pd.SparseDtype) else values


def refuse_options(name, items_return, behaviours, rating_scale):
    """Refuse what is said of a log in a way that says nothing."""
    if items_return not in (None, True, False, "once"):
        raise DataError(f"{name}: items_return={items_return!r}: say True, False or 'once'.")
    if not isinstance(behaviours, dict | None):
        raise DataError(f"{name}: behaviours={behaviours!r}: say which is which, as in {{'pv': 'view', 'buy': 'purchase'}}.")
    if rating_scale is not None:
        ends = list(rating_scale) if isinstance(rating_scale, list | tuple) else []
        if len(ends) != 2 or not all(isinstance(end, Real) for end in ends) or not ends[0] < ends[1]:
            raise DataError(f"{name}: rating_scale={rating_scale!r}: say how low and how high ratings go, as in (-1, 1).")


def refuse_missing(column, name, what):
    """An id is never missing; the text NA is one, an empty text in a file is none."""
    missing = column.isna().to_numpy() | (column.astype(object) == "").to_numpy()
    if missing.any():
        raise DataError(f"{name}: row {missing.argmax() + 1} has no {what}.")


def as_ratings(column, name, scale):
    """Ratings as floats, NaN where none was given."""
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_complex_dtype(column):
        no_number = [isinstance(value, complex | np.complexfloating | date | timedelta) for value in column]
        refuse_rows(name, no_number, column, "is no rating")
    found = pd.to_numeric(column, errors="coerce").astype(float)
    comma = column.astype(str).str.fullmatch(r"\s*\d+,\d+\s*")
    why = "is no rating" + (" (with a comma before its fraction, say decimal=',')" if comma.any() else "")
    refuse_rows(name, found.isna() & column.notna(), column, why)
    low, high = scale or (0, np.inf)
    why = f"is no rating of {low} to {high}" if scale else ("is no rating: ratings are 0 or more, unless rating_scale "
                                                           "says how low and high they go, as in (-1, 1)")
    refuse_rows(name, (found < low) | (found > high), found, why)
    return found


def translated(column, behaviours, name):
    """The source's names of behaviours in ours."""
    wrong = [ours for ours in behaviours.values() if ours not in BEHAVIOURS]
    if wrong:
        raise DataError(f"{name}: {wrong[0]!r} is no behaviour ({', '.join(BEHAVIOURS)}).")
    known = ", ".join(map(str, behaviours))
    refuse_rows(name, ~column.isin(behaviours), column, f"is none of the behaviours given ({known})")
    return column.map(behaviours)


def refuse_odd_ids(ids, name, what):
    """Refuse what can be no id, and ids of several kinds: 1 and "1" would be two users, 1 and True one."""
    kinds = {kind_of(kind) for kind in set(map(type, ids))}
    if len(kinds) <= 1 and None not in kinds:
        return
    first = kind_of(type(ids.iloc[0]))
    row, value = next((row, value) for row, value in enumerate(ids) if kind_of(type(value)) in {None} | kinds - {first})
    if kind_of(type(value)) is None:
        raise DataError(f"{name}: row {row + 1}: the {what} {shown(value)} is neither a number nor text, as ids are.")
    raise DataError(f"{name}: row {row + 1}: the {what} {shown(value)} is {kind_of(type(value))}, the one before it {first}. "
                    "Make them all text, or all numbers.")


def kind_of(kind):
    """What ids of a type are, for people; None for what can be no id."""
    if issubclass(kind, str):
        return "text"
    if issubclass(kind, bool | np.bool_):
        return "True or False"
    return "a number" if issubclass(kind, Real) else None


def encode(ids, features, column, name, what):
    """Ids as 0, 1, 2, ... in sorted order, and the features in that order, with the ids kept as `original`."""
    in_order = pd.Index(pd.unique(ids)).sort_values()
    if features is None:
        known = in_order
        features = pd.DataFrame({"original": known})
    else:
        features = as_frame(features, f"{name}, {what} features")
        if column not in features.columns:
            raise DataError(f"{name}: the {what} features have no column {column!r}.")
        if (features.columns == column).sum() > 1:
            raise DataError(f"{name}: two columns of the {what} features are called {column!r}.")
        if "original" in features.columns and column != "original":
            raise DataError(f"{name}: the {what} features have a column 'original' of their own, which is what the id "
                            "is called here: give it another name.")
        features = features.rename(columns={column: "original"}).reset_index(drop=True)
        refuse_missing(features["original"], f"{name}, {what} features", what)
        refuse_odd_ids(features["original"], f"{name}, {what} features", what)
        twice = features["original"].duplicated()
        if twice.any():
            raise DataError(f"{name}: {what} {shown(features['original'][twice].iloc[0])} is described twice.")
        known = pd.Index(features["original"])
        unknown = ~in_order.isin(known)
        if unknown.all():
            raise DataError(f"{name}: the {what} features describe no {what} of the interactions. "
                            f"Are their ids of the same kind?")
        if unknown.any():
            features = pd.concat([features, pd.DataFrame({"original": in_order[unknown]})], ignore_index=True)
            known = pd.Index(features["original"])
        features.insert(0, "original", features.pop("original"))
    return known.get_indexer(ids).astype(np.int64), features


def ties(friends, users, name):
    """Friends as pairs of our numbers; ties to people who are no users are left out."""
    friends = as_frame(friends, f"{name}, friends")
    if friends.shape[1] < 2:
        raise DataError(f"{name}: friends are two columns of user ids, and here is {friends.shape[1]}.")
    position = pd.Series(np.arange(len(users)), index=users["original"])
    friends = friends.iloc[:, :2].set_axis(["user", "friend"], axis=1)
    for ids in (friends[column].dropna() for column in friends):
        refuse_odd_ids(ids, f"{name}, friends", "user")
    friends = friends.apply(lambda ids: ids.map(position))
    friends = friends.dropna().astype(np.int64).drop_duplicates().reset_index(drop=True)
    if not len(friends):
        raise DataError(f"{name}: no friends are both users. Are their ids of the same kind as the users'?")
    return friends


def returning(log, items, users, declared, name):
    """Whether items return: as declared, if the log does not contradict it; else by the share of repeats."""
    again = log.duplicated(["user", "item"]).to_numpy()
    if declared == "once" or not again.any():
        return declared is True
    row, user, item = log.loc[again, ["row", "user", "item"]].iloc[0]
    found = (f"{again.sum():,} of {len(log):,} rows repeat an item that the same user met before, as row {row + 1} does "
             f"(user {shown(users['original'].iloc[user])}, item {shown(items['original'].iloc[item])})")
    if declared is False:
        raise DataError(f"{name}: items_return=False, but {found}. Drop these rows, say items_return='once' if they "
                        "are corrections, or items_return=True if items do return.")
    if declared is None and again.mean() < RETURNING:
        warnings.warn(f"{name}: {found}. That is too few to say that items return: what a user met is not ranked for "
                      "them again. Say items_return='once' if this is right, True if "
                      "items do return.", stacklevel=3)
        return False
    return True
