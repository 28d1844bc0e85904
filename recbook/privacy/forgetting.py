"""Forgetting a customer for good: models that are made of counts, and counts from which a person is subtracted.

EASE, item neighbours and popularity know the customers only through sums: how many took an item, how many took both of two. Each customer is one
term of these sums, and subtracting it gives the sums of a log that the customer was never in; Cao and Yang, *Towards Making
Systems Forget with Machine Unlearning*, S&P 2015. The counts are whole numbers, so this is exact. The inverse
that EASE needs is updated, not computed anew, by the identity of Woodbury (for one customer that of Sherman and Morrison).
"""

import numpy as np
import scipy.sparse as sp
import torch

from recbook.data.ids import Ids
from recbook.errors import DataError
from recbook.models.closed_form import EASE
from recbook.models.memory import announce
from recbook.models.neighbours import ItemKNN, blocks
from recbook.models.popularity import Popularity
from recbook.settings import is_whole

DRIFT = 1e-9    # an inverse that is further off is computed anew


class Counts:
    """What three models are made of, with a `forget`.

    Parameters
    ----------
    split : Split
        Its training part is counted.
    l2 : float
        EASE's penalty on the weights.

    Attributes
    ----------
    events : sparse (n_users, n_items)
        How often each customer took each item; nothing stands there of who was forgotten.
    together : array (n_items, n_items)
        How many took both, and on the diagonal how many took one: whole numbers, which float64 holds exactly.
    inverse : array (n_items, n_items)
        Of `together` with l2 added to its diagonal.
    ids : Ids
        Of customers and items; None in the place of who was forgotten.

    Raises
    ------
    DataError
        Customers who are not in the counts.

    Example
    -------
    >>> counts = rb.privacy.Counts(split, l2=10.0)
    >>> model = counts.forget([7]).ease()
    >>> counts.events[7].nnz
    0
    """

    def __init__(self, split, l2=100.0):
        self.n_users, self.n_items, self.l2 = split.n_users, split.n_items, l2
        announce("Counts", self.n_items**2 * 4 * 8, f"a number for each pair of its {self.n_items:,} items",
                 "Fit ItemKNN anew without these customers")
        pairs = split.train["user"].to_numpy(), split.train["item"].to_numpy()
        self.events = sp.csr_matrix((np.ones(len(split.train), dtype=np.int64), pairs), shape=(self.n_users, self.n_items))
        met = (self.events > 0).astype(np.float64)
        self.together = (met.T @ met).toarray()
        self.count = np.asarray(self.events.sum(0)).ravel()             # (n_items,)
        self.inside = np.ones(self.n_users, dtype=bool)
        self.ids = split.dataset.ids
        self.refit()

    def refit(self):
        """The inverse anew, from the counts alone: no log is read."""
        gram = torch.from_numpy(self.together.copy())
        gram.diagonal().add_(self.l2)
        self.inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram)).numpy()

    def forget(self, users):
        """Subtract customers, by number. They cannot be brought back, nor be forgotten twice. Returns the counts themselves.

        Raises
        ------
        DataError
            A customer who is not in the counts, or no longer, or is named twice.
        """
        users = list(users)
        for number, user in enumerate(users):
            if not is_whole(user) or not 0 <= user < self.n_users:
                raise DataError(f"Customer {user!r} cannot be forgotten: whole numbers from 0 to {self.n_users - 1} are customers.")
            if not self.inside[user] or user in users[:number]:
                raise DataError(f"Customer {user} is forgotten already; what was subtracted twice would be wrong for all.")
        if not users:
            return self
        rows = self.events[users]
        met = (rows > 0).toarray().astype(np.float64)                   # (U, n_items)
        self.together -= met.T @ met
        self.count -= np.asarray(rows.sum(0)).ravel()
        self.inside[users] = False
        self.ids = Ids([one if here else None for one, here in zip(self.ids.users, self.inside)], self.ids.items)
        for user in users:
            self.events.data[self.events.indptr[user]:self.events.indptr[user + 1]] = 0
        self.events.eliminate_zeros()                                   # a stored 0 would still say which items they were
        if len(users) < self.n_items // 4:
            self.inverse = without(self.inverse, met)
        if len(users) >= self.n_items // 4 or not self.drift() < DRIFT:
            self.refit()
        return self

    def drift(self):
        """How far the inverse is from that of the counts: the largest error of giving back a vector of ones and minus ones."""
        signs = np.random.default_rng(0).choice([-1.0, 1.0], self.n_items)
        given = self.inverse @ (self.together @ signs + self.l2 * signs)
        return float(np.abs(given - signs).max())

    def ease(self, reads=None):
        """A fitted `EASE`."""
        model = EASE(self.n_users, self.n_items, l2=self.l2, reads=reads)
        weight = -self.inverse / np.diag(self.inverse)
        np.fill_diagonal(weight, 0)
        model.weight.copy_(torch.from_numpy(weight))
        return self.named(model)

    def neighbours(self, **settings):
        """A fitted `ItemKNN`; `settings` are its own."""
        model = ItemKNN(self.n_users, self.n_items, **settings)
        together = self.together.astype(np.float32)
        size = np.diag(together)
        model.keep((rows, model.alike(sp.csr_matrix(together[rows]), size[rows], size)) for rows in blocks(self.n_items))
        return self.named(model)

    def popularity(self):
        """A fitted `Popularity`."""
        model = Popularity(self.n_users, self.n_items)
        model.count.copy_(torch.from_numpy(self.count))
        return self.named(model)

    def named(self, model):
        """The model, which knows whose numbers it has learned: a checkpoint writes these ids too."""
        model.trained_on = self.ids
        return model


def without(inverse, rows):
    """(A - X^T X)^-1 from the inverse of A, (n, n), and X, the rows (U, n) that are to go."""
    half = rows @ inverse                                               # (U, n)  X A^-1
    small = np.eye(len(rows)) - half @ rows.T                           # (U, U)  I - X A^-1 X^T
    half = np.linalg.solve(np.linalg.cholesky(small), half)
    return inverse + half.T @ half
