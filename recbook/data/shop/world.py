"""The shop's truth: who its customers are, what it sells, and the law by which one item follows another.

The law. A customer of taste z who stands in a *state* (what they saw last, the categories of their last two items,
what they bought last) takes item i next with probability

    (1 - noise) * softmax_i( u_i ) + noise / (number of items on sale),

    u_i  =  taste      theta_z . v_i             long-term taste: hidden, and it drifts from session to session
         +  intent     w_m . v_i                 the style m of the last item pulls the next one
         +  sequence   G[before last, last, c_i] complements, skips and unions of categories within a session
         +  purchase   H[last bought, c_i]       a phone was bought: now a case, not another phone
         +  popularity and quality of i

Everything but z can be seen. Given z and the state, the softmax over all items factors into a category and an item
within it, so that a draw costs a binary search however large the catalogue is. All weights are rounded to whole numbers
before anything is drawn: no processor's arithmetic can change an event.
"""

import math
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from recbook.errors import DataError

CATEGORIES = ("phones", "cases", "headphones", "cameras", "lamps", "chairs",
              "kettles", "teas", "jackets", "boots", "tents", "bikes")
AGES = ("under 30", "30 to 49", "50 and over")
GENDERS = ("female", "male", "other")
CITIES = ("Accra", "Bergen", "Cusco", "Daegu", "Essen")
DAY = 86_400
MONTHS = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)    # their first days
NEVER = 1_000
YEAR_START = 1_735_689_600  # 1 January 2025, UTC
NO_CATEGORY = len(CATEGORIES)
UNIT = 2**16


@dataclass(frozen=True)
class Parameters:
    """Everything that can be chosen about the world. Setting a strength to 0 switches its mechanism off."""

    n_users: int = 2_500
    n_items: int = 360
    n_events: int = 250_000
    n_tastes: int = 6
    n_styles: int = 6
    dim: int = 8
    taste: float = 1.0             # how much long-term taste matters
    drift: float = 0.04            # chance that the taste is drawn anew at the start of a session
    profile: float = 1.0           # how much age, gender and city say about taste
    intent: float = 1.0            # pull of the last item's style
    complements: float = 1.0       # pull between categories: of the last two items, and of the last purchase
    zipf: float = 0.5              # the i-th most popular item has weight i ** -zipf
    noise: float = 0.05            # share of events that follow nothing
    text_signal: float = 1.0       # how much titles and descriptions say about an item
    image_signal: float = 1.0      # how much pictures say about it
    friends: float = 6.0           # mean number of friends named
    homophily: float = 0.7         # share of friends who had the same taste when they met
    cold_items: float = 0.08       # share of items that go on sale in the last two months
    cold_users: float = 0.08       # share of users who join in the last month
    fashion: float = 0.0           # how far an item's popularity wanders in a month: standard deviation of its logarithm
    leaving: float = 0.0           # share of items that are no longer sold after a month drawn from July to December
    seed: int = 0

    def __post_init__(self):
        for name, value in vars(self).items():
            kind = Real if isinstance(getattr(Parameters, name), float) else Integral
            if isinstance(value, bool) or not isinstance(value, kind) or not -math.inf < value < math.inf:
                raise DataError(f"{name}={value!r}: {'a number' if kind is Real else 'a whole number'}, as in "
                                f"{name}={getattr(Parameters, name)}")
        if self.n_items < 2 * len(CATEGORIES):
            raise DataError(f"n_items={self.n_items}: the shop needs two items in each of {len(CATEGORIES)} categories")
        for name, least in (("n_users", 1), ("n_events", 1), ("n_tastes", 2), ("n_styles", 1), ("dim", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise DataError(f"{name}={getattr(self, name)}: the shop needs at least {least}")
        for name in ("drift", "noise", "homophily", "cold_items", "cold_users", "leaving"):
            if not 0 <= getattr(self, name) <= 1:
                raise DataError(f"{name}={getattr(self, name)} must be between 0 and 1")
        if self.fashion < 0:
            raise DataError(f"fashion={self.fashion} must be 0 or more")


class World:
    """The fixed part of the truth. Arrays are indexed by user u, item i, taste z, style m, category c, season e.

    item_vectors (n_items, dim), item_category, item_style, quality, price (n_items,), launch, leaves (n_items,) in days
    fashion (seasons or 1, n_items)   what a season adds to the utility; available (seasons, n_items)   what is on sale
    taste_vectors (n_tastes, dim), style_vectors (n_styles, dim)
    weights (seasons, tastes, styles + 1, n_items)   whole numbers: exp of the item's part of the utility
    sequence (categories + 1, categories + 1, categories), purchase (categories + 1, categories)   the same for
        categories; the last row means none
    total (categories + 1, categories + 1, categories + 1, seasons, styles + 1, tastes)   the sum of all items' weights
        after a last-but-one, a last and a bought category
    prior (n_users, n_tastes)   the taste at joining, given the profile
    cart (tastes, items), buy (items,), star (ages, tastes, items)   chances of what a look leads to
    """

    def __init__(self, parameters):
        self.parameters = p = parameters
        rng = np.random.default_rng([p.seed, 1])
        self._items(rng)
        self._tables(rng)
        self._users(np.random.default_rng([p.seed, 2]))
        self._responses()

    def _items(self, rng):
        p, n_categories = self.parameters, len(CATEGORIES)
        self.item_category = np.sort(np.arange(p.n_items) % n_categories)
        self.category_start = np.searchsorted(self.item_category, np.arange(n_categories + 1))
        centres = rng.normal(size=(n_categories, p.dim)) * 0.5
        vectors = centres[self.item_category] + rng.normal(size=(p.n_items, p.dim)) * 0.87
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        self.item_vectors = (vectors / length * np.sqrt(p.dim)).round(3)    # one length: no item suits everybody
        self.style_vectors = orthogonal(rng, p.n_styles, p.dim)
        self.taste_vectors = orthogonal(rng, p.n_tastes, p.dim)
        self.item_style = (self.item_vectors @ self.style_vectors.T).round(6).argmax(1)
        self.popularity = -p.zipf * np.log1p(rng.permutation(p.n_items))
        self.quality = (rng.normal(size=p.n_items) * 0.3).round(3)
        level = rng.normal(size=n_categories) + 3.5
        self.price = np.exp(level[self.item_category] + rng.normal(size=p.n_items) * 0.4).round(2)
        self.launch = np.zeros(p.n_items, dtype=int)
        cold = rng.permutation(p.n_items)[: round(p.cold_items * p.n_items)]
        self.launch[cold] = rng.choice([304, 334], size=len(cold))      # the first days of November and December
        self.seasons = np.array([0, 304, 334])
        self.leaves = np.full(p.n_items, NEVER)
        self.fashion = np.zeros((1, p.n_items))
        if p.fashion or p.leaving:
            self._change(np.random.default_rng([p.seed, 9]))
        self.available = (self.launch <= self.seasons[:, None]) & (self.seasons[:, None] < self.leaves)

    def _change(self, rng):
        """A season a month: an item's popularity takes a step each, and some items leave."""
        p = self.parameters
        self.seasons = np.array(MONTHS)
        steps = rng.normal(size=(len(MONTHS), p.n_items)) * p.fashion
        self.fashion = np.where(np.arange(len(MONTHS))[:, None] > 0, steps, 0).cumsum(0)        # January is as ever
        going = rng.permutation(p.n_items)[: round(p.leaving * p.n_items)]
        self.leaves[going] = rng.choice(MONTHS[6:], size=len(going))
        self.leaves[self.launch >= self.leaves] = NEVER                                         # not before it came

    def _tables(self, rng):
        p, n = self.parameters, len(CATEGORIES)
        taste = 1.8 * p.taste * self.taste_vectors @ self.item_vectors.T                # (tastes, items)
        style = 1.0 * p.intent * self.style_vectors @ self.item_vectors.T               # (styles, items)
        style = np.vstack([style, np.zeros(p.n_items)])                                 # the last row: no last item
        utility = taste[:, None] + style[None] + self.popularity + self.quality         # (tastes, styles + 1, items)
        utility = utility + self.fashion[:, None, None]                 # (seasons or 1, tastes, styles + 1, items)
        weights = whole(utility - utility.max(axis=3, keepdims=True), 2**18)
        self.weights = np.where(self.available[:, None, None], weights, 0)          # (seasons, tastes, styles + 1, items)
        self.running = np.concatenate([[0], np.cumsum(self.weights)])   # an item is drawn by one binary search in it
        self.on_sale = [np.flatnonzero(season) for season in self.available]
        self.category_weights = np.add.reduceat(self.weights, self.category_start[:-1], axis=-1)
        self.match = taste.round(3)                                                     # how well item suits taste

        complement = (np.arange(n) ^ 1)                     # phones and cases, kettles and teas, ...
        skipped = (np.arange(n) + 5) % n                    # two steps later
        sequence = np.zeros((n + 1, n + 1, n))
        last = np.arange(n)
        sequence[:, last, last] += 1.2                      # people look around within a category
        sequence[:, last, complement[last]] += 1.6          # and go on to what complements it
        sequence[last, :, skipped[last]] += 1.4             # skip: the item before last still pulls
        self.unions = [(first, (first + 3) % n, (first + 7) % n) for first in range(0, n, 2)]
        for first, second, third in self.unions:            # union: these two together lead to a third
            sequence[first, second, third] += 2.4
            sequence[second, first, third] += 2.4
        purchase = np.zeros((n + 1, n))
        purchase[last, complement[last]] += 1.3             # the last purchase calls for its complement
        purchase[last, last] -= 1.3                         # and is not needed twice
        self.sequence = whole(p.complements * sequence, 2**8)
        self.purchase = whole(p.complements * purchase, 2**8)
        odds = self.sequence[:, :, None] * self.purchase
        self.total = np.einsum("abpc,ezmc->abpemz", odds, self.category_weights)

    def _users(self, rng):
        p = self.parameters
        self.age = rng.choice(len(AGES), size=p.n_users, p=[0.4, 0.4, 0.2]).astype(np.int8)
        self.gender = rng.choice(len(GENDERS), size=p.n_users, p=[0.48, 0.48, 0.04]).astype(np.int8)
        self.city = rng.choice(len(CITIES), size=p.n_users).astype(np.int8)
        effect = [rng.normal(size=(len(values), p.n_tastes)) for values in (AGES, GENDERS, CITIES)]
        logits = p.profile * (effect[0][self.age] + effect[1][self.gender] + effect[2][self.city])
        weight = whole(logits - logits.max(1, keepdims=True), UNIT)
        self.prior = weight / weight.sum(1, keepdims=True)              # (users, tastes)

    def _responses(self):
        strictness = np.array([0.5, 0.0, -0.5])[:, None, None]          # the young rate more kindly
        self.cart = chance(0.5 * self.match + self.quality - 1.8)
        self.buy = chance(3.5 - np.log(self.price))
        self.star = chance(0.35 * self.match + self.quality + strictness + 0.2)

    def season(self, times):
        """Which items are on sale at a time (in seconds): an index into `seasons`."""
        return np.searchsorted(self.seasons, (times - YEAR_START) // DAY, side="right") - 1

    def cart_probability(self, tastes, items):
        """Chance that a look at an item ends in the cart: whole multiples of 2**-16, as the next two. Broadcasts."""
        return self.cart[tastes, items]

    def buy_probability(self, items):
        """Chance that what is in the cart is bought: less for dear things."""
        return self.buy[items]

    def star_probability(self, tastes, items, users):
        """A rating is 1 + Binomial(4, q): this is q."""
        return self.star[self.age[users], tastes, items]

    def category_odds(self, state):
        """The categories' share of the utility, (B, C), for states of B users."""
        return self.sequence[state.before_last, state.last] * self.purchase[state.bought]

    def total_of(self, state):
        """The sum of all items' weights, for each taste: (B, n_tastes)."""
        return self.total[state.before_last, state.last, state.bought, state.season, state.style]

    def next_item(self, belief, state):
        """Probability of each item being the next, (B, n_items).

        belief : (B, n_tastes)   how likely each taste is; one 1 a row for who knows it
        state : State
        """
        p = self.parameters
        odds = self.category_odds(state)                                # (B, C)
        mixed = np.einsum("bz,bzi->bi", belief / self.total_of(state), self.weights[state.season, :, state.style])
        chosen = mixed * odds[:, self.item_category]
        available = self.available[state.season]
        return (1 - p.noise) * chosen + p.noise * available / available.sum(1, keepdims=True)

    def likelihood(self, items, state):
        """Probability of the items (B,) that came next, for each taste: (B, n_tastes)."""
        p = self.parameters
        category = self.item_category[items]
        own = self.sequence[state.before_last, state.last, category] * self.purchase[state.bought, category]
        chosen = own[:, None] * self.weights[state.season, :, state.style, items] / self.total_of(state)
        available = np.array([len(season) for season in self.on_sale])[state.season]
        by_noise = np.where(self.available[state.season, items], p.noise / available, 0)
        return (1 - p.noise) * chosen + by_noise[:, None]


@dataclass
class State:
    """What can be seen of B users before their next event; arrays (B,).

    season; style of the session's last item; categories of its last and before-last items; category last bought.
    """

    season: np.ndarray
    style: np.ndarray
    last: np.ndarray
    before_last: np.ndarray
    bought: np.ndarray

    @classmethod
    def first(cls, world, size):
        """Nothing seen, nothing bought."""
        none = np.full(size, NO_CATEGORY)
        no_style = np.full(size, world.parameters.n_styles)
        return cls(np.zeros(size, dtype=int), no_style, none, none.copy(), none.copy())

    def at(self, rows):
        """The states of some of the users."""
        return State(*(value[rows] for value in vars(self).values()))

    def leave(self, world, rows):
        """A session begins for these users: what was seen in the last one no longer pulls."""
        self.style[rows] = world.parameters.n_styles
        self.last[rows] = self.before_last[rows] = NO_CATEGORY

    def see(self, world, rows, items, purchased):
        """These users looked at these items, and bought them where `purchased`."""
        self.style[rows] = world.item_style[items]
        self.before_last[rows] = self.last[rows]
        self.last[rows] = world.item_category[items]
        self.bought[rows] = np.where(purchased, self.last[rows], self.bought[rows])


def whole(utility, unit):
    """exp(utility) as whole numbers, at least 1: utilities are rounded first, so that every processor agrees."""
    return np.maximum(1, np.round(np.exp(np.round(utility, 3)) * unit)).astype(np.int64)


def chance(logit):
    """1 / (1 + exp(-logit)) as a whole multiple of 2**-16, so that every processor agrees."""
    return np.round(UNIT / (1 + np.exp(-logit))) / UNIT


def orthogonal(rng, n, dim):
    """n directions in dim dimensions, as far apart as they will go, rounded."""
    vectors = rng.normal(size=(max(n, dim), dim))
    basis, triangle = np.linalg.qr(vectors.T @ vectors)
    basis = basis * np.sign(np.diag(triangle))              # the same signs whatever the library
    rows = basis if n <= dim else np.vstack([basis, -basis, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)])
    return rows[:n].round(3)
