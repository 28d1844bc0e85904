"""Is today like the quiet days? Numbers of each day, limits that quiet days set, and two-sample tests for comparison.

A two-sample test asks whether two samples of *independent* draws have one law. What customers do in one visit is not
independent, so that its p-value promises fewer false alarms than there are; limits from the quiet days' own numbers know how
much these differ from day to day. The tests and the quantiles are SciPy's.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from recbook.errors import DataError
from recbook.evaluation import top_lists

DAY = 86_400
LONGEST = 3_660     # days


def daily(model, cases, items, k=10, quiet=None, span=None):
    """What a shop can note of each day on which a model answers: one row a day, from lists, histories and what came next.

    Parameters
    ----------
    model : Recommender
    cases : Cases
        Questions with one right item each, what came next.
    items : DataFrame
        Of the data set: `category` and `price`, where it has them, are watched.
    k : int
        Length of the lists.
    quiet : Cases or None
        With whose categories those of a day are compared; by default with those of all cases.
    span : (number, number) or None
        The first moment of the first day and the end of the last, in seconds since 1970; by default from the first question
        to the last. A feed that is silent at the end of the span is seen only if the span is given.

    Returns
    -------
    days : DataFrame
        The index is the day, counted from the first; a day without events is there too, with 0 of them, and without a
        number for all else. `events`; `nothing known`, the share of questions without a history,
        which popularity answers; `age`, the median number of hours since the last event that is known; `hits`, the share
        of lists that hold what came next; `coverage`, the share of the catalogue on some list; `category`, half the sum of
        the differences of the categories' shares; `price`, the median logarithm of the price of what came next.

    Raises
    ------
    DataError
        A question outside the span, or a span of more than ten years: some clock has jumped.
    ModelError
        As in `evaluate`.
    """
    first, end = (cases.now.min(), cases.now.max() + 1) if span is None else span
    if cases.now.min() < first or cases.now.max() >= end:
        raise DataError(f"Questions from {cases.now.min()} to {cases.now.max()} are not all within {first:.0f} to {end:.0f}: a clock "
                        "has jumped, or the span is another one.")
    n_days = int(-(-(end - first) // DAY))
    if n_days > LONGEST:
        raise DataError(f"Questions from {first:.0f} to {end:.0f}, {n_days:,} days: a clock has jumped. Leave out what it stamped, or "
                        "give the span.")
    lists = top_lists(model, cases, k)                                  # (N, k)
    known = cases.ends - cases.log.starts[cases.users]
    last = cases.log.times[np.maximum(cases.ends - 1, 0)]
    asked = pd.DataFrame({
        "day": ((cases.now - first) // DAY).astype(int),
        "nothing known": known == 0,
        "age": np.where(known > 0, (cases.now - last) / 3600, np.nan),
        "hits": (lists == cases.target[:, None]).any(1),
    })
    days = asked.groupby("day")
    found = days[["nothing known", "hits"]].mean()
    found.insert(0, "events", days.size())
    found["age"] = days["age"].median()
    found["coverage"] = [len(np.unique(lists[rows])) / cases.n_items for rows in days.indices.values()]
    if "category" in items:
        of_item = items["category"].astype(str).to_numpy()
        usual = shares(of_item[(cases if quiet is None else quiet).target])
        found["category"] = [apart(shares(of_item[cases.target[rows]]), usual) for rows in days.indices.values()]
    if "price" in items:
        price = pd.Series(np.log(items["price"].to_numpy()[cases.target]))
        found["price"] = price.groupby(asked["day"]).median()
    return found.reindex(range(n_days)).fillna({"events": 0}).rename_axis("day")


def shares(values):
    """The share of each value: a Series that sums to 1."""
    return pd.Series(values).value_counts(normalize=True)


def apart(shares, others):
    """The total variation between two sets of shares: 0 if they are alike, 1 if they have nothing in common."""
    return float(shares.sub(others, fill_value=0).abs().sum() / 2)


@dataclass(frozen=True)
class Limits:
    """Between what a day's numbers lie as long as all is as it was.

    low, high : Series   one number for each that is watched
    """

    low: pd.Series
    high: pd.Series

    def out(self, days):
        """Which numbers of some days (D, columns) are out: a frame of bool. What is not a number is out."""
        days = days[self.low.index]
        return ~((days >= self.low) & (days <= self.high))

    def first_alarm(self, days):
        """{what is watched: how many days it took to be out, 1 for the first; None if it never was}."""
        out = self.out(days)
        return {name: int(out[name].to_numpy().argmax()) + 1 if out[name].any() else None for name in out}


def limits(quiet, false_alarms=0.01):
    """Limits from quiet days: prediction intervals of one more day, by Student's t.

    Parameters
    ----------
    quiet : DataFrame
        One row a day, one column for each number that is watched.
    false_alarms : float
        On which share of quiet days some number may be out: each column is given its part of it (Bonferroni).

    Returns
    -------
    limits : Limits

    Raises
    ------
    DataError
        Fewer than ten quiet days with a number, or a share that is none.
    """
    days = quiet.count()                                                # of each column; what is missing is no number
    if days.min() < 10:
        what = f" with a number for {days.idxmin()!r}" if len(quiet) >= 10 else ""
        raise DataError(f"{days.min()} quiet days{what}: at least ten are needed to say how much days differ.")
    if not 0 < false_alarms < 1:
        raise DataError(f"false_alarms={false_alarms}: a share of the days, above 0 and below 1.")
    quantile = stats.t.ppf(1 - false_alarms / quiet.shape[1] / 2, days - 1)
    width = quantile * quiet.std() * np.sqrt(1 + 1 / days)
    return Limits(quiet.mean() - width, quiet.mean() + width)


def p_value(before, now):
    """Of a two-sample test for independent draws: Kolmogorov and Smirnov's for numbers, chi-squared for names.

    before, now : arrays (N,), (M,)
    """
    before, now = np.asarray(before), np.asarray(now)
    if before.dtype.kind in "fiu":
        return float(stats.ks_2samp(before, now).pvalue)
    counts = pd.crosstab(np.repeat([0, 1], [len(before), len(now)]), np.concatenate([before, now]))
    return float(stats.chi2_contingency(counts).pvalue)
