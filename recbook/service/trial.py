"""Champion and challenger: what became of the lists of two versions, and whether the new one has to go.

Customers are compared, not lists: what one customer does with ten lists is no ten answers. Whoever looks every day and stops
at the first difference finds one that is none (Johari, Koomen, Pekelis and Walsh, *Peeking at A/B Tests*, KDD 2017); so
each of a number of looks that was fixed beforehand is given its part of the false alarms (Bonferroni).
"""

import logging
import threading
from dataclasses import asdict, dataclass

import pandas as pd
from scipy import stats

from recbook.errors import DataError, ModelError, RecbookError

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


def outcomes(store, first=0):
    """What became of the lists in a store: one row a customer and version, with how many `lists` they were shown and the
    share of these from which something was `taken` (an event names the list by its `request`). The lists before the one with the number `first` do not count."""
    shown = pd.DataFrame([(one.request, one.user, one.version, set(one.items)) for one in store.impressions()[first:]
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


class Watch:
    """A trial on a service: a look after so many customers, and a challenger that is worse goes back by itself.

    Looks come with customers, not with the clock, which may jump. What was found is kept in the store: a service that is
    started anew goes on with the trial.

    versions : Versions
    store : Store
    """

    def __init__(self, versions, store):
        self.versions, self.store, self.looking = versions, store, threading.Lock()
        self.trial, self.customers = store.get("trial"), set()
        if self.goes_on:
            self.customers = {one.user for one in store.impressions()[self.trial["first"]:] if one.user is not None}

    @property
    def goes_on(self):
        return self.trial is not None and self.trial["verdict"] == "go on"

    def start(self, challenger, share, looks, customers):
        """Give a run this share of the users, and look so many times until so many customers have come.

        A trial of this run that the store knows goes on, or stays decided.
        """
        if self.trial is not None and self.trial["challenger"] == challenger:
            return
        if not 0 < share < 1:
            raise ModelError(f"share={share}: a trial needs customers of both versions, a share above 0 and below 1.")
        if not 1 <= looks <= customers:
            raise ModelError(f"{looks} looks at {customers} customers: at least one customer for each look, and one look.")
        if len(self.versions.now) > 1 or self.versions.now[0].name == challenger:
            raise ModelError("A trial begins with one version that answers, which is another one than the challenger.")
        champion = self.versions.now[0].name
        self.versions.change(challenger, share)
        self.customers = set()
        self.keep({"champion": champion, "challenger": challenger, "looks": looks, "customers": customers,
                   "first": len(self.store.impressions()), "found": [], "verdict": "go on"})

    def keep(self, trial):
        self.store.set("trial", trial)
        self.trial = trial

    def shown(self, user):
        """Somebody was answered: perhaps it is time for a look. What goes wrong with it is logged, and tried again."""
        if not self.goes_on or user is None:
            return
        with self.looking:
            self.customers.add(user)
            if self.goes_on and len(self.customers) * self.trial["looks"] >= self.trial["customers"] * (len(self.trial["found"]) + 1):
                try:
                    self.look()
                except RecbookError as problem:
                    logging.getLogger("recbook").error("The trial of %s: %s", self.trial["challenger"], problem)

    def look(self):
        """The next look, and what follows from it."""
        trial = self.trial
        champion, challenger = trial["champion"], trial["challenger"]
        if {version.name for version in self.versions.now} != {champion, challenger}:
            self.keep(trial | {"verdict": "ended"})                     # somebody has changed the versions
            return
        found = look(outcomes(self.store, trial["first"]), champion, challenger, trial["looks"], len(trial["found"]) + 1)
        if found.verdict == "back":
            self.versions.change(champion, 1)
        last = len(trial["found"]) + 1 == trial["looks"]
        verdict = "keep" if last and found.verdict == "go on" else found.verdict    # too few customers of one version: it stays
        self.keep(trial | {"found": [*trial["found"], asdict(found)], "verdict": verdict})
