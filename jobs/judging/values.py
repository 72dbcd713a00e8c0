"""A cell's text -> a typed value, as pure expressions; what cannot be read is null.

Every function is one expression over one row. Which notation counts is the column's matter, never the
value's: `1.25` is a minute and 25 seconds over 800 m, and 1.25 s over 50 m.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import reduce

from jobs.declare import Column as Declared
from jobs.declare import code_list, duckdb_type, fold, is_open, units
from jobs.declare.codes import LOOSE, WHOLE
from jobs.judging import days
from jobs.judging import expressions as sql
from jobs.judging.expressions import Sql, choose, coalesce, extracted, replaced

_NUMBER = r"[+-]?\d{1,14}(?:\.\d{1,20})?"
_GROUPED = r"^[+-]?\d{1,3}(,\d{3})+(\.\d{1,12})?$"


def value_of(
    column: Declared, text: Sql, grade_scheme: str, factor: Sql | None = None, timezone: str = "UTC"
) -> Sql:
    """The value of a column's text (as `texts.spelled` leaves it), in the column's own type and unit.

    `factor`: what the unit of the file's heading is multiplied by, where some file of the batch names another
    one; null within it where a heading names none. `timezone`: where an instant becomes a day.
    """
    if column.codes and column.type != "bool":
        return _coded(column, text, grade_scheme)
    match column.type:
        case "string":
            return _identifier(text) if column.pattern else text
        case "bool":
            return sql.mapped(text, code_list("yes_no").spellings()) == "1"
        case "year":
            return _year_of(text)
        case "date":
            return days.date_of(text, timezone)
        case "month":
            return days.month_of(text, timezone)
        case "duration":
            return duration_of(text, factor).try_cast(duckdb_type(column.stored_type))
    return _measure(column, text, factor)


def _coded(column: Declared, text: Sql, grade_scheme: str) -> Sql:
    """The code of a word; where the list is open, the text itself where it has none."""
    listed = code_list(column.codes or "")
    if column.whole:
        bare = replaced(text, r"[\s()\[\]（）【】:：]", "")
        whole = sql.mapped(bare, {fold(word): WHOLE for word in column.whole})
        return coalesce(whole, _coded(replace(column, whole=()), text, grade_scheme))
    if not listed.rows:
        return text
    by_site = {"us_k12": "us_k12_code"}.get(grade_scheme) if column.codes_by_site else None
    by, kept = by_site or column.codes_column, column.codes_kept or "code"
    found = sql.mapped(text, listed.spellings(by, kept))
    if is_open(column):
        return coalesce(found, text)
    # Few words are not found as they stand, and only those are taken apart.
    loose = sql.call("lower", reduce(lambda word, rule: replaced(word, *rule), LOOSE, text))
    other = choose((text.is_given(), sql.mapped(loose, listed.loose_spellings(by, kept))))
    code = coalesce(found, other)
    return code if column.type == "string" else code.try_cast(duckdb_type(column.stored_type))


def tells_no_result(text: Sql) -> Sql:
    """Whether a word (免测, 缺考) stands where a number was measured: there is none, and that is no 0."""
    known = "|".join(map(re.escape, code_list("no_result").loose_spellings()))
    is_known = sql.call("lower", replaced(text, r"[\s.]", "")).matches(f"^(?:{known})$")
    return choose((text.matches(r"^[^\d+-]"), is_known), otherwise=False)


def _identifier(text: Sql) -> Sql:
    """A code of digits, that a sheet may have made a number; a long one has lost digits and is left."""
    return sql.call("upper", replaced(text, r"^(\d{1,15})\.0+$", r"\1"))


def _measure(column: Declared, text: Sql, factor: Sql | None) -> Sql:
    """A number, in the column's unit by its heading or by the unit behind it (`1.52m`)."""
    stored = duckdb_type(column.stored_type)
    if column.type == "int":
        is_whole = text.matches(r"^[+-]?\d{1,18}(\.0+)?$")
        plain = choose((is_whole, replaced(text, r"\.0+$", ""))).try_cast("int")
    else:
        plain = choose((text.matches(f"^{_NUMBER}$"), text)).try_cast(stored)
    other = choose((text.matches(_GROUPED), _rounded(column, replaced(text, ",", "").try_cast(_WIDE_NUMBER))))
    behind = units.siblings("%" if column.percent else column.unit)
    if behind:
        pattern = rf"^({_NUMBER}) *([^\d\s.,+-][^\s]*)$"
        size = sql.mapped(
            sql.call("lower", extracted(text, pattern, 2)), {k: str(v) for k, v in behind.items()}
        )
        number = extracted(text, pattern, 1).try_cast(_WIDE_NUMBER)
        other = coalesce(other, _rounded(column, number * size.try_cast(_FACTOR)))
    if column.unit == "s":
        other = coalesce(other, _rounded(column, _seconds(text).try_cast(_WIDE_NUMBER)))
    # The rare forms are looked for only where the plain one is not there.
    read = coalesce(plain, choose((text.is_given(), other)))
    if factor is None:
        return read
    is_number = text.matches(f"^{_NUMBER}$")
    scaled = choose((is_number, _rounded(column, text.try_cast(_WIDE_NUMBER) * factor.try_cast(_FACTOR))))
    return choose((factor.is_null() | (factor < 0), read), otherwise=coalesce(scaled, other))


_WIDE_NUMBER = "decimal(20,6)"
_FACTOR = "decimal(18,9)"


def _rounded(column: Declared, number: Sql) -> Sql:
    """Half away from zero, to the places that are kept; a count stays whole or is none."""
    if column.type == "int":
        return choose((number == sql.call("round", number, 0), number)).try_cast("int")
    return number.try_cast(duckdb_type(column.stored_type))


def _seconds(text: Sql) -> Sql:
    """A short run in seconds as stopwatches show it: `7"8`, `7″80`, `7秒8`, `7'8`."""
    watch = r"^(\d{1,2}) *(?:\"|”|“|″|秒|s|S|''|′′|’’|'|′|’) *(\d{1,2})$"
    return choose((text.matches(watch), replaced(text, watch, r"\1.\2")))


def _year_of(text: Sql) -> Sql:
    """A year, or the first of a school year; `2025-09` is a month, and no year."""
    pattern = r"^(\d{4})(?:(?:-|–|—|/|至)(?:\d{2})?(\d{2}))?(?:学年|年|\.0)?$"
    first = extracted(text, pattern, 1).try_cast("int")
    last = extracted(text, pattern, 2).try_cast("int")
    return choose((coalesce(last == (first + 1) % 100, True), first))


def duration_of(text: Sql, factor: Sql | None = None) -> Sql:
    """Minutes and seconds in the notations that schools use (reference: rules of the upload, time notation),
    in seconds.

    Below ten, `3.45` is 3 min 45 s and `3.5` a spreadsheet's rest of `3.50`; from ten on a number is
    seconds. A clock time `3:45:00` is a sheet's reading of `3:45`, and `0:03:45.5` that of `3:45.5`. Sixty
    seconds or more behind the minutes is no time: null. `factor` 1: the heading says seconds, and a bare
    number is seconds whatever its size.
    """
    quoted = r"^(\d{1,2}) *(?:分钟|min|[':：’‘′´`分mM]) *(\d{1,2})(\.\d{1,2})? *(\"|”|“|″|''|′′|’’|秒|s|S)?$"
    dotted = r"^([0-9])\.(\d{1,2})$"
    clock = r"^(\d{1,2}):(\d{2}):(\d{2})(\.\d{1,3})?$"
    bare = text.matches(r"^\d{1,3}(\.\d{1,2})?( *(秒|s|S|\"|″|”))?$")
    seconds = extracted(text, r"^(\d{1,3}(?:\.\d{1,2})?)", 1).try_cast("decimal(6,2)")

    def part(pattern: str, group: int) -> Sql:
        return extracted(text, pattern, group).try_cast("int")

    hundredths = sql.call("rpad", extracted(text, dotted, 2), 2, "0").try_cast("int")
    fraction = coalesce(extracted(text, quoted, 3).try_cast("decimal(6,2)"), 0)
    is_clock, hours_first = text.matches(clock), part(clock, 1) > 0
    parted = coalesce(extracted(text, clock, 4).try_cast("decimal(6,3)"), 0)
    readings = [
        (
            text.matches(quoted) & (part(quoted, 2) < 60),
            part(quoted, 1) * 60 + part(quoted, 2) + fraction,
        ),
        (is_clock & hours_first & (part(clock, 3) + parted == 0), part(clock, 1) * 60 + part(clock, 2)),
        (is_clock & ~hours_first, part(clock, 2) * 60 + part(clock, 3) + parted),
        # Whole minutes: 4分 is 240 s.
        (text.matches(r"^\d{1,2} *分钟?$"), part(r"^(\d{1,2})", 1) * 60),
    ]
    if factor is not None:
        readings.append(((factor == 1) & bare, seconds))
    readings += [
        (text.matches(dotted) & (hundredths < 60), part(dotted, 1) * 60 + hundredths),
        (text.matches(r"^\d{2,3}(\.\d{1,2})?( *(秒|s|S|\"|″|”))?$"), seconds),
    ]
    return choose(*readings)
