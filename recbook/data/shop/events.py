"""A year in the shop: sessions of browsing, carts, purchases and ratings, drawn from the world's law."""

from dataclasses import dataclass

import numpy as np

from recbook.data.shop.world import DAY, YEAR_START, State

YEAR = 365 * DAY
SESSION_GAP = 1_800  # within a session events are closer than this, between sessions farther apart
STOP = 0.16  # chance that a session ends after an event: its length is geometric, 6 in the mean
VIEW, CART, PURCHASE = 0, 2, 3  # codes of data.splits.BEHAVIOUR_CODES


@dataclass
class Events:
    """Events of all users, user after user, oldest first; arrays (n_events,). `taste` is hidden from models."""

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    session: np.ndarray
    behaviour: np.ndarray
    rating: np.ndarray
    taste: np.ndarray


def simulate(world):
    """Draw a year of events. All users take their t-th step together, so that the cost grows with the events."""
    p = world.parameters
    rng = np.random.default_rng([p.seed, 3])
    count, starts_session, session_start = plan(world, rng)
    order = np.argsort(-count, kind="stable")                           # who has a t-th step stands in front
    offset = np.concatenate([[0], np.cumsum(count)])
    events = Events(*(np.zeros(offset[-1], dtype=kind) for kind in
                      (np.int64, np.int64, np.int64, np.int64, np.int8, np.float32, np.int8)))
    taste = draw(rng, world.prior)
    first_taste = taste.copy()
    state = State.first(world, p.n_users)
    time = np.full(p.n_users, YEAR_START)
    owned = Owned(p.n_users)
    active_at = np.searchsorted(-count[order], -np.arange(count.max(initial=0)))  # how many users have a t-th step
    for step, n_active in enumerate(active_at):
        users = order[:n_active]
        row = offset[users] + step
        begins = starts_session[row]
        chance = rng.random((n_active, 12))                             # the same draws whatever happens

        fresh = users[begins]
        drifted = chance[begins, 0] < p.drift
        taste[fresh[drifted]] = draw_with(chance[begins, 1][drifted], world.prior[fresh[drifted]])
        state.leave(world, fresh)
        gap = 15 + (chance[:, 2] ** 2 * (SESSION_GAP - 300)).astype(np.int64)
        later = np.maximum(session_start[row], time[users] + 2 * SESSION_GAP)
        time[users] = np.where(begins, later, time[users] + gap)
        state.season[users] = world.season(time[users])

        item = choose(world, taste[users], state.at(users), chance[:, 3:6])
        cart, purchase = respond(world, users, taste[users], item, owned, chance[:, 6:8])
        rated = purchase & (chance[:, 8] < 0.7)
        stars = world.star_probability(taste[users], item, users)
        rating = 1 + (rng.random((n_active, 4)) < stars[:, None]).sum(1)

        state.see(world, users, item, purchase)
        events.user[row], events.item[row], events.time[row] = users, item, time[users]
        events.taste[row] = taste[users]
        events.behaviour[row] = np.where(purchase, PURCHASE, np.where(cart, CART, VIEW))
        events.rating[row] = np.where(rated, rating, np.nan)
    events.session = np.cumsum(starts_session) - 1
    return events, first_taste


def plan(world, rng):
    """Who comes how often, and when: events a user (n_users,); for each event whether and when its session starts."""
    p = world.parameters
    joins = np.where(rng.random(p.n_users) < p.cold_users, YEAR - 30 * DAY, 0)
    joins = joins + (rng.random(p.n_users) * 20 * DAY).astype(np.int64)
    activity = np.exp(0.9 * rng.normal(size=p.n_users)).clip(0.15, 6.0) * np.where(joins > YEAR // 2, 0.15, 1.0)
    share = activity / activity.sum()
    edges = np.round(np.concatenate([[0.0], np.cumsum(share)]) * p.n_events).astype(np.int64)
    count = np.diff(edges)                                              # heavy-tailed, and n_events in all
    user = np.repeat(np.arange(p.n_users), count)
    first = np.zeros(len(user), dtype=bool)
    first[np.concatenate([[0], np.cumsum(count)[:-1]])[count > 0]] = True
    starts = first | (rng.random(len(user)) < STOP)
    when = joins[user] + (rng.random(len(user)) * (YEAR - DAY - joins[user])).astype(np.int64)
    session = np.cumsum(starts) - 1
    one = when[starts]
    ordered = one[np.lexsort((one, user[starts]))]                      # each user's sessions in the order of time
    return count, starts, YEAR_START + ordered[session]


def choose(world, taste, state, chance):
    """One item for each user: first the category, then the item in it. chance (B, 3) uniform."""
    p = world.parameters
    size = len(taste)
    weights = world.category_weights[state.season, taste, state.style]  # (B, C) whole numbers, as all that follows
    category = draw_with(chance[:, 0], weights * world.category_odds(state))
    inside = (chance[:, 1] * weights[np.arange(size), category]).astype(np.int64)
    row = np.ravel_multi_index((state.season, taste, state.style), world.weights.shape[:3])
    begin = row * p.n_items + world.category_start[category]
    item = np.searchsorted(world.running, world.running[begin] + inside, side="right") - 1 - row * p.n_items
    noisy = chance[:, 2] < p.noise
    for season in range(len(world.on_sale)):                            # noise: any item that is on sale
        rows = np.flatnonzero(noisy & (state.season == season))
        on_sale = world.on_sale[season]
        item[rows] = on_sale[(chance[rows, 2] / max(p.noise, 1e-12) * len(on_sale)).astype(np.int64)]
    return item


def respond(world, users, tastes, items, owned, chance):
    """Whether what these users look at goes into the cart, and is bought: two boolean arrays. chance (B, 2) uniform."""
    cart = chance[:, 0] < world.cart_probability(tastes, items)
    purchase = cart & (chance[:, 1] < world.buy_probability(items))
    buyers = np.flatnonzero(cart)
    has = np.zeros(len(users), dtype=bool)
    has[buyers] = owned.has(users[buyers], items[buyers])
    cart &= ~has                                                        # a thing once bought is only looked at again
    purchase &= ~has
    owned.add(users[purchase], items[purchase])
    return cart, purchase


def draw(rng, shares):
    """One column for each row of shares (B, C)."""
    return draw_with(rng.random(len(shares)), shares)


def draw_with(chance, weights):
    """The column that each chance (B,) falls into, for weights (B, C)."""
    edges = np.cumsum(weights, axis=1)
    return (np.floor(chance * edges[:, -1])[:, None] >= edges).sum(1) if edges.dtype.kind == "i" else \
        (chance[:, None] * edges[:, -1:] >= edges).sum(1).clip(max=weights.shape[1] - 1)


class Owned:
    """What each user has bought: a table that widens when someone's row is full."""

    def __init__(self, n_users):
        self.items = np.full((n_users, 4), -1, dtype=np.int32)
        self.count = np.zeros(n_users, dtype=np.int32)

    def has(self, users, items):
        return (self.items[users] == items[:, None]).any(1)

    def add(self, users, items):
        if len(users) and self.count[users].max() >= self.items.shape[1]:
            self.items = np.hstack([self.items, np.full_like(self.items, -1)])
        self.items[users, self.count[users]] = items
        self.count[users] += 1
