"""Self-attention in Keras. Its papers, and how it differs from them: `recbook/models/self_attention.py`."""

import numpy as np
import tensorflow as tf
from keras import Model, ops
from keras.initializers import RandomNormal
from keras.layers import Dense, Dropout, LayerNormalization

from recbook.data.batches import Sequences
from recbook.errors import ModelError
from recbook.keras.layouts import built
from recbook.keras.sequence import SequenceModel

EPSILON = 1e-5      # PyTorch's; Keras's own is 1e-3


class Block(Model):
    """x + attention(norm(x)), then x + network(norm(x))."""

    def __init__(self, dim, heads, dropout, **options):
        super().__init__(**options)
        self.heads = heads
        mine = {"dtype": self.dtype_policy}
        self.attention_norm = LayerNormalization(epsilon=EPSILON, name="attention_norm", **mine)
        self.network_norm = LayerNormalization(epsilon=EPSILON, name="network_norm", **mine)
        self.projections = Dense(3 * dim, name="projections", **mine)   # queries, keys, values
        self.attention_output = Dense(dim, name="attention_output", **mine)
        self.inner = Dense(dim, activation="relu", name="inner", **mine)
        self.outer = Dense(dim, name="outer", **mine)
        self.dropout = Dropout(dropout, **mine)

    def build(self, shape):
        for layer in self.layers:                                       # all of them read (B, L, D)
            layer.build(shape)

    def parts(self, inputs):
        """Queries, keys and values: (B, L, D) each."""
        return ops.split(self.projections(self.attention_norm(inputs)), 3, axis=2)

    def attention(self, inputs):
        """Each event's sum of the values of all up to it: (B, L, D)."""
        length, dim = inputs.shape[1:]
        queries, keys, values = (
            ops.transpose(ops.reshape(part, (-1, length, self.heads, dim // self.heads)), (0, 2, 1, 3))
            for part in self.parts(inputs))                                                     # (B, heads, L, ...)
        relevance = queries @ ops.swapaxes(keys, 2, 3) / (dim / self.heads) ** 0.5              # (B, heads, L, L)
        later = np.triu(np.ones((length, length), dtype=bool), 1)
        weights = tf.nn.softmax(ops.where(later, -np.inf, relevance))   # Keras's own warns where there is one event
        seen = ops.transpose(self.dropout(weights) @ values, (0, 2, 1, 3))                      # (B, L, heads, ...)
        return self.attention_output(ops.reshape(seen, (-1, length, dim)))

    def network(self, inputs):
        return self.dropout(self.outer(self.dropout(self.inner(inputs))))

    def call(self, inputs):
        inputs += self.dropout(self.attention(inputs))
        return inputs + self.network(self.network_norm(inputs))


class CodedBlock(Block):
    """The authors' code: both sums start from normalised vectors; keys and values are made of those before."""

    def parts(self, inputs):
        dim, (weight, bias) = inputs.shape[2], (self.projections.kernel, self.projections.bias)
        queries = self.attention_norm(inputs) @ weight[:, :dim] + bias[:dim]
        return queries, *ops.split(inputs @ weight[:, dim:] + bias[dim:], 2, axis=2)

    def call(self, inputs):
        normalised = self.network_norm(self.attention_norm(inputs) + self.attention(inputs))
        return normalised + self.network(normalised)


class SASRec(SequenceModel):
    """Blocks of causal self-attention on items plus their positions. Matrices start as Keras starts them.

    Parameters (more: `SequenceModel`)
    ----------
    blocks, heads : int
        How many blocks, and in how many parts of the vectors each attends on its own.
    stride : int or None
        How many events apart the pieces of a long history end, each `length` events long. None: they do not overlap.
    mixed : bool
        Train on histories of all lengths together, in place of those of nearly the same length: slower, with more
        padding, but every batch stands for all users.
    as_coded : bool
        Blocks as the authors coded them, in place of those of the paper.
    """

    def __init__(self, n_users, n_items, dim=64, length=50, blocks=2, heads=1, negatives=0, dropout=0.2,
                 behaviours=False, pauses=False, stride=None, mixed=False, as_coded=False, **options):
        super().__init__(n_users, n_items, dim, length, negatives, dropout, behaviours, pauses, **options)
        if heads < 1 or dim % heads:
            raise ModelError(f"dim={dim} does not divide into heads={heads}.")
        self.batches = Sequences(length, negatives, stride, mixed)
        self.position = self.add_weight(shape=(length, dim), initializer=RandomNormal(stddev=dim**-0.5),
                                        name="position.weight")
        block = CodedBlock if as_coded else Block
        self.stack = [built(block(dim, heads, dropout, name=f"stack.{number}", dtype=self.dtype_policy), dim)
                      for number in range(blocks)]
        self.norm = built(LayerNormalization(epsilon=EPSILON, name="norm", dtype=self.dtype_policy), dim)

    def encode(self, inputs):
        hidden = inputs * self.dim**0.5 + self.position[:inputs.shape[1]]
        for block in self.stack:
            hidden = block(hidden)
        return self.norm(hidden)
