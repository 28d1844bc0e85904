"""BPR-MF: seconds an epoch of `recbook.fit` and of RecBole.

Data: MovieLens 1M, every rating a click; the training part of leave-last-out, handed over as RecBole's own files.
Same on both sides: dimension 64, batches of 2,048 pairs, one uniform negative a pair that the user has not met, Adam,
float32, all cores. Ours does slightly more: biases and a penalty on lengths, which RecBole's model does not have.
Time: one epoch, negatives and shuffling included, loading and evaluation not; the median of an epoch over a run.
Accuracy: NDCG@10 of the last item after the same number of epochs, by recbook's evaluator on both models' vectors. Each
side has the best learning rate of .001, .002, .005 and .01 on validation after these epochs.
"""

import statistics

import common
import numpy as np

EPOCHS, BATCH, DIM = 2, 2048, 64


def ours(folder):
    import recbook

    split = recbook.leave_last_out(recbook.load("ml-1m"))
    recbook.seed_everything(0)
    model = recbook.BPRMF(split.n_users, split.n_items, dim=DIM, l2=0.001)
    history = recbook.fit(model, split, epochs=EPOCHS, batch_size=BATCH, learning_rate=0.01, device="cpu", progress=False)
    return {"seconds": history["seconds"].median(), "NDCG@10": recbook.evaluate(model, split.test)["NDCG@10"]}


def recbole(folder):
    import logging
    import time

    import torch
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.general_recommender import BPR
    from recbole.trainer import Trainer
    from recbole.utils import init_seed

    logging.disable(logging.WARNING)
    config = Config(model="BPR", dataset="clicks", config_dict={
        "data_path": str(folder), "benchmark_filename": ["train", "valid", "test"],
        "USER_ID_FIELD": "user", "ITEM_ID_FIELD": "item", "load_col": {"inter": ["user", "item"]},
        "embedding_size": DIM, "train_batch_size": BATCH, "learning_rate": 0.001, "epochs": EPOCHS,
        "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1}, "eval_args": {"order": "RO"},
        "device": "cpu", "use_gpu": False, "show_progress": False, "seed": 0, "checkpoint_dir": str(folder)})
    init_seed(config["seed"], reproducibility=True)
    dataset = create_dataset(config)
    train, _, _ = data_preparation(config, dataset)
    model = BPR(config, dataset)
    trainer = Trainer(config, model)
    seconds = []
    for epoch in range(EPOCHS):
        start = time.perf_counter()
        trainer._train_epoch(train, epoch)
        seconds.append(time.perf_counter() - start)
    with torch.no_grad():
        users, items = (np.argsort(dataset.field2id_token[field][1:].astype(int)) + 1 for field in ("user", "item"))
        np.savez(folder / "vectors.npz", users=model.user_embedding.weight[users], items=model.item_embedding.weight[items])
    return {"seconds": statistics.median(seconds), "versions": common.versions("recbole", "torch", "numpy")}


if __name__ == "__main__":
    common.run_side(ours, recbole)
