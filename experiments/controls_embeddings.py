"""Embeddings: how much is read, what ranks (the table, popularity or the angle), and what vectors learn from.

controls_embeddings_reads: item2vec and PureSVD that read more or less of a history, on validation.
controls_embeddings: the same trained item2vec, asked in eight ways, on the test: with the items' vectors alone or with
those of neighbours; popularity put back or not; products or cosines.
controls_embeddings_order: what the ten nearest items share, for vectors from sessions, from users' whole years in order,
and from the same years with each user's events shuffled; item2vec of one width, window and number of steps, and PureSVD.
controls_embeddings_maps: do distances between groups on a t-SNE map go with the true ones? Five draws of eight groups.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

import recbook
from recbook import results
from recbook.data.splits import binary_matrix
from recbook.models.base import Recommender

SEEDS = (0, 1)
TRAINING = {"epochs": 2, "batch_size": 4096, "learning_rate": 0.02}
READS = (1, 2, 5, 10, 20, None)
CHOSEN = 5                                                              # events, by validation
EVERYTHING = 100_000


def item2vec(split, seed, dim=16):
    recbook.seed_everything(seed)
    model = recbook.Item2Vec(split.n_users, split.n_items, dim=dim)
    recbook.fit(model, split, seed=seed, progress=False, device="cpu", schedule=lambda share: 1 - share, **TRAINING)
    return model


class Asked(Recommender):
    """The last events' mean vector against a table, by product or by cosine, with the logarithm of popularity or not."""

    def __init__(self, model, near, popular, cosine):
        super().__init__()
        self.reads = CHOSEN
        self.one = model.item.weight.detach()
        self.other = (model.context if near else model.item).weight.detach()
        if cosine:
            self.one, self.other = F.normalize(self.one), F.normalize(self.other)
        self.popularity = model.log_noise * popular

    def scores(self, context, items=None):
        met = context.items >= 0
        recent = self.one[context.items.clamp(min=0)].masked_fill(~met[:, :, None], 0).sum(1)
        return recent / met.sum(1, keepdim=True).clamp(min=1) @ self.other.T + self.popularity


def name_of(near, popular, cosine):
    return (f"{'neighbour' if near else 'item'} vectors, {'cosine' if cosine else 'product'}"
            f"{', popularity' if popular else ''}")


def measure_reads(split):
    """How much is read, on every fourth question of validation."""
    cases = split.validation.subset(np.arange(len(split.validation)) % 4 == 0)
    trained = {"item2vec": [item2vec(split, seed) for seed in SEEDS],
               "PureSVD": [recbook.PureSVD(split.n_users, split.n_items, dim=6).fit(split)]}
    reports, settings = {}, {}
    for name, models in trained.items():
        for reads in READS:
            for model in models:
                model.reads = reads or EVERYTHING
            row = f"{name}, {'everything' if reads is None else f'the last {reads}'}"
            reports |= recbook.compare({row: models}, on=cases, metrics=["NDCG@10"]).reports
            settings[row] = {"reads": reads}
    return recbook.evaluation.Comparison(reports, cases), settings, ()


def measure_ways(split):
    """The eight ways, on every second question of the test."""
    split = split.refit()
    cases = split.test.subset(np.arange(len(split.test)) % 2 == 0)
    trained = [item2vec(split, seed) for seed in SEEDS]
    ways = [(near, popular, cosine) for near in (0, 1) for popular in (0, 1) for cosine in (0, 1)]
    models = {name_of(*way): [Asked(model, *way) for model in trained] for way in ways}
    models["popularity"] = recbook.Popularity(split.n_users, split.n_items).fit(split)
    pairs = [(name_of(*a), name_of(*b)) for a in ways for b in ways if a != b]
    pairs += [(name_of(*a), "popularity") for a in ways]
    return recbook.compare(models, on=cases, metrics=["NDCG@10"]), {name_of(*way): {"reads": CHOSEN} for way in ways}, pairs


def nearest(vectors, k=10):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -2)
    return np.argsort(-similar, axis=1)[:, :k]


def shares(shop, vectors, known):
    """Of the ten nearest, the share of the same category, style and best taste."""
    world = shop.truth.world
    kinds = {"category": world.item_category, "style": world.item_style,
             "taste": (world.item_vectors @ world.taste_vectors.T).argmax(1)}
    close = np.flatnonzero(known)[nearest(vectors[known])]
    return {kind: float((label[close] == label[known][:, None]).mean()) for kind, label in kinds.items()}


def measure_order(split):
    """Rows for `results.save`: each metric's value over the seeds, low and high the least and the most."""
    shop, split = split.dataset, split.refit()
    train = split.train
    known = np.bincount(train["item"], minlength=split.n_items) >= 20
    years = train.drop(columns="session")
    mixed = years.iloc[np.random.default_rng(0).permutation(len(years))]
    mixed = mixed.sort_values("user", kind="stable").reset_index(drop=True)
    visits = train.assign(user=train.groupby(["user", "session"], sort=False).ngroup())
    data = {"sessions": train, "years in order": years, "years shuffled": mixed}
    found = {f"item2vec, {name}": [item2vec(replace(split, train=frame), seed).item.weight.detach().numpy()
                                   for seed in SEEDS] for name, frame in data.items()}
    for name, frame in (("sessions", visits), ("years", train)):
        matrix = binary_matrix(frame, frame["user"].max() + 1, split.n_items)
        model = recbook.PureSVD(*matrix.shape, dim=16).fit(OfMatrix(matrix))
        found[f"PureSVD, {name}"] = [model.item.numpy()]
    rows = {}
    for name, runs in found.items():
        values = [shares(shop, vectors, known) for vectors in runs]
        rows[name] = {"title": name, "published": {}, "source": "", "settings": {"dim": 16},
                      "measured": {kind: {"value": float(np.mean(some)), "low": min(some), "high": max(some)}
                                   for kind in values[0] for some in [[one[kind] for one in values]]}}
    return rows


class OfMatrix:
    """As much of a split as PureSVD asks for."""

    def __init__(self, matrix):
        self.matrix = lambda: matrix


def measure_maps(draws=5):
    """Rank correlations of distances between eight groups, on maps and in truth, one value a draw."""
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    found = {"t-SNE, random start": [], "t-SNE, PCA start": [], "PCA": []}
    groups = np.repeat(np.arange(8), 40)
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        centres = rng.normal(size=(8, 16)) * rng.choice([3, 12], size=(8, 1))
        points = centres[groups] + rng.normal(size=(320, 16))
        maps = {"t-SNE, random start": TSNE(perplexity=30, init="random", random_state=draw),
                "t-SNE, PCA start": TSNE(perplexity=30, init="pca", random_state=draw), "PCA": PCA(2)}
        for name, method in maps.items():
            drawn = method.fit_transform(points)
            middle = np.array([drawn[groups == group].mean(0) for group in range(8)])
            found[name].append(float(spearmanr(pdist(centres), pdist(middle)).statistic))
    return {name: {"title": name, "published": {}, "source": "", "settings": {}, "measured": {
        "rank correlation": {"value": float(np.mean(values)), "low": min(values), "high": max(values),
                             "values": values}}} for name, values in found.items()}


COMPARED = {
    "reads": ("controls_embeddings_reads", "How much of a history is read",
              "trained without validation; every fourth question of validation; all items ranked, nothing masked; "
              "item2vec from two seeds", measure_reads),
    "ways": ("controls_embeddings", "One item2vec, asked in eight ways",
             "every second question of the test, histories up to the question, all items ranked, nothing masked; two "
             "seeds, averaged case by case", measure_ways),
}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="controls_embeddings", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=[*COMPARED, "order", "maps"], help="default: all of them")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    shop = recbook.load("shop")
    split = recbook.by_time(shop)
    for part in [arguments.only] if arguments.only else [*COMPARED, "order", "maps"]:
        start = time.perf_counter()
        if part in COMPARED:
            name, title, protocol, measure = COMPARED[part]
            comparison, settings, pairs = measure(split)
            results.save_comparison(name, title, protocol, comparison, shop, time.perf_counter() - start, SEEDS,
                                    settings=settings, pairs=pairs)
            print(comparison.by_answer().round(4).to_string(), flush=True)
            continue
        name, title, protocol, rows = {
            "order": ("controls_embeddings_order", "What the ten nearest share",
                      "items met at least 20 times; the share of the ten nearest by cosine that are of the same kind; "
                      "low and high: the least and the most over the seeds", measure_order),
            "maps": ("controls_embeddings_maps", "Distances between groups on a map",
                     "eight groups of 40 points in 16 dimensions, five draws; Spearman's correlation of the 28 "
                     "distances between groups on the map and in truth; low and high: the least and the most",
                     lambda split: measure_maps()),
        }[part]
        rows = rows(split)
        results.save(name, title, protocol, rows, shop, time.perf_counter() - start, SEEDS)
        for row in rows.values():
            print(row["title"], {key: round(value["value"], 3) for key, value in row["measured"].items()}, flush=True)


if __name__ == "__main__":
    main()
