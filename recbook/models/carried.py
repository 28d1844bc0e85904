"""A trained model among tomorrow's users and items, whose numbers are others."""

import warnings
from dataclasses import replace

import numpy as np
import torch

from recbook.errors import ModelError, shown
from recbook.models.base import Recommender, refuse_others, select


def carry_over(model, dataset):
    """The trained model for a data set that has grown, or that counts its users and items in another order.

    A model that makes items from what they are (`Recommender.place`) gives new ones their scores. Any other ranks the
    items that it was trained on, and a warning says how many it cannot: they get -inf, and are in no list. Histories
    leave out what the model does not know. A new user is known by their history; a model that has a vector of each user
    refuses them.

    Parameters
    ----------
    model : Recommender
        Fitted, or loaded from a checkpoint.
    dataset : Dataset

    Returns
    -------
    model : Recommender
        To be asked with contexts of `dataset`. It is not saved: save the model, and carry it over anew.

    Raises
    ------
    ModelError
        The model does not know which ids it was trained on, or knows none of these items.

    Example
    -------
    >>> model = rb.ItemKNN(3, 4).fit(stars)
    >>> grown = rb.from_frame({"user": ["ann", "dan"], "item": ["alien", "dune"]})
    >>> items, scores = rb.carry_over(model, grown).top(grown.history("dan"), k=1)
    >>> grown.title(items[0, 0])            # dan is new, and known by his history
    'alien'
    """
    if model.trained_on is None:
        raise ModelError(f"This {type(model).__name__} does not say which ids it was trained on: train it again.")
    if same(model, dataset):
        return model
    placed = model.place(dataset)
    return Carried(model, dataset) if placed is None else placed


def same(model, dataset):
    """Whether numbers already mean the same."""
    return (model.trained_on.items_table == dataset.ids.items_table and model.n_items == dataset.n_items
            and (not model.knows_users or model.trained_on.users_table == dataset.ids.users_table))


class Carried(Recommender):
    """A trained model that is asked in the numbers of another data set: `carry_over` makes it."""

    def __init__(self, model, dataset):
        super().__init__()
        self.model, self.trained_on = model, dataset.ids
        self.n_users, self.n_items, self.reads = dataset.n_users, dataset.n_items, model.reads
        known = {what: model.trained_on.numbers(what) for what in ("users", "items")}
        for what, name in (("users", "old_user"), ("items", "old_item")):           # -1: it is new
            ours = [known[what].get(one, -1) for one in getattr(dataset.ids, what)]
            self.register_buffer(name, torch.tensor(ours, device=model.device))
        new = int((self.old_item < 0).sum())
        if new == self.n_items:
            raise ModelError(f"{type(model).__name__} knows none of the items of {dataset.name}. Are the ids of one kind?")
        if new:
            first = dataset.ids.items[int((self.old_item < 0).int().argmax())]
            warnings.warn(f"{type(model).__name__} was trained before {new:,} of the {self.n_items:,} items of "
                          f"{dataset.name} were there (such as {shown(first)}): it cannot rank them. Train it again, or "
                          "use a model of content.", stacklevel=3)

    @property
    def knows_users(self):
        return self.model.knows_users

    @property
    def config(self):
        raise ModelError("A model that was carried over is not saved: save the one it was made of, and carry that over.")

    def refuse_strangers(self, context):
        refuse_others(self, context)

    def scores(self, context, items=None):
        found = torch.as_tensor(self.model.scores(self.translated(context)))                    # (B, items of old)
        scores = found.new_full((len(found), self.n_items), -torch.inf)
        scores[:, self.old_item >= 0] = found[:, self.old_item[self.old_item >= 0]]
        return select(scores, items)

    def translated(self, context):
        """The context in the model's own numbers: (B, ...) as before; what it does not know is left out of histories."""
        users = context.users
        if users is not None:
            users = self.old_user[users]
            if self.knows_users and (users < 0).any():
                new = self.trained_on.users[int(context.users[users < 0][0])]
                raise ModelError(f"{type(self.model).__name__} has a vector of each user, and none of {shown(new)}, who came "
                                 "after it was trained: train it again, or use one that reads histories.")
        context = replace(context, users=users, users_table=None, items_table=None)
        if context.items is None:
            return context
        items = torch.where(context.items < 0, -1, self.old_item[context.items.clamp(min=0)])
        order = (items < 0).int().argsort(dim=1, stable=True)                       # what is known first, in its order
        moved = {name: torch.nan if value.is_floating_point() else -1 for name, value in vars(context).items()
                 if value is not None and value.ndim == 2}
        empty = items.gather(1, order) < 0
        fields = {name: (items if name == "items" else getattr(context, name)).gather(1, order).masked_fill(empty, fill)
                  for name, fill in moved.items()}
        return replace(context, **fields)
