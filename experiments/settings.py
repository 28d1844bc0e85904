"""Choosing settings: what a budget of trials buys each model, what is luck, and which way to search.

settings: five models on a small shop, split by time, each with its defaults and with the best of 4 and of 12 random trials
on validation; trained anew with validation included, and tested once. settings_ml_100k: the four quick ones on MovieLens
100K, each user's last film.

settings_noise: BPR-MF at six random settings from four seeds each, on the shop's validation part: NDCG@10 as it was measured, and as it
is on average over the answers that the shop's law could have given to the same questions.

settings_samplers: EASE's penalty and how much it reads, searched in sixteen trials at random, on a grid and by TPE, ten
seeds each: the true NDCG@10 of what was chosen; and how much it reads beside a setting that does nothing. A grid is moved
by a random part of its steps for each seed.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import recbook
from recbook import results
from recbook.evaluation import Comparison, average
from recbook.models import MODELS
from recbook.tuning import spaces, train

SHOP = {"n_users": 300, "n_events": 20_000}
METRIC = "NDCG@10"
TRIALS, FEW = 12, 4
TITLES = {"item-knn": "ItemKNN", "pure-svd": "PureSVD", "ease": "EASE", "bpr-mf": "BPR-MF", "gru4rec": "GRU4Rec"}
EPOCHS = {"epochs": 20, "patience": 3}
SPACES = {"gru4rec": {"dim": (16, 64, "log"), "hidden": (32, 128, "log"), "length": [5, 20], "dropout": (0.0, 0.5),
                      "learning_rate": (0.0005, 0.05, "log")}}
SEEDS = (0, 1)
NOISE = {"settings": 6, "seeds": 4, "epochs": 8}
SEARCHES, SAMPLES = 10, 16
SAMPLERS = ("random", "grid", "tpe")


# ------------------------------------------------------------------------------------------------ budgets


def fixed_of(name):
    return {} if hasattr(MODELS[name], "fit") else EPOCHS


def tune(name, split):
    """Twelve random trials on validation, and one of the defaults: what the first 4, all 12, and none of them say."""
    found = recbook.tune(name, split, SPACES.get(name), TRIALS, "random", fixed_of(name), prune=False, progress=False)
    default = recbook.tune(name, split, defaults_space(name), 1, fixed=fixed_of(name), progress=False)
    few = type(found)(found.model, found.metric, found.fixed, found.seed, found.device, found.trials.head(FEW))
    return {"default": default, f"best of {FEW}": few, f"best of {TRIALS}": found}


def defaults_space(name):
    """A space of one point: the model's own defaults."""
    some = next(iter(spaces.SPACES[name]))
    return {some: [spaces.own_defaults(MODELS[name])[some]]}


def measure(found, split, seeds):
    """Trained anew with validation included, tested: a report, of several seeds the average."""
    reports = [recbook.evaluate(found.fit(split.refit(), seed), split.test, [METRIC], seed=seed) for seed in seeds]
    return average(reports) if len(reports) > 1 else reports[0]


def run_budgets(table, title, split, names, keep):
    start, shop, reports, settings = time.perf_counter(), split.dataset, {}, {}
    bounds = {"popularity": recbook.Popularity, "personal popularity": recbook.PersonalPopularity}
    for row, bound in bounds.items():
        reports[row] = recbook.evaluate(bound(shop.n_users, shop.n_items).fit(split.refit()), split.test, [METRIC])
    if shop.truth is not None:
        reports["observer"] = recbook.evaluate(recbook.Observer(shop), split.test, [METRIC])
    for name in names:
        for budget, found in tune(name, split.sealed()).items():
            row = f"{TITLES[name]}, {budget}"
            seeds = (0,) if hasattr(MODELS[name], "fit") else SEEDS
            path = keep and keep / f"{table} {row} {found.best}"
            reports[row] = results.kept(path, lambda: measure(found, split, seeds))
            shown = {key: round(value, 5) if isinstance(value, float) else value for key, value in found.best.items()}
            settings[row] = shown | {"validation": found.value, "seconds of the search": float(found.trials["seconds"].sum())}
            print(row, shown, f"validation {found.value:.4f}, test {reports[row][METRIC]:.4f}", flush=True)
    rows = [row for row in reports if row in settings]
    protocol = (f"{split.test.protocol()} Settings by {TRIALS} random trials a model on validation, not pruned; then trained "
                "with validation included; networks from two seeds")
    comparison, seconds = Comparison(reports, split.test), time.perf_counter() - start
    if shop.truth is not None:
        pairs = [(one, other) for one in rows for other in reports if one != other]
        results.save_comparison(table, title, protocol, comparison, shop, seconds, SEEDS, settings, pairs)
        return
    less = {one: {other: {METRIC: comparison.difference(one, other)} for other in reports if other != one} for one in rows}
    results.save(table, title, protocol, {
        row: {"title": row, "measured": results.summary(report.runs or (report,)), "published": {}, "source": "",
              "settings": settings.get(row, {}), "less": less.get(row, {})} for row, report in reports.items()},
                 shop, seconds, SEEDS)


# ------------------------------------------------------------------------------------------------ noise


def chances_of(shop, cases):
    """The true probability of each item being the answer: (N, n_items)."""
    oracle = recbook.Oracle(shop)
    return torch.cat([oracle.scores(cases.context(slice(at, at + 500))) for at in range(0, len(cases), 500)])


def top_ten(model, cases):
    """The model's lists: (N, 10)."""
    with torch.no_grad():
        return torch.cat([model.scores(cases.context(slice(at, at + 500), model.reads)).topk(10).indices
                          for at in range(0, len(cases), 500)])


DISCOUNT = 1 / torch.log2(torch.arange(10, dtype=torch.float64) + 2)


def expected(lists, chances):
    """The NDCG@10 of lists (N, 10) over all answers that the law could have given: a number."""
    return float((chances.gather(1, lists) @ DISCOUNT).mean())


def run_noise():
    shop = recbook.load("shop", **SHOP)
    split = recbook.by_time(shop).sealed()
    chances, start, rows = chances_of(shop, split.validation), time.perf_counter(), {}
    generator = np.random.default_rng(0)
    for number in range(NOISE["settings"]):
        settings = {"dim": int(np.exp(generator.uniform(np.log(8), np.log(64)))),
                    "l2": float(np.exp(generator.uniform(np.log(0.001), np.log(0.1)))),
                    "learning_rate": float(np.exp(generator.uniform(np.log(0.004), np.log(0.03))))}
        measured, true = [], []
        for seed in range(NOISE["seeds"]):
            model, _ = train(recbook.BPRMF, split, settings | {"epochs": NOISE["epochs"]}, seed, "cpu")
            measured.append(float(recbook.evaluate(model, split.validation, [METRIC])[METRIC]))
            true.append(expected(top_ten(model, split.validation), chances))
        rows[f"settings {number + 1}"] = {
            "title": f"BPR-MF, settings {number + 1}", "published": {}, "source": "",
            "settings": {name: round(value, 5) for name, value in settings.items()} | {"epochs": NOISE["epochs"]},
            "measured": {"measured": of(measured), "true": of(true)}}
        print(settings, np.round(measured, 4), np.round(true, 4), flush=True)
    results.save("settings_noise", "BPR-MF on a small shop, six settings from four seeds", f"{split.validation.protocol()} "
                 "Asked: the validation part, whose expected NDCG@10 the shop's law gives", rows, shop,
                 time.perf_counter() - start, range(NOISE["seeds"]))


def of(values):
    """A mean over repetitions, with its 95 % interval, and the values."""
    mean, half = float(np.mean(values)), float(1.96 * np.std(values, ddof=1) / np.sqrt(len(values)))
    return {"value": mean, "low": mean - half, "high": mean + half, "values": list(map(float, values)),
            "spread": float(np.std(values, ddof=1))}


# ------------------------------------------------------------------------------------------------ samplers


class Idle(recbook.EASE):
    """EASE with a setting that does nothing."""

    def __init__(self, n_users, n_items, l2=100.0, reads=None, idle=1.0):
        super().__init__(n_users, n_items, l2, reads)
        self.idle = idle


PROBLEMS = {
    "penalty and reads": {"l2": (1.0, 10_000.0, "log"), "reads": (1, 100, "log")},
    "reads and an idle setting": {"reads": (1, 100, "log"), "idle": (1.0, 10.0, "log")},
}


def moved_grid(space, seed, cuts=4):
    """A grid of equal ratios over a space whose place is drawn: where its first point lies is nobody's merit."""
    generator, grid = np.random.default_rng(seed), {}
    for name, (low, high, *_) in space.items():
        values = low * (high / low) ** ((np.arange(cuts) + generator.random()) / cuts)
        grid[name] = [int(round(value)) for value in values] if isinstance(low, int) else values.tolist()
    return grid


def run_samplers():
    shop = recbook.load("shop", **SHOP)
    split = recbook.by_time(shop).sealed()
    chances, start, rows = chances_of(shop, split.validation), time.perf_counter(), {}
    for problem, space in PROBLEMS.items():
        for sampler in SAMPLERS:
            true, reached = [], []
            for seed in range(SEARCHES):
                wanted = moved_grid(space, seed) if sampler == "grid" else space
                found = recbook.tune(Idle, split, wanted, SAMPLES, sampler, seed=seed, progress=False)
                model = found.fit(split)
                true.append(expected(top_ten(model, split.validation), chances))
                reached.append(found.value)
            rows[f"{problem}, {sampler}"] = {
                "title": f"{problem}: {sampler}", "published": {}, "source": "", "settings": {"trials": SAMPLES, "searches": len(true)},
                "measured": {"true": of(true), "measured": of(reached)}}
            print(problem, sampler, of(true)["value"], of(true)["spread"], flush=True)
    results.save("settings_samplers", "EASE on a small shop, searched in sixteen trials", f"{split.validation.protocol()} Of "
                 "what validation chose: the NDCG@10 that it measured, and the true one over the answers to the same questions",
                 rows, shop, time.perf_counter() - start, range(SEARCHES))


def main(argv=None):
    parts = ("budgets", "noise", "samplers", "ml-100k")
    parser = argparse.ArgumentParser(prog="settings", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART", help="%(choices)s; default: all")
    parser.add_argument("--keep", type=Path, help="a folder where each test is kept, so that it need not run again")
    arguments = parser.parse_args(argv)
    if "budgets" in arguments.only:
        run_budgets("settings", "Defaults and tuned settings on a small shop", recbook.by_time(recbook.load("shop", **SHOP)),
                    TITLES, arguments.keep)
    if "noise" in arguments.only:
        run_noise()
    if "samplers" in arguments.only:
        run_samplers()
    if "ml-100k" in arguments.only:
        run_budgets("settings_ml_100k", "Defaults and tuned settings on MovieLens 100K",
                    recbook.leave_last_out(recbook.load("ml-100k")), list(TITLES)[:4], arguments.keep)


if __name__ == "__main__":
    main()
