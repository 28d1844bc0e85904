"""Content: a user is the mean of what they met, and is shown what looks the same.

Pazzani and Billsus, *Content-Based Recommendation Systems*, The Adaptive Web 2007; words weighted by TF-IDF: Salton and
Buckley, *Term-Weighting Approaches in Automatic Text Retrieval*, 1988.
"""

import numpy as np
import torch
import torch.nn.functional as F

from recbook.data.features import TEXT, parts_of, refuse_measurements
from recbook.data.splits import everything
from recbook.errors import ModelError
from recbook.models.base import Recommender, interaction_matrix, products


class ContentProfile(Recommender):
    """score(history, j) = cosine of the mean vector of the history's items and the vector of j. No other user is asked.

    An item's vector has one part a column, each of length 1: the TF-IDF of its words, or of its categories, which are
    the elements of a tuple, or else parted by "|" or by a comma without a space: "Comedy|Drama".

    Parameters
    ----------
    n_users, n_items : int
    columns : tuple of str
        Of the data set's `items`. Those that it lacks are passed over.
    n_features : int
        Of all columns together, shared equally; the most frequent words and values are kept.
    reads : int or None
        How many of the latest events of a history are looked at; None for all of them.

    Raises
    ------
    ModelError
        A setting that cannot be, items without these columns or without words in them, or no scikit-learn.

    Example
    -------
    >>> model = rb.ContentProfile(*sizes, columns=("category",)).fit(split)
    >>> one = rb.Context(items=torch.tensor([[5]]))
    >>> near = model.top(one, k=2)[0][0].tolist()
    >>> set(shop.items["category"][near]) == {shop.items["category"][5]}
    True
    """

    def __init__(self, n_users, n_items, columns=("category", "brand", "text"), n_features=1000, reads=None):
        super().__init__()
        self.reads = reads
        self.n_users, self.n_items, self.columns, self.n_features = n_users, n_items, tuple(columns), n_features
        self.register_buffer("item", torch.zeros(n_items, n_features))

    def fit(self, split):
        try:
            from sklearn.feature_extraction.text import TfidfVectorizer
        except ImportError:
            raise ModelError("ContentProfile needs scikit-learn: pip install 'recbook[book]'.") from None
        found = split.dataset.items
        columns = [column for column in self.columns if column in found and found[column].notna().any()]
        if not columns:
            raise ModelError(f"{split.dataset.name} has none of the item columns {', '.join(self.columns)}; it has "
                             f"{', '.join(found.columns)}. Name some of them: columns=(...).")
        parts = []
        for column in columns:
            if column not in TEXT:
                refuse_measurements(found[column], column, split.dataset.name)
            vectorizer = TfidfVectorizer(analyzer="word" if column in TEXT else parts_of, dtype=np.float32,
                                         max_features=self.n_features // len(columns))
            values = found[column].map(lambda value: value if isinstance(value, tuple) else str(value), na_action="ignore")
            try:
                words = vectorizer.fit_transform(values.astype(object).where(found[column].notna(), ""))
            except ValueError:                                          # nothing is left of them all
                raise ModelError(f"{split.dataset.name}: the items' {column!r} holds no word of two letters or more; name "
                                 "other columns: columns=(...).") from None
            parts.append(torch.from_numpy(words.toarray()))
        features = torch.cat(parts, dim=1)
        self.item.zero_()
        self.item[:, :features.shape[1]] = F.normalize(features)
        return self

    def place(self, dataset):
        return type(self)(**self.config | {"n_users": dataset.n_users, "n_items": dataset.n_items}).fit(everything(dataset))

    def scores(self, context, items=None):
        history = interaction_matrix(self.history(context), self.n_items, self.item.dtype)     # (B, n_items)
        return products(F.normalize(history @ self.item), self.item, items)
