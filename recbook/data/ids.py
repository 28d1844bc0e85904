"""Whose numbers these are: a model that learned what item 7 is must not be told of another item 7."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, eq=False)
class Ids:
    """The source's ids of users and items, in the order of our numbers.

    users, items : list   number u is the user whose id is `users[u]`
    """

    users: list
    items: list

    @cached_property
    def users_table(self):
        """A hash of the users' ids: a whole number of 63 bits."""
        return hashed(self.users)

    @cached_property
    def items_table(self):
        """A hash of the items' ids."""
        return hashed(self.items)

    def without_users(self):
        """The items' ids alone, and how many users there are."""
        return Ids([None] * len(self.users), self.items)

    def numbers(self, what):
        """{id: number} of "users" or "items"."""
        return {one: number for number, one in enumerate(getattr(self, what))}


def hashed(ids):
    """The same for the same ids in the same order, on every machine and in every run."""
    text = json.dumps(ids, default=str).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
