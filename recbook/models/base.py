"""What every model can do; all else (training loop, evaluation, checkpoints, top-k) is written once, outside."""

import inspect
import re
from functools import wraps

import torch
from torch import nn

from recbook.data.histories import latest
from recbook.errors import ModelError
from recbook.settings import check, checked


class Recommender(nn.Module):
    """A model that ranks items: what all models can do.

    A subclass has `scores`, and either `loss(batch)`, a number to bring down (in a game {side: number}, where `side` is
    the attribute that holds that side's weights), with the `batches` it trains on, or a closed form: `fit(split)`, which
    returns the model. Every argument of its constructor is kept as an attribute of the
    same name; a checkpoint stores these.

    Attributes
    ----------
    reads : int or None
        How many past events of a user `scores` looks at: 0 for none, None for all of them.
    batches : Pairs, Ratings, ...
        What `loss` is given.
    sized_by_fit : tuple of str
        Buffers whose first dimension is known only after fit, such as the training data of a neighbour model.
    trained_on : Ids or None
        Of the data set that it was trained on; a context of another one is refused.

    Raises
    ------
    ModelError
        A setting that cannot be, a context of other users or items, or what this model cannot do.

    Example
    -------
    >>> class Newest(rb.Recommender):
    ...     def scores(self, context, items=None):
    ...         return torch.arange(48.0).expand(len(context), 48)
    >>> Newest().top(split.test.context(), k=3)[0][0]
    tensor([47, 46, 45])
    """

    reads = 0
    batches = None
    sized_by_fit = ()
    trained_on = None
    names_customers = True                                              # whether it keeps their ids, as a checkpoint does

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = checked(cls.__init__)
        if "fit" in vars(cls):
            cls.fit = keeping_ids(cls.fit)

    def start(self, split):
        """Before the first epoch: set what the training data tell at once, such as a mean."""

    def place(self, dataset):
        """The trained model for another data set, if it makes new items from what they are; most cannot: None."""

    def scores(self, context, items=None):
        """How much each item suits each case: the higher the better.

        Parameters
        ----------
        context : Context
            Of B cases.
        items : tensor or None
            None for the whole catalogue, (C,) for the same candidates in every case, (B, C) for those of each case.

        Returns
        -------
        scores : tensor (B, n_items) or (B, C)
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
        refuse_beyond(context.items, getattr(self, "n_items", None), "item")
        if self.reads is None or context.items.shape[1] <= self.reads:
            return context.items
        return latest(type(context)(items=context.items), self.reads).items

    @property
    def knows_users(self):
        """Whether it has something of each user, a vector or a bias, and so cannot answer for a new one."""
        return any(re.search(r"(^|[._])user([._]|$)", name) for name in self.state_dict())

    def refuse_strangers(self, context):
        """Refuse a context whose numbers are of other users or items than those that the model was trained on."""
        for model in self.modules():                                    # a hybrid was not trained; its parts were
            if isinstance(model, Recommender):
                refuse_others(model, context)

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
    def top(self, context, k=10, exclude=None, items=None):
        """The k best items of each case, the best first.

        Parameters
        ----------
        context : Context
            Of B cases; it may be on another device than the model.
        k : int
        exclude : tensor (B, E) or None
            Items to leave out, padded with -1.
        items : tensor (C,) or None
            Only these are ranked: those of a category, say.

        Returns
        -------
        items, scores : tensors (B, k)
            Where fewer than k are left, -1 stands for no item, with a score of -inf.

        Raises
        ------
        ModelError
            A context of other users or items than those of the training, or a `k` that is more than there are items.
        """
        self.refuse_strangers(context)
        scores = self.scores(context.to(self.device))
        if exclude is not None:
            exclude = numbers_of_items(exclude, scores, "exclude", -1)
            if exclude.ndim != 2 or len(exclude) != len(scores):
                raise ModelError(f"exclude has the shape {tuple(exclude.shape)}; for {len(scores)} cases it is "
                                 f"({len(scores)}, E), padded with -1.")
        if items is not None:
            left_out = torch.ones(scores.shape[1], dtype=torch.bool, device=scores.device)
            left_out[numbers_of_items(items, scores, "items", 0)] = False
            scores = scores.masked_fill(left_out, -torch.inf)
        return best(scores, k, exclude)


def refuse_others(model, context):
    """`refuse_strangers` of one model, whatever it is made of."""
    tables = [("items", context.items_table)] + [("users", context.users_table)] * model.knows_users
    for what, told in tables if model.trained_on is not None else ():
        if told is not None and (told != getattr(model.trained_on, f"{what}_table")).any():
            raise ModelError(f"{type(model).__name__} was trained on other {what} than these are, or on these in another "
                             f"order (its first is {getattr(model.trained_on, what)[0]!r}): "
                             "recbook.carry_over(model, dataset) takes it to them.")
    if model.knows_users:
        if context.users is None:
            raise ModelError(f"{type(model).__name__} knows users by their number: context.users is missing.")
        refuse_beyond(context.users, getattr(model, "n_users", None), "user")


def keeping_ids(fit):
    """A model's `fit`, after which it knows whose numbers it has learned."""
    @wraps(fit)
    def fit_and_keep(self, split, *arguments, **named):
        refuse_sizes(self, split)
        found = fit(self, split, *arguments, **named)
        self.trained_on = getattr(split.dataset, "ids", None)
        if self.trained_on is not None and not self.names_customers:
            self.trained_on = self.trained_on.without_users()
        return found

    return fit_and_keep


def refuse_sizes(model, split):
    """Refuse what is no split, and one of more or fewer users or items than the model was made for."""
    if not hasattr(split, "train"):
        raise ModelError(f"{type(model).__name__} is fitted to a split, not to a {type(split).__name__}: "
                         "recbook.everything(dataset) trains on all of it.")
    for what in ("users", "items"):
        size = getattr(model, f"n_{what}", None)
        there = getattr(split, f"n_{what}", size)
        if size is not None and size != there:
            raise ModelError(f"{type(model).__name__} was made for {size:,} {what}, and {split.dataset.name} has {there:,}.")


def numbers_of_items(given, scores, what, least):
    """Numbers of items as a tensor beside the scores (B, n_items), or an error that names the first that is none."""
    try:
        numbers = torch.as_tensor(given, device=scores.device)
    except (TypeError, ValueError, RuntimeError):
        raise ModelError(f"{what} holds what is no number of an item; items are 0 to {scores.shape[1] - 1}.") from None
    if numbers.numel() and (numbers.is_floating_point() or numbers.dtype == torch.bool):
        raise ModelError(f"{what} holds {numbers.flatten()[0].item()!r}; items are 0 to {scores.shape[1] - 1}.")
    numbers = numbers.long()
    outside = numbers[(numbers < least) | (numbers >= scores.shape[1])]
    if len(outside):
        raise ModelError(f"{what} holds item {int(outside[0])}; items are 0 to {scores.shape[1] - 1}.")
    return numbers


def best(scores, k, exclude=None):
    """The k highest of scores (B, n_items): (items (B, k), scores (B, k)). `exclude` (B, E) is padded with -1."""
    check("k", k)
    if k > scores.shape[1]:
        raise ModelError(f"Asked for the best {k} of {scores.shape[1]} items.")
    if exclude is not None:
        hidden = interaction_matrix(exclude, scores.shape[1]).bool()
        scores = scores.masked_fill(hidden, -torch.inf)
    values, items = highest(scores, k)
    return items.masked_fill(values == -torch.inf, -1), values


def highest(scores, k, piece=64):
    """`scores.topk(k, dim=1)` of many columns, in a fraction of its time: (values, columns), each (B, k).

    The k highest stand in the k pieces of 64 columns whose own highest are the highest, and in the columns left over.
    """
    pieces = scores.shape[1] // piece
    if pieces < 4 * k:
        return scores.topk(k, dim=1)
    chosen = scores[:, :pieces * piece].unflatten(1, (pieces, piece)).amax(2).topk(k, dim=1).indices     # (B, k)
    columns = (chosen[:, :, None] * piece + torch.arange(piece, device=scores.device)).flatten(1)
    left = torch.arange(pieces * piece, scores.shape[1], device=scores.device)
    columns = torch.cat([columns, left.expand(len(scores), -1)], dim=1)
    top = scores.gather(1, columns).topk(k, dim=1)
    return top.values, columns.gather(1, top.indices)


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
    """Refuse numbers of users or items that a model does not have; one that keeps no size is not asked."""
    if torch.compiler.is_exporting():                                   # an exported graph cannot ask what it will be given
        return
    if size is not None and numbers.numel() and numbers.max() >= size:
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
    matrix = torch.zeros(items.shape[0], n_items + 1, device=items.device, dtype=dtype)
    matrix.scatter_(1, torch.where(items < 0, n_items, items), 1.0)
    return matrix[:, :n_items]
