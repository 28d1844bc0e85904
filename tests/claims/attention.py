from tests.claims import short, world

EVEN_WEIGHTS = """
import torch
torch.Tensor.softmax = lambda relevance, dim: torch.full_like(relevance, 1 / relevance.shape[dim])
"""

NOTHING_GOES_PAST = """
from recbook.models.self_attention import Block
def forward(self, inputs):
    seen = self.attention(inputs)
    return seen + self.network(self.network_norm(seen))
Block.forward = forward
"""

# the second network of the page is then the first one again
THE_SUM_LEFT_IN = """
from recbook.models.self_attention import Block
Block.__init_subclass__ = classmethod(lambda cls: delattr(cls, "forward"))
"""

THE_MASK_LEFT_IN = """
import torch.nn.functional
either = torch.nn.functional.scaled_dot_product_attention
def masked(queries, keys, values, dropout_p=0.0, is_causal=True):
    return either(queries, keys, values, dropout_p=dropout_p, is_causal=True)
torch.nn.functional.scaled_dot_product_attention = masked
"""

TAKEN_OUT = [
    ("the weights of attention", "seen['attention'] > 0.98", EVEN_WEIGHTS),
    ("what a visit leads to", "share['caused, in truth'][0] < 0.7", world(intent=0.0, complements=0.0),
     short(SASRec=0)),
    ("the sum past attention", "share['attention'].argmin() == 0", NOTHING_GOES_PAST, short(SASRec=2)),
]
RIVALS = [
    ("the same block, with the sum", "share['attention, no residual'].argmax() == 0", THE_SUM_LEFT_IN,
     short(SASRec=2)),
    ("the same training, with the mask", ("loss['without'] < 0.14 * loss['with the mask']",
                                          "quality['without'] < quality['with the mask'] - 0.05"), THE_MASK_LEFT_IN),
]
