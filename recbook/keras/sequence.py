"""What every sequential model shares, in Keras. How they read a history: `recbook/models/sequence.py`."""

from keras import ops
from keras.initializers import RandomNormal
from keras.layers import Dropout
from keras.losses import sparse_categorical_crossentropy

from recbook.data.batches import Sequences
from recbook.data.histories import PAUSES, checked
from recbook.data.splits import BEHAVIOUR_CODES
from recbook.errors import ModelError
from recbook.keras.base import arrays, products, rows
from recbook.keras.data import fields
from recbook.keras.layouts import LayeredModel


class SequenceModel(LayeredModel):
    """score(i) = state . v_i + b_i.

    A subclass has `encode(inputs)`: states (B, L, D) from inputs (B, L, D), each from the inputs up to it.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Length of the vectors v_i, which are the input and the output, and of the states.
    length : int
        How many past events are read.
    negatives : int
        0: cross-entropy over all items. K: binary cross-entropy, against K random items that the user has not met.
    dropout : float
        Share of the inputs' entries that is set to zero while training.
    behaviours, pauses : bool
        Read also what was done with each item, and how long it was until the next event or the question.
    options
        Keras's own: `dtype`, `name`.
    """

    def __init__(self, n_users, n_items, dim=64, length=50, negatives=0, dropout=0.2, behaviours=False,
                 pauses=False, **options):
        super().__init__(**options)
        if length < 1:
            raise ModelError(f"length={length}: a sequential model reads at least 1 event.")
        self.n_users, self.n_items, self.dim, self.length = n_users, n_items, dim, length
        self.negatives, self.behaviours, self.pauses = negatives, behaviours, pauses
        self.reads = length
        self.batches = Sequences(length, negatives)
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)
        self.item = self.add_weight(shape=(n_items, dim), initializer=RandomNormal(stddev=dim**-0.5),
                                    name="item.weight")
        self.item_bias = self.add_weight(shape=(n_items,), initializer="zeros", name="item_bias")
        if behaviours:
            self.behaviour = self.add_weight(shape=(len(BEHAVIOUR_CODES), dim), initializer="zeros",
                                             name="behaviour.weight")
        if pauses:
            self.pause = self.add_weight(shape=(PAUSES, dim), initializer="zeros", name="pause.weight")

    def start(self, split):
        if self.pauses and not split.dataset.clock:
            raise ModelError(f"{split.dataset.name} has no timestamps, and pauses=True reads how long somebody was away: leave "
                             "it out.")
        return self

    def states(self, context):
        """The state after each event: (B, L, D)."""
        items = context["items"]
        inputs = rows(self.item, ops.maximum(items, 0))
        if self.behaviours:
            inputs += rows(self.behaviour, ops.maximum(given(context, "behaviours"), 0))
        if self.pauses:
            inputs += rows(self.pause, pauses(given(context, "times"), given(context, "now"), items >= 0))
        return self.encode(self.dropout(inputs))

    def scores(self, context, items=None):
        context = fields(checked(context, self.n_items, self.length))
        (items,) = arrays(items)
        vectors = last(self.states(context), context["items"])
        return ops.convert_to_numpy(products(vectors, self.item, items) + rows(self.item_bias, items))

    def call(self, batch, training=False):      # Keras hands `training` on to Dropout, wherever it is
        states = self.states(batch["context"])                          # (B, L, D)
        if "first" in batch:
            states = from_place(states, batch["first"])
        if self.negatives:
            items = ops.concatenate([ops.maximum(batch["items"], 0)[..., None], batch["negatives"]], axis=2)
            scores = ops.sum(states[:, :, None] * rows(self.item, items), axis=3) + rows(self.item_bias, items)
            self.add_loss(binary_cross_entropy(scores, batch["items"]))
        else:
            scores = states @ ops.transpose(self.item) + self.item_bias                         # (B, L, N)
            self.add_loss(cross_entropy(scores, batch["items"]))
        return scores


def cross_entropy(scores, items):
    """Of telling each of items (B, L) from all others by scores (B, L, N)."""
    losses = sparse_categorical_crossentropy(ops.maximum(items, 0), scores, from_logits=True)
    return mean_of_real(losses, items)


def binary_cross_entropy(scores, items):
    """Of a yes for each of items (B, L) and a no for K others: scores (B, L, 1 + K)."""
    right = ops.log_sigmoid(scores[..., 0]) + ops.sum(ops.log_sigmoid(-scores[..., 1:]), axis=2)
    return mean_of_real(-right, items)


def mean_of_real(losses, items):
    """The mean of losses (B, L) over the real ones among items (B, L)."""
    real = ops.cast(items >= 0, losses.dtype)
    return ops.sum(losses * real) / ops.sum(real)


def given(context, name):
    """A field of the context that the model cannot do without."""
    if name not in context:
        raise ModelError(f"The model reads {name}, and the data set has none.")
    return context[name]


def next_times(times, now, real):
    """When each event's next one came, the last one's at `now`: (B, L)."""
    following = ops.where(real[:, 1:], times[:, 1:], now[:, None])
    return ops.concatenate([following, now[:, None]], axis=1)


def pauses(times, now, real):
    """log2 of the seconds from each event to the next, the last one's to `now`, rounded down: (B, L), below PAUSES."""
    gap = next_times(times, now, real) - times
    return ops.digitize(gap, [2**power for power in range(1, PAUSES)])


def from_place(states, first):
    """Rows of states (B, L, D) moved so that each begins at place first (B,); where it ends, the last one again."""
    length = states.shape[1]
    place = first[:, None] + ops.arange(length, dtype=first.dtype)
    return ops.take_along_axis(states, ops.minimum(place, length - 1)[:, :, None], axis=1)


def last(states, items):
    """The state after the last event of each history, zeros where there was none: (B, D)."""
    count = ops.sum(ops.cast(items >= 0, "int32"), axis=1, keepdims=True)
    is_last = ops.arange(items.shape[1]) == count - 1                   # (B, L)
    return ops.einsum("bl,bld->bd", ops.cast(is_last, states.dtype), states)
