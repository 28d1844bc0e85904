from tests.claims import in_place_of

QUICK = """
import recbook.training
train = recbook.training.fit
def fit(model, split, **options):                       # these claims are not about the ranker
    return train(model, split, **(options | ({"epochs": 0} if type(model).__name__ == "Fused" else {})))
recbook.training.fit = fit
"""

ONE_START = """
import recbook.training
seeded = recbook.training.seed_everything
recbook.training.seed_everything = lambda number: seeded(0)
"""

TAKEN_OUT = [("every training starts alike", "old < 0.75 * new", QUICK + ONE_START)]
RIVALS = [("vectors of ids in the place of words", "0 < shown['words']",
           QUICK + in_place_of("ContentGRU", "recbook.Item2Vec(users, items, dim=32)"))]
