from tests.claims import in_place_of, world

TAKEN_OUT = [
    ("no taste to learn", "hidden.reports['BPR']['NDCG@10'] > 1.7", world(taste=0.0)),
]
RIVALS = [
    ("counting in PureSVD's place", "lead['the last ten']['low'] > max(0.01",
     in_place_of("PureSVD", "recbook.PersonalPopularity(users, items, reads=50)")),
]
