"""Matrix factorization: a shop so small that its users and items fit on one plane, and train in the page."""

import numpy as np

import recbook as rb
from recbook import plots

SIZES = {"n_users": 40, "n_items": 36, "n_events": 2_000}
ASKED, HELD = 24, 6     # ratings of each customer, and how many of them do not train


def survey(shop):
    """Every customer is asked for the stars of some items, drawn evenly: rows (user, item, stars) that train, and others.

    By the shop's own law of stars and the taste at the last event. Few of so small a shop's customers would rate by themselves.
    """
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(shop.n_users), ASKED)
    item = np.concatenate([rng.permutation(shop.n_items)[:ASKED] for _ in range(shop.n_users)])
    last = np.searchsorted(shop.interactions["user"], np.arange(shop.n_users), side="right") - 1      # everybody was there
    chance = shop.truth.world.star_probability(shop.truth.tastes[last][user], item, user)
    rows = np.column_stack([user, item, 1 + rng.binomial(4, chance)]).astype(np.uint8)
    held = np.arange(len(user)) % ASKED >= ASKED - HELD
    return rows[~held], rows[held]


def export():
    shop = rb.load("shop", **SIZES)
    split = rb.by_time(shop, validation=0, test=0.25)
    pairs = split.train[["user", "item"]].to_numpy().astype(np.uint8)
    later = np.column_stack([split.test.users, split.test.target]).astype(np.uint8)
    met = np.zeros((shop.n_users, shop.n_items), dtype=bool)
    met[tuple(pairs.T)] = True
    later = np.unique(later[~met[tuple(later.T)]], axis=0)              # what is new to its user: the question of BPR
    stars, held = survey(shop)
    return {"clicks": pairs, "later": later, "stars": stars, "held": held}, {
        "users": shop.n_users, "items": shop.n_items, "titles": [shop.title(item) for item in range(shop.n_items)],
        "categories": shop.items["category"].astype(str).tolist()}


def draw(folder):
    """The plane after three hundred batches, by the package."""
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "live"       # the same file on every run
    import torch

    shop = rb.load("shop", **SIZES)
    split = rb.by_time(shop, validation=0, test=0.25)
    rb.seed_everything(0)
    model = rb.BPRMF(shop.n_users, shop.n_items, dim=2, l2=0.01)
    rb.fit(model, split, epochs=13, batch_size=64, learning_rate=0.05, progress=False)
    with torch.no_grad():
        user, item = model.user.weight.numpy(), model.item.weight.numpy()
        scores = model.scores(rb.Context(users=torch.tensor([3])))[0].numpy()
    _, axes = plt.subplots(figsize=(4.8, 3.6))
    axes.scatter(*item.T, s=14, color=plots.GREY, label="items")
    axes.scatter(*user.T, s=10, marker="D", color=plots.SKY, label="users")
    axes.annotate("", user[3], (0, 0), arrowprops={"arrowstyle": "->", "color": plots.BLUE})
    for place, one in enumerate(np.argsort(-scores)[:5], 1):
        axes.annotate(str(place), item[one], xytext=(3, 3), textcoords="offset points", fontsize=9, color=plots.RED)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel="first number of each vector", ylabel="second number")
    axes.legend(loc="best")
    plt.savefig(folder / "live-learning.svg", metadata={"Date": None})
    plt.close()
