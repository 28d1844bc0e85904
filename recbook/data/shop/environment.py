"""The shop's regulars as a `gymnasium` environment, so that other libraries' agents can act in it.

The interface is that of Towers et al., *Gymnasium: A Standard Interface for Reinforcement Learning Environments*, 2024.
"""

import numpy as np

from recbook.errors import DataError, shown

try:
    import gymnasium
except ImportError:  # said in words when somebody builds one
    gymnasium = None


class ShopEnv(gymnasium.Env if gymnasium else object):
    """One regular customer after another: a step is a visit, an episode is their visits until they stay away for good.

    The observation is what `Regulars.describe` tells of the state: all that decides what follows. The action is the
    number of a slate, the reward is the worth of what is taken, and `info["taken"]` is its kind, -1 for nothing.

    Parameters
    ----------
    regulars : Regulars
        What can be shown, what it is worth, who tires and who comes back.

    Raises
    ------
    DataError
        gymnasium is not installed, or an action is no slate.

    Example
    -------
    >>> env = rb.ShopEnv(rb.Regulars(shop))
    >>> state, _ = env.reset(seed=0)
    >>> state, reward, gone, cut_off, info = env.step(2)
    >>> state.shape, reward in (0.0, 1.0), cut_off
    ((10,), True, False)
    """

    metadata = {"render_modes": []}

    def __init__(self, regulars):
        if gymnasium is None:
            raise DataError("ShopEnv needs the package gymnasium: pip install 'recbook[agents]'")
        self.regulars, self.render_mode = regulars, None
        self.observation_space = gymnasium.spaces.Box(0, 1, (regulars.width,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(regulars.n_actions)

    def reset(self, *, seed=None, options=None):
        """A new customer arrives, who has had nothing yet: (observation, {})."""
        super().reset(seed=seed)
        self.taste = self.np_random.choice(self.regulars.n_tastes, p=self.regulars.prior)
        self.helpings = np.zeros(self.regulars.n_kinds, dtype=np.int64)
        return self.seen(), {}

    def step(self, action):
        """Show a slate: (observation, reward, whether they stay away, False, {"taken": kind})."""
        if not self.action_space.contains(action):
            raise DataError(f"action {shown(action)}: the number of a slate, 0 to {self.regulars.n_actions - 1}.")
        law, slate = self.regulars, self.regulars.slates[action]
        chance = law.choice([self.taste], self.helpings[None], [action])[0]
        place = np.searchsorted(np.cumsum(chance)[:-1], self.np_random.random(), side="right")
        taken = slate[place] if place < law.places else -1
        reward, stay = (law.worth[taken], law.loyal[taken]) if taken >= 0 else (0.0, law.bored)
        rested = self.np_random.random() < law.rest
        self.helpings = law.after(self.helpings[None], [taken], [rested])[0]
        gone = self.np_random.random() >= stay
        return self.seen(), float(reward), bool(gone), False, {"taken": int(taken)}

    def seen(self):
        """The observation (D,)."""
        return self.regulars.describe([self.taste], self.helpings[None])[0]
