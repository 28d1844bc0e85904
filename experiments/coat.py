"""Coat: ratings that people chose to give train, ratings of coats that were drawn for them are tested.

Schnabel, Swaminathan, Singh, Chandak and Joachims, *Recommendations as Treatments: Debiasing Learning and Evaluation*,
ICML 2016, table 2: MF and MF with inverse propensities, MAE and MSE on the drawn ratings.

Propensities: the authors', from a regression on features of users and coats that comes with the data; estimated here, by
a logistic regression on the features of both and their products, its penalty by cross-validated likelihood; each coat's
own share of the people, without features; and, as controls, the authors' shuffled among the ratings, and clipped so that no
rating weighs more than one of the mean propensity.

Every factorization has the same budget: 4 widths x 5 penalties, three folds of the ratings that were chosen, its own
squared error there, weighted as in its training. The chosen setting is trained anew from five seeds and tested, once.
Beside them stand the mean of the chosen ratings, the biases of users and coats alone, and the mean of the drawn ratings
(which nobody has who has to choose). And a plain rival: the predictions of MF without weights, all lowered by the same
number, the mean of the chosen ratings weighted with the authors' propensities less their mean.
"""

import argparse
import itertools
import time
from pathlib import Path

import numpy as np

import recbook
from recbook import results
from recbook.data.catalog import find_source
from recbook.data.files import Files
from recbook.data.readers.shown import coat_propensities
from recbook.evaluation import Comparison, Report, average
from recbook.off_policy import WeightedFactorization
from recbook.off_policy.rewards import deal

NAME = "coat"
TITLE = "Coat: errors on ratings that were drawn, of models of ratings that were chosen"
PROTOCOL = ("24 coats that each person chose to rate train, 16 that were drawn for them are tested; widths 5, 10, 20, 40 and "
            "penalties 2 to 32 by three folds of the chosen ratings, each model by its own weighted error; five seeds")
DIMS, PENALTIES, FOLDS, SEEDS = (5, 10, 20, 40), (2.0, 4.0, 8.0, 16.0, 32.0), 3, tuple(range(5))
SWEEPS = 8      # while settings are tried; then 15
SOURCE = "Schnabel et al., ICML 2016, table 2"
ROWS = {
    "mean": ("the mean of the chosen ratings", {}),
    "mean-drawn": ("the mean of the drawn ratings (not to be had)", {}),
    "biases": ("biases of users and coats, no vectors", {}),
    "mf": ("MF", {"MAE": 0.920, "MSE": 1.202}),
    "mf-lowered": ("MF, lowered by one number: the weighted mean less the mean", {}),
    "mf-authors": ("MF, inverse propensities, the authors'", {"MAE": 0.860, "MSE": 1.093}),
    "mf-estimated": ("MF, inverse propensities, estimated here", {"MAE": 0.860, "MSE": 1.093}),
    "mf-popularity": ("MF, inverse propensities, each coat's share", {}),
    "mf-shuffled": ("MF, the authors' propensities shuffled", {}),
    "mf-clipped": ("MF, the authors' propensities clipped at their mean", {}),
}
NOTE = ("Alternating least squares in place of L-BFGS, other folds than the paper's, and penalties on another scale.")


def estimated(split, dataset):
    """The chance that a person rates a coat, by a regression on the features of both and their products: (M, N)."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    people, coats = (frame.drop(columns="original").to_numpy(float) for frame in (dataset.users, dataset.items))
    size = len(people), len(coats)
    user, item = (column.ravel() for column in np.indices(size))
    people, coats = csr_matrix(people)[user], csr_matrix(coats)[item]                       # (M N, F), (M N, G)
    inputs = hstack([people, coats, *(coats.multiply(people[:, [column]]) for column in range(people.shape[1]))]).tocsr()
    given = np.zeros(size)
    given[split.train["user"], split.train["item"]] = 1
    search = GridSearchCV(LogisticRegression(max_iter=200), {"C": [0.001, 0.01, 0.1, 1.0]}, scoring="neg_log_loss", cv=4)
    return search.fit(inputs, given.ravel()).predict_proba(inputs)[:, 1].reshape(size)


def propensities(row, split, dataset):
    """Of the training ratings, as a row weighs them: (N,), or None."""
    user, item = (split.train[name].to_numpy() for name in ("user", "item"))
    if row == "mf-estimated":
        return estimated(split, dataset)[user, item]
    if row == "mf-popularity":
        return np.bincount(item, minlength=dataset.n_items)[item] / dataset.n_users
    if row in ("mf-authors", "mf-shuffled", "mf-clipped"):
        known = coat_propensities(Files(find_source("coat")))[user, item]
        if row == "mf-shuffled":
            return np.random.default_rng(0).permutation(known)
        return known.clip(min=known.mean()) if row == "mf-clipped" else known
    return None


def tuned(split, size, propensity, dims):
    """The width and the penalty with the least squared error over the folds, weighted by the propensities: (dim, l2, error)."""
    user, item, rating = (split.train[name].to_numpy() for name in ("user", "item", "rating"))
    weight = np.ones(len(rating)) if propensity is None else 1 / propensity
    tried = {}
    for dim, l2 in itertools.product(dims, PENALTIES):
        errors = np.empty(len(rating))
        for train, test in deal(len(rating), FOLDS, 0):
            own = None if propensity is None else propensity[train]
            model = WeightedFactorization(dim, l2, SWEEPS).fit(user[train], item[train], rating[train], size, own)
            errors[test] = (model.ratings().clip(1, 5)[user[test], item[test]] - rating[test]) ** 2
        tried[dim, l2] = (weight * errors).sum() / weight.sum()
    return *min(tried, key=tried.get), min(tried.values())


def report(predicted, split):
    """Squared and absolute errors on the drawn ratings, of predictions (M, N)."""
    off = predicted.clip(1, 5)[split.test.users, split.test.target] - split.test.rating
    users = split.test.users
    return Report({"MSE": off**2, "MAE": abs(off)}, {"MSE": users, "MAE": users})


def measure(row, dataset, known=None):
    """A row's reports, one a seed, its settings, and the seconds; known : the settings of MF, for the row that takes them."""
    start = time.perf_counter()
    split, size = dataset.published, (dataset.n_users, dataset.n_items)
    user, item, rating = (split.train[name].to_numpy() for name in ("user", "item", "rating"))
    if row.startswith("mean"):
        mean = rating.mean() if row == "mean" else split.test.rating.mean()
        return [report(np.full(size, mean), split)], {}, time.perf_counter() - start
    propensity, shift = propensities(row, split, dataset), 0.0
    if known is None:
        dim, l2, error = tuned(split, size, propensity, (0,) if row == "biases" else DIMS)
        settings = {"dim": dim, "l2": l2, "MSE on its folds": round(float(error), 3)}
    else:
        dim, l2, weight = known["dim"], known["l2"], 1 / propensities("mf-authors", split, dataset)
        shift = (weight * rating).sum() / weight.sum() - rating.mean()
        settings = {"dim": dim, "l2": l2, "lowered by": round(float(-shift), 3)}
    models = [WeightedFactorization(dim, l2, seed=seed).fit(user, item, rating, size, propensity)
              for seed in (SEEDS if dim else SEEDS[:1])]
    found = [report(model.ratings() + shift, split) for model in models]
    if propensity is not None:
        weight = 1 / propensity
        settings |= {"worth ratings": round(float(weight.sum() ** 2 / (weight**2).sum()))}
    print(row, settings, {name: round(float(average(found)[name]), 4) for name in ("MSE", "MAE")}, flush=True)
    return found, settings, time.perf_counter() - start


def main(argv=None):
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0])
    parser.add_argument("--keep", type=Path, help="a folder where each row is kept, so that it need not run again")
    parser.add_argument("--only", nargs="+", choices=list(ROWS),
                        help="measure these rows (mf before mf-lowered) and keep them; writes no table")
    arguments = parser.parse_args(argv)
    keep, dataset = arguments.keep, recbook.load("coat")
    found = {}
    for row in arguments.only or ROWS:
        known = found["mf"][1] if row == "mf-lowered" else None
        found[row] = results.kept(keep and keep / row, lambda: measure(row, dataset, known))
    if arguments.only:
        return
    seconds = sum(took for *_, took in found.values())
    comparison = Comparison({row: average(reports) for row, (reports, *_) in found.items()})
    rows = {}
    for row, (title, published) in ROWS.items():
        reports, settings, _ = found[row]
        rows[row] = {"title": title, "measured": results.summary(reports), "published": published,
                     "source": SOURCE if published else "", "settings": settings,
                     "less": {other: {metric: comparison.difference(row, other, metric) for metric in ("MSE", "MAE")}
                              for other in ROWS if other != row}}
        if published:
            rows[row]["note"] = NOTE
    results.save(NAME, TITLE, PROTOCOL, rows, dataset, seconds, seeds=SEEDS)
    print(results.table(NAME).to_string())


if __name__ == "__main__":
    main()
