from tests.claims import world

MEAN_OF_THE_PAST = """
import torch
import recbook.models.recurrent
def mean(self, inputs):
    return inputs.cumsum(1) / torch.arange(1, inputs.shape[1] + 1)[:, None]
recbook.models.recurrent.GRU4Rec.encode = mean
"""

ORDER = "asked['as it was'] > asked['all shuffled'] + 0.1"
TAKEN_OUT = [
    ("nothing follows from the last items, nor from purchases", (ORDER, "trained['last purchase'] > 1.6 * max("),
     world(intent=0.0, complements=0.0)),
]

RIVALS = [
    ("a mean that knows no order", ORDER, MEAN_OF_THE_PAST),
]
