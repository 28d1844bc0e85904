"""Lists of five, written and ranked: what they hold, in which order, and how likely they are where that is known.

written_lists: the simulated shop, each customer's next five looks, asked once a customer in the last tenth of the year.
Models read items alone, and so does the observer. Nothing is masked; no list repeats an item. "truly" is the logarithm of a
list's probability under the shop's law, the median over the questions.

written_lists_ml-1m: MovieLens 1M, the first five films of each user's last fifth, asked after all before it; what was met
is ruled out. Many films of a user have the same second: within it their order is that of the file.

Ways to make a list: *ranked*, the five best as next item; *greedy* and *beam* (ten beginnings), each item knowing those
before it; *within*, the five with the highest chance to stand in a list that is drawn (twenty draws). A model of the next item writes when it is asked
five times, its answers in the history. Three seeds; every list is judged, and each question's values are averaged over them.

`--tune` shows validation (overlap of greedy lists, and the surprise at what followed) by width, rate and number of passes.
"""

import argparse
import itertools
import time

import numpy as np
import torch

import recbook
from recbook import decoding, results
from recbook.evaluation import Comparison, average

K, DRAWS, SEEDS = 5, 20, (0, 1, 2)
NAMES = {"shop": "written_lists", "ml-1m": "written_lists_ml-1m"}
TITLES = {"shop": "The next five looks of the shop's customers, as a list",
          "ml-1m": "MovieLens 1M, the next five films, as a list"}
PROTOCOL = {"shop": "one question a customer in the last tenth of the year, the next five looks; no list repeats an item; "
                    "three seeds",
            "ml-1m": "one question a user, after the first four fifths of their films: the next five, of those not yet met; "
                     "three seeds"}
METRICS = ("overlap", "in order", "in place")
SETTINGS = {    # as chosen by --tune
    "shop": {"writer": {"dim": 32, "length": 10, "hidden": 64, "targets": K, "dropout": 0.1, "epochs": 4, "batch_size": 1024,
                        "learning_rate": 0.005},
             "gru": {"dim": 32, "length": 20, "hidden": 64, "dropout": 0.1, "epochs": 8, "batch_size": 2048,
                     "learning_rate": 0.005}},
    "ml-1m": {"writer": {"dim": 64, "length": 20, "hidden": 128, "targets": K, "dropout": 0.2, "epochs": 4,
                         "batch_size": 1024, "learning_rate": 0.002},
              "gru": {"dim": 64, "length": 50, "hidden": 128, "dropout": 0.2, "epochs": 20, "batch_size": 2048,
                      "learning_rate": 0.002}},
}
GRID = {"dim": (32, 64), "learning_rate": (0.002, 0.005), "dropout": (0.1, 0.3)}
KINDS = {"writer": recbook.Writer, "gru": recbook.GRU4Rec}
WAYS = ("ranked", "greedy", "beam", "within")
ROWS = {"popularity, ranked": "Popularity", **{f"{name}, {way}": f"{title}, {way}"
        for name, title in (("gru", "GRU of the next item"), ("even", "Writer with even weights"), ("writer", "Writer"),
                            ("observer", "Observer")) for way in WAYS}}
ROWS |= {f"gru, {way}": f"GRU of the next item, asked again, {way}" for way in ("greedy", "beam", "within")}
PAIRS = [("writer, greedy", "gru, greedy"), ("writer, beam", "gru, beam"), ("writer, within", "gru, within"),
         ("writer, ranked", "gru, ranked"), ("writer, greedy", "even, greedy"), ("writer, beam", "writer, greedy"),
         ("writer, greedy", "writer, ranked"), ("writer, within", "writer, ranked"), ("gru, greedy", "gru, ranked"),
         ("gru, within", "gru, ranked"), ("observer, within", "observer, beam"), ("observer, within", "observer, ranked"),
         ("observer, within", "writer, within"), ("observer, beam", "writer, beam")]


class Even(recbook.Writer):
    """The control: attention with even weights."""

    def attend(self, state, keys, real):
        return real / real.sum(1, keepdim=True).clamp(min=1).to(keys.dtype)


def questions(split, cases):
    """The first question of each user after which enough follows within the part that is asked, and what is not written."""
    last = np.minimum(cases.ends + K, cases.log.starts[cases.users + 1]) - 1
    within = cases.log.times[last] <= cases.now.max()                   # or validation would be judged by the test's events
    enough = np.flatnonzero((cases.followed(K).min(1) >= 0) & within)
    keep = np.zeros(len(cases), dtype=bool)
    keep[enough[np.unique(cases.users[enough], return_index=True)[1]]] = True
    cases = cases.subset(keep)
    context = cases.context()
    return cases, context, context.items if split.dataset.name == "ml-1m" else None


def cut(dataset):
    return recbook.by_ratio(dataset, validation=0.1, test=0.2) if dataset.name == "ml-1m" else recbook.by_time(dataset)


def train(kind, split, settings, seed):
    settings = dict(settings)
    training = {key: settings.pop(key) for key in ("epochs", "batch_size", "learning_rate")}
    recbook.seed_everything(seed)
    model = kind(split.n_users, split.n_items, **settings)
    recbook.fit(model, split, seed=seed, device="cpu", progress=False, **training)
    return model.eval()


def lists_of(model, context, exclude, seed=0, ways=WAYS):
    """{way: items (B, K)}"""
    generator, found = torch.Generator().manual_seed(seed), {}
    for way in ways:
        if way == "ranked":
            found[way] = model.top(context, K, exclude)[0]
        elif way == "within":
            found[way] = decoding.chance_within(model, context, K, DRAWS, exclude, generator).topk(K).indices
        else:
            found[way] = decoding.write(model, context, K, way, exclude=exclude)[0]
    return found


def truly(law, items):
    """The log probability of lists under the law: (B,)."""
    rows = torch.arange(len(items))
    return sum(law(rows, items[:, :step]).gather(1, items[:, [step]])[:, 0] for step in range(K))


def measure(dataset):
    """{row: average `Report` over seeds}, {row: median log probability under the law}, and the questions."""
    split = cut(dataset).refit()
    cases, context, exclude = questions(split, split.test)
    law, lists = None, {"popularity, ranked": [lists_of(recbook.Popularity(split.n_users, split.n_items).fit(split), context,
                                                        exclude, ways=("ranked",))["ranked"]]}
    if dataset.truth is not None:
        observer = recbook.Observer(dataset, behaviours=False, ratings=False, pauses=False)
        law = observer.following(context)
        lists |= {f"observer, {way}": [items] for way, items in lists_of(observer, context, exclude).items()}
    for seed, (name, kind) in itertools.product(SEEDS, (*KINDS.items(), ("even", Even))):
        model = train(kind, split, SETTINGS[dataset.name]["gru" if name == "gru" else "writer"], seed)
        for way, items in lists_of(model, context, exclude, seed).items():
            lists.setdefault(f"{name}, {way}", []).append(items)
        print(name, seed, flush=True)
    reports = {name: [recbook.compare_lists({name: items}, on=cases).reports[name] for items in runs]
               for name, runs in lists.items()}
    chances = {name: [float(truly(law, items).median()) for items in runs] for name, runs in lists.items()} if law else {}
    return reports, chances, cases


def tune(dataset):
    """Print what validation says of each setting, pass by pass; the test is sealed."""
    split = cut(dataset).sealed()
    cases, context, exclude = questions(split, split.validation)
    followed, rows = torch.tensor(cases.followed(K)), torch.arange(len(cases))
    for name, values in itertools.product(KINDS, itertools.product(*GRID.values())):
        settings = SETTINGS[dataset.name][name] | dict(zip(GRID, values))
        longest = settings.pop("epochs")
        for epochs in sorted({max(1, longest // 2), longest, 2 * longest}):
            start = time.perf_counter()
            model = train(KINDS[name], split, settings | {"epochs": epochs}, 0)
            lists = lists_of(model, context, exclude, ways=("greedy", "ranked"))
            with torch.no_grad():
                law = model.following(context) if name == "writer" else decoding.asked_again(model, context)
                surprise = -truly(law, followed).mean() / K
            overlap = {way: round(recbook.compare_lists({way: items}, on=cases).reports[way]["overlap"], 4)
                       for way, items in lists.items()}
            print(name, dict(zip(GRID, values)), epochs, overlap, f"surprise {surprise:.4f}",
                  f"{time.perf_counter() - start:.0f} s", flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="writing_a_list", description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", choices=list(NAMES), default="shop")
    parser.add_argument("--tune", action="store_true", help="show validation; writes nothing")
    arguments = parser.parse_args(argv)
    dataset = recbook.load(arguments.dataset)
    if arguments.tune:
        tune(dataset)
        return
    start = time.perf_counter()
    reports, chances, _ = measure(dataset)
    compared = Comparison({name: average(runs) for name, runs in reports.items()})
    rows = {}
    for name, runs in reports.items():
        less = {other: {metric: compared.difference(name, other, metric) for metric in METRICS}
                for one, other in PAIRS if one == name and other in reports}
        settings = SETTINGS[arguments.dataset].get(name.partition(",")[0].replace("even", "writer"), {})
        rows[name] = {"title": ROWS[name], "measured": results.summary(runs, METRICS), "published": {}, "source": "",
                      "settings": settings, "less": less}
        if name in chances:
            rows[name]["truly"] = chances[name]                         # the median log probability of each seed
    results.save(NAMES[arguments.dataset], TITLES[arguments.dataset], PROTOCOL[arguments.dataset], rows, dataset,
                 time.perf_counter() - start, seeds=SEEDS)


if __name__ == "__main__":
    main()
