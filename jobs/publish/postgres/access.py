"""Who sees which rows of a release in PostgreSQL: roles without a login, and a policy a table for each.

    <name>_public           tables that are published to everybody
    <name>_district_<code>  rows of its district, and what belongs to the whole city; never rows of pupils
    <name>_city             every row of every table but those of pupils
    <name>_full             the tables of pupils, too, where they were copied

A site grants them to its own logins. The rules are those by which the files of a release are cut
(`jobs.publish.audience_files`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg import Connection
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Composed, Identifier, Literal

from jobs.publish.release import CITY
from jobs.settings import UserError

PUBLIC, DISTRICT, ALL_ROWS, FULL = "public", "district", "city", "full"
# A role, and the one whose rights it has as well.
_ABOVE = ((DISTRICT, PUBLIC), (ALL_ROWS, PUBLIC), (FULL, ALL_ROWS))


def role(name: str, kind: str) -> str:
    """The role of a kind of reader: `edulake_city`."""
    return f"{name}_{kind}"


def district_role(name: str, code: str) -> str:
    """The role of the readers of one district: `edulake_district_110105`."""
    return role(name, f"{DISTRICT}_{code}")


def make_roles(connection: Connection[Any], name: str, districts: Iterable[str]) -> None:
    """Make the roles that are not there yet. Raises UserError with the statements if the login may not."""
    of_districts = [district_role(name, code) for code in sorted(districts)]
    wanted = [role(name, kind) for kind in (PUBLIC, DISTRICT, ALL_ROWS, FULL)] + of_districts
    there = {
        found
        for (found,) in connection.execute("select rolname from pg_roles where rolname = any(%s)", [wanted])
    }
    statements: list[Composed] = [
        SQL("create role {} nologin").format(Identifier(one)) for one in wanted if one not in there
    ]
    grants = [(role(name, upper), role(name, lower)) for upper, lower in _ABOVE]
    grants += [(one, role(name, DISTRICT)) for one in of_districts]
    statements += [
        SQL("grant {} to {}").format(Identifier(lower), Identifier(upper))
        for upper, lower in grants
        if not _has(connection, upper, lower, there)
    ]
    try:
        with connection.transaction():
            for statement in statements:
                connection.execute(statement)
    except InsufficientPrivilege as error:
        needed = "; ".join(statement.as_string(connection) for statement in statements)
        raise UserError(
            f"this login may not make the roles of readers: {error.diag.message_primary}.",
            f"Let one that has CREATEROLE run once: {needed};",
        ) from error


def _has(connection: Connection[Any], upper: str, lower: str, there: set[str]) -> bool:
    if not {upper, lower} <= there:
        return False
    found = connection.execute(
        "select from pg_auth_members where roleid = %s::regrole and member = %s::regrole",
        [_quoted(lower), _quoted(upper)],
    )
    return found.fetchone() is not None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def rules(name: str, table: Composed, entry: Mapping[str, Any]) -> list[Composed]:
    """The statements that let each role read its rows of one table, which a manifest describes as `entry`."""
    if entry["pupil_rows"]:
        readers: dict[str, SQL | Composed] = {FULL: SQL("true")}
    else:
        readers = {ALL_ROWS: SQL("true"), DISTRICT: _of_district(name, entry)}
        if entry["public"]:
            readers[PUBLIC] = SQL("true")
    statements: list[Composed] = [SQL("alter table {} enable row level security").format(table)]
    for kind, condition in readers.items():
        who = Identifier(role(name, kind))
        statements += [
            SQL("grant select on {} to {}").format(table, who),
            SQL("create policy {} on {} for select to {} using ({})").format(
                Identifier(kind), table, who, condition
            ),
        ]
    return statements


def _of_district(name: str, entry: Mapping[str, Any]) -> SQL | Composed:
    """Rows of the districts whose role the reader has.

    The list of districts is a query of its own that is answered once: a function called for each row made
    the same question take more than twice as long.
    """
    if entry["scope"] == CITY:
        return SQL("true")
    prefix = district_role(name, "")
    own = SQL(
        "{column} = any(array(select substring(rolname::text from {after}) from pg_catalog.pg_roles"
        " where starts_with(rolname::text, {prefix}) and pg_has_role(rolname, 'usage')))"
    ).format(column=Identifier(entry["scope"]), after=Literal(len(prefix) + 1), prefix=Literal(prefix))
    if entry.get("city_rows"):
        return SQL("{} or {} is null").format(own, Identifier(entry["scope"]))
    return own
