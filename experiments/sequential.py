"""The sequential models on their papers' splits: SASRec's and Caser's MovieLens 1M, and Diginetica's sessions.

ml_1m_sasrec: Kang and McAuley, ICDM 2018. The last item of each user is the test and the one before it validation;
neither trains, and the history that is asked about holds the validation item. All 3,416 items are ranked, but for
those of that history, as in the code of Klenitskiy and Vasilev, RecSys 2023, whose values are published; only for
popularity the validation item is ranked too, as its published value has it. ml_1m_sasrec_sampled: the same models by
the paper's protocol, the right item among 100 random ones that the user never met, a new draw for each seed; published
by the paper, for GRU4Rec and Caser as its authors ran them.

ml_1m_caser: Tang and Wang, WSDM 2018. Each user's first 70 % of items train, the next 10 % are validation, the last
20 % the test, all of them right answers at once; trained anew with validation included, as there. All items are
ranked, but for those of the user's history.

diginetica: the click sessions as SR-GNN's authors prepared them; every click of a test session after its first is a
case; no item is masked, since items return. Published: NARM as Wu et al., AAAI 2019, report it.

Settings are chosen by hand on validation, which `--tune` prints while a model trains; the weights of several models are
the best of a grid on validation (3,000 users of it), one model added after the other. With `--keep FOLDER` an
interrupted run goes on where it was, and models are trained once.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import recbook
from recbook import results
from recbook.models import Weighted, find_model
from recbook.training import best_device

CASER = {"model": "caser", "dim": 50, "length": 5, "targets": 3, "dropout": 0.5, "epochs": 20, "batch_size": 512,
         "learning_rate": 0.001}
MIXED = {"model": "sasrec", "dim": 64, "length": 200, "blocks": 2, "heads": 1, "dropout": 0.1, "spread": 0.02,
         "epochs": 50, "batch_size": 12_800, "learning_rate": 0.0015, "recent": 200, "mixed": True}


def last_item(split, model, seed):
    known = replace(split.test, masked=split.refit().matrix())
    cases = split.test if isinstance(model, recbook.Popularity) else known
    return {"ml_1m_sasrec": recbook.evaluate(model, cases, ("Recall@10", "NDCG@10"), seed=seed),
            "ml_1m_sasrec_sampled": recbook.evaluate(model, recbook.sample_candidates(split.test, 100, seed),
                                                     ("HR@10", "NDCG@10"), seed=seed)}


def last_fifth(split, model, seed):
    return {"ml_1m_caser": recbook.evaluate(model, split.test, tuple(TABLES["ml_1m_caser"]["metrics"]), seed=seed)}


def next_click(split, model, seed):
    return {"diginetica": recbook.evaluate(model, split.test, ("HR@20", "MRR@20"), seed=seed)}


DATA = {     # data set: (what it measures, the metric of validation, whether validation trains in the end)
    "ml-1m-sasrec": (last_item, "NDCG@10", False),
    "ml-1m-caser": (last_fifth, "MAP", True),
    "diginetica-sessions": (next_click, "MRR@20", True),
}
TABLES = {
    "ml_1m_sasrec": {
        "title": "MovieLens 1M, each user's last item among all 3,416 items",
        "protocol": "train on all but each user's last two items; rank all items but those of the history; "
                    "mean over 6,040 users",
        "metrics": ("Recall@10", "NDCG@10"),
        "source": "Klenitskiy and Vasilev, RecSys 2023",
        "published": {"popularity": (0.0368, 0.0179), "sasrec-binary": (0.2392, 0.1259), "sasrec": (0.3147, 0.1825),
                      "sasrec-mixed": (0.3147, 0.1825), "sasrec-as-coded": (0.3147, 0.1825),
                      "sasrec-higher-rate": (0.3147, 0.1825)},
    },
    "ml_1m_sasrec_sampled": {
        "title": "MovieLens 1M, each user's last item among 100 random ones",
        "protocol": "Kang and McAuley 2018: train on all but each user's last two items; rank the last among 100 "
                    "random items that the user never met; mean over 6,040 users",
        "metrics": ("HR@10", "NDCG@10"),
        "source": "Kang and McAuley, ICDM 2018",
        "published": {"popularity": (0.4329, 0.2377), "gru4rec": (0.5581, 0.3381), "caser": (0.7886, 0.5538),
                      "sasrec-binary": (0.8245, 0.5905)},
    },
    "ml_1m_caser": {
        "title": "MovieLens 1M, each user's last fifth of items",
        "protocol": "Tang and Wang 2018: train on each user's first 80 %; rank all items but those trained on; all "
                    "items of the last 20 % are right; mean over 6,040 users",
        "metrics": ("Precision@1", "Precision@5", "Precision@10", "Recall@1", "Recall@5", "Recall@10", "MAP"),
        "source": "Tang and Wang, WSDM 2018",
        "published": {"caser": (0.2502, 0.2175, 0.1991, 0.0148, 0.0632, 0.1121, 0.1507),
                      "caser-one-negative": (0.2502, 0.2175, 0.1991, 0.0148, 0.0632, 0.1121, 0.1507)},
    },
    "diginetica": {
        "title": "Diginetica, the next click of a session",
        "protocol": "each click of a test session after its first, after those before it; all 43,097 items ranked; "
                    "mean over 60,858 cases",
        "metrics": ("HR@20", "MRR@20"),
        "source": "Wu et al., AAAI 2019",
        "published": {"narm": (0.4970, 0.1617)},
    },
}
# (data set, model): (title, settings)
ROWS = {
    ("ml-1m-sasrec", "popularity"): ("Popularity", {"model": "popularity"}),
    ("ml-1m-sasrec", "caser"): ("Caser", {**CASER, "negatives": 3}),
    ("ml-1m-sasrec", "gru4rec"): ("GRU4Rec, cross-entropy", {
        "model": "gru4rec", "dim": 64, "hidden": 128, "length": 200, "dropout": 0.2, "epochs": 20, "batch_size": 8000,
        "learning_rate": 0.002}),
    ("ml-1m-sasrec", "sasrec-binary"): ("SASRec, one negative", {
        "model": "sasrec", "dim": 64, "length": 200, "blocks": 2, "heads": 1, "negatives": 1, "dropout": 0.1,
        "spread": 0.02, "epochs": 100, "batch_size": 8000, "learning_rate": 0.001}),
    ("ml-1m-sasrec", "sasrec"): ("SASRec, cross-entropy", {
        "model": "sasrec", "dim": 64, "length": 200, "blocks": 2, "heads": 1, "dropout": 0.1, "spread": 0.02,
        "epochs": 70, "batch_size": 25_600, "learning_rate": 0.0015}),
    ("ml-1m-sasrec", "sasrec-mixed"): ("SASRec, cross-entropy, lengths mixed", MIXED),
    ("ml-1m-sasrec", "sasrec-as-coded"): ("SASRec, cross-entropy, lengths mixed, blocks as coded",
                                          {**MIXED, "as_coded": True}),
    ("ml-1m-sasrec", "sasrec-higher-rate"): ("SASRec, cross-entropy, lengths mixed, blocks as coded, twice the rate",
                                             {**MIXED, "as_coded": True, "learning_rate": 0.003}),
    ("ml-1m-sasrec", "ease"): ("EASE", {"model": "ease", "l2": 300.0}),
    ("ml-1m-sasrec", "sasrec+gru4rec"): ("SASRec and GRU4Rec, weighted", {"parts": ["sasrec", "gru4rec"]}),
    ("ml-1m-sasrec", "sasrec+gru4rec+ease"): ("SASRec, GRU4Rec and EASE, weighted",
                                              {"parts": ["sasrec", "gru4rec", "ease"]}),
    ("ml-1m-caser", "popularity"): ("Popularity", {"model": "popularity"}),
    ("ml-1m-caser", "caser"): ("Caser", {**CASER, "negatives": 3}),
    ("ml-1m-caser", "caser-one-negative"): ("Caser, one negative a target", {**CASER, "negatives": 1}),
    ("diginetica-sessions", "popularity"): ("Popularity", {"model": "popularity"}),
    ("diginetica-sessions", "narm"): ("NARM", {
        "model": "narm", "dim": 64, "hidden": 100, "length": 20, "epochs": 8, "batch_size": 2000, "learning_rate": 0.002}),
}
SOURCES = {("ml_1m_sasrec", "popularity"): "as reported for this split"}     # where not the table's
NOTES = {
    ("ml_1m_sasrec", "popularity"):
        "The validation item is ranked too, as where the published value comes from.",
    ("ml_1m_sasrec_sampled", "gru4rec"):
        "Far above the published values, which are of another training: theirs is the original GRU4Rec with "
        "sampled losses on session-parallel batches, run as a baseline; here cross-entropy over all items on whole"
        " histories.",
    ("ml_1m_sasrec", "gru4rec"):
        "No published value is compared.",
    ("ml_1m_sasrec", "sasrec"):
        "Short of the published values by 3 and 4 %, about half the width of an interval: seventy epochs, and settings "
        "that follow the published ones where they are stated.",
    ("ml_1m_sasrec", "sasrec-mixed"):
        "Short of the published values by 4 %. As in the published code only the last 200 next items of each user "
        "train, in batches of all lengths: 50 epochs of 647,430 next items, where SASRec, cross-entropy, has 70 of "
        "981,491. One seed by hand with the lengths sorted and all else as here: NDCG@10 .176 on validation and .170 "
        "on the test, mixed .183 and .177. Two of the three seeds were trained by a script, before the package could mix "
        "lengths (the loss of the first epoch is the same to the last digit). The running time in the file of results "
        "was entered by hand: the seeds ran side by side.",
    ("ml_1m_sasrec", "sasrec-as-coded"):
        "Short of the published values by 1 %: the settings of the row with mixed lengths, only the blocks differ, and "
        "the published values are those of one run, its epoch chosen on validation. The running time in the file of "
        "results was entered by hand: the seeds ran side by side.",
    ("ml_1m_sasrec", "sasrec-higher-rate"):
        "Recall@10 is reached in each run. NDCG@10 is short of the published value by 0.8 %; that is one run, its "
        "epoch chosen on validation. The rate was chosen on validation with one seed; NDCG@10 there is .191, .189 and"
        " .192, where the notebook beside the published code prints .189. The running time in the file of results was "
        "entered by hand: the seeds ran side by side.",
    ("ml_1m_sasrec", "sasrec+gru4rec"):
        "No published value is compared. Its parts were kept from an earlier run.",
    ("ml_1m_sasrec_sampled", "sasrec+gru4rec"):
        "No published value is compared. Its parts were kept from an earlier run.",
    ("ml_1m_sasrec", "ease"):
        "No published value is compared.",
    ("ml_1m_sasrec_sampled", "ease"):
        "No published value is compared.",
    ("ml_1m_sasrec", "sasrec+gru4rec+ease"):
        "No published value is compared. EASE was added after the row of the two had been measured, because validation "
        "rose with it. Its parts were kept from an earlier run.",
    ("ml_1m_sasrec_sampled", "sasrec+gru4rec+ease"):
        "No published value is compared.",
    ("ml_1m_sasrec", "caser"):
        "No published value is compared.",
    ("ml_1m_sasrec_sampled", "caser"):
        "Above the published values by 4 and 7 %: the learning rate falls to zero, there is no weight decay, and users' "
        "vectors start at zero. Which of these does it was not measured.",
    ("ml_1m_sasrec_sampled", "sasrec"):
        "No published value is compared: the paper trains with one negative.",
    ("ml_1m_sasrec_sampled", "sasrec-as-coded"):
        "No published value is compared: the paper trains with one negative.",
    ("ml_1m_sasrec_sampled", "sasrec-higher-rate"):
        "No published value is compared: the paper trains with one negative.",
    ("ml_1m_sasrec_sampled", "sasrec-mixed"):
        "No published value is compared: the paper trains with one negative.",
    ("ml_1m_sasrec", "sasrec-binary"):
        "Above the published values by 7 and 10 %. What differs: every piece of a history trains, where the published "
        "model reads each user's last 200 events; no negative is an item that the user met; the learning rate falls to "
        "zero. Which of these does it was not measured.",
    ("ml_1m_sasrec_sampled", "sasrec-binary"):
        "NDCG@10 is above the published value; HR@10 is below it by 1.5 %, just outside the interval. By Recall@10 "
        "among all items the same model is above what others published.",
    ("diginetica", "popularity"):
        "No published value is compared.",
    ("diginetica", "narm"):
        "Above the published values by 3 and 10 %, which are a baseline's in another paper. Here every "
        "click of a session trains at once, the output shares the items' vectors, and the learning rate "
        "falls to zero.",
    ("ml_1m_caser", "popularity"):
        "No published value is compared.",
    ("ml_1m_caser", "caser"):
        "Above the published values, with three negatives a target, as the paper says. What differs: the learning rate "
        "falls to zero, there is no weight decay, and users' vectors start at zero. Which of these does it was not "
        "measured.",
    ("ml_1m_caser", "caser-one-negative"):
        "As many negatives as in the authors' later code, whose README reports a MAP of up to .17.",
}
TRAINING = ("epochs", "batch_size", "learning_rate")
SHARES = tuple(np.linspace(0, 1, 21).round(2).tolist())


def train(split, settings, seed=0, device="auto", **options):
    """A model trained on `split`, the learning rate lower with each epoch, in a line to zero: (model, history).

    `spread` is the standard deviation that vectors of items and positions start with, where it is not the model's own.
    `recent`: only so many next items of each user train, the last ones.
    """
    settings = dict(settings)
    training = {key: settings.pop(key) for key in TRAINING if key in settings}
    spread, recent = settings.pop("spread", None), settings.pop("recent", None)
    if recent:
        split = replace(split, train=split.train.groupby("user").tail(recent + 1))
    recbook.seed_everything(seed)
    model = find_model(settings.pop("model"))(split.n_users, split.n_items, **settings)
    if spread:
        for vectors in (model.item, model.position):
            torch.nn.init.normal_(vectors.weight, std=spread)
    history = recbook.fit(model, split, seed=seed, device=device, schedule=lambda share: 1 - share, **training,
                          **options)
    return model, history


def together(data, parts, split, seed, device, keep):
    """Trained models joined one after the other, each with the share that is best on validation: (model, shares).

    A share is that of what stood before: 0.9 means nine tenths of the models so far and one of the new one.
    """
    metric, joined, shares = DATA[data][1], None, []
    asked = some(split.validation, 3000)
    for part in parts:
        model = train(split, ROWS[data, part][1], seed, device, checkpoint=kept(keep, data, part, seed))[0].to("cpu")
        if joined is None:
            joined = model
            continue
        values = {share: recbook.evaluate(Weighted(joined, model, weight=share), asked, [metric])[metric]
                  for share in SHARES}
        shares.append(max(values, key=values.get))
        joined = Weighted(joined, model, weight=shares[-1])
    return joined, shares


def some(cases, size):
    """At most so many cases, drawn at random, always the same."""
    return cases.subset(np.random.default_rng(0).permutation(len(cases)) < size)


def kept(keep, data, name, seed):
    """The folder of one model's checkpoint, or None."""
    return keep and keep / f"{data}-{name}-{seed}"


def measure(data, name, split, seeds=(0,), device="auto", keep=None):
    """What the tables of a data set say of one model: {table: its row}."""
    title, settings = ROWS[data, name]
    evaluate, _, refits = DATA[data]
    reports, shares = [], []
    for seed in seeds:
        if "parts" in settings:
            model, own = together(data, settings["parts"], split, seed, device, keep)
            shares.append(own)
        else:
            model, _ = train(split.refit() if refits else split, settings, seed, device,
                             checkpoint=kept(keep, data, name, seed))
        reports.append(evaluate(split, model, seed))
    if shares:
        settings = {**settings, "shares": shares}
    rows = {}
    for table in reports[0]:
        published = TABLES[table]["published"].get(name, ())
        rows[table] = {"title": title, "measured": results.summary([report[table] for report in reports]),
                       "published": dict(zip(TABLES[table]["metrics"], published)),
                       "source": SOURCES.get((table, name), TABLES[table]["source"]) if published else "",
                       "settings": settings}
        if (table, name) in NOTES:
            rows[table]["note"] = NOTES[table, name]
    return rows


def run(data, name, split, seeds, device="auto", keep=None):
    """Measure one model and write its rows."""
    solved = not {"epochs", "parts"} & set(ROWS[data, name][1])
    seeds, start = (0,) if solved else seeds, time.perf_counter()
    for table, row in measure(data, name, split, seeds, device, keep).items():
        results.save(table, TABLES[table]["title"], TABLES[table]["protocol"], {name: row}, split.dataset,
                     time.perf_counter() - start, seeds, "cpu" if solved else best_device(device))
        print(results.table(table).loc[[row["title"]]].T.to_string(), flush=True)


def tune(data, name, split, device="auto", keep=None, cases=10_000):
    """Print validation, on at most so many cases, after every second epoch; of several models, their shares."""
    if "parts" in ROWS[data, name][1]:
        print(name, together(data, ROWS[data, name][1]["parts"], split, 0, device, keep)[1])
        return
    smaller = replace(split, validation=some(split.validation, cases))
    model, history = train(smaller, ROWS[data, name][1], device=device, metric=DATA[data][1], validate_every=2)
    if DATA[data][1] not in history:                                    # solved, not trained
        history[DATA[data][1]] = recbook.evaluate(model, smaller.validation, [DATA[data][1]])[DATA[data][1]]
    print(ROWS[data, name][1])
    print(history.dropna().round(4).to_string(index=False), flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="sequential", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", choices=DATA, help="default: all of them")
    parser.add_argument("--model", choices=sorted({name for _, name in ROWS}), help="default: all of them")
    parser.add_argument("--tune", action="store_true", help="show validation while training; writes nothing")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="a folder for checkpoints: an interrupted run goes on")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args(argv)
    for data in [arguments.data] if arguments.data else DATA:
        split = recbook.load(data).published
        for name in [model for of, model in ROWS if of == data and arguments.model in (None, model)]:
            if arguments.tune:
                tune(data, name, split.sealed(), arguments.device, arguments.keep)
            else:
                run(data, name, split, range(arguments.seeds), arguments.device, arguments.keep)


if __name__ == "__main__":
    main()
