"""Sequential models: seconds an epoch of `recbook.fit` and of RecBole, for GRU4Rec, Caser and SASRec.

Data: MovieLens 1M, every rating a click; leave-last-out, handed over as RecBole's own file in order of time.
Same on both sides: sizes and dropout (`recbole_side.py`: vectors of 64, 50 events read, Caser 5), cross-entropy over
all items, about 2,048 events to predict in a batch, Adam, learning rate .001, float32, every core that torch takes.
An epoch is the same too: each event of the training part is predicted once, but for each user's first; with Caser ours
leaves the first five out, as its authors did, which makes 2.5 % fewer.
Not the same: RecBole makes one example of each event to predict, with the 50 before it, and pads the short ones.
GRU4Rec and SASRec of ours learn from all events of a piece of history in one pass, each predicted from those before it
in its piece: 1 to 50. For SASRec the pieces overlap by half, so that it is 26 to 50, where there are as many. Ours
have a bias for each item, and the GRU has biases. RecBole's Caser also brings [z; p_u] to 64 numbers by another layer,
where ours has output vectors of 128, and penalises lengths. RecBole's SASRec normalises after each part of a block,
ours before; its activation is GELU, ours ReLU.
Time: an epoch with its shuffle, without loading, the making of examples and evaluation. Ours trains whole epochs.
RecBole's epochs are long: a 40th of an epoch's batches, 20 at the least, goes through its own training step after two
that do not count, and the time is scaled to an epoch; `settings` says how many of how many.
Accuracy: `recbole_accuracy.py`.
"""

import sys
from itertools import islice

import common
import recbole_side

EPOCHS, BATCH, RATE = 1, 2048, 0.001
SHARE, LEAST, WARM_UP = 1 / 40, 20, 2  # of RecBole's batches
TARGETS = {"GRU4Rec": 1 / 20, "Caser": 1 / 10, "SASRec": 1 / 10}
MODELS = tuple(TARGETS)
NOTES = {
    "Caser": "A picture of five events leaves no long prefixes to spare. On both sides most of an epoch is the scores "
             "of all items, for as many cases; ours multiply vectors of 128 where RecBole's multiply vectors of 64.",
}


def ours(folder):
    import recbook

    split = recbook.leave_last_out(recbook.load("ml-1m"))
    model = recbole_side.make_ours(folder.name, split)
    with common.Clock() as clock:
        recbook.fit(model, split, EPOCHS, BATCH, RATE, device="cpu", progress=False)
    return {name: seconds / EPOCHS for name, seconds in clock.times.items()}


def recbole(folder):
    from recbole.trainer import Trainer

    config, (train, _, _), model = recbole_side.make_recbole(folder.name, folder, train_batch_size=BATCH,
                                                             learning_rate=RATE)
    trainer, batches = Trainer(config, model), iter(train)
    timed = max(LEAST, round(SHARE * len(train)))
    trainer._train_epoch(islice(batches, WARM_UP), 0)
    with common.Clock() as clock:
        trainer._train_epoch(islice(batches, timed), 0)
    times = {name: seconds * len(train) / timed for name, seconds in clock.times.items()}
    return {"times": times | {"versions": common.versions("recbole", "torch", "numpy")},
            "timed": f"{timed} of {len(train)} batches"}


def rows(models=MODELS):
    import recbook

    dataset = recbook.load("ml-1m")
    made = {}
    for name in models:
        with common.workplace() as folder:
            folder = folder / name  # tells the sides which model
            folder.mkdir()
            recbole_side.write_clicks(folder, dataset)
            runs = common.by_turns(__file__, folder, {"ours": sys.executable, "recbole": common.peers_python()})
        settings = {"epochs": EPOCHS, "batch_size": BATCH, "learning_rate": RATE,
                    "timed of an epoch, peer": runs["recbole"][0]["timed"], **recbole_side.OURS[name]}
        peer = [run["times"] for run in runs["recbole"]]
        made[f"{name.lower()}-recbole"] = common.row(f"{name}, an epoch of MovieLens 1M", {"ratio": TARGETS[name]},
                                                     settings, runs["ours"], peer, NOTES.get(name))
    return dataset, made


if __name__ == "__main__":
    common.run_side(ours, recbole)
