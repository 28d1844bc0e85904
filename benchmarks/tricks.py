"""What two tricks of the training loop buy: each on and off, by turns, on MovieLens 1M.

Flush to zero: `recbook.fit` has the processor treat numbers too small for float32 as zero. "off" leaves PyTorch's
default. Fused Adam: one pass over each weight in place of a dozen. "off" is `torch.optim.Adam` as it comes.
Time: all of `fit`, for as many epochs as a chapter trains, every core that torch takes. The ratio is on over off; the
accuracy must not change.
"""

import sys

import common


def fit_bpr(**options):
    import recbook

    split = recbook.leave_last_out(recbook.load("ml-1m"))
    recbook.seed_everything(0)
    model = recbook.BPRMF(split.n_users, split.n_items, dim=64, l2=0.001)
    with common.Clock() as clock:
        recbook.fit(model, split, epochs=5, learning_rate=0.003, device="cpu", progress=False, **options)
    return {**clock.times, "NDCG@10": recbook.evaluate(model, split.test)["NDCG@10"]}


def fit_funk_svd():
    import recbook

    split = recbook.random_folds(recbook.load("ml-1m"))[0]
    recbook.seed_everything(0)
    model = recbook.FunkSVD(split.n_users, split.n_items, dim=64, l2=0.04)
    with common.Clock() as clock:
        recbook.fit(model, split, epochs=5, learning_rate=0.01, device="cpu", progress=False)
    return {**clock.times, "RMSE": recbook.evaluate(model, split.test, ["RMSE"])["RMSE"]}


def keep_denormals():
    """Make `fit`'s call do nothing."""
    import torch

    torch.set_flush_denormal = lambda flush: True


def bpr(folder):
    return fit_bpr()


def bpr_keeping_denormals(folder):
    keep_denormals()
    return fit_bpr()


def bpr_plain_adam(folder):
    import torch

    return fit_bpr(optimiser=torch.optim.Adam)


def funk_svd(folder):
    return fit_funk_svd()


def funk_svd_keeping_denormals(folder):
    keep_denormals()
    return fit_funk_svd()


TRICKS = {  # name of the row: (title, on, off)
    "flush-denormals-bpr-mf": ("Denormals flushed to zero, BPR-MF", "bpr", "bpr_keeping_denormals"),
    "flush-denormals-funk-svd": ("Denormals flushed to zero, FunkSVD", "funk_svd", "funk_svd_keeping_denormals"),
    "fused-adam-bpr-mf": ("Fused Adam, BPR-MF", "bpr", "bpr_plain_adam"),
}


def rows():
    import recbook

    made = {}
    with common.workplace() as folder:
        for name, (title, on, off) in TRICKS.items():
            runs = common.by_turns(__file__, folder, {on: sys.executable, off: sys.executable})
            made[name] = common.row(title, {"ratio": 1.0}, {"epochs": 5}, runs[on], runs[off])
    return recbook.load("ml-1m"), made


if __name__ == "__main__":
    common.run_side(bpr, bpr_keeping_denormals, bpr_plain_adam, funk_svd, funk_svd_keeping_denormals)
