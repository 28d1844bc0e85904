"""Which items are met by the same users: counted in Spark, the same numbers as `ItemKNN`."""

from pyspark.sql import Window
from pyspark.sql import functions as F

from recbook.settings import check


def neighbours(log, k=50, shrink=0.0, latest=None):
    """Each item's nearest neighbours by cosine: overlap / (sqrt(n_i n_j) + shrink).

    A user with n items makes n (n - 1) / 2 pairs: a few users with very long histories can cost more than all others. With
    `latest` only so many of each user's last items count.

    Parameters
    ----------
    log : pyspark.sql.DataFrame
    k : int
        How many neighbours an item has; of equals those with the smaller ids.
    shrink : float
        How sceptical to be of items that few have met.
    latest : int or None
        How many of a user's last items count.

    Returns
    -------
    table : pyspark.sql.DataFrame
        Columns `item`, `neighbour`, `together` (how many users met both) and `similarity`; at most k rows an item.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> log = spark.createDataFrame([(1, 7, 1), (1, 8, 2), (2, 7, 1), (2, 8, 2), (2, 9, 3)], "user long, item long, timestamp long")
    >>> rb.spark.neighbours(log, k=1).where("item = 7").collect()
    [Row(item=7, neighbour=8, together=2, similarity=1.0)]
    """
    check("k", k)
    met = log.groupBy("user", "item").agg(F.max("timestamp").alias("timestamp"))
    if latest is not None:
        order = Window.partitionBy("user").orderBy(F.desc("timestamp"), F.desc("item"))
        met = met.withColumn("place", F.row_number().over(order)).where(F.col("place") <= latest)
    met = met.select("user", "item").persist()
    size = met.groupBy("item").count()
    other = met.withColumnRenamed("item", "neighbour")
    together = met.join(other, "user").where("item < neighbour").groupBy("item", "neighbour").agg(F.count(F.lit(1)).alias("together"))
    both = together.join(size.withColumnRenamed("count", "n_i"), "item").join(
        size.select(F.col("item").alias("neighbour"), F.col("count").alias("n_j")), "neighbour")
    both = both.withColumn("similarity", F.col("together") / (F.sqrt(F.col("n_i") * F.col("n_j")) + F.lit(float(shrink))))
    turned = both.select(F.col("neighbour").alias("item"), F.col("item").alias("neighbour"), "together", "similarity")
    order = Window.partitionBy("item").orderBy(F.desc("similarity"), "neighbour")
    found = both.select("item", "neighbour", "together", "similarity").unionByName(turned)
    return found.withColumn("place", F.row_number().over(order)).where(F.col("place") <= k).drop("place")
