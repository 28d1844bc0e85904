"""Models that grow old, in the shop as it is and in one whose items' popularity wanders (`fashion`).

growing_old_NAME (shop, fashion, launch): models that were trained until a day, asked in the week after AGE more days with
fresh histories; beside each the same model trained anew until that week, and networks that were trained on ("warm": one pass
over the latest `WINDOW` days, from the old weights), or anew on as many days as the old one ("same length"): what differs then
is the age alone. launch: trained until day 290, so that the week after 30 days asks
for items that went on sale on day 304.

growing_old_delay: the same weights, a week old at most, with histories that arrive late; and weights 90 days old with fresh
ones. An observer who is told as late believes that nothing happened since: only with fresh histories is it a ceiling.

growing_old_updates: a network trained on each day for thirty days, on that day's events alone or with the last thirty days',
against none and against training anew; all questions, and those of customers who were there in these days or away.

growing_old_monitors: in worlds of several seeds, the share of quiet days on which a monitor rings, and after how many days
it rings when something is broken.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import pandas as pd

import recbook
from recbook import monitoring, results
from recbook.data.shop.world import DAY, YEAR_START
from recbook.evaluation import Comparison, average

METRIC = "NDCG@10"
AGES = (0, 7, 30, 90)           # days between the end of the training and the week that is asked
TRAINED, LAUNCH = 200, 290      # days of the year
WINDOW = 30
FASHION = 0.3
TRAINING = {"epochs": 4, "batch_size": 2048, "learning_rate": 0.01}
WARM = {"epochs": 1, "batch_size": 2048, "learning_rate": 0.003}
FASTER = WARM | {"learning_rate": 0.01}     # as fast as the first training began
GRU = {"dim": 64, "hidden": 128, "length": 20, "dropout": 0.0}
DELAYS = {"fresh": 0, "10 minutes late": 600, "an hour late": 3600, "a day late": DAY, "a week late": 7 * DAY}
WORLDS = {"shop": ({}, TRAINED, AGES), "fashion": ({"fashion": FASHION}, TRAINED, AGES), "launch": ({}, LAUNCH, (0, 30))}
QUIET, WATCHED = (100, 200), (200, 300)     # days whose numbers set the limits; quiet days that are then watched
BROKEN = 230                    # day on which something breaks
FAULTS = ("broken feed", "frozen histories", "price in cents", "shuffled labels")


def moment(day):
    """The beginning of a day of the shop's year, in seconds since 1970."""
    return YEAR_START + day * DAY


def asked_in(dataset, trained, asked, days=7):
    """Trained until a day, asked during a week: a `Split`."""
    return recbook.by_moment(dataset, moment(trained), moment(asked), moment(asked + days))


def build(name, split, seed):
    """A model, trained on a split."""
    sizes = split.n_users, split.n_items
    if name == "GRU":
        recbook.seed_everything(seed)
        model = recbook.GRU4Rec(*sizes, behaviours=True, pauses=True, **GRU)
        recbook.fit(model, split, seed=seed, schedule=lambda share: 1 - share, progress=False, device="cpu", **TRAINING)
        return model
    kinds = {"popularity": recbook.Popularity, "counts": recbook.PersonalPopularity, "EASE": recbook.EASE}
    kind, _, month = name.partition(", ")
    if month:                                                           # only the latest days train
        until = split.train["timestamp"].max()
        split = replace(split, train=split.train[split.train["timestamp"] > until - WINDOW * DAY].reset_index(drop=True))
    return kinds[kind](*sizes, **({"reads": 20} if kind == "EASE" else {})).fit(split)


def train_on(model, split, since, until, seed, training=None):
    """The model, trained further on what happened between two days; the given one stays."""
    new = recbook.by_moment(split.dataset, moment(until))
    train = new.train[new.train["timestamp"] >= moment(since)].reset_index(drop=True)
    more = recbook.grow(model, split.dataset)
    recbook.fit(more, replace(new, train=train), seed=seed, progress=False, device="cpu", **(training or WARM))
    return more


def measure(model, cases, seed=0):
    return recbook.evaluate(model, cases, [METRIC], seed=seed)


def ages(name, seeds, names):
    """Quality against age in one world; a table for each age."""
    options, trained, all_ages = WORLDS[name]
    shop, start = recbook.load("shop", **options), time.process_time()
    old = {}
    for age in all_ages:
        split = asked_in(shop, trained, trained + age)
        reports, pairs = {"observer": measure(recbook.Observer(shop), split.test)}, []
        for model in names:
            runs = {"old": [], "anew": [], "warm": [], "same length": []}
            for seed in range(seeds if model == "GRU" else 1):
                if (model, seed) not in old:
                    old[model, seed] = build(model, split, seed)
                runs["old"].append(measure(old[model, seed], split.test, seed))
                if age:
                    fresh = asked_in(shop, trained + age, trained + age)
                    runs["anew"].append(measure(build(model, fresh, seed), split.test, seed))
                    if model == "GRU":
                        warm = train_on(old[model, seed], split, trained + age - WINDOW, trained + age, seed)
                        runs["warm"].append(measure(warm, split.test, seed))
                        since = fresh.train["timestamp"] >= moment(age)
                        same = replace(fresh, train=fresh.train[since].reset_index(drop=True))
                        runs["same length"].append(measure(build(model, same, seed), split.test, seed))
            for kind, found in runs.items():
                if found:
                    reports[f"{model}, {kind}"] = average(found)
                    pairs += [(f"{model}, {kind}", f"{model}, old")] if kind != "old" else []
                    print(f"{name} {age:3} days: {model}, {kind}: {average(found)[METRIC]:.4f}", flush=True)
        results.save_comparison(f"growing_old_{name}_{age}", f"{age} days after the training", split.test.protocol(),
                                Comparison(reports, split.test), shop, time.process_time() - start, range(seeds),
                                {"GRU, old": TRAINING | GRU, "GRU, warm": WARM}, pairs)


def delays(seeds, names):
    """Late histories and old weights, each alone."""
    shop, start = recbook.load("shop"), time.process_time()
    split, old = asked_in(shop, TRAINED, TRAINED), asked_in(shop, TRAINED - 90, TRAINED)
    reports, pairs, built = {}, [], {}
    for model in [*names, "observer"]:
        for name, delay in {**DELAYS, "fresh, weights 90 days old": 0}.items():
            cases = split.test.known_until(split.test.now - delay)
            runs = []
            for seed in range(seeds if model == "GRU" else 1):
                which = model, seed, "old" in name
                if which not in built:
                    built[which] = recbook.Observer(shop) if model == "observer" else build(model, old if "old" in name else split, seed)
                runs.append(measure(built[which], cases, seed))
            reports[f"{model}, {name}"] = average(runs)
            pairs += [(f"{model}, {name}", f"{model}, fresh")] if name != "fresh" else []
            print(f"{model}, {name}: {average(runs)[METRIC]:.4f}", flush=True)
    results.save_comparison("growing_old_delay", "Late histories, and old weights", split.test.protocol(),
                            Comparison(reports, split.test), shop, time.process_time() - start, range(seeds), {}, pairs)


def updates(seeds, fashion=FASHION, days=30):
    """A month of updates, and what became of those who were away."""
    shop, start = recbook.load("shop", fashion=fashion), time.process_time()
    split = asked_in(shop, TRAINED, TRAINED + days)
    runs = {name: [] for name in ("none", "each day alone", "each day alone, faster", "each day with its month", "once, with its month", "anew")}
    for seed in range(seeds):
        first = build("GRU", split, seed)
        daily = fast = monthly = first
        for day in range(TRAINED, TRAINED + days):
            daily = train_on(daily, split, day, day + 1, seed)
            fast = train_on(fast, split, day, day + 1, seed, FASTER)
            if day % 5 == 4:                                            # six times, to keep the cost down
                monthly = train_on(monthly, split, day + 1 - WINDOW, day + 1, seed)
        end = TRAINED + days
        models = {"none": first, "each day alone": daily, "each day alone, faster": fast, "each day with its month": monthly,
                  "once, with its month": train_on(first, split, end - WINDOW, end, seed),
                  "anew": build("GRU", asked_in(shop, end, end), seed)}
        for name, model in models.items():
            runs[name].append(measure(model, split.test, seed))
            print(f"seed {seed}, {name}: {runs[name][-1][METRIC]:.4f}", flush=True)
    reports = {name: average(found) for name, found in runs.items()}
    log = shop.interactions
    there = log.loc[log["timestamp"].between(moment(TRAINED), moment(TRAINED + days)), "user"].unique()
    was_there = np.isin(split.test.users, there)
    pairs = [(name, "none") for name in runs if name != "none"] + [(name, "anew") for name in runs if name != "anew"]
    for part, kept in (("", np.ones(len(split.test), dtype=bool)), ("_there", was_there), ("_away", ~was_there)):
        some = split.test.subset(kept)
        cut = {name: average([run.subset(kept) for run in report.runs]) for name, report in reports.items()}
        results.save_comparison(f"growing_old_updates{part}", "A month of updates", some.protocol(), Comparison(cut, some), shop,
                                time.process_time() - start, range(seeds), {"each day alone": WARM, "each day alone, faster": FASTER}, pairs)


def broken(fault, shop, model, split, seed):
    """What answers, what is asked and what is known of items from the day on which something breaks: (model, cases, items)."""
    cases, items = split.test, shop.items
    if fault == "broken feed":                                          # what happens in half of the categories is not told
        lost = set(items["category"].cat.categories[::2])
        log = shop.interactions
        gone = items["category"].isin(lost).to_numpy()[log["item"]] & (log["timestamp"] >= moment(BROKEN)).to_numpy()
        rest = replace(shop, interactions=log[~gone].reset_index(drop=True), truth=None)
        cases = recbook.by_moment(rest, moment(TRAINED), moment(BROKEN), moment(WATCHED[1])).test
    elif fault == "frozen histories":
        cases = cases.known_until(moment(BROKEN))
    elif fault == "price in cents":
        items = items.assign(price=items["price"] * 100)
    elif fault == "shuffled labels":
        train = split.train.assign(item=np.random.default_rng(seed).permutation(split.train["item"].to_numpy()))
        model = recbook.EASE(split.n_users, split.n_items, reads=20).fit(replace(split, train=train))
    return model, cases, items


def monitors(worlds):
    """False alarms on quiet days and delays on broken ones: of each monitor, and of two-sample tests of a day's events."""
    start, false, delay, tests = time.process_time(), [], [], []
    for seed in range(worlds):
        shop = recbook.load("shop", seed=seed)
        before = recbook.by_moment(shop, moment(QUIET[0]), moment(QUIET[0]), moment(QUIET[1]))
        watched = recbook.by_moment(shop, moment(TRAINED), moment(WATCHED[0]), moment(WATCHED[1]))
        after = recbook.by_moment(shop, moment(TRAINED), moment(BROKEN), moment(WATCHED[1]))
        model = build("EASE", before, seed)
        quiet = monitoring.daily(model, before.test, shop.items)
        limits = monitoring.limits(quiet)
        model = build("EASE", watched, seed)                            # retrained: the limits are of the older one
        days = monitoring.daily(model, watched.test, shop.items, quiet=before.test)
        false.append(dict(limits.out(days).mean()) | {"any": limits.out(days).any(axis=1).mean()})
        tests.append(two_samples(shop, before.test, watched.test))
        for fault in FAULTS:
            wrong = broken(fault, shop, model, after, seed)
            found = limits.first_alarm(monitoring.daily(*wrong, quiet=before.test))
            delay.append({"seed": seed, "fault": fault} | found)
        print(f"seed {seed}: {time.process_time() - start:.0f} s", flush=True)
    rows = {}
    false, tests, delay = pd.DataFrame(false), pd.DataFrame(tests), pd.DataFrame(delay)
    for name, shares in [*false.items(), *tests.items()]:
        rows[f"quiet, {name}"] = row(f"quiet days: {name}", {"share of days": shares})
    for fault, found in delay.groupby("fault"):
        for name in found.columns.drop(["seed", "fault"]):
            rang = found[name].notna()
            rows[f"{fault}, {name}"] = row(f"{fault}: {name}", {"found": rang.astype(float), "days": found[name].fillna(
                WATCHED[1] - BROKEN + 1).astype(float)})
    results.save("growing_old_monitors", "False alarms, and days until an alarm", "limits of one per cent of quiet days, all "
                 "monitors together; what was not found within the days that were watched counts as one day more; the interval "
                 "is from the lowest to the highest of the worlds", rows, shop, time.process_time() - start, range(worlds))


def row(title, measured):
    """A row of a table: mean over worlds, lowest and highest."""
    numbers = {name: {"value": float(np.mean(values)), "low": float(np.min(values)), "high": float(np.max(values)),
                      "values": [float(one) for one in values]} for name, values in measured.items()}
    return {"title": title, "measured": numbers, "published": {}, "source": "", "settings": {}}


def two_samples(shop, quiet, watched, promised=0.01):
    """On which share of quiet days a two-sample test rings that promises one per cent: of all events, and of one a customer."""
    category = shop.items["category"].astype(str).to_numpy()
    price = np.log(shop.items["price"].to_numpy())
    day = (watched.now - watched.now.min()) // DAY
    of_customer = pd.DataFrame({"day": day, "user": watched.users})
    first = ~of_customer.sample(frac=1, random_state=0).duplicated().reindex(of_customer.index).to_numpy()
    found = {}
    for name, kept in (("all events", np.ones(len(day), dtype=bool)), ("one event a customer", first)):
        for what, of_item in (("category", category), ("price", price)):
            found[f"test of {what}, {name}"] = np.mean([
                monitoring.p_value(of_item[quiet.target], of_item[watched.target[(day == one) & kept]]) < promised
                for one in np.unique(day)])
    return found


def main(argv=None):
    parser = argparse.ArgumentParser(prog="growing_old", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=[*WORLDS, "delay", "updates", "monitors"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=["popularity", "popularity, month", "counts", "EASE", "EASE, month", "GRU"])
    parser.add_argument("--worlds", type=int, default=10, help="how many worlds the monitors are measured in")
    arguments = parser.parse_args(argv)
    for name in WORLDS:
        if arguments.only in (None, name):
            ages(name, arguments.seeds, arguments.models)
    if arguments.only in (None, "delay"):
        delays(arguments.seeds, arguments.models)
    if arguments.only in (None, "updates"):
        updates(arguments.seeds)
    if arguments.only in (None, "monitors"):
        monitors(arguments.worlds)


if __name__ == "__main__":
    main()
