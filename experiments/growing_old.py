"""Models that grow old, in the shop as it is and in one whose items' popularity wanders (`fashion`).

growing_old_rates_NAME: the rates of learning, chosen in a week before all others that are asked, with the same number of
trials for training anew, for one pass over a month ("warm") and for a pass over each day alone. The other parts read them.

growing_old_NAME_AGE (shop, fashion, launch): models that were trained until a day, asked in the week after AGE more days with
fresh histories; beside each the same model trained anew until that week. A network is also trained on ("warm": one pass over
the latest `WINDOW` days, from the old weights), and trained anew on as many days as the old one ("same length"): what differs
then is the age alone. launch: trained until day 290, so that the week after 30 days asks for items that went on sale on day 304.

growing_old_delay: the same weights, trained until the week that is asked, with histories that arrive late; and with fresh
histories weights that are 90 days older, or were trained on as few days as these ("fewer days"). An observer who is told as
late believes that nothing happened since: only with fresh histories is it a ceiling. _within, _first: questions less than
half an hour after the same customer's last event, and the others.

growing_old_updates: a network trained on each day for thirty days, on that day's events alone or with the last thirty days',
against none and against training anew; all questions, and (_there, _away) those of customers who met something in these days
or nothing.

growing_old_monitors: in worlds of several seeds, the share of quiet days on which a monitor rings, and after how many days
it rings when something is broken; and how often a two-sample test rings, also on days to which the same events were dealt at
random, in whole visits or one by one.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

import recbook
from recbook import monitoring, results
from recbook.data.shop.world import DAY, YEAR_START
from recbook.evaluation import Comparison, average

METRIC = "NDCG@10"
AGES = (0, 7, 30, 90)           # days between the end of the training and the week that is asked
TRAINED, LAUNCH = 200, 290      # days of the year
WINDOW = 30
FASHION = 0.3
TUNED = TRAINED - 7             # the week from here on chooses the rates
TRAINING = {"epochs": 4, "batch_size": 2048}
MORE = {"epochs": 1, "batch_size": 2048}
RATES = {"anew": (0.003, 0.01, 0.03, 0.1), "warm": (0.001, 0.003, 0.01, 0.03), "each day alone": (0.001, 0.003, 0.01, 0.03)}
GRU = {"dim": 64, "hidden": 128, "length": 20, "dropout": 0.0}
VISIT = 1800                    # seconds without an event after which a question counts as the first of a visit
DELAYS = {"fresh": 0, "10 minutes late": 600, "an hour late": 3600, "a day late": DAY, "a week late": 7 * DAY}
WORLDS = {"shop": ({}, TRAINED, AGES), "fashion": ({"fashion": FASHION}, TRAINED, AGES), "launch": ({}, LAUNCH, (0, 30))}
QUIET, WATCHED = (100, 200), (200, 300)     # days whose numbers set the limits; quiet days that are then watched
BROKEN = 230                    # day on which something breaks
FAULTS = ("nothing", "broken feed", "frozen histories", "price in cents", "shuffled labels")


def moment(day):
    """The beginning of a day of the shop's year, in seconds since 1970."""
    return YEAR_START + day * DAY


def asked_in(dataset, trained, asked, days=7):
    """Trained until a day, asked during a week: a `Split`."""
    return recbook.by_moment(dataset, moment(trained), moment(asked), moment(asked + days))


def build(name, split, seed, rate=None):
    """A model, trained on a split; a network at this rate."""
    sizes = split.n_users, split.n_items
    if name == "GRU":
        recbook.seed_everything(seed)
        model = recbook.GRU4Rec(*sizes, behaviours=True, pauses=True, **GRU)
        recbook.fit(model, split, seed=seed, schedule=lambda share: 1 - share, progress=False, device="cpu", learning_rate=rate,
                    **TRAINING)
        return model
    kinds = {"popularity": recbook.Popularity, "counts": recbook.PersonalPopularity, "EASE": recbook.EASE}
    kind, _, month = name.partition(", ")
    if month:                                                           # only the latest days train
        split = since(split, split.train["timestamp"].max() - WINDOW * DAY)
    return kinds[kind](*sizes, **({"reads": 20} if kind == "EASE" else {})).fit(split)


def since(split, moment):
    """The split, of whose training only what happened from a moment on is left."""
    return replace(split, train=split.train[split.train["timestamp"] >= moment].reset_index(drop=True))


def train_on(model, dataset, first, last, seed, rate):
    """The model, trained further on what happened from one day to before another; the given one stays."""
    more = recbook.grow(model, dataset)
    recbook.fit(more, since(recbook.by_moment(dataset, moment(last)), moment(first)), seed=seed, progress=False, device="cpu",
                learning_rate=rate, **MORE)
    return more


def each_day(model, dataset, first, last, seed, rate):
    """The model, trained further on one day after the other."""
    for day in range(first, last):
        model = train_on(model, dataset, day, day + 1, seed, rate)
    return model


def measure(model, cases, seed=0):
    return recbook.evaluate(model, cases, [METRIC], seed=seed)


def rates(name, seeds):
    """The rates of learning for one world, by what they are worth in the week before all others that are asked."""
    shop, start = recbook.load("shop", **WORLDS[name][0]), time.process_time()
    now, month, quarter = (asked_in(shop, TUNED - age, TUNED) for age in (0, WINDOW, 90))
    reports = {}

    def best(what, run):
        for rate in RATES[what]:
            reports[f"{what}, {rate}"] = average([measure(run(seed, rate), now.test, seed) for seed in range(seeds)])
            print(f"{name}: {what}, {rate}: {reports[f'{what}, {rate}'][METRIC]:.4f}", flush=True)
        return max(RATES[what], key=lambda rate: reports[f"{what}, {rate}"][METRIC])

    anew = best("anew", lambda seed, rate: build("GRU", now, seed, rate))
    old = {seed: build("GRU", quarter, seed, anew) for seed in range(seeds)}
    younger = {seed: build("GRU", month, seed, anew) for seed in range(seeds)}
    best("warm", lambda seed, rate: train_on(old[seed], shop, TUNED - WINDOW, TUNED, seed, rate))
    best("each day alone", lambda seed, rate: each_day(younger[seed], shop, TUNED - WINDOW, TUNED, seed, rate))
    results.save_comparison(f"growing_old_rates_{name}", f"Rates of learning ({name})", now.test.protocol(),
                            Comparison(reports, now.test), shop, time.process_time() - start, range(seeds), {})


def chosen(name, what):
    """The rate that was worth most when rates were chosen for this world."""
    rows = results.load(f"growing_old_rates_{name}")["rows"]
    return max(RATES[what], key=lambda rate: rows[f"{what}, {rate}"]["measured"][METRIC]["value"])


def ages(name, seeds, names):
    """Quality against age in one world; a table for each age."""
    options, trained, all_ages = WORLDS[name]
    shop, start = recbook.load("shop", **options), time.process_time()
    anew, warm = (chosen("fashion" if name == "fashion" else "shop", what) for what in ("anew", "warm"))
    old = {}
    for age in all_ages:
        split, fresh = asked_in(shop, trained, trained + age), asked_in(shop, trained + age, trained + age)
        reports, pairs = {"observer": measure(recbook.Observer(shop), split.test)}, []
        for model in names:
            runs = {"old": [], "anew": [], "warm": [], "same length": []}
            for seed in range(seeds if model == "GRU" else 1):
                if (model, seed) not in old:
                    old[model, seed] = build(model, split, seed, anew)
                runs["old"].append(measure(old[model, seed], split.test, seed))
                if age:
                    runs["anew"].append(measure(build(model, fresh, seed, anew), split.test, seed))
                if age and model == "GRU":
                    further = train_on(old[model, seed], shop, trained + age - WINDOW, trained + age, seed, warm)
                    runs["warm"].append(measure(further, split.test, seed))
                    same = build(model, since(fresh, moment(age)), seed, anew)
                    runs["same length"].append(measure(same, split.test, seed))
            for kind, found in runs.items():
                if found:
                    reports[f"{model}, {kind}"] = average(found)
                    pairs += [(f"{model}, {kind}", f"{model}, old")] if kind != "old" else []
                    print(f"{name} {age:3} days: {model}, {kind}: {average(found)[METRIC]:.4f}", flush=True)
        if age and "GRU" in names:
            pairs += [("GRU, anew", "GRU, warm"), ("GRU, anew", "GRU, same length")]
        results.save_comparison(f"growing_old_{name}_{age}", f"{age} days after the training ({name})", split.test.protocol(),
                                Comparison(reports, split.test), shop, time.process_time() - start, range(seeds),
                                {"GRU, old": TRAINING | GRU | {"rate": anew}, "GRU, warm": MORE | {"rate": warm}}, pairs)


def delays(seeds, names):
    """Late histories and old weights, each alone."""
    shop, start = recbook.load("shop"), time.process_time()
    split, old = asked_in(shop, TRAINED, TRAINED), asked_in(shop, TRAINED - 90, TRAINED)
    trained = {"fresh": split, "weights 90 days older": old, "fewer days": since(split, moment(90))}
    rate = chosen("shop", "anew")
    reports, pairs, built = {"observer, fresh": measure(recbook.Observer(shop), split.test)}, [], {}
    for model in names:
        for name in [*DELAYS, *list(trained)[1:]]:
            cases = split.test.known_until(split.test.now - DELAYS.get(name, 0))
            runs = []
            for seed in range(seeds if model == "GRU" else 1):
                which = model, seed, name if name in trained else "fresh"
                if which not in built:
                    built[which] = build(model, trained[which[-1]], seed, rate)
                runs.append(measure(built[which], cases, seed))
            reports[f"{model}, {name}"] = average(runs)
            pairs += [(f"{model}, fresh", f"{model}, {name}")] if name != "fresh" else []
            print(f"{model}, {name}: {average(runs)[METRIC]:.4f}", flush=True)
        pairs += [(f"{model}, an hour late", f"{model}, a week late"), (f"{model}, fewer days", f"{model}, weights 90 days older")]
    if {"GRU", "EASE"} <= set(names):
        pairs += [(f"GRU, {name}", f"{other}, {name}") for other in ("EASE", "EASE, month") if other in names for name in DELAYS]
    known = split.test.ends > split.test.log.starts[split.test.users]
    pause = split.test.now - split.test.log.times[np.maximum(split.test.ends - 1, 0)]
    within = known & (pause < VISIT)
    save_parts("growing_old_delay", "Late histories, and old weights", split.test, reports,
               {"": np.ones(len(within), dtype=bool), "_within": within, "_first": ~within}, shop,
               time.process_time() - start, range(seeds), {"GRU, fresh": TRAINING | GRU | {"rate": rate}}, pairs)


def save_parts(name, title, cases, reports, parts, *more):
    """A table for each part of the questions: {end of its name: (N,) bool}."""
    for end, kept in parts.items():
        some = cases.subset(kept)
        cut = {model: report.subset(kept) for model, report in reports.items()}
        results.save_comparison(f"{name}{end}", title, some.protocol(), Comparison(cut, some), *more)


def updates(seeds, days=30):
    """A month of updates, and what became of those who were away."""
    shop, start = recbook.load("shop", fashion=FASHION), time.process_time()
    end = TRAINED + days
    split, fresh = asked_in(shop, TRAINED, end), asked_in(shop, end, end)
    anew, warm, alone = (chosen("fashion", what) for what in RATES)
    faster = 10 * alone
    runs = {name: [] for name in ("none", "each day alone", "each day alone, ten times the rate", "each fifth day, with its month",
                                  "once, with its month", "anew")}
    for seed in range(seeds):
        first = monthly = build("GRU", split, seed, anew)
        for day in range(TRAINED + 5, end + 1, 5):
            monthly = train_on(monthly, shop, day - WINDOW, day, seed, warm)
        models = (first, each_day(first, shop, TRAINED, end, seed, alone), each_day(first, shop, TRAINED, end, seed, faster),
                  monthly, train_on(first, shop, end - WINDOW, end, seed, warm), build("GRU", fresh, seed, anew))
        for name, model in zip(runs, models):
            runs[name].append(measure(model, split.test, seed))
            print(f"seed {seed}, {name}: {runs[name][-1][METRIC]:.4f}", flush=True)
    log = shop.interactions
    there = log.loc[log["timestamp"].between(moment(TRAINED), moment(end), inclusive="left"), "user"].unique()
    there = np.isin(split.test.users, there)
    pairs = [(name, "none") for name in runs if name != "none"] + [(name, "anew") for name in runs if name != "anew"]
    save_parts("growing_old_updates", "A month of updates", split.test, {name: average(found) for name, found in runs.items()},
               {"": np.ones(len(there), dtype=bool), "_there": there, "_away": ~there}, shop, time.process_time() - start,
               range(seeds), {"each day alone": MORE | {"rate": alone}, "each day alone, ten times the rate": MORE | {"rate": faster},
                              "each fifth day, with its month": MORE | {"rate": warm}, "anew": TRAINING | {"rate": anew}}, pairs)


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
        span = moment(BROKEN), moment(WATCHED[1])
        model = build("EASE", before, seed)
        quiet = monitoring.daily(model, before.test, shop.items)
        limits = monitoring.limits(quiet)
        model = build("EASE", watched, seed)                            # retrained: the limits are of the older one
        days = monitoring.daily(model, watched.test, shop.items, quiet=before.test)
        false.append(dict(limits.out(days).mean()) | {"any": limits.out(days).any(axis=1).mean()})
        tests.append(two_samples(shop, before.test, watched.test))
        for fault in FAULTS:
            model_then, cases, items = broken(fault, shop, model, after, seed)
            found = limits.first_alarm(monitoring.daily(model_then, cases, items, quiet=before.test, span=span))
            delay.append({"seed": seed, "fault": fault} | found)
        print(f"seed {seed}: {time.process_time() - start:.0f} s", flush=True)
    false, tests, delay = pd.DataFrame(false), pd.DataFrame(tests), pd.DataFrame(delay)
    watched_days = WATCHED[1] - WATCHED[0]
    rows = {f"quiet, {name}": row(f"quiet days: {name}", {"share of days": share_of(shares, watched_days)})
            for name, shares in [*false.items(), *tests.items()]}
    for fault, found in delay.groupby("fault", sort=False):
        for name in found.columns.drop(["seed", "fault"]):
            until = found[name].fillna(WATCHED[1] - BROKEN + 1).astype(float)
            rows[f"{fault}, {name}"] = row(f"{fault}: {name}", {"days": middle(until), "found": share_of(found[name].notna(), 1)})
    results.save("growing_old_monitors", "False alarms, and days until an alarm", PROTOCOL, rows, shop,
                 time.process_time() - start, range(worlds))


PROTOCOL = (f"EASE trained until day {TRAINED}, limits of days {QUIET[0]} to {QUIET[1]} that give one quiet day in a hundred to all "
            f"monitors together; false alarms on days {WATCHED[0]} to {WATCHED[1]}, the interval the wider of the exact one for "
            f"independent days and Student's over the worlds; faults from day {BROKEN} on, the delay's median with a "
            "distribution-free interval from the second to the second-last world; what did not ring within the days that were "
            "watched counts as one day more")


def share_of(shares, each):
    """The mean of shares of `each` days, one a world, with an interval of 95 %."""
    shares = np.asarray(shares, dtype=float)
    exact = stats.binomtest(round(shares.sum() * each), len(shares) * each).proportion_ci()
    half = stats.t.ppf(0.975, len(shares) - 1) * shares.std(ddof=1) / np.sqrt(len(shares))
    low, high = min(exact.low, shares.mean() - half), max(exact.high, shares.mean() + half)
    return {"value": float(shares.mean()), "low": float(max(low, 0)), "high": float(min(high, 1)), "values": shares.tolist()}


def middle(values):
    """The median of some worlds, between the second lowest and the second highest (of ten worlds: 98 %)."""
    ordered = np.sort(np.asarray(values, dtype=float))
    return {"value": float(np.median(ordered)), "low": float(ordered[1]), "high": float(ordered[-2]),
            "values": [float(one) for one in values]}


def row(title, measured):
    """A row of a table of monitors."""
    return {"title": title, "measured": measured, "published": {}, "source": "", "settings": {}}


def visits(cases):
    """The number of the visit to which each question belongs: (N,) int. A new one begins after a pause of `VISIT` seconds."""
    order = np.lexsort((cases.now, cases.users))
    users, now = cases.users[order], cases.now[order]
    begins = np.append(True, (np.diff(users) != 0) | (np.diff(now) >= VISIT))
    found = np.empty(len(order), dtype=int)
    found[order] = begins.cumsum() - 1
    return found


def two_samples(shop, quiet, watched, promised=0.01):
    """On which share of quiet days a two-sample test rings that promises one per cent.

    Of all events, and of one a customer. Then of days that are made: the same events, dealt to a hundred days at random in
    whole visits, or one by one. These days have no differences of their own; only in the first are visits kept.
    """
    category = shop.items["category"].astype(str).to_numpy()
    price = np.log(shop.items["price"].to_numpy())
    day = (watched.now - watched.now.min()) // DAY
    of_customer = pd.DataFrame({"day": day, "user": watched.users})
    first = ~of_customer.sample(frac=1, random_state=0).duplicated().reindex(of_customer.index).to_numpy()
    all_events, draw = np.ones(len(day), dtype=bool), np.random.default_rng(0)
    n_days, visit = day.max() + 1, visits(watched)
    dealt = {"all events": (day, all_events), "one event a customer": (day, first),
             "visits to random days": (draw.integers(n_days, size=visit.max() + 1)[visit], all_events),
             "events to random days": (draw.integers(n_days, size=len(day)), all_events)}
    found = {}
    for name, (days, kept) in dealt.items():
        for what, of_item in (("category", category), ("price", price)):
            found[f"test of {what}, {name}"] = np.mean([
                monitoring.p_value(of_item[quiet.target], of_item[watched.target[(days == one) & kept]]) < promised
                for one in np.unique(days)])
    return found


def main(argv=None):
    parser = argparse.ArgumentParser(prog="growing_old", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=["rates", *WORLDS, "delay", "updates", "monitors"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=["popularity", "popularity, month", "counts", "EASE", "EASE, month", "GRU"])
    parser.add_argument("--worlds", type=int, default=10, help="how many worlds the monitors are measured in")
    arguments = parser.parse_args(argv)
    if arguments.only in (None, "rates"):
        for name in ("shop", "fashion"):
            rates(name, min(arguments.seeds, 2))
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
