"""Controls of the chapter on Amazon: what the future gives away, what one day hides, and which orders chance explains.

controls_amazon: Beauty, the questions of the last tenth of the log: each user's last item, if it stands there. The same
questions, histories and masks for models that were trained on

- `future`: all but each user's last two items, as in the usual test (a quarter of that happens after the question);
- `past`: all that happened before the last tenth began, which are more events;
- `weekly`: all that happened before the week of the question, trained anew for each of the weeks.

The content profile learns nothing from events: it is the same in all three. *Same day*: the question's item was
reviewed on the day of the item before it; *later*: on a later day.

controls_amazon_early: the same for the questions of the tenth after the middle of the log, after which half of the events
are still to come. `future` is the usual training; `past` is that less all that happened in the four weeks of the
question or later; `thinned` is `future` with as many events as `past`, drawn at random: only the times differ.

controls_amazon_scientific: Industrial and Scientific, each user's last item; the models of `experiments/hybrids.py`
that train in seconds, for paired differences. *Cold*: the item was met fewer than 5 times in training. `mf refit` is
the same factorization, trained with each user's item before the last too: the event that it otherwise has not seen
when the last one is asked.

controls_amazon_taobao: the rules of `experiments/behaviours.py` and how often each item was met, question by question.

controls_amazon_shop: the models of the chapter on its shop, two seeds of those that train at random. EASE and the
neighbours read as many of the latest events as validation says. *Cold*: the item was met fewer than 10 times in
training; *among cold*: the same questions, and only cold items are ranked.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

import behaviours
import hybrids
import recbook
from recbook import results
from recbook.evaluation import Comparison, Report, average
from recbook.models import Weighted, find_model

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
TAOBAO_PAIRS = [("seen-but-last", "cart"), ("seen-but-last", "most often"), ("seen-but-last", "seen"), ("cart", "seen")]
SHOP = {"n_users": 1200, "n_events": 80_000, "cold_items": 0.3}
LSTM = {"dim": 32, "hidden": 64, "length": 20, "cell": "lstm", "categories": (), "dropout": 0.1}
WORDS = {**LSTM, "text": "cnn", "n_words": 600, "words": 16}
READS = (5, 10, 20, 50, None)
SHOP_PAIRS = [("content", "EASE"), ("content", "MF"), ("content", "ids"), ("content", "item neighbours"),
              ("content", "personal popularity"), ("fused", "content"), ("fused", "MF"), ("EASE", "MF"),
              ("MF", "personal popularity"), ("content", "popularity"), ("EASE", "personal popularity")]


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


class Among(recbook.Recommender):
    """A model whose list holds some items only: `allowed` (n_items,) of bool."""

    def __init__(self, model, allowed):
        super().__init__()
        self.model, self.allowed, self.reads = model, torch.tensor(allowed), model.reads

    def scores(self, context, items=None):
        return torch.as_tensor(self.model.scores(context)).masked_fill(~self.allowed, -torch.inf)


def in_keras(kind, split, seed, few, patience, batch_size, **options):
    """A model of `recbook.keras`, trained as the page trains it: ten epochs, stopped early on a part of validation."""
    import keras

    import recbook.keras as rk

    class Validate(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            logs["validation"] = recbook.evaluate(self.model, few, [METRIC])[METRIC]

    keras.utils.set_random_seed(seed)
    model = getattr(rk, kind)(split.n_users, split.n_items, **options).start(split)
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    stop = patience and keras.callbacks.EarlyStopping("validation", mode="max", patience=patience,
                                                      restore_best_weights=True)
    model.fit(rk.TrainingBatches(model, split, batch_size=batch_size), epochs=10, verbose=0,
              callbacks=[Validate(), stop] if patience else [])
    return model


def shop():
    """The chapter's models: two seeds, three columns, and the new items apart."""
    start = time.perf_counter()
    dataset = recbook.load("shop", **SHOP)
    split = recbook.by_time(dataset)
    sizes = split.n_users, split.n_items
    few = split.validation.subset(np.arange(len(split.validation)) % 4 == 0)

    def read(kind, **settings):
        """The model that reads as much as validation says, and how much that is."""
        model, found = kind(*sizes, **settings).fit(split), {}
        for model.reads in READS:
            found[model.reads] = recbook.evaluate(model, few, [METRIC])[METRIC]
        model.reads = max(found, key=found.get)
        return model

    models = {"popularity": [recbook.Popularity(*sizes).fit(split)],
              "personal popularity": [read(recbook.PersonalPopularity)],
              "item neighbours": [read(recbook.ItemKNN, k=50, shrink=10.0)],
              "EASE": [read(recbook.EASE, l2=500.0)], "MF": [], "ids": [], "content": [], "fused": [],
              "observer": [recbook.Observer(dataset)]}
    settings = {name: {"reads": models[name][0].reads} for name in ("personal popularity", "item neighbours", "EASE")}
    weights = []
    for seed in SEEDS:
        models["MF"].append(in_keras("LogisticMF", split, seed, few, None, 4096, dim=8, l2=0.03))
        models["ids"].append(in_keras("ContentGRU", split, seed, few, 2, 2048, **LSTM, ids=True))
        models["content"].append(in_keras("ContentGRU", split, seed, few, 2, 2048, **WORDS))
        found = {weight: recbook.evaluate(Weighted(models["MF"][-1], models["content"][-1], weight=weight), few,
                                          [METRIC])[METRIC] for weight in (0, 0.1, 0.2, 0.3, 0.5, 1)}
        weights.append(max(found, key=found.get))
        models["fused"].append(Weighted(models["MF"][-1], models["content"][-1], weight=weights[-1]))
        settings["fused"] = {"weight": list(weights), "validation": {str(key): value for key, value in found.items()}}
    compared = recbook.compare(models, on=split.test, metrics=[METRIC])
    results.save_comparison("controls_amazon_shop", "The chapter's shop", split.test.protocol(), compared, dataset,
                            time.perf_counter() - start, SEEDS, settings, SHOP_PAIRS)
    print(compared.by_answer().round(4).to_string(), settings, sep="\n", flush=True)
    cold = hybrids.met(split, "item") < 10
    asked = split.test.subset(cold[split.test.target])
    models["chance"] = [recbook.Popularity(*sizes)]
    for called, allowed in (("all items", np.ones(len(cold), dtype=bool)), ("among cold", cold)):
        reports = {f"{name}, {called}": average([recbook.evaluate(Among(model, allowed), asked, [METRIC])
                                                 for model in models[name]])
                   for name in ("chance", "EASE", "ids", "content", "fused", "observer")}
        save("controls_amazon_cold", "The chapter's shop, questions about cold items",
             "cold: the item was met fewer than 10 times in training", reports,
             {"": np.ones(len(asked), dtype=bool)},
             [(f"content, {called}", f"{other}, {called}") for other in ("chance", "ids", "EASE")], dataset, start,
             {f"chance, {called}": {"cold items": int(cold.sum()), "items": len(cold), "questions": len(asked)}}, SEEDS)


STUDIES = {"beauty": beauty, "early": early, "scientific": scientific, "taobao": taobao, "shop": shop}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="controls_amazon", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=STUDIES, help="default: all of them")
    arguments = parser.parse_args(argv)
    for name in [arguments.only] if arguments.only else STUDIES:
        STUDIES[name]()


if __name__ == "__main__":
    main()
