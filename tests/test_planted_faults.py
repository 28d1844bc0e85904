"""Faults that once passed unnoticed: each test here fails if one of them comes back."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import recbook as rb
from recbook import results
from recbook.data.batches import Sequences
from recbook.data.shop.visits import visits
from recbook.evaluation import Report, average

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def split():
    return rb.by_time(rb.load("shop", n_users=60, n_events=3000))


def sasrec(split, **options):
    rb.seed_everything(0)
    return rb.SASRec(split.n_users, split.n_items, dim=8, length=10, dropout=0.9, **options)


def test_nothing_is_dropped_while_a_model_is_measured_or_asked(split):
    """Though it comes from training: measured twice it is the same, and after fit it asks without dropout."""
    model = sasrec(split)
    alone = rb.evaluate(model.eval(), split.test)["NDCG@10"]
    assert rb.evaluate(model.train(), split.test, seed=0)["NDCG@10"] == alone
    rb.fit(model, split, epochs=1, metric="NDCG@10", progress=False, device="cpu")
    assert not model.training
    context = split.test.context(slice(0, 5))
    assert torch.equal(model.top(context, k=5)[1], model.top(context, k=5)[1])


def test_validation_within_training_drops_nothing(split, monkeypatch):
    seen = []
    sound = rb.SASRec.scores
    monkeypatch.setattr(rb.SASRec, "scores", lambda self, *given: (seen.append(self.training), sound(self, *given))[1])
    rb.fit(sasrec(split), split, epochs=2, metric="NDCG@10", progress=False, device="cpu")
    assert seen and not any(seen)


def dropped(model, split, monkeypatch):
    """The probabilities with which something is dropped in one step of training: inside attention, and elsewhere."""
    inside, elsewhere = [], []
    attention, dropout = F.scaled_dot_product_attention, F.dropout

    def attend(*given, dropout_p=0.0, **named):
        inside.append(dropout_p)
        return attention(*given, dropout_p=dropout_p, **named)

    def drop(values, p=0.5, training=True, inplace=False):
        elsewhere.append(p if training else 0.0)
        return dropout(values, p, training, inplace)

    monkeypatch.setattr(F, "scaled_dot_product_attention", attend)
    monkeypatch.setattr(F, "dropout", drop)
    batch = next(Sequences(model.length).prepare(split).epoch(16, torch.Generator().manual_seed(0)))
    model.train().loss(batch)
    return inside, elsewhere


def test_sasrec_drops_at_every_place_of_its_paper(split, monkeypatch):
    """The inputs; then in each block the attention weights, what attention adds, the inner and the outer layer."""
    inside, elsewhere = dropped(sasrec(split, blocks=2), split, monkeypatch)
    assert inside == [0.9] * 2 and elsewhere == [0.9] * (1 + 3 * 2)


def test_narm_drops_behind_its_attention(split, monkeypatch):
    rb.seed_everything(0)
    model = rb.NARM(split.n_users, split.n_items, dim=8, length=10, hidden=8, dropout=0.3, output_dropout=0.7)
    _, elsewhere = dropped(model, split, monkeypatch)
    assert sorted(elsewhere) == [0.3, 0.7]


def test_newcomers_are_shown_nothing_that_is_sold_out(split):
    pytest.importorskip("faiss")
    model = sasrec(split).eval()
    front = rb.ShopFront(split.dataset, model)
    best = front.recommend(None, k=5)
    front.in_stock[best] = False
    assert not set(front.recommend(None, k=5)) & set(best)


def test_an_interval_is_that_of_all_seeds():
    """Two seeds that differ case by case: the interval of their mean is narrower than the first one's alone."""
    draw = np.random.default_rng(0)
    first, second = (Report({"HR@10": draw.integers(0, 2, 400).astype(float)}, {"HR@10": np.arange(400)}) for _ in range(2))
    found = results.summary([first, second])["HR@10"]
    low, high = average([first, second]).interval("HR@10")
    assert (found["low"], found["high"]) == (low, high)
    alone = first.interval("HR@10")
    assert high - low < 0.8 * (alone[1] - alone[0])


def test_a_changed_package_is_called_dirty(tmp_path, monkeypatch):
    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=tmp_path, check=True,
                       capture_output=True)

    for folder in ("recbook", "experiments", "chapters"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file.py").write_text("1\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    monkeypatch.setattr(results, "CHECKOUT", tmp_path)
    assert results.code()["dirty"] is False and len(results.code()["commit"]) == 40
    (tmp_path / "chapters" / "file.py").write_text("2\n")
    assert results.code()["dirty"] is False
    for folder in ("recbook", "experiments"):
        (tmp_path / folder / "file.py").write_text("2\n")
        assert results.code()["dirty"] is True
        git("checkout", "-q", ".")


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.py")), ids=lambda path: path.stem)
def test_an_experiment_chooses_its_settings_on_a_sealed_split(path):
    """What `--tune` runs is given no test; what a function called `tune` asks for by name is none either."""
    source = path.read_text()
    if '"--tune"' in source:
        assert ".sealed()" in source
        for function in ast.walk(ast.parse(source)):
            if isinstance(function, ast.FunctionDef) and function.name == "tune" and "rating_split" not in ast.unparse(function):
                assert not any(isinstance(node, ast.Attribute) and node.attr == "test" for node in ast.walk(function))


def test_a_ratio_is_ours_over_theirs_turn_by_turn():
    spec = importlib.util.spec_from_file_location("common", ROOT / "benchmarks" / "common.py")
    common = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(common)
    ours, theirs = ([{"seconds": value, "CPU seconds": value} for value in values] for values in ((1, 2, 9), (2, 8, 10)))
    row = common.row("t", {}, {}, ours, theirs)
    assert row["measured"]["ratio"]["values"] == [0.5, 0.25, 0.9] and row["measured"]["ratio"]["value"] == 0.5


def test_taste_drifts_at_the_door_too(monkeypatch):
    """Who comes once more has another taste as often as the law says: drawn anew with probability `drift`."""
    shop = rb.load("shop", n_users=2000, n_events=20_000, drift=0.5)
    world, log = shop.truth.world, shop.log
    looked, sound = [], type(world).next_item
    monkeypatch.setattr(type(world), "next_item",
                        lambda self, belief, state: (looked.append(belief.argmax(1)), sound(self, belief, state))[1])
    visits(shop, lambda context: torch.zeros(len(context), 1, dtype=torch.long))
    seen = np.diff(log.starts) > 0
    before, now = shop.truth.tastes[log.starts[1:] - 1][seen], looked[0][seen]     # the first look: all are there
    expected = 0.5 * (1 - world.prior)[np.flatnonzero(seen), before]
    assert abs((before != now).mean() - expected.mean()) < 4 * np.sqrt((expected * (1 - expected)).sum()) / seen.sum()


if sys.platform == "linux":
    from assignments import sandbox

    needs_sandbox = pytest.mark.skipif(sandbox.available() is not None, reason=str(sandbox.available()))

    @needs_sandbox
    def test_memory_of_all_processes_counts():
        code = ("import subprocess, sys, time\n"
                "hold = 'x = bytearray(300 * 2**20); import time; time.sleep(20)'\n"
                "children = [subprocess.Popen([sys.executable, '-c', hold]) for _ in range(4)]\ntime.sleep(20)")
        found = sandbox.run([code], sandbox.Limits(cell=40, total=60, memory=2**30))
        assert found[0][0].ename == "Stopped" and "GB of memory" in found[0][0].evalue

    @needs_sandbox
    def test_a_server_on_this_very_machine_is_not_reached():
        """A machine without a network cannot tell whether it is closed: open a door outside, and knock from inside."""
        import socket
        import threading

        with socket.create_server(("127.0.0.1", 0)) as server:
            port, reached = server.getsockname()[1], []
            server.settimeout(20)

            def wait():
                try:
                    server.accept()[0].close()
                    reached.append(True)
                except OSError:
                    pass

            waiting = threading.Thread(target=wait, daemon=True)
            waiting.start()
            knock = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=3)"
            found = sandbox.run([knock])
            assert found[0][0].ename in ("ConnectionRefusedError", "OSError", "TimeoutError") and not reached
