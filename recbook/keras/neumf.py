"""Neural collaborative filtering in Keras. Its paper, and how it differs from it: `recbook/models/neumf.py`."""

from keras import ops
from keras.initializers import RandomNormal, RandomUniform
from keras.layers import Layer

from recbook.data.batches import Pairs
from recbook.errors import ModelError
from recbook.keras.base import Recommender, arrays, products, rows


class WeightedProduct(Layer):
    """h . (p_u * q_i): the dot product with a weight on each dimension."""

    def __init__(self, n_users, n_items, dim, **options):
        super().__init__(**options)
        self.user = self.add_weight(shape=(n_users, dim), initializer="zeros", name="product.user.weight")
        self.item = self.add_weight(shape=(n_items, dim), initializer=RandomNormal(stddev=0.01),
                                    name="product.item.weight")
        self.output_weight = self.add_weight(shape=(dim,), initializer="ones", name="product.output")

    def call(self, users, items=None):
        return products(rows(self.user, users) * self.output_weight, self.item, items)


class Tower(Layer):
    """h . network([p_u; q_i]), each layer max(0, W x + b)."""

    def __init__(self, n_users, n_items, layers, **options):
        super().__init__(**options)
        if not layers or any(width < 1 for width in layers):
            raise ModelError(f"layers = {layers!r}: give the width of at least one layer, each 1 or more.")
        self.user = self.add_weight(shape=(n_users, layers[0]), initializer="zeros", name="tower.user.weight")
        self.item = self.add_weight(shape=(n_items, layers[0]), initializer=RandomNormal(stddev=0.01),
                                    name="tower.item.weight")
        widths = [2 * layers[0], *layers]
        self.matrices = [self.add_weight(shape=(b, a), initializer="glorot_uniform",
                                         name=f"tower.layers.{number}.weight")
                         for number, (a, b) in enumerate(zip(widths, widths[1:]))]
        self.biases = [self.add_weight(shape=(b,), initializer="zeros", name=f"tower.layers.{number}.bias")
                       for number, b in enumerate(layers)]
        limit = (6 / (layers[-1] + 1)) ** 0.5                           # Glorot's, of a matrix (1, H)
        self.output_weight = self.add_weight(shape=(layers[-1],), initializer=RandomUniform(-limit, limit),
                                             name="tower.output")

    def call(self, users, items=None):
        of_user, of_item = ops.split(ops.convert_to_tensor(self.matrices[0]), 2, axis=1)        # (H, D) each
        user = rows(self.user, users) @ ops.transpose(of_user) + self.biases[0]                 # (B, H)
        item = rows(self.item, items) @ ops.transpose(of_item)          # (N, H), (C, H) or (B, C, H)
        hidden = ops.relu(user[:, None] + item)                         # (B, C, H)
        for matrix, bias in zip(self.matrices[1:], self.biases[1:]):
            hidden = ops.relu(hidden @ ops.transpose(matrix) + bias)
        return ops.sum(hidden * self.output_weight, axis=-1)


class NeuralModel(Recommender):
    """The sum of the parts that a subclass has, and a bias: a yes-no question for each pair, as in logistic MF."""

    batches = Pairs(negatives=4)

    def __init__(self, n_users, n_items, **options):
        super().__init__(**options)
        self.n_users, self.n_items = n_users, n_items
        self.bias = self.add_weight(shape=(), initializer="zeros", name="bias")
        self.parts = []

    def pair_scores(self, users, items):
        return self.bias + sum(part(users, items) for part in self.parts)

    def scores(self, context, items=None):
        return ops.convert_to_numpy(self.pair_scores(*arrays(context.users, items)))

    def call(self, batch):
        items = ops.concatenate([batch["items"][:, None], batch["negatives"]], axis=1)          # (B, 1 + K)
        scores = self.pair_scores(batch["users"], items)
        right = ops.concatenate([ops.log_sigmoid(scores[:, :1]), ops.log_sigmoid(-scores[:, 1:])], axis=1)
        self.add_loss(-ops.mean(right))
        return scores


class GMF(NeuralModel):
    """Generalized matrix factorization: a dot product of vectors of length `dim` whose dimensions have weights."""

    def __init__(self, n_users, n_items, dim=32, **options):
        super().__init__(n_users, n_items, **options)
        self.parts = [WeightedProduct(n_users, n_items, dim, dtype=self.dtype_policy)]


class MLP(NeuralModel):
    """A network on the two vectors side by side; `layers` holds the width of each layer, the first the vectors' too."""

    def __init__(self, n_users, n_items, layers=(64, 32, 16), **options):
        super().__init__(n_users, n_items, **options)
        self.parts = [Tower(n_users, n_items, layers, dtype=self.dtype_policy)]


class NeuMF(NeuralModel):
    """GMF and MLP side by side, each with its own vectors."""

    def __init__(self, n_users, n_items, dim=32, layers=(64, 32, 16), **options):
        super().__init__(n_users, n_items, **options)
        self.parts = [WeightedProduct(n_users, n_items, dim, dtype=self.dtype_policy),
                      Tower(n_users, n_items, layers, dtype=self.dtype_policy)]
