"""For each chapter, one file: the world without a cause, and the plain rival in a model's place, must make claims fail.

    TAKEN_OUT = [("what is broken", "part of the assertion that then fails", BREAKAGE), ...]
    RIVALS = [("which rival", "part of the control's assertion that then fails", BREAKAGE), ...]

A breakage is code that runs before the chapter's. Claims that one breakage makes fail are a tuple and share a run.
After the breakage may stand code that makes short what the claims are not about: with it alone they must hold.
What is in "..." of the text of an assertion is written with '...'; of `a and b` only the part with the text is asked.
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


def short(**epochs):
    """Models of these classes, and of classes made from them, train for so many epochs."""
    return f"""
import recbook.training
at_length = recbook.training.fit
def in_short(model, split, **options):
    few = [{epochs}[kind.__name__] for kind in type(model).__mro__ if kind.__name__ in {epochs}]
    return at_length(model, split, **(options | ({{"epochs": few[0]}} if few else {{}})))
recbook.training.fit = in_short
"""
