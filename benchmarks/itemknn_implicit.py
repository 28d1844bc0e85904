"""Item neighbours: seconds of `recbook.ItemKNN` and of implicit's compiled `CosineRecommender`.

Data: MovieLens 1M, every rating a click; the training part of leave-last-out, handed over as a sparse matrix.
Same on both sides: the cosine of each pair of items, of which each item keeps 50 others (implicit counts the item
itself as the first of 51); two threads, of which SciPy's product, ours, uses one. Not the same: recbook scores a
candidate by the candidate's own neighbours, implicit by those of each item of the history, so the accuracies differ.
Time: fit, without loading. Accuracy: NDCG@10 of the last item, by recbook's evaluator.
"""

import sys

import common
import scipy.sparse as sp

NEIGHBOURS, THREADS = 50, 2


def ours(folder):
    import recbook
    import torch

    torch.set_num_threads(THREADS)
    split = recbook.leave_last_out(recbook.load("ml-1m"))
    model = recbook.ItemKNN(split.n_users, split.n_items, NEIGHBOURS)
    with common.Clock() as clock:
        model.fit(split)
    return {**clock.times, "NDCG@10": recbook.evaluate(model, split.test)["NDCG@10"]}


def implicit(folder):
    from implicit.nearest_neighbours import CosineRecommender

    clicks = sp.load_npz(folder / "clicks.npz")
    model = CosineRecommender(K=NEIGHBOURS + 1, num_threads=THREADS)
    with common.Clock() as clock:
        model.fit(clicks, show_progress=False)
    sp.save_npz(folder / "similarity.npz", model.similarity)
    return {**clock.times, "versions": common.versions("implicit", "numpy", "scipy")}


def rows():
    import recbook
    import torch

    dataset = recbook.load("ml-1m")
    split = recbook.leave_last_out(dataset)
    with common.workplace() as folder:
        sp.save_npz(folder / "clicks.npz", split.matrix())
        runs = common.by_turns(__file__, folder, {"ours": sys.executable, "implicit": common.peers_python()})
        theirs = recbook.EASE(split.n_users, split.n_items)             # scores: history times weight
        theirs.weight.copy_(torch.from_numpy(sp.load_npz(folder / "similarity.npz").toarray()))
    accuracy = recbook.evaluate(theirs, split.test)["NDCG@10"]
    peer = [run | {"NDCG@10": accuracy} for run in runs["implicit"]]
    row = common.row(f"{NEIGHBOURS} neighbours of each item of MovieLens 1M", {"ratio": 4.0, "seconds": 3.0},
                     {"k": NEIGHBOURS, "similarity": "cosine"}, runs["ours"], peer)
    return dataset, {"itemknn-implicit": row}


if __name__ == "__main__":
    common.run_side(ours, implicit)
