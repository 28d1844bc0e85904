"""What friends met: a recommendation for somebody of whom nothing is known but whom they know.

Groh and Ehmig, *Recommendations in Taste Related Domains: Collaborative Filtering vs. Social Filtering*, GROUP 2007:
friends take the place of the neighbours that are computed from what both users met.

Differs from the paper: clicks in place of ratings; closer friends count for more; popularity breaks ties.
"""

import numpy as np
import scipy.sparse as sp
import torch

from recbook.errors import ModelError
from recbook.models.base import Recommender, select
from recbook.models.sparse import Lists


class Friends(Recommender):
    """score(u, i) = share of u's friends who met i, weighted, + prior * popularity of i (its count over the largest).

    A tie from u to v weighs 1 + the number of u's other friends who name v too. Neither side needs a history but the
    friends: u may be new. Who has no friends is ranked by popularity.

    Parameters
    ----------
    n_users, n_items : int
    prior : float
        Small: of what equally many friends met, the more popular comes first.

    Raises
    ------
    ModelError
        A setting that cannot be, a data set without friends, or a question about nobody in particular.

    Example
    -------
    >>> log = rb.from_frame({"user": ["ann", "bob"], "item": ["tea", "pot"]},
    ...                     friends={"who": ["ann"], "whom": ["bob"]})
    >>> model = rb.Friends(2, 2).fit(rb.everything(log))
    >>> log.title(model.top(log.history("ann"), k=1)[0][0, 0])
    'pot'
    """

    sized_by_fit = ("named_by.columns", "tie", "users_of.columns")
    knows_users = True                          # by their friends

    def __init__(self, n_users, n_items, prior=0.01):
        super().__init__()
        self.n_users, self.n_items, self.prior = n_users, n_items, prior
        self.named_by, self.users_of = Lists(n_users), Lists(n_items)
        self.register_buffer("tie", torch.zeros(0))                     # (E,)  beside named_by.columns
        self.register_buffer("popularity", torch.zeros(n_items))

    def fit(self, split):
        friends = split.dataset.friends
        if friends is None or not len(friends):
            raise ModelError(f"{split.dataset.name} has no friends to learn from: Friends needs a data set with "
                             "friends, such as shop, ciao or hetrec2011-lastfm-2k.")
        names = sp.csr_array((np.ones(len(friends)), (friends["user"], friends["friend"])),
                             shape=(self.n_users, self.n_users))
        names.data[:] = 1
        ties = names + (names @ names).multiply(names)
        named_by = ties.multiply(1 / np.maximum(ties.sum(1), 1)[:, None]).T.tocsr()     # each user's ties sum to 1
        met = split.matrix()
        self.named_by.fill(named_by)
        self.tie = torch.from_numpy(named_by.data).to(self.popularity)
        self.users_of.fill(met.T)
        count = torch.from_numpy(np.asarray(met.sum(0)).ravel())
        self.popularity.copy_(count / count.max())
        return self

    def scores(self, context, items=None):
        if context.users is None:
            raise ModelError("Friends knows users by their id and cannot read a history.")
        asked = torch.zeros(self.n_users, len(context), dtype=self.tie.dtype, device=self.tie.device)
        asked.scatter_(0, context.users[None], 1)                       # (n_users, B)  who asks
        circle = self.named_by.sums(asked, self.tie)                    # (n_users, B)  how close each user is to them
        scores = self.users_of.sums(circle).T + self.prior * self.popularity
        return select(scores, items)
