"""Mult-VAE: seconds an epoch of `recbook.fit` and of RecBole's MultiVAE.

Data: MovieLens 1M, every rating a click; the training part of leave-last-out, handed over as RecBole's own files.
Same on both sides: a layer of 600, a code of 200, half of the clicks hidden, rows of length 1, the multinomial loss, a
divergence whose weight grows to .2 over 200 steps, batches of 250 users, Adam, learning rate .001, float32, every core that
torch takes.
Not the same: RecBole multiplies whole rows in the first layer, zeros and all; ours adds the vectors of what was met. The
noise in RecBole's code is a hundredth of its standard deviation; ours is all of it. Ours starts from popularity.
Time: an epoch with its shuffle, without loading and evaluation: all epochs together over their number.
Accuracy: NDCG@10 of the last item after as many epochs, both models' scores ranked by recbook's evaluator.
"""

import sys

import common
import numpy as np
from bpr_recbole import write_clicks

EPOCHS, BATCH, HIDDEN, DIM, RATE, BETA, ANNEALING = 5, 250, 600, 200, 0.001, 0.2, 200


def ours(folder):
    import recbook

    split = recbook.leave_last_out(recbook.load("ml-1m"))
    recbook.seed_everything(0)
    model = recbook.MultVAE(split.n_users, split.n_items, dim=DIM, hidden=HIDDEN, beta=BETA, annealing=ANNEALING)
    with common.Clock() as clock:
        recbook.fit(model, split, EPOCHS, BATCH, RATE, device="cpu", progress=False)
    return {**per_epoch(clock.times), "NDCG@10": recbook.evaluate(model, split.test)["NDCG@10"]}


def recbole(folder):
    import logging

    import torch
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.general_recommender import MultiVAE
    from recbole.trainer import Trainer
    from recbole.utils import init_seed

    logging.disable(logging.WARNING)
    sys.argv = sys.argv[:1]  # RecBole would read it
    config = Config(model="MultiVAE", dataset="clicks", config_dict={
        "data_path": str(folder), "benchmark_filename": ["train", "valid", "test"],
        "USER_ID_FIELD": "user", "ITEM_ID_FIELD": "item", "load_col": {"inter": ["user", "item"]},
        "mlp_hidden_size": [HIDDEN], "latent_dimension": 2 * DIM, "dropout_prob": 0.5, "anneal_cap": BETA,
        "total_anneal_steps": ANNEALING / BETA, "train_batch_size": BATCH, "learning_rate": RATE, "epochs": EPOCHS,
        "train_neg_sample_args": None, "use_gpu": False, "show_progress": False, "checkpoint_dir": str(folder)})
    init_seed(0, reproducibility=True)
    dataset = create_dataset(config)
    train, _, _ = data_preparation(config, dataset)
    model = MultiVAE(config, train._dataset)  # which keeps the rows it is given
    with common.Clock() as clock:
        Trainer(config, model).fit(train, saved=False, verbose=False)
    users, items = (np.argsort(dataset.field2id_token[field][1:].astype(int)) + 1 for field in ("user", "item"))
    model.eval()
    with torch.no_grad():
        scores = model(model.get_rating_matrix(torch.as_tensor(users)))[0][:, torch.as_tensor(items)]
    np.save(folder / "scores.npy", scores.numpy())
    return {**per_epoch(clock.times), "versions": common.versions("recbole", "torch", "numpy")}


def per_epoch(times):
    return {name: seconds / EPOCHS for name, seconds in times.items()}


def rows():
    import recbook
    import torch

    class Stored(recbook.Recommender):
        """Scores that were written down, a row a user."""

        def __init__(self, table):
            super().__init__()
            self.table = table

        def scores(self, context, items=None):
            return torch.from_numpy(self.table[context.users.numpy()])

    dataset = recbook.load("ml-1m")
    split = recbook.leave_last_out(dataset)
    with common.workplace() as folder:
        write_clicks(folder, "train", split.train["user"], split.train["item"])
        write_clicks(folder, "valid", split.validation.users, split.validation.target)
        write_clicks(folder, "test", split.test.users, split.test.target)
        runs = common.by_turns(__file__, folder, {"ours": sys.executable, "recbole": common.peers_python()})
        accuracy = recbook.evaluate(Stored(np.load(folder / "scores.npy")), split.test)["NDCG@10"]
    peer = [run | {"NDCG@10": accuracy} for run in runs["recbole"]]
    settings = {"epochs": EPOCHS, "batch_size": BATCH, "dim": DIM, "hidden": HIDDEN, "dropout": 0.5, "beta": BETA,
                "annealing": ANNEALING, "learning_rate": RATE}
    made = common.row("Mult-VAE, an epoch of MovieLens 1M", {"ratio": 1.0}, settings, runs["ours"], peer)
    return dataset, {"multvae-recbole": made}


if __name__ == "__main__":
    common.run_side(ours, recbole)
