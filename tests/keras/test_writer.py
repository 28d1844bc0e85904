"""The writer in Keras: the loss, gradients, scores, weights, lists and training of its PyTorch twin."""

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
from tests.keras.parity import EXACT, assert_same_gradients, assert_same_steps, turned_gradients

USERS, ITEMS = 30, 12
OPTIONS = {"dim": 4, "length": 4, "hidden": 5, "targets": 3, "dropout": 0}


@pytest.fixture(scope="module")
def split():
    """Users who walk round the items in their order, from different starts; the shortest walks are of two steps."""
    counts = np.random.default_rng(0).integers(3, 11, USERS)
    user = np.repeat(np.arange(USERS), counts)
    step = np.arange(len(user)) - np.repeat(counts.cumsum() - counts, counts)
    frame = pd.DataFrame({"user": user, "item": (5 * user + step) % ITEMS, "when": np.arange(len(user))})
    return recbook.leave_last_out(recbook.from_frame(frame, timestamp="when"))


def twins():
    """The model in both frameworks with the same random weights."""
    recbook.seed_everything(0)
    model = recbook.Writer(USERS, ITEMS, **OPTIONS).double().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    twin = recbook.keras.Writer(USERS, ITEMS, **OPTIONS, dtype="float64")
    return model, twin.from_numpy({name: value.numpy() for name, value in model.state_dict().items()})


HISTORIES = Context(items=torch.tensor([[9, 9, 1, 2, 1, 8], [4, 3, -1, -1, -1, -1], [-1] * 6, [1, 2, 3, 4, -1, -1]]))


def test_loss_and_gradients_are_those_of_the_twin(split):
    model, twin = twins()
    batches = recbook.keras.TrainingBatches(twin, split, batch_size=40)
    assert any((batch.items < 0).any() for batch in batches.epoch)
    for number, batch in enumerate(batches.epoch):
        slopes = assert_same_gradients(model, batch, *turned_gradients(twin, batches[number]))
        assert all(np.abs(slope).max() > 1e-6 for slope in slopes.values())


@pytest.mark.parametrize("items", [None, [3, 0, 3], [[1, 2], [11, 0], [5, 5], [7, 8]]], ids=["all", "(C,)", "(B, C)"])
def test_scores_are_those_of_the_twin(items):
    model, twin = twins()
    items = None if items is None else torch.tensor(items)
    scores = twin.scores(HISTORIES, items)
    assert isinstance(scores, np.ndarray)
    assert_allclose(scores, model.scores(HISTORIES, items).detach().numpy(), **EXACT)


def test_lists_their_chances_and_their_weights_are_those_of_the_twin():
    model, twin = twins()
    for how in ("greedy", "beam", "sample"):
        found = [one.write(HISTORIES, how=how, beam=4, generator=torch.Generator().manual_seed(3)) for one in (model, twin)]
        assert torch.equal(found[0][0], found[1][0])
        assert_allclose(found[0][1], found[1][1], **EXACT)
    written = found[0][0]
    assert_allclose(twin.weights_of(HISTORIES, written), model.weights(HISTORIES, written).detach().numpy(), **EXACT)


def test_fit_takes_the_same_steps_as_the_twin(split):
    model, twin = twins()
    assert_same_steps(model, twin, split, epochs=2)


def test_a_writer_built_in_keras_learns_the_list_that_popularity_cannot_tell(split):
    keras.utils.set_random_seed(0)
    model = recbook.keras.Writer(USERS, ITEMS, **OPTIONS | {"dim": 12, "hidden": 16})
    model.compile(optimizer=keras.optimizers.Adam(0.03))
    model.fit(recbook.keras.TrainingBatches(model, split, batch_size=16), epochs=20, verbose=0)
    walk = (torch.arange(ITEMS)[:, None] + torch.arange(7)) % ITEMS     # from each item on
    items, _ = model.write(Context(items=walk[:, :4]), how="greedy")
    assert (items == walk[:, 4:]).double().mean() > 0.7                 # by chance: 1 in 12


def test_what_cannot_be_written_is_refused():
    twin = twins()[1]
    with pytest.raises(ModelError, match="beam=0"):
        twin.write(HISTORIES, beam=0)
    with pytest.raises(ModelError, match="k=13: a list repeats no item"):
        twin.write(HISTORIES, k=13)
    with pytest.raises(ModelError, match="History 0 holds item 12"):
        twin.write(Context(items=torch.tensor([[12]])))
