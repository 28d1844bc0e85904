"""Ranking metrics. Each is a function of where the right items ended up; a reader's own is another such function.

A list is judged from the ranks of its right items, the best place being rank 0. Definitions: Manning, Raghavan and
Schütze, *Introduction to Information Retrieval*, chapter 8; NDCG: Järvelin and Kekäläinen, TOIS 2002.
"""

import numpy as np

from recbook.errors import UnknownName


class Ranks:
    """Ranks of the right items of N cases.

    case, rank : (P,)   right item p belongs to case `case[p]` and was ranked `rank[p]`; infinite if it was hidden.
    n_cases : int
    """

    def __init__(self, case, rank, n_cases):
        self.case, self.rank, self.n_cases = np.asarray(case), np.asarray(rank, dtype=float), n_cases
        self.n_right = self.sum(np.ones(len(self.rank)))  # (N,)

    def sum(self, values):
        """Values of right items (P,) summed by case: (N,)."""
        return np.bincount(self.case, weights=values, minlength=self.n_cases)


def hit_rate(ranks, k):
    """1 if a right item is among the first k."""
    return (ranks.sum(ranks.rank < k) > 0).astype(float)


def recall(ranks, k):
    """Share of the right items that are among the first k."""
    return ranks.sum(ranks.rank < k) / ranks.n_right


def precision(ranks, k):
    """Share of the first k that are right."""
    return ranks.sum(ranks.rank < k) / k


def ndcg(ranks, k):
    """Discounted gain of the right items among the first k, over that of the best order."""
    gain = ranks.sum((ranks.rank < k) / np.log2(ranks.rank + 2))
    right = np.minimum(ranks.n_right.astype(int), k)
    best = np.cumsum(1 / np.log2(np.arange(right.max()) + 2))
    return gain / best[right - 1]


def reciprocal_rank(ranks, k=np.inf):
    """One over the place of the first right item; 0 if it is not among the first k."""
    first = np.full(ranks.n_cases, np.inf)
    np.minimum.at(first, ranks.case, ranks.rank)
    return np.where(first < k, 1 / (first + 1), 0.0)


def average_precision(ranks, k=np.inf):
    """Mean, over the right items, of the precision at the place of each; one that is not among the first k adds 0."""
    order = np.lexsort((ranks.rank, ranks.case))
    case, rank = ranks.case[order], ranks.rank[order]
    start = np.searchsorted(case, case)                                 # where the case begins
    hits = np.arange(len(case)) - start + 1                             # right items up to and with this one
    value = np.empty(len(case))
    value[order] = np.where(rank < k, hits / (rank + 1), 0.0)
    return ranks.sum(value) / ranks.n_right


# ------------------------------------------------------------------------------------- lists beside what truly followed


def overlap(lists, followed):
    """As sets: share of the places of each of lists (N, k) whose item is among the followed (N, T), padded with -1: (N,)."""
    return ((lists[:, :, None] == followed[:, None]) & (lists >= 0)[:, :, None]).any(2).mean(1)


def in_place(lists, followed):
    """As sequences, strictly: share of the places at which stands the very item that followed there: (N,)."""
    shared = min(lists.shape[1], followed.shape[1])
    same = (lists[:, :shared] == followed[:, :shared]) & (lists[:, :shared] >= 0)
    return same.sum(1) / lists.shape[1]


def in_order(lists, followed):
    """As sequences: the longest part of each list that followed in the same order, gaps allowed, as a share of it: (N,).

    The longest common subsequence: Wagner and Fischer, *Journal of the ACM* 1974.
    """
    # longest[:, i, j]: of the first i of the list and the first j that followed
    longest = np.zeros((len(lists), lists.shape[1] + 1, followed.shape[1] + 1), dtype=int)
    for i in range(lists.shape[1]):
        for j in range(followed.shape[1]):
            same = (lists[:, i] == followed[:, j]) & (followed[:, j] >= 0)
            longest[:, i + 1, j + 1] = np.where(same, longest[:, i, j] + 1,
                                                np.maximum(longest[:, i, j + 1], longest[:, i + 1, j]))
    return longest[:, -1, -1] / lists.shape[1]


WRITTEN = {"overlap": overlap, "in order": in_order, "in place": in_place}  # from set to sequence
RANKING = {
    "HR": hit_rate, "Recall": recall, "Precision": precision, "NDCG": ndcg, "MRR": reciprocal_rank,
    "MAP": average_precision,
}
RATING = {"RMSE": np.square, "MAE": np.abs}  # functions of the error
LOWER_IS_BETTER = tuple(RATING)


def parse(name):
    """`"NDCG@10"` as (function, keyword arguments)."""
    family, _, k = str(name).partition("@")
    if family in RANKING and k.isdecimal() and int(k) > 0:
        return RANKING[family], {"k": int(k)}
    if name in ("MRR", "MAP"):
        return RANKING[family], {}
    raise UnknownName("metric", name, [*(f"{family}@10" for family in RANKING), "MRR", "MAP", *RATING])
