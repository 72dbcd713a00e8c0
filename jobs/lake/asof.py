"""History asked with SQL: every clean table as it was in force on a day, as far as was known at a moment.

Read-only and without Spark: DuckDB over the files of one pinned version of each Delta table. A view has its
table's name. Decisions are not computed again for the past: of those tables the newest vintage counts that
was recorded by then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import duckdb

from jobs import clock, declare
from jobs.lake import persons, tables
from jobs.lake.history import in_force_sql
from jobs.settings import Settings, UserError
from jobs.sql import literals

# Raised once for ever: every alert known by then counts.
_FOR_EVER = {"decision_safety__alert"}
# All statements about who is who, withdrawn ones too.
_AS_WRITTEN = {persons.LINKS}


def query(
    settings: Settings, text: str, as_of_date: date, known: date | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one SELECT over the lake as of a day.

    `known` is the last day whose deliveries count (whole, in the site's time zone); the newest landed day
    where it is not given. Raises UserError for a lake without statements, and for what DuckDB refuses.
    """
    known_at = clock.end_of_day(known, settings.timezone) if known else newest_known(settings)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_views(connection, settings, as_of_date, known_at)
        try:
            statements = connection.extract_statements(text)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise UserError(
                    "only one SELECT can be asked.", "History is never changed; land a correction instead."
                )
            answer = connection.execute(statements[0])
            return [column[0] for column in answer.description or []], answer.fetchall()
        except duckdb.Error as error:
            raise UserError(
                f"the query was refused: {error}",
                'Views have their tables\' names: ./edulake asof DAY "show tables" lists them. For who may'
                " not read the lake's folder `restricted`, rows of persons are in the `…__general` ones.",
            ) from error


def create_views(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    as_of_date: date,
    known_at: datetime,
    names: Iterable[str] | None = None,
) -> None:
    """A view of each table's (or of those named) rows in force, under the table's name; empty and typed where
    none was written. Restricted tables are left out for who may not read them.

    From then on the connection reads the files of these versions and nothing else.
    """
    connection.execute("create schema every_statement")
    known_persons = persons.persons(settings, known_at)
    connection.execute("create table every_statement.person (person_token varchar, pupil_key varchar)")
    if known_persons:
        connection.executemany("insert into every_statement.person values (?, ?)", [*known_persons.items()])
    may_see = os.access(settings.restricted, os.R_OK | os.X_OK)
    files: list[str] = []
    for table in names or declare.all_tables():
        if table.startswith("ops__") or (declare.is_restricted(table) and not may_see):
            continue
        files += _all_rows(connection, settings, table, bool(known_persons))
        connection.execute(f"create view {table} as {_in_force(table, as_of_date, known_at)}")
    listed = literals(*files)
    connection.execute(f"set allowed_paths = [{listed}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def newest_known(settings: Settings) -> datetime:
    """The end of the newest delivery day that has a receipt. Raises UserError where there is none."""
    days = [row["received_date"] for row in tables.rows(settings, "ops__receipt", ["received_date"])]
    if not days:
        raise UserError(f"the lake of {settings.site} holds no statement yet.", "./edulake run")
    return clock.end_of_day(max(days), settings.timezone)


def _all_rows(
    connection: duckdb.DuckDBPyConnection, settings: Settings, table: str, are_linked: bool
) -> list[str]:
    """A view of all statements in schema `every_statement`, persons resolved; returns its files."""
    found = tables.open_table(settings, table)
    files = sorted(found.file_uris()) if found else []
    declared = declare.table_columns(table)
    present = {field.name for field in found.schema().fields} if found else set()
    columns = ", ".join(
        f'"{name}"' if files and name in present else f'null::{declare.duckdb_type(kind)} as "{name}"'
        for name, kind in declared.items()
    )
    listed = literals(*files)
    source = f"from read_parquet([{listed}], union_by_name = true)" if files else "where false"
    rows = f"select {columns} {source}"
    if are_linked and "pupil_key" in declared:
        rows = (
            "select own.* replace (coalesce(person.pupil_key, own.pupil_key) as pupil_key)"
            f" from ({rows}) as own left join every_statement.person on own.pupil_key = person.person_token"
        )
    connection.execute(f"create view every_statement.{table} as {rows}")
    return files


def _in_force(table: str, as_of_date: date, known_at: datetime) -> str:
    source = f"every_statement.{table}"
    contract = declare.statements_of(table)
    if contract is not None:
        return in_force_sql(source, contract.delivery, contract.key, as_of_date, known_at)
    known = f"select * from {source} where recorded_at <= timestamptz '{known_at.isoformat()}'"
    if table in _FOR_EVER | _AS_WRITTEN:
        return known
    # `3` of `2025-11-20.3`: as text, run 10 would come before run 9.
    number = "try_cast(split_part(run_id, '.', -1) as integer)"
    return f"{known} qualify dense_rank() over (order by recorded_at desc, {number} desc, run_id desc) = 1"
