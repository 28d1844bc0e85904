"""What a sequential model may be given as a history, and how much of it is read."""

import torch

from recbook.errors import ModelError

PAUSES = 24         # kinds of pauses that models tell apart; the last begins at 2 ** 23 seconds, three months


def checked(context, n_items, length):
    """The context with at least one step and its last `length` events; refuse what no history can be."""
    items = context.items
    if items is None:
        raise ModelError("A sequential model needs the users' histories: context.items is missing.")
    if not torch.compiler.is_exporting():                               # an exported graph cannot ask what it will be given
        refuse_no_history(items, n_items)
    if items.shape[1] == 0:
        return context.widen(1)
    return context if items.shape[1] <= length else latest(context, length)


def refuse_no_history(items, n_items):
    """Refuse items (B, L) that are none, and events behind the padding."""
    real = items >= 0
    if (items >= n_items).any() or (items < -1).any():
        row, step = ((items >= n_items) | (items < -1)).nonzero()[0].tolist()
        raise ModelError(f"History {row} holds item {items[row, step]} at step {step}; items are 0 to {n_items - 1}, "
                         "and -1 stands after the last.")
    if (real[:, 1:] & ~real[:, :-1]).any():
        row = (real[:, 1:] & ~real[:, :-1]).any(1).int().argmax()
        raise ModelError(f"History {row} goes on after a padding of -1: events come first, padding last.")


def latest(context, length):
    """The last `length` events of each history."""
    count = (context.items >= 0).sum(1, keepdim=True)
    place = (count - length).clamp(min=0) + torch.arange(length, device=count.device)           # (B, length)
    return type(context)(**{name: value.gather(1, place) if value is not None and value.ndim == 2 else value
                            for name, value in vars(context).items()})
