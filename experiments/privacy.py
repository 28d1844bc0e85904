"""What a recommender gives away, and what each remedy costs and keeps: in the shop, where the secrets are known.

Customers of one shop are dealt into four groups: members, whose events train; strangers, whom no model has seen; and
the attacker's own, of whom one part trains a shadow model and the other does not.

privacy_attributes: how well age, gender and city are read off vectors, off lists and off the events themselves; "by
the taste itself" is the most that clicks can say.

privacy_membership: was a customer's row in the training? By its loss alone, by its loss less that under a shadow
model, by the items of a hidden half that come back in a list, and how many customers are called rightly at the cut
that the shadow model teaches. "of other customers": the same attack on a model that was trained on none of them.

privacy_named: how many customers are alone with a few known events, and how many are named rightly in a log under new
ids. "days dealt anew": the days of the log are mixed among its events.

privacy_quality, privacy_attacks: NDCG@10, and the attacks, for models without a remedy, with differential privacy of
several epsilons, and federated. Settings are chosen on the validation questions, with as many trials for each row;
this choice looks at the data too, and is not counted in epsilon. "heavier penalty" and "stopped early" are models
without noise that learned less: of the settings that were tried, the one whose validation is nearest to that of
epsilon 1. "without its noise": the very settings of epsilon 1, and no noise.

privacy_customers: NDCG@10 of a private EASE as the customers become more.

privacy_messages: what one customer's change, and the sum of several, tells of what they met.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch

import recbook
from recbook import results
from recbook.evaluation import Comparison, average
from recbook.privacy import (FederatedMF, PrivateEASE, PrivatePopularity, attribute_auc, auc, by_taste, federate,
                             fit_privately, named, noise_for, read_message, read_off, returned, row_loss, threshold)
from recbook.privacy.attacks import mean, row_scores
from recbook.privacy.differential import COUNTS
from recbook.privacy.federated import draw_unmet

METRIC = "NDCG@10"
EPSILONS = (1, 4, 16)
DELTA = 1e-5
GROUPS = {"members": 6000, "strangers": 4000, "shadow": 6000, "rest": 4000}
ASKED = 1000                    # members, and as many strangers, who are asked
TRIALS = 18
DAE = [{"steps": steps, "learning_rate": rate, "clip": clip}
       for steps in (50, 150, 400) for rate in (0.005, 0.01) for clip in (0.1, 0.3, 1.0)]
FREE_DAE = [{"steps": steps, "learning_rate": rate, "clip": float("inf")}
            for steps in (25, 50, 100, 200, 400, 800) for rate in (0.002, 0.005, 0.01)]
FREE_EASE = [{"l2": float(l2)} for l2 in np.geomspace(30, 30_000, TRIALS).round()]
NOISY_EASE = [{"l2": float(l2), "clip": clip}
              for l2 in (100, 300, 1000, 3000, 10_000, 30_000) for clip in (1.0, 3.0, 10.0)]
FEDERATED = [{"learning_rate": rate, "steps": steps, "l2": l2}
             for rate in (1.0, 3.0, 10.0) for steps in (1, 3, 10) for l2 in (1e-4, 1e-3)]
CENTRAL = [{"learning_rate": rate, "l2": l2, "rate": step} for rate in (0.003, 0.01, 0.03) for l2 in (0.001, 0.01, 0.03)
           for step in (2.0, 5.0)]
PENALTIES = (10.0, 1000.0, 10_000.0)
ROUNDS, CUSTOMERS = 300, 100    # five passes over the members
DIM, DRAWN = 16, 0.2


class Groups:
    """The shop's customers in groups, and its splits with the events of one group alone."""

    def __init__(self):
        self.shop = recbook.load("shop", n_users=sum(GROUPS.values()), n_events=50 * sum(GROUPS.values()))
        self.sizes = self.shop.n_users, self.shop.n_items
        order = np.random.default_rng(0).permutation(self.shop.n_users)
        ends = np.cumsum(list(GROUPS.values()))
        self.of = {name: np.isin(np.arange(self.shop.n_users), order[end - size:end])
                   for (name, size), end in zip(GROUPS.items(), ends)}
        chosen = np.concatenate([np.flatnonzero(self.of[name])[:ASKED] for name in ("members", "strangers")])
        self.asked = np.isin(np.arange(self.shop.n_users), chosen)
        self.split = recbook.by_time(self.shop)
        self.final = self.split.refit()
        self.validation = self.split.validation.subset(self.asked[self.split.validation.users])
        self.test = self.final.test.subset(self.asked[self.final.test.users])
        self.matrix = self.final.matrix()

    def train(self, name, split=None):
        """The split, of whose training only the events of a group are left."""
        split = split or self.final
        return replace(split, train=split.train[self.of[name][split.train["user"]]].reset_index(drop=True))

    def known(self, *names):
        """The customers of some groups who met four items or more."""
        there = np.diff(self.matrix.indptr) >= 4
        return np.flatnonzero(there & np.any([self.of[name] for name in names], axis=0))


def build(kind, sizes, split, seed, settings, epsilon=None):
    """A model of one row of the tables, and the seconds that its training took."""
    recbook.seed_everything(seed)
    start = time.process_time()
    if kind == "popularity":
        model = recbook.Popularity(*sizes) if epsilon is None else PrivatePopularity(*sizes, epsilon, DELTA, seed)
        model.fit(split)
    elif kind == "own counts":
        model = recbook.PersonalPopularity(*sizes).fit(split)
    elif kind == "EASE" and "clip" not in settings:
        model = recbook.EASE(*sizes, **settings).fit(split)
    elif kind == "EASE":
        model = PrivateEASE(*sizes, epsilon or 1.0, DELTA, noise_seed=seed, noise=None if epsilon else 0.0, **settings)
        model.fit(split)
    elif kind == "Mult-DAE":
        settings = dict(settings)
        model = recbook.MultDAE(*sizes, dim=settings.pop("dim", DIM), dropout=settings.pop("dropout", 0.5))
        fit_privately(model, split, epsilon or 1.0, DELTA, rate=DRAWN, seed=seed,
                      noise=noise(epsilon, settings["steps"]) if epsilon else 0.0, **settings)
    elif kind == "federated":
        model = FederatedMF(*sizes, dim=DIM, l2=settings["l2"])
        federate(model, split, ROUNDS, CUSTOMERS, settings["steps"], settings["learning_rate"], negatives=None,
                 seed=seed)
    elif kind == "central":                                             # items' vectors of a server that has all events
        held = recbook.LogisticMF(*sizes, dim=DIM, l2=settings["l2"])
        recbook.fit(held, split, epochs=5, learning_rate=settings["learning_rate"], seed=seed, progress=False,
                    device="cpu")
        model = FederatedMF(*sizes, dim=DIM, rate=settings["rate"])
        model.load_state_dict({name: held.state_dict()[name] for name in ("item.weight", "item_bias")})
        model.trained_on = held.trained_on
    return model, time.process_time() - start


def noise(epsilon, steps, kept={}):
    """The noise of a number of steps, found once."""
    if (epsilon, steps) not in kept:
        kept[epsilon, steps] = noise_for(epsilon, DELTA, DRAWN, steps, before=[(COUNTS / epsilon, 1.0, 1)])
    return kept[epsilon, steps]


def measure(model, cases, seed=0):
    return recbook.evaluate(model, cases, [METRIC], seed=seed)


def choose(name, kind, groups, trials, epsilon=None, split=None, asked=None):
    """The settings that are worth most on the validation questions, and what each was worth."""
    split, asked = split or groups.train("members", groups.split), asked or groups.validation
    worth = [measure(build(kind, groups.sizes, split, 0, settings, epsilon)[0], asked)[METRIC] for settings in trials]
    best = int(np.argmax(worth))
    print(f"{name}: {trials[best]}, {worth[best]:.4f} ({min(worth):.4f} to {max(worth):.4f})", flush=True)
    return trials[best], worth


def number(value):
    """A measured number with no interval of its own."""
    return {"value": float(value), "low": float(value), "high": float(value)}


def told(found):
    """An `AUC` as a measured number."""
    low, high = found.interval()
    return {"value": found.value, "low": float(low), "high": float(high)}


def share(right):
    """The mean of something between 0 and 1 of each customer, with its interval."""
    half = 1.96 * np.std(right, ddof=1) / np.sqrt(len(right))
    return {"value": float(np.mean(right)), "low": float(np.mean(right) - half), "high": float(np.mean(right) + half)}


def row(title, measured, less=None, settings=None):
    """A row of a table."""
    return {"title": title, "measured": measured, "published": {}, "source": "", "settings": settings or {},
            "less": less or {}}


# -------------------------------------------------------------------------------------------- attributes

def first_ten(scores):
    """The ten best of each row of scores, as 0 and 1 for each item: (N, n_items)."""
    return torch.zeros_like(scores).scatter_(1, scores.topk(10, dim=1).indices, 1.0).numpy()


def lists_of(model, matrix):
    """The list that a model makes for each row, as 0 and 1 for each item: (N, n_items)."""
    return first_ten(row_scores(model, matrix))


def attributes(groups, seeds):
    """Age, gender and city, read off what the service has or shows."""
    start, split, shop = time.process_time(), groups.train("members"), groups.shop
    who = groups.known("members")
    values = {name: shop.users[name].cat.codes.to_numpy()[who] for name in ("age", "gender", "city")}
    matrix, counts = groups.matrix[who], np.log1p(events_of(groups.final.train, shop)[who].toarray())
    found = {}

    def read(title, features, values_of=values):
        for name, value in values_of.items():
            tried = [attribute_auc(read_off(features, value, penalty=penalty), value) for penalty in PENALTIES]
            found.setdefault(title, {}).setdefault(name, []).append(max(tried, key=lambda one: one.value))

    ease, chance = build("EASE", groups.sizes, split, 0, {"l2": 1000.0})[0], by_taste(shop, groups.final.train)
    for seed in range(seeds):
        recbook.seed_everything(seed)
        mf = recbook.BPRMF(*groups.sizes, dim=DIM)
        recbook.fit(mf, split, epochs=8, seed=seed, progress=False, device="cpu")
        read("vectors of a factorization", mf.user.weight.detach().numpy()[who])
        read("a list of ten, factorization", top_of(mf, who))
        rng = np.random.default_rng(seed)
        read("shuffled customers", counts[rng.permutation(len(who))])
    read("a list of ten, EASE", lists_of(ease, matrix))
    read("the events themselves", counts)
    for name, value in values.items():
        found.setdefault("by the taste itself", {})[name] = [attribute_auc(chance[name][who], value)]
    means = {title: {name: mean(several) for name, several in each.items()} for title, each in found.items()}
    rows = {title: row(title, {name: told(one) for name, one in each.items()},
                       {other: {name: each[name].less(means[other][name]) for name in each} for other in means
                        if other != title})
            for title, each in means.items()}
    results.save("privacy_attributes", "What is read off",
                 f"AUC of one value against the others, weighted by how many have it; a logistic regression with the "
                 f"best of {len(PENALTIES)} penalties, five folds, {len(who):,} customers; intervals over customers", rows,
                 shop, time.process_time() - start, range(seeds))


def events_of(train, shop):
    """How often each customer met each item: sparse (n_users, n_items)."""
    return sp.csr_matrix((np.ones(len(train)), (train["user"], train["item"])), shape=(shop.n_users, shop.n_items))


@torch.no_grad()
def top_of(model, users):
    """The lists of a model that knows its users, as 0 and 1 for each item."""
    return first_ten(model.scores(recbook.Context(users=torch.from_numpy(users))))


# -------------------------------------------------------------------------------------------- membership

def attack(target, shadow, groups, plain=None):
    """{name: score of each customer that it was in the training}: members and strangers."""
    who = groups.known("members", "strangers")
    rows = groups.matrix[who]
    loss = row_loss(target, rows)
    scores = {"loss alone": -loss, "loss": row_loss(shadow, rows) - loss,
              "lists": returned(target, rows) - returned(shadow, rows)}
    if plain is not None:
        scores["loss, plain shadow"] = row_loss(plain, rows) - loss
    return scores, groups.of["members"][who]


def called_right(target, shadow, groups):
    """Share of members and strangers, both alike, that are called rightly at the cut that the shadow model teaches."""
    who = groups.known("shadow", "rest")
    rows = groups.matrix[who]
    cut = threshold(row_loss(target, rows) - row_loss(shadow, rows), groups.of["shadow"][who])
    scores, true = attack(target, shadow, groups)
    right = (scores["loss"] > cut) == true
    return (right[true].mean() + right[~true].mean()) / 2


def membership(groups, seeds):
    """Models that learned more or less by heart, and one that never saw any of them."""
    start, rows = time.process_time(), {}
    early = {"steps": 100, "learning_rate": 0.01, "clip": float("inf")}
    models = {"EASE": ("EASE", {"l2": 1000.0}), "EASE, hardly any penalty": ("EASE", {"l2": 1.0}),
              "Mult-DAE, stopped early": ("Mult-DAE", early),
              "Mult-DAE, trained ten times as long": ("Mult-DAE", early | {"steps": 1000}),
              "Mult-DAE, by heart": ("Mult-DAE", early | {"steps": 1000, "dim": 200, "dropout": 0.0})}
    found = {}
    for name, (kind, settings) in models.items():
        several, quality, called = {}, [], []
        for seed in range(seeds if kind != "EASE" else 1):
            target = build(kind, groups.sizes, groups.train("members"), seed, settings)[0]
            shadow = build(kind, groups.sizes, groups.train("shadow"), seed + 100, settings)[0]
            scores, true = attack(target, shadow, groups)
            for what, score in scores.items():
                several.setdefault(what, []).append(auc(score, true))
            quality.append(measure(target, groups.test, seed))
            called.append(called_right(target, shadow, groups))
            if name in ("EASE", "Mult-DAE, by heart"):
                other = build(kind, groups.sizes, groups.train("rest"), seed + 200, settings)[0]
                scores, true = attack(shadow, other, groups)
                for what, score in scores.items():
                    found.setdefault(f"{name}, of other customers", {}).setdefault(what, []).append(auc(score, true))
        found[name] = several
        rows[name] = {"called rightly": number(np.mean(called)), **results.summary(quality)}
        print(name, {what: round(mean(one).value, 3) for what, one in several.items()}, flush=True)
    means = {name: {what: mean(several) for what, several in each.items()} for name, each in found.items()}
    rows = {name: row(name, {what: told(one) for what, one in each.items()} | rows.get(name, {}),
                      {other: {what: one.less(means[other][what]) for what, one in each.items()} for other in means
                       if other != name},
                      models.get(name, ("", {}))[1] | {"clip": "none"})
            for name, each in means.items()}
    results.save("privacy_membership", "Who was in the training", "AUC of members against strangers with four items or "
                 "more; intervals over customers; NDCG@10 on test questions", rows, groups.shop,
                 time.process_time() - start, range(seeds))


# -------------------------------------------------------------------------------------------- who is it

def who_is_it(seeds):
    """Customers of the shop as it is, alone with k known events."""
    start, shop, rows = time.process_time(), recbook.load("shop"), {}
    log = shop.interactions
    for title, by, mixed in (("item and day", ("item", "day"), False), ("item and month", ("item", "month"), False),
                             ("item", ("item",), False), ("item and day, days dealt anew", ("item", "day"), True)):
        measured = {}
        for known in range(1, 7):
            both = []
            for seed in range(seeds):
                dealt = log.assign(timestamp=np.random.default_rng(seed).permutation(log["timestamp"].to_numpy()))
                both.append(named(log, known, by, dealt if mixed else None, seed))
            measured[f"alone, {known}"] = share(np.mean([alone for alone, _ in both], axis=0))
            measured[f"named, {known}"] = share(np.mean([right for _, right in both], axis=0))
        rows[title] = row(title, measured)
    results.save("privacy_named", "Customers named by a few events", "known events drawn at random from each "
                 "customer's year; the attacker names the customer of the log who agrees with most; intervals over "
                 "customers", rows, shop, time.process_time() - start, range(seeds))


# -------------------------------------------------------------------------------------------- remedies

def remedies(groups, seeds):
    """Quality and attacks, remedy by remedy."""
    start, age = time.process_time(), groups.shop.users["age"].cat.codes.to_numpy()
    plan = {"popularity": ("popularity", None, [{}]), "popularity, epsilon 1": ("popularity", 1, [{}]),
            "own counts": ("own counts", None, [{}]),
            "EASE": ("EASE", None, FREE_EASE), "EASE, clipped": ("EASE", None, NOISY_EASE)}
    plan |= {f"EASE, epsilon {epsilon}": ("EASE", epsilon, NOISY_EASE) for epsilon in EPSILONS}
    plan |= {"Mult-DAE": ("Mult-DAE", None, FREE_DAE), "Mult-DAE, clipped": ("Mult-DAE", None, DAE)}
    plan |= {f"Mult-DAE, epsilon {epsilon}": ("Mult-DAE", epsilon, DAE) for epsilon in EPSILONS}
    plan |= {"factorization, central": ("central", None, CENTRAL),
             "factorization, federated": ("federated", None, FEDERATED)}
    chosen, worth = {}, {}
    for name, (kind, epsilon, trials) in plan.items():
        chosen[name], worth[name] = choose(name, kind, groups, trials, epsilon)
    for kind, control in (("EASE", "EASE, heavier penalty"), ("Mult-DAE", "Mult-DAE, stopped early")):
        goal, trials = max(worth[f"{kind}, epsilon 1"]), plan[kind][2]
        if kind == "EASE":                                              # of those beyond the best penalty
            several = [place for place, settings in enumerate(trials) if settings["l2"] > chosen[kind]["l2"]]
        else:                                                           # of those before the best number of steps
            way = [settings["steps"] * settings["learning_rate"] for settings in trials]
            several = [place for place in range(len(trials)) if way[place] < way[trials.index(chosen[kind])]]
        nearest = min(several, key=lambda place: abs(worth[kind][place] - goal))
        chosen[control], plan[control] = trials[nearest], (kind, None, trials)
        print(f"{control}: {trials[nearest]}, {worth[kind][nearest]:.4f} for {goal:.4f}", flush=True)
    for kind in ("EASE", "Mult-DAE"):                                   # the noise taken out, alone
        name = f"{kind}, epsilon 1, without its noise"
        chosen[name], plan[name] = chosen[f"{kind}, epsilon 1"], (kind, None, [])
    reports, found, seconds = {}, {}, {}
    who = {name: groups.known(name) for name in ("members", "strangers")}
    for name, (kind, epsilon, _) in plan.items():
        several, runs, took = {}, [], []
        fixed = kind in ("own counts",) or (kind in ("EASE", "popularity") and epsilon is None)
        for seed in range(1 if fixed else seeds):
            target, spent = build(kind, groups.sizes, groups.train("members"), seed, chosen[name], epsilon)
            runs.append(measure(target, groups.test, seed))
            took.append(spent)
            if kind not in ("popularity", "own counts"):
                shadow, _ = build(kind, groups.sizes, groups.train("shadow"), seed + 100, chosen[name], epsilon)
                plain = None
                if epsilon:
                    plain, _ = build(kind, groups.sizes, groups.train("shadow"), seed + 100, chosen[kind])
                scores, true = attack(target, shadow, groups, plain)
                for what, score in scores.items():
                    several.setdefault(what, []).append(auc(score, true))
                for side in who if seed == 0 else ():
                    chance = read_off(lists_of(target, groups.matrix[who[side]]), age[who[side]])
                    several[f"age, {side}"] = [attribute_auc(chance, age[who[side]])]
        reports[name], seconds[name] = average(runs), np.mean(took)
        found[name] = {what: mean(one) for what, one in several.items()}
        print(name, f"{reports[name][METRIC]:.4f}", {what: round(one.value, 3) for what, one in found[name].items()},
              flush=True)
    numbers = {"EASE": groups.sizes[1] ** 2, "Mult-DAE": (2 * groups.sizes[1] + 1) * DIM + groups.sizes[1],
               "factorization": groups.sizes[1] * (DIM + 1)}            # of four bytes each
    rows = {name: row(name, {what: told(one) for what, one in each.items()} | {"seconds": number(seconds[name])}
                      | {"bytes": number(4 * numbers[name.partition(",")[0]])},
                      {other: {what: one.less(found[other][what]) for what, one in each.items() if what in found[other]}
                       for other in found if found[other] and other != name},
                      {key: str(value) for key, value in chosen[name].items()})
            for name, each in found.items() if each}
    taken = time.process_time() - start
    results.save("privacy_attacks", "Attacks on each remedy", "AUC of members against strangers with four items or "
                 "more, and of age read off lists of ten; intervals over customers; seconds of one core to train once; "
                 "bytes of the model, which a federated customer is sent and sends in each round", rows, groups.shop, taken,
                 range(seeds))
    pairs = [(a, b) for a in reports for b in reports if a != b
             and (a.partition(",")[0] == b.partition(",")[0] or b in ("popularity", "own counts"))]
    settings = {name: {key: str(value) for key, value in best.items()} for name, best in chosen.items()}
    results.save_comparison("privacy_quality", "What each remedy costs", groups.test.protocol(),
                            Comparison(reports, groups.test), groups.shop, taken, range(seeds), settings, pairs)


# -------------------------------------------------------------------------------------------- more customers

def more_customers(seeds, counts=(500, 2000, 8000, 32_000)):
    """Private EASE, and EASE without noise, of more and more customers; all are asked about others."""
    start, rows, made = time.process_time(), {}, Groups.__new__(Groups)
    shop = recbook.load("shop", n_users=40_000, n_events=2_000_000)
    split = recbook.by_time(shop)
    order = np.random.default_rng(1).permutation(shop.n_users)
    outside = np.isin(np.arange(shop.n_users), order[-ASKED:])
    validation = split.validation.subset(outside[split.validation.users])
    final = split.refit()
    test = final.test.subset(outside[final.test.users])
    made.sizes = shop.n_users, shop.n_items
    for count in counts:
        members = np.isin(np.arange(shop.n_users), order[:count])

        def of(part):
            return replace(part, train=part.train[members[part.train["user"]]].reset_index(drop=True))

        reports = {}
        for name, epsilon in (("none", None), ("epsilon 1", 1), ("epsilon 4", 4)):
            trials = [{"l2": l2, "clip": clip}
                      for l2 in (30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0) for clip in (1.0, 3.0, 10.0)]
            settings, _ = choose(f"{count} customers, {name}", "EASE", made, trials, epsilon, of(split), validation)
            models = [build("EASE", made.sizes, of(final), seed, settings, epsilon)[0]
                      for seed in range(seeds if epsilon else 1)]
            reports[name] = average([measure(model, test, seed) for seed, model in enumerate(models)])
        floors = [build("popularity", made.sizes, of(final), seed, {}, 1)[0] for seed in range(seeds)]
        reports["popularity, epsilon 1"] = average([measure(model, test, seed) for seed, model in enumerate(floors)])
        comparison = Comparison(reports, test)
        for name, report in reports.items():
            less = {"none": {METRIC: comparison.difference(name, "none", METRIC)}} if name != "none" else {}
            rows[f"{count} customers, {name}"] = row(f"{count:,} customers, {name}",
                                                     results.summary(report.runs or [report]), less)
    results.save("privacy_customers", "Privacy as customers become more", test.protocol(), rows, shop,
                 time.process_time() - start, range(seeds))


# -------------------------------------------------------------------------------------------- messages

def messages(groups, seeds, repeats=100):
    """What a change tells of its customer, alone and in a sum; beside it what popularity tells."""
    start, split, rows = time.process_time(), groups.train("members"), {}
    matrix = split.matrix()[groups.known("members")]
    count = np.asarray(matrix.sum(0)).ravel()
    found = {}
    for seed in range(seeds):
        recbook.seed_everything(seed)
        model = FederatedMF(*groups.sizes, dim=DIM)
        federate(model, split, 50, CUSTOMERS, 1, 3.0, negatives=None, seed=seed)
        generator = torch.Generator().manual_seed(seed)
        for negatives in (1, 4, None):
            for steps in (1, 5):
                for together in (1, 10, 100):
                    asked = "all others" if negatives is None else f"{negatives} negatives"
                    key = f"{asked}, {steps} steps, {together} together"
                    for _ in range(repeats):
                        drawn = torch.randperm(matrix.shape[0], generator=generator)[:together]
                        met = torch.from_numpy(matrix[drawn.numpy()].toarray())
                        change = model.messages(met, draw_unmet(met, negatives, generator), steps, 3.0).sum(0)
                        guess, moved = read_message(change)
                        own = met[0].bool()
                        popular = torch.from_numpy(count).float().topk(max(1, int(guess.sum()))).indices
                        found.setdefault(key, []).append(
                            [float((own & guess).sum() / guess.sum().clamp(min=1)),
                             float((own & guess).sum() / own.sum()),
                             float((own & moved).sum() / moved.sum()), float(own[popular].float().mean())])
    names = ("precision", "recall", "precision of all rows that moved", "precision of as many popular items")
    rows = {key: row(key, {name: share(column) for name, column in zip(names, np.array(values).T)})
            for key, values in found.items()}
    results.save("privacy_messages", "What a change tells", f"customers drawn at random, {repeats} times a seed; one "
                 "of them is looked for", rows, groups.shop, time.process_time() - start, range(seeds))


def main(argv=None):
    parser = argparse.ArgumentParser(prog="privacy", description=__doc__.partition("\n")[0])
    parts = ("attributes", "membership", "named", "remedies", "customers", "messages")
    parser.add_argument("--only", choices=parts)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    groups = Groups() if arguments.only not in ("named", "customers") else None
    for name, run in (("messages", messages), ("membership", membership), ("attributes", attributes),
                      ("remedies", remedies)):
        if arguments.only in (None, name):
            run(groups, arguments.seeds)
            print(f"{name}: {time.process_time():.0f} s of one core so far", flush=True)
    if arguments.only in (None, "named"):
        who_is_it(arguments.seeds)
    if arguments.only in (None, "customers"):
        more_customers(arguments.seeds)
    print(f"all: {time.process_time():.0f} s of one core")


if __name__ == "__main__":
    main()
