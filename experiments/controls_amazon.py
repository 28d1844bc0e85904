"""Controls of the chapter on Amazon: what the future gives away, what one day hides, and which orders chance explains.

controls_amazon: Beauty, the questions of the last tenth of the log: each user's last item, if it stands there. The same
questions, histories and masks for models that were trained on

- `future`: all but each user's last two items, as in the usual test, whenever they happened;
- `past`: all that happened before the last tenth began, which are more events;
- `weekly`: all that happened before the week of the question, trained anew for each of the weeks.

The content profile learns nothing from events: it is the same in all three. *Same day*: the question's item was
reviewed on the day of the item before it; *later*: on a later day.

controls_amazon_early: the same for the questions of the tenth after the middle of the log, after which half of the
events are still to come. `future` is the usual training; `past` is that less all that happened in the four weeks of the
question or later; `thinned` is `future` with as many events as `past`, drawn at random: only the times differ.

controls_amazon_scientific: Industrial and Scientific, each user's last item; the models of `experiments/hybrids.py`
that train in seconds, for paired differences. *Cold*: the item was met fewer than 5 times in training. `mf refit` is
the same factorization, trained with each user's item before the last too: the event that it otherwise has not seen
when the last one is asked.

controls_amazon_age: the same set; what that event is worth where the number of events stays: `mf shifted` is trained
with it, and without each user's first event.

controls_amazon_twice: the same set; two SASRecs that differ in their random numbers, mixed half and half, beside SASRec
with EASE and SASRec with content, each at the share of SASRec that validation chose for that mix, .9 and .5.

controls_amazon_taobao: the rules of `experiments/behaviours.py` and how often each item was met, question by question.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import behaviours
import hybrids
import recbook
from recbook import results
from recbook.checkpoints import load_model, save_model
from recbook.evaluation import Comparison, Report, average
from recbook.models import find_model

METRIC = "NDCG@10"
WEEK = 7 * 86_400
SEEDS = (0, 1)
LAST_TENTH = 0.9
BEAUTY_PAIRS = [("knn future", "profile"), ("knn past", "profile"), ("knn weekly", "profile"),
                ("knn future", "knn weekly"), ("knn weekly", "knn past")]
EARLY_PAIRS = [("knn future", "profile"), ("knn thinned", "profile"), ("knn past", "profile"),
               ("knn future", "knn thinned"), ("knn thinned", "knn past")]
SOLVED = ("popularity", "item-knn", "ease", "content-profile")
SCIENTIFIC_PAIRS = [("ease", "item-knn"), ("ease", "content-profile"), ("content-profile", "item-knn"),
                    ("item-knn", "content-profile"), ("mf refit", "mf")]
TWICE_PAIRS = [("sasrec + sasrec", "sasrec"), ("sasrec + ease", "sasrec"), ("sasrec + ease", "ease"),
               ("sasrec + ease", "sasrec + sasrec"), ("sasrec + content", "sasrec"), ("sasrec + content", "content"),
               ("sasrec + content", "sasrec + sasrec"), ("sasrec + ease", "sasrec + content")]
TAOBAO_PAIRS = [("seen-but-last", "cart"), ("seen-but-last", "most often"), ("seen-but-last", "seen"), ("cart", "seen")]


def fitted(settings, split):
    """A model with a formula, fitted."""
    settings = dict(settings)
    return find_model(settings.pop("model"))(split.n_users, split.n_items, **settings).fit(split)


def save(name, title, protocol, reports, parts, pairs, dataset, start, settings, seeds=(0,), metric=METRIC):
    """Write a row a report, each metric on each of the parts ({name: (N,) of bool}), and the paired differences."""
    for row, report in reports.items():
        measured, less = {}, {}
        for part, keep in parts.items():
            cut = Comparison({other: found.subset(keep) for other, found in reports.items()})
            called = f"{metric} {part}".strip()
            measured[called] = results.summary(cut.reports[row].runs or [cut.reports[row]], [metric])[metric]
            for other in (b for a, b in pairs if a == row and b in reports):
                less.setdefault(other, {})[called] = cut.difference(row, other, metric)
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


def beauty():
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
    neighbours = hybrids.OF_IDS["item-knn"][1]
    reports = {"profile": recbook.evaluate(profile, asked, [METRIC])}
    for called, trained in (("future", split), ("past", past)):
        reports[f"knn {called}"] = recbook.evaluate(fitted(neighbours, trained), asked, [METRIC])
    numbers = [np.flatnonzero(week == one) for one in np.unique(week)]
    weekly = []
    for one in np.unique(week):
        known = log[log["timestamp"] < began + one * WEEK].reset_index(drop=True)
        model = fitted(neighbours, replace(split, train=known))
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


def early():
    """What the future is worth where there is much of it, beside as many events of the past."""
    start = time.perf_counter()
    dataset, split = hybrids.data_of("amazon-beauty")
    when = np.sort(dataset.interactions["timestamp"].to_numpy())
    began, ended = when[len(when) // 2], when[int(len(when) * 0.6)]
    asked = split.test.subset((split.test.now >= began) & (split.test.now < ended))
    period = (asked.now - began) // (4 * WEEK)
    numbers = [np.flatnonzero(period == one) for one in np.unique(period)]
    neighbours, random = hybrids.OF_IDS["item-knn"][1], np.random.default_rng(0)
    profile = fitted(hybrids.ROWS["amazon-beauty"]["content-profile"][1], split)
    reports = {"profile": recbook.evaluate(profile, asked, [METRIC]),
               "knn future": recbook.evaluate(fitted(neighbours, split), asked, [METRIC])}
    past, thinned, sizes = [], [], []
    for one in np.unique(period):
        known = split.train[split.train["timestamp"] < began + one * 4 * WEEK]
        drawn = split.train.iloc[np.sort(random.choice(len(split.train), len(known), replace=False))]
        sizes.append(len(known))
        for found, train in ((past, known), (thinned, drawn)):
            model = fitted(neighbours, replace(split, train=train.reset_index(drop=True)))
            found.append(recbook.evaluate(model, asked.subset(period == one), [METRIC]))
    reports["knn past"], reports["knn thinned"] = (joined(found, numbers, len(asked)) for found in (past, thinned))
    before = asked.context(length=1).times[:, 0].numpy()
    parts = {"": np.ones(len(asked), dtype=bool), "same day": before == asked.now, "later": before < asked.now}
    settings = {"from": str(pd.Timestamp(began, unit="s").date()), "until": str(pd.Timestamp(ended, unit="s").date()),
                "events": {"future": len(split.train), "past": sizes},
                "questions": {part or "all": int(keep.sum()) for part, keep in parts.items()}}
    save("controls_amazon_early", "Amazon Beauty, last items that were taken soon after the middle of the log",
         "the same questions, histories and masks; what trains differs", reports, parts, EARLY_PAIRS, dataset, start,
         {"profile": settings})


def facts_of(split, past):
    """How much of the usual training happens after a question."""
    when = np.sort(split.train["timestamp"].to_numpy())
    after = 1 - np.searchsorted(when, split.test.now, side="right") / len(when)
    late = split.test.now > past.train["timestamp"].max()
    return {"questions with later training": float((after > 0).mean()),
            "share of training that is later": float(after.mean()), "of the last tenth": float(after[late].mean())}


def scientific():
    """Which orders of the fast models stand, and what a factorization misses of the event in between."""
    start = time.perf_counter()
    dataset, split = hybrids.data_of("amazon-scientific")
    rows = hybrids.ROWS["amazon-scientific"]
    reports = {name: recbook.evaluate(fitted(rows[name][1], split), split.test, [METRIC]) for name in SOLVED}
    refit = replace(split, train=split.refit().train)
    for name, trained in (("mf", split), ("mf refit", refit)):
        models = [hybrids.train(trained, rows["mf"][1], seed, "cpu")[0] for seed in SEEDS]
        reports[name] = average([recbook.evaluate(model, split.test, [METRIC], seed=seed)
                                 for seed, model in zip(SEEDS, models)])
    parts = {"": np.ones(len(split.test), dtype=bool), "cold": hybrids.met(split, "item")[split.test.target] < 5}
    save("controls_amazon_scientific", "Amazon Industrial and Scientific, each user's last item", hybrids.LAST_ITEM,
         reports, parts, SCIENTIFIC_PAIRS, dataset, start, {name: rows[name][1] for name in SOLVED}, SEEDS)


def age():
    """The event that a stale factorization lacks, without more events."""
    start = time.perf_counter()
    dataset, split = hybrids.data_of("amazon-scientific")
    refit = split.refit().train
    first = ~refit["user"].duplicated()                                 # sorted by user, each in order
    trained = {"mf": split, "mf shifted": replace(split, train=refit[~first].reset_index(drop=True)),
               "mf refit": replace(split, train=refit)}
    settings, reports = hybrids.ROWS["amazon-scientific"]["mf"][1], {}
    for name, events in trained.items():
        models = [hybrids.train(events, settings, seed, "cpu")[0] for seed in SEEDS]
        reports[name] = average([recbook.evaluate(model, split.test, [METRIC], seed=seed)
                                 for seed, model in zip(SEEDS, models)])
    save("controls_amazon_age",
         "Amazon Industrial and Scientific, the factorization and each user's item before the last", hybrids.LAST_ITEM,
         reports, {"": np.ones(len(split.test), dtype=bool)},
         [("mf refit", "mf"), ("mf shifted", "mf"), ("mf refit", "mf shifted")], dataset, start,
         {name: {**settings, "events": len(events.train)} for name, events in trained.items()}, SEEDS)


def trained(split, name, seed, keep=None):
    """A model of Industrial and Scientific, trained, or as it was kept."""
    folder = keep and keep / f"{name}-{seed}"
    if folder and folder.exists():
        return load_model(folder)[0]
    model = hybrids.train(split, hybrids.ROWS["amazon-scientific"][name][1], seed, "cpu")[0]
    if folder:
        save_model(model, folder)
    return model


def twice(keep=None):
    """A second opinion that knows nothing else, SASRec with SASRec, and those that know something."""
    start = time.perf_counter()
    dataset, split = hybrids.data_of("amazon-scientific")
    rows = hybrids.ROWS["amazon-scientific"]
    ease = fitted(rows["ease"][1], split)
    models, of_content = ([trained(split, name, seed, keep) for seed in SEEDS] for name in ("sasrec", "content"))

    def ask(several):
        return average([recbook.evaluate(model, split.test, [METRIC], seed=seed) for seed, model in enumerate(several)])

    reports = {"sasrec": ask(models), "ease": ask([ease]), "content": ask(of_content),
               "sasrec + sasrec": ask([recbook.Weighted(*models, weight=0.5)]),
               "sasrec + ease": ask([recbook.Weighted(model, ease, weight=0.9) for model in models]),
               "sasrec + content": ask([recbook.Weighted(*pair, weight=0.5) for pair in zip(models, of_content)])}
    parts = {"": np.ones(len(split.test), dtype=bool), "cold": hybrids.met(split, "item")[split.test.target] < 5}
    save("controls_amazon_twice", "Amazon Industrial and Scientific, what a second model adds to SASRec",
         hybrids.LAST_ITEM, reports, parts, TWICE_PAIRS, dataset, start,
         {name: rows[name][1] for name in ("sasrec", "ease", "content")}, SEEDS)


def taobao():
    """Rules about the next purchase, on the same questions."""
    start = time.perf_counter()
    dataset, split = behaviours.data()
    models = {name: behaviours.train(split, behaviours.ROWS[name][1])[0] for name in ("seen", "seen-but-last", "cart")}
    models["most often"] = recbook.PersonalPopularity(split.n_users, split.n_items).fit(split)
    reports = {name: recbook.evaluate(model, split.test, ["Recall@10"]) for name, model in models.items()}
    parts = {"": np.ones(len(split.test), dtype=bool)}
    save("controls_amazon_taobao", behaviours.TITLE, behaviours.PROTOCOL, reports, parts, TAOBAO_PAIRS, dataset, start,
         {}, metric="Recall@10")


STUDIES = {"beauty": beauty, "early": early, "scientific": scientific, "age": age, "twice": twice, "taobao": taobao}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="controls_amazon", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=STUDIES, help="default: all of them")
    parser.add_argument("--keep", type=Path, help="a folder for the trained models of `twice`: a run goes on there")
    arguments = parser.parse_args(argv)
    for name in [arguments.only] if arguments.only else STUDIES:
        STUDIES[name](**({"keep": arguments.keep} if name == "twice" else {}))


if __name__ == "__main__":
    main()
