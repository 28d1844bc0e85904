"""What the benchmarks beside RecBole share: the data as its file, sizes that make both sides alike, set-up and trainer.

RecBole's own splitting leaves the same two interactions of each user out that `recbook.leave_last_out` does, since the
time that it is given is the place in the user's history: it keeps 32 bits of a time, and would mix what happened in
the same minute. Everything that is not named here is RecBole's default.
"""

import sys

import common

DIM, LENGTH, PICTURE = 64, 50, 5
WIDTHS = (64, 32, 16)

OURS = {
    "NeuMF": {"dim": DIM, "layers": WIDTHS},
    "GRU4Rec": {"dim": DIM, "length": LENGTH, "hidden": 128, "dropout": 0.3},
    "Caser": {"dim": DIM, "length": PICTURE, "targets": 1, "horizontal": 16, "vertical": 4, "negatives": 0,
              "dropout": 0.4},
    "SASRec": {"dim": DIM, "length": LENGTH, "blocks": 2, "heads": 2, "dropout": 0.5, "stride": LENGTH // 2},
}
RECBOLE = {
    "NeuMF": {"mf_embedding_size": DIM, "mlp_embedding_size": WIDTHS[0], "mlp_hidden_size": list(WIDTHS),
              "dropout_prob": 0.0, "train_neg_sample_args": {"distribution": "uniform", "sample_num": 4},
              "unused_col": {"inter": ["time"]}},
    "GRU4Rec": {"embedding_size": DIM, "MAX_ITEM_LIST_LENGTH": LENGTH, "hidden_size": 128, "num_layers": 1,
                "dropout_prob": 0.3},
    "Caser": {"embedding_size": DIM, "MAX_ITEM_LIST_LENGTH": PICTURE, "nh": 16, "nv": 4, "dropout_prob": 0.4},
    "SASRec": {"hidden_size": DIM, "inner_size": DIM, "MAX_ITEM_LIST_LENGTH": LENGTH, "n_layers": 2, "n_heads": 2,
               "hidden_dropout_prob": 0.5, "attn_dropout_prob": 0.5},
}
SEQUENTIAL = {"loss_type": "CE", "train_neg_sample_args": None}


def make_ours(name, split, seed=0):
    """One of our models for a split. NeuMF's layers and SASRec's vectors start as RecBole's do, since that matters."""
    import recbook
    import torch

    recbook.seed_everything(seed)
    model = getattr(recbook, name)(split.n_users, split.n_items, **OURS[name])
    if name == "NeuMF":
        for layer in model.tower.layers:
            layer.reset_parameters()
    if name == "SASRec":
        for vectors in (model.item, model.position):
            torch.nn.init.normal_(vectors.weight, std=0.02)
    return model


def make_recbole(name, folder, seed=0, **settings):
    """RecBole's configuration, its loaders of the three parts, and its model: (config, (train, valid, test), model)."""
    import logging

    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, init_seed

    logging.disable(logging.WARNING)
    sys.argv = sys.argv[:1]  # RecBole would read it
    config = Config(model=name, dataset="clicks", config_dict={
        "data_path": str(folder), "checkpoint_dir": str(folder), "use_gpu": False, "show_progress": False, "seed": seed,
        "USER_ID_FIELD": "user", "ITEM_ID_FIELD": "item", "TIME_FIELD": "time",
        "load_col": {"inter": ["user", "item", "time"]},
        "eval_args": {"split": {"LS": "valid_and_test"}, "group_by": "user", "order": "TO", "mode": "full"},
        "metrics": ["Hit", "NDCG", "MRR"], "valid_metric": "NDCG@10",
        **({} if name == "NeuMF" else SEQUENTIAL), **RECBOLE[name], **settings})
    init_seed(seed, reproducibility=True)
    dataset = create_dataset(config)
    loaders = data_preparation(config, dataset)
    return config, loaders, get_model(name)(config, dataset)


def make_trainer(config, model, train):
    """RecBole's trainer, but known items come last when it validates, and the best weights stay in memory.

    Besides, it counts seconds of training and epochs up to the best validation: `best_after`.
    """
    import copy

    import torch
    from recbole.trainer import Trainer

    known = torch.as_tensor(train._dataset.inter_matrix("csr").toarray() > 0)  # (users, items), in its numbering

    class MaskingTrainer(Trainer):
        seconds = 0.0

        def _train_epoch(self, *arguments, **options):
            with common.Clock() as clock:
                loss = super()._train_epoch(*arguments, **options)
            self.seconds += clock.times["seconds"]
            return loss

        def _full_sort_batch_eval(self, batch):
            interaction, scores, *positive = super()._full_sort_batch_eval(batch)
            return interaction, scores.masked_fill(known[interaction["user"]], -torch.inf), *positive

        def _save_checkpoint(self, epoch, verbose=True, **_):  # called when validation is better than before
            self.best = copy.deepcopy(self.model.state_dict())
            self.best_after = {"seconds": self.seconds, "epochs": epoch + 1}

    return MaskingTrainer(config, model)


def write_clicks(folder, dataset):
    """All interactions as RecBole's file."""
    clicks = dataset.interactions[["user", "item"]].rename(columns="{}:token".format)
    clicks["time:float"] = dataset.interactions.groupby("user").cumcount()
    path = folder / "clicks" / "clicks.inter"
    path.parent.mkdir(exist_ok=True)
    clicks.to_csv(path, sep="\t", index=False)
