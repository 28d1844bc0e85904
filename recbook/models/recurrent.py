"""Recurrent networks: one state, updated at each event.

GRU4Rec: Hidasi, Karatzoglou, Baltrunas and Tikk, *Session-based Recommendations with Recurrent Neural Networks*, ICLR
2016; with cross-entropy: Hidasi and Karatzoglou, *Recurrent Neural Networks with Top-k Gains*, CIKM 2018.

Differs from the papers: whole histories in a batch, where theirs walks many sessions side by side one event at a time
and cuts the gradient there (the chapter does that too); embeddings shared by input and output; Adam.
"""

from torch import nn

from recbook.errors import ModelError
from recbook.models.sequence import SequenceModel

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class GRU4Rec(SequenceModel):
    """The state of a recurrent network, brought to the items' size, is the question that items answer.

    Parameters
    ----------
    n_users, n_items, dim, length, negatives, dropout, behaviours, pauses
        As in `SequenceModel`.
    hidden : int
        Width of the recurrent state.
    cell : "gru", "lstm" or "rnn"

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.GRU4Rec(*sizes, dim=8, length=10, hidden=16, behaviours=True)
    >>> history = rb.fit(model, split, epochs=1, progress=False)
    >>> some = split.test.context(slice(0, 5), length=10)
    >>> model.states(some).shape            # (B, L, D)
    torch.Size([5, 10, 8])
    """

    def __init__(self, n_users, n_items, dim=64, length=50, hidden=128, cell="gru", negatives=0, dropout=0.2,
                 behaviours=False, pauses=False):
        super().__init__(n_users, n_items, dim, length, negatives, dropout, behaviours, pauses)
        if cell not in tuple(CELLS):
            raise ModelError(f"cell={cell!r}: one of {', '.join(CELLS)}.")
        self.hidden, self.cell = hidden, cell
        self.recurrence = CELLS[cell](dim, hidden, batch_first=True)
        self.output = nn.Linear(hidden, dim)

    def encode(self, inputs):
        return self.output(self.recurrence(inputs)[0])


class MaxPooledRNN(GRU4Rec):
    """A recurrent encoder whose states are max-pooled over time, then multiplied with the candidate.

    Texts call this model "Caser"; Tang and Wang's `Caser` is convolutional. The sum of the element-wise product of
    pooled states and candidate is their dot product.

    Parameters
    ----------
    n_users, n_items, dim, length, hidden, cell, negatives, dropout, behaviours, pauses
        As in `GRU4Rec`.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> model = rb.MaxPooledRNN(*sizes, dim=8, length=10, hidden=16)
    >>> history = rb.fit(model, split, epochs=1, progress=False)
    >>> model.top(shop.history(7, length=10), k=3)[0].shape
    torch.Size([1, 3])
    """

    def encode(self, inputs):
        return super().encode(inputs).cummax(dim=1).values               # the maximum over all events up to each
