"""Self-attention: every event looks back at all events before it, and no state has to be carried along.

SASRec: Kang and McAuley, *Self-Attentive Sequential Recommendation*, ICDM 2018. With cross-entropy over all items:
Klenitskiy and Vasilev, *Turning Dross Into Gold Loss: is BERT4Rec really better than SASRec?*, RecSys 2023.

Differs from the papers: positions are counted from the first event that is read, not from the last. So a position that
no history of the training part reaches is never trained: let `length` be no longer than most histories. Blocks are as
the first paper writes them; `as_coded` has them as the authors of the second coded them, and, but for the map behind
attention, those of the first (kang205/SASRec). Items have a bias; where that code drops entries out of the sum of item
and position, here it is the item's alone.
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

    def parts(self, inputs):
        """Queries, keys and values: (B, heads, L, D / heads) each."""
        batch, length, dim = inputs.shape
        projected = self.projections(self.attention_norm(inputs))
        return projected.view(batch, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)

    def weights(self, inputs):
        """How much each event (third axis) looks at each up to it: (B, heads, L, L). `forward` makes no such tensor."""
        queries, keys, _ = self.parts(inputs)
        relevance = queries @ keys.transpose(2, 3) / queries.shape[3] ** 0.5
        later = torch.ones_like(relevance[0, 0], dtype=torch.bool).triu(1)
        return relevance.masked_fill(later, -torch.inf).softmax(3)

    def attention(self, inputs):
        queries, keys, values = self.parts(inputs)
        dropout = self.dropout if self.training else 0.0
        seen = F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout, is_causal=True)
        return self.attention_output(seen.transpose(1, 2).flatten(2))

    def network(self, inputs):
        hidden = F.dropout(self.inner(inputs).relu(), self.dropout, self.training)
        return F.dropout(self.outer(hidden), self.dropout, self.training)

    def forward(self, inputs):
        inputs = inputs + F.dropout(self.attention(inputs), self.dropout, self.training)
        return inputs + self.network(self.network_norm(inputs))


class CodedBlock(Block):
    """The authors' code: both sums start from normalised vectors; keys and values are made of those before.

    y = norm(x), y + attention(of y to x), z = norm of that, z + network(z).
    """

    def parts(self, inputs):
        batch, length, dim = inputs.shape
        weight, bias = self.projections.weight, self.projections.bias
        queries = F.linear(self.attention_norm(inputs), weight[:dim], bias[:dim])
        others = F.linear(inputs, weight[dim:], bias[dim:])
        return (part.view(batch, length, self.heads, dim // self.heads).transpose(1, 2)
                for part in (queries, *others.chunk(2, dim=2)))

    def forward(self, inputs):
        normalised = self.network_norm(self.attention_norm(inputs) + self.attention(inputs))
        return normalised + self.network(normalised)


class SASRec(SequenceModel):
    """Blocks of causal self-attention on items plus their positions.

    Parameters
    ----------
    n_users, n_items, dim, length, negatives, dropout, behaviours, pauses
        As in `SequenceModel`.
    blocks, heads : int
        How many blocks, and in how many parts of the vectors each attends on its own.
    stride : int or None
        How many events apart the pieces of a long history end, each `length` events long. None: they do not overlap.
    mixed : bool
        Train on histories of all lengths together, in place of those of nearly the same length: slower, with more
        padding, but every batch stands for all users.
    as_coded : bool
        Blocks as the authors coded them, in place of those of the paper.

    Raises
    ------
    ModelError
        A setting that cannot be; `dim` that does not divide into `heads`.

    Example
    -------
    >>> model = rb.SASRec(*sizes, dim=8, length=10, heads=2)
    >>> history = rb.fit(model, split, epochs=1, progress=False)
    >>> model.top(shop.history([3, 7]), k=5)[0].shape
    torch.Size([2, 5])
    """

    def __init__(self, n_users, n_items, dim=64, length=50, blocks=2, heads=1, negatives=0, dropout=0.2,
                 behaviours=False, pauses=False, stride=None, mixed=False, as_coded=False):
        super().__init__(n_users, n_items, dim, length, negatives, dropout, behaviours, pauses)
        if dim % heads:
            raise ModelError(f"dim={dim} does not divide into heads={heads}.")
        self.batches = Sequences(length, negatives, stride, mixed)
        self.blocks, self.heads, self.stride, self.mixed, self.as_coded = blocks, heads, stride, mixed, as_coded
        self.position = nn.Embedding(length, dim)
        block = CodedBlock if as_coded else Block
        self.stack = nn.ModuleList(block(dim, heads, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(dim)
        nn.init.normal_(self.position.weight, std=dim**-0.5)

    def encode(self, inputs):
        hidden = inputs * self.dim**0.5 + self.position.weight[:inputs.shape[1]]
        for block in self.stack:
            hidden = block(hidden)
        return self.norm(hidden)
