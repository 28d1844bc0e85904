"""A game in Keras is the one in PyTorch: same losses, same gradients of each side, same scores, same training."""

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
from recbook.errors import RecbookError
from tests.keras.parity import EXACT, assert_same_scores, assert_same_steps

N_USERS, N_ITEMS = 60, 40
MAKE = {
    "irgan": ("IRGAN", {"dim": 5, "draws": 3}),
    "cfgan by user": ("CFGAN", {"hidden": 6, "zero_weight": 0.3, "zero_share": 0.6, "mask_share": 0.4}),
    "cfgan by item": ("CFGAN", {"hidden": 6, "by": "item", "zero_share": 0.2}),
    "amf": ("AMF", {"dim": 5, "epsilon": 0.3}),
    "amf, random": ("AMF", {"dim": 5, "epsilon": 0.3, "adversarial_weight": 0.4, "change": "random"}),
}


@pytest.fixture(scope="module")
def split():
    """Four camps of users and of items."""
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, N_USERS, 3000), rng.integers(0, N_ITEMS, 3000)
    kept = (user % 4 == item % 4) | (rng.random(3000) < 0.1)
    return recbook.leave_last_out(recbook.from_frame(pd.DataFrame({"user": user, "item": item})[kept].drop_duplicates()))


def pattern(shape):
    """Numbers 0 to 1 without an order to the eye, the same in both frameworks."""
    size = int(np.prod([int(length) for length in shape]))
    return (np.arange(1, size + 1) * 0.61803398875 % 1).reshape([int(length) for length in shape])


def twins(kind, split):
    """The model in both frameworks with the same random weights, in float64, and the same draws."""
    name, options = MAKE[kind]
    recbook.seed_everything(0)
    model = getattr(recbook, name)(N_USERS, N_ITEMS, **options).double()
    model.start(split)
    with torch.no_grad():
        for weight in model.parameters():
            if not name == "AMF" or weight is not model.bias and weight is not model.user_bias:
                weight.add_(torch.randn_like(weight) * 0.3)
    twin = getattr(recbook.keras, name)(N_USERS, N_ITEMS, dtype="float64", **options)
    # In a graph the twin's size is known when it runs
    for method, draw in (("draw", lambda shape: (pattern((shape[0], 3)) * N_ITEMS).astype(np.int64)), ("chance", pattern),
                         ("noise", lambda shape: pattern(shape) - 0.5)):
        if hasattr(model, method):
            kind_of = tf.int64 if method == "draw" else tf.float64
            setattr(model, method, lambda like, draw=draw: torch.from_numpy(draw(like.shape)))
            setattr(twin, method, lambda like, draw=draw, kind_of=kind_of:
                    tf.ensure_shape(tf.numpy_function(lambda array: draw(array.shape), [like], kind_of), [None, None]))
    return model, twin.from_numpy({name: value.numpy() for name, value in model.state_dict().items()})


@pytest.mark.parametrize("kind", MAKE)
def test_losses_and_gradients_are_those_of_the_twin(kind, split):
    model, twin = twins(kind, split)
    batches = recbook.keras.TrainingBatches(twin, split, batch_size=25)
    losses = model.loss(batches.epoch[0])
    losses = list(losses.values()) if isinstance(losses, dict) else [losses]
    sum(losses).backward()
    with tf.GradientTape() as tape:
        twin(batches[0], training=True)
        total = sum(twin.losses)
    slopes = tape.gradient(total, [weight.value for weight in twin.trainable_weights])
    assert_allclose(float(total), sum(losses).item(), **EXACT)
    if len(losses) == 2:
        assert_allclose([float(loss) for loss in twin.losses], [loss.item() for loss in losses], **EXACT)
    expected = {name: weight.grad for name, weight in model.named_parameters()}
    largest = {}
    for weight, slope in zip(twin.trainable_weights, slopes):
        assert_allclose(tf.convert_to_tensor(slope).numpy(), expected[weight.name].numpy(), err_msg=weight.name, **EXACT)
        side = weight.name.partition(".")[0]
        largest[side] = max(largest.get(side, 0), expected[weight.name].abs().max().item())
    assert min(largest.values()) > 1e-3, largest


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("items", [None, [3, 0, 3], [[1, 2], [39, 0], [5, 5]]], ids=["all", "(C,)", "(B, C)"])
def test_scores_are_those_of_the_twin(kind, items, split):
    """Of histories with a repeat, and of none."""
    model, twin = twins(kind, split)
    context = Context(users=torch.tensor([7, 0, 59]), items=torch.tensor([[1, 2, 1], [4, 8, -1], [-1, -1, -1]]))
    assert_same_scores(model, twin, context, items)


@pytest.mark.parametrize("kind", MAKE)
def test_fit_takes_the_same_steps_as_the_twin(kind, split):
    model, twin = twins(kind, split)
    assert_same_steps(model, twin, split, epochs=2)


def test_keras_draws_by_the_softmax():
    keras.utils.set_random_seed(0)
    model = recbook.keras.IRGAN(3, 4, dim=2, draws=4000)
    share = np.array([[0.1, 0.2, 0.3, 0.4]])
    seen = np.bincount(model.draw(tf.math.log(share)).numpy()[0], minlength=4) / 4000
    assert np.abs(seen - share).max() < 0.03
    chances = recbook.keras.CFGAN(3, 4, hidden=2).chance(tf.zeros((40, 40))).numpy()
    assert 0 <= chances.min() < 0.05 and 0.95 < chances.max() <= 1


def test_a_game_learns_the_camps_that_popularity_cannot_see(split):
    keras.utils.set_random_seed(0)
    model = recbook.keras.CFGAN(N_USERS, N_ITEMS, hidden=16, zero_weight=0.3).start(split)
    model.compile(optimizer=keras.optimizers.Adam(0.005))
    model.fit(recbook.keras.TrainingBatches(model, split, batch_size=20), epochs=120, verbose=0)
    popularity = recbook.Popularity(N_USERS, N_ITEMS).fit(split)
    comparison = recbook.compare({"trained": model, "popularity": popularity}, on=split.test)
    assert comparison.reports["trained"]["NDCG@10"] > 1.3 * comparison.reports["popularity"]["NDCG@10"]


def test_keras_refuses_what_the_twin_refuses():
    with pytest.raises(RecbookError, match="Unknown side 'film'"):
        recbook.keras.CFGAN(N_USERS, N_ITEMS, by="film")
    with pytest.raises(RecbookError, match="^draws=1"):
        recbook.keras.IRGAN(N_USERS, N_ITEMS, draws=1)
