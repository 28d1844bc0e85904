"""What a search may choose from: how a space is written, what suits each model, and which settings are whose."""

import inspect
import itertools

import numpy as np

from recbook.errors import ModelError, UnknownName
from recbook.settings import check, is_number, is_whole

DEFAULTS = {"epochs": 50, "batch_size": 2048, "learning_rate": 0.01, "patience": 5}     # of training
TRAINING = tuple(DEFAULTS)                                              # settings of `fit`; the others are the model's
HOW = ("[8, 16, 32] for these values, (8, 128) for a range of numbers, (8, 128, 'log') for one whose ratios count; "
       "what is not to vary goes into `fixed`")

RATE = (0.0005, 0.05, "log")
DIM = (8, 128, "log")
PENALTY = (0.0001, 1.0, "log")
READS = [1, 2, 5, 10, 20, 50, None]
SEQUENCE = {"dim": (16, 128, "log"), "length": [10, 20, 50, 100], "dropout": (0.0, 0.5), "learning_rate": RATE}
SHRINK = (0.1, 1000.0, "log")

# A sensible space for each model of MODELS: {setting: what it may be}. Sizes are cut to those of the data.
SPACES = {
    "popularity": {},
    "personal-popularity": {"reads": READS},
    "bias": {"l2_user": (0.1, 100.0, "log"), "l2_item": (0.1, 100.0, "log")},
    "funk-svd": {"dim": DIM, "l2": PENALTY, "learning_rate": RATE},
    "svd++": {"dim": DIM, "l2": PENALTY, "learning_rate": RATE},
    "bpr-mf": {"dim": DIM, "l2": PENALTY, "learning_rate": RATE},
    "logistic-mf": {"dim": DIM, "l2": PENALTY, "learning_rate": RATE},
    "gmf": {"dim": DIM, "learning_rate": RATE},
    "mlp": {"layers": [(16, 8), (32, 16, 8), (64, 32, 16), (128, 64, 32)], "learning_rate": RATE},
    "neumf": {"dim": DIM, "layers": [(16, 8), (32, 16, 8), (64, 32, 16), (128, 64, 32)], "learning_rate": RATE},
    "gru4rec": SEQUENCE | {"hidden": (32, 256, "log"), "cell": ["gru", "lstm"]},
    "max-pooled-rnn": SEQUENCE | {"hidden": (32, 256, "log")},
    "caser": {"dim": (16, 128, "log"), "length": [3, 5, 10], "targets": [1, 2, 3], "horizontal": [4, 8, 16, 32],
              "vertical": [1, 2, 4, 8], "dropout": (0.0, 0.5), "learning_rate": RATE},
    "attentive-gru": SEQUENCE,
    "narm": SEQUENCE | {"hidden": (32, 256, "log"), "output_dropout": (0.0, 0.5)},
    "sasrec": SEQUENCE | {"blocks": [1, 2, 3]},
    "autorec": {"by": ["item", "user"], "dim": (50, 500, "log"), "l2": (1.0, 1000.0, "log"),
                "learning_rate": (0.0001, 0.01, "log")},
    "mult-dae": {"dim": (32, 512, "log"), "dropout": (0.1, 0.8), "learning_rate": (0.0002, 0.02, "log"),
                 "batch_size": [128, 256, 512]},
    "mult-vae": {"dim": (16, 256, "log"), "hidden": (64, 600, "log"), "beta": (0.05, 1.0, "log"), "dropout": (0.1, 0.8),
                 "learning_rate": (0.0002, 0.02, "log"), "batch_size": [128, 256, 512]},
    "irgan": {"dim": DIM, "l2": PENALTY, "learning_rate": RATE},
    "cfgan": {"by": ["item", "user"], "hidden": (32, 256, "log"), "zero_weight": (0.003, 0.3, "log"),
              "learning_rate": (0.0005, 0.02, "log"), "batch_size": [64, 128, 256]},
    "amf": {"dim": DIM, "l2": PENALTY, "epsilon": (0.1, 2.0, "log"), "adversarial_weight": (0.1, 3.0, "log"),
            "learning_rate": RATE},
    "writer": SEQUENCE | {"hidden": (32, 256, "log")},
    "ials": {"dim": DIM, "unmet_weight": (0.001, 1.0, "log"), "l2": (0.0001, 1.0, "log"), "exponent": (0.0, 1.0)},
    "pure-svd": {"dim": (2, 256, "log"), "reads": READS},
    "ease": {"l2": (1.0, 10_000.0, "log"), "reads": READS},
    "item2vec": {"dim": DIM, "learning_rate": RATE},
    "item-knn": {"k": (5, 500, "log"), "shrink": SHRINK, "similarity": ["cosine", "jaccard"], "reads": READS},
    "user-knn": {"k": (5, 500, "log"), "shrink": SHRINK, "similarity": ["cosine", "jaccard"], "reads": READS},
    "rp3beta": {"k": (5, 500, "log"), "alpha": (0.2, 2.0), "beta": (0.0, 1.0), "reads": READS},
    "knn-baseline": {"k": (5, 200, "log"), "by": ["item", "user"], "shrink": SHRINK},
    "friends": {"prior": (0.0001, 1.0, "log")},
    "content-profile": {"n_features": [100, 300, 1000, 3000], "reads": READS},
    "content-gru": SEQUENCE | {"hidden": (32, 256, "log")},
}
AT_MOST = {"k": "n_items"}                                              # more neighbours than items are none


def space_of(name, split):
    """The space of a model of `MODELS`, by its name, with sizes that the data allow."""
    if name not in SPACES:
        raise ModelError(f"No space is known for {name}: say which settings to try, as in "
                         "space={'dim': (8, 128, 'log')}.")
    space = dict(SPACES[name])
    smaller = min(split.n_users, split.n_items) - 1                     # a rank of a matrix is below both sides
    for setting, most in (("k", split.n_items), *([("dim", smaller)] if name == "pure-svd" else [])):
        if setting in space and space[setting][1] > most:
            low, _, *log = space[setting]
            space[setting] = (low, most, *log) if low < most else [max(1, most)]
    return space


def sizes_of(model, split):
    """What the constructor takes of the data: {"n_users": ..., "n_items": ...}."""
    taken = inspect.signature(model).parameters
    return {name: getattr(split, name) for name in ("n_users", "n_items") if name in taken}


def parts(model, settings):
    """Settings as (the model's own, those of `fit`)."""
    own = {name: value for name, value in settings.items() if name in own_defaults(model)}
    return own, {name: value for name, value in settings.items() if name not in own}


def own_defaults(model):
    """The settings of a model's constructor and their defaults: {name: value}."""
    return {name: parameter.default for name, parameter in inspect.signature(model).parameters.items()
            if name not in ("n_users", "n_items")}


def refuse_unknown(model, names):
    """Refuse settings that neither the model nor its training has."""
    known = [*own_defaults(model), *(() if hasattr(model, "fit") else TRAINING)]
    for name in names:
        if hasattr(model, "fit") and name in TRAINING and name not in known:
            raise ModelError(f"{model.__name__} has a closed form: there is no {name} to choose.")
        if name not in known:
            raise UnknownName(f"setting of {model.__name__}", name, known)


def read(model, space, fixed):
    """A space as it was written, checked: {name: a list of values, (low, high), or (low, high, "log")}."""
    refuse_unknown(model, [*space, *fixed])
    both = sorted(set(space) & set(fixed))
    if both:
        raise ModelError(f"{both[0]} is to vary and is fixed: leave it out of one of the two.")
    for name, value in fixed.items():
        check(name, value)
    if not space:
        raise ModelError(f"There is nothing to choose: {model.__name__} is given no setting to vary.")
    return {name: read_one(name, wanted, own_defaults(model).get(name)) for name, wanted in space.items()}


def read_one(name, wanted, default):
    """One entry of a space, checked."""
    if isinstance(wanted, list) and wanted:
        for value in wanted:
            check(name, value)
        labels = [label(value) for value in wanted]
        if len(set(map(repr, labels))) < len(labels):
            raise ModelError(f"{name}={wanted}: a value stands there twice.")
        return list(wanted)
    ratios = isinstance(wanted, tuple) and len(wanted) == 3 and wanted[2] == "log"
    if not (isinstance(wanted, tuple) and (ratios or len(wanted) == 2) and all(map(is_number, wanted[:2]))):
        raise ModelError(f"{name}={wanted!r} is no space: say {HOW}.")
    low, high = wanted[:2]
    if isinstance(default, float) or not (is_whole(low) and is_whole(high)) or name == "learning_rate":
        low, high = float(low), float(high)
    for value in (low, high):
        check(name, value)
    if low >= high:
        raise ModelError(f"{name}={wanted!r}: the first number of a range is below the second.")
    if ratios and low <= 0:
        raise ModelError(f"{name}={wanted!r}: a range whose ratios count begins above 0.")
    return low, high, *wanted[2:]


def label(value):
    """A value as a study can keep it: text, where it is no number, name or None."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def suggest(trial, space):
    """What a trial of Optuna gives for each setting of a space that was read."""
    return {name: suggest_one(trial, name, wanted) for name, wanted in space.items()}


def suggest_one(trial, name, wanted):
    """What it gives for one of them."""
    if isinstance(wanted, list):
        labels = [label(value) for value in wanted]
        return wanted[labels.index(trial.suggest_categorical(name, labels))]
    low, high, *log = wanted
    return (trial.suggest_int if is_whole(low) else trial.suggest_float)(name, low, high, log=bool(log))


def grid(space, trials):
    """All combinations of a space, as dicts of what Optuna is given: at most `trials`.

    Lists are taken whole; each range is cut into the same number of values, ends included, as many as the trials allow.
    """
    ranges = sum(isinstance(wanted, tuple) for wanted in space.values())
    lists = int(np.prod([len(wanted) for wanted in space.values() if isinstance(wanted, list)] or [1]))
    cuts = 2
    while ranges and lists * (cuts + 1) ** ranges <= trials:
        cuts += 1
    axes = {name: [label(value) for value in wanted] if isinstance(wanted, list) else cut(cuts, *wanted)
            for name, wanted in space.items()}
    points = [dict(zip(axes, point)) for point in itertools.product(*axes.values())]
    if len(points) > trials:
        raise ModelError(f"The smallest grid over {', '.join(space)} has {len(points)} points, and {trials} are to be "
                         "tried: give more trials or fewer values, or let sampler be 'random'.")
    return points


def cut(count, low, high, log=None):
    """Values from low to high, at equal ratios or distances; whole ones where the ends are."""
    values = np.geomspace(low, high, count) if log else np.linspace(low, high, count)
    if is_whole(low):
        return sorted({int(value) for value in values.round()})
    return [low, *map(float, values[1:-1]), high]
