"""What a log is like before anybody models it: how much is left at each step of cleaning, and what the times can tell.

Counted: there is nothing to tune or to repeat. One row a step. *Same moment* is the share of users whose last two
events carry the same time, so that which of them came last is not known.

cleaning_beauty: what this does to the usual test, each user's last item, on Amazon Beauty.
"""

import argparse
import time
from dataclasses import replace

import pandas as pd

import recbook
from recbook import results

NAME = "cleaning"
TITLE = "Three logs as published, and after each step of cleaning"
PROTOCOL = ("counted; same moment: users whose last two events carry the same time; in a row: events whose item is "
            "that of the same user's event before; once: items that stand in the log once")
FROM, UNTIL = (pd.Timestamp(day, tz="Asia/Shanghai").timestamp() for day in ("2017-11-25", "2017-12-04"))
BEAUTY = {
    "popularity": ("Popularity", {}),
    "item-knn": ("Item neighbours", {"k": 200, "shrink": 20.0}),
}


def core(log, least):
    """The largest part of the log in which every user and every item stands `least` times."""
    while True:
        counts = [log.groupby(side)["user"].transform("size") for side in ("user", "item")]
        kept = (counts[0] >= least) & (counts[1] >= least)
        if kept.all():
            return log
        log = log[kept]


def steps():
    """Yield (name, title, data set, its log after the step)."""
    dataset = recbook.load("amazon-gift-cards")
    once = dataset.interactions.drop_duplicates(["user", "item"])
    yield "gift-cards", "Gift Cards, as published", dataset, dataset.interactions
    yield "gift-cards-once", "Gift Cards, each pair once", dataset, once
    yield "gift-cards-core", "Gift Cards, at least five of each", dataset, core(once, 5)
    dataset = recbook.load("amazon-beauty")
    yield "beauty", "Beauty, as published", dataset, dataset.interactions
    dataset = recbook.load("taobao")
    log = dataset.interactions
    yield "taobao", "Taobao, as published", dataset, log
    yield "taobao-days", "Taobao, nine days", dataset, log[log["timestamp"].between(FROM, UNTIL)]


def count(log):
    """The numbers of one row."""
    log = log.sort_values(["user", "timestamp", "row"])
    last = log.groupby("user").tail(2).groupby("user")["timestamp"]
    same = (last.nunique() < last.size()).mean()
    before = log.groupby("user")["item"].shift()
    numbers = {"events": len(log), "users": log["user"].nunique(), "items": log["item"].nunique(),
               "same moment": same, "in a row": (log["item"] == before).mean(),
               "once": (log["item"].value_counts() == 1).mean()}
    return {name: {"value": float(number)} for name, number in numbers.items()}


def by_moment(model, split):
    """NDCG@10 of the last item, by whether the item before it carries the same time."""
    context = split.test.context(length=1)
    same = (context.times[:, 0] == context.now).numpy()
    found = {}
    for called, cases in (("the same day", split.test.subset(same)), ("a later day", split.test.subset(~same))):
        report = results.summary([recbook.evaluate(model, cases, ["NDCG@10"])])
        found[called] = report["NDCG@10"]
    return found | {"questions, the same day": {"value": float(same.mean())}}


def main(argv=None):
    argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0]).parse_args(argv)
    start = time.perf_counter()
    for name, title, dataset, log in steps():
        row = {"title": title, "measured": count(log), "published": {}, "source": "", "settings": {}}
        results.save(NAME, TITLE, PROTOCOL, {name: row}, dataset, time.perf_counter() - start)
        print(title, {key: round(number["value"], 4) for key, number in row["measured"].items()}, flush=True)
    dataset = recbook.load("amazon-beauty")
    split = dataset.published
    split = replace(split, test=replace(split.test, masked=split.refit().matrix()))
    for name, (title, settings) in BEAUTY.items():
        start = time.perf_counter()
        model = recbook.models.find_model(name)(split.n_users, split.n_items, **settings).fit(split)
        row = {"title": title, "measured": by_moment(model, split), "published": {}, "source": "", "settings": settings}
        results.save("cleaning_beauty", "Amazon Beauty, each user's last item, by the day of the item before it",
                     "as amazon_beauty", {name: row}, dataset, time.perf_counter() - start)
        print(title, {key: round(number["value"], 4) for key, number in row["measured"].items()}, flush=True)


if __name__ == "__main__":
    main()
