"""What people write for a moment: seconds, milliseconds, dates in many forms. Read exactly, or refused by row."""

import re
from decimal import Decimal

import numpy as np
import pandas as pd

from recbook.errors import DataError, shown

LATEST = 2**33  # the year 2242 in seconds: a larger timestamp is in milliseconds, or wrong
A_SECOND = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}       # units in one
UNITS = (*A_SECOND, "days")
ORDERS = {"day first": True, "month first": False}
BOTH_WAYS = (r"^(?!\s*\d{4}[./ -]).*?"                          # 05.03.2024 is 5 March or 3 May; 2024-05-03 is one day
             r"(?<![\d:])(\d{1,2})[./ -](\d{1,2})[./ -](?:\d{4}|\d{2})(?!\d)")
EXCEL_ZERO = 25569                                              # 1970-01-01 in the days of a spreadsheet
YEARS = 1678, 2261                                              # whose nanoseconds can be counted in 64 bits
DISGUISES = {"a date": ("%Y%m%d", "%d%m%Y", "%m%d%Y", "%Y%m"), "a moment": ("%Y%m%d%H%M%S", "%Y%m%d%H%M"), "a year": ("%Y",)}


def moments(column, name, dates=None):
    """Times as whole seconds since 1970 and the fraction that is left of each: two arrays (N,), of int and float.

    column : Series of numbers, of dates, or of text that is either
    dates : None, or what decides where the column does not: "day first", "month first"; a unit of numbers, "seconds",
        "milliseconds", "microseconds", "nanoseconds" or "days" (a spreadsheet's, since 1900); or a format of Python's
        `strptime`, such as "%Y%m%d"

    Whole numbers and dates are exact to the nanosecond. Raises `DataError` for the first row that is no time, and where
    a column can be read in more than one way.
    """
    if dates is not None and not (isinstance(dates, str) and (dates in UNITS or dates in ORDERS or "%" in dates)):
        raise DataError(f"{name}: dates={dates!r}: say {', '.join(map(repr, [*ORDERS, *UNITS]))}, or a format such as "
                        "'%Y%m%d'.")
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    missing = column.isna().to_numpy()
    if missing.any():
        row = missing.argmax()
        raise DataError(f"{name}: row {row + 1}: {shown(column.iloc[row])} is not a timestamp.")
    numbers = as_numbers(column)
    if dates is not None and "%" in dates:
        spelled = column.astype(str) if numbers is None or column.dtype == object else digits(numbers, dates)
        return since_1970(parsed(spelled, name, format=dates))
    if numbers is not None:
        return from_numbers(numbers, column, name, dates)
    if dates in UNITS:
        bad = pd.to_numeric(column, errors="coerce").isna().to_numpy().argmax()
        raise DataError(f"{name}: row {bad + 1}: {shown(column.iloc[bad])} is no number of {dates}.")
    return since_1970(from_text(column, name, dates))


def as_numbers(column):
    """The column as numbers, or None if it is not all numbers: also objects, decimals, and text that spells numbers."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_complex_dtype(column):
        return None
    if not pd.api.types.is_numeric_dtype(column):
        kinds = set(map(type, column))
        if not all(issubclass(kind, int | float | Decimal | str | np.number) for kind in kinds) or bool in kinds:
            return None
        column = pd.to_numeric(column.map(number_of), errors="coerce")
    if column.isna().any():
        return None
    whole = pd.api.types.is_integer_dtype(column) and column.abs().max() < 2**63
    return column.astype(np.int64 if whole else float)


def number_of(value):
    """A value as pandas reads it as a number: whole ones as they are, so that nothing of them is rounded."""
    if isinstance(value, str):
        return value.strip()
    return value if isinstance(value, int | np.integer) and abs(int(value)) < 2**63 else float(value)


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
    if unit == "days":
        numbers = (numbers - EXCEL_ZERO) * 86400.0
    a_second = A_SECOND.get(unit, 1)
    bad = ~((numbers >= 0) & (numbers <= LATEST * a_second)).to_numpy()
    if bad.any():
        row = bad.argmax()
        fits = [other for other, size in A_SECOND.items() if LATEST < numbers.iloc[row] <= LATEST * size]
        hint = f" (if these are {fits[0]}, say dates={fits[0]!r})" if fits and unit == "seconds" else ""
        raise DataError(f"{name}: row {row + 1}: {shown(column.iloc[row])} is no time in {unit} since "
                        f"{'1900' if unit == 'days' else '1970'}{hint}.")
    return parts(numbers.to_numpy(), a_second)


def parts(numbers, a_second):
    """Numbers of a unit as whole seconds and what is left of each."""
    seconds, rest = np.divmod(numbers, a_second)
    return seconds.astype(np.int64), rest / a_second


def digits(numbers, form):
    """Numbers as the digits that a format reads: as numbers they may have lost a zero in front."""
    whole = (numbers == numbers.round()).all()
    return (numbers.astype(np.int64) if whole else numbers).astype(str).str.zfill(len(pd.Timestamp(0).strftime(form)))


def looks_like(numbers):
    """What a column of numbers is that are no seconds: days written as 20240131, years, a spreadsheet's days."""
    whole = bool((numbers == numbers.round()).all())
    if numbers.between(*((36_526, 54_788) if whole else (20_000, 80_000))).all():      # whole ones: of 2000 to 2049
        return "a spreadsheet's days: say dates='days'"
    if not whole or not numbers.between(1970, 10**14).all():
        return None
    fewest, most = (len(str(int(end))) for end in (numbers.min(), numbers.max()))
    for what, forms in DISGUISES.items():
        fits = []
        for form in forms:
            width = len(pd.Timestamp(0).strftime(form))
            if width - (form[1] in "dm") <= fewest and most <= width:
                years = pd.to_datetime(digits(numbers, form), format=form, errors="coerce").dt.year
                fits += [f"dates={form!r}"] * bool(years.between(1970, 2100).all())
        if fits:
            return f"{what}: say {' or '.join(fits)}"
    return None


def from_text(column, name, dates):
    """Dates from text or from objects that are dates."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return in_range(column, column, name)
    text = column.map(lambda value: value.strip() if isinstance(value, str) else value).astype(object)
    is_number = text.map(lambda value: isinstance(value, int | float | Decimal | np.number)
                         or isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value) is not None).to_numpy()
    if (is_number != is_number[0]).any():
        row = (is_number != is_number[0]).argmax()
        raise DataError(f"{name}: row {row + 1}: {shown(column.iloc[row])} is {'a' if is_number[row] else 'no'} number, and "
                        f"row 1 is {'one' if is_number[0] else 'none'}: times are all numbers, or all dates.")
    both = text.astype(str).str.extract(BOTH_WAYS).dropna().astype(int)
    first_is_day, second_is_day = (both[0] > 12).any(), (both[1] > 12).any()
    if dates is None and len(both):
        row = both.index[0]
        if first_is_day and second_is_day:
            row = max((both[0] > 12).idxmax(), (both[1] > 12).idxmax())
            raise DataError(f"{name}: row {row + 1}: {column.iloc[row]!r} has day and month in another order than rows "
                            "before it.")
        if not (first_is_day or second_is_day) and (both[0] != both[1]).any():          # 05.05.2024 is one day
            raise DataError(f"{name}: row {row + 1}: {column.iloc[row]!r} can be read in two ways: say dates='day "
                            "first' or dates='month first'.")
    day_first = ORDERS.get(dates, bool(first_is_day))
    return parsed(text, name, format="mixed", dayfirst=day_first)


def parsed(text, name, **how):
    """Dates in UTC; what names no zone counts as UTC. The first that is none is named."""
    try:
        found = pd.to_datetime(text, errors="coerce", utc=True, **how)
    except ValueError as problem:
        raise DataError(f"{name}: dates={how['format']!r} is no format of dates ({problem}).") from None
    bad = found.isna().to_numpy() | ~text.astype(str).str.contains(r"\d").to_numpy()       # "today" is no date either
    if bad.any():
        row = bad.argmax()
        zone = isinstance(text.iloc[row], str) and text.iloc[row][-3:].isalpha() and text.iloc[row][-3:].isupper()
        hint = " (a zone is written as an offset, +01:00)" if zone and any(map(str.isdigit, text.iloc[row])) else ""
        raise DataError(f"{name}: row {row + 1}: {shown(text.iloc[row])} is not a date{hint}.")
    return in_range(found, text, name)


def in_range(found, column, name):
    """Dates, none of which is of another age."""
    bad = ~found.dt.year.between(*YEARS).to_numpy()
    if bad.any():
        row = bad.argmax()
        raise DataError(f"{name}: row {row + 1}: {shown(column.iloc[row])} is not a date of the years {YEARS[0]} to "
                        f"{YEARS[1]}.")
    return found


def since_1970(dates):
    """Dates as whole seconds since 1970 and the fraction of each."""
    return parts(pd.to_datetime(dates, utc=True).dt.as_unit("ns").astype(np.int64).to_numpy(), A_SECOND["nanoseconds"])
