"""What the service does, whatever it is asked through."""

import threading
import time
import uuid

from recbook.errors import DataError
from recbook.service.catalogue import Catalogue
from recbook.service.store import Event, Impression
from recbook.service.trial import Watch
from recbook.service.versions import Versions

AHEAD = 86_400      # seconds that somebody else's clock may be ahead


class Service:
    """Recommendations for the users of a data set, who go on meeting items.

    Parameters
    ----------
    dataset : Dataset
    runs : Path
        The folder in which the runs stand, each a folder of `recbook train`.
    name : str
        The run that answers first, where the store does not say otherwise.
    store : Store
    days : float or None
        Somebody of whom nothing is known gets what was popular in the last so many days of the data; None: in all of them.
    """

    def __init__(self, dataset, runs, name, store, days=None):
        self.store = store
        kept = store.get("data")
        if kept not in (None, dataset.name):
            raise DataError(f"The store holds what happened in {kept}, and {dataset.name} is to be served: choose another store.")
        self.catalogue = Catalogue(dataset, store.items(), days)        # another takes its place in one step
        self.growing = threading.Lock()
        self.versions = Versions(dataset, runs, store)
        self.versions.begin(name)
        self.watch = Watch(self.versions, store)
        store.set("data", dataset.name)
        self.stock = threading.Lock()
        self.sold_out = self.numbers_sold_out()

    @property
    def names(self):
        """What users and items are called."""
        return self.catalogue.names

    @property
    def dataset(self):
        """The data, and the items that were put since."""
        return self.catalogue.dataset

    def numbers_sold_out(self):
        """What is out of stock and in the catalogue: a set of numbers, which stay the same when items are put."""
        numbers = self.names.numbers
        return {numbers[item] for item in self.store.sold_out() if item in numbers}

    def recommend(self, user, k, recent=(), profile=None):
        """An answer, after it is kept as an impression.

        user : id or None   somebody new is answered too. k : int
        recent : list       ids or titles of what was just met and not reported
        profile : dict      {column of the data's users: value}, for somebody new
        """
        now, request = time.time(), uuid.uuid4().hex
        sold_out, catalogue = self.sold_out, self.catalogue             # in this order: what is sold out is in the catalogue
        names = catalogue.names
        profile = names.profile(profile or {})
        user = None if user is None else names.user(user)
        numbers = names.numbers
        met = [] if user is None else [(numbers[event.item], event.behaviour, event.rating, event.time)
                                       for event in self.store.history(user) if event.item in numbers]
        met += [(names.item(item), "view", None, now) for item in recent]
        version, model = self.versions.choose(request if user is None else user)
        row = None if user is None else names.row(user)
        items, by = catalogue.ranking.best(catalogue.model(model), row, met, now, sold_out, k, profile)
        told = [names.told(item) for item in items]
        self.store.add_impression(Impression(request, now, user, version.name, version.share, by,
                                             tuple(one["item"] for one in told)))
        self.watch.shown(user)
        return {"request": request, "user": user, "version": version.name, "propensity": version.share, "by": by, "items": told}

    def accept(self, events):
        """Keep what happened, all of it or nothing; returns how many events were not known yet.

        events : list of dict   fields of `Event`; `item` may be a title; `id`, `time` and others may be missing
        """
        now, found, names = time.time(), [], self.names
        for number, event in enumerate(events):
            try:
                item = names.item_ids[names.item(event["item"])]
            except DataError as problem:
                raise DataError(f"events[{number}]: {problem}") from None
            when = now if event.get("time") is None else event["time"]
            if when > now + AHEAD:
                raise DataError(f"events[{number}]: time={when:g} is to come; it counts seconds since 1970.")
            self.refuse_rating(number, event.get("rating"))
            found.append(Event(event.get("id") or uuid.uuid4().hex, names.user(event["user"]), item, when,
                               event.get("behaviour") or "view", event.get("rating"), event.get("request")))
        return self.store.add_events(found)

    def refuse_rating(self, number, rating):
        """Refuse a rating beyond the scale of the data, where they say one."""
        if rating is None:
            return
        if self.dataset.rating_scale is None and rating < 0:
            raise DataError(f"events[{number}]: rating={rating:g}; ratings here are 0 or more.")
        low, high = self.dataset.rating_scale or (rating, rating)
        if not low <= rating <= high:
            raise DataError(f"events[{number}]: rating={rating:g}; ratings here are {low:g} to {high:g}.")

    def set_stock(self, changes):
        """{id or title: whether it is in stock}; all of it or nothing. Returns how many items are out of stock."""
        names = self.names
        changes = {names.item_ids[names.item(item)]: there for item, there in changes.items()}
        with self.stock:                                                # the set is that of the store, whoever came last
            self.store.set_stock(changes)
            self.sold_out = self.numbers_sold_out()
        return len(self.sold_out)

    def put_items(self, items):
        """Take items that nobody has met into the catalogue, all of them or none; returns how many were new to it.

        items : list of dict   `item`, `about`, `picture`; see `Catalogue.grown`
        """
        with self.growing:
            now, models = self.versions.answering
            grown, fresh = self.catalogue.grown(items, {version.name: models[version.name] for version in now})
            if fresh:
                self.store.add_items(fresh)
                self.catalogue = grown
        with self.stock:
            self.sold_out = self.numbers_sold_out()
        return len(fresh)

    def check(self):
        """Whether it can answer and keep what it is told; raises what is in the way."""
        self.store.set("seen", time.time())
        self.versions.choose(None)
