"""Plain models on real clicks, all items ranked: neighbours, walks, regressions, factorizations, item2vec.

Protocol: `leave_last_out` (each user's last item is the test, the one before it validation, the rest trains; others'
later events train too, so that no clock would allow it). All items are ranked but those that the user has met; NDCG@10
and HR@10 are means over the users.

Settings are tried on validation by `--tune`, twenty for every model: four fits, each with five amounts of history read,
or, for the two that know a user by a trained vector and read nothing, after five lengths of training. (Popularity has no
setting.) Where the best stood on the border of a first grid, the grid was moved, once: the moved ones stand below. The
best by NDCG@10 is trained anew with validation included and tested, once; three rows are tested besides with all of a
history read and nothing else changed. 2,000 users drawn with seed 0 answer for validation. On the border of its moved
grid stayed item2vec (width and passes), user-knn (k) and item-knn (k: nearly the whole catalogue).
"""

import argparse
import itertools
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import recbook
from recbook import results
from recbook.data.batches import Pairs, SkipGrams
from recbook.evaluation import Comparison, average
from recbook.models import find_model

NAMES = {"ml-1m": "full_ranking", "amazon-beauty-2014": "full_ranking_beauty"}
TITLES = {"ml-1m": "MovieLens 1M, each user's last film among all films",
          "amazon-beauty-2014": "Amazon Beauty, each user's last item among all items"}
PROTOCOL = ("each user's last item, asked after all that came before it; all items are ranked but those that the user has "
            "met; ties in random order; later events of other users train; twenty settings of every model tried on the "
            "item before the last, the best tested once; item2vec from two seeds, the other trained models from one")
METRICS = ("NDCG@10", "HR@10")
READS = (1, 2, 5, 20, None)
EVERYTHING = 100_000                                                    # more events than anybody has
ROWS = {
    "popularity": "Popularity",
    "item-knn": "ItemKNN",
    "user-knn": "UserKNN",
    "rp3beta": "RP3beta",
    "ease": "EASE",
    "ials": "iALS",
    "pure-svd": "PureSVD",
    "bpr-mf": "BPR-MF",
    "logistic-mf": "MF, logistic loss",
    "item2vec": "item2vec",
    "item-knn-all": "ItemKNN, all of the history",
    "user-knn-all": "UserKNN, all of the history",
    "ease-all": "EASE, all of the history",
}
SETTINGS = {
    "ml-1m": {
        "popularity": {},
        "item-knn": {"k": 3000, "reads": 2},
        "user-knn": {"k": 20, "reads": 5},
        "rp3beta": {"k": 100, "beta": 0.3, "reads": 5},
        "ease": {"l2": 3000.0, "reads": 5},
        "ials": {"dim": 64, "unmet_weight": 0.3, "l2": 0.003, "reads": 5},
        "pure-svd": {"dim": 64, "reads": 5},
        "bpr-mf": {"dim": 64, "l2": 0.0025, "epochs": 20, "learning_rate": 0.005, "batch_size": 8192},
        "logistic-mf": {"dim": 64, "l2": 0.0025, "epochs": 20, "learning_rate": 0.005, "negatives": 4,
                        "batch_size": 8192},
        "item2vec": {"dim": 128, "window": 2, "epochs": 9, "batch_size": 16384, "learning_rate": 0.01, "reads": 2},
    },
}
for settings in SETTINGS.values():
    settings |= {f"{name}-all": settings[name] | {"reads": None} for name in ("item-knn", "user-knn", "ease")}
GRIDS = {
    "ml-1m": {
        "item-knn": {"k": [100, 300, 1000, 3000]},
        "user-knn": {"k": [20, 50, 150, 500]},
        "rp3beta": {"k": [100, 1000], "beta": [0.3, 0.6]},
        "ease": {"l2": [300.0, 1000.0, 3000.0, 10000.0]},
        "ials": {"dim": [64], "unmet_weight": [0.1, 0.3], "l2": [0.003, 0.01]},
        "pure-svd": {"dim": [16, 32, 64, 128]},
        "bpr-mf": {"dim": [64], "l2": [0.0006, 0.0025], "learning_rate": [0.005, 0.01], "batch_size": [8192]},
        "logistic-mf": {"dim": [64], "l2": [0.0025, 0.01], "learning_rate": [0.005, 0.01], "negatives": [4],
                        "batch_size": [8192]},
        "item2vec": {"dim": [64, 128], "window": [2], "epochs": [3, 9], "batch_size": [16384], "learning_rate": [0.01]},
    },
    "amazon-beauty-2014": {
        "item-knn": {"k": [50, 200], "shrink": [0.0, 20.0]},
        "user-knn": {"k": [50, 150, 500, 1500]},
        "rp3beta": {"k": [100, 1000], "beta": [0.3, 0.6]},
        "ease": {"l2": [30.0, 100.0, 300.0, 1000.0]},
        "ials": {"dim": [64], "unmet_weight": [0.01, 0.05], "l2": [0.003, 0.01]},
        "pure-svd": {"dim": [64, 128, 256, 512]},
        "bpr-mf": {"dim": [64], "l2": [0.005, 0.02], "learning_rate": [0.002, 0.005], "batch_size": [4096]},
        "logistic-mf": {"dim": [64], "l2": [0.0025, 0.01], "learning_rate": [0.002, 0.005], "negatives": [4],
                        "batch_size": [4096]},
        "item2vec": {"dim": [64], "window": [5, 20], "epochs": [10, 30], "batch_size": [4096],
                     "learning_rate": [0.01]},
    },
}
LENGTHS = {"ml-1m": (4, 8, 12, 16, 20), "amazon-beauty-2014": (10, 20, 30, 40, 50)}    # epochs
SEEDS = (0, 1)
TRAINED = ("bpr-mf", "logistic-mf")                                     # these read no history
SEEDED = ("item2vec",)                                                  # more than one


def train(name, split, settings, seed=0, **options):
    """A model with these settings: (model, history of its training)."""
    settings, name = dict(settings), name.removesuffix("-all")
    reads = settings.pop("reads", "its own")
    negatives, window = settings.pop("negatives", None), settings.pop("window", None)
    training = {key: settings.pop(key) for key in ("epochs", "batch_size", "learning_rate") if key in settings}
    recbook.seed_everything(seed)
    model = find_model(name)(split.n_users, split.n_items, **settings)
    if negatives:
        model.batches = Pairs(negatives)
    if window:
        model.batches = SkipGrams(window, negatives=5)
    if name == "item2vec":
        options["schedule"] = lambda share: 1 - share
    history = recbook.fit(model, split, seed=seed, device="cpu", progress=False, **training, **options)
    if reads != "its own":
        model.reads = reads or EVERYTHING
    return model, history


def tune(name, split):
    """Print NDCG@10 on validation of each of the model's twenty settings."""
    cases, grid = split.validation, GRIDS[split.dataset.name][name]
    cases = cases.subset(np.random.default_rng(0).permutation(len(cases)) < 2000)
    split = replace(split, validation=cases)
    for values in itertools.product(*grid.values()):
        settings = dict(zip(grid, values))
        start = time.perf_counter()
        if name in TRAINED:
            lengths = LENGTHS[split.dataset.name]
            _, history = train(name, split, settings | {"epochs": lengths[-1]}, metric="NDCG@10",
                               validate_every=lengths[0])
            found = dict(history.dropna()[["epoch", "NDCG@10"]].round(4).to_numpy().tolist())
        else:
            model, _ = train(name, split, settings)
            found = {}
            for reads in READS:
                model.reads = reads or EVERYTHING
                found[reads] = round(recbook.evaluate(model, cases, ["NDCG@10"])["NDCG@10"], 4)
        print(name, settings, found, f"{time.perf_counter() - start:.0f} s", flush=True)


def measure(name, split):
    """One model with its settings, on the test: a report, averaged over seeds where it starts at random."""
    settings = SETTINGS[split.dataset.name][name]
    seeds = SEEDS if name in SEEDED else SEEDS[:1]
    reports = [recbook.evaluate(train(name, split.refit(), settings, seed)[0], split.test, METRICS, seed=seed)
               for seed in seeds]
    return average(reports) if len(reports) > 1 else reports[0]


def rows(reports, kept, dataset):
    """What `results.save` writes: each model's numbers, and how much better it is than the others, `kept` ones too."""
    compared = Comparison(kept | reports)
    return {name: {"title": ROWS[name], "measured": results.summary(report.runs or (report,)), "published": {},
                   "source": "", "settings": SETTINGS[dataset.name][name],
                   "less": {other: {metric: compared.difference(name, other, metric) for metric in METRICS}
                            for other in compared.reports if other != name}}
            for name, report in reports.items()}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="full_ranking", description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", choices=list(NAMES), default="ml-1m")
    parser.add_argument("--only", choices=list(ROWS), nargs="+", help="default: all of them")
    parser.add_argument("--keep", type=Path, help="a folder for each model's values, read where they are there")
    parser.add_argument("--tune", action="store_true", help="show validation; writes nothing")
    arguments = parser.parse_args(argv)
    split = recbook.leave_last_out(recbook.load(arguments.dataset))
    if arguments.tune:
        for name in arguments.only or GRIDS[arguments.dataset]:
            tune(name, split.sealed())
        return
    names = arguments.only or list(SETTINGS[arguments.dataset])
    start, reports, others = time.perf_counter(), {}, {}
    for name, settings in SETTINGS[arguments.dataset].items():
        file = arguments.keep and arguments.keep / f"{arguments.dataset} {name} {settings}"
        if name in names:
            reports[name] = results.kept(file, lambda: measure(name, split))
            print(name, {metric: round(reports[name][metric], 4) for metric in METRICS}, flush=True)
        elif file and Path(f"{file}.npz").exists():                     # measured before: only compared with
            others[name] = results.kept(file, None)
    results.save(NAMES[arguments.dataset], TITLES[arguments.dataset], PROTOCOL, rows(reports, others, split.dataset),
                 split.dataset, time.perf_counter() - start, SEEDS)


if __name__ == "__main__":
    main()
