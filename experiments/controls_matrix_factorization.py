"""Controls of the chapter on matrix factorization that take longer than a chapter may.

tastes : the shop with three, six and ten kinds of taste. NDCG@10 on validation of PureSVD, which reads the last ten
    events, by its number of factors: does the best number follow the number of tastes?
ratings : held-out ratings of the shop. Biases and vectors of eight numbers beside biases alone, both by the trainer of
    `FunkSVD` (twelve epochs, three seeds), with several penalties; and the biases by ridge regression, `Bias`.
movielens : the same on MovieLens 1M with seven ratings of each user. (With all of them: `ratings_rmse.py`.)
observer : the observer of the shop who is told the items alone, and the one who is told everything; every fourth
    question of the test.

The best penalty is not chosen here: the page shows them all.
"""

import argparse
import time
from dataclasses import replace

import numpy as np

import recbook
from recbook import results
from recbook.evaluation import Comparison, average, bootstrap

NAME, TITLE = "controls_matrix_factorization", "Matrix factorization: what was changed alone"
PROTOCOL = ("tastes: NDCG@10 on validation, all items ranked; ratings: RMSE on a random fifth of the ratings, mean of three "
            "seeds, the 95 % interval by drawing users; observers: every fourth question of the test")
TASTES, FACTORS, READS = (3, 6, 10), (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16), 10
PENALTIES, DIM, SEEDS, FEW = (0.0, 0.05, 0.1, 0.2, 0.3), 8, (0, 1, 2), 7
SHORT = {"epochs": 12, "batch_size": 512, "learning_rate": 0.005}


def tastes():
    rows = {}
    for number in TASTES:
        shop = recbook.load("shop", n_tastes=number)
        split = recbook.by_time(shop)
        reports = {dim: recbook.evaluate(recbook.PureSVD(shop.n_users, shop.n_items, dim, READS).fit(split),
                                         split.validation, ["NDCG@10"]) for dim in FACTORS}
        best = max(FACTORS, key=lambda dim: reports[dim]["NDCG@10"])
        against = Comparison(reports)
        behind = {f"d={dim}": {"NDCG@10": against.difference(best, dim)} for dim in FACTORS if dim != best}
        measured = {f"NDCG@10, d={dim}": results.summary([report])["NDCG@10"] for dim, report in reports.items()}
        rows[f"{number} tastes"] = row(f"PureSVD in a shop of {number} tastes", measured,
                                       {"reads": READS, "best d": best}, behind)
    return recbook.load("shop"), rows


def ratings():
    shop = recbook.load("shop")
    rated = shop.interactions.dropna(subset="rating").reset_index(drop=True)
    fold = recbook.random_folds(replace(shop, interactions=rated))[0]
    return shop, by_penalty("shop", fold, PENALTIES, SHORT)


def movielens():
    dataset = recbook.load("ml-1m")
    fold = recbook.random_folds(dataset)[0]
    order = np.random.default_rng(0).permutation(len(fold.train))
    few = fold.train.iloc[order].groupby("user").head(FEW).sort_index()
    return dataset, by_penalty("movielens, few", replace(fold, train=few), (0.1, 0.3), SHORT)


def by_penalty(data, fold, penalties, training):
    sizes = fold.n_users, fold.n_items
    per_user = len(fold.train) / fold.train["user"].nunique()
    ridge = recbook.evaluate(recbook.Bias(*sizes, l2_user=10.0, l2_item=3.0).fit(fold), fold.test, ["RMSE"])
    rows = {f"{data}, ridge": row(f"{data}, biases by ridge regression", results.summary([ridge]),
                                  {"ratings of a user": per_user})}
    for penalty in penalties:
        reports, lengths = {"biases": [], "factors": []}, []
        for seed in SEEDS:
            for kind, dim in (("biases", 0), ("factors", DIM)):
                recbook.seed_everything(seed)
                model = recbook.FunkSVD(*sizes, dim=dim, l2=penalty)
                recbook.fit(model, fold, seed=seed, progress=False, **training)
                reports[kind].append(recbook.evaluate(model, fold.test, ["RMSE"]))
            lengths.append(float(model.item.weight.detach().norm(dim=1).mean()))
        for kind, found in reports.items():
            settings = {"l2": penalty, "dim": DIM if kind == "factors" else 0, **training, "ratings of a user": per_user}
            others = {"ridge": [ridge]} | ({"biases": reports["biases"]} if kind == "factors" else {})
            measured = results.summary(found)
            if kind == "factors":
                measured["length of item vectors"] = {"value": np.mean(lengths), "low": min(lengths), "high": max(lengths)}
            rows[f"{data}, {kind}, {penalty:g}"] = row(
                f"{data}, {kind}, penalty {penalty:g}", measured, settings,
                {other: {"RMSE": gap(found, beside)} for other, beside in others.items()})
    return rows


def gap(mine, theirs):
    """By how much the RMSE of one model is larger, with a paired 95 % interval: users are drawn."""
    one, other = average(mine), average(theirs)
    drawn = [np.sqrt(bootstrap(report.values["RMSE"], report.users["RMSE"], draws=2000)) for report in (one, other)]
    low, high = np.quantile(drawn[0] - drawn[1], [0.025, 0.975])
    return {"difference": float(one["RMSE"] - other["RMSE"]), "low": float(low), "high": float(high)}


def row(title, measured, settings, less=None):
    return {"title": title, "measured": measured, "published": {}, "source": "", "settings": settings, "less": less or {}}


def observer():
    shop = recbook.load("shop")
    split = recbook.by_time(shop).refit()
    fourth = split.test.subset(np.arange(len(split.test)) % 4 == 0)
    found = recbook.compare({"observer of items": recbook.Observer(shop, behaviours=False, ratings=False, pauses=False),
                             "observer": recbook.Observer(shop)}, on=fourth, metrics=["NDCG@10"])
    return shop, found


GROUPS = {"tastes": tastes, "ratings": ratings, "movielens": movielens, "observer": observer}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="controls_matrix_factorization.py", description=__doc__.partition(":")[0])
    parser.add_argument("--only", choices=GROUPS, help="one group of rows")
    only = parser.parse_args(argv).only
    for name in [only] if only else GROUPS:
        start = time.perf_counter()
        dataset, found = GROUPS[name]()
        seconds = time.perf_counter() - start
        if isinstance(found, Comparison):
            results.save_comparison(NAME, TITLE, PROTOCOL, found, dataset, seconds)
        else:
            seeds = SEEDS if name in ("ratings", "movielens") else (0,)
            results.save(NAME, TITLE, PROTOCOL, found, dataset, seconds, seeds)
        print(f"{name}: {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
