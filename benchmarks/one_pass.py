"""GRU4Rec on the shop: every question of a history in one pass, or each prefix as an example of its own.

Same on both sides: the model and its start, the questions (each event of the training part but a user's first is
predicted once, from the up to 50 before it), about 2,048 of them a batch, cross-entropy over all items, Adam, learning
rate .001, float32, the same cores. A step of either makes the gradient of one mean loss over its questions.
Not the same: one pass cuts histories of more than 50 events into pieces, and its questions read 1 to 50 events; a
prefix reads the last 50 where there are as many. `prefixes_trimmed` pads a batch of prefixes, which are then sorted by
their length, to the longest in it; `prefixes` pads to 50, as RecBole does.
Time: an epoch with its shuffle, without loading. One pass: whole epochs. Prefixes: SHARE of an epoch's batches after
two that do not count, scaled to the epoch.
"""

import sys
from itertools import islice

import common

BATCH, LENGTH, RATE, SHARE, WARM_UP = 2048, 50, 0.001, 1 / 10, 2


def prefixes_of(trimmed):
    """Batches in which each question is a history of its own: a class for a model to ask for."""
    import numpy as np
    import torch
    from recbook.data.batches import Sequences

    class Prefixes(Sequences):
        def epoch(self, batch_size, generator=None):
            known = np.concatenate([np.arange(1, count) for count in self.counts[self.counts > 1]])
            row = np.concatenate([start + np.arange(1, count)
                                  for start, count in zip(self.starts, self.counts) if count > 1])
            size = np.minimum(known, self.length)
            order = torch.randperm(len(row), generator=generator).numpy()
            if trimmed:
                order = order[np.argsort(size[order], kind="stable")]
            blocks = np.split(order, np.arange(batch_size, len(order), batch_size))
            for number in torch.randperm(len(blocks), generator=generator).tolist():
                block = blocks[number]
                rows, sizes = torch.from_numpy(row[block]), torch.from_numpy(size[block])
                before = self.cut(rows - sizes, sizes, int(sizes.max()) if trimmed else self.length)
                after = self.cut(rows, torch.ones_like(rows), 1)
                yield self.batch(before, after, rows, generator, first=sizes - 1)

    return Prefixes(LENGTH)


def make(split):
    import recbook

    recbook.seed_everything(0)
    return recbook.GRU4Rec(split.n_users, split.n_items, dim=64, length=LENGTH, hidden=128)


def shop():
    import recbook

    return recbook.by_time(recbook.load("shop"))


def one_pass(folder):
    import recbook

    split = shop()
    model = make(split)
    with common.Clock() as clock:
        recbook.fit(model, split, 1, BATCH, RATE, device="cpu", progress=False)
    return clock.times


def some_prefixes(trimmed):
    """An epoch's times, from some of its batches."""
    import torch
    from recbook.training import adam

    split = shop()
    model = make(split).train()
    batches, optimiser = prefixes_of(trimmed).prepare(split), adam(model.parameters(), lr=RATE)
    whole = -(-(batches.counts - 1).clip(min=0).sum() // BATCH)
    timed = round(SHARE * whole)
    epoch = batches.epoch(BATCH, torch.Generator().manual_seed(0))

    def train(number):
        for batch in islice(epoch, number):
            loss = model.loss(batch)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    train(WARM_UP)
    with common.Clock() as clock:
        train(timed)
    return {name: float(seconds * whole / timed) for name, seconds in clock.times.items()}


def prefixes(folder):
    return some_prefixes(trimmed=False)


def prefixes_trimmed(folder):
    return some_prefixes(trimmed=True)


TITLES = {"prefixes": "One pass over a history, GRU4Rec", "prefixes_trimmed": "One pass, beside prefixes of equal length"}


def rows():
    import recbook

    made = {}
    with common.workplace() as folder:
        runs = common.by_turns(__file__, folder, dict.fromkeys(("one_pass", *TITLES), sys.executable))
    settings = {"epochs": 1, "batch_size": BATCH, "length": LENGTH, "dim": 64, "hidden": 128,
                "share of an epoch's batches timed, prefixes": SHARE}
    for side, title in TITLES.items():
        name = f"one-pass-gru4rec{side.removeprefix('prefixes').replace('_', '-')}"
        made[name] = common.row(title, {"ratio": 1.0}, settings, runs["one_pass"], runs[side])
    return recbook.load("shop"), made


if __name__ == "__main__":
    common.run_side(one_pass, prefixes, prefixes_trimmed)
