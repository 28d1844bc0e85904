"""Autoencoders in Keras. Their papers, and how they differ from them: `recbook/models/autoencoders.py`."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from keras.initializers import GlorotUniform, RandomNormal
from keras.layers import Dense

from recbook.data.batches import Rows
from recbook.errors import ModelError, UnknownName
from recbook.keras.base import arrays, products, rows
from recbook.keras.layouts import LayeredModel, built

ACTIVATIONS = {"identity": lambda x: x, "sigmoid": ops.sigmoid}


def entries(items, values=None):
    """What stands in rows (B, L) that are padded with -1, each item once with its latest value: row, item, value (E,)."""
    if values is not None:
        items = np.where(np.isnan(values), -1, items)
    place = np.argsort(items, axis=1, kind="stable")
    ordered = np.take_along_axis(items, place, axis=1)
    latest = ordered >= 0
    latest[:, :-1] &= ordered[:, :-1] != ordered[:, 1:]
    row, _ = latest.nonzero()
    return row, ordered[latest], None if values is None else np.take_along_axis(values, place, axis=1)[latest]


def weighted_sums(table, row, column, value, size):
    """A sparse matrix of `size` rows with value (E,) at row and column (E,), times a table (C, D): (size, D)."""
    table = ops.convert_to_tensor(table)
    at = tf.stack([tf.cast(row, tf.int64), tf.cast(column, tf.int64)], axis=1)
    matrix = tf.SparseTensor(at, tf.cast(value, table.dtype), [tf.cast(size, tf.int64), table.shape[0]])
    return tf.sparse.sparse_dense_matmul(matrix, table)


class AutoRec(LayeredModel):
    """Ratings through a narrow layer and back: rating = f(W g(V x + c) + b), x an item's ratings, or a user's.

    Parameters
    ----------
    n_users, n_items, by, dim, l2, activation, output, scale
        As in PyTorch.
    options
        Keras's own: `dtype`, `name`.
    """

    def __init__(self, n_users, n_items, by="item", dim=500, l2=100.0, activation="sigmoid", output="identity",
                 scale=(1.0, 5.0), **options):
        super().__init__(**options)
        if by not in ("item", "user"):
            raise UnknownName("side", by, ("item", "user"))
        self.n_users, self.n_items, self.by, self.dim, self.l2 = n_users, n_items, by, dim, l2
        self.activation, self.output_activation, self.scale = activation, output, tuple(scale)
        n_columns = n_users if by == "item" else n_items
        self.batches, self.reads = Rows(by, ratings=True), 0 if by == "item" else None
        small = {"shape": (n_columns, dim), "initializer": RandomNormal(stddev=0.01)}
        self.encoder = self.add_weight(name="encoder.weight", **small)
        self.decoder = self.add_weight(name="decoder.weight", **small)
        self.code_bias = self.add_weight(shape=(dim,), initializer="zeros", name="code_bias")
        self.output_bias = self.add_weight(shape=(n_columns,), initializer="zeros", name="output_bias")
        self.n_ratings = self.add_weight(shape=(), initializer="ones", trainable=False, name="n_ratings")
        self.facts = {"starts": np.zeros(n_items + 1 if by == "item" else 0, dtype=np.int64),
                      "columns": np.zeros(0, dtype=np.int64), "ratings": np.zeros(0, dtype=self.dtype)}

    def to_numpy(self):
        return super().to_numpy() | dict(self.facts)

    def from_numpy(self, weights):
        """Take the weights of a twin; the training ratings may be as many as they are."""
        self.facts = {name: np.asarray(weights[name]) for name in self.facts if name in weights}
        return super().from_numpy(weights)

    def start(self, split):
        rows_of = Rows(self.by, ratings=True).prepare(split)
        ratings = rows_of.ratings.numpy()
        self.refuse_beyond_scale(ratings)
        mean, (low, high) = ratings.mean(), self.scale
        share = np.clip((mean - low) / (high - low), 0.01, 0.99)
        first = mean if self.output_activation == "identity" else np.log(share / (1 - share))
        self.output_bias.assign(np.full(self.output_bias.shape, first))
        self.n_ratings.assign(len(ratings))
        if self.by == "item":
            self.facts = {"starts": np.append(0, rows_of.count.cumsum(0).numpy()), "columns": rows_of.users.numpy(),
                          "ratings": ratings.astype(self.dtype)}
        return self

    def refuse_beyond_scale(self, ratings):
        low, high = self.scale
        beyond = (ratings < low) | (ratings > high)
        if beyond.any():
            raise ModelError(f"A rating is {float(ratings[beyond][0]):g}, and the scale is {low:g} to {high:g}: "
                             "AutoRec(..., scale=(lowest, highest)) says another.")

    def code(self, row, column, rating, size):
        """The narrow layer of `size` rows from their ratings: (size, D)."""
        return ACTIVATIONS[self.activation](weighted_sums(self.encoder, row, column, rating, size) + self.code_bias)

    def stretched(self, output):
        """What leaves the decoder as ratings."""
        low, high = self.scale
        return output if self.output_activation == "identity" else low + (high - low) * ops.sigmoid(output)

    def call(self, batch):
        column = batch["users"] if self.by == "item" else batch["items"]
        code = self.code(batch["owner"], column, batch["ratings"], ops.shape(batch["owners"])[0])
        decoded = tf.gather_nd(code @ ops.transpose(self.decoder) + self.output_bias,
                               ops.stack([batch["owner"], column], axis=1))
        predicted = self.stretched(decoded)
        error = ops.mean(ops.square(predicted - ops.cast(batch["ratings"], predicted.dtype)))
        weights = ops.sum(ops.square(self.encoder)) + ops.sum(ops.square(self.decoder))
        self.add_loss(error + self.l2 / 2 * weights / self.n_ratings)
        return predicted

    def scores(self, context, items=None):
        users, history, ratings, items = arrays(context.users, context.items, context.ratings, items)
        if self.by == "item":
            row = np.repeat(np.arange(self.n_items), np.diff(self.facts["starts"]))
            vectors = self.code(row, self.facts["columns"], self.facts["ratings"], self.n_items)
            scores = products(rows(self.decoder, users), vectors, items) + rows(self.output_bias, users)[:, None]
            return ops.convert_to_numpy(self.stretched(scores))
        if ratings is None:
            raise ModelError("AutoRec by users reads ratings: context.ratings is missing.")
        self.refuse_beyond_scale(ratings)
        code = self.code(*entries(history, ratings), len(history))
        return ops.convert_to_numpy(self.stretched(products(code, self.decoder, items) + rows(self.output_bias, items)))


class Clicks(LayeredModel):
    """What the autoencoders of clicks share: rows of length 1 when they go in, a softmax when they come out."""

    batches = Rows()
    reads = None

    def __init__(self, n_users, n_items, width, dropout, **options):
        super().__init__(**options)
        self.n_users, self.n_items, self.dropout = n_users, n_items, dropout
        table = {"shape": (n_items, width), "initializer": GlorotUniform()}
        self.encoder = self.add_weight(name="encoder.weight", **table)
        self.encoder_bias = self.add_weight(shape=(width,), initializer="zeros", name="encoder_bias")
        self.decoder = self.add_weight(name="decoder.weight", **table)
        self.item_bias = self.add_weight(shape=(n_items,), initializer="zeros", name="item_bias")

    def start(self, split):
        count = np.log(np.asarray(split.matrix().sum(0), dtype=np.float64).ravel() + 1)
        self.item_bias.assign(count - count.mean())
        return self

    def first_layer(self, row, item, size, training=False):
        """tanh of the first layer on rows of length 1; while training, entries are dropped: (size, width)."""
        count = ops.cast(tf.math.bincount(tf.cast(row, tf.int32), minlength=size), self.encoder_bias.dtype)
        value = rows(1 / ops.sqrt(ops.maximum(count, 1)), row)
        if training and self.dropout:
            value = keras.random.dropout(value, self.dropout)
        return ops.tanh(weighted_sums(self.encoder, row, item, value, size) + self.encoder_bias)

    def last_layer(self, inputs, items=None):
        """Logits of rows (B, width)."""
        return products(inputs, self.decoder, items) + rows(self.item_bias, items)

    def scores(self, context, items=None):
        history, items = arrays(context.items, items)
        row, item, _ = entries(history)
        return ops.convert_to_numpy(self.last_layer(self.inside(row, item, len(history)), items))


def surprise(logits, row, item):
    """Minus the logarithm of the probability of each row's items (E,) under its softmax (B, N); their mean over rows."""
    size = tf.cast(ops.shape(logits)[0], logits.dtype)
    return -ops.sum(tf.gather_nd(ops.log_softmax(logits), ops.stack([row, item], axis=1))) / size


class MultDAE(Clicks):
    """A denoising autoencoder of clicks: logits = W tanh(V x + c) + b, a part of x hidden.

    Parameters: as in PyTorch, and Keras's own `options`.
    """

    def __init__(self, n_users, n_items, dim=200, dropout=0.5, **options):
        super().__init__(n_users, n_items, dim, dropout, **options)
        self.dim = dim

    def inside(self, row, item, size, training=False):
        """What the last layer is given: (size, dim)."""
        return self.first_layer(row, item, size, training)

    def call(self, batch, training=False):
        inputs = self.inside(batch["owner"], batch["items"], ops.shape(batch["owners"])[0], training)
        logits = self.last_layer(inputs)
        self.add_loss(surprise(logits, batch["owner"], batch["items"]))
        return logits


class MultVAE(Clicks):
    """A variational autoencoder of clicks: the narrow layer is a normal distribution, pulled towards the standard one.

    Parameters: as in PyTorch, and Keras's own `options`.
    """

    def __init__(self, n_users, n_items, dim=200, hidden=600, dropout=0.5, beta=0.2, annealing=1000, **options):
        super().__init__(n_users, n_items, hidden, dropout, **options)
        self.dim, self.hidden, self.beta, self.annealing = dim, hidden, beta, annealing
        self.code = built(Dense(2 * dim, name="code", dtype=self.dtype_policy), hidden)
        self.widen = built(Dense(hidden, name="widen", dtype=self.dtype_policy), dim)
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False, name="steps")

    def distribution(self, row, item, size, training=False):
        """Mean and log variance of z: (size, dim) each."""
        return ops.split(self.code(self.first_layer(row, item, size, training)), 2, axis=1)

    def inside(self, row, item, size):
        """What the last layer is given when z is its mean: (size, hidden)."""
        return ops.tanh(self.widen(self.distribution(row, item, size)[0]))

    def noise(self, like):
        """What z is moved by, in standard deviations."""
        return keras.random.normal(ops.shape(like), dtype=like.dtype)

    def call(self, batch, training=False):
        mean, log_variance = self.distribution(batch["owner"], batch["items"], ops.shape(batch["owners"])[0], training)
        z = mean + ops.exp(log_variance / 2) * self.noise(mean) if training else mean
        logits = self.last_layer(ops.tanh(self.widen(z)))
        beta = self.beta * ops.minimum(self.steps / self.annealing, 1)
        self.add_loss(surprise(logits, batch["owner"], batch["items"])
                      + beta * ops.mean(divergence(mean, log_variance)))
        if training:
            self.steps.assign(self.steps + 1)
        return logits


def divergence(mean, log_variance):
    """KL(N(mean, variance) || N(0, I)) of each row (B, dim), in nats: (B,)."""
    return 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1, axis=1)
