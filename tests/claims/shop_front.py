from tests.claims import in_place_of

ONE_START = """
import recbook.training
seeded = recbook.training.seed_everything
recbook.training.seed_everything = lambda number: seeded(0)
"""

TAKEN_OUT = [("every training starts alike", "old < 0.75 * new", ONE_START)]
RIVALS = [("vectors of ids in the place of words", "0 < shown['words']",
           in_place_of("ContentGRU", "recbook.Item2Vec(users, items, dim=32)"))]
