"""Logged data: who truly clicks what, and what two policies go by, so that the page can draw logs of its own."""

import numpy as np
import torch

import recbook as rb
from recbook import plots
from recbook.policies import Softmax

SIZES = {"n_users": 200, "n_items": 60, "n_events": 20_000}     # the chapter's shop, one place a visit
TEMPERATURE = 0.5


def world():
    shop = rb.load("shop", **SIZES)
    showing = rb.Showing(shop, places=1)
    svd = rb.PureSVD(shop.n_users, shop.n_items, dim=6).fit(rb.everything(shop))
    with torch.no_grad():
        scores = torch.as_tensor(svd.scores(showing.context()))
    scores = ((scores - scores.mean(1, keepdim=True)) / scores.std(1, keepdim=True)).numpy()
    return shop, showing, scores, np.bincount(shop.interactions["item"], minlength=shop.n_items)


def export():
    shop, showing, scores, sales = world()
    order = np.argsort(-sales, kind="stable")                           # the best seller is item 0 of the figure
    return {"attraction": showing.attraction[:, order].astype(np.float16), "scores": scores[:, order].astype(np.float16),
            "sales": sales[order].astype(np.int32)}, {
        "temperature": TEMPERATURE, "titles": [shop.title(item) for item in order]}


def draw(folder):
    """What three estimators say from sixty logs each, of an even old policy and of one that prefers what sells."""
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "live"       # the same file on every run

    shop, showing, scores, sales = world()

    def popular(context, sharpness):
        return np.tile(sharpness * np.log(sales + 1.0), (len(context), 1))

    new = Softmax(lambda context: scores[context.users.numpy()], TEMPERATURE, places=1)
    chances = showing.propensities(new)[:, 0]
    true, rng = showing.value(new), np.random.default_rng(0)
    logs = 60
    _, panels = plt.subplots(1, 2, sharex=True, sharey=True, figsize=(4.8, 2.2))
    for axes, sharpness in zip(panels, (0.0, 3.0)):
        old = Softmax(lambda context: popular(context, sharpness), places=1)
        log = showing.log(old, visits=logs * 300, seed=1)
        weight = chances[log["user"], log["item"]] / log["propensity"].to_numpy()
        gained, weight = (column.reshape(logs, 300) for column in (weight * log["reward"].to_numpy(), weight))
        cut = (np.minimum(weight, 10) * log["reward"].to_numpy().reshape(logs, 300)).mean(1)
        found = {"IPS": gained.mean(1), "clipped at 10": cut, "SNIPS": gained.sum(1) / weight.sum(1)}
        for row, (name, values) in enumerate(found.items()):
            axes.plot(values, row + rng.uniform(-0.25, 0.25, logs), ".", color=plots.BLUE, markersize=3)
        axes.axvline(true, color=plots.GREY, linestyle=":")
        axes.set_yticks(range(3), list(found))
        axes.set(title="old policy: even" if not sharpness else "old policy: what sells", xlabel="clicks a visit")
    panels[0].invert_yaxis()
    panels[0].set_xlim(0, 1.2)
    plt.savefig(folder / "live-weights.svg", metadata={"Date": None})
    plt.close()
