"""Hybrids: two recommenders, one list.

Burke, *Hybrid Recommender Systems: Survey and Experiments*, UMUAI 2002, whose names for the kinds are kept: weighted,
switching, cascade. (Feature combination, one network for ids and content, is `ContentGRU(ids=True)`.)

Scores of two models have no common unit: before they are mixed, each case's are brought to mean 0 and deviation 1 over
all items; `Newcomers` brings them to chances.

Asked for a few candidates, as behind a search, `Switching` scores these alone, and so does `Weighted` where a part's
scores are products: question . answer has mean and deviation in closed form. Of other parts, and in the other kinds, a
candidate's score depends on those of all items, and all are made.
"""

import math

import torch

from recbook.errors import ModelError
from recbook.models.base import Recommender, products, select


class Hybrid(Recommender):
    """Two models that are trained already, in either framework. They are kept, not copied; save each by itself."""

    def __init__(self, first, second):
        super().__init__()
        for model in (first, second):
            if not hasattr(model, "scores"):
                raise ModelError(f"A {type(self).__name__} is made of two models, not of a {type(model).__name__}.")
        self.first, self.second, self.kept = first, second, {}
        self.reads = None if None in (first.reads, second.reads) else max(first.reads, second.reads)

    @property
    def config(self):
        raise ModelError(f"A {type(self).__name__} is made of two models: save each of them by itself.")

    def both(self, context, items=None):
        """The scores of both models, standardised over all items: two of (B, N), or (B, C) for candidates."""
        return [self.standard(part, context, items) for part in ("first", "second")]

    def standard(self, part, context, items):
        """The standardised scores of one part: of the candidates alone, if they are products."""
        model = getattr(self, part)
        try:
            question = None if items is None else model.question(context)
        except (AttributeError, ModelError):                            # no products; Keras's others have no question
            question = None
        if not isinstance(question, torch.Tensor):
            return select(standardised(torch.as_tensor(model.scores(context))), items)
        answers, mean, covariance = self.answers_of(part, model)
        spread = ((question @ covariance) * question).sum(1, keepdim=True).clamp(min=0).sqrt()          # (B, 1)
        return (products(question, answers, items) - question @ mean[:, None]) / spread.clamp(min=1e-9)

    @torch.no_grad()
    def answers_of(self, part, model):
        """A part's answers (N, D), their mean (D,) and covariance (D, D), kept for as long as no weight changes."""
        state = [(tensor.data_ptr(), tensor._version) for tensor in model.state_dict().values()]
        if part not in self.kept or self.kept[part][0] != state:
            answers = model.answers()
            centred = answers - answers.mean(0)
            self.kept[part] = state, (answers, answers.mean(0), centred.T @ centred / len(answers))
        return self.kept[part][1]


class Weighted(Hybrid):
    """score = a * first + (1 - a) * second; with `half`, less of the first for users of whom it has seen little.

    Parameters
    ----------
    first, second : Recommender
        Trained already. Say, of behaviour and of content.
    weight : float
        a, between 0 and 1.
    half : float
        The number of events at which half of the weight is left: a_u = a * n_u / (n_u + half). 0: the same a for all.
    met : tensor (n_users,)
        n_u, how many events of each user the first model was trained on. Needed where `half` is not 0.

    Raises
    ------
    ModelError
        A setting that cannot be; `half` without `met`.

    Example
    -------
    >>> ease = rb.EASE(*sizes).fit(split)
    >>> content = rb.ContentProfile(*sizes).fit(split)
    >>> mixed = rb.Weighted(ease, content, weight=0.7)
    >>> mixed.top(shop.history(7), k=3)[0].shape
    torch.Size([1, 3])
    """

    def __init__(self, first, second, weight=0.5, half=0.0, met=None):
        super().__init__(first, second)
        if half and met is None:
            raise ModelError("half needs met: how many events of each user the first model was trained on.")
        self.weight, self.half = weight, half
        self.register_buffer("met", None if met is None else torch.as_tensor(met))

    def share(self, context):
        """The weight of the first model: a number, or (B, 1)."""
        if not self.half:
            return self.weight
        if context.users is None:                                       # somebody new: the first has seen nothing of them
            return 0.0
        known = self.met[context.users][:, None]
        return self.weight * known / (known + self.half)

    def scores(self, context, items=None):
        first, second = self.both(context, items)
        share = self.share(context)
        return share * first + (1 - share) * second


class Switching(Hybrid):
    """The first model for users with at least `enough` events, the second for all others.

    Parameters
    ----------
    first, second : Recommender
        Trained already.
    enough : int

    Raises
    ------
    ModelError
        `enough` is less than 1.

    Example
    -------
    >>> popular = rb.Popularity(*sizes).fit(split)
    >>> model = rb.Switching(rb.EASE(*sizes).fit(split), popular, enough=3)
    >>> newcomer = rb.Context(items=torch.tensor([[5, -1]]))
    >>> torch.equal(model.top(newcomer, k=3)[0], popular.top(newcomer, k=3)[0])
    True
    """

    def __init__(self, first, second, enough=5):
        super().__init__(first, second)
        self.enough = enough
        self.reads = self.reads if self.reads is None else max(self.reads, enough)

    def scores(self, context, items=None):
        first, second = (torch.as_tensor(model.scores(context, items)) for model in (self.first, self.second))
        known = (context.items >= 0).sum(1, keepdim=True)
        return torch.where(known >= self.enough, first, second)


class Newcomers(Hybrid):
    """Switching by item: the first model ranks the items that it has met, the second the newcomers.

    Scores are read as logarithms of chances, up to a constant, as cross-entropy makes them. So the two can stand in
    one list: the newcomers' chances sum to `share`, those of all others to 1 - share.

    Parameters
    ----------
    first, second : Recommender
        Trained already.
    met : tensor (n_items,)
        How often each item was met in training.
    enough : int
        A newcomer was met less often than this.
    share : float
        How many of a hundred events are of newcomers, over 100.

    Raises
    ------
    ModelError
        `share` is not between 0 and 1, or all items are newcomers, or none.

    Example
    -------
    >>> first, second = rb.EASE(*sizes).fit(split), rb.PureSVD(*sizes).fit(split)
    >>> met = torch.bincount(torch.tensor(split.train["item"]), minlength=48)
    >>> model = rb.Newcomers(first, second, met, enough=20, share=0.1)
    >>> chances = model.scores(shop.history(7)).exp()           # (1, n_items)
    >>> round(float(chances[0, met < 20].sum()), 4)
    0.1
    """

    def __init__(self, first, second, met, enough=10, share=0.1):
        super().__init__(first, second)
        if not 0 < share < 1:
            raise ModelError(f"share={share}: the newcomers' part of all events is between 0 and 1.")
        self.enough, self.share = enough, share
        self.register_buffer("new", torch.as_tensor(met) < enough)
        if self.new.all() or not self.new.any():
            raise ModelError(f"enough={enough}: {int(self.new.sum())} of {len(self.new)} items would be newcomers.")

    def scores(self, context, items=None):
        first, second = (torch.as_tensor(model.scores(context)) for model in (self.first, self.second))
        known = first.masked_fill(self.new, -torch.inf).log_softmax(1) + math.log(1 - self.share)
        new = second.masked_fill(~self.new, -torch.inf).log_softmax(1) + math.log(self.share)
        return select(torch.where(self.new, new, known), items)


class Cascade(Hybrid):
    """The first model picks the best `kept` items, the second puts them in order; the others follow as they were.

    Parameters
    ----------
    first, second : Recommender
        Trained already.
    kept : int

    Raises
    ------
    ModelError
        `kept` is less than 1.

    Example
    -------
    >>> first, second = rb.EASE(*sizes).fit(split), rb.IALS(*sizes).fit(split)
    >>> found = first.top(shop.history(7), k=10)[0]
    >>> ordered = rb.Cascade(first, second, kept=10).top(shop.history(7), k=10)[0]
    >>> set(found[0].tolist()) == set(ordered[0].tolist())
    True
    """

    def __init__(self, first, second, kept=50):
        super().__init__(first, second)
        self.kept = kept

    def scores(self, context, items=None):
        first, second = self.both(context)
        best = first.topk(min(self.kept, first.shape[1]), dim=1).indices
        lift = first.amax(1, keepdim=True) - second.amin(1, keepdim=True) + 1       # all that are kept stand above
        return select(first.scatter(1, best, second.gather(1, best) + lift), items)


def standardised(scores):
    """Each row of scores (B, N) with mean 0 and deviation 1; a row without differences becomes 0."""
    centred = scores - scores.mean(1, keepdim=True)
    return centred / centred.std(1, correction=0, keepdim=True).clamp(min=1e-9)
