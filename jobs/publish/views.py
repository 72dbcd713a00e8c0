"""dbt-duckdb plugin: pinned versions of the lake's Delta tables as views, one version each for a whole build.

Reads a pins file that `jobs.publish.marts` writes once per build (table -> path and version) and makes as the
connection opens, schema `lake` (every declared table but the raw ones; empty and typed where this site has
none) and schema `standards` (code lists and dated targets of `expectations/`, as text). The views need no
extension: they read the file list of the pinned version, which is the table only as long as nobody uses Delta
features that change its meaning.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from dbt.adapters.duckdb.plugins import BasePlugin
from deltalake import DeltaTable
from duckdb import DuckDBPyConnection

from jobs import declare
from jobs.declare import EXPECTATIONS, standards
from jobs.sql import literals

SCHEMA = "lake"
STANDARDS_SCHEMA = "standards"
# Dated standards that marts join, beside all code lists.
STANDARDS = {
    "plan_indicator_target": "evaluation/plan_indicators",
    "fitness_eyesight": "fitness/eyesight",
    "fitness_item": "fitness/items",
    "plan_place_target": "places/plan_places",
    "portal_text": "portal/texts",
}
# Tables that each edition of the fitness standard has in a folder of its own.
EDITION_STANDARDS = {"fitness_level": "levels", "fitness_weight": "weights"}

_READABLE_FEATURES = {"timestampNtz"}


class PinError(RuntimeError):
    """A Delta table that a plain list of its files would misread; names table, version and what to do."""

    def __init__(self, table: str, version: int, problem: str, way_out: str) -> None:
        super().__init__(f"{table} at version {version}: {problem}. {way_out}")
        self.table = table
        self.version = version


class Plugin(BasePlugin):
    """Makes the views when dbt opens its connection; `pins_file` comes from the profile."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        pins: dict[str, dict[str, Any]] = json.loads(Path(self._config["pins_file"]).read_text("utf-8"))
        create_views(conn, pins)

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        self._config = plugin_config


def create_views(conn: DuckDBPyConnection, pins: dict[str, dict[str, Any]]) -> None:
    """Views of every declared table at its pinned version.

    Raises PinError for one that cannot be read so, ContractError for one that nobody declares.
    """
    for name in pins:
        declare.table_columns(name)
    conn.execute(f"create schema if not exists {SCHEMA}")
    for table in declare.all_tables():
        conn.execute(f"create or replace view {SCHEMA}.{table} as {_query(table, pins.get(table))}")
    conn.execute(f"create schema if not exists {STANDARDS_SCHEMA}")
    for name, query in standard_queries().items():
        conn.execute(f"create or replace view {STANDARDS_SCHEMA}.{name} as {query}")


def standard_queries() -> dict[str, str]:
    """View name -> its SELECT: all code lists, the dated standards that marts join, and the tables of every
    edition of the fitness standard, told apart by `standard_version`.
    """
    lists = {
        path.stem: _csv(declare.code_file(path.stem))
        for path in sorted((EXPECTATIONS / "codes").glob("*.csv"))
    }
    dated = {view: _csv(standards.file(name)) for view, name in STANDARDS.items()}
    editions = {
        view: " union all by name ".join(
            _csv(
                standards.file(f"fitness/{edition['folder']}/{name}"),
                f"*, {literals(edition['standard_version'])} as standard_version",
            )
            for edition in standards.rows("fitness/editions")
        )
        for view, name in EDITION_STANDARDS.items()
    }
    return lists | dated | editions


def _csv(path: Path, columns: str = "*") -> str:
    options = "header = true, all_varchar = true, delim = ',', quote = '\"'"
    return f"select {columns} from read_csv({literals(path)}, {options})"


def _query(table: str, pin: dict[str, Any] | None) -> str:
    declared = declare.table_columns(table)
    files: list[str] = []
    present: set[str] = set()
    if pin is not None:
        delta = DeltaTable(pin["path"], version=pin["version"])
        present = _checked(table, delta, declared)
        files = sorted(delta.file_uris())
    columns = [
        f'"{name}"' if files and name in present else f'null::{declare.duckdb_type(kind)} as "{name}"'
        for name, kind in declared.items()
    ]
    if not files:
        return f"select {', '.join(columns)} where false"
    listed = literals(*files)
    return f"select {', '.join(columns)} from read_parquet([{listed}], union_by_name = true)"


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
