"""What is served: the items of the data, and those that were put since, which nobody had met when the models were trained."""

import base64
import binascii
from dataclasses import replace
from io import BytesIO
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from recbook.data.features import PICTURE, read_pictures
from recbook.errors import DataError, ModelError, shown
from recbook.models import carry_over
from recbook.service.names import Names
from recbook.service.ranking import Ranking


class Catalogue:
    """The data with some items more. It does not change: when items are put, another one takes its place.

    dataset : Dataset   on which the models were trained
    put : list of dict   each `item`, an id; `about`, {column of the items: value}; `picture`, as `pixels` writes it, or None
    days : float or None   popularity counts the last so many days; None: all
    """

    def __init__(self, dataset, put=(), days=None):
        self.base, self.days = dataset, days
        there = set(dataset.ids.items) if put else ()
        self.put = [one for one in put if one["item"] not in there]     # a source that has grown may have them by now
        self.dataset = with_items(dataset, self.put) if self.put else dataset
        self.names, self.ranking = Names(self.dataset), Ranking(self.dataset, days)
        self.models = WeakKeyDictionary()

    def model(self, model):
        """That model among these items; one that cannot place new ones never shows them."""
        if not self.put:
            return model
        if model not in self.models:
            self.models[model] = carry_over(model, self.dataset)
        return self.models[model]

    def grown(self, given, models):
        """The catalogue with these items as well, and those that are new to it.

        given : list of dict   `item`, `about`, `picture` (a file in base64, or None). models : {name: model} that answer
        """
        there, columns = {one["item"]: one for one in self.put}, set(self.base.items) - {"original"}
        fresh = {}
        for number, one in enumerate(given):
            item = self.names.same_kind(one["item"])
            unknown = set(one["about"]) - columns
            if unknown:
                raise DataError(f"items[{number}]: {min(unknown)} is nothing that {self.base.name} says of its items; it says "
                                f"{', '.join(sorted(columns)) or 'nothing'}.")
            one = {"item": item, "about": one["about"], "picture": pixels(one["picture"], number)}
            if one["picture"] and self.base.make_images is None:
                raise DataError(f"items[{number}]: {self.base.name} has no pictures.")
            known = there.get(item, fresh.get(item))
            if item in self.names.numbers and item not in there or known not in (None, one):
                raise DataError(f"items[{number}]: {shown(item)} is in the catalogue already; what is said of an item stays.")
            if known is None:
                fresh[item] = one
        if not fresh:
            return self, []
        found = Catalogue(self.base, [*self.put, *fresh.values()], self.days)
        for name, model in models.items():
            placed = model.place(found.dataset)
            if placed is None:
                raise ModelError(f"{name} cannot place an item that nobody has met: train it again, or let a model of content answer.")
            found.models[model] = placed.eval()
        return found, list(fresh.values())


def with_items(dataset, put):
    """The data set with these items after its own."""
    new = pd.DataFrame([{"original": one["item"]} | {column: tuple(value) if isinstance(value, list) else value
                                                     for column, value in one["about"].items()} for one in put])
    new = new.reindex(columns=dataset.items.columns).astype(object)
    items = pd.concat([dataset.items.astype(object), new.where(new.notna(), None)], ignore_index=True)
    if dataset.make_images is None:
        return replace(dataset, items=items)
    pictures = [np.frombuffer(base64.b64decode(one["picture"] or ""), dtype=np.uint8) for one in put]
    blank = np.zeros(PICTURE * PICTURE * 3, dtype=np.uint8)
    more = np.stack([one if len(one) else blank for one in pictures]).reshape(-1, PICTURE, PICTURE, 3)
    return replace(dataset, items=items, make_images=lambda: np.concatenate([dataset.images, more]))


def pixels(picture, number):
    """A picture file in base64 as its 32 x 32 pixels in base64."""
    if picture is None:
        return None
    try:
        found = read_pictures([BytesIO(base64.b64decode(picture, validate=True))])
    except (binascii.Error, DataError):
        raise DataError(f"items[{number}]: picture is no picture file in base64.") from None
    return base64.b64encode(found.tobytes()).decode()
