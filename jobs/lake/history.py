"""The statements in force: what was true on a day, as far as was known at a moment. For Spark and, as SQL,
for DuckDB; the same rule as dbt's `in_force`, and a test compares the three.

Clean tables only grow; what is in force is computed. Of a snapshot the newest delivery of its scope counts,
whole; of everything else the newest statement of each key. Newest: by `stated_on, delivery_no, _file_sha256,
_line_number`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.declare import Contract

_NEWEST = ("stated_on", "delivery_no", "_file_sha256", "_line_number")


def in_force(
    statements: DataFrame,
    contract: Contract,
    as_of_date: date,
    known_at: datetime,
    key: Sequence[str] | None = None,
) -> DataFrame:
    """Rows of a clean table (or of one with its statement columns) in force at (as_of_date, known_at).

    Columns in: columns out. `key` overrides the contract's. A withdrawn statement ends its key: an older one
    does not come back. What is not valid on `as_of_date` falls out last.
    """
    known = statements.where(F.col("recorded_at") <= F.lit(known_at))
    if contract.delivery == "snapshot":
        # All lines of one file share stated_on and number, so the whole delivery stands or falls.
        newest = Window.partitionBy("scope_key").orderBy(*_descending(_NEWEST[:3]))
        kept = known.withColumn("_rank", F.dense_rank().over(newest))
    else:
        newest = Window.partitionBy(*(key or contract.key)).orderBy(*_descending(_NEWEST))
        kept = known.withColumn("_rank", F.row_number().over(newest))
    today = F.lit(as_of_date)
    return (
        kept.where((F.col("_rank") == 1) & ~F.col("is_withdrawn"))
        .where((F.col("valid_from") <= today) & (F.col("valid_to").isNull() | (F.col("valid_to") > today)))
        .drop("_rank")
    )


def in_force_sql(source: str, delivery: str, key: Sequence[str], as_of_date: date, known_at: datetime) -> str:
    """A SELECT of DuckDB over `source` (a relation with the statement columns): its rows in force, whole.

    `delivery` and `key` are the contract's.
    """
    is_snapshot = delivery == "snapshot"
    rank = "dense_rank" if is_snapshot else "row_number"
    by = ["scope_key"] if is_snapshot else [*key]
    newest = _NEWEST[:3] if is_snapshot else _NEWEST
    order = ", ".join(f"{name} desc nulls last" for name in newest)
    day = f"date '{as_of_date.isoformat()}'"
    return (
        f"select * from {source} where recorded_at <= timestamptz '{known_at.isoformat()}'"
        f" qualify {rank}() over (partition by {', '.join(by)} order by {order}) = 1 and not is_withdrawn"
        f" and valid_from <= {day} and (valid_to is null or valid_to > {day})"
    )


def _descending(columns: Sequence[str]) -> list[Column]:
    return [F.col(name).desc_nulls_last() for name in columns]
