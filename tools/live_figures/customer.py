"""The first page's figure: seven that guess a customer's next look, beside what is true."""

import numpy as np
from live_figures._shop import events, goods, law, weights

import recbook as rb
from recbook import plots

CASE, FIRST = 270, 29   # the question with which the page begins, and whose it is
CUSTOMERS, ASKED = 8, 12
INPUTS = {"dropout": 0.0, "behaviours": True, "pauses": True, "length": 50}
NAMES = ("popularity", "personal popularity", "item neighbours", "matrix factorization", "GRU", "self-attention", "observer")


def models(shop, split):
    """The ladder's seven, {name: fitted model}. The networks are narrow, so that their weights fit into a page."""
    sizes = shop.n_users, shop.n_items

    def train(kind, epochs, **settings):
        rb.seed_everything(0)
        model = kind(*sizes, **INPUTS, **settings)
        rb.fit(model, split, epochs=epochs, batch_size=1024, learning_rate=0.01, progress=False,
               schedule=lambda share: 1 - share)
        return model.eval()

    made = (rb.Popularity(*sizes).fit(split), rb.PersonalPopularity(*sizes).fit(split),
            rb.ItemKNN(*sizes, k=20, reads=40).fit(split), rb.PureSVD(*sizes, dim=6, reads=10).fit(split),
            train(rb.GRU4Rec, 6, dim=32, hidden=48), train(rb.SASRec, 10, dim=32, blocks=1),
            rb.Observer(shop, ratings=False))
    return dict(zip(NAMES, made, strict=True))


def people(shop, split):
    """Whom a reader can watch: the first page's customer, then the first with enough to ask, and not too much to read."""
    first, count = {}, {}
    for case, user in enumerate(split.test.users.tolist()):
        first.setdefault(user, case)
        count[user] = count.get(user, 0) + 1
    known = np.bincount(shop.interactions["user"], minlength=shop.n_users)
    others = [user for user in sorted(first) if count[user] >= ASKED and known[user] <= 120 and user != FIRST]
    return {user: first[user] for user in [FIRST, *others[:CUSTOMERS - 1]]}


def export():
    shop = rb.load("shop")
    split = rb.by_time(shop).refit()
    ladder = models(shop, split)
    report = rb.compare(ladder, on=split.test, metrics=["NDCG@10"])
    arrays, values = law(shop.truth.world)
    looks, words = goods(shop)
    arrays, values = arrays | looks, values | words
    arrays["count"] = ladder["popularity"].count.numpy().astype(np.int32)
    arrays["neighbours"] = ladder["item neighbours"].neighbours.numpy().astype(np.int16)
    arrays["nearness"] = ladder["item neighbours"].weight.numpy().astype(np.float16)
    arrays["factors"] = ladder["matrix factorization"].item.numpy().astype(np.float16)
    arrays |= weights(ladder["GRU"], "gru") | weights(ladder["self-attention"], "sasrec")
    arrays["prior"] = np.stack([shop.truth.world.prior[user] for user in people(shop, split)]).astype(np.float32)
    watched = []
    for user in people(shop, split):
        told = events(shop, user)
        begins = int((told[:, 2] <= split.train.loc[split.train["user"] == user, "timestamp"].max()).sum())
        asked = CASE - list(split.test.users).index(user) if user == FIRST else 0
        told = told[:begins + asked + ASKED]
        watched.append({"customer": int(user), "begins": begins + asked})
        arrays[f"events.{user}"] = told
    values |= {"names": list(NAMES), "people": watched, "questions": len(split.test),
               "ladder": [round(float(report.reports[name]["NDCG@10"]), 4) for name in NAMES],
               "reads": {"item neighbours": 40, "matrix factorization": 10, "networks": INPUTS["length"]}}
    return arrays, values


def draw(folder):
    """What the page's first customer looked at last."""
    shop = rb.load("shop")
    split = rb.by_time(shop).refit()
    history = split.test.context([CASE]).items[0]
    figure = plots.shelves(shop, {"seen, the oldest first": history[-4:].tolist()})
    figure.savefig(folder / "live-customer.png", dpi=130, metadata={"Software": None})
