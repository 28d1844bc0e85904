"""The figure of the chapter on attention: one history under a lens."""

import matplotlib.pyplot as plt
import numpy as np
from live_figures._shop import events, goods, law, weights

import recbook as rb
from recbook import plots
from recbook.data.shop.events import SESSION_GAP

LENGTH, HISTORIES = 8, 6
INPUTS = {"dropout": 0.0, "behaviours": True, "pauses": True, "length": 50, "dim": 32}


def models(shop, split):
    """An attentive GRU, where each candidate asks, and a SASRec of one block, where the last event does. Narrow, for a page."""
    sizes = shop.n_users, shop.n_items
    made = []
    for kind, settings in ((rb.AttentiveGRU, {}), (rb.SASRec, {"blocks": 1})):
        rb.seed_everything(0)
        model = kind(*sizes, **INPUTS, **settings)
        rb.fit(model, split, epochs=6, batch_size=1024, learning_rate=0.01, progress=False, schedule=lambda share: 1 - share)
        made.append(model.eval())
    return made


def questions(split):
    """The first test questions in the midst of a visit with eight events before them, one a customer: [(customer, case)]."""
    known = split.test.ends - split.test.log.starts[split.test.users]
    found = {}
    for case in np.flatnonzero(known == LENGTH):
        context = split.test.context([case])
        if context.now[0] - context.times[0, -1] <= SESSION_GAP:
            found.setdefault(int(split.test.users[case]), int(case))
    return list(found.items())[:HISTORIES]


def export():
    shop = rb.load("shop")
    split = rb.by_time(shop).refit()
    attentive, sasrec = models(shop, split)
    arrays, values = law(shop.truth.world)
    looks, words = goods(shop)
    arrays, values = arrays | looks | weights(attentive, "attentive") | weights(sasrec, "sasrec"), values | words
    asked = questions(split)
    arrays["prior"] = np.stack([shop.truth.world.prior[user] for user, _ in asked]).astype(np.float32)
    for user, _ in asked:
        arrays[f"events.{user}"] = events(shop, user)[:LENGTH + 1]      # the last is what came
    return arrays, values | {"people": [user for user, _ in asked], "length": INPUTS["length"]}


def draw(folder):
    """The first history: its pictures, and beside each what it caused in truth, by the observer."""
    shop = rb.load("shop")
    split = rb.by_time(shop).refit()
    (_, case), *_ = questions(split)
    context, observer = split.test.context([case]), rb.Observer(shop, ratings=False)
    before = observer.scores(context)[0]
    caused = []
    for event in range(LENGTH):
        kept = [place for place in range(LENGTH) if place != event]
        fields = {name: field[:, kept] if field is not None and field.ndim == 2 else field for name, field in vars(context).items()}
        after = observer.scores(rb.Context(**fields))[0]
        caused.append(float((before * (before / after).log()).nansum()))
    figure, (above, below) = plt.subplots(2, LENGTH, figsize=(4.8, 2.1), height_ratios=(1, 1.2))
    for place, item in enumerate(context.items[0].tolist()):
        above[place].imshow(shop.images[item])
        above[place].set_axis_off()
        below[place].bar(0, caused[place], color=plots.BLUE)
        below[place].set_ylim(0, 1.25 * max(caused))
        below[place].annotate(f"{caused[place]:.2f}", (0, caused[place]), ha="center", va="bottom", color=plots.GREY, fontsize=9)
        below[place].set_axis_off()
    figure.supxlabel("how much each event caused: the change without it, by the observer", fontsize=9, color=plots.GREY)
    figure.savefig(folder / "live-lens.png", dpi=130, metadata={"Software": None})
