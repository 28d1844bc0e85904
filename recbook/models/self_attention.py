"""Self-attention: every event looks back at all events before it, and no state has to be carried along.

SASRec: Kang and McAuley, *Self-Attentive Sequential Recommendation*, ICDM 2018. With cross-entropy over all items:
Klenitskiy and Vasilev, *Turning Dross Into Gold Loss: is BERT4Rec really better than SASRec?*, RecSys 2023.

Differs from the papers: positions are counted from the first event that is read, not from the last; keys and values
are normalised as queries are (theirs normalise the queries alone). So a position that no history of the training
part reaches is never trained: let `length` be no longer than most histories.
"""

import torch
import torch.nn.functional as F
from torch import nn

from recbook.data.batches import Sequences
from recbook.errors import ModelError
from recbook.models.sequence import SequenceModel


class Block(nn.Module):
    """x + attention(norm(x)), then x + network(norm(x))."""

    def __init__(self, dim, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.attention_norm, self.network_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.projections = nn.Linear(dim, 3 * dim)                      # queries, keys, values
        self.attention_output = nn.Linear(dim, dim)
        self.inner, self.outer = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def weights(self, inputs):
        """How much each event (third axis) looks at each up to it: (B, heads, L, L). `forward` makes no such tensor."""
        queries, keys, _ = self.parts(self.attention_norm(inputs))
        relevance = queries @ keys.transpose(2, 3) / queries.shape[3] ** 0.5
        later = torch.ones_like(relevance[0, 0], dtype=torch.bool).triu(1)
        return relevance.masked_fill(later, -torch.inf).softmax(3)

    def parts(self, inputs):
        """Queries, keys and values: (B, heads, L, D / heads) each."""
        batch, length, dim = inputs.shape
        return self.projections(inputs).view(batch, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)

    def forward(self, inputs):
        batch, length, dim = inputs.shape
        queries, keys, values = self.parts(self.attention_norm(inputs))
        dropout = self.dropout if self.training else 0.0
        seen = F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout, is_causal=True)
        seen = self.attention_output(seen.transpose(1, 2).reshape(batch, length, dim))
        inputs = inputs + F.dropout(seen, dropout)
        hidden = F.dropout(self.inner(self.network_norm(inputs)).relu(), dropout)
        return inputs + F.dropout(self.outer(hidden), dropout)


class SASRec(SequenceModel):
    """Blocks of causal self-attention on items plus their positions.

    Parameters (more: `SequenceModel`)
    ----------
    blocks, heads : int
        How many blocks, and in how many parts of the vectors each attends on its own.
    stride : int or None
        How many events apart the pieces of a long history end, each `length` events long. None: they do not overlap.
    mixed : bool
        Train on histories of all lengths together, in place of those of nearly the same length: slower, with more
        padding, but every batch stands for all users.
    """

    def __init__(self, n_users, n_items, dim=64, length=50, blocks=2, heads=1, negatives=0, dropout=0.2,
                 behaviours=False, pauses=False, stride=None, mixed=False):
        super().__init__(n_users, n_items, dim, length, negatives, dropout, behaviours, pauses)
        if heads < 1 or dim % heads:
            raise ModelError(f"dim={dim} does not divide into heads={heads}.")
        self.batches = Sequences(length, negatives, stride, mixed)
        self.blocks, self.heads, self.stride, self.mixed = blocks, heads, stride, mixed
        self.position = nn.Embedding(length, dim)
        self.stack = nn.ModuleList(Block(dim, heads, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(dim)
        nn.init.normal_(self.position.weight, std=dim**-0.5)

    def encode(self, inputs):
        hidden = inputs * self.dim**0.5 + self.position.weight[:inputs.shape[1]]
        for block in self.stack:
            hidden = block(hidden)
        return self.norm(hidden)
