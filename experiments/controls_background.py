"""Controls of the chapter on background: what the parts of the small network buy, and where a table no longer fits.

Question: after the last two things of a session, which comes next? Trained on the first nine tenths of the shop's
events, asked about the last tenth. Measured is the cross-entropy of an event (lower is better).

- *category after two categories*, a table of 13 x 13 rows: counts of pairs, shrunk towards those of the last category
  alone, and these towards all; the network of the chapter (embeddings of 8); the same without its hidden layer;
- *item after two items*, a table of 361 x 361 rows: the same three, with embeddings of 16.

The strength of the shrinking, and one to four epochs at a learning rate of .003 or .01, are chosen on the tenth before
the test, eight tries each; then the models are trained on all that came before the test. Three seeds of each network;
the values of a question are averaged over them.
"""

import argparse
import time

import numpy as np
import scipy.sparse as sp
import torch
from torch import nn

import recbook
from recbook import results
from recbook.evaluation import Comparison, Report, average

NAME = "controls_background"
TITLE = "What comes after two things: counts, votes that are added, and a hidden layer"
PROTOCOL = ("trained on the first nine tenths of the shop's events; cross-entropy of the thing that came next, mean "
            "over the 25,000 events of the last tenth; networks: three seeds, averaged question by question")
SEEDS = (0, 1, 2)
STRENGTHS = (3, 10, 20, 30, 50, 100, 200, 400)
PAIRS = [("category: hidden layer", "category: counts"), ("category: hidden layer", "category: added"),
         ("item: hidden layer", "item: counts"), ("item: added", "item: counts"), ("item: hidden layer", "item: added")]


class Questions:
    """The events of the shop, each with the two things before it in its session; `kind` is "category" or "item"."""

    def __init__(self, shop, kind):
        events = shop.interactions
        things = shop.items["category"].cat.codes.to_numpy() if kind == "category" else np.arange(shop.n_items)
        self.size = int(things.max()) + 1
        self.answers = things[events["item"]].astype(np.int64)
        session = events["session"]
        before = [np.where(session == session.shift(k), np.roll(self.answers, k), self.size) for k in (1, 2)]
        self.asked = np.column_stack(before)                            # (events, 2): the last, and the one before it
        self.time, self.users = events["timestamp"].to_numpy(), events["user"].to_numpy()
        self.first_test = np.quantile(self.time, 0.9)
        self.first_validation = np.quantile(self.time, 0.8)


def counts(questions, past, asked, strength):
    """Probabilities of what comes next (A, size): counts after both, shrunk to those after the last, then to all."""
    size, answers = questions.size, questions.answers[past]
    share = np.bincount(answers, minlength=size) + 0.5
    share = share / share.sum()
    last = shrunk(questions.asked[past, 0], answers, questions.asked[asked, 0], size + 1, size, share, strength)
    both = questions.asked @ np.array([size + 1, 1])
    return shrunk(both[past], answers, both[asked], (size + 1) ** 2, size, last, strength)


def shrunk(rows, answers, asked, n_rows, size, towards, strength):
    """The share of each answer after each of the `asked` rows, as if `strength` answers like `towards` were added."""
    table = sp.csr_matrix((np.ones(len(rows)), (rows, answers)), shape=(n_rows, size))
    found = np.asarray(table[asked].todense())
    return (found + strength * towards) / (found.sum(1, keepdims=True) + strength)


def epochs_of(questions, past, how, width, epochs, rate, seed=0):
    """The network of the chapter, with or without its hidden layer: as it is after each epoch of training."""
    torch.manual_seed(seed)
    size = questions.size
    layers = [nn.Linear(2 * width, size)]
    if how == "hidden layer":
        layers = [nn.Linear(2 * width, 128), nn.ReLU(), nn.Linear(128, size)]
    model = nn.Sequential(nn.Embedding(size + 1, width), nn.Flatten(), *layers)
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    inputs, answers = torch.tensor(questions.asked[past]), torch.tensor(questions.answers[past])
    for _ in range(epochs):
        for rows in torch.randperm(len(answers)).split(512):
            loss = nn.functional.cross_entropy(model(inputs[rows]), answers[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        yield model


@torch.no_grad()
def of_network(model, questions, asked):
    """Cross-entropy of each asked event (A,)."""
    logits = model(torch.tensor(questions.asked[asked]))
    return nn.functional.cross_entropy(logits, torch.tensor(questions.answers[asked]), reduction="none").numpy()


def of_counts(questions, past, asked, strength):
    chance = counts(questions, past, asked, strength)
    return -np.log(chance[np.arange(len(chance)), questions.answers[asked]])


def chosen(questions, how, width, past, asked):
    """The settings with the lowest cross-entropy of the asked events, of eight."""
    if how == "counts":
        found = {strength: of_counts(questions, past, asked, strength).mean() for strength in STRENGTHS}
        return {"strength": min(found, key=found.get)}
    found = {}
    for rate in (0.003, 0.01):
        for epoch, model in enumerate(epochs_of(questions, past, how, width, 4, rate), start=1):
            found[rate, epoch] = of_network(model, questions, asked).mean()
    rate, epochs = min(found, key=found.get)
    return {"epochs": epochs, "rate": rate}


def main(argv=None):
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=("category", "item"), help="default: both")
    arguments = parser.parse_args(argv)
    shop = recbook.load("shop")
    start, reports, settings = time.perf_counter(), {}, {}
    for kind, width in (("category", 8), ("item", 16)):
        if arguments.only not in (None, kind):
            continue
        questions = Questions(shop, kind)
        earlier, test = questions.time < questions.first_validation, questions.time >= questions.first_test
        for how in ("counts", "added", "hidden layer"):
            row = f"{kind}: {how}"
            options = settings[row] = chosen(questions, how, width, earlier, ~earlier & ~test)
            if how == "counts":
                runs = [of_counts(questions, ~test, test, **options)]
            else:
                runs = [of_network(list(epochs_of(questions, ~test, how, width, **options, seed=seed))[-1],
                                   questions, test) for seed in SEEDS]
            reports[row] = average([Report({"cross-entropy": values}, {"cross-entropy": questions.users[test]})
                                    for values in runs])
            print(row, options, round(float(reports[row]["cross-entropy"]), 4), flush=True)
    comparison, rows = Comparison(reports), {}
    for row, report in reports.items():
        less = {other: {"cross-entropy": comparison.difference(row, other, "cross-entropy")}
                for one, other in PAIRS if one == row and other in reports}
        rows[row] = {"title": row, "measured": results.summary(report.runs or [report]), "published": {}, "source": "",
                     "settings": settings[row], "less": less}
    results.save(NAME, TITLE, PROTOCOL, rows, shop, time.perf_counter() - start, SEEDS)


if __name__ == "__main__":
    main()
