from tests.claims import in_place_of, short, world

NO_MORE_THAN_POPULARITY = """
import recbook.training
train = recbook.training.fit
def fit(model, split, **options):
    history = train(model, split, **options)
    if isinstance(model, recbook.models.BPRMF):
        model.scores = recbook.models.Popularity(split.n_users, split.n_items).fit(split).scores
    return history
recbook.training.fit = fit
"""

TAKEN_OUT = [
    ("no taste to learn", ("hidden.reports['BPR']['NDCG@10'] > 1.7", "share['vectors of BPR'] > 0.5"),
     world(taste=0.0, intent=0.0), short(BPRMF=4)),
]
RIVALS = [
    ("counting in PureSVD's place", "lead['the last ten']['low'] > max(0.01",
     in_place_of("PureSVD", "recbook.PersonalPopularity(users, items, reads=50)"), short(BPRMF=4)),
    ("popularity in BPR's place", "hidden.reports['BPR']['NDCG@10'] > 1.7", NO_MORE_THAN_POPULARITY, short(BPRMF=4)),
]
