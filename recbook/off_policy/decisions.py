"""Anybody's log of decisions, and a policy to be judged by it, as arrays; or one sentence about what stands in the way."""

import os
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recbook.data.files import read_table
from recbook.data.frames import as_frame, column_of, refuse_missing
from recbook.errors import DataError, shown

NAME = "the log"
FEW = 5         # names that a message lists


@dataclass(frozen=True)
class Decisions:
    """A log that was checked, one row a decision.

    Attributes
    ----------
    frame : DataFrame
        The log itself, rows numbered from 0.
    actions : list
        What might be shown.
    action : array (N,) of int
        What was shown: a place in `actions`.
    propensity, reward : array (N,)
    position : array (N,) of int, or None
        The place in the slate, from 0.
    visit, together : array (N,) of int, or None
        Rows of one visit; rows that are drawn together.
    """

    frame: pd.DataFrame
    actions: list
    action: np.ndarray
    propensity: np.ndarray
    reward: np.ndarray
    position: np.ndarray | None
    visit: np.ndarray | None
    together: np.ndarray | None

    def __len__(self):
        return len(self.frame)


def read(log, action="action", propensity="propensity", reward="reward", position="position", visit=None, together=None,
         actions=None):
    """The `Decisions` of a frame or a CSV file; `evaluate` says what the arguments are."""
    if isinstance(log, str | os.PathLike):
        log = read_table(log, types={propensity: float, reward: float})
    frame = as_frame(log, NAME).reset_index(drop=True)
    if not len(frame):
        raise DataError(f"{NAME} has no decision. Is the file empty?")
    shown_actions = column_of(frame, action, "action", NAME)
    refuse_missing(shown_actions, NAME, "action")
    chances = numbers(frame, propensity, "propensity")
    refuse(chances <= 0, chances, "a propensity is the chance of what was shown, above 0: what could not be shown was not "
                                  "shown. Log the true chance, or leave the row out")
    refuse(chances > 1, chances, "a propensity is a chance, at most 1. A percentage is divided by 100, a weight turned over")
    rewards = numbers(frame, reward, "reward")
    if shown_actions.nunique() == 1:
        raise DataError(f"{NAME}: every row shows the same action, {shown(shown_actions[0])}. Such a log says nothing of any "
                        "other policy: some share of the decisions has to be varied.")
    known = sorted(shown_actions.unique()) if actions is None else list(actions)
    number = pd.Index(known).get_indexer(shown_actions)
    if (number < 0).any():
        row = (number < 0).argmax()
        raise DataError(f"{NAME}, row {row + 1}: {shown(shown_actions[row])} is none of the actions that may be shown "
                        f"({listed(known)}).")
    place = None
    if position in frame.columns:
        refuse_missing(frame[position], NAME, "position")
        place = pd.factorize(frame[position], sort=True)[0]
    visit = groups(frame, visit, "visit")
    return Decisions(frame, known, number, chances, rewards, place, visit,
                     groups(frame, together, "together") if together else visit)


def numbers(frame, column, what):
    """A column of finite numbers, none missing: (N,)."""
    values = column_of(frame, column, what, NAME)
    found = pd.to_numeric(values, errors="coerce").to_numpy(float, na_value=np.nan)
    missing = ~np.isfinite(found)
    if missing.any():
        row = missing.argmax()
        told = f"has no {what}" if pd.isna(values[row]) else f"{shown(values[row])} is no {what}"
        more = {"reward": " A decision whose outcome is not known yet is left out; it is no reward of 0.",
                "propensity": " Without the chance with which the old policy chose, a log answers for that policy alone."}
        raise DataError(f"{NAME}: row {row + 1}{'' if pd.isna(values[row]) else ':'} {told}.{more.get(what, '')}")
    return found


def refuse(wrong, values, why):
    """Refuse the first row that is wrong."""
    if wrong.any():
        row = wrong.argmax()
        raise DataError(f"{NAME}: row {row + 1}: {values[row]:g} is no propensity: {why}.")


def groups(frame, column, what):
    """The rows of a column's values as numbers from 0, or None."""
    return None if column is None else pd.factorize(column_of(frame, column, what, NAME))[0]


def listed(names):
    """A few names, for a message."""
    names = list(names)
    return ", ".join(map(shown, names[:FEW])) + (f" and {len(names) - FEW} others" if len(names) > FEW else "")


# ------------------------------------------------------------------------------------------------ the policy


@dataclass(frozen=True)
class Chances:
    """With which chance the new policy shows what.

    own (N,): in each row, what was logged there. all (K, A), key (N,) : in each row, all actions: `all[key]`; None if only
    `own` is known. actions : their names, those of the log first.
    """

    own: np.ndarray
    all: np.ndarray | None = None
    key: np.ndarray | None = None
    actions: list | None = None

    def expected(self, predicted):
        """The mean of a reward model's (N, A) over what the policy shows: (N,)."""
        return np.einsum("na,na->n", self.all[self.key], predicted)

    def never_logged(self, decisions):
        """The share of the policy's own decisions that the log has nowhere, or not at that position: (share, actions)."""
        position = np.zeros(len(decisions), dtype=int) if decisions.position is None else decisions.position
        seen = np.zeros((position.max() + 1, len(self.actions)), dtype=bool)
        seen[position, decisions.action] = True
        lost = np.zeros(len(self.actions))
        for place, known in enumerate(seen):
            lost += np.where(known, 0.0, self.all[self.key[position == place]].sum(0))
        return lost.sum() / len(decisions), [self.actions[number] for number in np.argsort(-lost) if lost[number] > 0]


def chances(policy, decisions):
    """The `Chances` of a policy, whichever way it is given; `evaluate` says which there are."""
    if callable(policy):
        policy = policy(decisions.frame)
    if isinstance(policy, os.PathLike) or isinstance(policy, str) and policy not in decisions.frame.columns:
        policy = read_policy(policy, decisions)
    if isinstance(policy, pd.DataFrame):
        found = from_table(policy, decisions)
    else:
        if isinstance(policy, str):
            policy = numbers(decisions.frame, policy, "chance")
        values = np.asarray(policy, dtype=float)
        n, wide = len(decisions), (len(decisions), len(decisions.actions))
        if values.shape == (n,):
            found = Chances(values)
        elif values.shape == wide:
            found = Chances(values[np.arange(n), decisions.action], values, np.arange(n), decisions.actions)
        else:
            raise DataError(f"The policy has the shape {values.shape}: a chance for each of the {n:,} rows of the log is "
                            f"needed, or {wide}, one for each row and action.")
    checked(found)
    return found


def read_policy(path, decisions):
    """A policy's table out of a CSV file, its ids of the same kind as the log's."""
    if not os.path.exists(path):
        raise DataError(f"policy {str(path)!r}: neither a column of the log ({listed(decisions.frame.columns)}) nor a file.")
    return read_table(path, types={"probability": float})


def from_table(table, decisions):
    """A policy that is written out: columns `action`, `probability`, and those of the log that the choice depends on."""
    for column in ("action", "probability"):
        if column not in table.columns:
            raise DataError(f"The policy's table has no column {column!r}; it has {listed(table.columns)}.")
    keys = [column for column in table.columns if column not in ("action", "probability")]
    for column in keys:
        if column not in decisions.frame.columns:
            raise DataError(f"The policy depends on {column!r}, and the log has no such column, only "
                            f"{listed(decisions.frame.columns)}.")
    strange = ~table["action"].isin(decisions.actions)
    names = [*decisions.actions, *pd.unique(table["action"][strange])]              # the log never has the last ones
    if keys:
        index = pd.MultiIndex.from_frame(table[keys])
        known = index.unique()
        case, key = known.get_indexer(index), known.get_indexer(pd.MultiIndex.from_frame(decisions.frame[keys]))
        if (key < 0).any():
            row = (key < 0).argmax()
            told = ", ".join(f"{column} {shown(decisions.frame[column][row])}" for column in keys)
            raise DataError(f"{NAME}: row {row + 1}: the policy does not say what it shows for {told}.")
    else:
        case, key = np.zeros(len(table), dtype=int), np.zeros(len(decisions), dtype=int)
    every = np.zeros((case.max() + 1, len(names)))
    np.add.at(every, (case, pd.Index(names).get_indexer(table["action"])), table["probability"].to_numpy(float))
    return Chances(every[key, decisions.action], every, key, names)


def checked(found):
    """Refuse what are no chances, and a policy of which the log says nothing."""
    for values in (found.own, *([] if found.all is None else [found.all])):
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1 + 1e-6:
            raise DataError("The policy's chances are to be numbers from 0 to 1: "
                            f"{shown(values.min())} to {shown(values.max())} were given.")
    if found.all is not None:
        sums = found.all.sum(1)
        worst = abs(sums - 1).argmax()
        if abs(sums[worst] - 1) > 1e-3:
            raise DataError(f"The policy's chances are to add up to 1 over the actions; {sums[worst]:.4f} was found.")
    if not (found.own > 0).any():
        raise DataError("The policy would have shown nothing of what the log shows: there is no overlap, and the log says "
                        "nothing of it. Are the actions written in the same way?")
