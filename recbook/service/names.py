"""Ids and titles of the data's source, in both directions. Nobody outside is told a number of a row."""

from collections import defaultdict
from functools import cached_property

from recbook.data.dataset import whole
from recbook.data.features import parts_of
from recbook.errors import DataError, shown


class Names:
    """What users and items are called.

    dataset : Dataset
    """

    def __init__(self, dataset):
        self.dataset = dataset
        self.user_ids, self.item_ids = dataset.ids.users, dataset.ids.items
        self.numbers = {one: number for number, one in enumerate(self.item_ids)}
        self.whole_users = all(isinstance(one, int) for one in self.user_ids)
        self.whole_items = all(isinstance(one, int) for one in self.item_ids)
        self.titles = [dataset.title(number) for number in range(dataset.n_items)]
        self.called = defaultdict(list)
        if "title" in dataset.items:
            for number, title in enumerate(self.titles):
                self.called[title.casefold()].append(number)

    def row(self, user):
        """The row of a user among the data's, or None for somebody new."""
        return self.dataset.find_user(user)

    def user(self, given):
        """A user's id as the source writes it, new or not: 42 for "42" where ids are whole numbers."""
        row = self.row(given)
        if row is not None:
            return self.user_ids[row]
        number = whole(given) if isinstance(given, str) else given
        return number if self.whole_users and number is not None else given

    def same_kind(self, given):
        """The id of an item that may be new: a whole number where all ids are, a text where they are not."""
        found = whole(given) if self.whole_items and isinstance(given, str) else given
        if isinstance(found, int) != self.whole_items:
            raise DataError(f"{shown(given)} is no id of {self.dataset.name}: its items' ids are "
                            f"{'whole numbers' if self.whole_items else 'text'}.")
        return found

    def item(self, given):
        """The number of the item of that id, or else of that title, however its letters are written."""
        for one in (given, whole(given) if isinstance(given, str) else str(given)):
            if one is not None and one in self.numbers:
                return self.numbers[one]
        found = self.called.get(given.casefold(), []) if isinstance(given, str) else []
        if len(found) > 1:
            same = ", ".join(shown(self.item_ids[number]) for number in found[:5])
            raise DataError(f"{len(found)} items are called {given!r}: say which one by its id, {same}.")
        if not found:
            raise DataError(f"{self.dataset.name} has no item {given!r}.")
        return found[0]

    @cached_property
    def of_users(self):
        """What may be said of somebody new: {column of the users: the values that stand there, as text}."""
        users = self.dataset.users
        return {column: sorted({str(part) for value in users[column] for part in parts_of(value)})
                for column in users if column != "original"}

    def profile(self, given):
        """What is said of somebody new, {column: value}, or an error: the first that the data do not have."""
        for column, value in given.items():
            if column not in self.of_users:
                known = ", ".join(self.of_users) or "nothing"
                raise DataError(f"{column} is no field of this request; of users {self.dataset.name} knows {known}.")
            if value not in self.of_users[column]:
                some = self.of_users[column]
                raise DataError(f"{column}: {shown(value)} is none of {', '.join(some[:10])}{', ...' if len(some) > 10 else ''}.")
        return given

    def told(self, number):
        """An item as an answer shows it."""
        return {"item": self.item_ids[number], "title": self.titles[number]}
