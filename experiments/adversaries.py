"""CFGAN on MovieLens 100K beside models that are solved, each with as many settings tried.

cfgan: Chae, Kang, Kim and Lee, *CFGAN*, CIKM 2018: a random fifth of all ratings is tested, every rating counts as a
click, all items but the user's training items are ranked. Published values as listed in the code of Pérez Maurera,
Ferrari Dacrema and Cremonesi, *An Evaluation Study of Generative Adversarial Networks for Collaborative Filtering*,
ECIR 2022, who ran the authors' code again.

What differs: the authors' split lies beside their code (github.com/Bigdasgit/CFGAN), with ids of its own; here another
fifth is drawn, by seed 0. Their code (by items, ZP, hidden layers of 400 and 125, weight .03 on the zeros, 750 to 1000
epochs at a rate of .0001, two rounds of the discriminator to four of the generator) has no validation part. Here a
tenth of the other ratings is validation: `--tune` shows the best NDCG@5 there, and after how many epochs, for TRIES
settings of one model, drawn by a seed, the same number for each. Then the best settings are written into ROWS, and the model
is trained on all of the four fifths and tested, once a seed.

cfgan_steps: the game for as long as its authors', some 48,000 batches, with both sides moving at every batch, and with a
discriminator that moves at every second one only (theirs moves at every fourth): the test after so many batches. All of
it is shown, and nothing is chosen by it.
"""

import argparse
import time
from pathlib import Path

import numpy as np

import recbook
from recbook import results
from recbook.data.splits import split_from_parts
from recbook.evaluation import Comparison, average
from recbook.models import find_model

NAME = "cfgan"
METRICS = ("Precision@5", "NDCG@5")
SEEDS = (0,)
TRIES = 6
FIT = ("epochs", "batch_size", "learning_rate")
LONGEST = 100                                                           # epochs; every tenth of it is validated
ROWS = {
    "popularity": ("Popularity", "popularity", {}),
    "item-knn": ("ItemKNN", "item-knn", {"k": 200, "shrink": 50.0, "similarity": "jaccard"}),
    "ease": ("EASE", "ease", {"l2": 300.0}),
    "cfgan": ("CFGAN by items, ZP", "cfgan", {"by": "item", "hidden": 64, "zero_weight": 0.1, "epochs": 90, "batch_size": 64,
                                              "learning_rate": 0.003}),
    "cfgan-alone": ("CFGAN's generator alone, by squared error", "cfgan",
                    {"by": "item", "hidden": 64, "zero_weight": 0.1, "epochs": 50, "batch_size": 64, "learning_rate": 0.001}),
}
CURVES = {
    "both move": ("CFGAN, both move at every batch", ROWS["cfgan"][2]),
    "half": ("CFGAN, the discriminator at every second batch", ROWS["cfgan"][2] | {"half": True}),
    "alone": ("CFGAN's generator alone, by squared error", ROWS["cfgan-alone"][2]),
}
SHOWN = (30, 90, 225, 450, 900, 1778)                                   # after so many epochs; the last, 48,006 batches
SPACE = {
    "item-knn": {"k": (20, 50, 100, 200, 400), "shrink": (0.0, 10.0, 50.0, 200.0), "similarity": ("cosine", "jaccard")},
    "ease": {"l2": (30.0, 100.0, 200.0, 300.0, 500.0, 1000.0)},
    "cfgan": {"zero_weight": (0.03, 0.1, 0.3), "learning_rate": (0.003, 0.01)},         # shares: the authors', the default
    "cfgan-alone": {"zero_weight": (0.01, 0.03, 0.1), "learning_rate": (0.001, 0.003)},
}
PUBLISHED = {"cfgan": dict(zip(METRICS, (0.444, 0.476)))}
SOURCE = "Chae et al., CIKM 2018"


def random_split(dataset, seed=0):
    """Of all interactions, at random: 72 in a hundred for training, 8 for validation, 20 for the test."""
    part = np.random.RandomState(seed).permutation(np.arange(len(dataset.interactions)) % 25)
    rows = dataset.interactions
    train, validation, test = (rows[chosen].reset_index(drop=True)
                               for chosen in (part < 18, (part >= 18) & (part < 20), part >= 20))
    return split_from_parts("random fifth", dataset, train, validation, test)


class HalfAsOften(recbook.CFGAN):
    """The discriminator moves at every second batch only."""

    moves = True

    def loss(self, batch):
        losses, self.moves = super().loss(batch), not self.moves
        return losses if self.moves else losses | {"discriminator": losses["discriminator"].detach()}


def build(row, split, settings):
    _, name, _ = ROWS[row]
    settings = dict(settings)
    kind = HalfAsOften if settings.pop("half", False) else find_model(name)
    model = kind(split.n_users, split.n_items, **settings)
    if row == "cfgan-alone":
        model.loss = lambda batch: squared_error(model, batch)
    return model


def squared_error(model, batch):
    """What CFGAN's generator learns without an adversary: what was met shall come out as 1, some of the rest as 0."""
    met = model.filled(batch.owner, batch.users, len(batch.owners))
    zero = (1 - met) * (model.chance(met) < model.zero_share)
    written = model.generator(met).sigmoid()
    return (met * (1 - written).square() + model.zero_weight * zero * written.square()).sum(1).mean()


def train(row, split, settings, seed=0, **options):
    """A model and the history of its training; `options` go to `fit`."""
    settings = dict(settings)
    options |= {key: settings.pop(key) for key in FIT if key in settings}
    recbook.seed_everything(seed)
    model = build(row, split, settings)
    history = recbook.fit(model, split, seed=seed, device="cpu", progress=False, **options)
    return model, history


def tries(row, seed=0):
    """TRIES settings of a row, drawn by a seed from its space, no two alike."""
    _, _, settings = ROWS[row]
    space, generator, found = SPACE.get(row, {}), np.random.default_rng(seed), []
    most = int(np.prod([len(values) for values in space.values()]))
    while space and len(found) < min(TRIES, most):
        drawn = settings | {key: values[generator.integers(len(values))] for key, values in space.items()}
        if drawn not in found:
            found.append(drawn)
    return found or [settings]


def tune(row, split, some=None):
    for settings in tries(row)[:some]:
        start = time.perf_counter()
        if "epochs" in settings:
            settings = settings | {"epochs": LONGEST}
            _, history = train(row, split, settings, metric="NDCG@5", validate_every=LONGEST // 10)
            seen = history.dropna().set_index("epoch")["NDCG@5"]
            settings["epochs"], best = int(seen.idxmax()), seen.max()
        else:
            best = recbook.evaluate(train(row, split, settings)[0], split.validation, METRICS)["NDCG@5"]
        print(f"{best:.4f}", row, settings, f"{time.perf_counter() - start:.0f} s", flush=True)


def measure(row, split, seed):
    """A report on the test, and the seconds."""
    start = time.perf_counter()
    report = recbook.evaluate(train(row, split, ROWS[row][2], seed)[0], split.test, METRICS)
    print(row, seed, {name: round(report[name], 4) for name in report.values}, flush=True)
    return report, time.perf_counter() - start


def watch(curve, split, seed):
    """Reports on the test after each of SHOWN epochs, and the seconds. Trained once: the rate does not fall."""
    start, found, settings = time.perf_counter(), {}, dict(CURVES[curve][1])
    training = {key: settings.pop(key) for key in FIT} | {"epochs": SHOWN[-1]}
    recbook.seed_everything(seed)
    model = build("cfgan-alone" if curve == "alone" else "cfgan", split, settings)

    def look(row):
        if row["epoch"] in SHOWN:
            found[str(int(row["epoch"]))] = report = recbook.evaluate(model, split.test, METRICS)
            print(curve, seed, row["epoch"], round(report["NDCG@5"], 4), {side: round(row[side], 3) for side in
                  ("discriminator", "generator") if side in row}, flush=True)

    recbook.fit(model, split, seed=seed, device="cpu", progress=False, after_epoch=look, **training)
    return found, time.perf_counter() - start


def run_curves(curves, split, seeds, keep):
    """Write the curves that are asked for, one row each; of each seed all at once."""
    batches = -(-split.n_items // CURVES["both move"][1]["batch_size"])
    for curve in curves:
        runs = [results.kept(keep and keep / f"{curve} {seed} {CURVES[curve][1]} {SHOWN}", lambda: watch(curve, split, seed))
                for seed in seeds]
        title, settings = CURVES[curve]
        measured = {f"{metric} after {int(epoch) * batches}": results.summary([found[epoch] for found, _ in runs])[metric]
                    for metric in METRICS for epoch in runs[0][0]}
        results.save("cfgan_steps", "CFGAN on MovieLens 100K, by the batches it was trained on", "as the table cfgan; one "
                     "training a seed, tested on its way; nothing is chosen by it",
                     {curve: {"title": title, "measured": measured, "published": {}, "source": "",
                              "settings": settings | {"epochs": SHOWN[-1]}}},
                     split.dataset, sum(took for _, took in runs), seeds)


def run(rows, split, seeds, keep):
    reports, seconds = {}, {}
    for row in rows:
        own = seeds if "epochs" in ROWS[row][2] else seeds[:1]
        found = [results.kept(keep and keep / f"{row} {seed} {ROWS[row][2]}", lambda: measure(row, split, seed))
                 for seed in own]
        reports[row] = average([report for report, _ in found]) if len(found) > 1 else found[0][0]
        seconds[row] = sum(took for _, took in found)
    comparison, table = Comparison(reports), {}
    for row, report in reports.items():
        table[row] = {"title": ROWS[row][0], "measured": results.summary(report.runs or (report,)),
                      "published": PUBLISHED.get(row, {}), "source": SOURCE if row in PUBLISHED else "",
                      "settings": ROWS[row][2] | {"seconds": round(seconds[row], 1)},
                      "less": {other: {metric: comparison.difference(row, other, metric) for metric in METRICS}
                               for other in reports if other != row}}
        if row in PUBLISHED:
            table[row]["note"] = ("Another random fifth than the authors'; 64 numbers in the hidden layers, which are tanh; both "
                                  f"sides move at every batch, some 2,400 times, where the authors' code takes some 48,000 "
                                  f"steps at a lower rate; {TRIES} settings were tried on validation, as for each rival.")
    results.save(NAME, "CFGAN on MovieLens 100K", "all ratings are clicks; a random fifth is tested, all items but the "
                 "user's training items are ranked; settings by validation, a tenth of the rest, as many tries for each "
                 "model", table, split.dataset, sum(seconds.values()), seeds)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="adversaries", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW",
                        help="measure these rows: %(choices)s; default: all of them")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="of what is trained by steps")
    parser.add_argument("--keep", type=Path, help="a folder where each run is kept, so that it need not run again")
    parser.add_argument("--steps", nargs="*", choices=list(CURVES), metavar="CURVE",
                        help="only the second table, these of its curves: %(choices)s; default: all of them")
    parser.add_argument("--tune", nargs="?", type=int, const=TRIES, metavar="TRIES",
                        help="show validation for this many settings of each row; writes nothing")
    arguments = parser.parse_args(argv)
    split = random_split(recbook.load("ml-100k"))
    if arguments.tune is not None:
        for row in arguments.only:
            tune(row, split.sealed(), arguments.tune)
        return
    if arguments.steps is not None:
        run_curves(arguments.steps or list(CURVES), split.refit(), tuple(range(arguments.seeds)), arguments.keep)
        return
    run(arguments.only, split.refit(), tuple(range(arguments.seeds)), arguments.keep)
    print(results.table(NAME).to_string())


if __name__ == "__main__":
    main()
