from tests.claims import world

TAKEN_OUT = [
    ("nothing to recover", "curve['item2vec'][-1] > 0.5", world(taste=0.0, intent=0.0, complements=0.0)),
    ("no drift", "found.iloc[2] > found.iloc[1] + 0.05", world(drift=0.0)),
]
