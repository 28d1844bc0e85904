"""How often each place of a slate is looked at, from the clicks alone: the position-based model.

P(click on i at place k) = examination of k times attraction of i. Craswell, Zoeter, Taylor and Ramsey, *An Experimental
Comparison of Click Position-Bias Models*, WSDM 2008; by regression from logs: Wang et al., WSDM 2018.

Differs from the papers: the two factors are fitted to counts of clicks (a Poisson likelihood), each in closed form while
the other is held, in place of EM.
"""

import numpy as np

from recbook.errors import DataError


def examination(item, position, click, sweeps=200):
    """Examination of each place, the first one's being 1, and each item's attraction.

    An item that stood at several places tells them apart; so the places are compared item by item, and a place that the
    better items hold is not taken for one that is looked at more.

    Parameters
    ----------
    item, position : array (N,) of int, from 0
    click : array (N,)
        1 where it was clicked, else 0.
    sweeps : int
        How often the two factors are fitted in turn, at most.

    Returns
    -------
    examination : array (K,)
    attraction : array (n_items,)
        NaN for an item that was never shown.

    Raises
    ------
    DataError
        No click at all, or none at the first place: nothing to compare with.

    Example
    -------
    >>> item = np.array([0, 0, 1, 1] * 50)
    >>> position = np.array([0, 1, 0, 1] * 50)
    >>> click = np.array(([1, 1, 0, 0] + [1, 0, 0, 0]) * 25)
    >>> rb.off_policy.examination(item, position, click)[0]
    array([1. , 0.5])
    """
    item, position, click = (np.asarray(values) for values in (item, position, click))
    size = int(position.max()) + 1, int(item.max()) + 1
    shown = np.bincount(position * size[1] + item, minlength=size[0] * size[1]).reshape(size)              # (K, N)
    clicks = np.bincount(position * size[1] + item, click, minlength=size[0] * size[1]).reshape(size)
    if not clicks[0].sum() > 0:
        raise DataError("Nothing was clicked at the first place: the others cannot be compared with it.")
    seen = np.ones(size[0])
    with np.errstate(invalid="ignore"):
        for _ in range(sweeps):
            attraction = clicks.sum(0) / (seen @ shown)                                         # NaN: never shown
            before, seen = seen, clicks.sum(1) / (shown @ np.nan_to_num(attraction))
            attraction, seen = attraction * seen[0], seen / seen[0]
            if np.allclose(before, seen, rtol=1e-10, atol=0):
                break
    return seen, attraction
