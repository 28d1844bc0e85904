"""Bandits: learners that choose what to learn from. Show an item, see whether it is clicked, show the next.

Each class holds many independent *runs* of one learner and takes their steps together, so that the mean over runs and
its interval cost little more than one. R is the number of runs, N that of items (*arms*), d the width of the features.

- `EpsilonGreedy`: Sutton and Barto, *Reinforcement Learning*, 2018, chapter 2.
- `UCB1`: Auer, Cesa-Bianchi and Fischer, *Machine Learning* 47, 2002.
- `Thompson`: Thompson, *Biometrika* 25, 1933; with clicks as in Chapelle and Li, NIPS 2011.
- `LinUCB`: Li, Chu, Langford and Schapire, WWW 2010, with one model for all arms (theirs has one an arm, or both).
- `LinTS`: Agrawal and Goyal, ICML 2013, with a fixed width (theirs grows with the rounds).

A learner gives `index`, (R, N), by which the arms are put in order: the first is shown, or the first K on a slate.
After that `learn` is told what was shown and what came of it; it may be told late, once a day.
"""

from abc import ABC, abstractmethod

import numpy as np

from recbook.errors import ModelError
from recbook.settings import PART, check


class Bandit(ABC):
    """What all learners have: R runs, and the dice.

    Parameters
    ----------
    runs : int
        R, how many independent runs are taken together.
    seed : int
    """

    def __init__(self, runs, seed):
        check("runs", runs)
        check("seed", seed)
        self.runs, self.rng = runs, np.random.default_rng(seed)

    @abstractmethod
    def index(self, features=None):
        """By how much each arm asks to be shown: (R, N).

        features : (R, N, d) or (N, d), what is known of customer and item; learners that only count take none
        """

    def choose(self, features=None, places=1):
        """The arms to show: (R,), or slates (R, K) of several places. Of equals one is drawn."""
        index = self.index(features)
        index = index + 1e-12 * self.rng.random(index.shape)
        if places == 1:
            return index.argmax(1)
        return np.argsort(-index, axis=1)[:, :places]


class Counts(Bandit):
    """Learners that know of each arm how often it was tried and how often clicked.

    Parameters
    ----------
    n_arms : int
        N, how many items there are.
    runs, seed
        As of every `Bandit`.

    Attributes
    ----------
    tried, clicked : arrays (R, N)
        May be set before the first visit, to what an old log says.
    """

    def __init__(self, n_arms, runs=1, seed=0):
        super().__init__(runs, seed)
        check("n_arms", n_arms)
        self.tried, self.clicked = np.zeros((runs, n_arms)), np.zeros((runs, n_arms))
        self.rows = np.arange(runs)

    def learn(self, arms, clicks, examined=1.0):
        """One visit of each run: arms (R,), clicks (R,) of 0 or 1; examined: the chance that the customer saw it."""
        self.tried[self.rows, arms] += examined
        self.clicked[self.rows, arms] += clicks

    def mean(self, untried=1.0):
        """The share of clicks of each arm (R, N); of what was never tried, `untried`."""
        return np.where(self.tried > 0, self.clicked / np.maximum(self.tried, 1e-12), untried)


class EpsilonGreedy(Counts):
    """The arm with the best share of clicks so far; with chance epsilon any arm.

    Parameters
    ----------
    n_arms, runs, seed
        As of `Counts`.
    epsilon : float
        Share of the visits in which all arms are equally likely. 0: exploration is off.
    untried : float
        What is believed of an arm that was never tried. 1: each is tried once, at first.
    """

    def __init__(self, n_arms, epsilon=0.1, untried=1.0, runs=1, seed=0):
        super().__init__(n_arms, runs, seed)
        check("epsilon", epsilon, PART)
        self.epsilon, self.untried = epsilon, untried

    def index(self, features=None):
        dice = self.rng.random(self.tried.shape)
        explores = self.rng.random((self.runs, 1)) < self.epsilon
        return np.where(explores, dice, self.mean(self.untried))


class UCB1(Counts):
    """The arm that could be best: its share of clicks and, above it, the width of a confidence interval.

    Parameters
    ----------
    n_arms, runs, seed
        As of `Counts`.
    width : float
        The interval is sqrt(width * ln t / n) after n tries of t. The theorem is for 2.
    """

    def __init__(self, n_arms, width=2.0, runs=1, seed=0):
        super().__init__(n_arms, runs, seed)
        check("width", width)
        self.width = width

    def index(self, features=None):
        total = np.maximum(self.tried.sum(1, keepdims=True), 1)
        bonus = np.sqrt(self.width * np.log(total) / np.maximum(self.tried, 1e-12))
        return np.where(self.tried > 0, self.mean() + bonus, np.inf)

    def choose(self, features=None, places=1):
        """The arms with the highest bounds; those never tried first, in the order of a draw."""
        index = self.index(features)
        index = np.where(np.isinf(index), 1e6, index) + 1e-9 * self.rng.random(index.shape)
        return index.argmax(1) if places == 1 else np.argsort(-index, axis=1)[:, :places]


class Thompson(Counts):
    """Each arm as likely as it is to be the best: draw a share of clicks for each arm from what is believed of it.

    The belief is a Beta distribution, uniform before the first visit.
    """

    def index(self, features=None):
        return self.rng.beta(1 + self.clicked, 1 + np.maximum(self.tried - self.clicked, 0))


class Linear(Bandit):
    """Learners that know of customer and item some features x, and expect theta . x clicks: ridge regression, kept up.

    Parameters
    ----------
    dim : int
        d, the number of features.
    l2 : float
        The penalty; what is believed before the first visit.
    runs, seed
        As of every `Bandit`.

    Attributes
    ----------
    inverse : array (R, d, d)
        Of l2 I + the sum of x x^T.
    theta : array (R, d)
    """

    def __init__(self, dim, l2=1.0, runs=1, seed=0):
        super().__init__(runs, seed)
        check("dim", dim)
        if isinstance(l2, bool) or not l2 > 0:
            raise ModelError(f"l2={l2!r}: a number above 0, or nothing holds before the first visit.")
        self.inverse = np.tile(np.eye(dim) / l2, (runs, 1, 1))
        self.sum, self.theta = np.zeros((runs, dim)), np.zeros((runs, dim))

    def learn(self, features, clicks):
        """One visit of each run: the features (R, d) of what was shown, and clicks (R,).

        The inverse of a sum with x x^T added (Sherman and Morrison, 1950).
        """
        ahead = np.einsum("rde,re->rd", self.inverse, features)         # (R, d)
        size = 1 + np.einsum("rd,rd->r", ahead, features)
        self.inverse -= ahead[:, :, None] * (ahead / size[:, None])[:, None]
        self.sum += features * np.asarray(clicks)[:, None]
        self.theta = np.einsum("rde,re->rd", self.inverse, self.sum)


class LinUCB(Linear):
    """The arm that could be best: theta . x and, above it, alpha standard deviations, sqrt(x^T A^-1 x).

    Parameters
    ----------
    dim, l2, runs, seed
        As of `Linear`.
    alpha : float
        How many. 0: exploration is off.
    """

    def __init__(self, dim, alpha=1.0, l2=1.0, runs=1, seed=0):
        super().__init__(dim, l2, runs, seed)
        check("alpha", alpha)
        self.alpha = alpha

    def index(self, features):
        expected = np.matmul(features, self.theta[:, :, None])[:, :, 0]                         # (R, N)
        if not self.alpha:
            return expected
        variance = (np.matmul(features, self.inverse) * features).sum(-1)
        return expected + self.alpha * np.sqrt(np.maximum(variance, 0))


class LinTS(Linear):
    """Draw one theta from what is believed of it, and show the arm that is best by it.

    Parameters
    ----------
    dim, l2, runs, seed
        As of `Linear`.
    alpha : float
        The standard deviation of a draw, in those of the belief. 0: exploration is off.
    """

    def __init__(self, dim, alpha=1.0, l2=1.0, runs=1, seed=0):
        super().__init__(dim, l2, runs, seed)
        check("alpha", alpha)
        self.alpha = alpha

    def index(self, features):
        noise = self.rng.normal(size=self.theta.shape + (1,))
        drawn = self.theta[:, :, None] + self.alpha * np.linalg.cholesky(self.inverse) @ noise  # (R, d, 1)
        return np.matmul(features, drawn)[:, :, 0]


def lower_bound(chances):
    """What no good learner can fall below: regret grows at least as fast as this times ln t (Lai and Robbins, 1985).

    chances (N,) of a click; the sum over all arms but the best of gap / KL(arm, best).
    """
    chances = np.asarray(chances, dtype=float)
    best = chances.max()
    worse = chances[chances < best]
    apart = worse * np.log(worse / best) + (1 - worse) * np.log((1 - worse) / (1 - best))
    return float(((best - worse) / apart).sum())


def ucb1_regret(chances, visits, width=2.0):
    """The regret of `UCB1` after some visits (T,), if every arm's share of clicks were its chance: (T,).

    All arms' bounds are then level, at a height c: arm i was tried n_i = width * ln t / (c - chance_i)^2 times, and the
    n_i add up to t. For t without end, c falls to the best chance, and the regret is ln t times the sum of width / gap.
    """
    chances, visits = np.asarray(chances, dtype=float), np.asarray(visits, dtype=float)
    low, high = np.full(visits.shape, chances.max()), np.full(visits.shape, chances.max() + 100)
    for _ in range(100):                                                # the height, by halving
        height = (low + high) / 2
        tries = width * np.log(visits)[:, None] / (height[:, None] - chances) ** 2              # (T, N)
        low, high = np.where(tries.sum(1) > visits, height, low), np.where(tries.sum(1) > visits, high, height)
    return tries @ (chances.max() - chances)


def replay(learner, arms, clicks, features=None):
    """Let a learner walk through a log whose arms were drawn evenly, and keep the rows on which it agrees.

    Where the learner would have shown what was shown, it is told the click, and the row counts; all other rows are as
    if they had never been (Li, Chu, Langford and Wang, WSDM 2011). With even draws the rows that count are as if the
    learner itself had acted.

    Parameters
    ----------
    learner : Bandit
    arms, clicks : arrays (V,), or (V, R)
        What was shown, and 0 or 1; of R runs, a log for each.
    features : array (V, N, d), or (V, R, N, d), or None
        For learners that take them.

    Returns
    -------
    counts : array of bool, of the shape of `arms`
        The rows that count.
    """
    arms, clicks = np.asarray(arms), np.asarray(clicks)
    if arms.shape != clicks.shape or arms.shape[1:] not in ([(learner.runs,)] + [()] * (learner.runs == 1)):
        raise ModelError(f"arms {arms.shape} and clicks {clicks.shape}: a log of V rows, or for {learner.runs} runs a "
                         f"column each, (V, {learner.runs}).")
    log, told = arms.reshape(len(arms), learner.runs), clicks.reshape(len(arms), learner.runs)
    counts, rows = np.zeros(log.shape, dtype=bool), np.arange(learner.runs)
    for visit, (arm, click) in enumerate(zip(log, told)):
        seen = None if features is None else features[visit].reshape(learner.runs, *np.shape(features)[-2:])
        counts[visit] = agrees = learner.choose(seen) == arm
        if seen is None:
            learner.learn(arm, click * agrees, agrees)
        else:                                                           # features of 0 teach nothing
            learner.learn(seen[rows, arm] * agrees[:, None], click * agrees)
    return counts.reshape(arms.shape)
