"""iALS: seconds of `recbook.IALS` and of implicit's `AlternatingLeastSquares`, both solving exactly.

Data: MovieLens 1M, every rating a click; the training part of leave-last-out, handed over as a sparse matrix.
Same on both sides: dimension, 10 sweeps (users, then items), float32, two threads. implicit minimises

    sum over met (u, i) of alpha (1 - p_u . q_i)^2  +  sum over unmet (u, i) of (p_u . q_i)^2
    +  regularization (sum over u of |p_u|^2  +  sum over i of |q_i|^2)

and recbook's loss with weight w on all pairs, divided by w, is the same for vectors longer by a constant if
alpha = (1 + w) / w and regularization = l2 (1 + w) / w, with exponent 0. So both solve one problem from other random
starts, and the rankings agree as far as the sweeps have come. `use_cg=False` makes implicit solve by Cholesky, as we
do by LU; its faster default, three conjugate gradient steps, is another algorithm.
Time: fit, without loading. Accuracy: NDCG@10 of the last item, by recbook's evaluator. It solves for our users anew
from their histories, which is half a sweep more.
"""

import sys

import common
import numpy as np
import scipy.sparse as sp

SWEEPS, WEIGHT, L2, THREADS = 10, 0.3, 10.0, 2


def fit_ours(dim):
    import recbook
    import torch

    torch.set_num_threads(THREADS)
    split = recbook.leave_last_out(recbook.load("ml-1m"))
    model = recbook.IALS(split.n_users, split.n_items, dim, unmet_weight=WEIGHT, l2=L2, exponent=0.0, sweeps=SWEEPS)
    with common.Clock() as clock:
        model.fit(split)
    return {**clock.times, "NDCG@10": recbook.evaluate(model, split.test)["NDCG@10"]}


def fit_implicit(dim, folder):
    from implicit.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    clicks = sp.load_npz(folder / "clicks.npz")
    scale = (1 + WEIGHT) / WEIGHT
    model = AlternatingLeastSquares(factors=dim, alpha=scale, regularization=L2 * scale, iterations=SWEEPS,
                                    use_cg=False, use_native=True, num_threads=THREADS, random_state=0)
    with threadpool_limits(1, "blas"), common.Clock() as clock:  # as implicit advises: the threads are its own
        model.fit(clicks, show_progress=False)
    np.savez(folder / f"vectors-{dim}.npz", users=model.user_factors, items=model.item_factors)
    return {**clock.times, "versions": common.versions("implicit", "numpy", "scipy")}


def ours_64(folder):
    return fit_ours(64)


def ours_128(folder):
    return fit_ours(128)


def implicit_64(folder):
    return fit_implicit(64, folder)


def implicit_128(folder):
    return fit_implicit(128, folder)


def rows():
    import recbook
    from ranking_speed import dot_product

    dataset = recbook.load("ml-1m")
    split = recbook.leave_last_out(dataset)
    made = {}
    with common.workplace() as folder:
        sp.save_npz(folder / "clicks.npz", split.matrix())
        for dim in (64, 128):
            runs = common.by_turns(__file__, folder, {f"ours_{dim}": sys.executable,
                                                      f"implicit_{dim}": common.peers_python()})
            vectors = np.load(folder / f"vectors-{dim}.npz")
            accuracy = recbook.evaluate(dot_product(vectors["users"], vectors["items"]), split.test)["NDCG@10"]
            peer = [run | {"NDCG@10": accuracy} for run in runs[f"implicit_{dim}"]]
            settings = {"dim": dim, "sweeps": SWEEPS, "unmet_weight": WEIGHT, "l2": L2, "exponent": 0.0}
            made[f"ials-implicit-{dim}"] = common.row(f"iALS of dimension {dim}, {SWEEPS} sweeps of MovieLens 1M",
                                                      {"ratio": 1.5}, settings, runs[f"ours_{dim}"], peer)
    return dataset, made


if __name__ == "__main__":
    common.run_side(ours_64, ours_128, implicit_64, implicit_128)
