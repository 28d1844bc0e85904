"""MovieLens 1M: do films whose vectors are near each other share a genre?

Vectors of item2vec (each user's whole history is one session) and of PureSVD, trained on all ratings. Of each film
with at least 20 ratings, the ten nearest by cosine: the share that has a genre in common with it, beside that share among
all pairs of such films. Nothing is tuned and nothing is predicted; there is no published value.
"""

import argparse
import time

import numpy as np

import recbook
from recbook import results
from recbook.models import find_model

NAME = "item2vec_genres"
TITLE = "MovieLens 1M: films near each other that share a genre"
PROTOCOL = "the ten nearest films by cosine among those with at least 20 ratings"
SETTINGS = {
    "item2vec": {"dim": 32, "epochs": 2, "batch_size": 16384, "learning_rate": 0.01},
    "pure-svd": {"dim": 32},
}
TITLES = {"item2vec": "item2vec", "pure-svd": "PureSVD"}


def vectors(name, split):
    """Item vectors (n_items, D) of a trained model."""
    settings = dict(SETTINGS[name])
    recbook.seed_everything(0)
    model = find_model(name)(split.n_users, split.n_items, dim=settings.pop("dim"))
    recbook.fit(model, split, schedule=lambda share: 1 - share, progress=False, **settings)
    return model.state_dict()["item.weight" if name == "item2vec" else "item"].cpu().numpy()


def shared_genres(items):
    """Whether two films have a genre in common: (n_items, n_items) of bool."""
    has = items["category"].str.get_dummies("|").to_numpy()
    return has @ has.T > 0


def measure(name, dataset):
    """The row of one model."""
    found = vectors(name, recbook.everything(dataset))
    known = np.bincount(dataset.interactions["item"], minlength=dataset.n_items) >= 20
    unit = found[known] / np.linalg.norm(found[known], axis=1, keepdims=True)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -2)
    nearest = np.argsort(-similar, axis=1)[:, :10]                      # (films, 10)
    share = shared_genres(dataset.items)[known][:, known]
    hits = np.take_along_axis(share, nearest, axis=1).mean(1)           # (films,)
    error = 1.96 * hits.std() / np.sqrt(len(hits))
    np.fill_diagonal(share, False)
    chance = share.sum() / (len(share) * (len(share) - 1))
    measured = {"of the ten nearest": {"value": float(hits.mean()), "low": float(hits.mean() - error),
                                       "high": float(hits.mean() + error)},
                "by chance": {"value": float(chance), "low": float(chance), "high": float(chance)}}
    return {"title": TITLES[name], "measured": measured, "published": {}, "source": "", "settings": SETTINGS[name]}


def main(argv=None):
    argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0]).parse_args(argv)
    dataset = recbook.load("ml-1m")
    for name in TITLES:
        start = time.perf_counter()
        row = measure(name, dataset)
        results.save(NAME, TITLE, PROTOCOL, {name: row}, dataset, time.perf_counter() - start)
    print(results.table(NAME).to_string())


if __name__ == "__main__":
    main()
