"""What a trick of the training loop buys: on and off, by turns, on MovieLens 1M.

Fused Adam: one pass over each weight in place of a dozen. "off" is `torch.optim.Adam` as it comes.
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


def bpr(folder):
    return fit_bpr()


def bpr_plain_adam(folder):
    import torch

    return fit_bpr(optimiser=torch.optim.Adam)


TRICKS = {  # name of the row: (title, on, off)
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
    common.run_side(bpr, bpr_plain_adam)
