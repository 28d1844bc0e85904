"""Lists for everybody, written while they are made: a night's work that may be interrupted."""

import hashlib
import json
import os
from collections.abc import Hashable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from recbook.data import splits
from recbook.errors import DataError, ModelError
from recbook.evaluation import blocks
from recbook.settings import check

SCORES = 20_000_000     # held at a time: 80 MB


def lists(model, dataset, out, k=10, users=None, items=None, again=None):
    """The k best items of every user, as Parquet: a folder that `pandas.read_parquet` reads as one table.

    Columns: `user` and `item`, the source's ids; `rank`, from 1; `score`; and `title`, where the items have one. Users
    are taken some at a time, each part is a file of its own, written whole or not at all, and what is there already is
    not made again: the same call goes on where it was interrupted. It needs pyarrow.

    Parameters
    ----------
    model : Recommender
    dataset : Dataset
        Whose users these are; histories end where it ends.
    out : str or Path
        A folder, made if it is not there.
    k : int
        Length of a list; it is shorter where less is left.
    users : list of ids or None
        Of these users; None for all.
    items : list of ids or None
        Only these are recommended; None for the whole catalogue.
    again : bool or None
        Whether a user is shown what they met before; None: where items return in this data set.

    Returns
    -------
    out : Path

    Raises
    ------
    DataError
        An id that the data do not have.
    ModelError
        A folder that holds other lists, a model of other items, or more items a list than there are.

    Example
    -------
    >>> model = rb.ItemKNN(*sizes).fit(rb.everything(shop))
    >>> folder = rb.lists(model, shop, "lists.parquet", k=3)
    >>> pd.read_parquet(folder).columns.tolist()
    ['user', 'rank', 'item', 'score', 'title']
    """
    out = Path(out)
    who = numbers_of(users, "users", dataset)
    allowed = numbers_of(items, "items", dataset)
    again = dataset.items_return if again is None else again
    check("k", k)
    if k > len(allowed):
        raise ModelError(f"k={k}: of {len(allowed)} items, 1 to {len(allowed)} can be listed.")
    made_of = {"model": type(model).__name__, "weights": fingerprint(model), "users": digest(who), "items": digest(allowed),
               "data": splits.everything(dataset).fingerprint(), "k": k, "again": bool(again)}
    begin(out, made_of)
    if isinstance(model, torch.nn.Module):
        model.eval()
    length = np.diff(dataset.log.starts)[who]
    for number, rows in enumerate(blocks(len(who), dataset.n_items, length, SCORES)):
        part = out / f"part-{number:06}.parquet"
        if not part.exists():
            table = some_lists(model, dataset, who[rows], allowed, k, again)
            beside = out / f".{part.name}.{os.getpid()}"
            table.to_parquet(beside, index=False)
            os.replace(beside, part)
    return out


@torch.no_grad()
def some_lists(model, dataset, users, allowed, k, again):
    """The lists of some users, as a frame."""
    context = splits.history(dataset.log, users, np.full(len(users), dataset.interactions["timestamp"].max()), model.reads)
    exclude = None if again else splits.history(dataset.log, users, np.zeros(len(users))).items
    found, value = (each.cpu().numpy() for each in model.top(context, k, exclude, allowed))     # (B, k)
    there = found >= 0                                                  # fewer than k may be left
    item = found[there]
    table = pd.DataFrame({
        "user": dataset.users["original"].to_numpy()[np.repeat(users, there.sum(1))],
        "rank": np.broadcast_to(np.arange(1, k + 1), found.shape)[there].astype(np.int32),
        "item": dataset.items["original"].to_numpy()[item],
        "score": value[there]})
    if "title" in dataset.items:
        table["title"] = dataset.items["title"].to_numpy()[item]
    return table


def numbers_of(ids, what, dataset):
    """Our numbers of the ids, in the order given and each once; all for None."""
    if ids is None:
        return np.arange(len(getattr(dataset.ids, what)))
    known = dataset.ids.numbers(what)
    unknown = [one for one in ids if not isinstance(one, Hashable) or one not in known]
    if unknown:
        raise DataError(f"{dataset.name} has none of {what} {unknown[0]!r}.")
    return np.array([known[one] for one in dict.fromkeys(ids)], dtype=np.int64)


def begin(out, made_of):
    """A new folder, or one that holds a part of these very lists."""
    about = out / "_lists.json"                                         # readers of Parquet pass over what begins with "_"
    if about.exists():
        kept = json.loads(about.read_text())
        differs = [name for name, value in made_of.items() if kept.get(name) != value]
        if differs:
            raise ModelError(f"{out} holds lists of another {differs[0]}: choose another folder, or delete that one.")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(f"{out} is there already, and holds no lists of recbook's: choose another folder.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        about.write_text(json.dumps(made_of, indent=1))
    except OSError as problem:
        raise ModelError(f"{out} cannot be written ({problem.strerror}).") from None


def fingerprint(model):
    """A hash of a model's weights and settings."""
    found = hashlib.sha256()
    for name, value in model.state_dict().items():
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    found.update(repr(model.reads).encode())
    return found.hexdigest()


def digest(numbers):
    """A hash of an array of numbers."""
    return hashlib.sha256(np.ascontiguousarray(numbers).tobytes()).hexdigest()
