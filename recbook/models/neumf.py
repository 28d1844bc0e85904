"""Neural collaborative filtering: a network in place of the dot product, or beside it.

He, Liao, Zhang, Nie, Hu and Chua, *Neural Collaborative Filtering*, WWW 2017.

Differs from the paper: the prediction layer over both parts, h . [a; b], is written h_a . a + h_b . b, which is the
same; user vectors start at zero, so that a user who is never trained is ranked by the items alone; negatives are drawn
anew each epoch and are never items that the user met.
"""

import torch
import torch.nn.functional as F
from torch import nn

from recbook.data.batches import Pairs
from recbook.errors import ModelError
from recbook.models.base import Recommender, products, rows

ROWS_AT_ONCE = 2**13     # pairs that go through the tower together when whole catalogues are ranked: they fit the cache


def embeddings(n_users, n_items, dim):
    """Vectors of users (U, D), at zero, and of items (N, D), at random."""
    user, item = nn.Embedding(n_users, dim), nn.Embedding(n_items, dim)
    nn.init.zeros_(user.weight)
    nn.init.normal_(item.weight, std=0.01)
    return user, item


class WeightedProduct(nn.Module):
    """h . (p_u * q_i): the dot product with a weight on each dimension."""

    def __init__(self, n_users, n_items, dim):
        super().__init__()
        self.user, self.item = embeddings(n_users, n_items, dim)
        self.output = nn.Parameter(torch.ones(dim))                     # all ones: matrix factorization

    def forward(self, users, items=None):
        return products(self.user(users) * self.output, self.item.weight, items)


class Tower(nn.Module):
    """h . network([p_u; q_i]), each layer max(0, W x + b).

    The first layer splits into a half for the user and one for the item, W [p; q] = W_p p + W_q q: each user's and each
    item's half is computed once, not once a pair. Nothing of the layers above can be shared.
    """

    def __init__(self, n_users, n_items, layers):
        super().__init__()
        self.user, self.item = embeddings(n_users, n_items, layers[0])
        widths = [2 * layers[0], *layers]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.output = nn.Parameter(torch.empty(layers[-1]))
        for layer in self.layers:                                       # Glorot and Bengio 2010, as in Keras
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.xavier_uniform_(self.output[None])

    def forward(self, users, items=None):
        of_user, of_item = self.layers[0].weight.chunk(2, dim=1)                        # (H, D) each
        user = F.linear(self.user(users), of_user, self.layers[0].bias)                 # (B, H)
        if items is None or items.numel() > len(self.item.weight):
            item = rows(F.linear(self.item.weight, of_item), items)                     # (N, H) or (B, C, H)
        else:
            item = F.linear(rows(self.item.weight, items), of_item)                     # (C, H) or (B, C, H)
        if item.ndim == 3:
            return self.upper_layers(user[:, None] + item)
        some = user.split(max(1, ROWS_AT_ONCE // max(1, len(item))))
        return torch.cat([self.upper_layers(part[:, None] + item) for part in some])    # (B, C)

    def upper_layers(self, hidden):
        """From the first layer's sums (B, C, H) to scores (B, C)."""
        hidden = hidden.relu_()
        for layer in self.layers[1:]:
            hidden = layer(hidden).relu_()
        return hidden @ self.output


class NeuralModel(Recommender):
    """The sum of the parts that a subclass has, and a bias: a yes-no question for each pair, as in logistic MF."""

    batches = Pairs(negatives=4)

    def __init__(self, n_users, n_items):
        super().__init__()
        self.n_users, self.n_items = n_users, n_items
        self.bias = nn.Parameter(torch.zeros(()))

    def scores(self, context, items=None):
        return self.bias + sum(part(context.users, items) for part in self.children())

    def loss(self, batch):
        items = torch.cat([batch.items[:, None], batch.negatives], dim=1)               # (B, 1 + K)
        scores = self.bias + sum(part(batch.users, items) for part in self.children())
        met = torch.zeros_like(scores)
        met[:, 0] = 1
        return F.binary_cross_entropy_with_logits(scores, met)


class GMF(NeuralModel):
    """Generalized matrix factorization: a dot product whose dimensions have weights.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Length of the vectors p_u and q_i.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.GMF(*sizes, dim=8)
    >>> history = rb.fit(model, split, epochs=1, progress=False)
    >>> model.product.output.shape          # the weight of each dimension
    torch.Size([8])
    """

    def __init__(self, n_users, n_items, dim=32):
        super().__init__(n_users, n_items)
        self.dim = dim
        self.product = WeightedProduct(n_users, n_items, dim)


class MLP(NeuralModel):
    """A network on the two vectors side by side.

    Parameters
    ----------
    n_users, n_items : int
    layers : sequence of int
        Width of each layer; the vectors p_u and q_i are as long as the first is wide.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.MLP(*sizes, layers=(16, 8))
    >>> history = rb.fit(model, split, epochs=1, progress=False)
    >>> model.scores(split.test.context(slice(0, 5))).shape
    torch.Size([5, 48])
    """

    def __init__(self, n_users, n_items, layers=(64, 32, 16)):
        super().__init__(n_users, n_items)
        self.layers = list(layers)
        self.tower = Tower(n_users, n_items, self.layers)


class NeuMF(NeuralModel):
    """GMF and MLP side by side, each with its own vectors.

    Parameters
    ----------
    n_users, n_items, dim : int
    layers : sequence of int
        As in `GMF` and `MLP`.

    Raises
    ------
    ModelError
        A setting that cannot be, or two parts of different sizes to `joined`.

    Example
    -------
    >>> gmf, mlp = rb.GMF(*sizes, dim=8), rb.MLP(*sizes, layers=(16, 8))
    >>> model = rb.NeuMF.joined(gmf, mlp)   # starts from both, once trained
    >>> model.dim, model.layers
    (8, [16, 8])
    """

    def __init__(self, n_users, n_items, dim=32, layers=(64, 32, 16)):
        super().__init__(n_users, n_items)
        self.dim, self.layers = dim, list(layers)
        self.product = WeightedProduct(n_users, n_items, dim)
        self.tower = Tower(n_users, n_items, self.layers)

    @classmethod
    def joined(cls, gmf, mlp, share=0.5):
        """A NeuMF that starts from a trained GMF and a trained MLP: its scores are share * GMF + (1 - share) * MLP."""
        for name in ("n_users", "n_items"):
            if getattr(gmf, name) != getattr(mlp, name):
                raise ModelError(f"The GMF has {name} = {getattr(gmf, name)}, the MLP has {getattr(mlp, name)}.")
        model = cls(gmf.n_users, gmf.n_items, gmf.dim, mlp.layers).to(gmf.bias)
        with torch.no_grad():
            for part, source, weight in ((model.product, gmf.product, share), (model.tower, mlp.tower, 1 - share)):
                part.load_state_dict(source.state_dict())
                part.output *= weight
            model.bias.copy_(share * gmf.bias + (1 - share) * mlp.bias)
        return model
