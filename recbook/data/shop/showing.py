"""The shop acts: what customers click when a slate is shown to them, by the same law, with every chance known.

At the door of a visit a customer has a hidden taste: that of the last visit or, with the chance of a drift, one drawn
anew. Nothing was seen yet in this visit. The law gives the chance p with which an item would be taken. To be in view
multiplies its odds, so that an item that the law takes as often as the mean one is clicked with the chance `click`::

    a / (1 - a)  =  click / (1 - click) * (n_items - 1) * p / (1 - p)

(`visits` tilts the law in the same way: there a look goes to one item of the catalogue, here each item in view is
clicked or not.) Customers read from the top and not always to the end: the place at position k = 0, 1, ... is examined
with the chance `attention ** k`, and only what is examined can be clicked. This is the *position-based model* of
clicks (Richardson, Dominowska and Ragno, *Predicting Clicks*, WWW 2007; Craswell et al., *An Experimental Comparison
of Click Position-Bias Models*, WSDM 2008). So the expected reward of a slate is a sum over its places, and that of a
policy a sum over customers, tastes, places and items: it is exact.
"""

from functools import cached_property

import numpy as np
import pandas as pd
import torch

from recbook.data import splits
from recbook.data.shop.visits import possessions
from recbook.data.shop.world import DAY
from recbook.errors import DataError, shown
from recbook.settings import is_number, is_whole

BLOCK = 1_000  # visits that a policy is asked about at once


class Showing:
    """The shop on the day after its data end, with slates in view: logs of impressions, and the true value of policies.

    Parameters
    ----------
    dataset : Dataset
        A simulated shop.
    places : int
        K, how many items a slate has.
    click : float
        The chance that an item is clicked, if it is examined and the law takes it as often as the mean item.
    attention : float
        Position k (0, 1, ...) is examined with the chance `attention ** k`.
    worth : array (N,) or None
        The reward of a click on each item; None: 1.

    Attributes
    ----------
    n_users, n_items : int
    examination : array (K,)
        The chance that each position is examined.

    Raises
    ------
    DataError
        A data set that is no simulated shop, a setting that cannot be, or a log or a slate that does not fit.

    Example
    -------
    >>> showing = rb.Showing(shop, places=3)
    >>> log = showing.log(rb.policies.Uniform(shop.n_items, places=3), visits=4)
    >>> log.columns.tolist()[:5], len(log)
    (['visit', 'user', 'position', 'item', 'propensity'], 12)
    """

    def __init__(self, dataset, places=3, click=0.1, attention=0.6, worth=None):
        if dataset.truth is None:
            raise DataError(f"{dataset.name} gives no answers: only in a simulated shop can something else be shown.")
        self.dataset, self.n_users, self.n_items = dataset, dataset.n_users, dataset.n_items
        if not is_whole(places) or not 1 <= places <= self.n_items:
            raise DataError(f"places={shown(places)}: a whole number from 1 to {self.n_items}, the number of items.")
        if not is_number(click) or not 0 < click < 1:
            raise DataError(f"click={shown(click)}: a chance above 0 and below 1.")
        if not is_number(attention) or not 0 < attention <= 1:
            raise DataError(f"attention={shown(attention)}: a chance above 0 and at most 1.")
        self.places, self.click, self.attention = places, click, attention
        self.examination = float(attention) ** np.arange(places)
        self.worth = np.ones(self.n_items) if worth is None else np.asarray(worth, dtype=float)
        if self.worth.shape != (self.n_items,) or not np.isfinite(self.worth).all():
            raise DataError(f"worth: one number for each of {self.n_items} items, not {self.worth.shape}.")

    # ------------------------------------------------------------------------------------------ the truth

    @cached_property
    def door(self):
        """The `Context` of every customer at the door, in the order of their numbers."""
        log = splits.Log(self.dataset.interactions, self.n_users, self.dataset.ids)
        return splits.history(log, np.arange(self.n_users), np.full(self.n_users, log.times.max() + DAY))

    def context(self, users=None):
        """What is known of customers (B,) at the door, a `Context`: the same at each visit. None: everybody."""
        return self.door if users is None else self.door.rows(torch.as_tensor(np.asarray(users)))

    @cached_property
    def tastes(self):
        """The chance of each taste at the door: (n_users, n_tastes)."""
        world, truth = self.dataset.truth.world, self.dataset.truth
        known = (self.door.items >= 0).sum(1).numpy()
        last = truth.tastes[np.maximum(np.cumsum(known) - 1, 0)]        # the taste at each customer's last event
        drift = np.where(known == 0, 1.0, world.parameters.drift)[:, None]
        return drift * world.prior + (1 - drift) * np.eye(world.parameters.n_tastes)[last]

    @cached_property
    def by_taste(self):
        """The chance that an item is clicked if it is examined, for each customer and taste: (n_users, n_tastes, N)."""
        world = self.dataset.truth.world
        _, state = possessions(world, self.door)
        state.season[:] = len(world.seasons) - 1
        everyone = np.arange(self.n_users)
        found = np.zeros((self.n_users, world.parameters.n_tastes, self.n_items))
        for taste, sure in enumerate(np.eye(world.parameters.n_tastes)):
            law = world.next_item(np.tile(sure, (self.n_users, 1)), state.at(everyone))     # (n_users, N)
            odds = self.click / (1 - self.click) * (self.n_items - 1) * law / (1 - law)
            found[:, taste] = odds / (1 + odds)
        return found

    @cached_property
    def attraction(self):
        """The same with the taste unknown, as it is at the door: (n_users, N)."""
        return np.einsum("uz,uzi->ui", self.tastes, self.by_taste)

    def truth(self, context):
        """The expected reward of each item, if it is examined: scores (B, N) of one who knows the customers.

        `policies.Greedy(showing.truth)` is the best policy there is.
        """
        return (self.attraction * self.worth)[context.users.numpy()]

    # ------------------------------------------------------------------------------------------ policies

    def remember(self, scores):
        """The same scores, asked for once a customer: what they are told at the door does not change.

        scores : callable   takes a `Context` of B customers and gives (B, N), as a model's `scores` does
        """
        with torch.no_grad():
            table = np.concatenate([np.asarray(scores(self.context(users))) for users in
                                    np.array_split(np.arange(self.n_users), -(-self.n_users // BLOCK))])
        return lambda context: table[context.users.numpy()]

    def propensities(self, policy, users=None):
        """The chance with which a policy shows each item at each position to customers (B,): (B, K, N)."""
        users = np.arange(self.n_users) if users is None else np.asarray(users)
        chances = np.zeros((len(users), self.places, self.n_items))
        for start in range(0, len(users), BLOCK):
            found = np.asarray(policy.propensities(self.context(users[start:start + BLOCK])))
            if found.shape[1:] != chances.shape[1:]:
                raise DataError(f"the policy fills {found.shape[1]} places from {found.shape[2]} items; here are "
                                f"{self.places} places and {self.n_items} items.")
            chances[start:start + BLOCK] = found
        return chances

    def value(self, policy, users=None):
        """The true expected reward of a visit under a policy, customers equally likely: exact.

        policy : gives `propensities(context)`, (B, K, N), as those of `recbook.policies`
        """
        users = np.arange(self.n_users) if users is None else np.asarray(users)
        reward = (self.attraction * self.worth)[users]                  # (B, N)
        return float(np.einsum("k,uki,ui->", self.examination, self.propensities(policy, users), reward) / len(users))

    def simulate(self, policy, visits=10_000, seed=0, users=None):
        """The same by simulation: {"value", "low", "high"}, the mean of so many visits and its 95 % interval."""
        rewards = self.log(policy, visits, seed, users)["reward"].to_numpy().reshape(visits, self.places).sum(1)
        mean, half = float(rewards.mean()), float(1.96 * rewards.std(ddof=1) / np.sqrt(visits))
        return {"value": mean, "low": mean - half, "high": mean + half}

    # ------------------------------------------------------------------------------------------ logs

    def log(self, policy, visits=10_000, seed=0, users=None):
        """What a shop writes down while a policy acts: one row an impression.

        Parameters
        ----------
        policy
            Gives `draw(context, rng)`, slates (B, K) and the chance of each, and `propensities(context)`, (B, K, N).
        visits : int
            How many; who comes is drawn each time from `users`.
        seed : int
            With the same seed the same customers come, with the same dice, whatever is shown.
        users : array or None
            Who may come; None: everybody.

        Returns
        -------
        log : DataFrame
            `visit` (their order is that of time), `user`, `position` (0 is the top), `item`, `propensity` (the chance
            of this item at this position for this customer), `slate_propensity` (that of the whole slate, the same on
            its K rows), `click` (0 or 1), `reward`.
        """
        if not is_whole(visits) or visits < 2:
            raise DataError(f"visits={shown(visits)}: a whole number of at least 2.")
        users = np.arange(self.n_users) if users is None else np.unique(users)
        rng = np.random.default_rng([self.dataset.truth.world.parameters.seed, 7, seed])
        visitors = users[rng.integers(len(users), size=visits)]
        dice = rng.random((visits, 1 + self.places))
        taste = (dice[:, :1] >= np.cumsum(self.tastes[visitors], axis=1)[:, :-1]).sum(1)
        slates, chance = np.zeros((visits, self.places), dtype=np.int64), np.zeros(visits)
        for start in range(0, visits, BLOCK):
            block = slice(start, start + BLOCK)
            slates[block], chance[block] = self.checked(*policy.draw(self.context(visitors[block]), rng))
        chances = self.propensities(policy, users)                      # of each customer once
        row = np.searchsorted(users, visitors)[:, None]
        click = dice[:, 1:] < self.examination * self.by_taste[visitors[:, None], taste[:, None], slates]
        return pd.DataFrame({
            "visit": np.repeat(np.arange(visits), self.places), "user": np.repeat(visitors, self.places),
            "position": np.tile(np.arange(self.places), visits), "item": slates.ravel(),
            "propensity": chances[row, np.arange(self.places), slates].ravel(),
            "slate_propensity": np.repeat(chance, self.places),
            "click": click.ravel().astype(np.int64), "reward": (click * self.worth[slates]).ravel(),
        })

    def checked(self, slates, chance):
        """Slates (B, K) as a policy draws them, refused if they are none."""
        slates = np.asarray(slates)
        if slates.ndim != 2 or slates.shape[1] != self.places:
            raise DataError(f"a slate has {self.places} places, but the policy gives {slates.shape[1:]}.")
        if slates.min() < 0 or slates.max() >= self.n_items:
            raise DataError(f"the policy shows item {slates.max()}, but items are 0 to {self.n_items - 1}.")
        if (np.diff(np.sort(slates, axis=1), axis=1) == 0).any():
            raise DataError("the policy shows an item twice in one slate.")
        return slates, chance

    def chances(self, policy, log):
        """The chance with which a policy would show what each row of a log shows, at its position, to its customer.

        Divided by the row's `propensity`, it is the row's importance weight.
        """
        missing = [name for name in ("user", "position", "item") if name not in log]
        if missing:
            raise DataError(f"the log has no column {missing[0]!r}.")
        users, row = np.unique(log["user"], return_inverse=True)
        return self.propensities(policy, users)[row, log["position"].to_numpy(), log["item"].to_numpy()]
