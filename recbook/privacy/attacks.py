"""What a recommender gives away: attacks on the shop, where the secret is known.

Attributes are read off vectors or lists by a logistic regression; whether a customer was in the training data, off the
loss of their row or off their list (Shokri, Stronati, Song and Shmatikov, *Membership Inference Attacks Against Machine
Learning Models*, S&P 2017); who a customer is, off a few events that somebody knows (Narayanan and Shmatikov, *Robust
De-anonymization of Large Sparse Datasets*, S&P 2008).

Every attack ends in an `AUC`: how often the attacker puts the right one of two customers first. 0.5 is a coin.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from scipy.stats import norm, rankdata

from recbook.data.splits import Context
from recbook.errors import ModelError
from recbook.models.neighbours import blocks


@dataclass(frozen=True)
class AUC:
    """How often one of the asked-for kind gets the higher score of two customers; 0.5 is a coin.

    Attributes
    ----------
    value : float
    influence : array (N,)
        How far each customer pulls the value from itself: their mean is 0, and their spread makes the interval.

    Example
    -------
    >>> from recbook.privacy import auc
    >>> auc([3, 2, 2], [True, False, False]).value
    1.0
    """

    value: float
    influence: np.ndarray

    def interval(self, level=0.95):
        """(low, high), over customers drawn anew."""
        half = norm.ppf((1 + level) / 2) * self.influence.std(ddof=1) / np.sqrt(len(self.influence))
        return self.value - half, self.value + half

    def less(self, other):
        """By how much it is above another on the same customers: a dict with `difference`, `low`, `high` and `p`."""
        gap = AUC(self.value - other.value, self.influence - other.influence)
        low, high = gap.interval()
        error = max(gap.influence.std(ddof=1) / np.sqrt(len(gap.influence)), 1e-12)
        return {"difference": gap.value, "low": float(low), "high": float(high),
                "p": float(2 * norm.sf(abs(gap.value) / error))}


def auc(score, true):
    """The `AUC` of scores against what is true of each customer, with equal scores counted as half.

    The interval is that of DeLong, DeLong and Clarke-Pearson, *Biometrics* 1988.

    Parameters
    ----------
    score : array (N,)
    true : array (N,) of bool

    Returns
    -------
    found : AUC

    Raises
    ------
    ModelError
        Scores that are not numbers, or customers of one kind only.

    Example
    -------
    >>> from recbook.privacy import auc
    >>> auc([1, 2, 3, 4], [False, True, False, True]).value
    0.75
    """
    score, true = np.asarray(score, dtype=float), np.asarray(true, dtype=bool)
    if score.shape != true.shape or np.isnan(score).any():
        raise ModelError(f"An attack needs one number a customer: {score.shape} scores for {true.shape} customers.")
    if true.all() or not true.any():
        raise ModelError("An attack is measured on customers of both kinds; these are all of one.")
    everybody = rankdata(score)
    beaten = np.empty(len(score))                                       # the share of the other kind that each beats
    beaten[true] = (everybody[true] - rankdata(score[true])) / (~true).sum()
    beaten[~true] = 1 - (everybody[~true] - rankdata(score[~true])) / true.sum()
    value = float(beaten[true].mean())
    return AUC(value, (beaten - value) / np.where(true, true.mean(), 1 - true.mean()))


def mean(found, weights=None):
    """The mean of several `AUC` on the same customers: of several seeds, or of several values of one attribute."""
    return AUC(float(np.average([one.value for one in found], weights=weights)),
               np.average([one.influence for one in found], axis=0, weights=weights))


# -------------------------------------------------------------------------------------------- attributes

def read_off(features, values, folds=5, penalty=1000.0, seed=0):
    """How likely each value is for each customer, by a logistic regression that has not seen this customer.

    Parameters
    ----------
    features : array (N, F)
        What the attacker sees of each customer.
    values : array (N,)
        The attribute, as whole numbers from 0.
    folds : int
        The customers are cut in so many parts; each is read by what was learned on the others.
    penalty : float
        On the squared weights.
    seed : int

    Returns
    -------
    chance : array (N, number of values)

    Raises
    ------
    ModelError
        scikit-learn is missing; more folds than customers with the rarest value.

    Example
    -------
    >>> from recbook.privacy import read_off
    >>> age = shop.users["age"].cat.codes.to_numpy()
    >>> read_off(split.matrix().toarray(), age, folds=2).shape
    (60, 3)
    """
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold, cross_val_predict
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError:
        raise ModelError("Reading attributes off needs scikit-learn: pip install scikit-learn.") from None
    features, values = np.asarray(features, dtype=float), np.asarray(values)
    if np.unique(values, return_counts=True)[1].min() < folds:
        raise ModelError(f"folds={folds}: the rarest value has fewer customers than that.")
    reader = make_pipeline(StandardScaler(), LogisticRegression(C=1 / penalty, max_iter=300, tol=1e-3))
    cut = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return cross_val_predict(reader, features, values, cv=cut, method="predict_proba")


def attribute_auc(chance, values):
    """The `AUC` of an attribute: of each value against all others, weighted by how many customers have it.

    Parameters
    ----------
    chance : array (N, number of values)
        How likely each value is said to be.
    values : array (N,)
        The attribute, as whole numbers from 0.

    Returns
    -------
    found : AUC

    Example
    -------
    >>> import numpy as np
    >>> from recbook.privacy import attribute_auc
    >>> attribute_auc(np.eye(3)[[0, 1, 2, 2]], np.array([0, 1, 2, 2])).value
    1.0
    """
    values, present = np.asarray(values), np.unique(values)
    return mean([auc(np.asarray(chance)[:, value], values == value) for value in present],
                weights=[(values == value).mean() for value in present])


def by_taste(dataset, train):
    """How likely each age, gender and city is for somebody who knows the shop's law and the taste of every session.

    What follows from clicks follows through the taste: no attacker who sees clicks, and not stars, can do better.

    Parameters
    ----------
    dataset : Dataset
        A shop.
    train : DataFrame
        The first interactions of each customer.

    Returns
    -------
    chance : dict
        {"age": (n_users, 3), "gender": (n_users, 3), "city": (n_users, 5)}

    Raises
    ------
    ModelError
        The data have no hidden truth.

    Example
    -------
    >>> from recbook.privacy import by_taste
    >>> by_taste(shop, split.train)["city"].shape
    (60, 5)
    """
    if dataset.truth is None:
        raise ModelError(f"{dataset.name} has no hidden truth: only a shop knows its customers' taste.")
    world, log = dataset.truth.world, dataset.interactions
    count = np.bincount(train["user"], minlength=dataset.n_users)
    known = log.groupby("user").cumcount().to_numpy() < count[log["user"]]
    starts = log["session"].diff().fillna(1).to_numpy() != 0
    rows = np.flatnonzero(known & starts)
    user, taste = log["user"].to_numpy()[rows], dataset.truth.tastes[rows]
    first = np.append(True, user[1:] != user[:-1])
    same = ~first & (taste == np.append(-1, taste[:-1]))
    profile = np.stack([world.age, world.gender, world.city], axis=1)   # (n_users, 3)
    kinds, number = np.unique(profile, axis=0, return_inverse=True)     # every combination that there is
    prior = np.empty((len(kinds), world.prior.shape[1]))
    prior[number.ravel()] = world.prior                                 # (kinds, tastes)
    drift = world.parameters.drift
    chance = np.where(first[:, None], prior[:, taste].T, drift * prior[:, taste].T + (1 - drift) * same[:, None])
    evidence = np.zeros((dataset.n_users, len(kinds)))
    np.add.at(evidence, user, np.log(chance))
    evidence += np.log(np.bincount(number.ravel()) / len(profile))
    evidence = np.exp(evidence - evidence.max(1, keepdims=True))
    evidence /= evidence.sum(1, keepdims=True)                          # (n_users, kinds)
    return {name: np.stack([evidence[:, kinds[:, column] == value].sum(1) for value in range(size)], axis=1)
            for column, (name, size) in enumerate({"age": 3, "gender": 3, "city": 5}.items())}


# -------------------------------------------------------------------------------------------- membership

@torch.no_grad()
def row_loss(model, matrix):
    """How badly a model gives each customer's own row back: what it learned by heart has a small loss.

    Of a model that gives probabilities it is the surprise of the row, a mean over its items; of others that read
    histories the squared error of 0 and 1.

    Parameters
    ----------
    model : Recommender
        Reads histories.
    matrix : sparse matrix (N, n_items)
        The rows.

    Returns
    -------
    loss : array (N,)

    Example
    -------
    >>> from recbook.privacy import row_loss
    >>> row_loss(rb.EASE(*sizes).fit(split), split.matrix()).shape
    (60,)
    """
    matrix, found = sp.csr_matrix(matrix), []
    for some in blocks(matrix.shape[0]):                                # scores of all at once would be N x n_items numbers
        row = torch.from_numpy(matrix[some].toarray()).float()          # (B, n_items)
        scores = row_scores(model, matrix[some])
        if hasattr(model, "item_bias"):
            found.append(-(scores.log_softmax(1) * row).sum(1) / row.sum(1).clamp(min=1))
        else:
            found.append((scores - row).square().sum(1))
    return torch.cat(found).numpy()


@torch.no_grad()
def row_scores(model, matrix):
    """What a model that reads histories answers to rows (N, n_items) of 0 and 1: (N, n_items)."""
    if model.reads == 0:
        raise ModelError(f"{type(model).__name__} reads no histories: it has no answer to a row.")
    model.eval()
    matrix = sp.csr_matrix(matrix)
    length = np.diff(matrix.indptr)
    step = np.arange(length.max(initial=0))
    there = step < length[:, None]
    items = np.full(there.shape, -1)
    items[there] = matrix.indices
    return model.scores(Context(items=torch.from_numpy(items)))


def returned(model, matrix, k=10, seed=0):
    """How many items of a hidden half of each row are in the list that the model makes for the other half.

    The attacker knows what somebody met, shows the model one half of it, and sees a list, no score.

    Parameters
    ----------
    model : Recommender
        Reads histories.
    matrix : sparse matrix (N, n_items)
        What the attacker knows of each customer.
    k : int
        Length of the list.
    seed : int
        Of the halves.

    Returns
    -------
    count : array (N,)

    Example
    -------
    >>> from recbook.privacy import returned
    >>> returned(rb.EASE(*sizes).fit(split), split.matrix(), k=3).shape
    (60,)
    """
    matrix = sp.csr_matrix(matrix)
    shown = matrix.copy()
    shown.data = (np.random.default_rng(seed).random(matrix.nnz) < 0.5).astype(matrix.dtype)
    shown.eliminate_zeros()
    found = []
    for some in blocks(matrix.shape[0]):
        seen = torch.from_numpy(shown[some].toarray()).bool()           # (B, n_items)
        scores = row_scores(model, shown[some]).masked_fill(seen, -torch.inf)
        hidden = torch.from_numpy(matrix[some].toarray()).bool() & ~seen
        found.append(hidden.gather(1, scores.topk(k, dim=1).indices).sum(1))
    return torch.cat(found).numpy()


def threshold(score, true):
    """Above which score the attacker best says yes: where the shares of both kinds that are rightly called sum highest.

    Parameters
    ----------
    score : array (N,)
        Of customers of whom the attacker knows what is true: those of the shadow model.
    true : array (N,) of bool

    Returns
    -------
    cut : float

    Example
    -------
    >>> from recbook.privacy import threshold
    >>> threshold([1.0, 2.0, 3.0, 4.0], [False, False, True, True])
    2.5
    """
    score, true = np.asarray(score, dtype=float), np.asarray(true, dtype=bool)
    order = np.argsort(score, kind="stable")
    score, true = score[order], true[order]
    gain = np.cumsum(np.where(true, -1 / true.sum(), 1 / (~true).sum()))[:-1]
    gain[score[1:] == score[:-1]] = -np.inf                             # no cut between equals
    best = int(np.argmax(gain))
    return float((score[best] + score[best + 1]) / 2)


# -------------------------------------------------------------------------------------------- who is it?

def keys(log, by=("item", "day")):
    """Each event as one number that says of it only what an attacker knows: (number of the event's key, how many keys).

    Parameters
    ----------
    log : DataFrame
        With `user`, `item` and `timestamp`.
    by : sequence
        Of "item", "day" and "month".

    Returns
    -------
    key : array (len(log),)

    Example
    -------
    >>> from recbook.privacy import keys
    >>> len(keys(shop.interactions, by=("item",)))
    2000
    """
    columns = {"item": log["item"].to_numpy(), "day": log["timestamp"].to_numpy() // 86_400}
    columns["month"] = columns["day"] // 30
    return np.unique(np.stack([columns[name] for name in by], axis=1), axis=0, return_inverse=True)[1].ravel()


def named(log, known, by=("item", "day"), released=None, seed=0):
    """Who is found by so many of their events, drawn at random, in a log under new ids.

    The attacker names the customer of the log whose events agree with most of those that are known; where several do,
    one of them by chance.

    Parameters
    ----------
    log : DataFrame
        The events that are known are drawn from it: `user`, `item`, `timestamp`.
    known : int
        How many events of each customer are known.
    by : sequence
        What is known of an event.
    released : DataFrame or None
        The log that was given away, with the same customers; None for `log` itself.
    seed : int

    Returns
    -------
    alone : array (M,)
        For each customer with that many different events whether nobody else agrees with as many.
    right : array (M,)
        The chance that the attacker names the right one.

    Raises
    ------
    ModelError
        No customer has so many events.

    Example
    -------
    >>> from recbook.privacy import named
    >>> alone, right = named(shop.interactions, known=3)
    >>> bool(right.mean() >= alone.mean())
    True
    """
    key = keys(pd.concat([log, log if released is None else released]), by)
    own, theirs = key[:len(log)], key[len(log):]
    user = log["user"].to_numpy()
    owner = user if released is None else released["user"].to_numpy()
    n_users, n_keys = max(user.max(), owner.max()) + 1, key.max() + 1
    there = sp.csr_matrix((np.ones(len(theirs), dtype=np.float32), (owner, theirs)), shape=(n_users, n_keys))
    there.data[:] = 1                                                   # an event that came twice counts once
    pairs = np.unique(np.stack([user, own], axis=1), axis=0)
    drawn = pairs[np.lexsort((np.random.default_rng(seed).random(len(pairs)), pairs[:, 0]))]
    place = np.arange(len(drawn)) - np.searchsorted(drawn[:, 0], drawn[:, 0])
    chosen = drawn[place < known]
    size = np.bincount(chosen[:, 0], minlength=n_users)
    asked = np.flatnonzero(size == known)
    if not len(asked):
        raise ModelError(f"known={known}: no customer has so many different events.")
    hints = sp.csr_matrix((np.ones(len(chosen), dtype=np.float32), (chosen[:, 0], chosen[:, 1])),
                          shape=(n_users, n_keys))[asked]
    agree = (hints @ there.T).tocsr()                                   # (M, n_users): how many of the hints each has
    most = np.maximum(agree.max(1).toarray().ravel(), 1)
    best = agree.copy()
    best.data = (agree.data == np.repeat(most, np.diff(agree.indptr))).astype(np.float32)
    count = np.asarray(best.sum(1)).ravel()
    mine = np.asarray(best[np.arange(len(asked)), asked]).ravel()
    return (mine > 0) & (count == 1), np.divide(mine, count, out=np.zeros(len(asked)), where=count > 0)
