"""Neighbours from ratings: how far those who are alike strayed from what was expected of them.

Users: Herlocker, Konstan, Borchers and Riedl, *An Algorithmic Framework for Performing Collaborative Filtering*, SIGIR
1999. Items, adjusted cosine: Sarwar et al., WWW 2001. Deviations from baselines, shrunk correlations: Koren, *Factor in
the Neighbors: Scalable and Accurate Collaborative Filtering*, TKDD 2010.
"""

import numpy as np
import scipy.sparse as sp
import torch

from recbook.errors import UnknownName
from recbook.models.closed_form import Bias
from recbook.models.memory import announce
from recbook.models.sparse import Lists, like_sizes


class RatingKNN(Bias):
    """By users: rating(u, i) = mean_u + sum of s(u, v) (r_vi - mean_v) / sum of s(u, v), over k users v who rated i.

    By items it is the same with users and items exchanged: the k items that u rated and that are most like i. The own
    rating of i by u is never looked at, and who is not alike (s <= 0) is no neighbour: without one, and without
    ratings, the mean is left.

    Parameters
    ----------
    n_users, n_items : int
    k : int
        At most how many neighbours a prediction has, the most similar first.
    by : "user" or "item"
    similarity : "pearson", "cosine" or "adjusted cosine"
        Over the ratings that two users (items) have in common. Pearson: about the means of these ratings; cosine:
        as they are; adjusted cosine: about the mean of each item (by items: of each user).
    shrink : float
        A similarity from n common ratings is multiplied by (n - 1) / (n - 1 + shrink); from less than two it is 0.

    Raises
    ------
    ModelError
        A setting that cannot be, or more memory than this machine has.
    UnknownName
        No similarity, or no side, has that name.

    Example
    -------
    >>> model = rb.RatingKNN(3, 4, k=1, by="user").fit(stars)
    >>> dune = torch.tensor([[3]])
    >>> rating = model.scores(films.history("ann"), dune)           # (1, 1)
    >>> bool(1 <= rating <= 5)
    True
    """

    sized_by_fit = ("ratings.columns", "deviation")
    similarities = ("pearson", "cosine", "adjusted cosine")

    def __init__(self, n_users, n_items, k=40, by="user", similarity="pearson", shrink=0.0):
        super().__init__(n_users, n_items)
        for what, name, known in (("side", by, ("user", "item")), ("similarity", similarity, self.similarities)):
            if name not in known:
                raise UnknownName(what, name, known)
        self.k, self.by, self.similarity, self.shrink = k, by, similarity, shrink
        mine, other = (n_users, n_items) if by == "user" else (n_items, n_users)
        announce(type(self).__name__, mine**2 * (4 + 4 * 8), f"a similarity for each pair of its {mine:,} {by}s",
                 f"With by={'item' if by == 'user' else 'user'!r} it is one for each pair of {other:,}")
        self.register_buffer("alike", torch.zeros(mine, mine))
        self.register_buffer("deviation", torch.zeros(0))               # (E,)  of the E ratings, list after list
        self.ratings = Lists(other)                                     # by users: who rated each item

    def fit_centre(self, split, rated):
        """What is expected without neighbours: the mean of the user (by items: of the item)."""
        means = side_means(rated, self.by, len(self.alike))
        self.bias.fill_(rated["rating"].mean())
        (self.user_bias if self.by == "user" else self.item_bias).copy_(torch.from_numpy(means - float(self.bias)))

    def fit(self, split):
        rated = split.rated().drop_duplicates(["user", "item"], keep="last")
        self.fit_centre(split, rated)
        user, item, rating = (rated[name].to_numpy() for name in ("user", "item", "rating"))
        expected = float(self.bias) + self.user_bias.cpu().numpy()[user] + self.item_bias.cpu().numpy()[item]
        values = self.compared(rated, rating - expected)
        mine, other, shape = user, item, (self.n_users, self.n_items)
        if self.by == "item":
            mine, other, shape = item, user, shape[::-1]
        matrix = sp.csr_matrix((values, (mine, other)), shape)
        self.alike.copy_(torch.from_numpy(correlations(matrix, self.similarity == "pearson", self.shrink)))
        deviations = sp.csr_matrix((rating - expected, (other, mine)), shape[::-1])
        self.ratings.fill(deviations)
        self.deviation = torch.from_numpy(deviations.data).to(self.alike)
        return self

    def compared(self, rated, deviation):
        """The numbers of which similarities are taken: (E,)."""
        if self.similarity != "adjusted cosine":
            return rated["rating"].to_numpy()
        side, size = ("item", self.n_items) if self.by == "user" else ("user", self.n_users)
        off = rated["rating"].to_numpy() - side_means(rated, side, size)[rated[side]]
        return np.where(np.abs(off) > 1e-9, off, 0)                     # dust of rounding is no difference

    def scores(self, context, items=None):
        items = torch.arange(self.n_items, device=context.users.device) if items is None else items
        expected = self.bias + self.user_bias[context.users][:, None] + self.item_bias[items]       # (B, C)
        mine, other = context.users[:, None].expand_as(expected), items.expand_as(expected)
        if self.by == "item":
            mine, other = other, mine
        return expected + self.strayed(mine.flatten(), other.flatten()).view_as(expected)

    def strayed(self, mine, other):
        """How far the neighbours strayed from what was expected, of pairs (P,): (P,)."""
        means = torch.zeros(len(mine), dtype=self.alike.dtype, device=mine.device)
        for rows in like_sizes(self.ratings.sizes()[other]):
            place = self.ratings.places(other[rows])                    # (R, L)  all ratings of that item (user)
            alike = self.alike[mine[rows][:, None], self.ratings.columns[place]]
            alike = alike.masked_fill(place < 0, 0).clamp(min=0)
            if alike.shape[1] > self.k:
                alike, nearest = alike.topk(self.k, dim=1)
                place = place.gather(1, nearest)
            total = alike.sum(1)
            means[rows] = (alike * self.deviation[place]).sum(1) / (total + (total == 0))
        return means


class KNNBaseline(RatingKNN):
    """rating(u, i) = b_ui + weighted mean of r_uj - b_uj over the k items j most like i that u rated, b_ui of `Bias`.

    Similarity is the correlation about the baselines, shrunk; by users the same with users and items exchanged. As
    formula 3 of Koren's paper, and as scikit-surprise's `KNNBaseline` with its `pearson_baseline`.

    Parameters
    ----------
    n_users, n_items : int
    k : int
        At most how many neighbours a prediction has, the most similar first.
    by : "item" or "user"
    shrink : float
        As in `RatingKNN`.

    Raises
    ------
    ModelError
        A setting that cannot be, or more memory than this machine has.
    UnknownName
        No similarity, or no side, has that name.

    Example
    -------
    >>> model = rb.KNNBaseline(3, 4, k=2).fit(stars)
    >>> model.scores(films.history("bob")).shape    # a rating of each film
    torch.Size([1, 4])
    """

    similarities = ("baseline",)

    def __init__(self, n_users, n_items, k=40, by="item", shrink=100.0):
        super().__init__(n_users, n_items, k, by, "baseline", shrink)

    def fit_centre(self, split, rated):
        Bias.fit(self, split)

    def compared(self, rated, deviation):
        return deviation


def side_means(rated, side, size):
    """The mean rating of each user or item, (size,); of those without ratings the mean of all."""
    ratings = rated.groupby(side)["rating"].mean()
    return ratings.reindex(np.arange(size), fill_value=rated["rating"].mean()).to_numpy()


def correlations(values, centred, shrink):
    """Similarities of all pairs of rows of a sparse matrix over the columns they have in common, 0 on the diagonal.

    Sums over common columns are products of matrices: of x y it is V V^T, of x^2 it is V^2 M^T with M of ones.
    `centred` takes the means of the common values off first (Pearson's r).
    """
    ones = values.copy()
    ones.data[:] = 1

    def over_common(one, other):
        return (one @ other.T).toarray()

    common = over_common(ones, ones)
    products, squares = over_common(values, values), over_common(values.power(2), ones)
    if centred:
        sums = over_common(values, ones)
        products = common * products - sums * sums.T
        spread = common * squares - sums**2
        squares = np.where(spread > 1e-10 * common * squares, spread, 0)            # dust of rounding is no spread
    scale = np.sqrt(squares * squares.T)
    sure = np.maximum(common - 1, 0)
    below = scale * (sure + shrink)
    alike = np.divide(products * sure, below, out=np.zeros_like(products), where=below > 0)
    np.fill_diagonal(alike, 0)
    return alike
