"""Number formats of workbooks: what a stored number is to the one who sees the cell.

A sheet keeps a day, a running time and a rate as plain numbers; the cell's format alone tells them apart.
Text out: a day as `2025-03-01`, with a time of day behind it where there is one; a time as `0:03:45.5`; a
rate as `90.1%`; any other number with the fifteen digits that a sheet shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

Shown = Callable[[float], str]

# A number of this size has lost digits: it stays in a form no rule takes.
_TOO_LONG = 1e15
_LAST_DAY = 2_958_466  # the day after 9999-12-31
# What a sheet shows in place of a day that cannot be.
_NO_DAY = "########"
_DAY_SECONDS = 86_400

# Formats that files name by number alone (ECMA-376, 18.8.30, with the East Asian ones).
_BUILT_IN = {
    **dict.fromkeys((9, 10), "0%"),
    **dict.fromkeys((14, 15, 16, 17, 22, 27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58), "yyyy-m-d"),
    **dict.fromkeys((18, 19, 20, 21, 32, 33, 34, 35, 45, 47, 55, 56), "h:mm:ss"),
    46: "[h]:mm:ss",
}

_SILENT = re.compile(r'"[^"]*"?|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE | re.DOTALL)
_DAY_HALVES = re.compile(r"am/pm|a/p|上午/下午", re.IGNORECASE)


def of(code: str | None, number: int = 0, since_1904: bool = False) -> Shown | None:
    """Return how a format shows a number; None for an ordinary number.

    `code` is the format's text, None for a built-in one, which `number` names.
    """
    code = _BUILT_IN.get(number, "General") if code is None else code
    if code.lower() == "general":
        return None
    # Of several parts the first is for numbers above zero.
    bare = _SILENT.sub("", code).partition(";")[0].lower()
    if "%" in bare:
        return percent
    letters = _DAY_HALVES.sub("h", bare)
    if "[" in letters:
        return duration
    if re.search(r"[yd]", letters) or ("m" in letters and not re.search(r"[hs]", letters)):
        return _days_since_1904 if since_1904 else _days
    if re.search(r"[hs]", letters):
        return _times_since_1904 if since_1904 else _times
    if re.fullmatch(r"0{2,}", bare) and bare == code:
        return lambda value: plain(value).zfill(len(bare)) if value >= 0 else plain(value)
    return None


def plain(value: float) -> str:
    """A number with the fifteen digits that a sheet shows: 57.699999999999996 is 57.7."""
    if abs(value) >= _TOO_LONG:
        return repr(value)
    text = f"{value or 0:.15g}"
    return text if "e" not in text else f"{value:.20f}".rstrip("0")


def percent(value: float) -> str:
    """A rate in per cent: 0.901 is `90.1%`."""
    return f"{plain(value * 100)}%"


def duration(value: float) -> str:
    """Hours, minutes and seconds of a part of a day, exact to the millisecond."""
    if value < 0:
        return _NO_DAY
    milliseconds = round(value * _DAY_SECONDS * 1000)
    seconds, rest = divmod(milliseconds, 1000)
    part = f".{rest:03d}".rstrip("0") if rest else ""
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}{part}"


def moment(day: datetime) -> str:
    """A day; with its time of day where that is not midnight."""
    if not (day.hour or day.minute or day.second or day.microsecond):
        return day.date().isoformat()
    return day.isoformat(sep=" ", timespec="milliseconds" if day.microsecond else "seconds")


def _days(value: float) -> str:
    # 1900 has a 29 February in sheets, and day 60 is it.
    return _day(value, datetime(1899, 12, 31) if value < 60 else datetime(1899, 12, 30))


def _days_since_1904(value: float) -> str:
    return _day(value, datetime(1904, 1, 1))


def _day(value: float, begin: datetime) -> str:
    if not 0 <= value < _LAST_DAY:
        return _NO_DAY
    if value < 1:
        return duration(value)
    return moment(begin + timedelta(milliseconds=round(value * _DAY_SECONDS * 1000)))


def _times(value: float) -> str:
    # A running time is no longer than days; what is larger is a day of which the format shows the hour.
    return duration(value) if value < 61 else _days(value)


def _times_since_1904(value: float) -> str:
    return duration(value) if value < 61 else _days_since_1904(value)
