"""A Keras model is the PyTorch model of the same name: same loss, same gradients, same scores, same training."""

import inspect
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose

import recbook
import recbook.keras
from recbook.data.splits import Context
from recbook.errors import ModelError
from tests.keras.parity import EXACT, assert_same_gradients, assert_same_steps, gradients

NAMES = ["FunkSVD", "BPRMF", "LogisticMF", "SVDPlusPlus"]
N_USERS, N_ITEMS = 120, 80


@pytest.fixture(scope="module")
def split():
    """Four camps of users and of items; ratings are 4 within a camp and 2 across, and most meetings are within."""
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, N_USERS, 6000), rng.integers(0, N_ITEMS, 6000)
    within = user % 4 == item % 4
    kept = within | (rng.random(6000) < 0.1)
    frame = pd.DataFrame({"user": user, "item": item, "rating": np.where(within, 4.0, 2.0)})[kept]
    return recbook.leave_last_out(recbook.from_frame(frame.drop_duplicates(["user", "item"]), rating="rating"))


def twins(name, dtype="float64"):
    """The model in both frameworks with the same random weights, biases included."""
    recbook.seed_everything(0)
    model = getattr(recbook, name)(N_USERS, N_ITEMS, dim=4, l2=0.03).to(getattr(torch, dtype))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    twin = getattr(recbook.keras, name)(N_USERS, N_ITEMS, dim=4, l2=0.03, dtype=dtype)
    return model, twin.from_numpy({name: value.numpy() for name, value in model.state_dict().items()})


@pytest.mark.parametrize("name", NAMES)
def test_loss_and_gradients_are_those_of_the_twin(name, split):
    model, twin = twins(name)
    batches = recbook.keras.TrainingBatches(twin, split, batch_size=50)
    slopes = assert_same_gradients(model, batches.epoch[0], *gradients(twin, batches[0]))
    assert any(np.abs(slope).max() > 1e-3 for slope in slopes.values())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("items", [None, [3, 0, 3], [[1, 2], [79, 0], [5, 5]]], ids=["all", "(C,)", "(B, C)"])
def test_scores_are_those_of_the_twin(name, items):
    model, twin = twins(name)
    context = Context(users=torch.tensor([7, 0, 119]), items=torch.tensor([[1, 2, 1], [4, -1, -1], [-1, -1, -1]]))
    items = None if items is None else torch.tensor(items)
    scores = twin.scores(context, items)
    assert isinstance(scores, np.ndarray)
    assert_allclose(scores, model.scores(context, items).detach().numpy(), **EXACT)


def test_svdplusplus_scores_users_without_any_history():
    model, twin = twins("SVDPlusPlus")
    context = Context(users=torch.tensor([1, 2]), items=torch.zeros(2, 0, dtype=torch.long))
    assert_allclose(twin.scores(context), model.scores(context).detach().numpy(), **EXACT)


@pytest.mark.parametrize("name", NAMES)
def test_fit_takes_the_same_steps_as_the_twin(name, split):
    model, twin = twins(name)
    assert_same_steps(model, twin, split, epochs=3)


@pytest.mark.parametrize("name", ["BPRMF", "LogisticMF"])
def test_a_model_of_clicks_learns_the_camps_that_popularity_cannot_see(name, split):
    keras.utils.set_random_seed(0)
    model = getattr(recbook.keras, name)(N_USERS, N_ITEMS, dim=8, l2=0.01).start(split)
    model.compile(optimizer=keras.optimizers.Adam(0.05))
    model.fit(recbook.keras.TrainingBatches(model, split, batch_size=256), epochs=15, verbose=0)
    popularity = recbook.Popularity(N_USERS, N_ITEMS).fit(split)
    comparison = recbook.compare({"trained": model, "popularity": popularity}, on=split.test)
    assert comparison.better("trained", than="popularity", metric="NDCG@10")
    assert comparison.reports["trained"]["NDCG@10"] > 2 * comparison.reports["popularity"]["NDCG@10"]


@pytest.mark.parametrize("name", ["FunkSVD", "SVDPlusPlus"])
def test_a_model_of_ratings_explains_what_the_mean_cannot(name, split):
    keras.utils.set_random_seed(0)
    model = getattr(recbook.keras, name)(N_USERS, N_ITEMS, dim=4, l2=0.001).start(split)
    mean_only = recbook.evaluate(model, split.test, ["RMSE"])["RMSE"]
    model.compile(optimizer=keras.optimizers.Adam(0.05))
    batches = recbook.keras.TrainingBatches(model, split, batch_size=256)
    losses = model.fit(batches, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.4 * losses[0]
    assert recbook.evaluate(model, split.test, ["RMSE"])["RMSE"] < 0.8 * mean_only


def test_float32_is_the_default():
    _, twin = twins("BPRMF", dtype="float32")
    assert {value.dtype for value in twin.to_numpy().values()} == {np.dtype("float32")}
    assert twin.scores(Context(users=torch.tensor([0]))).dtype == np.float32


def test_weights_of_another_size_are_refused():
    twin = recbook.keras.BPRMF(3, 5, dim=2)
    with pytest.raises(ModelError, match=r"user.weight is \(4, 2\) there and \(3, 2\) here"):
        twin.from_numpy(twin.to_numpy() | {"user.weight": np.zeros((4, 2))})
    with pytest.raises(ModelError, match="implicit.weight is .* there and None here"):
        twin.from_numpy(twin.to_numpy() | {"implicit.weight": np.zeros((6, 2))})


def test_an_epoch_holds_every_rating_once_even_of_users_longer_than_a_batch(split):
    batches = recbook.keras.TrainingBatches(recbook.keras.SVDPlusPlus(N_USERS, N_ITEMS), split, batch_size=3)
    assert len({batches[number]["histories"].shape[1] for number in range(len(batches))}) == 1
    sizes = []
    for _ in range(3):
        every = [batches[number] for number in range(len(batches))]
        met = [pair for batch in every for pair in zip(batch["users"], batch["items"])]
        assert sorted(met) == sorted(zip(split.train["user"], split.train["item"]))
        sizes.append(len(batches))
        batches.on_epoch_begin()
    assert len(set(sizes)) == 1


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_recbook_alone_does_not_load_tensorflow():
    done = python("import sys, recbook; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)")
    assert done.returncode == 0, done.stderr


def test_without_tensorflow_the_error_says_what_to_install():
    done = python("import sys; sys.modules['tensorflow'] = None; import recbook.keras")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        'ImportError: The Keras models need TensorFlow: pip install "recbook[keras]".')


@pytest.mark.parametrize("name", ["BPRMF", "FunkSVD", "SVDPlusPlus", "LogisticMF", "GMF", "MLP", "NeuMF", "Item2Vec"])
@pytest.mark.parametrize("setting", [{"dim": 0}, {"l2": -1.0}, {"n_users": 0}])
def test_no_setting_that_cannot_be_gets_into_a_model(name, setting):
    cls = getattr(recbook.keras, name)
    if set(setting) <= set(inspect.signature(cls.__init__).parameters):
        with pytest.raises(ModelError, match=f"^{next(iter(setting))}="):
            cls(**{"n_users": 3, "n_items": 4} | setting)


def test_another_keras_backend_is_refused():
    done = python("import os; os.environ['KERAS_BACKEND'] = 'torch'; import recbook.keras")
    assert "ImportError: The Keras models run on TensorFlow; Keras is set to torch" in done.stderr
