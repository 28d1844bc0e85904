"""Content on the simulated shop: items that nobody has met, and how many meetings an id is worth.

The shop is one that takes three tenths of its range in during the last two months of the year.

shop_content: models that know items by their ids, by what they are made of, or by both; all items ranked for each event
of the last tenth, and the same of cold cases alone: those whose item was met fewer than ten times in training.

shop_withheld: of a tenth of the shop's items, drawn at random among those that were always for sale, all but a few of
the training events are taken away, and the models are asked about events of these items alone.

Settings are those of `experiments/shop.py` but for the number of epochs, which was chosen by hand on the validation part
of the default shop; `--tune` prints that of this one.
"""

import argparse
import time
from dataclasses import replace

import numpy as np

import recbook
from recbook import results
from recbook.models import find_model
from recbook.training import best_device

METRIC = "NDCG@10"
COLD = 10           # events
TRAINING = {"batch_size": 2048, "learning_rate": 0.004}
SEQUENCE = {"dropout": 0.1, "epochs": 8}
# name: (title, settings)
ROWS = {
    "popularity": ("Popularity", {"model": "popularity"}),
    "ease": ("EASE", {"model": "ease", "l2": 2000.0}),
    "content-profile": ("Content profile", {"model": "content-profile"}),
    "ids": ("Ids", {"model": "gru4rec", **SEQUENCE}),
    "categories": ("Categories", {"model": "content-gru", **SEQUENCE}),
    "bag": ("Bag of words", {"model": "content-gru", "categories": (), "text": "bag", **SEQUENCE}),
    "cnn": ("Words, convolution", {"model": "content-gru", "categories": (), "text": "cnn", **SEQUENCE}),
    "lstm": ("Words, LSTM", {"model": "content-gru", "categories": (), "text": "lstm", **SEQUENCE}),
    "bilstm": ("Words, two-way LSTM", {"model": "content-gru", "categories": (), "text": "bilstm", **SEQUENCE}),
    "picture": ("Picture", {"model": "content-gru", "categories": (), "picture": True, **SEQUENCE}),
    "all": ("Categories, bag of words, picture", {"model": "content-gru", "text": "bag", "picture": True, **SEQUENCE}),
    "all-ids": ("All of these and ids", {"model": "content-gru", "text": "bag", "picture": True, "ids": True,
                                         **SEQUENCE}),
}
WITHHELD = {"Ids": ROWS["ids"][1], "Bag of words": ROWS["bag"][1], "Both": {**ROWS["bag"][1], "ids": True}}
KEPT = (0, 3, 10, 30, 100, 300)


def train(split, settings, seed=0, device="auto", **options):
    """A model trained on `split`, the learning rate lower with each epoch, in a line to zero: (model, history)."""
    settings = dict(settings)
    name, epochs = settings.pop("model"), settings.pop("epochs", 1)
    recbook.seed_everything(seed)
    model = find_model(name)(split.n_users, split.n_items, **settings)
    history = recbook.fit(model, split, epochs=epochs, seed=seed, device=device, progress=False,
                          schedule=lambda share: 1 - share, **TRAINING, **options)
    return model, history


def measured(split, models, seeds):
    """All cases and the cold ones, of one trained model a seed."""
    met = np.bincount(split.train["item"], minlength=split.n_items)
    cold = split.test.subset(met[split.test.target] < COLD)
    reports = {name: [recbook.evaluate(model, cases, [METRIC], seed=seed) for model, seed in zip(models, seeds)]
               for name, cases in ((METRIC, split.test), (f"{METRIC} cold", cold))}
    return {name: results.summary(some)[METRIC] for name, some in reports.items()}


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


def measure_withheld(split, kept, seeds, device="auto"):
    """The row of one number of events, with a column for each kind of model."""
    smaller, asked = withheld(split, kept)
    found = {}
    for name, settings in WITHHELD.items():
        reports = [recbook.evaluate(train(smaller, settings, seed, device)[0], asked, [METRIC], seed=seed)
                   for seed in seeds]
        found[name] = results.summary(reports)[METRIC]
    return {"title": f"{kept} events kept", "measured": found, "published": {}, "source": "",
            "settings": {"kept": kept}}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="content", description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=[*ROWS, "observer", "withheld"], help="default: all of them")
    parser.add_argument("--tune", action="store_true", help="show validation while training; writes nothing")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args(argv)
    shop = recbook.load("shop", cold_items=0.3)
    split = recbook.by_time(shop)
    final = split.refit()

    def save(table, title, protocol, name, row, seeds):
        results.save(table, title, protocol, {name: row}, shop, time.perf_counter() - start, seeds,
                     best_device(arguments.device))
        print(row["title"], {metric: round(numbers["value"], 4) for metric, numbers in row["measured"].items()},
              flush=True)

    for name in [arguments.model] if arguments.model else [*ROWS, "observer", "withheld"]:
        start, seeds = time.perf_counter(), range(arguments.seeds)
        if name == "withheld":
            for kept in KEPT:
                start = time.perf_counter()
                save("shop_withheld", "The simulated shop, items of which few events are left",
                     f"events of a tenth of the items, of which so many training events are left; {METRIC}, all items "
                     "ranked", str(kept), measure_withheld(final, kept, seeds, arguments.device), seeds)
            continue
        if arguments.tune:
            _, history = train(split.sealed(), ROWS[name][1], device=arguments.device, metric=METRIC, validate_every=2)
            print(name, history.dropna().round(4).to_string(index=False), flush=True)
            continue
        if name == "observer":
            title, settings, seeds, models = "Observer", {}, (0,), [recbook.Observer(shop)]
        else:
            title, settings = ROWS[name]
            seeds = seeds if "epochs" in settings else (0,)
            models = [train(final, settings, seed, arguments.device)[0] for seed in seeds]
        save("shop_content", "The simulated shop, by ids and by content",
             "train on the first nine tenths; rank all items for each event of the last tenth; cold: the item was met "
             f"fewer than {COLD} times", name,
             {"title": title, "measured": measured(final, models, seeds), "published": {}, "source": "",
              "settings": settings}, seeds)


if __name__ == "__main__":
    main()
