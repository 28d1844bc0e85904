"""Matrix factorization in Keras. Its papers, and how it differs from them: `recbook/models/factorization.py`."""

import tensorflow as tf
from keras import ops
from keras.initializers import RandomNormal

from recbook.data.batches import Pairs, Ratings, RatingsByUser
from recbook.keras.base import Recommender, arrays, products, rows


class MatrixFactorization(Recommender):
    """score(u, i) = b + b_u + b_i + p_u . q_i, the part that all factorizations share.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Length of the vectors p_u and q_i.
    l2 : float
        Penalty on the squared length of what an example uses: its vectors and biases.
    options
        Keras's own: `dtype`, `name`.
    """

    def __init__(self, n_users, n_items, dim=32, l2=0.01, **options):
        super().__init__(**options)
        self.n_users, self.n_items, self.dim, self.l2 = n_users, n_items, dim, l2
        self.user = self.add_weight(shape=(n_users, dim), initializer="zeros", name="user.weight")
        self.item = self.add_weight(shape=(n_items, dim), initializer=RandomNormal(stddev=0.1), name="item.weight")
        self.user_bias = self.add_weight(shape=(n_users,), initializer="zeros", name="user_bias")
        self.item_bias = self.add_weight(shape=(n_items,), initializer="zeros", name="item_bias")
        self.bias = self.add_weight(shape=(), initializer="zeros", name="bias")

    def pair_scores(self, users, items):
        """Scores of pairs, and the penalty on what they use. users (B,), items (B,) or (B, K); both results alike."""
        if len(items.shape) == 2:
            users = users[:, None]
        p, q = rows(self.user, users), rows(self.item, items)           # (B, D) or (B, 1, D), (B, [K,] D)
        user_bias, item_bias = rows(self.user_bias, users), rows(self.item_bias, items)
        scores = self.bias + user_bias + item_bias + ops.sum(p * q, axis=-1)
        lengths = ops.sum(ops.square(p), axis=-1) + ops.sum(ops.square(q), axis=-1)
        return scores, self.l2 * (lengths + ops.square(user_bias) + ops.square(item_bias))

    def user_vectors(self, users, history):
        """p_u of users (U,): (U, D). Their history makes no difference here."""
        return rows(self.user, users)

    def scores(self, context, items=None):
        users, history, items = arrays(context.users, context.items, items)
        vectors = self.user_vectors(users, history)
        scores = products(vectors, self.item, items) + rows(self.user_bias, users)[:, None]
        return ops.convert_to_numpy(scores + rows(self.item_bias, items) + self.bias)


class FunkSVD(MatrixFactorization):
    """Squared error on the ratings that were given: "SVD", FunkSVD, or the latent factor model (LFM)."""

    batches = Ratings()

    def start(self, split):
        self.bias.assign(split.train["rating"].mean())
        return self

    def call(self, batch):
        predicted, penalty = self.pair_scores(batch["users"], batch["items"])
        self.add_loss(ops.mean(ops.square(predicted - batch["ratings"]) + penalty))
        return predicted


class BPRMF(MatrixFactorization):
    """Pairwise: an item that the user met shall stand above one that they did not."""

    batches = Pairs(negatives=1)

    def __init__(self, n_users, n_items, dim=32, l2=0.01, **options):
        super().__init__(n_users, n_items, dim, l2, **options)
        self.bias.trainable = self.user_bias.trainable = False          # they cancel in the difference

    def call(self, batch):
        items = ops.concatenate([batch["items"][:, None], batch["negatives"]], axis=1)
        p, q, bias = rows(self.user, batch["users"]), rows(self.item, items), rows(self.item_bias, items)
        gap = ops.sum(p[:, None] * (q[:, :1] - q[:, 1:]), axis=-1) + bias[:, :1] - bias[:, 1:]     # (B, K)
        size = ops.sum(ops.square(q), axis=-1) + ops.square(bias)               # (B, 1 + K)
        penalty = 2 * ops.sum(ops.square(p), axis=-1) + size[:, 0] + ops.mean(size[:, 1:], axis=1)
        self.add_loss(ops.mean(self.l2 * penalty - ops.mean(ops.log_sigmoid(gap), axis=1)))
        return gap


class LogisticMF(MatrixFactorization):
    """Pointwise: met or not, as a yes-no question for each pair, with sampled items for the no."""

    batches = Pairs(negatives=4)

    def call(self, batch):
        met, penalty = self.pair_scores(batch["users"], batch["items"])
        unmet, more_penalty = self.pair_scores(batch["users"], batch["negatives"])
        no = ops.sum(more_penalty - ops.log_sigmoid(-unmet), axis=1)
        self.add_loss(ops.mean(penalty - ops.log_sigmoid(met) + no))
        return met


class SVDPlusPlus(FunkSVD):
    """SVD++: what a user chose to rate says who they are, whatever the rating.

    rating(u, i) = b + b_u + b_i + q_i . (p_u + |N(u)|^-1/2 * sum over j in N(u) of y_j), N(u) the items rated by u.

    The penalty counts the sum of |y_j|^2 over N(u) times |N(u)|^-1/2.
    """

    batches = RatingsByUser()
    reads = None

    def __init__(self, n_users, n_items, dim=32, l2=0.01, **options):
        super().__init__(n_users, n_items, dim, l2, **options)
        initializer = RandomNormal(stddev=0.1 / dim)
        self.implicit = self.add_weight(shape=(n_items + 1, dim), initializer=initializer, name="implicit.weight")

    def user_vectors(self, users, history):
        """p_u and its implicit part: users (U,), history (U, L) padded with -1. Returns (U, D)."""
        real = history >= 0
        owner = tf.where(real)[:, 0]                                    # the row of each item of a history
        total = tf.sparse.segment_sum(self.implicit, history[real], owner, num_segments=tf.shape(history)[0])
        size = ops.maximum(ops.sum(ops.cast(real, total.dtype), axis=1, keepdims=True), 1)
        return rows(self.user, users) + total / ops.sqrt(size)

    def call(self, batch):
        vectors = rows(self.user_vectors(batch["owners"], batch["histories"]), batch["owner"])     # (B, D)
        q = rows(self.item, batch["items"])
        user_bias, item_bias = rows(self.user_bias, batch["users"]), rows(self.item_bias, batch["items"])
        predicted = self.bias + user_bias + item_bias + ops.sum(vectors * q, axis=-1)
        implicit_length = rows(ops.sum(ops.square(self.implicit), axis=-1), batch["histories"])     # (U, L)
        real = ops.cast(batch["histories"] >= 0, implicit_length.dtype)
        implicit_length = ops.sum(real * implicit_length, axis=1) / ops.sqrt(ops.sum(real, axis=1))
        user_length = ops.sum(ops.square(rows(self.user, batch["owners"])), axis=-1) + implicit_length
        lengths = rows(user_length, batch["owner"]) + ops.sum(ops.square(q), axis=-1)
        penalty = self.l2 * (lengths + ops.square(user_bias) + ops.square(item_bias))
        self.add_loss(ops.mean(ops.square(predicted - batch["ratings"]) + penalty))
        return predicted
