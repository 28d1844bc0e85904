"""The shop in the long run: customers who tire of what they had, and who stay away after dull visits.

A regular of taste z visits the shop again and again. Each time a slate of K *kinds* (categories) is shown, and the
regular takes one kind of it, or nothing. Of the kind c they had f_c helpings lately: they are tired of it. With the
kind's odds v_c = odds[z, c] * tire ** f_c the choice is a multinomial logit, nothing having the odds 1::

    P(c | z, f, slate)  =  v_c / (1 + sum of v over the slate)

What is taken gives the reward `worth[c]` and adds a helping, f_c + 1, at most `levels - 1`. Before the next visit all
kinds that were not taken are, with the chance `rest`, forgotten by one helping. There is a next visit with the chance
`loyal[c]` after taking c, and `bored` after taking nothing. So what is taken now decides what will be taken later, and
whether there is a later. The odds of the kinds are those by which the shop's customers of that taste look at its
categories.

The state (z, f) is seen, the choice depends on the slate alone, and what follows on the kind that was taken alone: the
two assumptions of SlateQ (Ie et al., *SlateQ: A Tractable Decomposition for Reinforcement Learning with Recommendation
Sets*, IJCAI 2019). Every chance is known, so the value of any policy is exact.
"""

from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd
import torch

from recbook.data.shop.world import CATEGORIES, NO_CATEGORY
from recbook.errors import DataError, shown
from recbook.settings import is_number, is_whole


class Regulars:
    """The shop's regular customers, the state they are in, and the law by which they go on.

    Parameters
    ----------
    dataset : Dataset
        A simulated shop: its tastes, and the odds of each category for each taste.
    kinds : tuple of str
        C categories of the shop that can be shown.
    places : int
        K, how many kinds a slate has.
    levels : int
        L, the helpings that a customer can tell apart: 0, 1, ..., L - 1.
    tire : float
        What each helping does to the odds of the same kind; 1: nobody tires.
    rest : float
        The chance that a helping of what was not taken is forgotten between two visits.
    loyal : float or array (C,)
        The chance of another visit after taking a kind.
    bored : float
        The chance of another visit after taking nothing.
    worth : float or array (C,)
        The reward of taking a kind.
    click : float
        The chance that a fresh kind is taken, shown alone to a customer who looks at it as often as at the mean kind.

    Attributes
    ----------
    slates : array (A, K)
        Every slate that can be shown, as numbers of kinds: an *action* is a row of it.
    odds : array (n_tastes, C)
    n_states : int
        n_tastes * L ** C
    tastes : array (n_states,), helpings : array (n_states, C)
        What each state means.
    start : array (n_states,)
        The chance of each state at a first visit: the tastes as frequent as in the shop, nothing had yet.

    Raises
    ------
    DataError
        A data set that is no simulated shop, or a setting that cannot be.

    Example
    -------
    >>> regulars = rb.Regulars(shop, kinds=("phones", "teas", "bikes"), places=2)
    >>> regulars.slates.tolist()
    [[0, 1], [0, 2], [1, 2]]
    """

    def __init__(self, dataset, kinds=("phones", "teas", "jackets", "bikes"), places=1, levels=4, tire=0.4, rest=0.3,
                 loyal=0.95, bored=0.7, worth=1.0, click=0.5):
        if dataset.truth is None:
            raise DataError(f"{dataset.name} gives no answers: only in a simulated shop can something else be shown.")
        unknown = [kind for kind in kinds if kind not in CATEGORIES]
        if unknown or len(set(kinds)) != len(kinds) or not len(kinds):
            raise DataError(f"kinds={shown(kinds)}: categories of the shop, each once: {', '.join(CATEGORIES)}.")
        self.kinds, n = tuple(kinds), len(kinds)
        for name, value, most in (("places", places, n), ("levels", levels, 100)):
            if not is_whole(value) or not 1 <= value <= most:
                raise DataError(f"{name}={shown(value)}: a whole number from 1 to {most}.")
        for name, value in (("tire", tire), ("rest", rest), ("bored", bored)):
            if not is_number(value) or not 0 <= value <= 1:
                raise DataError(f"{name}={shown(value)}: a number from 0 to 1.")
        if not is_number(click) or not 0 < click < 1:
            raise DataError(f"click={shown(click)}: a chance above 0 and below 1.")
        self.loyal, self.worth = each("loyal", loyal, n), each("worth", worth, n)
        if ((self.loyal < 0) | (self.loyal > 1)).any():
            raise DataError(f"loyal={shown(loyal)}: chances from 0 to 1.")
        if min(bored, *self.loyal) == max(bored, *self.loyal) == 1:
            raise DataError("loyal and bored are all 1: nobody would ever leave, and no value would be finite.")
        self.places, self.levels, self.tire, self.rest, self.bored = places, levels, tire, rest, bored

        world = dataset.truth.world
        first = world.category_weights[0, :, -1]                        # (n_tastes, 12): of a first look, in January
        assert NO_CATEGORY == first.shape[1]
        share = first[:, [CATEGORIES.index(kind) for kind in kinds]] / first.sum(1, keepdims=True)
        self.odds = click / (1 - click) * share * len(CATEGORIES)
        self.slates = np.array(list(combinations(range(n), places)))
        self.n_tastes, self.n_kinds, self.n_actions = len(first), n, len(self.slates)
        self.n_states = self.n_tastes * levels**n
        self.prior = world.prior.mean(0)

    # ------------------------------------------------------------------------------------------ states

    @cached_property
    def tastes(self):
        return np.arange(self.n_states) // self.levels**self.n_kinds

    @cached_property
    def helpings(self):
        return np.arange(self.n_states)[:, None] // self.levels ** np.arange(self.n_kinds) % self.levels

    @cached_property
    def start(self):
        return np.bincount(np.arange(self.n_tastes) * self.levels**self.n_kinds, self.prior, self.n_states)

    @property
    def width(self):
        """D, how many numbers describe a state to an agent."""
        return self.n_tastes + self.n_kinds

    def describe(self, tastes, helpings):
        """What an agent sees of B customers: the taste, one number each, and the helpings as shares: (B, D), float32."""
        return np.hstack([np.eye(self.n_tastes)[tastes], helpings / max(self.levels - 1, 1)]).astype(np.float32)

    def seen(self, states):
        """The descriptions (B, D) of states (B,)."""
        return self.describe(self.tastes[states], self.helpings[states])

    # ------------------------------------------------------------------------------------------ the law

    def choice(self, tastes, helpings, actions):
        """The chance that B customers take each place of the slate, or, in the last column, nothing: (B, K + 1)."""
        slates = self.slates[actions]                                   # (B, K)
        row = np.arange(len(slates))[:, None]
        odds = self.odds[np.asarray(tastes)[:, None], slates] * self.tire ** np.asarray(helpings)[row, slates]
        odds = np.hstack([odds, np.ones((len(odds), 1))])
        return odds / odds.sum(1, keepdims=True)

    def choices(self, seen):
        """The same for all slates at once, from descriptions (B, D) as `describe` gives them: a tensor (B, A, K + 1)."""
        odds = torch.as_tensor(self.odds, dtype=torch.float32)
        tired = self.tire ** (seen[:, self.n_tastes:] * max(self.levels - 1, 1))
        odds = (seen[:, :self.n_tastes] @ odds * tired)[:, torch.as_tensor(self.slates)]       # (B, A, K)
        odds = torch.cat([odds, torch.ones_like(odds[..., :1])], dim=2)
        return odds / odds.sum(2, keepdim=True)

    def after(self, helpings, taken, rested):
        """The helpings (B, C) at the next visit, after kinds `taken` (B,), -1 for nothing, with `rested` (B,) or not."""
        helpings = np.asarray(helpings)
        same = np.arange(self.n_kinds) == np.asarray(taken)[:, None]
        fewer = np.maximum(helpings - np.asarray(rested)[:, None], 0)
        return np.where(same, np.minimum(helpings + 1, self.levels - 1), fewer)

    def outcomes(self):
        """Everything that can follow: rewards (S, A), next states (S, A, O) and their chances (S, A, O).

        The chances of a state and an action sum to less than one: the rest is that of never coming back.
        """
        S, A, K = self.n_states, self.n_actions, self.places
        state, action = np.repeat(np.arange(S), A), np.tile(np.arange(A), S)
        tastes, helpings, slates = self.tastes[state], self.helpings[state], self.slates[action]
        choice = self.choice(tastes, helpings, action)                  # (S * A, K + 1)
        following, chances = [], []
        for place in range(K + 1):
            taken = slates[:, place] if place < K else np.full(S * A, -1)
            stay = choice[:, place] * (self.loyal[taken] if place < K else self.bored)
            for rested, chance in ((True, self.rest), (False, 1 - self.rest)):
                found = self.after(helpings, taken, np.full(S * A, rested))
                following.append(tastes * self.levels**self.n_kinds + found @ self.levels ** np.arange(self.n_kinds))
                chances.append(stay * chance)
        rewards = (choice[:, :K] * self.worth[slates]).sum(1)
        shape = S, A, 2 * (K + 1)
        return rewards.reshape(S, A), np.stack(following, 1).reshape(shape), np.stack(chances, 1).reshape(shape)

    def log(self, policy, customers=1000, seed=0, longest=1000):
        """What a shop writes down while a policy acts: one row a visit of new customers, until they stay away.

        Parameters
        ----------
        policy : callable, or array (S, A)
            Takes descriptions (B, D) and gives the chances of all slates, (B, A); or these for each state.
        customers : int
        seed : int
        longest : int
            Who still comes after so many visits is no longer followed.

        Returns
        -------
        log : DataFrame
            `customer`, `visit` (0, 1, ...), `state`, `action`, `propensity` (of the action), `taken` (a kind, -1 for
            nothing), `reward`, `return` (of this visit and all later ones), `gone` (whether it was the last visit),
            `next_state`.
        """
        if not is_whole(customers) or customers < 1:
            raise DataError(f"customers={shown(customers)}: a whole number of at least 1.")
        rng = np.random.default_rng([8, seed])
        who = np.arange(customers)
        state = rng.choice(self.n_states, p=self.start, size=customers)
        rows = []
        for visit in range(longest):
            tastes, helpings = self.tastes[state], self.helpings[state]
            chances = np.asarray(policy(self.describe(tastes, helpings)) if callable(policy) else policy[state])
            if chances.shape != (len(who), self.n_actions) or not np.allclose(chances.sum(1), 1, atol=1e-4):
                raise DataError(f"policy: chances of {self.n_actions} slates that sum to 1, not {chances.shape}.")
            dice = rng.random((4, len(who)))
            action = drawn(chances, dice[0])
            choice = self.choice(tastes, helpings, action)
            place = drawn(choice, dice[1])
            taken = np.append(self.slates, np.full((self.n_actions, 1), -1), axis=1)[action, place]
            reward = np.where(taken < 0, 0.0, self.worth[taken])
            gone = dice[2] >= np.where(taken < 0, self.bored, self.loyal[taken])
            helpings = self.after(helpings, taken, dice[3] < self.rest)
            following = (state // self.levels**self.n_kinds * self.levels**self.n_kinds
                         + helpings @ self.levels ** np.arange(self.n_kinds))
            rows.append(pd.DataFrame({
                "customer": who, "visit": visit, "state": state, "action": action,
                "propensity": chances[np.arange(len(who)), action], "taken": taken, "reward": reward, "gone": gone,
                "next_state": following}))
            who, state = who[~gone], following[~gone]
            if not len(who):
                break
        log = pd.concat(rows).sort_values(["customer", "visit"], ignore_index=True)
        log["return"] = log[::-1].groupby("customer")["reward"].cumsum()
        return log


def drawn(chances, dice):
    """One of each row's columns (B,), by its chances (B, C) and a die (B,) between 0 and 1."""
    edges = np.cumsum(chances, axis=1)
    return (dice[:, None] * edges[:, -1:] >= edges).sum(1).clip(max=chances.shape[1] - 1)


def each(name, value, n):
    """One number for each of n kinds."""
    found = np.asarray(value, dtype=float)
    if found.shape not in ((), (n,)) or not np.isfinite(found).all():
        raise DataError(f"{name}={shown(value)}: one number, or one for each of {n} kinds.")
    return np.broadcast_to(found, n).copy()
