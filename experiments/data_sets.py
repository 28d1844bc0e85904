"""What public data sets are like: sizes, emptiness, the share of the popular, and how often people return.

Counted, not measured: there is nothing to tune, to repeat or to compare with. One row a data set.
"""

import argparse
import time

import pandas as pd

import recbook
from recbook import results

NAME = "data_sets"
TITLE = "Public data sets by the same measures"
PROTOCOL = "`Dataset.describe()` of the files as their provider gives them"
TITLES = {
    "ml-100k": "MovieLens 100K", "ml-1m": "MovieLens 1M", "ciao": "Ciao",
    "hetrec2011-lastfm-2k": "Last.fm", "amazon-beauty-2014": "Amazon Beauty",
    "amazon-scientific-2018": "Amazon Scientific", "taobao-userbehavior-100k": "Taobao, excerpt",
    "diginetica-sessions": "Diginetica",
}


def measure(name):
    """What `describe` says of a data set: the content of its row, and the data set."""
    dataset = recbook.load(name)
    facts = {fact: {"value": float(value)} for fact, value in dataset.describe().items()}
    return {"title": TITLES[name], "measured": facts, "published": {}, "source": "", "settings": {}}, dataset


def table():
    """A frame: one row a data set, one column a fact."""
    rows = results.load(NAME)["rows"].values()
    return pd.DataFrame({row["title"]: {fact: number["value"] for fact, number in row["measured"].items()}
                         for row in rows}).T


def main(argv=None):
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", choices=TITLES, help="default: all of them")
    arguments = parser.parse_args(argv)
    for name in [arguments.dataset] if arguments.dataset else TITLES:
        start = time.perf_counter()
        row, dataset = measure(name)
        results.save(NAME, TITLE, PROTOCOL, {name: row}, dataset, time.perf_counter() - start)
    print(table().round(4).to_string())


if __name__ == "__main__":
    main()
