"""Friends for newcomers: what do friends say about users of whom nothing else is known?

Data: Last.fm (friendships) and Ciao (trust), all ratings and listening counts as clicks. A fifth of the users who name
a friend, drawn with seed 0, are newcomers: nothing of theirs is trained on, and all that they met is asked for. All
items are ranked. Nothing is tuned.
"""

import argparse
import time

import numpy as np

import recbook
from recbook import results
from recbook.data import split_from_parts
from recbook.models import find_model

NAME = "social"
TITLE = "Newcomers: popularity, and what friends met"
PROTOCOL = "a fifth of the users with friends have no history; all that they met is right; all items are ranked"
METRICS = ("NDCG@10", "Recall@10")
DATASETS = {"hetrec2011-lastfm-2k": "Last.fm", "ciao": "Ciao"}
MODELS = {"popularity": "popularity", "friends": "friends"}


def newcomers(dataset, seed=0):
    """A split in which a fifth of those who name friends have no history."""
    naming = np.unique(dataset.friends["user"])
    chosen = np.random.default_rng(seed).permutation(naming)[: len(naming) // 5]
    events = dataset.interactions.drop_duplicates(["user", "item"])
    held_out = events["user"].isin(chosen)
    train, test = (events[held_out == part].reset_index(drop=True) for part in (False, True))
    return split_from_parts("newcomers", dataset, train, test.iloc[:0], test, mask=None)


def measure(model, split):
    """The numbers of one model on one data set."""
    fitted = find_model(model)(split.n_users, split.n_items).fit(split)
    return results.summary([recbook.evaluate(fitted, split.test, METRICS)])


def main(argv=None):
    argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0]).parse_args(argv)
    for name, called in DATASETS.items():
        split = newcomers(recbook.load(name))
        for model, title in MODELS.items():
            start = time.perf_counter()
            row = {"title": f"{called}, {title}", "measured": measure(model, split), "published": {}, "source": "",
                   "settings": {}}
            results.save(NAME, TITLE, PROTOCOL, {f"{name} {model}": row}, split.dataset, time.perf_counter() - start)
    print(results.table(NAME).to_string())


if __name__ == "__main__":
    main()
