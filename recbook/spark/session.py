"""A Spark session, on this machine or on a cluster, that says what it has to say in a file."""

import os
import shutil
import sys
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from recbook.errors import ModelError


def session(master="local[2,4]", memory="1g", quick=False, log=None, **settings):
    """Start Spark, or take the session that is running.

    Parameters
    ----------
    master : str
        Where the work is done: "local[2,4]" is this machine, with two threads, and a task may fail three times before its
        job does; "spark://host:7077", "yarn" or "k8s://..." is a cluster. Nothing else changes.
    memory : str
        Of the driver, which on one machine is everything.
    quick : bool
        For small data: ready sooner, since Java compiles less, and slower where the work takes minutes.
    log : str, Path or None
        The file for what Spark's Java side says; None for a new one in the folder for temporary files.
    **settings
        Spark's own, with _ for the dots: `spark_sql_shuffle_partitions=4`.

    Returns
    -------
    spark : pyspark.sql.SparkSession

    Raises
    ------
    ModelError
        There is no Java, or Spark does not start.

    Example
    -------
    >>> spark = rb.spark.session()
    >>> spark.range(5).count()
    5
    """
    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    if not (shutil.which("java") or (Path(os.environ.get("JAVA_HOME", "")) / "bin" / "java").exists()):
        raise ModelError("Spark needs Java 17 or later, and there is no `java` here: apt-get install default-jre-headless, "
                         "or set JAVA_HOME.")
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")  # it says so at every call
    chosen = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.driver.memory": memory,
              "spark.sql.session.timeZone": "UTC", "spark.sql.execution.arrow.pyspark.enabled": "true"}
    if master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)         # workers have what this process has
        chosen |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.sql.shuffle.partitions": "4"}
    if quick:
        chosen |= {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC", "spark.sql.adaptive.enabled": "false",
                   "spark.sql.codegen.wholeStage": "false", "spark.sql.shuffle.partitions": "2"}
    builder = SparkSession.builder.master(master).appName("recbook")
    for name, value in (chosen | {name.replace("_", "."): str(value) for name, value in settings.items()}).items():
        builder = builder.config(name, value)
    log = Path(log or Path(tempfile.mkdtemp(prefix="recbook-spark-")) / "spark.log")
    with open(log, "a") as file, errors_into(file):
        try:
            spark = builder.getOrCreate()
        except (PySparkException, RuntimeError) as problem:
            raise ModelError(f"Spark does not start at {master!r} ({str(problem).splitlines()[0]}): see {log}.") from None
    if master.startswith("local"):                                      # on a cluster it has to be a folder that all see
        spark.sparkContext.setCheckpointDir(tempfile.mkdtemp(prefix="recbook-spark-"))
    return spark


@contextmanager
def errors_into(file):
    """What is started meanwhile, such as a JVM, writes its errors into a file for as long as it lives."""
    sys.stderr.flush()
    kept = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
