"""Recommendation as translation: a history is read, and a list is written, one item at a time.

Encoder and decoder: Cho et al., *Learning Phrase Representations using RNN Encoder-Decoder*, EMNLP 2014, and Sutskever,
Vinyals and Le, NIPS 2014. Additive attention over the encoder's states: Bahdanau, Cho and Bengio, *Neural Machine
Translation by Jointly Learning to Align and Translate*, ICLR 2015.

Differs from the paper: the encoder reads in one direction; one linear map where theirs has a maxout layer; one table of
vectors for what is read, what is written and what scores; no sign for the end of a list, whose length is asked for. It
trains at every moment of a history, as Caser does (`Windows`): with fewer than `length` events before it only where a user
has no other.
"""

import torch
import torch.nn.functional as F
from torch import nn

from recbook import decoding
from recbook.data.batches import Windows
from recbook.data.histories import checked
from recbook.models.base import rows
from recbook.models.cross_entropy import cross_entropy
from recbook.models.sequence import SequenceModel, last


class Writer(SequenceModel):
    """A GRU reads the history, another writes what follows, and looks back at each of its items while it does.

    Before the t-th item: relevance r_tj = v . tanh(A h'_(t-1) + B h_j) of each state h_j of the encoder, weights
    a_tj = softmax over j, summary s_t = sum_j a_tj h_j, state h'_t = GRU(h'_(t-1), [x_(t-1), s_t]), where x_(t-1) is the
    vector of the item before, zero before the first. Item i then has the score q_i . W [h'_t, s_t] + b_i.

    It trains by *teacher forcing*: the item before is the true one, whatever it would have written. Its `scores` are those
    of the first item.

    Parameters
    ----------
    n_users, n_items, dim, length, dropout
        As in `SequenceModel`.
    hidden : int
        Width of the states of encoder and decoder.
    targets : int
        How many items it learns to write.

    Raises
    ------
    ModelError
        A setting that cannot be, or a history that is none.

    Example
    -------
    >>> model = rb.Writer(*sizes, dim=8, length=10, hidden=16, targets=3)
    >>> history = rb.fit(model, split, epochs=1, progress=False)
    >>> items, log_probability = model.write(shop.history([3, 7]), k=3, how="beam", beam=4)
    >>> items.shape
    torch.Size([2, 3])
    >>> model.weights(shop.history(7, length=10), items[1:]).shape          # (B, k, L)
    torch.Size([1, 3, 10])
    """

    def __init__(self, n_users, n_items, dim=64, length=20, hidden=128, targets=5, dropout=0.2):
        super().__init__(n_users, n_items, dim, length, 0, dropout)
        self.hidden, self.targets = hidden, targets
        self.batches = Windows(length, targets, negatives=0)
        self.encoder = nn.GRU(dim, hidden, batch_first=True)
        self.begin = nn.Linear(hidden, hidden)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.key = nn.Linear(hidden, hidden)
        self.relevance = nn.Linear(hidden, 1, bias=False)
        self.decoder = nn.GRU(dim + hidden, hidden, batch_first=True)
        self.output = nn.Linear(2 * hidden, dim)

    def encode(self, inputs):
        return self.encoder(inputs)[0]

    def attend(self, state, keys, real):
        """How much each event counts for the next item: (B, L), from the decoder's state (B, H) and keys (B, L, H)."""
        relevance = self.relevance(torch.tanh(self.query(state)[:, None] + keys))[..., 0]                   # (B, L)
        relevance = relevance.masked_fill(~real, torch.finfo(relevance.dtype).min)
        return relevance.softmax(1) * real                              # all zero where there is no event

    def read(self, context):
        """What the decoder is given of histories: states (B, L, H), keys (B, L, H), which are real (B, L), its first state."""
        states = self.states(context)
        return states, self.key(states), context.items >= 0, torch.tanh(self.begin(last(states, context.items)))

    def decode(self, reading, before):
        """Questions (B, T, D) whose answers are the items, and weights (B, T, L), given the items before: (B, T), -1 none."""
        states, keys, real, state = reading
        inputs = rows(self.item.weight, before.clamp(min=0)) * (before >= 0)[..., None]                     # (B, T, D)
        inputs = F.dropout(inputs, self.dropout, self.training)
        questions, weights = [], []
        for step in range(before.shape[1]):
            weight = self.attend(state, keys, real)
            summary = (weight[:, None] @ states)[:, 0]                  # (B, H)
            state = self.decoder(torch.cat([inputs[:, step], summary], dim=1)[:, None], state[None])[1][0]
            questions.append(self.output(torch.cat([state, summary], dim=1)))
            weights.append(weight)
        return torch.stack(questions, dim=1), torch.stack(weights, dim=1)

    def final_state(self, context):
        context = checked(context, self.n_items, self.length)
        nothing = context.items.new_full((len(context), 1), -1)
        return self.decode(self.read(context), nothing)[0][:, 0]

    def weights(self, context, written):
        """How much each event counted for each item of the lists written (B, k): (B, k, L)."""
        context = checked(context, self.n_items, self.length)
        return self.decode(self.read(context), one_later(written))[1]

    def loss(self, batch):
        questions, _ = self.decode(self.read(batch.context), one_later(batch.items))
        return cross_entropy(questions.flatten(0, 1), self.item.weight, self.item_bias, batch.items.flatten())

    def following(self, context):
        """What `recbook.write` asks: the log probability of each item after a history and what was written."""
        context = checked(context, self.n_items, self.length)
        reading = self.read(context)

        def following(rows, written):
            before = F.pad(written, (1, 0), value=-1)
            questions, _ = self.decode([part[rows] for part in reading], before)
            return (questions[:, -1] @ self.item.weight.T + self.item_bias).log_softmax(1)

        return following

    def write(self, context, k=None, how="beam", beam=10, exclude=None, generator=None):
        """Lists of k items, by default of as many as it learned to write: `recbook.write` of this model."""
        return decoding.write(self, context, self.targets if k is None else k, how, beam, exclude, generator)


def one_later(items):
    """What stands before each of items (B, T): (B, T), -1 before the first."""
    return F.pad(items[:, :-1], (1, 0), value=-1)
