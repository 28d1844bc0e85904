"""Controls of the chapter on measuring: MovieLens 1M, where nobody meets a film twice, so that sampling alone changes.

EASE with several penalties, as in `sampled_or_full`: `ml-1m-ncf`'s training part, each user's last training item is
the question; met items are left out in both protocols. Measured among all films that the user has not met (NDCG@10,
HR@10 and HR@370: the first tenth of the 3,706 items) and among 99 sampled ones (NDCG@10, HR@10), one draw, seed 0.
The paired differences of two penalties are kept. No test item is looked at.
"""

import argparse
import time

import recbook
from recbook import results
from recbook.evaluation import Comparison, Report

NAME = "controls_measuring"
TITLE = "EASE on MovieLens 1M: two penalties, ranked among all items and among 99"
PROTOCOL = ("each user's last training item asked, 6,040 questions; met items left out in both protocols; among all "
            "other films, or among 99 drawn uniformly from those the user never met; ties in random order")
PENALTIES = (100, 300, 1000, 3000)
PAIRS = [(3000, 100), (1000, 100), (3000, 300), (1000, 300)]


def measure(penalty, split, sampled):
    """The report of one penalty, by both protocols."""
    model = recbook.EASE(split.n_users, split.n_items, l2=float(penalty)).fit(split)
    full = recbook.evaluate(model, split.validation, ["NDCG@10", "HR@10", "HR@370"])
    among = recbook.evaluate(model, sampled, ["NDCG@10", "HR@10"])
    parts = {"all items": full, "99 sampled": among}
    return Report({f"{metric}, {name}": values for name, report in parts.items()
                   for metric, values in report.values.items()},
                  {f"{metric}, {name}": users for name, report in parts.items()
                   for metric, users in report.users.items()})


def main(argv=None):
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0])
    parser.add_argument("--only", type=int, choices=PENALTIES, help="show this penalty's numbers; writes nothing")
    arguments = parser.parse_args(argv)
    split = recbook.load("ml-1m-ncf").published
    sampled = recbook.sample_candidates(split.validation, 99, seed=0)
    if arguments.only:
        report = measure(arguments.only, split, sampled)
        print({metric: round(report[metric], 4) for metric in report.values})
        return
    start = time.perf_counter()
    comparison = Comparison({f"penalty {penalty}": measure(penalty, split, sampled) for penalty in PENALTIES})
    metrics, rows = list(next(iter(comparison.reports.values())).values), {}
    for penalty in PENALTIES:
        title = f"penalty {penalty}"
        less = {f"penalty {other}": {metric: comparison.difference(title, f"penalty {other}", metric)
                                     for metric in metrics} for one, other in PAIRS if one == penalty}
        rows[title] = {"title": title, "measured": results.summary([comparison.reports[title]]), "published": {},
                       "source": "", "settings": {"l2": float(penalty)}, "less": less}
    results.save(NAME, TITLE, PROTOCOL, rows, split.dataset, time.perf_counter() - start)
    print(results.table(NAME).to_string())


if __name__ == "__main__":
    main()
