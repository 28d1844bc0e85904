FASHIONLESS = """
import recbook.data
load = recbook.data.load
recbook.data.load = lambda name="shop", **options: load(name, **(options | {"fashion": 0.0}))
"""
INDEPENDENT = """
import recbook.data
load = recbook.data.load
recbook.data.load = lambda name="shop", **options: load(name, **(options | {"intent": 0.0, "complements": 0.0, "taste": 0.0}))
"""

TAKEN_OUT = [
    ("popularity does not wander", "better('EASE, anew', than='EASE, old')", FASHIONLESS),
    ("the events of a visit have nothing in common", "shares['test, all events'] > 0.1", INDEPENDENT),
]
