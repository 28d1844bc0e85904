"""For each chapter, one file: the world without a cause, and the plain rival in a model's place, must make claims fail.

    TAKEN_OUT = [("what is broken", "part of the assertion that then fails", BREAKAGE), ...]
    RIVALS = [("which rival", "part of the control's assertion that then fails", BREAKAGE), ...]

A breakage is code that runs before the chapter's. What is in "..." of the text of an assertion is written with '...'.
"""


def world(**changes):
    """The shop with other parameters: a mechanism is switched off."""
    return f"""
import recbook.data
load = recbook.data.load
def other(name="shop", **options):
    return load(name, **(({changes} | options) if name == "shop" else options))
recbook.data.load = other
"""


def in_place_of(model, rival):
    """The model `recbook.MODEL` is the rival whenever a chapter makes one: an expression over `users, items`."""
    return f"""
import recbook
recbook.{model} = lambda users, items, **options: {rival}
"""
