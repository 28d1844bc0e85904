from tests.claims import world

TAKEN_OUT = [
    ("no unions", "says['two says, added'] < common", world(complements=0.0)),
    ("no taste", "gain[0] < 0.4 * gain[-1]", world(taste=0.0)),
    ("no cold items", "'matrix factorization', 'answer is new'", world(cold_items=0.0)),
]
