from tests.claims import in_place_of, world

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

TAKEN_OUT = [
    ("no unions", "says['votes, added'] < common", world(complements=0.0)),
    ("no taste", "one.difference('factorization', than='popularity')['low'] > 0.015", world(taste=0.0)),
    ("nobody chooses by what things are", ("hits['content, by words'].min() > 0.08", "(own > others.max()).all()"),
     world(taste=0.0, intent=0.0, complements=0.0)),
]
RIVALS = [
    ("another item's words", "(own > others.max()).all()", DEALT),
    ("own counts factorize, popularity reads the words",
     ("hits.loc['none of the thirty', 'PureSVD'] < 0.005", "hits['content, by words'].min() > 0.08"),
     in_place_of("PureSVD", "recbook.PersonalPopularity(users, items)")
     + in_place_of("ContentProfile", "recbook.Popularity(users, items)")),
]
