"""Run the benchmarks and write `results/benchmarks.json`: python benchmarks/run.py [NAME ...]; more: --help"""

import argparse
import os
import time
from importlib import import_module

import common
import pandas as pd
from recbook import results

BENCHMARKS = ("bpr_recbole", "ials_implicit", "itemknn_implicit", "svd_surprise", "neumf_recbole", "multvae_recbole",
              "sequential_recbole",
              "recbole_accuracy", "caser_to_best", "ranking_speed", "big_shop", "shop_front", "tricks",
              "one_pass", "sparse_logs")
LONG = ("recbole_accuracy", "caser_to_best")


def run(name, **choice):
    """Measure one benchmark, or some `models` of it, and write its rows."""
    load, start = os.getloadavg()[0], time.perf_counter()
    openmp = {key: value for key, value in os.environ.items() if key.startswith("OMP_")}
    rows = import_module(name).rows
    dataset, rows = rows(**choice)
    for row in rows.values():
        row["settings"] |= {"load average at start": round(load, 2), "environment": openmp}
    results.save(common.NAME, common.TITLE, common.PROTOCOL, rows, dataset, time.perf_counter() - start)


def table():
    """A frame of the results: one row a benchmark."""
    rows = {}
    for row in results.load(common.NAME)["rows"].values():
        numbers = {name: f"{number['value']:.4g}" for name, number in row["measured"].items()}
        targets = ", ".join(f"{name} {limit:g}" for name, limit in row["targets"].items())
        rows[row["title"]] = numbers | {"at most": targets, "met": met(row), "peer": row["source"]}
    return pd.DataFrame.from_dict(rows, orient="index").fillna("")


def met(row):
    """Whether every target is met."""
    return all(row["measured"][name]["value"] <= limit for name, limit in row["targets"].items())


def main(argv=None):
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__.partition(":")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all of them")
    parser.add_argument("--only", metavar="MODEL", help="of a benchmark of several models, one")
    parser.add_argument("--keep", metavar="FOLDER", help="of a long benchmark: an interrupted run goes on, turn by turn")
    arguments = parser.parse_args(argv)
    names = arguments.names
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    for name in (names or BENCHMARKS) if arguments.only else ():
        models = getattr(import_module(name), "MODELS", ())
        if arguments.only not in models:
            parser.error(f"--only {arguments.only}: {name} has {', '.join(models) or 'no models to choose from'}")
    if arguments.keep and names not in ([name] for name in LONG):
        parser.error(f"--keep: name one of {', '.join(LONG)}, alone")
    choice = {"models": arguments.only and [arguments.only], "keep": arguments.keep}
    for name in names or BENCHMARKS:
        print(f"{name}, load average {os.getloadavg()[0]:.1f}", flush=True)
        run(name, **{key: value for key, value in choice.items() if value})
    print(table().to_string())


if __name__ == "__main__":
    main()
