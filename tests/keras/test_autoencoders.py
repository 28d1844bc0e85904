"""An autoencoder in Keras is the one in PyTorch: same loss, same gradients, same scores, same training."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import torch
from numpy.testing import assert_allclose

import recbook
import recbook.keras
from recbook.data.splits import Context
from recbook.errors import ModelError, RecbookError
from tests.keras.parity import EXACT, assert_same_scores, assert_same_steps

N_USERS, N_ITEMS = 60, 40
MAKE = {
    "by item": ("AutoRec", {"dim": 5, "l2": 3.0}),
    "by user": ("AutoRec", {"dim": 5, "l2": 3.0, "by": "user"}),
    "sigmoid at the end": ("AutoRec", {"dim": 5, "activation": "identity", "output": "sigmoid"}),
    "mult-dae": ("MultDAE", {"dim": 5, "dropout": 0.0}),
    "mult-vae": ("MultVAE", {"dim": 4, "hidden": 6, "dropout": 0.0, "beta": 0.7, "annealing": 5}),
}


@pytest.fixture(scope="module")
def split():
    """Four camps of users and of items; ratings are 4 within a camp and 2 across."""
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, N_USERS, 3000), rng.integers(0, N_ITEMS, 3000)
    within = user % 4 == item % 4
    kept = within | (rng.random(3000) < 0.1)
    frame = pd.DataFrame({"user": user, "item": item, "rating": np.where(within, 4.0, 2.0)})[kept]
    return recbook.leave_last_out(recbook.from_frame(frame.drop_duplicates(["user", "item"]), rating="rating"))


def half(like):
    """A noise that is the same in both."""
    return 0 * like + 0.5


def twins(kind, split):
    """The model in both frameworks with the same random weights, in float64, at the third step of training."""
    name, options = MAKE[kind]
    recbook.seed_everything(0)
    model = getattr(recbook, name)(N_USERS, N_ITEMS, **options).double()
    model.start(split)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
        if hasattr(model, "steps"):
            model.steps.fill_(2)
    twin = getattr(recbook.keras, name)(N_USERS, N_ITEMS, dtype="float64", **options)
    model.noise, twin.noise = half, half
    return model, twin.from_numpy({name: value.numpy() for name, value in model.state_dict().items()})


@pytest.mark.parametrize("kind", MAKE)
def test_loss_and_gradients_are_those_of_the_twin(kind, split):
    """While training: with the noise and at the step's weight of the divergence."""
    model, twin = twins(kind, split)
    batches = recbook.keras.TrainingBatches(twin, split, batch_size=25)
    loss = model.loss(batches.epoch[0])
    loss.backward()
    with tf.GradientTape() as tape:
        twin(batches[0], training=True)
        twins_loss = sum(twin.losses)
    slopes = tape.gradient(twins_loss, [weight.value for weight in twin.trainable_weights])
    assert_allclose(float(twins_loss), loss.item(), **EXACT)
    weights = twin.get_weights()                                        # a gradient turns as its weight does
    for weight, slope in zip(twin.trainable_weights, slopes):
        weight.assign(tf.convert_to_tensor(slope))
    turned = twin.to_numpy()
    twin.set_weights(weights)
    largest = 0
    for name, weight in model.named_parameters():
        assert_allclose(turned[name], weight.grad.numpy(), err_msg=name, **EXACT)
        largest = max(largest, weight.grad.abs().max().item())
    assert largest > 1e-3


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("items", [None, [3, 0, 3], [[1, 2], [39, 0], [5, 5]]], ids=["all", "(C,)", "(B, C)"])
def test_scores_are_those_of_the_twin(kind, items, split):
    """Of histories with a repeat and an unrated event, and of none."""
    model, twin = twins(kind, split)
    context = Context(users=torch.tensor([7, 0, 59]), items=torch.tensor([[1, 2, 1], [4, 8, -1], [-1, -1, -1]]),
                      ratings=torch.tensor([[1.0, 3, 5], [2, np.nan, np.nan], [np.nan] * 3]))
    assert_same_scores(model, twin, context, items)


@pytest.mark.parametrize("kind", MAKE)
def test_fit_takes_the_same_steps_as_the_twin(kind, split):
    model, twin = twins(kind, split)
    assert_same_steps(model, twin, split, epochs=3)


@pytest.mark.parametrize("name", ["MultDAE", "MultVAE"])
def test_a_model_of_clicks_learns_the_camps_that_popularity_cannot_see(name, split):
    keras.utils.set_random_seed(0)
    model = getattr(recbook.keras, name)(N_USERS, N_ITEMS, dim=8).start(split)
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    model.fit(recbook.keras.TrainingBatches(model, split, batch_size=20), epochs=30, verbose=0)
    popularity = recbook.Popularity(N_USERS, N_ITEMS).fit(split)
    comparison = recbook.compare({"trained": model, "popularity": popularity}, on=split.test)
    assert comparison.reports["trained"]["NDCG@10"] > 1.3 * comparison.reports["popularity"]["NDCG@10"]


def test_keras_hides_a_share_of_the_clicks_while_it_trains(split):
    model = recbook.keras.MultDAE(N_USERS, N_ITEMS, dim=4, dropout=0.6)
    batch = recbook.keras.TrainingBatches(model, split, batch_size=30)[0]
    size = len(batch["owners"])
    calm = [model.inside(batch["owner"], batch["items"], size).numpy() for _ in range(2)]
    assert (calm[0] == calm[1]).all()
    assert (model.inside(batch["owner"], batch["items"], size, training=True).numpy() != calm[0]).any()


def test_keras_refuses_what_the_twin_refuses(split):
    with pytest.raises(RecbookError, match="Unknown side 'film'"):
        recbook.keras.AutoRec(N_USERS, N_ITEMS, by="film")
    with pytest.raises(ModelError, match="the scale is 1 to 3"):
        recbook.keras.AutoRec(N_USERS, N_ITEMS, dim=2, scale=(1, 3)).start(split)
    by_user = recbook.keras.AutoRec(N_USERS, N_ITEMS, dim=2, by="user")
    with pytest.raises(ModelError, match="context.ratings is missing"):
        by_user.scores(Context(items=torch.tensor([[1]])))
