"""Reward models: what may be expected of each action, from rows other than the one that is judged.

A model that has seen a row's reward has learned its noise by heart, and the correction of the doubly robust estimator is
then no longer fair. So the rows are dealt into folds, and each is predicted by a model of the others (Chernozhukov et
al., *Double/Debiased Machine Learning*, 2018).
"""

import numpy as np


def shrunken_means(action, reward, n_actions, position=None, folds=3, strength=10.0, seed=0):
    """Each action's mean reward at each position, drawn towards the mean of the position: (N, n_actions).

    Parameters
    ----------
    action : array (N,) of int
    reward : array (N,)
    n_actions : int
    position : array (N,) of int, or None
    folds : int
        A row is predicted from the rows of the other folds.
    strength : float
        Of how many rows the position's own mean counts.
    seed : int
        Of the folds.
    """
    position = np.zeros(len(action), dtype=int) if position is None else position
    found = np.empty((len(action), n_actions), dtype=np.float32)
    cell = position * n_actions + action
    n_cells = (position.max() + 1) * n_actions
    for train, test in deal(len(action), folds, seed):
        count = np.bincount(cell[train], minlength=n_cells).reshape(-1, n_actions)             # (positions, A)
        total = np.bincount(cell[train], reward[train], minlength=n_cells).reshape(-1, n_actions)
        mean = total.sum(1, keepdims=True) / count.sum(1, keepdims=True).clip(1)
        found[test] = ((total + strength * mean) / (count + strength))[position[test]]
    return found


def cross_fitted(model, features, action, reward, action_features, position=None, folds=3, seed=0):
    """What a scikit-learn model expects of every action in every row: (N, n_actions).

    Its inputs are the row's features beside the action's; where there are positions, each has a model of its own. A
    fold's rows are predicted by models of the other folds, which are those of scikit-learn's `KFold`.

    Parameters
    ----------
    model : estimator
        With `predict_proba`, for rewards of 0 and 1, or with `predict`.
    features : array (N, F)
        What is known before the decision.
    action : array (N,) of int
    reward : array (N,)
    action_features : array (n_actions, G)
    position : array (N,) of int, or None
    folds, seed : int
    """
    from sklearn.base import clone

    position = np.zeros(len(action), dtype=int) if position is None else position
    found = np.empty((len(action), len(action_features)), dtype=np.float32)
    features, action_features = (np.asarray(values, dtype=float) for values in (features, action_features))
    for train, test in deal(len(action), folds, seed):
        for place in np.unique(position):
            own, asked = train[position[train] == place], test[position[test] == place]
            fitted = clone(model).fit(np.hstack([features[own], action_features[action[own]]]), reward[own])
            for number, of_action in enumerate(action_features):
                inputs = np.hstack([features[asked], np.tile(of_action, (len(asked), 1))])
                found[asked, number] = (fitted.predict_proba(inputs)[:, 1] if hasattr(fitted, "predict_proba")
                                        else fitted.predict(inputs))
    return found


def deal(n, folds, seed):
    """Rows into folds: pairs (the others, the fold), as scikit-learn's `KFold(folds, shuffle=True)` makes them."""
    order = np.random.RandomState(seed).permutation(n)
    sizes = np.full(folds, n // folds)
    sizes[:n % folds] += 1
    fold = np.empty(n, dtype=int)
    fold[order] = np.repeat(np.arange(folds), sizes)
    for number in range(folds):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)
