"""Content taken apart on the shop: what words add where all else is the same, and what an event is worth.

All networks are `ContentGRU` of the sizes that the chapters on content and on hybrids train, and all train alike: four
passes, a learning rate that falls from .008 to nothing. Only what an item's vector is made of differs, or one named
thing besides. The shop takes three tenths of its range in during the last two months; the first eight tenths of the
events train, every event of the last tenth is asked.

controls_content: all questions. controls_content_known: those whose answer was met ten times or more in training.
controls_content_cold: the others, with all items ranked, and (-among) with only the items that were met fewer than ten
times.

controls_content_events: of a tenth of the items that were always for sale, drawn at random, all but the last few
training events are taken away, and these items are asked about; a row for each kind of model and number of events.
"-dealt": each item has another item's title and text, drawn at random.

controls_content_always, and _always_cold (cold answers): words, and "-always": every item of the catalogue is turned
down at every moment, also those that were not for sale before the questions.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import recbook
from recbook import results
from recbook.data.features import NEVER
from recbook.evaluation import Comparison, average
from recbook.models.base import Recommender, select

METRICS = ["NDCG@10"]
COLD = 10           # events
SIZES = {"dim": 32, "hidden": 64, "length": 20, "dropout": 0.1, "categories": ()}
TRAINING = {"epochs": 4, "batch_size": 2048, "learning_rate": 0.008}
ROWS = {
    "words": {"text": "bag"},
    "ids": {"ids": True},
    "both": {"text": "bag", "ids": True},
    "cnn": {"text": "cnn"},
    "dropout": {"text": "bag", "ids": True, "id_dropout": 0.3},
    "both-dealt": {"text": "bag", "ids": True, "dealt": True},
    "ids-year": {"ids": True, "year": True},
    "words-always": {"text": "bag", "always": True},
}
SHOP = ("words", "ids", "both", "cnn", "both-dealt")
KEPT = {"words": (3, 10, 30), "ids": (3, 10, 30), "ids-year": (10,)}
READS = (1, 2, 3, 5, 10, 20, 50, None)     # of profile, EASE and own counts; validation chooses
PAIRS = [("words", "ids"), ("both", "ids"), ("both", "words"), ("cnn", "words"), ("cnn", "ids"),
         ("both-dealt", "ids"), ("both", "both-dealt"), ("ids", "ids-year"), ("words", "personal"), ("ids", "personal"),
         ("words", "ease"), ("ids", "ease"), ("profile", "popularity"),
         ("words", "profile"), ("both", "profile"), ("words", "words-always")]


class WholeYear(recbook.ContentGRU):
    """The softmax runs over all items at every moment: what was not for sale yet was turned down."""

    def __init__(self, n_users, n_items, dim=64, length=50, hidden=128, dropout=0.2, categories=(), text=None,
                 ids=False):
        super().__init__(n_users, n_items, dim, length, hidden, dropout=dropout, categories=categories, text=text,
                         ids=ids)

    def start(self, split):
        super().start(split)
        self.since[self.since < NEVER] = 0


class Always(WholeYear):
    """Every item of the catalogue was turned down at every moment, also one that nobody met in training."""

    def start(self, split):
        super().start(split)
        self.since.zero_()


class Among(Recommender):
    """A model that ranks only some of the items."""

    def __init__(self, model, some):
        super().__init__()
        self.model, self.reads = model, model.reads
        self.register_buffer("others", ~torch.as_tensor(some))

    def scores(self, context, items=None):
        return select(torch.as_tensor(self.model.scores(context)).masked_fill(self.others, -torch.inf), items)


def train(split, settings, seed):
    """A model of one row, trained on `split`."""
    settings = dict(settings)
    kind = WholeYear if settings.pop("year", False) else recbook.ContentGRU
    kind = Always if settings.pop("always", False) else kind
    if settings.pop("dealt", False):
        split = replace(split, dataset=dealt(split.dataset))
    recbook.seed_everything(seed)
    model = kind(split.n_users, split.n_items, **SIZES, **settings)
    recbook.fit(model, split, seed=seed, schedule=lambda share: 1 - share, progress=False, device="cpu", **TRAINING)
    return model


def dealt(shop):
    """The shop with its titles and texts dealt out anew, at random."""
    items, order = shop.items.copy(), np.random.default_rng(0).permutation(shop.n_items)
    for column in ("title", "text"):
        items[column] = items[column].to_numpy()[order]
    return replace(shop, items=items)


def cold_items(split):
    """The items that were met fewer than ten times in training: array (n_items,) of bool."""
    return np.bincount(split.train["item"], minlength=split.n_items) < COLD


def withheld(split, kept):
    """The split with all but the last `kept` training events of some items taken away, and the events that are asked.

    The items are always the same: a tenth of those that were for sale all year.
    """
    always = np.flatnonzero(split.dataset.truth.world.launch == 0)
    some = np.random.default_rng(0).choice(always, len(always) // 10, replace=False)
    train = split.train
    order = train[train["item"].isin(some)].sort_values("timestamp", kind="stable")
    gone = order.index[order.groupby("item").cumcount(ascending=False) >= kept]
    return (replace(split, train=train.drop(gone).reset_index(drop=True)),
            split.test.subset(np.isin(split.test.target, some)))


def questions(model, split, seed=0):
    """Reports on all questions; on those whose answer is cold; on these where only cold items are ranked."""
    cold = cold_items(split)
    asked = split.test.subset(cold[split.test.target])
    return [recbook.evaluate(model, split.test, METRICS, seed=seed), recbook.evaluate(model, asked, METRICS, seed=seed),
            recbook.evaluate(Among(model, cold), asked, METRICS, seed=seed)]


def best(kind, split, **options):
    """The model that reads as many events as is best on validation."""
    models = [kind(split.n_users, split.n_items, reads=reads, **options).fit(split) for reads in READS]
    asked = split.validation.subset(np.arange(len(split.validation)) % 4 == 0)
    return max(models, key=lambda model: recbook.evaluate(model, asked, METRICS)["NDCG@10"])


def main(argv=None):
    parser = argparse.ArgumentParser(prog="controls_content", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", help="measure these runs and write nothing: words, ids-10, ... with commas between")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="a folder for what is trained or measured: a run goes on there")
    parser.add_argument("--always", action="store_true", help="measure controls_content_always and _always_cold alone")
    arguments = parser.parse_args(argv)
    shop = recbook.load("shop", cold_items=0.3)
    split = recbook.by_time(shop)
    seeds = range(arguments.seeds)
    if arguments.always:
        return always(shop, split, seeds)
    runs = {name: None for name in SHOP} | {f"{name}-{number}": number for name in KEPT for number in KEPT[name]}
    start, found = time.perf_counter(), {}
    for run in arguments.only.split(",") if arguments.only else runs:
        def measure(seed):
            if runs[run] is None:
                return questions(train(split, ROWS[run], seed), split, seed)
            smaller, asked = withheld(split, runs[run])
            model = train(smaller, ROWS[run.rpartition("-")[0]], seed)
            return [recbook.evaluate(model, asked, METRICS, seed=seed)]

        found[run] = [results.kept(arguments.keep and arguments.keep / f"content_{run}_{seed}", lambda: measure(seed))
                      for seed in seeds]
        print(f"{run:14} " + "   ".join(" ".join(f"{report['NDCG@10']:.4f}" for report in reports)
                                        for reports in found[run]), flush=True)
    if not arguments.only:
        save(shop, split, found, seeds, time.perf_counter() - start)


def always(shop, split, seeds):
    """Write the two tables of words that were turned down where they were for sale, and always."""
    start, rows = time.perf_counter(), ("words", "words-always")
    found = {name: [questions(train(split, ROWS[name], seed), split, seed)[0] for seed in seeds] for name in rows}
    settings = {name: {**SIZES, **ROWS[name], **TRAINING} for name in rows}
    cold = cold_items(split)[split.test.target]
    seconds = time.perf_counter() - start
    write("controls_content_always", "The shop: words, turned down where they were for sale, and always", split.test,
          found, shop, seconds, seeds, settings)
    write("controls_content_always_cold", "The same, answers that were met fewer than ten times",
          split.test.subset(cold),
          {name: [report.subset(cold) for report in reports] for name, reports in found.items()}, shop, seconds, seeds,
          settings)


def save(shop, split, found, seeds, seconds):
    """Write the four tables."""
    sizes = split.n_users, split.n_items
    read = {"personal": best(recbook.PersonalPopularity, split), "profile": best(recbook.ContentProfile, split),
            "ease": best(recbook.EASE, split, l2=2000.0)}
    counted = {"popularity": recbook.Popularity(*sizes).fit(split), **read, "observer": recbook.Observer(shop)}
    settings = {name: {**SIZES, **row, **TRAINING} for name, row in ROWS.items()}
    settings |= {name: {"reads": model.reads} for name, model in read.items()}
    shown = {name: found[name] for name in SHOP} | {name: [questions(model, split)] for name, model in counted.items()}
    write("controls_content", "The shop: one reader, one loss, other items", split.test,
          {name: [reports[0] for reports in several] for name, several in shown.items()}, shop, seconds, seeds,
          settings)

    cold = cold_items(split)[split.test.target]
    write("controls_content_known", "The shop: answers that were met ten times or more", split.test.subset(~cold),
          {name: [reports[0].subset(~cold) for reports in several] for name, several in shown.items()}, shop, seconds,
          seeds, settings)
    asked = split.test.subset(cold)
    write("controls_content_cold", "The shop: answers that were met fewer than ten times", asked,
          {name + end: [reports[part] for reports in several] for name, several in shown.items()
           for part, end in ((1, ""), (2, "-among"))}, shop, seconds, seeds, settings)

    of_few = {run: [reports[0] for reports in several] for run, several in found.items() if run not in SHOP}
    write("controls_content_events", "The shop: items of which few events are left", withheld(split, 0)[1], of_few,
          shop, seconds, seeds, {run: settings[run.rpartition("-")[0]] for run in of_few})


def write(name, title, cases, reports, shop, seconds, seeds, settings):
    ends = {run[len(base):] for base in (*ROWS, "profile", "popularity") for run in reports if run.startswith(base)}
    pairs = [(a + end, b + end) for a, b in PAIRS for end in sorted(ends) if a + end in reports and b + end in reports]
    results.save_comparison(name, title, "trained on the first eight tenths of the events. " + cases.protocol(),
                            Comparison({run: average(several) for run, several in reports.items()}, cases), shop,
                            seconds, seeds, settings, pairs)


if __name__ == "__main__":
    main()
