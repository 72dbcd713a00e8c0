"""Judgements that need more than one column: bounds by sex and grade, another unit, rules over a row.

All are pure expressions over one row, beside the rules of single columns in `jobs.feeds.parse`, whose names
they use: `_text_<column>` as written, `_value_<column>` as read.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.contracts import Column as Declared
from jobs.contracts import Contract, RowRule, bounds, units

_WIDE_NUMBER = "decimal(20,6)"


class Outside(NamedTuple):
    """Conditions on one column's value; each null where there is no value."""

    impossible: Column | None
    unusual: Column | None


def with_bounds(rows: DataFrame, contract: Contract, day: Column) -> DataFrame:
    """Rows with their bounds beside them, one array a limit (`_ask_from` …, in the order of the bounded
    columns); null for a combination nobody gives bounds for. One small table, broadcast. Rows out: rows in.
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
    small = rows.sparkSession.createDataFrame(pa.Table.from_pylist(table, schema=schema))
    rows = rows.withColumn("_bound_day", day)
    for name in contract.bounds_by:
        rows = rows.withColumn(f"_of_{name}", F.col(f"_value_{name}").cast("string"))
    fits = (F.col("_bound_day") >= F.col("_bound_from")) & (
        F.col("_bound_to").isNull() | (F.col("_bound_day") < F.col("_bound_to"))
    )
    for name in contract.bounds_by:
        fits = fits & (F.col(f"_of_{name}") == F.col(f"_by_{name}"))
    return rows.join(F.broadcast(small), on=fits, how="left")


def outside(contract: Contract, column: Declared, value: Column) -> Outside:
    """Where a value is impossible, and where possible but unusual: by the column's own bounds, and by those
    of its sex and grade where there are some.
    """
    by_row = _by_row(contract, column)
    impossible = None if column.refuse_outside is None else ~value.between(*column.refuse_outside)
    if by_row:
        beyond = _beyond(value, by_row["refuse_from"], by_row["refuse_to"])
        impossible = beyond if impossible is None else impossible | beyond
    if impossible is None or not (column.ask_outside or by_row):
        return Outside(impossible, None)
    return Outside(impossible, ~F.coalesce(impossible, F.lit(False)) & ~usual(contract, column, value))


def usual(contract: Contract, column: Declared, value: Column) -> Column:
    """Whether a value is inside all usual bounds of its row; null for none."""
    by_row = _by_row(contract, column)
    within = value.between(*column.ask_outside) if column.ask_outside else value.isNotNull()
    if by_row:
        # A limit that is not given holds nobody.
        within = within & ~F.coalesce(_beyond(value, by_row["ask_from"], by_row["ask_to"]), F.lit(False))
    return within


def looks_like_another_unit(contract: Contract, column: Declared, is_scaled: bool) -> Column:
    """Whether the number as written is usual in one of the units that senders use by mistake; where a
    heading named a unit, ours is one of them.
    """
    number = F.col(f"_text_{column.name}").try_cast(_WIDE_NUMBER)
    sizes = [units.siblings(column.unit)[unit] for unit in column.other_units] + [1.0] * is_scaled
    found = F.lit(False)
    for size in sizes:
        found = found | F.coalesce(usual(contract, column, number * F.lit(size)), F.lit(False))
    return found


def broken(contract: Contract, rule: RowRule) -> Column:
    """Where a rule over several columns does not hold; null where it cannot be asked."""
    names = sorted({c.name for c in contract.columns}, key=len, reverse=True)
    return ~F.expr(re.sub(rf"\b({'|'.join(names)})\b", r"`_value_\1`", rule.holds))


def _by_row(contract: Contract, column: Declared) -> dict[str, Column]:
    bounded: Sequence[str] = bounds.columns(contract)
    if column.name not in bounded:
        return {}
    place = F.lit(bounded.index(column.name))
    return {limit: F.get(F.col(f"_{limit}"), place) for limit in bounds.LIMITS}


def _beyond(value: Column, low: Column, high: Column) -> Column:
    return F.coalesce(value < low, F.lit(False)) | F.coalesce(value > high, F.lit(False))
