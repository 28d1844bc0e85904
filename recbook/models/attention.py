"""Attention over the states of a recurrent encoder: which of the past events matter now?

AttentiveGRU: the candidate asks. Candidate as query: Zhou et al., *Deep Interest Network for Click-Through Rate
Prediction*, KDD 2018. NARM: the last state asks; Li, Ren, Chen, Ren, Lian and Ma, *Neural Attentive Session-based
Recommendation*, CIKM 2017.

Differs from the papers: all positions of a history are trained at once; AttentiveGRU scores by dot products.
"""

import torch
import torch.nn.functional as F
from torch import nn

from recbook.data.histories import checked
from recbook.models.base import Recommender, rows
from recbook.models.sequence import SequenceModel

CASES_AT_ONCE = 256     # histories whose relevance to all items is held together


class AttentiveGRU(SequenceModel):
    """Every candidate has its own summary of the history. The loss is cross-entropy over all items.

    Relevance of event t to item i: r_ti = h_t . v_i. The summary for i is sum_t softmax_t(r_ti) h_t, and its product
    with v_i is sum_t softmax_t(r_ti) r_ti: no summary (B, N, D) is ever made.

    Parameters
    ----------
    n_users, n_items, dim, length, dropout, behaviours, pauses
        As in `SequenceModel`.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.AttentiveGRU(*sizes, dim=8, length=10)
    >>> history = rb.fit(model, split, epochs=1, progress=False)
    >>> some = split.test.context(slice(0, 5), length=10)
    >>> model.weights(some).shape           # (B, L, N)
    torch.Size([5, 10, 48])
    """

    def __init__(self, n_users, n_items, dim=64, length=50, dropout=0.2, behaviours=False, pauses=False):
        super().__init__(n_users, n_items, dim, length, 0, dropout, behaviours, pauses)
        self.recurrence = nn.GRU(dim, dim, batch_first=True)

    def encode(self, inputs):
        return self.recurrence(inputs)[0]

    def relevance(self, context, items=None):
        """r of each event to each item, -inf at padding, 0 where there is no event: (B, L, N) or (B, L, C)."""
        relevance = self.states(context) @ rows(self.item.weight, items).mT                     # (B, L, C)
        padding = context.items < 0
        nothing = padding.all(1, keepdim=True)
        return relevance.masked_fill((padding & ~nothing)[..., None], -torch.inf).masked_fill(nothing[..., None], 0)

    def weights(self, context, items=None):
        """How much each event counts for each item: (B, L, N) or (B, L, C), each column's sum 1."""
        return self.relevance(checked(context, self.n_items, self.length), items).softmax(1)

    question, answers = Recommender.question, Recommender.answers       # each candidate asks the history anew

    def scores(self, context, items=None):
        context = checked(context, self.n_items, self.length)
        scores = []
        for part in torch.arange(len(context), device=self.item_bias.device).split(CASES_AT_ONCE):
            relevance = self.relevance(context.rows(part), items if items is None or items.ndim == 1 else items[part])
            scores.append((relevance.softmax(1) * relevance.clamp(min=torch.finfo(relevance.dtype).min)).sum(1))
        return torch.cat(scores) + rows(self.item_bias, items)

    def loss(self, batch):
        relevance = self.states(batch.context) @ self.item.weight.T                             # (B, L, N)
        scores = running_attention(relevance) + self.item_bias
        return F.cross_entropy(scores.flatten(0, 1), batch.items.flatten(), ignore_index=-1)


def running_attention(relevance):
    """sum over s <= t of softmax(r_1 .. r_t)_s r_s, at every t at once, by running sums: (B, L, C) to (B, L, C).

    The sums are of e^r, which overflows, so they are kept as logarithms, with the digits of float64; for a logarithm
    what is summed must be positive.
    """
    weight = relevance.double()                                         # the logarithm of e^r
    below = weight.amin(1, keepdim=True).detach() - 1
    total = (weight + (weight - below).log()).logcumsumexp(1)           # log of the running sum of e^r (r - below)
    return (below + (total - weight.logcumsumexp(1)).exp()).to(relevance.dtype)


class NARM(SequenceModel):
    """The last state of a GRU, beside a sum of all states weighted by what it asks: v . sigmoid(A h_last + B h_t).

    Parameters
    ----------
    n_users, n_items, dim, length, negatives, dropout, behaviours, pauses
        As in `SequenceModel`.
    hidden : int
        Width of the states.
    output_dropout : float
        Share of the two summaries' entries that is set to zero while training.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.NARM(*sizes, dim=8, length=10, hidden=16)
    >>> history = rb.fit(model, split, epochs=1, progress=False)
    >>> model.top(shop.history(7), k=3)[0].shape
    torch.Size([1, 3])
    """

    def __init__(self, n_users, n_items, dim=50, length=50, hidden=100, negatives=0, dropout=0.25, output_dropout=0.5,
                 behaviours=False, pauses=False):
        super().__init__(n_users, n_items, dim, length, negatives, dropout, behaviours, pauses)
        self.hidden, self.output_dropout = hidden, output_dropout
        self.recurrence = nn.GRU(dim, hidden, batch_first=True)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.key = nn.Linear(hidden, hidden, bias=False)
        self.relevance = nn.Linear(hidden, 1, bias=False)
        self.output = nn.Linear(2 * hidden, dim, bias=False)

    def weights(self, states):
        """How much, at each event (second axis), each event up to it counts: (B, L, L). No softmax, as in the paper."""
        asked = self.query(states)[:, :, None] + self.key(states)[:, None]                      # (B, L, L, H)
        return self.relevance(asked.sigmoid())[..., 0].tril()

    def encode(self, inputs):
        states = self.recurrence(inputs)[0]                                                     # (B, L, H)
        both = torch.cat([states, self.weights(states) @ states], dim=2)
        return self.output(F.dropout(both, self.output_dropout, self.training))
