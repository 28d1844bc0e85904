"""What every sequential model of the book shares: it reads a history and says, after each event, what comes next.

One pass over a history of L events gives L states, the t-th made from the first t events alone; so each event but the
first is a training target, and a history trains in one pass what L prefixes would train in L.
"""

import torch
import torch.nn.functional as F
from torch import nn

from recbook.data.batches import Sequences
from recbook.data.histories import PAUSES, checked
from recbook.data.splits import BEHAVIOUR_CODES
from recbook.errors import ModelError
from recbook.models.base import Recommender, products, rows
from recbook.models.cross_entropy import cross_entropy


class SequenceModel(Recommender):
    """score(i) = state . v_i + b_i.

    A subclass has `encode(inputs)`: states (B, L, D) from inputs (B, L, D), each from the inputs up to it, so that
    padding at the end is never seen.

    Parameters
    ----------
    n_users, n_items : int
        Users have no parameters: who has a history needs no other name.
    dim : int
        Length of the vectors v_i, which are the input and the output, and of the states.
    length : int
        How many past events are read.
    negatives : int
        0: the next item is told from all others, by cross-entropy. K: it is a yes, and K random items that the user has
        not met are a no, each by binary cross-entropy.
    dropout : float
        Share of the inputs' entries that is set to zero while training.
    behaviours : bool
        Read also what was done with each item (view, favourite, cart, purchase).
    pauses : bool
        Read also how long it was, after each event, until the next one, or until the question: it is known then.

    Raises
    ------
    ModelError
        A setting that cannot be, or a history that lacks what the model reads.

    Example
    -------
    >>> class Sums(rb.SequenceModel):
    ...     def encode(self, inputs):
    ...         return inputs.cumsum(1)
    >>> model = Sums(*sizes, dim=8, length=10)
    >>> history = rb.fit(model, split, epochs=1, progress=False)
    >>> model.top(shop.history([3, 7]), k=5)[0].shape
    torch.Size([2, 5])
    """

    def __init__(self, n_users, n_items, dim=64, length=50, negatives=0, dropout=0.2, behaviours=False,
                 pauses=False):
        super().__init__()
        self.n_users, self.n_items, self.dim, self.length = n_users, n_items, dim, length
        self.negatives, self.dropout, self.behaviours, self.pauses = negatives, dropout, behaviours, pauses
        self.reads = length
        self.batches = Sequences(length, negatives)
        self.item = nn.Embedding(n_items, dim)
        self.item_bias = nn.Parameter(torch.zeros(n_items))
        nn.init.normal_(self.item.weight, std=dim**-0.5)
        if behaviours:
            self.behaviour = nn.Embedding(len(BEHAVIOUR_CODES), dim)
            nn.init.zeros_(self.behaviour.weight)
        if pauses:
            self.pause = nn.Embedding(PAUSES, dim)
            nn.init.zeros_(self.pause.weight)

    def start(self, split):
        if self.pauses and not split.dataset.clock:
            raise ModelError(f"{split.dataset.name} has no timestamps, and pauses=True reads how long somebody was away: leave "
                             "it out.")

    def states(self, context):
        """The state after each event: (B, L, D)."""
        real = context.items >= 0
        inputs = rows(self.item.weight, context.items.clamp(min=0))
        if self.behaviours:
            inputs = inputs + rows(self.behaviour.weight, given(context, "behaviours").clamp(min=0))
        if self.pauses:
            inputs = inputs + rows(self.pause.weight, pauses(given(context, "times"), given(context, "now"), real))
        return self.encode(F.dropout(inputs, self.dropout, self.training))

    def final_state(self, context):
        """The state after the last event: (B, D)."""
        context = checked(context, self.n_items, self.length)
        return last(self.states(context), context.items)

    def scores(self, context, items=None):
        return products(self.final_state(context), self.item.weight, items) + rows(self.item_bias, items)

    def question(self, context):
        return F.pad(self.final_state(context), (0, 1), value=1.0)      # a one for the bias

    def answers(self):
        return torch.cat([self.item.weight, self.item_bias[:, None]], dim=1)

    def loss(self, batch):
        states = self.states(batch.context)                             # (B, L, D)
        if batch.first is not None:
            states = from_place(states, batch.first, batch.items.shape[1])                      # (B, S, D)
        if not self.negatives:
            states, right = states.flatten(0, 1), batch.items.flatten()
            if self.batches.mixed:                  # much is padding: no scores of it, though a GPU is waited for
                real = (right >= 0).nonzero()[:, 0]
                states, right = states[real], right[real]
            return cross_entropy(states, self.item.weight, self.item_bias, right)
        items = torch.cat([batch.items.clamp(min=0)[..., None], batch.negatives], dim=-1)       # (B, L, 1 + K)
        scores = (states[:, :, None] * rows(self.item.weight, items)).sum(-1) + rows(self.item_bias, items)
        return binary_cross_entropy(scores, batch.items)


def binary_cross_entropy(scores, items):
    """Of a yes for each of items (B, L) and a no for K others: scores (B, L, 1 + K)."""
    right = F.logsigmoid(scores[..., 0]) + F.logsigmoid(-scores[..., 1:]).sum(-1)
    return mean_of_real(-right, items)


def mean_of_real(losses, items):
    """The mean of losses (B, L) over the real ones among items (B, L)."""
    real = items >= 0
    return losses.masked_fill(~real, 0).sum() / real.sum()


def given(context, name):
    """A field of the context that the model cannot do without."""
    value = getattr(context, name)
    if value is None:
        raise ModelError(f"The model reads {name}, and the data set has none.")
    return value


def next_times(times, now, real):
    """When each event's next one came, the last one's at `now`: (B, L)."""
    following = torch.cat([times[:, 1:], times[:, :1]], dim=1)
    at_end = torch.cat([~real[:, 1:], torch.ones_like(real[:, :1])], dim=1)
    return torch.where(at_end, now[:, None], following)


def pauses(times, now, real):
    """log2 of the seconds from each event to the next, the last one's to `now`, rounded down: (B, L), below PAUSES."""
    gap = next_times(times, now, real) - times
    if torch.compiler.is_exporting():                                   # elsewhere the logarithm of a power of two is rounded
        return (gap[..., None] >= 2 ** torch.arange(1, PAUSES, device=gap.device)).sum(-1)
    return gap.clamp(min=1).double().log2().long().clamp(max=PAUSES - 1)


def from_place(states, first, size):
    """Of each row of states (B, L, D) the `size` from place first (B,) on; where it ends, the last one again."""
    place = (first[:, None] + torch.arange(size, device=first.device)).clamp(max=states.shape[1] - 1)
    return states.gather(1, place[:, :, None].expand(-1, -1, states.shape[2]))


def last(states, items):
    """The state after the last event of each history, zeros where there was none: (B, D)."""
    count = (items >= 0).sum(1)
    place = (count - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[2])
    return states.gather(1, place)[:, 0] * (count > 0)[:, None]
