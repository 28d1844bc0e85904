"""MovieLens 1M, SASRec's split: each user's last item among all 3,416 items.

Data: Kang and McAuley, *Self-Attentive Sequential Recommendation*, ICDM 2018. Protocol: the last item of each user is
the test and the one before it validation; all items are ranked, but for those of the user's training part. Popularity
counts the same training part. Counting has no settings, so the value must come out as reported, up to ties.
"""

import argparse
import time

import recbook
from recbook import results
from recbook.models import find_model

NAME = "ml_1m_sasrec"
TITLE = "MovieLens 1M, each user's last item among all 3,416 items"
PROTOCOL = "train on all but each user's last two items; rank all items but those trained on; mean over 6,040 users"
METRICS = ("Recall@10", "NDCG@10")

# model: (title, (Recall@10, NDCG@10) as published, where)
PUBLISHED = {"popularity": ("Popularity", (0.0368, 0.0179), "as reported for this split")}


def measure(name, split):
    """The row of one model, but for its title and its source: `measured` and `settings`."""
    model = find_model(name)(split.n_users, split.n_items)
    recbook.fit(model, split)
    return {"measured": results.summary([recbook.evaluate(model, split.test, METRICS)]), "settings": {}}


def run(name, split):
    """Measure one model and write its row."""
    title, published, source = PUBLISHED[name]
    start = time.perf_counter()
    row = {"title": title, **measure(name, split), "published": dict(zip(METRICS, published)), "source": source}
    results.save(NAME, TITLE, PROTOCOL, {name: row}, split.dataset, time.perf_counter() - start)


def main(argv=None):
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=PUBLISHED, help="default: all of them")
    arguments = parser.parse_args(argv)
    split = recbook.load("ml-1m-sasrec").published
    for name in [arguments.model] if arguments.model else PUBLISHED:
        run(name, split)
    print(results.table(NAME).to_string())


if __name__ == "__main__":
    main()
