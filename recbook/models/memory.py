"""Memory that a model will ask for, said before it does."""

import os
import warnings

from recbook.errors import ModelError

QUIETLY = 2 * 2**30     # bytes that nobody needs to hear of


def announce(model, size, why, instead):
    """Say in one sentence how much memory is needed, where it is much; refuse what this machine does not have.

    model : its name. size : bytes. why : "a number for each pair of its 100,000 items". instead : what needs less.
    """
    there = memory()
    said = f"{model} keeps {why}: {size / 2**30:,.1f} GB while it is fitted"
    if there and size > there:
        raise ModelError(f"{said}, and this machine has {there / 2**30:,.1f}. {instead}.")
    if size > QUIETLY:
        warnings.warn(f"{said}.", stacklevel=4)


def memory():
    """Bytes of memory that this process may have: the machine's, or its limit; None where neither is told."""
    found = []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    try:
        import resource
    except ImportError:                                                 # Windows
        return min(found, default=None)
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return min(found + [limit] * (limit != resource.RLIM_INFINITY), default=None)
