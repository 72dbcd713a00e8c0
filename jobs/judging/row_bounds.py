"""Judgements that need more than one column: bounds by sex and grade, another unit, rules over a row.

All are pure expressions over one row, beside the rules of single columns in `jobs.judging.judge`, whose names
they use: `_text_<column>` as written, `_value_<column>` as read.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import duckdb
import pyarrow as pa

from jobs.declare import Column as Declared
from jobs.declare import Contract, RowRule, bounds, units
from jobs.judging import expressions as sql
from jobs.judging.expressions import Sql, choose, coalesce, col

_WIDE_NUMBER = "decimal(20,6)"


class Outside(NamedTuple):
    """Conditions on one column's value; each null where there is no value."""

    impossible: Sql | None
    unusual: Sql | None


def with_bounds(db: duckdb.DuckDBPyConnection, rows: str, contract: Contract, day: Sql) -> str:
    """Rows (a query) with their bounds beside them, one list a limit (`_ask_from` …, in the order of the
    bounded columns); null for a combination nobody gives bounds for. Rows out: rows in.
    """
    found = bounds.of(contract)
    if not found:
        return rows
    place = {name: i for i, name in enumerate(bounds.columns(contract))}
    lines: dict[tuple[object, ...], dict[str, list[float | None]]] = defaultdict(
        lambda: {f"_{limit}": [None] * len(place) for limit in bounds.LIMITS}
    )
    for bound in found:
        line = lines[(*bound.by, bound.valid_from, bound.valid_to)]
        for limit in bounds.LIMITS:
            line[f"_{limit}"][place[bound.column]] = getattr(bound, limit)
    by = [f"_by_{name}" for name in contract.bounds_by]
    schema = pa.schema(
        [(name, pa.string()) for name in by]
        + [("_bound_from", pa.date32()), ("_bound_to", pa.date32())]
        + [(f"_{limit}", pa.list_(pa.float64())) for limit in bounds.LIMITS]
    )
    names = [*by, "_bound_from", "_bound_to"]
    table = [dict(zip(names, key, strict=True)) | limits for key, limits in lines.items()]
    db.register("_bounds", pa.Table.from_pylist(table, schema=schema))
    fits = [f"{day} >= _bound_from", f"(_bound_to is null or {day} < _bound_to)"]
    fits += [f'"_value_{name}"::varchar = "_by_{name}"' for name in contract.bounds_by]
    return f"select * from ({rows}) left join _bounds on {' and '.join(fits)}"


def outside(contract: Contract, column: Declared, value: Sql) -> Outside:
    """Where a value is impossible, and where possible but unusual: by the column's own bounds, and by those
    of its sex and grade where there are some.
    """
    by_row = _by_row(contract, column)
    impossible = None if column.refuse_outside is None else ~value.between(*_frame(column.refuse_outside))
    if by_row:
        beyond = _beyond(value, by_row["refuse_from"], by_row["refuse_to"])
        impossible = beyond if impossible is None else impossible | beyond
    if impossible is None or not (column.ask_outside or by_row):
        return Outside(impossible, None)
    return Outside(impossible, ~coalesce(impossible, False) & ~usual(contract, column, value))


def usual(contract: Contract, column: Declared, value: Sql) -> Sql:
    """Whether a value is inside all usual bounds of its row; null for none."""
    by_row = _by_row(contract, column)
    within = value.between(*_frame(column.ask_outside)) if column.ask_outside else value.is_given()
    if by_row:
        # A limit that is not given holds nobody.
        within = within & ~coalesce(_beyond(value, by_row["ask_from"], by_row["ask_to"]), False)
    return within


def _frame(limits: tuple[float, float]) -> tuple[float, float]:
    return float(limits[0]), float(limits[1])


def looks_like_another_unit(contract: Contract, column: Declared, is_scaled: bool) -> Sql:
    """Whether the number as written is usual in one of the units that senders use by mistake; where a
    heading named a unit, ours is one of them.
    """
    text = col(f"_text_{column.name}")
    # DuckDB takes `1_0` for ten.
    number = choose((~text.matches("_"), text)).try_cast(_WIDE_NUMBER)
    sizes = [units.siblings(column.unit)[unit] for unit in column.other_units] + [1.0] * is_scaled
    found = sql.lit(False)
    for size in sizes:
        found = found | coalesce(usual(contract, column, number * float(size)), False)
    return found


def broken(contract: Contract, rule: RowRule) -> Sql:
    """Where a rule over several columns does not hold; null where it cannot be asked."""
    names = sorted({c.name for c in contract.columns}, key=len, reverse=True)
    holds = re.sub(rf"\b({'|'.join(names)})\b", r'"_value_\1"', rule.holds)
    # What declarations write as Spark does. A text of other than digits is no whole number.
    holds = re.sub(r'("\w+"|\w+)( not)? rlike (\'(?:[^\']|\'\')*\')', r"\2 regexp_matches(\1, \3)", holds)
    holds = re.sub(
        r"try_cast\((.+?) as int\)", r"try_cast(nullif(regexp_extract(\1, '^[+-]?\\d+$'), '') as int)", holds
    )
    return ~Sql(f"({holds})")


def _by_row(contract: Contract, column: Declared) -> dict[str, Sql]:
    bounded: Sequence[str] = bounds.columns(contract)
    if column.name not in bounded:
        return {}
    place = bounded.index(column.name)
    return {limit: sql.item(col(f"_{limit}"), place) for limit in bounds.LIMITS}


def _beyond(value: Sql, low: Sql, high: Sql) -> Sql:
    return coalesce(value < low, False) | coalesce(value > high, False)
