"""Recurrent networks in Keras. Their papers, and how they differ from them: `recbook/models/recurrent.py`."""

from keras import ops
from keras.layers import GRU, LSTM, Dense, SimpleRNN

from recbook.errors import ModelError
from recbook.keras.layouts import built
from recbook.keras.sequence import SequenceModel

CELLS = {"rnn": SimpleRNN, "lstm": LSTM, "gru": GRU}


class GRU4Rec(SequenceModel):
    """The state of a recurrent network, brought to the items' size, is the question that items answer.

    Weights start as Keras starts them, not as PyTorch does.

    Parameters (more: `SequenceModel`)
    ----------
    hidden : int
        Width of the recurrent state.
    cell : "gru", "lstm" or "rnn"
    """

    def __init__(self, n_users, n_items, dim=64, length=50, hidden=128, cell="gru", negatives=0, dropout=0.2,
                 behaviours=False, pauses=False, **options):
        super().__init__(n_users, n_items, dim, length, negatives, dropout, behaviours, pauses, **options)
        if cell not in tuple(CELLS):
            raise ModelError(f"cell={cell!r}: one of {', '.join(CELLS)}.")
        recurrence = CELLS[cell](hidden, return_sequences=True, name="recurrence", dtype=self.dtype_policy)
        self.recurrence = built(recurrence, dim)
        self.output_layer = built(Dense(dim, name="output", dtype=self.dtype_policy), hidden)

    def encode(self, inputs):
        return self.output_layer(self.recurrence(inputs))


class MaxPooledRNN(GRU4Rec):
    """A recurrent encoder whose states are max-pooled over time, then multiplied with the candidate."""

    def encode(self, inputs):
        pooled, reach = super().encode(inputs), 1
        while reach < pooled.shape[1]:                                  # the maximum over the last 1, 2, 4, ... events
            longer = ops.maximum(pooled[:, reach:], pooled[:, :-reach])
            pooled, reach = ops.concatenate([pooled[:, :reach], longer], axis=1), 2 * reach
        return pooled
