"""What every data set looks like once it is loaded, wherever it came from."""

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Integral
from typing import Any, Callable

import numpy as np
import pandas as pd

from recbook.data import splits
from recbook.data.ids import Ids
from recbook.errors import DataError, UnknownName, shown

BEHAVIOURS = ("view", "favourite", "cart", "purchase")


@dataclass(frozen=True)
class Dataset:
    """Who met what, when, and what is known of both sides. `load`, `from_csv` and `from_frame` make it.

    Ids of users and items run from 0 without a gap; row `u` of `users` describes user `u`. The source's own ids
    are kept for people to read, in the column `original` of both frames.

    Attributes
    ----------
    name : str
    interactions : DataFrame
        Sorted by `user`, then in the order in which they happened. Columns: `user`, `item` (int), `timestamp`
        (seconds since 1970, or 0, 1, 2, ... within each user where the source gives only the order), and where the
        source has them `rating` (float, NaN where none was given), `behaviour` (one of view, favourite, cart,
        purchase), `session` (int), `row` (the row of the source's file, from 0).
    users, items : DataFrame
        One row a user or item: `original`, then the source's features (`title`, `text`, `category`, ...).
    n_users, n_items : int
        How many of each: the rows of these frames.
    friends : DataFrame or None
        `user`, `friend`: one row for each directed tie.
    items_return : bool
        Whether a user can meet an item again. Where they do, a split hides nothing that was already seen.
    clock : bool
        Whether timestamps are times. False: they only number the events of each user, and no split goes by them.
    rating_scale : (low, high) or None
        Of ratings that go below 0.
    published : Split, list of Split, or None
        The split or folds that came with the source's files, candidate lists included; `make_published` makes it when
        it is first asked for.
    images : array (n_items, 32, 32, 3) of uint8, or None
        `make_images` makes it when it is first asked for.
    truth : object or None
        For a simulated world: everything that is hidden from a model.
    files : dict
        sha256 of each file that was read: the provenance of every result.
    make_images, make_published : callable or None

    Raises
    ------
    DataError
        Interactions that would give wrong results later; the message names the first row.
    UnknownName
        `history` is asked for a user whom the data do not have.

    Example
    -------
    >>> films.n_users, films.n_items, len(films.interactions)
    (3, 4, 9)
    >>> films.history("bob").items          # (1, L)
    tensor([[0, 1, 3]])
    >>> films.title(3)
    'dune'
    """

    name: str
    interactions: pd.DataFrame
    users: pd.DataFrame
    items: pd.DataFrame
    friends: pd.DataFrame | None = None
    items_return: bool = False
    clock: bool = True
    rating_scale: tuple | None = None
    truth: Any = None
    files: dict = field(default_factory=dict)
    make_images: Callable | None = field(default=None, repr=False)
    make_published: Callable | None = field(default=None, repr=False)

    def __post_init__(self):
        check(self)

    @property
    def n_users(self):
        return len(self.users)

    @property
    def n_items(self):
        return len(self.items)

    @cached_property
    def images(self):
        return None if self.make_images is None else self.make_images()

    @cached_property
    def published(self):
        return None if self.make_published is None else self.make_published(self)

    def title(self, item):
        """What to call an item on a page: its title, or else the id that its source gave it."""
        row = self.items.iloc[int(item)]
        title = row.get("title")
        if isinstance(title, str) and title:
            return title
        return row["original"] if isinstance(row["original"], str) else f"item {row['original']}"

    def history(self, who, length=None):
        """What users did, oldest first: the `Context` of questions asked when the data end.

        Parameters
        ----------
        who : id, or list of ids
            As the source writes them; the context has one row for each.
        length : int or None
            How many of the last events; None for all of them.

        Raises
        ------
        UnknownName
            No user has that id.
        """
        if length is not None and (not isinstance(length, Integral) or length < 0):
            raise DataError(f"length={length!r}: a whole number of events, or None for all.")
        ids = [who] if isinstance(who, str) or not hasattr(who, "__iter__") else list(who)
        rows = [self.find_user(one) for one in ids]
        if None in rows:
            kind = "whole numbers" if pd.api.types.is_integer_dtype(self.users["original"]) else "text"
            raise UnknownName(f"user of {self.name} (its ids are {kind})", ids[rows.index(None)], self.users["original"])
        return splits.history(self.log, rows, [self.interactions["timestamp"].max()] * len(rows), length)

    def find_user(self, who):
        """The number of the user with that id in the source, or None; 42 and "42" are the same where only one of the
        two can be an id here."""
        if not isinstance(who, Hashable):
            return None
        return self.numbers_of_users.get(who, self.numbers_of_users.get(str(who) if not isinstance(who, str) else whole(who)))

    @cached_property
    def numbers_of_users(self):
        """{id in the source: our number}"""
        return {original: number for number, original in enumerate(self.users["original"].tolist())}

    @cached_property
    def log(self):
        """The interactions as arrays, from which histories are cut."""
        return splits.Log(self.interactions, self.n_users, self.ids)

    @cached_property
    def ids(self):
        """The source's ids, in the order of our numbers."""
        return Ids(self.users["original"].tolist(), self.items["original"].tolist())

    def describe(self):
        """Sizes and shape of the data, one figure a row: a Series."""
        log = self.interactions
        pairs = len(log.drop_duplicates(["user", "item"]))
        shares = log["item"].value_counts(normalize=True)
        facts = {
            "users": self.n_users,
            "items": self.n_items,
            "interactions": len(log),
            "density of the user-item matrix": pairs / (self.n_users * self.n_items),
            "interactions a user, median": log.groupby("user").size().median(),
            "share of the top tenth of items": shares.head(max(1, self.n_items // 10)).sum(),
            "share that returns to an item": 1 - pairs / len(log),
        }
        return pd.Series(facts, name=self.name)

    def __repr__(self):
        columns = ", ".join(self.interactions.columns)
        return (f"Dataset {self.name!r}: {self.n_users:,} users, {self.n_items:,} items, "
                f"{len(self.interactions):,} interactions ({columns})")


def whole(text):
    """The whole number that a text writes, or None."""
    return int(text) if re.fullmatch(r"0|-?[1-9]\d*", text) else None


def check(dataset):
    """Refuse a data set that would give wrong results later, and say which row."""
    log, name = dataset.interactions, dataset.name
    for column in ("user", "item", "timestamp"):
        if column not in log:
            raise DataError(f"{name}: interactions have no column {column!r}.")
    if not len(log):
        raise DataError(f"{name}: no interactions.")
    for column, size in (("user", dataset.n_users), ("item", dataset.n_items)):
        outside = (log[column] < 0) | (log[column] >= size)
        refuse_rows(name, outside, log[column], f"is no {column} of 0 to {size - 1}", log.get("row"))
    if "rating" in log:
        low = dataset.rating_scale[0] if dataset.rating_scale else 0
        bad = ~np.isfinite(log["rating"]) & ~log["rating"].isna() | (log["rating"] < low)
        if "behaviour" not in log:  # in a log of ratings every row is one; in a log of behaviour few are
            bad |= log["rating"].isna()
        refuse_rows(name, bad, log["rating"], "is no rating", log.get("row"))
    if "behaviour" in log:
        refuse_rows(name, ~log["behaviour"].isin(BEHAVIOURS), log["behaviour"],
                    f"is no behaviour ({', '.join(BEHAVIOURS)})", log.get("row"))


def refuse_rows(name, bad, column, why, rows=None):
    """Raise for the first row marked `bad`; `rows` has the number of each in the source, where they were sorted."""
    bad = np.asarray(bad)
    if bad.any():
        row = bad.argmax()
        raise DataError(f"{name}: row {(row if rows is None else rows.iloc[row]) + 1}: {shown(column.iloc[row])} {why}.")
