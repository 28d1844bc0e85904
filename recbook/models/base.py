"""What every model can do; all else (training loop, evaluation, checkpoints, top-k) is written once, outside."""

import inspect

import torch
from torch import nn

from recbook.data.histories import latest
from recbook.errors import ModelError
from recbook.models.settings import checked


class Recommender(nn.Module):
    """A model that ranks items.

    A subclass has `scores`, and either `loss` with the `batches` it trains on, or a closed form: `fit(split)`.
    Every argument of its constructor is kept as an attribute of the same name; a checkpoint stores these.

    Attributes
    ----------
    reads : int or None
        How many past events of a user `scores` looks at: 0 for none, None for all of them.
    batches : Pairs, Ratings, ...
        What `loss` is given.
    sized_by_fit : tuple of str
        Buffers whose first dimension is known only after fit, such as the training data of a neighbour model.
    """

    reads = 0
    batches = None
    sized_by_fit = ()

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = checked(cls.__init__)

    def start(self, split):
        """Before the first epoch: set what the training data tell at once, such as a mean."""

    def scores(self, context, items=None):
        """How much each item suits each case: the higher the better.

        context : Context of B cases. items : None for the whole catalogue, (C,) for the same candidates in every
        case, (B, C) for candidates of each case. Returns (B, n_items) or (B, C).
        """
        raise ModelError(f"{type(self).__name__} cannot rank items.")

    def question(self, context):
        """What each case asks, (B, D), if scores are products: score = question . answer. Else an error."""
        raise ModelError(f"The scores of {type(self).__name__} are no products of a question and an item's answer.")

    def answers(self):
        """What each item answers to a `question`: (n_items, D)."""
        raise ModelError(f"The scores of {type(self).__name__} are no products of a question and an item's answer.")

    def history(self, context):
        """The items that the model reads, the last `reads` of each case: (B, L), oldest first, then -1."""
        if context.items is None:
            raise ModelError(f"{type(self).__name__} reads histories: context.items is missing.")
        refuse_beyond(context.items, self.n_items, "item")
        if self.reads is None or context.items.shape[1] <= self.reads:
            return context.items
        return latest(type(context)(items=context.items), self.reads).items

    @property
    def knows_users(self):
        """Whether it learns something of each user, and so cannot answer for a new one."""
        return any("user" in name and tensor.shape[:1] == (self.n_users,) for name, tensor in self.state_dict().items())

    @property
    def device(self):
        """Where the weights are."""
        return next((tensor.device for tensor in self.state_dict().values()), torch.device("cpu"))

    @property
    def config(self):
        """The constructor's arguments."""
        return {name: getattr(self, name) for name in inspect.signature(type(self).__init__).parameters
                if name != "self"}

    @torch.no_grad()
    def top(self, context, k=10, exclude=None):
        """The k best items of each case, the best first: (items (B, k), scores (B, k)).

        `exclude` (B, E), padded with -1, are left out; where fewer than k are left, -1 stands for no item, with a score
        of -inf. The context may be on another device than the model.
        """
        exclude = None if exclude is None else exclude.to(self.device)
        if context.users is not None and self.knows_users:
            refuse_beyond(context.users, self.n_users, "user")
        return best(self.scores(context.to(self.device)), k, exclude)


def best(scores, k, exclude=None):
    """The k highest of scores (B, n_items): (items (B, k), scores (B, k)). `exclude` (B, E) is padded with -1."""
    if not 1 <= k <= scores.shape[1]:
        raise ModelError(f"Asked for the best {k} of {scores.shape[1]} items.")
    if exclude is not None:
        hidden = interaction_matrix(exclude, scores.shape[1]).bool()
        scores = scores.masked_fill(hidden, -torch.inf)
    top = scores.topk(k, dim=1)
    return top.indices.masked_fill(top.values == -torch.inf, -1), top.values


def select(scores, items):
    """Columns of scores (B, n_items) for candidates: all, (C,) or (B, C)."""
    if items is None:
        return scores
    return scores[:, items] if items.ndim == 1 else scores.gather(1, items)


def rows(table, numbers):
    """Rows of a table (N, D) or entries of a vector (N,) by their numbers, of any shape; all of them for None.

    As `table[numbers]`, but its gradient adds whole rows (`index_add`, not `index_put`): less time for all of BPR.
    """
    if numbers is None:
        return table
    try:
        return table.index_select(0, numbers.flatten()).view(*numbers.shape, *table.shape[1:])
    except IndexError:
        refuse_beyond(numbers, len(table), "user or item")
        raise


def refuse_beyond(numbers, size, what):
    """Refuse numbers of users or items that a model does not have."""
    if numbers.numel() and numbers.max() >= size:
        raise ModelError(f"{what} {int(numbers.max())} is asked for, and the model knows 0 to {size - 1}: is it that of "
                         "another data set?")


def products(vectors, table, items):
    """Dot products of vectors (B, D) with rows of a table (n_items, D): all of them, (C,) or (B, C)."""
    if items is None:
        return vectors @ table.T
    if items.ndim == 1:
        return vectors @ rows(table, items).T
    return (vectors[:, None] * rows(table, items)).sum(2)


def interaction_matrix(items, n_items, dtype=torch.float32):
    """Histories (B, L), padded with -1, as rows of 0 and 1: (B, n_items)."""
    matrix = torch.zeros(len(items), n_items + 1, device=items.device, dtype=dtype)
    matrix.scatter_(1, torch.where(items < 0, n_items, items), 1.0)
    return matrix[:, :n_items]
