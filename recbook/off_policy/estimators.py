"""The value of a new policy from rows that an old one logged, one line an estimator.

Each estimator gives what a row adds above and below a fraction bar, two arrays (N,); the estimate is the one sum divided
by the other. So one function, `estimate`, has the value and the interval of all of them.

    weight     (N,)  chance of this row's action under the new policy, divided by that under the old one
    reward     (N,)  what came of it
    predicted  (N,)  what a reward model expects of this row's action
    expected   (N,)  what the model expects of the new policy: the mean over the actions that it might show here

Inverse propensities: Horvitz and Thompson, JASA 1952; self-normalised: Swaminathan and Joachims, NeurIPS 2015; clipped:
Ionides, JCGS 2008; doubly robust: Dudik, Langford and Li, ICML 2011; switch: Wang, Agarwal and Dudik, ICML 2017.
"""

import numpy as np

NORMAL = 1.959963984540054      # 95 % of a normal distribution lie within so many standard deviations


def inverse_propensity(reward, weight):
    """Rows count as often as the new policy would have shown them: unbiased where the old one showed all that it may."""
    return weight * reward, np.ones(len(reward))


def clipped(reward, weight, most):
    """No row counts more than `most`: less variance, and too low for rewards of 0 and more."""
    return np.minimum(weight, most) * reward, np.ones(len(reward))


def self_normalised(reward, weight):
    """Divided by the sum of the weights in place of their number: a mean of rewards, slightly biased, never beyond them."""
    return weight * reward, weight


def direct(expected):
    """What the reward model says, whatever came: as right or as wrong as the model."""
    return expected, np.ones(len(expected))


def doubly_robust(reward, weight, predicted, expected):
    """The model, corrected by the weighted errors that it makes: unbiased if the model or the propensities are right."""
    return expected + weight * (reward - predicted), np.ones(len(reward))


def switch(reward, weight, predicted, expected, most):
    """Doubly robust, but a row that weighs more than `most` corrects nothing: there the model alone is believed."""
    return expected + np.where(weight <= most, weight, 0.0) * (reward - predicted), np.ones(len(reward))


def estimate(above, below, together=None, interval="normal", samples=1000, seed=0):
    """The value, its standard error and its 95 % interval.

    Parameters
    ----------
    above, below : array (N,)
        As an estimator gives them.
    together : array (N,) of int, or None
        Rows of the same number are drawn together: those of one visit, of one customer. None: each row alone.
    interval : str
        "normal", from the standard error; "bootstrap", between the percentiles of `samples` logs that are drawn from this
        one, which holds up better where few rewards carry the sum.
    samples, seed : int
        Of the bootstrap.

    Returns
    -------
    found : dict
        `value`, `error` (standard error), `low`, `high`.

    Example
    -------
    >>> rewards, weights = np.array([1.0, 0, 1, 0]), np.array([0.5, 2, 1, 0.5])
    >>> rb.off_policy.estimate(*rb.off_policy.inverse_propensity(rewards, weights))["value"]
    0.375
    """
    if together is not None:
        above, below = np.bincount(together, above), np.bincount(together, below)
    n, total = len(above), below.sum()
    value = above.sum() / total
    error = np.sqrt(((above - value * below) ** 2).sum() * n / max(n - 1, 1)) / total       # of a fraction: the delta method
    low, high = value - NORMAL * error, value + NORMAL * error
    if interval == "bootstrap":
        rng, drawn = np.random.default_rng(seed), np.empty(samples)
        for sample in range(samples):
            times = np.bincount(rng.integers(0, n, n), minlength=n)
            drawn[sample] = (times @ above) / (times @ below)
        low, high = np.percentile(drawn[np.isfinite(drawn)], [2.5, 97.5])
    return {"value": float(value), "error": float(error), "low": float(low), "high": float(high)}


def effective_size(weight):
    """How many rows of the new policy's own would be as certain: (sum of weights)^2 / sum of squared weights."""
    return float(weight.sum() ** 2 / (weight**2).sum())
