"""Champion and challenger: what became of the lists of two versions, and whether the new one has to go.

Customers are compared, not lists: what one customer does with ten lists is no ten answers. Whoever looks every day and stops
at the first difference finds one that is none (Johari, Koomen, Pekelis and Walsh, *Peeking at A/B Tests*, KDD 2017); so
each of a number of looks that was fixed beforehand is given its part of the false alarms (Bonferroni).
"""

from dataclasses import dataclass

import pandas as pd
from scipy import stats

from recbook.errors import DataError

VERDICTS = ("back", "go on", "keep")


@dataclass(frozen=True)
class Look:
    """What one look at a trial found.

    verdict : str                   "back": the challenger is worse; "keep": it is not, and this was the last look; "go on"
    difference, low, high : float   challenger less champion, of the mean of customers, with its interval
    customers : dict                how many each version had
    """

    verdict: str
    difference: float
    low: float
    high: float
    customers: dict


def outcomes(store):
    """What became of the lists in a store: one row a customer and version, with how many `lists` they were shown and the
    share of these from which something was `taken` (an event names the list by its `request`)."""
    shown = pd.DataFrame([(one.request, one.user, one.version, set(one.items)) for one in store.impressions()
                          if one.user is not None], columns=["request", "user", "version", "items"])
    items = dict(zip(shown["request"], shown["items"]))
    taken = {event.request for user in shown["user"].drop_duplicates().tolist() for event in store.history(user)
             if event.item in items.get(event.request, ())}
    shown["taken"] = shown["request"].isin(taken)
    customers = shown.groupby(["version", "user"])["taken"].agg(["size", "mean"]).reset_index()
    return customers.rename(columns={"size": "lists", "mean": "taken"})


def look(customers, champion, challenger, looks, number, false_alarms=0.05):
    """One of several looks at a trial.

    customers : DataFrame    as `outcomes` makes it
    champion, challenger : str
    looks, number : int      how many looks there will be, and which this is, from 1 on
    false_alarms : float     the chance that an equally good challenger is sent back, or called better, at any of the looks
    """
    if not 1 <= number <= looks:
        raise DataError(f"Look {number} of {looks}: fix beforehand how many there will be.")
    groups = {name: customers.loc[customers["version"] == name, "taken"] for name in (champion, challenger)}
    sizes = {name: len(group) for name, group in groups.items()}
    if min(sizes.values()) < 2:
        return Look("go on", 0.0, -1.0, 1.0, sizes)
    test = stats.ttest_ind(groups[challenger], groups[champion], equal_var=False)
    low, high = test.confidence_interval(1 - false_alarms / looks)
    verdict = "back" if high < 0 else "keep" if number == looks else "go on"
    return Look(verdict, float(groups[challenger].mean() - groups[champion].mean()), float(low), float(high), sizes)
