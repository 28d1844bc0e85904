"""Attention over a recurrent encoder in Keras. Its papers, and how it differs: `recbook/models/attention.py`."""

import tensorflow as tf
from keras import ops
from keras.layers import GRU, Dense, Dropout

from recbook.data.histories import checked
from recbook.keras.base import arrays, rows
from recbook.keras.data import fields
from recbook.keras.layouts import built
from recbook.keras.sequence import SequenceModel, cross_entropy


class AttentiveGRU(SequenceModel):
    """Every candidate has its own summary of the history.

    score(i) = sum_t softmax_t(r_ti) r_ti + b_i, with r_ti = h_t . v_i, the relevance of event t to item i.

    Parameters: `SequenceModel`; the loss is cross-entropy over all items. The GRU starts as Keras starts it.
    """

    def __init__(self, n_users, n_items, dim=64, length=50, dropout=0.2, behaviours=False, pauses=False, **options):
        super().__init__(n_users, n_items, dim, length, 0, dropout, behaviours, pauses, **options)
        self.recurrence = built(GRU(dim, return_sequences=True, name="recurrence", dtype=self.dtype_policy), dim)

    def encode(self, inputs):
        return self.recurrence(inputs)

    def scores(self, context, items=None):
        context = fields(checked(context, self.n_items, self.length))
        (items,) = arrays(items)
        relevance = self.states(context) @ ops.swapaxes(rows(self.item, items), -1, -2)         # (B, L, C)
        real = (context["items"] >= 0)[..., None]
        relevance = ops.where(real, relevance, 0)
        weights = tf.nn.softmax(ops.where(real, relevance, -1e30), axis=1)      # finite even where there is no event
        return ops.convert_to_numpy(ops.sum(weights * relevance, axis=1) + rows(self.item_bias, items))

    def call(self, batch, training=False):
        relevance = self.states(batch["context"]) @ ops.transpose(self.item)                    # (B, L, N)
        scores = running_attention(relevance) + self.item_bias
        self.add_loss(cross_entropy(scores, batch["items"]))
        return scores


def running_attention(relevance):
    """sum over s <= t of softmax(r_1 .. r_t)_s r_s, at every t at once, by running sums: (B, L, C) to (B, L, C)."""
    weight = ops.cast(relevance, "float64")                             # the logarithm of e^r
    below = ops.stop_gradient(ops.min(weight, axis=1, keepdims=True)) - 1
    total = tf.math.cumulative_logsumexp(weight + ops.log(weight - below), axis=1)
    return ops.cast(below + ops.exp(total - tf.math.cumulative_logsumexp(weight, axis=1)), relevance.dtype)


class NARM(SequenceModel):
    """The last state of a GRU, beside a sum of all states weighted by what it asks: v . sigmoid(A h_last + B h_t).

    Weights start as Keras starts them.

    Parameters (more: `SequenceModel`)
    ----------
    hidden : int
        Width of the states.
    output_dropout : float
        Share of the two summaries' entries that is set to zero while training.
    """

    def __init__(self, n_users, n_items, dim=50, length=50, hidden=100, negatives=0, dropout=0.25, output_dropout=0.5,
                 behaviours=False, pauses=False, **options):
        super().__init__(n_users, n_items, dim, length, negatives, dropout, behaviours, pauses, **options)

        def dense(name, width, reads):
            return built(Dense(width, use_bias=False, name=name, dtype=self.dtype_policy), reads)

        self.recurrence = built(GRU(hidden, return_sequences=True, name="recurrence", dtype=self.dtype_policy), dim)
        self.query, self.key = dense("query", hidden, hidden), dense("key", hidden, hidden)
        self.relevance = dense("relevance", 1, hidden)
        self.output_layer = dense("output", dim, 2 * hidden)
        self.output_dropout = Dropout(output_dropout, dtype=self.dtype_policy)

    def encode(self, inputs):
        states = self.recurrence(inputs)                                                        # (B, L, H)
        asked = self.query(states)[:, :, None] + self.key(states)[:, None]                      # (B, L, L, H)
        weights = ops.tril(self.relevance(ops.sigmoid(asked))[..., 0])                          # (B, L, L)
        both = ops.concatenate([states, weights @ states], axis=2)
        return self.output_layer(self.output_dropout(both))
