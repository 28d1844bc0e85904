"""Controls of the chapter on Amazon: what the future gives away, what one day hides, and which orders chance explains.

controls_amazon: Beauty, the questions of the last tenth of the log: each user's last item, if it stands there. The same
questions, histories and masks for models that were trained on

- `future`: all but each user's last two items, as in the usual test (a quarter of that happens after the question);
- `past`: all that happened before the last tenth began, which are more events;
- `weekly`: all that happened before the week of the question, trained anew for each of the weeks.

The content profile learns nothing from events: it is the same in all three. *Same day*: the question's item was
reviewed on the day of the item before it; *later*: on a later day.

controls_amazon_scientific: the rows of `experiments/hybrids.py` that the page compares, trained anew with two seeds, for
paired differences. Weights of the mixes are those that validation chose there. *Cold*: the item was met fewer than 5
times in training. `sasrec+sasrec` mixes the same network from two seeds: what mixing gives without a second kind of
model.

`--models FOLDER` keeps what was trained there, and takes from it what is there.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import hybrids
import recbook
from recbook import results
from recbook.checkpoints import load_model, save_model
from recbook.evaluation import Comparison, Report, average
from recbook.models import Weighted, find_model

METRIC = "NDCG@10"
WEEK = 7 * 86_400
SEEDS = (0, 1)
LAST_TENTH = 0.9
BEAUTY = {"knn": hybrids.OF_IDS["item-knn"][1], "ease": hybrids.OF_IDS["ease"][1]}
BEAUTY_PAIRS = [("knn future", "profile"), ("knn past", "profile"), ("knn weekly", "profile"),
                ("knn future", "knn weekly"), ("knn weekly", "knn past"), ("ease future", "knn future"),
                ("ease past", "knn past"), ("ease past", "profile")]
MIXES = {"sasrec+content": ("sasrec", "content", 0.5), "sasrec+ease": ("sasrec", "ease", 0.9),
         "sasrec+sasrec": ("sasrec", "sasrec", 0.5)}
SCIENTIFIC_PAIRS = [("ease", "sasrec"), ("ease", "content"), ("sasrec", "content"), ("sasrec+content", "sasrec"),
                    ("sasrec+content", "sasrec+sasrec"), ("sasrec+ease", "sasrec+content"),
                    ("sasrec+ease", "sasrec+sasrec"), ("sasrec+sasrec", "sasrec"), ("content-profile", "sasrec"),
                    ("content-profile", "sasrec+content"), ("sasrec", "ease")]


def fitted(settings, split):
    """A model with a formula, fitted."""
    settings = dict(settings)
    return find_model(settings.pop("model"))(split.n_users, split.n_items, **settings).fit(split)


def save(name, title, protocol, reports, parts, pairs, dataset, start, settings, seeds=(0,)):
    """Write a row a report, each metric on each of the parts ({name: (N,) of bool}), and the paired differences."""
    for row, report in reports.items():
        measured, less = {}, {}
        for part, keep in parts.items():
            cut = Comparison({other: found.subset(keep) for other, found in reports.items()})
            called = f"{METRIC} {part}".strip()
            measured[called] = results.summary(cut.reports[row].runs or [cut.reports[row]], [METRIC])[METRIC]
            for other in (b for a, b in pairs if a == row and b in reports):
                less.setdefault(other, {})[called] = cut.difference(row, other, METRIC)
        of_row = {"title": row, "measured": measured, "published": {}, "source": "", "settings": settings.get(row, {}),
                  "less": less}
        results.save(name, title, protocol, {row: of_row}, dataset, time.perf_counter() - start, seeds)
        print(row, {called: round(number["value"], 4) for called, number in measured.items()}, flush=True)
        for other, gaps in less.items():
            print("   less", other, {called: [round(gap[end], 4) for end in ("difference", "low", "high")]
                                     for called, gap in gaps.items()}, flush=True)


def joined(reports, numbers, size):
    """One report of the reports on parts of the questions, whose numbers are given."""
    values, users = np.empty(size), np.empty(size, dtype=np.int64)
    for report, which in zip(reports, numbers):
        values[which], users[which] = report.values[METRIC], report.users[METRIC]
    return Report({METRIC: values}, {METRIC: users})


def beauty(ease):
    """What changes when nothing of the future trains."""
    start = time.perf_counter()
    dataset, split = hybrids.data_of("amazon-beauty")
    log = dataset.interactions
    began = np.sort(log["timestamp"].to_numpy())[int(len(log) * LAST_TENTH)]
    asked = split.test.subset(split.test.now >= began)
    before = asked.context(length=1).times[:, 0].numpy()
    week = (asked.now - began) // WEEK
    past = replace(split, train=log[log["timestamp"] < began].reset_index(drop=True))
    profile = fitted(hybrids.ROWS["amazon-beauty"]["content-profile"][1], split)
    reports = {"profile": recbook.evaluate(profile, asked, [METRIC])}
    for name, settings in BEAUTY.items():
        if name == "ease" and not ease:
            continue
        for called, trained in (("future", split), ("past", past)):
            reports[f"{name} {called}"] = recbook.evaluate(fitted(settings, trained), asked, [METRIC])
    numbers = [np.flatnonzero(week == one) for one in np.unique(week)]
    weekly = []
    for one, which in zip(np.unique(week), numbers):
        known = replace(split, train=log[log["timestamp"] < began + one * WEEK].reset_index(drop=True))
        model = fitted(BEAUTY["knn"], known)
        weekly.append(recbook.evaluate(model, asked.subset(week == one), [METRIC]))
    reports["knn weekly"] = joined(weekly, numbers, len(asked))
    parts = {"": np.ones(len(asked), dtype=bool), "same day": before == asked.now, "later": before < asked.now}
    settings = {"events": {"future": len(split.train), "past": len(past.train)},
                "asked from": str(pd.Timestamp(began, unit="s").date()), "weeks": len(numbers),
                "questions": {part or "all": int(keep.sum()) for part, keep in parts.items()},
                **facts_of(split, past)}
    save("controls_amazon", "Amazon Beauty, the last item of those who took it in the last tenth of the log",
         "the same questions, histories and masks; what trains differs", reports, parts, BEAUTY_PAIRS, dataset, start,
         {"profile": settings})


def facts_of(split, past):
    """How much of the usual training happens after a question."""
    when = np.sort(split.train["timestamp"].to_numpy())
    after = 1 - np.searchsorted(when, split.test.now, side="right") / len(when)
    return {"questions with later training": float((after > 0).mean()), "share of training that is later":
            float(after.mean()), "of the last tenth": float(after[split.test.now > past.train["timestamp"].max()].mean())}


def scientific(folder):
    """Which orders stand when each question is compared with itself."""
    start = time.perf_counter()
    dataset, split = hybrids.data_of("amazon-scientific")
    rows = hybrids.ROWS["amazon-scientific"]
    models = {name: [fitted(rows[name][1], split)] * len(SEEDS) for name in ("ease", "content-profile")}
    for name in ("sasrec", "content"):
        models[name] = [trained(name, rows[name][1], split, seed, folder) for seed in SEEDS]
    for name, (first, second, weight) in MIXES.items():
        others = models[second] if first != second else models[second][::-1]
        models[name] = [Weighted(*pair, weight=weight) for pair in zip(models[first], others)]
    models["sasrec+sasrec"] = models["sasrec+sasrec"][:1]               # of two seeds there is one such pair
    reports = {name: average([recbook.evaluate(model, split.test, [METRIC], seed=seed) for seed, model in
                              enumerate(some[:1] if name in ("ease", "content-profile") else some)])
               for name, some in models.items()}
    parts = {"": np.ones(len(split.test), dtype=bool), "cold": hybrids.met(split, "item")[split.test.target] < 5}
    save("controls_amazon_scientific", "Amazon Industrial and Scientific, paired differences", hybrids.LAST_ITEM,
         reports, parts, SCIENTIFIC_PAIRS, dataset, start,
         {name: {"weight": weight} for name, (_, _, weight) in MIXES.items()}, SEEDS)


def trained(name, settings, split, seed, folder):
    """A network of `experiments/hybrids.py`; kept in the folder, or taken from it."""
    kept = folder and Path(folder) / f"{name}-{seed}"
    if kept and kept.exists():
        return load_model(kept)[0]
    model, _ = hybrids.train(split, settings, seed, "cpu")
    if kept:
        save_model(model, kept)
    return model


def main(argv=None):
    parser = argparse.ArgumentParser(prog="controls_amazon", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=("beauty", "scientific"), help="default: both")
    parser.add_argument("--without-ease", action="store_true", help="Beauty without EASE, which takes minutes")
    parser.add_argument("--models", help="a folder for what is trained")
    arguments = parser.parse_args(argv)
    if arguments.only != "scientific":
        beauty(not arguments.without_ease)
    if arguments.only != "beauty":
        scientific(arguments.models)


if __name__ == "__main__":
    main()
