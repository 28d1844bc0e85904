"""The Amazon case study: Beauty (2014) and Industrial & Scientific (2018), by behaviour, by content, and by both.

amazon_beauty, amazon_scientific: the last item of each user is the test and the one before it validation; neither
trains, and the history that is asked about holds the validation item. All items are ranked, but for those of that
history. Cold cases are those whose item was met fewer than five times in training. Published values of Beauty are those
that Rajput et al., NeurIPS 2023 (TIGER), list; its models were trained by several papers.

amazon_fusion: of each data set, a * behaviour + (1 - a) * content, on validation, where a is chosen, and on test.

Settings are chosen by hand on validation, which `--tune` prints while a model trains. A hybrid's own number (the weight
a, the events at which half of it is left, how many items are kept) is the best on validation of those in `GRIDS`.
"""

import argparse
import time
from dataclasses import replace

import numpy as np

import recbook
from recbook import results
from recbook.models import Cascade, Weighted, find_model
from recbook.training import best_device

METRICS = ("Recall@10", "NDCG@10")
COLD = 5            # events
WEIGHTS = tuple(np.round(np.arange(0, 1.05, 0.1), 1).tolist())
TRAINING = ("epochs", "batch_size", "learning_rate")
SEQUENCE = {"dim": 64, "length": 20, "dropout": 0.5, "batch_size": 4096}
PARTS = {"amazon-beauty": {"categories": ("attributes",), "n_values": 640, "n_words": 4000},
         "amazon-scientific": {"n_words": 4000}}
TITLES = {"amazon-beauty": "Amazon Beauty", "amazon-scientific": "Amazon Industrial and Scientific"}
# name: (title, settings)
ROWS = {
    "popularity": ("Popularity", {"model": "popularity"}),
    "item-knn": ("Item neighbours", {"model": "item-knn", "k": 100, "shrink": 10.0}),
    "ease": ("EASE", {"model": "ease", "l2": 200.0}),
    "content-profile": ("Content profile", {"model": "content-profile"}),
    "mf": ("MF, BPR", {"model": "bpr-mf", "dim": 64, "l2": 0.01, "epochs": 20, "batch_size": 4096,
                       "learning_rate": 0.005}),
    "caser": ("Caser, cross-entropy", {"model": "caser", "dim": 64, "length": 5, "targets": 1, "negatives": 0,
                                       "epochs": 10, "batch_size": 2048, "learning_rate": 0.002}),
    "gru4rec": ("GRU4Rec, cross-entropy", {"model": "gru4rec", "hidden": 128, "epochs": 20, "learning_rate": 0.004,
                                           **SEQUENCE}),
    "sasrec": ("SASRec, cross-entropy", {"model": "sasrec", "blocks": 2, "heads": 2, "epochs": 40,
                                         "learning_rate": 0.002, **SEQUENCE}),
    "content": ("Content: categories and words", {"model": "content-gru", "text": "bag", "epochs": 16,
                                                  "learning_rate": 0.004, **SEQUENCE}),
    "lstm-cnn": ("Content: LSTM over text CNN", {"model": "content-gru", "cell": "lstm", "text": "cnn",
                                                 "categories": (), "epochs": 16, "learning_rate": 0.004, **SEQUENCE}),
    "content-ids": ("Data hybrid: ids, categories and words in one network", {
        "model": "content-gru", "text": "bag", "ids": True, "epochs": 16, "learning_rate": 0.004, **SEQUENCE}),
}
# name: (title, kind, the parts, the number that is chosen)
HYBRIDS = {
    "mf+content": ("MF and content, weighted", "mf", "content", "weight"),
    "sasrec+content": ("SASRec and content, weighted", "sasrec", "content", "weight"),
    "sasrec+content-evidence": ("SASRec and content, weighted by the item's evidence", "sasrec", "content", "half"),
    "sasrec+content-cascade": ("SASRec, then content, cascade", "sasrec", "content", "kept"),
    "sasrec+ease": ("SASRec and EASE, weighted", "sasrec", "ease", "weight"),
}
NOTES = {}
GRIDS = {"weight": WEIGHTS, "half": (1.0, 2.0, 5.0, 10.0, 20.0), "kept": (5, 10, 20, 50, 100)}
PUBLISHED = {"gru4rec": (0.0283, 0.0137), "caser": (0.0347, 0.0176), "sasrec": (0.0605, 0.0318)}
OTHERS = {"S3-Rec": (0.0647, 0.0327), "TIGER": (0.0648, 0.0384)}


def train(data, name, split, seed=0, device="auto", **options):
    """A model trained on `split`, its learning rate falling to zero in a straight line: (model, history)."""
    settings = dict(ROWS[name][1])
    if settings["model"] == "content-gru":
        settings |= PARTS[data] if settings.get("categories", True) else {"n_words": PARTS[data]["n_words"]}
    training = {key: settings.pop(key) for key in TRAINING if key in settings}
    recbook.seed_everything(seed)
    model = find_model(settings.pop("model"))(split.n_users, split.n_items, **settings)
    history = recbook.fit(model, split, seed=seed, device=device, progress=False, schedule=lambda share: 1 - share,
                          **training, **options)
    return model.to("cpu"), history


def hybrid(name, split, models, number):
    """One of `HYBRIDS` of trained models, with the number that is to be chosen."""
    _, first, second, chosen = HYBRIDS[name]
    parts = models[first], models[second]
    if chosen == "weight":
        return Weighted(*parts, weight=number)
    if chosen == "kept":
        return Cascade(*parts, kept=number)
    return Weighted(*parts, weight=1.0, half=number, met=met(split))


def met(split):
    """How often each item was met in training: array (n_items,)."""
    return np.bincount(split.train["item"], minlength=split.n_items)


def choose(name, split, models):
    """The number with which a hybrid is best on validation, and validation's NDCG@10 of each that was tried."""
    grid = GRIDS[HYBRIDS[name][3]]
    tried = [recbook.evaluate(hybrid(name, split, models, number), split.validation, ["NDCG@10"])["NDCG@10"]
             for number in grid]
    return grid[int(np.argmax(tried))], tried


def measured(split, models, seeds):
    """The test, and its cold cases alone, of one trained model a seed."""
    known = replace(split.test, masked=split.refit().matrix())
    cold = known.subset(met(split)[known.target] < COLD)
    reports = {suffix: [recbook.evaluate(model, cases, METRICS, seed=seed) for model, seed in zip(models, seeds)]
               for suffix, cases in (("", known), (" cold", cold))}
    return {metric + suffix: numbers for suffix, some in reports.items()
            for metric, numbers in results.summary(some).items() if not suffix or metric == "NDCG@10"}


class Study:
    """One data set; each model is trained once a seed, however many hybrids ask for it."""

    def __init__(self, data, seeds, device):
        self.data, self.seeds, self.device = data, seeds, device
        self.dataset = recbook.load(data)
        self.split = self.dataset.published
        self.trained, self.table = {}, data.replace("-", "_")

    def models(self, name):
        """One trained model a seed."""
        if name not in self.trained:
            seeds = self.seeds if "epochs" in ROWS[name][1] else self.seeds[:1]
            self.trained[name] = [train(self.data, name, self.split, seed, self.device)[0] for seed in seeds]
        return self.trained[name]

    def pairs(self, name):
        """The parts of a hybrid, {name: model}, for each seed."""
        parts = {part: self.models(part) for part in HYBRIDS[name][1:3]}
        return [{part: models[number % len(models)] for part, models in parts.items()}
                for number in range(max(map(len, parts.values())))]

    def run(self, name):
        """Measure one model or hybrid and write its row."""
        start = time.perf_counter()
        if name in ROWS:
            title, settings = ROWS[name]
            models, published = self.models(name), PUBLISHED.get(name, ()) if self.data == "amazon-beauty" else ()
        else:
            title, first, second, chosen = HYBRIDS[name]
            pairs, published = self.pairs(name), ()
            numbers = [choose(name, self.split, parts)[0] for parts in pairs]
            models = [hybrid(name, self.split, parts, number) for parts, number in zip(pairs, numbers)]
            settings = {"parts": [first, second], chosen: numbers}
        row = {"title": title, "measured": measured(self.split, models, self.seeds[:len(models)]),
               "published": dict(zip(METRICS, published)),
               "source": "Rajput et al., NeurIPS 2023" if published else "", "settings": settings}
        if (self.table, name) in NOTES:
            row["note"] = NOTES[self.table, name]
        self.save(self.table, TITLES[self.data],
                  "train on all but each user's last two items; rank all items but those of the history; cold: the "
                  f"item was met fewer than {COLD} times in training", name, row, start, len(models))

    def fuse(self, name):
        """Write the curve of a weighted hybrid: a row a weight."""
        title, first, second, _ = HYBRIDS[name]
        for weight in WEIGHTS:
            start, pairs = time.perf_counter(), self.pairs(name)
            models = [hybrid(name, self.split, parts, weight) for parts in pairs]
            seeds = self.seeds[:len(models)]
            validation = [recbook.evaluate(model, self.split.validation, ["NDCG@10"], seed=seed)
                          for model, seed in zip(models, seeds)]
            test = measured(self.split, models, seeds)
            row = {"title": f"{title}, a = {weight}",
                   "measured": {"NDCG@10 validation": results.summary(validation)["NDCG@10"],
                                "NDCG@10": test["NDCG@10"], "NDCG@10 cold": test["NDCG@10 cold"]},
                   "published": {}, "source": "", "settings": {"parts": [first, second], "weight": weight}}
            self.save(f"{self.table}_fusion", f"{TITLES[self.data]}, a * {first} + (1 - a) * {second}",
                      "as in the table of models; validation: the item before the last", str(weight), row, start,
                      len(models))

    def save(self, table, title, protocol, name, row, start, n_seeds):
        results.save(table, title, protocol, {name: row}, self.dataset, time.perf_counter() - start,
                     self.seeds[:n_seeds], best_device(self.device))
        print(row["title"], {metric: round(numbers["value"], 4) for metric, numbers in row["measured"].items()},
              row["settings"], flush=True)


def tune(data, name, device="auto"):
    """Print validation after every second epoch, or for each number of a hybrid."""
    if name in HYBRIDS:
        study = Study(data, range(1), device)
        print(name, dict(zip(GRIDS[HYBRIDS[name][3]], np.round(choose(name, study.split, study.pairs(name)[0])[1], 4))))
        return
    split = recbook.load(data).published
    model, history = train(data, name, split, device=device, metric="NDCG@10", validate_every=2)
    if "NDCG@10" not in history:
        history["NDCG@10"] = recbook.evaluate(model, split.validation, ["NDCG@10"])["NDCG@10"]
    print(name, ROWS[name][1], history.dropna().round(4).to_string(index=False), sep="\n", flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="amazon", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", choices=TITLES, help="default: both")
    parser.add_argument("--model", choices=[*ROWS, *HYBRIDS, "fusion"], help="default: all of them")
    parser.add_argument("--tune", action="store_true", help="show validation while training; writes nothing")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args(argv)
    for data in [arguments.data] if arguments.data else TITLES:
        study = Study(data, range(arguments.seeds), arguments.device)
        for name in [arguments.model] if arguments.model else [*ROWS, *HYBRIDS, "fusion"]:
            if name == "fusion":
                study.fuse("mf+content")
            elif arguments.tune:
                tune(data, name, arguments.device)
            else:
                study.run(name)


if __name__ == "__main__":
    main()
