"""NeuMF: seconds an epoch, and seconds of ranking every item for every user, of recbook and of RecBole.

Data: MovieLens 1M, every rating a click; leave-last-out, handed over as RecBole's own file.
Same on both sides: vectors of 64 for the product and 64 for the tower, layers of 64, 32 and 16, no dropout, binary
cross-entropy, four uniform negatives a pair that the user has not met, Adam, learning rate .001, every core that torch
takes. A batch is 2,048 pairs with their negatives: RecBole counts these too, so that its batch size is 10,240.
Not the same: RecBole computes one pair at a time, from two vectors of 64 to a score. Ours computes the first layer's
half of a user and of an item once where it can, and leaves a bias out that the loss cannot tell from another one.
In bfloat16, ours multiplies matrices so while training (`fit`'s precision); RecBole and ranking stay in float32.
Time: an epoch with its shuffle and negatives, without loading and evaluation: all epochs together over their number;
and one call of each library's evaluator on the test part with its three metrics, training items masked. RecBole's takes
as many users at once as make `eval_batch_size` pairs: of its default of 4,096, 16,384 and 65,536 the fastest.
Accuracy: `recbole_accuracy.py`.
"""

import sys

import common
import recbole_side

EPOCHS, BATCH, NEGATIVES, RATE, RANKED_AT_ONCE = 2, 2048, 4, 0.001, 16384
TURNS = 5        # short sides: a machine that changes its speed within a run tells too little in three
PARTS = {"epoch": "an epoch", "ranking": "all items ranked for all users"}
TARGETS = {"float32": {"epoch": 1 / 2.5, "ranking": 1 / 1.8}, "bfloat16": {"epoch": 1 / 8}}  # RecBole's is float32

NOTES = {
    ("epoch", "float32"):
        "Of our epoch a quarter is products of matrices, which both sides need, and the rest is spread thin: a tenth is "
        "Adam over all weights, then products and sums of vectors, the search for negatives, filling with zeros.",
    ("epoch", "bfloat16"):
        "Fewer bits shorten the products of matrices alone, a quarter of the epoch in float32.",
}


def measure_ours(precision):
    import recbook

    split = recbook.leave_last_out(recbook.load("ml-1m"))
    model = recbole_side.make_ours("NeuMF", split)
    with common.Clock() as training:
        recbook.fit(model, split, EPOCHS, BATCH, RATE, device="cpu", progress=False, precision=precision)
    with common.Clock() as ranking:
        recbook.evaluate(model, split.test)
    return {"epoch": per_epoch(training.times), "ranking": ranking.times}


def ours_float32(folder):
    return measure_ours("float32")


def ours_bfloat16(folder):
    return measure_ours("bfloat16")


def recbole(folder):
    from recbole.trainer import Trainer

    config, (train, _, test), model = recbole_side.make_recbole(
        "NeuMF", folder, epochs=EPOCHS, train_batch_size=BATCH * (1 + NEGATIVES), learning_rate=RATE,
        eval_batch_size=RANKED_AT_ONCE)
    trainer = Trainer(config, model)
    with common.Clock() as training:
        trainer.fit(train, saved=False, verbose=False)
    with common.Clock() as ranking:
        trainer.evaluate(test, load_best_model=False)
    versions = {"versions": common.versions("recbole", "torch", "numpy")}
    return {"epoch": per_epoch(training.times) | versions, "ranking": ranking.times | versions}


def per_epoch(times):
    return {name: seconds / EPOCHS for name, seconds in times.items()}


def rows():
    import recbook

    dataset = recbook.load("ml-1m")
    sides = {f"ours_{precision}": sys.executable for precision in TARGETS}
    with common.workplace() as folder:
        recbole_side.write_clicks(folder, dataset)
        runs = common.by_turns(__file__, folder, sides | {"recbole": common.peers_python()}, repeats=TURNS)
    made = {}
    for precision, targets in TARGETS.items():
        settings = {"epochs": EPOCHS, "batch_size": BATCH, "negatives": NEGATIVES, "learning_rate": RATE,
                    "precision": precision, "eval_batch_size, peer": RANKED_AT_ONCE, **recbole_side.OURS["NeuMF"]}
        for part, target in targets.items():
            ours, peer = ([run[part] for run in runs[side]] for side in (f"ours_{precision}", "recbole"))
            made[f"neumf-recbole-{part}-{precision}"] = common.row(
                f"NeuMF in {precision}, {PARTS[part]} of MovieLens 1M", {"ratio": target}, settings, ours, peer,
                NOTES.get((part, precision)))
    return dataset, made


if __name__ == "__main__":
    common.run_side(ours_float32, ours_bfloat16, recbole)
