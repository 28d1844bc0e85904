"""Spark says what pandas says, loses nothing when a worker dies, and refuses what would give wrong results later."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.distributed as dist

import recbook as rb
from recbook.errors import DataError, ModelError
from recbook.models.closed_form import padded_rows

JAVA = shutil.which("java") or os.environ.get("JAVA_HOME")
NEEDED = os.environ.get("RECBOOK_NEEDS_JAVA") == "1"
assert JAVA or not NEEDED, "RECBOOK_NEEDS_JAVA=1, but there is no java"
pyspark = pytest.importorskip("pyspark", reason="Spark needs the extra `spark`")
pytestmark = [pytest.mark.skipif(not JAVA, reason="Spark needs Java, and there is none on this machine"),
              pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas", "ignore:The copy keyword is deprecated")]

COLUMNS = ["user", "item", "timestamp"]


@pytest.fixture(scope="module")
def spark():
    found = rb.spark.session(quick=True)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def shop():
    return rb.load("shop", n_users=60, n_events=3000)


@pytest.fixture(scope="module")
def log(spark, shop):
    return spark.createDataFrame(shop.interactions[COLUMNS]).repartition(3).cache()


@pytest.fixture(scope="module")
def model(shop):
    return rb.ItemKNN(shop.n_users, shop.n_items, k=20).fit(rb.everything(shop))


def same(ours, frame):
    """Whether a Spark frame has the rows of a pandas frame, in any order."""
    columns = list(frame.columns)
    theirs = ours.select(*columns).toPandas()
    return theirs.sort_values(columns, ignore_index=True).equals(frame.sort_values(columns, ignore_index=True))


# ------------------------------------------------------------------------------------------------ read


def test_a_log_is_read_from_files_and_frames(spark, tmp_path):
    table = pd.DataFrame({"who": ["bob", "ann"], "what": ["tea", "cup"], "when": pd.to_datetime(["2026-03-01", "2026-03-02"], utc=True),
                          "stars": [4.0, 5.0], "noise": [0, 1]})
    table.to_parquet(tmp_path / "log.parquet")
    for source in (tmp_path / "log.parquet", table, spark.createDataFrame(table)):
        log = rb.spark.read(spark, source, user="who", item="what", timestamp="when", keep=["stars"])
        assert log.columns == [*COLUMNS, "stars"]
        assert sorted(log.collect())[0][:3] == ("ann", "cup", 1772409600)


def test_what_cannot_be_read_is_refused_in_one_line(spark, tmp_path):
    table = pd.DataFrame({"user": [1, None], "item": ["tea", "cup"], "timestamp": [1, 2]})
    with pytest.raises(DataError, match="no column 'customer' for user; the columns are 'user', 'item', 'timestamp'. Say user="):
        rb.spark.read(spark, table, user="customer")
    with pytest.raises(DataError, match="1 of 2 rows have no user"):
        rb.spark.read(spark, spark.createDataFrame([(1, 7, 1), (None, 7, 2)], "user long, item long, timestamp long"))
    with pytest.raises(DataError, match="'timestamp' is double; times are whole seconds"):
        rb.spark.read(spark, pd.DataFrame({"user": [1], "item": [1], "timestamp": [0.5]}))
    with pytest.raises(DataError, match="there are no rows"):
        rb.spark.read(spark, spark.createDataFrame([], "user long, item long, timestamp long"))
    with pytest.raises(DataError, match="nowhere.parquet cannot be read"):
        rb.spark.read(spark, tmp_path / "nowhere.parquet")


def test_a_file_that_was_cut_short_is_found_though_others_are_whole(spark, tmp_path):
    for part in range(4):
        pd.DataFrame({"user": [part], "item": [1], "timestamp": [1]}).to_parquet(tmp_path / f"part-{part}.parquet")
    assert rb.spark.read(spark, tmp_path).count() == 4
    whole = (tmp_path / "part-2.parquet").read_bytes()
    (tmp_path / "part-2.parquet").write_bytes(whole[:len(whole) // 2])
    with pytest.raises(DataError, match="part-2.parquet cannot be read as Parquet"):
        rb.spark.read(spark, tmp_path)


def test_text_ids_are_refused_where_numbers_are_needed(spark, model, tmp_path):
    text = spark.createDataFrame([("ann", "tea", 1)], "user string, item string, timestamp long")
    for use in (lambda: rb.spark.als(text, 1, 1), lambda: rb.spark.lists(model, text, tmp_path / "lists"),
                lambda: rb.spark.train(rb.BPRMF(1, 1), text)):
        with pytest.raises(DataError, match="user: the ids are string, and here whole numbers.*encode"):
            use()
    assert rb.spark.encode(text)[0].collect()[0] == (0, 0, 1)


# ------------------------------------------------------------------------------------------------ clean and split


@pytest.fixture(scope="module")
def untidy():
    """Repeats, equal times, equal pairs at equal times: 400 rows of 25 users."""
    rng = np.random.default_rng(0)
    return pd.DataFrame({"user": rng.integers(0, 25, 400), "item": rng.integers(0, 40, 400), "timestamp": rng.integers(0, 300, 400) * 60,
                         "rating": rng.integers(1, 6, 400)})


def test_cleaning_is_that_of_pandas_row_for_row(spark, untidy):
    """On partitions of which some are empty."""
    log = spark.createDataFrame(untidy).repartition(8, "user")
    once = untidy.sort_values(["timestamp", "rating"]).drop_duplicates(["user", "item"])
    assert same(rb.spark.once(log), once)
    core = once
    while True:
        kept = np.logical_and(*(core.groupby(side)["timestamp"].transform("size") >= 5 for side in ("user", "item")))
        if kept.all():
            break
        core = core[kept]
    assert 0 < len(core) < len(once) and same(rb.spark.core(rb.spark.once(log), 5), core)
    ordered = core.sort_values(["user", "timestamp", "item", "rating"])
    begins = ordered.groupby("user")["timestamp"].diff() > 1800
    ordered = ordered.assign(session=begins.groupby(ordered["user"]).cumsum().astype(np.int64))
    assert ordered["session"].max() > 1 and same(rb.spark.sessions(spark.createDataFrame(core)), ordered)


def test_the_split_is_that_of_by_time(log, shop):
    cut = rb.by_time(shop)
    train, validation, test = rb.spark.split(log)
    assert same(train, cut.train[COLUMNS])
    assert (validation.count(), test.count()) == (len(cut.validation), len(cut.test))
    with pytest.raises(DataError, match="shares"):
        rb.spark.split(log, test=1.0)
    with pytest.raises(DataError, match="too coarse"):
        rb.spark.split(log.selectExpr("user", "item", "1L as timestamp"))


def test_ids_get_the_numbers_of_from_frame(spark, shop):
    table = shop.interactions[COLUMNS].assign(item="item " + shop.interactions["item"].astype(str))
    known = rb.from_frame(table, timestamp="timestamp", items_return=True)
    log, users, items = rb.spark.encode(spark.createDataFrame(table).repartition(5))
    assert items.orderBy("item").toPandas()["original"].tolist() == known.items["original"].tolist()
    assert same(log, known.interactions[COLUMNS])


# ------------------------------------------------------------------------------------------------ solve


def test_neighbours_are_those_of_item_knn(log, shop, model):
    table = rb.spark.neighbours(log, k=20).toPandas()
    by_pair = table.set_index(["item", "neighbour"])["similarity"]
    for item in (0, 17, 200):
        nearest, weight = model.neighbours[item], model.weight[item]
        there = nearest >= 0
        ours = table[table["item"] == item]["similarity"].sort_values(ascending=False).to_numpy()
        assert np.allclose(ours, weight[there], atol=1e-6)
        clear = weight[there] > weight[there].min() + 1e-6              # which of equals is taken may differ
        assert np.allclose([by_pair[item, other] for other in nearest[there][clear].tolist()], weight[there][clear], atol=1e-6)


def test_a_user_with_half_of_all_events_makes_no_more_pairs_than_latest_allows(spark):
    heavy = spark.range(2000).selectExpr("0L as user", "id as item", "id as timestamp")
    others = spark.range(2000).selectExpr("1 + id div 10 as user", "id % 50 as item", "id as timestamp")
    table = rb.spark.neighbours(heavy.unionByName(others), k=10_000, latest=20)
    counted = table.agg({"together": "sum"}).first()[0] / 2
    assert counted <= 201 * 20 * 19 / 2 < 2000 * 1999 / 2


def test_als_of_spark_solves_what_sparkials_says(log, shop, monkeypatch):
    """A user's vector, solved for from Spark's items, is Spark's; from Spark's users come the items of its next sweep."""
    module, fitted = sys.modules["recbook.spark.factors"], []

    class Kept(module.ALS):
        def fit(self, frame):
            fitted.append(super().fit(frame))
            return fitted[-1]

    monkeypatch.setattr(module, "ALS", Kept)
    settings = {"dim": 4, "unmet_weight": 0.25, "l2": 0.05}
    one, two = (rb.spark.als(log, shop.n_users, shop.n_items, sweeps=sweeps, **settings) for sweeps in (1, 2))
    users = fitted[0].userFactors.orderBy("id").toPandas()
    theirs = torch.from_numpy(np.stack(users["features"])) / 1.25**0.5
    context = shop.history(users["id"].tolist())
    assert torch.allclose(one.question(context), theirs, atol=1e-3)
    assert not torch.allclose(rb.IALS.question(plain(one), context), theirs, atol=1e-2)         # with the penalty of IALS
    everybody, items = one.question(shop.history(range(shop.n_users))), torch.zeros_like(two.item)
    one.solve_all(items, everybody, padded_rows(rb.everything(shop).matrix().T.tocsr()))
    assert torch.allclose(items, two.item, atol=1e-3) and two.item.abs().max() > 0.3
    with pytest.raises(DataError, match=r"item 359, but n_items=359: numbers go from 0 to 358"):
        rb.spark.als(log, shop.n_users, 359, dim=1, sweeps=1)


def plain(model):
    """The same vectors in an `IALS`."""
    other = rb.IALS(model.n_users, model.n_items, model.dim, model.unmet_weight, model.l2, exponent=1.0)
    other.item.copy_(model.item)
    return other


# ------------------------------------------------------------------------------------------------ lists


class Mortal(rb.Recommender):
    """Likes small numbers; kills the worker that asks it until so many files lie in a folder."""

    reads = 3

    def __init__(self, n_items, folder, deaths):
        super().__init__()
        self.n_items, self.folder, self.deaths = n_items, str(folder), deaths

    def scores(self, context, items=None):
        died = len(list(Path(self.folder).iterdir()))
        if died < self.deaths and 7 in context.users:
            (Path(self.folder) / f"{died}").write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return -torch.arange(float(self.n_items)).expand(len(context), -1)


def by_reference(spark):
    """Classes of this file travel to the workers by value: they cannot import it."""
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])


def test_lists_are_those_of_top_and_no_user_is_lost_or_listed_twice(log, shop, model, tmp_path):
    out = rb.spark.lists(model, log, tmp_path / "lists", k=5, parts=3)
    table = pd.read_parquet(out)
    assert sorted(table["user"].unique()) == sorted(shop.interactions["user"].unique())
    assert not table.duplicated(["user", "rank"]).any() and len(list(out.glob("part-*"))) == 3
    some = [3, 8, 41]
    _, scores = model.top(shop.history(some), k=5)
    ours = table[table["user"].isin(some)].sort_values(["user", "rank"])
    assert np.allclose(ours["score"].to_numpy().reshape(3, 5), scores, atol=1e-5)
    kept = {part.name: part.stat().st_mtime_ns for part in out.glob("part-*")}
    (out / "part-000001.parquet").unlink()
    rb.spark.lists(model, log, out, k=5, parts=3)                       # the others stay
    assert {name for name, when in kept.items() if (out / name).stat().st_mtime_ns != when} == {"part-000001.parquet"}
    assert len(pd.read_parquet(out)) == len(table)
    with pytest.raises(ModelError, match="holds lists of another k"):
        rb.spark.lists(model, log, out, k=6, parts=3)
    with pytest.raises(ModelError, match="holds lists of another data"):
        rb.spark.lists(model, log.where("user != 3"), out, k=5, parts=3)
    with pytest.raises(ModelError, match="k=361: of 360 items"):
        rb.spark.lists(model, log, out, k=361)
    fresh = pd.read_parquet(rb.spark.lists(model, log.where("user in (3, 8)"), tmp_path / "new", k=5, parts=2, again=False))
    met = shop.interactions[["user", "item"]]
    assert len(fresh) == 10 and fresh.merge(met, on=["user", "item"]).empty


def test_a_worker_that_is_killed_loses_nothing(spark, log, tmp_path):
    by_reference(spark)
    deaths, out = tmp_path / "deaths", tmp_path / "lists"
    deaths.mkdir()
    rb.spark.lists(Mortal(360, deaths, 1), log, out, k=2, parts=4)
    table = pd.read_parquet(out)
    assert len(list(deaths.iterdir())) == 1
    users = log.select("user").distinct().count()
    assert len(table) == 2 * users and not table.duplicated(["user", "rank"]).any()
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith("part-")) == ["_lists.json"]


# ------------------------------------------------------------------------------------------------ train


def deal(shop, folder, workers=2):
    """Shards as `train` writes them, by another rule: users in turn."""
    frame = shop.interactions[COLUMNS]
    frame.assign(shard=frame["user"] % workers).to_parquet(folder / "shards", partition_cols=["shard"])
    return [len(frame), int(frame["user"].sum()), int(frame["item"].sum())]


def worker(rank, workers, folder, model, options, change, answer):
    from recbook.spark import together

    for name, value in change.items():
        setattr(together, name, value)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=workers)
    try:
        result = together.in_step(model, rank, shards=f"{folder}/shards", threads=1, seed=0, **options)
    except ModelError as problem:
        result = str(problem)
    answer.put((rank, result))
    answer.close()
    answer.join_thread()
    os._exit(0)


def in_processes(shop, folder, workers=2, change=None, **options):
    """`in_step` by processes of their own, without Spark: what each returns or refuses."""
    folder.mkdir()
    rb.seed_everything(0)
    model = rb.BPRMF(shop.n_users, shop.n_items, dim=4)
    options = {"epochs": 1, "batch_size": 500, "learning_rate": 0.01, "total": deal(shop, folder, workers)} | options
    context = multiprocessing.get_context("fork")
    answer = context.Queue()
    children = [context.Process(target=worker, args=(rank, workers, folder, model, options, change or {}, answer)) for rank in range(workers)]
    for child in children:
        child.start()
    found = dict(answer.get(timeout=100) for _ in children)
    for child in children:
        child.join()
    return [found[rank] for rank in range(workers)]


def test_workers_take_the_same_steps(shop, tmp_path):
    (one, history, events), (other, _, _) = in_processes(shop, tmp_path / "two", epochs=3)
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert sum(events) == 3000 and len(events) == 2
    assert history[2]["loss"] < history[0]["loss"] and history[0]["bytes"] == history[0]["steps"] * 4 * (sum(map(np.size, one.values())) + 2)


def test_gradients_that_are_not_averaged_are_found(shop, tmp_path):
    alone = {"add_up": lambda weights, loss, size: sound_total(size, loss)}
    said = in_processes(shop, tmp_path / "apart", change=alone)
    assert all("weights differ at the end" in one for one in said)


def sound_total(size, loss):
    """Only agrees on when to stop: everybody keeps their own gradient."""
    rows = torch.tensor(float(size))
    dist.all_reduce(rows)
    return loss, int(rows), 0


def test_a_shard_that_is_read_twice_is_found(shop, tmp_path):
    from recbook.spark import together

    sound = together.shard_of
    said = in_processes(shop, tmp_path / "twice", change={"shard_of": lambda folder, rank, model: sound(folder, 0, model)})
    assert all("a shard was read twice, or is missing" in one for one in said)


def test_a_worker_without_events_does_no_harm(shop, tmp_path):
    """Three workers, and users of two of them."""
    few = rb.from_frame(shop.interactions[shop.interactions["user"] % 3 < 2][COLUMNS], timestamp="timestamp", items_return=True,
                        users=pd.DataFrame({"user": range(60)}), items=pd.DataFrame({"item": range(360)}))
    found = in_processes(few, tmp_path / "three", workers=3)
    assert found[0][2][2] == 0 and all(np.array_equal(found[0][0]["item.weight"], other[0]["item.weight"]) for other in found)


def test_the_mean_over_workers_is_that_of_all_events_together():
    """Also where the batches are of different sizes."""
    from recbook.spark import together

    def gradient(rows, start=0):
        weight = torch.nn.Parameter(torch.ones(3))
        ((weight * rows).sum(1) ** 2).mean().backward()
        return weight

    rows = torch.arange(15.0).reshape(5, 3)
    expected = gradient(rows).grad
    parts = [gradient(rows[:4]), gradient(rows[4:])]
    sums = []

    class Both:
        """Two workers in one process: the second all_reduce is given what both put in."""

        @staticmethod
        def all_reduce(value):
            sums.append(value.clone())
            if len(sums) == 2:
                value.copy_(sums[0] + sums[1])

    sound, together.dist = together.dist, Both
    try:
        together.add_up([parts[0]], 1.0, 4)
        loss, size, _ = together.add_up([parts[1]], 2.0, 1)
    finally:
        together.dist = sound
    assert torch.allclose(parts[1].grad, expected) and (loss, size) == (6.0, 5)


def test_spark_starts_the_workers(log, shop):
    """By the whole way; what a worker refuses is said here."""
    rb.seed_everything(0)
    model = rb.BPRMF(shop.n_users, shop.n_items, dim=4)
    history = rb.spark.train(model, log, workers=2, epochs=2, batch_size=500)
    assert sum(history.attrs["events"]) == 3000 and history["loss"].is_monotonic_decreasing
    assert rb.evaluate(model, rb.leave_last_out(shop).test, ["NDCG@10"])["NDCG@10"] > 0
    with pytest.raises(ModelError, match="workers=9: Spark runs 2 tasks at once"):
        rb.spark.train(model, log, workers=9)
    with pytest.raises(ModelError, match="learns by no steps"):
        rb.spark.train(rb.EASE(shop.n_users, shop.n_items), log)
    with pytest.raises(DataError, match="item 359, but the model has 300 items"):
        rb.spark.train(rb.BPRMF(60, 300), log)


# ------------------------------------------------------------------------------------------------ without


def test_without_java_it_says_what_to_install(monkeypatch):
    from recbook.spark import session

    module = sys.modules["recbook.spark.session"]
    monkeypatch.setattr(module.SparkSession, "getActiveSession", staticmethod(lambda: None))
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ModelError, match="Spark needs Java 17 or later.*default-jre-headless"):
        session()


def test_the_package_does_not_need_spark():
    code = ("import sys; sys.modules['pyspark'] = None; import recbook as rb; rb.load('shop', n_users=20, n_events=100)\n"
            "try:\n    rb.spark\nexcept ImportError as problem:\n    print(problem)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "recbook[spark]" in done.stdout and done.stderr == ""
