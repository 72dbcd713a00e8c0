"""The release: what each audience may open, and that CURRENT names a complete one whatever happens."""

from __future__ import annotations

import errno
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from jobs import faults
from jobs.cli.main import app
from jobs.forget import act
from jobs.forget.trace import Trace
from jobs.publish import audience_files, publication
from jobs.publish import release as releases
from jobs.publish.release import CITY, Release, ReleaseError
from jobs.settings import Settings, UserError

from ...holding import held
from .conftest import MODELS, build


def rows(release: Release, audience: str, query: str) -> list[tuple]:
    return releases.open_release(release, audience).execute(query).fetchall()


def tables(release: Release, audience: str) -> set[str]:
    return {name for (name,) in rows(release, audience, "select table_name from duckdb_tables()")}


def test_each_audience_finds_its_own_rows(publish: Callable[..., Release]) -> None:
    release = publish("2026-09-10.1")

    assert sorted(release.manifest["files"]) == [
        "city.duckdb",
        "district-110101-pupils.duckdb",
        "district-110101.duckdb",
        "district-110108-pupils.duckdb",
        "district-110108.duckdb",
        "full.duckdb",
        "public.duckdb",
    ]
    shared = {"_release", "_column", "fct_school_fitness", "dim_indicator", "rpt_public__outlook"}
    assert tables(release, "full") == shared | {"_checklist", "fct_pupil_fitness"}
    assert tables(release, CITY) == shared | {"_checklist"}
    assert tables(release, "district-110108") == shared
    assert tables(release, "public") == {"_release", "_column", "rpt_public__outlook"}
    by_district = "select district_code, count(*) from fct_school_fitness group by all order by all"
    assert rows(release, CITY, by_district) == [("110101", 30), ("110108", 30)]
    assert rows(release, "district-110108", by_district) == [("110108", 30)]
    assert rows(release, "district-110108", "select count(*) from dim_indicator") == [(1,)], "city totals"
    # Rows about single pupils: each district's in a file of its own, with nothing else in it.
    pupils = "district-110108-pupils"
    assert tables(release, pupils) == {"_release", "_column", "fct_pupil_fitness"}
    of_pupils = "select district_code, count(*) from fct_pupil_fitness group by all"
    assert rows(release, pupils, of_pupils) == [
        one for one in rows(release, "full", of_pupils) if one[0] == "110108"
    ]


def test_rows_without_a_district_go_to_districts_only_as_city_totals(
    publish: Callable[..., Release], tmp_path: Path
) -> None:
    build_file = build(tmp_path / "nulls.duckdb")
    with duckdb.connect(str(build_file)) as con:
        con.execute("insert into fct_school_fitness (school_name) values ('未归区学校')")
        con.execute("insert into rpt_public__outlook values (null, 2027, 60)")
    totals = replace(MODELS["rpt_public__outlook"], city_rows=True)
    release = publish("2026-09-10.1", build_file, models={**MODELS, totals.name: totals})

    without_code = "select count(*) from {} where district_code is null"
    for audience, schools in ((CITY, 1), ("district-110101", 0)):
        assert rows(release, audience, without_code.format("fct_school_fitness")) == [(schools,)]
        assert rows(release, audience, without_code.format("rpt_public__outlook")) == [(1,)]


def test_public_file_has_no_pupil_rows(publish: Callable[..., Release]) -> None:
    release = publish("2026-09-10.1")

    columns = rows(release, "public", "select table_name, column_name from duckdb_columns()")
    assert ("rpt_public__outlook", "place_count") in columns
    assert not [column for _, column in columns if "pupil" in column]
    # The bytes are searched too: a dropped table would still be in the file's free blocks.
    assert b"pupil_key" in (release.folder / "full.duckdb").read_bytes()
    assert b"pupil_key" not in (release.folder / "public.duckdb").read_bytes()


def test_a_release_without_public_tables_has_an_empty_public_file(publish: Callable[..., Release]) -> None:
    models = {name: model for name, model in MODELS.items() if not model.public}
    release = publish("2026-09-10.1", models=models)
    assert tables(release, "public") == {"_release", "_column"}


def test_files_are_read_only_and_for_their_owner_alone(publish: Callable[..., Release]) -> None:
    release = publish("2026-09-10.1")
    assert {path.stat().st_mode & 0o777 for path in release.folder.iterdir()} == {0o400}
    assert release.folder.stat().st_mode & 0o777 == 0o700
    assert not list(release.folder.glob("*.wal"))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"fct_pupil_fitness": {"public": True}}, "row per pupil and cannot be public"),
        ({"fct_pupil_fitness": {"pupil_rows": False, "public": True}}, "pupil_key without `pupil_rows"),
        ({"fct_pupil_fitness": {"pupil_rows": False}}, "pupil_key without `pupil_rows"),
        ({"dim_indicator": {"scope": "district_code"}}, "scope is the column district_code"),
        ({"dim_indicator": {"name": "dim_gone"}}, "dim_gone is declared, but not in"),
    ],
)
def test_models_that_must_not_be_published_are_refused(
    publish: Callable[..., Release], settings: Settings, changed: dict[str, dict], says: str
) -> None:
    models = [replace(model, **changed.get(name, {})) for name, model in MODELS.items()]
    with pytest.raises(ReleaseError, match=says):
        publish("2026-09-10.1", models={model.name: model for model in models})
    assert releases.current(settings) is None
    assert not [path for path in settings.releases.iterdir() if path.name != ".lock"]


def test_a_district_code_that_cannot_name_a_file_is_refused(
    publish: Callable[..., Release], tmp_path: Path
) -> None:
    odd = build(tmp_path / "odd.duckdb")
    with duckdb.connect(str(odd)) as con:
        con.execute("update rpt_public__outlook set district_code = '../../etc' where place_count = 0")
    with pytest.raises(ReleaseError, match="is not a district code"):
        publish("2026-09-10.1", odd)


def test_publishing_a_run_twice_writes_nothing(publish: Callable[..., Release], settings: Settings) -> None:
    def state() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in settings.releases.rglob("*")}

    first = publish("2026-09-10.1")
    before = state()
    assert publish("2026-09-10.1") == first
    assert state() == before


def test_an_older_run_published_again_does_not_move_the_pointer(
    publish: Callable[..., Release], settings: Settings
) -> None:
    publish("2026-09-10.1")
    publish("2026-09-10.2")
    assert publish("2026-09-10.1").number == 1
    assert releases.current(settings).run_id == "2026-09-10.2"


def test_digest_is_of_the_content_not_of_order_or_layout(
    publish: Callable[..., Release], tmp_path: Path
) -> None:
    told = [
        publish("2026-09-10.1", build(tmp_path / "a.duckdb")).manifest,
        publish("2026-09-10.2", build(tmp_path / "b.duckdb", order="desc")).manifest,
    ]
    digests = [{name: table["digest"] for name, table in one["tables"].items()} for one in told]
    assert digests[0] == digests[1]
    assert told[0]["files"]["city.duckdb"]["sha256"] != told[1]["files"]["city.duckdb"]["sha256"]

    changed = build(tmp_path / "c.duckdb")
    with duckdb.connect(str(changed)) as con:
        # Two schools swap their counts: a digest that summed each column for itself would not see it.
        con.execute("""
            update fct_school_fitness
            set tested_count = case school_name when '学校1' then 4 else 1 end
            where school_name in ('学校1', '学校4')
        """)
        con.execute("update dim_indicator set target = 90.4")
    now = publish("2026-09-10.3", changed).manifest["tables"]
    differing = {name for name, table in now.items() if table["digest"] != digests[0][name]}
    assert differing == {"fct_school_fitness", "dim_indicator"}


def test_manifest_tells_where_the_release_is_from(publish: Callable[..., Release]) -> None:
    manifest = publish("2026-09-10.1").manifest
    assert manifest["inputs"] == {"clean_fitness__test_result": 3}
    assert (manifest["site"], manifest["as_of_date"], manifest["run_id"]) == (
        "beijing",
        "2026-09-10",
        "2026-09-10.1",
    )
    table = manifest["tables"]["fct_school_fitness"]
    assert (table["rows"], table["title_zh"], table["scope"]) == (60, "学校体质结果", "district_code")
    assert table["columns"][2] == {
        "name": "pass_share",
        "type": "DECIMAL(5,4)",
        "title_zh": "及格率",
        "description": "share of pupils, 0 to 1",
        "additive_over": [],
    }


def test_a_copied_file_says_itself_what_it_is(publish: Callable[..., Release]) -> None:
    release = publish("2026-09-10.1")
    found = rows(
        release, "district-110101", "select release, run_id, audience, as_of_date::varchar from _release"
    )
    assert found == [(1, "2026-09-10.1", "district-110101", "2026-09-10")]
    meaning = (
        "select table_name, column_type, title_zh, description from _column where column_name = 'pass_share'"
    )
    told = ("fct_school_fitness", "DECIMAL(5,4)", "及格率", "share of pupils, 0 to 1")
    assert rows(release, CITY, meaning) == [told]
    assert rows(release, "public", "select distinct table_name from _column") == [("rpt_public__outlook",)]


@pytest.mark.parametrize(
    "query",
    [
        "create table t as select 1",
        "copy dim_indicator to '{folder}/out.csv'",
        "select * from read_csv('{folder}/secret.csv')",
        "select * from '{folder}/secret.csv'",
        "select * from glob('{folder}/*')",
        "attach '{folder}/other.duckdb' as other",
        "install httpfs",
        "set enable_external_access = true",
        "set threads = 2",
    ],
)
def test_a_release_connection_reaches_nothing_else(
    publish: Callable[..., Release], tmp_path: Path, query: str
) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with duckdb.connect(str(tmp_path / "other.duckdb")) as other:
        statement = query.format(folder=tmp_path)
        if "read_csv" in statement or "glob" in statement:
            assert other.execute(statement).fetchall(), (
                "an open connection must be able to: the test can fail"
            )
    connection = releases.open_release(publish("2026-09-10.1"))
    with pytest.raises(duckdb.Error):
        connection.execute(statement)
    assert connection.execute("select count(*) from dim_indicator").fetchall() == [(1,)]


def test_a_file_that_is_not_the_manifests_is_refused(publish: Callable[..., Release], tmp_path: Path) -> None:
    first = publish("2026-09-10.1")
    second = publish("2026-09-10.2", build(tmp_path / "more.duckdb", pupils=80))
    (second.folder / "city.duckdb").unlink()
    shutil.copy(first.folder / "city.duckdb", second.folder / "city.duckdb")
    with pytest.raises(ReleaseError, match="not release 2"):
        releases.open_release(second)
    with pytest.raises(ReleaseError, match=r"city\.duckdb is missing or was changed"):
        releases.verify(second)
    releases.verify(first)


def test_a_full_disk_is_told_to_the_person(
    publish: Callable[..., Release], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("2026-09-10.1")

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(audience_files, "fsync", full)
    with pytest.raises(UserError) as told:
        publish("2026-09-10.2")
    assert "full" in told.value.message
    assert releases.current(settings).number == 1
    assert not list(settings.releases.glob(".build-*"))


def test_every_door_names_a_file_that_another_program_holds(
    publish: Callable[..., Release], settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = publish("2026-09-10.1")
    monkeypatch.setenv("EDULAKE_HOME", str(settings.home.parent))
    pupil = Trace(tokens={"a-token"})
    doors: dict[str, Callable[[], object]] = {
        "sql": lambda: CliRunner().invoke(app, ["sql", "show tables"], catch_exceptions=False),
        "sql --release": lambda: CliRunner().invoke(
            app, ["sql", "--release", "1", "show tables"], catch_exceptions=False
        ),
        "a notebook": lambda: releases.open_release(release, "full"),
        "forget": lambda: act._releases(settings, pupil),
    }
    with held(release.folder / "full.duckdb") as pid:
        for door, knock in doors.items():
            with pytest.raises(UserError) as told, faults.told(settings):
                knock()
            assert "full.duckdb is locked by " in told.value.message, door
            assert f"process {pid}" in told.value.message, door
        # These open no file of it, and go on.
        for command in (["release", "list"], ["status"]):
            done = CliRunner().invoke(app, command, catch_exceptions=False)
            assert (done.exit_code, "2026-09-10" in done.output) == (0, True), done.output
        assert publish("2026-09-10.2").number == 2
    waiting = build(tmp_path / "waiting.duckdb")
    with held(waiting), pytest.raises(UserError, match=r"waiting\.duckdb is locked by "):
        publish("2026-09-10.3", waiting)
    assert releases.current(settings).number == 2


def test_a_release_that_cannot_be_pointed_at_is_no_release(
    publish: Callable[..., Release], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("2026-09-10.1")
    with monkeypatch.context() as patch:
        written = publication._write_durably

        def full(path: Path, content: dict) -> None:
            if path.name.startswith(".CURRENT"):
                raise OSError(errno.ENOSPC, "No space left on device")
            written(path, content)

        patch.setattr(publication, "_write_durably", full)
        with pytest.raises(UserError, match="full"):
            publish("2026-09-10.2")
    assert releases.numbers(settings.releases) == [1]
    assert publish("2026-09-10.2").number == 2


PUBLISHER = """
import sys
from pathlib import Path
from jobs import settings
from jobs.publish import publication
from jobs.publish.published_models import Model

home, build_file, first = sys.argv[1:]
models = {name: Model(name, scope) for name, scope in (
    ("fct_school_fitness", "district_code"), ("dim_indicator", "city"))}
site = settings.load("beijing", home)
for run in range(int(first), int(first) + 1000):
    publication.publish(site, f"2026-09-10.{run}", Path(build_file), models, {},
        as_of_date="2026-09-10", known_at=f"moment {run}", code_version="0")
    if run == int(first):
        print("ready", flush=True)
"""


def test_a_killed_publisher_never_leaves_a_bad_pointer(settings: Settings, tmp_path: Path) -> None:
    """SIGKILL at random moments: CURRENT always names a complete release, and the next call clears up."""
    build_file = build(tmp_path / "build.duckdb", pupils=2000)
    chance = random.Random(7)
    half_built = 0
    for attempt in range(8):
        arguments = [str(settings.home.parent), str(build_file), str(attempt * 1000)]
        publisher = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, *arguments], stdout=subprocess.PIPE, cwd=settings.root
        )
        assert publisher.stdout is not None
        assert publisher.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0.05, 0.9))
        assert publisher.poll() is None, "the publisher must be alive when it is killed"
        publisher.send_signal(signal.SIGKILL)
        publisher.wait()
        publisher.stdout.close()

        half_built += bool(list(settings.releases.glob(".build-*")))
        pointed = releases.current(settings)
        if pointed is not None:
            releases.verify(pointed)
            assert len({found[0] for found in rows(pointed, CITY, "select release from _release")}) == 1
    assert half_built, "no kill met a publisher at work: the test has tested nothing"

    last = publication.publish(
        settings,
        "2026-09-11.1",
        build_file,
        MODELS,
        {},
        as_of_date="2026-09-11",
        known_at="2026-09-11",
        code_version="0",
    )
    assert releases.current(settings) == last
    assert not [
        path for path in settings.releases.iterdir() if path.name.startswith((".build", ".gone", ".CURR"))
    ]
