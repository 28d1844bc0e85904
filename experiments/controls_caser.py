"""Caser taken apart on the shop: loss, targets, window and the user's vector, each changed alone.

controls_caser: every second question of the test; answers to each question are averaged over seeds and compared in
pairs. All models train as the chapter's does: four passes at a rate that falls from .01 to nothing, no dropout.
"unions 15 times" is Caser without the user's vector, shown each question after the two categories of a union fifteen
times; it takes half as many steps again, as does "six passes", which is shown all questions equally often. Each row's
settings hold what it knows of unions in the end ("union", the lift that the chapter shows). The observers read the last
items alone: no behaviours, no times.

controls_caser_first and controls_caser_within: loss and targets on the first question of a visit and on all others.
controls_caser_known and controls_caser_newcomers: the user's vector on customers who had events in training, and on those
who had none.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import recbook
from recbook import results
from recbook.data.batches import Windows
from recbook.data.shop.events import SESSION_GAP
from recbook.evaluation import Comparison, average
from recbook.models import find_model

TRAINING = {"epochs": 4, "batch_size": 2048, "learning_rate": 0.01}
SEQUENCE = {"dropout": 0.0, **TRAINING}
CASER = {"model": "caser", "targets": 1, "negatives": 0, **SEQUENCE}

# seeds=1 where the others have two; user=False keeps the user's vector at zero; often=15 shows questions after a union
# so often
ROWS = {
    "Caser": CASER,
    "without p_u": {**CASER, "user": False},
    "ten items": {**CASER, "length": 10, "seeds": 1},
    "one negative": {**CASER, "negatives": 1, "seeds": 1},
    "three negatives": {**CASER, "negatives": 3, "seeds": 1},
    "twenty negatives": {**CASER, "negatives": 20, "seeds": 1},
    "one negative, three targets": {**CASER, "negatives": 1, "targets": 3, "seeds": 1},
    "three targets": {**CASER, "targets": 3},
    "max-pooled, five items": {"model": "max-pooled-rnn", **SEQUENCE, "length": 5},
    "max-pooled": {"model": "max-pooled-rnn", **SEQUENCE, "seeds": 1},
    "max-pooled, five items, eight passes": {"model": "max-pooled-rnn", **SEQUENCE, "length": 5, "epochs": 8,
                                             "seeds": 1},
    "max-pooled, eight passes": {"model": "max-pooled-rnn", **SEQUENCE, "epochs": 8, "seeds": 1},
    "unions 15 times": {**CASER, "user": False, "often": 15, "seeds": 1},
    "without p_u, six passes": {**CASER, "user": False, "epochs": 6, "seeds": 1},
    "GRU": {"model": "gru4rec", **SEQUENCE, "seeds": 1},
    "GRU, five items": {"model": "gru4rec", **SEQUENCE, "length": 5, "seeds": 1},
}
OBSERVERS = {"observer, five items": 5, "observer, ten items": 10}
PAIRS = [("without p_u", "Caser"), ("ten items", "Caser"), ("Caser", "one negative"),
         ("one negative", "one negative, three targets"), ("three negatives", "one negative"),
         ("twenty negatives", "one negative"), ("Caser", "twenty negatives"), ("Caser", "three targets"),
         ("three targets", "one negative, three targets"), ("max-pooled, five items", "max-pooled"),
         ("max-pooled, five items", "Caser"), ("without p_u", "max-pooled"), ("without p_u", "max-pooled, five items"),
         ("max-pooled", "Caser"), ("max-pooled, eight passes", "max-pooled"),
         ("max-pooled, five items, eight passes", "max-pooled, eight passes"),
         ("max-pooled, eight passes", "Caser"), ("without p_u, six passes", "without p_u"),
         ("GRU", "without p_u"), ("GRU", "GRU, five items"), ("GRU, five items", "without p_u"),
         ("unions 15 times", "without p_u"), ("observer, ten items", "observer, five items")]


class OftenUnions(Windows):
    """Windows, with each moment after the two categories of a union of the shop taken `often` times."""

    def __init__(self, length, targets, negatives, world, often):
        super().__init__(length, targets, negatives)
        self.world, self.often = world, often

    def prepare(self, split, device="cpu"):
        super().prepare(split, device)
        moment, known, _ = self.rows                                    # row of what comes next
        items, times = self.columns["items"], self.columns["times"]
        category = torch.from_numpy(self.world.item_category)[items]
        near = (known >= 2) & (times[moment] - times[moment - 1] <= 1800)
        near &= times[moment - 1] - times[moment - 2] <= 1800
        pair = torch.zeros(len(category) + 1, dtype=torch.bool)
        for first, second, _ in self.world.unions:
            ends = (category[moment - 1] == first) & (category[moment - 2] == second)
            pair[moment] |= near & (ends | (category[moment - 1] == second) & (category[moment - 2] == first))
        times_shown = torch.where(pair[moment], self.often, 1)
        self.rows = [column.repeat_interleave(times_shown) for column in self.rows]
        return self


def train(split, settings, seed):
    """A model of one row, trained on `split`."""
    settings = dict(settings)
    training = {key: settings.pop(key) for key in ("epochs", "batch_size", "learning_rate")}
    user, often, _ = settings.pop("user", True), settings.pop("often", 1), settings.pop("seeds", None)
    recbook.seed_everything(seed)
    model = find_model(settings.pop("model"))(split.n_users, split.n_items, **settings)
    if not user:
        model.user.weight.requires_grad_(False)                         # it starts at zero and stays there
    if often > 1:
        model.batches = OftenUnions(model.length, model.targets, model.negatives, split.dataset.truth.world, often)
    recbook.fit(model, split, seed=seed, schedule=lambda share: 1 - share, progress=False, device="cpu", **training)
    return model


def union_lift(model, cases, world):
    """By how much the two categories of a union raise the log chance of the third, as the chapter measures it."""
    category = torch.from_numpy(world.item_category)
    context = cases.context(length=50)
    count = (context.items >= 0).sum(1)
    context, count = context.rows(count >= 2), count[count >= 2]

    def back(values, k):
        return values.gather(1, (count - 1 - k)[:, None])[:, 0]

    near = (context.now - back(context.times, 0) <= 1800) & (back(context.times, 0) - back(context.times, 1) <= 1800)
    pair = category[back(context.items, 1)] * 12 + category[back(context.items, 0)]
    with torch.no_grad():
        chances = model.scores(context).softmax(1).double() @ torch.nn.functional.one_hot(category).double()
    mean = torch.full((144, 12), torch.nan, dtype=torch.float64)
    for number in range(144):
        if (near & (pair == number)).sum() >= 10:
            mean[number] = chances.log()[near & (pair == number)].mean(0)
    mean = mean - mean.mean(1, keepdim=True)
    lift = (mean - mean.nanmean(0)).view(12, 12, 12).numpy()
    return float(np.nanmean([lift[a, b, c] for first, second, c in world.unions
                             for a, b in ((first, second), (second, first))]))


def run(name, seed, split, cases):
    """What one run measured: its `Report`, the lift of unions, and the seconds it took."""
    start = time.process_time()
    model = train(split, ROWS[name], seed)
    report = recbook.evaluate(model, cases, ["NDCG@10"], seed=seed)
    found = report, union_lift(model, cases, split.dataset.truth.world), time.process_time() - start
    print(f"{name:28} seed {seed}: {report['NDCG@10']:.4f}, union {found[1]:+.3f}", flush=True)
    return found


def main(argv=None):
    parser = argparse.ArgumentParser(prog="controls_caser", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=ROWS, help="run one row and write nothing; default: all of them")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="a folder where each run is kept: an interrupted experiment goes on")
    arguments = parser.parse_args(argv)
    shop = recbook.load("shop")
    split = recbook.by_time(shop).refit()
    cases = split.test.subset(np.arange(len(split.test)) % 2 == 0)
    reports, settings, seconds = {}, {}, 0.0
    for name in [arguments.only] if arguments.only else ROWS:
        runs = []
        for seed in range(ROWS[name].get("seeds", arguments.seeds)):
            kept = arguments.keep and arguments.keep / f"caser {name} {seed}"
            runs.append(results.kept(kept, lambda: run(name, seed, split, cases)))
        reports[name] = average([report for report, _, _ in runs])
        settings[name] = {**ROWS[name], "union": round(float(np.mean([lift for _, lift, _ in runs])), 3)}
        seconds += sum(time for _, _, time in runs)
    if arguments.only:
        return
    for name, reads in OBSERVERS.items():
        observer = recbook.Observer(shop, behaviours=False, ratings=False, pauses=False)
        observer.reads, settings[name] = reads, {"reads": reads}
        kept = arguments.keep and arguments.keep / f"caser {name}"
        reports[name] = results.kept(kept, lambda: recbook.evaluate(observer, cases, ["NDCG@10"]))
    results.save_comparison("controls_caser", "Caser, one thing changed at a time", cases.protocol(),
                            Comparison(reports, cases), shop, seconds, range(arguments.seeds), settings, PAIRS)
    for name, (title, rows, kept) in parts_of(cases, split).items():
        some = cases.subset(kept)
        part = Comparison({row: average([run.subset(kept) for run in reports[row].runs or (reports[row],)])
                           for row in rows}, some)
        results.save_comparison(f"controls_caser_{name}", title, some.protocol(), part, shop, seconds,
                                range(arguments.seeds), settings, [pair for pair in PAIRS if set(pair) <= set(rows)])


def parts_of(cases, split):
    """{name: (title, rows, which questions)}."""
    last = cases.log.times[np.maximum(cases.ends - 1, 0)]
    first = (cases.ends == cases.log.starts[cases.users]) | (cases.now - last > SESSION_GAP)
    known = np.bincount(split.train["user"], minlength=split.n_users)[cases.users] > 0
    losses = ["Caser", "one negative", "three targets", "one negative, three targets"]
    vector = ["Caser", "without p_u"]
    return {"first": ("Loss and targets, first question of a visit", losses, first),
            "within": ("Loss and targets, all other questions", losses, ~first),
            "known": ("The user's vector, customers with events in training", vector, known),
            "newcomers": ("The user's vector, customers without events in training", vector, ~known)}


if __name__ == "__main__":
    main()
