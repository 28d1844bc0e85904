NEVER_EXPLORES = """
from recbook.bandits import EpsilonGreedy
whole = EpsilonGreedy.__init__
def without(self, n_arms, epsilon=0.1, **options):
    whole(self, n_arms, 0.0, **options)
EpsilonGreedy.__init__ = without
"""

FEATURES_OF_ANOTHER = """
from recbook.bandits import Linear
learns = Linear.learn
Linear.learn = lambda self, features, clicks: learns(self, self.rng.permutation(features), clicks)
"""

NO_BOUND = """
from recbook.bandits import LinUCB
bound = LinUCB.index
def index(self, features):
    self.alpha = 0.0
    return bound(self, features)
LinUCB.index = index
"""

TAKEN_OUT = [
    ("exploration off", "wrong['ε-greedy, .1'] < 0.3", NEVER_EXPLORES),
    ("features of another visit", "last['LinUCB'].mean() < 0.7", FEATURES_OF_ANOTHER),
]

RIVALS = [("expectation in the place of the bound", "gap['LinUCB, α = 0'] - half['LinUCB, α = 0'] > 0", NO_BOUND)]
