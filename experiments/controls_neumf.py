"""Controls of the chapter on NeuMF: variants on the shop, known products, a start that fails, size and rate.

shop: every model of the chapter and its variants, five seeds, all test questions; saved on all of them
(`controls_neumf`), on those of customers who were there in training (`controls_neumf_known`) and on those of newcomers
(`controls_neumf_newcomers`). The variants change one thing each: a bias of each item in GMF; popularity in place of
GMF's list for newcomers; vectors that both parts of NeuMF share, beside separate ones of the same width. EASE reads
training alone, as the networks do; counts and popularity are added, with a weight.

starts: twelve seeds of the narrow MLP on the validation questions (`controls_neumf_starts`): how many of its last
weights start above zero, how many items share the first place, the last epoch's loss, and the ranking. The worst once
more with all of these weights above zero, each other seed with one above zero, some with none; the sizes are kept.

products: how well a network learns the product of two vectors, by width and by steps (`controls_neumf_products`).

sizes: NeuMF by size and learning rate, three epochs, on validation (`controls_neumf_sizes`).

`--tune` prints validation after each epoch, for every trained model of the shop the same three rates and five epochs,
for EASE and personal popularity how many events they read, and the weight of popularity beside counts; it writes
nothing.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

import recbook
from recbook import results
from recbook.data.splits import Context
from recbook.evaluation import Comparison, Report, average, evaluate
from recbook.models.base import Recommender, select

NAME = "controls_neumf"
PROTOCOL = ("split by time; the last tenth of the shop's events asked, one question an event; all 360 items ranked, "
            "nothing masked; ties in random order; the trained models' case-by-case values averaged over seeds")
LAYERS = (64, 32, 16)
BATCH = 1024


class Counts(Recommender):
    """How often each user met each item in training, and `weight` times popularity, of which the first item has almost
    one. Weight 1: ties by popularity. What NeuMF is told, counted."""

    def __init__(self, n_users, n_items, weight=1.0):
        super().__init__()
        self.n_users, self.n_items, self.weight = n_users, n_items, weight
        self.register_buffer("times", torch.zeros(n_users, n_items))

    def fit(self, split):
        users, items = (torch.tensor(split.train[name].to_numpy()) for name in ("user", "item"))
        self.times.zero_().index_put_((users, items), torch.ones(len(users)), accumulate=True)
        popularity = self.times.sum(0)
        self.times += self.weight * popularity / (popularity.max() + 1)
        return self

    def scores(self, context, items=None):
        return select(self.times[context.users], items)


class TrainingEASE(Recommender):
    """EASE that reads each user's latest events of training, and nothing after them."""

    def __init__(self, n_users, n_items, l2=2000.0, reads=50):
        super().__init__()
        self.n_users, self.n_items, self.last = n_users, n_items, reads
        self.ease = recbook.EASE(n_users, n_items, l2=l2)

    def fit(self, split):
        latest = split.train.groupby("user").tail(self.last)            # the log is in order of time
        met = torch.zeros(self.n_users, self.n_items)
        met[latest["user"].to_numpy(), latest["item"].to_numpy()] = 1
        self.table = met @ self.ease.fit(split).weight
        return self

    def scores(self, context, items=None):
        return select(self.table[context.users], items)


class ItemBias(nn.Module):
    """One number for each item, beside the other parts of a `NeuralModel`."""

    def __init__(self, n_items):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_items))

    def forward(self, users, items=None):
        bias = self.weight if items is None else self.weight[items]
        return bias if bias.ndim == 2 else bias.expand(len(users), -1)


class BiasedGMF(recbook.GMF):
    """GMF with a bias of each item."""

    def __init__(self, n_users, n_items, dim=8):
        super().__init__(n_users, n_items, dim)
        self.item_bias = ItemBias(n_items)


class SharedNeuMF(recbook.NeuMF):
    """NeuMF whose two parts read the same vectors."""

    def __init__(self, n_users, n_items, layers=LAYERS):
        super().__init__(n_users, n_items, layers[0], layers)
        self.product.user, self.product.item = self.tower.user, self.tower.item


def unbiased(n_users, n_items, **settings):
    """The factorization without the biases of items."""
    model = recbook.LogisticMF(n_users, n_items, **settings)
    model.item_bias.requires_grad_(False)
    return model


# name: (class, settings, epochs, learning rate); chosen on validation for MF, GMF, MLP and NeuMF, a variant has its
# model's
TRAINED = {
    "MF": (recbook.LogisticMF, {"dim": 8, "l2": 0.03}, 4, 0.01),
    "MF without item bias": (unbiased, {"dim": 8, "l2": 0.03}, 4, 0.01),
    "GMF": (recbook.GMF, {"dim": 8}, 3, 0.01),
    "GMF with item bias": (BiasedGMF, {"dim": 8}, 3, 0.01),
    "MLP": (recbook.MLP, {"layers": LAYERS}, 3, 0.002),
    "NeuMF": (recbook.NeuMF, {"dim": 8, "layers": LAYERS}, 3, 0.002),
    "NeuMF, product of 64": (recbook.NeuMF, {"dim": 64, "layers": LAYERS}, 3, 0.002),
    "NeuMF, shared vectors": (SharedNeuMF, {"layers": LAYERS}, 3, 0.002),
}
POPULARITY = 3.0                                                        # its weight beside counts
JOINED = {"share": 0.5, "epochs": 1, "learning_rate": 0.001}
PAIRS = [
    ("NeuMF", "GMF"), ("NeuMF", "MLP"), ("NeuMF", "GMF with item bias"), ("NeuMF", "GMF, popularity to newcomers"),
    ("NeuMF", "counts"), ("NeuMF", "counts and popularity"), ("NeuMF", "popularity"), ("NeuMF", "personal popularity"),
    ("NeuMF, joined", "NeuMF"), ("EASE, training alone", "NeuMF"), ("EASE, training alone", "popularity"),
    ("MF", "NeuMF"), ("MF", "GMF"), ("MF", "GMF, popularity to newcomers"), ("MF", "counts"), ("MF", "popularity"),
    ("MF", "MF without item bias"), ("GMF with item bias", "GMF"), ("GMF", "MLP"),
    ("GMF", "counts"), ("EASE", "MF"), ("EASE", "counts"), ("EASE", "NeuMF"), ("EASE", "personal popularity"),
    ("EASE", "popularity"), ("popularity", "NeuMF"), ("popularity", "MF"), ("popularity", "MLP"),
    ("popularity", "GMF"), ("popularity", "NeuMF, joined"),
    ("MF without item bias", "GMF"), ("NeuMF", "NeuMF, shared vectors"), ("NeuMF, product of 64", "NeuMF"),
    ("NeuMF, product of 64", "NeuMF, shared vectors"),
]


def train(name, split, seed, epochs=None, learning_rate=None, **options):
    """A model of TRAINED on `split`: (model, history)."""
    make, settings, chosen_epochs, chosen_rate = TRAINED[name]
    recbook.seed_everything(seed)
    model = make(split.n_users, split.n_items, **settings)
    history = recbook.fit(model, split, epochs=epochs or chosen_epochs, batch_size=BATCH, seed=seed, device="cpu",
                          learning_rate=learning_rate or chosen_rate, progress=False, **options)
    return model, history


def settings_of(name):
    _, settings, epochs, rate = TRAINED[name]
    return {**settings, "epochs": epochs, "batch_size": BATCH, "learning_rate": rate}


def tune(split, only=None):
    quarter = replace(split, validation=split.validation.subset(np.arange(len(split.validation)) % 4 == 0))
    readers = {"EASE": (recbook.EASE, {"l2": 2000.0}), "personal popularity": (recbook.PersonalPopularity, {})}
    for name in [only] if only else [*TRAINED, *readers, "counts and popularity"]:
        if name == "counts and popularity":
            for weight in (1, 3, 10, 30, 100, 300):
                model = Counts(split.n_users, split.n_items, weight).fit(split)
                print(name, weight, round(evaluate(model, quarter.validation, ["NDCG@10"])["NDCG@10"], 4), flush=True)
            continue
        if name in readers:
            make, settings = readers[name]
            for reads in (5, 10, 20, 50, 100, None):
                model = make(split.n_users, split.n_items, **settings, reads=reads).fit(split)
                print(name, reads, round(evaluate(model, quarter.validation, ["NDCG@10"])["NDCG@10"], 4), flush=True)
        else:
            for rate in (0.002, 0.005, 0.01):
                _, history = train(name, quarter, 0, epochs=5, learning_rate=rate, metric="NDCG@10")
                print(f"{name:24} {rate}", *(f"{value:.4f}" for value in history["NDCG@10"]), flush=True)


class Answers(Recommender):
    """The scores of a model that reads no history, worked out once for each user and not once for each question."""

    def __init__(self, model):
        super().__init__()
        with torch.no_grad():
            self.table = model.scores(Context(users=torch.arange(model.n_users)))       # (n_users, n_items)

    def scores(self, context, items=None):
        return select(self.table[context.users], items)


def measured(name, model, cases, seed, keep):
    """The report of a trained model, kept in a folder if there is one."""
    report = evaluate(Answers(model), cases, ["NDCG@10"], seed=seed)
    print(name, seed, round(report["NDCG@10"], 4), flush=True)
    if keep:
        np.save(keep / f"{name}, {seed}.npy", report.values["NDCG@10"])
    return report


def trained_reports(split, cases, seed, keep=None):
    """A report of every trained model, from one seed; those that the folder `keep` has are read."""
    reports, models = {}, {}
    for name in (*TRAINED, "NeuMF, joined"):
        file = keep and keep / f"{name}, {seed}.npy"
        joined = keep and keep / f"NeuMF, joined, {seed}.npy"           # is made of the trained GMF and MLP
        if keep and file.exists() and (name not in ("GMF", "MLP") or joined.exists()):
            reports[name] = Report({"NDCG@10": np.load(file)}, {"NDCG@10": cases.users})
            continue
        if name == "NeuMF, joined":
            model = recbook.NeuMF.joined(models["GMF"], models["MLP"], JOINED["share"])
            recbook.fit(model, split, epochs=JOINED["epochs"], learning_rate=JOINED["learning_rate"], batch_size=BATCH,
                        seed=seed, device="cpu", progress=False)
        else:
            model, _ = train(name, split, seed)
        models[name] = model
        reports[name] = measured(name, model, cases, seed, keep)
    return reports


def shop(seeds, keep=None):
    """All rows of the shop, on all questions, on those of known customers and on those of newcomers."""
    world = recbook.load("shop")
    split = recbook.by_time(world)
    final, cases, sizes = split.refit(), split.test, (world.n_users, world.n_items)
    start = time.perf_counter()
    fixed = {"popularity": recbook.Popularity(*sizes),
             "personal popularity": recbook.PersonalPopularity(*sizes, reads=100),
             "counts": Counts(*sizes), "counts and popularity": Counts(*sizes, POPULARITY),
             "EASE": recbook.EASE(*sizes, l2=2000.0, reads=50), "EASE, training alone": TrainingEASE(*sizes)}
    reports = {name: evaluate(model.fit(final), cases, ["NDCG@10"]) for name, model in fixed.items()}
    by_seed = [trained_reports(final, cases, seed, keep) for seed in seeds]
    reports |= {name: average([found[name] for found in by_seed]) for name in by_seed[0]}

    newcomer = ~(np.bincount(final.train["user"], minlength=world.n_users) > 0)[cases.users]
    to_newcomers = reports["popularity"].values["NDCG@10"]
    reports["GMF, popularity to newcomers"] = average([
        Report({"NDCG@10": np.where(newcomer, to_newcomers, run.values["NDCG@10"])}, run.users)
        for run in reports["GMF"].runs])
    settings = {name: settings_of(name) for name in TRAINED} | {
        "EASE": {"l2": 2000.0, "reads": 50}, "EASE, training alone": {"l2": 2000.0, "reads": 50},
        "counts and popularity": {"weight": POPULARITY}, "personal popularity": {"reads": 100},
        "NeuMF, joined": {**JOINED, "batch_size": BATCH}}
    seconds = time.perf_counter() - start
    for suffix, title, keep in (("", "all questions", np.ones(len(cases), dtype=bool)),
                                ("_known", "questions of customers who were there in training", ~newcomer),
                                ("_newcomers", "questions of newcomers", newcomer)):
        cut = Comparison({name: report.subset(keep) for name, report in reports.items()}, cases.subset(keep))
        results.save_comparison(NAME + suffix, f"The simulated shop: {title}", PROTOCOL, cut, world, seconds, seeds,
                                settings, PAIRS)
        print(title, f"{keep.mean():.1%}", cut.by_answer().round(4).to_string(), sep="\n", flush=True)


# ------------------------------------------------------------------------------------------------ one start that fails


def starts(seeds=range(12)):
    """Twelve seeds of the narrow MLP; the worst with all its last weights above zero, others with one or none."""
    world = recbook.load("shop")
    split = recbook.by_time(world)
    some = split.validation.subset(np.arange(len(split.validation)) % 5 == 0)
    start, rows = time.perf_counter(), {}

    def row(seed, signs=None):
        recbook.seed_everything(seed)
        model = recbook.MLP(world.n_users, world.n_items, [32, 16, 8])
        if signs:                                                       # the sizes are kept
            model.tower.output.data.abs_()
        if signs in ("one above zero", "none above zero"):
            model.tower.output.data[signs == "one above zero":].neg_()
        above = int((model.tower.output > 0).sum())
        history = recbook.fit(model, split, epochs=5, batch_size=4096, learning_rate=0.005, seed=seed, device="cpu",
                              progress=False)
        with torch.no_grad():
            scores = model.scores(some.context(slice(0, 100), model.reads))
        first = (scores == scores.max(1, keepdim=True).values).sum(1).double().median()
        ndcg = evaluate(model, some, ["NDCG@10"])
        name = f"seed {seed}" + (f", {signs}" if signs else "")
        measured = {**results.summary([ndcg]), "weights above zero": exact(above),
                    "items in the first place": exact(first), "loss": exact(history["loss"].iloc[-1])}
        rows[name] = plain_row(name, measured, {"layers": [32, 16, 8], "seed": seed})
        print(name, above, float(first), round(ndcg["NDCG@10"], 4), round(measured["loss"]["value"], 4), flush=True)
        return ndcg["NDCG@10"]

    found = {seed: row(seed) for seed in seeds}
    worst = min(found, key=found.get)
    row(worst, "all above zero")
    for seed in seeds:
        if seed != worst:
            row(seed, "one above zero")
    for seed in range(4):
        row(seed, "none above zero")
    floor = evaluate(recbook.Popularity(world.n_users, world.n_items).fit(split), some, ["NDCG@10"])
    rows["popularity"] = plain_row("popularity", results.summary([floor]), {})
    results.save(f"{NAME}_starts", "The narrow MLP from twelve seeds", "every fifth validation question, all items "
                 "ranked; items in the first place: median over a hundred questions", rows, world,
                 time.perf_counter() - start, list(seeds))


def plain_row(title, measured, settings):
    """A row for `results.save` without a published value."""
    return {"title": title, "measured": measured, "published": {}, "source": "", "settings": settings}


def exact(value):
    """A number without an interval."""
    return {"value": float(value), "low": float(value), "high": float(value)}


# ------------------------------------------------------------------------------------------------ known products


def error_of_network(dim, n_pairs, widths, steps, rate, seed=0):
    """RMSE on new pairs of a network that was shown `n_pairs` dot products of 300 x 300 random vectors."""
    torch.manual_seed(seed)
    users, items = torch.randn(2, 300, dim) / dim**0.25                 # products of variance 1
    pairs = torch.randperm(300 * 300)[:n_pairs + 5000]                  # no pair twice
    u, i = pairs // 300, pairs % 300
    inputs, truth = torch.cat([users[u], items[i]], dim=1), (users[u] * items[i]).sum(1)
    sizes = [2 * dim, *widths]
    network = nn.Sequential(*(part for a, b in zip(sizes, sizes[1:]) for part in (nn.Linear(a, b), nn.ReLU())),
                            nn.Linear(sizes[-1], 1))
    optimiser = torch.optim.Adam(network.parameters(), lr=rate, fused=True)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * (1 - step / steps)
        rows = torch.randint(n_pairs, (512,))
        loss = (network(inputs[rows])[:, 0] - truth[rows]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        return float((network(inputs[n_pairs:])[:, 0] - truth[n_pairs:]).square().mean().sqrt())


BUDGETS = {"as on the page": ((64, 32), 400, 0.012), "twice as wide": ((128, 64), 400, 0.012),
           "ten times as long": ((64, 32), 4000, 0.012), "twice as wide, ten times as long": ((128, 64), 4000, 0.012)}


def products(seeds=(0, 1)):
    world = recbook.load("shop")                                        # for the provenance; not looked at
    for name, (widths, steps, rate) in BUDGETS.items():
        start, measured = time.perf_counter(), {}
        for dim in (8, 32):
            values = [error_of_network(dim, 50_000, widths, steps, rate, seed) for seed in seeds]
            measured[f"RMSE, d = {dim}"] = {"value": float(np.mean(values)), "low": min(values), "high": max(values),
                                           "values": values}
        settings = {"layers": list(widths), "steps": steps, "learning_rate": rate, "batch_size": 512}
        results.save(f"{NAME}_products", "A network that is shown 50,000 of 90,000 dot products", "RMSE on 5,000 "
                     "products that it was not shown; guessing 0 has 1; low and high: the two seeds",
                     {name: plain_row(name, measured, settings)}, world, time.perf_counter() - start, list(seeds))
        print(name, {key: round(value["value"], 3) for key, value in measured.items()}, flush=True)


# ------------------------------------------------------------------------------------------------ size and rate


def sizes(seeds=(0, 1)):
    world = recbook.load("shop")
    split = recbook.by_time(world)
    rng = np.random.default_rng(0)
    asked = split.validation.subset(rng.random(len(split.validation)) < 0.2)
    for dim in (8, 128):
        for rate in (0.002, 0.02):
            start, curves = time.perf_counter(), []
            for seed in seeds:
                recbook.seed_everything(seed)
                model = recbook.NeuMF(world.n_users, world.n_items, dim=dim, layers=LAYERS)
                curves.append(recbook.fit(model, replace(split, validation=asked), epochs=3, batch_size=2048, seed=seed,
                                          learning_rate=rate, metric="NDCG@10", device="cpu", progress=False))
            measured = {}
            for column in ("NDCG@10", "loss"):
                for epoch in range(3):
                    values = [float(curve[column][epoch]) for curve in curves]
                    measured[f"{column}, epoch {epoch + 1}"] = {"value": float(np.mean(values)), "low": min(values),
                                                               "high": max(values), "values": values}
            name = f"d = {dim}, rate {rate}"
            settings = {"dim": dim, "layers": list(LAYERS), "epochs": 3, "batch_size": 2048, "learning_rate": rate}
            results.save(f"{NAME}_sizes", "NeuMF by size and learning rate", "a fifth of the validation questions, "
                         "after each epoch; all items ranked; low and high: the two seeds",
                         {name: plain_row(name, measured, settings)}, world, time.perf_counter() - start, list(seeds))
            print(name, {key: round(value["value"], 4) for key, value in measured.items()}, flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0])
    parser.add_argument("--part", choices=["shop", "starts", "products", "sizes"], help="default: all of them")
    parser.add_argument("--only", help="one model to --tune")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4],
                        help="of the shop; others have their own")
    parser.add_argument("--keep", type=Path, help="a folder for the shop's trained reports: they are not made again")
    parser.add_argument("--fill", action="store_true", help="only fill that folder")
    parser.add_argument("--tune", action="store_true", help="show validation while training; writes nothing")
    arguments = parser.parse_args(argv)
    if arguments.tune:
        tune(recbook.by_time(recbook.load("shop")).sealed(), arguments.only)
        return
    for part in [arguments.part] if arguments.part else ["shop", "starts", "products", "sizes"]:
        match part:
            case "shop":
                if arguments.fill:
                    split = recbook.by_time(recbook.load("shop"))
                    for seed in arguments.seeds:
                        trained_reports(split.refit(), split.test, seed, arguments.keep)
                else:
                    shop(arguments.seeds, arguments.keep)
            case _:
                {"starts": starts, "products": products, "sizes": sizes}[part]()


if __name__ == "__main__":
    main()
