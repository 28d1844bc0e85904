"""Federated learning by simulation: each customer's events and vector stay at home, and changes of the items' are sent.

McMahan, Moore, Ramage, Hampson and Agüera y Arcas, *Communication-Efficient Learning of Deep Networks from
Decentralized Data*, AISTATS 2017. Of a factorization, and what its gradients give away: Chai, Wang, Chen and Yang,
*Secure Federated Matrix Factorization*, IEEE Intelligent Systems 2021. Sums of which nobody sees the parts: Bonawitz
et al., *Practical Secure Aggregation for Privacy-Preserving Machine Learning*, CCS 2017.

Differs from the papers: all customers of a round are reached and answer, and their phones are rows of one tensor.
"""

import time
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from torch import nn

from recbook.errors import ModelError
from recbook.models.base import Recommender, interaction_matrix, products, select
from recbook.settings import COUNT, NATURAL, POSITIVE, check

CIRCLE = 2**32              # masked numbers are counted on a circle of this length
PARTS_OF_ONE = 2**16        # a number is sent as a whole number of these parts


@dataclass(frozen=True)
class Travelled:
    """What a federated training took.

    Attributes
    ----------
    rounds, customers : int
        How many rounds, and how many customers answered in each.
    down, up : int
        Bytes to one customer and back, a round: all items' vectors and biases, as numbers of four bytes.
    passes : float
        How often a customer answered, in the mean.
    seconds : float

    Example
    -------
    >>> from recbook.privacy import FederatedMF, federate
    >>> federate(FederatedMF(*sizes, dim=4), split, rounds=11, customers=5).passes
    1.0
    """

    rounds: int
    customers: int
    down: int
    up: int
    passes: float
    seconds: float


class FederatedMF(Recommender):
    """A pointwise factorization whose server holds the items alone: score = p . q_i + b_i, p made at home.

    A customer's vector p is made from the history at hand and the items' vectors, by a few steps of gradient descent.
    So whoever has a history can be answered, and nobody has to send one. `federate` trains it.

    Parameters
    ----------
    n_users, n_items : int
    dim : int
        Length of the vectors.
    l2 : float
        Penalty on the squared length of p and of the items' vectors.
    steps : int
        In how many steps p is made.
    rate : float
        Their learning rate.
    reads : int or None
        How many of the latest events of a history are looked at; None for all of them.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> from recbook.privacy import FederatedMF
    >>> FederatedMF(*sizes, dim=4).scores(shop.history([3, 7])).shape
    torch.Size([2, 48])
    """

    def __init__(self, n_users, n_items, dim=16, l2=0.001, steps=10, rate=5.0, reads=None):
        super().__init__()
        check("steps", steps, COUNT)
        check("rate", rate, POSITIVE)
        self.n_users, self.n_items, self.dim, self.l2 = n_users, n_items, dim, l2
        self.steps, self.rate, self.reads = steps, rate, reads
        self.item = nn.Embedding(n_items, dim)
        self.item_bias = nn.Parameter(torch.zeros(n_items))
        nn.init.normal_(self.item.weight, std=0.3)

    @property
    def knows_users(self):
        return False

    def at_home(self, met, weight):
        """Customers' vectors from what they met (B, N), of 0 and 1, each entry of that weight (B, N): (B, dim)."""
        vector = met.new_zeros(len(met), self.dim)
        for _ in range(self.steps):
            error = weight * (torch.sigmoid(vector @ self.item.weight.T + self.item_bias) - met)        # (B, N)
            vector = vector - self.rate * (error @ self.item.weight + self.l2 * vector)
        return vector

    @torch.no_grad()
    def messages(self, met, asked, steps=1, learning_rate=1.0):
        """What customers send: by how much each would change the items' vectors and biases, after steps at home.

        Parameters
        ----------
        met, asked : tensors (B, n_items)
            Of 0 and 1: what each met, and what each is asked about beside it, the negatives.
        steps : int
        learning_rate : float

        Returns
        -------
        change : tensor (B, n_items, dim + 1)
            The last column is the biases'.
        """
        weight = balanced(met, asked)                                   # (B, N)
        vector = self.at_home(met, weight)                              # (B, D)  stays at home
        items = self.item.weight.expand(len(met), -1, -1).clone()       # (B, N, D)  each has a copy
        bias = self.item_bias.expand(len(met), -1).clone()              # (B, N)
        for _ in range(steps):
            error = weight * (torch.sigmoid((items @ vector[:, :, None])[..., 0] + bias) - met)         # (B, N)
            items -= learning_rate * (error[:, :, None] * vector[:, None] + self.l2 * weight[..., None] * items)
            bias -= learning_rate * error
        return torch.cat([items - self.item.weight, (bias - self.item_bias)[..., None]], dim=2)

    @torch.no_grad()
    def vectors(self, context):
        """The vectors that customers would make of their histories: (B, dim). Every other item weighs as a negative."""
        met = interaction_matrix(self.history(context), self.n_items, self.item.weight.dtype)
        return self.at_home(met, balanced(met, 1 - met))

    def scores(self, context, items=None):
        scores = products(self.vectors(context), self.item.weight, None) + self.item_bias
        return select(scores, items)

    def question(self, context):
        return F.pad(self.vectors(context), (0, 1), value=1.0)

    def answers(self):
        return torch.cat([self.item.weight, self.item_bias[:, None]], dim=1)


def balanced(met, asked):
    """Weights of the entries of rows (B, N): what was met weighs 1 together, and so does what is asked beside it."""
    return met / met.sum(1, keepdim=True).clamp(min=1) + asked / asked.sum(1, keepdim=True).clamp(min=1)


def draw_unmet(met, negatives, generator):
    """`negatives` items for each that was met, drawn from the others: (B, N) of 0 and 1. None takes all others."""
    unmet = 1 - met
    if negatives is None:
        return unmet
    key = torch.rand(met.shape, generator=generator).masked_fill(met.bool(), 2.0)
    place = key.argsort(1).argsort(1)                                   # (B, N)
    return unmet * (place < negatives * met.sum(1, keepdim=True))


@torch.no_grad()
def federate(model, split, rounds=200, customers=100, steps=5, learning_rate=1.0, negatives=4, hidden=False, seed=0):
    """Train a `FederatedMF` by rounds: some customers are drawn, each sends a change, and their mean is made.

    With `steps=1` it is the gradient step that a server would take that had these customers' events.

    Parameters
    ----------
    model : FederatedMF
    split : Split
    rounds, customers : int
        How many rounds, and how many customers are drawn for each.
    steps : int
        Of gradient descent at home, a round.
    learning_rate : float
    negatives : int or None
        How many items a customer did not meet are asked for each that was met; None asks all.
    hidden : bool
        Whether the changes are masked before they are sent, so that the server sees their sum alone.
    seed : int
        Of who is drawn, and of the negatives.

    Returns
    -------
    travelled : Travelled

    Raises
    ------
    ModelError
        Nothing to train on, fewer customers than are to be drawn, a setting that cannot be, or changes that grow beyond
        all numbers.

    Example
    -------
    >>> from recbook.privacy import FederatedMF, federate
    >>> model = FederatedMF(*sizes, dim=4)
    >>> federate(model, split, rounds=3, customers=10).up
    960
    """
    begin = time.perf_counter()
    for name, value in (("rounds", rounds), ("customers", customers), ("steps", steps)):
        check(name, value, COUNT)
    check("learning_rate", learning_rate, POSITIVE)
    if negatives is not None:
        check("negatives", negatives, NATURAL)
    matrix = split.matrix()
    matrix = sp.csr_matrix(matrix[np.diff(matrix.indptr) > 0])
    if matrix.shape[0] < customers:
        raise ModelError(f"customers={customers}: only {matrix.shape[0]:,} have events.")
    generator = torch.Generator().manual_seed(seed)
    for number in range(rounds):
        drawn = torch.randperm(matrix.shape[0], generator=generator)[:customers]
        met = torch.from_numpy(matrix[drawn.numpy()].toarray())         # (B, N)
        change = model.messages(met, draw_unmet(met, negatives, generator), steps, learning_rate)
        total = sum_of_masked(masked(change, seed=number)) if hidden else change.sum(0)
        mean = total / customers                                        # (N, D + 1)
        model.item.weight += mean[:, :-1]
        model.item_bias += mean[:, -1]
    if not model.item.weight.isfinite().all():
        raise ModelError("The items' vectors are no numbers any more: try a smaller learning rate, or fewer steps.")
    model.trained_on = split.dataset.ids
    size = 4 * (model.answers().numel())
    return Travelled(rounds, customers, size, size, rounds * customers / matrix.shape[0], time.perf_counter() - begin)


# -------------------------------------------------------------------------------------------- what a message tells

def read_message(change):
    """Which items somebody met, read off the change that they send: a guess for each item.

    What was met pulls its vector towards the customer's, what was not pushes it away. All rows that move lie on one
    line, and the biases say which way along it is up.

    Parameters
    ----------
    change : tensor (n_items, dim + 1)
        Of one customer, or the sum of several.

    Returns
    -------
    met : tensor (n_items,) of bool
    moved : tensor (n_items,) of bool
        The items of which anything was said at all.

    Example
    -------
    >>> from recbook.privacy import FederatedMF, read_message
    >>> met = torch.eye(48)[:1]
    >>> change = FederatedMF(*sizes, dim=4).messages(met, asked=1 - met)
    >>> read_message(change[0])[0].nonzero()
    tensor([[0]])
    """
    return change[:, -1] > 0, change.abs().sum(1) > 0


# -------------------------------------------------------------------------------------------- secure aggregation

def masked(messages, seed=0):
    """Messages that say nothing alone and whose sum is right: of each pair one adds a mask, one takes it away.

    Each pair draws its mask from a number that the two share. In the protocol of Bonawitz et al. they agree on it so
    that the server does not learn it, and a sender who falls silent can be made up for; here all come from one seed.

    Parameters
    ----------
    messages : tensor (B, ...)
    seed : int

    Returns
    -------
    sent : array (B, ...)
        Whole numbers from 0 to 2**32 - 1.

    Raises
    ------
    ModelError
        Numbers whose sum would not fit.

    Example
    -------
    >>> from recbook.privacy import masked, sum_of_masked
    >>> sum_of_masked(masked(torch.tensor([[0.5], [0.25], [-1.0]])))
    tensor([-0.2500])
    """
    messages = np.asarray(messages, dtype=np.float64)
    room = CIRCLE / 2 / PARTS_OF_ONE / len(messages)
    if not (np.abs(messages) < room).all():
        raise ModelError(f"A message holds {np.abs(messages).max():g}; a sum of {len(messages)} "
                         f"fits up to {room:g} each.")
    sent = np.round(messages * PARTS_OF_ONE).astype(np.int64)
    for first in range(len(sent)):
        for second in range(first):
            mask = np.random.default_rng([seed, first, second]).integers(CIRCLE, size=sent[0].shape)
            sent[first] += mask
            sent[second] -= mask
    return sent % CIRCLE


def sum_of_masked(sent):
    """The sum of the messages behind `masked` ones, all of which have come.

    Parameters
    ----------
    sent : array (B, ...)
        Where one is missing, what comes out is noise.

    Returns
    -------
    total : tensor (...)

    Example
    -------
    >>> from recbook.privacy import masked, sum_of_masked
    >>> sum_of_masked(masked(torch.tensor([[1.5, 0.0], [0.5, -2.0]])))
    tensor([ 2., -2.])
    """
    total = sent.sum(0) % CIRCLE
    total = np.where(total >= CIRCLE // 2, total - CIRCLE, total)       # the upper half of the circle is below 0
    return torch.from_numpy(total / PARTS_OF_ONE).float()
