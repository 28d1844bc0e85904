"""Views, carts and purchases: what in a customer's history tells the next purchase?

Data: Taobao's excerpt, without the 44 lines that are dated outside its nine days. By time: the first six tenths of the
events train, the next tenth is validation, and each purchase of the last three tenths is a question, asked with all
that its customer did before it. All items are ranked, also those that the customer has seen.

The log as published never holds two events with the same item in a row: what was viewed last before a purchase is never
what is bought. So `seen-but-last` and `cart` put the very last item behind all others; `seen` does not. These three
learn nothing. Settings of the networks are those of `experiments/shop.py`, but for the dropout and the number of epochs,
which were chosen by hand on validation's purchases; `--tune` prints them.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

import recbook
from recbook import results
from recbook.data.splits import BEHAVIOUR_CODES
from recbook.models import find_model
from recbook.training import best_device

NAME = "behaviours"
TITLE = "Taobao, the next purchase"
PROTOCOL = ("train on the first six tenths; rank all items, also those seen before, for each purchase of the last "
            "three tenths; new: its item does not stand in the customer's history")
METRICS = ("Recall@1", "Recall@10")
FROM, UNTIL = (pd.Timestamp(day, tz="Asia/Shanghai").timestamp() for day in ("2017-11-25", "2017-12-04"))
TRAINING = ("epochs", "batch_size", "learning_rate")
GRU = {"model": "gru4rec", "dropout": 0.3, "negatives": 100, "epochs": 60, "batch_size": 1024, "learning_rate": 0.004}


class Seen(recbook.Recommender):
    """What the customer met last comes first.

    `cart` puts what lies in the cart before all else; `last` = False puts the very last item behind all others.
    """

    reads = None

    def __init__(self, n_users, n_items, cart=False, last=True):
        super().__init__()
        self.n_items, self.cart, self.last = n_items, cart, last

    def scores(self, context, items=None):
        scores = torch.zeros(len(context), self.n_items)
        for row, (met, did) in enumerate(zip(context.items.numpy(), context.behaviours.numpy())):
            met, did = met[met >= 0], did[met >= 0]
            for place, item in enumerate(met, start=1):
                scores[row, item] = place
            if self.cart:
                waiting = set(met[did == BEHAVIOUR_CODES["cart"]]) - set(met[did == BEHAVIOUR_CODES["purchase"]])
                scores[row, list(waiting)] += len(met)
            if not self.last:
                scores[row, met[-1:]] = -1
        return scores if items is None else scores[:, items]


# name: (title, settings)
ROWS = {
    "popularity": ("Popularity", {"model": "popularity"}),
    "item-knn": ("Item neighbours", {"model": "item-knn", "k": 50}),
    "gru4rec": ("GRU4Rec", GRU),
    "gru4rec-behaviours": ("GRU4Rec, told what was done", {**GRU, "behaviours": True}),
    "seen": ("What was seen last", {"model": Seen}),
    "seen-but-last": ("What was seen last, but for the very last", {"model": Seen, "last": False}),
    "cart": ("What lies in the cart, then as before", {"model": Seen, "cart": True, "last": False}),
}


def data():
    """The data set, and its split with purchases as the only questions."""
    dataset = recbook.load("taobao")
    log = dataset.interactions
    dataset = replace(dataset, interactions=log[log["timestamp"].between(FROM, UNTIL)].reset_index(drop=True))
    split = recbook.by_time(dataset, validation=0.1, test=0.3)
    return dataset, replace(split, validation=purchases(split.validation), test=purchases(split.test))


def purchases(cases):
    """Only those cases whose answer was bought."""
    return cases.subset(cases.log.behaviours[cases.ends] == BEHAVIOUR_CODES["purchase"])


def seen_before(cases):
    """Whether the answer of each case stands in its history."""
    history = cases.context().items.numpy()
    return (history == cases.target[:, None]).any(1)


def train(split, settings, seed=0, device="auto", **options):
    """A model trained on `split`, the learning rate lower with each epoch, in a line to zero: (model, history)."""
    settings = dict(settings)
    training = {key: settings.pop(key) for key in TRAINING if key in settings}
    model = settings.pop("model")
    recbook.seed_everything(seed)
    model = (model if isinstance(model, type) else find_model(model))(split.n_users, split.n_items, **settings)
    history = None
    if training:
        history = recbook.fit(model, split, seed=seed, device=device, progress=False, schedule=lambda share: 1 - share,
                              **training, **options)
    elif hasattr(model, "fit"):
        model.fit(split)
    return model, history


def measure(name, split, seeds, device="auto"):
    """One row of the table."""
    title, settings = ROWS[name]
    models = [train(split, settings, seed, device)[0] for seed in seeds]
    seen = seen_before(split.test)
    found = {}
    for called, cases, metrics in (("", split.test, METRICS), (" new", split.test.subset(~seen), METRICS[1:])):
        reports = [recbook.evaluate(model, cases, metrics, seed=seed) for model, seed in zip(models, seeds)]
        found |= {metric + called: value for metric, value in results.summary(reports).items()}
    settings = {key: value for key, value in settings.items() if key != "model" or isinstance(value, str)}
    return {"title": title, "measured": found, "published": {}, "source": "", "settings": settings}


def main(argv=None):
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=ROWS, help="default: all of them")
    parser.add_argument("--tune", action="store_true", help="show validation while training; writes nothing")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args(argv)
    dataset, split = data()
    for name in [arguments.model] if arguments.model else ROWS:
        start, solved = time.perf_counter(), "epochs" not in ROWS[name][1]
        if arguments.tune:
            if not solved:
                _, history = train(split.sealed(), ROWS[name][1], device=arguments.device, metric=METRICS[1],
                                   validate_every=4)
                print(name, history.dropna().round(4).to_string(index=False), flush=True)
            continue
        seeds = range(1 if solved else arguments.seeds)
        row = measure(name, split, seeds, arguments.device)
        results.save(NAME, TITLE, PROTOCOL, {name: row}, dataset, time.perf_counter() - start, seeds,
                     best_device(arguments.device))
        print(row["title"], {metric: round(number["value"], 4) for metric, number in row["measured"].items()},
              flush=True)


if __name__ == "__main__":
    main()
