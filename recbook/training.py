"""The one training loop."""

import copy
import random
import time

import numpy as np
import pandas as pd
import torch
from torch.autograd.graph import increment_version
from tqdm.auto import tqdm

from recbook.checkpoints import resume_run, save_run
from recbook.errors import ModelError
from recbook.evaluation import LOWER_IS_BETTER, evaluate
from recbook.models.base import refuse_sizes
from recbook.settings import checked

PRECISIONS = ("float32", "bfloat16")


def best_device(device="auto"):
    """`"auto"` is the GPU where there is one, the CPU elsewhere."""
    if device != "auto":
        try:
            torch.zeros(1, device=device)
        except (AssertionError, NotImplementedError, RuntimeError, TypeError):
            raise ModelError(f"This machine has no {device} device for PyTorch: use 'auto' or 'cpu'.") from None
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@checked
def seed_everything(seed):
    """Seed Python's, NumPy's and PyTorch's generators, so that the same call gives the same model.

    Call it before building a model: its initial weights are random too.

    Parameters
    ----------
    seed : int

    Example
    -------
    >>> rb.seed_everything(1)
    >>> first = rb.BPRMF(*sizes).item.weight
    >>> rb.seed_everything(1)
    >>> torch.equal(first, rb.BPRMF(*sizes).item.weight)
    True
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def adam(parameters, lr):
    """Adam in one pass over each weight, where PyTorch's default makes a dozen."""
    return torch.optim.Adam(parameters, lr=lr, fused=True)


@checked
def fit(model, split, epochs=20, batch_size=2048, learning_rate=1e-2, patience=None, metric=None, device="auto",
        seed=0, progress=True, checkpoint=None, optimiser=adam, schedule=None, validate_every=1, precision="float32",
        after_epoch=None):
    """Train a model on `split.train`; a model with a closed form is solved.

    Parameters
    ----------
    model : Recommender
    split : Split
    epochs, batch_size : int
    learning_rate : float
    patience : int or None
        Stop after this many validations without a better one, and go back to the best. None trains all epochs and
        keeps the last; validation is then only measured if `metric` is named.
    metric : str or None
        What validation measures (`"NDCG@10"` by default; RMSE and MAE are better when smaller).
    device : "auto", "cpu", "cuda", ...
    seed : int
        Of the shuffles and the negatives. Seed the initial weights by `seed_everything` before building the model.
    progress : bool
        Whether to draw a bar.
    checkpoint : str, Path or None
        A folder, written after every epoch. If it holds a checkpoint of this very run, training goes on from there.
    optimiser : callable
        Takes (parameters, lr=...); Adam by default.
    schedule : callable or None
        Factor of the learning rate at a share of training, 0 or more and below 1, asked before each epoch. With
        `lambda share: 1 - share` the rate falls from epoch to epoch; the last of five still has a fifth of it.
    validate_every : int
        How many epochs lie between two validations.
    precision : "float32" or "bfloat16"
        Of the products of matrices while training; weights, sums and validation keep float32. Half as many bits a
        number save time where the processor multiplies them.
    after_epoch : callable or None
        Is given each row of the history, a dict; what it raises ends the training.

    Returns
    -------
    history : DataFrame
        One row an epoch: `loss` (mean over batches), `seconds`, and the validation metric. Of a game, whose `loss` is
        a dict, also the mean of each side, and `loss` is their sum.

    Raises
    ------
    ModelError
        Nothing to train on or to validate on, a loss that is not finite, a folder that holds another run.

    Example
    -------
    >>> model = rb.BPRMF(*sizes, dim=8)
    >>> history = rb.fit(model, split, epochs=3, metric="NDCG@10", progress=False)
    >>> history.columns.tolist()
    ['epoch', 'loss', 'seconds', 'NDCG@10']
    """
    if hasattr(model, "fit"):
        start = time.perf_counter()
        model.fit(split)
        return pd.DataFrame({"epoch": [1], "seconds": [time.perf_counter() - start]})
    refuse_sizes(model, split)
    if len(split.train) == 0:
        raise ModelError("There is nothing to train on.")
    if precision not in PRECISIONS:
        raise ModelError(f"precision={precision!r}: one of {', '.join(PRECISIONS)}.")
    device = best_device(device)
    model.to(device)
    metric = metric or ("NDCG@10" if patience is not None else None)
    if metric and split.validation is None:
        raise ModelError(f"The split {split.name!r} has no validation part to measure {metric} on.")
    batches = copy.copy(model.batches).prepare(split, device)
    model.start(split)
    weights = list(model.parameters())
    optimiser = optimiser(weights, lr=learning_rate)
    generator = torch.Generator(device).manual_seed(seed)
    run = {"model": type(model).__name__, "config": model.config, "batch_size": batch_size, "seed": seed,
           "learning_rate": learning_rate, "precision": precision, "data": split.dataset.name, "split": split.name,
           "training data": split.fingerprint() if checkpoint else None}
    history, best_weights = resume_run(checkpoint, run, model, optimiser, generator) if checkpoint else ([], None)
    sign = -1 if metric in LOWER_IS_BETTER else 1

    bar = tqdm(range(len(history) + 1, epochs + 1), desc=type(model).__name__, disable=not progress, leave=False)
    for epoch in bar:
        if patience is not None and validations_since_best(history, metric, sign) >= patience:
            break
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * (schedule((epoch - 1) / epochs) if schedule else 1)
        start = time.perf_counter()
        total, count, sides = torch.zeros((), device=device), 0, {}
        model.train()
        for batch in batches.epoch(min(batch_size, 2**31), generator):
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                loss = model.loss(batch)
            if isinstance(loss, dict):
                refuse_broken(model, loss, epoch)
                for side, own in loss.items():
                    sides[side] = sides.get(side, 0) + own.detach()
                loss = sum(loss.values())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            increment_version(weights)      # a fused step is not counted as a change: what a model keeps of them would be old
            total += loss.detach()  # no .item() here: it would wait for the device
            count += 1
        row = {"epoch": epoch, "loss": float(total) / count, "seconds": time.perf_counter() - start}
        row |= {side: float(own) / count for side, own in sides.items()}
        if not np.isfinite(row["loss"]):
            raise ModelError(f"The loss of epoch {epoch} is {row['loss']}: try a smaller learning rate.")
        if metric and (epoch % validate_every == 0 or epoch == epochs):
            row[metric] = evaluate(model, split.validation, [metric])[metric]
        history.append(row)
        if metric in row and validations_since_best(history, metric, sign) == 0:
            best_weights = copy.deepcopy(model.state_dict())
        bar.set_postfix({name: f"{value:.4f}" for name, value in row.items() if name not in ("epoch", "seconds")})
        if checkpoint:
            save_run(checkpoint, run, model, optimiser, generator, history, best_weights)
        if after_epoch:
            after_epoch(row)
    if patience is not None and best_weights is not None:
        model.load_state_dict(best_weights)
    model.trained_on = split.dataset.ids
    model.eval()
    return pd.DataFrame(history)


def refuse_broken(model, losses, epoch):
    """Stop a game, {side: loss}, at the first loss that is not finite, and name the side that broke.

    A side that breaks takes the other with it at the next batch: it is the one whose weights are no numbers any more.
    """
    losses = {side: loss.detach() for side, loss in losses.items()}
    if torch.stack([*losses.values()]).isfinite().all():
        return
    fallen = [side for side in losses
              if not all(weight.isfinite().all() for weight in getattr(model, side).parameters())]
    fallen = fallen or [side for side, loss in losses.items() if not loss.isfinite()]
    values = ", ".join(f"{side} {float(loss):g}" for side, loss in losses.items())
    raise ModelError(f"The {' and the '.join(fallen)} broke in epoch {epoch} (losses: {values}): "
                     "try a smaller learning rate.")


def validations_since_best(history, metric, sign):
    """How many validations have passed since the best one; 0 if there was none yet."""
    values = [sign * row[metric] for row in history if metric in row]
    return len(values) - 1 - int(np.argmax(values)) if values else 0
