"""Planning in a world whose law is known: the value of a policy, and the best policy, both exact.

The symbols are those of Sutton and Barto, *Reinforcement Learning* (2nd edition, 2018): states s, actions a, rewards r,
the discount gamma, the value of a state v(s) and of an action in it q(s, a).
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from recbook.errors import ModelError


@dataclass(frozen=True)
class TabularWorld:
    """A Markov decision process with S states and A actions, each of which can lead to O states.

    rewards (S, A)           expected reward
    following (S, A, O)      the states that can follow
    chances (S, A, O)        and their chances; what is missing to 1 is the chance that the episode ends
    start (S,)               the chance of each state at the beginning
    """

    rewards: np.ndarray
    following: np.ndarray
    chances: np.ndarray
    start: np.ndarray

    def __post_init__(self):
        total = self.chances.sum(2)
        if (self.chances < 0).any() or (total > 1 + 1e-9).any():
            raise ModelError("chances: those of what follows an action are at least 0 and sum to at most 1.")
        if not np.isclose(self.start.sum(), 1):
            raise ModelError(f"start: chances that sum to 1, not to {self.start.sum():g}.")

    @classmethod
    def of(cls, regulars):
        """The world of `recbook.data.shop.Regulars`."""
        return cls(*regulars.outcomes(), regulars.start)

    def look_ahead(self, values, discount):
        """q(s, a) = r(s, a) + discount * E[v(next)]: (S, A)."""
        return self.rewards + discount * (self.chances * values[self.following]).sum(2)


def value_iteration(world, discount=1.0, tolerance=1e-9, sweeps=100_000):
    """The best policy and what it is worth (Bellman 1957): v <- max_a q(s, a) until nothing moves.

    Returns
    -------
    q : array (S, A)
        The value of each action, if the best are chosen afterwards. The best policy is `q.argmax(1)`.

    Raises
    ------
    ModelError
        A discount outside [0, 1], or values that do not settle: with discount 1 episodes must end.
    """
    if not 0 <= discount <= 1:
        raise ModelError(f"discount={discount}: a number from 0 to 1.")
    values = np.zeros(len(world.rewards))
    for _ in range(sweeps):
        q = world.look_ahead(values, discount)
        moved = np.abs(q.max(1) - values).max()
        values = q.max(1)
        if moved < tolerance:
            return q
    raise ModelError(f"the values still move by {moved:.1g} after {sweeps} sweeps: does every episode end?")


def policy_value(world, policy, discount=1.0):
    """What a policy is worth in each state, exact: the solution of v = r_pi + discount * P_pi v.

    policy : array (S,) of actions, or (S, A) of their chances
    """
    S, A = world.rewards.shape
    policy = np.asarray(policy)
    if policy.ndim == 1:
        policy = np.eye(A)[policy]
    rewards = (policy * world.rewards).sum(1)
    weight = policy[:, :, None] * world.chances                         # (S, A, O)
    state = np.broadcast_to(np.arange(S)[:, None, None], weight.shape)
    matrix = sparse.csc_matrix((weight.ravel(), (state.ravel(), world.following.ravel())), shape=(S, S))
    return spsolve(sparse.identity(S, format="csc") - discount * matrix, rewards)


def worth(world, policy, discount=1.0):
    """The expected return of an episode under a policy: one number."""
    return float(world.start @ policy_value(world, policy, discount))


def greedy(values):
    """The chances (S, A) of a policy that takes the highest of values (S, A), equals equally often."""
    best = np.isclose(values, values.max(1, keepdims=True), rtol=0, atol=1e-9)
    return best / best.sum(1, keepdims=True)
