"""Caser in Keras. Its paper, and how it differs from it: `recbook/models/caser.py`."""

from keras import ops
from keras.initializers import RandomNormal
from keras.layers import Conv1D, Dense, Dropout

from recbook.data.batches import Windows
from recbook.data.histories import checked
from recbook.errors import ModelError
from recbook.keras.base import arrays, products, rows
from recbook.keras.data import fields
from recbook.keras.layouts import LayeredModel, built
from recbook.keras.sequence import binary_cross_entropy, mean_of_real


class Caser(LayeredModel):
    """score(i) = w_i . [z; p_u] + b_i, where z is what the filters found in the picture of the last items.

    Filters and matrices start as Keras starts them.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Length of the vectors of users and items, and of z.
    length : int
        Rows of the picture: how many past events are read.
    targets : int
        How many of the next items are learned from one picture.
    horizontal : int
        How many filters of each height 1 .. length; each slides down the picture and keeps its maximum.
    vertical : int
        How many weighted sums of the picture's rows.
    negatives : int
        K random items for each target, each a no, by binary cross-entropy. 0: cross-entropy over all items.
    dropout : float
        Share of the filters' output that is set to zero while training.
    options
        Keras's own: `dtype`, `name`.
    """

    def __init__(self, n_users, n_items, dim=50, length=5, targets=3, horizontal=16, vertical=4, negatives=1,
                 dropout=0.5, **options):
        super().__init__(**options)
        sizes = {"length": length, "targets": targets, "horizontal": horizontal, "vertical": vertical}
        for name, size in sizes.items():
            if size < 1:
                raise ModelError(f"{name}={size}: Caser needs at least 1.")
        self.n_users, self.n_items, self.dim, self.length, self.targets = n_users, n_items, dim, length, targets
        self.horizontal, self.vertical, self.negatives = horizontal, vertical, negatives
        self.reads = length
        self.batches = Windows(length, targets, negatives)
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)
        self.user = self.add_weight(shape=(n_users, dim), initializer="zeros", name="user.weight")
        self.item = self.add_weight(shape=(n_items, dim), initializer=RandomNormal(stddev=1 / dim), name="item.weight")
        self.output_weight = self.add_weight(shape=(n_items, 2 * dim), initializer=RandomNormal(stddev=1 / (2 * dim)),
                                             name="output.weight")
        self.output_bias = self.add_weight(shape=(n_items,), initializer="zeros", name="output_bias")
        self.sliding = [built(Conv1D(horizontal, height, activation="relu", name=f"sliding.{height - 1}",
                                     dtype=self.dtype_policy), dim) for height in range(1, length + 1)]
        self.summing = built(Dense(vertical, use_bias=False, name="summing", dtype=self.dtype_policy), length)
        self.dense = built(Dense(dim, activation="relu", name="dense", dtype=self.dtype_policy),
                           horizontal * length + vertical * dim)

    def picture(self, items):
        """The vectors of the last `length` items, the latest at the bottom, zeros above a short history: (B, L, D)."""
        items = ops.pad(items, [(0, 0), (0, self.length - items.shape[1])], constant_values=-1)
        count = ops.sum(ops.cast(items >= 0, "int32"), axis=1, keepdims=True)
        place = (ops.arange(self.length) + count) % self.length         # padding first
        items = ops.take_along_axis(items, place, axis=1)
        vectors = rows(self.item, ops.maximum(items, 0))
        return vectors * ops.cast(items >= 0, vectors.dtype)[..., None]

    def vectors(self, context):
        """[z; p_u] of each case: (B, 2 D)."""
        picture = self.picture(context["items"])
        found = [ops.max(filters(picture), axis=1) for filters in self.sliding]                 # (B, horizontal) each
        sums = ops.swapaxes(self.summing(ops.swapaxes(picture, 1, 2)), 1, 2)                    # (B, vertical, D)
        sums = ops.reshape(sums, (-1, self.vertical * self.dim))
        z = self.dense(self.dropout(ops.concatenate([*found, sums], axis=1)))
        return ops.concatenate([z, rows(self.user, context["users"])], axis=1)

    def scores(self, context, items=None):
        context = fields(checked(context, self.n_items, self.length))
        (items,) = arrays(items)
        vectors = self.vectors(context)
        return ops.convert_to_numpy(products(vectors, self.output_weight, items) + rows(self.output_bias, items))

    def call(self, batch, training=False):      # Keras hands `training` on to Dropout
        vectors = self.vectors(batch["context"])                        # (B, 2 D)
        some = ops.maximum(batch["items"], 0)                           # (B, T)
        if self.negatives:
            items = ops.concatenate([some[..., None], batch["negatives"]], axis=2)              # (B, T, 1 + K)
            scores = ops.einsum("bd,btkd->btk", vectors, rows(self.output_weight, items))
            scores += rows(self.output_bias, items)
            self.add_loss(binary_cross_entropy(scores, batch["items"]))
        else:
            scores = vectors @ ops.transpose(self.output_weight) + self.output_bias             # (B, N)
            losses = -ops.take_along_axis(ops.log_softmax(scores, axis=1), some, axis=1)
            self.add_loss(mean_of_real(losses, batch["items"]))
        return scores
