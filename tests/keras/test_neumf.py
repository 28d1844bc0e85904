"""NeuMF and its parts in Keras: the loss, gradients, scores and training of their PyTorch twins."""

import keras
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import recbook
import recbook.keras
from recbook.data.splits import Context
from recbook.errors import ModelError
from tests.keras.parity import EXACT, assert_same_gradients, assert_same_steps, gradients
from tests.models.test_factorization import camps

SIZES = {"GMF": {"dim": 4}, "MLP": {"layers": (6, 5, 3)}, "NeuMF": {"dim": 4, "layers": (6, 5, 3)}}
N_USERS, N_ITEMS = 120, 80


@pytest.fixture(scope="module")
def split():
    return camps()


def twins(name):
    """The model in both frameworks with the same random weights."""
    recbook.seed_everything(0)
    model = getattr(recbook, name)(N_USERS, N_ITEMS, **SIZES[name]).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    twin = getattr(recbook.keras, name)(N_USERS, N_ITEMS, **SIZES[name], dtype="float64")
    return model, twin.from_numpy({name: value.numpy() for name, value in model.state_dict().items()})


@pytest.mark.parametrize("name", SIZES)
def test_loss_and_gradients_are_those_of_the_twin(name, split):
    model, twin = twins(name)
    batches = recbook.keras.TrainingBatches(twin, split, batch_size=50)
    slopes = assert_same_gradients(model, batches.epoch[0], *gradients(twin, batches[0]))
    assert all(np.abs(slope).max() > 1e-6 for slope in slopes.values())


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("items", [None, [3, 0, 3], [[1, 2], [79, 0], [5, 5]]], ids=["all", "(C,)", "(B, C)"])
def test_scores_are_those_of_the_twin(name, items):
    model, twin = twins(name)
    context = Context(users=torch.tensor([7, 0, 119]))
    items = None if items is None else torch.tensor(items)
    assert_allclose(twin.scores(context, items), model.scores(context, items).detach().numpy(), **EXACT)


@pytest.mark.parametrize("name", SIZES)
def test_fit_takes_the_same_steps_as_the_twin(name, split):
    assert_same_steps(*twins(name), split, epochs=3)


@pytest.mark.parametrize("name", SIZES)
def test_a_model_built_in_keras_learns_the_camps_that_popularity_cannot_see(name, split):
    keras.utils.set_random_seed(0)
    model = getattr(recbook.keras, name)(N_USERS, N_ITEMS).start(split)
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    model.fit(recbook.keras.TrainingBatches(model, split, batch_size=256), epochs=12, verbose=0)
    popularity = recbook.Popularity(N_USERS, N_ITEMS).fit(split)
    comparison = recbook.compare({"trained": model, "popularity": popularity}, on=split.test)
    assert comparison.better("trained", than="popularity", metric="NDCG@10")


@pytest.mark.parametrize("layers", [(), (4, 0)])
def test_a_tower_without_layers_or_width_is_refused(layers):
    with pytest.raises(ModelError, match="at least one layer, each 1 or more"):
        recbook.keras.MLP(3, 4, layers=layers)
