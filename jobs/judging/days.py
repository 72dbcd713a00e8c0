"""Days and months as senders write them -> dates, and months as YYYYMM; what is no day is null.

A program's instant is the day that it was where the site is: midnight of 3 March in Beijing is
`2025-03-02T16:00:00Z`.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from jobs.judging import expressions as sql
from jobs.judging.expressions import Sql, choose, coalesce, extracted, replaced, substring
from jobs.sql import literals

_INSTANT = (
    r"^(\d{4}-\d{1,2}-\d{1,2})[T ] *(\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?) *"
    r"(?:([zZ]|UTC|GMT)|([+-]\d{2})(?::?(\d{2}))?)$"
)
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMBERS = {name: f"{number:02d}" for number, name in enumerate(_NAMES, 1)}


def date_of(text: Sql, timezone: str = "UTC") -> Sql:
    """Six spellings, a spreadsheet's day number, any of them with a time of day behind it, and instants."""
    return choose(
        # The two that nearly all send, without the patterns of the others.
        (text.matches(r"^\d{8}$"), _cut(text).try_cast("date")),
        (text.matches(r"^\d{4}-\d{2}-\d{2}$"), text.try_cast("date")),
        (text.matches(_INSTANT), _instant(text, timezone)),
        (text.matches(_EPOCH), _epoch(text, timezone)),
        (text.is_given(), _spelled(text, timezone)),
    )


def _cut(text: Sql) -> Sql:
    parts = (substring(text, 1, 4), "-", substring(text, 5, 2), "-", substring(text, 7, 2))
    return sql.call("concat", *parts)


def _spelled(text: Sql, timezone: str) -> Sql:
    behind = rf"[ T]+{_HALF}? *\d{{1,2}}[:时]\d{{1,2}}([:分]\d{{1,2}}(\.\d+)?)?[秒分]? *{_HALF}?$"
    day = replaced(text, behind, "")
    compact = replaced(day, r"^((?:19|20)\d{2})(\d{2})(\d{2})(?:\.0+|\d{4}|\d{6})?$", r"\1-\2-\3")
    dashed = replaced(compact, r"^(\d{4}) *[-/.年、] *(\d{1,2}) *[-/.月、] *(\d{1,2}) *[日号]?$", r"\1-\2-\3")
    written = choose((dashed.matches(r"^\d{4}-\d{1,2}-\d{1,2}$"), dashed)).try_cast("date")
    number = choose((day.matches(r"^[1-6]\d{4}(\.\d+)?$"), day)).try_cast("double")
    whole = sql.call("floor", number)
    # A sheet counts days from 1899-12-30, so that 1900-03-01 is day 61.
    counted = sql.lit("1899-12-30").cast("date") + whole.cast("int")
    short = _short_of_midnight(timezone)
    clock = extracted(text, r"[ T]+(23:59:\d{2})(?:\.\d+)?$", 1)
    seconds = coalesce(sql.call("round", (number + whole * -1) * 86_400), 0)
    is_short = (clock == f"23:59:{60 - short:02d}") | seconds.is_in((86_400 - short, 86_400))
    return coalesce(written, counted) + choose((is_short, 1), otherwise=0)


# A time of day with its half: `12:00AM`, `上午12:00:00`.
_HALF = r"(?:[AaPp]\.?[Mm]\.?|[上下]午)"
_CLOCK = rf"(?:,? +\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:[.:]\d+)?)? *{_HALF}?)?"


def plain(text: Sql) -> Sql:
    """A day without its weekday, which says nothing more, and with a number for an English month."""
    bare = replaced(text, r" *[(（]?(星期|周|礼拜)[一二三四五六日天][)）]?$", "")
    return choose((bare.matches(r"^(\d{1,2}[a-z]{0,2}[- ])?[A-Za-z]{3}"), _in_english(bare)), otherwise=bare)


_BEFORE_YEAR, _YEAR = r"^\s*[A-Za-z]{3,9}\.? *\d{1,2}(?:st|nd|rd|th)?\s*$", r"^\s*\d{4}\s*$"


def rejoined(cells: Sql, place: Sql) -> Sql:
    """A line's cells with the day at `place` whole: without quotes, `Mar 5, 2014` is parted at its comma."""
    day, year = sql.item(cells, place), sql.item(cells, place + 1)
    whole = Sql(f"({cells}[:{place}] || [{day} || ',' || {year}] || {cells}[{place} + 3:])")
    return choose((day.matches(_BEFORE_YEAR) & year.matches(_YEAR), whole), otherwise=cells)


def _in_english(text: Sql) -> Sql:
    """`Mar 5, 2014` and `05-Mar-2014` as `2014-03-05`; a year of two digits is no year."""
    first = rf"^([A-Za-z]{{3}})[a-z]*[-. ]+(\d{{1,2}})(?:st|nd|rd|th)?(?:,| |-)+(\d{{4}}){_CLOCK}$"
    behind = rf"^(\d{{1,2}})(?:st|nd|rd|th)?[- ]+([A-Za-z]{{3}})[a-z]*[-., ]+(\d{{4}}){_CLOCK}$"

    def day(pattern: str, month: int, number: int) -> Sql:
        by_name = sql.mapped(sql.call("lower", extracted(text, pattern, month)), _NUMBERS)
        return sql.call(
            "concat", extracted(text, pattern, 3), "-", by_name, "-", extracted(text, pattern, number)
        )

    cases = ((text.matches(first), day(first, 1, 2)), (text.matches(behind), day(behind, 2, 1)))
    return choose(*cases, otherwise=text)


def _short_of_midnight(timezone: str) -> int:
    """The odd seconds of a place's own time before time zones: 43 in Shanghai, whose clock stood at 8:05:43.

    A program that counts a sheet's days from 1899 there comes out so much before midnight.
    """
    offset = datetime(1899, 12, 30, tzinfo=ZoneInfo(timezone)).utcoffset()
    return int(abs(offset.total_seconds()) % 60) if offset else 0


def _instant(text: Sql, timezone: str) -> Sql:
    hours = coalesce(Sql(f"nullif({extracted(text, _INSTANT, 4)}, '')"), "+00")
    minutes = coalesce(Sql(f"nullif({extracted(text, _INSTANT, 5)}, '')"), "00")
    parts = (extracted(text, _INSTANT, 1), " ", extracted(text, _INSTANT, 2), hours, ":", minutes)
    return _day_there(sql.call("concat", *parts).try_cast("timestamptz"), timezone)


# Milliseconds or seconds since 1970, as programs write an instant; what begins as a year does is none.
_EPOCH = r"^(?:/Date\((-?\d{1,13})(?:[+-]\d{4})?\)/|(1\d{12}|[3-9]\d{11})(?:\.0+)?|(1\d{9})(?:\.0+)?)$"


def _epoch(text: Sql, timezone: str) -> Sql:
    written, bare, seconds = (extracted(text, _EPOCH, group).try_cast("bigint") for group in (1, 2, 3))
    thousandths = coalesce(written, bare)
    return _day_there(sql.call("to_timestamp", coalesce(thousandths // 1000, seconds)), timezone)


def _day_there(instant: Sql, timezone: str) -> Sql:
    return Sql(f"({instant} at time zone {literals(timezone)})").cast("date")


def month_of(text: Sql, timezone: str = "UTC") -> Sql:
    """A month as YYYYMM: `202009`, `2020-09`, `2020年9月`, `Sep-20`, or any day within it.

    `2020.1` may be what a sheet leaves of `2020.10`, so it is none; nor is `20209`, which no day number is.
    """
    six = replaced(text, r"^(\d{6})\.0+$", r"\1")
    parted = r"^(\d{4}) *[-/.年、 ] *(\d{1,2}) *月?份?$"
    behind = r"^(\d{1,2}) *[-/.、] *(\d{4})$"
    year = extracted(text, _NAMED, 2)
    by_name = sql.mapped(sql.call("lower", extracted(text, _NAMED, 1)), _NUMBERS)
    whole_year = choose((sql.call("length", year) == 2, sql.call("concat", "20", year)), otherwise=year)
    found = choose(
        (six.matches(r"^\d{6}$"), six),
        (text.matches(r"^\d{4}\.1$|^(19|20)\d{3}$"), None),
        (text.matches(parted), _joined(extracted(text, parted, 1), extracted(text, parted, 2))),
        (text.matches(behind), _joined(extracted(text, behind, 2), extracted(text, behind, 1))),
        (text.matches(_NAMED), _joined(whole_year, by_name)),
        (text.is_given(), sql.call("strftime", date_of(text, timezone), "%Y%m")),
    )
    return choose((found.matches(r"^[12]\d{3}(0[1-9]|1[0-2])$"), found))


_NAMED = r"^([A-Za-z]{3})[A-Za-z]*[-/. ,]*(\d{2}|\d{4})$"


def is_unclear_month(text: Sql) -> Sql:
    """Whether `Sep-20` stands there: as a sheet shows September 2020, and as others write 20 September."""
    return text.matches(r"^[A-Za-z]{3,9}[-/. ,]*\d{2}$")


def _joined(year: Sql, month: Sql) -> Sql:
    return Sql(f"({year} || lpad({month}, 2, '0'))")
