"""Autoencoders on the shop, for customers whom they never saw: what forbids the copy, and what beta does to the code.

controls_autoencoders: networks of clicks that differ in one thing, from several seeds; 250 customers are held out for the
test, folded in from 80 % of the things they met and asked for the others. Answers to each question are averaged over seeds
and compared in pairs. Of each network "own click" tells how far an item's own click raises it above the others, in
standard deviations of all such effects, each less what an empty row gives; of each Mult-VAE "nats" is what its code
costs a row, "in use" how many numbers of it cost at least .05, and "tastes" which share of the variance of the true
shares of the shop's tastes a linear map finds in the strangers' codes, as the decoder gets them, noise included, or from
their means. The map is fitted on customers who trained.

controls_autoencoders_tastes: how many numbers of a Mult-VAE with beta 1 are in use, in three shops of so many tastes.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import recbook
from recbook import results
from recbook.evaluation import Comparison, average
from recbook.models import find_model
from recbook.models.autoencoders import divergence

TRAINING = {"epochs": 20, "batch_size": 100, "learning_rate": 0.003}
DAE = {"model": "mult-dae", **TRAINING}
VAE = {"model": "mult-vae", "dim": 32, "hidden": 128, "annealing": 200, **TRAINING, "epochs": 15}
WIDE = {**VAE, "dim": 360, "hidden": 360, "dropout": 0.0}
ROWS = {
    "16 wide, all shown": {**DAE, "dim": 16, "dropout": 0.0},
    "16 wide, half hidden": {**DAE, "dim": 16, "dropout": 0.5},
    "360 wide, all shown": {**DAE, "dim": 360, "dropout": 0.0},
    "360 wide, half hidden": {**DAE, "dim": 360, "dropout": 0.5},
    "wide code, all shown, beta 0": {**WIDE, "beta": 0.0},
    "wide code, all shown, beta 0.2": {**WIDE, "beta": 0.2},
    "wide code, all shown, beta 1": {**WIDE, "beta": 1.0},
    **{f"beta {beta:g}": {**VAE, "beta": beta} for beta in (0.05, 0.2, 1.0, 5.0, 30.0)},
    **{f"beta {beta:g}, all of it at once": {**VAE, "beta": beta, "annealing": 1} for beta in (0.2, 1.0, 5.0)},
}
SOLVED = {"popularity": {}, "ease": {"l2": 2000.0}, "pure-svd": {"dim": 7}}
PAIRS = [("360 wide, half hidden", "360 wide, all shown"), ("16 wide, half hidden", "16 wide, all shown"),
         ("16 wide, all shown", "360 wide, all shown"), ("16 wide, half hidden", "360 wide, half hidden"),
         ("wide code, all shown, beta 0.2", "wide code, all shown, beta 0"),
         ("wide code, all shown, beta 1", "wide code, all shown, beta 0"),
         ("beta 0.2", "beta 30"), ("beta 0.2", "beta 0.05"), ("beta 0.2", "beta 1"), ("beta 30", "popularity"),
         *((f"beta {beta}", f"beta {beta}, all of it at once") for beta in (0.2, 1, 5)),
         ("beta 0.2", "ease"), ("beta 0.2", "pure-svd"), ("16 wide, half hidden", "ease")]
METRIC = "NDCG@10"
TASTES, SHOPS = (2, 3, 4, 6, 8), (0, 1, 2)
IN_USE = 0.05       # nats
BARS = (".1", ".2", ".4")


def train(split, settings, seed):
    settings = dict(settings)
    training = {key: settings.pop(key) for key in TRAINING if key in settings}
    recbook.seed_everything(seed)
    model = find_model(settings.pop("model"))(split.n_users, split.n_items, **settings)
    recbook.fit(model, split, seed=seed, progress=False, device="cpu", **training)
    return model.eval()


def own_click(model, n_items):
    """How far an item's own click raises it, in standard deviations of all effects of single clicks."""
    with torch.no_grad():
        nothing = model.scores(recbook.Context(items=torch.tensor([[-1]])))
        effect = model.scores(recbook.Context(items=torch.arange(n_items)[:, None])) - nothing      # (N, N)
    return float((effect.diagonal().mean() - effect.mean()) / effect.std())


def codes(model, met):
    """What each number of the code costs in the mean (dim,), the codes with noise, and their means (U, dim)."""
    row, item = (torch.as_tensor(part) for part in met.nonzero())
    with torch.no_grad():
        mean, log_variance = model.distribution(row, item, met.shape[0])
        noisy = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    price = [float(divergence(mean[:, [k]], log_variance[:, [k]]).mean()) for k in range(model.dim)]
    return np.array(price), noisy.numpy(), mean.numpy()


def shares_of_tastes(shop):
    """The share of each taste among a customer's events (U, T), and who has at least twenty of them (U,)."""
    log = shop.interactions
    user, when = (log[name].to_numpy() for name in ("user", "timestamp"))
    shares = np.zeros((shop.n_users, 6))
    np.add.at(shares, (user, shop.truth.taste_at(user, when)), 1)
    count = shares.sum(1)
    return shares / count.clip(1)[:, None], count >= 20


def explained(numbers, shares, fitted, judged, penalty=1e-3):
    """Share of the variance of the tastes of `judged` that a linear map finds in numbers (U, D); `fitted` fits it."""
    inputs = np.column_stack([numbers, np.ones(len(numbers))])
    square = inputs[fitted].T @ inputs[fitted] + penalty * np.eye(inputs.shape[1])
    weights = np.linalg.solve(square, inputs[fitted].T @ shares[fitted])
    error = ((inputs[judged] @ weights - shares[judged]) ** 2).sum()
    return float(1 - error / ((shares[judged] - shares[fitted].mean(0)) ** 2).sum())


def look_inside(model, shop, split):
    """What is told of a network beside its ranking: a dict."""
    found = {"own click": own_click(model, shop.n_items)}
    if not hasattr(model, "distribution"):
        return found
    price, noisy, mean = codes(model, recbook.everything(shop).matrix())
    shares, enough = shares_of_tastes(shop)
    strangers = np.isin(np.arange(shop.n_users), np.concatenate([split.test.users, split.validation.users]))
    found |= {"nats": float(price.sum()), "in use": float((price > IN_USE).sum())}
    return found | {f"tastes, {name}": explained(numbers, shares, enough & ~strangers, enough & strangers)
                    for name, numbers in (("with noise", noisy), ("from the mean", mean))}


def run(name, seed, shop, split):
    start = time.process_time()
    model = train(split, ROWS[name], seed)
    report = recbook.evaluate(model, split.test, [METRIC])
    inside = look_inside(model, shop, split)
    print(f"{name:32} seed {seed}: {report[METRIC]:.4f}", {key: round(value, 2) for key, value in inside.items()}, flush=True)
    return report, inside, time.process_time() - start


def over_runs(values):
    """Numbers of several runs as a row of results holds them; from the least to the greatest."""
    return {"value": float(np.mean(values)), "low": min(values), "high": max(values), "values": values,
            "spread": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}


def run_strangers(names, seeds, keep):
    shop = recbook.load("shop")
    split = recbook.strong_generalisation(shop, held_out=250)
    reports, inside, seconds = {}, {}, 0.0
    for name in names:
        runs = [results.kept(keep and keep / f"{name} {seed} {ROWS[name]}", lambda: run(name, seed, shop, split))
                for seed in seeds]
        reports[name] = average([report for report, _, _ in runs])
        inside[name] = {key: over_runs([found[key] for _, found, _ in runs]) for key in runs[0][1]}
        seconds += sum(took for _, _, took in runs)
    for name, settings in SOLVED.items():
        model = find_model(name)(shop.n_users, shop.n_items, **settings).fit(split)
        reports[name] = recbook.evaluate(model, split.test, [METRIC])
    comparison, rows = Comparison(reports, split.test), {}
    for name, report in reports.items():
        less = {other: {METRIC: comparison.difference(name, other)} for one, other in PAIRS
                if one == name and other in reports}
        rows[name] = {"title": name, "measured": results.summary(report.runs or (report,)) | inside.get(name, {}),
                      "published": {}, "source": "", "settings": ROWS.get(name, SOLVED.get(name)), "less": less}
    results.save("controls_autoencoders", "Autoencoders on the shop's strangers, one thing changed at a time",
                 split.test.protocol(), rows, shop, seconds, seeds)


def prices(n_tastes, seed):
    """What each number of a code with beta 1 costs in one shop, the dearest first, and the seconds that it took."""
    start = time.process_time()
    shop = recbook.load("shop", n_tastes=n_tastes, seed=seed)
    split = recbook.strong_generalisation(shop, held_out=250)
    price, *_ = codes(train(split, ROWS["beta 1"], seed), split.matrix())
    print(n_tastes, seed, np.sort(price)[::-1][:10].round(2), flush=True)
    return np.sort(price)[::-1].tolist(), time.process_time() - start


def run_tastes(keep):
    rows, seconds = {}, 0.0
    for n_tastes in TASTES:
        runs = [results.kept(keep and keep / f"{n_tastes} tastes, shop {seed}", lambda: prices(n_tastes, seed))
                for seed in SHOPS]
        seconds += sum(took for _, took in runs)
        counts = {name: over_runs([float((np.array(price) > least).sum()) for price, _ in runs])
                  for name, least in (("in use", IN_USE), *((f"at least {bar} nats", float(bar)) for bar in BARS))}
        rows[f"{n_tastes} tastes"] = {"title": f"{n_tastes} tastes", "measured": counts, "published": {}, "source": "",
                                      "settings": ROWS["beta 1"]}
    results.save("controls_autoencoders_tastes", "Numbers in use of a code with beta 1, in shops of so many tastes",
                 "three shops of each kind, one training in each; a number is in use if it costs at least .05 nats a row",
                 rows, recbook.load("shop"), seconds, SHOPS)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="controls_autoencoders", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=[*ROWS, "tastes"], default=[*ROWS, "tastes"], metavar="ROW",
                        help="of %(choices)s; default: all of them")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="a folder where each run is kept: an interrupted experiment goes on")
    arguments = parser.parse_args(argv)
    if names := [name for name in ROWS if name in arguments.only]:
        run_strangers(names, range(arguments.seeds), arguments.keep)
    if "tastes" in arguments.only:
        run_tastes(arguments.keep)


if __name__ == "__main__":
    main()
