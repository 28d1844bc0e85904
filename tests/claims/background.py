from tests.claims import world

DEALT = """
import numpy as np
import recbook
from dataclasses import replace
class Dealt(recbook.ContentProfile):
    def fit(self, split):
        items, order = split.dataset.items.copy(), np.random.default_rng(104).permutation(split.n_items)
        for column in ("category", "brand", "title", "text"):
            items[column] = items[column].to_numpy()[order]
        return super().fit(replace(split, dataset=replace(split.dataset, items=items)))
recbook.ContentProfile = Dealt
"""

TAKEN_OUT = [("no unions", "says['votes, added'] < common", world(complements=0.0))]
RIVALS = [("another item's words", "(own > others.max()).all()", DEALT)]
