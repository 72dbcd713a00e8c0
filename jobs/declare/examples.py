"""Rows that a contract accepts, made from the contract alone: examples for senders, and proof for us.

Nobody and nothing real is in them. Identity numbers carry the division 999999, which no place has, and a
sound check character; school codes begin with 99, which is no kind of school; figures are none that a unit
could have. The template shows the first two rows, and judging knows them again when they are handed in
(`jobs.judging.aside`).
"""

from __future__ import annotations

import re
from datetime import timedelta

from jobs import clock
from jobs.declare import bounds
from jobs.declare.codes import code_list, spellings_of
from jobs.declare.headings import heading_key
from jobs.declare.model import Column, Contract

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_FIRST_DAY = clock.first_day(2025)

# A share and what it is made of agree; no district has so many of anything.
_QUOTIENT = {"numerator": "3000000", "denominator": "4000000", "indicator_value": "75.00"}

# What the template shows.
IN_TEMPLATE = 2


def example_rows(contract: Contract, count: int = IN_TEMPLATE, *, after: int = 0) -> list[dict[str, str]]:
    """Column -> text as a sender would write it; every key once. Where bounds depend on other columns, an
    item that the row's sex and grade do not have is left blank. `after` leaves out so many first ones: rows
    after `IN_TEMPLATE` are in no template, and so are judged like anybody's.
    """
    rows = [{c.name: example(c, number) for c in contract.columns} for number in range(after, after + count)]
    bounded = bounds.columns(contract)
    for row in rows:
        values = _values(contract, row)
        own = {b.column: b for b in bounds.today(bounds.of(contract)) if b.by == values}
        for column in (contract.column(name) for name in bounded):
            row[column.name] = _middle(column, own[column.name]) if column.name in own else ""
    return rows


def _values(contract: Contract, row: dict[str, str]) -> tuple[str, ...]:
    """What the bounds are looked up by, as the lake keeps it."""
    found = []
    for name in contract.bounds_by:
        column = contract.column(name)
        found.append(spellings_of(column).get(row[name], row[name]) if column.codes else row[name])
    return tuple(found)


def _middle(column: Column, bound: bounds.Bound) -> str:
    """The middle of what is usual by both bounds."""
    low, high = column.ask_outside or column.refuse_outside or (0, 0)
    low = low if bound.ask_from is None else max(low, bound.ask_from)
    high = high if bound.ask_to is None else min(high, bound.ask_to)
    middle = round((low + high) / 2)
    return f"{middle // 60}'{middle % 60:02d}\"" if column.type == "duration" else str(middle)


def is_made_up(column: Column) -> bool:
    """Whether a column's examples name somebody or something, and nobody and nothing real."""
    return column.type == "string" and (column.codes is None or _is_school(column))


def _is_school(column: Column) -> bool:
    return column.name.endswith("school_code") or heading_key(column.headings[0]) == "学校标识码"


def example(column: Column, number: int) -> str:
    """The `number`-th example of a column, within the usual bounds."""
    if column.check_digit:
        # An odd number of the day is a boy's, as `sex_code` says.
        body = f"99999920150901{2 * number + 1:03d}"
        check = "10X98765432"[sum(int(d) * w for d, w in zip(body, _WEIGHTS, strict=True)) % 11]
        return ("G" if column.check_digit == "pupil_number" else "") + body + check
    if column.name == "sex_code":
        return "1"
    if _is_school(column):
        # The other school of a change is another one.
        other = 5_000 * column.name.startswith(("to_", "counterpart_"))
        return f"9911{990_001 + number + other:06d}"
    if column.codes:
        shown = column.codes_column or "code"
        codes = [row.get(shown) for row in code_list(column.codes).rows]
        # The first is what most rows have; the same for all rows, so that codes of one row agree. A site that
        # brings no list of its own takes any code.
        return next((code for code in codes if code), "990001") if column.type != "bool" else "是"
    if column.pattern:
        return _of_pattern(column.pattern, number)
    if column.type == "month":
        return "202509"
    if column.name == "birth_date":
        return "2015-09-01"
    if column.type == "date":
        return (_FIRST_DAY + timedelta(days=number)).isoformat()
    if column.type == "year":
        return str(2025 - number)
    if column.type == "string":
        return f"{column.zh}示例{number + 1}"
    if column.name in _QUOTIENT:
        return _QUOTIENT[column.name]
    low, high = column.ask_outside or column.refuse_outside or (0, 100)
    middle = round((low + high) / 2)
    if column.type == "duration":
        return f"{middle // 60}'{middle % 60:02d}\""
    return str(middle)


def _of_pattern(pattern: str, number: int) -> str:
    """A text of a pattern of letters and digits: nines, then the number; the month of entry where one is
    asked for.
    """
    if "0[1-9]" in pattern:
        return "202509"
    filled = re.sub(r"\[0-9\]\{(\d+)\}", lambda digits: "9" * int(digits[1]), pattern)
    # A sign in brackets stands for itself.
    filled = re.sub(r"\[(.)\]", r"\1", filled)
    last = re.search(r"9+$", filled)
    return filled[: last.start()] + str(number + 1).zfill(len(last[0])) if last else filled
