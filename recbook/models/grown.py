"""A trained model with room for tomorrow's users and items, to be trained further."""

import torch

from recbook.errors import ModelError


def grow(model, dataset):
    """A model of the same kind for a data set that has grown: what it knows it keeps, what is new begins as in a new model.

    Rows of weights are found by the ids of the source, so that numbers may stand in another order, and users and items
    that are gone are left out. `fit` then trains it on, from these weights; what the optimiser knew of them is gone.

    Parameters
    ----------
    model : Recommender
        Trained by `fit`, or loaded from a checkpoint.
    dataset : Dataset

    Returns
    -------
    model : Recommender
        Another one; the given model stays as it is. Seed it by `seed_everything`.

    Raises
    ------
    ModelError
        A model that is solved at once, is made of others or of what items are, or does not know whose numbers it learned.

    Example
    -------
    >>> model = rb.BPRMF(3, 4, dim=2)
    >>> history = rb.fit(model, rb.everything(films), epochs=1, progress=False)
    >>> tomorrow = rb.from_frame({"user": ["ann", "dan"], "item": ["alien", "solaris"]})
    >>> grown = rb.grow(model, tomorrow)
    >>> grown.n_items, bool((grown.item.weight[0] == model.item.weight[0]).all())       # alien
    (2, True)
    """
    kind = type(model).__name__
    if hasattr(model, "fit"):
        raise ModelError(f"{kind} is solved at once, not trained on: fit it to all of {dataset.name}.")
    if model.trained_on is None:
        raise ModelError(f"This {kind} does not say which ids it was trained on: train it again.")
    sizes = {"n_users": dataset.n_users, "n_items": dataset.n_items}
    sizes = {name: size for name, size in sizes.items() if name in model.config}
    if "n_items" not in sizes:
        raise ModelError(f"{kind} is not built from a number of items: recbook.carry_over(model, dataset) asks it of new ones.")
    grown = type(model)(**model.config | sizes)
    old_rows = {f"n_{what}": old_numbers(model, dataset, what) for what in ("users", "items")}
    axes = {size: moving(model, size) for size in sizes}
    weights = grown.state_dict()
    with torch.no_grad():
        for name, old in model.state_dict().items():
            moved = [(axis, size) for size in sizes for axis in axes[size][name]]
            if not moved:
                weights[name].copy_(old)
                continue
            (axis, size), *more = moved
            if more:
                raise ModelError(f"{kind}: {name} has a number for each pair of items or users; train it anew.")
            rows, extra = old_rows[size], weights[name].shape[axis] - sizes[size]       # extra: a start, an end
            rows = torch.cat([rows, model.config[size] + torch.arange(extra)]).to(old.device)
            here = (rows >= 0).nonzero()[:, 0]
            weights[name].index_copy_(axis, here.to(weights[name].device), old.index_select(axis, rows[here]).to(weights[name]))
    return grown.to(model.device)


def old_numbers(model, dataset, what):
    """The number that each user or item of the data set has in the model; -1: it is new."""
    known = model.trained_on.numbers(what)
    return torch.tensor([known.get(one, -1) for one in getattr(dataset.ids, what)])


def moving(model, size):
    """{name of a weight: its axes that are longer when there is one more user, or item}."""
    with torch.device("meta"):                                          # shapes alone
        longer = type(model)(**model.config | {size: model.config[size] + 1}).state_dict()
    return {name: [axis for axis, (now, then) in enumerate(zip(weight.shape, longer[name].shape)) if now != then]
            for name, weight in model.state_dict().items()}
