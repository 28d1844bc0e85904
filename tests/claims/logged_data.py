PROPENSITIES_SHUFFLED = """
import numpy as np
from recbook.data.shop.showing import Showing
sound_log = Showing.log
def log(self, *arguments, **named):
    frame = sound_log(self, *arguments, **named)
    return frame.assign(propensity=np.random.default_rng(0).permutation(frame["propensity"].to_numpy()))
Showing.log = log
"""

CLIPPED_AT_1 = """
import recbook.off_policy.evaluation
from recbook.off_policy.estimators import clipped
recbook.off_policy.evaluation.inverse_propensity = lambda reward, weight: clipped(reward, weight, 1)
"""

NO_EXPLORING = """
import recbook.policies
sound_start = recbook.policies.EpsilonGreedy.__init__
def start(self, scores, epsilon, places=3, items=None):
    sound_start(self, scores, 0.0, places, items)
recbook.policies.EpsilonGreedy.__init__ = start
"""

ALL_PLACES_ARE_SEEN = """
from recbook.data.shop.showing import Showing
sound_start = Showing.__init__
def start(self, dataset, places=3, click=0.1, attention=0.6, worth=None):
    sound_start(self, dataset, places, click, 1.0, worth)
Showing.__init__ = start
"""

ALL_CUSTOMERS_ALIKE = """
import numpy as np
from recbook.data.shop.showing import Showing
sound_law = Showing.by_taste.func
def law(self):
    found = sound_law(self)
    return np.broadcast_to(found.mean((0, 1)), found.shape).copy()
Showing.by_taste.func = law
"""

EVEN_ORDER = """
import recbook.policies
from recbook.policies import Uniform
def softmax(scores, temperature=1.0, places=3, items=None):
    return Uniform(60, places, items)
recbook.policies.Softmax = softmax
"""

NOTHING_WEIGHTED = """
from recbook.off_policy import WeightedFactorization
sound_fit = WeightedFactorization.fit
WeightedFactorization.fit = lambda self, users, items, ratings, size, propensity=None: sound_fit(self, users, items, ratings, size)
"""

TAKEN_OUT = [
    ("every place is examined", ["places['by sales']['clicks by place'] < 0.26"], ALL_PLACES_ARE_SEEN),
    ("customers are alike", "errors.loc['DM, item means'].min() > 0.4 * values['new']", ALL_CUSTOMERS_ALIKE),
    ("nothing is shown at random", "(ends['30% random'] > ends['greedy']).all()", NO_EXPLORING),
]

RIVALS = [
    ("propensities shuffled", ["low < values['new'] < high", "abs(weight.mean() - 1) < 0.03"], PROPENSITIES_SHUFFLED),
    ("clipped at 1", ["np.isclose(first['IPS'], found['IPS'])", "low < values['new'] < high"], CLIPPED_AT_1),
    ("an even order in place of that by sales", "places['by sales']['clicks by place'] < 0.26", EVEN_ORDER),
    ("no weights", "part['chosen, weighted'].max() < 0.8", NOTHING_WEIGHTED),
]
