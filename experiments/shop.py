"""The simulated shop: how far from popularity to the perfect observer each model goes.

shop: every model on the default shop, split by time; all items ranked.

Settings are chosen on the default shop's validation part, which `--tune` prints while a model trains; the models are
then trained anew with validation included, and tested.
"""

import argparse
import time

import recbook
from recbook import results
from recbook.models import find_model
from recbook.training import best_device

METRICS = ("NDCG@10", "HR@10")
SEQUENCE = {"epochs": 12, "batch_size": 2048, "learning_rate": 0.004, "dropout": 0.1}
PAIRS = {"batch_size": 4096}
BEST = {"model": "gru4rec", **SEQUENCE, "behaviours": True, "pauses": True, "epochs": 16}

# name: (title, settings)
ROWS = {
    "popularity": ("Popularity", {"model": "popularity"}),
    "ease": ("EASE", {"model": "ease", "l2": 2000.0}),
    "logistic-mf": ("MF, logistic loss", {"model": "logistic-mf", "dim": 8, "l2": 0.03, "epochs": 10,
                                          "learning_rate": 0.01, **PAIRS}),
    "gmf": ("GMF", {"model": "gmf", "dim": 8, "epochs": 20, "learning_rate": 0.01, **PAIRS}),
    "mlp": ("MLP", {"model": "mlp", "layers": (64, 32, 16), "epochs": 8, "learning_rate": 0.003, **PAIRS}),
    "mlp-narrow": ("MLP, last layer 8 wide", {"model": "mlp", "layers": (32, 16, 8), "epochs": 14,
                                              "learning_rate": 0.005, **PAIRS}),
    "neumf": ("NeuMF", {"model": "neumf", "dim": 8, "layers": (64, 32, 16), "epochs": 8, "learning_rate": 0.003,
                        **PAIRS}),
    "max-pooled-rnn": ("GRU, states max-pooled", {"model": "max-pooled-rnn", **SEQUENCE}),
    "caser": ("Caser, one negative", {"model": "caser", "epochs": 12, "batch_size": 1024, "learning_rate": 0.003}),
    "caser-cross-entropy": ("Caser, cross-entropy", {"model": "caser", "targets": 1, "negatives": 0, "epochs": 10,
                                                     "batch_size": 2048, "learning_rate": 0.003}),
    "attentive-gru": ("Attentive GRU", {"model": "attentive-gru", **SEQUENCE}),
    "narm": ("NARM", {"model": "narm", **SEQUENCE, "length": 20}),
    "rnn": ("Simple RNN", {"model": "gru4rec", **SEQUENCE, "cell": "rnn"}),
    "lstm": ("LSTM", {"model": "gru4rec", **SEQUENCE, "cell": "lstm"}),
    "gru4rec": ("GRU4Rec", {"model": "gru4rec", **SEQUENCE}),
    "gru4rec-behaviours": ("GRU4Rec, with behaviours", {**BEST, "pauses": False}),
    "sasrec": ("SASRec, with behaviours and pauses", {"model": "sasrec", **SEQUENCE, "behaviours": True, "pauses": True,
                                                      "epochs": 20}),
    "gru4rec-all": ("GRU4Rec, with behaviours and pauses", BEST),
}
TRAINING = ("epochs", "batch_size", "learning_rate")


def train(split, settings, seed=0, device="auto", **options):
    """A model trained on `split`, the learning rate lower with each epoch, in a line to zero: (model, history)."""
    settings = dict(settings)
    training = {key: settings.pop(key) for key in TRAINING if key in settings}
    recbook.seed_everything(seed)
    model = find_model(settings.pop("model"))(split.n_users, split.n_items, **settings)
    history = recbook.fit(model, split, seed=seed, device=device, schedule=lambda share: 1 - share, progress=False,
                          **training, **options)
    return model, history


def measure(name, split, seeds=(0,), device="auto"):
    """The row of one model on the default shop."""
    title, settings = ROWS[name]
    reports = [recbook.evaluate(train(split.refit(), settings, seed, device)[0], split.test, METRICS, seed=seed)
               for seed in seeds]
    return {"title": title, "measured": results.summary(reports), "published": {}, "source": "", "settings": settings}


def measure_ceiling(model, split):
    return {"title": type(model).__name__, "measured": results.summary([recbook.evaluate(model, split.test, METRICS)]),
            "published": {}, "source": "", "settings": {}}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="shop", description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=[*ROWS, "observers"], help="default: all of them")
    parser.add_argument("--tune", action="store_true", help="show validation while training; writes nothing")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args(argv)
    shop = recbook.load("shop")
    split = recbook.by_time(shop)
    for name in [arguments.model] if arguments.model else [*ROWS, "observers"]:
        start, seeds = time.perf_counter(), range(arguments.seeds)
        if arguments.tune:
            _, history = train(split.sealed(), ROWS[name][1], device=arguments.device, metric="NDCG@10", validate_every=2)
            print(name, history.dropna().round(4).to_string(index=False), flush=True)
        else:
            if name == "observers":
                rows = {kind.__name__: measure_ceiling(kind(shop), split)
                        for kind in (recbook.TasteObserver, recbook.Observer, recbook.Oracle)}
            else:
                seeds = seeds if "epochs" in ROWS[name][1] else (0,)
                rows = {name: measure(name, split, seeds, arguments.device)}
            results.save("shop", "The simulated shop, split by time", "train on the first nine tenths; rank all "
                         "items for each event of the last tenth", rows, shop, time.perf_counter() - start, seeds,
                         best_device(arguments.device))
            print(name, {key: row["measured"]["NDCG@10"]["value"] for key, row in rows.items()}, flush=True)


if __name__ == "__main__":
    main()
