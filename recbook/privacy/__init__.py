"""Privacy: what a recommender gives away, and what can be done about it.

`attacks` measures what can be read off; `differential` trains with noise so that no customer can be told from the
result; `federated` trains without collecting events; `encrypted` scores for a vector that the server cannot read;
`forgetting` takes customers out again. Counting what noise costs needs Opacus, and encryption needs TenSEAL, `pip install
"recbook[privacy]"`; each is imported where it is used.
"""

from importlib import import_module

from recbook.privacy.attacks import (AUC, attribute_auc, auc, by_taste, keys, named, read_off, returned, row_loss,
                                     threshold)
from recbook.privacy.differential import (PrivateEASE, PrivatePopularity, Spent, clipped_sum, epsilon_of, fit_privately,
                                          noise_for)
from recbook.privacy.federated import FederatedMF, Travelled, federate, masked, read_message, sum_of_masked
from recbook.privacy.forgetting import Counts

ENCRYPTED = ("Catalogue", "Customer")
__all__ = ["AUC", "Catalogue", "Counts", "Customer", "FederatedMF", "PrivateEASE", "PrivatePopularity", "Spent",
           "Travelled", "attribute_auc", "auc", "by_taste", "clipped_sum", "epsilon_of", "federate", "fit_privately",
           "keys", "masked", "named", "noise_for", "read_message", "read_off", "returned", "row_loss", "sum_of_masked",
           "threshold"]


def __getattr__(name):
    if name not in ENCRYPTED:
        raise AttributeError(f"module 'recbook.privacy' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module("recbook.privacy.encrypted"), name)
    return value


def __dir__():
    return sorted({*globals(), *ENCRYPTED})
