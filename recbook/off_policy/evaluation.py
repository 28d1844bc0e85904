"""A log and a policy in; estimates, intervals, and how far they can be believed, out."""

import warnings
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from recbook.errors import DataError
from recbook.off_policy import decisions as logs
from recbook.off_policy.estimators import (clipped, direct, doubly_robust, effective_size, estimate, inverse_propensity,
                                           self_normalised, switch)
from recbook.off_policy.rewards import shrunken_means

LOST = 0.01     # share of the policy's decisions without support, from which on it is said
FEW_ROWS = 0.01  # effective share of the rows, below which it is said
FAR = 3.0       # standard errors between the mean weight and 1, from which on it is said


@dataclass(frozen=True)
class Evaluation:
    """What a log says of a policy. `evaluate` makes it.

    Attributes
    ----------
    table : DataFrame
        A row an estimator: `value`, `error` (standard error), `low`, `high` (95 % interval).
    logged : dict
        The same numbers of the policy that wrote the log.
    n : int
        Rows of the log.
    effective : float
        Effective sample size: of so many rows of the new policy's own the estimate would be about as certain.
    heaviest : float
        The largest weight: so many times one row counts.
    mean_weight : dict
        `value`, `low`, `high` of the mean weight. It is 1 if propensities are true and nothing lacks support.
    unsupported : float or None
        Share of the policy's decisions that the log never shows (at that position); None if it cannot be known.
    warnings : list of str
    """

    table: pd.DataFrame
    logged: dict
    n: int
    effective: float
    heaviest: float
    mean_weight: dict
    unsupported: float | None
    warnings: list = field(default_factory=list)

    def __getitem__(self, name):
        """The value of one estimator."""
        return float(self.table.loc[name, "value"])

    def __repr__(self):
        share = "" if self.unsupported is None else f"; without support: {self.unsupported:.1%} of its decisions"
        lines = [self.table.to_string(float_format="{:.4f}".format),
                 f"logged policy: {self.logged['value']:.4f} ({self.logged['low']:.4f} to {self.logged['high']:.4f})",
                 f"{self.n:,} rows, worth {self.effective:,.0f} of the policy's own; heaviest weight {self.heaviest:.1f}, "
                 f"mean {self.mean_weight['value']:.3f}{share}"]
        return "\n".join([*lines, *(f"! {text}" for text in self.warnings)])


def evaluate(log, policy, action="action", propensity="propensity", reward="reward", position="position", visit=None,
             together=None, actions=None, rewards=None, most=10.0, interval="normal", folds=3, seed=0):
    """What a policy would have earned, from a log of the decisions of another one.

    Parameters
    ----------
    log : DataFrame or path of a CSV file
        One row a decision: what was shown, with which chance, and what came of it.
    policy : str, array, DataFrame, path or callable
        The policy to be judged: a column of the log, or an array (N,), with its chance of what each row shows; an array
        (N, A) of its chances of all actions; a table, or a CSV file, with the columns `action`, `probability` and those of
        the log that its choice depends on; or a function that makes one of these from the log.
    action, propensity, reward, position : str
        The columns of the log that hold these. A log need not have a position.
    visit : str or None
        The column that says which rows were shown together: the value is then that of a visit, the sum over its rows.
    together : str or None
        The column of who or what is drawn anew in an interval, such as the user. By default the visit, or each row alone.
    actions : list or None
        All that may be shown, in the order of the columns of an array (N, A). By default what the log shows.
    rewards : array (N, A) or None
        What a reward model expects of each action in each row, for the direct and the doubly robust estimator. By default
        the mean reward of the action at its position in the other folds, drawn to the mean of all actions.
    most : float
        The largest weight of the clipped estimator and of the switch.
    interval : "normal" or "bootstrap"
    folds, seed : int
        Of the default reward model and of the bootstrap.

    Returns
    -------
    evaluation : Evaluation
        A warning is given, and kept in it, where the log cannot support what it is asked.

    Raises
    ------
    DataError
        A propensity that is missing, 0 or above 1, a reward that is missing, an action that is none, a log of one action,
        chances that are none, or a policy that shows nothing of what the log shows.

    Example
    -------
    >>> log = pd.DataFrame({"action": ["tea", "pot", "tea", "pot"],
    ...                     "propensity": [0.5, 0.5, 0.5, 0.5], "reward": [1, 0, 1, 0]})
    >>> policy = pd.DataFrame({"action": ["tea", "pot"], "probability": [0.75, 0.25]})
    >>> rb.off_policy.evaluate(log, policy)["IPS"]
    0.75
    """
    if interval not in ("normal", "bootstrap"):
        raise DataError(f"interval={interval!r}: say 'normal' or 'bootstrap'.")
    if not most > 0:
        raise DataError(f"most={most!r}: the largest weight is a number above 0.")
    decisions = logs.read(log, action, propensity, reward, position, visit, together, actions)
    found = logs.chances(policy, decisions)
    weight = found.own / decisions.propensity
    parts = {"IPS": inverse_propensity(decisions.reward, weight),
             f"IPS clipped at {most:g}": clipped(decisions.reward, weight, most),
             "SNIPS": self_normalised(decisions.reward, weight)}
    if found.all is not None:
        wide = len(decisions), found.all.shape[1]
        if rewards is None:
            rewards = shrunken_means(decisions.action, decisions.reward, wide[1], decisions.position, folds, seed=seed)
        rewards = np.asarray(rewards)
        if rewards.shape != wide or not np.isfinite(rewards).all():
            raise DataError(f"rewards: {wide} finite numbers are needed, one for each row and action; the shape is "
                            f"{rewards.shape}.")
        predicted, expected = rewards[np.arange(wide[0]), decisions.action], found.expected(rewards)
        parts |= {"DM": direct(expected),
                  "DR": doubly_robust(decisions.reward, weight, predicted, expected),
                  f"switch-DR at {most:g}": switch(decisions.reward, weight, predicted, expected, most)}
    share = 1.0                                                         # of a visit is a row
    if decisions.visit is not None:
        share = 1 / np.bincount(decisions.visit)[decisions.visit]
    options = {"together": decisions.together, "interval": interval, "seed": seed}
    table = pd.DataFrame({name: estimate(above, below * share, **options) for name, (above, below) in parts.items()}).T
    ones = np.ones(len(decisions))
    evaluation = Evaluation(table, estimate(decisions.reward, ones * share, **options), len(decisions),
                            effective_size(weight), float(weight.max()), estimate(weight, ones, decisions.together), None)
    lost, names = (None, []) if found.all is None else found.never_logged(decisions)
    said = list(doubts(evaluation, lost, names))
    for text in said:
        warnings.warn(text, stacklevel=2)
    return replace(evaluation, unsupported=lost, warnings=said)


def doubts(evaluation, lost, names):
    """Sentences about what the log cannot tell."""
    if lost is not None and lost > LOST:
        yield (f"In {lost:.1%} of its decisions the policy shows what the log never shows there ({logs.listed(names)}): "
               "nothing is known of these, and every estimate leaves them out or guesses.")
    mean = evaluation.mean_weight
    if abs(mean["value"] - 1) > FAR * mean["error"] + 1e-9:
        yield (f"The weights' mean is {mean['value']:.3f} ({mean['low']:.3f} to {mean['high']:.3f}) and should be 1: the "
               "propensities are not those of the log, or the policy shows what the log could not.")
    if evaluation.effective < FEW_ROWS * evaluation.n:
        yield (f"{evaluation.n:,} rows are worth {evaluation.effective:,.0f} of the policy's own: the log shows something "
               "else, and a few rows decide.")
