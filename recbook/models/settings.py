"""What each setting of a model may be, in one place: every constructor is checked before it builds anything."""

import inspect
import math
from functools import wraps
from numbers import Integral, Real

from recbook.errors import ModelError


def whole(at_least):
    return f"a whole number of at least {at_least}", lambda value: is_whole(value) and value >= at_least


def is_whole(value):
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


COUNT, NATURAL = whole(1), whole(0)
READS = "a whole number of at least 1, or None", lambda value: value is None or is_whole(value) and value >= 1
NUMBER = "a number of at least 0", lambda value: is_number(value) and value >= 0
SHARE = "a share of at least 0 and below 1", lambda value: is_number(value) and 0 <= value < 1
FLAG = "True or False", lambda value: isinstance(value, bool)
WIDTHS = ("the width of at least one layer, each 1 or more, as in (64, 32)",
          lambda value: isinstance(value, list | tuple) and len(value) and all(is_whole(x) and x > 0 for x in value))
NAMES = ("a tuple of names, as in ('category', 'brand')",
         lambda value: isinstance(value, list | tuple) and all(isinstance(name, str) for name in value))
ACTIVATION = "'sigmoid' or 'identity'", lambda value: value in ("sigmoid", "identity")
SCALE = ("the lowest and the highest rating, as in (1, 5)",
         lambda value: isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value))
         and value[0] < value[1])

KINDS = {
    COUNT: "n_users n_items dim hidden length k blocks heads sweeps horizontal vertical targets n_features n_values "
           "n_words words annealing",
    NATURAL: "negatives seed",
    READS: "reads stride",
    NUMBER: "l2 l2_item l2_user shrink unmet_weight exponent prior alpha beta",
    SHARE: "dropout output_dropout id_dropout",
    FLAG: "behaviours pauses picture ids mixed as_coded",
    WIDTHS: "layers",
    NAMES: "categories columns profile",
    ACTIVATION: "activation output",
    SCALE: "scale",
}
SETTINGS = {name: kind for kind, names in KINDS.items() for name in names.split()}


def checked(constructor):
    """The constructor, which refuses a setting that cannot be, in one line and by its name."""
    signature = inspect.signature(constructor)

    @wraps(constructor)
    def build(self, *arguments, **named):
        bound = signature.bind(self, *arguments, **named)
        for name, value in bound.arguments.items():
            what, fits = SETTINGS.get(name, (None, None))
            if fits and not fits(value):
                raise ModelError(f"{name}={value!r}: {what}.")
        constructor(self, *arguments, **named)

    return build
