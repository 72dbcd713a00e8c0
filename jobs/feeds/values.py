"""A cell's text -> a typed value, as pure Spark expressions; what cannot be read is null.

Every function is one expression over one row, and runs without Python in the engine. Which notation counts is
the column's matter, never the value's: `1.25` is a minute and 25 seconds over 800 m, and 1.25 s over 50 m.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.contracts import Column as Declared
from jobs.contracts import code_list, spark_type, units

# GB 11643: weights of the first seventeen digits, and the check character of each remainder.
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK = "10X98765432"

_NUMBER = r"[+-]?\d{1,14}(?:\.\d{1,12})?"
_GROUPED = r"^[+-]?\d{1,3}(,\d{3})+(\.\d{1,12})?$"


def value_of(column: Declared, text: Column, grade_scheme: str, factor: Column | None = None) -> Column:
    """The value of a column's text, in the column's own type and unit.

    `factor`: what the unit of the file's heading is multiplied by, where some file of the batch names another
    one; null within it where a heading names none.
    """
    if column.codes and column.type != "bool":
        by = {"us_k12": "us_k12_code"}.get(grade_scheme) if column.codes_by_site else column.codes_column
        found = mapped(text, code_list(column.codes).spellings(by))
        return F.coalesce(found, text) if column.codes_open else found
    match column.type:
        case "string":
            return _identifier(text) if column.pattern else text
        case "bool":
            return mapped(text, code_list("yes_no").spellings()) == "1"
        case "year":
            return F.when(
                text.rlike(r"^\d{4}((-|–|—|/|至)\d{2,4})?(学年|年|\.0)?$"), F.substring(text, 1, 4)
            ).try_cast("int")
        case "date":
            return date_of(text)
        case "duration":
            return duration_of(text, factor).try_cast(spark_type(column.stored_type))
    return _measure(column, text, factor)


def mapped(text: Column, spellings: dict[str, str]) -> Column:
    """The code of a spelling; null for one that the list has not."""
    pairs = [F.lit(word) for pair in spellings.items() for word in pair]
    return F.try_element_at(F.create_map(*pairs), text)


def _identifier(text: Column) -> Column:
    """A code of digits, that a sheet may have made a number; a long one has lost digits and is left."""
    return F.upper(F.regexp_replace(text, r"^(\d{1,15})\.0+$", "$1"))


def is_digits_lost(text: Column) -> Column:
    """Whether a long number went through a sheet's fifteen digits: `1.1E+17`, `110101201501010000`."""
    exponent = text.rlike(r"^\d(\.\d+)?[eE]\+?\d{2}$") | text.rlike(r"^\d{15,20}\.0+$")
    # Fifteen digits and three zeros, whose check character does not hold.
    cut = text.rlike(r"^[1-9]\d{14}000$") & ~is_checked(text)
    return exponent | cut


def is_checked(number: Column) -> Column:
    """Whether the eighteenth character is the GB 11643 check of the seventeen before it; null where they are
    no digits.
    """
    # The seventeen digits as one number, taken apart by division: one cast a row instead of seventeen.
    digits = F.substring(number, 1, 17).try_cast("bigint")
    total = sum(
        (F.call_function("div", digits, F.lit(10 ** (17 - i))) % 10 * w for i, w in enumerate(WEIGHTS, 1)),
        F.lit(0),
    )
    check = F.substring(F.lit(CHECK), (total % 11 + 1).cast("int"), F.lit(1))
    return check == F.substring(number, 18, 1)


def _measure(column: Declared, text: Column, factor: Column | None) -> Column:
    """A number, in the column's unit by its heading or by the unit behind it (`1.52m`)."""
    stored = spark_type(column.stored_type)
    if column.type == "int":
        plain = F.when(text.rlike(r"^[+-]?\d{1,18}(\.0+)?$"), F.regexp_replace(text, r"\.0+$", "")).try_cast(
            "int"
        )
    else:
        plain = F.when(text.rlike(f"^{_NUMBER}$"), text).try_cast(stored)
    other = F.when(
        text.rlike(_GROUPED), _rounded(column, F.regexp_replace(text, ",", "").try_cast(_WIDE_NUMBER))
    )
    behind = units.siblings(column.unit)
    if behind:
        pattern = rf"^({_NUMBER}) *([^\d\s.,+-][^\s]*)$"
        size = mapped(F.lower(F.regexp_extract(text, pattern, 2)), {k: str(v) for k, v in behind.items()})
        number = F.regexp_extract(text, pattern, 1).try_cast(_WIDE_NUMBER)
        other = F.coalesce(other, _rounded(column, number * size.try_cast(_FACTOR)))
    if column.unit == "s":
        other = F.coalesce(other, _seconds(text).try_cast(stored))
    if factor is None:
        return F.coalesce(plain, other)
    scaled = F.when(
        text.rlike(f"^{_NUMBER}$"), _rounded(column, text.try_cast(_WIDE_NUMBER) * factor.cast(_FACTOR))
    )
    return F.when(factor.isNull() | (factor < 0), F.coalesce(plain, other)).otherwise(
        F.coalesce(scaled, other)
    )


_WIDE_NUMBER = "decimal(20,6)"
_FACTOR = "decimal(18,9)"


def _rounded(column: Declared, number: Column) -> Column:
    """Half away from zero, to the places that are kept; a count stays whole or is none."""
    if column.type == "int":
        return F.when(number == F.round(number, 0), number).try_cast("int")
    return number.try_cast(spark_type(column.stored_type))


def _seconds(text: Column) -> Column:
    """A short run in seconds as stopwatches show it: `7"8`, `7″80`, `7秒8`, `7'8`."""
    watch = r"^(\d{1,2}) *(?:\"|”|“|″|秒|s|S|'|′|’) *(\d{1,2})$"
    return F.when(
        text.rlike(watch),
        F.concat(F.regexp_extract(text, watch, 1), F.lit("."), F.regexp_extract(text, watch, 2)),
    )


def date_of(text: Column) -> Column:
    """Six spellings, a spreadsheet's day number, and any of them with a time of day behind it."""
    day = F.regexp_replace(text, r"[ T]+\d{1,2}[:时]\d{1,2}([:分]\d{1,2}(\.\d+)?)?[秒分Z]?$", "")
    compact = F.regexp_replace(day, r"^(\d{4})(\d{2})(\d{2})(\.0+)?$", "$1-$2-$3")
    dashed = F.regexp_replace(
        compact, r"^(\d{4}) *[-/.年、] *(\d{1,2}) *[-/.月、] *(\d{1,2}) *[日号]?$", "$1-$2-$3"
    )
    number = F.when(day.rlike(r"^[1-6]\d{4}(\.\d+)?$"), F.regexp_replace(day, r"\.\d+$", "").try_cast("int"))
    spelled = F.coalesce(
        F.when(dashed.rlike(r"^\d{4}-\d{1,2}-\d{1,2}$"), dashed.try_cast("date")),
        # A sheet counts days from 1899-12-30, so that 1900-03-01 is day 61.
        F.date_add(F.lit("1899-12-30").cast("date"), number),
    )
    # The two that nearly all send, without the five patterns of the others.
    eight = F.concat_ws("-", F.substring(text, 1, 4), F.substring(text, 5, 2), F.substring(text, 7, 2))
    return (
        F.when(text.rlike(r"^\d{8}$"), eight.try_cast("date"))
        .when(text.rlike(r"^\d{4}-\d{2}-\d{2}$"), text.try_cast("date"))
        .otherwise(spelled)
    )


def duration_of(text: Column, factor: Column | None = None) -> Column:
    """Minutes and seconds in the notations that schools use (reference: rules of the upload, time notation),
    in seconds.

    Below ten, `3.45` is 3 min 45 s and `3.5` a spreadsheet's rest of `3.50`; from ten on a number is
    seconds. A clock time `3:45:00` is a sheet's reading of `3:45`. Sixty seconds or more behind the minutes
    is no time: null. `factor` 1: the heading says seconds, and a bare number is seconds whatever its size.
    """
    quoted = r"^(\d{1,2}) *[':：’‘′´`分mM]钟? *(\d{1,2})(\.\d{1,2})? *(\"|”|“|″|''|′′|’’|秒|s|S)?$"
    dotted = r"^([0-9])\.(\d{1,2})$"
    clock = r"^(\d{1,2}):(\d{2}):(\d{2})$"
    bare = text.rlike(r"^\d{1,3}(\.\d{1,2})?( *(秒|s|S|\"|″|”))?$")
    seconds = F.regexp_extract(text, r"^(\d{1,3}(?:\.\d{1,2})?)", 1).try_cast("decimal(6,2)")

    def part(pattern: str, group: int) -> Column:
        return F.regexp_extract(text, pattern, group).try_cast("int")

    hundredths = F.rpad(F.regexp_extract(text, dotted, 2), 2, "0").try_cast("int")
    fraction = F.coalesce(F.regexp_extract(text, quoted, 3).try_cast("decimal(6,2)"), F.lit(0))
    hours_first = part(clock, 1) > 0
    told = (
        F.when(text.rlike(quoted) & (part(quoted, 2) < 60), part(quoted, 1) * 60 + part(quoted, 2) + fraction)
        .when(text.rlike(clock) & hours_first & (part(clock, 3) == 0), part(clock, 1) * 60 + part(clock, 2))
        .when(text.rlike(clock) & ~hours_first, part(clock, 2) * 60 + part(clock, 3))
        # Whole minutes: 4分 is 240 s.
        .when(text.rlike(r"^\d{1,2} *分钟?$"), F.regexp_extract(text, r"^(\d{1,2})", 1).try_cast("int") * 60)
    )
    if factor is not None:
        told = told.when((factor == 1) & bare, seconds)
    return told.when(text.rlike(dotted) & (hundredths < 60), part(dotted, 1) * 60 + hundredths).when(
        text.rlike(r"^\d{2,3}(\.\d{1,2})?( *(秒|s|S|\"|″|”))?$"), seconds
    )
