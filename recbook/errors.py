"""The errors that are meant for people: one line that says what is wrong, where, and what to do."""

import difflib


def shown(value):
    """A value as people write it: 5, and not np.int64(5)."""
    return repr(value.item() if getattr(value, "ndim", None) == 0 else value)


class RecbookError(Exception):
    """Anything that a user of the package can put right. The message is one line that says what, where, and what to do.

    Example
    -------
    >>> try:
    ...     rb.by_time(films)
    ... except rb.RecbookError as problem:
    ...     print(str(problem)[:29])
    my data: there are no timesta
    """


class DataError(RecbookError):
    """A file, a frame or a download is not what it should be.

    Example
    -------
    >>> rb.from_frame({"user": [1], "item": [2], "mark": ["good"]}, rating="mark")
    Traceback (most recent call last):
        ...
    recbook.errors.DataError: my data: row 1: 'good' is no rating.
    """


class ModelError(RecbookError):
    """A model is asked for what it cannot do, or a checkpoint does not fit.

    Example
    -------
    >>> rb.GMF(*sizes, dim=0)
    Traceback (most recent call last):
        ...
    recbook.errors.ModelError: dim=0: a whole number of at least 1.
    """


class UnknownName(RecbookError):
    """No data set, model, metric, user or item of that name. The message has the nearest one.

    Parameters
    ----------
    what : str
        The kind of thing: "data set".
    name : str
        What was asked for.
    known : iterable
        The names that there are.

    Example
    -------
    >>> rb.load("shoop")
    Traceback (most recent call last):
        ...
    recbook.errors.UnknownName: Unknown data set 'shoop'. Did you mean 'shop'?
    """

    def __init__(self, what, name, known):
        known = sorted(map(str, known))
        folded = {word.casefold(): word for word in known}
        near = difflib.get_close_matches(str(name).casefold(), folded, n=1, cutoff=0.5)
        everything = f" Known: {', '.join(known) or 'none'}." if len(known) <= 40 else ""
        hint = f" Did you mean {folded[near[0]]!r}?" if near else everything
        super().__init__(f"Unknown {what} {name!r}.{hint}")
