"""SQL of people: it reads what it may, reaches nothing else of the machine, and stays within its bounds."""

from __future__ import annotations

import dataclasses
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from jobs import declare
from jobs import settings as site_settings
from jobs.lake import tables
from jobs.publish import asof, confined, publication, questions
from jobs.publish.published_models import Model
from jobs.run.airflow import home
from jobs.settings import ROOT, Settings, UserError
from jobs.site import Sql

SECRET = "s3cret-of-the-machine"
ROLL = "clean_enrollment__pupil_roll"
CHECKS = "ops__check"
Ask = Callable[[str], AbstractContextManager[confined.Answer]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A release of one table, two tables of the lake, and Airflow's secrets: for reading only."""
    folder = tmp_path_factory.mktemp("asked")
    settings = site_settings.load("beijing", folder / "home").prepare()
    home.prepare(settings)
    (settings.secrets / "hmac.key").write_text(SECRET)
    for table in (CHECKS, ROLL, "ops__receipt"):
        row = dict.fromkeys(declare.table_columns(table)) | {"received_date": date(2025, 11, 20)}
        row = {name: value for name, value in row.items() if name in declare.table_columns(table)}
        tables.append_rows(settings, table, [row], table, "2025-11-20.1")
    build = folder / "build.duckdb"
    with duckdb.connect(str(build)) as connection:
        connection.execute("create table dim_school as select 'S' || i as school_code from range(3) t(i)")
    publication.publish(
        settings, "2025-11-20.1", build, {"dim_school": Model("dim_school", "city")}, {},
        as_of_date="2025-11-20", known_at="2025-11-20", code_version="0",
    )  # fmt: skip
    return settings


def doors(settings: Settings) -> dict[str, Ask]:
    return {
        "sql": lambda text: questions.on_release(settings, text),
        "sql --lake": lambda text: questions.on_lake(settings, text),
        "asof": lambda text: asof.on_day(settings, text, date(2025, 11, 20)),
    }


def rows(asked: AbstractContextManager[confined.Answer]) -> list[tuple[Any, ...]]:
    with asked as answer:
        return list(answer.rows())


@pytest.fixture(scope="module")
def outside(site: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Files that no question may reach: beside the lake, in it, and by a link in it."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "secret.csv").write_text(f"a\n{SECRET}\n")
    (folder / "secret.json").write_text(f'{{"a": "{SECRET}"}}')
    with duckdb.connect(str(folder / "other.duckdb")) as other:
        other.execute(f"create table t as select '{SECRET}' as a")
        other.execute(f"copy t to '{folder}/secret.parquet'")
    link = site.lake / CHECKS / "link.csv"
    link.symlink_to(folder / "secret.csv")
    yield folder
    link.unlink()


@cache
def works_without_bounds(text: str) -> bool:
    """Whether the question is one that has an answer: else its refusal would prove nothing."""
    return bool(duckdb.connect().execute(text).fetchall())


# {o} a folder outside; {s} the site's; each is first shown to work on a connection without bounds.
READS = [
    "select * from read_csv('{o}/secret.csv')",
    "from '{o}/secret.csv'",
    "select * from read_text('{o}/secret.csv')",
    "select * from read_blob('{o}/secret.csv')",
    "select * from read_text(['{o}/secret.csv'])",
    "select * from read_text('file://{o}/secret.csv')",
    "select * from read_text('{o}/../{n}/secret.csv')",
    "select * from read_json('{o}/secret.json')",
    "select * from read_json_objects('{o}/secret.json')",
    "select * from read_ndjson_objects('{o}/secret.json')",
    "select * from read_parquet('{o}/secret.parquet')",
    "from '{o}/secret.parquet'",
    "select * from parquet_metadata('{o}/secret.parquet')",
    "select * from parquet_schema('{o}/secret.parquet')",
    "select * from sniff_csv('{o}/secret.csv')",
    "select * from glob('{o}/*')",
    "select * from glob('/etc/*')",
    "select * from read_text('/etc/passwd')",
    "select * from read_text('/proc/self/environ')",
    "select * from read_text('/proc/self/cmdline')",
    "select * from read_text('{s}/secrets/airflow_passwords.json')",
    "select * from read_text('{s}/secrets/hmac.key')",
    "select * from read_blob('{s}/secrets/*')",
    "select * from glob('{s}/secrets/*')",
    "select * from read_text('{s}/releases/CURRENT')",
    "select * from read_text('{s}/lake/ops__check/link.csv')",
    "select * from read_csv('{s}/lake/ops__check/*.csv')",
    "select * from read_text('{s}/lake/ops__check/_delta_log/*.json')",
    "select * from query('from read_text(''{o}/secret.csv'')')",
    "with a as (from read_text('{o}/secret.csv')) from a",
    "select (select content from read_text('{o}/secret.csv'))",
    "select a.* from (values (1)) v, lateral (select * from read_csv('{o}/secret.csv')) a",
    "summarize from read_csv('{o}/secret.csv')",
    "describe select * from read_csv('{o}/secret.csv')",
]
CHANGES = [
    "copy (select 1) to '{o}/out.csv'",
    "copy (select 1) to '{s}/lake/out.parquet'",
    "export database '{o}/out'",
    "import database '{o}/out'",
    "attach '{o}/other.duckdb' as other",
    "attach '{o}/new.duckdb' as fresh",
    "attach ':memory:' as fresh",
    "create table t as select 1",
    "create view v as select 1",
    "create macro m() as 1",
    "create secret (type s3, key_id 'a', secret 'b')",
    "insert into dim_school values ('x')",
    "delete from ops__check",
    "drop view ops__check",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "set memory_limit = '64GB'",
    "reset memory_limit",
    "set threads = 64",
    "set allowed_directories = ['/']",
    "set search_path = 'x'",
    "pragma enable_external_access",
    "pragma memory_limit = '64GB'",
    "pragma database_list",
    "call pragma_version()",
    "use memory",
    "begin",
    "checkpoint",
    "vacuum",
    "prepare p as select 1",
    "explain analyze select 1",
    "select 1; copy (select 1) to '{o}/out.csv'",
    "",
    ";",
    "-- nothing",
]


def everywhere(texts: list[str]) -> pytest.MarkDecorator:
    """Every text at both doors of `sql`; some at that of `asof`, which makes all views each time."""
    both = [(door, text) for door in ("sql", "sql --lake") for text in texts]
    return pytest.mark.parametrize(("door", "text"), [*both, *(("asof", text) for text in texts[::6])])


@everywhere(READS)
def test_no_question_reads_a_file_that_was_not_opened_for_it(
    site: Settings, outside: Path, door: str, text: str
) -> None:
    asked = text.format(o=outside, s=site.home, n=outside.name)
    assert works_without_bounds(asked)
    with pytest.raises(UserError, match="refused") as refused:
        rows(doors(site)[door](asked))
    assert SECRET not in str(refused.value)


@everywhere(CHANGES)
def test_no_question_writes_attaches_or_sets_anything(
    site: Settings, outside: Path, door: str, text: str
) -> None:
    before = sorted(outside.iterdir())
    with pytest.raises(UserError, match="refused"):
        rows(doors(site)[door](text.format(o=outside, s=site.home)))
    assert sorted(outside.iterdir()) == before
    assert not (site.lake / "out.parquet").exists()


def test_no_variable_of_this_process_and_of_its_environment_is_a_table_or_a_value(
    site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDULAKE_AIRFLOW_DB", SECRET)
    mine = pa.table({"a": [SECRET]})
    assert duckdb.sql("from mine").fetchall()
    for ask in (doors(site)["sql"], doors(site)["sql --lake"]):
        for text in (
            "from mine",
            "select getenv('EDULAKE_AIRFLOW_DB')",
            "from duckdb_secrets()",
            "from duckdb_settings()",
        ):
            with pytest.raises(UserError, match="refused"):
                rows(ask(text))
    assert mine.num_rows == 1


def test_what_may_be_asked_is_answered(site: Settings) -> None:
    by = doors(site)
    assert rows(by["sql"]("select count(*) from dim_school")) == [(3,)]
    assert ("dim_school",) in rows(by["sql"]("show tables"))
    assert rows(by["sql --lake"]("select count(*) from ops__receipt")) == [(1,)]
    assert rows(by["sql --lake"]("show tables")) == [(ROLL,), (CHECKS,), ("ops__receipt",)]
    assert rows(by["asof"](f"select count(*) from every_statement.{ROLL}")) == [(0,)]
    assert rows(by["asof"]("select count(*) from range(3)")) == [(3,)]


def test_rows_of_persons_are_for_who_may_open_the_restricted_zone(
    site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    by = doors(site)
    assert rows(by["sql --lake"]("show tables")) == [(CHECKS,), ("ops__receipt",)]
    for text in (
        f"from {ROLL}",
        f"from read_parquet('{site.restricted}/{ROLL}/*.parquet')",
        *(f"from '{file}'" for file in (site.restricted / ROLL).glob("*.parquet")),
    ):
        with pytest.raises(UserError, match="refused"):
            rows(by["sql --lake"](text))
    with pytest.raises(UserError, match="refused"):
        rows(by["asof"](f"from {ROLL}"))


def bounded(site: Settings, door: str, **bounds: int) -> Ask:
    return doors(dataclasses.replace(site, sql=Sql(**bounds)))[door]


@pytest.mark.parametrize("door", ["sql", "sql --lake", "asof"])
def test_a_question_that_takes_too_long_is_ended_and_says_how_to_go_on(site: Settings, door: str) -> None:
    endless = (
        "select count(*) from range(1000000000) a, range(1000000000) b where hash(a.range) = b.range + 1"
    )
    with pytest.raises(UserError, match="more than 1 s") as told:
        rows(bounded(site, door, seconds=1)(endless))
    assert "sql.seconds" in told.value.way_out
    # Rows that come one by one, without end, use up the same time.
    with pytest.raises(UserError, match="more than 1 s"):
        rows(bounded(site, door, seconds=1, rows=10**12)("from range(1000000000000)"))


def test_a_reader_that_takes_its_rows_slowly_uses_up_nothing(site: Settings) -> None:
    with bounded(site, "sql", seconds=1)("from range(20000)") as answer:
        taken = answer.rows()
        next(taken)
        time.sleep(1.1)  # longer than the engine may work
        assert len(list(taken)) == 19_999


@pytest.mark.parametrize(
    "greedy",
    [
        "select list(range) from range(100000000)",
        "select repeat('a', 3000000000)",
        "select length(repeat('a', 3000000000))",
        "select max(a) from (select string_agg(i::varchar, '') as a from range(50000000) t(i))",
    ],
)
@pytest.mark.parametrize("door", ["sql", "sql --lake"])
def test_a_question_that_needs_too_much_memory_is_refused(site: Settings, door: str, greedy: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(UserError, match="more than 64 MB of memory and 0 MB of disk") as told:
        rows(bounded(site, door, memory_mb=64, disk_mb=0)(greedy))
    assert "sql.memory_mb" in told.value.way_out
    assert resource.getrlimit(resource.RLIMIT_DATA) == before, "the bound ends with the question"


def test_what_does_not_fit_in_memory_is_sorted_on_disk_and_leaves_nothing(
    site: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    text = "select range, hash(range) from range(10000000) order by hash(range) limit 1 offset 9999999"
    with bounded(site, "sql", memory_mb=128, disk_mb=2000)(text) as answer:
        assert len(list(answer.rows())) == 1
        (private,) = tmp_path.iterdir()
        assert private.stat().st_mode & 0o777 == 0o700
    assert not list(tmp_path.iterdir())


def test_rows_are_bounded_and_the_rest_is_never_left_out_without_a_word(site: Settings) -> None:
    with bounded(site, "sql", rows=10)("from range(10)") as answer:
        assert len(list(answer.rows())) == 10
    with doors(site)["sql"]("from range(1_100_000)") as answer:
        assert sum(1 for _ in answer.rows()) == 1_100_000, "a site that says nothing sets no bound"
    taken: list[Any] = []
    with (
        pytest.raises(UserError, match="more than 10 rows"),
        bounded(site, "sql", rows=10)("from range(11)") as answer,
    ):
        taken.extend(answer.rows())
    assert len(taken) == 10
    with bounded(site, "sql", rows=10)("from range(11)") as answer:
        assert answer.first(3) == ([(0,), (1,), (2,)], True)
    with bounded(site, "sql", rows=10)("from range(3)") as answer:
        assert answer.first(3) == ([(0,), (1,), (2,)], False)


def test_a_table_whose_sums_miss_members_is_remarked_on(tmp_path: Path) -> None:
    settings = site_settings.load("beijing", tmp_path / "home").prepare()
    build = tmp_path / "build.duckdb"
    with duckdb.connect(str(build)) as connection:
        connection.execute("create table fct_late as select i as n, i > 1 as is_complete from range(5) t(i)")
        connection.execute("create table fct_whole as select i as n, true as is_complete from range(5) t(i)")
    models = {name: Model(name, "city") for name in ("fct_late", "fct_whole")}
    publication.publish(
        settings, "2025-11-20.1", build, models, {},
        as_of_date="2025-11-20", known_at="2025-11-20", code_version="0",
    )  # fmt: skip
    with questions.on_release(settings, "select sum(n) from FCT_LATE") as answer:
        assert [note for note in answer.notes if "数据不全" in note and "2 rows of fct_late" in note]
    with questions.on_release(settings, "select sum(n) from fct_whole") as answer:
        assert not [note for note in answer.notes if "不全" in note]


def test_sums_over_every_statement_are_remarked_on(site: Settings) -> None:
    for every, said in ((True, "superseded"), (False, "in force on 2025-11-20")):
        with questions.on_lake(site, f"select count(*) from {ROLL}", every_statement=every) as answer:
            assert [note for note in answer.notes if said in note]
        with questions.on_lake(site, "select count(*) from ops__receipt", every_statement=every) as answer:
            assert not [note for note in answer.notes if said in note]


def test_a_table_of_a_hundred_million_rows_is_shown_in_little_memory(site: Settings) -> None:
    """The command itself, in a process of its own: it took 7 GB before it printed fifty rows."""
    measured = (
        "import sys; from jobs.cli.main import main\n"
        "sys.argv[1:] = ['sql', 'from range(100000000)', '--site', 'beijing', '--limit', '5']\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code or 0)\n"
        "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", measured],
        env=os.environ | {"EDULAKE_HOME": str(site.home.parent), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "the first 5 rows are shown" in done.stdout
    *_, code, kilobytes = done.stdout.split()
    assert code == "0"
    assert int(kilobytes) < 600_000, done.stdout


def test_csv_of_an_answer_is_whole_or_ends_with_an_error_and_texts_stay_texts(
    site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    from jobs.cli.screen import print_answer

    with doors(site)["sql"]("select -5.2 as a, '-5.2' as b, '=1+1' as c, null as d") as answer:
        print_answer(answer, csv=True, limit=1)
    assert capsys.readouterr().out == "a,b,c,d\n-5.2,'-5.2,'=1+1,\n"


def test_the_bounds_are_settings_of_the_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beijing = (site_settings.SITES / "beijing.yaml").read_text(encoding="utf-8")
    own = tmp_path / "own.yaml"
    own.write_text(re.sub(r"(?m)^(districts|senders|calendar|map):.*\n", "", beijing) + "sql: {seconds: 7}\n")
    monkeypatch.setenv("EDULAKE_SITES", str(tmp_path))
    assert site_settings.load("own", tmp_path).sql == Sql(seconds=7)
    own.write_text(own.read_text().replace("seconds: 7", "second: 7"))
    with pytest.raises(UserError, match="unknown setting `second` in sql; did you mean `seconds`"):
        site_settings.load("own", tmp_path)
