"""Controls of the chapter on measuring: sampling alone, and the shop's lists without the things that were met.

*Sampling*: MovieLens 1M, where nobody meets a film twice, so that sampling alone changes.
EASE with several penalties, as in `sampled_or_full`: `ml-1m-ncf`'s training part, each user's last training item is
the question; met items are left out in both protocols. Measured among all films that the user has not met (NDCG@10,
HR@10 and HR@370: the first tenth of the 3,706 items) and among 99 sampled ones (NDCG@10, HR@10), one draw, seed 0.
The paired differences of two penalties are kept. No test item is looked at.

*Met*: the shop's test, the models and settings of the chapters on measuring and on neighbours. Each model's lists are
taken as they are, and again without the things that stand in the customer's whole history, however little of it the
model reads. Nothing else changes. An answer that was met is then never found; what counts is the column of new answers.
"""

import argparse
import time

import torch

import recbook
from recbook import results
from recbook.evaluation import Comparison, Report
from recbook.models.base import Recommender, interaction_matrix

NAME = "controls_measuring"
TITLE = "EASE on MovieLens 1M: two penalties, ranked among all items and among 99"
PROTOCOL = ("each user's last training item asked, 6,040 questions; met items left out in both protocols; among all "
            "other films, or among 99 drawn uniformly from those the user never met; ties in random order")
PENALTIES = (100, 300, 1000, 3000)
PAIRS = [(3000, 100), (1000, 100), (3000, 300), (1000, 300)]

MET = f"{NAME}_met"
MET_TITLE = "The shop's models, with the things that a customer has met in the lists and without them"
MET_PROTOCOL = ("the shop's test, 25,000 questions; trained on validation, too; all things ranked, or all but those in "
                "the customer's history up to the question")
LEFT_OUT = ", met left out"


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


class Unmet(Recommender):
    """A model whose lists leave out what stands in the whole history."""

    reads = None

    def __init__(self, model):
        super().__init__()
        self.model = model

    def scores(self, context, items=None):
        scores = torch.as_tensor(self.model.scores(context))
        met = interaction_matrix(context.items, scores.shape[1]).bool()
        return scores.masked_fill(met, -torch.inf)


def met_left_out():
    """The comparison of the shop's models with and without what was met; writes it."""
    start = time.perf_counter()
    shop = recbook.load("shop")
    split = recbook.by_time(shop).refit()
    settings = {"popularity": {}, "personal popularity": {}, "item kNN": {"reads": 40},
                "item kNN, 300 neighbours": {"k": 300, "reads": 40}, "user kNN": {"k": 80, "reads": 10},
                "RP3beta": {"k": 300, "reads": 40}, "EASE": {"l2": 2000.0, "reads": 40},
                "PureSVD": {"dim": 6, "reads": 10}, "PureSVD, reads all": {"dim": 6}, "observer": {}}
    kinds = {"popularity": recbook.Popularity, "personal popularity": recbook.PersonalPopularity,
             "item kNN": recbook.ItemKNN, "item kNN, 300 neighbours": recbook.ItemKNN, "user kNN": recbook.UserKNN,
             "RP3beta": recbook.RP3Beta, "EASE": recbook.EASE, "PureSVD": recbook.PureSVD,
             "PureSVD, reads all": recbook.PureSVD}
    models = {name: kind(shop.n_users, shop.n_items, **settings[name]).fit(split) for name, kind in kinds.items()}
    models["observer"] = recbook.Observer(shop)
    models |= {name + LEFT_OUT: Unmet(model) for name, model in models.items()}
    comparison = recbook.compare(models, on=split.test, metrics=["NDCG@10"])
    print(comparison.by_answer().round(4).to_string())
    pairs = [(name + LEFT_OUT, name) for name in settings]
    pairs += [(one + LEFT_OUT, other + LEFT_OUT) for one, other in (
        ("personal popularity", "popularity"), ("user kNN", "item kNN, 300 neighbours"), ("user kNN", "RP3beta"),
        ("user kNN", "PureSVD"), ("RP3beta", "item kNN, 300 neighbours"), ("item kNN", "EASE"), ("item kNN", "PureSVD"),
        ("item kNN", "PureSVD, reads all"), ("EASE", "PureSVD"), ("PureSVD", "PureSVD, reads all"),
        ("PureSVD, reads all", "popularity"), ("item kNN", "personal popularity"))]
    settings |= {name + LEFT_OUT: settings[name] for name in list(settings)}
    results.save_comparison(MET, MET_TITLE, MET_PROTOCOL, comparison, shop, time.perf_counter() - start,
                            settings=settings, pairs=pairs)
    for one, other in pairs:
        gap = results.difference(MET, one, other, part="new")
        print(f"{one} less {other}: {gap['difference']:+.4f} ({gap['low']:+.4f} to {gap['high']:+.4f})")


def main(argv=None):
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=("sampling", "met"), help="default: both")
    parser.add_argument("--penalty", type=int, choices=PENALTIES, help="show its numbers; writes nothing")
    arguments = parser.parse_args(argv)
    if arguments.only in (None, "met") and not arguments.penalty:
        met_left_out()
    if arguments.only == "met":
        return
    split = recbook.load("ml-1m-ncf").published
    sampled = recbook.sample_candidates(split.validation, 99, seed=0)
    if arguments.penalty:
        report = measure(arguments.penalty, split, sampled)
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
