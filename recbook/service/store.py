"""What must survive when the service is killed: events, stock, new items, which versions answer, and what was shown to whom.

Users and items stand here under the ids of their source, as JSON: another model, or a catalogue that has grown, reads the
same store. Whatever a method has taken is on disk (SQLite), or with the server (Redis), when the method returns.
"""

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass

from recbook.errors import RecbookError


class StoreError(RecbookError):
    """The store cannot be reached, read or written."""


@dataclass(frozen=True)
class Event:
    """Somebody met something.

    id : str            given by who reports it, so that the same event told twice counts once
    user, item : id
    time : float        seconds since 1970
    behaviour : str     view, favourite, cart or purchase
    rating : float or None
    request : str or None   the answer in which it was shown
    """

    id: str
    user: object
    item: object
    time: float
    behaviour: str = "view"
    rating: float | None = None
    request: str | None = None


@dataclass(frozen=True)
class Impression:
    """A list that was shown.

    request : str       of this answer
    time : float        seconds since 1970
    user : id or None   None: nobody in particular
    version : str       whose list it is
    propensity : float  how likely it was that this version would be asked: its share at that time
    by : str            "model", or "popularity" for somebody of whom the model knows nothing
    items : tuple       ids, from the first place on
    """

    request: str
    time: float
    user: object
    version: str
    propensity: float
    by: str
    items: tuple


class Store(ABC):
    """What `SQLiteStore` and `RedisStore` can do."""

    @abstractmethod
    def add_events(self, events):
        """Keep all of them, or none. Returns how many were not known yet, by their `id`."""

    @abstractmethod
    def history(self, user):
        """The events of a user, by time, and in the order in which they came: [Event]."""

    @abstractmethod
    def add_impression(self, impression):
        """Keep what was shown."""

    @abstractmethod
    def impressions(self):
        """All that was shown, in the order of its coming: [Impression]."""

    @abstractmethod
    def set_stock(self, changes):
        """{id of an item: whether it is in stock}; who was never named is."""

    @abstractmethod
    def sold_out(self):
        """The ids of the items that are out of stock: a set."""

    @abstractmethod
    def add_items(self, items):
        """Keep items that were put, each a dict of JSON: all of them, or none."""

    @abstractmethod
    def items(self):
        """All items that were put, in the order of their coming: a list."""

    @abstractmethod
    def set(self, name, value):
        """Keep a value of JSON under a name."""

    @abstractmethod
    def get(self, name, default=None):
        """The value under that name."""

    @abstractmethod
    def close(self):
        """Let go of it."""


def open_store(address):
    """The store at `redis://host:port/number`, or in that file: made if it is not there."""
    address = str(address)
    if address.startswith(("redis://", "rediss://", "unix://")):
        from recbook.service.redis_store import RedisStore

        return RedisStore(address)
    from recbook.service.sqlite_store import SQLiteStore

    return SQLiteStore(address)


def packed(record):
    """An `Event` or `Impression` as one line of JSON."""
    return json.dumps(asdict(record))


def unpacked(kind, text):
    """The record that `packed` wrote."""
    found = json.loads(text)
    if "items" in found:
        found["items"] = tuple(found["items"])
    return kind(**found)


def in_order(events):
    """Events by time; those of one time as they came."""
    return sorted(events, key=lambda event: event.time)
