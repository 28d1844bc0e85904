"""Item2Vec in Keras. Its papers, and how it differs from them: `recbook/models/item2vec.py`."""

import numpy as np
from keras import ops
from keras.initializers import RandomUniform

from recbook.data.batches import SkipGrams
from recbook.keras.base import Recommender, arrays, products, rows


class Item2Vec(Recommender):
    """Each item has a vector as the centre of a window, `item`, and one as a neighbour in it, `context`.

    `scores` adds `log_noise`, the log of how often an item is a negative: training divides it out.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Length of the vectors.
    options
        Keras's own: `dtype`, `name`.
    """

    batches = SkipGrams(window=5, negatives=5)
    reads = 5

    def __init__(self, n_users, n_items, dim=32, **options):
        super().__init__(**options)
        self.n_users, self.n_items, self.dim = n_users, n_items, dim
        small = RandomUniform(-0.5 / dim, 0.5 / dim)
        self.item = self.add_weight(shape=(n_items, dim), initializer=small, name="item.weight")
        self.context = self.add_weight(shape=(n_items, dim), initializer="zeros", name="context.weight")
        self.log_noise = self.add_weight(shape=(n_items,), initializer="zeros", trainable=False, name="log_noise")

    def start(self, split):
        self.log_noise.assign(np.log(self.batches.noise(split).clip(min=1)))
        return self

    def call(self, batch):
        centre = rows(self.item, batch["centres"])                      # (B, D)
        items = ops.concatenate([batch["items"][:, None], batch["negatives"]], axis=1)
        agreement = products(centre, self.context, items)               # (B, 1 + K)
        no = ops.sum(ops.log_sigmoid(-agreement[:, 1:]), axis=1)
        self.add_loss(-ops.mean(ops.log_sigmoid(agreement[:, 0]) + no))
        return agreement

    def scores(self, context, items=None):
        history, items = arrays(context.items, items)                   # (B, L)
        met = history >= 0
        recent = met & (np.arange(met.shape[1]) >= met.sum(1, keepdims=True) - self.reads)
        share = ops.cast(recent / recent.sum(1, keepdims=True).clip(min=1), self.item.dtype)
        mean = ops.einsum("bl,bld->bd", share, rows(self.item, history.clip(min=0)))
        return ops.convert_to_numpy(products(mean, self.context, items) + rows(self.log_noise, items))
