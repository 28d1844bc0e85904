"""What each setting of a model may be, in one place: every constructor is checked before it builds anything."""

import inspect
import math
import re
from functools import wraps
from numbers import Integral, Real

from recbook.errors import ModelError


OF_MEMORY = re.compile("alloc|out of memory|size calculation overflowed")


def whole(at_least):
    """What a whole number is, in words, and a test of it."""
    return f"a whole number of at least {at_least}", lambda value: is_whole(value) and value >= at_least


def is_whole(value):
    """Whether it is a whole number; True is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value):
    """Whether it is a finite number; True is none."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


COUNT, NATURAL = whole(1), whole(0)
READS = "a whole number of at least 1, or None", lambda value: value is None or is_whole(value) and value >= 1
NUMBER = "a number of at least 0", lambda value: is_number(value) and value >= 0
POSITIVE = "a number above 0", lambda value: is_number(value) and value > 0
WINDOW = "a number above 0, or None", lambda value: value is None or is_number(value) and value > 0
SHARE = "a share of at least 0 and below 1", lambda value: is_number(value) and 0 <= value < 1
PART = "a share of 0 to 1", lambda value: is_number(value) and 0 <= value <= 1
SEED = "a whole number from 0 to 4294967295", lambda value: is_whole(value) and 0 <= value < 2**32
FLAG = "True or False", lambda value: isinstance(value, bool)
WIDTHS = ("the width of at least one layer, each 1 or more, as in (64, 32)",
          lambda value: isinstance(value, list | tuple) and len(value) and all(is_whole(x) and x > 0 for x in value))
NAMES = ("a tuple of names, as in ('category', 'brand')",
         lambda value: isinstance(value, list | tuple) and all(isinstance(name, str) for name in value))
DRAWS = whole(2)
ACTIVATION = "'sigmoid' or 'identity'", lambda value: value in ("sigmoid", "identity")
SCALE = ("the lowest and the highest rating, as in (1, 5)",
         lambda value: isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value))
         and value[0] < value[1])

KINDS = {
    COUNT: "n_users n_items dim hidden length k blocks heads sweeps horizontal vertical targets n_features n_values "
           "beam n_words words candidates batch_size validate_every annealing kept enough places trials "
           "runs n_arms",
    NATURAL: "negatives epochs",
    PART: "weight share zero_share mask_share",
    SEED: "seed",
    READS: "reads stride patience",
    NUMBER: "learning_rate half l2 l2_item l2_user shrink unmet_weight exponent prior alpha beta width epsilon "
            "adversarial_weight zero_weight",
    POSITIVE: "temperature",
    WINDOW: "days",
    SHARE: "dropout output_dropout id_dropout",
    FLAG: "prune behaviours pauses picture ids mixed as_coded",
    WIDTHS: "layers",
    NAMES: "categories columns profile",
    DRAWS: "draws",
    ACTIVATION: "activation output",
    SCALE: "scale",
}
SETTINGS = {name: kind for kind, names in KINDS.items() for name in names.split()}


def check(name, value, kind=None):
    """Refuse a setting that cannot be, in one line and by its name. kind: where the name means another thing than in models."""
    what, fits = kind or SETTINGS.get(name, (None, None))
    if fits and is_whole(value) and abs(int(value)) >= 2**63:
        raise ModelError(f"{name}={value}: too large a number for 64 bits.")
    if fits and not fits(value):
        raise ModelError(f"{name}={value!r}: {what}.")


def given(function, arguments, named):
    """What a function is given, {name: value}, each checked."""
    found = inspect.signature(function).bind(*arguments, **named).arguments
    for name, value in found.items():
        check(name, value)
    return found


def checked(function):
    """The function or constructor, whose settings are checked before anything is done."""
    @wraps(function)
    def call(*arguments, **named):
        settings = given(function, arguments, named)
        try:
            return function(*arguments, **named)
        except (MemoryError, RuntimeError) as problem:                  # PyTorch has no error of its own for memory
            if function.__name__ != "__init__" or not (isinstance(problem, MemoryError) or OF_MEMORY.search(str(problem))):
                raise
            sizes = ", ".join(f"{name}={value}" for name, value in settings.items() if is_whole(value))
            raise ModelError(f"{type(arguments[0]).__name__} of {sizes} needs more memory than there is.") from None

    if function.__name__ == "__init__":                                 # or help shows what PyTorch says of its own
        call.__doc__ = call.__doc__ or "Its settings are explained above."
    return call
