"""The simulated shop with a million users: seconds and peak memory of `recbook.load("shop", ...)`.

20,000 items and 10,000,000 events. Time: one call in a fresh process. Memory: the most that the process held until
then, libraries included. There is no peer: the targets are two minutes and 6 GiB.
"""

import hashlib
import sys

import common

SIZES = {"n_users": 1_000_000, "n_items": 20_000, "n_events": 10_000_000}


def ours(folder):
    import pandas as pd
    import recbook

    with common.Clock() as clock:
        shop = recbook.load("shop", **SIZES)
    measured = {**clock.times, "GiB": common.peak_memory()}
    rows = pd.util.hash_pandas_object(shop.interactions, index=False)
    (folder / "sha256").write_text(hashlib.sha256(rows.to_numpy()).hexdigest())
    return measured


def rows():
    import recbook

    with common.workplace() as folder:
        runs = common.by_turns(__file__, folder, {"ours": sys.executable})
        digest = (folder / "sha256").read_text()
    dataset = recbook.load("shop")
    dataset.files["interactions as pandas hashes their rows"] = digest  # generated: there is no file
    made = common.row("A shop of a million users", {"seconds": 120, "GiB": 6}, SIZES, runs["ours"])
    return dataset, {"big-shop": made}


if __name__ == "__main__":
    common.run_side(ours)
