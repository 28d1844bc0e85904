"""Item2Vec in Keras is Item2Vec in PyTorch: same loss, same gradients, same scores, same training."""

import keras
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose

import recbook
import recbook.keras
from recbook.data.splits import Context
from tests.keras.parity import EXACT, assert_same_gradients, assert_same_steps, gradients

N_ITEMS = 30


@pytest.fixture(scope="module")
def split():
    """Sessions of five items from one of three groups, some items more often than others."""
    rng = np.random.default_rng(0)
    item = 3 * (10 * rng.random((300, 5)) ** 2).astype(int) + rng.integers(0, 3, size=(300, 1))
    frame = pd.DataFrame({"item": item.flatten(), "session": np.repeat(np.arange(300), 5)})
    frame["user"], frame["timestamp"] = frame["session"] % 20, np.arange(len(frame))
    items = pd.DataFrame({"item": range(N_ITEMS)})
    return recbook.leave_last_out(recbook.from_frame(frame, session="session", items=items))


def twins():
    recbook.seed_everything(0)
    model = recbook.Item2Vec(20, N_ITEMS, dim=4).double()
    for weight in model.state_dict().values():
        weight.add_(torch.randn_like(weight) * 0.3)
    twin = recbook.keras.Item2Vec(20, N_ITEMS, dim=4, dtype="float64")
    return model, twin.from_numpy({name: value.numpy() for name, value in model.state_dict().items()})


def test_loss_and_gradients_are_those_of_the_twin(split):
    model, twin = twins()
    batches = recbook.keras.TrainingBatches(twin, split, batch_size=50)
    twin_loss, slopes = gradients(twin, batches[0])
    slopes = assert_same_gradients(model, batches.epoch[0], twin_loss, slopes)
    assert all(np.abs(slope).max() > 1e-3 for slope in slopes.values())


@pytest.mark.parametrize("items", [None, [3, 0, 3], [[1, 2], [29, 0], [5, 5]]], ids=["all", "(C,)", "(B, C)"])
def test_scores_are_those_of_the_twin(items):
    model, twin = twins()
    history = torch.tensor([[9, 9, 1, 2, 1, 8, 7], [4, 3, -1, -1, -1, -1, -1], [-1] * 7])
    items = None if items is None else torch.tensor(items)
    scores = twin.scores(Context(items=history), items)
    assert isinstance(scores, np.ndarray)
    assert_allclose(scores, model.scores(Context(items=history), items).detach().numpy(), **EXACT)


def test_a_history_of_no_width_is_ranked_by_popularity():
    _, twin = twins()
    context = Context(items=torch.zeros(2, 0, dtype=torch.long))
    assert_allclose(twin.scores(context), np.tile(twin.to_numpy()["log_noise"], (2, 1)), **EXACT)


def test_fit_takes_the_same_steps_as_the_twin(split):
    model, twin = twins()
    assert_same_steps(model, twin, split, epochs=2)


def test_it_learns_the_groups_that_popularity_cannot_see(split):
    keras.utils.set_random_seed(0)
    model = recbook.keras.Item2Vec(20, N_ITEMS, dim=8).start(split)
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    model.fit(recbook.keras.TrainingBatches(model, split, batch_size=256), epochs=12, verbose=0)
    vectors = model.to_numpy()["item.weight"]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = np.argsort(-vectors @ vectors.T, axis=1)[:, 1:6]
    assert (nearest % 3 == np.arange(N_ITEMS)[:, None] % 3).mean() > 0.9
