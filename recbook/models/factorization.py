"""Matrix factorization: a user and an item are vectors, and how well they go together is their product.

Ratings: Funk, *Netflix Update: Try This at Home*, 2006; Koren, Bell and Volinsky, *Matrix Factorization Techniques for
Recommender Systems*, IEEE Computer 2009; SVD++: Koren, *Factorization Meets the Neighborhood*, KDD 2008.
Clicks: BPR: Rendle, Freudenthaler, Gantner and Schmidt-Thieme, UAI 2009; pointwise: Rendle, Krichene, Zhang and Anderson,
*Neural Collaborative Filtering vs. Matrix Factorization Revisited*, RecSys 2020.

Differs from the papers: batches and Adam in place of one example at a time and plain SGD; the penalty on a vector is
counted once for each example that holds it, as there.
"""

import torch
import torch.nn.functional as F
from torch import nn

from recbook.data.batches import Pairs, Ratings, RatingsByUser
from recbook.models.base import Recommender, products, rows


class MatrixFactorization(Recommender):
    """score(u, i) = b + b_u + b_i + p_u . q_i, the part that all factorizations share.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Length of the vectors p_u and q_i.
    l2 : float
        Penalty on the squared length of what an example uses: its vectors and biases.
    """

    def __init__(self, n_users, n_items, dim=32, l2=0.01):
        super().__init__()
        self.n_users, self.n_items, self.dim, self.l2 = n_users, n_items, dim, l2
        self.user = nn.Embedding(n_users, dim)
        self.item = nn.Embedding(n_items, dim)
        self.user_bias = nn.Parameter(torch.zeros(n_users))
        self.item_bias = nn.Parameter(torch.zeros(n_items))
        self.bias = nn.Parameter(torch.zeros(()))
        nn.init.zeros_(self.user.weight)        # a user who is never trained keeps zeros: ranked by item bias alone
        nn.init.normal_(self.item.weight, std=0.1)

    def pair_scores(self, users, items):
        """Scores of pairs, and the penalty on what they use. users (B,), items (B,) or (B, K); both results alike."""
        p, q = rows(self.user.weight, users), rows(self.item.weight, items)             # (B, D), (B, [K,] D)
        if items.ndim == 2:
            p, users = p[:, None], users[:, None]
        user_bias, item_bias = rows(self.user_bias, users), rows(self.item_bias, items)
        item_length = rows(self.item.weight.square().sum(1), items)     # no second (B, K, D): halves the time
        scores = self.bias + user_bias + item_bias + (p * q).sum(-1)
        penalty = self.l2 * (p.square().sum(-1) + item_length + user_bias.square() + item_bias.square())
        return scores, penalty

    def vectors(self, context):
        """p_u of each case: (B, D)."""
        return rows(self.user.weight, context.users)

    def scores(self, context, items=None):
        bias = self.bias + rows(self.user_bias, context.users)[:, None]
        item_bias = self.item_bias if items is None else self.item_bias[items]
        return products(self.vectors(context), self.item.weight, items) + bias + item_bias

    def question(self, context):
        bias = self.bias + rows(self.user_bias, context.users)[:, None]
        return torch.cat([self.vectors(context), bias, torch.ones_like(bias)], dim=1)

    def answers(self):
        return torch.cat([self.item.weight, torch.ones_like(self.item_bias)[:, None], self.item_bias[:, None]], dim=1)


class FunkSVD(MatrixFactorization):
    """Squared error on the ratings that were given: "SVD", FunkSVD, or the latent factor model (LFM).

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Length of the vectors p_u and q_i.
    l2 : float
        Penalty on the squared length of what an example uses: its vectors and biases.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.FunkSVD(3, 4, dim=2)
    >>> history = rb.fit(model, stars, epochs=100, progress=False)
    >>> ratings = model.scores(films.history("ann"))[0]             # (4,)
    >>> bool(ratings[0] > ratings[2])       # ann gave alien 5 and casino 1
    True
    """

    batches = Ratings()

    def start(self, split):
        nn.init.constant_(self.bias, split.train["rating"].mean())

    def loss(self, batch):
        predicted, penalty = self.pair_scores(batch.users, batch.items)
        return ((predicted - batch.ratings).square() + penalty).mean()


class BPRMF(MatrixFactorization):
    """Pairwise: an item that the user met shall stand above one that they did not.

    Parameters
    ----------
    n_users, n_items, dim, l2
        As in `FunkSVD`.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.BPRMF(*sizes, dim=8, l2=0.02)
    >>> history = rb.fit(model, split, epochs=2, progress=False)
    >>> model.top(shop.history(7), k=3)[0].shape
    torch.Size([1, 3])
    """

    batches = Pairs(negatives=1)

    def loss(self, batch):
        items = torch.cat([batch.items[:, None], batch.negatives], dim=1)       # one look-up of each vector, not two
        p, q = rows(self.user.weight, batch.users), rows(self.item.weight, items)           # (B, D), (B, 1 + K, D)
        bias = rows(self.item_bias, items)
        gap = (p[:, None] * (q[:, :1] - q[:, 1:])).sum(-1) + bias[:, :1] - bias[:, 1:]      # b and b_u cancel
        size = q.square().sum(-1) + bias.square()                               # (B, 1 + K)
        penalty = 2 * p.square().sum(-1) + size[:, 0] + size[:, 1:].mean(1)     # (B,)  both pairs hold p
        return (self.l2 * penalty - F.logsigmoid(gap).mean(1)).mean()


class LogisticMF(MatrixFactorization):
    """Pointwise: met or not, as a yes-no question for each pair, with sampled items for the no.

    Parameters
    ----------
    n_users, n_items, dim, l2
        As in `FunkSVD`.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.LogisticMF(*sizes, dim=8)
    >>> history = rb.fit(model, split, epochs=2, progress=False)
    >>> model.scores(shop.history([3, 7])).shape
    torch.Size([2, 48])
    """

    batches = Pairs(negatives=4)

    def loss(self, batch):
        met, penalty = self.pair_scores(batch.users, batch.items)
        unmet, more_penalty = self.pair_scores(batch.users, batch.negatives)
        return (penalty - F.logsigmoid(met) + (more_penalty - F.logsigmoid(-unmet)).sum(1)).mean()


class SVDPlusPlus(FunkSVD):
    """SVD++: what a user chose to rate says who they are, whatever the rating.

    rating(u, i) = b + b_u + b_i + q_i . (p_u + n_u^-1/2 * sum over j of y_j), j the n_u items rated by u.

    Differs from the paper in the penalty: the sum of the squared lengths of the y_j counts n_u^-1/2, as it does in the
    model. In full, as there, it weighs as much as a hundred times that of p_u for a user with a hundred ratings: the
    implicit part falls silent.

    Parameters
    ----------
    n_users, n_items, dim, l2
        As in `FunkSVD`.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.SVDPlusPlus(3, 4, dim=2)
    >>> history = rb.fit(model, stars, epochs=2, progress=False)
    >>> model.implicit.weight.shape         # y of each film, and one of padding
    torch.Size([5, 2])
    """

    batches = RatingsByUser()
    reads = None

    def __init__(self, n_users, n_items, dim=32, l2=0.01):
        super().__init__(n_users, n_items, dim, l2)
        self.implicit = nn.Embedding(n_items + 1, dim, padding_idx=n_items)
        nn.init.normal_(self.implicit.weight, std=0.1 / dim)
        with torch.no_grad():
            self.implicit.weight[n_items] = 0

    def user_vectors(self, users, history):
        """p_u and its implicit part: users (U,), history (U, L) padded with -1. Returns (U, D)."""
        size = (history >= 0).sum(1, keepdim=True).clamp(min=1)
        history = F.pad(history, (0, 1), value=-1)                      # embedding_bag takes no rows of width 0
        padded = torch.where(history < 0, self.n_items, history)
        total = F.embedding_bag(padded, self.implicit.weight, mode="sum", padding_idx=self.n_items)
        return self.user(users) + total / size.to(total.dtype).sqrt()

    def loss(self, batch):
        vectors = self.user_vectors(batch.owners, batch.histories)[batch.owner]     # (B, D)
        q = self.item(batch.items)
        user_bias, item_bias = self.user_bias[batch.users], self.item_bias[batch.items]
        predicted = self.bias + user_bias + item_bias + (vectors * q).sum(-1)
        implicit_length = self.implicit.weight.square().sum(-1)[batch.histories]                    # (U, L)
        implicit_length = implicit_length.masked_fill(batch.histories < 0, 0).sum(1)
        implicit_length = implicit_length / (batch.histories >= 0).sum(1).to(q.dtype).sqrt()        # (U,)
        user_length = self.user(batch.owners).square().sum(-1) + implicit_length                    # (U,)
        penalty = user_length[batch.owner] + q.square().sum(-1) + user_bias.square() + item_bias.square()
        return ((predicted - batch.ratings).square() + self.l2 * penalty).mean()

    def vectors(self, context):
        return self.user_vectors(context.users, self.history(context))
