"""Judgements that need more than one column: bounds by sex and grade, another unit, rules over a row.

All are pure expressions over one row, beside the rules of single columns in `jobs.judging.judge`, whose names
they use: `_text_<column>` as written, `_value_<column>` as read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from jobs.declare import Column as Declared
from jobs.declare import Contract, RowRule, bounds, units
from jobs.declare.model import WRITTEN
from jobs.judging import expressions as sql
from jobs.judging.expressions import Sql, choose, coalesce, col

_WIDE_NUMBER = "decimal(20,6)"


class Outside(NamedTuple):
    """Conditions on one column's value; each null where there is no value."""

    impossible: Sql | None
    unusual: Sql | None


def with_bounds(db: duckdb.DuckDBPyConnection, rows: str, contract: Contract, day: Sql) -> str:
    """Return the query of `rows` with their bounds beside them: one list per limit (`_ask_from` …).

    A list is in the order of the bounded columns, and null for a combination without bounds. Rows out: rows
    in.
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
    """Return the conditions that a value is impossible, and that it is possible but unusual.

    They rest on the column's own bounds, and on those of its sex and grade where there are some.
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
    """Return whether a value is inside all usual bounds of its row; null for no value."""
    by_row = _by_row(contract, column)
    within = value.between(*_frame(column.ask_outside)) if column.ask_outside else value.is_given()
    if by_row:
        # A limit that is not given holds nobody.
        within = within & ~coalesce(_beyond(value, by_row["ask_from"], by_row["ask_to"]), False)
    return within


def _frame(limits: tuple[float, float]) -> tuple[float, float]:
    return float(limits[0]), float(limits[1])


def looks_like_another_unit(contract: Contract, column: Declared, is_scaled: bool) -> Sql:
    """Return whether the number as written is usual in one of the units that senders use by mistake, and not
    in the column's own.

    Where a heading named a unit, our own unit is one of them.
    """
    text = col(f"_text_{column.name}")
    # DuckDB takes `1_0` for ten.
    number = choose((~text.matches("_"), text)).try_cast(_WIDE_NUMBER)
    sizes = [units.siblings(column.unit)[unit] for unit in column.other_units] + [1.0] * is_scaled
    found = sql.lit(False)
    for size in sizes:
        found = found | coalesce(usual(contract, column, number * float(size)), False)
    return found if is_scaled else found & ~coalesce(usual(contract, column, number), False)


# Of units this near, one value tells nothing: a heavy child has the kilograms of another's 斤.
_NEAR = 10
# So many values of a table, and half of all, must fit another unit that is near before it is named.
_FEWEST = 5


def with_hints(judged: str, contract: Contract) -> str:
    """Return the query of judged rows without `other_unit` where a table as a whole does not say so.

    Only for units that are near to each other. Rows out: rows in.
    """
    near = [
        column
        for column in contract.columns
        if any(1 / _NEAR < units.siblings(column.unit)[unit] < _NEAR for unit in column.other_units)
    ]
    if not near:
        return judged
    table = "_delivery_id, _file_sha256, _table"
    said, unsaid = [], []
    for place, column in enumerate(near):
        reason = f"{column.name}:other_unit"
        count = f"count(*) filter (list_contains(refused, '{reason}') or list_contains(flags, '{reason}'))"
        said.append(f"{count} >= {_FEWEST} and {count} * 2 >= count({column.name}) as _is_said_{place}")
        unsaid.append(f"if(_is_said_{place}, '', '{reason}')")
    kept = f"lambda found: not list_contains([{', '.join(unsaid)}], found)"
    lists = ", ".join(f"list_filter({name}, {kept}) as {name}" for name in ("refused", "flags"))
    # A window would carry every column of every row through a sort.
    return (
        f"with judged as materialized ({judged}), "
        f"said as (select {table}, {', '.join(said)} from judged group by all) "
        f"select judged.* replace ({lists}) from judged inner join said using ({table})"
    )


def broken(contract: Contract, rule: RowRule) -> Sql:
    """The condition that a rule over several columns does not hold; null where a value it needs is missing.

    Rules are written in the SQL that DuckDB and Spark share. Only the names change: `height_cm` is read from
    `_value_height_cm`, `written_height_cm` from `_text_height_cm`.
    """
    names = {c.name: f"_value_{c.name}" for c in contract.columns}
    names |= {f"{WRITTEN}{c.name}": f"_text_{c.name}" for c in contract.columns}
    holds = sqlglot.parse_one(rule.holds, dialect="duckdb")
    for column in holds.find_all(exp.Column):
        if column.name in names:
            column.set("this", exp.to_identifier(names[column.name], quoted=True))
    return ~Sql(f"({holds.sql(dialect='duckdb')})")


def _by_row(contract: Contract, column: Declared) -> dict[str, Sql]:
    bounded: Sequence[str] = bounds.columns(contract)
    if column.name not in bounded:
        return {}
    place = bounded.index(column.name)
    return {limit: sql.item(col(f"_{limit}"), place) for limit in bounds.LIMITS}


def _beyond(value: Sql, low: Sql, high: Sql) -> Sql:
    return coalesce(value < low, False) | coalesce(value > high, False)
