"""Customers who come back, or do not: the shop over many visits, where what is shown today changes tomorrow.

Each visit is one slate (`Showing`). Two things are carried over. *Weariness*: a category that was shown is one level
more wearisome at the next visit, up to a highest level; one that was not shown recovers by one level. Each level
divides the odds of a click by `exp(tires)`. *Coming back*: after a visit with a click a customer comes back with the
chance `stays`, after a dull one with less, `stays * (1 - dull)`. Who stays away is lost. So the slate with the most
clicks today need not be the one with the most clicks in the end. With `tires=0` nothing of today matters tomorrow but
a click itself.

A customer keeps one taste over all their visits, and buys nothing on the way; all else is the shop's law. What decides
is then the state (chances of a click when rested, weariness), and with few items on offer its values can be counted
through: `tabular` writes the whole decision process down (Bellman, *Dynamic Programming*, 1957).
"""

from dataclasses import dataclass
from itertools import permutations, product
from math import perm

import numpy as np

from recbook.errors import DataError, shown
from recbook.settings import is_number, is_whole

MOST_CELLS = 20_000_000


class Returning:
    """The shop over many visits.

    Parameters
    ----------
    showing : Showing
        One visit: places, chances of clicks, worth of clicks.
    items : array (C,) or None
        What is on offer; None: the whole catalogue.
    tires : float
        How much each level of weariness takes from the logit of a click. 0: nobody tires.
    levels : int
        The highest level of weariness.
    stays : float
        The chance to come back after a visit with a click.
    dull : float
        The share of this chance that a visit without a click costs. 0: dullness does not matter.

    Attributes
    ----------
    items : array (C,)
    kinds : array (C,)
        The category of each item on offer, numbered 0 .. n_kinds - 1.

    Raises
    ------
    DataError
        A setting that cannot be, or too many states to write down.

    Example
    -------
    >>> long = rb.Returning(rb.Showing(shop, places=1), items=[0, 1, 20, 40])
    >>> world = long.tabular(user=3)
    >>> world.reward.shape, world.next.shape
    ((162, 4), (162, 4, 162))
    """

    def __init__(self, showing, items=None, tires=1.0, levels=2, stays=0.95, dull=0.3):
        self.showing = showing
        self.items = np.arange(showing.n_items) if items is None else np.asarray(items)
        if self.items.ndim != 1 or len(np.unique(self.items)) != len(self.items) or len(self.items) < showing.places:
            raise DataError(f"items={self.items.tolist()}: at least {showing.places} different items, "
                            "as many as there are places.")
        if self.items.dtype.kind not in "iu" or self.items.min() < 0 or self.items.max() >= showing.n_items:
            raise DataError(f"items={self.items.tolist()}: items are 0 to {showing.n_items - 1}.")
        if not is_whole(levels) or levels < 1:
            raise DataError(f"levels={shown(levels)}: a whole number of at least 1.")
        if not is_number(tires) or tires < 0:
            raise DataError(f"tires={shown(tires)}: a number of at least 0.")
        for name, value in (("stays", stays), ("dull", dull)):
            if not is_number(value) or not 0 <= value <= 1 or (name, value) == ("stays", 1):
                raise DataError(f"{name}={shown(value)}: a share of 0 to 1 (stays: below 1).")
        self.tires, self.levels, self.stays, self.dull = tires, levels, stays, dull
        category = showing.dataset.truth.world.item_category[self.items]
        self.categories, self.kinds = np.unique(category, return_inverse=True)
        self.n_kinds = len(self.categories)

    def arrive(self, users, rng):
        """Customers (B,) come for the first time: chances of a click when rested (B, C); weariness (B, kinds): 0."""
        tastes = self.showing.tastes[users]
        taste = (rng.random((len(users), 1)) >= np.cumsum(tastes, axis=1)[:, :-1]).sum(1)
        return self.showing.by_taste[users, taste][:, self.items], np.zeros((len(users), self.n_kinds), dtype=int)

    def chances(self, rested, weary, slates):
        """The chance of a click at each position: (..., K).

        rested (..., C) : of each item on offer when examined; weary (..., kinds) : levels; slates (..., K) : numbers
        of items on offer, 0 .. C - 1
        """
        rested = np.take_along_axis(rested, slates, -1)
        level = np.take_along_axis(weary, self.kinds[slates], -1)
        odds = rested / (1 - rested) * np.exp(-self.tires * level)
        return self.showing.examination * odds / (1 + odds)

    def wearier(self, weary, slates):
        """The weariness (B, kinds) after slates (B, K)."""
        seen = (self.kinds[slates][..., None] == np.arange(self.n_kinds)).any(-2)
        return np.where(seen, weary + 1, weary - 1).clip(0, self.levels)

    def visit(self, rested, weary, slates, rng):
        """One visit of B customers: clicks (B, K), whether they will come back (B,), and their weariness then."""
        click = rng.random(slates.shape) < self.chances(rested, weary, slates)
        back = rng.random(len(slates)) < self.comes_back(click)
        return click, back, self.wearier(weary, slates)

    def comes_back(self, click):
        """The chance to come back (B,) after the clicks (B, K) of a visit."""
        return self.stays * np.where(click.any(1), 1.0, 1 - self.dull)

    def tabular(self, user):
        """One customer's whole decision process: a `Tabular`.

        A state is a taste, and a level of weariness for each kind. The actions are all slates of the items on offer.
        """
        tastes = self.showing.tastes[user]
        n_tastes, n_levels = len(tastes), (self.levels + 1) ** self.n_kinds
        n_slates = perm(len(self.items), self.showing.places)
        if (n_tastes * n_levels) ** 2 * n_slates > MOST_CELLS:
            raise DataError(f"{n_tastes * n_levels:,} states and {n_slates:,} slates are too many to write down: take "
                            "fewer items on offer, of fewer categories, or fewer places.")
        slates = np.array(list(permutations(range(len(self.items)), self.showing.places)))      # (A, K)
        weary = np.array(list(product(range(self.levels + 1), repeat=self.n_kinds)))            # (L, kinds)
        worth = self.showing.worth[self.items][slates]                  # (A, K)
        rested = self.showing.by_taste[user][:, self.items]             # (tastes, C)
        reward = np.zeros((n_tastes, n_levels, n_slates))
        after = np.zeros((n_tastes, n_levels, n_slates, n_tastes, n_levels))
        place = (self.levels + 1) ** np.arange(self.n_kinds)[::-1]      # the number of a weariness
        for action, slate in enumerate(slates):
            following = self.wearier(weary, np.tile(slate, (n_levels, 1))) @ place
            for taste in range(n_tastes):
                chance = self.chances(np.tile(rested[taste], (n_levels, 1)), weary, np.tile(slate, (n_levels, 1)))
                reward[taste, :, action] = chance @ worth[action]
                any_click = 1 - np.prod(1 - chance, axis=1)
                after[taste, np.arange(n_levels), action, taste, following] = self.stays * (
                    any_click + (1 - any_click) * (1 - self.dull))
        size = n_tastes * n_levels
        start = np.zeros((n_tastes, n_levels))
        start[:, 0] = tastes
        return Tabular(reward.reshape(size, n_slates), after.reshape(size, n_slates, size), start.ravel(),
                       self.items[slates], np.repeat(np.arange(n_tastes), n_levels), np.tile(weary, (n_tastes, 1)))


@dataclass
class Tabular:
    """A decision process with S states and A actions.

    reward (S, A) : expected; next (S, A, S) : the chance of each next state, what is missing to 1 that of the end;
    start (S,); slates (A, K) : the items that each action shows; taste (S,), weary (S, kinds) : what each state is
    """

    reward: np.ndarray
    next: np.ndarray
    start: np.ndarray
    slates: np.ndarray
    taste: np.ndarray
    weary: np.ndarray
