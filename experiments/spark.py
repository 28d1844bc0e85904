"""What one machine can do, what Spark adds, and what it costs: python experiments/spark.py [PART ...]

amazon     the cleaning of Amazon's reviews by pandas and by Spark, row for row
large      a shop of 100 million events, made in pieces: read by DuckDB and by pandas, each in a process that may hold so much
growth     cleaning (repeats, 5-core, sessions), pairs of items, and factorizations as the log grows tenfold and tenfold again
als        Spark's ALS and IALS: each tuned on validation with the same number of trials (Spark's by SparkIALS), then the test
together   one process on one thread and on two, and two workers, who each have half of the users
lists      lists for a million users, with a worker killed in the middle, and with the whole job killed and started again
skew       one user with half of all events: pairs of items, with all of the history and with its end

Each clocked run is a process of its own, which notes the most memory that it held; with Spark that of the JVM and of Python.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

import recbook as rb
from recbook import results

NAME = "spark"
TITLE = "Many machines: seconds and memory"
PROTOCOL = ("one machine, two cores; each clocked run in a process of its own; memory: the most that the process held, libraries "
            "included, with Spark that of the JVM and of the Python that drives it; Spark local[2], started before the clock")
SIZES = (100_000, 1_000_000, 10_000_000)
COLUMNS = ["user", "item", "timestamp"]
PIECES, EACH = 20, 5_000_000
LIMIT = 1536            # MiB that a process may allocate
TRIALS = {kind: [{"unmet_weight": weight, "l2": l2} for weight, l2 in product((0.3, 3.0), penalties)]     # ours grows with all items too
          for kind, penalties in (("IALS", (0.001, 0.003, 0.01, 0.03, 0.1)), ("Spark's ALS", (0.03, 0.1, 0.3, 1.0, 3.0)))}
DIM, SWEEPS, READS = 16, 8, 10
SEEDS = (0, 1, 2)


# ------------------------------------------------------------------------------------------------ runs of their own


def child(what, *given, limit=None, quiet=False):
    """What a function of this file returns in a process of its own, with `seconds` and `MiB`; the error's name if it fails."""
    command = [sys.executable, __file__, "--child", what, json.dumps(given), str(limit or 0)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        if not quiet:
            raise RuntimeError(done.stderr[-3000:])
        lines = [line for line in done.stderr.splitlines() if "Error" in line or "memory" in line]
        return {"failed": lines[-1].strip() if lines else f"ended with {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def run_child(what, given, limit):
    if limit:
        resource.setrlimit(resource.RLIMIT_DATA, (limit * 2**20,) * 2)
    found = globals()[what](*given)
    held = most_held("self")
    if found.pop("spark", False):
        from pyspark import SparkContext

        held += most_held(SparkContext._gateway.proc.pid)
    print(json.dumps({"MiB": held, **found}))


def most_held(process):
    """MiB, of a process that is running; `getrusage` would begin with what its parent held."""
    return int(Path(f"/proc/{process}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def shop_file(size):
    """A Parquet file of a shop with so many events, a hundred a user, made once. Two in a hundred are there twice."""
    path = Path(tempfile.gettempdir()) / f"recbook-spark-{size}.parquet"
    if not path.exists():
        log = shop(size).interactions[COLUMNS]
        again = log.sample(frac=0.02, random_state=0)
        beside = path.with_suffix(f".{os.getpid()}")
        pd.concat([log, again]).sample(frac=1, random_state=1).to_parquet(beside, index=False, row_group_size=500_000)
        beside.rename(path)
    return str(path)


def shop(size):
    return rb.load("shop", n_users=size // 100, n_items=2000, n_events=size)


def session():
    return rb.spark.session(memory="6g")


# ------------------------------------------------------------------------------------------------ cleaning and pairs


def clean_pandas(path):
    start = time.perf_counter()
    log = pd.read_parquet(path).sort_values(COLUMNS).drop_duplicates(["user", "item"])
    while True:
        kept = np.logical_and(*(log.groupby(side)["timestamp"].transform("size") >= 5 for side in ("user", "item")))
        if kept.all():
            break
        log = log[kept]
    log = log.sort_values(["user", "timestamp", "item"])
    log["session"] = (log.groupby("user")["timestamp"].diff() > 1800).groupby(log["user"]).cumsum()
    return {"seconds": time.perf_counter() - start, "rows": len(log), "sessions": int(log["session"].sum())}


def clean_duckdb(path):
    import duckdb

    start = time.perf_counter()
    base = duckdb.connect()
    base.execute("set threads=2")
    base.execute(f"create table log as select user, item, min(timestamp) as timestamp from '{path}' group by user, item")
    before = None
    while (size := base.execute("select count(*) from log").fetchone()[0]) != before:
        before = size
        for side in ("user", "item"):
            base.execute(f"create or replace table log as select * from log where {side} in "
                         f"(select {side} from log group by {side} having count(*) >= 5)")
    sessions = base.execute(
        "select sum(session) from (select sum(begins) over (partition by user order by timestamp, item) as session from (select *, "
        "coalesce(timestamp - lag(timestamp) over (partition by user order by timestamp, item) > 1800, false)::int as begins from log))").fetchone()[0]
    return {"seconds": time.perf_counter() - start, "rows": size, "sessions": int(sessions)}


def clean_spark(path):
    spark = session()
    spark.range(10).count()
    start = time.perf_counter()
    log = rb.spark.core(rb.spark.once(rb.spark.read(spark, path)), 5)
    rows, sessions = rb.spark.sessions(log).selectExpr("count(*)", "sum(session)").first()
    return {"seconds": time.perf_counter() - start, "rows": rows, "sessions": int(sessions), "spark": True}


def pairs_recbook(path):
    log = rb.from_parquet(path, timestamp="timestamp", items_return=True)
    start = time.perf_counter()
    rb.ItemKNN(log.n_users, log.n_items, k=50).fit(rb.everything(log))
    return {"seconds": time.perf_counter() - start}


def pairs_spark(path):
    spark = session()
    log = rb.spark.read(spark, path)
    start = time.perf_counter()
    rows = rb.spark.neighbours(log, k=50).count()
    return {"seconds": time.perf_counter() - start, "rows": rows, "spark": True}


def factors_recbook(path):
    log = rb.from_parquet(path, timestamp="timestamp", items_return=True)
    import torch

    torch.set_num_threads(2)
    start = time.perf_counter()
    rb.IALS(log.n_users, log.n_items, dim=DIM, sweeps=SWEEPS).fit(rb.everything(log))
    return {"seconds": time.perf_counter() - start}


def factors_spark(path):
    spark = session()
    log, users, items = rb.spark.encode(rb.spark.read(spark, path))
    log, sizes = log.cache(), (users.count(), items.count())
    log.count()
    start = time.perf_counter()
    rb.spark.als(log, *sizes, dim=DIM, sweeps=SWEEPS)
    return {"seconds": time.perf_counter() - start, "spark": True}


GROWTH = {"cleaning, pandas": ("clean_pandas", 3), "cleaning, DuckDB": ("clean_duckdb", 3),
          "factors, IALS": ("factors_recbook", 2), "factors, Spark's ALS": ("factors_spark", 2),
          "pairs, ItemKNN": ("pairs_recbook", 3), "pairs, Spark": ("pairs_spark", 2), "cleaning, Spark": ("clean_spark", 3)}


def growth():
    """Yield a row a program: seconds and MiB by the number of events."""
    told = {}
    for name, (what, sizes) in GROWTH.items():
        measured = {}
        for size in SIZES[:sizes]:
            found = child(what, shop_file(size))
            measured |= {f"{unit}, {size:,} events": {"value": found[unit]} for unit in ("seconds", "MiB")}
            said = tuple(found[each] for each in ("rows", "sessions") if each in found)
            if "cleaning" in name and told.setdefault(size, said) != said:
                raise RuntimeError(f"{name} leaves {said} of {size}, and another program {told[size]}")
            print(name, size, {key: round(value, 1) for key, value in found.items()}, flush=True)
            if "rows" in found:
                measured[f"rows, {size:,} events"] = {"value": float(found["rows"])}
        yield name, row(name, measured, dim=DIM, sweeps=SWEEPS) if "factors" in name else row(name, measured)


def row(title, measured, **settings):
    settings["load average at start"] = round(os.getloadavg()[0], 1)
    return {"title": title, "measured": measured, "published": {}, "source": "", "settings": settings}


def amazon():
    """The steps of the case study on Amazon's reviews, by pandas and by Spark: how many rows differ."""
    rows, spark = {}, session()
    for name in ("amazon-gift-cards", "amazon-beauty"):
        log = rb.load(name).interactions
        columns = [column for column in ("user", "item", "timestamp", "rating") if column in log]
        log = log[columns]
        ours = rb.spark.core(rb.spark.once(spark.createDataFrame(log)), 5)
        parts = rb.spark.split(ours)
        theirs = log.sort_values(["timestamp", *sorted(set(columns) - {"timestamp"})]).drop_duplicates(["user", "item"])
        once = len(theirs)
        while True:
            kept = np.logical_and(*(theirs.groupby(side)["timestamp"].transform("size") >= 5 for side in ("user", "item")))
            if kept.all():
                break
            theirs = theirs[kept]
        times = np.sort(theirs["timestamp"])
        now, edges = theirs["timestamp"], (times[int(len(times) * 0.8)], times[int(len(times) * 0.9)])
        expected = theirs.assign(part=(now >= edges[0]).astype(int) + (now >= edges[1]))
        found = pd.concat([part.toPandas().assign(part=number) for number, part in enumerate(parts)])
        both = expected.merge(found, how="outer", indicator=True)
        counts = {"events": len(log), "each pair once": once, "5-core": len(theirs), "rows that differ": (both["_merge"] != "both").sum()}
        print(name, counts, flush=True)
        rows[name] = row(f"{name}, cleaned by pandas and by Spark", {what: {"value": float(count)} for what, count in counts.items()})
    return rows


# ------------------------------------------------------------------------------------------------ larger than memory


def make_pieces(folder, pieces, each):
    """One shop, whose customers come in pieces: the same items and tastes, other people."""
    from recbook.data.shop.events import simulate
    from recbook.data.shop.world import Parameters, World

    start, rows = time.perf_counter(), 0
    world = World(Parameters(n_users=each // 100, n_items=20_000, n_events=each))
    for piece in range(pieces):
        world.parameters = replace(world.parameters, seed=piece)
        events, _ = simulate(world)
        frame = pd.DataFrame({"user": (events.user + piece * each // 100).astype(np.int32), "item": events.item.astype(np.int32),
                              "timestamp": events.time, "behaviour": events.behaviour})
        frame.to_parquet(Path(folder) / f"part-{piece:03}.parquet", index=False, row_group_size=1_000_000)
        rows += len(frame)
    size = sum(path.stat().st_size for path in Path(folder).glob("*.parquet"))
    return {"seconds": time.perf_counter() - start, "rows": rows, "MiB on disk": size / 2**20}


def purchases_duckdb(folder, out):
    """Of all events the purchases, each pair once, written as Parquet."""
    import duckdb

    start = time.perf_counter()
    base = duckdb.connect()
    base.execute("set threads=2; set memory_limit='512MB'; set preserve_insertion_order=false")
    base.execute(f"set temp_directory='{folder}/spill'")
    base.execute(f"copy (select user, item, min(timestamp) as timestamp from '{folder}/*.parquet' where behaviour = 3 "
                 f"group by user, item) to '{out}' (format parquet)")
    rows = base.execute(f"select count(*) from '{out}'").fetchone()[0]
    return {"seconds": time.perf_counter() - start, "rows": rows}


def purchases_polars(folder, out):
    import polars as pl

    start = time.perf_counter()
    (pl.scan_parquet(f"{folder}/*.parquet").filter(pl.col("behaviour") == 3).group_by("user", "item").agg(pl.col("timestamp").min())
     .sink_parquet(out))
    return {"seconds": time.perf_counter() - start, "rows": pl.scan_parquet(out).select(pl.len()).collect().item()}


def purchases_pandas(folder, out):
    start = time.perf_counter()
    log = pd.read_parquet(folder)
    log = log[log["behaviour"] == 3].groupby(["user", "item"], as_index=False)["timestamp"].min()
    log.to_parquet(out)
    return {"seconds": time.perf_counter() - start, "rows": len(log)}


def train_on(path):
    start = time.perf_counter()
    log = rb.from_parquet(path, timestamp="timestamp", items_return=False)
    model = rb.ItemKNN(log.n_users, log.n_items, k=50).fit(rb.everything(log))
    return {"seconds": time.perf_counter() - start, "rows": len(log.interactions), "neighbours": int((model.neighbours >= 0).sum())}


def large(pieces=PIECES, each=EACH):
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        log, out = Path(folder) / "log", Path(folder) / "purchases.parquet"
        log.mkdir()
        runs = {"made in pieces": child("make_pieces", str(log), pieces, each)}
        for name, what in (("DuckDB", "purchases_duckdb"), ("Polars", "purchases_polars"), ("pandas", "purchases_pandas")):
            runs[f"{name}, of what it may hold"] = child(what, str(log), f"{out}-{name}.parquet", limit=LIMIT, quiet=True)
        runs["pandas, as much as it takes"] = child("purchases_pandas", str(log), f"{out}-all.parquet")
        runs["read and trained on"] = child("train_on", f"{out}-DuckDB.parquet")
        for name, found in runs.items():
            print(name, found, flush=True)
            failed = found.pop("failed", None)
            kept = row(f"{pieces * each:,} events, {name}", {key: {"value": float(value)} for key, value in found.items()},
                       **({"may hold, MiB": LIMIT} if "may hold" in name else {}), **({"failed": failed} if failed else {}))
            rows[f"large, {name}"] = kept
    return rows


# ------------------------------------------------------------------------------------------------ Spark's ALS and IALS


def als(size):
    """Save the comparison of one size."""
    start, data = time.perf_counter(), shop(size)
    split = rb.by_time(data)
    spark = session()

    def fitted(kind, on, settings, seed):
        sizes = data.n_users, data.n_items
        options = {"dim": DIM, "sweeps": SWEEPS, "reads": READS, "seed": seed, **settings}
        if kind != "Spark's ALS":
            return {"IALS": rb.IALS, "SparkIALS": rb.spark.SparkIALS}[kind](*sizes, **options).fit(on)
        return rb.spark.als(spark.createDataFrame(on.train[COLUMNS]).repartition(4).cache(), *sizes, **options)

    def some(cases, most=20_000):
        return cases.subset(np.random.default_rng(0).permutation(len(cases)) < most)

    best, found = {}, {}
    for kind in ("IALS", "Spark's ALS"):
        if size == SIZES[0]:
            ours = {"Spark's ALS": "SparkIALS"}.get(kind, kind)         # the same steps, without Spark: tests/test_spark.py
            tried = [float(rb.evaluate(fitted(ours, split, trial, 0), split.validation, ["NDCG@10"])["NDCG@10"]) for trial in TRIALS[kind]]
            print(kind, [(*trial.values(), round(value, 4)) for trial, value in zip(TRIALS[kind], tried)], flush=True)
            best[kind] = TRIALS[kind][int(np.argmax(tried))]
        else:                                                           # chosen on the smaller log
            chosen = results.row_of("spark_als", kind)["settings"]
            best[kind] = {name: chosen[name] for name in TRIALS[kind][0]}
        found[kind] = [fitted(kind, split.refit(), best[kind], seed) for seed in SEEDS[:3 if size == SIZES[0] else 1]]
    found["popularity"] = rb.Popularity(split.n_users, split.n_items).fit(split.refit())
    found["personal popularity"] = rb.PersonalPopularity(split.n_users, split.n_items).fit(split.refit())
    if size == SIZES[0]:
        found["observer"] = rb.Observer(data)
    compared = rb.compare(found, on=some(split.test), metrics=["NDCG@10"])
    print(compared.by_answer("NDCG@10"), compared.difference("Spark's ALS", "IALS"), flush=True)
    protocol = f"the shop with {size:,} events; settings by validation, {len(TRIALS['IALS'])} trials each, those of Spark's ALS by SparkIALS; {split.test.protocol()}"
    results.save_comparison("spark_als" if size == SIZES[0] else f"spark_als_{size}", "Spark's ALS and IALS", protocol, compared, data,
                            time.perf_counter() - start, SEEDS[:3 if size == SIZES[0] else 1],
                            {kind: {**best[kind], "dim": DIM, "sweeps": SWEEPS, "reads": READS} for kind in best},
                            [("Spark's ALS", "IALS"), ("Spark's ALS", "personal popularity"), ("IALS", "personal popularity")])


# ------------------------------------------------------------------------------------------------ training together


TOGETHER = {"BPR": ("bpr-mf", {"dim": 32}, {"epochs": 4, "batch_size": 4096}, tuple(range(8))),
            "GRU4Rec": ("gru4rec", {"dim": 32, "hidden": 64, "length": 10}, {"epochs": 1, "batch_size": 256}, SEEDS[:1])}


def together():
    """Yield rows, a row a model and way: NDCG@10 on validation, seconds of the epochs, and what is beside them."""
    import torch

    from recbook.models import find_model

    data = rb.load("shop", n_users=2000, n_items=1000, n_events=200_000)
    split = rb.by_time(data)
    cases = split.validation.subset(np.random.default_rng(0).permutation(len(split.validation)) < 10_000)
    spark = session()
    log = spark.createDataFrame(split.train[COLUMNS]).repartition(4).cache()
    for name, (called, settings, training, seeds) in TOGETHER.items():
        for way, threads, workers in (("one process, one thread", 1, 0), ("one process, two threads", 2, 0), ("two workers", 1, 2)):
            values, seconds, whole, waiting, exchanged = [], [], [], [], 0
            for seed in seeds:
                rb.seed_everything(seed)
                model = find_model(called)(split.n_users, split.n_items, **settings)
                start = time.perf_counter()
                if workers:
                    history = rb.spark.train(model, log, workers=workers, seed=seed, threads=threads, **training)
                    waiting.append(history["waiting"].sum())
                    exchanged = int(history["bytes"].sum() / history["steps"].sum())
                else:
                    torch.set_num_threads(threads)
                    history = rb.fit(model, split, seed=seed, device="cpu", progress=False, **training)
                whole.append(time.perf_counter() - start)
                seconds.append(history["seconds"].sum())
                values.append(float(rb.evaluate(model, cases, ["NDCG@10"])["NDCG@10"]))
                print(name, way, seed, round(values[-1], 4), round(seconds[-1], 2), round(whole[-1], 2), flush=True)
            measured = {"NDCG@10": {"value": float(np.mean(values)), "values": values},
                        "seconds of the epochs": spread(seconds), "seconds in all": spread(whole)}
            if workers:
                measured |= {"seconds of these waiting": spread(waiting), "bytes a step": {"value": float(exchanged)},
                             "largest share of the events": {"value": max(history.attrs["events"]) / sum(history.attrs["events"])}}
            yield data, {f"{name}, {way}": row(f"{name}, {way}", measured, **settings, **training)}, seeds


def spread(values):
    return {"value": float(np.median(values)), "values": [float(value) for value in values]}


# ------------------------------------------------------------------------------------------------ lists


class Mortal(rb.Recommender):
    """Item neighbours whose worker is killed once, in the middle: when the second of a folder's parts is made."""

    reads = 5

    def __init__(self, model, folder):
        super().__init__()
        self.model, self.n_items, self.folder = model, model.n_items, str(folder)

    def scores(self, context, items=None):
        mark = Path(self.folder) / "killed"
        if not mark.exists() and len(list(Path(self.folder).glob("*/part-*"))) >= 2:
            mark.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return self.model.scores(context, items)


def many_users(spark, users, each=2):
    """A log of so many users, made by Spark: each takes two items."""
    return spark.range(users * each).selectExpr(f"id div {each} as user", "abs(xxhash64(id)) % 360 as item", "id as timestamp")


def write_lists(folder, users, killed):
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[Mortal.__module__])
    spark = session()
    data = rb.load("shop")
    model = rb.ItemKNN(data.n_users, data.n_items, k=50, reads=5).fit(rb.everything(data))
    start = time.perf_counter()
    rb.spark.lists(Mortal(model, folder) if killed else model, many_users(spark, users), Path(folder) / "lists", k=10, parts=32)
    return {"seconds": time.perf_counter() - start, "spark": True}


def counted(folder):
    """Users without a list, and users listed twice or not to the tenth rank, of all lists of a folder."""
    import duckdb

    users, rows, odd = duckdb.sql(f"select count(*), sum(n), sum((n <> 10 or d <> 10)::int) from (select user, count(*) n, "
                                  f"count(distinct rank) d from '{folder}/lists/part-*.parquet' group by user)").fetchall()[0]
    return users, int(rows), int(odd)


def lists(users=1_000_000):
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        found = child("write_lists", folder, users, True)
        there, n, odd = counted(folder)
        died = (Path(folder) / "killed").exists()
        rows["lists, a worker killed"] = row(f"lists for {users:,} users, a worker killed", {
            "seconds": {"value": found["seconds"]}, "workers killed": {"value": float(died)}, "users without a list": {"value": float(users - there)},
            "users with another list than ten ranks, each once": {"value": float(odd)}, "rows": {"value": float(n)}})
        print(rows["lists, a worker killed"], flush=True)
    with tempfile.TemporaryDirectory() as folder:
        given = json.dumps((folder, users, False))
        job = subprocess.Popen([sys.executable, __file__, "--child", "write_lists", given, "0"], start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(list(Path(folder).glob("lists/part-*"))) < 10:
            time.sleep(0.05)
        os.killpg(job.pid, signal.SIGKILL)                              # all of it: Python, its workers and the JVM
        job.wait()
        time.sleep(2)
        kept = {part: part.stat().st_mtime_ns for part in Path(folder).glob("lists/part-*")}
        found = child("write_lists", folder, users, False)
        there, n, odd = counted(folder)
        rows["lists, all killed"] = row(f"lists for {users:,} users, the whole job killed and started again", {
            "parts kept": {"value": float(len(kept))}, "parts": {"value": 32.0},
            "of those kept, written anew": {"value": float(sum(part.stat().st_mtime_ns != was for part, was in kept.items()))},
            "seconds of the second start": {"value": found["seconds"]},
            "users without a list": {"value": float(users - there)},
            "users with another list than ten ranks, each once": {"value": float(odd)}, "rows": {"value": float(n)}})
        print(rows["lists, all killed"], flush=True)
    return rows


# ------------------------------------------------------------------------------------------------ one user with half of it


def skewed(kind, latest, events):
    """Pairs of a log where half of the events are one user's, all of different items, or where nobody is so."""
    spark = session()
    half = events // 2
    items = 20_000
    common = spark.range(events if kind == "even" else half).selectExpr("1 + id div 50 as user", f"abs(xxhash64(id)) % {items} as item",
                                                                       "id as timestamp")
    log = common
    if kind != "even":
        log = common.unionByName(spark.range(half).selectExpr("0L as user", f"id % {items} as item", "id as timestamp"))
    log = log.repartition(8).cache()
    log.count()
    start = time.perf_counter()
    rb.spark.neighbours(log, k=20, latest=latest).count()
    seconds = time.perf_counter() - start
    shares = [each["count"] for each in log.groupBy("user").count().selectExpr("pmod(xxhash64(user), 4) as part", "count").groupBy("part")
              .sum("count").withColumnRenamed("sum(count)", "count").collect()]
    return {"seconds": seconds, "largest of four parts": max(shares) / sum(shares), "spark": True}


def skew(events=8_000):
    rows = {}
    for name, kind, latest in (("even", "even", None), ("one user with half of it", "skewed", None),
                               ("one user with half of it, the latest 50 items count", "skewed", 50), ("even, the latest 50 items count", "even", 50)):
        found = child("skewed", kind, latest, events)
        rows[f"skew, {name}"] = row(f"pairs of {events:,} events, {name}", {key: {"value": float(value)} for key, value in found.items()})
        print(name, found, flush=True)
    return rows


# ------------------------------------------------------------------------------------------------


PARTS = ("growth", "amazon", "large", "als", "together", "lists", "skew")


def main(argv=None):
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition(":")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all of them")
    for part in parser.parse_args(argv).parts or PARTS:
        start = time.perf_counter()
        if part == "als":
            for size in SIZES[:2]:
                als(size)
            continue
        if part == "growth":
            for name, one in growth():
                results.save(NAME, TITLE, PROTOCOL, {name: one}, rb.load("shop"), time.perf_counter() - start)
            continue
        if part == "together":
            for data, rows, seeds in together():
                results.save(NAME, TITLE, PROTOCOL, rows, data, time.perf_counter() - start, seeds)
            continue
        results.save(NAME, TITLE, PROTOCOL, globals()[part](), rb.load("shop"), time.perf_counter() - start)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        run_child(sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
