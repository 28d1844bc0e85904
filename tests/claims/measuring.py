from tests.claims import in_place_of, world

NOTHING_LEFT_OUT = """
import torch, recbook.models.base, recbook.models.closed_form, recbook.models.neighbours
recbook.models.base.interaction_matrix = lambda items, n_items, dtype=None: torch.zeros(len(items), n_items)
"""

BOUGHT_AGAIN = """
import recbook.data.shop.events
recbook.data.shop.events.Owned.has = lambda self, users, items: self.items[users, 0] != self.items[users, 0]
"""

TAKEN_OUT = [
    ("no sessions", "ahead['low'] > 0.01", world(intent=0.0, complements=0.0)),
    ("met items stay", "lead['all never met']['all']['high'] < 0", NOTHING_LEFT_OUT),
    ("bought again", "filtered[0] > 2 * filtered[1]", BOUGHT_AGAIN),
]

RIVALS = [
    ("personal popularity factorizes", "new.better('PureSVD, reads all'",
     in_place_of("PureSVD", "recbook.PersonalPopularity(users, items)")),
    ("popularity factorizes", "fair[1] < fair[0] < unfair[0]",
     in_place_of("PureSVD", "recbook.Popularity(users, items)")),
]
