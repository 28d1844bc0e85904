"""Content in Keras. Its papers, and how it differs from them: `recbook/models/content.py`."""

import keras
import numpy as np
from keras import ops
from keras.layers import Conv1D, Conv2D, Dense, Dropout, LSTM

from recbook.data import features
from recbook.data.batches import Sequences
from recbook.data.histories import checked
from recbook.errors import ModelError
from recbook.keras.base import arrays, products, rows
from recbook.keras.data import fields
from recbook.keras.layouts import LayeredModel, built
from recbook.keras.recurrent import CELLS
from recbook.keras.sequence import cross_entropy, last, next_times


class ContentGRU(LayeredModel):
    """score(i) = (s + W_P f_u) . q_i: a recurrent network reads the items' vectors, and q_i is made from what i is.

    q_i is the sum of those parts that are asked for. No part but `ids` knows which item it is. Weights start as Keras
    starts them, not as PyTorch does.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Length of the vectors q_i.
    length : int
        How many past events are read.
    hidden, cell : int, "gru", "lstm" or "rnn"
        The recurrent state.
    dropout : float
        Share of the entries of what is read that is set to zero while training.
    categories : tuple of str
        Columns of the data set's `items`: each value has a vector.
    text : None, "bag", "cnn", "lstm" or "bilstm"
        How `title`, `text` and `description` are read: `BagOfWords`, `TextCNN`, `TextLSTM`.
    picture : bool
        Read the items' pictures: `PictureCNN`.
    ids : bool
        Each item has a vector of its own, too. It starts at zero, and stays there while nobody meets the item.
    id_dropout : float
        Share of the items' own vectors that are left out of each step of training.
    profile : tuple of str
        Columns of the data set's `users`: what is known of the user, f_u, before the first event.
    n_words, n_values : int
        How many words, and values of all of `categories` (and of `profile`), are told apart: the most frequent.
    words : int
        How many words of an item are read.
    options
        Keras's own: `dtype`, `name`.
    """

    def __init__(self, n_users, n_items, dim=64, length=50, hidden=128, cell="gru", dropout=0.2,
                 categories=("category", "brand"), text=None, picture=False, ids=False, id_dropout=0.0, profile=(),
                 n_words=2000, n_values=500, words=40, **options):
        super().__init__(**options)
        if length < 1:
            raise ModelError(f"length={length}: a sequential model reads at least 1 event.")
        if cell not in tuple(CELLS):
            raise ModelError(f"cell={cell!r}: one of {', '.join(CELLS)}.")
        if text is not None and text not in tuple(READERS):
            raise ModelError(f"text={text!r}: None or one of {', '.join(READERS)}.")
        if not (categories or text or picture or ids):
            raise ModelError("An item without categories, text, picture and id is nothing: ask for one of them.")
        self.n_users, self.n_items, self.dim, self.length = n_users, n_items, dim, length
        self.categories, self.text, self.picture, self.ids = tuple(categories), text, picture, ids
        self.profile, self.n_words, self.n_values, self.words = tuple(profile), n_words, n_values, words
        self.reads = length
        self.batches = Sequences(length)
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)
        self.since = self.fact("since", np.zeros(n_items, dtype=np.int64))              # first day for sale
        if categories:
            self.values = self.fact("values", np.zeros((n_items, n_values), dtype=np.float32))
            self.category = self.matrix("category", n_values)
        if text:
            self.tokens = self.fact("tokens", np.full((n_items, words), -1))
            self.reader = READERS[text](n_words, dim, name="reader", dtype=self.dtype_policy)
        if picture:
            shape = (n_items, 3, features.PICTURE, features.PICTURE)
            self.pictures = self.fact("pictures", np.zeros(shape, dtype=np.uint8))
            self.eye = PictureCNN(dim, name="eye", dtype=self.dtype_policy)
        if not 0 <= id_dropout < 1:
            raise ModelError(f"id_dropout={id_dropout}: a share of at least 0 and below 1.")
        if ids:
            self.id_dropout = Dropout(id_dropout, noise_shape=(n_items, 1), dtype=self.dtype_policy)
            self.item = self.add_weight(shape=(n_items, dim), initializer="zeros", name="item.weight")
        if profile:
            self.known_of_user = self.fact("known_of_user", np.zeros((n_users, n_values), dtype=np.float32))
            self.user = self.matrix("user", n_values, kernel_initializer="zeros")
        self.recurrence = built(CELLS[cell](hidden, return_sequences=True, name="recurrence", dtype=self.dtype_policy),
                                dim)
        self.output_layer = built(Dense(dim, name="output", dtype=self.dtype_policy), hidden)

    def fact(self, name, values):
        """What is known of the items or the users: kept with the weights, and not learned."""
        dtype = self.variable_dtype if values.dtype == np.float32 else values.dtype.name
        kept = self.add_weight(shape=values.shape, dtype=dtype, initializer="zeros", trainable=False, name=name)
        kept.assign(values)
        return kept

    def matrix(self, name, width, **options):
        """A matrix without a bias."""
        return built(Dense(self.dim, use_bias=False, name=name, dtype=self.dtype_policy, **options), width)

    def start(self, split):
        """Read what the items and the users are."""
        dataset = split.dataset
        self.since.assign(features.for_sale_since(split))
        if self.categories:
            self.values.assign(features.categories(dataset.items, self.categories, self.n_values, dataset.name)[0])
        if self.text:
            texts = features.texts(dataset.items, features.TEXT, dataset.name)
            tokens = features.tokens(texts, features.vocabulary(texts, self.n_words), self.words)
            self.tokens.assign(tokens)
            if self.text == "bag":
                self.reader.weigh(tokens)
        if self.picture:
            self.pictures.assign(features.pictures(dataset).transpose(0, 3, 1, 2))
        if self.profile:
            known, _ = features.categories(dataset.users, self.profile, self.n_values, dataset.name)
            self.known_of_user.assign(known)
        return self

    def vectors(self, items=None):
        """q_i of all items, (N, D), or of those whose numbers are given, (C, D)."""
        parts = []
        if self.categories:
            parts.append(self.category(rows(self.values, items)))
        if self.text:
            parts.append(self.reader(rows(self.tokens, items)))
        if self.picture:
            parts.append(self.eye(rows(self.pictures, items)))
        if self.ids:
            parts.append(rows(self.id_dropout(self.item), items))
        return sum(parts[1:], start=ops.convert_to_tensor(parts[0]))

    def states(self, context, vectors):
        """The question after each event, (B, L, D): the state of the recurrence, and what is known of the user."""
        inputs = rows(vectors, ops.maximum(context["items"], 0))
        states = self.output_layer(self.recurrence(self.dropout(inputs)))
        return states + self.of_user(context)[:, None]

    def of_user(self, context):
        """W_P f_u: (B, D) or (1, D)."""
        if not self.profile:
            return ops.zeros((1, self.dim), dtype=self.compute_dtype)
        if "users" not in context:
            raise ModelError("The model reads the user's profile: context.users is missing.")
        return self.user(rows(self.known_of_user, context["users"]))

    def scores(self, context, items=None):
        context = fields(checked(context, self.n_items, self.length))
        (items,) = arrays(items)
        vectors = self.vectors()
        return ops.convert_to_numpy(products(self.asked(context, vectors), vectors, items))

    def asked(self, context, vectors):
        """What each case asks: (B, D)."""
        states = self.states(context, vectors)
        begun = (context["items"] >= 0).any(axis=1, keepdims=True)
        return ops.where(begun, last(states, context["items"]), self.output_layer.bias + self.of_user(context))

    def question(self, context):
        """What each case asks, an array (B, D): score = question . answer. Only the vectors of what was met are made."""
        context = fields(checked(context, self.n_items, self.length))
        items = context["items"]
        met, place = np.unique(np.maximum(items, 0), return_inverse=True)
        context["items"] = np.where(items < 0, -1, place.reshape(items.shape))
        return ops.convert_to_numpy(self.asked(context, self.vectors(met)))

    def answers(self):
        """What each item answers to a `question`: an array (N, D)."""
        return ops.convert_to_numpy(self.vectors())

    @property
    def knows_users(self):
        """Whether it has something of each user, and so cannot answer for a new one."""
        return bool(self.profile)

    def call(self, batch, training=False):      # Keras hands `training` on to Dropout
        vectors = self.vectors()
        scores = self.states(batch["context"], vectors) @ ops.transpose(vectors)                # (B, L, N)
        context = batch["context"]
        not_yet = self.since > next_times(context["times"], context["now"], context["items"] >= 0)[..., None]
        scores = ops.where(not_yet, -1e30, scores)                      # what was not for sale was not turned down
        self.add_loss(cross_entropy(scores, batch["items"]))
        return scores


class Part(keras.Model):
    """A part of a model with its own weights and layers, which all have their names in the PyTorch twin."""

    def layer(self, kind, *sizes, name, **options):
        return kind(*sizes, name=name, dtype=self.dtype_policy, **options)

    def words(self, n_words, width):
        return self.add_weight(shape=(n_words, width), initializer="random_normal", name="word.weight")


class BagOfWords(Part):
    """The words without their order: TF-IDF, and a matrix.

    A word counts as often as it stands in the text, times 1 + ln((1 + N) / (1 + texts that have it)); each text's
    numbers have length 1.
    """

    def __init__(self, n_words, dim, **options):
        super().__init__(**options)
        self.rarity = self.add_weight(shape=(n_words,), initializer="ones", trainable=False, name="rarity")
        self.word = built(self.layer(Dense, dim, name="word", use_bias=False), n_words)

    def weigh(self, tokens):
        """How rare each word is among the texts."""
        having = np.asarray(counts(tokens, self.rarity.shape[0]) > 0).sum(0)
        self.rarity.assign(1 + np.log((1 + len(tokens)) / (1 + having)))

    def call(self, tokens):                                             # (N, T)
        weighed = ops.cast(counts(tokens, self.rarity.shape[0]), self.compute_dtype) * self.rarity
        length = ops.sqrt(ops.sum(ops.square(weighed), axis=1, keepdims=True))
        return self.word(weighed / ops.maximum(length, 1e-12))


class TextCNN(Part):
    """Filters that slide over three words at a time; of each, the strongest answer anywhere in the text."""

    def __init__(self, n_words, dim, width=32, filters=64, height=3, **options):
        super().__init__(**options)
        self.word = self.words(n_words, width)
        self.sliding = built(self.layer(Conv1D, filters, height, name="sliding", padding="same", activation="relu"),
                             width)
        self.output_layer = built(self.layer(Dense, dim, name="output", use_bias=False), filters)

    def answers(self, tokens):
        """What each filter says at each word, 0 after the last: (N, T, filters)."""
        words, real = embedded(self.word, tokens)
        return self.sliding(words) * real

    def call(self, tokens):                                             # (N, T)
        return self.output_layer(ops.max(self.answers(tokens), axis=1))


class TextLSTM(Part):
    """An LSTM reads the words; bidirectional: another one reads them from the last to the first. Their last states."""

    def __init__(self, n_words, dim, width=32, hidden=64, bidirectional=False, **options):
        super().__init__(**options)
        self.word = self.words(n_words, width)
        self.forth = built(self.layer(LSTM, hidden, name="forth", return_sequences=True), width)
        self.back = built(self.layer(LSTM, hidden, name="back", return_sequences=True), width) if bidirectional else None
        self.output_layer = built(self.layer(Dense, dim, name="output", use_bias=False), hidden * (1 + bidirectional))

    def call(self, tokens):                                             # (N, T)
        tokens = ops.convert_to_tensor(tokens)
        ends = [last(self.forth(embedded(self.word, tokens)[0]), tokens)]
        if self.back is not None:
            ends.append(last(self.back(embedded(self.word, turned(tokens))[0]), tokens))
        return self.output_layer(ops.concatenate(ends, axis=1))


class PictureCNN(Part):
    """Three layers of filters, each over every second pixel of the one before; then a matrix. No picture: zeros."""

    def __init__(self, dim, filters=16, **options):
        super().__init__(**options)
        self.looking = []
        for name, channels, found, size in (("first", 3, filters, 5), ("second", filters, 2 * filters, 3),
                                            ("third", 2 * filters, 2 * filters, 3)):
            layer = self.layer(Conv2D, found, size, name=name, strides=2, activation="relu")
            layer.build((None, None, None, channels))
            self.looking.append(layer)
        self.output_layer = built(self.layer(Dense, dim, name="output", use_bias=False), 8 * filters)

    def call(self, pictures):                                           # (N, 3, 32, 32) of uint8
        there = ops.any(ops.reshape(pictures, (pictures.shape[0], -1)) > 0, axis=1, keepdims=True)
        found = ops.transpose(ops.cast(pictures, self.compute_dtype) / 255 - 0.5, (0, 2, 3, 1))
        for layer in self.looking:
            found = layer(found)                                        # Keras has the colours last, PyTorch first
        found = ops.reshape(ops.transpose(found, (0, 3, 1, 2)), (pictures.shape[0], -1))
        return self.output_layer(found) * ops.cast(there, self.compute_dtype)


READERS = {"bag": BagOfWords, "cnn": TextCNN, "lstm": TextLSTM,
           "bilstm": lambda n_words, dim, **options: TextLSTM(n_words, dim, bidirectional=True, **options)}


def counts(tokens, n_words):
    """How often each word stands in each of the texts (N, T): (N, n_words)."""
    return ops.sum(ops.one_hot(tokens, n_words, dtype="int32"), axis=1)


def embedded(table, tokens):
    """The vectors of the words (N, T, E), zeros after the last, and where there are words: (N, T, 1) of 0 and 1."""
    vectors = rows(table, ops.maximum(tokens, 0))
    real = ops.cast(ops.convert_to_tensor(tokens) >= 0, vectors.dtype)[..., None]
    return vectors * real, real


def turned(tokens):
    """Each text (N, T) from its last word to its first, the padding still at the end."""
    count = ops.sum(ops.cast(tokens >= 0, tokens.dtype), axis=1, keepdims=True)
    place = count - 1 - ops.arange(tokens.shape[1], dtype=tokens.dtype)
    return ops.where(place >= 0, ops.take_along_axis(tokens, ops.maximum(place, 0), axis=1), -1)
