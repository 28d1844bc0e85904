"""What every data set looks like once it is loaded, wherever it came from."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Callable

import numpy as np
import pandas as pd

from recbook.data import splits
from recbook.errors import DataError, UnknownName

BEHAVIOURS = ("view", "favourite", "cart", "purchase")
LATEST = 2**33  # the year 2242 in seconds: a larger timestamp is in milliseconds, or wrong


@dataclass(frozen=True)
class Dataset:
    """Who met what, when, and what is known of both sides.

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
    friends : DataFrame or None
        `user`, `friend`: one row for each directed tie.
    items_return : bool
        Whether a user can meet an item again. Where they do, a split hides nothing that was already seen.
    published : Split, list of Split, or None
        The split or folds that came with the source's files, candidate lists included.
    images : array (n_items, 32, 32, 3) of uint8, or None
        Made when first asked for.
    truth : object or None
        For a simulated world: everything that is hidden from a model.
    files : dict
        sha256 of each file that was read: the provenance of every result.
    """

    name: str
    interactions: pd.DataFrame
    users: pd.DataFrame
    items: pd.DataFrame
    friends: pd.DataFrame | None = None
    items_return: bool = False
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
        """What a user did, oldest first: the `Context` of a question asked when the data end.

        who : the user's id in the source; length : int or None, how many of the last events.
        """
        known = self.users["original"]
        if not (known == who).any():
            raise UnknownName(f"user of {self.name}", who, known)
        log = splits.Log(self.interactions, self.n_users)
        return splits.history(log, [int((known == who).argmax())], [self.interactions["timestamp"].max()], length)

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


def from_frame(frame, name="my data", user="user", item="item", timestamp=None, rating=None, behaviour=None,
               session=None, items=None, users=None, friends=None, items_return=None):
    """A `Dataset` from a frame with one row an interaction.

    Parameters
    ----------
    frame : DataFrame
    user, item, timestamp, rating, behaviour, session : str or None
        The columns of `frame` that hold these; ids may be numbers or text. Without `timestamp` the order of the
        rows is the order of events. Timestamps are seconds since 1970, or anything that pandas reads as dates.
    items, users : DataFrame or None
        Features, one row an item or user, with the id in the column that `item` or `user` names. Rows that nobody
        interacted with are kept: cold items are part of a catalogue.
    friends : DataFrame or None
        Two columns of user ids: who names whom. Ties to people who are no users here are left out.
    items_return : bool or None
        Whether users meet items again; by default, whether any did.

    Raises
    ------
    DataError
        Names the column and the first row that is missing, malformed or out of range.
    """
    if not len(frame):
        raise DataError(f"{name}: no interactions. Is the file empty?")
    named = {"user": user, "item": item, "timestamp": timestamp, "rating": rating, "behaviour": behaviour,
             "session": session}
    named = {ours: theirs for ours, theirs in named.items() if theirs is not None}
    for ours, theirs in named.items():
        if theirs not in frame.columns:
            raise DataError(f"{name}: no column {theirs!r} for {ours}; the columns are "
                            f"{', '.join(map(repr, frame.columns))}. Say {ours}='...' with the right one.")
    log = pd.DataFrame({ours: frame[theirs].to_numpy() for ours, theirs in named.items()})
    for column in ("user", "item", "session"):
        missing = log[column].isna() if column in log else np.zeros(len(log), dtype=bool)
        if missing.any():
            raise DataError(f"{name}: row {np.argmax(missing) + 1} has no {column}.")
    if "timestamp" in log:
        log["timestamp"] = seconds(log["timestamp"], name)
    if "rating" in log:
        ratings = pd.to_numeric(log["rating"], errors="coerce").astype(float)
        refuse_rows(name, ratings.isna() & log["rating"].notna(), log["rating"], "is no rating")
        log["rating"] = ratings
    if "session" in log:
        log["session"] = pd.factorize(log["session"])[0]
    log["user"], users = encode(log["user"], users, user, name, "user")
    log["item"], items = encode(log["item"], items, item, name, "item")
    if friends is not None:
        position = pd.Series(np.arange(len(users)), index=users["original"])
        friends = friends.iloc[:, :2].set_axis(["user", "friend"], axis=1).apply(lambda ids: ids.map(position))
        friends = friends.dropna().astype(np.int64).drop_duplicates().reset_index(drop=True)
        if not len(friends):
            raise DataError(f"{name}: no friends are both users. Are their ids of the same kind as the users'?")
    log["row"] = np.arange(len(log))
    by = ["user", "timestamp"] if "timestamp" in log else ["user"]
    log = log.sort_values(by, kind="stable", ignore_index=True)
    if "timestamp" not in log:
        log.insert(2, "timestamp", log.groupby("user").cumcount())
    if items_return is None:
        items_return = bool(log.duplicated(["user", "item"]).any())
    return Dataset(name, log, users, items, friends, items_return)


def from_csv(path, name=None, user="user", item="item", **columns):
    """A `Dataset` from a CSV file: `recbook.from_csv("clicks.csv", user="customer", item="sku", timestamp="when")`.

    Takes what `from_frame` takes. A line with too many or too few fields is an error that names the file and the
    line; a value that cannot be (a rating that is no number) one that names the file and the row below the header.
    """
    from recbook.data.files import read_table

    return from_frame(read_table(path), name or str(path), user=user, item=item, **columns)


def seconds(column, name):
    """Timestamps as whole seconds since 1970."""
    if not pd.api.types.is_numeric_dtype(column):
        dates = pd.to_datetime(column, errors="coerce", utc=True)
        if dates.isna().any():
            row = dates.isna().to_numpy().argmax()
            raise DataError(f"{name}: row {row + 1}: {column.iloc[row]!r} is not a date.")
        column = (dates - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)
    refuse_rows(name, column.isna(), column, "is not a timestamp")
    refuse_rows(name, (column < 0) | (column > LATEST), column,
                "is no time in seconds since 1970 (if these are milliseconds, divide by 1000)")
    return column.astype(np.int64)


def encode(ids, features, column, name, what):
    """Ids as 0, 1, 2, ... in sorted order, and the features in that order, with the ids kept as `original`."""
    if features is None:
        known = pd.Index(pd.unique(ids)).sort_values()
        features = pd.DataFrame({"original": known})
    else:
        if column not in features.columns:
            raise DataError(f"{name}: the {what} features have no column {column!r}.")
        features = features.rename(columns={column: "original"}).reset_index(drop=True)
        twice = features["original"].duplicated()
        if twice.any():
            raise DataError(f"{name}: {what} {features['original'][twice].iloc[0]!r} is described twice.")
        known = pd.Index(features["original"])
        unknown = ~ids.isin(known)
        if unknown.all():
            raise DataError(f"{name}: the {what} features describe no {what} of the interactions. "
                            f"Are their ids of the same kind?")
        if unknown.any():
            more = pd.DataFrame({"original": pd.Index(pd.unique(ids[unknown])).sort_values()})
            features = pd.concat([features, more], ignore_index=True)
            known = pd.Index(features["original"])
        features.insert(0, "original", features.pop("original"))
    return known.get_indexer(ids).astype(np.int64), features


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
        bad = ~np.isfinite(log["rating"]) & ~log["rating"].isna() | (log["rating"] < 0)
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
        value = column.iloc[row]
        value = value.item() if hasattr(value, "item") else value
        raise DataError(f"{name}: row {(row if rows is None else rows.iloc[row]) + 1}: {value!r} {why}.")
