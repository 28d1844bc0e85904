"""The shop over many visits as a `gymnasium` environment, so that other libraries' agents run on it.

The interface is that of Towers et al., *Gymnasium: A Standard Interface for Reinforcement Learning Environments*, 2024.
"""

import numpy as np

from recbook.errors import DataError, shown
from recbook.settings import is_whole

try:
    import gymnasium
except ImportError:  # said in words when somebody builds one
    gymnasium = None


class ShopEnv(gymnasium.Env if gymnasium else object):
    """One customer after another; a step is a visit, an episode is a customer's visits until they stay away.

    The observation tells the chance of a click on each item on offer when the customer is rested, and how weary they
    are of each category: all that decides what follows. The action is an item on offer, or, of several places, one for
    each, by their numbers 0 .. C - 1. An item that stands twice in a slate is ignored at its lower places. The reward
    is that of the clicks.

    Parameters
    ----------
    returning : Returning
        Which items are on offer, what tires, who comes back.
    users : array or None
        Who may come; None: everybody.
    longest : int
        After so many visits an episode is cut off (`truncated`).

    Raises
    ------
    DataError
        gymnasium is not installed, a setting that cannot be, or an action that is no slate.

    Example
    -------
    >>> env = rb.ShopEnv(rb.Returning(rb.Showing(shop, places=1), items=[0, 1, 20, 40]))
    >>> state, _ = env.reset(seed=0)
    >>> state, reward, stays_away, cut_off, _ = env.step(2)
    >>> state.shape, reward in (0.0, 1.0)
    ((7,), True)
    """

    metadata = {"render_modes": []}

    def __init__(self, returning, users=None, longest=200):
        if gymnasium is None:
            raise DataError("ShopEnv needs the package gymnasium: pip install 'recbook[agents]'")
        if not is_whole(longest) or longest < 1:
            raise DataError(f"longest={shown(longest)}: a whole number of at least 1.")
        self.returning, self.longest, self.render_mode = returning, longest, None
        self.users = np.arange(returning.showing.n_users) if users is None else np.asarray(users)
        size, places = len(returning.items), returning.showing.places
        self.observation_space = gymnasium.spaces.Box(0, 1, (size + returning.n_kinds,), np.float32)
        self.action_space = (gymnasium.spaces.Discrete(size) if places == 1 else
                             gymnasium.spaces.MultiDiscrete([size] * places))

    def reset(self, *, seed=None, options=None):
        """A new customer arrives: (observation, {"user": number})."""
        super().reset(seed=seed)
        user = self.users[self.np_random.integers(len(self.users), size=1)]
        self.rested, self.weary = self.returning.arrive(user, self.np_random)
        self.visits = 0
        return self.seen(), {"user": int(user[0])}

    def step(self, action):
        """Show a slate: (observation, reward, whether they stay away, whether it is cut off, {"clicks": ...})."""
        if not self.action_space.contains(action):
            raise DataError(f"action {action}: for each of {self.returning.showing.places} places an item on offer, "
                            f"0 to {len(self.returning.items) - 1}.")
        places = np.atleast_1d(action)[None]                            # (1, K)
        first = np.sort(np.unique(places, return_index=True)[1])        # an item again is nothing new
        rested, weary = self.rested, self.weary
        chance = self.returning.chances(rested, weary, places)[:, first]
        click = self.np_random.random(chance.shape) < chance
        back = self.np_random.random() < self.returning.comes_back(click)[0]
        self.weary = self.returning.wearier(weary, places)
        self.visits += 1
        worth = self.returning.showing.worth[self.returning.items[places[:, first]]]
        return (self.seen(), float((click * worth).sum()), bool(not back), self.visits >= self.longest,
                {"clicks": int(click.sum())})

    def seen(self):
        """The observation (C + kinds,): what a customer would click when rested, and how weary they are, 0 to 1."""
        return np.concatenate([self.rested[0], self.weary[0] / self.returning.levels]).astype(np.float32)
