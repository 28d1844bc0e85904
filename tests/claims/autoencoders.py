NOTHING_HIDDEN = """
import torch.nn.functional
torch.nn.functional.dropout = lambda values, p=0.5, training=True, inplace=False: values
"""

DIAGONAL_ALLOWED = """
import numpy as np
import torch
from recbook.models.closed_form import EASE
def fit(self, split):
    matrix = split.matrix().astype(np.float64)
    gram = torch.from_numpy((matrix.T @ matrix).toarray())
    self.weight.copy_(torch.linalg.solve(gram + self.l2 * torch.eye(len(gram)), gram))
    return self
EASE.fit = fit
"""


SHUFFLED_ROWS = """
import torch
from recbook.data.batches import Rows
prepare = Rows.prepare
def shuffled(self, split, device="cpu"):
    prepare(self, split, device)
    self.items = self.items[torch.randperm(len(self.items))]
    return self
Rows.prepare = shuffled
"""

FROZEN = """
import recbook.training
sound_fit = recbook.training.fit
def broken_fit(model, split, **options):
    for table in ("encoder", "decoder"):
        if hasattr(model, table):
            getattr(model, table).weight.requires_grad_(False)
    return sound_fit(model, split, **options)
recbook.training.fit = broken_fit
"""


def pulled(weight):
    """The divergence counts this much in every Mult-VAE, whatever its beta."""
    return f"""
from recbook.models.autoencoders import MultVAE
MultVAE.weight_of_divergence = lambda self: {weight} * (self.steps / self.annealing).clamp(max=1)
"""


TAKEN_OUT = [
    ("nothing is hidden", "wide_hidden > 1.35 * wide", NOTHING_HIDDEN),
    ("no pull on the code", "used[30.0] == 0", pulled(0.0)),
]

RIVALS = [
    ("the diagonal allowed", "alone['penalty 1, zero diagonal'] > 2 * alone['penalty 1']", DIAGONAL_ALLOWED),
    ("somebody else's clicks", "result.better(name, than='personal popularity')", SHUFFLED_ROWS),
    ("layers that do not learn", "result.better(name, than='personal popularity')", FROZEN),
    ("a huge pull on every code", "quality[0.2] > 1.5 * quality[30.0]", pulled(30.0)),
]
