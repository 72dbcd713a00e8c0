"""History asked with SQL: clean tables, decisions and marts as they were on a day, as known at a moment.

Read-only and without Spark. A table's bare name is its view `in_force`; the other views of
`jobs.lake.history` are asked as `every_statement.<table>`, `newest_by_scope.<table>` and `chosen.<table>`.
Marts that a query names are built for the two dates, with all they are made of, in a private file that goes
with the answer.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from jobs import clock
from jobs.lake import tables, window
from jobs.publish import confined, mart_sources, marts, published_models, questions
from jobs.publish.protect import archive, hide, rules
from jobs.settings import Settings, UserError
from jobs.sql import literals


@contextmanager
def on_day(
    settings: Settings, text: str, as_of_date: date, known: date | None = None
) -> Iterator[confined.Answer]:
    """One SELECT over the lake as of a day.

    `known` is the last day whose deliveries count (whole, in the site's time zone); the newest landed day
    where it is not given. Raises UserError for a lake without statements, for marts that cannot be built or
    may not be read, and for what DuckDB refuses or takes too much.
    """
    known_at = clock.end_of_day(known, settings.timezone) if known else window.newest_known(settings)
    with tempfile.TemporaryDirectory(prefix="edulake-asof-") as private:
        opening = partial(_open, settings, text, as_of_date, known_at, Path(private))
        listing = settings.command("asof", as_of_date.isoformat(), "show tables")
        with confined.asked(settings, text, opening, _WAY_OUT.format(command=listing)) as answer:
            yield answer


def query(
    settings: Settings, text: str, as_of_date: date, known: date | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and all rows of `on_day`."""
    with on_day(settings, text, as_of_date, known) as answer:
        return answer.columns, list(answer.rows())


_WAY_OUT = (
    "Views have their tables' names: `{command}` lists them. For who may not read the lake's folder"
    " `restricted`, rows of persons are in the `…__general` ones."
)


def _open(
    settings: Settings,
    text: str,
    as_of_date: date,
    known_at: datetime,
    private: Path,
    connection: duckdb.DuckDBPyConnection,
) -> confined.Opened:
    readable = tables.readable(settings)
    named = [name for name in mart_sources.names() if re.search(rf"\b{name}\b", text)]
    asked = [table for table in readable if not table.startswith("ops__")]
    found = {table: tables.open_table(settings, table) for table in (*asked, *window.FACTS)}
    files = window.create_views(connection, found, as_of_date, known_at)
    path, notes = ["in_force"], list[str]()
    if named:
        built = _built(settings, named, {*readable}, as_of_date, known_at, private)
        connection.execute(f"attach {literals(built)} as marts (read_only)")
        declared = published_models.read_models(private / "dbt" / "manifest.json")
        public = [rules.read_rule(n, declared[n].protect) for n in named if declared[n].public]
        hide.protect(connection, "marts.main", public, archive.Archive(), settings)
        path += [hide.SCHEMA, "marts.main"]
        notes = questions.marked(connection, "marts", text)
    connection.execute(f"set search_path = '{','.join(path)}'")
    return confined.Opened(files, notes)


def _built(
    settings: Settings,
    named: list[str],
    readable: set[str],
    as_of_date: date,
    known_at: datetime,
    private: Path,
) -> Path:
    """The file of the named models, built from the tables that they and their parents read."""
    needed = mart_sources.tables_behind(named)
    if hidden := needed - readable:
        raise UserError(
            f"{', '.join(named)} is made of rows of persons that you may not read:"
            f" {', '.join(sorted(hidden))}.",
            f"Ask the steward of {settings.restricted}, or ask the published marts, as in"
            f" `{settings.command('sql', 'show tables')}`.",
        )
    pins = {}
    for table in sorted(needed | {*window.FACTS}):
        delta = tables.open_table(settings, table)
        if delta is not None:
            pins[table] = delta.version()
    try:
        return marts.build_models(settings, named, as_of_date, known_at, pins, private)
    except marts.MartsError as error:
        raise UserError(
            f"the marts could not be built: {error}", f"`{settings.command('run')}` builds them all."
        ) from error
