"""Spark's ALS for implicit feedback, asked in this package's settings and given back as an `IALS`.

Hu, Koren and Volinsky, ICDM 2008, as in Spark's `ALS(implicitPrefs=True)`. It minimises::

    sum over met (u, i) of (1 + alpha) (1 - x_u . y_i)^2  +  sum over unmet (u, i) of (x_u . y_i)^2
    +  regParam * (sum over u of n_u |x_u|^2  +  the same for items)

Put x = sqrt(1 + w) p and y = sqrt(1 + w) q with w = 1 / alpha, and divide by alpha (1 + w)^2: up to a constant this is
the objective of `IALS` with unmet_weight w and the penalty l2 * n_u where that has l2 * (n_u + w n_items)^exponent, and
l2 = regParam / (alpha + 1).
"""

import numpy as np
import torch
from pyspark.ml.recommendation import ALS

from recbook.errors import DataError
from recbook.models import IALS
from recbook.spark.frames import refuse_text


class SparkIALS(IALS):
    """`IALS` with the penalty of Spark's ALS: l2 times n_u times the squared length of p_u, and the same for items.

    Parameters
    ----------
    n_users, n_items, dim, unmet_weight, l2, sweeps, seed, reads
        As in `IALS`.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.spark.SparkIALS(*sizes, dim=8, sweeps=3).fit(split)
    >>> model.top(shop.history(7), k=4)[0].shape
    torch.Size([1, 4])
    """

    def __init__(self, n_users, n_items, dim=32, unmet_weight=0.1, l2=0.01, sweeps=10, seed=0, reads=None):
        super().__init__(n_users, n_items, dim, unmet_weight, l2, 1.0, sweeps, seed, reads)

    def penalty(self, size, others):
        return self.l2 * size.clamp(min=1)                              # padding must not divide by zero


def als(log, n_users, n_items, dim=32, unmet_weight=0.1, l2=0.01, sweeps=10, seed=0, reads=None):
    """Factors from Spark's ALS, as a model of this package.

    The items' vectors are Spark's, on the scale of `IALS`; a user's is solved for from the history at hand, which gives
    Spark's own for the history that trained.

    Parameters
    ----------
    log : pyspark.sql.DataFrame
        Users and items as numbers from 0; a pair counts once.
    n_users, n_items : int
    dim, unmet_weight, l2, sweeps, seed, reads
        As in `SparkIALS`.

    Returns
    -------
    model : SparkIALS

    Raises
    ------
    DataError
        Ids that are no numbers, or numbers beyond the sizes.
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> log = spark.createDataFrame(shop.interactions[["user", "item", "timestamp"]])
    >>> model = rb.spark.als(log, *sizes, dim=4, sweeps=1)
    >>> model.top(shop.history(7), k=4)[0].shape
    torch.Size([1, 4])
    """
    model = SparkIALS(n_users, n_items, dim, unmet_weight, l2, sweeps, seed, reads)
    refuse_text(log, "user", "item")
    alpha = 1 / unmet_weight
    solver = ALS(rank=dim, implicitPrefs=True, alpha=alpha, regParam=l2 * (alpha + 1), maxIter=sweeps, seed=seed,
                 checkpointInterval=5,      # or, after some twenty sweeps, Spark's stack overflows: each remembers all before it
                 userCol="user", itemCol="item", ratingCol="met")
    fitted = solver.fit(log.select("user", "item").distinct().selectExpr("int(user)", "int(item)", "1f as met"))
    factors = fitted.itemFactors.toPandas()
    users = fitted.userFactors.agg({"id": "max"}).first()[0]
    for what, largest, size in (("item", factors["id"].max(), n_items), ("user", users, n_users)):
        if largest >= size:
            raise DataError(f"{what} {largest}, but n_{what}s={size}: numbers go from 0 to {size - 1}.")
    rows = torch.from_numpy(factors["id"].to_numpy(np.int64, copy=True))
    vectors = torch.from_numpy(np.array(factors["features"].tolist(), dtype=np.float32))
    model.item[rows] = vectors / (1 + unmet_weight) ** 0.5
    return model
