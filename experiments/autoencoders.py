"""Autoencoders on MovieLens: AutoRec's RMSE, and Mult-DAE and Mult-VAE on users that no model has seen.

ml_1m_autorec: Sedhain, Menon, Sanner and Xie, *AutoRec*, WWW 2015, tables 1 and 2: a random tenth of the ratings is
tested, and the RMSE is the mean over splits (there five); here the splits are the first of ten random folds. Predictions
are clipped to 1 to 5. Settings were searched by `--tune` on a tenth of the first fold's training ratings.

strong_generalisation: Liang, Krishnan, Hoffman and Jebara, *Variational Autoencoders for Collaborative Filtering*, WWW
2018. Ratings of 4 and more are clicks, users have at least five; held-out users are folded in from 80 % of their clicks,
drawn at random, and asked for the rest. Recall@k is theirs: divided by min(k, right items). There is no published table of
this for ml-1m; for ml-20m (10,000 + 10,000 users), if it is present, there is. Six settings of each model are tried on
the validation users, the best by NDCG@100 is asked about the test users, once. The autoencoders stop, in tuning as in the
end, where validation is best, and are trained from several seeds, as iALS is.
"""

import argparse
import itertools
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import recbook
from recbook import results
from recbook.data.splits import rating_split
from recbook.evaluation import Comparison, Report, average, predict_ratings
from recbook.models import find_model

SPLITS = 5
SEEDS = (0, 1, 2)
AUTOREC = {"dim": 500, "epochs": 12, "batch_size": 128, "learning_rate": 0.001}
AUTOREC_ROWS = {
    "i-autorec": ("I-AutoRec", 0.831, {"by": "item", "l2": 100.0, **AUTOREC}),
    "u-autorec": ("U-AutoRec", 0.874, {"by": "user", "l2": 100.0, **AUTOREC}),
    "identity-identity": ("I-AutoRec, output identity, code identity", 0.872,
                          {"by": "item", "l2": 100.0, "activation": "identity", **AUTOREC}),
    "sigmoid-identity": ("I-AutoRec, output sigmoid, code identity", 0.852,
                         {"by": "item", "l2": 100.0, "activation": "identity", "output": "sigmoid", **AUTOREC}),
    "sigmoid-sigmoid": ("I-AutoRec, output sigmoid, code sigmoid", 0.836,
                        {"by": "item", "l2": 100.0, "output": "sigmoid", **AUTOREC}),
}
STRONG = {"ml-1m": 500, "ml-20m": 10_000}
NAMES = {"ml-1m": "strong_generalisation", "ml-20m": "strong_generalisation_ml_20m"}
HELD_OUT_SEED = 1
STRONG_ROWS = {
    "popularity": "Popularity",
    "item-knn": "ItemKNN",
    "ials": "iALS",
    "ease": "EASE",
    "mult-dae": "Mult-DAE",
    "mult-vae": "Mult-VAE",
}
TRAINING = {"epochs": [30], "batch_size": [100], "patience": [2], "validate_every": [2], "precision": ["bfloat16"]}
GRIDS = {                                                               # six settings of each
    "item-knn": {"k": [100, 200, 400], "shrink": [0.0, 50.0]},
    "ials": {"dim": [128], "unmet_weight": [0.1, 0.2, 0.4], "l2": [0.003, 0.01]},
    "ease": {"l2": [100.0, 200.0, 300.0, 450.0, 650.0, 1000.0]},
    "mult-dae": {"dim": [200], "dropout": [0.5, 0.6, 0.7], "learning_rate": [0.001, 0.002], **TRAINING},
    "mult-vae": {"dim": [200], "hidden": [600], "dropout": [0.5, 0.7], "beta": [0.1, 0.2, 0.4], "annealing": [500],
                 "learning_rate": [0.002], **TRAINING},
}
SEEDED = ("ials", "mult-dae", "mult-vae")                               # from several seeds
PUBLISHED = {"ml-20m": {"mult-vae": (0.395, 0.537, 0.426), "mult-dae": (0.387, 0.524, 0.419),
                        "ease": (0.391, 0.521, 0.420)}}
FIT = ("epochs", "batch_size", "learning_rate", "patience", "validate_every", "precision")


def capped_recall(k):
    """Recall as Liang et al. define it: a list of k that holds nothing but right items has 1."""
    def measure(ranks):
        return ranks.sum(ranks.rank < k) / np.minimum(ranks.n_right, k)

    measure.__name__ = f"Recall@{k}"
    return measure


METRICS = (capped_recall(20), capped_recall(50), "NDCG@100")


def train(name, split, settings, seed=0, **options):
    """A model with these settings of its class and of `fit`: (model, history)."""
    settings = dict(settings)
    training = {key: settings.pop(key) for key in FIT if key in settings}
    recbook.seed_everything(seed)
    model = find_model(name)(split.n_users, split.n_items, **settings)
    if "patience" in training:
        options["metric"] = "NDCG@100"
    return model, recbook.fit(model, split, seed=seed, device="cpu", progress=False, **training, **options)


def timed(make):
    """What `make` gives, and the seconds it took."""
    start = time.perf_counter()
    return make(), time.perf_counter() - start


# ------------------------------------------------------------------------------------------------ ratings


def squared_errors(model, cases):
    """Of predictions clipped to 1 to 5 stars: (N,)."""
    return (predict_ratings(model, cases).clip(1, 5) - cases.rating) ** 2


def falling(share):
    return 1 - share


def measure_autorec(row, split):
    """Squared errors of a row on one split: a report."""
    _, _, settings = AUTOREC_ROWS[row]
    model, history = train("autorec", split, settings, schedule=falling)
    print(row, split.name, f"loss {history['loss'].iloc[-1]:.4f}, {history['seconds'].sum():.0f} s", flush=True)
    return Report({"RMSE": squared_errors(model, split.test)}, {"RMSE": split.test.users})


def tune_autorec(row, changes):
    """Print the RMSE on validation, a tenth of the first fold's training ratings."""
    first = recbook.random_folds(recbook.load("ml-1m"), 10)[0].sealed()
    validation = np.random.RandomState(0).permutation(len(first.train))[:len(first.train) // 10]
    split = rating_split("validation", replace(first.dataset, interactions=first.train), np.sort(validation))
    settings = AUTOREC_ROWS[row][2] | changes
    start = time.perf_counter()
    _, history = train("autorec", replace(split, validation=split.test), settings, schedule=falling, metric="RMSE",
                       validate_every=5)
    print(row, settings, dict(history.dropna()[["epoch", "RMSE"]].round(4).to_numpy().tolist()),
          f"{time.perf_counter() - start:.0f} s", flush=True)


def run_autorec(rows, splits, keep):
    folds = recbook.random_folds(recbook.load("ml-1m"), 10)[:splits]
    for row in rows:
        title, published, settings = AUTOREC_ROWS[row]
        reports, seconds = [], 0.0
        for fold in folds:
            path = keep and keep / f"{row} {fold.name} {settings}"
            report, took = results.kept(path, lambda: timed(lambda: measure_autorec(row, fold)))
            reports, seconds = [*reports, report], seconds + took
        errors = np.concatenate([report.values["RMSE"] for report in reports])
        users = np.concatenate([report.users["RMSE"] for report in reports])
        by_split = [float(report["RMSE"]) for report in reports]
        (measured,) = results.summary([Report({"RMSE": errors}, {"RMSE": users})]).values()
        measured["value"] = float(np.mean(by_split))
        if splits > 1:
            measured |= {"values": by_split, "spread": float(np.std(by_split, ddof=1))}
        drawn = "Other splits than the paper's five" if splits == SPLITS else f"{splits} splits in place of the paper's five"
        note = (f"{drawn}; Adam on batches, where the paper has RProp or L-BFGS; the same settings in all rows, "
                "searched by a few tries on validation.")
        if settings.get("activation") == "identity":
            note += " The penalty was searched for a sigmoid code; a linear one overfits with it, and was not tuned."
        results.save("ml_1m_autorec", "AutoRec on MovieLens 1M, RMSE", "a random tenth of the ratings is tested; mean over "
                     "splits; predictions clipped to 1 to 5",
                     {row: {"title": title, "measured": {"RMSE": measured}, "published": {"RMSE": published},
                            "source": "Sedhain et al., WWW 2015", "settings": settings, "note": note}},
                     folds[0].dataset, seconds, range(splits))
        print(row, measured, flush=True)


# ------------------------------------------------------------------------------------------------ strangers


def strong_split(name):
    """Ratings of 4 and more; who has five of them; as many held-out users as the paper has, or 500."""
    dataset = recbook.load(name)
    liked = dataset.interactions.query("rating >= 4").reset_index(drop=True)
    return recbook.strong_generalisation(replace(dataset, interactions=liked), held_out=STRONG[name], seed=HELD_OUT_SEED)


def train_strong(row, split, settings, seed=0):
    """A model of a row, and how many epochs of it were kept; None where it is solved."""
    if row == "ials":
        settings = settings | {"seed": seed}
    model, history = train(row, split, settings, seed)
    return model, int(history["NDCG@100"].idxmax()) + 1 if "NDCG@100" in history else None


def settings_of(row):
    """The settings of a row's grid; of a row without one, its only setting."""
    grid = GRIDS.get(row, {})
    return [dict(zip(grid, values)) for values in itertools.product(*grid.values())]


def tried(row, split, settings):
    """NDCG@100 on validation of one setting. The split has no test."""
    model, epochs = train_strong(row, split, settings)
    found = recbook.evaluate(model, split.validation, ["NDCG@100"])["NDCG@100"]
    print(row, settings, f"{found:.4f}", epochs or "", flush=True)
    return found


def measure_strong(row, split, settings, seed):
    """A report on the test users, and how many epochs were kept."""
    model, epochs = train_strong(row, split, settings, seed)
    report = recbook.evaluate(model, split.test, METRICS)
    print(row, seed, {name: round(report[name], 4) for name in report.values}, epochs or "", flush=True)
    return report, epochs


def run_strong(name, rows, seeds, keep):
    split = strong_split(name)
    reports, settings, seconds = {}, {}, 0.0
    for row in STRONG_ROWS:
        own = seeds if row in SEEDED else seeds[:1]
        if row not in rows and not (keep and all(Path(f"{keep / name / f'{row} {seed}'}.npz").exists() for seed in own)):
            continue
        by_setting = {}
        for number, given in enumerate(settings_of(row)):
            by_setting[number], took = results.kept(keep and keep / name / f"{row} {given}",
                                                    lambda: timed(lambda: tried(row, split.sealed(), given)))
            seconds += took
        best, found = settings_of(row)[max(by_setting, key=by_setting.get)], []
        for seed in own:
            (report, epochs), took = results.kept(keep and keep / name / f"{row} {seed}",
                                                  lambda: timed(lambda: measure_strong(row, split, best, seed)))
            found, seconds = [*found, (report, epochs)], seconds + took
        reports[row] = average([report for report, _ in found]) if len(found) > 1 else found[0][0]
        lengths = [epochs for _, epochs in found if epochs]
        settings[row] = best | ({"epochs": lengths} if lengths else {})
    comparison, table = Comparison(reports), {}
    for row, report in reports.items():
        published = dict(zip(report.values, PUBLISHED.get(name, {}).get(row, ())))
        table[row] = {"title": STRONG_ROWS[row], "measured": results.summary(report.runs or (report,)),
                      "published": published, "source": "Liang et al. 2018; EASE: Steck 2019" if published else "",
                      "settings": settings[row],
                      "less": {other: {metric: comparison.difference(row, other, metric) for metric in report.values}
                               for other in reports if other != row}}
        if row in GRIDS:
            runs = f"{len(report.runs)} seeds; " if report.runs else ""
            table[row]["note"] = (f"{runs}settings: the best of six on validation, by NDCG@100"
                                  f"{', epochs as many as were best there' if 'epochs' in settings[row] else ''}.")
        if published:
            table[row]["note"] += " Other held-out users than the paper's: theirs are drawn by its own code."
    results.save(NAMES[name], f"Users that no model has seen, {name}", f"ratings of 4 and more; {len(split.test):,} users "
                 "for validation and as many for the test, folded in from 80 % of their clicks, asked for the others among "
                 "all items; Recall@k is divided by min(k, right items); six settings of each model tried on validation, "
                 "the best asked about the test once", table, split.dataset, seconds, seeds)


def setting(text):
    """`l2=50` as ("l2", 50.0), `epochs=30` as ("epochs", 30)."""
    name, _, value = text.partition("=")
    return name, value if value.isalpha() else float(value) if "." in value else int(value)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="autoencoders", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=[*AUTOREC_ROWS, *STRONG_ROWS], default=[*AUTOREC_ROWS, *STRONG_ROWS],
                        metavar="ROW", help="measure these rows: %(choices)s; default: all of them")
    parser.add_argument("--dataset", choices=list(STRONG), default="ml-1m", help="whose users are held out")
    parser.add_argument("--splits", type=int, default=SPLITS, help="of the ratings")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="of the autoencoders of clicks, and of iALS")
    parser.add_argument("--keep", type=Path, help="a folder where each run is kept, so that it need not run again")
    parser.add_argument("--tune", nargs="*", type=setting, metavar="NAME=VALUE",
                        help="of ratings: show validation with these settings changed; writes nothing")
    arguments = parser.parse_args(argv)
    ratings, clicks = ([row for row in table if row in arguments.only] for table in (AUTOREC_ROWS, STRONG_ROWS))
    if arguments.tune is not None:
        for row in ratings:
            tune_autorec(row, dict(arguments.tune))
        return
    if ratings:
        run_autorec(ratings, arguments.splits, arguments.keep)
    if clicks:
        run_strong(arguments.dataset, clicks, tuple(range(arguments.seeds)), arguments.keep)


if __name__ == "__main__":
    main()
