"""The writer of lists in Keras. Its papers, and how it differs from them: `recbook/models/writer.py`."""

import numpy as np
import torch
from keras import ops
from keras.layers import GRU, Dense

from recbook import decoding
from recbook.data.batches import Windows
from recbook.data.histories import checked
from recbook.keras.base import products, rows
from recbook.keras.data import fields
from recbook.keras.layouts import built
from recbook.keras.sequence import SequenceModel, cross_entropy, last


class Writer(SequenceModel):
    """A GRU reads the history, another writes what follows, and looks back at each of its items while it does.

    Weights start as Keras starts them.

    Parameters (more: `SequenceModel`)
    ----------
    hidden : int
        Width of the states of encoder and decoder.
    targets : int
        How many items it learns to write.
    """

    def __init__(self, n_users, n_items, dim=64, length=20, hidden=128, targets=5, dropout=0.2, **options):
        super().__init__(n_users, n_items, dim, length, 0, dropout, **options)
        self.hidden, self.targets = hidden, targets
        self.batches = Windows(length, targets, negatives=0)

        def gru(name, reads):
            return built(GRU(hidden, return_sequences=True, name=name, dtype=self.dtype_policy), reads)

        def dense(name, width, reads, **more):
            return built(Dense(width, name=name, dtype=self.dtype_policy, **more), reads)

        self.encoder = gru("encoder", dim)
        self.begin = dense("begin", hidden, hidden)
        self.query = dense("query", hidden, hidden, use_bias=False)
        self.key = dense("key", hidden, hidden)
        self.relevance = dense("relevance", 1, hidden, use_bias=False)
        self.decoder = gru("decoder", dim + hidden)
        self.output_layer = dense("output", dim, 2 * hidden)

    def encode(self, inputs):
        return self.encoder(inputs)

    def attend(self, state, keys, real):
        """How much each event counts for the next item: (B, L)."""
        relevance = self.relevance(ops.tanh(self.query(state)[:, None] + keys))[..., 0]
        real = ops.cast(real, relevance.dtype)
        return ops.softmax(ops.where(real > 0, relevance, -1e30), axis=1) * real

    def read(self, context):
        """What the decoder is given of histories: states, keys, which are real, its first state."""
        states = self.states(context)
        return states, self.key(states), context["items"] >= 0, ops.tanh(self.begin(last(states, context["items"])))

    def decode(self, reading, before):
        """Questions (B, T, D) whose answers are the items, and weights (B, T, L), given the items before: (B, T), -1 none."""
        states, keys, real, state = reading
        inputs = rows(self.item, ops.maximum(before, 0)) * ops.cast(before >= 0, states.dtype)[..., None]
        inputs = self.dropout(inputs)
        questions, weights = [], []
        for step in range(before.shape[1]):
            weight = self.attend(state, keys, real)
            summary = ops.einsum("bl,blh->bh", weight, states)
            state, _ = self.decoder.cell(ops.concatenate([inputs[:, step], summary], axis=1), [state])
            questions.append(self.output_layer(ops.concatenate([state, summary], axis=1)))
            weights.append(weight)
        return ops.stack(questions, axis=1), ops.stack(weights, axis=1)

    def scores(self, context, items=None):
        context = fields(checked(context, self.n_items, self.length))
        items = None if items is None else items.numpy()
        questions, _ = self.decode(self.read(context), np.full((len(context["items"]), 1), -1))
        return ops.convert_to_numpy(products(questions[:, 0], self.item, items) + rows(self.item_bias, items))

    def weights_of(self, context, written):
        """How much each event counted for each item of the lists written (B, k): an array (B, k, L)."""
        context = fields(checked(context, self.n_items, self.length))
        return ops.convert_to_numpy(self.decode(self.read(context), one_later(written.numpy()))[1])

    def call(self, batch, training=False):
        questions, _ = self.decode(self.read(batch["context"]), one_later(batch["items"]))
        scores = questions @ ops.transpose(self.item) + self.item_bias                          # (B, T, N)
        self.add_loss(cross_entropy(scores, batch["items"]))
        return scores

    def following(self, context):
        """What `recbook.write` asks, in PyTorch's tensors: the log probability of each item after what was written."""
        reading = self.read(fields(checked(context, self.n_items, self.length)))

        def following(rows, written):
            before = np.pad(written.numpy(), [(0, 0), (1, 0)], constant_values=-1)
            questions, _ = self.decode([ops.take(part, rows.numpy(), axis=0) for part in reading], before)
            scores = questions[:, -1] @ ops.transpose(self.item) + self.item_bias
            return torch.from_numpy(np.array(ops.log_softmax(scores, axis=1)))

        return following

    def write(self, context, k=None, how="beam", beam=10, exclude=None, generator=None):
        """Lists of k items, by default of as many as it learned to write: `recbook.write` of this model."""
        return decoding.write(self, context, self.targets if k is None else k, how, beam, exclude, generator)


def one_later(items):
    """What stands before each of items (B, T): (B, T), -1 before the first."""
    return ops.concatenate([ops.full_like(items[:, :1], -1), items[:, :-1]], axis=1)
