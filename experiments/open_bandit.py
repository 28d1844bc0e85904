"""Open Bandit, small: what would Thompson sampling earn, from a log of random decisions? And how much do 38 clicks say?

Saito, Aihara, Matsutani and Narita, *Open Bandit Dataset and Pipeline*, NeurIPS Datasets and Benchmarks 2021. A fashion
shop showed items at three places of a page, in three campaigns, for a week in November 2019; for some visitors they were
drawn evenly, for others by Thompson sampling. The log of the first answers what the second would earn, and the log of the
second tells. The package ships 10,000 rows of each.

As in the package's quick start: the policy is Thompson sampling as it stood when the data begin, its chances counted in
100,000 draws; the reward model is a logistic regression for each place, on the user's features beside the item's, fitted
in three folds. The quick start took the item's number, put in order, for one of its features, and its later versions do
not: both are here.

Beyond it: intervals, three campaigns, self-normalised, clipped and switched weights. The bootstrap of an estimate with a
reward model fits the model anew to each of 100 drawn logs: of one model, once fitted, the interval says only how customers
differ.
"""

import argparse
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from recbook import results
from recbook.data.catalog import DECISIONS
from recbook.data.files import Files
from recbook.off_policy import estimators
from recbook.off_policy.rewards import cross_fitted

NAME = "open_bandit"
TITLE = "Open Bandit, small: the value of Thompson sampling, from random decisions"
PROTOCOL = ("clicks in 1,000 impressions; 95 % intervals from the standard error, and between percentiles of 1,000 drawn "
            "logs (of 100, the reward model fitted anew, where there is one)")
METRIC, DRAWN = "clicks per 1,000", "clicks per 1,000, bootstrap"
SEED = 12345                    # the quick start's
FOLDS, MOST, DRAWS, REFITS = 3, 10.0, 100_000, 100
TITLES = {"logged": "the random log itself", "truth": "the log of Thompson sampling", "ips": "IPS",
          "gain": "IPS less the random log itself, row by row",
          "clipped": f"IPS clipped at {MOST:g}",
          "snips": "SNIPS", "dm": "DM", "dr": "DR", "switch-dr": f"switch-DR at {MOST:g}",
          "dm-number": "DM, the item's number a feature", "dr-number": "DR, the item's number a feature"}
QUICK_START = "Open Bandit Pipeline, quick start on the small data"
PUBLISHED = {"all ips": 4.553, "all dm": 3.545, "all dr": 4.727, "all truth": 4.2, "all dm-number": 3.399,
             "all dr-number": 4.647}
NOTES = {
    "dm": "The relative error to the 4.2 of the other log is .156 in the quick start.",
    "dr": "The relative error to the 4.2 of the other log is .126 in the quick start.",
    "ips": "The relative error to the 4.2 of the other log is .084 in the quick start.",
    "number": "As the authors' stored notebook has it; the optimiser of another version of scikit-learn stops elsewhere, "
              "before it has converged.",
    "truth": "This policy went on learning through the week, while the one that is evaluated stands as it was at the "
             "beginning: near the truth, and not the truth.",
}
PRIOR = {      # clicks and passes that Thompson sampling began with, an item each (obp/policy/conf/prior_bts.yaml)
    "all": ("""
        47 8 62 142 3 14 7 857 12 15 6 100 48 23 71 61 13 16 518 30 7 4 23 8 10 11 11 18 121 11 11 10 14 9
        204 58 3 19 42 1013 2 328 15 31 14 138 45 55 23 38 10 401 52 6 3 6 5 32 35 133 52 820 43 195 8 42 40
        4 32 30 9 22 6 23 5 54 8 22 65 246
    """, """
        12198 3566 15993 35522 2367 4609 3171 181745 4372 4951 3100 24665 13210 7061 18061 17449 5644 6787
        111326 8776 3334 2271 7389 2659 3665 4724 3561 5085 27407 4601 4756 4120 4736 3788 45292 14719 2189
        5589 11995 222255 2308 70034 4801 8274 5421 31912 12213 13576 6230 10382 4141 85731 12811 2707 2250
        2668 2886 9581 9465 28336 12062 162793 12107 41240 3162 11604 10818 2923 8897 8654 4000 6580 3174
        6766 2602 14506 3968 7523 16532 51964
    """),
    "men": ("""
        47 8 62 142 3 6 100 48 23 71 61 13 16 518 30 7 4 23 8 10 11 11 18 121 11 4 32 30 9 22 6 23 5 54
    """, """
        12198 3566 15993 35522 2367 3100 24665 13210 7061 18061 17449 5644 6787 111326 8776 3334 2271 7389
        2659 3665 4724 3561 5085 27407 4601 2923 8897 8654 4000 6580 3174 6766 2602 14506
    """),
    "women": ("""
        12 7 984 13 15 15 11 14 9 200 72 3 14 49 1278 3 325 14 27 14 169 48 47 18 40 12 447 46 5 3 5 7 35 34
        99 30 880 51 182 6 45 39 10 24 72 229
    """, """
        3612 3173 204484 4517 4765 5331 4131 4728 4028 44280 17918 2309 4339 12922 270771 2480 68475 5129
        7367 5819 38026 13047 11604 5394 10912 4439 94485 10700 2679 2319 2578 3288 9566 9775 20120 7317
        172026 13673 37329 3365 10911 10734 4278 7574 16826 47462
    """),
}


def load(behaviour, campaign, files):
    """The log and, as the quick start has them, the users' features (N, F) and the items' (A, G), with and without number."""
    log, items = DECISIONS.read(files, behaviour, campaign)
    users = pd.get_dummies(log.loc[:, log.columns.str.startswith("user_feature")], drop_first=True).to_numpy(float)
    codes = items.drop(columns="item_feature_0").apply(lambda column: np.unique(column, return_inverse=True)[1])
    numbered = np.column_stack([codes, items["item_feature_0"]])        # the first column is the item's number
    return SimpleNamespace(action=log["action"].to_numpy(), position=log["position"].to_numpy() - 1, users=users,
                           reward=log["reward"].to_numpy(), propensity=log["propensity"].to_numpy(),
                           items={"": numbered[:, 1:], "-number": numbered})


def thompson(campaign, places=3):
    """With which chance Thompson sampling shows each item at each place when the data begin: (A, places)."""
    clicks, passes = (np.array(text.split(), dtype=float) for text in PRIOR[campaign])
    rng = np.random.RandomState(SEED)
    counts = np.zeros((len(clicks), places))
    for _ in range(DRAWS // 10_000):
        best = rng.beta(clicks, passes, size=(10_000, len(clicks))).argsort(1)[:, ::-1]
        for place in range(places):
            counts[:, place] += np.bincount(best[:, place], minlength=len(clicks))
    return counts / DRAWS


def rows_of(log, chances, rewards=None):
    """What each estimator adds up, {name: (above, below)}; rewards (N, A) for those with a reward model."""
    weight = chances[log.action, log.position] / log.propensity
    if rewards is None:
        return {"ips": estimators.inverse_propensity(log.reward, weight),
                "clipped": estimators.clipped(log.reward, weight, MOST),
                "snips": estimators.self_normalised(log.reward, weight)}
    predicted = rewards[np.arange(len(weight)), log.action]
    expected = (rewards * chances.T[log.position]).sum(1)
    return {"dm": estimators.direct(expected),
            "dr": estimators.doubly_robust(log.reward, weight, predicted, expected),
            "switch-dr": estimators.switch(log.reward, weight, predicted, expected, MOST)}


def reward_model(log, which=""):
    """What the quick start's regression expects of every item in every row: (N, A)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)             # as there: a hundred steps, converged or not
        return cross_fitted(LogisticRegression(random_state=SEED), log.users, log.action, log.reward, log.items[which],
                            log.position, FOLDS, SEED)


def drawn(log, rng):
    """A log of as many rows, drawn from this one."""
    rows = rng.integers(0, len(log.reward), len(log.reward))
    cut = {name: getattr(log, name)[rows] for name in ("action", "position", "users", "reward", "propensity")}
    return SimpleNamespace(**cut, items=log.items)


def measure(campaign, files, refits=REFITS):
    """All rows of a campaign: {name: measured}."""
    log, other = load("random", campaign, files), load("bts", campaign, files)
    chances = thompson(campaign)
    ones = np.ones(len(log.reward))
    parts = {"logged": (log.reward, ones), "truth": (other.reward, np.ones(len(other.reward))), **rows_of(log, chances)}
    found = {name: {METRIC: estimators.estimate(*part), DRAWN: estimators.estimate(*part, interval="bootstrap")}
             for name, part in parts.items()}
    weight = chances[log.action, log.position] / log.propensity
    found["gain"] = {METRIC: estimators.estimate(*estimators.inverse_propensity(log.reward, weight - 1))}
    modelled = rows_of(log, chances, reward_model(log))
    again, rng = {name: [] for name in modelled}, np.random.default_rng(SEED)
    for _ in range(refits):
        sample = drawn(log, rng)
        for name, (above, below) in rows_of(sample, chances, reward_model(sample)).items():
            again[name].append(above.sum() / below.sum())
    for name, part in modelled.items():
        found[name] = {METRIC: estimators.estimate(*part)}
        if refits:
            low, high = np.percentile(again[name], [2.5, 97.5])
            found[name][DRAWN] = found[name][METRIC] | {"low": low, "high": high}
    if campaign == "all":
        for name, part in rows_of(log, chances, reward_model(log, "-number")).items():
            if name != "switch-dr":
                found[f"{name}-number"] = {METRIC: estimators.estimate(*part)}
    facts = {"clicks": int(log.reward.sum()), "worth rows": round(estimators.effective_size(weight)),
             "heaviest": round(float(weight.max()), 1)}
    return {name: {metric: {key: 1000 * float(numbers[key]) for key in ("value", "low", "high")}
                   for metric, numbers in metrics.items()} for name, metrics in found.items()}, facts


def main(argv=None):
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0])
    parser.add_argument("--campaigns", nargs="+", choices=list(PRIOR), default=list(PRIOR))
    parser.add_argument("--refits", type=int, default=REFITS, help="logs that are drawn to fit the reward model anew")
    arguments = parser.parse_args(argv)
    for campaign in arguments.campaigns:
        start, files = time.perf_counter(), Files(DECISIONS)
        found, facts = measure(campaign, files, arguments.refits)
        rows = {}
        for name, measured in found.items():
            key = f"{campaign} {name}"
            published = {METRIC: PUBLISHED[key]} if key in PUBLISHED else {}
            rows[key] = {"title": f"{campaign}: {TITLES[name]}", "measured": measured, "published": published,
                         "source": QUICK_START if published else "", "settings": facts if name == "logged" else {}}
            note = NOTES["number" if name.endswith("-number") else name] if published or name == "truth" else None
            if note:
                rows[key]["note"] = note
        about = SimpleNamespace(name=DECISIONS.name, files=files.sha256)
        results.save(NAME, TITLE, PROTOCOL, rows, about, time.perf_counter() - start, seeds=(SEED,))
    print(results.table(NAME).to_string())


if __name__ == "__main__":
    main()
