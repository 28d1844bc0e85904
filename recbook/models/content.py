"""Content: an item is what it is made of, so that one that nobody has met yet has its place.

Text by convolution: Kim, *Convolutional Neural Networks for Sentence Classification*, EMNLP 2014; items as text in a
recurrent recommender: Bansal, Belanger and McCallum, *Ask the GRU*, RecSys 2016; pictures and text beside ids in one:
Hidasi, Quadrana, Karatzoglou and Tikk, *Parallel Recurrent Neural Network Architectures*, RecSys 2016.

Differs from the papers: an item's vector is the sum of its parts; a few small layers, trained from nothing with all the
rest; cross-entropy over the items that were for sale at that moment, from the first day on which somebody met them.
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from recbook.data import features
from recbook.data.batches import Sequences
from recbook.data.histories import checked
from recbook.errors import ModelError
from recbook.models.base import Recommender, products, rows
from recbook.models.recurrent import CELLS
from recbook.models.sequence import last, next_times


class ContentGRU(Recommender):
    """score(i) = (s + W_P f_u) . q_i: a recurrent network reads the items' vectors, and q_i is made from what i is.

    q_i is the sum of those parts that are asked for. No part but `ids` knows which item it is.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Length of the vectors q_i.
    length : int
        How many past events are read.
    hidden : int
        Width of the recurrent state.
    cell : "gru", "lstm" or "rnn"
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
        Share of the items' own vectors that are left out of each step of training, so that the other parts learn to
        do without (Volkovs, Yu and Poutanen, *DropoutNet*, NIPS 2017).
    profile : tuple of str
        Columns of the data set's `users`: what is known of the user, f_u, before the first event.
    n_words, n_values : int
        How many words, and values of all of `categories` (and of `profile`), are told apart: the most frequent.
    words : int
        How many words of an item are read.

    Raises
    ------
    ModelError
        A setting that cannot be, no part at all, or a profile that is read for nobody in particular.
    DataError
        The data set lacks the columns or the pictures.

    Example
    -------
    >>> model = rb.ContentGRU(*sizes, dim=8, hidden=16, length=10, text="bag")
    >>> history = rb.fit(model, split, epochs=1, progress=False)
    >>> model.vectors().shape               # q of every item, met or not
    torch.Size([48, 8])
    """

    def __init__(self, n_users, n_items, dim=64, length=50, hidden=128, cell="gru", dropout=0.2,
                 categories=("category", "brand"), text=None, picture=False, ids=False, id_dropout=0.0, profile=(),
                 n_words=2000, n_values=500, words=40):
        super().__init__()
        if cell not in tuple(CELLS):
            raise ModelError(f"cell={cell!r}: one of {', '.join(CELLS)}.")
        if text is not None and text not in tuple(READERS):
            raise ModelError(f"text={text!r}: None or one of {', '.join(READERS)}.")
        if not (categories or text or picture or ids):
            raise ModelError("An item without categories, text, picture and id is nothing: ask for one of them.")
        self.n_users, self.n_items, self.dim, self.length, self.hidden, self.cell = (
            n_users, n_items, dim, length, hidden, cell)
        self.dropout, self.categories, self.text, self.picture = dropout, tuple(categories), text, picture
        self.ids, self.id_dropout = ids, id_dropout
        self.profile, self.n_words, self.n_values, self.words = tuple(profile), n_words, n_values, words
        self.reads = length
        self.batches = Sequences(length)
        self.register_buffer("since", torch.zeros(n_items, dtype=torch.long))           # first day for sale
        if categories:
            self.register_buffer("values", torch.zeros(n_items, n_values))
            self.category = nn.Linear(n_values, dim, bias=False)
        if text:
            self.register_buffer("tokens", torch.full((n_items, words), -1))
            self.reader = READERS[text](n_words, dim)
        if picture:
            self.register_buffer("pictures", torch.zeros(n_items, 3, features.PICTURE, features.PICTURE,
                                                         dtype=torch.uint8))
            self.eye = PictureCNN(dim)
        if ids:
            self.item = nn.Embedding(n_items, dim)
            nn.init.zeros_(self.item.weight)
        if profile:
            self.register_buffer("known_of_user", torch.zeros(n_users, n_values))
            self.user = nn.Linear(n_values, dim, bias=False)
            nn.init.zeros_(self.user.weight)
        self.recurrence = CELLS[cell](dim, hidden, batch_first=True)
        self.output = nn.Linear(hidden, dim)
        self.kept = None

    def start(self, split):
        """Read what the items and the users are."""
        dataset = split.dataset
        self.since.copy_(torch.tensor(features.for_sale_since(split)))
        if self.categories:
            values, _ = features.categories(dataset.items, self.categories, self.n_values, dataset.name)
            self.values.copy_(torch.from_numpy(values))
        if self.text:
            texts = features.texts(dataset.items, features.TEXT, dataset.name)
            tokens = features.tokens(texts, features.vocabulary(texts, self.n_words), self.words)
            self.tokens.copy_(torch.from_numpy(tokens))
            if self.text == "bag":
                self.reader.weigh(self.tokens)
        if self.picture:
            self.pictures.copy_(torch.from_numpy(features.pictures(dataset)).permute(0, 3, 1, 2))
        if self.profile:
            values, _ = features.categories(dataset.users, self.profile, self.n_values, dataset.name)
            self.known_of_user.copy_(torch.from_numpy(values))

    def place(self, dataset):
        """The same weights among items that have grown: an item's words, values and picture are read as in training."""
        ours = {what: dataset.ids.numbers(what) for what in ("items", "users")}
        items, users = ([ours[what].get(one, -1) for one in getattr(self.trained_on, what)] for what in ("items", "users"))
        if -1 in items or self.profile and -1 in users:                 # the words of all are needed to number them as then
            return None
        found = type(self)(**self.config | {"n_users": dataset.n_users, "n_items": dataset.n_items})
        own = {"since": torch.full((dataset.n_items,), features.NEVER)}
        own["since"][items] = self.since.cpu()
        if self.categories:
            own["values"] = read_again(dataset.items, items, self.categories, self.n_values, dataset.name)
        if self.text:
            texts = features.texts(dataset.items, features.TEXT, dataset.name)
            vocabulary = features.vocabulary([texts[row] for row in items], self.n_words)
            own["tokens"] = torch.from_numpy(features.tokens(texts, vocabulary, self.words))
        if self.picture:
            own["pictures"] = torch.from_numpy(features.pictures(dataset)).permute(0, 3, 1, 2)
        if any((own[name][items] != getattr(self, name).cpu()).any() for name in own):
            return None                                                 # what the items are has changed since
        if self.ids:
            own["item.weight"] = self.item.weight.new_zeros(dataset.n_items, self.dim)
            own["item.weight"][items] = self.item.weight.detach()
        if self.profile:
            own["known_of_user"] = read_again(dataset.users, users, self.profile, self.n_values, dataset.name)
        found.to(self.output.weight).load_state_dict(self.state_dict() | own)
        found.trained_on = dataset.ids
        return found.train(self.training)

    def vectors(self):
        """q_i of all items: (N, D)."""
        parts = []
        if self.categories:
            parts.append(self.category(self.values))
        if self.text:
            parts.append(self.reader(self.tokens))
        if self.picture:
            parts.append(self.eye(self.pictures))
        if self.ids:
            kept = F.dropout(torch.ones_like(self.item.weight[:, :1]), self.id_dropout, self.training)      # (N, 1)
            parts.append(self.item.weight * kept)
        return sum(parts)

    def states(self, context, vectors):
        """The question after each event, (B, L, D): the state of the recurrence, and what is known of the user."""
        inputs = rows(vectors, context.items.clamp(min=0))
        states = self.output(self.recurrence(F.dropout(inputs, self.dropout, self.training))[0])
        return states + self.of_user(context)[:, None]

    def of_user(self, context):
        """W_P f_u: (B, D) or (1, D)."""
        if not self.profile:
            return self.output.bias.new_zeros(1, self.dim)
        if context.users is None:
            raise ModelError("The model reads the user's profile: context.users is missing.")
        return self.user(rows(self.known_of_user, context.users))

    def introduce(self, known):
        """The same model for one user who is new, and is asked for as user 0. known : (n_values,), a row of `known_of_user`."""
        with torch.no_grad():
            self.answers()                                              # made once, not for each who is new
        found = copy.copy(self)                                         # the weights are these, not others like them
        found._buffers = self._buffers | {"known_of_user": known[None]}
        found.n_users = 1
        return found

    def scores(self, context, items=None):
        return products(self.question(context), self.answers(), items)

    def question(self, context):
        context = checked(context, self.n_items, self.length)
        states = self.states(context, self.answers())
        begun = (context.items >= 0).any(1, keepdim=True)
        return torch.where(begun, last(states, context.items), self.output.bias + self.of_user(context))

    def loss(self, batch):
        vectors = self.vectors()
        states = self.states(batch.context, vectors)                    # (B, L, D)
        logits = states.flatten(0, 1) @ vectors.T                       # (B * L, N)
        asked = next_times(batch.context.times, batch.context.now, batch.context.items >= 0)    # (B, L)
        not_yet = self.since > asked.flatten()[:, None]
        logits = logits.masked_fill(not_yet, -torch.inf)                # what was not for sale was not turned down
        return F.cross_entropy(logits, batch.items.flatten(), ignore_index=-1)

    def answers(self):
        """`vectors()`, computed once for as long as no weight changes and no gradient is asked for.

        To rank the 4,344 texts of Amazon Scientific for its 8,317 users takes a seventh of the time.
        """
        if torch.is_grad_enabled():
            return self.vectors()
        state = [(tensor.data_ptr(), tensor._version) for name, tensor in self.state_dict().items()
                 if name != "known_of_user"]                            # who asks changes no item
        if self.kept is None or self.kept[0] != state:
            self.kept = state, self.vectors()
        return self.kept[1]


class BagOfWords(nn.Module):
    """The words without their order: TF-IDF, and a matrix.

    Salton and Buckley, *Term-Weighting Approaches in Automatic Text Retrieval*, 1988. A word counts as often as it
    stands in the text, times 1 + ln((1 + N) / (1 + texts that have it)); each text's numbers have length 1.
    """

    def __init__(self, n_words, dim):
        super().__init__()
        self.register_buffer("rarity", torch.ones(n_words))
        self.word = nn.Linear(n_words, dim, bias=False)

    def weigh(self, tokens):
        """How rare each word is among the texts."""
        having = (counts(tokens, len(self.rarity)) > 0).sum(0)
        self.rarity.copy_(1 + torch.log((1 + len(tokens)) / (1 + having.double())))

    def forward(self, tokens):                                          # (N, T)
        """Word by word, where most of a row of TF-IDF is zero: a quarter of the time on Amazon Beauty's titles."""
        known = tokens.clamp(min=0)
        weight = rows(self.rarity, known) * (tokens >= 0)                                       # (N, T)
        same = tokens[:, :, None] == tokens[:, None]                                            # (N, T, T)
        length = ((same * weight[:, None]).sum(2) * weight).sum(1, keepdim=True).sqrt()         # of the text's row
        weight = weight / length.clamp(min=1e-12)
        return F.embedding_bag(known, self.word.weight.T, mode="sum", per_sample_weights=weight)


class TextCNN(nn.Module):
    """Filters that slide over three words at a time; of each, the strongest answer anywhere in the text."""

    def __init__(self, n_words, dim, width=32, filters=64, height=3):
        super().__init__()
        self.word = nn.Embedding(n_words, width)
        self.sliding = nn.Conv1d(width, filters, height, padding=height // 2)
        self.output = nn.Linear(filters, dim, bias=False)

    def answers(self, tokens):
        """What each filter says at each word, 0 after the last: (N, T, filters)."""
        words, real = embedded(self.word.weight, tokens)
        return F.relu(self.sliding(words.transpose(1, 2))).transpose(1, 2) * real

    def forward(self, tokens):                                          # (N, T)
        return self.output(self.answers(tokens).amax(1))


class TextLSTM(nn.Module):
    """An LSTM reads the words; bidirectional: another one reads them from the last to the first. Their last states."""

    def __init__(self, n_words, dim, width=32, hidden=64, bidirectional=False):
        super().__init__()
        self.word = nn.Embedding(n_words, width)
        self.forth = nn.LSTM(width, hidden, batch_first=True)
        if bidirectional:
            self.back = nn.LSTM(width, hidden, batch_first=True)
        self.output = nn.Linear(hidden * (1 + bidirectional), dim, bias=False)

    def forward(self, tokens):                                          # (N, T)
        ends = [last(self.forth(embedded(self.word.weight, tokens)[0])[0], tokens)]
        if hasattr(self, "back"):
            ends.append(last(self.back(embedded(self.word.weight, turned(tokens))[0])[0], tokens))
        return self.output(torch.cat(ends, dim=1))


class PictureCNN(nn.Module):
    """Three layers of filters, each over every second pixel of the one before; then a matrix. No picture: zeros."""

    def __init__(self, dim, filters=16):
        super().__init__()
        self.first = nn.Conv2d(3, filters, 5, stride=2)                 # 32 -> 14
        self.second = nn.Conv2d(filters, 2 * filters, 3, stride=2)      # 14 -> 6
        self.third = nn.Conv2d(2 * filters, 2 * filters, 3, stride=2)   # 6 -> 2
        self.output = nn.Linear(8 * filters, dim, bias=False)

    def forward(self, pictures):                                        # (N, 3, 32, 32) of uint8
        found = pictures.to(self.output.weight) / 255 - 0.5
        for layer in (self.first, self.second, self.third):
            found = F.relu(layer(found))
        there = pictures.flatten(1).any(1, keepdim=True)
        return self.output(found.flatten(1)) * there


READERS = {"bag": BagOfWords, "cnn": TextCNN, "lstm": TextLSTM,
           "bilstm": lambda n_words, dim: TextLSTM(n_words, dim, bidirectional=True)}


def read_again(frame, old, columns, size, name):
    """The values of all rows, told apart as they were when there were but the `old` ones: (N, size)."""
    _, names = features.categories(frame.iloc[old], columns, size, name)
    return torch.from_numpy(features.categories(frame, columns, size, name, names)[0])


def counts(tokens, n_words):
    """How often each word stands in each of the texts (N, T): (N, n_words)."""
    count = torch.zeros(len(tokens), n_words + 1, device=tokens.device, dtype=torch.long)
    count.scatter_add_(1, torch.where(tokens < 0, n_words, tokens), torch.ones_like(tokens))
    return count[:, :n_words]


def embedded(table, tokens):
    """The vectors of the words (N, T, E), zeros after the last, and where there are words: (N, T, 1) of 0 and 1."""
    real = (tokens >= 0)[..., None].to(table)
    return rows(table, tokens.clamp(min=0)) * real, real


def turned(tokens):
    """Each text (N, T) from its last word to its first, the padding still at the end."""
    count = (tokens >= 0).sum(1, keepdim=True)
    place = count - 1 - torch.arange(tokens.shape[1], device=tokens.device)
    return torch.where(place >= 0, tokens.gather(1, place.clamp(min=0)), -1)
