"""How we measure: a log so small that the page fits, asks and compares two models itself, whatever is moved."""

import numpy as np

import recbook as rb
from recbook import plots

SIZES = {"n_users": 500, "n_items": 120, "n_events": 25_000}
STRONG, WEAK = 200.0, 10.0          # penalties of EASE


def export():
    shop = rb.load("shop", **SIZES)
    log = shop.interactions
    _, moment = np.unique(log["timestamp"], return_inverse=True)        # the order of time, equal times alike
    starts = np.searchsorted(log["user"], np.arange(shop.n_users + 1))
    return {"starts": starts.astype(np.uint16), "items": log["item"].to_numpy().astype(np.uint8),
            "moments": moment.astype(np.uint16)}, {"items": shop.n_items, "strong": STRONG, "weak": WEAK}


def draw(folder):
    """The first frame: all items ranked, and beside it what was met left out."""
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "live"       # the same file on every run
    from dataclasses import replace

    from recbook.models.base import interaction_matrix

    shop = rb.load("shop", **SIZES)
    split = rb.by_time(shop).refit()
    sizes = shop.n_users, shop.n_items
    models = {f"penalty {l2:.0f}": rb.EASE(*sizes, l2=l2).fit(split) for l2 in (STRONG, WEAK)}
    cases, everything = split.test, np.arange(shop.n_items)
    met = interaction_matrix(cases.context().items, shop.n_items).numpy() > 0
    ks = np.arange(1, 31)
    _, panels = plt.subplots(1, 2, sharey=True, figsize=(4.8, 2.6))
    for axes, (title, hidden) in zip(panels, (("against all others", False), ("against what was not met", True))):
        others = np.where(met & hidden, -1, everything)
        others[np.arange(len(cases)), cases.target] = -1
        asked = replace(cases, candidates=np.column_stack([cases.target, others]))
        for (name, model), colour in zip(models.items(), (plots.BLUE, plots.ORANGE)):
            report = rb.evaluate(model, asked, [f"NDCG@{k}" for k in ks])
            axes.plot(ks, [report[f"NDCG@{k}"] for k in ks], color=colour, label=name)
        axes.set(title=title, xlabel="k")
    panels[0].set_ylabel("NDCG@k")
    panels[0].legend()
    plt.savefig(folder / "live-winner.svg", metadata={"Date": None})
    plt.close()
