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

TAKEN_OUT = [
    ("the weights of attention", "seen['attention'] > 0.98", EVEN_WEIGHTS),
    ("the sum past attention", "share['attention'].argmin() == 0", NOTHING_GOES_PAST),
]
RIVALS = [
    ("the same block, with the sum", "share['attention, no residual'].argmax() == 0", THE_SUM_LEFT_IN),
]
