"""Policies: what to show whom, and with what chance.

A recommender that acts is a *policy*: for each customer it draws a slate, K items in an order, one a place. Whoever
wants to learn from what was shown has to know how likely it was to be shown, its *propensity*: each policy here says it
exactly.

`Softmax` draws place after place without return from a softmax over the scores: the model of Plackett (*Applied
Statistics* 1975) and Luce (*Individual Choice Behavior*, 1959).
"""

from abc import ABC, abstractmethod

import numpy as np
import torch

from recbook.errors import ModelError
from recbook.settings import PART, check

BLOCK = 4_000_000  # numbers held at once while propensities are summed


class Policy(ABC):
    """What all policies have: which items they may show, and how many.

    Parameters
    ----------
    places : int
        K, how many items a slate has.
    items : array (C,) or None
        What may be shown; None: everything.

    A policy gives `propensities(context)` and `draw(context, rng)`.
    """

    def __init__(self, places, items):
        check("places", places)
        self.places = places
        self.items = None if items is None else np.unique(np.asarray(items, dtype=np.int64))
        if self.items is not None and (len(self.items) < places or self.items[0] < 0):
            raise ModelError(f"items={self.items.tolist()}: for {places} places at least as many different items, "
                             "from 0 up.")

    def allowed(self, n_items):
        """The items (C,) that may be shown, of a catalogue of n_items."""
        items = np.arange(n_items) if self.items is None else self.items
        if len(items) < self.places or items[-1] >= n_items:
            raise ModelError(f"items up to {items[-1]} for {self.places} places, but the catalogue has {n_items}.")
        return items

    @abstractmethod
    def propensities(self, context):
        """The chance of each item at each place, for the B customers of a `Context`: (B, K, N); rows add up to 1."""

    @abstractmethod
    def draw(self, context, rng):
        """A slate for each customer, items (B, K), and the chance of the whole slate in this order, (B,)."""


class Uniform(Policy):
    """Every slate is as likely as any other: what a log for learning is made with.

    Parameters
    ----------
    n_items : int
        Size of the catalogue.
    places, items
        As of every `Policy`.
    """

    def __init__(self, n_items, places=3, items=None):
        super().__init__(places, items)
        self.n_items, self.choice = n_items, self.allowed(n_items)

    def propensities(self, context):
        chances = np.zeros((len(context), self.places, self.n_items))
        chances[:, :, self.choice] = 1 / len(self.choice)
        return chances

    def draw(self, context, rng):
        slates = rng.random((len(context), len(self.choice))).argsort(1)[:, :self.places]
        return self.choice[slates], np.full(len(context), chance_of_any(len(self.choice), self.places))


class Scored(Policy):
    """A policy that asks a model.

    Parameters
    ----------
    scores : callable
        Takes a `Context` of B customers and gives (B, N); for instance `model.scores`.
    places, items
        As of every `Policy`.
    """

    def __init__(self, scores, places, items):
        super().__init__(places, items)
        self.scores = scores

    def ask(self, context):
        """The scores (B, C) of what may be shown, these items (C,), and the size of the catalogue."""
        with torch.no_grad():
            scores = torch.as_tensor(self.scores(context)).detach().cpu().numpy().astype(np.float64)
        items, n_items = self.allowed(scores.shape[1]), scores.shape[1]
        scores = scores[:, items]
        if np.isnan(scores).any() or (scores == np.inf).any():
            raise ModelError("a score is not a number, or infinite: nothing can be put in order by it.")
        if (np.isfinite(scores).sum(1) < self.places).any():
            raise ModelError(f"fewer than {self.places} items have a score that is not -inf: a slate cannot be filled.")
        return scores, items, n_items

    def best(self, scores, items):
        """The items (B, K) with the highest scores, the highest first; of equals the one with the lowest number."""
        return items[np.argsort(-scores, axis=1, kind="stable")[:, :self.places]]


class EpsilonGreedy(Scored):
    """With chance epsilon a slate at random, otherwise the best items, the best first.

    Parameters
    ----------
    scores : callable
        Takes a `Context` of B customers and gives (B, N).
    epsilon : float
        Share of the slates that are drawn at random, as a whole, from all that may be shown.
    places, items
        As of every `Policy`.
    """

    def __init__(self, scores, epsilon, places=3, items=None):
        super().__init__(scores, places, items)
        check("epsilon", epsilon, PART)
        self.epsilon = epsilon

    def propensities(self, context):
        scores, items, n_items = self.ask(context)
        chances = np.zeros((len(scores), self.places, n_items))
        chances[:, :, items] = self.epsilon / len(items)
        np.put_along_axis(chances, best := self.best(scores, items)[:, :, None],
                          1 - self.epsilon + np.take_along_axis(chances, best, 2), 2)
        return chances

    def draw(self, context, rng):
        scores, items, _ = self.ask(context)
        best = self.best(scores, items)
        anything = items[rng.random(scores.shape).argsort(1)[:, :self.places]]
        slates = np.where(rng.random(len(scores))[:, None] < self.epsilon, anything, best)
        is_best = (slates == best).all(1)
        return slates, (1 - self.epsilon) * is_best + self.epsilon * chance_of_any(len(items), self.places)


class Greedy(EpsilonGreedy):
    """The best items, the best first, and never anything else.

    Parameters
    ----------
    scores : callable
        Takes a `Context` of B customers and gives (B, N).
    places, items
        As of every `Policy`.
    """

    def __init__(self, scores, places=3, items=None):
        super().__init__(scores, 0.0, places, items)


class Softmax(Scored):
    """Place after place, one of the items that are left, with a chance that grows with exp(score / temperature).

    Parameters
    ----------
    scores : callable
        Takes a `Context` of B customers and gives (B, N).
    temperature : float
        Near 0: greedy. Large: uniform.
    places, items
        As of every `Policy`. Propensities take B x C^(K - 1) steps for C items: a long slate from many items is dear.
    """

    def __init__(self, scores, temperature=1.0, places=3, items=None):
        super().__init__(scores, places, items)
        check("temperature", temperature)
        self.temperature = temperature

    def weights(self, scores):
        """exp(score / temperature), the largest of each row 1; of a score of -inf 0."""
        exponents = (scores - scores.max(1, keepdims=True)) / self.temperature
        if (np.isfinite(exponents) & (exponents < -600)).any():
            apart = -exponents[np.isfinite(exponents)].min()
            raise ModelError(f"temperature={self.temperature}: scores are {apart:.0f} temperatures apart, and such "
                             "chances are no numbers any more; take Greedy or a higher temperature.")
        return np.exp(exponents)

    def propensities(self, context):
        scores, items, n_items = self.ask(context)
        weights = self.weights(scores)
        chances = np.zeros((len(weights), self.places, n_items))
        rows = max(1, BLOCK // len(items) ** max(self.places - 1, 1))
        for place in range(self.places):
            for start in range(0, len(weights), rows):
                block = slice(start, start + rows)
                chances[block, place][:, items] = at_place(weights[block], place)
        return chances

    def draw(self, context, rng):
        scores, items, _ = self.ask(context)
        weights = self.weights(scores)
        keys = rng.exponential(size=weights.shape) / np.maximum(weights, 1e-300)  # who waits least is drawn first
        slates = np.argsort(keys, axis=1)[:, :self.places]
        chance, left = np.ones(len(weights)), weights.copy()
        for column in slates.T:                                         # each place from what is left
            taken = np.take_along_axis(left, column[:, None], 1)[:, 0]
            chance *= taken / left.sum(1)
            np.put_along_axis(left, column[:, None], 0, 1)
        return items[slates], chance


def at_place(weights, place):
    """The chance of each item at one place, for weights (..., C), when places are filled one after the other.

    The first place: its share. A later one: whatever came first, j, the chance at the place before among the others.
    """
    share = weights / weights.sum(-1, keepdims=True)
    if place == 0:
        return share
    if place == 1:                                                      # sum over j of share_j * w_i / (sum without j)
        return weights * others(share / others(weights))
    without = weights[..., None, :] * (1 - np.eye(weights.shape[-1]))   # (..., C, C): row j is without j
    return np.einsum("...j,...ji->...i", share, at_place(without, place - 1))


def others(values):
    """For each entry the sum of all others, (..., C): by two running sums, so that no small one is lost."""
    before, after = np.zeros_like(values), np.zeros_like(values)
    before[..., 1:] = np.cumsum(values[..., :-1], axis=-1)
    after[..., :-1] = np.cumsum(values[..., :0:-1], axis=-1)[..., ::-1]
    return before + after


def chance_of_any(n_items, places):
    """The chance of one slate if all are equally likely: 1 / (N (N - 1) ... (N - K + 1))."""
    return float(1 / np.prod(n_items - np.arange(places, dtype=float)))
