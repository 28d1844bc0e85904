"""Privacy: what a recommender gives away, and what can be done about it.

`attacks` measures what can be read off; `differential` trains with noise so that no customer can be told from the
result; `federated` trains without collecting events. Counting what noise costs needs Opacus, `pip install
"recbook[privacy]"`; it is imported where it is used.
"""

from recbook.privacy.attacks import (AUC, attribute_auc, auc, by_taste, keys, named, read_off, returned, row_loss,
                                     threshold)
from recbook.privacy.differential import (PrivateEASE, PrivatePopularity, Spent, clipped_sum, epsilon_of, fit_privately,
                                          noise_for)
from recbook.privacy.federated import FederatedMF, Travelled, federate, masked, read_message, sum_of_masked

__all__ = ["AUC", "FederatedMF", "PrivateEASE", "PrivatePopularity", "Spent", "Travelled", "attribute_auc",
           "auc", "by_taste", "clipped_sum", "epsilon_of", "federate", "fit_privately", "keys", "masked",
           "named", "noise_for", "read_message", "read_off", "returned", "row_loss", "sum_of_masked",
           "threshold"]
