"""History asked with SQL: clean tables, decisions and marts as they were on a day, as known at a moment.

Read-only and without Spark. A table's bare name is its view `in_force`; the other views of
`jobs.lake.history` are asked as `every_statement.<table>`, `newest_by_scope.<table>` and `chosen.<table>`.
Marts that a query names are built for the two dates, with all they are made of, in a private file that goes
with the answer.
"""

from __future__ import annotations

import os
import re
import tempfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from jobs import clock, declare
from jobs.lake import persons, tables, window
from jobs.publish import marts
from jobs.settings import Settings, UserError
from jobs.sql import literals


def query(
    settings: Settings, text: str, as_of_date: date, known: date | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one SELECT over the lake as of a day.

    `known` is the last day whose deliveries count (whole, in the site's time zone); the newest landed day
    where it is not given. Raises UserError for a lake without statements, for marts that cannot be built or
    may not be read, and for what DuckDB refuses.
    """
    known_at = clock.end_of_day(known, settings.timezone) if known else window.newest_known(settings)
    with tempfile.TemporaryDirectory(prefix="edulake-asof-") as private, duckdb.connect() as connection:
        try:
            statements = connection.extract_statements(text)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise UserError(
                    "only one SELECT can be asked.", "History is never changed; land a correction instead."
                )
            _open(connection, settings, text, as_of_date, known_at, Path(private))
            answer = connection.execute(statements[0])
            return [column[0] for column in answer.description or []], answer.fetchall()
        except duckdb.Error as error:
            raise UserError(
                f"the query was refused: {error}",
                'Views have their tables\' names: ./edulake asof DAY "show tables" lists them. For who may'
                " not read the lake's folder `restricted`, rows of persons are in the `…__general` ones.",
            ) from error


def _open(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    text: str,
    as_of_date: date,
    known_at: datetime,
    private: Path,
) -> None:
    """What may be asked: from then on the connection reads the files of these versions and nothing else."""
    may_see = os.access(settings.restricted, os.R_OK | os.X_OK)
    readable = [t for t in declare.all_tables() if may_see or not declare.is_restricted(t)]
    named = [name for name in marts.models() if re.search(rf"\b{name}\b", text)]
    found = {table: tables.open_table(settings, table) for table in readable if not table.startswith("ops__")}
    files = window.create_views(connection, found, as_of_date, known_at)
    path = ["in_force"]
    if named:
        built = _built(settings, named, {*readable}, as_of_date, known_at, private)
        connection.execute(f"attach {literals(built)} as marts (read_only)")
        path.append("marts.main")
        files.append(str(built))
    connection.execute(f"set search_path = '{','.join(path)}'")
    connection.execute(f"set allowed_paths = [{literals(*files)}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _built(
    settings: Settings,
    named: list[str],
    readable: set[str],
    as_of_date: date,
    known_at: datetime,
    private: Path,
) -> Path:
    """The file of the named models, built from the tables that they and their parents read."""
    needed = marts.tables_behind(named)
    if hidden := needed - readable:
        raise UserError(
            f"{', '.join(named)} is made of rows of persons that you may not read:"
            f" {', '.join(sorted(hidden))}.",
            f"Ask the steward of {settings.restricted}, or ask the published marts with ./edulake sql.",
        )
    pins = {}
    for table in sorted(needed | {persons.LINKS}):
        delta = tables.open_table(settings, table)
        if delta is not None:
            pins[table] = delta.version()
    try:
        return marts.build_models(settings, named, as_of_date, known_at, pins, private)
    except marts.MartsError as error:
        raise UserError(f"the marts could not be built: {error}", "./edulake run builds them all.") from error
