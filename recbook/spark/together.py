"""Training by several workers: each has its share of the users, and all take the same step.

Every worker holds the whole model. At each step it computes the gradient of its own batch; the gradients are added up over
all workers, weighted by the events behind them, and everybody takes the step of the mean (data-parallel, synchronous). So
one step of W workers with B / W events each is one step of one worker with B events, but for which events meet in a batch.
"""

import contextlib
import copy
import hashlib
import io
import logging
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import torch
import torch.distributed as dist
from pyspark.ml.torch.distributor import TorchDistributor
from pyspark.sql import functions as F
from torch.autograd.graph import increment_version

from recbook.data.frames import from_frame
from recbook.data.splits import everything
from recbook.errors import DataError, ModelError
from recbook.settings import COUNT, check
from recbook.spark.frames import refuse_text
from recbook.training import adam


def train(model, log, workers=2, epochs=1, batch_size=2048, learning_rate=1e-2, seed=0, threads=1, folder=None):
    """Train a model that learns by steps, on several workers; they are started by Spark's TorchDistributor and talk by gloo.

    A user's events stay together. The model itself is trained, as by `fit`.

    Parameters
    ----------
    model : Recommender
        With a `loss`.
    log : pyspark.sql.DataFrame
        Users and items as numbers from 0, times, and a rating or session where the model reads one.
    workers : int
        At most as many as Spark runs tasks at once.
    epochs : int
    batch_size : int
        Events a step, of all workers together.
    learning_rate : float
    seed : int
        Of the shuffles and the negatives.
    threads : int
        That PyTorch uses within each worker.
    folder : str, Path or None
        Where the shards are put for the workers, who all have to see it; None for a temporary folder, on one machine.

    Returns
    -------
    history : DataFrame
        One row an epoch: `loss`, `steps`, `seconds`, of these `waiting` (for the others, and for the gradients to be
        added up), and `bytes` that a worker put in, all steps together. `attrs["events"]` says how many events each
        worker had.

    Raises
    ------
    DataError
        Ids that are no numbers or are too large.
    ModelError
        More workers than Spark has room for, a model without a loss, workers that did not read the log or whose weights
        differ at the end, or one that failed.

    Example
    -------
    >>> log = spark.createDataFrame(shop.interactions[["user", "item", "timestamp"]])
    >>> history = rb.spark.train(rb.BPRMF(*sizes, dim=4), log, workers=2, epochs=1)
    >>> sum(history.attrs["events"])
    2000
    """
    for name, value in (("workers", workers), ("epochs", epochs), ("batch_size", batch_size), ("threads", threads)):
        check(name, value, COUNT)
    refuse_text(log, "user", "item")
    if model.batches is None:
        raise ModelError(f"{type(model).__name__} learns by no steps; it is solved, on one machine, by fit.")
    room = log.sparkSession.sparkContext.defaultParallelism
    if workers > room:
        raise ModelError(f"workers={workers}: Spark runs {room} tasks at once here.")
    with contextlib.ExitStack() as stack:
        folder = Path(folder or stack.enter_context(TemporaryDirectory())).absolute()
        total = deal(log, folder, workers, (model.n_users, model.n_items))
        options = {"epochs": epochs, "batch_size": max(1, batch_size // workers), "learning_rate": learning_rate,
                   "seed": seed, "threads": threads, "total": total, "shards": str(folder / "shards")}
        state, history, events = run(work, workers, copy.deepcopy(model).cpu(), options)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    model.eval()
    history = pd.DataFrame(history)
    history.attrs["events"] = events
    return history


def deal(log, folder, workers, sizes):
    """Write a shard for each worker, users by a hash of their number; what all together hold, to be checked by them."""
    total = log.agg(F.count(F.lit(1)), F.sum("user"), F.sum("item"), F.max("user"), F.max("item")).first()
    for what, largest, size in zip(("user", "item"), total[3:], sizes):
        if largest is not None and largest >= size:
            raise DataError(f"{what} {largest}, but the model has {size} {what}s: numbers go from 0 to {size - 1}.")
    shard = F.expr(f"pmod(xxhash64(user), {workers})")
    log.withColumn("shard", shard).repartition(workers, "shard").write.partitionBy("shard").mode("overwrite").parquet(
        str(folder / "shards"))
    return [int(each or 0) for each in total[:3]]


def run(function, workers, *given):
    """What `function(*given)` returns on the first of some workers that can talk to each other."""
    logging.getLogger("TorchDistributor").handlers = [logging.NullHandler()]
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            return TorchDistributor(num_processes=workers, local_mode=False, use_gpu=False).run(function, *given)
        except Exception as problem:                                    # whatever a worker died of comes as Spark's own
            text = f"{said.getvalue()}\n{problem}"
            told = [line.strip().rpartition("]:")[2] for line in text.splitlines() if "Error: " in line or "Error:" in line]
            ours = [line for line in told if "recbook.errors." in line]
            raise ModelError(f"The workers failed: {(ours or told or [str(problem)])[0].rpartition('recbook.errors.')[2]}") from None


def shard_of(folder, rank, model):
    """A worker's own events, as a split in which all of them train; None if it has none."""
    place = Path(folder) / f"shard={rank}"
    if not place.exists():
        return None
    frame = pd.read_parquet(place)
    features = {side: pd.DataFrame({side: range(size)}) for side, size in (("user", model.n_users), ("item", model.n_items))}
    options = {name: name for name in ("rating", "session", "behaviour") if name in frame}
    dataset = from_frame(frame, f"shard {rank}", timestamp="timestamp", users=features["user"], items=features["item"],
                         items_return=True, **options)
    return everything(dataset)


def work(model, options):
    """What each worker does. Returns, from the first: weights, history, and how many events each had."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo") if os.environ.get("MASTER_ADDR") in ("127.0.0.1", "localhost") else None
    dist.init_process_group("gloo")
    try:
        return in_step(model, dist.get_rank(), **options)
    finally:
        dist.destroy_process_group()


def in_step(model, rank, shards, total, epochs, batch_size, learning_rate, seed, threads):
    """Train with all others, who do the same at the same time."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    split = shard_of(shards, rank, model)
    events = what_was_read(split, total)
    batches = None
    if split is not None:
        batches = copy.copy(model.batches).prepare(split, "cpu")
        model.start(split)
    for value in model.state_dict().values():                           # all begin with the first one's weights
        dist.broadcast(value, 0)
    weights = list(model.parameters())
    optimiser = adam(weights, lr=learning_rate)
    generator = torch.Generator().manual_seed(seed * dist.get_world_size() + rank)
    model.train()
    history = []
    for epoch in range(1, epochs + 1):
        begun, row = time.perf_counter(), {"epoch": epoch, "loss": 0.0, "steps": 0, "waiting": 0.0, "bytes": 0}
        stream, seen = iter(() if batches is None else batches.epoch(batch_size, generator)), 0
        while True:
            loss, size = gradient(model, next(stream, None))
            waiting = time.perf_counter()
            loss, size, exchanged = add_up(weights, loss, size)
            row["waiting"] += time.perf_counter() - waiting
            if size == 0:                                               # nobody has a batch left
                break
            optimiser.step()
            increment_version(weights)
            row["steps"], row["bytes"], seen = row["steps"] + 1, row["bytes"] + exchanged, seen + size
            row["loss"] += loss
        history.append(row | {"loss": row["loss"] / max(seen, 1), "seconds": time.perf_counter() - begun})
    refuse_apart(model)
    return {name: value.numpy() for name, value in model.state_dict().items()}, history, events


def gradient(model, batch):
    """Put the gradient of a batch into the weights. Returns its loss, and how many rows it has; nothing for None."""
    model.zero_grad()
    if batch is None:
        return 0.0, 0
    loss = model.loss(batch)
    if isinstance(loss, dict):
        loss = sum(loss.values())
    loss.backward()
    return float(loss.detach()), len(batch.items)


def add_up(weights, loss, size):
    """Give every worker the mean gradient over all rows; a worker without a batch adds nothing, and waits for none.

    Returns the sum of the losses of all rows, how many rows there were, and the bytes that a worker put in.
    """
    flat = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
    together = torch.cat([*(each.reshape(-1) for each in flat), torch.tensor([loss, 1.0])]) * size
    dist.all_reduce(together)
    loss, rows = together[-2:].tolist()
    parts = (together[:-2] / max(rows, 1.0)).split([weight.numel() for weight in weights])
    for weight, part in zip(weights, parts):
        weight.grad = part.view_as(weight)
    return loss, int(rows), together.numel() * together.element_size()


def what_was_read(split, total):
    """How many events each worker has; an error unless all together are the whole log, each event once."""
    train = None if split is None else split.train
    mine = [0, 0, 0] if train is None else [len(train), int(train["user"].sum()), int(train["item"].sum())]
    everybody = [None] * dist.get_world_size()
    dist.all_gather_object(everybody, mine)
    if [sum(column) for column in zip(*everybody)] != total:
        raise ModelError(f"the workers read {sum(each[0] for each in everybody)} events and the log has {total[0]}, or not the same "
                         "ones: a shard was read twice, or is missing.")
    return [each[0] for each in everybody]


def refuse_apart(model):
    """An error unless every worker has the same weights, to the bit: they took the same steps."""
    digest = hashlib.sha256()
    for value in model.state_dict().values():
        digest.update(value.contiguous().numpy().tobytes())
    everybody = [None] * dist.get_world_size()
    dist.all_gather_object(everybody, digest.hexdigest())
    if len(set(everybody)) > 1:
        raise ModelError("the workers' weights differ at the end: their gradients were not added up.")
