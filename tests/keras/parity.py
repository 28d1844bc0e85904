"""What is compared of a Keras model and its PyTorch twin, whatever the model."""

import keras
import numpy as np
import tensorflow as tf
import torch
from numpy.testing import assert_allclose

import recbook
import recbook.keras

EXACT = {"rtol": 1e-10, "atol": 1e-12}


def slopes_of(twin, batch):
    """Loss and gradients of a Keras model on one batch, in the order of its weights; 0 for what has none."""
    with tf.GradientTape() as tape:
        twin(batch)
        loss = sum(twin.losses)
    slopes = tape.gradient(loss, [weight.value for weight in twin.weights])
    return float(loss), [tf.convert_to_tensor(slope).numpy() if slope is not None else np.zeros(weight.shape)
                         for slope, weight in zip(slopes, twin.weights)]


def gradients(twin, batch):
    """Loss and gradients of a Keras model on one batch, by the names of its weights."""
    loss, slopes = slopes_of(twin, batch)
    return loss, {weight.name: slope for weight, slope in zip(twin.weights, slopes)}


def turned_gradients(twin, batch):
    """Loss and gradients of a model of Keras's own layers, by PyTorch's names: a gradient turns as its weight does."""
    loss, slopes = slopes_of(twin, batch)
    weights = twin.get_weights()
    twin.set_weights(slopes)
    turned = twin.to_numpy()
    twin.set_weights(weights)
    return loss, turned


def learned(slopes, model):
    """The gradients of what is learned. A twin keeps facts among its weights, such as the items' words: theirs are 0."""
    facts = dict(model.named_buffers())
    assert not any(slopes[name].any() for name in facts)
    return {name: slope for name, slope in slopes.items() if name not in facts}


def assert_same_gradients(model, batch, twin_loss, slopes):
    """The loss of a PyTorch model on a batch and the gradients of its weights, {name: array}, are those of the twin."""
    model.zero_grad()
    loss = model.loss(batch)
    loss.backward()
    assert_allclose(twin_loss, loss.item(), **EXACT)
    weights, slopes = dict(model.named_parameters()), learned(slopes, model)
    assert slopes.keys() == weights.keys()
    expected = {name: np.zeros(weight.shape) if weight.grad is None else weight.grad.numpy()
                for name, weight in weights.items()}
    for name in weights:
        assert_allclose(slopes[name], expected[name], err_msg=name, **EXACT)
    return expected


def assert_same_steps(model, twin, split, epochs):
    """Trained on the same batches by the same SGD, both have the same weights, and rank alike."""
    twin.start(split).compile(optimizer=keras.optimizers.SGD(0.125))    # a power of two: exact in Keras's float32
    batches = recbook.keras.TrainingBatches(twin, split, batch_size=100, seed=5)
    twin.fit(batches, epochs=epochs, shuffle=False, verbose=0)
    recbook.fit(model, split, epochs=epochs, batch_size=100, learning_rate=0.125, seed=5, device="cpu", progress=False,
                optimiser=torch.optim.SGD)
    weights = twin.to_numpy()
    assert weights.keys() == model.state_dict().keys()
    for weight, value in model.state_dict().items():
        assert_allclose(weights[weight], value.numpy(), err_msg=weight, **EXACT)
    assert recbook.evaluate(twin, split.test)["NDCG@10"] == recbook.evaluate(model, split.test)["NDCG@10"]


def assert_same_scores(model, twin, context, items):
    """The scores of a PyTorch model are those of the twin, which are an array; items: None, or lists (C,) or (B, C)."""
    items = None if items is None else torch.tensor(items)
    scores = twin.scores(context, items)
    assert isinstance(scores, np.ndarray)
    assert_allclose(scores, model.eval().scores(context, items).detach().numpy(), **EXACT)
