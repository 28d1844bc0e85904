"""BPR-MF: seconds an epoch of `recbook.fit` and of RecBole.

Data: MovieLens 1M, every rating a click; the training part of leave-last-out, handed over as RecBole's own files.
Same on both sides: dimension 64, batches of 2,048 pairs, one uniform negative a pair that the user has not met, Adam,
learning rate .003 (of .001, .003 and .01 the best of both sides on validation), float32, every core that torch takes.
Ours does slightly more: item biases, and a penalty on lengths, which RecBole's model does not have.
Time: an epoch with its shuffle and negatives, without loading and evaluation: all epochs together over their number.
Accuracy: NDCG@10 of the last item after as many epochs, both models' vectors ranked by recbook's evaluator.
"""

import sys

import common
import numpy as np

EPOCHS, BATCH, DIM, RATE = 10, 2048, 64, 0.003


def ours(folder):
    import recbook

    split = recbook.leave_last_out(recbook.load("ml-1m"))
    recbook.seed_everything(0)
    model = recbook.BPRMF(split.n_users, split.n_items, dim=DIM, l2=0.001)
    with common.Clock() as clock:
        recbook.fit(model, split, EPOCHS, BATCH, RATE, device="cpu", progress=False)
    return {**per_epoch(clock.times), "NDCG@10": recbook.evaluate(model, split.test)["NDCG@10"]}


def recbole(folder):
    import logging

    import torch
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.general_recommender import BPR
    from recbole.trainer import Trainer
    from recbole.utils import init_seed

    logging.disable(logging.WARNING)
    sys.argv = sys.argv[:1]  # RecBole would read it
    config = Config(model="BPR", dataset="clicks", config_dict={
        "data_path": str(folder), "benchmark_filename": ["train", "valid", "test"],
        "USER_ID_FIELD": "user", "ITEM_ID_FIELD": "item", "load_col": {"inter": ["user", "item"]},
        "embedding_size": DIM, "train_batch_size": BATCH, "learning_rate": RATE, "epochs": EPOCHS,
        "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1},
        "use_gpu": False, "show_progress": False, "checkpoint_dir": str(folder)})
    init_seed(0, reproducibility=True)
    dataset = create_dataset(config)
    train, _, _ = data_preparation(config, dataset)
    model = BPR(config, dataset)
    with common.Clock() as clock:
        Trainer(config, model).fit(train, saved=False, verbose=False)
    users, items = (np.argsort(dataset.field2id_token[field][1:].astype(int)) + 1 for field in ("user", "item"))
    with torch.no_grad():
        np.savez(folder / "vectors.npz", users=model.user_embedding.weight[users],
                 items=model.item_embedding.weight[items])
    return {**per_epoch(clock.times), "versions": common.versions("recbole", "torch", "numpy")}


def per_epoch(times):
    return {name: seconds / EPOCHS for name, seconds in times.items()}


def rows():
    import recbook
    from ranking_speed import dot_product

    dataset = recbook.load("ml-1m")
    split = recbook.leave_last_out(dataset)
    with common.workplace() as folder:
        write_clicks(folder, "train", split.train["user"], split.train["item"])
        write_clicks(folder, "valid", split.validation.users, split.validation.target)
        write_clicks(folder, "test", split.test.users, split.test.target)
        runs = common.by_turns(__file__, folder, {"ours": sys.executable, "recbole": common.peers_python()})
        vectors = np.load(folder / "vectors.npz")
        model = dot_product(vectors["users"], vectors["items"])
    accuracy = recbook.evaluate(model, split.test)["NDCG@10"]
    peer = [run | {"NDCG@10": accuracy} for run in runs["recbole"]]
    settings = {"epochs": EPOCHS, "batch_size": BATCH, "dim": DIM, "learning_rate": RATE}
    made = common.row("BPR-MF, an epoch of MovieLens 1M", {"ratio": 0.5}, settings, runs["ours"], peer)
    return dataset, {"bpr-recbole": made}


def write_clicks(folder, part, users, items):
    """One of RecBole's files."""
    path = folder / "clicks" / f"clicks.{part}.inter"
    path.parent.mkdir(exist_ok=True)
    lines = (f"{user}\t{item}\n" for user, item in zip(users, items))
    path.write_text("user:token\titem:token\n" + "".join(lines))


if __name__ == "__main__":
    common.run_side(ours, recbole)
