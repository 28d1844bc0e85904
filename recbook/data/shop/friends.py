"""Who names whom as a friend: most often somebody of the same taste."""

import numpy as np
import pandas as pd


def make_friends(world, taste):
    """Directed ties, one row each: `user`, `friend`. `taste` (n_users,) is everyone's taste when they met."""
    p = world.parameters
    rng = np.random.default_rng([p.seed, 4])
    count = rng.geometric(1 / (p.friends + 1), size=p.n_users) - 1
    user = np.repeat(np.arange(p.n_users), count)
    alike = rng.random(len(user)) < p.homophily
    by_taste = np.argsort(taste, kind="stable")
    start = np.searchsorted(taste[by_taste], np.arange(p.n_tastes + 1))
    first, size = start[taste[user]], np.diff(start)[taste[user]]
    place = rng.random(len(user))
    same = by_taste[first + (place * size).astype(np.int64)]            # one of the same taste
    friend = np.where(alike, same, (place * p.n_users).astype(np.int64))
    ties = pd.DataFrame({"user": user, "friend": friend})
    return ties[ties["user"] != ties["friend"]].drop_duplicates(ignore_index=True)
