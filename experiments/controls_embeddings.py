"""Embeddings: what is read, what ranks (table, popularity or angle), what vectors learn from, what sharing costs.

controls_embeddings_reads: item2vec and PureSVD that read more or less of a history, on validation.
controls_embeddings: the same trained item2vec, asked in four ways, on the test: with the items' vectors alone or with
those of neighbours, by products or by cosines; each without popularity and with its logarithm put back, at the weight
validation chose. Beside them the counts of the same pairs without any vectors, PureSVD and user-kNN.
controls_embeddings_order: what the ten nearest items share, for vectors from sessions, from users' years in order, and
from the same years with each user's events shuffled; item2vec of one width, window and number of steps, and PureSVD.
controls_embeddings_rare: the same items, met often and met ten times: how many of the ten nearest are of one category.
controls_embeddings_tastes: PureSVD's vectors in shops with three, six and eight tastes: at which width do their cosines
come nearest to the true ones?
controls_embeddings_sharing: items that share a vector, a bias or both, at a quarter of the numbers.
controls_embeddings_films: item2vec on MovieLens 1M, each user's films in the order of rating and shuffled; the counts
of the same pairs. One of the settings that `full_ranking` tried, nothing is tuned.
controls_embeddings_maps: do distances between groups on a t-SNE map go with the true ones? Five draws of eight groups.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse.linalg import svds
from torch import nn

import recbook
from recbook import results
from recbook.data.batches import Pairs, SkipGrams
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


WEIGHTS = (0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0)                           # of popularity's logarithm


class Asked(Recommender):
    """The last events' mean vector against a table, by product or by cosine, and some of popularity's logarithm."""

    def __init__(self, model, near, cosine, popular):
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


class Counted(Recommender):
    """What was met near each of the last events, and how often: no vectors, the counts that item2vec is trained on.

    score(history, j) = sum over the last events i of P(j near i), the share of i's neighbours that are j, with one more
    neighbour as popular as the average.
    """

    def __init__(self, n_users, n_items, window=5, reads=2):
        super().__init__()
        self.n_items, self.window, self.reads = n_items, window, reads
        self.share = torch.zeros(n_items, n_items)

    def fit(self, split):
        train = split.train
        session, item = (train[name].to_numpy() for name in ("session" if "session" in train else "user", "item"))
        together = np.zeros((self.n_items, self.n_items))
        for step in range(1, self.window + 1):
            same = session[step:] == session[:-step]
            np.add.at(together, (item[:-step][same], item[step:][same]), 1)
        together += together.T
        usual = together.sum(0) / together.sum()
        self.share = torch.tensor((together + usual) / (together.sum(1, keepdims=True) + 1), dtype=torch.float32)
        return self

    def scores(self, context, items=None):
        met = context.items >= 0
        return self.share[context.items.clamp(min=0)].masked_fill(~met[:, :, None], 0).sum(1)


def name_of(near, cosine, popular):
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
    """The four ways on every second question of the test, popularity's weight tuned on every sixth of validation."""
    asked = split.validation.subset(np.arange(len(split.validation)) % 6 == 0)
    final = split.refit()
    cases = final.test.subset(np.arange(len(final.test)) % 2 == 0)
    trained, tuning = ([item2vec(data, seed) for seed in SEEDS] for data in (final, split))
    ways = [(near, cosine) for near in (0, 1) for cosine in (0, 1)]
    models, settings = {}, {}
    for way in ways:
        found = {weight: np.mean([recbook.evaluate(Asked(model, *way, weight), asked, ["NDCG@10"])["NDCG@10"]
                                  for model in tuning]) for weight in WEIGHTS}
        best = max(found, key=found.get)
        print(name_of(*way, 1), {weight: round(float(value), 4) for weight, value in found.items()}, flush=True)
        for weight in (0.0, best):
            row = name_of(*way, weight)
            models[row], settings[row] = [Asked(model, *way, weight) for model in trained], {"popularity": weight}
    sizes = split.n_users, split.n_items
    models["item2vec"] = trained                                        # as the package asks: popularity's weight is 1
    settings["item2vec"] = {"reads": CHOSEN, "dim": 16, **TRAINING}
    rivals = {"counts of the same pairs": [lambda reads=reads: Counted(*sizes, reads=reads) for reads in (1, 2, 5, 10)],
              "PureSVD": [lambda dim=dim, reads=reads: recbook.PureSVD(*sizes, dim=dim, reads=reads)
                          for dim in (6, 12) for reads in (2, 5)],
              "user-kNN": [lambda k=k, reads=reads: recbook.UserKNN(*sizes, k=k, reads=reads)
                           for k in (80, 300) for reads in (5, 10)]}
    for name, makers in rivals.items():
        found = [recbook.evaluate(make().fit(split), asked, ["NDCG@10"])["NDCG@10"] for make in makers]
        models[name] = makers[int(np.argmax(found))]().fit(final)
        settings[name] = {"reads": models[name].reads} | {
            key: getattr(models[name], key) for key in ("dim", "k") if hasattr(models[name], key)}
        print(name, [round(float(value), 4) for value in found], flush=True)
    models["popularity"] = recbook.Popularity(*sizes).fit(final)
    pairs = [(a, b) for a in models for b in models if a != b]
    return recbook.compare(models, on=cases, metrics=["NDCG@10"]), settings, pairs


def nearest(vectors, k=10):
    similar = cosines(vectors)
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


def measure_rare(split, few=10, chosen=60):
    """Items met at least 200 times, and the same after all but ten of their events are taken out of the training."""
    split = split.refit()
    train, category = split.train, split.dataset.truth.world.item_category
    count = np.bincount(train["item"], minlength=split.n_items)
    rng = np.random.default_rng(0)
    thinned = rng.choice(np.flatnonzero(count >= 200), chosen, replace=False)
    order = train.iloc[rng.permutation(len(train))].groupby("item").cumcount().sort_index()
    kept = train[~train["item"].isin(thinned) | (order < few)].reset_index(drop=True)
    frames = {"met often": train, f"met {few} times": kept}
    rows = {}
    for name, frame in frames.items():
        values = {"same category": [], "length": []}
        for seed in SEEDS:
            vectors = item2vec(replace(split, train=frame), seed).item.weight.detach().numpy()
            known = (count >= 20) & ~np.isin(np.arange(split.n_items), thinned)     # the others, well known in both
            for item in thinned:
                others = np.flatnonzero(known)
                similar = vectors[others] @ vectors[item] / np.linalg.norm(vectors[others], axis=1)
                close = others[np.argsort(-similar)[:10]]
                values["same category"].append((category[close] == category[item]).mean())
                values["length"].append(np.linalg.norm(vectors[item]))
        by_seed = {what: np.array(some).reshape(len(SEEDS), -1).mean(1) for what, some in values.items()}
        rows[name] = measured(name, by_seed, {"items": chosen})
    by_chance = np.mean([(category[known] == category[item]).mean() for item in thinned])
    rows["by chance"] = measured("by chance", {"same category": np.array([by_chance])}, {})
    return rows


def measure_films(split):
    """Each user's last film; windows of two, the last two films read."""
    split = recbook.leave_last_out(recbook.load("ml-1m")).refit()
    mixed = split.train.iloc[np.random.default_rng(0).permutation(len(split.train))]
    mixed = mixed.sort_values("user", kind="stable").reset_index(drop=True)
    settings, models = {"dim": 64, "window": 2, "epochs": 3, "batch_size": 16384, "learning_rate": 0.01, "reads": 2}, {}
    for order, frame in (("in order", split.train), ("shuffled", mixed)):
        data = replace(split, train=frame)
        recbook.seed_everything(0)
        model = recbook.Item2Vec(split.n_users, split.n_items, dim=64)
        model.batches, model.reads = SkipGrams(window=2, negatives=5), 2
        recbook.fit(model, data, epochs=3, batch_size=16384, learning_rate=0.01, schedule=lambda share: 1 - share,
                    progress=False, device="cpu")
        models[f"item2vec, {order}"] = model
        models[f"counts, {order}"] = Counted(split.n_users, split.n_items, window=2).fit(data)
    reports = {name: recbook.evaluate(model, split.test, ["NDCG@10"]) for name, model in models.items()}
    compared = recbook.evaluation.Comparison(reports)
    return {name: {"title": name, "measured": results.summary([report]), "published": {}, "source": "",
                   "settings": settings, "less": {other: {"NDCG@10": compared.difference(name, other, "NDCG@10")}
                                                  for other in reports if other != name}}
            for name, report in reports.items()}


def measured(title, values, settings):
    """A row of `results.save`: for each metric the mean of its values, low and high the least and the most."""
    return {"title": title, "published": {}, "source": "", "settings": settings, "measured": {
        name: {"value": float(np.mean(some)), "low": float(min(some)), "high": float(max(some))}
        for name, some in values.items()}}


def measure_tastes(split, most=16):
    """In shops with three, six and eight tastes: correlation of PureSVD's cosines with the true ones at every width."""
    rows = {}
    for tastes in (3, 6, 8):
        for seed in (0, 1):
            shop = recbook.load("shop", n_tastes=tastes, seed=seed)
            data = recbook.by_time(shop).refit()
            known = np.bincount(data.train["item"], minlength=shop.n_items) >= 20
            upper = np.triu_indices(known.sum(), 1)
            true = cosines(shop.truth.world.item_vectors[known])[upper]
            _, singular, factors = svds(data.matrix().astype(float), k=most, v0=np.ones(shop.n_items))
            vectors = factors[np.argsort(-singular)].T[known]
            found = {f"d = {dim}": np.array([np.corrcoef(cosines(vectors[:, :dim])[upper], true)[0, 1]])
                     for dim in range(2, most + 1)}
            name = f"{tastes} tastes, shop {seed}"
            rows[name] = measured(name, found, {"n_tastes": tastes, "seed": seed})
    return rows


def cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


class SharedRows(Recommender):
    """BPR whose item i uses row `row[i]` of a smaller table; its bias is its own, or that row's too."""

    batches = Pairs(1)

    def __init__(self, n_users, n_items, row, dim, own_bias):
        super().__init__()
        rows = int(max(row)) + 1
        self.n_users, self.n_items, self.dim = n_users, n_items, dim
        self.row, self.own_bias = torch.as_tensor(row), own_bias
        self.user, self.item = nn.Embedding(n_users, dim), nn.Embedding(rows, dim)
        self.bias = nn.Parameter(torch.zeros(n_items if own_bias else rows))
        nn.init.zeros_(self.user.weight)
        nn.init.normal_(self.item.weight, std=0.1)

    def of(self, items):
        """Vectors and biases."""
        row = self.row[items]
        return self.item(row), self.bias[items if self.own_bias else row]

    def loss(self, batch):
        p = self.user(batch.users)
        (q, b), (other, c) = self.of(batch.items), self.of(batch.negatives[:, 0])
        penalty = 2 * p.square().sum(1) + q.square().sum(1) + other.square().sum(1) + b.square() + c.square()
        return (0.01 * penalty - F.logsigmoid((p * (q - other)).sum(1) + b - c)).mean()

    def scores(self, context, items=None):
        vectors, bias = self.of(torch.arange(len(self.row)))
        return self.user(context.users) @ vectors.T + bias


def measure_sharing(split):
    """On every second question of the test; the number of passes, of 4, 8 and 16, by every sixth of validation."""
    asked = split.validation.subset(np.arange(len(split.validation)) % 6 == 0)
    final = split.refit()
    cases = final.test.subset(np.arange(len(final.test)) % 2 == 0)
    count = np.bincount(split.train["item"], minlength=split.n_items)
    place = np.argsort(np.argsort(-count, kind="stable"), kind="stable")
    every, quarter = np.arange(split.n_items), np.arange(split.n_items) % (split.n_items // 4)
    variants = {
        "every item its own row, d = 16": (every, 16, True),
        "four items a row, bias and all": (quarter, 16, False),
        "four items a row, own biases": (quarter, 16, True),
        "every item its own row, d = 4": (every, 4, True),
        "only rare items share a row": (np.minimum(place, split.n_items // 4 - 1), 16, True),    # the top 89 own one
    }

    def train(data, variant, seed, epochs):
        recbook.seed_everything(seed)
        model = SharedRows(data.n_users, data.n_items, *variant)
        recbook.fit(model, data, seed=seed, epochs=epochs, batch_size=4096, progress=False, device="cpu")
        return model

    models, settings = {}, {}
    for name, variant in variants.items():
        found = {epochs: recbook.evaluate(train(split, variant, 0, epochs), asked, ["NDCG@10"])["NDCG@10"]
                 for epochs in (4, 8, 16)}
        best = max(found, key=found.get)
        print(name, {epochs: round(float(value), 4) for epochs, value in found.items()}, flush=True)
        models[name], settings[name] = [train(final, variant, seed, best) for seed in SEEDS], {"epochs": best}
    pairs = [(a, b) for a in models for b in models if a != b]
    return recbook.compare(models, on=cases, metrics=["NDCG@10"]), settings, pairs


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
    "ways": ("controls_embeddings", "One item2vec, asked in four ways, and its rivals",
             "every second question of the test, histories up to the question, all items ranked, nothing masked; "
             "item2vec from two seeds, averaged case by case; weights and the settings of rivals by validation",
             measure_ways),
    "sharing": ("controls_embeddings_sharing", "Items that share a row of the table",
                "every second question of the test, all items ranked, nothing masked; two seeds, averaged case by "
                "case; the number of passes by validation", measure_sharing),
}
ROWS = {
    "order": ("controls_embeddings_order", "What the ten nearest share",
              "items met at least 20 times; the share of the ten nearest by cosine that are of the same kind; "
              "low and high: the least and the most over the seeds", measure_order),
    "rare": ("controls_embeddings_rare", "The same items, met often and met ten times",
             "60 items drawn from those met at least 200 times; the share of the ten nearest by cosine, among the "
             "other items met at least 20 times, that are of the same category; low and high: the least and the most "
             "over the seeds", measure_rare),
    "tastes": ("controls_embeddings_tastes", "At which width cosines are nearest to the true ones",
               "PureSVD's item vectors V in two shops of each number of tastes; correlation of cosines between items "
               "met at least 20 times with the true ones", measure_tastes),
    "films": ("controls_embeddings_films", "MovieLens 1M, in the order of rating and shuffled",
              "each user's last film among all that they have not rated; item2vec of 64 numbers, windows of two, three "
              "passes, from one seed; counts of the same pairs; the last two films are read, in their true order",
              measure_films),
    "maps": ("controls_embeddings_maps", "Distances between groups on a map",
             "eight groups of 40 points in 16 dimensions, five draws; Spearman's correlation of the 28 "
             "distances between groups on the map and in truth; low and high: the least and the most",
             lambda split: measure_maps()),
}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="controls_embeddings", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=[*COMPARED, *ROWS], help="default: all of them")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    shop = recbook.load("shop")
    split = recbook.by_time(shop)
    for part in [arguments.only] if arguments.only else [*COMPARED, *ROWS]:
        start = time.perf_counter()
        if part in COMPARED:
            name, title, protocol, measure = COMPARED[part]
            comparison, settings, pairs = measure(split)
            results.save_comparison(name, title, protocol, comparison, shop, time.perf_counter() - start, SEEDS,
                                    settings=settings, pairs=pairs)
            print(comparison.by_answer().round(4).to_string(), flush=True)
            continue
        name, title, protocol, rows = ROWS[part]
        rows = rows(split)
        results.save(name, title, protocol, rows, shop, time.perf_counter() - start, SEEDS)
        for row in rows.values():
            print(row["title"], {key: round(value["value"], 3) for key, value in row["measured"].items()}, flush=True)


if __name__ == "__main__":
    main()
