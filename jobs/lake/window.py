"""The window on history: the one reader of clean and decision tables, for `asof`, relations, decisions, dbt.

`opened` shows some tables at two dates, each in the four views of `jobs.lake.history`. DuckDB makes them in
this process over the files of one version of each table, so a small question starts no Java. Where the tables
asked about hold more rows than the site's `rows_in_process`, Spark makes them from the same texts.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from jobs import clock, declare
from jobs.lake import history, persons, tables, withdrawals
from jobs.lake.history import ASKED, PERSON, VIEWS, WITHDRAWN, WRITTEN
from jobs.settings import Settings, UserError
from jobs.sql import literals, parquet

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

_READABLE_FEATURES = {"timestampNtz"}
# What decides which statements count, and of whom: every window reads it.
FACTS = (persons.LINKS, withdrawals.TABLE)


class PinError(RuntimeError):
    """A Delta table that a plain list of its files would misread; names table, version and what to do."""

    def __init__(self, table: str, version: int, problem: str, way_out: str) -> None:
        super().__init__(f"{table} at version {version}: {problem}. {way_out}")
        self.table = table
        self.version = version


@dataclass(frozen=True)
class Window:
    """Some tables at two dates, on one engine."""

    _name: history.Name
    _ask: Callable[[str], pa.Table]
    # Where DuckDB answers: for statements that are more than one SELECT.
    connection: duckdb.DuckDBPyConnection | None = None

    def of(self, view: str, dataset: str) -> str:
        """What a query reads from: one view of a dataset's clean table, or of a decision table."""
        contract = declare.load().get(dataset)
        return self._name(view, contract.table if contract else dataset)

    def arrow(self, query: str) -> pa.Table:
        """The rows of one SELECT, in words that both engines know; instants in UTC."""
        found = self._ask(query)
        instant = pa.timestamp("us", tz="UTC")
        kinds = [instant if pa.types.is_timestamp(f.type) and f.type.tz else f.type for f in found.schema]
        return found.cast(pa.schema(list(zip(found.schema.names, kinds, strict=True))))

    def frame(self, query: str) -> pd.DataFrame:
        """The same as a frame: dates and decimals as Python's."""
        return self.arrow(query).to_pandas()


@contextmanager
def opened(
    settings: Settings,
    as_of_date: date,
    known_at: datetime,
    datasets: Iterable[str],
    spark: Callable[[], SparkSession] | None = None,
    rows: Mapping[str, Callable[[str], str]] | None = None,
    views: Sequence[str] = VIEWS,
) -> Iterator[Window]:
    """The window on the clean tables of some datasets, and on decision tables named as such.

    A table that was never written is empty. `spark` opens a session; it is called where the rows outgrow this
    process, and nowhere else. Without it DuckDB answers whatever the size. `rows`: of a table, the query that
    takes the place of its own, which it is given: what would be asked with further rows. `views`: those that
    are asked, and what they read.
    """
    declared = declare.load()
    names = [declared[d].table if d in declared else d for d in datasets]
    found = {name: tables.open_table(settings, name) for name in names}
    row_count = sum(delta.count() for delta in found.values() if delta)
    if spark is not None and row_count > settings.rows_in_process:
        with _in_spark(settings, spark(), names, as_of_date, known_at, views) as window:
            yield window
        return
    with duckdb.connect() as connection:
        facts = {name: tables.open_table(settings, name) for name in FACTS}
        create_views(connection, facts | found, as_of_date, known_at, views, rows)
        yield Window(history.dotted, lambda query: connection.sql(query).to_arrow_table(), connection)


def newest_known(settings: Settings) -> datetime:
    """The end of `newest_day`. Raises UserError where there is none."""
    newest = newest_day(settings)
    if newest is None:
        raise UserError(f"the lake of {settings.site} holds no statement yet.", settings.command("run"))
    return clock.end_of_day(newest, settings.timezone)


def newest_day(settings: Settings) -> date | None:
    """The newest day of a delivery that has a receipt and stands, of those until today."""
    today = clock.today(settings.timezone)
    receipts = tables.rows(settings, "ops__receipt", ["delivery_id", "received_date"])
    days = [(r["delivery_id"], r["received_date"]) for r in receipts if r["received_date"] <= today]
    return withdrawals.newest_standing(days, withdrawals.load(settings))


def _asked(as_of_date: date, known_at: datetime) -> pa.Table:
    """ASKED: the two dates, as a relation that both engines take."""
    schema = declare.arrow_schema({"as_of_date": "date", "known_at": "timestamp"})
    return pa.table([[as_of_date], [known_at]], schema=schema)


def _pairs(known_persons: Mapping[str, str]) -> pa.Table:
    """PERSON: token and key where they differ."""
    schema = declare.arrow_schema({"person_token": "string", "pupil_key": "string"})
    return pa.table([[*known_persons], [*known_persons.values()]], schema=schema)


def _gone(deliveries: Iterable[str]) -> pa.Table:
    """WITHDRAWN: one row per delivery."""
    return pa.table({"delivery_id": pa.array(sorted({*deliveries}), pa.string())})


# DuckDB


def create_views(
    connection: duckdb.DuckDBPyConnection,
    found: Mapping[str, DeltaTable | None],
    as_of_date: date,
    known_at: datetime,
    views: Sequence[str] = VIEWS,
    rows: Mapping[str, Callable[[str], str]] | None = None,
) -> list[str]:
    """Make schema `lake` (each table as written, empty and typed where there is none) and a schema for each
    view; returns the files that they read. Doing it again replaces them. Persons are resolved by the links
    among `found`, and deliveries left out by its withdrawals.

    Raises PinError for a table that its list of files would misread, ContractError for one that nobody
    declares.
    """
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"create schema if not exists {WRITTEN}")
    files: list[str] = []
    for table, delta in found.items():
        own = tables.files(delta)
        files += own
        text = written(table, delta, own)
        if rows and table in rows:
            text = rows[table](text)
        connection.execute(f"create or replace view {WRITTEN}.{table} as {text}")
    has_links = found.get(persons.LINKS) or (rows and persons.LINKS in rows)
    links = _links(connection) if has_links else []
    known_persons = persons.resolve(persons.in_force(links, known_at))
    gone = _gone_by(connection, known_at) if found.get(withdrawals.TABLE) else []
    made = {ASKED: _asked(as_of_date, known_at), PERSON: _pairs(known_persons), WITHDRAWN: _gone(gone)}
    for name, rows in made.items():
        connection.register("_rows", rows)
        connection.execute(f"create or replace table {WRITTEN}.{name} as from _rows")
        connection.unregister("_rows")
    # Written out: DuckDB joins a date that a query tells, expects no row of that join, and builds its hash
    # tables on the many rows instead of the few. Five million rows took more than 5.5 GiB so.
    dates = {
        history.asked("as_of_date"): f"date {literals(as_of_date.isoformat())}",
        history.asked("known_at"): f"timestamptz {literals(known_at.isoformat())}",
    }
    for view in views:
        connection.execute(f"create schema if not exists {view}")
        for table in found:
            if not table.startswith("ops__"):
                text = history.text(view, table)
                for told, day in dates.items():
                    text = text.replace(told, day)
                connection.execute(f"create or replace view {view}.{table} as {text}")
    return files


def _links(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    return connection.sql(f"from {WRITTEN}.{persons.LINKS}").to_arrow_table().to_pylist()


def _gone_by(connection: duckdb.DuckDBPyConnection, known_at: datetime) -> list[str]:
    query = f"select delivery_id from {WRITTEN}.{withdrawals.TABLE} where recorded_at <= ?"
    return [delivery for (delivery,) in connection.execute(query, [known_at]).fetchall()]


def written(table: str, delta: DeltaTable | None, files: Sequence[str]) -> str:
    """The SELECT of a table as it was written: its declared columns; empty and typed where there is none."""
    declared = declare.table_columns(table)
    present = _checked(table, delta, declared) if delta else set()
    columns = ", ".join(
        f'"{name}"' if files and name in present else f'null::{declare.duckdb_type(kind)} as "{name}"'
        for name, kind in declared.items()
    )
    if not files:
        return f"select {columns} where false"
    return f"select {columns} from {parquet(*files)}"


def _checked(table: str, delta: DeltaTable, declared: dict[str, str]) -> set[str]:
    """The table's columns, of the declared types. Raises PinError where the file list is not the table."""
    version = delta.version()
    metadata, protocol = delta.metadata(), delta.protocol()
    features = set(protocol.reader_features or ()) - _READABLE_FEATURES
    # The legacy protocol 2/5 switches column mapping on by configuration alone.
    if metadata.configuration.get("delta.columnMapping.mode", "none") != "none":
        features.add("columnMapping")
    if features:
        raise PinError(
            table,
            version,
            f"uses {', '.join(sorted(features))}, which a list of Parquet files does not show",
            "Write it again without (jobs.lake.tables.PLAIN_TABLE turns them off)",
        )
    if metadata.partition_columns:
        raise PinError(
            table,
            version,
            f"is partitioned by {', '.join(metadata.partition_columns)}: those columns are not in its files",
            "Write it again without partitions",
        )
    found = {field.name: _arrow(field) for field in pa.schema(delta.schema().to_arrow())}
    for name, kind in declared.items():
        if name in found and found[name] != declare.arrow_type(kind):
            raise PinError(
                table,
                version,
                f"column {name} is {found[name]}, declared as {kind}",
                "Put the declaration or the job that writes it right",
            )
    return set(found)


def _arrow(field: pa.Field) -> pa.DataType:
    """The type without what Delta does not tell apart: names and nullability of list items, views."""
    kind = field.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_list_view(kind):
        return pa.list_(pa.string()) if _is_text(kind.value_type) else kind
    return pa.string() if _is_text(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


# Spark


@contextmanager
def _in_spark(
    settings: Settings,
    spark: SparkSession,
    names: Sequence[str],
    as_of_date: date,
    known_at: datetime,
    views: Sequence[str],
) -> Iterator[Window]:
    """The same views as temporary ones of a session, under names of this window alone."""
    window, made = f"window_{uuid.uuid4().hex[:8]}", []

    def named(view: str, table: str) -> str:
        return f"{window}__{view}__{table}"

    def create(view: str, table: str, frame: Any) -> None:
        frame.createOrReplaceTempView(named(view, table))
        made.append(named(view, table))

    create(WRITTEN, ASKED, spark.createDataFrame(_asked(as_of_date, known_at)))
    pairs = _pairs(persons.persons(settings, known_at))
    create(WRITTEN, PERSON, spark.createDataFrame(pairs, "person_token string, pupil_key string"))
    gone = [one.delivery_id for one in withdrawals.load(settings).values() if one.recorded_at <= known_at]
    create(WRITTEN, WITHDRAWN, spark.createDataFrame(_gone(gone), "delivery_id string"))
    try:
        for table in names:
            create(WRITTEN, table, _declared(spark, settings, table))
            for view in views:
                create(view, table, spark.sql(history.text(view, table, named)))
        yield Window(named, lambda query: spark.sql(query).toArrow())
    finally:
        for name in made:
            spark.catalog.dropTempView(name)


def _declared(spark: SparkSession, settings: Settings, table: str) -> Any:
    """A table as written with all its declared columns; null where an older version has no such column."""
    from pyspark.sql import functions as F

    frame = tables.read(spark, settings, table)
    present = set(frame.columns)
    return frame.select(
        *(
            F.col(name) if name in present else F.lit(None).cast(declare.spark_type(kind)).alias(name)
            for name, kind in declare.table_columns(table).items()
        )
    )
