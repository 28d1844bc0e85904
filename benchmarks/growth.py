"""CPU seconds and memory of every model as a log grows, one thing at a time: python benchmarks/growth.py [MODEL ...]

The log at its smallest: 1,000 users with ten events each, 1,000 items, of which the second half is taken a tenth as often
as the first. Then one of four things grows, the others stay:
users           twice, four and eight times as many, each with ten events
items           twice, four and eight times as many, with the same number of events
events          twice, four and eight times as many of each user
longest user    one user more, with 1,000 events, then twice, four and eight times as many
Clocked: `fit` (one epoch where a model learns by steps) and the evaluation of one question about every user, all items
ranked. Each in a process of its own on one core; memory is the most that it held beyond what it held with the log loaded.
The quicker of two runs. Settings are the constructors' own, but for PureSVD and the length of a batch.
"""

import argparse
import multiprocessing
import resource
import time
import warnings

import common
import numpy as np
import pandas as pd

NAME = "growth"
TITLE = "CPU seconds and memory of every model as a log grows"
PROTOCOL = ("made logs: 1,000 users with ten events, 1,000 items; one thing grows at a time. CPU seconds of fit (one epoch) and "
            "of ranking all items for one question about every user, one core; memory: the most held, beyond what was held "
            "before; the quicker of two runs")
TIMES = (1, 2, 4, 8)
AXES = ("users", "items", "events", "longest user")
RUNS = 2
RATINGS = ("bias", "funk-svd", "svd++", "knn-baseline", "autorec")


def log(axis, times):
    """A data set with everything that a model may ask for: ratings, friends, texts, categories."""
    import recbook

    n_users, n_items, each = (1000 * (times if axis == "users" else 1), 1000 * (times if axis == "items" else 1),
                              10 * (times if axis == "events" else 1))
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(n_users), each)
    if axis == "longest user":
        user = np.append(user, np.full(1000 * times, n_users))
    weight = np.where(np.arange(n_items) < n_items // 2, 1.0, 0.1)
    item = rng.choice(n_items, len(user), p=weight / weight.sum())
    events = pd.DataFrame({"user": user, "item": item, "timestamp": rng.integers(10**9, 2 * 10**9, len(user)),
                           "rating": rng.integers(1, 6, len(user)).astype(float)})
    words = np.array(["red", "blue", "cup", "shoe", "lamp", "small", "large", "old"])
    items = pd.DataFrame({"item": np.arange(n_items), "category": words[np.arange(n_items) % 8],
                          "text": [" ".join(chosen) for chosen in words[rng.integers(0, 8, (n_items, 4))]]})
    items = items[items["item"].isin(item)]
    friends = pd.DataFrame(rng.choice(user, (2 * n_users, 2)), columns=["user", "friend"])
    friends = friends[friends["user"] != friends["friend"]].drop_duplicates()
    return recbook.from_frame(events, f"{axis} x{times}", timestamp="timestamp", rating="rating", items=items, friends=friends,
                              items_return=True)


def clocked(name, axis, times, answer):
    """One run, in a process of its own."""
    import recbook
    from recbook.models import MODELS

    warnings.simplefilter("ignore")
    split = recbook.leave_last_out(log(axis, times))
    settings = {"dim": 32} if name == "pure-svd" else {}
    model = MODELS[name](split.n_users, split.n_items, **settings)
    metric = "RMSE" if name in RATINGS else "NDCG@10"
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    recbook.fit(model, split, epochs=1, batch_size=512, progress=False, device="cpu")
    fitted = time.process_time()
    recbook.evaluate(model, split.test, [metric])
    answer.put({"fit, CPU seconds": fitted - start, "ranking, CPU seconds": time.process_time() - fitted,
                "memory, MiB": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) / 1024})


def run(name, axis, times):
    """The quicker of some runs."""
    context, found = multiprocessing.get_context("fork"), []
    for _ in range(RUNS):
        answer = context.Queue()
        child = context.Process(target=clocked, args=(name, axis, times, answer))
        child.start()
        child.join()
        if child.exitcode:
            raise RuntimeError(f"{name}, {axis} x{times}: ended with {child.exitcode}")
        found.append(answer.get())
    return {key: min(one[key] for one in found) for key in found[0]}


def measure(name):
    """A row: each measured number of each size, by the name of `called`."""
    measured = {}
    for axis in AXES:
        for times in TIMES:
            for what, value in run(name, axis, times).items():
                measured[called(what, axis, times)] = {"value": value}
    return {"title": name, "measured": measured, "published": {}, "source": "", "settings": {"runs": RUNS}}


def called(what, axis, times):
    return f"{what}, {axis} x{times}"


def main(argv=None):
    import recbook
    import torch
    from recbook.models import MODELS

    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition(":")[0])
    parser.add_argument("names", nargs="*", metavar="MODEL", help="default: all of them")
    names = parser.parse_args(argv).names or MODELS
    torch.set_num_threads(1)
    recbook.fit(recbook.BPRMF(3, 3), recbook.everything(recbook.from_frame(pd.DataFrame({"user": [0, 1, 2], "item": [0, 1, 2]}))),
                epochs=1, progress=False, device="cpu")                 # what every process would load again
    for name in names:
        start = time.perf_counter()
        row = measure(name)
        recbook.results.save(NAME, TITLE, PROTOCOL, {name: row}, log("users", 1), time.perf_counter() - start)
        print(name, f"{time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
