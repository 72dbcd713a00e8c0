"""A release in a real PostgreSQL: the same rows, each reader's own, and no moment without a whole release."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from typer.testing import CliRunner

from jobs.cli.main import app
from jobs.publish import release as releases
from jobs.publish.postgres import load
from jobs.publish.postgres.publish import Published
from jobs.publish.postgres.publish import publish as to_postgres
from jobs.publish.published_models import Column, Model
from jobs.publish.release import CITY, Release
from jobs.settings import Settings, UserError

from ..conftest import MODELS, build

pytestmark = pytest.mark.slow

ODD = Model(
    "dim_odd",
    scope=CITY,
    platform="management",
    title_zh="各种值",
    title_en="Odd values",
    description="All kinds.",
    grain=("a_text",),
    columns={"a_text": Column("文本", "A text")},
)
ODD_VALUES = """
    select * from (values
        ('a', '', [1, 2]::bigint[], map {'k': '值'}, 12.50::decimal(8, 2),
            '2026-09-10 08:00:00+00'::timestamptz, date '2026-09-10', 1.5e300::double,
            34028236692093846346337460743176821145::hugeint, true),
        ('"quoted", ''text''', null, [], map {}, -0.01, null, null, null, null, false),
        (E'two\\nlines\\\\.', '\\N', null, null, null, null, date '0001-01-01', 'nan'::double, -1, null)
    ) t(a_text, b_text, numbers, words, share, instant, day, number, large, is_so)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a superuser on a server of our own, which ends with the tests."""
    found = shutil.which("initdb") or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), None
    )
    if found is None:
        pytest.skip("NOT RUN: PostgreSQL's server is not on this machine")
    with tempfile.TemporaryDirectory(prefix="edulake-pg-") as folder:
        who: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            user = next(one for one in pwd.getpwall() if one.pw_name in ("postgres", "nobody"))
            os.chown(folder, user.pw_uid, user.pw_gid)
            who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        data = f"{folder}/data"
        make = [
            found,
            "-D",
            data,
            "-A",
            "trust",
            "-U",
            "owner",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        subprocess.run(make, check=True, capture_output=True, cwd=folder, **who)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        programs = Path(found).resolve()
        run = [programs.with_name("postgres"), "-D", data, "-p", str(port), "-k", folder]
        running = subprocess.Popen(
            [*run, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who,
        )  # fmt: skip
        try:
            ready = [programs.with_name("pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
            while subprocess.run(ready, check=False).returncode:
                assert running.poll() is None, "PostgreSQL ended at once"
            yield f"postgresql://owner@127.0.0.1:{port}/postgres"
        finally:
            running.terminate()
            running.wait(timeout=60)


@pytest.fixture
def database(server: str) -> Iterator[str]:
    """The URL of the publisher's login, which may make roles and schemas, on a database of its own."""
    with psycopg.connect(server, autocommit=True) as owner:
        owner.execute("create role edulake login createrole")
        owner.execute("create database education owner edulake")
    yield server.replace("owner@", "edulake@").replace("/postgres", "/education")
    with psycopg.connect(server, autocommit=True) as owner:
        owner.execute("drop database education with (force)")
        roles = owner.execute("select rolname from pg_roles where rolname !~ '^(pg_|owner$)'").fetchall()
        for (role,) in roles:
            owner.execute(SQL("drop role {}").format(Identifier(role)))


@pytest.fixture
def release(publish: Callable[..., Release], tmp_path: Path) -> Release:
    file = build(tmp_path / "build.duckdb")
    with duckdb.connect(str(file)) as con:
        con.execute(f"create table dim_odd as {ODD_VALUES}")
    return publish("2026-09-10.1", file, models={**MODELS, ODD.name: ODD})


def asked(url: str, query: str, user: str | None = None) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        if user is not None:
            connection.execute(SQL("set session authorization {}").format(Identifier(user)))
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def _plain(row: tuple[Any, ...]) -> str:
    """A row as text, in which a whole number and an instant are the same whoever read them."""
    return repr([
        int(value) if isinstance(value, Decimal) and value == int(value)
        else value.astimezone(UTC) if isinstance(value, datetime)
        else value
        for value in row
    ])  # fmt: skip


def logins(url: str, **granted: str) -> None:
    with psycopg.connect(url, autocommit=True) as owner:
        for user, role in granted.items():
            owner.execute(SQL("create role {} login in role {}").format(Identifier(user), Identifier(role)))


def test_every_value_arrives_as_it_is(release: Release, database: str) -> None:
    done = to_postgres(release, database, with_pupils=True)
    assert done == Published("edulake_r1", True, 5, 60 + 60 + 1 + 4 + 3, [], [])

    reader = releases.open_release(release, "full")
    for table, entry in release.manifest["tables"].items():
        columns = [column["name"] for column in entry["columns"] if load.type_of(column["type"]) != "jsonb"]
        with psycopg.connect(database) as connection:
            found = connection.execute(
                SQL("select {} from edulake.{}").format(
                    SQL(", ").join(map(Identifier, columns)), Identifier(table)
                )
            ).fetchall()
        expected = reader.execute(f"select {', '.join(columns)} from {table}").fetchall()
        assert sorted(map(_plain, found)) == sorted(map(_plain, expected)), table
    nested = asked(database, "select numbers, words from edulake.dim_odd order by a_text")
    assert sorted(nested, key=repr) == [(None, None), ([1, 2], {"k": "值"}), ([], {})]


def test_the_grain_is_the_key_and_the_district_is_indexed(release: Release, database: str) -> None:
    to_postgres(release, database)
    keys = (
        "select nspname || '.' || relname, pg_get_constraintdef(pg_constraint.oid) from pg_constraint"
        " join pg_class on pg_class.oid = conrelid join pg_namespace on pg_namespace.oid = relnamespace"
        " where contype = 'p' and nspname like 'edulake%' order by relname desc"
    )
    assert asked(database, keys) == [
        ("edulake.release", "PRIMARY KEY (schema_name)"),
        ("edulake_r1.dim_odd", "PRIMARY KEY (a_text)"),
    ]
    indexed = (
        "select tablename from pg_indexes"
        " where schemaname = 'edulake_r1' and indexdef like '%(district_code)'"
    )
    assert sorted(asked(database, indexed)) == [("fct_school_fitness",), ("rpt_public__outlook",)]


def test_comments_stand_on_views_and_tables(release: Release, database: str) -> None:
    to_postgres(release, database)
    for schema in ("edulake", "edulake_r1"):
        where = f"'{schema}.dim_odd'::regclass"
        told = asked(database, f"select obj_description({where}), col_description({where}, 1)")
        assert told == [("各种值 Odd values — All kinds.", "文本 — A text")]


def test_each_role_reads_its_own_rows(release: Release, database: str, server: str) -> None:
    to_postgres(release, database, with_pupils=True)
    education = server.replace("/postgres", "/education")
    logins(
        education,
        anna="edulake_district_110108",
        bo="edulake_city",
        chen="edulake_public",
        dai="edulake_full",
    )
    counts = "select district_code, count(*) from edulake.{} group by 1 order by 1"
    schools, pupils = counts.format("fct_school_fitness"), counts.format("fct_pupil_fitness")
    both = [("110101", 30), ("110108", 30)]
    assert asked(education, schools, "anna") == [("110108", 30)]
    assert asked(education, schools, "bo") == both
    assert asked(education, schools, "dai") == both
    assert asked(education, pupils, "dai") == both
    public = "select count(*) from edulake.rpt_public__outlook"
    assert [asked(education, public, who) for who in ("anna", "bo", "chen", "dai")] == [[(4,)]] * 4
    city_wide = "select title_zh from edulake.dim_indicator"
    assert asked(education, city_wide, "anna") == [("毛入园率",)], "the city's own row is for all districts"
    # Around the views, too.
    assert asked(education, schools.replace("edulake.", "edulake_r1."), "anna") == [("110108", 30)]
    for who, query in (("anna", pupils), ("bo", pupils), ("chen", schools), ("chen", city_wide)):
        for schema in ("edulake.", "edulake_r1."):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                asked(education, query.replace("edulake.", schema), who)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked(education, "delete from edulake.dim_indicator returning title_zh", "bo")


def test_a_district_of_two_roles_reads_both(release: Release, database: str, server: str) -> None:
    to_postgres(release, database)
    education = server.replace("/postgres", "/education")
    logins(education, anna="edulake_district_110108")
    with psycopg.connect(education, autocommit=True) as owner:
        owner.execute("grant edulake_district_110101 to anna")
    assert asked(education, "select count(*) from edulake.fct_school_fitness", "anna") == [(60,)]


def test_the_same_release_is_not_loaded_twice(release: Release, database: str) -> None:
    assert to_postgres(release, database).is_new
    assert not to_postgres(release, database).is_new
    with_pupils = to_postgres(release, database, with_pupils=True)
    assert (with_pupils.schema, with_pupils.is_new) == ("edulake_r1_2", True)
    back = to_postgres(release, database)
    assert (back.schema, back.is_new) == ("edulake_r1", False)
    views = asked(database, "select viewname from pg_views where schemaname = 'edulake'")
    assert ("fct_pupil_fitness",) not in views


def test_old_schemas_go_after_the_grace_unless_they_are_read(
    release: Release, publish: Callable[..., Release], database: str, tmp_path: Path
) -> None:
    to_postgres(release, database)
    second = publish("2026-09-10.2", build(tmp_path / "second.duckdb", pupils=90))
    assert to_postgres(second, database).dropped == []
    with psycopg.connect(database) as reader:
        reader.execute("select count(*) from edulake_r1.dim_indicator").fetchall()
        assert to_postgres(second, database, grace_days=0).kept == ["edulake_r1"]
    assert to_postgres(second, database, grace_days=0).dropped == ["edulake_r1"]
    assert asked(database, "select schema_name, release from edulake.release") == [("edulake_r2", 2)]
    assert asked(database, "select count(*) from edulake.fct_school_fitness") == [(90,)]


def test_a_reader_never_meets_half_a_release(
    publish: Callable[..., Release], database: str, tmp_path: Path
) -> None:
    made = [publish(f"2026-09-10.{at}", build(tmp_path / f"{at}.duckdb", pupils=60 * at)) for at in (1, 2, 3)]
    to_postgres(made[0], database)
    seen: list[tuple[int, int, int]] = []
    failed: list[str] = []
    is_over = threading.Event()

    def read() -> None:
        with psycopg.connect(database, autocommit=True) as reader:
            while not is_over.is_set():
                try:
                    with reader.transaction():
                        # In one question, and over two of one transaction.
                        (joined,) = reader.execute(
                            "select count(*), (select count(*) from edulake.rpt_public__outlook)"
                            " from edulake.fct_school_fitness"
                        ).fetchall()
                        ((again,),) = reader.execute(
                            "select count(tested_count) from edulake.fct_school_fitness"
                        ).fetchall()
                    seen.append((*joined, again))
                except psycopg.Error as error:
                    failed.append(str(error))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        for at in range(12):
            to_postgres(made[(at + 1) % 3], database)
    finally:
        is_over.set()
        for reader in readers:
            reader.join()
    assert failed == []
    assert set(seen) == {(60 * at, 4, 40 * at) for at in (1, 2, 3)}


def test_a_kill_while_loading_leaves_the_release_before(
    release: Release, publish: Callable[..., Release], database: str, tmp_path: Path
) -> None:
    to_postgres(release, database)
    second = publish("2026-09-10.2", build(tmp_path / "second.duckdb", pupils=90))

    def killed(table: str, rows: int) -> None:
        if table == "fct_school_fitness":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        to_postgres(second, database, progress=killed)
    assert asked(database, "select count(*) from edulake.fct_school_fitness") == [(60,)]
    assert asked(database, "select nspname from pg_namespace where nspname = 'edulake_r2'") == []
    assert to_postgres(second, database).is_new


def test_views_of_somebody_else_are_never_dropped(
    release: Release, publish: Callable[..., Release], database: str, tmp_path: Path
) -> None:
    to_postgres(release, database)
    with psycopg.connect(database, autocommit=True) as analyst:
        analyst.execute("create view public.mine as select tested_count from edulake.fct_school_fitness")
    # Other rows in the same columns: the analyst's view follows.
    to_postgres(publish("2026-09-10.2", build(tmp_path / "second.duckdb", pupils=90)), database)
    assert asked(database, "select count(*) from public.mine") == [(90,)]
    file = build(tmp_path / "third.duckdb", pupils=30)
    with duckdb.connect(str(file)) as con:
        con.execute("alter table fct_school_fitness drop column tested_count")
    third = publish("2026-09-10.3", file)
    with pytest.raises(UserError, match="view mine depends on view"):
        to_postgres(third, database)
    assert asked(database, "select count(*) from public.mine") == [(90,)]


def test_a_schema_of_somebody_else_is_left_alone(release: Release, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create schema edulake; create table edulake.mine (a text)")
    with pytest.raises(UserError, match="somebody else's"):
        to_postgres(release, database)


def test_a_login_that_may_not_make_roles_is_given_the_statements(
    release: Release, database: str, server: str
) -> None:
    with psycopg.connect(server, autocommit=True) as owner:
        owner.execute("alter role edulake nocreaterole")
    with pytest.raises(UserError, match="may not make the roles") as refused:
        to_postgres(release, database)
    needed = refused.value.way_out.partition("run once: ")[2]
    with psycopg.connect(server, autocommit=True) as owner:
        owner.execute(needed)  # type: ignore[arg-type]
    assert to_postgres(release, database).is_new


def test_the_command_says_what_it_did_and_never_a_password(
    release: Release, settings: Settings, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDULAKE_HOME", str(settings.home.parent))
    command = ["publish", "postgres", "--site", "beijing", "--url"]
    done = CliRunner().invoke(app, [*command, database])
    assert done.exit_code == 0, done.output
    assert "release 1 was loaded and is what readers of edulake see: 4 tables, 68 rows" in done.output
    for wrong in (
        database.replace("edulake@", "nobody:sesame@"),
        database.replace("postgresql://edulake@", "postgresql://edulake:sesame@") + "?nonsense=1",
        "sesame",
    ):
        with pytest.raises(UserError) as refused:
            CliRunner().invoke(app, [*command, wrong], catch_exceptions=False)
        assert "sesame" not in f"{refused.value.message} {refused.value.way_out}"
