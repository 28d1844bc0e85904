"""Recurrent networks on the shop: each cell with and without what was done and when, under its own ceiling.

controls_recurrent: every second question of the test; answers to each question are averaged over seeds and compared in
pairs. All networks train as the chapter's does: four passes at a rate that falls from .01 (slower: .004) to nothing, no dropout.
"twelve passes" trains as `experiments/shop.py` trains the cells on items alone: from .004, with a dropout of .1.
controls_recurrent_first and controls_recurrent_within: the same on the first question of a visit and on all others. An
observer is told what some networks are told, and the customer's profile: none of them can do better on average.

controls_recurrent_copying: how many of the first symbols of thirty a network repeats after at most 400 steps.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

import recbook
from recbook import results
from recbook.data.shop.events import SESSION_GAP
from recbook.data.splits import BEHAVIOUR_CODES
from recbook.evaluation import Comparison, average
from recbook.models.sequence import next_times, pauses

TRAINING = {"epochs": 4, "batch_size": 2048, "learning_rate": 0.01}
ALL = {"behaviours": True, "pauses": True}

LONGER = {"epochs": 12, "learning_rate": 0.004, "dropout": 0.1}

# told="before": with each event the pause before it, none before the question; "visits": not how long each pause was, but
# whether a new visit begins after it; "purchases": of what was done, only whether it was a purchase
ROWS = {
    "GRU, ids": {"cell": "gru"},
    "RNN, ids": {"cell": "rnn"},
    "RNN, all": {"cell": "rnn", **ALL},
    "RNN, all, slower": {"cell": "rnn", **ALL, "learning_rate": 0.004},
    "GRU, all": {"cell": "gru", **ALL},
    "LSTM, all": {"cell": "lstm", **ALL},
    "GRU, ids and behaviours": {"cell": "gru", "behaviours": True},
    "GRU, ids and purchases": {"cell": "gru", "behaviours": True, "told": "purchases"},
    "RNN, all, twelve passes": {"cell": "rnn", **ALL, **LONGER},
    "GRU, all, twelve passes": {"cell": "gru", **ALL, **LONGER},
    "GRU, pauses of the past": {"cell": "gru", **ALL, "told": "before"},
    "GRU, new visits": {"cell": "gru", **ALL, "told": "visits"},
}
OBSERVERS = {
    "observer, ids": {"behaviours": False, "ratings": False, "pauses": False},
    "observer, ids and behaviours": {"ratings": False, "pauses": False},
    "observer, all": {"ratings": False},
}
PAIRS = [("GRU, all", "RNN, all"), ("LSTM, all", "GRU, all"),
         ("GRU, all", "GRU, ids and behaviours"), ("GRU, ids and behaviours", "GRU, ids"), ("LSTM, all", "RNN, all"),
         ("GRU, ids", "RNN, ids"), ("GRU, all, twelve passes", "RNN, all, twelve passes"),
         ("RNN, all, twelve passes", "GRU, all"), ("GRU, ids and purchases", "GRU, ids"),
         ("GRU, ids and behaviours", "GRU, ids and purchases"),
         ("GRU, pauses of the past", "GRU, ids and behaviours"), ("GRU, all", "GRU, pauses of the past"),
         ("GRU, new visits", "GRU, ids and behaviours"), ("GRU, all", "GRU, new visits"),
         ("RNN, all, slower", "RNN, all"), ("GRU, all", "RNN, all, slower"),
         ("observer, all", "observer, ids and behaviours"), ("observer, ids and behaviours", "observer, ids")]


class PausesBefore(recbook.GRU4Rec):
    """With each event the pause before it, so that nothing is told of the question's time."""

    def states(self, context):
        after = pauses(context.times, context.now, context.items >= 0)
        before = torch.cat([torch.zeros_like(after[:, :1]), after[:, :-1]], dim=1)
        return self.encode(told(self, context, before))


class NewVisits(recbook.GRU4Rec):
    """One bit with each event: does a new visit begin after it?"""

    def states(self, context):
        pause = next_times(context.times, context.now, context.items >= 0) - context.times
        return self.encode(told(self, context, (pause > SESSION_GAP).long()))


class Purchases(recbook.GRU4Rec):
    """One bit with each event: was it a purchase?"""

    def states(self, context):
        bought = (context.behaviours == BEHAVIOUR_CODES["purchase"]).long()
        return super().states(recbook.Context(**{**vars(context), "behaviours": bought}))


def told(model, context, pause):
    """The inputs: what each item is, what was done with it, and what is told of the pause."""
    items, behaviours = context.items.clamp(min=0), context.behaviours.clamp(min=0)
    return model.item(items) + model.behaviour(behaviours) + model.pause(pause)


KINDS = {None: recbook.GRU4Rec, "before": PausesBefore, "visits": NewVisits, "purchases": Purchases}


def run(name, seed, split, cases):
    """What one run measured: its `Report` and the seconds it took."""
    start = time.process_time()
    settings = TRAINING | {"dropout": 0.0} | ROWS[name]
    training = {key: settings.pop(key) for key in TRAINING}
    kind = KINDS[settings.pop("told", None)]
    recbook.seed_everything(seed)
    model = kind(split.n_users, split.n_items, **settings)
    recbook.fit(model, split, seed=seed, schedule=lambda share: 1 - share, progress=False, device="cpu", **training)
    report = recbook.evaluate(model, cases, ["NDCG@10"], seed=seed)
    print(f"{name:28} seed {seed}: {report['NDCG@10']:.4f}", flush=True)
    return report, time.process_time() - start


def copying(kind, open_gate, seed, length=30, steps=400):
    """Share of first symbols that a network repeats at the end, and after how many steps it repeats 98 % of them."""
    torch.manual_seed(seed)
    cell = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}[kind](16, 32, batch_first=True)
    with torch.no_grad():
        cell.bias_hh_l0[32:64] += open_gate                             # LSTM: the forget gate; GRU: the update gate
    symbols, answer = nn.Embedding(8, 16), nn.Linear(32, 4)
    weights = [*symbols.parameters(), *cell.parameters(), *answer.parameters()]
    optimiser = torch.optim.Adam(weights, lr=5e-3, fused=True)

    def batch(size):
        first, rest = torch.randint(4, (size, 1)), torch.randint(4, 8, (size, length - 1))
        return torch.cat([first, rest], dim=1), first[:, 0]

    for step in range(steps + 1):
        if step % 100 == 0:
            sequence, first = batch(1000)
            with torch.no_grad():
                right = float((answer(cell(symbols(sequence))[0][:, -1]).argmax(1) == first).float().mean())
            if right > 0.98 or step == steps:
                return right, step
        sequence, first = batch(64)
        loss = nn.functional.cross_entropy(answer(cell(symbols(sequence))[0][:, -1]), first)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def measure_copying(shop, seeds=range(3)):
    start, rows = time.process_time(), {}
    for kind, gate in (("GRU", 3), ("LSTM", 3), ("GRU", 0), ("LSTM", 0), ("RNN", 0)):
        found = [copying(kind, gate, seed) for seed in seeds]
        shares = [right for right, _ in found]
        print(kind, gate, found, flush=True)
        numbers = {"value": float(np.mean(shares)), "low": min(shares), "high": max(shares), "values": shares}
        rows[f"{kind} +{gate}"] = {"title": f"{kind}, gate's bias +{gate}", "measured": {"repeated": numbers},
                                   "published": {}, "source": "", "settings": {"steps": [steps for _, steps in found]}}
    results.save("controls_recurrent_copying", "The first of thirty symbols, repeated at the end",
                 "share of 1,000 new sequences; 1 in 4 by chance; at most 400 steps of 64 sequences", rows, shop,
                 time.process_time() - start, seeds)


def watch(name, shop, cases):
    """An observer's report and the seconds it took."""
    start = time.process_time()
    report = recbook.evaluate(recbook.Observer(shop, **OBSERVERS[name]), cases, ["NDCG@10"])
    return report, time.process_time() - start


def main(argv=None):
    parser = argparse.ArgumentParser(prog="controls_recurrent", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=[*ROWS, *OBSERVERS, "copying", "shop"],
                        help="one row, of which nothing is written; or one of the two experiments")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="a folder where each run is kept: an interrupted experiment goes on")
    arguments = parser.parse_args(argv)
    shop = recbook.load("shop")
    if arguments.only in (None, "copying"):
        measure_copying(shop)
    if arguments.only == "copying":
        return
    one = arguments.only if arguments.only != "shop" else None
    split = recbook.by_time(shop).refit()
    cases = split.test.subset(np.arange(len(split.test)) % 2 == 0)
    reports, seconds = {}, 0.0
    for name in [one] if one else [*ROWS, *OBSERVERS]:
        runs = []
        for seed in range(arguments.seeds if name in ROWS else 1):
            kept = arguments.keep and arguments.keep / f"recurrent {name} {seed}"
            runs.append(results.kept(kept, lambda: run(name, seed, split, cases) if name in ROWS
                                     else watch(name, shop, cases)))
        reports[name] = average([report for report, _ in runs])
        seconds += sum(time for _, time in runs)
    if one:
        return
    last = cases.log.times[np.maximum(cases.ends - 1, 0)]
    first = (cases.ends == cases.log.starts[cases.users]) | (cases.now - last > SESSION_GAP)
    for name, title, kept in (("controls_recurrent", "Cells, and what they are told", np.ones(len(cases), dtype=bool)),
                              ("controls_recurrent_first", "The same, first question of a visit", first),
                              ("controls_recurrent_within", "The same, all other questions", ~first)):
        some = cases.subset(kept)
        comparison = Comparison({row: average([run.subset(kept) for run in report.runs or (report,)])
                                 for row, report in reports.items()}, some)
        results.save_comparison(name, title, some.protocol(), comparison, shop, seconds, range(arguments.seeds),
                                {**ROWS, **OBSERVERS}, PAIRS)


if __name__ == "__main__":
    main()
