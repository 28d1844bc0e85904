"""Autoencoders: a row of the matrix goes in, and the same row shall come out, through something that cannot just copy it.

AutoRec, of ratings: Sedhain, Menon, Sanner and Xie, *AutoRec: Autoencoders Meet Collaborative Filtering*, WWW 2015.
Mult-DAE and Mult-VAE, of clicks: Liang, Krishnan, Hoffman and Jebara, *Variational Autoencoders for Collaborative
Filtering*, WWW 2018.

Differs from the papers: batches and Adam for AutoRec in place of L-BFGS or RProp; the output's biases start at the mean
rating (AutoRec) and at the logarithm of the counts (Mult-DAE and Mult-VAE), so that nothing has to be learned before the
first row is better than popularity. The penalty of Mult-DAE and Mult-VAE is the optimiser's (weight decay), none here.
"""

import torch
import torch.nn.functional as F
from torch import nn

from recbook.data.batches import Rows
from recbook.errors import ModelError, UnknownName
from recbook.models.base import Recommender, products, rows

ACTIVATIONS = {"identity": lambda x: x, "sigmoid": torch.sigmoid}


def entries(items, values=None):
    """What stands in rows (B, L) that are padded with -1, each item once with its latest value.

    Returns row (E,), ascending, item (E,) and value (E,), which is None without values; a value of NaN does not count.
    """
    if values is not None:
        items = items.masked_fill(values.isnan(), -1)
    ordered, place = items.sort(dim=1, stable=True)
    latest = ordered >= 0
    latest[:, :-1] &= ordered[:, :-1] != ordered[:, 1:]
    row, _ = latest.nonzero(as_tuple=True)
    return row, ordered[latest], None if values is None else values.gather(1, place)[latest]


def weighted_sums(table, row, column, value, size):
    """A sparse matrix of `size` rows times a table (C, D): row r is the sum of value * table[column] over its entries.

    row (E,), ascending, column (E,), value (E,). Returns (size, D). It reads the entries, never the zeros.
    """
    starts = torch.searchsorted(row, torch.arange(size, device=row.device))
    return F.embedding_bag(column, table, starts, mode="sum", per_sample_weights=value.to(table.dtype))


class AutoRec(Recommender):
    """Ratings through a narrow layer and back: rating = f(W g(V x + c) + b), x a row of the ratings, 0 where none is.

    By items a row holds one item's ratings by all users (I-AutoRec), by users one user's ratings of all items
    (U-AutoRec). The squared error counts only what was rated. By items the model keeps its training ratings, and ranks
    the users that it has seen; by users it reads the ratings of the context, of whomever they are.

    Parameters
    ----------
    n_users, n_items : int
    by : "item" or "user"
    dim : int
        Width of the layer.
    l2 : float
        Half of it, times all squared weights of V and W, stands beside the sum of all squared errors.
    activation, output : "sigmoid" or "identity"
        g and f. A sigmoid at the output is stretched over the scale.
    scale : (float, float)
        The lowest and the highest rating; a rating beyond is refused.

    Raises
    ------
    ModelError
        A setting that cannot be; a rating outside the scale; by users, a context without ratings.
    UnknownName
        No side has that name.

    Example
    -------
    >>> model = rb.AutoRec(films.n_users, films.n_items, dim=2)
    >>> history = rb.fit(model, rb.everything(films), epochs=3, progress=False)
    >>> model.scores(films.history("ann")).shape == (1, films.n_items)
    True
    """

    sized_by_fit = ("columns", "ratings")

    def __init__(self, n_users, n_items, by="item", dim=500, l2=100.0, activation="sigmoid", output="identity",
                 scale=(1.0, 5.0)):
        super().__init__()
        if by not in ("item", "user"):
            raise UnknownName("side", by, ("item", "user"))
        self.n_users, self.n_items, self.by, self.dim, self.l2 = n_users, n_items, by, dim, l2
        self.activation, self.output, self.scale = activation, output, list(scale)
        n_rows, n_columns = (n_items, n_users) if by == "item" else (n_users, n_items)
        self.batches = Rows(by, ratings=True)
        self.reads = 0 if by == "item" else None
        self.encoder = nn.Embedding(n_columns, dim)                     # V transposed
        self.decoder = nn.Embedding(n_columns, dim)                     # W
        self.code_bias = nn.Parameter(torch.zeros(dim))
        self.output_bias = nn.Parameter(torch.zeros(n_columns))
        self.register_buffer("n_ratings", torch.ones(()))
        self.register_buffer("starts", torch.zeros(n_rows + 1 if by == "item" else 0, dtype=torch.long))
        self.register_buffer("columns", torch.zeros(0, dtype=torch.long))
        self.register_buffer("ratings", torch.zeros(0))
        self.kept = None
        for table in (self.encoder, self.decoder):
            nn.init.normal_(table.weight, std=0.01)

    @property
    def knows_users(self):
        return self.by == "item"

    def start(self, split):
        """Keep the ratings that items are known by, and begin at their mean."""
        rows_of = Rows(self.by, ratings=True).prepare(split)
        self.refuse_beyond_scale(rows_of.ratings)
        mean, (low, high) = rows_of.ratings.mean(), self.scale
        share = ((mean - low) / (high - low)).clamp(0.01, 0.99)
        nn.init.constant_(self.output_bias, mean if self.output == "identity" else share.logit())
        self.n_ratings.fill_(len(rows_of.ratings))
        if self.by == "item":
            self.starts.copy_(F.pad(rows_of.count.cumsum(0), (1, 0)))
            self.columns, self.ratings = (column.to(self.starts.device)
                                          for column in (rows_of.users, rows_of.ratings.to(self.ratings.dtype)))

    def refuse_beyond_scale(self, ratings):
        low, high = self.scale
        beyond = (ratings < low) | (ratings > high)                     # NaN, no rating, is neither
        if beyond.any():
            raise ModelError(f"A rating is {float(ratings[beyond][0]):g}, and the scale is {low:g} to {high:g}: "
                             "AutoRec(..., scale=(lowest, highest)) says another.")

    def code(self, row, column, rating, size):
        """The narrow layer of `size` rows from their ratings: row (E,), ascending, column (E,), rating (E,): (size, D)."""
        return ACTIVATIONS[self.activation](weighted_sums(self.encoder.weight, row, column, rating, size) + self.code_bias)

    def stretched(self, output):
        """What leaves the decoder as ratings."""
        low, high = self.scale
        return output if self.output == "identity" else low + (high - low) * torch.sigmoid(output)

    def loss(self, batch):
        column = batch.users if self.by == "item" else batch.items
        code = self.code(batch.owner, column, batch.ratings, len(batch.owners))                     # (U, D)
        decoded = (code @ self.decoder.weight.T + self.output_bias)[batch.owner, column]            # (E,)
        error = (self.stretched(decoded) - batch.ratings).square().mean()
        weights = self.encoder.weight.square().sum() + self.decoder.weight.square().sum()
        return error + self.l2 / 2 * weights / self.n_ratings

    def scores(self, context, items=None):
        if self.by == "item":
            vectors = self.codes_of_items()                                                         # (n_items, D)
            scores = products(rows(self.decoder.weight, context.users), vectors, items)
            return self.stretched(scores + rows(self.output_bias, context.users)[:, None])
        history = self.history(context)
        if context.ratings is None:
            raise ModelError("AutoRec by users reads ratings: context.ratings is missing.")
        self.refuse_beyond_scale(context.ratings)
        code = self.code(*entries(history, context.ratings), len(history))                          # (B, D)
        return self.stretched(products(code, self.decoder.weight, items) + rows(self.output_bias, items))

    def codes_of_items(self):
        """The narrow layer of each item from its training ratings, made once for as long as the weights stay."""
        state = self.encoder.weight._version, self.code_bias._version, self.encoder.weight.data_ptr(), self.starts._version
        if torch.is_grad_enabled() or self.kept is None or self.kept[0] != state:
            row = torch.repeat_interleave(torch.arange(self.n_items, device=self.starts.device), self.starts.diff())
            self.kept = state, self.code(row, self.columns, self.ratings, self.n_items)
        return self.kept[1]


class Clicks(Recommender):
    """What the autoencoders of clicks share: rows of 0 and 1, of length 1 when they go in, a softmax when they come out.

    log p(row) = sum over its items of log softmax(logits): as if somebody who will click n_u times drew each item from
    the same distribution.
    """

    batches = Rows()
    reads = None

    def __init__(self, n_users, n_items, width, dropout):
        super().__init__()
        self.n_users, self.n_items, self.dropout = n_users, n_items, dropout
        self.encoder = nn.Embedding(n_items, width)                     # the first layer, a row an item
        self.encoder_bias = nn.Parameter(torch.zeros(width))
        self.decoder = nn.Embedding(n_items, width)                     # the last layer, a row an item
        self.item_bias = nn.Parameter(torch.zeros(n_items))
        for table in (self.encoder, self.decoder):
            nn.init.xavier_uniform_(table.weight)

    def start(self, split):
        count = torch.as_tensor(split.matrix().sum(0), dtype=self.item_bias.dtype).flatten()
        with torch.no_grad():
            self.item_bias.copy_((count + 1).log() - (count + 1).log().mean())

    def first_layer(self, row, item, size):
        """tanh of the first layer: row (E,), ascending, item (E,) of `size` rows. Returns (size, width).

        Each row is scaled to length 1; while training, entries are dropped and the others made larger by as much.
        """
        count = torch.bincount(row, minlength=size).to(self.encoder_bias.dtype)
        value = F.dropout(count.clamp(min=1).rsqrt()[row], self.dropout, self.training)
        return torch.tanh(weighted_sums(self.encoder.weight, row, item, value, size) + self.encoder_bias)

    def last_layer(self, inputs, items=None):
        """Logits of rows (B, width)."""
        return products(inputs, self.decoder.weight, items) + rows(self.item_bias, items)

    def question(self, context):
        row, item, _ = entries(self.history(context))
        return F.pad(self.inside(row, item, len(context)), (0, 1), value=1.0)       # a one for the bias

    def answers(self):
        return torch.cat([self.decoder.weight, self.item_bias[:, None]], dim=1)

    def scores(self, context, items=None):
        row, item, _ = entries(self.history(context))
        return self.last_layer(self.inside(row, item, len(context)), items)


def surprise(logits, row, item):
    """Minus the logarithm of the probability of each row's items (E,), distinct, under its softmax (B, N); mean over rows."""
    return -logits.log_softmax(1)[row, item].sum() / len(logits)


class MultDAE(Clicks):
    """A denoising autoencoder of clicks: what is left of a row shall tell the whole row.

    logits = W tanh(V x + c) + b, x a row of length 1 of which dropout has hidden a part.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Width of the narrow layer.
    dropout : float
        Share of the clicks that is hidden from the model, drawn anew each time: what forbids it to copy.

    Raises
    ------
    ModelError
        A setting that cannot be; an item in a history that the model does not know.

    Example
    -------
    >>> model = rb.MultDAE(*sizes, dim=8)
    >>> history = rb.fit(model, split, epochs=2, batch_size=20, progress=False)
    >>> model.top(shop.history(7), k=3)[0].shape
    torch.Size([1, 3])
    """

    def __init__(self, n_users, n_items, dim=200, dropout=0.5):
        super().__init__(n_users, n_items, dim, dropout)
        self.dim = dim

    def inside(self, row, item, size):
        """What the last layer is given: (size, dim)."""
        return self.first_layer(row, item, size)

    def loss(self, batch):
        inputs = self.inside(batch.owner, batch.items, len(batch.owners))
        return surprise(self.last_layer(inputs), batch.owner, batch.items)


class MultVAE(Clicks):
    """A variational autoencoder of clicks: the narrow layer is a normal distribution, pulled towards the standard one.

    mean, log variance = two layers on the row; z = mean + deviation * noise; logits = two layers on z. The loss is the
    surprise of the row plus beta times the divergence of z's distribution from N(0, I). beta grows from 0, in a line, over
    the first `annealing` steps. To rank, z is its mean.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Length of z.
    hidden : int
        Width of the layer before z, and of the one behind it.
    dropout : float
        Share of the clicks that is hidden from the encoder.
    beta : float
        Weight of the divergence at the end; 1 makes the loss a bound on the surprise of the row.
    annealing : int
        Over how many steps beta grows.

    Raises
    ------
    ModelError
        A setting that cannot be; an item in a history that the model does not know.

    Example
    -------
    >>> model = rb.MultVAE(*sizes, dim=8, hidden=16, annealing=4)
    >>> history = rb.fit(model, split, epochs=2, batch_size=20, progress=False)
    >>> model.weight_of_divergence()                    # all of beta, after six steps
    tensor(0.2000)
    """

    def __init__(self, n_users, n_items, dim=200, hidden=600, dropout=0.5, beta=0.2, annealing=1000):
        super().__init__(n_users, n_items, hidden, dropout)
        self.dim, self.hidden, self.beta, self.annealing = dim, hidden, beta, annealing
        self.code = nn.Linear(hidden, 2 * dim)
        self.widen = nn.Linear(dim, hidden)
        self.register_buffer("steps", torch.zeros(()))
        for layer in (self.code, self.widen):                           # Glorot and Bengio 2010, as in Keras
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def distribution(self, row, item, size):
        """Mean and log variance of z: (size, dim) each."""
        return self.code(self.first_layer(row, item, size)).chunk(2, dim=1)

    def inside(self, row, item, size):
        """What the last layer is given when z is its mean: (size, hidden)."""
        return torch.tanh(self.widen(self.distribution(row, item, size)[0]))

    def noise(self, like):
        """What z is moved by, in standard deviations."""
        return torch.randn_like(like)

    def weight_of_divergence(self):
        """beta at this step."""
        return self.beta * (self.steps / self.annealing).clamp(max=1)

    def terms(self, batch):
        """What the loss is made of, means over rows: the surprise, and the divergence."""
        mean, log_variance = self.distribution(batch.owner, batch.items, len(batch.owners))
        z = mean + (log_variance / 2).exp() * self.noise(mean) if self.training else mean
        logits = self.last_layer(torch.tanh(self.widen(z)))
        return surprise(logits, batch.owner, batch.items), divergence(mean, log_variance).mean()

    def loss(self, batch):
        missed, apart = self.terms(batch)
        loss = missed + self.weight_of_divergence() * apart
        if self.training:
            self.steps += 1
        return loss


def divergence(mean, log_variance):
    """KL(N(mean, variance) || N(0, I)) of each row (B, dim), in nats: (B,)."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)
