"""What a recommender gives away, and what can be done: encryption, and forgetting.

Each name is imported when it is first used: `encrypted` needs TenSEAL, and nothing else here does.
"""

from importlib import import_module

HOME = {"Catalogue": "encrypted", "Customer": "encrypted", "Counts": "forgetting"}
__all__ = list(HOME)


def __getattr__(name):
    if name in set(HOME.values()):
        return import_module(f"recbook.privacy.{name}")
    if name not in HOME:
        raise AttributeError(f"module 'recbook.privacy' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"recbook.privacy.{HOME[name]}"), name)
    return value


def __dir__():
    return sorted({*globals(), *HOME, *HOME.values()})
