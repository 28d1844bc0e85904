"""Why do neighbours do better when they read less? The same model in shops without one mechanism each.

In each world user-kNN (k = 80, as validation of the default shop says) is trained on the first nine tenths and asked
every fourth question of the last tenth, reading the last ten events of a history and reading all of it. Taken out, alone
and together: the drift of taste; what makes a visit hang together (the pull of the last item's style and of the
categories looked at before). Nothing is tuned in a world of its own.
"""

import argparse
import time

import numpy as np

import recbook
from recbook import results

NAME = "controls_neighbours"
TITLE = "User-kNN that reads ten events and all of them, in four shops"
PROTOCOL = ("train on the first nine tenths; rank all items for every fourth event of the last tenth; histories hold all "
            "earlier events, those of the test's period too; nothing is masked; one run, as nothing is random")
NO_THEME = {"intent": 0.0, "complements": 0.0}
WORLDS = {
    "the shop": {},
    "taste stays": {"drift": 0.0},
    "visits have no theme": NO_THEME,
    "neither": {"drift": 0.0, **NO_THEME},
}
K, READS = 80, 10


def measure(world):
    """The two rows of one world: a `Comparison`, and the shop."""
    shop = recbook.load("shop", **WORLDS[world])
    split = recbook.by_time(shop).refit()
    cases = split.test.subset(np.arange(len(split.test)) % 4 == 0)
    model = recbook.UserKNN(shop.n_users, shop.n_items, k=K).fit(split)
    reports = {}
    for reads, said in ((READS, f"the last {READS}"), (None, "everything")):
        model.reads = reads
        reports[f"{world}, {said}"] = recbook.evaluate(model, cases, ["NDCG@10"])
    return recbook.evaluation.Comparison(reports, cases), shop


def main(argv=None):
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=list(WORLDS), help="default: all of them")
    arguments = parser.parse_args(argv)
    for world in [arguments.only] if arguments.only else WORLDS:
        start = time.perf_counter()
        comparison, shop = measure(world)
        short, full = comparison.reports
        settings = {short: {"k": K, "reads": READS, **WORLDS[world]}, full: {"k": K, **WORLDS[world]}}
        results.save_comparison(NAME, TITLE, PROTOCOL, comparison, shop, time.perf_counter() - start,
                                settings=settings, pairs=[(short, full)])
        print(comparison.by_answer().round(4).to_string(), flush=True)


if __name__ == "__main__":
    main()
