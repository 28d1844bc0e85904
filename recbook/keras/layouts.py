"""PyTorch and Keras hold the same weights in other shapes: here they are turned, both ways.

Every matrix is transposed. The gates of a GRU stand side by side in other orders: r, z, n in PyTorch and z, r, n in
Keras. (r resets, z updates, n is the new state.) Those of an LSTM stand alike: i, f, g, o.

PyTorch gives every gate two biases, and so does Keras's GRU, where one of them is multiplied by r. In an LSTM and a
plain RNN only their sum matters: Keras has just that. It comes back to PyTorch as the first bias, beside a second of
zeros. (In training both of PyTorch's move, so that their sum takes twice the step.)
"""

import numpy as np
from keras import Model
from keras.layers import GRU, LSTM, Conv2D, SimpleRNN

from recbook.keras.base import Recommender


def other_order(gates):
    """Arrays (..., 3 H) of r, z, n from those of z, r, n, and the other way round."""
    first, second, new = np.split(gates, 3, axis=-1)
    return np.concatenate([second, first, new], axis=-1)


def gru_to_torch(kernel, recurrent_kernel, bias):
    """From (D, 3 H), (H, 3 H) and (2, 3 H) to PyTorch's two (3 H, D or H) and two (3 H,)."""
    return {"weight_ih_l0": other_order(kernel).T, "weight_hh_l0": other_order(recurrent_kernel).T,
            "bias_ih_l0": other_order(bias[0]), "bias_hh_l0": other_order(bias[1])}


def gru_from_torch(weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0):
    """The other way round: the arrays as a Keras GRU lists them."""
    return [other_order(weight_ih_l0.T), other_order(weight_hh_l0.T),
            np.stack([other_order(bias_ih_l0), other_order(bias_hh_l0)])]


def rnn_to_torch(kernel, recurrent_kernel, bias):
    """From (D, G H), (H, G H) and (G H,), with G = 4 gates in an LSTM and 1 in a plain RNN."""
    return {"weight_ih_l0": kernel.T, "weight_hh_l0": recurrent_kernel.T, "bias_ih_l0": bias,
            "bias_hh_l0": np.zeros_like(bias)}


def rnn_from_torch(weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0):
    """The other way round: the arrays as Keras's LSTM and SimpleRNN list them."""
    return [weight_ih_l0.T, weight_hh_l0.T, bias_ih_l0 + bias_hh_l0]


def plain_to_torch(kernel, *bias):
    """Of Dense, (in, out) to (out, in); of Conv1D, (height, in, out) to (out, in, height); of LayerNormalization."""
    return {"weight": kernel.T} | {"bias": array for array in bias}


def plain_from_torch(weight, **bias):
    """The other way round: the arrays as the layer lists them."""
    return [weight.T, *bias.values()]


def picture_to_torch(kernel, bias):
    """Of Conv2D: from (height, width, in, out) to (out, in, height, width)."""
    return {"weight": kernel.transpose(3, 2, 0, 1), "bias": bias}


def picture_from_torch(weight, bias):
    """The other way round: the arrays as a Keras Conv2D lists them."""
    return [weight.transpose(2, 3, 1, 0), bias]


LAYOUTS = {GRU: (gru_to_torch, gru_from_torch), LSTM: (rnn_to_torch, rnn_from_torch),
           SimpleRNN: (rnn_to_torch, rnn_from_torch), Conv2D: (picture_to_torch, picture_from_torch)}


class LayeredModel(Recommender):
    """A model made of Keras's own layers, each with the name that the PyTorch twin gives it."""

    def to_numpy(self):
        return to_torch(self)

    def take(self, weights):
        from_torch(self, weights)


def to_torch(layer):
    """The weights of a layer, or of a model and all its layers, by PyTorch's names and in its shapes."""
    if not isinstance(layer, Model):
        turned, _ = LAYOUTS.get(type(layer), (plain_to_torch, plain_from_torch))
        return turned(*layer.get_weights())
    named = {weight.name: np.asarray(weight.value.numpy()) for weight in own_weights(layer)}
    for part in parts(layer):
        named |= {f"{part.name}.{name}": array for name, array in to_torch(part).items()}
    return named


def from_torch(layer, named):
    """Take the weights that `to_torch` gives."""
    if not isinstance(layer, Model):
        _, turned = LAYOUTS.get(type(layer), (plain_to_torch, plain_from_torch))
        layer.set_weights(turned(**named))
        return
    for weight in own_weights(layer):
        weight.assign(named[weight.name])
    for part in parts(layer):
        start = f"{part.name}."
        from_torch(part, {name.removeprefix(start): array for name, array in named.items() if name.startswith(start)})


def parts(model):
    """The layers of a model that have weights: all but Dropout."""
    return [layer for layer in model.layers if layer.weights]


def own_weights(model):
    """The weights of a model that are not a layer's."""
    of_layers = {id(weight) for layer in model.layers for weight in layer.weights}
    return [weight for weight in model.weights if id(weight) not in of_layers]


def built(layer, width):
    """A layer for inputs (B, L, width), with its weights: Keras makes them at the first batch unless told the width."""
    layer.build((None, None, width))
    return layer
