"""Adversaries in Keras. Their papers, and how they differ from them: `recbook/models/adversarial.py`.

A side's loss sees the other side's numbers behind `stop_gradient`; Keras adds up both losses, and one optimiser takes
both sides' steps.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from keras.initializers import GlorotUniform, RandomNormal

from recbook.data.batches import Rows
from recbook.errors import UnknownName
from recbook.keras.autoencoders import entries
from recbook.keras.base import Recommender, arrays, products, rows
from recbook.keras.factorization import BPRMF


class IRGAN(Recommender):
    """A generator picks items for a user, and a discriminator tells them from the items that the user met.

    Parameters: as in PyTorch, and Keras's own `options`.
    """

    batches = Rows()

    def __init__(self, n_users, n_items, dim=32, draws=32, l2=0.01, **options):
        super().__init__(**options)
        self.n_users, self.n_items, self.dim, self.draws, self.l2 = n_users, n_items, dim, draws, l2
        self.generator, self.discriminator = ([
            self.add_weight(shape=(n_items,), initializer="zeros", name=f"{side}.item_bias"),
            self.add_weight(shape=(n_users, dim), initializer=RandomNormal(stddev=0.1), name=f"{side}.user.weight"),
            self.add_weight(shape=(n_items, dim), initializer=RandomNormal(stddev=0.1), name=f"{side}.item.weight"),
        ] for side in ("generator", "discriminator"))

    def start(self, split):
        count = np.log(np.asarray(split.matrix().sum(0), dtype=np.float64).ravel() + 1)
        self.generator[0].assign(count - count.mean())
        return self

    def liking(self, side, users, items=None):
        """p_u . q_i + b_i of one side: users (B,). Returns (B, N), (B, C) for items (C,) or (B, C)."""
        bias, user, item = side
        return products(rows(user, users), item, items) + rows(bias, items)

    def size(self, side, users):
        """Mean squared length of the users' vectors, and of all items': what the penalty is on."""
        _, user, item = side
        return (ops.mean(ops.sum(ops.square(rows(user, users)), axis=1))
                + ops.mean(ops.sum(ops.square(item), axis=1)))

    def draw(self, logits):
        """Items by their probability: logits (U, N). Returns (U, draws)."""
        return tf.random.categorical(logits, self.draws)

    def call(self, batch):
        users, owner = batch["owners"], batch["owner"]
        logits = self.liking(self.generator, users)                                 # (U, N)
        drawn = self.draw(ops.stop_gradient(logits))                                # (U, K)
        judged = self.liking(self.discriminator, users, drawn)                      # (U, K)
        met = self.liking(self.discriminator, batch["users"], batch["items"][:, None])[:, 0]    # (E,)
        size = ops.cast(ops.shape(users)[0], met.dtype)
        count = ops.cast(tf.math.bincount(tf.cast(owner, tf.int32), minlength=ops.shape(users)[0]), met.dtype)
        told = -ops.sum(ops.log_sigmoid(met) / rows(count, owner)) / size - ops.mean(ops.log_sigmoid(-judged))
        reward = ops.sigmoid(ops.stop_gradient(judged))
        advantage = reward - (ops.sum(reward, axis=1, keepdims=True) - reward) / (self.draws - 1)
        log_share = tf.gather(ops.log_softmax(logits), drawn, batch_dims=1)
        self.add_loss(told + self.l2 * self.size(self.discriminator, users))
        self.add_loss(-ops.mean(advantage * log_share) + self.l2 * self.size(self.generator, users))
        return logits

    def scores(self, context, items=None):
        users, items = arrays(context.users, items)
        return ops.convert_to_numpy(self.liking(self.generator, users, items))


class CFGAN(Recommender):
    """A generator writes a whole row of numbers 0 to 1, and a discriminator tells it from the row of clicks.

    Parameters: as in PyTorch, and Keras's own `options`.
    """

    def __init__(self, n_users, n_items, by="user", hidden=128, zero_weight=0.03, zero_share=0.7, mask_share=0.7,
                 **options):
        super().__init__(**options)
        if by not in ("item", "user"):
            raise UnknownName("side", by, ("item", "user"))
        self.n_users, self.n_items, self.by, self.hidden = n_users, n_items, by, hidden
        self.zero_weight, self.zero_share, self.mask_share = zero_weight, zero_share, mask_share
        self.n_columns = n_items if by == "user" else n_users
        self.batches, self.reads = Rows(by), None if by == "user" else 0
        table = {"shape": (self.n_columns, hidden), "initializer": GlorotUniform()}
        self.code_bias = self.add_weight(shape=(hidden,), initializer="zeros", name="generator.code_bias")
        self.output_bias = self.add_weight(shape=(self.n_columns,), initializer="zeros", name="generator.output_bias")
        self.encoder = self.add_weight(name="generator.encoder.weight", **table)
        self.decoder = self.add_weight(name="generator.decoder.weight", **table)
        self.critics_bias = self.add_weight(shape=(hidden,), initializer="zeros", name="discriminator.code_bias")
        self.critics_output = self.add_weight(shape=(hidden,), initializer=RandomNormal(stddev=hidden**-0.5),
                                              name="discriminator.output")
        self.critics_output_bias = self.add_weight(shape=(), initializer="zeros", name="discriminator.output_bias")
        self.row = self.add_weight(name="discriminator.row.weight", **table)
        self.condition = self.add_weight(name="discriminator.condition.weight", **table)
        self.facts = {"starts": np.zeros(n_items + 1 if by == "item" else 0, np.int64),
                      "columns": np.zeros(0, np.int64)}

    def start(self, split):
        if self.by == "item":
            met = Rows("item").prepare(split)
            self.facts = {"starts": np.append(0, met.count.cumsum(0).numpy()), "columns": met.users.numpy()}
        return self

    def to_numpy(self):
        return super().to_numpy() | self.facts

    def from_numpy(self, weights):
        """Take the weights of a twin, and by items the rows that it keeps."""
        self.facts = {name: weights[name] for name in self.facts}
        return super().from_numpy(weights)

    def code(self, met):
        return ops.tanh(met @ self.encoder + self.code_bias)                        # (B, H)

    def judge(self, row, condition, weights=None):
        """The logit of "this row is real": row and condition (B, C). Returns (B,)."""
        of_row, of_condition, bias, output, output_bias = weights or self.critic()
        return ops.sum(ops.tanh(row @ of_row + condition @ of_condition + bias) * output, axis=1) + output_bias

    def critic(self):
        return [ops.convert_to_tensor(weight) for weight in
                (self.row, self.condition, self.critics_bias, self.critics_output, self.critics_output_bias)]

    def chance(self, like):
        """A number of 0 to 1 for each cell of a row."""
        return keras.random.uniform(ops.shape(like), dtype=like.dtype)

    def call(self, batch):
        column = batch["items"] if self.by == "user" else batch["users"]
        met = self.filled(batch["owner"], column, ops.shape(batch["owners"])[0])    # (B, C)
        zero = (1 - met) * ops.cast(self.chance(met) < self.zero_share, met.dtype)
        shown = met + (1 - met) * ops.cast(self.chance(met) < self.mask_share, met.dtype)
        written = ops.sigmoid(self.code(met) @ ops.transpose(self.decoder) + self.output_bias)
        real, fake = self.judge(met, met), self.judge(ops.stop_gradient(written * shown), met)
        self.add_loss(-ops.mean(ops.log_sigmoid(real) + ops.log_sigmoid(-fake)))
        judged = self.judge(written * shown, met, [ops.stop_gradient(weight) for weight in self.critic()])
        missed = ops.mean(ops.sum(zero * ops.square(written), axis=1))
        self.add_loss(self.zero_weight * missed - ops.mean(ops.log_sigmoid(judged)))
        return written

    def filled(self, row, column, size):
        """Rows of 0 and 1: row (E,) of `size`, column (E,). Returns (size, C)."""
        cells = ops.cast(ops.stack([row, column], axis=1), "int64")
        one = ops.ones(ops.shape(row), dtype=self.output_bias.dtype)
        return tf.scatter_nd(cells, one, tf.cast([size, self.n_columns], tf.int64))

    def scores(self, context, items=None):
        users, history, items = arrays(context.users, context.items, items)
        if self.by == "item":
            row = np.repeat(np.arange(self.n_items), np.diff(self.facts["starts"]))
            vectors = self.code(self.filled(row, self.facts["columns"], self.n_items))
            scores = products(rows(self.decoder, users), vectors, items) + rows(self.output_bias, users)[:, None]
            return ops.convert_to_numpy(scores)
        row, item, _ = entries(history)
        code = self.code(self.filled(row, item, len(history)))
        return ops.convert_to_numpy(products(code, self.decoder, items) + rows(self.output_bias, items))


class AMF(BPRMF):
    """BPR that also has to hold where all vectors have been moved a little in the worst direction (APR).

    Parameters: as in PyTorch, and Keras's own `options`.
    """

    def __init__(self, n_users, n_items, dim=32, l2=0.01, epsilon=0.5, adversarial_weight=1.0, change="worst",
                 **options):
        super().__init__(n_users, n_items, dim, l2, **options)
        self.epsilon, self.adversarial_weight, self.change = epsilon, adversarial_weight, change

    def gaps(self, batch, user, item):
        """By how much the met item is above each unmet one, (B, K), with these tables of vectors."""
        p, met, unmet = rows(user, batch["users"]), rows(item, batch["items"]), rows(item, batch["negatives"])
        bias = rows(self.item_bias, batch["items"])[:, None] - rows(self.item_bias, batch["negatives"])
        return ops.sum(p[:, None] * (met[:, None] - unmet), axis=-1) + bias

    def noise(self, like):
        """A random direction for each vector."""
        return keras.random.normal(ops.shape(like), dtype=like.dtype)

    def changes(self, batch):
        """What is added to the vectors of users (n_users, D) and of items (n_items, D)."""
        user, item = (tf.identity(ops.convert_to_tensor(table)) for table in (self.user, self.item))
        if self.change == "worst":
            with tf.GradientTape() as tape:
                tape.watch([user, item])
                loss = -ops.sum(ops.mean(ops.log_sigmoid(self.gaps(batch, user, item)), axis=1))
            slopes = [tf.convert_to_tensor(slope) for slope in tape.gradient(loss, [user, item])]
        else:
            slopes = [self.noise(user), self.noise(item)]
        lengths = [ops.sqrt(ops.sum(ops.square(slope), axis=1, keepdims=True)) for slope in slopes]
        return [ops.stop_gradient(self.epsilon * slope / ops.maximum(length, 1e-12))
                for slope, length in zip(slopes, lengths)]

    def call(self, batch):
        of_user, of_item = self.changes(batch)
        gap = self.gaps(batch, self.user + of_user, self.item + of_item)
        self.add_loss(-self.adversarial_weight * ops.mean(ops.log_sigmoid(gap)))
        return super().call(batch)
