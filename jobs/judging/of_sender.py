"""Whether a line is its sender's to send: a district's lines are of its own schools, a school's of itself.

A line that names a district is judged by that; one that names only a school, by the registers, and only where
they know the school: a school that no register names yet is nobody else's.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from jobs.declare import Contract
from jobs.judging.expressions import Sql, choose, col
from jobs.lake.senders import Senders

# The column with the district that a line is of.
_DISTRICT = ("district_code", "parent_unit_code")


def with_districts(
    db: duckdb.DuckDBPyConnection, rows: str, contract: Contract, known: Senders | None
) -> str:
    """Return the query of `rows` with the districts beside them whose registers name the line's school.

    Rows out: rows in; `_districts` is null for a school that no register names.
    """
    if known is None or not known.schools or not _names_school(contract):
        return rows
    table = {"_school": list(known.schools), "_districts": [sorted(told) for told in known.schools.values()]}
    schema = pa.schema([("_school", pa.string()), ("_districts", pa.list_(pa.string()))])
    db.register("_registered", pa.table(table, schema=schema))
    return f"select * from ({rows}) left join _registered on _value_school_code = _school"


def faults(contract: Contract, known: Senders | None) -> list[tuple[Sql, str]]:
    """Conditions on which a line is not its sender's, each with its reason; none where senders are free."""
    if known is None or known.is_free or contract.sender in ("city", "contributor"):
        return []
    found: list[tuple[Sql, str]] = []
    sender, own = col("sender_code"), {column.name for column in contract.columns}
    districts = sorted(known.districts)
    is_district = sender.is_in(districts) if districts else Sql("false")
    for name in (name for name in _DISTRICT if name in own):
        value = col(f"_value_{name}")
        is_other = choose((is_district & value.is_in(districts), value != sender), otherwise=False)
        found.append((is_other, f"{name}:other_district"))
    if _names_school(contract):
        if known.schools:
            is_other = Sql(f"not list_contains(_districts, {sender})")
            found.append((choose((is_district, is_other), otherwise=False), "school_code:other_district"))
        is_office = sender.is_in([*districts, *sorted(known.offices)])
        found.append((~is_office & (col("_value_school_code") != sender), "school_code:other_school"))
    return found


def _names_school(contract: Contract) -> bool:
    """Whether each line is of one school of its sender."""
    named = any(column.name == "school_code" for column in contract.columns)
    return named and not contract.across_districts and contract.sender not in ("city", "contributor")
