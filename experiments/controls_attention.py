"""Controls of the chapter on attention: what a model loses when one part of it is changed alone.

On every second test question of the default shop. SASRec as the chapter trains it: without the sum around attention,
with even weights, without attention, each trained anew, and changed after training; what attention adds replaced by the
mean of customers of the same taste; the loss, then the number of negatives, then all items as negatives. NARM and the
attentive GRU: without attention, without the dropout at the output, with the last state alone.

controls_attention: all of these. controls_attention_first, controls_attention_within: the GRUs on the first question of
a visit and on the others.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import recbook
from recbook import results
from recbook.data.shop.events import SESSION_GAP
from recbook.evaluation import Comparison, average
from recbook.models.self_attention import Block

METRICS = ["NDCG@10"]
PROTOCOL = "train on the first nine tenths; rank all items for every second event of the last tenth"
WIDE = {"epochs": 5, "batch_size": 2048, "learning_rate": 0.008}
RECURRENT = {"epochs": 5, "batch_size": 2048, "learning_rate": 0.004}
INPUTS = {"behaviours": True, "pauses": True}


# ------------------------------------------------------------------------------------------------ the changed models


class WithoutSum(Block):
    """attention(norm(x)) with no x added to it; the second half as it is."""

    def forward(self, inputs):
        seen = F.dropout(self.attention(inputs), self.dropout, self.training)
        return seen + self.network(self.network_norm(seen))


class Even(Block):
    """Every event up to now counts the same."""

    def attention(self, inputs):
        values = self.parts(inputs)[2]                                  # (B, heads, L, D / heads)
        seen = values.cumsum(2) / torch.arange(1, values.shape[2] + 1)[:, None]
        return self.attention_output(seen.transpose(1, 2).flatten(2))


class EvenWithoutSum(Even):
    forward = WithoutSum.forward


class Without(Block):
    """No attention at all: what is left is a network on each event."""

    def forward(self, inputs):
        return inputs + self.network(self.network_norm(inputs))


class Softmax(recbook.SASRec):
    """Cross-entropy over the right item and its K negatives, in place of a yes and K times no."""

    def loss(self, batch):
        states = self.states(batch.context)
        items = torch.cat([batch.items.clamp(min=0)[..., None], batch.negatives], dim=-1)       # (B, L, 1 + K)
        scores = (states[:, :, None] * self.item.weight[items]).sum(-1) + self.item_bias[items]
        return -scores.log_softmax(-1)[..., 0][batch.items >= 0].mean()


class NARMWithout(recbook.NARM):
    """The second summary is empty; all else, the number of weights too, is the same."""

    def weights(self, states):
        return states.new_zeros(len(states), states.shape[1], states.shape[1])

    def encode(self, inputs):
        states = self.recurrence(inputs)[0]
        both = torch.cat([states, torch.zeros_like(states)], dim=2)
        return self.output(F.dropout(both, self.output_dropout, self.training))


class LastState(recbook.AttentiveGRU):
    """The same GRU; every candidate is held against its last state alone."""

    scores = recbook.models.sequence.SequenceModel.scores
    loss = recbook.models.sequence.SequenceModel.loss


class TasteInItsPlace(recbook.Recommender):
    """A trained SASRec of one block; in place of what attention adds stands its mean over customers of that taste."""

    def __init__(self, model, shop, cases, tastes=True):
        super().__init__()
        self.model, self.truth, self.tastes, self.reads = model, shop.truth, tastes, model.reads
        added, taste = [], []
        for rows in np.array_split(np.arange(len(cases)), 20):
            context, seen = cases.context(rows, model.reads), []
            hook = model.stack[0].attention_output.register_forward_hook(lambda layer, inputs, out: seen.append(out))
            with torch.no_grad():
                model.scores(context)
            hook.remove()
            place = (context.items >= 0).sum(1) - 1
            added.append(seen[0][torch.arange(len(place)), place])
            taste.append(self.taste(context))
        added, taste = torch.cat(added), torch.cat(taste)
        self.means = torch.stack([added[taste == each].mean(0) for each in range(int(taste.max()) + 1)])

    def taste(self, context):
        if not self.tastes:
            return torch.zeros(len(context), dtype=torch.long)
        return torch.as_tensor(self.truth.taste_at(context.users.numpy(), context.now.numpy())).long()

    def scores(self, context, items=None):
        mean = self.means[self.taste(context)][:, None]
        hook = self.model.stack[0].attention_output.register_forward_hook(
            lambda layer, inputs, out: mean.expand_as(out))
        try:
            return self.model.scores(context, items)
        finally:
            hook.remove()


def sasrec(sizes, block=Block, kind=recbook.SASRec, **options):
    return as_if(kind(*sizes, blocks=1, dropout=0.0, **INPUTS, **options), block)


def as_if(model, block):
    """The same weights, read by another kind of block."""
    for each in model.stack:
        each.__class__ = block
    return model


# name: (title, how to build it, how to train it)
ROWS = {
    "sasrec": ("SASRec", lambda sizes: sasrec(sizes), WIDE),
    "sasrec-without-sum": ("SASRec, no sum", lambda sizes: sasrec(sizes, WithoutSum), WIDE),
    "sasrec-even-without-sum": ("SASRec, no sum, even weights", lambda sizes: sasrec(sizes, EvenWithoutSum), WIDE),
    "sasrec-even": ("SASRec, even weights", lambda sizes: sasrec(sizes, Even), WIDE),
    "sasrec-without": ("SASRec, no attention", lambda sizes: sasrec(sizes, Without), WIDE),
    "binary-1": ("binary, 1 negative, never met", lambda sizes: sasrec(sizes, negatives=1), WIDE),
    "softmax-1": ("cross-entropy, 1 negative, never met", lambda sizes: sasrec(sizes, kind=Softmax, negatives=1), WIDE),
    "softmax-20": ("cross-entropy, 20 negatives, never met",
                   lambda sizes: sasrec(sizes, kind=Softmax, negatives=20), WIDE),
    "narm": ("NARM", lambda sizes: recbook.NARM(*sizes, length=20, dropout=0.1), RECURRENT),
    "narm-without": ("NARM, no attention", lambda sizes: NARMWithout(*sizes, length=20, dropout=0.1), RECURRENT),
    "narm-sure-without": ("NARM, no attention, no dropout at the output",
                          lambda sizes: NARMWithout(*sizes, length=20, dropout=0.1, output_dropout=0.0), RECURRENT),
    "attentive-gru": ("Attentive GRU", lambda sizes: recbook.AttentiveGRU(*sizes, dropout=0.1), RECURRENT),
    "last-state": ("Attentive GRU, last state alone", lambda sizes: LastState(*sizes, dropout=0.1), RECURRENT),
}
# changed after training: (title, of which row, how)
CHANGED = {
    "even-after": ("SASRec, even weights after training", "sasrec", lambda model, *_: as_if(model, Even)),
    "without-after": ("SASRec, no attention after training", "sasrec", lambda model, *_: as_if(model, Without)),
    "even-after-without-sum": ("SASRec, no sum, even weights after training", "sasrec-without-sum",
                               lambda model, *_: as_if(model, EvenWithoutSum)),
    "taste-in-its-place": ("SASRec, mean of the same taste for attention", "sasrec",
                           lambda model, shop, others: TasteInItsPlace(model, shop, others)),
    "mean-in-its-place": ("SASRec, one mean for attention", "sasrec",
                          lambda model, shop, others: TasteInItsPlace(model, shop, others, tastes=False)),
}


OBSERVERS = {"observer, not told ratings": {"ratings": False},
             "observer, told items alone": {"behaviours": False, "ratings": False, "pauses": False}}
PLACES = {"first": "that begin a visit", "within": "within a visit"}
# whose paired difference is kept: the first less the second
PAIRS = [
    ("sasrec-without-sum", "sasrec"), ("sasrec-even", "sasrec"), ("sasrec-without", "sasrec"),
    ("even-after", "sasrec"), ("without-after", "sasrec"), ("even-after-without-sum", "sasrec-without-sum"),
    ("sasrec-even-without-sum", "sasrec-without-sum"),
    ("taste-in-its-place", "sasrec"), ("mean-in-its-place", "sasrec"), ("sasrec", "personal popularity"),
    ("softmax-1", "binary-1"), ("softmax-20", "softmax-1"), ("sasrec", "softmax-20"), ("sasrec", "binary-1"),
    ("narm", "narm-without"), ("narm-sure-without", "narm-without"), ("narm-sure-without", "narm"),
    ("last-state", "attentive-gru"),
]


def train(name, split, seed, **changes):
    _, build, training = ROWS[name]
    recbook.seed_everything(seed)
    model = build((split.n_users, split.n_items))
    recbook.fit(model, split, seed=seed, schedule=lambda share: 1 - share, progress=False, device="cpu",
                **training | changes)
    return model


@torch.no_grad()
def last_event(model, context, back=8):
    """The weight of the last event among the last eight, where it looks back from itself: in the last block."""
    found, block = [], model.stack[-1]
    hook = block.register_forward_pre_hook(lambda block, inputs: found.append(Block.weights(block, *inputs)))
    model.scores(context)
    hook.remove()
    weights = found[0][:, 0, -1, -back:].mean(0)
    return float(weights[-1] / weights.sum())


def measure(name, seed, shop, split):
    """One row from one seed, and what becomes of it when it is changed after training.

    Returns {row: Report}, {row: share of the last event in its attention} and the seconds it took.
    """
    start, (cases, others) = time.perf_counter(), halves(split.test)
    model = train(name, split, seed)
    found, shares = {name: recbook.evaluate(model, cases, METRICS, seed=seed)}, {}
    if hasattr(model, "stack"):
        long = cases.ends - cases.log.starts[cases.users] >= model.length
        if type(model.stack[0]) in (Block, WithoutSum):
            shares[name] = last_event(model, cases.subset(long & (np.arange(len(cases)) % 4 == 0)).context(length=50))
        for changed, (_, of, change) in CHANGED.items():
            if of == name:
                blocks = [each.__class__ for each in model.stack]
                found[changed] = recbook.evaluate(change(model, shop, others), cases, METRICS, seed=seed)
                for each, block in zip(model.stack, blocks):
                    each.__class__ = block
    return found, shares, time.perf_counter() - start


def halves(cases):
    even = np.arange(len(cases)) % 2 == 0
    return cases.subset(even), cases.subset(~even)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="controls_attention", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW",
                        help="measure these rows: %(choices)s; default: all of them")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--reports", type=Path, help="a folder where each run is kept, so that it need not run again")
    arguments = parser.parse_args(argv)
    seeds, wanted = range(arguments.seeds), [name for name in ROWS if name in arguments.only]
    shop = recbook.load("shop")
    split = recbook.by_time(shop).refit()
    cases, _ = halves(split.test)
    runs, shares, seconds = {}, {}, 0.0
    for name in wanted:
        for seed in seeds:
            path = arguments.reports and arguments.reports / f"{name}-{seed}"
            found, looks, took = results.kept(path, lambda: measure(name, seed, shop, split))
            seconds += took
            for row, report in found.items():
                runs.setdefault(row, []).append(report)
            for row, share in looks.items():
                shares.setdefault(row, []).append(share)
        print(name, {row: [round(float(one["NDCG@10"]), 4) for one in runs[row]] for row in found}, looks, flush=True)
    floors = {"popularity": recbook.Popularity, "personal popularity": recbook.PersonalPopularity}
    reports = {name: recbook.evaluate(kind(split.n_users, split.n_items).fit(split), cases, METRICS)
               for name, kind in floors.items()}
    titles = {name: title for name, (title, *_) in (ROWS | CHANGED).items()} | {name: name for name in floors}
    reports |= {titles[name]: average(each) for name, each in runs.items()}
    for number, (title, told) in enumerate(OBSERVERS.items()):
        path = arguments.reports and arguments.reports / f"observer-{number}"
        reports[title] = results.kept(path, lambda: recbook.evaluate(recbook.Observer(shop, **told), cases, METRICS))
    comparison = Comparison(reports, cases)
    print(comparison.by_answer().round(4).to_string(), flush=True)
    settings = {titles[name]: dict(ROWS[name][2]) for name in wanted}
    for name, values in shares.items():
        settings[titles[name]] |= {"weight of the last event": [round(each, 4) for each in values]}
    pairs = [(titles[a], titles[b]) for a, b in PAIRS if {titles[a], titles[b]} <= set(reports)]
    results.save_comparison("controls_attention", "Attention: one thing changed at a time", PROTOCOL, comparison, shop,
                            seconds, seeds, settings, pairs)
    pair = [titles[each] for each in ("last-state", "attentive-gru")]
    if not set(pair) <= set(reports):
        return
    begins = cases.ends == cases.log.starts[cases.users]
    begins |= cases.now - cases.log.times[cases.ends - 1] > SESSION_GAP
    for name, some in (("first", begins), ("within", ~begins)):
        part = Comparison({title: reports[title].subset(some) for title in pair}, cases.subset(some))
        results.save_comparison(f"controls_attention_{name}", f"Attentive GRU, questions {PLACES[name]}",
                                f"{PROTOCOL}; only questions {PLACES[name]}", part, shop, seconds, seeds, settings,
                                [tuple(pair)])


if __name__ == "__main__":
    main()
