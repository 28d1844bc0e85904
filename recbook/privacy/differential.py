"""Differential privacy of whole customers: each may move the sum by so much and no more, and noise hides as much.

Dwork, McSherry, Nissim and Smith, TCC 2006; Dwork and Roth, *The Algorithmic Foundations of Differential Privacy*,
2014. In steps: Abadi et al., *Deep Learning with Differential Privacy*, CCS 2016, here with a customer as the
example. At once, of the Gram matrix: after McSherry and Mironov, *Differentially Private Recommender Systems*, KDD
2009.

Two data sets are neighbours here if one has a customer more. What is spent is counted by Opacus (Rényi divergences).
The promise is for the weights. How many customers there are is taken to be known, who they are is left out, and what
`Spent.clipped` says is for choosing settings, not for publication. PyTorch's random numbers are not cryptographic.
"""

import math
import secrets
import time
import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

from recbook.errors import ModelError
from recbook.models.closed_form import EASE
from recbook.models.popularity import Popularity
from recbook.settings import check, is_number

COUNTS = 20.0               # the first counts get noise of COUNTS / epsilon: a few per cent of what is spent


@dataclass(frozen=True)
class Spent:
    """What a training gave away, and how.

    Attributes
    ----------
    epsilon, delta : float
        The promise.
    noise : float
        Standard deviation of the noise, in units of what one customer may add.
    steps : int
    rate : float
        Chance of each customer to be drawn in a step.
    clipped : float
        Share of the customers' gradients that were cut, over all steps; at once, of their rows. It is counted exactly,
        so the promise does not cover it: to be looked at, not to be given away.
    seconds : float

    Example
    -------
    >>> from recbook.privacy import PrivateEASE
    >>> round(PrivateEASE(*sizes, epsilon=2.0, delta=1e-3).fit(split).spent.noise, 1)
    1.6
    """

    epsilon: float
    delta: float
    noise: float
    steps: int = 1
    rate: float = 1.0
    clipped: float = 0.0
    seconds: float = 0.0


def source_of_noise(seed):
    """A generator: from a seed, which an experiment may name, or from one that the system draws and nobody keeps."""
    return torch.Generator().manual_seed(secrets.randbits(63) if seed is None else seed)


def refuse(epsilon=1.0, delta=1e-9, clip=1.0, rate=1.0, noise=None, n_customers=None):
    """Refuse what promises nothing or cannot be."""
    if not is_number(epsilon) or epsilon <= 0:
        raise ModelError(f"epsilon={epsilon!r}: a number above 0; 1 is a strong promise, above 10 hardly one.")
    if not is_number(delta) or not 0 < delta < 1:
        raise ModelError(f"delta={delta!r}: a number between 0 and 1, and well below 1 / number of customers.")
    if noise != 0 and n_customers is not None and delta >= 1 / n_customers:
        raise ModelError(f"delta={delta:g} is not below 1 / {n_customers:,}: giving away one customer's row in full "
                         "would keep such a promise.")
    if not (clip == math.inf or is_number(clip)) or clip <= 0:
        raise ModelError(f"clip={clip!r}: a number above 0.")
    if noise is not None and (not is_number(noise) or noise < 0):
        raise ModelError(f"noise={noise!r}: a number of at least 0.")
    if clip == math.inf and noise != 0:
        raise ModelError("clip=inf: without a bound on what one customer adds, no noise hides it.")
    if not is_number(rate) or not 0 < rate <= 1:
        raise ModelError(f"rate={rate!r}: the chance of a customer to be drawn, above 0 and at most 1.")


def epsilon_of(history, delta, accountant="rdp"):
    """What epsilon the steps cost together, by Opacus' accountant.

    Parameters
    ----------
    history : list
        (noise, rate, steps) of each part of a training.
    delta : float
    accountant : "rdp" or "prv"

    Returns
    -------
    epsilon : float
        Infinite if any part has no noise.

    Raises
    ------
    ModelError
        Opacus is missing; a noise below 0, a delta or a rate that cannot be.

    Example
    -------
    >>> from recbook.privacy import epsilon_of
    >>> round(epsilon_of([(4.0, 1.0, 1)], delta=1e-5), 2)
    1.01
    """
    for noise, rate, _ in history:
        refuse(delta=delta, rate=rate, noise=noise)
    if any(noise == 0 for noise, _, steps in history if steps):
        return math.inf
    try:
        from opacus.accountants import create_accountant
    except ImportError:
        raise ModelError('Counting what is spent needs Opacus: pip install "recbook[privacy]".') from None
    book = create_accountant(accountant)
    book.history = [tuple(part) for part in history if part[2]]
    with warnings.catch_warnings():                                     # of a bound that is looser than it could be
        warnings.simplefilter("ignore", UserWarning)
        return float(book.get_epsilon(delta))


def noise_for(epsilon, delta, rate=1.0, steps=1, before=()):
    """The smallest noise with which so many steps cost no more than epsilon, to one part in a thousand.

    Parameters
    ----------
    epsilon, delta : float
    rate : float
        Chance of each customer to be drawn in a step.
    steps : int
    before : sequence
        (noise, rate, steps) of what was spent already.

    Returns
    -------
    noise : float
        In units of what one customer may add.

    Raises
    ------
    ModelError
        An epsilon, a delta or a rate that cannot be, or what was spent already is more than epsilon.

    Example
    -------
    >>> from recbook.privacy import noise_for
    >>> noise_for(8.0, 1e-5) < noise_for(1.0, 1e-5)
    True
    """
    refuse(epsilon, delta, rate=rate)
    check("steps", steps, ("a whole number of at least 1", lambda value: isinstance(value, int) and value >= 1))
    if before and epsilon_of(before, delta) >= epsilon:
        raise ModelError(f"epsilon={epsilon:g} is spent already, before the first step.")
    low, high = 0.0, 1.0
    while epsilon_of([*before, (high, rate, steps)], delta) > epsilon:
        low, high = high, 2 * high
        if high > 1e6:
            raise ModelError(f"epsilon={epsilon:g} with delta={delta:g}: no noise below a million keeps it.")
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if epsilon_of([*before, (middle, rate, steps)], delta) <= epsilon else (middle, high)
    return high


# -------------------------------------------------------------------------------------------- in steps

@torch.no_grad()
def clipped_sum(model, rows, clip, kept=None):
    """The sum of the customers' gradients of `MultDAE`, each cut to the length `clip` first.

    The loss of a customer is the surprise of their row, a mean over its items. Every gradient is an outer product of
    what goes into a layer and what comes back to it; so its length is known without ever writing it down, and the sum
    is two products of matrices, as in training without privacy.

    Parameters
    ----------
    model : MultDAE
    rows : tensor (B, n_items)
        Of 0 and 1, each with at least one item.
    clip : float
    kept : tensor (B, n_items) or None
        What dropout leaves of the inputs, made larger by as much; None for all.

    Returns
    -------
    gradients : dict
        {name of a weight: tensor}
    length : tensor (B,)
        Of each customer's gradient before it was cut.

    Example
    -------
    >>> from recbook.privacy import clipped_sum
    >>> rows = torch.from_numpy(split.matrix().toarray())
    >>> gradients, length = clipped_sum(rb.MultDAE(*sizes, dim=4), rows, clip=0.1)
    >>> float(torch.cat([part.flatten() for part in gradients.values()]).norm()) <= 60 * 0.1
    True
    """
    count = rows.sum(1, keepdim=True).clamp(min=1)
    inputs = rows / count.sqrt() if kept is None else rows * kept / count.sqrt()        # (B, N)
    inside = torch.tanh(inputs @ model.encoder.weight + model.encoder_bias)             # (B, D)
    scores = inside @ model.decoder.weight.T + model.item_bias                          # (B, N)
    out = scores.softmax(1) - rows / count                                              # (B, N)  back to the last layer
    back = (out @ model.decoder.weight) * (1 - inside.square())                         # (B, D)  back to the first
    length = ((inputs.square().sum(1) + 1) * back.square().sum(1)
              + (inside.square().sum(1) + 1) * out.square().sum(1)).sqrt()              # (B,)
    factor = (clip / length.clamp(min=1e-12)).clamp(max=1)[:, None]
    out, back = out * factor, back * factor
    return {"encoder.weight": inputs.T @ back, "encoder_bias": back.sum(0),
            "decoder.weight": out.T @ inside, "item_bias": out.sum(0)}, length


def noisy(total, noise, clip, generator):
    """A sum to which each customer adds at most `clip`, with Gaussian noise of `noise` times that in every number."""
    if noise == 0:                                                      # clip may be infinite then
        return total
    return total + noise * clip * torch.randn(total.shape, generator=generator, dtype=total.dtype)


@torch.no_grad()
def fit_privately(model, split, epsilon, delta=1e-5, clip=0.5, rate=0.1, steps=200, learning_rate=0.01, seed=None,
                  noise=None, after_step=None):
    """Train a `MultDAE` so that nobody can tell, up to epsilon and delta, whether a customer was in the data.

    First noisy counts give the items' biases; then each step draws customers, sums their cut gradients, adds noise, and
    moves the weights by Adam, which sees the noisy sum alone.

    Parameters
    ----------
    model : MultDAE
    split : Split
    epsilon, delta : float
        The promise.
    clip : float
        Length to which a customer's gradient is cut.
    rate : float
        Chance of each customer to be drawn in a step.
    steps : int
    learning_rate : float
    seed : int or None
        Of what is drawn; None for one that nobody knows. Whoever knows it can take the noise away: it is for experiments.
    noise : float or None
        In units of `clip`; None for the smallest that keeps the promise. With 0, the model that privacy is compared
        with, as with any other, `spent.epsilon` says what it cost.
    after_step : callable or None
        Is given the number of each step.

    Returns
    -------
    spent : Spent

    Raises
    ------
    ModelError
        An epsilon, a delta, a clip or a rate that cannot be, a model that is no `MultDAE` or has learned
        already, or nothing to train on.

    Example
    -------
    >>> from recbook.privacy import fit_privately
    >>> model = rb.MultDAE(*sizes, dim=4)
    >>> spent = fit_privately(model, split, epsilon=2.0, delta=1e-3, steps=5)
    >>> 1.9 < spent.epsilon <= 2
    True
    """
    begin = time.perf_counter()
    if type(model).__name__ != "MultDAE":
        raise ModelError(f"fit_privately trains MultDAE, whose gradients it can cut; this is {type(model).__name__}.")
    if model.trained_on is not None:
        raise ModelError("This model has learned already, and what of whom is in no promise: begin with a new one.")
    matrix = split.matrix()
    matrix = sp.csr_matrix(matrix[np.diff(matrix.indptr) > 0])
    if not matrix.shape[0]:
        raise ModelError("There is nothing to train on.")
    refuse(epsilon, delta, clip, rate, noise, matrix.shape[0])
    counts = COUNTS / epsilon if noise != 0 else 0.0
    if noise is None:
        noise = noise_for(epsilon, delta, rate, steps, before=[(counts, 1.0, 1)])
    generator = source_of_noise(seed)
    expected = rate * matrix.shape[0]
    first = noisy_counts(matrix, counts, generator).clamp(min=1).log()
    model.item_bias.copy_(first - first.mean())
    weights = dict(model.named_parameters())
    optimiser = torch.optim.Adam(weights.values(), lr=learning_rate)
    clipped = drawn = 0
    for step in range(steps):
        taken = torch.rand(matrix.shape[0], generator=generator) < rate
        rows = torch.from_numpy(matrix[taken.numpy()].toarray())        # (B, N)
        kept = (torch.rand(rows.shape, generator=generator) >= model.dropout) / (1 - model.dropout)
        gradients, length = clipped_sum(model, rows, clip, kept)
        for name, total in gradients.items():
            weights[name].grad = noisy(total, noise, clip, generator) / expected
        optimiser.step()
        clipped, drawn = clipped + int((length > clip).sum()), drawn + len(rows)
        if after_step:
            after_step(step)
    model.trained_on = split.dataset.ids.without_users()                # who the customers are stands in no private model
    model.eval()
    paid = epsilon_of([(counts, 1.0, 1), (float(noise), rate, steps)], delta)
    return Spent(paid, delta, float(noise), steps, rate, clipped / max(drawn, 1), time.perf_counter() - begin)


# -------------------------------------------------------------------------------------------- at once

def noisy_counts(matrix, noise, generator):
    """How often each item was met, where each customer's row has length 1, with noise: tensor (n_items,)."""
    matrix = sp.csr_matrix(matrix).astype(np.float64)
    size = np.maximum(np.diff(matrix.indptr), 1)
    total = torch.from_numpy(np.asarray((sp.diags(size**-0.5) @ matrix).sum(0)).ravel()).float()
    return noisy(total, noise, 1.0, generator)


def noisy_gram(matrix, noise, clip, generator):
    """X^T X of rows that count at most `clip` items each, with noise: tensor (n_items, n_items), symmetric.

    An entry beside the diagonal stands there twice, so that it counts double in the length of what a customer adds; its
    noise is smaller by the square root of 2.
    """
    matrix = sp.csr_matrix(matrix).astype(np.float64)
    size = np.maximum(np.diff(matrix.indptr), 1)
    small = sp.diags(np.sqrt(np.minimum(1, clip / size))) @ matrix
    gram = torch.from_numpy((small.T @ small).toarray())
    draw = noisy(torch.zeros_like(gram), noise, clip, generator)
    beside = draw.triu(1) / 2**0.5
    return gram + beside + beside.T + draw.diagonal().diag()


class PrivatePopularity(Popularity):
    """Popularity of which each customer gives a row of length 1, with noise for all that one row can change.

    Parameters
    ----------
    n_users, n_items : int
    epsilon, delta : float
        The promise.
    noise_seed : int or None
        None for one that nobody knows; a number is for experiments.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> from recbook.privacy import PrivatePopularity
    >>> PrivatePopularity(*sizes, epsilon=1.0, delta=1e-3).fit(split).count.shape
    torch.Size([48])
    """

    names_customers = False

    def __init__(self, n_users, n_items, epsilon=1.0, delta=1e-5, noise_seed=None):
        super().__init__(n_users, n_items)
        refuse(epsilon, delta)
        self.epsilon, self.delta, self.noise_seed = epsilon, delta, noise_seed

    def fit(self, split):
        matrix = split.matrix()
        refuse(self.epsilon, self.delta, n_customers=max(1, int((np.diff(matrix.indptr) > 0).sum())))
        noise = noise_for(self.epsilon, self.delta)
        self.count.copy_(noisy_counts(matrix, noise, source_of_noise(self.noise_seed)))
        return self


class PrivateEASE(EASE):
    """EASE from a Gram matrix that is asked for once: each customer adds at most `clip` to it, and noise hides as much.

    A row x of n items adds x x^T, of Frobenius length n. Longer rows are made smaller, to x x^T clip / n.

    Parameters
    ----------
    n_users, n_items : int
    epsilon, delta : float
        The promise.
    clip : float
        How many items of a customer count in full.
    l2 : float
        Penalty on the weights.
    reads : int or None
        How many of the latest events of a history are looked at; None for all of them.
    noise_seed : int or None
        None for one that nobody knows; a number is for experiments.
    noise : float or None
        In units of `clip`; None for the smallest that keeps the promise, 0 for the same model without privacy.

    Raises
    ------
    ModelError
        A setting that cannot be, or more memory than this machine has.

    Example
    -------
    >>> from recbook.privacy import PrivateEASE
    >>> model = PrivateEASE(*sizes, epsilon=4.0, delta=1e-3, clip=10.0).fit(split)
    >>> model.spent.epsilon <= 4
    True
    """

    names_customers = False

    def __init__(self, n_users, n_items, epsilon=1.0, delta=1e-5, clip=20.0, l2=1000.0, reads=None, noise_seed=None,
                 noise=None):
        super().__init__(n_users, n_items, l2, reads)
        refuse(epsilon, delta, clip, noise=noise)
        self.epsilon, self.delta, self.clip, self.noise_seed, self.noise, self.spent = epsilon, delta, clip, noise_seed, noise, None

    def fit(self, split):
        begin = time.perf_counter()
        size = np.diff(split.matrix().indptr)
        refuse(self.epsilon, self.delta, self.clip, noise=self.noise, n_customers=max(1, int((size > 0).sum())))
        noise = noise_for(self.epsilon, self.delta) if self.noise is None else self.noise
        gram = noisy_gram(split.matrix(), noise, self.clip, source_of_noise(self.noise_seed))
        values, vectors = torch.linalg.eigh(gram)                       # what noise has made negative is noise
        inverse = (vectors / (values.clamp(min=0) + self.l2)) @ vectors.T
        weight = -inverse / inverse.diagonal()
        weight.fill_diagonal_(0)
        self.weight.copy_(weight)
        self.spent = Spent(epsilon_of([(noise, 1.0, 1)], self.delta), self.delta, noise,
                           clipped=float((size > self.clip).mean()), seconds=time.perf_counter() - begin)
        return self
