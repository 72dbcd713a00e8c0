"""Let the views that people read show another release, in one transaction; drop what is no longer read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from psycopg import Connection
from psycopg.errors import DependentObjectsStillExist, InvalidTableDefinition, LockNotAvailable
from psycopg.sql import SQL, Composed, Identifier, Literal

from jobs.publish.postgres import access
from jobs.publish.postgres.load import comments
from jobs.settings import UserError

# A lock is waited for no longer than this: no reader waits longer for us, and PostgreSQL, which looks for a
# deadlock after a second, never ends a reader's query for our sake.
_LOCK_WAIT = "300ms"
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


def switch(
    connection: Connection[Any],
    name: str,
    schema: str,
    tables: Mapping[str, Mapping[str, Any]],
    told: Mapping[str, Mapping[str, str]],
) -> None:
    """Make `<name>.<table>` show `schema.<table>`, for all tables or for none.

    Raises UserError while readers hold the old views for longer than 40 s, and where a view of somebody else
    stands on one whose columns change.
    """
    for pause in (*_PAUSES, None):
        try:
            with connection.transaction():
                connection.execute(SQL("set local lock_timeout = {}").format(Literal(_LOCK_WAIT)))
                _replace_views(connection, name, schema, tables, told)
            return
        except LockNotAvailable as error:
            if pause is None:
                raise UserError(
                    f"readers hold the tables of {name}: {_holders(connection, name)}.",
                    "They still see the release before. Let them end, and run the command again.",
                ) from error
            time.sleep(pause)
        except DependentObjectsStillExist as error:
            raise UserError(
                f"a view of somebody else needs columns that change: {error.diag.message_detail}.",
                "Drop it, run the command again, and make it anew. Readers still see the release before.",
            ) from error


def _replace_views(
    connection: Connection[Any],
    name: str,
    schema: str,
    tables: Mapping[str, Mapping[str, Any]],
    told: Mapping[str, Mapping[str, str]],
) -> None:
    there = {
        found
        for (found,) in connection.execute(
            "select viewname from pg_views where schemaname = %s order by 1", [name]
        )
    }
    for gone in sorted(there - set(tables)):
        connection.execute(SQL("drop view {}.{}").format(Identifier(name), Identifier(gone)))
    for table, entry in tables.items():
        view = SQL("{}.{}").format(Identifier(name), Identifier(table))
        # With the rights of its reader: else everybody would see what the owner sees.
        made = SQL("view {} with (security_invoker = true) as select * from {}.{}").format(
            view, Identifier(schema), Identifier(table)
        )
        try:
            with connection.transaction():
                connection.execute(SQL("create or replace {}").format(made))
        except InvalidTableDefinition:  # a column went, or has another type
            connection.execute(SQL("drop view {}").format(view))
            connection.execute(SQL("create {}").format(made))
        for statement in (*comments(view, told.get(table, {}), "view"), *_grants(name, view, entry)):
            connection.execute(statement)
    connection.execute(
        SQL(
            "update {}.release set superseded_at = now() where superseded_at is null and schema_name <> %s"
        ).format(Identifier(name)),
        [schema],
    )
    connection.execute(
        SQL(
            "update {}.release set current_since = now(), superseded_at = null where schema_name = %s"
        ).format(Identifier(name)),
        [schema],
    )


def _grants(name: str, view: Composed, entry: Mapping[str, Any]) -> list[Composed]:
    kinds = [access.FULL] if entry["pupil_rows"] else [access.ALL_ROWS, access.DISTRICT]
    kinds += [access.PUBLIC] if entry["public"] else []
    return [
        SQL("grant select on {} to {}").format(view, Identifier(access.role(name, kind))) for kind in kinds
    ]


def _holders(connection: Connection[Any], name: str) -> str:
    found = connection.execute(
        "select distinct activity.pid, activity.usename, activity.application_name"
        " from pg_locks join pg_class on pg_class.oid = pg_locks.relation"
        " join pg_namespace on pg_namespace.oid = pg_class.relnamespace"
        " join pg_stat_activity activity on activity.pid = pg_locks.pid"
        " where pg_namespace.nspname = %s and activity.pid <> pg_backend_pid() order by 1 limit 5",
        [name],
    ).fetchall()
    return (
        ", ".join(f"process {pid} of {user} {program}".strip() for pid, user, program in found) or "unknown"
    )


def drop_old(connection: Connection[Any], name: str, grace_days: float) -> tuple[list[str], list[str]]:
    """Drop the schemas that were switched away from longer ago than the grace. Returns those dropped, and
    those kept because a reader or a view of somebody else still uses them: the next call tries again.
    """
    due = connection.execute(
        SQL(
            "select schema_name from {}.release"
            " where superseded_at < now() - %s * interval '1 day' order by superseded_at"
        ).format(Identifier(name)),
        [grace_days],
    ).fetchall()
    dropped, kept = [], []
    for (schema,) in due:
        try:
            with connection.transaction():
                connection.execute("set local lock_timeout = '5s'")
                tables = connection.execute(
                    "select tablename from pg_tables where schemaname = %s", [schema]
                ).fetchall()
                for (table,) in tables:  # not `cascade`: what others built on it would go unseen
                    connection.execute(SQL("drop table {}.{}").format(Identifier(schema), Identifier(table)))
                connection.execute(SQL("drop schema if exists {}").format(Identifier(schema)))
                connection.execute(
                    SQL("delete from {}.release where schema_name = %s").format(Identifier(name)), [schema]
                )
            dropped.append(schema)
        except (LockNotAvailable, DependentObjectsStillExist):
            kept.append(schema)
    return dropped, kept
