"""Learning a policy itself, by the gradient of what it earns: REINFORCE, by acting and from a log.

REINFORCE: Williams, *Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning*, Machine
Learning 1992. From a log, with the correction for slates: Chen et al., *Top-K Off-Policy Correction for a REINFORCE
Recommender System*, WSDM 2019.

How it differs from the second paper: states are given, not summed up by a recurrent network; the logging policy's
chances are known, not estimated; nothing is smoothed by a penalty on variance beside the cap of the weights.
"""

import numpy as np
import torch

from recbook.agents.dqn import dense
from recbook.errors import ModelError
from recbook.settings import check, is_number


class Reinforce:
    """A policy: a network gives each of C kinds a logit, and a slate is drawn from the softmax, place after place.

    Parameters
    ----------
    width, n_kinds : int
        D numbers describe a state; C kinds can be shown.
    places : int
        K, how many kinds a slate has.
    layers, learning_rate
        Of the network, and of Adam.
    entropy : float
        The weight of a bonus for undecided policies, without which it stops to try things early.
    seed : int

    Example
    -------
    >>> regulars = rb.Regulars(shop)
    >>> policy = rb.agents.Reinforce(regulars.width, regulars.n_kinds)
    >>> policy.propensities(regulars.describe([0, 1], regulars.helpings[:2])).shape
    (2, 4)
    """

    def __init__(self, width, n_kinds, places=1, layers=(64, 64), learning_rate=3e-3, entropy=0.01, seed=0):
        for name, value in (("layers", layers), ("learning_rate", learning_rate)):
            check(name, value)
        if not is_number(entropy) or entropy < 0:
            raise ModelError(f"entropy={entropy!r}: a number of at least 0.")
        self.width, self.n_kinds, self.places, self.entropy = width, n_kinds, places, entropy
        self.generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = dense(width, layers, n_kinds)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=learning_rate, fused=True)

    def propensities(self, seen):
        """The chance of each kind at the first place, in states (B, D): (B, C)."""
        with torch.no_grad():
            return self.network(torch.as_tensor(seen)).softmax(1).numpy()

    def loss(self, seen, taken, returns, weights=1.0):
        """- mean of weight * return * log pi(taken | state), less the bonus; its gradient is the policy's.

        seen (B, D); taken (B,) kinds; returns (B,): what was earned from there on, less a baseline
        """
        log_chance = self.network(seen).log_softmax(1)                  # (B, C)
        taken_log = log_chance.gather(1, taken[:, None])[:, 0]
        entropy = -(log_chance.exp() * log_chance).sum(1).mean()
        return -(weights * returns * taken_log).mean() - self.entropy * entropy

    def step(self, *batch):
        """One step of Adam along the gradient."""
        loss = self.loss(*batch)
        if not torch.isfinite(loss):
            raise ModelError(f"The loss is {loss.item()}: take a lower learning_rate.")
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()

    def learn(self, regulars, rounds=200, customers=200, seed=0):
        """Act on so many new customers of `Regulars` a round, and learn from what they took: returns the policy.

        One kind a slate: there an action is a kind.
        """
        if regulars.places != 1:
            raise ModelError(f"REINFORCE acts with one kind a slate, not with {regulars.places}: learn from a log.")
        for turn in range(rounds):
            log = regulars.log(self.propensities, customers, seed=seed * rounds + turn)
            returns = torch.tensor(log["return"].to_numpy(), dtype=torch.float32)
            shown = torch.tensor(log["action"].to_numpy())
            advantage = (returns - returns.mean()) / (returns.std() + 1e-8)
            self.step(torch.from_numpy(regulars.seen(log["state"].to_numpy())), shown, advantage)
        return self

    def learn_from(self, seen, taken, returns, chances, updates=500, batch_size=512, corrected=True, top_k=True,
                   cap=10.0):
        """Learn from a log that another policy wrote: returns the policy.

        Parameters
        ----------
        seen : (M, D), taken : (M,), returns : (M,)
            The kinds that were taken, in which states, and what was earned from there on.
        chances : (M,)
            With which chance the other policy showed them. Above 0.
        corrected : bool
            Whether to weigh by pi / chance, so that the mean is that of this policy's own doings.
        top_k : bool
            Whether to weigh by K (1 - pi)^(K - 1): what is on the slate anyway needs no higher chance.
        cap : float
            No weight pi / chance above it.
        """
        if (np.asarray(chances) <= 0).any():
            raise ModelError("chances: what was shown had a chance above 0 to be shown.")
        seen, taken = torch.tensor(np.asarray(seen)), torch.tensor(np.asarray(taken))
        returns = torch.tensor(np.asarray(returns), dtype=torch.float32)
        chances = torch.tensor(np.asarray(chances), dtype=torch.float32)
        returns = returns / returns.abs().mean().clamp(min=1e-8)
        for _ in range(updates):
            rows = torch.randint(len(seen), (batch_size,), generator=self.generator)
            with torch.no_grad():
                own = self.network(seen[rows]).softmax(1).gather(1, taken[rows, None])[:, 0]
            weights = torch.ones_like(own)
            if corrected:
                weights = (own / chances[rows]).clamp(max=cap)
            if top_k:
                weights = weights * self.places * (1 - own) ** (self.places - 1)
            self.step(seen[rows], taken[rows], returns[rows], weights)
        return self
