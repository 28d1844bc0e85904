"""Neighbours and iALS on sparse logs of large catalogues, beside implicit: fit, and the ten best items of every user.

Data: Gowalla as LightGCN cut it (29,858 users, 40,981 places) and Amazon Beauty of 2014 (22,363 users, 12,101 items), the
training part of the published split or of leave-last-out. Same on both sides: the cosine of each pair of items, 50
neighbours (implicit counts the item itself as the first of 51); iALS of dimension 64, 10 sweeps, solved exactly, the same
loss as in `ials_implicit.py`; one thread; what a user has is left out of the lists. Not the same: recbook scores a
candidate by the candidate's own neighbours, implicit by those of each item of the history.
Time: fit and lists, without loading. Accuracy: NDCG@10 of every tenth user's test, by recbook's evaluator.
"""

import sys

import common
import numpy as np
import scipy.sparse as sp

DATA = ("gowalla-lightgcn", "amazon-beauty-2014")
LIMITS = {"knn": 2.0, "ials": 1.0}
MODELS = tuple(LIMITS)
NEIGHBOURS, DIM, SWEEPS, WEIGHT, L2, THREADS, K = 50, 64, 10, 0.3, 10.0, 1, 10


def split_of(name):
    import recbook

    dataset = recbook.load(name)
    return dataset.published if isinstance(dataset.published, recbook.Split) else recbook.leave_last_out(dataset)


def ours(name, make):
    import recbook
    import torch

    torch.set_num_threads(THREADS)
    split = split_of(name)
    model = make(split)
    with common.Clock() as clock:
        model.fit(split)
        lists = recbook.evaluation.top_lists(model, everybody(split), K)
    assert lists.shape == (split.n_users, K)
    return {**clock.times, "memory, GiB": common.peak_memory(),
            "NDCG@10": recbook.evaluate(model, tenth(split), ["NDCG@10"])["NDCG@10"]}


def tenth(split):
    """The questions of every tenth user."""
    return split.test.subset(split.test.users % 10 == 0)


def everybody(split):
    """A question about every user, after all of the training part, what they have left out."""
    import recbook.data.splits as splits

    log = splits.Log(split.train.sort_values("user", kind="stable"), split.n_users)
    nothing = np.zeros(0, dtype=np.int64)
    return splits.Cases(log, users=np.arange(split.n_users), ends=log.starts[1:], now=np.zeros(split.n_users, dtype=np.int64),
                        case=nothing, target=nothing, n_items=split.n_items, masked=split.matrix())


def theirs(model, clicks):
    """Fit implicit's model and make everybody's lists."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"), common.Clock() as clock:         # as implicit advises: the threads are its own
        model.fit(clicks, show_progress=False)
        model.recommend(np.arange(clicks.shape[0]), clicks, N=K, filter_already_liked_items=True)
    return {**clock.times, "memory, GiB": common.peak_memory(), "versions": common.versions("implicit", "numpy", "scipy")}


def knn_of(name):
    import recbook

    return ours(name, lambda split: recbook.ItemKNN(split.n_users, split.n_items, NEIGHBOURS))


def ials_of(name):
    import recbook

    return ours(name, lambda split: recbook.IALS(split.n_users, split.n_items, DIM, unmet_weight=WEIGHT, l2=L2, exponent=0.0,
                                                 sweeps=SWEEPS))


def their_knn(name, folder):
    from implicit.nearest_neighbours import CosineRecommender

    model = CosineRecommender(K=NEIGHBOURS + 1, num_threads=THREADS)
    found = theirs(model, sp.load_npz(folder / f"{name}.npz"))
    sp.save_npz(folder / f"{name}-similarity.npz", model.similarity)
    return found


def their_ials(name, folder):
    from implicit.als import AlternatingLeastSquares

    scale = (1 + WEIGHT) / WEIGHT
    model = AlternatingLeastSquares(factors=DIM, alpha=scale, regularization=L2 * scale, iterations=SWEEPS, use_cg=False,
                                    use_native=True, num_threads=THREADS, random_state=0)
    found = theirs(model, sp.load_npz(folder / f"{name}.npz"))
    np.savez(folder / f"{name}-vectors.npz", users=model.user_factors, items=model.item_factors)
    return found


def sums(similarity):
    """A model whose scores are the sums of what a history's items are alike to: similarity (n_items, n_items), sparse."""
    import torch
    from recbook.models.base import Recommender, interaction_matrix

    class Sums(Recommender):
        reads = None

        def scores(self, context, items=None):
            history = sp.csr_matrix(interaction_matrix(context.items, similarity.shape[0]).numpy())
            return torch.from_numpy((history @ similarity).toarray())

    return Sums()


def sides():
    """{side: function}: each model on each log, ours and theirs."""
    made = {}
    for name in DATA:
        short = name.split("-")[0]
        made |= {f"{short}_knn_ours": lambda folder, name=name: knn_of(name),
                 f"{short}_knn_implicit": lambda folder, name=name: their_knn(name, folder),
                 f"{short}_ials_ours": lambda folder, name=name: ials_of(name),
                 f"{short}_ials_implicit": lambda folder, name=name: their_ials(name, folder)}
    for side, function in made.items():
        function.__name__ = side
    return made


def rows(models=None):
    import recbook
    from ranking_speed import dot_product

    made = {}
    with common.workplace() as folder:
        for name in DATA:
            short, split = name.split("-")[0], split_of(name)
            sp.save_npz(folder / f"{name}.npz", split.matrix())
            for kind, limit in LIMITS.items():
                if models and kind not in models:
                    continue
                pair = {f"{short}_{kind}_ours": sys.executable, f"{short}_{kind}_implicit": common.peers_python()}
                runs = common.by_turns(__file__, folder, pair)
                mine, peer = (runs[side] for side in pair)
                if kind == "ials":
                    vectors = np.load(folder / f"{name}-vectors.npz")
                    their_model = dot_product(vectors["users"], vectors["items"])
                else:
                    their_model = sums(sp.load_npz(folder / f"{name}-similarity.npz").tocsr())
                accuracy = recbook.evaluate(their_model, tenth(split), ["NDCG@10"])["NDCG@10"]
                peer = [run | {"NDCG@10": accuracy} for run in peer]
                title = (f"{NEIGHBOURS} neighbours of each item" if kind == "knn" else f"iALS of dimension {DIM}, {SWEEPS} sweeps")
                settings = {"k": NEIGHBOURS} if kind == "knn" else {"dim": DIM, "sweeps": SWEEPS, "unmet_weight": WEIGHT, "l2": L2}
                made[f"sparse-{short}-{kind}"] = common.row(f"{title} of {name}, fit and ten items for everybody",
                                                            {"ratio": limit}, settings, mine, peer)
    return recbook.load(DATA[0]), made


if __name__ == "__main__":
    common.run_side(*sides().values())
