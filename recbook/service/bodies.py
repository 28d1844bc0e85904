"""What requests may hold. Everything else is refused with a sentence."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, StrictBool

from recbook.data.dataset import BEHAVIOURS

LARGEST = 1_000_000     # bytes of a body
MANY = 1_000            # events, or items, in a body
LONGEST = 200           # characters of an id or a title
WORDS = 10_000          # characters of what is said of an item


def an_id(value):
    """An id of a user or an item, or a title; True is none, and neither is half of a letter (a lone surrogate)."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    if isinstance(value, str) and 1 <= len(value) <= LONGEST and not any("\ud800" <= letter <= "\udfff" for letter in value):
        return value
    raise ValueError(f"{shortened(value)} is no id: a whole number below 2^63, or a text of 1 to {LONGEST} characters")


def a_text(value):
    """An id that is a text."""
    if isinstance(value, str):
        return an_id(value)
    raise ValueError(f"{shortened(value)} is no text")


def shortened(value):
    """A value as an error shows it."""
    text = ascii(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


Id = Annotated[int | str, PlainValidator(an_id, json_schema_input_type=int | str)]
Text = Annotated[str, PlainValidator(a_text, json_schema_input_type=str)]


class Body(BaseModel):
    """A body without fields that nobody reads: a misspelt one is an error."""

    model_config = ConfigDict(extra="forbid")


class OneEvent(Body):
    """Somebody met something; see `store.Event`."""

    user: Id
    item: Id
    id: Text | None = None
    time: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] | None = None
    behaviour: Literal[BEHAVIOURS] | None = None
    rating: Annotated[float, Field(strict=True, allow_inf_nan=False)] | None = None
    request: Text | None = None


class Events(Body):
    """Some events at once: all are kept, or none."""

    events: Annotated[list[OneEvent], Field(min_length=1, max_length=MANY)]


class OneItem(Body):
    """Whether an item is in stock."""

    item: Id
    in_stock: StrictBool


class Stock(Body):
    """Some items at once."""

    stock: Annotated[list[OneItem], Field(min_length=1, max_length=MANY)]


Said = Annotated[str, Field(strict=True, max_length=WORDS)]


class NewItem(Body):
    """An item that is new, what is said of it in the columns of the data's items, and its picture, a file in base64."""

    item: Id
    about: dict[str, Said | list[Said]] = {}
    picture: Annotated[str, Field(strict=True)] | None = None


class NewItems(Body):
    """Some items at once: all are taken, or none."""

    items: Annotated[list[NewItem], Field(min_length=1, max_length=MANY)]


class NewVersion(Body):
    """A run, and the share of the users that it answers."""

    name: Text
    share: Annotated[float, Field(strict=True, gt=0, le=1)] = 1.0


def sentence(problem):
    """The first of pydantic's errors, as one sentence that names the field."""
    first = problem.errors()[0]
    kind, place = first["type"], ""
    for part in first["loc"]:
        if isinstance(part, int):
            place += f"[{part}]"
        elif part not in ("query", "body"):
            place += f"{'.' if place else ''}{part}"
    if kind == "json_invalid":
        return "The body is no JSON."
    if not place and kind != "missing":
        return "The body is to be a JSON object, sent as application/json."
    if kind == "missing":
        return f"{place or 'The body'} is missing."
    if kind == "extra_forbidden":
        return f"{place} is no field of this request."
    return f"{place}: {first['msg'].removeprefix('Value error, ').removesuffix('.')}."
