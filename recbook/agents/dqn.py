"""Learning the value of actions by acting: deep Q-learning (DQN), and SlateQ for slates.

DQN: Mnih et al., *Human-level control through deep reinforcement learning*, Nature 2015. Double DQN: van Hasselt, Guez
and Silver, *Deep Reinforcement Learning with Double Q-learning*, AAAI 2016. SlateQ: Ie et al., *SlateQ: A Tractable
Decomposition for Reinforcement Learning with Recommendation Sets*, IJCAI 2019.

How it differs from the first paper: states are a few numbers and not pictures, so layers are dense; Adam in place of
RMSProp; squared errors, which are not clipped, since what they seek is the mean (`loss="huber"`: clipped, as in the
paper); rewards are not clipped. From SlateQ's paper: the slate is found by going through all slates, and the chances of
a choice are given, not learned beside.
"""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from recbook.errors import ModelError
from recbook.settings import check, is_number


LOSSES = {"squared": functional.mse_loss, "huber": functional.smooth_l1_loss}


class Replay:
    """The last transitions that were seen; a sample of them is far less alike than the last few.

    Columns: `seen` (M, D), `action`, `taken`, `reward`, `seen_next` (M, D), `gone` (whether nothing followed).
    """

    def __init__(self, size, width):
        self.columns = {
            "seen": torch.zeros(size, width), "action": torch.zeros(size, dtype=torch.long),
            "taken": torch.zeros(size, dtype=torch.long), "reward": torch.zeros(size),
            "seen_next": torch.zeros(size, width), "gone": torch.zeros(size),
        }
        self.size, self.count = size, 0

    def __len__(self):
        return min(self.count, self.size)

    def add(self, **transition):
        row = self.count % self.size                                    # the oldest one goes
        for name, value in transition.items():
            self.columns[name][row] = torch.as_tensor(value)
        self.count += 1

    @classmethod
    def of(cls, **columns):
        """What a log holds, as it is."""
        replay = cls(0, 0)
        replay.columns = {name: torch.tensor(np.asarray(column)) for name, column in columns.items()}
        replay.size = replay.count = len(replay.columns["action"])
        return replay

    def sample(self, count, generator):
        rows = torch.randint(len(self), (count,), generator=generator)
        return {name: column[rows] for name, column in self.columns.items()}


class DQN:
    """An agent that learns q(s, a) by a network and mostly takes the best action.

    Parameters
    ----------
    width, n_actions : int
        D numbers describe a state; A actions.
    layers : tuple of int
        Widths of the hidden layers.
    discount : float
        What a reward at the next visit is worth today. 1 is sound where episodes end by themselves; 0 is the myopic
        agent.
    learning_rate, batch_size
        Of Adam.
    memory : int
        How many transitions are kept; 1: only the last one.
    target_every : int or None
        The network in the targets is copied anew after so many updates. 1: there is none beside. None: never again.
    double : bool
        Whether the learning network chooses the next action that the other values.
    epsilon : (float, float)
        The share of random actions at first, and at the end; it falls over the first half of the steps.
    train_every : int
        Steps between two updates.
    loss : "squared" or "huber"
        Of the error of q(s, a). The mean has the least squared error. In Huber's loss an error above 1 pulls no harder
        than one of 1, so that what has least of it is not the mean: a rare large loss counts less than it costs.
    seed : int
        Of the weights, the exploration and the samples.

    Raises
    ------
    ModelError
        A setting that cannot be, an environment of other sizes, or a loss that is not finite.

    Example
    -------
    >>> regulars = rb.Regulars(shop)
    >>> agent = rb.agents.DQN(regulars.width, regulars.n_actions).learn(rb.ShopEnv(regulars), steps=1000)
    >>> agent.act(regulars.describe(regulars.tastes, regulars.helpings)).shape
    (1536,)
    """

    def __init__(self, width, n_actions, layers=(64, 64), discount=1.0, learning_rate=1e-3, batch_size=64,
                 memory=50_000, target_every=250, double=True, epsilon=(1.0, 0.05), train_every=1,
                 loss="squared", seed=0):
        for name, value in (("layers", layers), ("learning_rate", learning_rate), ("batch_size", batch_size)):
            check(name, value)
        if not is_number(discount) or not 0 <= discount <= 1:
            raise ModelError(f"discount={discount!r}: a number from 0 to 1.")
        if not isinstance(epsilon, list | tuple) or len(epsilon) != 2 or not all(
                is_number(share) and 0 <= share <= 1 for share in epsilon):
            raise ModelError(f"epsilon={epsilon!r}: two shares from 0 to 1, as in (1.0, 0.05).")
        for name, value in (("width", width), ("n_actions", n_actions), ("memory", memory),
                            ("train_every", train_every), ("target_every", target_every or 1)):
            if not isinstance(value, int) or value < 1:
                raise ModelError(f"{name}={value!r}: a whole number of at least 1.")
        if loss not in LOSSES:
            raise ModelError(f"loss={loss!r}: 'squared' or 'huber'.")
        self.error = LOSSES[loss]
        self.width, self.n_actions, self.discount, self.batch_size = width, n_actions, discount, batch_size
        self.memory, self.target_every, self.double = memory, target_every, double
        self.epsilon, self.train_every = epsilon, train_every
        self.rng, self.generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = dense(width, layers, self.outputs())
        self.target = copy.deepcopy(self.network)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=learning_rate, fused=True)
        self.updates = 0

    # ------------------------------------------------------------------ what SlateQ does in another way

    def outputs(self):
        """How many numbers the network gives for a state."""
        return self.n_actions

    def values(self, network, seen):
        """q(s, a) of all actions: (B, A)."""
        return network(seen)

    def predicted(self, batch):
        """What the network says of that which was done: (B,)."""
        return self.network(batch["seen"]).gather(1, batch["action"][:, None])[:, 0]

    # ------------------------------------------------------------------ the algorithm

    def act(self, seen):
        """The best actions (B,) in states described by (B, D)."""
        with torch.no_grad():
            return self.values(self.network, torch.as_tensor(seen)).argmax(1).numpy()

    def loss(self, batch):
        """The error between q(s, a) and  r + discount * q'(s', best action there), a scalar."""
        with torch.no_grad():
            after = self.values(self.target, batch["seen_next"])        # (B, A)
            chooser = self.values(self.network, batch["seen_next"]) if self.double else after
            best = after.gather(1, chooser.argmax(1, keepdim=True))[:, 0]
            wanted = batch["reward"] + self.discount * (1 - batch["gone"]) * best
        return self.error(self.predicted(batch), wanted)

    def update(self, replay):
        """One step of Adam on a sample of what was seen."""
        loss = self.loss(replay.sample(self.batch_size, self.generator))
        if not torch.isfinite(loss):
            raise ModelError(f"The loss is {loss.item()} after {self.updates} updates: take a lower learning_rate.")
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.updates += 1
        if self.target_every and self.updates % self.target_every == 0:
            self.target.load_state_dict(self.network.state_dict())

    def learn(self, environment, steps=20_000):
        """Act in a `gymnasium.Env` for so many steps and learn on the way; returns the agent."""
        if environment.observation_space.shape != (self.width,) or environment.action_space.n != self.n_actions:
            raise ModelError(f"the environment shows {environment.observation_space.shape} numbers and takes "
                             f"{environment.action_space.n} actions; this agent knows {self.width} and {self.n_actions}.")
        replay, (first, last) = Replay(self.memory, self.width), self.epsilon
        seen, _ = environment.reset(seed=int(self.rng.integers(2**31)))
        for step in range(steps):
            epsilon = first + (last - first) * min(1, 2 * step / steps)
            action = int(self.rng.integers(self.n_actions) if self.rng.random() < epsilon else self.act(seen[None])[0])
            seen_next, reward, gone, cut, info = environment.step(action)
            replay.add(seen=seen, action=action, taken=info.get("taken", 0), reward=reward, seen_next=seen_next,
                       gone=float(gone))                                # cut short is not gone
            seen = environment.reset()[0] if gone or cut else seen_next
            if len(replay) >= min(self.batch_size, self.memory) and step % self.train_every == 0:
                self.update(replay)
        return self

    def learn_from(self, replay, updates=5_000):
        """Learn from what others did, without acting: returns the agent."""
        if not len(replay):
            raise ModelError("There is nothing to learn from: the log is empty.")
        for _ in range(updates):
            self.update(replay)
        return self


class SlateQ(DQN):
    """DQN whose network values single things: a slate is worth the mean of what may be taken from it.

        Q(s, slate) = sum_i P(i | s, slate) q(s, i),     i in the slate, or nothing

    So C + 1 numbers are learned however many slates there are. It holds where one thing or nothing is taken, and what
    follows depends on that alone.

    Parameters
    ----------
    width, n_kinds : int
    slates : array (A, K)
        The slates; an action is a row.
    choice : callable
        Takes states (B, D), a tensor, and gives the chances of each place of each slate and of nothing: (B, A, K + 1).
    others
        Those of `DQN`.

    Example
    -------
    >>> regulars = rb.Regulars(shop, places=2)
    >>> agent = rb.agents.SlateQ.of(regulars).learn(rb.ShopEnv(regulars), steps=500)
    >>> agent.act(regulars.describe(regulars.tastes, regulars.helpings)[:3]).shape
    (3,)
    """

    def __init__(self, width, n_kinds, slates, choice, **settings):
        self.n_kinds, self.choice = n_kinds, choice
        slates = torch.as_tensor(slates)
        self.columns = torch.cat([slates, torch.full((len(slates), 1), n_kinds)], dim=1)        # (A, K + 1)
        super().__init__(width, len(slates), **settings)

    @classmethod
    def of(cls, regulars, **settings):
        """For `Regulars`, with the true chances of a choice."""
        return cls(regulars.width, regulars.n_kinds, regulars.slates, regulars.choices, **settings)

    def outputs(self):
        return self.n_kinds + 1

    def values(self, network, seen):
        return (self.choice(seen) * network(seen)[:, self.columns]).sum(2)

    def predicted(self, batch):
        taken = torch.where(batch["taken"] < 0, self.n_kinds, batch["taken"])
        return self.network(batch["seen"]).gather(1, taken[:, None])[:, 0]


def dense(width, layers, outputs):
    """Dense layers with ReLU between them."""
    widths = [width, *layers]
    hidden = [part for a, b in zip(widths, widths[1:]) for part in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(widths[-1], outputs))
