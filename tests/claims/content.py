from tests.claims import world

DEALT = """
import numpy as np
import recbook
from dataclasses import replace
class Dealt(recbook.ContentGRU):
    def start(self, split):
        items, order = split.dataset.items.copy(), np.random.default_rng(1).permutation(split.n_items)
        for column in ("title", "text"):
            items[column] = items[column].to_numpy()[order]
        super().start(replace(split, dataset=replace(split.dataset, items=items)))
recbook.ContentGRU = Dealt
"""

NEW = "difference('words', than='profile')['low'] > 0.01"
TAKEN_OUT = [("words say nothing", NEW, world(text_signal=0.0))]
RIVALS = [("another item's words", NEW, DEALT)]
