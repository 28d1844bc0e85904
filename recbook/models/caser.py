"""Caser: the last few items as a picture, one row an item, read by convolutions.

Tang and Wang, *Personalized Top-N Sequential Recommendation via Convolutional Sequence Embedding*, WSDM 2018.

Differs from the paper: user vectors start at zero; a history shorter than the picture has empty rows above it (as in the
authors' code, which draws negatives among what a user has not met, too).
"""

import torch
import torch.nn.functional as F
from torch import nn

from recbook.data.batches import Windows
from recbook.data.histories import checked
from recbook.models.base import Recommender, products, rows
from recbook.models.cross_entropy import cross_entropy
from recbook.models.sequence import binary_cross_entropy


class Caser(Recommender):
    """score(i) = w_i . [z; p_u] + b_i, where z is what the filters found in the picture of the last items.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Length of the vectors of users and items, and of z.
    length : int
        Rows of the picture: how many past events are read.
    targets : int
        How many of the next items are learned from one picture.
    horizontal : int
        How many filters of each height 1 .. length; each slides down the picture and keeps its maximum.
    vertical : int
        How many weighted sums of the picture's rows.
    negatives : int
        K random items for each target, each a no, by binary cross-entropy. 0: cross-entropy over all items.
    dropout : float
        Share of the filters' output that is set to zero while training.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.Caser(*sizes, dim=8, length=4, horizontal=2, vertical=1)
    >>> history = rb.fit(model, split, epochs=1, progress=False)
    >>> model.top(shop.history(7), k=3)[0].shape
    torch.Size([1, 3])
    """

    def __init__(self, n_users, n_items, dim=50, length=5, targets=3, horizontal=16, vertical=4, negatives=1,
                 dropout=0.5):
        super().__init__()
        self.n_users, self.n_items, self.dim, self.length, self.targets = n_users, n_items, dim, length, targets
        self.horizontal, self.vertical, self.negatives, self.dropout = horizontal, vertical, negatives, dropout
        self.reads = length
        self.batches = Windows(length, targets, negatives)
        self.user, self.item = nn.Embedding(n_users, dim), nn.Embedding(n_items, dim)
        self.sliding = nn.ModuleList(nn.Conv1d(dim, horizontal, height) for height in range(1, length + 1))
        self.summing = nn.Linear(length, vertical, bias=False)
        self.dense = nn.Linear(horizontal * length + vertical * dim, dim)
        self.output = nn.Embedding(n_items, 2 * dim)
        self.output_bias = nn.Parameter(torch.zeros(n_items))
        nn.init.zeros_(self.user.weight)
        nn.init.normal_(self.item.weight, std=1 / dim)
        nn.init.normal_(self.output.weight, std=1 / (2 * dim))

    def picture(self, items):
        """The vectors of the last `length` items, the latest at the bottom, zeros above a short history: (B, L, D)."""
        items = F.pad(items, (0, self.length - items.shape[1]), value=-1)
        count = (items >= 0).sum(1, keepdim=True)
        step = torch.arange(self.length, device=items.device)
        items = items.gather(1, (step + count) % self.length)           # padding first
        return rows(self.item.weight, items.clamp(min=0)) * (items >= 0)[..., None]

    def vectors(self, context):
        """[z; p_u] of each case: (B, 2 D)."""
        picture = self.picture(context.items).mT                        # (B, D, L)
        found = [conv(picture).relu().amax(2) for conv in self.sliding]                         # (B, horizontal) each
        sums = self.summing(picture).mT.flatten(1)                                              # (B, vertical * D)
        z = self.dense(F.dropout(torch.cat([*found, sums], dim=1), self.dropout, self.training)).relu()
        return torch.cat([z, rows(self.user.weight, context.users)], dim=1)

    def scores(self, context, items=None):
        vectors = self.vectors(checked(context, self.n_items, self.length))
        return products(vectors, self.output.weight, items) + rows(self.output_bias, items)

    def question(self, context):
        return F.pad(self.vectors(checked(context, self.n_items, self.length)), (0, 1), value=1.0)     # a one for the bias

    def answers(self):
        return torch.cat([self.output.weight, self.output_bias[:, None]], dim=1)

    def loss(self, batch):
        vectors = self.vectors(batch.context)                           # (B, 2 D)
        if not self.negatives:
            return cross_entropy(vectors, self.output.weight, self.output_bias, batch.items)
        items = torch.cat([batch.items.clamp(min=0)[..., None], batch.negatives], dim=2)        # (B, T, 1 + K)
        scores = (rows(self.output.weight, items) @ vectors[:, None, :, None])[..., 0] + rows(self.output_bias, items)
        return binary_cross_entropy(scores, batch.items)
