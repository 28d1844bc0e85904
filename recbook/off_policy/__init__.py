"""What would another policy have earned? Answers from a log of decisions that an old one made, with their doubts.

`evaluate` reads a log and gives every estimate with its interval; the estimators are a line each, in `estimators.py`.
"""

from recbook.off_policy.estimators import (clipped, direct, doubly_robust, estimate, inverse_propensity,
                                           self_normalised, switch)
from recbook.off_policy.evaluation import Evaluation, evaluate
from recbook.off_policy.examination import examination
from recbook.off_policy.factorization import WeightedFactorization
from recbook.off_policy.rewards import cross_fitted, shrunken_means

__all__ = ["Evaluation", "WeightedFactorization", "clipped", "cross_fitted", "direct", "doubly_robust", "estimate",
           "evaluate", "examination", "inverse_propensity", "self_normalised", "shrunken_means", "switch"]
