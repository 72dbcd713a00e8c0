"""Publish a release to a PostgreSQL database: load, switch, drop what is no longer read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier, Literal

from jobs import origin
from jobs.publish import release as releases
from jobs.publish.audience_files import comments
from jobs.publish.postgres import access
from jobs.publish.postgres.load import Progress, load
from jobs.publish.postgres.switch import drop_old, switch
from jobs.publish.published_models import district_of
from jobs.publish.release import Release
from jobs.settings import UserError

_OLDEST_SERVER = 150000  # views with the rights of their reader, keys that hold nulls
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")


@dataclass(frozen=True)
class Published:
    """What a call did: the schema that readers now see, whether it was loaded anew, the schemas dropped, and
    those that could not be.
    """

    schema: str
    is_new: bool
    tables: int
    rows: int
    dropped: list[str]
    kept: list[str]


def publish(
    release: Release,
    url: str,
    *,
    name: str = "edulake",
    with_pupils: bool = False,
    grace_days: float = 7,
    progress: Progress = lambda table, rows: None,
) -> Published:
    """Let readers of the schema `name` see this release. Doing it again is harmless, and so is a kill at any
    moment: readers see the release before, whole, until they see this one, whole.

    Raises UserError: no such server, or an old one; a login that may not; a schema that is somebody else's;
    readers that hold on.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} cannot name a schema.", "Give small letters, digits and underscores, such as edulake."
        )
    audience = "full" if with_pupils else releases.CITY
    tables = {
        table: release.manifest["tables"][table]
        for table in release.manifest["files"][f"{audience}.duckdb"]["tables"]
    }
    reader = releases.open_release(release, audience)
    told = comments(reader, release.file(audience).stem)
    with _connected(url) as connection:
        # One publisher of a schema at a time; the server frees it when the connection ends.
        connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [name])
        _prepare(connection, name, release)
        access.make_roles(connection, name, _districts(release))
        schema, is_new = _schema(connection, name, release, with_pupils)
        if is_new:
            with connection.transaction():
                load(connection, reader, name, schema, tables, told, progress)
                _note(connection, name, schema, release, with_pupils)
        switch(connection, name, schema, tables, told)
        dropped, kept = drop_old(connection, name, grace_days)
    return Published(
        schema, is_new, len(tables), sum(entry["rows"] for entry in tables.values()), dropped, kept
    )


@contextmanager
def _connected(url: str) -> Iterator[Connection[Any]]:
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10, application_name="edulake")
    except psycopg.ProgrammingError as error:
        raise UserError(
            "the URL is none that PostgreSQL knows.",
            "Write postgresql://user@host:5432/database; keep the password in PGPASSWORD or ~/.pgpass.",
        ) from error
    except psycopg.OperationalError as error:
        said = str(error).strip().splitlines()[-1]
        raise UserError(
            f"PostgreSQL does not answer: {said}",
            "Check host, port, database, user and password (PGPASSWORD or ~/.pgpass).",
        ) from error
    with connection:
        if connection.info.server_version < _OLDEST_SERVER:
            raise UserError(
                f"the server is PostgreSQL {connection.info.server_version // 10000}.",
                "15 or later is needed.",
            )
        try:
            yield connection
        except psycopg.errors.InsufficientPrivilege as error:
            raise UserError(
                f"this login may not: {error.diag.message_primary}.",
                "It needs CREATE on the database, and owns the schemas that it made.",
            ) from error
        except psycopg.errors.DiskFull as error:
            raise UserError(
                "the disk of the database is full.", "Free some space; readers still see the release before."
            ) from error
        except psycopg.OperationalError as error:
            raise UserError(
                f"the connection to PostgreSQL was lost: {str(error).strip().splitlines()[-1]}",
                "Run the command again: readers still see the release before.",
            ) from error


def _prepare(connection: Connection[Any], name: str, release: Release) -> None:
    """The schema of views, and the table that says which release each schema holds."""
    with connection.transaction():
        owned = connection.execute(
            "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = %s", [name]
        ).fetchone()
        if owned is not None and connection.execute(
            "select to_regclass(%s)", [f'"{name}".release']
        ).fetchone() == (None,):
            raise UserError(
                f"the schema {name} is somebody else's.", "Give another name by --schema, such as edulake."
            )
        connection.execute(SQL("create schema if not exists {}").format(Identifier(name)))
        connection.execute(
            SQL(
                "create table if not exists {}.release (schema_name text primary key, site text not null,"
                " release integer not null, run_id text not null, as_of_date date not null,"
                " has_pupils boolean not null, is_synthetic boolean not null, manifest_digest text not null,"
                " loaded_at timestamptz not null default now(), current_since timestamptz,"
                " superseded_at timestamptz)"
            ).format(Identifier(name))
        )
        told = "教育数据平台发布的数据。Published data of the education data lakehouse."
        if release.is_synthetic:
            told = f"{origin.LINE} {told}"
        connection.execute(SQL("comment on schema {} is {}").format(Identifier(name), Literal(told)))
        other = connection.execute(
            SQL("select site from {}.release where site <> %s limit 1").format(Identifier(name)),
            [release.manifest["site"]],
        ).fetchone()
        if other is not None:
            raise UserError(
                f"the schema {name} shows the site {other[0]}.",
                "Give this site a schema of its own: --schema.",
            )


def _districts(release: Release) -> list[str]:
    found = {district_of(file.removesuffix(".duckdb")) for file in release.manifest["files"]}
    return sorted(code for code in found if code)


def _schema(connection: Connection[Any], name: str, release: Release, with_pupils: bool) -> tuple[str, bool]:
    """The schema that holds the release, and whether it has yet to be loaded."""
    found = connection.execute(
        SQL("select schema_name from {}.release where manifest_digest = %s and has_pupils = %s").format(
            Identifier(name)
        ),
        [_digest(release), with_pupils],
    ).fetchone()
    if found is not None:
        return found[0], False
    taken = {
        schema
        for (schema,) in connection.execute(
            "select nspname from pg_namespace where starts_with(nspname::text, %s)", [f"{name}_r"]
        )
    }
    schema, number = f"{name}_r{release.number}", 1
    while schema in taken:
        number += 1
        schema = f"{name}_r{release.number}_{number}"
    return schema, True


def _digest(release: Release) -> str:
    """One text for all that the files of a release hold."""
    files = sorted((name, entry["sha256"]) for name, entry in release.manifest["files"].items())
    return hashlib.sha256(repr(files).encode()).hexdigest()


def _note(connection: Connection[Any], name: str, schema: str, release: Release, with_pupils: bool) -> None:
    about = release.manifest
    connection.execute(
        SQL(
            "insert into {}.release (schema_name, site, release, run_id, as_of_date, has_pupils,"
            " is_synthetic, manifest_digest) values (%s, %s, %s, %s, %s, %s, %s, %s)"
        ).format(Identifier(name)),
        [
            *(schema, about["site"], release.number, release.run_id, about["as_of_date"], with_pupils),
            *(release.is_synthetic, _digest(release)),
        ],
    )
    for schema_name in (name, schema):
        connection.execute(
            SQL("grant usage on schema {} to {}, {}, {}, {}").format(
                Identifier(schema_name),
                *(
                    Identifier(access.role(name, kind))
                    for kind in (access.PUBLIC, access.DISTRICT, access.ALL_ROWS, access.FULL)
                ),
            )
        )
    connection.execute(
        SQL("grant select on {}.release to {}").format(
            Identifier(name), Identifier(access.role(name, access.PUBLIC))
        )
    )
