"""Cutting the past from the future: a split is a value that says what trains, what is asked, and what is hidden."""

import hashlib
import itertools
from dataclasses import dataclass, replace
from functools import lru_cache
from numbers import Integral, Real

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
import torch.nn.functional as F

from recbook.errors import DataError, shown

BEHAVIOUR_CODES = {"view": 0, "favourite": 1, "cart": 2, "purchase": 3}


@dataclass
class Context:
    """What a model is told when it is asked to rank items for B cases. Absent fields are None.

    Attributes
    ----------
    users : tensor (B,)
        Numbers of the users.
    items, behaviours, ratings, times, sessions : tensors (B, L)
        The history, oldest first, then -1 (ratings: NaN) up to L.
    now : tensor (B,)
        When the question is asked, in seconds since 1970.
    users_table, items_table : tensors (B,)
        Whose numbers these are: `Ids.users_table` and `items_table` of the data set, which a model compares with those
        that it was trained on.

    Example
    -------
    >>> somebody = rb.Context(items=torch.tensor([[3, 7, -1], [5, 1, 2]]))
    >>> len(somebody)
    2
    >>> rb.ItemKNN(*sizes).fit(split).scores(somebody).shape
    torch.Size([2, 48])
    """

    users: torch.Tensor | None = None
    items: torch.Tensor | None = None
    behaviours: torch.Tensor | None = None
    ratings: torch.Tensor | None = None
    times: torch.Tensor | None = None
    sessions: torch.Tensor | None = None
    now: torch.Tensor | None = None
    users_table: torch.Tensor | None = None
    items_table: torch.Tensor | None = None

    def to(self, device):
        """The same context with every tensor on `device`."""
        return Context(**{name: None if value is None else value.to(device) for name, value in vars(self).items()})

    def rows(self, rows):
        """The context of some of the cases."""
        return Context(**{name: None if value is None else value[rows] for name, value in vars(self).items()})

    def widen(self, steps):
        """The same histories with room for `steps` more events."""
        def wider(value):
            if value is None or value.ndim < 2:
                return value
            return F.pad(value, (0, steps), value=torch.nan if value.is_floating_point() else -1)

        return Context(**{name: wider(value) for name, value in vars(self).items()})

    def __len__(self):
        return len(next(value for value in vars(self).values() if value is not None))


class Log:
    """Interactions as arrays, sorted by user and time, so that a history is a slice."""

    def __init__(self, interactions, n_users, ids=None):
        log, self.ids = interactions, ids
        self.users = log["user"].to_numpy()
        self.items = log["item"].to_numpy()
        self.times = log["timestamp"].to_numpy()
        self.ratings = log["rating"].to_numpy(np.float32) if "rating" in log else None
        self.sessions = log["session"].to_numpy() if "session" in log else None
        self.behaviours = log["behaviour"].map(BEHAVIOUR_CODES).to_numpy(np.int64) if "behaviour" in log else None
        self.starts = np.searchsorted(self.users, np.arange(n_users + 1))  # rows of user u: starts[u]:starts[u+1]

    @lru_cache(maxsize=1)
    def first_met(self, n_items):
        """For each user and item the number of rows of the log up to their first meeting: CSR (n_users, n_items)."""
        first = pd.DataFrame({"user": self.users, "item": self.items}).drop_duplicates()
        return sp.csr_matrix((first.index.to_numpy() + 1, (first["user"], first["item"])),
                             shape=(len(self.starts) - 1, n_items))


@dataclass(frozen=True)
class Cases:
    """Questions with known answers: after this history, which items came? A `Split` holds them.

    Attributes
    ----------
    log : Log
        The interactions that histories are cut from.
    users, ends, now : arrays (N,)
        Case n asks about user `users[n]`, whose history is the rows before `ends[n]` of the log, at time `now[n]`.
    case, target : arrays (P,)
        The answers: item `target[p]` is right for case `case[p]`; sorted by case.
    n_items : int
        Size of the catalogue.
    rating : array (P,) or None
        The rating that was given to the target.
    masked : sparse matrix (n_users, n_items) or None
        Items that are not ranked for a user: those they are known to have, where nobody takes an item twice.
    candidates : array (N, C) or None
        The only items to rank, -1 up to C: for the sampled protocols of older papers.
    masks_history : bool
        Whether what stands in the history of a case is not ranked either, though it is of the part that is asked about.

    Example
    -------
    >>> cases = split.test
    >>> len(cases), cases.target.shape
    (200, (200,))
    >>> cases.context(slice(0, 5), length=10).items.shape
    torch.Size([5, 10])
    """

    log: Log
    users: np.ndarray
    ends: np.ndarray
    now: np.ndarray
    case: np.ndarray
    target: np.ndarray
    n_items: int
    rating: np.ndarray | None = None
    masked: sp.csr_matrix | None = None
    candidates: np.ndarray | None = None
    masks_history: bool = False

    def __len__(self):
        return len(self.users)

    def context(self, rows=slice(None), length=None, device="cpu"):
        """The `Context` of some cases.

        Parameters
        ----------
        rows : slice or array
            Which cases; all of them by default.
        length : int or None
            How many of the last events of each history; None for all of them.
        device : str or torch.device
        """
        users, ends = self.users[rows], self.ends[rows]
        known = ends - self.log.starts[users]
        taken = known if length is None else np.minimum(known, length)
        steps = np.arange(taken.max(initial=0))
        position = (ends - taken)[:, None] + steps                      # (B, L) rows of the log
        empty = steps >= taken[:, None]
        position[empty] = 0

        def history(values, fill):
            if values is None:
                return None
            values = values[position]
            values[empty] = fill
            return torch.from_numpy(values).to(device)

        return Context(
            users=torch.tensor(users, device=device),
            items=history(self.log.items, -1),
            behaviours=history(self.log.behaviours, -1),
            ratings=history(self.log.ratings, np.nan),
            times=history(self.log.times, -1),
            sessions=history(self.log.sessions, -1),
            now=torch.tensor(self.now[rows], device=device),
            **{name: torch.full((len(users),), getattr(self.log.ids, name), device=device)
               for name in ("users_table", "items_table") if self.log.ids},
        )

    def protocol(self):
        """How models are measured on these cases, in one sentence."""
        asked = f"{len(self):,} questions about {len(np.unique(self.users)):,} users"
        answers = "one right item each" if len(self.case) == len(self) else f"{len(self.case):,} right items"
        ranked = (f"{self.candidates.shape[1]} given candidates are ranked" if self.candidates is not None
                  else f"all {self.n_items:,} items are ranked")
        masked = ("what a user had before is masked" if self.masks_history else "nothing is masked" if self.masked is None
                  else "what a user has in the known part is masked")
        return f"{asked}, {answers}; {ranked}; {masked}; ties are broken at random."

    def known_until(self, moments):
        """The same questions with older histories: each holds only what happened before its moment.

        What is right and what is hidden stay as they are; ask `again` of these cases, not of the new ones.

        Parameters
        ----------
        moments : number or array (N,)
            In seconds since 1970: `cases.now - 3600` for events that arrive an hour late, one number for a feed that stopped.

        Returns
        -------
        cases : Cases

        Example
        -------
        >>> late = split.test.known_until(split.test.now - 86_400)      # a day late
        >>> len(late) == len(split.test), bool((late.ends <= split.test.ends).all())
        (True, True)
        """
        log, first = self.log, self.log.times.min()
        width = self.log.times.max() + 1 - first
        since = np.clip(np.broadcast_to(moments, len(self)).astype(np.int64) - first, 0, width)
        rows = np.searchsorted(log.users * width + log.times - first, self.users * width + since)
        return replace(self, ends=np.minimum(self.ends, rows))

    def hidden(self, rows):
        """What is not ranked for some cases: (number of the case among these rows, item), two arrays (H,)."""
        users, ends = self.users[rows], self.ends[rows]
        found = [(np.zeros(0, dtype=np.int64),) * 2]
        if self.masked is not None:
            entries = self.masked[users].tocoo()
            found.append((entries.row, entries.col))
        if self.masks_history:
            entries = self.log.first_met(self.n_items)[users].tocoo()
            before = entries.data <= ends[entries.row]
            found.append((entries.row[before], entries.col[before]))
        return tuple(np.concatenate(part).astype(np.int64) for part in zip(*found))

    def again(self):
        """Whether each right item stands in the history that its case is given, an item met *again*: (P,) of bool."""
        return self.stands(self.case, self.target)

    def met(self, items):
        """Whether each of items (N, k) stands in the history that its case is given: (N, k) of bool. -1 never does."""
        case = np.repeat(np.arange(len(self)), items.shape[1])
        return self.stands(case, items.ravel()).reshape(items.shape)

    def stands(self, case, items):
        """Whether items (P,) stand in the histories of cases with these numbers (P,): (P,) of bool."""
        log = self.log
        pairs = pd.DataFrame({"user": log.users, "item": log.items, "row": np.arange(len(log.items))})
        first = pairs.drop_duplicates(["user", "item"])                 # the first time that a user met an item
        asked = pd.DataFrame({"user": self.users[case], "item": items})
        row = asked.merge(first, how="left", on=["user", "item"])["row"].to_numpy()     # NaN: never
        return row < self.ends[case]

    def followed(self, k):
        """The next k events after each history, in their order: items (N, k), -1 after the last.

        They are the log's, or, where the log ends with the history, the answers.
        """
        def cut(items, starts, ends):
            place = starts[:, None] + np.arange(k)
            there = place < ends[:, None]
            return np.where(there, items[np.where(there, place, 0)], -1)

        goes_on = self.ends < self.log.starts[self.users + 1]
        answers = np.searchsorted(self.case, np.arange(len(self) + 1))
        return np.where(goes_on[:, None], cut(self.log.items, self.ends, self.log.starts[self.users + 1]),
                        cut(self.target, answers[:-1], answers[1:]))

    def subset(self, keep):
        """Only the cases where the boolean array `keep` (N,) is true: a slice of users to look at closely."""
        keep = np.asarray(keep, dtype=bool)
        new_number = np.cumsum(keep) - 1
        kept = keep[self.case]
        return replace(self, users=self.users[keep], ends=self.ends[keep], now=self.now[keep],
                       case=new_number[self.case[kept]], target=self.target[kept],
                       rating=None if self.rating is None else self.rating[kept],
                       candidates=None if self.candidates is None else self.candidates[keep])


@dataclass(frozen=True)
class Split:
    """A data set cut for one experiment. Tune on validation, then `refit()` and report on test, once.

    Attributes
    ----------
    name : str
        How it was cut.
    dataset : Dataset
    train : DataFrame
        The interactions that train, in the order of the data set's.
    test, validation : Cases or None
        What is asked; None where there is no such part.
    train_and_validation : DataFrame or None
        What trains after `refit()`.

    Raises
    ------
    DataError
        The test is looked at though the split is `sealed()`, or data without times are asked what was later.

    Example
    -------
    >>> len(split.train), len(split.validation), len(split.test)
    (1600, 200, 200)
    >>> split.matrix().shape                # 0/1, sparse: (n_users, n_items)
    (60, 48)
    >>> len(split.refit().train)
    1800
    """

    name: str
    dataset: object
    train: pd.DataFrame
    test: Cases | None
    validation: Cases | None = None
    train_and_validation: pd.DataFrame | None = None

    @property
    def n_users(self):
        return self.dataset.n_users

    @property
    def n_items(self):
        return self.dataset.n_items

    def matrix(self):
        """The training interactions as a sparse 0/1 matrix (n_users, n_items)."""
        return binary_matrix(self.train, self.n_users, self.n_items)

    def fingerprint(self):
        """A sha256 of what trains, with the users' and items' own ids: it differs if any of it does."""
        found = hashlib.sha256()
        for frame in (self.train, self.dataset.users[["original"]], self.dataset.items[["original"]]):
            found.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
        return found.hexdigest()

    def rated(self):
        """The training interactions that were given a rating, of which there are some."""
        if "rating" not in self.train:
            raise DataError(f"{self.dataset.name} has no ratings; models of clicks (bpr-mf, ials, ease) can learn from it.")
        rated = self.train.dropna(subset="rating")
        if rated.empty:
            raise DataError(f"No interaction in the training part of {self.dataset.name} has a rating.")
        return rated

    def refit(self):
        """The same split with the validation part moved into training: for the final fit before the test."""
        if self.train_and_validation is None:
            return self
        return replace(self, train=self.train_and_validation, validation=None, train_and_validation=None)

    def sealed(self):
        """The same split without its test: what chooses settings is given this, and cannot look."""
        return replace(self, test=Sealed())

    def trains_on_the_future(self):
        """Share of test cases asked at a time before some training interaction: what a clock would not allow."""
        if not self.dataset.clock:
            raise DataError(f"{self.dataset.name}: there are no timestamps, so nothing says what was later.")
        return float((self.test.now < self.train["timestamp"].max()).mean())

    def __repr__(self):
        validation = 0 if self.validation is None else len(self.validation)
        test = "sealed" if isinstance(self.test, Sealed) else f"{0 if self.test is None else len(self.test):,}"
        return (f"Split {self.name!r} of {self.dataset.name!r}: {len(self.train):,} training interactions, "
                f"{validation:,} validation and {test} test cases")


class Sealed:
    """The test of a split that chooses settings: whatever is asked of it is refused."""

    def __getattr__(self, name):
        if name.startswith("__"):                                       # what Python itself asks for
            raise AttributeError(name)
        raise DataError("The test is sealed while settings are chosen: ask split.validation.")

    def __len__(self):
        return self.questions


def history(log, users, now, length=None):
    """The `Context` of questions about users (B,) of a `Log`, asked at `now` (B,), after all that it holds of them."""
    nothing, users = np.array([], dtype=np.int64), np.asarray(users, dtype=np.int64)
    cases = Cases(log, users=users, ends=log.starts[users + 1], now=np.asarray(now), case=nothing, target=nothing,
                  n_items=0)
    return cases.context(length=length)


def everything(dataset):
    """All interactions train and nothing is asked: for the model that goes to work.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    split : Split

    Example
    -------
    >>> len(rb.everything(films).train), rb.everything(films).test
    (9, None)
    """
    return Split("everything", dataset, dataset.interactions, test=None)


def binary_matrix(interactions, n_users, n_items):
    """1 where a user met an item: CSR (n_users, n_items) of float32."""
    ones = np.ones(len(interactions), dtype=np.float32)
    matrix = sp.csr_matrix((ones, (interactions["user"], interactions["item"])), shape=(n_users, n_items))
    matrix.data[:] = 1  # an item met twice counts once
    return matrix


def cases_from_rows(dataset, rows, known=None, log=None):
    """One case for each row of the interactions: after all that came before it, which item came?

    Of `known` interactions, the user's items are masked.
    """
    events = dataset.interactions
    chosen = events.iloc[rows]
    return Cases(
        log=log or Log(events, dataset.n_users, dataset.ids),
        users=chosen["user"].to_numpy(),
        ends=np.asarray(rows),
        now=chosen["timestamp"].to_numpy(),
        case=np.arange(len(rows)),
        target=chosen["item"].to_numpy(),
        rating=chosen["rating"].to_numpy(np.float32) if "rating" in chosen else None,
        masked=None if known is None else binary_matrix(known, dataset.n_users, dataset.n_items),
        n_items=dataset.n_items,
    )


def leave_last_out(dataset, mask="default"):
    """Each user's last interaction is the test, the one before it validation, the rest trains.

    Users with fewer than three interactions only train. Other users' later interactions train:
    `Split.trains_on_the_future` says for how many cases.

    Parameters
    ----------
    dataset : Dataset
    mask : "default", "known", "train" or None
        Which items of a user are not ranked: "known", those of training and, in the test, of validation; "train", those
        of training alone; None; or "default", which is "known" unless items return in this data set.

    Returns
    -------
    split : Split

    Raises
    ------
    DataError
        No user has three interactions, or `mask` is none of these.

    Example
    -------
    >>> cut = rb.leave_last_out(films)
    >>> [films.title(item) for item in cut.test.target]
    ['casino', 'dune', 'casino']
    """
    events = dataset.interactions
    position = events.groupby("user").cumcount(ascending=False).to_numpy()       # 0 for each user's last
    enough = np.bincount(events["user"], minlength=dataset.n_users)[events["user"]] >= 3
    if not enough.any():
        raise DataError(f"{dataset.name}: no user has three interactions; nothing can be held out.")
    test, validation = enough & (position == 0), enough & (position == 1)
    return split_by_rows("last item", dataset, ~(test | validation), validation, test, mask)


def by_time(dataset, validation=0.1, test=0.1, mask="default"):
    """One clock for everybody: what happens after a moment is tested, what happened before it trains.

    Each held-out interaction is a case whose history is all that its user did before it.

    Parameters
    ----------
    dataset : Dataset
    validation, test : float
        Shares of all interactions: the last ones are the test, those before them validation.
    mask : "default", "known", "train" or None
        As in `leave_last_out`; with "known" nothing that stands in the history of a case is ranked.

    Returns
    -------
    split : Split

    Raises
    ------
    DataError
        The data have no times, or too coarse ones; shares that leave nothing to train on; a `mask` that is none of
        these.

    Example
    -------
    >>> cut = rb.by_time(shop, validation=0.1, test=0.2)
    >>> len(cut.train), len(cut.validation), len(cut.test)
    (1400, 200, 400)
    """
    times = np.sort(dataset.interactions["timestamp"].to_numpy())
    shares(validation, test)
    if not dataset.clock:
        raise DataError(f"{dataset.name}: there are no timestamps, only the order of each user's events; nothing says what "
                        "was earlier for two users. Name the column of the times, or split by leave_last_out or by_ratio.")
    first_validation = times[int(len(times) * (1 - validation - test))]
    first_test = times[int(len(times) * (1 - test))]
    if first_validation == times[0] or (validation and first_validation == first_test):
        raise DataError(f"{dataset.name}: timestamps are too coarse to split by time.")
    now = dataset.interactions["timestamp"].to_numpy()
    split = split_by_rows("time", dataset, now < first_validation, (now >= first_validation) & (now < first_test),
                          now >= first_test, mask)
    if what_to_mask(mask, dataset) != "known":
        return split
    return replace(split, **{name: replace(cases, masks_history=True) for name in ("test", "validation")
                             if (cases := getattr(split, name)) is not None})


def by_moment(dataset, trained_until, asked_from=None, asked_until=None, mask="default"):
    """What happened before one moment trains; what happened later, in a window, is asked, each with all that came before it.

    So a model of one day is asked on later days: histories are fresh, its weights are old.

    Parameters
    ----------
    dataset : Dataset
    trained_until, asked_from, asked_until : float
        Seconds since 1970. The window goes from `asked_from`, or else from `trained_until` on, to before `asked_until`, or
        to the end of the data.
    mask : "default", "known", "train" or None
        As in `by_time`.

    Returns
    -------
    split : Split
        Without validation.

    Raises
    ------
    DataError
        The data have no times; nothing happened before the moment, or in the window; a window that begins before what
        trains has ended.

    Example
    -------
    >>> moment = shop.interactions["timestamp"].quantile(0.5)
    >>> cut = rb.by_moment(shop, moment, moment + 7 * 86_400, moment + 14 * 86_400)     # a week old
    >>> len(cut.train), bool((cut.test.now >= moment + 7 * 86_400).all())
    (1000, True)
    """
    if not dataset.clock:
        raise DataError(f"{dataset.name}: there are no timestamps, only the order of each user's events: no moment cuts them.")
    asked_from = trained_until if asked_from is None else asked_from
    asked_until = np.inf if asked_until is None else asked_until
    if asked_from < trained_until:
        raise DataError(f"asked_from={asked_from} is before trained_until={trained_until}: what trains would be asked.")
    now = dataset.interactions["timestamp"].to_numpy()
    train, asked = now < trained_until, (now >= asked_from) & (now < asked_until)
    for rows, where in ((train, f"before {trained_until}"), (asked, f"from {asked_from} to {asked_until}")):
        if not rows.any():
            raise DataError(f"{dataset.name}: nothing happened {where}; its times are {now.min()} to {now.max()}.")
    split = split_by_rows("moment", dataset, train, np.zeros_like(train), asked, mask)
    if what_to_mask(mask, dataset) != "known":
        return split
    return replace(split, test=replace(split.test, masks_history=True))


def what_to_mask(mask, dataset):
    """"known", "train" or None, as `leave_last_out` explains them."""
    if mask not in ("default", "known", "train", None):
        raise DataError(f"mask is 'default', 'known', 'train' or None, not {mask!r}")
    return (None if dataset.items_return else "known") if mask == "default" else mask


def split_by_rows(name, dataset, train, validation, test, mask):
    """A split from three boolean arrays over the rows of the interactions."""
    events, both, mask = dataset.interactions, train | validation, what_to_mask(mask, dataset)
    log = Log(events, dataset.n_users, dataset.ids)

    def cases(asked, known):
        hidden = {"known": known, "train": train}.get(mask)
        return cases_from_rows(dataset, np.flatnonzero(asked), None if hidden is None else events[hidden], log)

    return Split(
        name, dataset, events[train].reset_index(drop=True),
        test=cases(test, both),
        validation=cases(validation, train) if validation.any() else None,
        train_and_validation=events[both].reset_index(drop=True),
    )


def by_ratio(dataset, validation=0.1, test=0.2, mask="default"):
    """Each user's last interactions, a share of them, are one case with many right answers; likewise validation.

    The training and validation parts are rounded up, as in Caser's code.

    Parameters
    ----------
    dataset : Dataset
    validation, test : float
        Shares of each user's interactions.
    mask : "default", "known", "train" or None
        As in `leave_last_out`.

    Returns
    -------
    split : Split

    Raises
    ------
    DataError
        Nobody has so many interactions that a share of them can be held out; shares that leave nothing to train on; a
        `mask` that is none of these.

    Example
    -------
    >>> cut = rb.by_ratio(films, validation=0, test=0.4)
    >>> len(cut.test), cut.test.target.shape        # a case each, P right items
    (3, (3,))
    """
    shares(validation, test)
    events = dataset.interactions
    count = np.bincount(events["user"], minlength=dataset.n_users)
    train_size = np.ceil(round_away((1 - validation - test) * count))
    seen_size = np.ceil(round_away((1 - test) * count))
    position = events.groupby("user").cumcount().to_numpy()
    part = (position >= train_size[events["user"]]).astype(int) + (position >= seen_size[events["user"]])
    train, held_back, held_out = (events[part == number].reset_index(drop=True) for number in range(3))
    return split_from_parts("ratio", dataset, train, held_back, held_out, mask)


def round_away(share):
    """Take floating-point dust off a product such as 0.7 * 10, before it is rounded up."""
    return np.round(share, 9)


def split_from_parts(name, dataset, train, validation, test, mask="default"):
    """A split from three frames of interactions, one case a user with all of the user's later items as answers."""
    both = pd.concat([train, validation]).sort_values("user", kind="stable", ignore_index=True)
    mask = what_to_mask(mask, dataset)

    def cases(known, answers):
        log, hidden = Log(known, dataset.n_users, dataset.ids), {"known": known, "train": train}.get(mask)
        users, case = np.unique(answers["user"].to_numpy(), return_inverse=True)
        order = np.argsort(case, kind="stable")
        first = answers.groupby("user")["timestamp"].min()
        return Cases(log, users=users, ends=log.starts[users + 1], now=first.loc[users].to_numpy(), case=case[order],
                     target=answers["item"].to_numpy()[order], n_items=dataset.n_items,
                     rating=answers["rating"].to_numpy(np.float32)[order] if "rating" in answers else None,
                     masked=None if hidden is None else binary_matrix(hidden, dataset.n_users, dataset.n_items))

    return Split(name, dataset, train, validation=cases(train, validation) if len(validation) else None,
                 test=cases(both, test), train_and_validation=both)


def strong_generalisation(dataset, held_out=0.1, share=0.8, least=5, seed=0):
    """Users that no model has seen: each is asked about after a part of their history, and none of it trains.

    Liang, Krishnan, Hoffman and Jebara, *Variational Autoencoders for Collaborative Filtering*, WWW 2018, after Marlin
    2004. Training holds all of the other users' interactions. Of a held-out user, a `share` of the items they met, drawn at
    random, is their history (a model *folds it in*), and the rest are the right answers; what nobody trains on is neither
    asked for nor ranked, and what was folded in is not ranked. A model that knows users by a vector has none for them.

    Parameters
    ----------
    dataset : Dataset
    held_out : int or float
        How many users for validation, and as many for the test; below 1 it is a share of all users.
    share : float
        Of the items of a held-out user that are folded in; the answers are rounded down, as in the paper's code.
    least : int
        Who met fewer items takes no part, not in training either.
    seed : int
        Of who is held out and which items are folded in.

    Returns
    -------
    split : Split
        `refit()` leaves it as it is: users of the validation never train.

    Raises
    ------
    DataError
        Too few users; a share that leaves a user nothing to fold in, or nobody an answer.

    Example
    -------
    >>> strangers = rb.strong_generalisation(shop, held_out=10)
    >>> len(strangers.test), strangers.train["user"].nunique()
    (10, 29)
    """
    if not 0 < share < 1:
        raise DataError(f"share={share}: a share above 0 and below 1 of a history is folded in, the rest is asked for.")
    if least < 1 or held_out <= 0:
        raise DataError(f"least={least} and held_out={held_out}: at least one item a user, and at least one user.")
    met = dataset.interactions.drop_duplicates(["user", "item"])        # the first time that a user met an item
    active = np.flatnonzero(np.bincount(met["user"], minlength=dataset.n_users) >= least)
    number = int(held_out) if held_out >= 1 else int(round_away(held_out * len(active)))
    if number < 1 or 2 * number >= len(active):
        raise DataError(f"{dataset.name}: held_out={held_out} asks for {number:,} users twice, and {len(active):,} have met "
                        f"{least} items or more: somebody has to be held out, and somebody to train.")
    rng = np.random.default_rng(seed)
    asked = rng.permutation(active)[:2 * number]
    trains = np.isin(dataset.interactions["user"], np.setdiff1d(active, asked))
    train = dataset.interactions[trains].reset_index(drop=True)
    known = np.zeros(dataset.n_items, dtype=bool)
    known[train["item"].unique()] = True

    def cases(users):
        own = met[np.isin(met["user"], users) & known[met["item"]]]
        count = np.bincount(own["user"], minlength=dataset.n_users)
        answers = np.floor(round_away((1 - share) * count)).astype(int)
        if (count[users] == 0).any():
            user = dataset.users["original"].iloc[users[(count[users] == 0).argmax()]]
            raise DataError(f"{dataset.name}: user {shown(user)} is held out, and nobody who trains has met any of their "
                            "items: there is no click to fold in. Hold out fewer users, or raise least.")
        if not answers.any():
            raise DataError(f"{dataset.name}: share={share} folds in all that the held-out users met: nothing is left to ask "
                            "for. Lower share, or raise least.")
        drawn = pd.Series(rng.random(len(own)), index=own.index).groupby(own["user"]).rank(method="first").to_numpy()
        held = drawn <= answers[own["user"]]
        cut = split_from_parts("", dataset, own[~held], own[:0], own[held], mask=None).test
        return replace(cut, masked=binary_matrix(own[~held], dataset.n_users, dataset.n_items) + unknown(users))

    def unknown(users):
        """1 where a user would be asked for an item that nobody trains on."""
        pairs = np.array(list(itertools.product(users, np.flatnonzero(~known))), dtype=np.int64).reshape(-1, 2)
        return binary_matrix(pd.DataFrame(pairs, columns=["user", "item"]), dataset.n_users, dataset.n_items)

    return Split("strong generalisation", dataset, train, validation=cases(np.sort(asked[:number])),
                 test=cases(np.sort(asked[number:])))


def random_folds(dataset, folds=5, seed=0):
    """Cross-validation of ratings, each rating tested once: a list of splits.

    The same folds as scikit-surprise's `KFold(folds, random_state=seed)` on the ratings in the order of the source's
    file. Random folds let the future train; they are here to reproduce published RMSE. Where items do not return, what
    a user rated in training is not ranked.

    Parameters
    ----------
    dataset : Dataset
    folds : int
    seed : int
        Of the order in which the ratings are dealt out.

    Returns
    -------
    splits : list of Split
        One a fold, each without validation.

    Raises
    ------
    DataError
        `folds` is not a whole number from 2 to that of the interactions.

    Example
    -------
    >>> [len(fold.test) for fold in rb.random_folds(films, folds=3)]
    [3, 3, 3]
    """
    events = dataset.interactions
    if not isinstance(folds, Integral) or not 2 <= folds <= len(events):
        raise DataError(f"folds={folds!r}: a whole number from 2 to that of the interactions, {len(events):,}.")
    order = np.arange(len(events))
    np.random.RandomState(seed).shuffle(order)
    if "row" in events:  # the line of the source's file: the folds are drawn over these
        by_row = np.argsort(events["row"].to_numpy())
        order = by_row[order]
    parts = np.array_split(order, folds)
    return [rating_split(f"random fold {number + 1} of {folds}", dataset, part) for number, part in enumerate(parts)]


def rating_split(name, dataset, test_rows):
    """A split whose every test case asks for one rating; histories hold the user's training ratings."""
    events = dataset.interactions
    tested = np.zeros(len(events), dtype=bool)
    tested[test_rows] = True
    train = events[~tested].reset_index(drop=True)
    log = Log(train, dataset.n_users, dataset.ids)
    test = cases_from_rows(dataset, np.flatnonzero(tested), None if dataset.items_return else train, log)
    return Split(name, dataset, train, test=replace(test, ends=log.starts[test.users + 1]))


def shares(validation, test):
    """Refuse shares that leave nothing to train on."""
    numbers = all(isinstance(share, Real) for share in (validation, test))
    if not (numbers and 0 < test < 1 and 0 <= validation < 1 and validation + test < 1):
        raise DataError(f"validation={validation} and test={test} must be shares that leave some to train on")
