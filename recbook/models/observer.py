"""The ceiling: what a perfect observer of the simulated shop could do, and what one who knows everything could.

Both know the shop's law (`data/shop/world.py`) and its parameters. The *observer* sees what any model sees, the
history and the profile; the hidden taste is a Markov chain over a few types, so its belief about it is exact: the
forward algorithm of hidden Markov models (Rabiner, *Proceedings of the IEEE* 1989). The *oracle* looks the
hidden taste up.
"""

import numpy as np
import torch

from recbook.data.shop.events import PURCHASE, SESSION_GAP, VIEW, Owned
from recbook.data.shop.world import State
from recbook.errors import ModelError
from recbook.models.base import Recommender, select


class Observer(Recommender):
    """Ranks by the true probability of the next item given the history: no model can do better on average.

    Friends are not consulted, and pictures and texts hold nothing that the observer does not know.
    """

    reads = None

    def __init__(self, dataset):
        super().__init__()
        if dataset.truth is None:
            raise ModelError(f"Only a simulated world has an observer; the truth behind {dataset.name} is not known.")
        self.dataset = dataset
        self.world = dataset.truth.world

    def scores(self, context, items=None):
        """Probability of each item being the next: (B, n_items) or (B, C)."""
        belief, state = self.follow(context)
        return select(torch.from_numpy(self.world.next_item(self.belief(context, belief), state)), items)

    def belief(self, context, belief):
        """How likely each taste is, (B, n_tastes), given what following the history says."""
        return belief

    def follow(self, context):
        """Read the histories: the belief about each user's taste (B, n_tastes), and their `State`, at time `now`."""
        world, drift = self.world, self.world.parameters.drift
        length = (context.items.numpy() >= 0).sum(1)
        order = np.argsort(-length, kind="stable")                      # the longest first: those who go on lie together
        users, now = context.users.numpy()[order], context.now.numpy()[order]
        steps = (np.ascontiguousarray(field.numpy()[order].T)           # (L, B) each
                 for field in (context.items, context.behaviours, context.ratings, context.times))
        prior = world.prior[users]
        belief = prior.copy()
        state = State.first(world, len(users))
        owned = Owned(len(users))
        last_time = np.full(len(users), -SESSION_GAP - 1)
        for step, (item, behaviour, rating, time) in enumerate(zip(*steps)):
            going = slice((length > step).sum())
            item, behaviour, rating, time = item[going], behaviour[going], rating[going], time[going]
            begins = np.flatnonzero(time - last_time[going] > SESSION_GAP)
            belief[begins] = (1 - drift) * belief[begins] + drift * prior[begins]
            state.leave(world, begins)
            state.season[going] = world.season(time)
            evidence = world.likelihood(item, state.at(going))          # (B, tastes)
            cart = world.cart_probability(slice(None), item).T
            cart = np.where((behaviour == VIEW)[:, None], 1 - cart, cart)
            evidence = evidence * np.where(owned.has(going, item)[:, None], 1.0, cart)
            rated = np.flatnonzero(~np.isnan(rating))
            star = world.star_probability(np.arange(belief.shape[1])[:, None], item[rated], users[rated]).T
            stars = rating[rated, None]
            evidence[rated] *= star ** (stars - 1) * (1 - star) ** (5 - stars)
            belief[going] *= evidence
            belief[going] /= belief[going].sum(1, keepdims=True)
            bought = behaviour == PURCHASE
            buyers = np.flatnonzero(bought)
            owned.add(buyers, item[buyers])
            state.see(world, going, item, bought)
            last_time[going] = time
        begins = np.flatnonzero(now - last_time > SESSION_GAP)
        belief[begins] = (1 - drift) * belief[begins] + drift * prior[begins]
        state.leave(world, begins)
        state.season[:] = world.season(now)
        back = np.argsort(order)
        return belief[back], state.at(back)


class TasteObserver(Observer):
    """The observer's belief about taste, and blind to all else: what the session shows, and what was bought.

    The ceiling of models that know a user by one vector, such as matrix factorization.
    """

    def follow(self, context):
        belief, state = super().follow(context)
        blind = State.first(self.world, len(belief))
        blind.season = state.season
        return belief, blind


class Oracle(Observer):
    """Ranks by the true probability given the history *and* the user's hidden taste at that very event."""

    def belief(self, context, belief):
        taste = self.dataset.truth.taste_at(context.users.numpy(), context.now.numpy())
        return np.eye(belief.shape[1])[taste]


def expected_ndcg(probabilities, k=10):
    """The NDCG@k that a ranking by these true probabilities (B, n_items) has on average: (B,)."""
    best = torch.as_tensor(probabilities).topk(k, dim=1).values
    return best @ (1 / torch.log2(torch.arange(k, dtype=best.dtype) + 2))
