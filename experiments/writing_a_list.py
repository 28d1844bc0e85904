"""Lists of five, written and ranked: what they hold, in which order, and how likely they are where that is known.

written_lists: the simulated shop, each customer's next five looks, asked once a customer in the last tenth of the year.
Models read items alone, and so does the observer. Nothing is masked; no list repeats an item. "truly" is the logarithm of a
list's probability under the shop's law, the median over the questions.

written_lists_worlds: the observer's lists in shops whose items pull each other not at all, as in the shop, and twice as
much (`complements` and `intent` of 0, 1 and 2); each third customer is asked.

written_lists_ml-100k, written_lists_ml-1m: MovieLens, the first five films of a user's last fifth (of ml-1m, each third
user's), asked after all before it; what was met is ruled out. Many films of a user have the same second: within it their
order is that of the file; what others rated later trains too. Settings were not tuned, and training is short: writer and
"all five at once" learn from every third moment of a history.

Ways to make a list: *ranked*, the five best as next item; *greedy* and *beam* (ten beginnings), each item knowing those
before it; *within*, the five with the highest chance to stand in a list that is drawn (ten draws). A model of the next item
writes when it is asked five times, its answers in the history. "All five at once" is the writer without its decoder's
steps: one ranking, trained on all of the next five. Each question's values are averaged over seeds.

`--tune` shows what validation says of two learning rates of each model: the surprise at what followed, in nats an item.
The shop's GRU was chosen by it; writer and "all five at once" take the same rate.
"""

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
import torch

import recbook
from recbook import decoding, results
from recbook.data.batches import Windows
from recbook.evaluation import Comparison, average
from recbook.models.cross_entropy import cross_entropy

K, DRAWS, PULLS = 5, 10, (0, 1, 2)
METRICS = ("overlap", "again", "new", "in order", "in place")
WAYS = ("ranked", "greedy", "beam", "within")
TITLES = {"shop": "The next five looks of the shop's customers, as a list",
          "ml-100k": "MovieLens 100K, the next five films, as a list",
          "ml-1m": "MovieLens 1M, the next five films, as a list"}
PROTOCOLS = {"shop": "one question a customer in the last tenth of the year, the next five looks; no list repeats an item",
             "ml-100k": "one question a user, after the first four fifths of their films: the next five, of those not yet met; "
                        "short training, not tuned",
             "ml-1m": "one question to each third user, after the first four fifths of their films: the next five, of those "
                      "not yet met; short training, not tuned"}
SEEDS = {"shop": (0, 1), "ml-100k": (0, 1), "ml-1m": (0, 1)}
WRITES = {"dim": 32, "length": 10, "hidden": 64, "targets": K, "batch_size": 1024}
READS = {"dim": 32, "length": 20, "hidden": 64, "batch_size": 2048}
SETTINGS = {
    "shop": {"writer": WRITES | {"dropout": 0.0, "learning_rate": 0.01, "epochs": 1},
             "five": WRITES | {"dropout": 0.0, "learning_rate": 0.01, "epochs": 2},
             "gru": READS | {"dropout": 0.0, "learning_rate": 0.01, "epochs": 4}},
    "ml-100k": {"writer": WRITES | {"dropout": 0.0, "learning_rate": 0.01, "epochs": 3, "every": 3},
                "five": WRITES | {"dropout": 0.0, "learning_rate": 0.01, "epochs": 3, "every": 3},
                "gru": READS | {"dropout": 0.0, "learning_rate": 0.01, "epochs": 4}},
    "ml-1m": {"writer": WRITES | {"dropout": 0.0, "learning_rate": 0.01, "epochs": 1, "every": 3},
              "five": WRITES | {"dropout": 0.0, "learning_rate": 0.01, "epochs": 1, "every": 3},
              "gru": READS | {"dropout": 0.0, "learning_rate": 0.01, "epochs": 3}},
}
GRID = {"learning_rate": (0.003, 0.01)}


class Some(Windows):
    """Only every so many moments of the histories: those between share all targets but few."""

    def __init__(self, length, targets, every):
        super().__init__(length, targets, negatives=0)
        self.every = every

    def prepare(self, split, device="cpu"):
        super().prepare(split, device)
        self.rows = [column[::self.every] for column in self.rows]
        return self


class AllAtOnce(recbook.Writer):
    """The plain rival: nothing is written; one ranking, trained on all of the next items, whatever their order."""

    def loss(self, batch):
        return cross_entropy(self.final_state(batch.context), self.item.weight, self.item_bias, batch.items)


class Even(recbook.Writer):
    """The control: attention with even weights."""

    def attend(self, state, keys, real):
        return real / real.sum(1, keepdim=True).clamp(min=1).to(keys.dtype)


class Shuffled(recbook.Writer):
    """The control: what is read comes in a random order, in training and when it writes."""

    def read(self, context):
        order = torch.rand(context.items.shape).masked_fill(context.items < 0, 2).argsort(1)
        return super().read(recbook.Context(items=context.items.gather(1, order)))


KINDS = {"gru": (recbook.GRU4Rec, "GRU of the next item", WAYS), "five": (AllAtOnce, "All five at once", ("ranked",)),
         "writer": (recbook.Writer, "Writer", WAYS), "even": (Even, "Writer, even weights", ("greedy", "within")),
         "shuffled": (Shuffled, "Writer, history shuffled", ("greedy", "within"))}
PLAIN = {"popularity": recbook.Popularity, "personal popularity": recbook.PersonalPopularity}
MODELS = {"shop": (*PLAIN, *KINDS, "observer"), **dict.fromkeys(("ml-100k", "ml-1m"), ("popularity", "gru", "five", "writer"))}
PAIRS = [("writer, greedy", "gru, greedy"), ("writer, beam", "gru, beam"), ("writer, within", "gru, within"),
         ("writer, ranked", "gru, ranked"), ("writer, greedy", "even, greedy"), ("writer, within", "even, within"),
         ("writer, greedy", "shuffled, greedy"), ("writer, within", "shuffled, within"), ("writer, beam", "writer, greedy"),
         ("writer, greedy", "writer, ranked"), ("writer, within", "writer, ranked"), ("writer, within", "writer, greedy"),
         ("gru, greedy", "gru, ranked"), ("gru, beam", "gru, greedy"), ("gru, within", "gru, ranked"),
         ("gru, within", "gru, greedy"), ("five, ranked", "gru, ranked"), ("writer, within", "five, ranked"),
         ("gru, within", "five, ranked"), ("gru, ranked", "personal popularity, ranked"),
         ("five, ranked", "personal popularity, ranked"), ("observer, within", "five, ranked"),
         ("observer, greedy", "observer, ranked"), ("observer, beam", "observer, ranked"),
         ("observer, within", "observer, ranked"), ("observer, within", "observer, beam"),
         ("observer, within", "writer, within"), ("observer, within", "gru, within"), ("observer, beam", "writer, beam")]


def title(row):
    name, way = row.split(", ")
    again = ", asked again" if name == "gru" and way != "ranked" else ""
    return f"{KINDS[name][1] if name in KINDS else name.capitalize()}{again}, {way}"


# ------------------------------------------------------------------------------------------------ the questions


def cut(dataset):
    return recbook.by_ratio(dataset, validation=0.1, test=0.2) if dataset.name != "shop" else recbook.by_time(dataset)


def questions(dataset, cases):
    """The first question of each user after which enough follows within the part that is asked, and what is not written."""
    last = np.minimum(cases.ends + K, cases.log.starts[cases.users + 1]) - 1
    within = cases.log.times[last] <= cases.now.max()                   # or validation would be judged by the test's events
    enough = np.flatnonzero((cases.followed(K).min(1) >= 0) & within)
    keep = np.zeros(len(cases), dtype=bool)
    keep[enough[np.unique(cases.users[enough], return_index=True)[1]]] = True
    if dataset.name == "ml-1m":
        keep &= np.cumsum(keep) % 3 == 1
    cases = cases.subset(keep)
    context = cases.context()
    return cases, context, None if dataset.name == "shop" else context.items


def blind(dataset):
    """The observer who is told items alone."""
    return recbook.Observer(dataset, behaviours=False, ratings=False, pauses=False)


def truly(law, items):
    """The log probability of lists under the law: (B,)."""
    rows = torch.arange(len(items))
    return sum(law(rows, items[:, :step]).gather(1, items[:, [step]])[:, 0] for step in range(K))


# ------------------------------------------------------------------------------------------------ the lists


def train(kind, split, settings, seed):
    settings = dict(settings)
    training = {key: settings.pop(key) for key in ("epochs", "batch_size", "learning_rate")}
    every = settings.pop("every", 1)
    recbook.seed_everything(seed)
    model = kind(split.n_users, split.n_items, **settings)
    if every > 1:
        model.batches = Some(model.length, model.targets, every)
    recbook.fit(model, split, seed=seed, device="cpu", progress=False, **training)
    return model.eval()


def lists_of(model, context, exclude=None, seed=0, ways=WAYS):
    """{way: items (B, K)}"""
    recbook.seed_everything(seed)                                       # of what is shuffled
    generator, found = torch.Generator().manual_seed(seed), {}
    for way in ways:
        if way == "ranked":
            found[way] = model.top(context, K, exclude)[0]
        elif way == "within":
            found[way] = decoding.chance_within(model, context, K, DRAWS, exclude, generator).topk(K).indices
        else:
            found[way] = decoding.write(model, context, K, way, exclude=exclude)[0]
    return found


def measure(name, seed, dataset, split, asked, law):
    """Of one model: {row: (its `Report`, the median log probability of its lists under the law, if there is one)}, seconds."""
    start, (cases, context, exclude) = time.process_time(), asked
    if name == "observer":
        found = lists_of(blind(dataset), context, exclude)
    elif name in PLAIN:
        found = lists_of(PLAIN[name](split.n_users, split.n_items).fit(split), context, exclude, ways=("ranked",))
    else:
        kind, _, ways = KINDS[name]
        model = train(kind, split, settings_of(dataset.name, name), seed)
        found = lists_of(model, context, exclude, seed, ways)
    rows = {f"{name}, {way}": (recbook.compare_lists({way: items}, on=cases).reports[way],
                               None if law is None else float(truly(law, items).median())) for way, items in found.items()}
    print(seed, {row: round(report["overlap"], 4) for row, (report, _) in rows.items()}, flush=True)
    return rows, time.process_time() - start


def settings_of(dataset, name):
    return SETTINGS[dataset].get("writer" if name in ("even", "shuffled") else name, {})


def experiment(dataset, keep=None, only=None, one=None):
    """All lists of a data set, measured and written to a table; of `only` one model, or seed, nothing is written."""
    split, name = cut(dataset).refit(), dataset.name
    asked = questions(dataset, split.test)
    law = blind(dataset).following(asked[1]) if dataset.truth is not None else None
    reports, chances, seconds = {}, {}, 0.0
    for model in [only] if only else MODELS[name]:
        for seed in ((0,) if model not in KINDS else SEEDS[name] if one is None else (one,)):
            path = keep and keep / f"{name} {model} {seed}"
            rows, took = results.kept(path, lambda: measure(model, seed, dataset, split, asked, law))
            seconds += took
            for row, (report, chance) in rows.items():
                reports.setdefault(row, []).append(report)
                chances.setdefault(row, []).append(chance)
    if only is None and one is None:
        settings = {row: settings_of(name, row.partition(",")[0]) for row in reports}
        save("written_lists" if name == "shop" else f"written_lists_{name}", TITLES[name], PROTOCOLS[name], reports, chances,
             PAIRS, settings, dataset, seconds, SEEDS[name])


def worlds(dataset, keep=None):
    """The observer's lists in shops whose items pull each other not at all, as they do, and twice as much."""
    reports, chances, pairs, seconds = {}, {}, [], 0.0
    for pull in PULLS:
        def watch():
            start, shop = time.process_time(), recbook.load("shop", complements=float(pull), intent=float(pull))
            cases, context, _ = questions(shop, cut(shop).refit().test)
            cases = cases.subset(np.arange(len(cases)) % 3 == 0)
            context, observer = cases.context(), blind(shop)
            law = observer.following(context)
            found = {way: (recbook.compare_lists({way: items}, on=cases).reports[way], float(truly(law, items).median()))
                     for way, items in lists_of(observer, context).items()}
            return found, time.process_time() - start

        found, took = results.kept(keep and keep / f"world {pull}", watch)
        seconds += took
        for way, (report, chance) in found.items():
            reports[f"pull {pull}, {way}"], chances[f"pull {pull}, {way}"] = [report], [chance]
        pairs += [(f"pull {pull}, {way}", f"pull {pull}, ranked") for way in WAYS[1:]]
    save("written_lists_worlds", "The observer's lists, by how much items pull each other",
         "each third customer, the next five looks; complements and intent of the shop's law are the pull", reports,
         chances, pairs, {}, dataset, seconds, (0,))


def save(name, headline, protocol, reports, chances, pairs, settings, dataset, seconds, seeds):
    """Write a table; a difference is of two rows on the same questions."""
    rows = {}
    for row, runs in reports.items():
        less = {}
        for other in (other for one, other in pairs if one == row and other in reports):
            both = Comparison({of: average(reports[of]) for of in (row, other)})
            less[other] = {metric: both.difference(row, other, metric) for metric in METRICS}
        heading = row if row.startswith("pull") else title(row)
        rows[row] = {"title": heading, "measured": results.summary(runs, METRICS), "published": {}, "source": "",
                     "settings": settings.get(row, {}), "less": less}
        if chances[row][0] is not None:
            rows[row]["truly"] = chances[row]                           # of each seed
    results.save(name, headline, protocol, rows, dataset, seconds, seeds)


# ------------------------------------------------------------------------------------------------ the settings


def tune(dataset, only=None):
    """Print what validation says of each setting: the surprise at what followed; the test is sealed."""
    split = cut(dataset).sealed()
    cases, context, exclude = questions(dataset, split.validation)
    followed, rows = torch.tensor(cases.followed(K)), torch.arange(len(cases))
    for name in [only] if only else ("gru", "five", "writer"):
        kind, _, ways = KINDS[name]
        for values in itertools.product(*GRID.values()):
            start, settings = time.process_time(), settings_of(dataset.name, name) | dict(zip(GRID, values))
            model = train(kind, split, settings, 0)
            with torch.no_grad():
                law = model.following(context) if name != "gru" else decoding.asked_again(model, context)
                if name == "five":                                      # one distribution for all five
                    surprise = -law(rows, followed[:, :0]).gather(1, followed).mean()
                else:
                    surprise = -truly(law, followed).mean() / K
            lists = lists_of(model, context, exclude, ways=ways[:2])
            overlap = {way: round(recbook.compare_lists({way: items}, on=cases).reports[way]["overlap"], 4)
                       for way, items in lists.items()}
            print(name, dict(zip(GRID, values)), f"surprise {surprise:.4f}", overlap,
                  f"{time.process_time() - start:.0f} s", flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="writing_a_list", description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", choices=list(MODELS), help="only this one's table (the worlds' with the shop's)")
    parser.add_argument("--tune", action="store_true", help="show validation; writes nothing")
    parser.add_argument("--only", choices=[*MODELS["shop"], "worlds"], help="one model, of which nothing is written; or the worlds")
    parser.add_argument("--keep", type=Path, help="a folder where each run is kept: an interrupted experiment goes on")
    parser.add_argument("--seed", type=int, help="one seed, of which nothing is written")
    arguments = parser.parse_args(argv)
    for name in [arguments.dataset] if arguments.dataset else MODELS:
        dataset = recbook.load(name)
        if arguments.tune:
            tune(dataset, arguments.only)
            continue
        if arguments.only != "worlds":
            experiment(dataset, arguments.keep, arguments.only, arguments.seed)
        if name == "shop" and arguments.only in (None, "worlds") and arguments.seed is None:
            worlds(dataset, arguments.keep)


if __name__ == "__main__":
    main()
