"""Each clean and decision table, read by the programs of others: the same rows, columns and types by all.

DuckDB's own extension for Delta is fetched from the network, so DuckDB reads by way of Arrow, as our how-to
says; and through the plain list of files, as our own commands do.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from jobs import declare
from jobs.lake import tables
from jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

POLARS = {
    "string": pl.String(),
    "int": pl.Int32(),
    "bigint": pl.Int64(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
    "bool": pl.Boolean(),
    "double": pl.Float64(),
    "array<string>": pl.List(pl.String()),
}


def polars_type(word: str) -> pl.DataType:
    if found := re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", word):
        return pl.Decimal(int(found[1]), int(found[2]))
    return POLARS[word]


@pytest.fixture(scope="module")
def written(lake: Settings) -> dict[str, DeltaTable]:
    """Every clean and decision table that this lake has written; those of persons, too."""
    opened = {name: tables.open_table(lake, name) for name in declare.all_tables()}
    found = {name: t for name, t in opened.items() if t and name.startswith(("clean_", "decision_"))}
    assert len([name for name in found if name.startswith("decision_")]) > 20
    assert len(found) > 50
    return found


@pytest.fixture(scope="module")
def counted(written: dict[str, DeltaTable]) -> dict[str, int]:
    """Their rows, by the footers of their files alone."""
    rows = {
        name: sum(pq.read_metadata(file).num_rows for file in tables.files(t)) for name, t in written.items()
    }
    assert sum(rows.values()) > 10_000
    return rows


def declared(names: dict[str, DeltaTable]) -> dict[str, dict[str, str]]:
    return {name: declare.table_columns(name) for name in names}


def test_delta_rs_reads_them(written: dict[str, DeltaTable], counted: dict[str, int]) -> None:
    assert {name: t.count() for name, t in written.items()} == counted
    for name, t in written.items():
        assert [field.name for field in t.schema().fields] == [*declare.table_columns(name)], name


def test_polars_reads_them(written: dict[str, DeltaTable], counted: dict[str, int]) -> None:
    frames = {name: pl.scan_delta(t.table_uri).collect() for name, t in written.items()}
    assert {name: frame.height for name, frame in frames.items()} == counted
    wanted = {
        name: {column: polars_type(word) for column, word in columns.items()}
        for name, columns in declared(written).items()
    }
    assert {name: dict(frame.schema) for name, frame in frames.items()} == wanted


def test_duckdb_reads_them_by_way_of_arrow(
    lake: Settings, written: dict[str, DeltaTable], counted: dict[str, int]
) -> None:
    for name in written:
        with duckdb.connect() as db:
            db.register("t", tables.open_arrow(lake, name))
            assert db.execute("select count(*) from (select * from t)").fetchall() == [(counted[name],)], name
            found = {row[0]: row[1] for row in db.execute("describe t").fetchall()}
        types = {column: declare.duckdb_type(word) for column, word in declare.table_columns(name).items()}
        with duckdb.connect() as db:
            columns = ", ".join(f'null::{kind} as "{column}"' for column, kind in types.items())
            wanted = {row[0]: row[1] for row in db.execute(f"describe select {columns}").fetchall()}
        assert found == wanted, name


def test_spark_reads_them(
    spark: SparkSession, written: dict[str, DeltaTable], counted: dict[str, int]
) -> None:
    paths = {name: str(Path(t.table_uri.removeprefix("file://"))) for name, t in written.items()}
    counts = " union all ".join(
        f"select '{name}' as name, count(*) as rows from delta.`{path}`" for name, path in paths.items()
    )
    found: pa.Table = spark.sql(counts).toArrow()
    assert {row["name"]: row["rows"] for row in found.to_pylist()} == counted
    for name, path in paths.items():
        kinds = dict(spark.read.format("delta").load(path).dtypes)
        wanted = {column: declare.spark_type(word) for column, word in declare.table_columns(name).items()}
        assert {column: kind.replace(" ", "") for column, kind in kinds.items()} == {
            column: kind.replace(" ", "") for column, kind in wanted.items()
        }, name
