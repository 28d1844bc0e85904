"""What customers do when the shop shows them something: the same law, with a slate in view."""

import numpy as np
import pandas as pd
import torch

from recbook.data import splits
from recbook.data.dataset import BEHAVIOURS
from recbook.data.shop.events import CART, PURCHASE, SESSION_GAP, STOP, VIEW, Owned, draw, respond
from recbook.data.shop.world import DAY, State
from recbook.errors import DataError


def visits(dataset, policy, users=None, pull=1.0, seed=0):
    """One more visit of each user, on the day after the data end, while a policy chooses what they are shown.

    Before every look the user sees a slate. An item on it is `exp(pull)` times as likely, compared with the others, as
    it would be without::

        P(i)  is proportional to  P(i | history, taste) * exp(pull * [i is shown])

    Parameters
    ----------
    dataset : Dataset
        A shop: users act on their hidden taste.
    policy : callable
        Takes the `Context` of B users, with what they did in this visit so far, and returns the items to show, (B, K).
        A model's is `lambda context: model.top(context, k=6)[0]`.
    users : array (U,) or None
        Who comes; by default everybody.
    pull : float
        How strongly the slate draws; 0: not at all.
    seed : int
        With the same seed a user has the same dice, whatever is shown and whoever else comes.

    Returns
    -------
    looks : DataFrame
        One row a look: `user`, `step` of the visit, `item`, `behaviour`, `shown` (whether it was on the slate).

    Raises
    ------
    DataError
        A data set that is no simulated shop.

    Example
    -------
    >>> model = rb.Popularity(*sizes).fit(split)
    >>> looks = rb.visits(shop, lambda context: model.top(context, k=6)[0])
    >>> looks.columns.tolist()
    ['user', 'step', 'item', 'behaviour', 'shown']
    """
    if dataset.truth is None:
        raise DataError(f"{dataset.name} gives no answers: only in a simulated shop can something else be shown.")
    world = dataset.truth.world
    p = world.parameters
    users = np.arange(dataset.n_users) if users is None else np.asarray(users)
    rng = np.random.default_rng([p.seed, 5, seed])
    length = rng.geometric(STOP, size=p.n_users)[users]                 # looks in this visit
    wait = (rng.random(p.n_users) * DAY).astype(np.int64)[users]
    drifted, other_taste = (rng.random(p.n_users) < p.drift)[users], draw(rng, world.prior)[users]

    log = splits.Log(dataset.interactions, dataset.n_users, dataset.ids)
    now = torch.from_numpy(log.times.max() + SESSION_GAP + wait)
    context = splits.history(log, users, now)
    known = (context.items >= 0).sum(1).numpy()                         # events before this visit
    context = context.widen(length.max(initial=0))
    taste = np.where(drifted | (known == 0), other_taste, dataset.truth.tastes[log.starts[users + 1] - 1])
    owned, state = possessions(world, context)
    state.season[:] = len(world.seasons) - 1

    looks = []
    for step in range(length.max(initial=0)):
        here = np.flatnonzero(length > step)
        slate = torch.as_tensor(policy(context.rows(here))).numpy()     # (B, K); -1: nothing
        shown = np.zeros((len(here), p.n_items + 1), dtype=bool)
        np.put_along_axis(shown, slate, True, axis=1)                   # -1 is the last column
        shown = shown[:, :-1]
        odds = world.next_item(np.eye(p.n_tastes)[taste[here]], state.at(here))         # (B, n_items)
        edges = np.cumsum(np.where(shown, np.exp(pull), 1.0) * odds, axis=1)
        chance = np.random.default_rng([p.seed, 6, seed, step]).random((p.n_users, 4))[users[here]]
        item = (chance[:, :1] * edges[:, -1:] >= edges).sum(1).clip(max=p.n_items - 1)
        cart, purchase = respond(world, here, taste[here], item, owned, chance[:, 1:3])
        behaviour = np.where(purchase, PURCHASE, np.where(cart, CART, VIEW))
        state.see(world, here, item, purchase)

        column = known[here] + step
        for field, value in (("items", item), ("behaviours", behaviour), ("times", context.now[here])):
            getattr(context, field)[here, column] = torch.as_tensor(value)
        context.now[here] += 15 + torch.from_numpy((chance[:, 3] * (SESSION_GAP - 300)).astype(np.int64))
        looks.append(pd.DataFrame({
            "user": users[here], "step": step, "item": item,
            "behaviour": pd.Categorical.from_codes(behaviour, BEHAVIOURS), "shown": shown[np.arange(len(here)), item],
        }))
    return pd.concat(looks).sort_values(["user", "step"], ignore_index=True)


def possessions(world, context):
    """What users own after their histories, and their `State` at the door: (Owned, State)."""
    owned, state = Owned(len(context)), State.first(world, len(context))
    items, bought = context.items.numpy(), context.behaviours.numpy() == PURCHASE
    for step in range(items.shape[1]):
        buyers = np.flatnonzero(bought[:, step])
        owned.add(buyers, items[buyers, step])
        state.bought[buyers] = world.item_category[items[buyers, step]]
    return owned, state
