"""What people do in shops: views, carts, purchases. Items return: nothing already seen is hidden from a ranking."""

from dataclasses import replace

import numpy as np
import pandas as pd

from recbook.data.frames import from_frame
from recbook.data.files import parse_number_lists
from recbook.data.splits import Split, cases_from_rows
from recbook.errors import DataError

TAOBAO = {"pv": "view", "fav": "favourite", "cart": "cart", "buy": "purchase"}
RETAILROCKET = {"view": "view", "add_to_cart": "cart", "purchase": "purchase"}


def taobao(files):
    """Taobao: the first 100,001 rows of UserBehavior.csv. 44 rows have times far from those days, as in the original.

    H. Zhu et al. Learning tree-based deep model for recommender systems. KDD 2018.
    """
    file = "small_sample.csv"
    log = files.table(file, names=["user", "item", "category", "behaviour", "timestamp"], separator=",",
                      types={"user": int, "item": int, "category": int, "timestamp": int})
    unknown = ~log["behaviour"].isin(TAOBAO)
    if unknown.any():
        line = unknown.to_numpy().argmax()
        raise DataError(f"{files.where(file)}, line {line + 1}: {log['behaviour'].iloc[line]!r} is none of "
                        f"{', '.join(TAOBAO)}.")
    log["behaviour"] = log["behaviour"].map(TAOBAO)
    items = log[["item", "category"]].drop_duplicates("item").sort_values("item")
    return from_frame(log, files.source.name, behaviour="behaviour", timestamp="timestamp", items=items,
                      items_return=True)


def retailrocket(files):
    """Retailrocket as processed by Case Recommender: who viewed, carted and bought what, once each, without the time.

    The files do not say in which order things happened: here a user's views come first, then carts, then purchases.
    """
    types = {"visitorid": int, "itemid": int, "event": int}
    parts = [files.table(f"{file}_ecommerce.dat", types=types, separator="\t").assign(behaviour=behaviour)
             for file, behaviour in RETAILROCKET.items()]
    return from_frame(pd.concat(parts, ignore_index=True), files.source.name, user="visitorid", item="itemid",
                      behaviour="behaviour", items_return=True)


def diginetica(files):
    """Diginetica's click sessions as SR-GNN prepared them. Each session is a user of its own, met once.

    The users are the training sessions in the order of the file and then the test sessions, put together again
    from the published examples: each prefix that is the one before it without its last click comes from the same
    session. `published` asks for every click of a test session after its first: exactly the published examples.
    The files have no validation; here it is the last click of each of the last tenth of the training sessions,
    and these sessions train only after `refit`.

    S. Wu et al. Session-based Recommendation with Graph Neural Networks. AAAI 2019.
    """
    clicks, lengths = parse_number_lists(files.read("train_sessions.txt"), files.where("train_sessions.txt"))
    n_train = len(lengths)
    test_clicks, test_lengths = whole_sessions(files, "test_prefix_target.tsv")
    session = np.repeat(np.arange(n_train + len(test_lengths)), np.concatenate([lengths, test_lengths]))
    log = pd.DataFrame({"session": session, "item": np.concatenate([clicks, test_clicks])})
    dataset = from_frame(log, files.source.name, user="session", session="session", items_return=True)

    def published(dataset):
        log = dataset.interactions
        users = log["user"].to_numpy()
        first = log["timestamp"].to_numpy() == 0
        last = np.append(first[1:], True)
        trains, held_back = users < n_train * 9 // 10, users < n_train
        return Split("SR-GNN", dataset, log[trains].reset_index(drop=True),
                     test=cases_from_rows(dataset, np.flatnonzero(~held_back & ~first)),
                     validation=cases_from_rows(dataset, np.flatnonzero(held_back & ~trains & last & ~first)),
                     train_and_validation=log[held_back].reset_index(drop=True))

    return replace(dataset, make_published=published)


def whole_sessions(files, file):
    """The sessions that examples `prefix, tab, target` were cut from: all their clicks, and their lengths."""
    examples = files.table(file, names=["prefix", "target"], types={"target": int}, separator="\t")
    prefix, length = parse_number_lists("\n".join(examples["prefix"]).encode(), files.where(file))
    target = examples["target"].to_numpy()
    ends = np.cumsum(length)
    sessions, shorter = [], ()
    for start, end, last in zip(ends - length, ends, target):
        clicks = (*prefix[start:end].tolist(), int(last))
        if clicks != shorter:                   # not the example before it without its last click
            sessions.append(clicks)
        shorter = clicks[:-1]
    return np.array([item for clicks in sessions for item in clicks]), np.array([len(clicks) for clicks in sessions])
