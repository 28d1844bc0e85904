"""Hybrids against their plain rivals on the shop: the same mixes with counting in a model's place.

The shop, the split and the networks of `experiments/controls_content.py`: one reader, of ids, of words, of both; MF as
in the chapter. A mix is trained in parts; its own number (a weight, ...) is the best of `GRIDS` on a quarter of
validation, for each seed, and the test is asked once.

dealt: the words of each item are those of another, drawn at random, once for each seed. "dropout, share ...": the
network that learned with ids left out gets the newcomers' share as well.

controls_hybrids: all questions. controls_hybrids_cold: those whose answer was met fewer than ten times in training.
controls_hybrids_known: the others.
"""

import argparse
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

import recbook
from experiments.controls_content import METRICS, ROWS, SIZES, TRAINING, cold_items, train
from recbook import results
from recbook.evaluation import Comparison, average, places
from recbook.models.base import Recommender, select

MF = {"dim": 8, "l2": 0.03}
MF_TRAINING = {"epochs": 8, "batch_size": 4096, "learning_rate": 0.01}
GRIDS = {"weight": tuple(np.round(np.arange(0, 1.01, 0.05), 2).tolist()), "kept": (5, 10, 20, 50, 100),
         "half": (3.0, 10.0, 30.0, 100.0)}
# name: (the two parts, the number that is chosen); "other": the first part, from another seed
MIXED = {
    "MF + words": ("mf", "words", "weight"),
    "popularity + words": ("popularity", "words", "weight"),
    "counts + words": ("counts", "words", "weight"),
    "ids + words": ("ids", "words", "weight"),
    "ids + ids": ("ids", "other", "weight"),
    "counts + ids": ("counts", "ids", "weight"),
    "ids + dealt": ("ids", "dealt", "weight"),
    "cascade": ("ids", "words", "kept"),
    "MF by evidence + words": ("mf", "words", "half"),
}
# of the newcomers; a row each
SHARES = {"both": (0.2, 0.3, 0.4, 0.5), "ids | words": (0.1, 0.2, 0.3), "dropout": (0.2, 0.3, 0.4)}
PAIRS = [("words", "ids"), ("both", "ids"), ("both", "ids + words"), ("MF + words", "words"),
         ("popularity + words", "words"), ("counts + words", "words"), ("MF + words", "popularity + words"),
         ("MF + words", "counts + words"), ("MF by evidence + words", "MF + words"), ("ids + words", "ids"),
         ("ids + words", "words"), ("ids + ids", "ids"), ("ids + words", "ids + ids"), ("counts + ids", "ids"),
         ("ids + words", "counts + ids"), ("ids + dealt", "ids"), ("ids + words", "ids + dealt"),
         ("words", "dealt"), ("words", "personal"), ("cascade", "ids"), ("dropout", "both"),
         *((f"both, share {share}", "dropout") for share in SHARES["both"]),
         *((f"dropout, share {share}", f"both, share {share}") for share in SHARES["dropout"])]


class Given(Recommender):
    """What a model said of some cases, asked once, however many mixes are tried."""

    def __init__(self, model, cases):
        super().__init__()
        self.reads = model.reads
        with torch.no_grad():
            self.said = torch.cat([torch.as_tensor(model.scores(cases.context(slice(start, start + 1000), model.reads)))
                                   for start in range(0, len(cases), 1000)])

    def scores(self, context, items=None):
        return select(self.said, items)


class LogPopularity(recbook.Popularity):
    """The logarithm of one more than an item's events."""

    def scores(self, context, items=None):
        return torch.log1p(super().scores(context, items))


class LogCounts(Recommender):
    """The logarithm of one more than this user's events with an item. Nobody else is asked."""

    reads = None

    def __init__(self, n_users, n_items):
        super().__init__()
        self.n_items = n_items

    def fit(self, split):
        return self

    def scores(self, context, items=None):
        history = context.items
        count = torch.zeros(len(history), self.n_items + 1)
        count.scatter_add_(1, torch.where(history < 0, self.n_items, history), torch.ones(history.shape))
        return select(torch.log1p(count[:, :-1]), items)


def factorization(split, seed):
    recbook.seed_everything(seed)
    model = recbook.LogisticMF(split.n_users, split.n_items, **MF)
    recbook.fit(model, split, seed=seed, schedule=lambda share: 1 - share, progress=False, device="cpu", **MF_TRAINING)
    return model


def dealt(split, seed):
    """The split with titles and texts dealt out anew, at random."""
    items, order = split.dataset.items.copy(), np.random.default_rng(seed).permutation(split.n_items)
    for column in ("title", "text"):
        items[column] = items[column].to_numpy()[order]
    return replace(split, dataset=replace(split.dataset, items=items))


def ndcg(scores, cases):
    """NDCG@10 of scores (N, n_items), ties in random order."""
    rank = places(scores, torch.arange(len(cases)), torch.as_tensor(cases.target), torch.Generator().manual_seed(0))
    return float(torch.where(rank < 10, 1 / torch.log2(rank + 2), 0.0).mean())


def build(chosen, number, first, second, met):
    """A hybrid, from the name of its number and its value; met (n_users,): each user's events in training."""
    if chosen == "half":
        return recbook.Weighted(first, second, weight=0.25, half=number, met=met)
    kind = {"weight": recbook.Weighted, "kept": recbook.Cascade}[chosen]
    return kind(first, second, **{chosen: number})


def main(argv=None):
    parser = argparse.ArgumentParser(prog="controls_hybrids", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", help="measure these rows and write nothing, with semicolons between")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="a folder for what is trained or measured: a run goes on there")
    arguments = parser.parse_args(argv)
    shop = recbook.load("shop", cold_items=0.3)
    split = recbook.by_time(shop)
    sizes, keep, seeds = (split.n_users, split.n_items), arguments.keep, range(arguments.seeds)
    met = np.bincount(split.train["item"], minlength=split.n_items)
    of_users = np.bincount(split.train["user"], minlength=split.n_users)
    asked = split.validation.subset(np.arange(len(split.validation)) % 4 == 0)
    counted = {"popularity": LogPopularity(*sizes).fit(split), "counts": LogCounts(*sizes),
               "personal": recbook.PersonalPopularity(*sizes, reads=50).fit(split), "observer": recbook.Observer(shop)}

    @cache
    def part(name, seed):
        if name in counted:
            return counted[name]
        if name == "mf":
            return factorization(split, seed)
        if name == "other":
            return part("ids", (seed + 1) % len(seeds))
        if name == "dealt":
            return train(dealt(split, seed), ROWS["words"], seed)
        return train(split, ROWS[name], seed)

    def measure(row, seed):
        """(what was chosen, the report on the test)"""
        number = None
        if row in MIXED:
            first, second, chosen = MIXED[row]
            pair = part(first, seed), part(second, seed)
            given = [Given(model, asked) for model in pair]
            tried = {value: ndcg(build(chosen, value, *given, of_users).scores(asked.context(length=50)), asked)
                     for value in GRIDS[chosen]}
            number = max(tried, key=tried.get)
            model = build(chosen, number, *pair, of_users)
        elif "share" in row:
            parts, _, share = row.partition(", share ")
            first, _, second = parts.partition(" | ")
            model = recbook.Newcomers(part(first, seed), part(second or first, seed), met, share=float(share))
        else:
            model = part(row, seed)
        return number, recbook.evaluate(model, split.test, METRICS, seed=seed)

    rows = [*counted, "mf", "ids", "words", "dealt", "both", "dropout", *MIXED,
            *(f"{parts}, share {share}" for parts in SHARES for share in SHARES[parts])]
    start, reports, settings = time.perf_counter(), {}, {}
    for row in arguments.only.split(";") if arguments.only else rows:
        name = row.replace(" ", "").replace("|", "-")
        found = [results.kept(keep and keep / f"hybrid_{name}_{seed}", lambda: measure(row, seed))
                 for seed in (seeds if row not in counted else seeds[:1])]
        reports[row] = [report for _, report in found]
        if row in MIXED:
            settings[row] = {"parts": list(MIXED[row][:2]), MIXED[row][2]: [number for number, _ in found]}
        elif row in ROWS:
            settings[row] = {**SIZES, **ROWS[row], **TRAINING}
        print(f"{row:24}", [round(float(report["NDCG@10"]), 4) for report in reports[row]], settings.get(row, ""),
              flush=True)
    if arguments.only:
        return
    settings |= {"dealt": {**SIZES, **ROWS["words"], **TRAINING}, "mf": {**MF, **MF_TRAINING}, "personal": {"reads": 50}}
    cold = cold_items(split)[split.test.target]
    for end, title, keep_those in (("", "all answers", np.ones(len(cold), dtype=bool)),
                                   ("_cold", "answers that were met fewer than ten times", cold),
                                   ("_known", "answers that were met ten times or more", ~cold)):
        cases = split.test.subset(keep_those)
        cut = {row: average([report.subset(keep_those) for report in several]) for row, several in reports.items()}
        results.save_comparison(f"controls_hybrids{end}", f"The shop, hybrids and plain rivals: {title}",
                                "trained on the first eight tenths of the events, numbers chosen on a quarter of the "
                                "ninth. " + cases.protocol(), Comparison(cut, cases), shop, time.perf_counter() - start,
                                seeds, settings, PAIRS)


if __name__ == "__main__":
    main()
