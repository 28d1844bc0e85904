"""recbook: deep-learning recommender systems to read, run and check.

Each name is imported from its module when it is first used, so that `recbook --help` does not wait for PyTorch.
"""

from importlib import import_module

NAMES = {
    "agents": (),
    "bandits": (),
    "checkpoints": ("load_model", "save_model"),
    "data": ("Cases", "Context", "Dataset", "Regulars", "ShopEnv", "Showing", "Split", "by_moment", "by_ratio", "by_time",
             "everything", "from_csv", "from_frame", "from_parquet", "leave_last_out", "load", "random_folds",
             "strong_generalisation", "visits"),
    "decoding": ("write",),
    "exports": ("export",),
    "errors": ("DataError", "ModelError", "RecbookError", "UnknownName"),
    "evaluation": ("beyond_accuracy", "compare", "compare_lists", "evaluate", "sample_candidates"),
    "metrics": (),
    "offline": ("lists",),
    "off_policy": (),
    "monitoring": (),
    "models": ("AMF", "AttentiveGRU", "AutoRec", "BPRMF", "Bias", "CFGAN", "Cascade", "Caser", "ContentGRU", "ContentProfile",
               "EASE", "Friends", "FunkSVD", "GMF", "GRU4Rec", "IALS", "IRGAN", "Item2Vec", "ItemKNN", "KNNBaseline", "LogisticMF", "MLP",
               "MODELS", "MaxPooledRNN", "MultDAE", "MultVAE", "NARM", "NeuMF", "Newcomers", "Observer", "Oracle", "PersonalPopularity",
               "Popularity", "PureSVD", "RP3Beta", "RatingKNN", "Recommender", "SASRec", "SVDPlusPlus", "SequenceModel", "Switching", "TasteObserver",
               "UserKNN", "Weighted", "Writer", "carry_over", "grow"),
    "policies": (),
    "privacy": (),
    "results": (),
    "spark": (),
    "serving": ("ShopFront",),
    "training": ("fit", "seed_everything"),
    "tuning": ("Tuning", "tune"),
}
HOME = {name: module for module, names in NAMES.items() for name in names}
__all__ = list(HOME)


def __getattr__(name):
    if name in NAMES:
        return import_module(f"recbook.{name}")
    if name not in HOME:
        raise AttributeError(f"module 'recbook' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"recbook.{HOME[name]}"), name)
    return value


def __dir__():
    return sorted({*globals(), *NAMES, *HOME})
