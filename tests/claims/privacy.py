"""What the page says of privacy fails when a remedy is left out, and its controls when what was there all along is taken away."""

NOTHING_SUBTRACTED = """
from recbook.privacy import forgetting
forgetting.without = lambda inverse, rows: inverse
forgetting.DRIFT = float("inf")
"""

COUNTS_STAY = """
from recbook.privacy.forgetting import Counts
sound = Counts.forget
def forget(self, users):
    together, count = self.together.copy(), self.count.copy()
    sound(self, users)
    self.together, self.count = together, count
    return self
Counts.forget = forget
"""

NO_PROBES = """
from recbook.privacy import encrypted
encrypted.TOLERANCE = float("inf")
"""

ANY_PARAMETERS = """
import tenseal
from recbook.privacy import encrypted
encrypted.without_key = lambda parameters: tenseal.context_from(parameters, n_threads=1)
"""

OPENS_ANY_PAGES = """
import numpy as np
sound = np.argsort
def shuffled(values, **named):
    order = sound(values, **named)
    return np.random.default_rng(0).permuted(order, axis=-1) if np.ndim(values) == 2 else order
np.argsort = shuffled
"""

NO_ERROR = """
import numpy as np
sound = np.random.default_rng
class Exact:
    def __init__(self, seed=None):
        self.generator = sound(seed)
    def normal(self, mean, sd, size):
        return np.zeros(size)
    def __getattr__(self, name):
        return getattr(self.generator, name)
np.random.default_rng = Exact
"""

NOT_CUT = """
from recbook.privacy import differential
import recbook.privacy
sound = differential.clipped_sum
recbook.privacy.clipped_sum = differential.clipped_sum = lambda model, rows, clip, kept=None: sound(model, rows, float("inf"), kept)
"""

NO_NOISE = """
from recbook.privacy import differential
sound = differential.noisy_counts
differential.noisy_counts = lambda matrix, noise, generator: sound(matrix, 0.0, generator)
"""

NO_MASKS = """
import numpy as np
import recbook.privacy
from recbook.privacy import federated
recbook.privacy.masked = federated.masked = lambda messages, seed=0: np.round(np.asarray(messages, dtype=float) * 2**16).astype(np.int64) % 2**32
"""

MIXED_DAYS = """
import numpy as np
from recbook import privacy
sound = privacy.named
def mixed(log, known, by=("item", "day")):
    moved = log.assign(timestamp=np.random.default_rng(0).permutation(log["timestamp"].to_numpy()))
    return sound(log, known, by, released=moved)
privacy.named = mixed
"""

ANYBODYS_ROW = """
import numpy as np
from recbook import privacy
sound = privacy.row_loss
privacy.row_loss = lambda model, rows: sound(model, rows[np.random.default_rng(0).permutation(rows.shape[0])])
"""

DID_NOTHING = """
import dataclasses
import recbook as rb
sound = rb.by_time
def by_time(dataset):
    split = sound(dataset)
    return dataclasses.replace(split, train=split.train[~split.train["user"].isin(range(0, 200, 10))])
rb.by_time = by_time
"""

ROTATIONS_ARE_FREE = """
from recbook import results
sound = results.load
def load(name):
    table = sound(name)
    if name == "privacy_encrypted":
        for size in ("10,000", "100,000"):
            table["rows"][f"{size} items, rotations"] = table["rows"][f"{size} items, no rotations, the parameters of rotations"]
    return table
results.load = load
"""

TAKEN_OUT = [
    ("an inverse from which nothing is subtracted", "left['EASE']['forgotten'] < 1e-06", NOTHING_SUBTRACTED),
    ("counts from which nothing is subtracted", "left['item neighbours']['forgotten'] == left['popularity']['forgotten'] == 0", COUNTS_STAY),
    ("who took both, not forgotten", "'cup' not in after", COUNTS_STAY),
    ("answers that nobody looks at", "'known rows wrong' in said['another key']", NO_PROBES),
    ("a server that takes the key", "'secret key' in said['a question that holds the key']", ANY_PARAMETERS),
    ("a customer who opens any pages", "seen['her ten pages'] > 0.6", OPENS_ANY_PAGES),
    ("codes without an error", "0 < off.max() < 0.01", NO_ERROR),
    ("gradients that are not cut", "moved <= 0.3 + 1e-05 < unclipped", NOT_CUT),
    ("counts without noise", "best.interval()[0] < norm.cdf(1 / 8 ** 0.5) < best.interval()[1]", NO_NOISE),
    ("messages without masks", "(sent == privacy.masked(changes[:10])).all()", NO_MASKS),
    ("days that fit the customers", "abs(privacy.named(log, 2)[1].mean() - two[0]) < 0.02", MIXED_DAYS),
    ("whose row it is", "privacy.auc(usual - loss, member).interval()[0] > 0.75", ANYBODYS_ROW),
]


RIVALS = [
    ("customers who did nothing", ["left['EASE']['only the log'] > 0.001", "left['item neighbours']['only the log'] > 0.001"], DID_NOTHING),
    ("slots that move for nothing", "one > 3 * other", ROTATIONS_ARE_FREE),
]
