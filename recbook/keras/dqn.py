"""Deep Q-learning from a log in Keras. Its papers, and how it differs from them: `recbook/agents/dqn.py`."""

import keras
import numpy as np
from keras import ops
from keras.layers import Dense

from recbook.keras.layouts import LayeredModel


class DQN(LayeredModel):
    """An agent that learns q(s, a) from a log: a batch is a dict of `seen` (B, D), `action`, `reward`, `seen_next`, `gone`.

    Call `move_target` after some batches, as `keras.callbacks.LambdaCallback(on_epoch_end=...)` does.

    Parameters
    ----------
    width, n_actions, layers, discount, double, loss
        As in PyTorch.
    options
        Keras's own: `dtype`, `name`.
    """

    def __init__(self, width, n_actions, layers=(64, 64), discount=1.0, double=True, loss="squared", **options):
        super().__init__(**options)
        self.discount, self.double = discount, double
        self.error = {"squared": ops.square, "huber": huber}[loss]
        self.network = self.dense("network", width, (*layers, n_actions))
        self.target = self.dense("target", width, (*layers, n_actions))
        self.target.trainable = False
        self.move_target()

    def dense(self, name, width, widths):
        """Dense layers with ReLU between them, numbered as PyTorch numbers its own."""
        activations = ["relu"] * (len(widths) - 1) + [None]
        model = keras.Sequential([Dense(size, activation=activation, name=f"{2 * place}", dtype=self.dtype_policy)
                                  for place, (size, activation) in enumerate(zip(widths, activations))], name=name)
        model.build((None, width))
        return model

    def move_target(self):
        """What is looked up from now on is what has been learned so far."""
        self.target.set_weights(self.network.get_weights())

    def act(self, seen):
        """The best actions (B,) in states described by (B, D)."""
        return np.asarray(self.network(seen)).argmax(1)

    def call(self, batch):
        values = self.network(batch["seen"])                            # (B, A)
        done = ops.take_along_axis(values, batch["action"][:, None], axis=1)[:, 0]
        after = self.target(batch["seen_next"])
        chooser = self.network(batch["seen_next"]) if self.double else after
        best = ops.take_along_axis(after, ops.argmax(chooser, axis=1)[:, None], axis=1)[:, 0]
        wanted = ops.stop_gradient(batch["reward"] + self.discount * (1 - batch["gone"]) * best)
        self.add_loss(ops.mean(self.error(done - wanted)))
        return values


def huber(wrong):
    """Half the square where it is below 1, linear above."""
    size = ops.abs(wrong)
    return ops.where(size < 1, 0.5 * size**2, size - 0.5)
