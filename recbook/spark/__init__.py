"""Spark for what no longer fits one machine: frames go in and frames, or models of this package, come out.

Four verbs: `read` a log and clean it (`once`, `core`, `sessions`, `encode`), `split` it by time, `train` (`als`,
`neighbours` and, for what learns by steps, `train`), and write everybody's `lists`. The same lines run on this machine and
on a cluster: only the address that `session` is given is another. On a cluster every machine needs this package, and
folders that are written have to be seen by all of them.
"""

try:
    import pyspark  # noqa: F401
except ImportError:
    raise ImportError('recbook.spark needs PySpark and Java: pip install "recbook[spark]".') from None

from recbook.spark.factors import SparkIALS, als
from recbook.spark.frames import core, encode, once, read, sessions, split
from recbook.spark.lists import lists
from recbook.spark.pairs import neighbours
from recbook.spark.session import session
from recbook.spark.together import train

__all__ = ["SparkIALS", "als", "core", "encode", "lists", "neighbours", "once", "read", "session", "sessions", "split", "train"]
