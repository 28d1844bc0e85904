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
    """The best items of the first users and their scores: [{"user": id, "items": [id], "scores": [number]}]."""
    found = []
    model.eval()
    for user in dataset.ids.users[:ASKED]:
        items, scores = (values[0].tolist() for values in model.top(dataset.history(user, model.reads), min(KEPT, dataset.n_items)))
        found.append({"user": user, "items": [dataset.ids.items[item] for item in items], "scores": scores})
    return found


@torch.no_grad()
def refuse_other_answers(model, dataset, asked, name):
    """Ask the model again; a ModelError if it gives these items other scores than those that were kept."""
    numbers = dataset.ids.numbers("items")
    for one in asked:
        missing = [item for item in one["items"] if item not in numbers]
        if missing:
            raise ModelError(f"{name} was probed with item {missing[0]!r}, which {dataset.name} does not have.")
        scores = torch.as_tensor(model.scores(dataset.history(one["user"], model.reads).to(device_of(model))))[0].cpu()
        found = scores[[numbers[item] for item in one["items"]]]
        kept = torch.tensor(one["scores"], dtype=found.dtype)
        apart = float((found - kept).abs().max() / kept.abs().max().clamp(min=1))
        if not apart <= AGREES:                                         # neither is NaN
            raise ModelError(f"{name} is not the model that was trained: its scores for user {one['user']!r} differ by "
                             f"{apart:.1e} from those that were kept with it.")
