"""Films that nobody has met: what do their genres say of them, and what their posters?

Of a tenth of the films of MovieLens 1M, drawn at random among those with a poster, all training events are taken away,
and the models are asked about events of these films alone, all films ranked. A thousand customers, drawn at random; by
time: nine tenths of their events train in the end, the last tenth asks.

The posters are read from POSTERS, a tar of <folder>/<MovieID>.jpg that a reader has to make of the addresses at
https://github.com/antonsteenvoorden/ml1m-images: posters may not be passed on. None is shown anywhere.

Settings are those of `experiments/content.py`, but for the size of the batches; the number of epochs was chosen by hand
on the withheld films' events of validation, which `--tune` prints.
"""

import argparse
import hashlib
import os
import tarfile
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import recbook
from recbook import results
from recbook.data.features import read_pictures
from recbook.models import find_model
from recbook.training import best_device

NAME, METRIC = "posters", "NDCG@10"
TITLE = "MovieLens 1M, films that nobody has met, by their genres and by their posters"
PROTOCOL = ("1,000 customers; a tenth of the films is withheld from training; rank all films for each event of the last "
            "tenth whose film was withheld")
POSTERS = Path("ml-1m-text-posters", "posters_w112.tar")       # in $RECBOOK_DATA
CUSTOMERS = 1000
GRU = {"model": "content-gru", "categories": (), "dropout": 0.1, "epochs": 3, "batch_size": 4096,
       "learning_rate": 0.004}
GENRES = {**GRU, "categories": ("category",)}
TRAINING = ("epochs", "batch_size", "learning_rate")


class AnyOrder(recbook.Recommender):
    """Chance."""

    reads = 1

    def __init__(self, n_users, n_items):
        super().__init__()
        self.n_items = n_items

    def scores(self, context, items=None):
        scores = torch.rand(len(context), self.n_items)
        return scores if items is None else scores[:, items]


# name: (title, settings)
ROWS = {
    "popularity": ("Popularity", {"model": "popularity"}),
    "any-order": ("Any order", {"model": AnyOrder}),
    "content-profile": ("Content profile of genres", {"model": "content-profile", "columns": ("category",)}),
    "genres": ("Genres", GENRES),
    "poster": ("Poster", {**GRU, "picture": True}),
    "genres-poster": ("Genres and poster", {**GENRES, "picture": True}),
    "dealt": ("Genres, and another film's poster", {**GENRES, "picture": True, "dealt": True}),
}


def posters(path, movies):
    """The films' posters as the models read them, black where there is none: array (n_items, 32, 32, 3)."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
        found = {int(file.stem): file for file in Path(folder).rglob("*.jpg")}
        return read_pictures([found.get(int(movie)) for movie in movies])


def data(path):
    """MovieLens 1M with posters and fewer customers, and which of its films are withheld: (Dataset, array)."""
    dataset = recbook.load("ml-1m")
    rng = np.random.default_rng(0)
    log = dataset.interactions
    log = log[log["user"].isin(rng.choice(dataset.n_users, CUSTOMERS, replace=False))].reset_index(drop=True)
    images = posters(path, dataset.items["original"])
    withheld = rng.random(dataset.n_items) < 0.1
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return (replace(dataset, interactions=log, make_images=lambda: images, files={**dataset.files, path.name: sha256}),
            withheld & images.any((1, 2, 3)))


def split_of(dataset, withheld):
    """By time; nothing trains on the withheld films, and only they are asked about."""
    split = recbook.by_time(dataset)

    def known(events):
        return events[~withheld[events["item"]]].reset_index(drop=True)

    return replace(split, train=known(split.train), train_and_validation=known(split.train_and_validation),
                   validation=split.validation.subset(withheld[split.validation.target]),
                   test=split.test.subset(withheld[split.test.target]))


def train(split, settings, seed=0, device="auto", **options):
    """A model trained on `split`, its learning rate falling to zero in a straight line: (model, history)."""
    settings = dict(settings)
    training = {key: settings.pop(key) for key in TRAINING if key in settings}
    if settings.pop("dealt", False):
        shuffled = np.random.default_rng(seed).permutation(split.dataset.images)
        split = replace(split, dataset=replace(split.dataset, make_images=lambda: shuffled))
    recbook.seed_everything(seed)
    model = settings.pop("model")
    model = (model if isinstance(model, type) else find_model(model))(split.n_users, split.n_items, **settings)
    if not (training or hasattr(model, "fit")):
        return model, None
    history = recbook.fit(model, split, seed=seed, device=device, progress=False, schedule=lambda share: 1 - share,
                          **training, **options)
    return model, history


def main(argv=None):
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0])
    parser.add_argument("--posters", type=Path, default=Path(os.environ.get("RECBOOK_DATA", "."), POSTERS))
    parser.add_argument("--model", choices=ROWS, help="default: all of them")
    parser.add_argument("--tune", action="store_true", help="show validation while training; writes nothing")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args(argv)
    if not arguments.posters.is_file():
        parser.error(f"{arguments.posters} does not exist: make it as this file's first lines say, or name another "
                     "with --posters")
    dataset, withheld = data(arguments.posters)
    split = split_of(dataset, withheld)
    for name in [arguments.model] if arguments.model else ROWS:
        title, settings = ROWS[name]
        if arguments.tune:
            if "epochs" in settings:
                print(name, train(split, settings, device=arguments.device, metric=METRIC)[1].round(4), flush=True)
            continue
        start, seeds = time.perf_counter(), range(1 if name in ("popularity", "content-profile") else arguments.seeds)
        reports = [recbook.evaluate(train(split.refit(), settings, seed, arguments.device)[0], split.test, [METRIC],
                                    seed=seed) for seed in seeds]
        row = {"title": title, "measured": results.summary(reports), "published": {}, "source": "",
               "settings": {key: value for key, value in settings.items() if key != "model" or isinstance(value, str)}}
        results.save(NAME, TITLE, PROTOCOL, {name: row}, dataset, time.perf_counter() - start, seeds,
                     best_device(arguments.device))
        print(title, {metric: round(number["value"], 4) for metric, number in row["measured"].items()}, flush=True)


if __name__ == "__main__":
    main()
