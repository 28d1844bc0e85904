"""Controls of the chapter on background: what the parts of the small network buy, and where a table no longer fits.

Question: after the last two things of a session, which comes next? Trained on the first nine tenths of the shop's
events, asked about the last tenth. Measured is the cross-entropy of an event (lower is better).

- *category after two categories*, a table of 13 x 13 rows: a table of counts, shrunk towards the counts of the last
  category alone, and these towards all; votes, added, the network of the chapter (embeddings of 8) without its hidden
  layer; and the network with it.
- *item after two items*, a table of 361 x 361 rows: the same three, with embeddings of 16; two tables, mixed, counts
  of what followed each of the two things by itself; two tables, logarithms added, the same counts, combined as votes
  are; and votes, added, without vectors: a free number for each thing at each of the two places and each answer,
  learned as the others are.

Each model has eight tries, chosen between on the tenth before the test: the strengths of the shrinking (and the share
of the last thing's table, or the weight of the logarithms of the other), or one to four epochs at a learning rate of
.003 or .01. Then it is trained on all that came before the test. Three seeds of each network; the values of a question
are averaged over them.
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
TABLE, MIXED, LOGS, ADDED, NO_VECTORS, HIDDEN = ("a table of counts", "two tables, mixed",
                                                 "two tables, logarithms added", "votes, added",
                                                 "votes, added, no vectors", "with a hidden layer")
TRIES = {"category: " + TABLE: [{"strength": strength} for strength in (3, 10, 20, 30, 50, 100, 200, 400)],
         "item: " + TABLE: [{"strength": strength, "of_last": last} for strength in (200, 400, 1000, 3000)
                            for last in (100, 200)],
         "item: " + MIXED: [{"strength": strength, "share": share} for strength in (50, 100, 200, 400)
                            for share in (0.7, 0.8)],
         "item: " + LOGS: [{"strength": strength, "weight": weight} for strength in (200, 300, 400, 600)
                           for weight in (0.5, 0.7)]}
KINDS = {"category": (8, (TABLE, ADDED, HIDDEN)), "item": (16, (TABLE, MIXED, LOGS, ADDED, NO_VECTORS, HIDDEN))}
PAIRS = [(f"{kind}: {one}", f"{kind}: {other}") for kind, one, other in [
    ("category", HIDDEN, TABLE), ("category", HIDDEN, ADDED), ("item", HIDDEN, TABLE), ("item", ADDED, TABLE),
    ("item", HIDDEN, ADDED), ("item", MIXED, TABLE), ("item", ADDED, MIXED), ("item", NO_VECTORS, TABLE),
    ("item", LOGS, MIXED), ("item", NO_VECTORS, LOGS), ("item", ADDED, LOGS), ("item", HIDDEN, LOGS),
    ("item", NO_VECTORS, MIXED), ("item", NO_VECTORS, ADDED), ("item", NO_VECTORS, HIDDEN)]]


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


def counts(questions, past, asked, strength, of_last=None):
    """Probabilities of what comes next (A, size): counts after both, shrunk to those after the last, then to all."""
    size, answers = questions.size, questions.answers[past]
    share = np.bincount(answers, minlength=size) + 0.5
    share = share / share.sum()
    last = shrunk(questions.asked[past, 0], answers, questions.asked[asked, 0], size + 1, size, share,
                  of_last or strength)
    both = questions.asked @ np.array([size + 1, 1])
    return shrunk(both[past], answers, both[asked], (size + 1) ** 2, size, last, strength)


def apart(questions, past, asked, strength):
    """Shares of all things (size,), and those after the last thing and after the one before it, each (A, size)."""
    size, answers = questions.size, questions.answers[past]
    common = np.bincount(answers, minlength=size) + 0.5
    common = common / common.sum()
    return common, *(shrunk(questions.asked[past, place], answers, questions.asked[asked, place], size + 1, size,
                            common, strength) for place in (0, 1))


def mixed(questions, past, asked, strength, share):
    """Probabilities of what comes next (A, size): counts after the last thing, and after the one before it, mixed."""
    _, last, before = apart(questions, past, asked, strength)
    return share * last + (1 - share) * before


def logarithms(questions, past, asked, strength, weight):
    """The same two tables as votes: their logarithms are added, those of the thing before with a weight."""
    common, last, before = apart(questions, past, asked, strength)
    product = last * (before / common) ** weight
    return product / product.sum(1, keepdims=True)


def shrunk(rows, answers, asked, n_rows, size, towards, strength):
    """The share of each answer after each of the `asked` rows, as if `strength` answers like `towards` were added."""
    table = sp.csr_matrix((np.ones(len(rows)), (rows, answers)), shape=(n_rows, size))
    found = np.asarray(table[asked].todense())
    return (found + strength * towards) / (found.sum(1, keepdims=True) + strength)


def epochs_of(questions, past, how, width, epochs, rate, seed=0):
    """The network of the chapter, or what is left of it: as it is after each epoch of training."""
    torch.manual_seed(seed)
    size = questions.size
    if how == NO_VECTORS:
        model = Votes(size)
    elif how == ADDED:
        model = nn.Sequential(nn.Embedding(size + 1, width), nn.Flatten(), nn.Linear(2 * width, size))
    else:
        model = nn.Sequential(nn.Embedding(size + 1, width), nn.Flatten(), nn.Linear(2 * width, 128), nn.ReLU(),
                              nn.Linear(128, size))
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    inputs, answers = torch.tensor(questions.asked[past]), torch.tensor(questions.answers[past])
    for _ in range(epochs):
        for rows in torch.randperm(len(answers)).split(512):
            loss = nn.functional.cross_entropy(model(inputs[rows]), answers[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        yield model


class Votes(nn.Module):
    """Each thing, at each of the two places, has a number for each answer; the numbers are added."""

    def __init__(self, size):
        super().__init__()
        self.last, self.before = nn.Embedding(size + 1, size), nn.Embedding(size + 1, size)
        self.common = nn.Parameter(torch.zeros(size))
        for table in (self.last, self.before):
            nn.init.zeros_(table.weight)

    def forward(self, asked):                                           # (B, 2)
        return self.last(asked[:, 0]) + self.before(asked[:, 1]) + self.common


@torch.no_grad()
def of_network(model, questions, asked):
    """Cross-entropy of each asked event (A,)."""
    logits = model(torch.tensor(questions.asked[asked]))
    return nn.functional.cross_entropy(logits, torch.tensor(questions.answers[asked]), reduction="none").numpy()


def of_counts(questions, past, asked, **options):
    how = mixed if "share" in options else logarithms if "weight" in options else counts
    chance = how(questions, past, asked, **options)
    return -np.log(chance[np.arange(len(chance)), questions.answers[asked]])


def chosen(questions, kind, how, past, asked):
    """The settings with the lowest cross-entropy of the asked events, of eight."""
    width, row = KINDS[kind][0], f"{kind}: {how}"
    if row in TRIES:
        return min(TRIES[row], key=lambda options: of_counts(questions, past, asked, **options).mean())
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
    for kind, (width, ways) in KINDS.items():
        if arguments.only not in (None, kind):
            continue
        questions = Questions(shop, kind)
        earlier, test = questions.time < questions.first_validation, questions.time >= questions.first_test
        for how in ways:
            row = f"{kind}: {how}"
            options = settings[row] = chosen(questions, kind, how, earlier, ~earlier & ~test)
            if row in TRIES:
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
