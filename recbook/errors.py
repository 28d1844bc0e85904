"""The errors that are meant for people: one line that says what is wrong, where, and what to do."""

import difflib


def shown(value):
    """A value as people write it: 5, and not np.int64(5)."""
    return repr(value.item() if hasattr(value, "item") else value)


class RecbookError(Exception):
    """Anything that a user of the package can put right."""


class DataError(RecbookError):
    """A file, a frame or a download is not what it should be."""


class ModelError(RecbookError):
    """A model is asked for what it cannot do, or a checkpoint does not fit."""


class UnknownName(RecbookError):
    """No data set, model, metric, user or item of that name."""

    def __init__(self, what, name, known):
        known = sorted(map(str, known))
        folded = {word.casefold(): word for word in known}
        near = difflib.get_close_matches(str(name).casefold(), folded, n=1, cutoff=0.5)
        everything = f" Known: {', '.join(known)}." if len(known) <= 40 else ""
        hint = f" Did you mean {folded[near[0]]!r}?" if near else everything
        super().__init__(f"Unknown {what} {name!r}.{hint}")
