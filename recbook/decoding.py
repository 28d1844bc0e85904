"""Lists written one item at a time, by any model that says which item comes next.

A model gives the probability of the next item after what stands already, and so of a whole list: the product. Three
ways to choose one: *greedy*, the likeliest item each time; *beam search*, which keeps the `beam` likeliest beginnings
(a beam as wide as there are beginnings finds the likeliest list, a beam of 1 is greedy); *sampled*, as likely as the
model says. (Sutskever, Vinyals and Le, *Sequence to Sequence Learning with Neural Networks*, NIPS 2014.)

No item stands in a list twice. The log probability of a list is the model's own, in which nothing forbids repeats:
lists that were written in different ways can be compared by it.
"""

import torch

from recbook.data.splits import Context
from recbook.errors import ModelError
from recbook.settings import check

SCORES_AT_ONCE = 2**22
WAYS = ("greedy", "beam", "sample")


@torch.no_grad()
def write(model, context, k=5, how="beam", beam=10, exclude=None, generator=None):
    """A list of k items for each case, written one item at a time, each knowing those before it.

    Parameters
    ----------
    model : Recommender
        One that writes (`Writer`), or any model of the next item: it is asked k times, what it wrote appended to the
        history as if it had happened. An `Observer` that is told neither behaviours nor pauses writes what is truly
        likely.
    context : Context
        Of B cases.
    k : int
        How many items.
    how : "greedy", "beam" or "sample"
    beam : int
        How many beginnings beam search keeps.
    exclude : tensor (B, E) or None
        Items that must not be written, padded with -1.
    generator : torch.Generator or None
        Of the samples; on the model's device.

    Returns
    -------
    items : tensor (B, k)
    log_probability : tensor (B,)
        Of the whole list, in its order.

    Raises
    ------
    ModelError
        A way or a beam that cannot be, or more items than can be written without repeats.

    Example
    -------
    >>> model = rb.GRU4Rec(*sizes, dim=8, hidden=16)
    >>> items, log_probability = rb.write(model, shop.history([3, 7]), k=4)
    >>> items.shape, log_probability.shape
    (torch.Size([2, 4]), torch.Size([2]))
    """
    check("k", k)
    check("beam", beam)
    if how not in WAYS:
        raise ModelError(f"how={how!r}: one of {', '.join(WAYS)}.")
    width, found = beam if how == "beam" else 1, []
    following, excluded, pieces = ready(model, context, exclude, width)
    for rows in pieces:
        if how == "sample":
            found.append(sample(following, rows, k, excluded[rows], generator)[:2])
        else:
            items, logs = beam_search(following, rows, k, width, excluded[rows])
            found.append((items[:, 0], logs[:, 0]))
    return tuple(torch.cat(part) for part in zip(*found))


@torch.no_grad()
def chance_within(model, context, k=5, draws=20, exclude=None, generator=None):
    """How likely each item is to stand in a list of k that the model draws: (B, n_items), each row's sum k.

    The mean over `draws` lists of the sum of each item's chances step by step: far less noise than counting the items.
    """
    check("k", k)
    following, excluded, pieces = ready(model, context, exclude, 1)
    return torch.cat([sum(sample(following, rows, k, excluded[rows], generator)[2] for _ in range(draws)) / draws
                      for rows in pieces])


def ready(model, context, exclude, width):
    """What all ways need: `following`, what is excluded (B, E), and the cases in pieces for `width` beginnings each."""
    if context.items is None:
        raise ModelError("A list is written after a history: context.items is missing.")
    if hasattr(model, "refuse_strangers"):
        model.refuse_strangers(context)
        context = context.to(model.eval().device)
    following = model.following(context) if hasattr(model, "following") else asked_again(model, context)
    cases = torch.arange(len(context), device=context.items.device)
    excluded = cases.new_full((len(cases), 1), -1) if exclude is None else torch.as_tensor(exclude, device=cases.device)
    if excluded.ndim != 2 or len(excluded) != len(cases):
        raise ModelError(f"exclude has the shape {tuple(excluded.shape)}; for {len(cases)} cases it is "
                         f"({len(cases)}, E), padded with -1.")
    n_items = following(cases[:1], cases.new_zeros(min(1, len(cases)), 0)).shape[1]
    return following, excluded, cases.split(max(1, SCORES_AT_ONCE // (width * n_items)))


def beam_search(following, rows, k, beam, exclude):
    """The likeliest lists that are found when only the `beam` likeliest beginnings are kept, the likeliest first.

    Parameters
    ----------
    following : callable
        `following(rows, written)` is the log probability of each item (R, N) after what stands in the list: written
        (R, t), of the cases with the numbers rows (R,).
    rows : tensor (B,)
    exclude : tensor (B, E), padded with -1

    Returns items (B, W, k) and their log probabilities (B, W), with W at most `beam`; -inf where there are fewer lists.
    """
    lists = rows.new_zeros(len(rows), 1, 0)
    logs = 0.0
    for step in range(k):
        width = lists.shape[1]
        after = following(rows.repeat_interleave(width), lists.flatten(0, 1))                   # (B * W, N)
        n_items = after.shape[1]
        refuse_too_many(k, exclude, n_items)
        ruled_out = torch.cat([exclude.repeat_interleave(width, 0), lists.flatten(0, 1)], dim=1)
        after = without(after, ruled_out).view(len(rows), width, n_items)
        total = (after + (logs[..., None] if step else 0.0)).flatten(1)                         # (B, W * N)
        logs, chosen = total.topk(min(beam, total.shape[1]), dim=1)
        parent = (chosen // n_items)[..., None].expand(-1, -1, step)
        lists = torch.cat([lists.gather(1, parent), (chosen % n_items)[..., None]], dim=2)
    return lists, logs


def sample(following, rows, k, exclude, generator=None):
    """A list drawn item by item, of those that may still be written.

    Returns items (B, k), the model's log probability (B,), and the chances that each item had, summed over steps (B, N).
    """
    lists, logs, summed = rows.new_zeros(len(rows), 0), 0.0, 0.0
    for _ in range(k):
        after = following(rows, lists)                                  # (B, N)
        refuse_too_many(k, exclude, after.shape[1])
        left = without(after, torch.cat([exclude, lists], dim=1))
        chances = left.softmax(1)
        item = torch.multinomial(chances, 1, generator=generator)
        lists, logs = torch.cat([lists, item], dim=1), logs + after.gather(1, item)[:, 0]
        summed = summed + chances
    return lists, logs, summed


def without(logs, items):
    """Log probabilities (R, N) with -inf for items (R, E), padded with -1."""
    ruled_out = torch.zeros(len(logs), logs.shape[1] + 1, dtype=torch.bool, device=logs.device)
    ruled_out.scatter_(1, torch.where(items < 0, logs.shape[1], items), True)
    return logs.masked_fill(ruled_out[:, :-1], -torch.inf)


def refuse_too_many(k, exclude, n_items):
    """Refuse lists that are longer than there are items for."""
    if exclude.numel() and exclude.max() >= n_items:
        raise ModelError(f"exclude holds item {int(exclude.max())}; items are 0 to {n_items - 1}.")
    left = without(torch.zeros(len(exclude), n_items, device=exclude.device), exclude).isfinite().sum(1)
    if len(left) and k > left.min():
        raise ModelError(f"k={k}: a list repeats no item, and case {int(left.argmin())} has {int(left.min())} that may be "
                         "written.")


def asked_again(model, context):
    """`following` of a model of the next item: what was written stands at the end of the history, as if it had happened.

    The model is told the users, the items and the time of the question; what was done, and when, nobody knows of what
    has not happened yet. Its chances are the softmax of its scores.
    """
    known = (context.items >= 0).sum(1)

    def following(rows, written):
        history = Context(users=context.users, items=context.items, now=context.now).rows(rows).widen(written.shape[1])
        place = known[rows][:, None] + torch.arange(written.shape[1], device=written.device)
        history.items.scatter_(1, place, written)
        return torch.as_tensor(model.scores(history)).log_softmax(1)

    return following
