"""The deep Q-network in Keras: the loss, the gradients and the choices of its PyTorch twin."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from numpy.testing import assert_allclose

import recbook
import recbook.keras
from recbook.agents import DQN
from recbook.errors import ModelError
from tests.keras.parity import EXACT, turned_gradients


def twins(double, loss="squared"):
    agent = DQN(5, 3, layers=(6, 4), discount=0.9, double=double, loss=loss, seed=4)
    agent.network.double(), agent.target.double()
    with torch.no_grad():
        for weight in agent.target.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    weights = {f"{name}.{key}": value.numpy() for name in ("network", "target")
               for key, value in getattr(agent, name).state_dict().items()}
    twin = recbook.keras.DQN(5, 3, layers=(6, 4), discount=0.9, double=double, loss=loss, dtype="float64")
    return agent, twin.from_numpy(weights)


def transitions(count=40):
    rng = np.random.default_rng(0)
    return {"seen": rng.random((count, 5)), "action": rng.integers(3, size=count), "taken": rng.integers(3, size=count),
            "reward": 3 * rng.random(count), "seen_next": rng.random((count, 5)),
            "gone": (rng.random(count) < 0.3).astype(float)}


@pytest.mark.parametrize("double, loss", [(True, "squared"), (False, "squared"), (True, "huber")])
def test_loss_gradients_and_choices_are_those_of_the_twin(double, loss):
    agent, twin = twins(double, loss)
    batch = transitions()
    loss = agent.loss({name: torch.tensor(column) for name, column in batch.items()})
    loss.backward()
    twin_loss, slopes = turned_gradients(twin, {name: tf.constant(column) for name, column in batch.items()})
    assert_allclose(twin_loss, loss.item(), **EXACT)
    for name, weight in agent.network.named_parameters():
        assert np.abs(slopes[f"network.{name}"]).max() > 1e-6
        assert_allclose(slopes[f"network.{name}"], weight.grad.numpy(), err_msg=name, **EXACT)
        assert not slopes[f"target.{name}"].any()
    assert np.array_equal(twin.act(batch["seen"]), agent.act(batch["seen"]))


def test_it_is_trained_by_compile_and_fit():
    keras.utils.set_random_seed(0)
    batch = transitions(64)
    batch["reward"] = (batch["action"] == (batch["seen"][:, 0] > 0.5)).astype(float)
    twin = recbook.keras.DQN(5, 3, layers=(16,), discount=0.0, dtype="float64")
    twin.compile(optimizer=keras.optimizers.Adam(0.02))
    data = tf.data.Dataset.from_tensor_slices(batch).repeat(40).batch(64)
    twin.fit(data, epochs=5, verbose=0, shuffle=False, callbacks=[keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: twin.move_target())])
    assert (twin.act(batch["seen"]) == (batch["seen"][:, 0] > 0.5)).mean() > 0.9
    assert all(np.array_equal(a, b) for a, b in zip(twin.network.get_weights(), twin.target.get_weights()))


def test_weights_of_another_width_are_refused():
    _, twin = twins(True)
    with pytest.raises(ModelError, match="do not fit"):
        recbook.keras.DQN(5, 2, layers=(6, 4)).from_numpy(twin.to_numpy())
