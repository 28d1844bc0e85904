"""Hybrids on two sets of Amazon's: behaviour, content, and both.

amazon_beauty, amazon_scientific: the last item of each user is the test and the one before it validation. Published
values of Beauty are those that Rajput et al., NeurIPS 2023 (TIGER), list; its models were trained by several papers.

amazon_..._fusion: a * behaviour + (1 - a) * content for every a, on validation, where a is chosen, and on the test.

Models are trained on the training part alone, also for the test; the history that is asked about holds all events up to
the question. Settings are chosen by hand on validation, which `--tune` prints while a model trains. A hybrid's own
number (the weight a, the items that one picks) is the best of those in `GRIDS` on 5,000 questions of
validation, for each seed.
"""

import argparse
import time
from dataclasses import replace

import numpy as np

import recbook
from recbook import results
from recbook.models import Cascade, Weighted, find_model
from recbook.training import best_device

METRIC = "NDCG@10"
ASKED = 5_000       # questions
WEIGHTS = tuple(np.round(np.arange(0, 1.05, 0.1), 1).tolist())
TRAINING = ("epochs", "batch_size", "learning_rate")

AMAZON = {"dim": 64, "length": 20, "dropout": 0.5, "batch_size": 4096}
BEAUTY = {"categories": ("attributes",), "text": "bag", "n_values": 640, "n_words": 4000}
SCIENTIFIC = {"text": "bag", "n_words": 4000}
MF = {"model": "bpr-mf", "dim": 128, "l2": 0.01, "epochs": 60, "batch_size": 4096, "learning_rate": 0.005}
GRU4REC = {"model": "gru4rec", "hidden": 128, **AMAZON, "epochs": 20, "learning_rate": 0.004}
CASER = {"model": "caser", "dim": 64, "negatives": 0, "epochs": 8, "batch_size": 512, "learning_rate": 0.005}
SASREC = {"model": "sasrec", "blocks": 2, "heads": 2, **AMAZON, "epochs": 40, "learning_rate": 0.002}
CONTENT = {"model": "content-gru", **AMAZON, "dropout": 0.3, "epochs": 8, "learning_rate": 0.004}

OF_IDS = {
    "popularity": ("Popularity", {"model": "popularity"}),
    "item-knn": ("Item neighbours", {"model": "item-knn", "k": 200, "shrink": 20.0}),
    "ease": ("EASE", {"model": "ease", "l2": 50.0}),
    "mf": ("MF, BPR", MF),
    "caser": ("Caser, cross-entropy", CASER),
}
MIXED = {
    "mf+content": ("MF and content, weighted", ("mf", "content"), "weight"),
    "sasrec+content": ("SASRec and content, weighted", ("sasrec", "content"), "weight"),
    "sasrec+ease": ("SASRec and EASE, weighted", ("sasrec", "ease"), "weight"),
    "cascade": ("SASRec picks, content orders, cascade", ("sasrec", "content"), "kept"),
}
LAST_ITEM = ("train on all but each user's last two items; rank all items but those of the history; cold: the item was "
             "met fewer than 5 times in training")

# data set: {name: (title, settings)}
ROWS = {
    "amazon-beauty": {
        **OF_IDS,
        "content-profile": ("Content profile", {"model": "content-profile", "columns": ("attributes", "title"),
                                                "n_features": 3000}),
        "gru4rec": ("GRU4Rec, cross-entropy", {**GRU4REC, "epochs": 16}),
        "sasrec": ("SASRec, cross-entropy", {**SASREC, "epochs": 24}),
        "content": ("Content: attributes and words", {**CONTENT, **BEAUTY}),
        "feature-combination": ("Feature combination: ids, attributes and words in one",
                                {**CONTENT, **BEAUTY, "ids": True}),
    },
    "amazon-scientific": {
        **OF_IDS,
        "content-profile": ("Content profile", {"model": "content-profile", "n_features": 3000}),
        "gru4rec": ("GRU4Rec, cross-entropy", GRU4REC),
        "sasrec": ("SASRec, cross-entropy", SASREC),
        "content": ("Content: categories, brands and words", {**CONTENT, **SCIENTIFIC}),
        "lstm-cnn": ("Content: LSTM over a text CNN", {**CONTENT, "categories": (), "text": "cnn", "n_words": 4000,
                                                       "cell": "lstm", "epochs": 12}),
        "feature-combination": ("Feature combination: ids, categories and words in one",
                                {**CONTENT, **SCIENTIFIC, "ids": True, "epochs": 12}),
    },
}
# data set: {name: (title, the two parts, the number that is chosen: one of `GRIDS`)}
HYBRIDS = {
    "amazon-beauty": MIXED,
    "amazon-scientific": {
        "mf+lstm-cnn": ("MF and LSTM over a text CNN, weighted", ("mf", "lstm-cnn"), "weight"),
        **MIXED,
    },
}
GRIDS = {"weight": WEIGHTS, "kept": (5, 10, 20, 50, 100)}
TABLES = {
    "amazon-beauty": {"name": "amazon_beauty", "title": "Amazon Beauty, each user's last item", "cold": 5,
                      "metrics": ("Recall@10", METRIC), "fusion": "mf+content",
                      "protocol": LAST_ITEM},
    "amazon-scientific": {"name": "amazon_scientific", "cold": 5,
                          "title": "Amazon Industrial and Scientific, each user's last item",
                          "metrics": ("Recall@10", METRIC), "fusion": "mf+lstm-cnn",
                          "protocol": LAST_ITEM},
}
PUBLISHED = {("amazon-beauty", "gru4rec"): (0.0283, 0.0137), ("amazon-beauty", "caser"): (0.0347, 0.0176),
             ("amazon-beauty", "sasrec"): (0.0605, 0.0318)}
NOTES = {
    ("amazon-beauty", "gru4rec"):
        "Far above the published values, which are a baseline's in other papers, trained against sampled items; here "
        "cross-entropy over all items, on whole histories, and the learning rate falls to zero.",
    ("amazon-beauty", "caser"):
        "Above the published values, which are a baseline's in other papers; here cross-entropy over all items, and "
        "the learning rate falls to zero.",
    ("amazon-beauty", "sasrec"):
        "Far above the published values, which are a baseline's in other papers, trained against one sampled item; "
        "here cross-entropy over all items, a dropout of a half, and the learning rate falls to zero.",
}


def data_of(data):
    """The data set, and its split with the items of each history left out of the test's ranking where none returns."""
    dataset = recbook.load(data)
    split = dataset.published
    return dataset, replace(split, test=replace(split.test, masked=split.refit().matrix()))


def train(split, settings, seed=0, device="auto", **options):
    """A model trained on `split`, the learning rate lower with each epoch, in a line to zero: (model, history)."""
    settings = dict(settings)
    training = {key: settings.pop(key) for key in TRAINING if key in settings}
    recbook.seed_everything(seed)
    model = find_model(settings.pop("model"))(split.n_users, split.n_items, **settings)
    history = recbook.fit(model, split, seed=seed, device=device, progress=False, schedule=lambda share: 1 - share,
                          **training, **options)
    return model.to("cpu"), history


def build(chosen, number, first, second):
    """A hybrid of two trained models, from the name of its number and its value."""
    return {"weight": Weighted, "kept": Cascade}[chosen](first, second, **{chosen: number})


def met(split, side):
    """How many training events each user or item has: array (n_users,) or (n_items,)."""
    return np.bincount(split.train[side], minlength=split.n_users if side == "user" else split.n_items)


class Study:
    """One data set; each model is trained once a seed, however many hybrids are made of it."""

    def __init__(self, data, seeds, device):
        self.data, self.seeds, self.device, self.trained = data, seeds, device, {}
        self.table, self.rows, self.hybrids = TABLES[data], ROWS[data], HYBRIDS[data]
        self.dataset, self.split = data_of(data)
        validation = self.split.validation
        self.asked = validation.subset(np.random.default_rng(0).permutation(len(validation)) < ASKED)
        self.cold = self.split.test.subset(met(self.split, "item")[self.split.test.target] < self.table["cold"])

    def models(self, name):
        """One trained model a seed; one, where nothing is random."""
        if name not in self.trained:
            settings = self.rows[name][1]
            seeds = self.seeds if "epochs" in settings else self.seeds[:1]
            self.trained[name] = [train(self.split, settings, seed, self.device)[0] for seed in seeds]
        return self.trained[name]

    def pairs(self, name):
        """The two parts of a hybrid, for each seed."""
        parts = [self.models(part) for part in self.hybrids[name][1]]
        return [[models[number % len(models)] for models in parts] for number in range(max(map(len, parts)))]

    def on_validation(self, name, first, second):
        """Validation's NDCG@10 of a hybrid for each number of its grid: {number: value}."""
        chosen = self.hybrids[name][2]
        return {number: recbook.evaluate(build(chosen, number, first, second), self.asked,
                                         [METRIC])[METRIC] for number in GRIDS[chosen]}

    def test(self, models):
        """All cases and the cold ones, of one trained model a seed."""
        seeds = self.seeds[:len(models)]
        everything = [recbook.evaluate(model, self.split.test, self.table["metrics"], seed=seed)
                      for model, seed in zip(models, seeds)]
        cold = [recbook.evaluate(model, self.cold, [METRIC], seed=seed) for model, seed in zip(models, seeds)]
        return results.summary(everything) | {f"{METRIC} cold": results.summary(cold)[METRIC]}

    def run(self, name):
        """Measure one model or hybrid and write its row."""
        start = time.perf_counter()
        if name in self.rows:
            (title, settings), models = self.rows[name], self.models(name)
        else:
            title, parts, chosen = self.hybrids[name]
            tried = [(pair, self.on_validation(name, *pair)) for pair in self.pairs(name)]
            numbers = [max(values, key=values.get) for _, values in tried]
            models = [build(chosen, number, *pair) for (pair, _), number in zip(tried, numbers)]
            settings = {"parts": list(parts), chosen: numbers}
        published = PUBLISHED.get((self.data, name), ())
        row = {"title": title, "measured": self.test(models), "published": dict(zip(self.table["metrics"], published)),
               "source": "Rajput et al., NeurIPS 2023" if published else "", "settings": settings}
        if (self.data, name) in NOTES:
            row["note"] = NOTES[self.data, name]
        self.save(self.table["name"], self.table["title"], name, row, start, len(models))

    def fuse(self):
        """Write the curve of a weighted hybrid: a row a weight."""
        name = self.table["fusion"]
        title, parts, _ = self.hybrids[name]
        pairs = self.pairs(name)
        curves = [self.on_validation(name, *pair) for pair in pairs]
        for weight in WEIGHTS:
            start = time.perf_counter()
            test = self.test([build("weight", weight, *pair) for pair in pairs])
            values = [curve[weight] for curve in curves]
            row = {"title": f"a = {weight}",
                   "measured": {metric: test[metric] for metric in (METRIC, f"{METRIC} cold")}, "published": {},
                   "source": "", "settings": {"weight": weight, "parts": list(parts), "validation": values}}
            self.save(f"{self.table['name']}_fusion", f"{title}: a of the first", str(weight), row, start, len(pairs))

    def save(self, table, title, name, row, start, n_seeds):
        results.save(table, title, self.table["protocol"], {name: row}, self.dataset, time.perf_counter() - start,
                     self.seeds[:n_seeds], best_device(self.device))
        print(row["title"], {metric: round(numbers["value"], 4) for metric, numbers in row["measured"].items()},
              {key: value for key, value in row["settings"].items() if key in GRIDS}, flush=True)

    def tune(self, name):
        """Print validation after every second epoch, or for each number of a hybrid."""
        if name in self.hybrids:
            print(name, {number: round(value, 4) for number, value in
                         self.on_validation(name, *self.pairs(name)[0]).items()}, flush=True)
            return
        sealed = self.split.sealed()
        model, history = train(sealed, self.rows[name][1], device=self.device, metric=METRIC, validate_every=2)
        if METRIC not in history:
            history[METRIC] = recbook.evaluate(model, sealed.validation, [METRIC])[METRIC]
        print(name, history.dropna().round(4).to_string(index=False), sep="\n", flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="hybrids", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", choices=TABLES, help="default: all of them")
    parser.add_argument("--model", nargs="*", help="some rows of the table, or fusion; default: all of them")
    parser.add_argument("--tune", action="store_true", help="show validation; writes nothing")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args(argv)
    for data in [arguments.data] if arguments.data else TABLES:
        study = Study(data, range(arguments.seeds), arguments.device)
        known = [*study.rows, *study.hybrids, "fusion"]
        unknown = set(arguments.model or ()) - set(known)
        if unknown:
            parser.error(f"no model {', '.join(sorted(unknown))} for {data}; known are {', '.join(known)}")
        for name in arguments.model or known:
            if arguments.tune:
                study.tune(name)
            elif name == "fusion":
                study.fuse()
            else:
                study.run(name)


if __name__ == "__main__":
    main()
