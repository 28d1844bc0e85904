"""What every Keras model of the book can do. Training is Keras's own."""

import keras
import numpy as np
from keras import ops

from recbook.errors import ModelError
from recbook.settings import given


class Recommender(keras.Model):
    """A model that ranks items: `call` adds the loss of a batch by `add_loss`, `scores` ranks.

    A weight has the name and the shape that it has in the PyTorch twin's `state_dict()`.

    Attributes
    ----------
    reads : int or None
        How many past events of a user `scores` looks at: 0 for none, None for all of them.
    batches : Pairs, Ratings, ...
        What `call` is given, as a dict of tensors.
    """

    reads = 0
    batches = None

    def __new__(cls, *arguments, **named):
        given(cls.__init__, (cls, *arguments), named)                   # Keras reads the constructor: it is not wrapped
        return super().__new__(cls, *arguments, **named)

    def __init__(self, **options):
        super().__init__(**options)
        self.supports_jit = False  # batches differ in size, and XLA would compile each size anew

    def start(self, split):
        """Set what a model may know before it sees a batch, once, before `fit`. Returns the model."""
        return self

    def scores(self, context, items=None):
        """How much each item suits each case: the higher the better.

        context : Context of B cases. items : None for the whole catalogue, (C,) for the same candidates in every
        case, (B, C) for candidates of each case. Returns an array (B, n_items) or (B, C).
        """
        raise ModelError(f"{type(self).__name__} cannot rank items.")

    def to_numpy(self):
        """The weights, as the PyTorch twin names them: a dict of arrays."""
        return {weight.name: np.asarray(weight.value.numpy()) for weight in self.weights}

    def from_numpy(self, weights):
        """Take the weights of a twin: `{name: value.numpy() for name, value in twin.state_dict().items()}`."""
        wanted = {name: value.shape for name, value in self.to_numpy().items()}
        found = {name: value.shape for name, value in weights.items()}
        for name in wanted.keys() | found.keys():
            if wanted.get(name) != found.get(name):
                raise ModelError(f"The weights do not fit this {type(self).__name__}: {name} is {found.get(name)} "
                                 f"there and {wanted.get(name)} here.")
        self.take(weights)
        return self

    def take(self, weights):
        """Take the weights that `to_numpy` gives."""
        for weight in self.weights:
            weight.assign(weights[weight.name])


def arrays(*tensors):
    """PyTorch tensors, as a Context holds them, as arrays; None stays None."""
    return [None if tensor is None else tensor.numpy() for tensor in tensors]


def rows(table, numbers):
    """Rows of a table (N, D) or entries of a vector (N,) by their numbers, of any shape; all of them for None."""
    return ops.convert_to_tensor(table) if numbers is None else ops.take(table, numbers, axis=0)


def products(vectors, table, items):
    """Dot products of vectors (B, D) with rows of a table (n_items, D): all of them, (C,) or (B, C)."""
    chosen = rows(table, items)
    if len(chosen.shape) == 2:
        return vectors @ ops.transpose(chosen)
    return ops.einsum("bd,bcd->bc", vectors, chosen)
