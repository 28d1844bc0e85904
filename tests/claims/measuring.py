from tests.claims import world

ALL_ITEMS = """
import recbook.evaluation
from dataclasses import replace
recbook.evaluation.sample_candidates = lambda cases, negatives=99, seed=0: replace(cases, candidates=None)
"""

BOUGHT_AGAIN = """
import recbook.data.shop.events
recbook.data.shop.events.Owned.has = lambda self, users, items: self.items[users, 0] != self.items[users, 0]
"""

TAKEN_OUT = [
    ("no sessions", "leaky['nearest in time'] > 1.1", world(intent=0.0, complements=0.0)),
    ("all items ranked", "among[weak] > among[strong]", ALL_ITEMS),
    ("bought again", "bought < 2 * bought_error", BOUGHT_AGAIN),
]
