"""What people write for a moment: seconds, milliseconds, dates in many forms. Read exactly, or refused by row."""

from decimal import Decimal

import numpy as np
import pandas as pd

from recbook.errors import DataError, shown

LATEST = 2**33  # the year 2242 in seconds: a larger timestamp is in milliseconds, or wrong
UNITS = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9, "days": 86400.0}
ORDERS = {"day first": True, "month first": False}
BOTH_WAYS = r"^\s*(\d{1,2})[./-](\d{1,2})[./-]\d{2,4}\b.*"       # 05.03.2024 is 5 March or 3 May
EXCEL_ZERO = 25569                                              # 1970-01-01 in the days of a spreadsheet


def moments(column, name, dates=None):
    """Times as seconds since 1970, with their fraction, (N,) of float: exact to the microsecond.

    column : Series of numbers, of dates, or of text that is either
    dates : None, or what decides where the column does not: "day first", "month first"; a unit of numbers, "seconds",
        "milliseconds", "microseconds", "nanoseconds" or "days" (a spreadsheet's, since 1900); or a format of Python's
        `strptime`, such as "%Y%m%d"

    Raises `DataError` for the first row that is no time, and where a column can be read in more than one way.
    """
    if dates is not None and dates not in UNITS and dates not in ORDERS and "%" not in dates:
        raise DataError(f"{name}: dates={dates!r}: say {', '.join(map(repr, [*ORDERS, *UNITS]))}, or a format such as "
                        "'%Y%m%d'.")
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    missing = column.isna().to_numpy()
    if missing.any():
        row = missing.argmax()
        raise DataError(f"{name}: row {row + 1}: {shown(column.iloc[row])} is not a timestamp.")
    if dates is not None and "%" in dates:
        return since_1970(parsed(column.astype(str), name, format=dates))
    numbers = as_numbers(column)
    if numbers is not None:
        return from_numbers(numbers, column, name, dates)
    if dates in UNITS:
        bad = pd.to_numeric(column, errors="coerce").isna().to_numpy().argmax()
        raise DataError(f"{name}: row {bad + 1}: {shown(column.iloc[bad])} is no number of {dates}.")
    return since_1970(from_text(column, name, dates))


def as_numbers(column):
    """The column as numbers, or None if it is not all numbers: also objects, decimals, and text that spells numbers."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return None
    if pd.api.types.is_numeric_dtype(column):
        return column.astype(float)
    kinds = set(map(type, column))
    if not all(issubclass(kind, int | float | Decimal | str | np.number) for kind in kinds) or bool in kinds:
        return None
    numbers = pd.to_numeric(column.map(lambda value: value.strip() if isinstance(value, str) else float(value)),
                            errors="coerce")
    return None if numbers.isna().any() else numbers.astype(float)


def from_numbers(numbers, column, name, dates):
    """Seconds from numbers of a unit; refuse what is a date in disguise, or too early or late."""
    if dates in ORDERS:
        raise DataError(f"{name}: row 1: {shown(column.iloc[0])} is a number and has no day and month.")
    if dates is None:
        disguise = looks_like(numbers)
        if disguise:
            raise DataError(f"{name}: row 1: {shown(column.iloc[0])} looks like {disguise}, or dates='seconds' if "
                            "they are seconds since 1970.")
    unit = dates or "seconds"
    found = (numbers - (EXCEL_ZERO if unit == "days" else 0)) * UNITS[unit]
    bad = ~((found >= 0) & (found <= LATEST)).to_numpy()
    if bad.any():
        row = bad.argmax()
        milliseconds = unit == "seconds" and numbers.iloc[row] > LATEST
        hint = " (if these are milliseconds, divide by 1000, or say dates='milliseconds')" if milliseconds else ""
        raise DataError(f"{name}: row {row + 1}: {shown(column.iloc[row])} is no time in {unit} since "
                        f"{'1900' if unit == 'days' else '1970'}{hint}.")
    return found.to_numpy()


def looks_like(numbers):
    """What a column of numbers is that are no seconds: days written as 20240131, years, a spreadsheet's days."""
    whole = bool((numbers == numbers.round()).all())
    if whole and numbers.between(19700101, 21001231).all():
        if pd.to_datetime(numbers.astype(int).astype(str), format="%Y%m%d", errors="coerce").notna().all():
            return "a date: say dates='%Y%m%d'"
    if whole and len(numbers) and numbers.between(1970, 2100).all():
        return "a year: say dates='%Y'"
    if not whole and numbers.between(20_000, 80_000).all():
        return "a spreadsheet's days: say dates='days'"
    return None


def from_text(column, name, dates):
    """Dates from text or from objects that are dates."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    text = column.map(lambda value: value.strip() if isinstance(value, str) else value)
    both = text.astype(str).str.extract(BOTH_WAYS).dropna().astype(int)
    first_is_day, second_is_day = (both[0] > 12).any(), (both[1] > 12).any()
    if dates is None and len(both):
        row = both.index[0]
        if first_is_day and second_is_day:
            row = max((both[0] > 12).idxmax(), (both[1] > 12).idxmax())
            raise DataError(f"{name}: row {row + 1}: {column.iloc[row]!r} has day and month in another order than rows "
                            "before it.")
        if not (first_is_day or second_is_day):
            raise DataError(f"{name}: row {row + 1}: {column.iloc[row]!r} can be read in two ways: say dates='day "
                            "first' or dates='month first'.")
    day_first = ORDERS.get(dates, bool(first_is_day))
    return parsed(text, name, format="mixed", dayfirst=day_first)


def parsed(text, name, **how):
    """Dates in UTC; what names no zone counts as UTC. The first that is none is named."""
    found = pd.to_datetime(text, errors="coerce", utc=True, **how)
    bad = found.isna().to_numpy()
    if bad.any():
        row = bad.argmax()
        zone = isinstance(text.iloc[row], str) and text.iloc[row][-3:].isalpha() and text.iloc[row][-3:].isupper()
        hint = " (a zone is written as an offset, +01:00)" if zone and any(map(str.isdigit, text.iloc[row])) else ""
        raise DataError(f"{name}: row {row + 1}: {text.iloc[row]!r} is not a date{hint}.")
    return found


def since_1970(dates):
    """Dates as seconds since 1970, with their fraction."""
    dates = pd.to_datetime(dates, utc=True)
    return ((dates - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(microseconds=1)).to_numpy() / 1e6
