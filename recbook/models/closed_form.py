"""Models that are solved, not descended: each step has a formula, and the formula is the code."""

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from scipy.sparse.linalg import svds

from recbook.errors import ModelError
from recbook.models.base import Recommender, interaction_matrix, products, select
from recbook.models.memory import announce


class Bias(Recommender):
    """rating(u, i) = b + b_u + b_i by ridge regression: the baseline for ratings.

    Koren, *Factor in the Neighbors*, TKDD 2010. Solved by turns: each bias is the mean of what the other leaves, shrunk
    as if so many ratings of exactly the mean had been given too.

    Parameters
    ----------
    n_users, n_items : int
    l2_user, l2_item : float
        How many ratings of the mean a user, or an item, is given beside the own.
    sweeps : int
        How many turns.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.Bias(3, 4, l2_item=0, l2_user=0).fit(stars)
    >>> films.title(model.top(films.history("ann"), k=1)[0][0, 0])
    'dune'
    """

    def __init__(self, n_users, n_items, l2_user=15.0, l2_item=10.0, sweeps=20):
        super().__init__()
        self.n_users, self.n_items, self.sweeps = n_users, n_items, sweeps
        self.l2_user, self.l2_item = l2_user, l2_item
        self.register_buffer("bias", torch.zeros(()))
        self.register_buffer("user_bias", torch.zeros(n_users))
        self.register_buffer("item_bias", torch.zeros(n_items))

    def fit(self, split):
        rated = split.rated()
        user, item, rating = (rated[name].to_numpy() for name in ("user", "item", "rating"))
        mean = rating.mean()
        of_user, of_item = np.zeros(self.n_users), np.zeros(self.n_items)
        for _ in range(self.sweeps):
            of_item = shrunk_mean(item, rating - mean - of_user[user], self.n_items, self.l2_item)
            of_user = shrunk_mean(user, rating - mean - of_item[item], self.n_users, self.l2_user)
        self.bias.fill_(mean)
        self.user_bias.copy_(torch.from_numpy(of_user))
        self.item_bias.copy_(torch.from_numpy(of_item))
        return self

    def scores(self, context, items=None):
        scores = self.bias + self.user_bias[context.users][:, None] + self.item_bias
        return select(scores, items)


def shrunk_mean(group, values, size, strength):
    """Mean of the values in each group, (size,), as if `strength` zeros were among them."""
    return np.bincount(group, values, size) / (np.bincount(group, minlength=size) + strength)


class PureSVD(Recommender):
    """The first singular vectors of the 0/1 matrix X: scores are x_u V V^T, a history seen through its factors.

    Cremonesi, Koren and Turrin, *Performance of Recommender Algorithms on Top-N Recommendation Tasks*, RecSys 2010.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        How many vectors; fewer than there are users or items.
    reads : int or None
        How many of the latest events of a history are looked at; None for all of them.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.PureSVD(*sizes, dim=8).fit(split)
    >>> model.item.shape                                # V
    torch.Size([48, 8])
    """

    def __init__(self, n_users, n_items, dim=32, reads=None):
        super().__init__()
        self.n_users, self.n_items, self.dim, self.reads = n_users, n_items, dim, reads
        self.register_buffer("item", torch.zeros(n_items, dim))

    def fit(self, split):
        if self.dim >= min(self.n_users, self.n_items):
            raise ModelError(f"PureSVD: dim={self.dim} is to be below the number of users and of items, "
                             f"{self.n_users:,} and {self.n_items:,} here.")
        start = np.ones(min(self.n_users, self.n_items))                # the same vectors on every run
        _, _, factors = svds(split.matrix().astype(np.float64), k=self.dim, v0=start)
        self.item.copy_(torch.from_numpy(factors.T.copy()))
        return self

    def question(self, context):
        return interaction_matrix(self.history(context), self.n_items, self.item.dtype) @ self.item    # (B, D)

    def answers(self):
        return self.item

    def scores(self, context, items=None):
        return products(self.question(context), self.item, items)


class EASE(Recommender):
    """Each item is predicted from the others by ridge regression with a zero diagonal.

    Steck, *Embarrassingly Shallow Autoencoders for Sparse Data*, WWW 2019: with P = (X^T X + l2 I)^-1 the weight of
    item i for item j is -P_ij / P_jj. Memory follows the square of the number of items.

    Parameters
    ----------
    n_users, n_items : int
    l2 : float
        Penalty on the weights.
    reads : int or None
        How many of the latest events of a history are looked at; None for all of them.

    Attributes
    ----------
    weight : tensor (n_items, n_items)

    Raises
    ------
    ModelError
        A setting that cannot be, or more memory than this machine has.

    Example
    -------
    >>> model = rb.EASE(*sizes, l2=10.0).fit(split)
    >>> model.top(shop.history(7), k=3)[0].shape
    torch.Size([1, 3])
    """

    def __init__(self, n_users, n_items, l2=100.0, reads=None):
        super().__init__()
        self.n_users, self.n_items, self.l2, self.reads = n_users, n_items, l2, reads
        announce("EASE", n_items**2 * (4 + 3 * 8), f"a weight for each pair of its {n_items:,} items",
                 "ItemKNN and IALS need a thousandth of it")
        self.register_buffer("weight", torch.zeros(n_items, n_items))

    def fit(self, split):
        matrix = split.matrix().astype(np.float64)
        gram = torch.from_numpy((matrix.T @ matrix).toarray())
        gram.diagonal().add_(self.l2)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
        weight = -inverse / inverse.diagonal()
        weight.fill_diagonal_(0)
        self.weight.copy_(weight)
        return self

    def scores(self, context, items=None):
        history = interaction_matrix(self.history(context), self.n_items, self.weight.dtype)   # (B, n_items)
        return select(history @ self.weight, items)


class IALS(Recommender):
    """Weighted least squares on the whole 0/1 matrix, solved by turns for users and items.

    Hu, Koren and Volinsky, *Collaborative Filtering for Implicit Feedback Datasets*, ICDM 2008, in the form of Rendle,
    Krichene, Zhang and Koren, *Revisiting the Performance of iALS on Item Recommendation Benchmarks*, RecSys 2022::

        sum over met (u, i) of (1 - p_u . q_i)^2  +  unmet_weight * sum over all (u, i) of (p_u . q_i)^2
        +  l2 * sum over u of (n_u + unmet_weight * n_items)^exponent |p_u|^2  +  the same for items

    A user's vector is solved for from the history at hand, so that new users and new events need no training.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Length of the vectors p_u and q_i.
    unmet_weight : float
        Of a pair that was not met, beside 1 for one that was.
    l2, exponent : float
        The penalty, and how it grows with what a user or an item met.
    sweeps : int
        How many turns.
    seed : int
        Of the items' first vectors.
    reads : int or None
        How many of the latest events of a history are looked at; None for all of them.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.IALS(*sizes, dim=8, sweeps=3).fit(split)
    >>> newcomer = rb.Context(items=torch.tensor([[3, 17, 5]]))
    >>> model.top(newcomer, k=4)[0].shape
    torch.Size([1, 4])
    """

    def __init__(self, n_users, n_items, dim=32, unmet_weight=0.1, l2=0.01, exponent=1.0, sweeps=10, seed=0,
                 reads=None):
        super().__init__()
        self.reads = reads
        self.n_users, self.n_items, self.dim = n_users, n_items, dim
        self.unmet_weight, self.l2, self.exponent, self.sweeps, self.seed = unmet_weight, l2, exponent, sweeps, seed
        self.register_buffer("item", torch.zeros(n_items, dim))
        self.kept = None

    def fit(self, split):
        met = split.matrix()
        histories, takers = padded_rows(met), padded_rows(met.T.tocsr())
        generator = torch.Generator().manual_seed(self.seed)
        self.item.copy_(torch.randn(self.item.shape, generator=generator) * 0.1 / self.dim**0.5)
        users = self.item.new_zeros(self.n_users, self.dim)
        for _ in range(self.sweeps):
            self.solve_all(users, self.item, histories)
            self.solve_all(self.item, users, takers)
        return self

    def solve_all(self, solved, fixed, blocks):
        """One half of a sweep: rows of `solved` given all of `fixed`."""
        gram = self.unmet_weight * fixed.T @ fixed
        values, turn = eigen(gram)
        turned = fixed @ turn
        for rows, items in blocks:
            rows, items = rows.to(fixed.device), items.to(fixed.device)
            if items.shape[1] < self.dim:
                solved[rows] = self.solve_short(turned, values, items) @ turn.T
            else:
                solved[rows] = self.solve(fixed, gram, items)

    def solve_short(self, turned, values, items):
        """As `solve`, for rows that met fewer than D items (B, L): L equations for each, not D.

        In the basis of the Gram matrix's eigenvectors all but the met items is diagonal, A, and with their vectors C,
        (A + C^T C)^-1 C^T 1 = A^-1 C^T (I + C A^-1 C^T)^-1 1: the matrix inversion lemma.
        """
        met = items >= 0
        vectors = F.embedding(items.clamp(min=0), turned).masked_fill(~met[..., None], 0)               # (B, L, D)
        diagonal = values + self.penalty(met.sum(1).to(values), len(turned))[:, None]                   # (B, D)
        small = (vectors / diagonal[:, None]) @ vectors.mT                                              # (B, L, L)
        small.diagonal(dim1=1, dim2=2).add_(1)
        weights = torch.linalg.solve(small, met.to(small.dtype))                                        # (B, L)
        return (weights[:, None] @ vectors)[:, 0] / diagonal

    def penalty(self, size, others):
        """Of rows that met `size` (B,) of that many others: (B,)."""
        return self.l2 * (size + self.unmet_weight * others) ** self.exponent

    def solve(self, fixed, gram, items):
        """The best vectors (B, D) for rows that met `items` (B, L), padded with -1, given the other side's vectors."""
        met = items >= 0
        vectors = F.embedding(items.clamp(min=0), fixed)                # (B, L, D)
        vectors[~met] = 0
        normal = torch.baddbmm(gram, vectors.mT, vectors)               # (B, D, D)
        normal.diagonal(dim1=1, dim2=2).add_(self.penalty(met.sum(1).to(gram), len(fixed))[:, None])
        return torch.linalg.solve(normal, vectors.sum(1))               # by LU, here a third faster than by Cholesky

    def question(self, context):
        history = self.history(context)
        if history.shape[1] == 0:
            return self.item.new_zeros(len(context), self.dim)
        history = distinct_items(history)
        gram, values, turn, turned = self.of_items()
        if history.shape[1] < self.dim:
            return self.solve_short(turned, values, history) @ turn.T
        return self.solve(self.item, gram, history)

    def answers(self):
        return self.item

    def scores(self, context, items=None):
        return products(self.question(context), self.item, items)

    def of_items(self):
        """What every history is solved with, made once for as long as the items' vectors stay."""
        state = self.item.data_ptr(), self.item._version
        if self.kept is None or self.kept[0] != state:
            gram = self.unmet_weight * self.item.T @ self.item
            values, turn = eigen(gram)
            self.kept = state, (gram, values, turn, self.item @ turn)
        return self.kept[1]


def padded_rows(matrix, size=20_000):
    """The rows of a sparse matrix in blocks of like length: [(row numbers (B,), column numbers (B, L) padded with -1)].

    Sorted by length first, so that hardly any padding is multiplied. At most `size` numbers a block, so that the
    gathered vectors stay in the processor's cache: a third less time than with blocks of 300,000.
    """
    matrix = sp.csr_matrix(matrix)
    length = np.diff(matrix.indptr)
    order = np.argsort(length, kind="stable")
    order = order[length[order] > 0]
    blocks, start = [], 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * length[order[stop]] <= size and stop - start < 1024:
            stop += 1
        rows = order[start:stop]
        step = np.arange(length[rows[-1]])
        place = matrix.indptr[rows][:, None] + step
        empty = step >= length[rows][:, None]
        place[empty] = 0
        columns = matrix.indices[place].astype(np.int64)
        columns[empty] = -1
        blocks.append((torch.from_numpy(rows), torch.from_numpy(columns)))
        start = stop
    return blocks


def eigen(gram):
    """Eigenvalues (D,) and eigenvectors, the columns of (D, D), of a Gram matrix: no value below 0."""
    values, vectors = torch.linalg.eigh(gram.double())
    return values.clamp(min=0).to(gram), vectors.to(gram)


def distinct_items(history):
    """Histories (B, L) with every repeat of an item replaced by -1."""
    ordered = history.sort(dim=1).values
    repeated = torch.zeros_like(ordered, dtype=torch.bool)
    repeated[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    return ordered.masked_fill(repeated, -1)
