"""The lake's Delta tables, addressed by path: where they lie, how they are appended to, which version a run
reads.

Clean tables and scores are written by Spark; raw lines, the general copies of clean rows, decisions and the
small `ops__` tables by delta-rs, which needs no engine. Every append carries a transaction id, so that a
repeated one (or the ghost of a killed client, which may commit later) writes nothing twice.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from jobs import declare
from jobs.settings import DamagedError, Settings, UserError
from jobs.sql import file_literals, identifier

if TYPE_CHECKING:
    # Most commands read a few small tables: they wait neither for Spark nor for pandas, which Arrow's
    # datasets load.
    import duckdb
    import pyarrow.dataset as ds
    from pyspark.sql import DataFrame, SparkSession

# Rows of people stand apart: raw as sent, what senders typed, and the keys that lead back to persons;
# `contracts` knows the others.
_RESTRICTED = ("raw_", "person_", "receipt_")

# Readers other than Spark take the plain file list of a version; these features would make it wrong.
PLAIN_TABLE = {
    "delta.enableDeletionVectors": "false",
    "delta.columnMapping.mode": "none",
    # Statistics of each column would cost an append a third more; few readers skip files, and by the key.
    "delta.dataSkippingNumIndexedCols": "4",
}

ROW_GROUP = 50_000

_ALREADY_DONE = ("DELTA_CONCURRENT_TRANSACTION", "ConcurrentTransactionException")


def path(settings: Settings, table: str) -> Path:
    """Where a table lies; what tells of persons below `restricted/`."""
    is_restricted = table.startswith(_RESTRICTED) or declare.is_restricted(table)
    return (settings.restricted if is_restricted else settings.lake) / table


def check_version(settings: Settings) -> None:
    """Raises UserError for a lake that an earlier version made: values of persons outside their zone, or
    tables of `ops__` with other columns than are declared today.
    """
    astray = [table for table in declare.all_tables() if (settings.lake / table) != path(settings, table)]
    if found := [table for table in astray if (settings.lake / table).exists()]:
        problem = f"{settings.lake / found[0]} holds values of persons outside {settings.restricted}"
    elif other := _other_columns(settings):
        problem = f"{settings.lake / other[0]} has other columns: {', '.join(other[1])}"
    else:
        return
    raise UserError(
        f"{problem}: an earlier version made this lake.",
        "Landing is kept: move the folders `lake` and `releases` away, and run again.",
    )


def _other_columns(settings: Settings) -> tuple[str, list[str]] | None:
    for table in (table for table in declare.all_tables() if table.startswith("ops__")):
        if (found := open_table(settings, table)) is not None:
            present = {field.name for field in found.schema().fields}
            if other := present ^ declare.table_columns(table).keys():
                return table, sorted(other)
    return None


def open_table(settings: Settings, table: str, version: int | None = None) -> DeltaTable | None:
    """The table by delta-rs, or None where nothing has been written to it yet.

    Raises DamagedError for a table that was written and cannot be opened: it must never look empty.
    """
    where = path(settings, table)
    try:
        if (where / "_delta_log").is_dir():
            return DeltaTable(str(where), version=version)
    except TableNotFoundError:
        pass
    except (DeltaError, OSError, ValueError) as error:
        raise DamagedError(f"the log of table {table} is damaged: {str(error).splitlines()[0]}") from error
    if _was_written(settings, where):
        raise DamagedError(f"the log of table {table} is gone: {where}/_delta_log")
    return None


def spare(settings: Settings) -> Path:
    """Where the second copy lies (`jobs.lake.spare`)."""
    return settings.restricted / "spare"


def _was_written(settings: Settings, where: Path) -> bool:
    """Whether the second copy has a log of the table; false for who may not see it."""
    if not os.access(settings.restricted, os.R_OK | os.X_OK):
        return False
    return (spare(settings) / "lake" / where.relative_to(settings.lake) / "_delta_log").is_dir()


def files(table: DeltaTable | None) -> list[str]:
    """The files that hold the rows of a table's version, sorted; none where nothing was written."""
    # delta-rs names them by addresses, in which `教 育` is `%E6%95%99%20%E8%82%B2`.
    return sorted(unquote(address) for address in table.file_uris()) if table else []


def open_arrow(settings: Settings, table: str) -> ds.Dataset | None:
    """The rows of a table for Arrow to read without an engine, or None where nothing has been written yet."""
    found = open_table(settings, table)
    if found is None:
        return None
    from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

    # delta-rs would hand Arrow a file system written in Python. Arrow's threads let go of it when they come
    # to it, and one that does so while the interpreter ends aborts the process, its work well done.
    folder = SubTreeFileSystem(str(path(settings, table)), LocalFileSystem())
    return found.to_pyarrow_dataset(filesystem=folder)


def append(df: DataFrame, settings: Settings, table: str, app_id: str, run_id: str) -> None:
    """Append a Spark frame once: a second call with the same `app_id` writes nothing.

    The frame's columns must be the table's declared ones. When another commit of the same transaction won
    the race (the ghost of a killed client), the rows stand there already, and that is no error.
    """
    from pyspark.errors import PySparkException

    writer = (
        df.write.format("delta")
        .mode("append")
        .option("mergeSchema", "true")
        .option("txnAppId", f"{table}/{app_id}")
        .option("txnVersion", 1)
        .option("userMetadata", json.dumps({"run_id": run_id}))
    )
    for name, value in PLAIN_TABLE.items():
        writer = writer.option(name, value)
    try:
        writer.save(str(path(settings, table)))
    except PySparkException as error:
        if not any(word in str(error) for word in _ALREADY_DONE):
            raise


def read(spark: SparkSession, settings: Settings, table: str) -> DataFrame:
    """A table as a Spark frame; empty and typed where the site has none."""
    if open_table(settings, table) is None:
        return spark.createDataFrame([], declare.spark_ddl(declare.table_columns(table)))
    return spark.read.format("delta").load(str(path(settings, table)))


def raw_lines(settings: Settings, feed: str, batch_id: str | None = None) -> str:
    """Raw lines of a feed, or of one batch, as what a query of DuckDB reads from; the table must have been
    written. Files that hold nothing of the batch are not opened.
    """
    found = DeltaTable(str(path(settings, f"raw_{feed}")))
    actions = pa.table(found.get_add_actions(flatten=True)).to_pylist()
    if batch_id is not None:
        least, most = "min._batch_id", "max._batch_id"
        actions = [a for a in actions if (a.get(least) or batch_id) <= batch_id <= (a.get(most) or batch_id)]
    folder = path(settings, f"raw_{feed}")
    listed = file_literals(*(folder / unquote(action["path"]) for action in actions))
    which = f" where _batch_id = '{batch_id}'" if batch_id is not None else ""
    return f"(select * from read_parquet([{listed}]){which})"


def append_rows(
    settings: Settings,
    table: str,
    rows: Sequence[Mapping[str, Any]] | pa.Table,
    app_id: str,
    run_id: str,
    schema: pa.Schema | None = None,
) -> None:
    """Append a few rows without an engine, once per `app_id`; `schema` for a table that is not declared."""
    if not len(rows):
        return
    schema = schema or declare.arrow_schema(declare.table_columns(table))
    if isinstance(rows, pa.Table):
        batch = rows.select(schema.names).cast(schema)
    else:
        batch = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    for attempt in range(5):
        try:
            append_batches(settings, table, iter(batch.to_batches()), schema, app_id, run_id)
            return
        except CommitFailedError:
            if attempt == 4:
                raise


def append_batches(
    settings: Settings,
    table: str,
    batches: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    app_id: str,
    run_id: str,
) -> None:
    """Append record batches as they come, without an engine, once per `app_id`; nothing where none comes.

    Batches of a transaction that stands already are taken all the same, and not written.
    """
    first = next(batches, None)
    if first is None:
        return
    transaction = f"{table}/{app_id}"
    existing = open_table(settings, table)
    if existing is not None and existing.transaction_version(transaction) is not None:
        for _ in batches:
            pass
        return
    write_deltalake(
        str(path(settings, table)),
        pa.RecordBatchReader.from_batches(schema, chain([first], batches)),
        mode="append",
        # A table written before a column was declared gets it; its older rows have null there.
        schema_mode="merge",
        configuration=PLAIN_TABLE,
        # Spark shares a file out among its cores by row groups.
        writer_properties=WriterProperties(max_row_group_size=ROW_GROUP),
        commit_properties=CommitProperties(
            custom_metadata={"run_id": run_id}, app_transactions=[Transaction(transaction, 1)]
        ),
    )


def rows(
    settings: Settings,
    table: str,
    columns: list[str] | None = None,
    version: int | None = None,
    only: tuple[str, Collection[str]] | None = None,
) -> list[dict[str, Any]]:
    """All rows of a small table (at a version: now) as dictionaries; none where it does not exist. `only`: a
    column of those read and the values of it that are wanted.

    Raises DamagedError where a file of it is gone or cannot be read.
    """
    from pyarrow.parquet import ParquetFile

    found = open_table(settings, table, version)
    if found is None:
        return []
    names = columns or [field.name for field in found.schema().fields]
    folder = path(settings, table)
    listed: list[dict[str, Any]] = []
    for file in found.get_add_actions()["path"].to_pylist():
        try:
            held = ParquetFile(folder / file, memory_map=True).read(columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise DamagedError(f"a file of table {table} is damaged: {folder / file}") from error
        if only is not None:
            held = _of(held, *only)
        values = dict(zip(held.schema.names, map(_values, held.columns), strict=True))
        # A file written before the table had a column holds null for it.
        missing = [None] * len(held)
        cells = zip(*(values.get(name, missing) for name in names), strict=True)
        listed += [dict(zip(names, row, strict=True)) for row in cells]
    return listed


def _of(held: pa.Table, column: str, wanted: Collection[str]) -> pa.Table:
    # Row by row: Arrow filters no views of texts, and few rows are wanted.
    values, known = held[column].to_pylist(), frozenset(wanted)
    return pa.concat_tables(
        [held.slice(0, 0), *(held.slice(at, 1) for at, v in enumerate(values) if v in known)]
    )


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Python values of a column; Arrow would load pandas to make an instant of Delta's microseconds."""
    if not pa.types.is_timestamp(column.type):
        return column.to_pylist()
    since = datetime(1970, 1, 1, tzinfo=UTC)
    instants = (value for chunk in column.chunks for value in chunk.view(pa.int64()).to_pylist())
    return [None if value is None else since + timedelta(microseconds=value) for value in instants]


def pin(settings: Settings) -> dict[str, int]:
    """Table -> version, of every declared table that exists: what a run reads from now on."""
    opened = {table: open_table(settings, table) for table in declare.all_tables()}
    return {table: found.version() for table, found in opened.items() if found is not None}


def readable(settings: Settings) -> list[str]:
    """The declared tables that this user may ask: those of persons where `restricted/` is open to him."""
    may_see = os.access(settings.restricted, os.R_OK | os.X_OK)
    return [table for table in declare.all_tables() if may_see or not declare.is_restricted(table)]


def create_views(
    connection: duckdb.DuckDBPyConnection, settings: Settings, names: Iterable[str]
) -> list[str]:
    """Make a view of each of these tables that exists: all statements, no window. Returns their files."""
    read: list[str] = []
    for table in names:
        if own := files(open_table(settings, table)):
            listed = file_literals(*own)
            connection.execute(f"create view {identifier(table)} as from read_parquet([{listed}])")
            read += own
    return read
