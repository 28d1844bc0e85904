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
NOTHING_LATE = """
from recbook.data.splits import Cases
Cases.known_until = lambda self, moments: self
"""
WIDE = """
from recbook import monitoring
sound_limits = monitoring.limits
def wide(*quiet, **options):
    found = sound_limits(*quiet, **options)
    return monitoring.Limits(found.low - 100, found.high + 100)
monitoring.limits = wide
"""

TAKEN_OUT = [
    ("popularity does not wander", "min((one['low'] for one in lost['with fashion'])) > 0", FASHIONLESS),
    ("the events of a visit have nothing in common", "shares['test, as the days were'] > 0.1", INDEPENDENT),
    ("no event is late", "hour['EASE, last 3'] > 0.01", NOTHING_LATE),
    ("limits that nothing passes", "(table.min(axis=1) == 1).all()", WIDE),
]
