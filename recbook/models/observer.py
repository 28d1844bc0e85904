"""The ceiling: what a perfect observer of the simulated shop could do, and what one who knows everything could.

Both know the shop's law (`data/shop/world.py`) and its parameters. The *observer* sees what any model sees, the
history and the profile; the hidden taste is a Markov chain over a few types, so its belief about it is exact: the
forward algorithm of hidden Markov models (Rabiner, *Proceedings of the IEEE* 1989). The *oracle* looks the
hidden taste up.

A model that is not told what was done with the items, or when, stands under a lower ceiling: an observer who is not told
it either. What is denied is then hidden like the taste, and the same algorithm keeps the belief about both.
"""

import numpy as np
import torch

from recbook.data.shop.events import PURCHASE, SESSION_GAP, STOP, VIEW, Owned
from recbook.data.shop.world import NO_CATEGORY, State
from recbook.errors import ModelError
from recbook.models.base import Recommender, select


class Observer(Recommender):
    """Ranks by the true probability of the next item given the history: no model can do better on average.

    Friends are not consulted, and pictures and texts hold nothing that the observer does not know.

    All of this is exact but for one thing. Nobody buys a thing twice; one who is denied the behaviours takes from the
    number of earlier looks how likely it was bought before, and does not ask what followed each of these looks.

    Parameters
    ----------
    dataset : Dataset
        A simulated shop.
    behaviours : bool
        Whether it is told what was done with each item: a look, the cart, a purchase. If not, then nor the ratings:
        only what was bought is rated.
    ratings : bool
        Whether it is told the ratings.
    pauses : bool
        Whether it is told when things happened, and so where a visit begins, at the question too. Profiles, and what
        was on sale at each event, it knows in any case.

    Raises
    ------
    ModelError
        A data set that is no simulated world, or ratings without behaviours.

    Example
    -------
    >>> some = split.test.context(slice(0, 5))
    >>> chances = rb.Observer(shop).scores(some)    # (B, n_items)
    >>> torch.allclose(chances.sum(1), torch.ones(5, dtype=torch.double))
    True
    """

    reads = None

    def __init__(self, dataset, behaviours=True, ratings=True, pauses=True):
        super().__init__()
        if dataset.truth is None:
            raise ModelError(f"Only a simulated world has an observer; the truth behind {dataset.name} is not known.")
        if ratings and not behaviours:
            raise ModelError("behaviours=False needs ratings=False: a rating tells of a purchase.")
        self.dataset, self.behaviours, self.ratings, self.pauses = dataset, behaviours, ratings, pauses
        self.world = dataset.truth.world

    def scores(self, context, items=None):
        """Probability of each item being the next: (B, n_items) or (B, C)."""
        if self.behaviours and self.pauses:
            belief, state = self.follow(context)
            return select(torch.from_numpy(self.world.next_item(self.belief(context, belief), state)), items)
        return select(torch.from_numpy(self.next_item(*self.read(context))), items)

    def belief(self, context, belief):
        """How likely each taste is, (B, n_tastes), given what following the history says."""
        return belief

    def follow(self, context):
        """Read the histories: the belief about each user's taste (B, n_tastes), and their `State`, at time `now`.

        Of one who is denied something, the `State` is what it would be at the beginning of a visit, before any purchase.
        """
        belief, state = self.read(context)
        return belief.sum((1, 2)), State(*(value[:, 0, -1] for value in vars(state).values()))

    def read(self, context):
        """Read the histories: the belief about all that is hidden, and the `State` that goes with each case of it.

        Returns the belief (B, P, K, n_tastes) and a `State` of arrays (B, P, K). P: how much was seen in the visit,
        nothing, one thing or more (3), and 1 if that is known. K: what was bought last (a category, or none), and 1 if
        that is known.
        """
        world = self.world
        items, behaviours, ratings, times = (field.numpy() for field in (context.items, context.behaviours,
                                                                         context.ratings, context.times))
        length = (items >= 0).sum(1)
        whose = beginnings(context.users.numpy(), length, (items, behaviours, ratings, times))
        longest = np.unique(whose)                                      # these are read, and others on the way
        longest = longest[np.argsort(-length[longest], kind="stable")]  # the longest first: those who go on lie together
        place = np.empty(len(whose), dtype=int)
        place[longest] = np.arange(len(longest))
        place = place[whose]                                            # (B,)  where among them each case is read
        users = context.users.numpy()[longest]
        steps = (np.ascontiguousarray(field[longest].T) for field in (items, behaviours, ratings, times))   # (L, R) each
        visits, kinds = 1 if self.pauses else 3, 1 if self.behaviours else NO_CATEGORY + 1
        shape = len(users), visits, kinds
        prior = world.prior[users]
        belief = np.zeros((*shape, prior.shape[1]))
        belief[:, 0, -1] = prior                                        # nothing seen, nothing bought
        state = State(*(value.reshape(shape) for value in vars(State.first(world, np.prod(shape))).values()))
        if not self.behaviours:
            state.bought[:] = np.arange(kinds)
        owned, looks = Owned(len(users)), np.zeros((len(users), len(world.item_category)), dtype=np.int16)
        last_time = np.full(len(users), -SESSION_GAP - 1)
        found = belief[place], state.at(place), last_time[place]        # of each case, when its history has been read
        for step, (item, behaviour, rating, time) in enumerate(zip(*steps)):
            going = slice((length[longest] > step).sum())
            item, behaviour, rating, time = item[going], behaviour[going], rating[going], time[going]
            self.pause(belief, state, prior, time - last_time[going], np.full(len(item), step == 0))
            state.season[going] = world.season(time)[:, None, None]
            evidence = self.evidence(item, State(*(value[going] for value in vars(state).values())))
            if self.behaviours:
                cart = world.cart_probability(slice(None), item).T      # (R, tastes)
                told = np.where((behaviour == VIEW)[:, None], 1 - cart, cart)
                told = np.where(owned.has(going, item)[:, None], 1.0, told)
                if self.ratings:
                    rated = np.flatnonzero(~np.isnan(rating))
                    star = world.star_probability(np.arange(cart.shape[1])[:, None], item[rated], users[rated]).T
                    stars = rating[rated, None]
                    told[rated] *= star ** (stars - 1) * (1 - star) ** (5 - stars)
                evidence *= told[:, None, None]
            belief[going] *= evidence
            belief[going] /= belief[going].sum((1, 2, 3), keepdims=True)
            if self.behaviours:
                buyers = np.flatnonzero(behaviour == PURCHASE)
                owned.add(buyers, item[buyers])
                state.bought[buyers] = world.item_category[item[buyers], None, None]
            self.look(belief[going], State(*(value[going] for value in vars(state).values())), item, looks[going])
            last_time[going] = time
            read = np.flatnonzero(length == step + 1)
            for kept, value in zip((found[0], *vars(found[1]).values(), found[2]),
                                   (belief, *vars(state).values(), last_time)):
                kept[read] = value[place[read]]
        belief, state, last_time = found
        self.pause(belief, state, prior[place], context.now.numpy() - last_time, length == 0)
        state.season[:] = world.season(context.now.numpy())[:, None, None]
        return belief, state

    def look(self, belief, state, item, looks):
        """The items (B,) were looked at: in place, belief and state after it, with what of it is hidden.

        looks (B, n_items) : how often each item was looked at before.
        """
        world, rows, category = self.world, np.arange(len(item)), self.world.item_category[item]
        if not self.behaviours:
            cart = world.cart_probability(slice(None), item).T          # (B, tastes)
            buys = (cart * world.buy_probability(item)[:, None])[:, None, None]                 # (B, 1, 1, tastes)
            bought = belief * buys
            earlier = looks[rows, item][:, None, None, None]
            bought[:, :, :-1] *= (1 - buys) ** earlier                  # not bought at an earlier look
            belief -= bought
            belief[rows, :, category] += bought.sum(2)
            looks[rows, item] += 1
        if not self.pauses:                                             # one more thing was seen in the visit
            belief[:, 2] += belief[:, 1]
            belief[:, 1], belief[:, 0] = belief[:, 0], 0
        seen = min(1, belief.shape[1] - 1)
        state.before_last[:, -1] = state.last[:, -1]
        state.last[:, seen:] = category[:, None, None]
        state.style[:, seen:] = world.item_style[item][:, None, None]

    def following(self, context):
        """What `recbook.write` asks: the true log probability of each item after a history and what was written.

        Of lists it is exact only if it is told neither behaviours nor pauses: nobody knows of what has not happened yet
        whether it will be bought, or when. The season is that of the question.
        """
        if self.behaviours or self.pauses:
            raise ModelError("What is written has not happened: nobody knows whether it will be bought, or when. "
                             "Observer(dataset, behaviours=False, ratings=False, pauses=False) writes.")
        belief, state = self.read(context)
        looks = counts_of(context.items.numpy(), len(self.world.item_category))
        prior = self.world.prior[context.users.numpy()]

        def following(rows, written):
            rows = rows.numpy()
            now, cells, met = belief[rows], state.at(rows), looks[rows]             # copies
            for item in written.numpy().T:
                now *= self.evidence(item, cells)
                now /= np.maximum(now.sum((1, 2, 3), keepdims=True), np.finfo(float).tiny)      # 0: not on sale
                self.look(now, cells, item, met)
                self.pause(now, cells, prior[rows], np.zeros(len(rows)), np.zeros(len(rows), dtype=bool))
            return torch.from_numpy(self.next_item(now, cells)).log()   # -inf: not on sale

        return following

    def evidence(self, item, state):
        """Probability of the items (B,) that came next, in each hidden case: (B, P, K, n_tastes)."""
        shape = state.last.shape
        cells = State(*(value.ravel() for value in vars(state).values()))
        return self.world.likelihood(np.repeat(item, shape[1] * shape[2]), cells).reshape(*shape, self.world.prior.shape[1])

    def pause(self, belief, state, prior, seconds, first):
        """After a pause (B,) a visit may begin: the taste may be drawn anew, and what was seen no longer pulls.

        Of the first rows of belief and state, as many as there are pauses. first (B,) : these have seen nothing yet.
        """
        drift, rows = self.world.parameters.drift, slice(len(seconds))
        if self.pauses:
            rows, share = np.flatnonzero(seconds > SESSION_GAP), 1.0
            state.leave(self.world, rows)
        else:
            share = np.where(first, 1.0, STOP)[:, None, None]
        begins = share * belief[rows].sum(1)                            # (R, K, tastes)
        begins = (1 - drift) * begins + drift * prior[rows, None] * begins.sum(2, keepdims=True)
        belief[rows] *= 1 - (share if self.pauses else share[..., None])
        belief[rows, 0] += begins

    def next_item(self, belief, state):
        """Probability of each item being the next, (B, n_items), from what `read` returns."""
        world, noise = self.world, self.world.parameters.noise
        season, chosen = state.season[:, 0, 0], 0
        for visit in range(belief.shape[1]):
            cells = State(*(value[:, visit] for value in vars(state).values()))                 # (B, K)
            shares = belief[:, visit] / world.total_of(cells)                                   # (B, K, tastes)
            of_category = np.einsum("bkz,bkc->bzc", shares, world.category_odds(cells))
            weights = world.weights[season, :, cells.style[:, 0]]                               # (B, tastes, n_items)
            chosen = chosen + (weights * of_category[:, :, world.item_category]).sum(1)
        available = world.available[season]
        return (1 - noise) * chosen + noise * available / available.sum(1, keepdims=True)


class TasteObserver(Observer):
    """The observer's belief about taste, and blind to all else: what the session shows, and what was bought.

    The ceiling of models that know a user by one vector, such as matrix factorization.

    Parameters
    ----------
    dataset, behaviours, ratings, pauses
        As in `Observer`.

    Raises
    ------
    ModelError
        As `Observer`.

    Example
    -------
    >>> models = {"observer": rb.Observer(shop), "taste": rb.TasteObserver(shop)}
    >>> rb.compare(models, on=split.test).better("observer", than="taste")
    True
    """

    def follow(self, context):
        belief, state = super().follow(context)
        blind = State.first(self.world, len(belief))
        blind.season = state.season
        return belief, blind


class Oracle(Observer):
    """Ranks by the true probability given the history *and* the user's hidden taste at that very event.

    Parameters
    ----------
    dataset, behaviours, ratings, pauses
        As in `Observer`.

    Raises
    ------
    ModelError
        As `Observer`.

    Example
    -------
    >>> models = {"oracle": rb.Oracle(shop), "observer": rb.Observer(shop)}
    >>> result = rb.compare(models, on=rb.by_time(shop, test=0.8).test)
    >>> result.better("oracle", than="observer")
    True
    """

    def belief(self, context, belief):
        taste = self.dataset.truth.taste_at(context.users.numpy(), context.now.numpy())
        return np.eye(belief.shape[1])[taste]


def beginnings(users, length, fields):
    """Which case's history begins with each case's: (B,) row numbers, one of the same user's cases or its own.

    length (B,) : how many events each history has; fields : what is told of them, (B, L) each.
    """
    order = np.lexsort((-length, users))                                # of each user the longest first
    _, first = np.unique(users[order], return_index=True)
    longest = np.repeat(order[first], np.diff([*first, len(users)]))
    whose = np.empty(len(users), dtype=int)
    whose[order] = longest
    within = np.arange(fields[0].shape[1]) < length[:, None]
    for field in fields:
        other = field[whose]
        same = (field == other) | (field != field) & (other != other) | ~within         # a rating may be missing: NaN
        whose = np.where(same.all(1), whose, np.arange(len(users)))
    return whose


def counts_of(items, n_items):
    """How often each item stands in histories (B, L), padded with -1: (B, n_items)."""
    row, step = (items >= 0).nonzero()
    found = np.zeros((len(items), n_items), dtype=np.int16)
    np.add.at(found, (row, items[row, step]), 1)
    return found


def expected_ndcg(probabilities, k=10):
    """The NDCG@k that a ranking by these true probabilities (B, n_items) has on average: (B,)."""
    best = torch.as_tensor(probabilities).topk(k, dim=1).values
    return best @ (1 / torch.log2(torch.arange(k, dtype=best.dtype) + 2))
