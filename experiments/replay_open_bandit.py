"""Open Bandit, small: what does a learner earn that walks through a log of random decisions, and how much does it see?

Replay (Li, Chu, Langford and Wang, WSDM 2011) on the 10,000 impressions of each campaign whose items were drawn evenly
(Saito, Aihara, Matsutani and Narita, NeurIPS Datasets and Benchmarks 2021). Thompson sampling begins with no clicks; an
impression counts where it would have shown what was shown. The three places of the page are taken as one.

The order of a log and the learner's dice are drawn anew 100 times. The interval draws the log, too: with return, and a
learner walks through each. (A row that is drawn twice then counts as two visits.)
"""

import argparse
import time
from types import SimpleNamespace

import numpy as np

from recbook import bandits, results
from recbook.data.catalog import DECISIONS
from recbook.data.files import Files

NAME = "replay_open_bandit"
TITLE = "Replay on Open Bandit, small: Thompson sampling in a log of random decisions"
PROTOCOL = ("impressions that count, and clicks in 1,000 of them; means of 100 orders, 95 % intervals between "
            "percentiles of 100 drawn logs")
CAMPAIGNS = ("all", "men", "women")


def walk(arms, clicks, rows):
    """Learners' walks through rows (V, R) of a log: how many count, and the clicks on them, (R, 2)."""
    learner = bandits.Thompson(arms.max() + 1, runs=rows.shape[1])
    counts = bandits.replay(learner, arms[rows], clicks[rows])
    return np.column_stack([counts.sum(0), (clicks[rows] * counts).sum(0)]).astype(float)


def measure(arms, clicks, walks):
    """Numbers of one campaign: {metric: {"value", "low", "high"}}."""
    rng, size, numbers = np.random.default_rng(0), len(arms), {}
    order = walk(arms, clicks, np.argsort(rng.random((size, walks)), axis=0))
    drawn = walk(arms, clicks, rng.integers(size, size=(size, walks)))
    for metric, of in (("impressions", lambda pairs: pairs[:, 0]), ("clicks", lambda pairs: pairs[:, 1]),
                       ("clicks per 1,000", lambda pairs: 1000 * pairs[:, 1] / pairs[:, 0])):
        low, high = np.percentile(of(drawn), [2.5, 97.5])
        numbers[metric] = {"value": float(of(order).mean()), "low": float(low), "high": float(high)}
    return numbers


def main(argv=None):
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition("\n")[0])
    parser.add_argument("--walks", type=int, default=100, help="orders, and drawn logs, of each campaign")
    parser.add_argument("--campaigns", nargs="+", choices=CAMPAIGNS, default=CAMPAIGNS)
    arguments = parser.parse_args(argv)
    start, rows = time.process_time(), {}
    files = Files(DECISIONS)
    for campaign in arguments.campaigns:
        log, items = DECISIONS.read(files, "random", campaign)
        arms, clicks = log["action"].to_numpy(), log["reward"].to_numpy()
        logged = 1000 * clicks.mean()
        half = 1000 * 1.96 * clicks.std() / np.sqrt(len(clicks))
        rows[f"{campaign}, random"] = {
            "title": f"{campaign}: the random log itself",
            "measured": {"impressions": {"value": len(clicks), "low": len(clicks), "high": len(clicks)},
                         "clicks": {"value": int(clicks.sum()), "low": int(clicks.sum()), "high": int(clicks.sum())},
                         "clicks per 1,000": {"value": logged, "low": logged - half, "high": logged + half}},
            "published": {}, "source": "", "settings": {"items": len(items)}}
        rows[f"{campaign}, replay"] = {
            "title": f"{campaign}: Thompson sampling, replayed", "measured": measure(arms, clicks, arguments.walks),
            "published": {}, "source": "", "settings": {"items": len(items), "walks": arguments.walks}}
        print(rows[f"{campaign}, replay"]["measured"], flush=True)
    dataset = SimpleNamespace(name=DECISIONS.name, files=files.sha256)
    results.save(NAME, TITLE, PROTOCOL, rows, dataset, time.process_time() - start)


if __name__ == "__main__":
    main()
