"""Neighbours from clicks: what goes together, and who is like whom, by counting.

Items: Sarwar, Karypis, Konstan and Riedl, *Item-Based Collaborative Filtering Recommendation Algorithms*, WWW 2001;
Deshpande and Karypis, *Item-Based Top-N Recommendation Algorithms*, TOIS 2004. Users: Resnick, Iacovou, Suchak,
Bergstrom and Riedl, *GroupLens*, CSCW 1994. Random walks: Paudel, Christoffel, Newell and Bernstein, *Updatable,
Accurate, Diverse, and Scalable Recommendations for Interactive Applications*, TiiS 2017.

All of them read a history: who comes with one needs no training.
"""

import numpy as np
import scipy.sparse as sp
import torch

from recbook.errors import UnknownName
from recbook.models.base import Recommender, select
from recbook.models.closed_form import distinct_items
from recbook.models.sparse import Lists

BLOCK = 2_000_000  # similarities of users held at a time

SIMILARITIES = {                                    # the overlap of two sets is divided by:
    "cosine": lambda overlap, one, other: (one * other) ** 0.5,
    "jaccard": lambda overlap, one, other: one + other - overlap,
}


def similarity(overlap, one, other, name="cosine", shrink=0.0):
    """How alike two sets are, from what they share and from their sizes; numbers, arrays or tensors that broadcast.

    `shrink` is added below the line: pairs that share little fall towards 0.
    """
    below = SIMILARITIES[name](overlap, one, other) + shrink
    return overlap / (below + (below == 0))


class ItemNeighbours(Recommender):
    """score(history, j) = sum of weight(i, j) over the items i of the history that are among the k neighbours of j.

    Each *candidate* keeps its k neighbours, as in the code of Ferrari Dacrema et al. (TOIS 2021): of MovieLens 1M
    (NeuMF's validation) it ranks a tenth better than when each item of the history keeps k, as in implicit's code.

    A subclass has `weights(split)`, which yields for some candidates their numbers (R,) and weights, sparse (R, n_items).

    Attributes
    ----------
    neighbours : (n_items, k)   nearest first, -1 where there are fewer
    weight : (n_items, k)
    """

    def __init__(self, n_users, n_items, k, reads):
        super().__init__()
        self.n_users, self.n_items, self.k, self.reads = n_users, n_items, k, reads
        self.kept = None
        self.register_buffer("neighbours", torch.full((n_items, k), -1))
        self.register_buffer("weight", torch.zeros(n_items, k))

    def fit(self, split):
        self.keep(self.weights(split))
        return self

    def keep(self, found):
        self.neighbours.fill_(-1)
        self.weight.zero_()
        kept = min(self.k, self.n_items)
        for rows, weights in found:
            candidate, place, neighbour, weight = largest(weights, rows, kept)
            self.weight[candidate, place] = torch.from_numpy(weight).to(self.weight)
            self.neighbours[candidate, place] = torch.from_numpy(neighbour).to(self.neighbours)

    def of_neighbour(self):
        """Whose neighbour each item is: `Lists` by item, and the weights beside; made once for a fit."""
        state = self.neighbours.data_ptr(), self.neighbours._version, self.weight._version
        if self.kept is None or self.kept[0] != state:
            candidate, place = (self.neighbours >= 0).nonzero(as_tuple=True)
            neighbour = self.neighbours[candidate, place]
            order = neighbour.argsort(stable=True)
            lists = Lists(self.n_items).to(self.device)
            lists.starts[1:] = neighbour.bincount(minlength=self.n_items).cumsum(0)
            lists.columns = candidate[order]
            self.kept = state, lists, self.weight[candidate, place][order]
        return self.kept[1:]

    def scores(self, context, items=None):
        lists, weights = self.of_neighbour()
        return select(lists.spread(distinct_items(self.history(context)), self.n_items, weights), items)


class ItemKNN(ItemNeighbours):
    """Items are alike when the same users met them: overlap / (sqrt(n_i n_j) + shrink), or Jaccard's index.

    Parameters
    ----------
    n_users, n_items : int
    k : int
        How many neighbours a candidate has.
    shrink : float
        How sceptical to be of items that few have met.
    similarity : "cosine" or "jaccard"
    reads : int or None
        How many of the latest events of a history are looked at; None for all of them.

    Attributes
    ----------
    neighbours, weight : tensors (n_items, k)
        Of each item, the nearest first; -1 and 0 where there are fewer.

    Raises
    ------
    ModelError
        A setting that cannot be.
    UnknownName
        No similarity, or no side, has that name.

    Example
    -------
    >>> model = rb.ItemKNN(3, 4, k=2).fit(stars)
    >>> met = films.history("bob")
    >>> films.title(model.top(met, k=1, exclude=met.items)[0][0, 0])
    'casino'
    """

    def __init__(self, n_users, n_items, k=50, shrink=0.0, similarity="cosine", reads=None):
        super().__init__(n_users, n_items, k, reads)
        self.shrink, self.similarity = shrink, known_similarity(similarity)

    def weights(self, split):
        met = split.matrix()                                            # (n_users, n_items)
        by_item = met.T.tocsr()
        count = np.diff(by_item.indptr).astype(np.float32)
        for rows in blocks(self.n_items):
            yield rows, self.alike((by_item[rows] @ met).tocsr(), count[rows], count)   # (R, n_items)

    def alike(self, shared, one, other):
        one = np.repeat(one, np.diff(shared.indptr))
        shared.data = similarity(shared.data, one, other[shared.indices], self.similarity, self.shrink)
        return shared


class RP3Beta(ItemNeighbours):
    """A random walk of three steps, user to item to user to item; each step's probability to the power of alpha.

    The weight of i for j is the sum over users u who met both of (1 / n_i)^alpha (1 / n_u)^alpha, divided by n_j^beta,
    as the walk comes to what is popular too often. The first step is the same for every item of a history.

    Parameters
    ----------
    n_users, n_items : int
    k : int
        How many neighbours a candidate has.
    alpha, beta : float
    reads : int or None
        How many of the latest events of a history are looked at; None for all of them.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.RP3Beta(*sizes, k=10, beta=0.4).fit(split)
    >>> model.top(shop.history([3, 7]), k=5)[0].shape
    torch.Size([2, 5])
    """

    def __init__(self, n_users, n_items, k=100, alpha=1.0, beta=0.6, reads=None):
        super().__init__(n_users, n_items, k, reads)
        self.alpha, self.beta = alpha, beta

    def weights(self, split):
        met = split.matrix()
        by_item = met.T.tocsr()
        per_user, per_item = (np.maximum(np.diff(matrix.indptr), 1.0) for matrix in (met, by_item))
        to_item = met.multiply(per_user[:, None] ** -self.alpha).tocsr()                # user to j
        for rows in blocks(self.n_items):
            walks = (to_item.T[rows] @ met).tocsr()                                     # (R, n_items)  i to u to j
            walks.data *= per_item[walks.indices] ** -self.alpha
            walks.data *= np.repeat(per_item[rows] ** -self.beta, np.diff(walks.indptr))
            yield rows, walks


class UserKNN(Recommender):
    """score(history, j) = sum of the similarities of its neighbours, over those of them who met j.

    Similarity is that of `ItemKNN`, between the history at hand and what each training user met; of a known user the
    own training is left out.

    Parameters
    ----------
    n_users, n_items : int
    k : int
        How many neighbours.
    shrink, similarity, reads
        As in `ItemKNN`.
    keeps : "history" or "user"
        Whose k counts. "history": its neighbours are the k users most like it. "user": its neighbours are the users
        to whom it is as similar as their k-th most similar user, as in the code of Ferrari Dacrema et al. (TOIS 2021):
        those who are like everybody, because they met a lot, are then asked less.

    Raises
    ------
    ModelError
        A setting that cannot be.
    UnknownName
        No similarity, or no side, has that name.

    Example
    -------
    >>> model = rb.UserKNN(3, 4, k=1).fit(stars)
    >>> model.scores(films.history("ann"))          # cat met the same three
    tensor([[1., 1., 1., 0.]])
    """

    sized_by_fit = ("items_of.columns", "users_of.columns")

    def __init__(self, n_users, n_items, k=80, shrink=0.0, similarity="cosine", keeps="history", reads=None):
        super().__init__()
        if keeps not in ("history", "user"):
            raise UnknownName("side that keeps k neighbours", keeps, ("history", "user"))
        self.n_users, self.n_items, self.k, self.keeps = n_users, n_items, k, keeps
        self.shrink, self.similarity, self.reads = shrink, known_similarity(similarity), reads
        self.items_of, self.users_of = Lists(n_users), Lists(n_items)
        self.register_buffer("least", torch.zeros(n_users))             # similarity of each user's k-th neighbour

    def fit(self, split):
        met = split.matrix()
        self.items_of.fill(met)
        self.users_of.fill(met.T)
        if self.keeps == "user":
            for users in torch.arange(self.n_users, device=self.device).split(max(1, BLOCK // self.n_users)):
                place = self.items_of.places(users)
                alike = self.alike(torch.where(place < 0, -1, self.items_of.columns[place]), users)
                self.least[users] = alike.topk(min(self.k, self.n_users)).values[:, -1]
        return self

    def scores(self, context, items=None):
        rows = torch.arange(len(context), device=context.items.device).split(max(1, BLOCK // self.n_users))
        return select(torch.cat([self.all_scores(context.rows(some)) for some in rows]), items)

    def all_scores(self, context):
        """Scores of the whole catalogue: (B, n_items)."""
        alike = self.alike(distinct_items(self.history(context)), context.users)        # (B, n_users)
        if self.keeps == "user":
            return self.users_of.sums(alike.masked_fill(alike < self.least, 0).T).T
        top = alike.topk(min(self.k, self.n_users))
        users = top.indices.masked_fill(top.values == 0, -1)            # (B, k)
        return self.items_of.spread(users, self.n_items, scale=top.values)

    def alike(self, history, users):
        """Similarities of all users to histories (B, L): (B, n_users). Of `users` (B,) themselves, 0."""
        overlap = self.users_of.spread(history, self.n_users)
        size = (history >= 0).sum(1, keepdim=True)
        alike = similarity(overlap, size, self.items_of.sizes(), self.similarity, self.shrink)
        if users is None:
            return alike
        own = torch.arange(self.n_users, device=users.device) == users[:, None]         # -1 is somebody new
        return alike.masked_fill(own, 0)                                # nobody is their own neighbour


def known_similarity(name):
    """That name, if it is the name of a similarity."""
    if name not in SIMILARITIES:
        raise UnknownName("similarity", name, SIMILARITIES)
    return name


def largest(weights, rows, k):
    """The k largest entries of each row of sparse weights, but for row `rows[r]`'s own column, equal ones by column.

    Returns four arrays (E,): the row's number in `rows`, the place (0 the largest), the column and the value.
    """
    weights = sp.csr_matrix(weights)
    row = np.repeat(np.arange(len(rows)), np.diff(weights.indptr))
    column, value = weights.indices, weights.data.astype(np.float32)
    real = (value > 0) & (column != rows[row])                          # no item speaks for itself
    row, column, value = row[real], column[real], value[real]
    each = np.split(value, np.searchsorted(row, np.arange(1, len(rows))))
    least = np.array([np.partition(own, -k)[-k] if len(own) > k else 0 for own in each])
    real = value >= least[row]                                          # sort only what can be among the k
    row, column, value = row[real], column[real], value[real]
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    place = np.arange(len(row)) - np.searchsorted(row, np.arange(len(rows)))[row]
    kept = place < k
    return rows[row[kept]], place[kept], column[kept].astype(np.int64), value[kept]


def blocks(size, step=256):
    """The numbers 0 .. size-1, some at a time: dense blocks of a product that is too large at once."""
    return np.split(np.arange(size), range(step, size, step))
