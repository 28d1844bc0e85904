"""Two floors: what most people took, and what this person took most often."""

import torch

from recbook.errors import ModelError
from recbook.models.base import Recommender, select

DAY = 86_400        # seconds


class Popularity(Recommender):
    """Rank items by how many training interactions they have. Everyone gets the same list.

    Parameters
    ----------
    n_users, n_items : int
    days : float or None
        Only interactions of the last so many days before the last one of the training count; None: all of them.

    Raises
    ------
    ModelError
        A setting that cannot be; `days` where the data have no times.

    Example
    -------
    >>> model = rb.Popularity(3, 4).fit(stars)
    >>> model.scores(films.history("ann"))          # (B, n_items)
    tensor([[3., 3., 2., 1.]])
    """

    def __init__(self, n_users, n_items, days=None):
        super().__init__()
        self.n_users, self.n_items, self.days = n_users, n_items, days
        self.register_buffer("count", torch.zeros(n_items))

    def fit(self, split):
        train = split.train
        if self.days is not None:
            if not split.dataset.clock:
                raise ModelError(f"days={self.days}: {split.dataset.name} has no times; leave days out to count all.")
            train = train[train["timestamp"] > train["timestamp"].max() - DAY * self.days]
        items = torch.tensor(train["item"].to_numpy())
        self.count.copy_(torch.bincount(items, minlength=self.n_items))
        return self

    def scores(self, context, items=None):
        return select(self.count.expand(len(context), -1), items)


class PersonalPopularity(Popularity):
    """Rank items by how often this user met them before; ties, and so all that is new to them, by popularity.

    GP-TopFreq in Li, Jullien, Ariannezhad and de Rijke, *A Next Basket Recommendation Reality Check*, TOIS 2023. Where
    people come back to items it is hard to beat, and it knows nothing of anybody's taste.

    Parameters
    ----------
    n_users, n_items : int
    reads : int or None
        How many of the latest events of a history are counted; None for all of them.

    Raises
    ------
    ModelError
        A setting that cannot be.

    Example
    -------
    >>> log = rb.from_frame({"user": ["ann"] * 3, "item": ["tea", "pot", "tea"]})
    >>> model = rb.PersonalPopularity(1, 2).fit(rb.everything(log))
    >>> log.title(model.top(log.history("ann"), k=1)[0][0, 0])
    'tea'
    """

    def __init__(self, n_users, n_items, reads=None):
        super().__init__(n_users, n_items)
        self.reads = reads

    def scores(self, context, items=None):
        history = self.history(context)                                 # (B, L)
        times = torch.zeros(history.shape[0], self.n_items + 1, dtype=torch.double, device=history.device)
        met = torch.where(history < 0, self.n_items, history)
        times.scatter_add_(1, met, torch.ones_like(met, dtype=times.dtype))
        ties = self.count.double() / (self.count.max() + 1)             # (n_items,)  below 1, less than one event
        return select(times[:, :-1] + ties, items)
