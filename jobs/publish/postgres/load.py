"""Copy the tables of a release into a new schema of PostgreSQL: Arrow batches through COPY."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv as arrow_csv
from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier, Literal

from jobs.publish.postgres import access
from jobs.publish.release import CITY
from jobs.settings import UserError
from jobs.sql import identifier

_BATCH_ROWS = 20_000
_TYPES = {
    "VARCHAR": "text",
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "UTINYINT": "smallint",
    "USMALLINT": "integer",
    "UINTEGER": "bigint",
    "UBIGINT": "numeric(20)",
    "HUGEINT": "numeric(39)",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}
_NESTED = re.compile(r"MAP\(|STRUCT\(|.*\[\d*\]$|JSON$")
# Called after each table: its name, its rows.
Progress = Callable[[str, int], None]


def type_of(kind: str) -> str:
    """The type in PostgreSQL of a type of DuckDB; lists, maps and structs are `jsonb`."""
    if kind.startswith("DECIMAL"):
        return f"numeric{kind.removeprefix('DECIMAL')}"
    return "jsonb" if _NESTED.match(kind) else _TYPES[kind]


def load(
    connection: Connection[Any],
    reader: duckdb.DuckDBPyConnection,
    name: str,
    schema: str,
    tables: Mapping[str, Mapping[str, Any]],
    told: Mapping[str, Mapping[str, str]],
    progress: Progress,
) -> None:
    """Make `schema` with these tables and comments, read from a release that `reader` has open.

    One transaction, the caller's. Raises UserError where PostgreSQL has other rows than the manifest says.
    """
    connection.execute(SQL("create schema {}").format(Identifier(schema)))
    for table, entry in tables.items():
        where = SQL("{}.{}").format(Identifier(schema), Identifier(table))
        connection.execute(_created(where, entry["columns"]))
        _copy(connection, reader, where, table, entry["columns"])
        found = connection.execute(SQL("select count(*) from {}").format(where)).fetchone()
        if found is None or found[0] != entry["rows"]:
            raise UserError(
                f"{table}: PostgreSQL has {found and found[0]} rows, the release {entry['rows']}.",
                "Nothing was changed. Run the command again; if it stays, check the disk of the database.",
            )
        for statement in (
            *_keys(reader, where, table, entry),
            *comments(where, told.get(table, {}), "table"),
            *access.rules(name, where, entry),
        ):
            connection.execute(statement)
        connection.execute(SQL("analyze {}").format(where))
        progress(table, entry["rows"])


def _created(where: Composed, columns: Sequence[Mapping[str, str]]) -> Composed:
    lines = SQL(", ").join(
        SQL("{} {}").format(Identifier(column["name"]), SQL(type_of(column["type"]))) for column in columns
    )
    return SQL("create table {} ({})").format(where, lines)


def _copy(
    connection: Connection[Any],
    reader: duckdb.DuckDBPyConnection,
    where: Composed,
    table: str,
    columns: Sequence[Mapping[str, str]],
) -> None:
    shown = ", ".join(_shown(column["name"], column["type"]) for column in columns)
    # An empty text is written in quotation marks, null without them: COPY reads both back as they were.
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="needed")
    batches = reader.sql(f"select {shown} from {identifier(table)}").to_arrow_reader(_BATCH_ROWS)
    with connection.cursor().copy(SQL("copy {} from stdin (format csv)").format(where)) as copy:
        for batch in batches:
            text = io.BytesIO()
            arrow_csv.write_csv(pa.Table.from_batches([batch]), text, options)
            copy.write(text.getvalue())


def _shown(column: str, kind: str) -> str:
    name = identifier(column)
    if _NESTED.match(kind):
        return f"to_json({name})::varchar as {name}"
    # Arrow writes instants and decimals as DuckDB does only after DuckDB has made them text.
    return (
        name if kind in ("VARCHAR", "BOOLEAN", "INTEGER", "BIGINT", "DATE") else f"{name}::varchar as {name}"
    )


def _keys(
    reader: duckdb.DuckDBPyConnection, where: Composed, table: str, entry: Mapping[str, Any]
) -> list[Composed]:
    """The key of a table, if its grain is declared, and an index on the column that says whose a row is."""
    grain: Sequence[str] = entry.get("grain") or ()
    statements: list[Composed] = []
    if grain:
        missing = " or ".join(f"{identifier(column)} is null" for column in grain)
        ((count,),) = reader.execute(f"select count(*) from {identifier(table)} where {missing}").fetchall()
        kind = SQL("unique nulls not distinct") if count else SQL("primary key")
        named = SQL(", ").join(map(Identifier, grain))
        statements.append(SQL("alter table {} add {} ({})").format(where, kind, named))
    if entry["scope"] != CITY and grain[:1] != [entry["scope"]]:
        statements.append(SQL("create index on {} ({})").format(where, Identifier(entry["scope"])))
    return statements


def comments(where: Composed, told: Mapping[str, str], kind: str) -> list[Composed]:
    """Comments of a table or view and its columns; `told`: column -> text, and the table's as ""."""
    return [
        SQL("comment on column {}.{} is {}").format(where, Identifier(column), Literal(text))
        if column
        else SQL("comment on {} {} is {}").format(SQL(kind), where, Literal(text))
        for column, text in told.items()
    ]
