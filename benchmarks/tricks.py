"""What the tricks of the package buy: each on and off, by turns, on MovieLens 1M, every core that torch takes.

fused-adam-bpr-mf: one pass over each weight in place of a dozen; off: `torch.optim.Adam` as it comes.
rows-bpr-mf: item vectors picked by `index_select`, whose gradient adds whole rows; off: `table[numbers]`, whose gradient
adds number by number.
negatives-bpr-mf: negatives drawn for many batches together; off: for each batch.
halves-neumf: the first layer's half of a user and of an item computed once each when whole catalogues are ranked; off:
the two vectors side by side go through all layers, pair by pair, in pieces of the same size.
pieces-neumf: ranking in pieces that fit the processor's cache; off: pieces eight times as large.
bfloat16-neumf, which the package does not use: the upper layers in bfloat16, the last product in float32; off: float32.
widths-gru4rec: histories of nearly equal lengths in a batch; off: every history padded to the longest that is read.
scores-gru4rec: cross-entropy a piece of the batch at a time; off: all scores of a batch, by PyTorch's own function.
bfloat16-gru4rec: `fit(precision="bfloat16")`; off: float32.

Time: all of `fit`, or one pass of scores over all users. The ratio is on over off. What is computed is the same, and
the NDCG@10 with it where a model is trained; GRU4Rec's dropout draws other numbers where the widths are others.
"""

import sys
from unittest import mock

import common

EPOCHS = {"bpr": 5, "gru4rec": 1}


def leave_last_out():
    import recbook

    return recbook.leave_last_out(recbook.load("ml-1m"))


def train(make, epochs, **options):
    """Times of all of `fit`, and the NDCG@10 of the trained model."""
    import recbook

    split = leave_last_out()
    recbook.seed_everything(0)
    model = make(split)
    with common.Clock() as clock:
        recbook.fit(model, split, epochs=epochs, learning_rate=0.003, device="cpu", progress=False, **options)
    return {**clock.times, "NDCG@10": recbook.evaluate(model, split.test, ["NDCG@10"])["NDCG@10"]}


def train_bpr(**options):
    import recbook

    return train(lambda split: recbook.BPRMF(split.n_users, split.n_items, dim=64, l2=0.001), EPOCHS["bpr"], **options)


def bpr(folder):
    return train_bpr()


def bpr_plain_adam(folder):
    import torch

    return train_bpr(optimiser=torch.optim.Adam)


def bpr_indexed(folder):
    from recbook.models import factorization

    with mock.patch.object(factorization, "rows", lambda table, numbers: table[numbers]):
        return train_bpr()


def bpr_drawn_by_batch(folder):
    from recbook.data import batches

    with mock.patch.object(batches, "DRAWN_AT_ONCE", 1):
        return train_bpr()


def train_gru4rec(padded=False, **options):
    import recbook
    from recbook.data.batches import Sequences

    class Padded(Sequences):
        def cut(self, start, size, width):
            return super().cut(start, size, self.length)

    def make(split):
        model = recbook.GRU4Rec(split.n_users, split.n_items, dim=64, length=200, hidden=128)
        if padded:
            model.batches = Padded(model.length)
        return model

    return train(make, EPOCHS["gru4rec"], batch_size=8000, **options)


def gru4rec(folder):
    return train_gru4rec()


def gru4rec_padded(folder):
    return train_gru4rec(padded=True)


def gru4rec_whole(folder):
    import torch.nn.functional as F
    from recbook.models import sequence

    def whole(vectors, table, bias, items):
        return F.cross_entropy(F.linear(vectors, table, bias), items, ignore_index=-1)

    with mock.patch.object(sequence, "cross_entropy", whole):
        return train_gru4rec()


def gru4rec_bfloat16(folder):
    return train_gru4rec(precision="bfloat16")


def rank_neumf():
    """Times of the scores of all items for all users."""
    import recbook
    import torch

    split = leave_last_out()
    recbook.seed_everything(0)
    model = recbook.NeuMF(split.n_users, split.n_items, dim=64, layers=(64, 32, 16)).eval()
    with common.Clock() as clock, torch.no_grad():
        for users in torch.arange(split.n_users).split(256):
            model.scores(recbook.Context(users=users))
    return clock.times


def neumf(folder):
    return rank_neumf()


def neumf_large_pieces(folder):
    from recbook.models import neumf as module

    with mock.patch.object(module, "ROWS_AT_ONCE", 8 * module.ROWS_AT_ONCE):
        return rank_neumf()


def neumf_pair_by_pair(folder):
    import torch
    from recbook.models import neumf as module

    def forward(tower, users, items=None):
        some = tower.user(users).split(max(1, module.ROWS_AT_ONCE // len(tower.item.weight)))
        both = (torch.cat([user[:, None].expand(-1, len(tower.item.weight), -1),
                           tower.item.weight.expand(len(user), -1, -1)], dim=2) for user in some)
        return torch.cat([tower.upper_layers(tower.layers[0](pairs)) for pairs in both])

    with mock.patch.object(module.Tower, "forward", forward):
        return rank_neumf()


def neumf_bfloat16(folder):
    import torch
    import torch.nn.functional as F
    from recbook.models import neumf as module

    def upper_layers(tower, hidden):
        hidden = hidden.bfloat16().relu_()
        for layer in tower.layers[1:]:
            hidden = F.linear(hidden, layer.weight.bfloat16(), layer.bias.bfloat16()).relu_()
        return hidden.float() @ tower.output

    with mock.patch.object(module.Tower, "upper_layers", upper_layers):
        return rank_neumf()


TRICKS = {  # name of the row: (title, on, off, settings)
    "fused-adam-bpr-mf": ("Fused Adam, BPR-MF", bpr, bpr_plain_adam, {"epochs": EPOCHS["bpr"]}),
    "rows-bpr-mf": ("Gradients added by whole rows, BPR-MF", bpr, bpr_indexed, {"epochs": EPOCHS["bpr"]}),
    "negatives-bpr-mf": ("Negatives of many batches together, BPR-MF", bpr, bpr_drawn_by_batch,
                         {"epochs": EPOCHS["bpr"]}),
    "halves-neumf": ("Halves of the first layer once, NeuMF ranking", neumf, neumf_pair_by_pair, {}),
    "pieces-neumf": ("Pieces that fit the cache, NeuMF ranking", neumf, neumf_large_pieces, {}),
    "bfloat16-neumf": ("bfloat16, NeuMF ranking", neumf_bfloat16, neumf, {}),
    "widths-gru4rec": ("Equal lengths together, GRU4Rec", gru4rec, gru4rec_padded, {"epochs": EPOCHS["gru4rec"]}),
    "scores-gru4rec": ("Scores in pieces, GRU4Rec", gru4rec, gru4rec_whole, {"epochs": EPOCHS["gru4rec"]}),
    "bfloat16-gru4rec": ("bfloat16, GRU4Rec", gru4rec_bfloat16, gru4rec, {"epochs": EPOCHS["gru4rec"]}),
}
NOT_KEPT = {"bfloat16-neumf"}


def rows():
    import recbook

    made = {}
    with common.workplace() as folder:
        for name, (title, on, off, settings) in TRICKS.items():
            sides = {side.__name__: sys.executable for side in (on, off)}
            runs = common.by_turns(__file__, folder, sides)
            targets = {} if name in NOT_KEPT else {"ratio": 1.0}
            made[name] = common.row(title, targets, settings, runs[on.__name__], runs[off.__name__])
    return recbook.load("ml-1m"), made


if __name__ == "__main__":
    common.run_side(*{side for _, on, off, _ in TRICKS.values() for side in (on, off)})
