"""The training loop repeats, stops at the best, and survives a kill, a full disk and a wrong checkpoint."""

import inspect
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.testing import assert_close

import recbook
from recbook.data.batches import Batch
from recbook.errors import ModelError, UnknownName

QUIET = {"device": "cpu", "progress": False}


def small_split():
    """Forty users of two camps, friends of their own, thirty items, ratings 4 within a camp and 2 across."""
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 40, 700), rng.integers(0, 30, 700)
    within = user % 2 == item % 2
    frame = pd.DataFrame({"user": user, "item": item, "rating": np.where(within, 4.0, 2.0)})
    frame = frame[within | (rng.random(700) < 0.2)].drop_duplicates(["user", "item"])
    items = pd.DataFrame({"item": np.arange(30), "category": np.arange(30) % 2})
    friends = pd.DataFrame({"user": np.arange(40), "friend": (np.arange(40) + 2) % 40})
    return recbook.leave_last_out(recbook.from_frame(frame, rating="rating", items=items, friends=friends))


SPLIT = small_split()


def new_model(cls=recbook.BPRMF, seed=0, **options):
    recbook.seed_everything(seed)
    return cls(SPLIT.n_users, SPLIT.n_items, **({"dim": 8} | options))


def train(model, epochs=4, batch_size=64, **options):
    return recbook.fit(model, SPLIT, epochs=epochs, batch_size=batch_size, **(QUIET | options))


def assert_same_weights(model, other):
    assert_close(model.state_dict(), other.state_dict(), rtol=0, atol=0)


def test_the_same_seed_gives_the_same_model_and_another_seed_another():
    first, again, other = new_model(), new_model(), new_model()
    history = train(first, seed=1)
    assert history["loss"].tolist() == train(again, seed=1)["loss"].tolist()
    assert history["loss"].tolist() != train(other, seed=2)["loss"].tolist()
    assert_same_weights(first, again)


def test_loss_falls_and_the_history_has_a_row_an_epoch():
    history = train(new_model(l2=0.001), epochs=15, metric="NDCG@10", validate_every=5)
    assert history["epoch"].tolist() == list(range(1, 16))
    assert history["loss"].iloc[-1] < 0.6 * history["loss"].iloc[0]
    assert history["NDCG@10"].notna().tolist() == [epoch % 5 == 0 for epoch in range(1, 16)]


@pytest.mark.parametrize("cls, metric, best", [(recbook.BPRMF, "NDCG@10", "idxmax"),
                                               (recbook.FunkSVD, "RMSE", "idxmin")])
def test_early_stopping_returns_the_best_validated_weights(cls, metric, best):
    model = new_model(cls, l2=0.0)
    history = train(model, epochs=200, learning_rate=0.1, patience=3, metric=metric)
    assert len(history) < 200
    assert getattr(history[metric], best)() == len(history) - 4          # three validations without a better one
    best_value = history[metric].iloc[-4]
    assert recbook.evaluate(model, SPLIT.validation, [metric])[metric] == pytest.approx(best_value, rel=1e-6)
    assert history[metric].iloc[-1] != best_value


def test_validation_needs_a_validation_part():
    with pytest.raises(ModelError, match="no validation part"):
        recbook.fit(new_model(), SPLIT.refit(), patience=2, **QUIET)


def test_the_schedule_scales_the_learning_rate():
    model = new_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    train(model, schedule=lambda share: 0.0)
    assert_close(model.state_dict(), before, rtol=0, atol=0)


def test_a_loss_that_is_not_a_number_stops_the_run():
    with pytest.raises(ModelError, match="loss of epoch 1 is (nan|inf): try a smaller learning rate"):
        train(new_model(recbook.FunkSVD), learning_rate=1e30, optimiser=torch.optim.SGD)


# ------------------------------------------------------------------------------------------------ checkpoints


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path):
    code = ("from tests.test_training import new_model, train; import sys; "
            "train(new_model(), epochs=10**6, metric='NDCG@10', checkpoint=sys.argv[1])")
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[1])
    try:
        while not (tmp_path / "run.json").exists():
            assert child.poll() is None
            time.sleep(0.01)
        time.sleep(0.1)                                                 # a few epochs more, and somewhere within one
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    done = len(json.loads((tmp_path / "run.json").read_text())["history"])
    assert done >= 1

    resumed, whole = new_model(seed=9), new_model()                     # where it starts makes no difference any more
    history = train(resumed, epochs=done + 3, metric="NDCG@10", checkpoint=tmp_path)
    expected = train(whole, epochs=done + 3, metric="NDCG@10")
    pd.testing.assert_frame_equal(history.drop(columns="seconds"), expected.drop(columns="seconds"), check_exact=True)
    assert_same_weights(resumed, whole)
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_early_stopping_goes_on_too(tmp_path):
    options = {"learning_rate": 0.1, "patience": 3, "metric": "NDCG@10"}
    whole = new_model()
    history = train(whole, epochs=60, **options)
    train(new_model(), epochs=len(history) - 2, checkpoint=tmp_path, **options)     # stopped after the best epoch
    resumed = new_model(seed=9)
    assert len(train(resumed, epochs=60, checkpoint=tmp_path, **options)) == len(history) < 60
    assert_same_weights(resumed, whole)


@pytest.mark.parametrize("model, options, problem", [
    (lambda: new_model(recbook.LogisticMF), {}, "its model is 'BPRMF', this one's is 'LogisticMF'"),
    (lambda: new_model(dim=4), {}, "its config is"),
    (new_model, {"seed": 7}, "its seed is 0, this one's is 7"),
    (new_model, {"learning_rate": 0.5}, "its learning_rate is"),
])
def test_the_checkpoint_of_another_run_is_refused(tmp_path, model, options, problem):
    train(new_model(), epochs=1, checkpoint=tmp_path)
    with pytest.raises(ModelError, match=problem):
        train(model(), checkpoint=tmp_path, **options)


def test_a_model_is_kept_and_loaded_with_what_was_noted(tmp_path):
    model = new_model(recbook.SVDPlusPlus)
    recbook.save_model(model, tmp_path, data="small")
    loaded, about = recbook.load_model(tmp_path)
    assert type(loaded) is recbook.SVDPlusPlus and loaded.config == model.config and about["data"] == "small"
    assert_same_weights(loaded, model)


def edit(folder, **changes):
    """Change what the JSON file of a model says."""
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path):
    model = new_model()
    recbook.save_model(model, tmp_path)
    edit(tmp_path, config=model.config | {"n_users": 41})
    with pytest.raises(ModelError, match=r"user.weight is \(40, 8\) there and \(41, 8\) here|user_bias is"):
        recbook.load_model(tmp_path)
    edit(tmp_path, config={"size": 3})
    with pytest.raises(ModelError, match="cannot build BPRMF"):
        recbook.load_model(tmp_path)
    edit(tmp_path, model="BPRFM")
    with pytest.raises(UnknownName, match="BPRFM"):
        recbook.load_model(tmp_path)
    (tmp_path / "model.json").write_text('{"model": "BPR')
    with pytest.raises(ModelError, match="is no checkpoint of recbook"):
        recbook.load_model(tmp_path)
    with pytest.raises(ModelError, match="No checkpoint"):
        recbook.load_model(tmp_path / "elsewhere")


def weights_file(folder):
    return next(folder.glob("model-*.safetensors"))


def test_a_truncated_weights_file_is_refused(tmp_path):
    recbook.save_model(new_model(), tmp_path)
    os.truncate(weights_file(tmp_path), weights_file(tmp_path).stat().st_size - 100)
    with pytest.raises(ModelError, match="is no checkpoint of recbook"):
        recbook.load_model(tmp_path)


class Trap:
    """Unpickling it creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_pickle_is_never_opened(tmp_path):
    recbook.save_model(new_model(), tmp_path)
    payload = pickle.dumps({"user.weight": Trap(tmp_path / "sprung")})
    pickle.loads(payload)
    (tmp_path / "sprung").unlink()                                      # the trap works
    weights_file(tmp_path).write_bytes(payload)
    with pytest.raises(ModelError, match="is no checkpoint of recbook"):
        recbook.load_model(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path):
    first, second = new_model(), new_model(seed=1)
    recbook.save_model(first, tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))             # no file may grow beyond 1000 bytes
    try:
        with pytest.raises(ModelError, match="Could not write the checkpoint"):
            recbook.save_model(second, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert_same_weights(recbook.load_model(tmp_path)[0], first)


def test_only_recbooks_own_models_are_saved(tmp_path):
    class BPRMF(recbook.BPRMF):
        pass

    with pytest.raises(ModelError, match="not a model of recbook's"):
        recbook.save_model(new_model(BPRMF), tmp_path)


# ------------------------------------------------------------------------------------------------ devices


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("name", recbook.MODELS)
def test_the_gpu_computes_what_the_cpu_computes(name):
    def build():
        recbook.seed_everything(0)
        small = {"dim": 8} if "dim" in inspect.signature(recbook.MODELS[name]).parameters else {}
        return recbook.MODELS[name](SPLIT.n_users, SPLIT.n_items, **small).eval()   # nothing is drawn

    model, twin = build(), build().cuda()
    if hasattr(model, "fit"):
        model.fit(SPLIT)
        twin.fit(SPLIT)
    else:
        model.start(SPLIT)
        twin.start(SPLIT)
        batch = next(model.batches.prepare(SPLIT).epoch(64, torch.Generator().manual_seed(0)))
        moved = Batch(**{name: None if value is None else value.cuda() for name, value in vars(batch).items()})
        assert_close(twin.loss(moved).cpu(), model.loss(batch), rtol=1e-4, atol=1e-5)
        history = recbook.fit(twin, SPLIT, epochs=5, batch_size=64, device="cuda", progress=False)
        assert history["loss"].iloc[-1] < history["loss"].iloc[0]
        model.load_state_dict(twin.state_dict())
    context = SPLIT.test.context(slice(None), model.reads)
    assert_close(twin.scores(context.to("cuda")).cpu(), model.scores(context), rtol=1e-3, atol=1e-3)


def test_half_as_many_bits_learn_as_well():
    sequential = recbook.GRU4Rec, {"hidden": 8, "length": 10}
    for cls, options in (sequential, (recbook.NeuMF, {"layers": (8, 4)}), (recbook.BPRMF, {})):
        exact, rough = new_model(cls, **options), new_model(cls, **options)
        losses = train(exact, seed=1)["loss"], train(rough, seed=1, precision="bfloat16")["loss"]
        assert losses[0].tolist() != losses[1].tolist() or cls is recbook.BPRMF     # which has no product of matrices
        assert_close(losses[1].to_numpy(), losses[0].to_numpy(), rtol=0.01, atol=0)
        assert losses[0].iloc[-1] < losses[0].iloc[0]
        assert {weight.dtype for weight in rough.state_dict().values()} == {torch.float32}


def test_an_unknown_precision_is_named():
    with pytest.raises(ModelError, match="precision='float16': one of float32, bfloat16"):
        train(new_model(), precision="float16")


@pytest.mark.parametrize("setting, value", [
    ("epochs", -1), ("epochs", 1.5), ("batch_size", 0), ("batch_size", -1), ("batch_size", 2.5), ("learning_rate", -1),
    ("learning_rate", float("nan")), ("learning_rate", "x"), ("patience", 0), ("patience", -1), ("validate_every", 0),
    ("seed", -1), ("seed", 2**70), ("seed", "x")])
def test_no_setting_that_cannot_be_gets_into_training(setting, value):
    split = recbook.by_time(recbook.load("shop", n_users=60, n_events=3000))
    with pytest.raises(ModelError, match=f"^{setting}="):
        recbook.fit(recbook.BPRMF(split.n_users, split.n_items), split, progress=False, **{setting: value})
    if setting == "seed":
        with pytest.raises(ModelError, match="^seed="):
            recbook.seed_everything(value)


@pytest.mark.parametrize("device", ["tpu", "cuda:99", 5.5])
def test_a_device_that_is_not_there_is_named(device):
    split = recbook.by_time(recbook.load("shop", n_users=60, n_events=3000))
    with pytest.raises(ModelError, match=f"has no {device} device for PyTorch: use 'auto' or 'cpu'"):
        recbook.fit(recbook.BPRMF(split.n_users, split.n_items), split, progress=False, device=device)


@pytest.mark.parametrize("text", ["[]", "null", "3", "{", "", '{"weights": 3}', '{"weights": null}', "{}"])
def test_what_is_no_checkpoint_is_a_line(text, tmp_path):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(ModelError, match="model.json is no checkpoint of recbook"):
        recbook.load_model(tmp_path)


def test_a_checkpoint_of_odd_notes(tmp_path):
    """A NumPy number is kept; what JSON cannot hold is refused, and no weights are left behind; nor in a file's place."""
    recbook.save_model(recbook.BPRMF(3, 4), tmp_path / "a", seed=np.int64(3))
    assert recbook.load_model(tmp_path / "a")[1]["seed"] == 3
    with pytest.raises(ModelError, match="Observer cannot be kept: a Dataset among its settings"):
        recbook.save_model(recbook.Observer(recbook.load("shop", n_users=60, n_events=3000)), tmp_path / "b")
    with pytest.raises(ModelError, match="BPRMF cannot be kept: a set among"):
        recbook.save_model(recbook.BPRMF(3, 4), tmp_path / "b", notes={1})
    assert not (tmp_path / "b").exists()
    (tmp_path / "c").write_text("")
    with pytest.raises(ModelError, match="Could not write the checkpoint"):
        recbook.save_model(recbook.BPRMF(3, 4), tmp_path / "c")
