"""MovieLens 1M, EASE with several penalties: which one looks best when all items are ranked, and which among 99?

Protocol: `ml-1m-ncf`'s training part; each user's last training item is the question, among all 3,706 items or among 99
random ones that the user never met (one draw, seed 0). No test item is looked at: this is about choosing a setting.
"""

import argparse
import time

import recbook
from recbook import results

NAME = "sampled_or_full"
TITLE = "EASE on MovieLens 1M: a setting chosen by ranking all items, or 99 sampled ones"
PROTOCOL = "each user's last training item, among all 3,706 items and among 99 sampled ones; mean over 6,040 users"
PENALTIES = (10, 30, 100, 300, 1000, 3000)


def measure(penalty, split):
    """The row of one penalty."""
    model = recbook.EASE(split.n_users, split.n_items, l2=float(penalty)).fit(split)
    measured = {}
    cases = {"all items": split.validation, "99 sampled": recbook.sample_candidates(split.validation, 99, seed=0)}
    for name, some in cases.items():
        numbers = results.summary([recbook.evaluate(model, some, ["NDCG@10"])])
        measured[f"NDCG@10, {name}"] = numbers["NDCG@10"]
    return {"title": f"penalty {penalty}", "measured": measured, "published": {}, "source": "",
            "settings": {"l2": float(penalty)}}


def main(argv=None):
    argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0]).parse_args(argv)
    split = recbook.load("ml-1m-ncf").published
    for penalty in PENALTIES:
        start = time.perf_counter()
        row = measure(penalty, split)
        results.save(NAME, TITLE, PROTOCOL, {str(penalty): row}, split.dataset, time.perf_counter() - start)
    print(results.table(NAME).to_string())


if __name__ == "__main__":
    main()
