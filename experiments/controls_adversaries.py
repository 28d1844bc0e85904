"""Adversaries on the shop: the games beside their own generators alone, from several seeds, one thing changed at a time.

controls_adversaries: IRGAN and CFGAN, and their generators trained without an adversary, by a likelihood and by squared
error, at settings of their own and at the very settings of the game; BPR trained on for 4 and for 20 epochs, as it is, as
AMF, and with random changes of that length. The shop's split by time, every fourth question of the test; answers to each
question are averaged over seeds and compared in pairs.

controls_adversaries_epochs: IRGAN and its generator alone, validated after each of 30 epochs on every eighth question, from
popularity, and, slower, from a generator that was trained alone for eight epochs. "Jump" is by how much
NDCG@10 changes from one epoch to the next, in the mean over the last twenty; "gain" how far the mean of the last five is
above the start.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import recbook
from recbook import results
from recbook.evaluation import Comparison, average

METRIC = "NDCG@10"
EPOCHS = 30


def likelihood(model):
    """IRGAN's generator alone: the surprise of what was met."""
    def loss(batch):
        log_share = model.generator(batch.owners).log_softmax(1)
        return -log_share[batch.owner, batch.items].mean() + model.l2 * model.generator.size(batch.owners)

    return loss


def squared_error(model):
    """CFGAN's generator alone: ones where met, zeros elsewhere."""
    def loss(batch):
        met = model.filled(batch.owner, batch.items, len(batch.owners))
        error = (met - model.generator(met).sigmoid()).square()
        return ((met + model.zero_weight * (1 - met)) * error).sum(1).mean()

    return loss


IRGAN = {"model": recbook.IRGAN, "dim": 8, "draws": 32, "batch_size": 100}
CFGAN = {"model": recbook.CFGAN, "hidden": 64, "batch_size": 100}
GAME_I = IRGAN | {"l2": 0.03, "epochs": EPOCHS, "learning_rate": 0.005}
GAME_C = CFGAN | {"zero_weight": 3.0, "epochs": 30, "learning_rate": 0.005}
BPR = {"model": recbook.BPRMF, "dim": 8, "l2": 0.03, "batch_size": 4096, "learning_rate": 0.01}
ON = {"after": BPR | {"epochs": 5}, **BPR, "model": recbook.AMF}
AMF = {"epsilon": 0.5, "adversarial_weight": 0.3}
ROWS = {
    "IRGAN": GAME_I,
    "IRGAN's generator alone": IRGAN | {"alone": likelihood, "l2": 0.1, "epochs": 16, "learning_rate": 0.005},
    "IRGAN's generator alone, at the game's settings": GAME_I | {"alone": likelihood},
    "CFGAN": GAME_C,
    "CFGAN's generator alone": CFGAN | {"alone": squared_error, "zero_weight": 1.0, "epochs": 20, "learning_rate": 0.002},
    "CFGAN's generator alone, at the game's settings": GAME_C | {"alone": squared_error},
    **{f"{name}, {epochs} epochs": ON | more | {"epochs": epochs} for epochs in (4, 20) for name, more in
       (("BPR, trained on", {"adversarial_weight": 0.0}), ("AMF", AMF), ("AMF, random", AMF | {"change": "random"}))},
}
ALONE = ("'s generator alone", "'s generator alone, at the game's settings")
PAIRS = [*((f"{game}{how}", game) for game in ("IRGAN", "CFGAN") for how in ALONE),
         *((f"AMF, {epochs} epochs", f"{other}, {epochs} epochs") for epochs in (4, 20)
           for other in ("AMF, random", "BPR, trained on"))]
TRAINED = GAME_I | {"alone": likelihood, "epochs": 8}
WATCHED = {f"{what}, from {start}, rate {rate}": GAME_I | more | {"learning_rate": rate} | begun
           for start, rate, begun in (("popularity", 0.005, {}), ("a trained generator", 0.001, {"after": TRAINED}))
           for what, more in (("game", {}), ("alone", {"alone": likelihood}))}
FIT = ("epochs", "batch_size", "learning_rate")


def train(split, settings, seed, **options):
    """A model and its history; `after` are the settings of what it begins with, `alone` makes the loss."""
    settings = dict(settings)
    options |= {key: settings.pop(key) for key in FIT if key in settings}
    kind, alone, after = settings.pop("model"), settings.pop("alone", None), settings.pop("after", None)
    begun = train(split, after, seed)[0] if after else None
    recbook.seed_everything(seed)
    model = kind(split.n_users, split.n_items, **settings)
    if alone:
        model.loss = alone(model)
    if begun is not None and kind is recbook.IRGAN:                     # the discriminator is new
        model.generator.load_state_dict(begun.generator.state_dict())
        model.start = lambda split: None
    elif begun is not None:
        model.load_state_dict(begun.state_dict())
    if model.reads is None:
        model.reads = 10
    return model, recbook.fit(model, split, seed=seed, device="cpu", progress=False, **options)


def measure(row, split, cases, seed):
    start = time.process_time()
    report = recbook.evaluate(train(split, ROWS[row], seed)[0], cases, [METRIC])
    print(row, seed, round(report[METRIC], 4), flush=True)
    return report, time.process_time() - start


def watch(row, split, seed):
    """NDCG@10 on validation after no epoch (of a trained generator) and after each."""
    start, settings = time.process_time(), WATCHED[row]
    first = train(split, settings.get("after", settings | {"epochs": 0}), seed)[0]
    before = recbook.evaluate(first, split.validation, [METRIC])[METRIC]
    level = train(split, settings, seed, metric=METRIC)[1][METRIC].tolist()
    print(row, seed, round(before, 4), np.round(level[-5:], 4), flush=True)
    return [float(before), *level], time.process_time() - start


def over_runs(values):
    """Numbers of several runs as a row of results holds them; from the least to the greatest."""
    return {"value": float(np.mean(values)), "low": min(values), "high": max(values), "values": values,
            "spread": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}


def told(settings):
    """Settings as a table holds them."""
    return {key: told(value) if isinstance(value, dict) else getattr(value, "__name__", value)
            for key, value in settings.items()}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="controls_adversaries", description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="a folder where each run is kept: an interrupted experiment goes on")
    arguments = parser.parse_args(argv)
    seeds, keep = range(arguments.seeds), arguments.keep
    shop = recbook.load("shop")
    split = recbook.by_time(shop)
    final = split.refit()
    cases = final.test.subset(np.arange(len(final.test)) % 4 == 0)
    reports, seconds = {}, 0.0
    for row in ROWS:
        found = [results.kept(keep and keep / f"{row} {seed}", lambda: measure(row, final, cases, seed)) for seed in seeds]
        reports[row] = average([report for report, _ in found])
        seconds += sum(took for _, took in found)
    results.save_comparison("controls_adversaries", "Adversaries on the shop, one thing changed at a time", cases.protocol(),
                            Comparison(reports, cases), shop, seconds, seeds,
                            {row: told(settings) for row, settings in ROWS.items()}, PAIRS)
    some = split.validation.subset(np.arange(len(split.validation)) % 8 == 0)
    watched, rows, seconds = replace(split.sealed(), validation=some), {}, 0.0
    for row, settings in WATCHED.items():
        found = [results.kept(keep and keep / f"{row} {seed}", lambda: watch(row, watched, seed)) for seed in seeds]
        seconds += sum(took for _, took in found)
        levels = np.array([level for level, _ in found])                # (seeds, 1 + EPOCHS)
        measured = {"before": levels[:, 0], "at the end": levels[:, -5:].mean(1),
                    "gain": levels[:, -5:].mean(1) - levels[:, 0], "jump": np.abs(np.diff(levels[:, 11:])).mean(1)}
        rows[row] = {"title": row, "measured": {name: over_runs(values.tolist()) for name, values in measured.items()},
                     "published": {}, "source": "", "settings": told(settings)}
    results.save("controls_adversaries_epochs", "IRGAN and its generator alone, epoch by epoch", "NDCG@10 on every eighth "
                 "question of validation, after each of 30 epochs", rows, shop, seconds, seeds)


if __name__ == "__main__":
    main()
