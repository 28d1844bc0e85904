"""The shop front: how long one person waits for ten recommendations out of 100,000 items.

`ShopFront` with GRU4Rec, dimension 64, as the retriever, 200 candidates by exact search, and a second GRU4Rec of
dimension 128 as the ranker; 2,000 customers of the shop, of whose histories 50 events are read. The weights are random,
since the time does not depend on them.
Time: 2,000 single questions, one after the other, in a fresh process that has answered 50 before; every core that
torch and faiss take. There is no peer: the target is 10 ms for 99 of 100 questions, on two cores.
"""

import sys
import time

import common

ITEMS, USERS, QUESTIONS = 100_000, 2_000, 2_000


def dataset():
    """The shop with many more goods than usual."""
    import recbook

    return recbook.load("shop", n_items=ITEMS, n_users=USERS, n_events=50_000)


def ours(folder):
    import numpy as np
    import recbook

    data = dataset()
    recbook.seed_everything(0)
    retriever = recbook.GRU4Rec(data.n_users, data.n_items, dim=64)
    front = recbook.ShopFront(data, retriever, recbook.GRU4Rec(data.n_users, data.n_items, dim=128), candidates=200)
    waits = []
    for question in range(50 + QUESTIONS):
        start = time.perf_counter()
        front.recommend(question % USERS, k=10)
        waits.append(1000 * (time.perf_counter() - start))
    p50, p99 = np.percentile(waits[50:], [50, 99])
    return {"ms, p50": float(p50), "ms, p99": float(p99), "GiB": common.peak_memory()}


def rows():
    with common.workplace() as folder:
        runs = common.by_turns(__file__, folder, {"ours": sys.executable})
    made = common.row("Ten of 100,000 items for one person, online", {"ms, p99": 10.0},
                      {"items": ITEMS, "questions": QUESTIONS, "candidates": 200}, runs["ours"])
    return dataset(), {"shop-front": made}


if __name__ == "__main__":
    common.run_side(ours)
