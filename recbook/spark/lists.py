"""Lists for everybody, written by many machines: what is killed is made again, what is there is not."""

import os
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pyspark.sql import Window
from pyspark.sql import functions as F

from recbook.data import splits
from recbook.errors import ModelError
from recbook.evaluation import blocks
from recbook.offline import SCORES, begin, fingerprint
from recbook.settings import COUNT, check
from recbook.spark.frames import others, refuse_text


def lists(model, log, out, k=10, parts=16, again=True):
    """The k best items of every user of a log, as Parquet: a folder that Spark, pandas and DuckDB read as one table.

    Columns: `user`, `rank` from 1, `item` and `score`. Users are dealt into parts by a hash of their number. A part is one
    task and one file, written beside and renamed when it is whole, so that it is there once or not at all: a worker that is
    killed has its parts made again by another, and the same call goes on where the whole was interrupted. The folder has to
    be on a file system that renames at once, as a disk or HDFS does and an object store does not.

    Parameters
    ----------
    model : Recommender
        It travels to the workers.
    log : pyspark.sql.DataFrame
        What users met: users and items as numbers from 0, and times.
    out : str or Path
        A folder, made if it is not there, that all workers see.
    k : int
        Length of a list; it is shorter where less is left.
    parts : int
        How many; each has to fit into a worker's memory.
    again : bool
        Whether a user is shown what they met before.

    Returns
    -------
    out : Path

    Raises
    ------
    DataError
        Ids that are no numbers.
    ModelError
        A folder that holds other lists, or a setting that cannot be.

    Example
    -------
    >>> log = spark.createDataFrame(shop.interactions[["user", "item", "timestamp"]])
    >>> folder = rb.spark.lists(rb.ItemKNN(*sizes).fit(split), log, "many.parquet", k=3, parts=2)
    >>> len(pd.read_parquet(folder))        # of 60 users
    180
    """
    check("k", k)
    check("parts", parts, COUNT)
    refuse_text(log, "user", "item")
    if k > model.n_items:
        raise ModelError(f"k={k}: of {model.n_items} items, 1 to {model.n_items} can be listed.")
    out = Path(out).absolute()
    log = log.select("user", "item", "timestamp")
    rows, mark = log.agg(F.count(F.lit(1)), F.sum(F.xxhash64(*log.columns).cast("decimal(38,0)"))).first()
    begin(out, {"model": type(model).__name__, "weights": fingerprint(model), "data": f"{rows} rows, {mark}", "k": k,
                "parts": parts, "again": bool(again)})
    missing = [part for part in range(parts) if not (out / named(part)).exists()]
    if not missing:
        return out
    part = F.expr(f"pmod(xxhash64(user), {parts})").cast("int")
    asked = log.withColumn("part", part).where(F.col("part").isin(missing))
    if model.reads is not None and again:                               # nobody needs more of a long history
        order = Window.partitionBy("user").orderBy(F.desc("timestamp"), *(one.desc() for one in others(log, "user", "timestamp")))
        asked = asked.withColumn("back", F.row_number().over(order)).where(F.col("back") <= max(model.reads, 1)).drop("back")
    model = model.eval()
    asked.groupBy("part").applyInPandas(lambda frame: write(model, frame, str(out), k, again), "part int, users long").collect()
    return out


def named(part):
    """The name of the file of a part."""
    return f"part-{part:06}.parquet"


def write(model, frame, out, k, again):
    """On a worker: the file of one part, from all events of its users."""
    part = int(frame["part"].iloc[0])
    table = of_users(model, frame, k, again)
    beside = Path(out) / f".{named(part)}.{uuid.uuid4().hex}"
    try:
        table.to_parquet(beside, index=False)
        os.replace(beside, Path(out) / named(part))
    finally:
        beside.unlink(missing_ok=True)
    return pd.DataFrame({"part": [part], "users": [table["user"].nunique()]})


@torch.no_grad()
def of_users(model, frame, k, again):
    """The lists of the users of a frame with the columns user, item and timestamp."""
    frame = frame.sort_values(["user", "timestamp", "item"], ignore_index=True)
    user, number = np.unique(frame["user"].to_numpy(), return_inverse=True)
    log = splits.Log(frame.assign(user=number), len(user))
    length = np.diff(log.starts)
    tables = []
    for rows in blocks(len(user), model.n_items, length, SCORES):
        some = np.arange(rows.start, rows.stop)
        context = splits.history(log, some, np.full(len(some), frame["timestamp"].max()), model.reads)
        context.users = torch.from_numpy(user[some].astype(np.int64))
        met = None if again else splits.history(log, some, np.zeros(len(some))).items
        found, value = (each.cpu().numpy() for each in model.top(context, k, met))      # (B, k)
        there = found >= 0
        rank = np.broadcast_to(np.arange(1, k + 1, dtype=np.int32), found.shape)
        tables.append(pd.DataFrame({"user": np.repeat(user[some], there.sum(1)), "rank": rank[there],
                                    "item": found[there], "score": value[there]}))
    return pd.concat(tables, ignore_index=True)
