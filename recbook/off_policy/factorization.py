"""Ratings that people chose to give, weighed by how unlikely it was that they gave them.

Schnabel, Swaminathan, Singh, Chandak and Joachims, *Recommendations as Treatments: Debiasing Learning and Evaluation*,
ICML 2016:  minimise  sum over the given ratings of  error^2 / propensity  +  l2 * (squared lengths of all vectors, biases).

Differs from the paper: alternating least squares, each half in closed form, in place of L-BFGS; the weights 1 / propensity
are divided by their mean, so that one `l2` means the same with and without them.
"""

import numpy as np


class WeightedFactorization:
    """rating(u, i) = c + b_u + b_i + p_u . q_i, where a rating counts as much as its weight says.

    Parameters
    ----------
    dim : int
        Length of the vectors p_u and q_i.
    l2 : float
        Penalty on their squared lengths, once for each user and item.
    sweeps : int
        How often users and items are solved for in turn.
    seed : int
        Of the first q_i.

    Example
    -------
    >>> users, items, ratings = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([5.0, 1, 4, 2])
    >>> model = rb.off_policy.WeightedFactorization(dim=1, l2=0.1).fit(users, items, ratings, (2, 2))
    >>> model.ratings().shape
    (2, 2)
    """

    def __init__(self, dim=10, l2=1.0, sweeps=15, seed=0):
        self.dim, self.l2, self.sweeps, self.seed = dim, l2, sweeps, seed

    def fit(self, users, items, ratings, size, propensity=None):
        """Learn from given ratings: arrays (N,), `size` = (n_users, n_items); propensity (N,) or None, all alike.

        Returns self.
        """
        weight = np.ones(len(ratings)) if propensity is None else 1 / np.asarray(propensity)
        weight = weight / weight.mean()
        self.constant = (weight * ratings).sum() / weight.sum()
        self.item = np.zeros((size[1], self.dim + 1))                   # (N, d + 1): the vector, then the bias
        self.item[:, :-1] = np.random.default_rng(self.seed).normal(scale=0.1, size=(size[1], self.dim))
        self.user = np.zeros((size[0], self.dim + 1))
        rest = ratings - self.constant
        for _ in range(self.sweeps):
            self.user = solve(users, self.item[items], rest, weight, size[0], self.l2)
            self.item = solve(items, self.user[users], rest, weight, size[1], self.l2)
        return self

    def ratings(self):
        """What is expected of every pair: (n_users, n_items)."""
        biases = self.user[:, -1:] + self.item[:, -1]
        return self.constant + self.user[:, :-1] @ self.item[:, :-1].T + biases


def solve(own, others, rest, weight, n, l2):
    """Vectors and biases of one side, the other side's held: ridge regression of each row of its own, weighted.

    own (N,) : whose rating; others (N, d + 1) : vector and bias of what was rated; rest (N,); weight (N,). Returns (n, d + 1).
    """
    inputs = np.column_stack([others[:, :-1], np.ones(len(own))])       # (N, d + 1)
    rest = rest - others[:, -1]
    order = np.argsort(own, kind="stable")
    ends = np.cumsum(np.bincount(own, minlength=n))
    found = np.zeros((n, inputs.shape[1]))                              # 0 for who gave no rating
    for row, ratings in enumerate(np.split(order, ends[:-1])):
        weighted = weight[ratings, None] * inputs[ratings]              # (n_row, d + 1)
        square = weighted.T @ inputs[ratings] + l2 * np.eye(inputs.shape[1])
        found[row] = np.linalg.solve(square, weighted.T @ rest[ratings])
    return found
