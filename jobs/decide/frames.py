"""What all services share: reading statements in force, appending decisions once with run and vintage."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import declare
from jobs.lake import persons, tables
from jobs.lake.history import in_force
from jobs.lake.runs import Run
from jobs.settings import Settings


def in_force_rows(settings: Settings, spark: SparkSession, run: Run, dataset: str) -> DataFrame:
    contract = declare.load()[dataset]
    statements = persons.resolved(spark, settings, tables.read(spark, settings, contract.table), run.known_at)
    return in_force(statements, contract, run.as_of_date, run.known_at)


def typed(table: str) -> list[Any]:
    return [F.col(n).cast(declare.spark_type(k)).alias(n) for n, k in declare.table_columns(table).items()]


def append_frame(settings: Settings, run: Run, table: str, rows: pd.DataFrame) -> None:
    """Append decisions of this run, once: `run_id` and `recorded_at` are put in front.

    Without the engine, for what is a frame already: a job of Spark for a few rows takes seconds.
    """
    if rows.empty:
        return
    rows = rows.assign(run_id=run.run_id, recorded_at=run.known_at)
    schema = declare.arrow_schema(declare.table_columns(table))
    arrow = pa.Table.from_pandas(rows[schema.names], schema=schema, preserve_index=False)
    tables.append_rows(settings, table, arrow, run.run_id, run.run_id)


def tenths(value: float) -> Decimal | None:
    return Decimal(f"{value:.1f}") if pd.notna(value) else None


def hundredths(value: float, form: str = "{:.2f}") -> Decimal:
    return Decimal(form.format(value))
