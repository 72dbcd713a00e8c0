"""Take rows out of Delta tables so that no file keeps them: not the old Parquet files, not the log.

A Delta delete leaves the old files for the sake of old versions, and its own condition in the log. Here a
table is written again without the rows, and then its old files and the log before that go. What a table says
of other pupils stays answerable at every date, for dates are columns of its rows and not versions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, WriterProperties, write_deltalake

from jobs.lake import tables
from jobs.settings import Settings
from jobs.sql import parquet


def written(settings: Settings) -> list[str]:
    """Return the names of all Delta tables of the site, those that nobody declares too."""
    roots = (settings.lake, settings.restricted)
    return sorted(log.parent.name for root in roots for log in root.glob("*/_delta_log"))


def columns(settings: Settings, table: str) -> set[str]:
    """The columns of a table as it is written."""
    found = tables.open_table(settings, table)
    return {field.name for field in found.schema().fields} if found else set()


def count(settings: Settings, table: str, gone: str) -> int:
    """How many rows of a table a condition holds for."""
    files = tables.files(tables.open_table(settings, table))
    if not files:
        return 0
    return int(duckdb.execute(f"select count(*) from {parquet(*files)} where {gone}").fetchall()[0][0])


def distinct(settings: Settings, table: str, column: str, where: str) -> list[str]:
    """The different texts of a column, where a condition holds."""
    files = tables.files(tables.open_table(settings, table))
    if not files:
        return []
    rows = parquet(*files)
    asked = f"select distinct {column} from {rows} where {where} and {column} is not null order by all"
    return [text for (text,) in duckdb.execute(asked).fetchall()]


def rewrite(settings: Settings, table: str, gone: str, changed: str = "*") -> int:
    """Write a table again without the rows for which `gone` holds, and leave nothing of before.

    `changed` is what is selected: `* replace (…)` changes rows that stay. Returns how many rows went. Called
    again it changes nothing. A table without such a row keeps its version, and loses its old files alone.
    """
    found = tables.open_table(settings, table)
    if found is None:
        return 0
    went = 0
    if files := tables.files(found):
        rows = parquet(*files)
        with duckdb.connect(config={"threads": 2}) as db:
            db.execute("set TimeZone = 'UTC'")
            is_gone = f"coalesce({gone}, false)"
            went = db.execute(f"select count(*) from {rows} where {is_gone}").fetchall()[0][0]
            if went or changed != "*":
                schema = pa.schema(found.schema().to_arrow())
                kept = db.sql(f"select {changed} from {rows} where not {is_gone}")
                batches = kept.to_arrow_reader(tables.ROW_GROUP)
                listed = (batch.select(schema.names).cast(schema) for batch in batches)
                _overwrite(settings, table, pa.RecordBatchReader.from_batches(schema, listed))
    sweep(settings, table)
    return int(went)


def rewrite_rows(settings: Settings, table: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Write a small table again with each row changed, and leave nothing of before."""
    found = tables.open_table(settings, table)
    if found is None:
        return
    rows = tables.rows(settings, table)
    if (fresh := [change(row) for row in rows]) != rows:
        schema = pa.schema(found.schema().to_arrow())
        _overwrite(settings, table, pa.Table.from_pylist(fresh, schema=schema).to_reader())
    sweep(settings, table)


def _overwrite(settings: Settings, table: str, rows: pa.RecordBatchReader) -> None:
    write_deltalake(
        str(tables.path(settings, table)),
        rows,
        mode="overwrite",
        writer_properties=WriterProperties(max_row_group_size=tables.ROW_GROUP),
        commit_properties=CommitProperties(custom_metadata={"run_id": "forget"}),
    )


def sweep(settings: Settings, table: str) -> None:
    """Remove what no version of today reads: old files, and the log before a checkpoint of today."""
    found = tables.open_table(settings, table)
    if found is None:
        return
    found.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
    found = tables.open_table(settings, table)
    assert found is not None
    found.create_checkpoint()
    for file in (tables.path(settings, table) / "_delta_log").iterdir():
        if _version(file) is not None and (_version(file) or 0) < found.version():
            file.unlink()


def _version(file: Path) -> int | None:
    """The version that a file of a log is about; Spark hides its checksums behind a point."""
    number = file.name.lstrip(".")[:20]
    return int(number) if number.isdigit() else None
