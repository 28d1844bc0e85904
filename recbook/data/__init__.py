"""Names to data sets, and data sets to splits."""

from dataclasses import replace

from recbook.data.dataset import Dataset
from recbook.data.frames import from_csv, from_frame, from_parquet
from recbook.data.shop.regulars import Regulars
from recbook.data.shop.showing import Showing
from recbook.data.shop.visits import visits
from recbook.data.splits import (Cases, Context, Split, by_moment, by_ratio, by_time, everything, leave_last_out, random_folds,
                                 rating_split, split_from_parts, strong_generalisation)

__all__ = ["Cases", "Context", "Dataset", "Regulars", "ShopEnv", "Showing", "Split", "by_moment", "by_ratio", "by_time", "everything",
           "from_csv", "from_frame", "from_parquet", "leave_last_out", "load", "random_folds", "rating_split", "split_from_parts",
           "strong_generalisation", "visits"]


def load(name, **options):
    """The data set of that name: "shop", which is made on the spot, or a public one such as "ml-1m".

    The files of a public one are looked for in `$RECBOOK_DATA/NAME/`, then in the cache, then at the provider.

    Parameters
    ----------
    name : str
    **options
        Those of the shop, such as `n_users`, `n_events` or `seed` (`recbook.data.shop.Parameters`); the public sets
        have none.

    Returns
    -------
    dataset : Dataset

    Raises
    ------
    UnknownName
        No data set has that name; the message has the nearest one.
    DataError
        A file is absent and cannot be downloaded, or a line of it is malformed; the message says what to do.

    Example
    -------
    >>> small = rb.load("shop", n_users=30, n_items=24, n_events=500)
    >>> small.n_users, small.n_items, len(small.interactions)
    (30, 24, 500)
    """
    if name == "shop":
        from recbook.data.shop import load_shop

        return load_shop(**options)
    from recbook.data.catalog import find_source
    from recbook.data.files import Files

    source = find_source(name)
    files = Files(source)
    return replace(source.read(files, **options), files=files.sha256)


def __getattr__(name):
    if name == "ShopEnv":                                               # gymnasium is loaded by who uses it
        from recbook.data.shop.environment import ShopEnv

        return ShopEnv
    raise AttributeError(f"module 'recbook.data' has no attribute {name!r}")
