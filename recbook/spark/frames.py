"""A log as a Spark frame: read, cleaned, numbered and cut by time.

A frame in Spark has no order of its own: which of two equal rows comes first differs from run to run. So whatever here
depends on an order names all that decides it: the time, then every other column.
"""

import os
import re

import pandas as pd
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import NumericType

from recbook.errors import DataError


def read(spark, source, user="user", item="item", timestamp="timestamp", keep=()):
    """A log as a frame with the columns `user`, `item`, `timestamp` and those that are kept.

    Parameters
    ----------
    spark : SparkSession
    source : str, Path or frame
        A Parquet file, a folder of such files (what tables in a lake are), or a frame of Spark or of pandas.
    user, item, timestamp : str
        The columns that hold these. Times are whole seconds since 1970, or Spark's own timestamps.
    keep : sequence of str
        Other columns to keep.

    Returns
    -------
    log : pyspark.sql.DataFrame

    Raises
    ------
    DataError
        A file that is no Parquet or is cut short, a column that is not there, a row without a user, item or time.

    Example
    -------
    >>> orders = pd.DataFrame({"who": ["ann", "bob"], "what": ["tea", "tea"], "when": [5, 9]})
    >>> rb.spark.read(spark, orders, user="who", item="what", timestamp="when").columns
    ['user', 'item', 'timestamp']
    """
    name = str(source) if isinstance(source, str | os.PathLike) else "the frame"
    if isinstance(source, pd.DataFrame):
        source = spark.createDataFrame(source)
    try:
        found = source if isinstance(source, DataFrame) else spark.read.parquet(os.fspath(source))
        for ours, theirs in (("user", user), ("item", item), ("timestamp", timestamp), *((one, one) for one in keep)):
            if theirs not in found.columns:
                raise DataError(f"{name}: no column {theirs!r} for {ours}; the columns are "
                                f"{', '.join(map(repr, found.columns))}. Say {ours}='...' with the right one.")
        log = found.select(F.col(user).alias("user"), F.col(item).alias("item"), F.col(timestamp).alias("timestamp"), *keep)
        kind = log.schema["timestamp"].dataType.typeName()
        if kind in ("timestamp", "timestamp_ntz", "date"):
            log = log.withColumn("timestamp", F.col("timestamp").cast("timestamp").cast("long"))
        elif kind not in ("long", "integer", "short"):
            raise DataError(f"{name}: {timestamp!r} is {kind}; times are whole seconds since 1970 or timestamps.")
        without = {column: F.sum(F.col(column).isNull().cast("long")) for column in ("user", "item", "timestamp")}
        rows, *missing = log.agg(F.count(F.lit(1)), *without.values()).first()     # reads each file once, to its end
    except (PySparkException, Py4JError) as problem:               # the second from a task that failed
        file, why = reason(problem)
        raise DataError(f"{name}: {file} cannot be read as Parquet ({why}).") from None
    for column, count in zip(without, missing):
        if count:
            raise DataError(f"{name}: {count:,} of {rows:,} rows have no {column}.")
    if not rows:
        raise DataError(f"{name}: there are no rows.")
    return log


def reason(problem):
    """The file that Spark's message names, and the line that says what was wrong."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    told = [line.partition(": ")[2] or line for line in lines if line.startswith("Caused by:")]
    named = re.search(r"[^\s/]+\.parquet\b", str(problem))
    return named[0] if named else "it", (told[-1].rpartition("Exception: ")[2] if told else lines[0])[:300]


def refuse_text(log, *columns):
    """Refuse ids that are no whole numbers, where numbers are needed."""
    for column in columns:
        kind = log.schema[column].dataType
        if not isinstance(kind, NumericType) or kind.typeName() in ("double", "float", "decimal"):
            raise DataError(f"{column}: the ids are {kind.typeName()}, and here whole numbers from 0 are needed: "
                            "log, users, items = recbook.spark.encode(log) numbers them.")


def others(log, *named):
    """All columns but those that are named, in the order of their names: what decides between equal times."""
    return [F.col(column) for column in sorted(set(log.columns) - set(named))]


def once(log):
    """Of each user's events with the same item the first; of several at the same time that with the smaller other columns.

    Parameters
    ----------
    log : pyspark.sql.DataFrame

    Returns
    -------
    log : pyspark.sql.DataFrame

    Example
    -------
    >>> log = spark.createDataFrame([(1, 7, 10), (1, 7, 20), (2, 7, 5)], "user long, item long, timestamp long")
    >>> rb.spark.once(log).count()
    2
    """
    order = Window.partitionBy("user", "item").orderBy("timestamp", *others(log, "user", "item", "timestamp"))
    return log.withColumn("place", F.row_number().over(order)).where("place = 1").drop("place")


def core(log, least=5):
    """The largest part of the log in which every user and every item stands `least` times.

    Each round is computed and kept before the next, so that the plan does not grow with the rounds.

    Parameters
    ----------
    log : pyspark.sql.DataFrame
    least : int

    Returns
    -------
    log : pyspark.sql.DataFrame

    Example
    -------
    >>> log = spark.createDataFrame([(1, 7, 10), (1, 8, 20), (2, 7, 5), (2, 8, 6), (3, 9, 1)],
    ...                             "user long, item long, timestamp long")
    >>> rb.spark.core(log, least=2).count()
    4
    """
    size = None
    while True:
        for side in ("user", "item"):
            often = log.groupBy(side).count().where(F.col("count") >= least).select(side)
            log = log.join(often, side, "left_semi").select(*log.columns)
        log = log.localCheckpoint()
        before, size = size, log.count()
        if size == before:
            return log


def sessions(log, gap=1800):
    """The log with a column `session`, a user's sessions counted from 0: a new one begins after `gap` seconds without event.

    Parameters
    ----------
    log : pyspark.sql.DataFrame
    gap : int
        Seconds.

    Returns
    -------
    log : pyspark.sql.DataFrame

    Example
    -------
    >>> log = spark.createDataFrame([(1, 7, 0), (1, 8, 60), (1, 9, 9000)], "user long, item long, timestamp long")
    >>> [row.session for row in rb.spark.sessions(log).orderBy("timestamp").collect()]
    [0, 0, 1]
    """
    order = Window.partitionBy("user").orderBy("timestamp", *others(log, "user", "timestamp"))
    pause = F.col("timestamp") - F.lag("timestamp").over(order)
    begins = F.coalesce(pause > gap, F.lit(False)).cast("long")
    return log.withColumn("session", F.sum(begins).over(order))


def placed(frame, *order):
    """The frame with a column `place`, 0, 1, 2, ... in sorted order, without ever being on one machine.

    Sorted, each partition holds a range; its rows are numbered within it, and the sizes of the partitions before it are
    added. What was sorted is kept (`localCheckpoint`): sorted anew, the ranges could be others.
    """
    inside = F.monotonically_increasing_id()                            # the partition's number * 2^33 + the row's in it
    frame = frame.orderBy(*order).withColumn("inside", inside).localCheckpoint()
    part = F.shiftright("inside", 33)
    sizes = frame.groupBy(part.alias("part")).count().orderBy("part").collect()
    if not sizes:
        raise DataError("There are no rows.")
    before, offsets = 0, {}
    for row in sizes:
        offsets[row["part"]] = before
        before += row["count"]
    offset = F.create_map(*(F.lit(each).cast("long") for pair in offsets.items() for each in pair))
    place = F.col("inside").bitwiseAND(F.lit(2**33 - 1)) + F.element_at(offset, part.cast("long"))
    return frame.withColumn("place", place).drop("inside")


def encode(log):
    """Users and items numbered from 0 in the order of their ids, as `from_frame` numbers them.

    Parameters
    ----------
    log : pyspark.sql.DataFrame

    Returns
    -------
    log, users, items : pyspark.sql.DataFrame
        The log with numbers for ids; and two tables with the columns `original` and `user`, or `item`.

    Example
    -------
    >>> log = spark.createDataFrame([("bob", "tea", 1), ("ann", "tea", 2)], "user string, item string, timestamp long")
    >>> log, users, items = rb.spark.encode(log)
    >>> users.orderBy("user").collect()
    [Row(original='ann', user=0), Row(original='bob', user=1)]
    """
    tables = []
    columns = log.columns
    for side in ("user", "item"):
        ids = placed(log.select(F.col(side).alias("original")).distinct(), "original").withColumnRenamed("place", side)
        log = log.withColumnRenamed(side, "original").join(ids, "original").drop("original")
        tables.append(ids)
    return log.select(*columns), *tables


def split(log, validation=0.1, test=0.1):
    """Cut a log by time, at the very moments where `by_time` cuts it.

    Parameters
    ----------
    log : pyspark.sql.DataFrame
    validation, test : float
        Shares of all events: the last ones are the test, those before them validation.

    Returns
    -------
    train, validation, test : pyspark.sql.DataFrame

    Raises
    ------
    DataError
        Shares that leave nothing to train on, or times too coarse to cut between them.

    Example
    -------
    >>> log = spark.createDataFrame([(1, item, item) for item in range(10)], "user long, item long, timestamp long")
    >>> [part.count() for part in rb.spark.split(log)]
    [8, 1, 1]
    """
    if not (0 <= validation and 0 < test and validation + test < 1):
        raise DataError(f"validation={validation}, test={test}: shares of 0 or more, test above 0, together below 1.")
    times = placed(log.select("timestamp"), "timestamp")
    size = times.count()
    cuts = {0, int(size * (1 - validation - test)), int(size * (1 - test))}
    moment = {row["place"]: row["timestamp"] for row in times.where(F.col("place").isin(sorted(cuts))).collect()}
    first_validation, first_test = moment[int(size * (1 - validation - test))], moment[int(size * (1 - test))]
    if first_validation == moment[0] or (validation and first_validation == first_test):
        raise DataError("The timestamps are too coarse to split by time.")
    now = F.col("timestamp")
    return (log.where(now < first_validation), log.where((now >= first_validation) & (now < first_test)),
            log.where(now >= first_test))
