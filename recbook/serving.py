"""Recommending online: somebody asks, and a process that is warm answers in milliseconds.

Two stages: a vector search finds a few hundred candidates among all items, a slower and better model puts these in
order (Covington, Adams and Sargin, *Deep Neural Networks for YouTube Recommendations*, RecSys 2016). The search is
that of Douze et al., *The Faiss Library*, 2024.
"""

import numpy as np
import torch

from recbook.data import splits
from recbook.data.splits import Context
from recbook.errors import DataError, ModelError, shown
from recbook.evaluation import device_of
from recbook.models.base import Recommender
from recbook.settings import check, is_whole


class ShopFront:
    """What stands behind "recommended for you": `recommend(user, recent, k)`.

    Who has no history, here or in this visit, gets what is popular, as does somebody new where the retriever has a vector
    of each user; a ranker that has one leaves their list as it was found. An item that nobody has met is found if the
    retriever has an answer for it; a model of ids has none, one of content has. Nothing that is out of stock is
    shown, and nothing that the user has met, unless the data's items return. Models are told users and items alone: one
    that reads behaviours or pauses cannot answer here.

    Parameters
    ----------
    dataset : Dataset
        Whose users, histories and items these are.
    retriever : Recommender
        Its scores are products, `question(context)` times `answers()`: IALS, PureSVD, BPRMF, Item2Vec, GRU4Rec, SASRec,
        ContentGRU, also that of `recbook.keras`.
    ranker : Recommender or None
        Orders the candidates; a hybrid, too (`Weighted` of products and `Switching` score the candidates alone). None: they
        stay as they were found.
    candidates : int
        How many the search finds.

    Attributes
    ----------
    in_stock : array (n_items,) of bool
        Set an item to False, and it is not shown.

    Raises
    ------
    ModelError
        faiss is not installed, or the retriever's scores are no products.
    DataError
        `recent` holds what is no item.

    Example
    -------
    >>> model = rb.GRU4Rec(*sizes, dim=8, hidden=16)
    >>> history = rb.fit(model, split, epochs=1, progress=False)
    >>> front = rb.ShopFront(shop, retriever=model)
    >>> front.recommend(user=7, recent=[3, 5], k=4).shape
    (4,)
    """

    def __init__(self, dataset, retriever, ranker=None, candidates=200):
        try:
            import faiss
        except ImportError:
            raise ModelError("ShopFront needs faiss: pip install 'recbook[serving]'.") from None
        check("candidates", candidates)
        self.dataset, self.retriever, self.ranker, self.candidates = dataset, retriever, ranker, candidates
        for model in (retriever, ranker):
            if isinstance(model, torch.nn.Module):
                model.eval()
        self.log = dataset.log
        for model in (retriever, ranker):
            if getattr(model, "n_items", dataset.n_items) != dataset.n_items:
                raise ModelError(f"{type(model).__name__} ranks {model.n_items:,} items, and {dataset.name} has "
                                 f"{dataset.n_items:,}: train it on these.")
            if isinstance(model, Recommender):
                model.refuse_strangers(splits.history(self.log, [0], [0]))
        count = np.bincount(dataset.interactions["item"], minlength=dataset.n_items)
        self.popular = np.argsort(-count, kind="stable")
        self.in_stock = np.ones(dataset.n_items, dtype=bool)
        with torch.no_grad():
            answers = as_floats(retriever.answers())
        self.index = faiss.IndexFlatIP(answers.shape[1])                # exact; millions of items want IVF or HNSW
        self.index.add(np.ascontiguousarray(answers))

    def recommend(self, user=None, recent=(), k=10):
        """The numbers of the best k items, the best first: array (k,); fewer, if there are no more in stock.

        Parameters
        ----------
        user : id or None
            As the data's source writes it; one that is not known, or None, is somebody new.
        recent : sequence of int
            Numbers of the items that were met in this visit, oldest first.
        k : int
        """
        check("k", k)
        recent = [] if recent is None else recent
        wrong = [recent] if isinstance(recent, str) or not hasattr(recent, "__iter__") else [
            item for item in recent if not (is_item(item) and 0 <= item < self.dataset.n_items)]
        if wrong:
            raise DataError(f"recent holds item {shown(wrong[0])}; items are 0 to {self.dataset.n_items - 1}, the numbers "
                            "of the rows of dataset.items.")
        row = None if user is None else self.dataset.find_user(user)
        before = () if row is None else self.log.items[self.log.starts[row]:self.log.starts[row + 1]]
        history = np.concatenate([before, recent]).astype(np.int64)
        allowed = self.in_stock.copy()
        if not self.dataset.items_return:
            allowed[history] = False
        k = min(k, int(allowed.sum()))
        if not len(history) or row is None and getattr(self.retriever, "knows_users", False):
            return self.popular[allowed[self.popular]][:k]
        reads = max(model.reads or len(history) for model in (self.retriever, self.ranker) if model is not None)
        context = Context(users=None if row is None else torch.tensor([row]),
                          items=torch.tensor(history[None, -reads:]))
        return self.order(context, self.search(context, allowed, k))[:k]

    @torch.no_grad()
    def search(self, context, allowed, k):
        """Items near the question that may be shown: at least k; twice as many are looked at until there are."""
        question = as_floats(self.retriever.question(context.to(device_of(self.retriever))))
        asked = min(max(self.candidates, k), self.dataset.n_items)
        while True:
            found = self.index.search(question, asked)[1][0]
            found = found[allowed[found]]
            if len(found) >= k or asked == self.dataset.n_items:
                return found
            asked = min(2 * asked, self.dataset.n_items)

    @torch.no_grad()
    def order(self, context, found):
        """The candidates by the ranker's scores, the best first."""
        if self.ranker is None or context.users is None and getattr(self.ranker, "knows_users", False):
            return found
        context = context.to(device_of(self.ranker))
        items = torch.as_tensor(found, device=context.items.device)
        scores = torch.as_tensor(self.ranker.scores(context, items))[0].cpu().numpy()
        return found[np.argsort(-scores, kind="stable")]


def as_floats(vectors):
    """Vectors of PyTorch or Keras as faiss takes them."""
    return (vectors.cpu().numpy() if isinstance(vectors, torch.Tensor) else vectors).astype(np.float32)


def is_item(value):
    """Whether it can be an item's number: a whole one, of Python, NumPy or PyTorch."""
    return is_whole(value.item() if getattr(value, "ndim", None) == 0 else value)
