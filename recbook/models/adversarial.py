"""Adversaries: two models that play against each other, and one that is trained on its own worst case.

IRGAN: Wang, Yu, Zhang, Gong, Xu, Wang, Zhang and Zhang, *IRGAN: A Minimax Game for Unifying Generative and
Discriminative Information Retrieval Models*, SIGIR 2017.
CFGAN: Chae, Kang, Kim and Lee, *CFGAN: A Generic Collaborative Filtering Framework based on Generative Adversarial
Networks*, CIKM 2018.
APR, of matrix factorization AMF: He, He, Du and Chua, *Adversarial Personalized Ranking for Recommendation*, SIGIR
2018.

A game's `loss` is a dict, a loss for each side, in which the other side's numbers stand without a gradient. So one
optimiser takes both sides' steps at once.

Differs from the papers: both sides move at every batch, at one learning rate, with Adam. IRGAN begins at popularity,
not at trained models; the reward of a draw is sigma(D), as in the authors' code up to a factor, where the paper has
log(1 + exp(D)); its baseline is the mean reward of the other draws, and nothing is drawn by importance.
CFGAN's generator raises log sigma(D), as its authors' code does, where the paper lowers log(1 - sigma(D)); each unmet
item is drawn with a probability, not a set of fixed size; hidden layers are tanh. AMF has the biases of BPR-MF, which
are not changed.
"""

from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import nn

from recbook.data.batches import Rows
from recbook.errors import ModelError, UnknownName
from recbook.models.base import Recommender, interaction_matrix, products, rows
from recbook.models.factorization import BPRMF


class Taste(nn.Module):
    """One side of IRGAN: p_u . q_i + b_i."""

    def __init__(self, n_users, n_items, dim):
        super().__init__()
        self.user, self.item = nn.Embedding(n_users, dim), nn.Embedding(n_items, dim)
        self.item_bias = nn.Parameter(torch.zeros(n_items))
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, users, items=None):
        return products(rows(self.user.weight, users), self.item.weight, items) + rows(self.item_bias, items)

    def size(self, users):
        """Mean squared length of the users' vectors, and of all items': what the penalty is on."""
        return rows(self.user.weight, users).square().sum(1).mean() + self.item.weight.square().sum(1).mean()


class IRGAN(Recommender):
    """A generator picks items for a user, and a discriminator tells them from the items that the user met.

    The generator draws from a softmax over all items, and a draw has no gradient. So it learns by policy gradient: the
    probability of a draw grows by as much as its reward, what the discriminator says of it, is above the mean reward of
    the other draws. The generator ranks.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Length of the vectors, of either side.
    draws : int
        How many items the generator draws for each user in a batch of users.
    l2 : float
        Of the mean squared length of the vectors, for either side.

    Raises
    ------
    ModelError
        A setting that cannot be; in `recbook.fit`, a side whose loss or weights are no numbers any more.

    Example
    -------
    >>> model = rb.IRGAN(*sizes, dim=8, draws=16)
    >>> history = rb.fit(model, split, epochs=2, batch_size=20, progress=False)
    >>> history.columns.tolist()
    ['epoch', 'loss', 'seconds', 'discriminator', 'generator']
    """

    batches = Rows()

    def __init__(self, n_users, n_items, dim=32, draws=32, l2=0.01):
        super().__init__()
        self.n_users, self.n_items, self.dim, self.draws, self.l2 = n_users, n_items, dim, draws, l2
        self.generator = Taste(n_users, n_items, dim)
        self.discriminator = Taste(n_users, n_items, dim)

    def start(self, split):
        """The generator begins at popularity."""
        count = torch.as_tensor(split.matrix().sum(0), dtype=self.generator.item_bias.dtype).flatten()
        with torch.no_grad():
            self.generator.item_bias.copy_((count + 1).log() - (count + 1).log().mean())

    def draw(self, logits):
        """Items by their probability: logits (U, N). Returns (U, draws)."""
        return torch.multinomial(logits.softmax(1), self.draws, replacement=True)

    def loss(self, batch):
        users, size = batch.owners, len(batch.owners)
        logits = self.generator(users)                                              # (U, N)
        drawn = self.draw(logits.detach())                                          # (U, K)
        judged = self.discriminator(users, drawn)                                   # (U, K)
        met = self.discriminator(batch.users, batch.items[:, None])[:, 0]           # (E,)
        share = 1 / torch.bincount(batch.owner, minlength=size)[batch.owner].to(met)            # each user counts once
        told = -(share * F.logsigmoid(met)).sum() / size - F.logsigmoid(-judged).mean()
        advantage = self.advantage(judged.detach())
        picked = -(advantage * logits.log_softmax(1).gather(1, drawn)).mean()
        return {"discriminator": told + self.l2 * self.discriminator.size(users),
                "generator": picked + self.l2 * self.generator.size(users)}

    def advantage(self, judged):
        """The reward of each draw, 0 to 1, less the mean of the user's others: the mean gradient stays as it is."""
        reward = torch.sigmoid(judged)                                              # (U, K)
        others = (reward.sum(1, keepdim=True) - reward) / (self.draws - 1)
        return reward - others

    def scores(self, context, items=None):
        return self.generator(context.users, items)

    def question(self, context):
        return F.pad(rows(self.generator.user.weight, context.users), (0, 1), value=1.0)

    def answers(self):
        return torch.cat([self.generator.item.weight, self.generator.item_bias[:, None]], dim=1)


class Writer(nn.Module):
    """CFGAN's generator: from a row of clicks (B, C) the logits of a row that looks like it."""

    def __init__(self, columns, hidden):
        super().__init__()
        self.encoder, self.decoder = nn.Embedding(columns, hidden), nn.Embedding(columns, hidden)
        self.code_bias, self.output_bias = nn.Parameter(torch.zeros(hidden)), nn.Parameter(torch.zeros(columns))
        for table in (self.encoder, self.decoder):
            nn.init.xavier_uniform_(table.weight)

    def code(self, met):
        return torch.tanh(met @ self.encoder.weight + self.code_bias)               # (B, H)

    def forward(self, met):
        return self.code(met) @ self.decoder.weight.T + self.output_bias            # (B, C)


class Critic(nn.Module):
    """CFGAN's discriminator: from a row and its condition, each (B, C), the logit of "this row is real"."""

    def __init__(self, columns, hidden):
        super().__init__()
        self.row, self.condition = nn.Embedding(columns, hidden), nn.Embedding(columns, hidden)
        self.code_bias = nn.Parameter(torch.zeros(hidden))
        self.output, self.output_bias = nn.Parameter(torch.empty(hidden)), nn.Parameter(torch.zeros(()))
        for table in (self.row, self.condition):
            nn.init.xavier_uniform_(table.weight)
        nn.init.normal_(self.output, std=hidden**-0.5)

    def forward(self, row, condition):
        code = torch.tanh(row @ self.row.weight + condition @ self.condition.weight + self.code_bias)
        return code @ self.output + self.output_bias                                # (B,)


class CFGAN(Recommender):
    """A generator writes a whole row of numbers 0 to 1, and a discriminator tells it from the row of clicks.

    A row of numbers has a gradient. The discriminator sees only what was met (the mask), so that a generator of ones
    would do; against that stand two ways, and both together:

    ZR (zero reconstruction), `mask_share=0`: some unmet items shall come out as 0, by the squared error.
    PM (partial masking), `zero_weight=0`: the discriminator sees some unmet items too.
    ZP: both.

    By users a row is what one user met, by items who met one item. The row is also the condition, what the generator is
    given and the discriminator sees beside the row. Nothing forbids the generator to copy it.

    Parameters
    ----------
    n_users, n_items : int
    by : "user" or "item"
    hidden : int
        Width of the generator's one hidden layer, and of the discriminator's.
    zero_weight : float
        Of the squared error on the unmet items drawn.
    zero_share, mask_share : float
        Which share of the unmet items is drawn for ZR and for PM, anew at each batch.

    Raises
    ------
    ModelError
        A setting that cannot be; in `recbook.fit`, a side whose loss or weights are no numbers any more.
    UnknownName
        No side has that name.

    Example
    -------
    >>> model = rb.CFGAN(*sizes, hidden=8)
    >>> history = rb.fit(model, split, epochs=2, batch_size=20, progress=False)
    >>> model.top(shop.history(7), k=3)[0].shape
    torch.Size([1, 3])
    """

    sized_by_fit = ("columns",)

    def __init__(self, n_users, n_items, by="user", hidden=128, zero_weight=0.03, zero_share=0.7, mask_share=0.7):
        super().__init__()
        if by not in ("item", "user"):
            raise UnknownName("side", by, ("item", "user"))
        self.n_users, self.n_items, self.by, self.hidden = n_users, n_items, by, hidden
        self.zero_weight, self.zero_share, self.mask_share = zero_weight, zero_share, mask_share
        self.n_columns = n_items if by == "user" else n_users
        self.batches, self.reads = Rows(by), None if by == "user" else 0
        self.generator, self.discriminator = Writer(self.n_columns, hidden), Critic(self.n_columns, hidden)
        self.register_buffer("starts", torch.zeros(n_items + 1 if by == "item" else 0, dtype=torch.long))
        self.register_buffer("columns", torch.zeros(0, dtype=torch.long))
        self.kept = None

    @property
    def knows_users(self):
        return self.by == "item"

    def start(self, split):
        """By items, keep who met each of them."""
        if self.by == "item":
            met = Rows("item").prepare(split)
            self.starts.copy_(F.pad(met.count.cumsum(0), (1, 0)))
            self.columns = met.users.to(self.starts.device)

    def chance(self, like):
        """A number of 0 to 1 for each cell of a row."""
        return torch.rand_like(like)

    def loss(self, batch):
        column = batch.items if self.by == "user" else batch.users
        met = self.filled(batch.owner, column, len(batch.owners))                   # (B, C)
        zero = (1 - met) * (self.chance(met) < self.zero_share)
        shown = met + (1 - met) * (self.chance(met) < self.mask_share)
        written = torch.sigmoid(self.generator(met))
        real, fake = self.discriminator(met, met), self.discriminator((written * shown).detach(), met)
        told = -(F.logsigmoid(real) + F.logsigmoid(-fake)).mean()
        with frozen(self.discriminator):                                # it judges, and does not learn from this
            judged = self.discriminator(written * shown, met)
        missed = (zero * written.square()).sum(1).mean()
        return {"discriminator": told, "generator": self.zero_weight * missed - F.logsigmoid(judged).mean()}

    def filled(self, row, column, size):
        """Rows of 0 and 1: row (E,) of `size`, column (E,). Returns (size, C)."""
        met = self.generator.output_bias.new_zeros(size, self.n_columns)
        met[row, column] = 1
        return met

    def codes_of_items(self):
        """By items, the generator's hidden layer for each item, made once for as long as the weights stay."""
        weights = self.generator.encoder.weight, self.generator.code_bias, self.starts
        state = [(weight._version, weight.data_ptr()) for weight in weights]
        if torch.is_grad_enabled() or self.kept is None or self.kept[0] != state:
            row = torch.repeat_interleave(torch.arange(self.n_items, device=self.starts.device), self.starts.diff())
            self.kept = state, self.generator.code(self.filled(row, self.columns, self.n_items))
        return self.kept[1]

    def scores(self, context, items=None):
        """Logits of what the generator writes: their order is that of the numbers 0 to 1."""
        weight, bias = self.generator.decoder.weight, self.generator.output_bias
        if self.by == "item":
            scores = products(rows(weight, context.users), self.codes_of_items(), items)
            return scores + rows(bias, context.users)[:, None]
        code = self.generator.code(interaction_matrix(self.history(context), self.n_items, bias.dtype))
        return products(code, weight, items) + rows(bias, items)


@contextmanager
def frozen(module):
    """While inside, a module's weights get no gradient; what goes through it does."""
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    yield
    for weight in weights:
        weight.requires_grad_(True)


class AMF(BPRMF):
    """BPR that also has to hold where all vectors have been moved a little in the worst direction (APR).

    loss = BPR + adversarial_weight * BPR at p_u + d_u, q_i + d_i, plus the penalty of BPR. Each d has the length
    `epsilon` and the direction in which the loss of the batch grows fastest; no gradient goes through it. As in the
    paper, begin with the weights of a trained BPR-MF: vectors far shorter than `epsilon` do not grow.

    Parameters
    ----------
    n_users, n_items, dim, l2
        As in `FunkSVD`.
    epsilon : float
        Length of each change.
    adversarial_weight : float
        Of the loss at the changed vectors.
    change : "worst" or "random"
        The control: changes of the same length in random directions.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> bpr = rb.BPRMF(*sizes, dim=8)
    >>> history = rb.fit(bpr, split, epochs=2, progress=False)
    >>> model = rb.AMF(*sizes, dim=8, epsilon=0.1)
    >>> loaded = model.load_state_dict(bpr.state_dict())
    >>> history = rb.fit(model, split, epochs=2, progress=False)
    """

    def __init__(self, n_users, n_items, dim=32, l2=0.01, epsilon=0.5, adversarial_weight=1.0, change="worst"):
        super().__init__(n_users, n_items, dim, l2)
        if change not in ("worst", "random"):
            raise ModelError(f"change={change!r}: 'worst' or 'random'.")
        self.epsilon, self.adversarial_weight, self.change = epsilon, adversarial_weight, change

    def gaps(self, batch, user, item):
        """By how much the met item is above each unmet one, (B, K), with these tables of vectors."""
        p, met, unmet = rows(user, batch.users), rows(item, batch.items), rows(item, batch.negatives)
        bias = rows(self.item_bias, batch.items)[:, None] - rows(self.item_bias, batch.negatives)
        return (p[:, None] * (met[:, None] - unmet)).sum(-1) + bias

    def noise(self, like):
        """A random direction for each vector."""
        return torch.randn_like(like)

    @torch.no_grad()
    def changes(self, batch):
        """What is added to the vectors of users (n_users, D) and of items (n_items, D)."""
        user, item = self.user.weight.detach(), self.item.weight.detach()
        slopes = self.noise(user), self.noise(item)
        if self.change == "worst":
            slopes = self.slopes(batch, user, item)
        return [self.epsilon * F.normalize(slope, dim=1) for slope in slopes]

    def slopes(self, batch, user, item):
        """The gradient of the batch's summed BPR loss with respect to both tables; 0 for who is not in the batch."""
        pull = torch.sigmoid(-self.gaps(batch, user, item)) / batch.negatives.shape[1]          # (B, K)
        p = rows(user, batch.users)
        apart = rows(item, batch.items)[:, None] - rows(item, batch.negatives)                  # (B, K, D)
        of_user = torch.zeros_like(user).index_add_(0, batch.users, -(pull[..., None] * apart).sum(1))
        of_item = torch.zeros_like(item).index_add_(0, batch.items, -pull.sum(1, keepdim=True) * p)
        of_item.index_add_(0, batch.negatives.flatten(), (pull[..., None] * p[:, None]).flatten(0, 1))
        return of_user, of_item

    def loss(self, batch):
        of_user, of_item = self.changes(batch)
        gap = self.gaps(batch, self.user.weight + of_user, self.item.weight + of_item)
        return super().loss(batch) - self.adversarial_weight * F.logsigmoid(gap).mean()
