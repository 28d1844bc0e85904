"""A few questions whose answers are kept with a model: whoever loads it can see whether it still is that model.

Weights that were damaged, code that has changed, another order of the catalogue: each gives other scores.
"""

import torch

from recbook.errors import ModelError
from recbook.evaluation import device_of

ASKED, KEPT = 3, 10     # users, and how many items of each
AGREES = 1e-3           # in units of the largest score, where that is above 1


@torch.no_grad()
def probe(model, dataset):
    """The best items of the first users, their scores, and the signed sum of all scores: of each user a dict `user`, `items`
    (ids), `scores`, `sum`."""
    found = []
    model.eval()
    for user in dataset.ids.users[:ASKED]:
        items, scores = (values[0].tolist() for values in model.top(dataset.history(user, model.reads), min(KEPT, dataset.n_items)))
        found.append({"user": user, "items": [dataset.ids.items[item] for item in items], "scores": scores,
                      "sum": signed_sum(all_scores(model, dataset, user))})
    return found


def all_scores(model, dataset, user):
    """Of the whole catalogue for one user: (n_items,)."""
    return torch.as_tensor(model.scores(dataset.history(user, model.reads).to(device_of(model))))[0].cpu()


def signed_sum(scores):
    """Every score counts, plus or minus by its place: two that change by as much seldom cancel out."""
    place = torch.arange(len(scores))
    sign = 1 - 2 * (place * 2_654_435_761 % 2**32 // 2**31)             # as if by chance (Knuth's multiplicative hash)
    return float((scores.double() * sign)[scores.isfinite()].sum())


@torch.no_grad()
def refuse_other_answers(model, dataset, asked, name):
    """Ask the model again; a ModelError if it gives these items other scores than those that were kept."""
    numbers = dataset.ids.numbers("items")
    for one in asked:
        missing = [item for item in one["items"] if item not in numbers]
        if missing:
            raise ModelError(f"{name} was probed with item {missing[0]!r}, which {dataset.name} does not have.")
        scores = all_scores(model, dataset, one["user"])
        found = scores[[numbers[item] for item in one["items"]]]
        kept = torch.tensor(one["scores"], dtype=found.dtype)
        apart = float((found - kept).abs().max() / kept.abs().max().clamp(min=1))
        if not apart <= AGREES:                                         # neither is NaN
            raise ModelError(f"{name} is not the model that was trained: its scores for user {one['user']!r} differ by "
                             f"{apart:.1e} from those that were kept with it.")
        most = AGREES * max(1, float(kept.abs().max())) * max(1, len(scores) / 1000) ** 0.5     # rounding adds up so
        if "sum" in one and not abs(signed_sum(scores) - one["sum"]) <= most:
            raise ModelError(f"{name} is not the model that was trained: its scores for user {one['user']!r} differ from those "
                             "that were kept with it, though not on the best items.")
