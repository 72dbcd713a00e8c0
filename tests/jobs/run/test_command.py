"""`run` as a person meets it: nothing new, another city, two at once, a bad release."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import psutil
import pytest
from deltalake import DeltaTable
from typer.testing import CliRunner

from jobs import declare
from jobs import settings as site_settings
from jobs.cli.main import app
from jobs.ingest import failures
from jobs.judging import audit
from jobs.lake import deliveries, runs, tables
from jobs.publish import drafts, marts, publication, release
from jobs.reading import isolated, reader
from jobs.run import airflow, command, tasks
from jobs.screen import Screen
from jobs.settings import Settings, UserError
from jobs.spark import server


@pytest.fixture
def nothing_may_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a service was started")

    for module, name in ((airflow, "up"), (server, "start"), (server, "session")):
        monkeypatch.setattr(module, name, refuse)


def said(settings: Settings, scale: float = 0.002, seed: int = 7) -> str:
    out = io.StringIO()
    command.run(settings, scale=scale, seed=seed, console=Screen(file=out, width=200))
    return out.getvalue()


@pytest.mark.usefixtures("nothing_may_start")
def test_nothing_new_is_said_and_nothing_is_started(lake: Settings) -> None:
    before = runs.all_runs(lake)
    assert "Nothing new" in said(lake)
    assert runs.all_runs(lake) == before


@pytest.mark.usefixtures("nothing_may_start")
def test_a_city_of_another_scale_is_refused_with_the_way_out(lake: Settings) -> None:
    with pytest.raises(UserError, match=r"scale 0\.002") as caught:
        said(lake, scale=0.003)
    assert "./edulake clean" in caught.value.way_out


@pytest.mark.usefixtures("nothing_may_start")
def test_a_second_run_at_once_is_refused(lake: Settings) -> None:
    with (lake.run / "run.lock").open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(UserError, match="under way"):
            said(lake)


def test_a_city_whose_landing_was_killed_is_landed_whole(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = Screen(quiet=True)
    real = Path.replace
    moved: list[Path] = []

    def dies_midway(self: Path, target: Path) -> Path:
        if ".city.part" in self.parts and settings.landing in target.parents:
            moved.append(target)
            if len(moved) == 100:
                raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", dies_midway)
    with pytest.raises(KeyboardInterrupt):
        command.prepare_input(settings, 0.002, 7, quiet)
    monkeypatch.setattr(Path, "replace", real)
    with pytest.raises(UserError, match="seed 7"):
        command.prepare_input(settings, 0.002, 8, quiet)
    command.prepare_input(settings, 0.002, 7, quiet)
    assert len(deliveries.scan(settings)) > 400


@pytest.mark.slow
def test_a_run_asked_to_end_stops_what_it_started(settings: Settings) -> None:
    command = [sys.executable, "-m", "jobs", "run", "--site", "beijing", "--scale", "0.002"]
    running = subprocess.Popen(command, cwd=site_settings.ROOT, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    # Its own tasks are told of as they end: Airflow and Spark are up.
    assert any("write_raw" in line for line in running.stdout)
    started = server.running(settings)
    assert started is not None
    assert started.pid is not None
    engine = psutil.Process(started.pid)
    running.terminate()
    running.stdout.close()
    assert running.wait() == 143
    assert server.running(settings) is None
    # What it leaves when it is dead goes when the system has taken note of it.
    assert psutil.wait_procs([engine], timeout=60)[1] == []
    assert runs.all_runs(settings)[-1].state == runs.FAILED


@pytest.mark.usefixtures("nothing_may_start")
@pytest.mark.parametrize("change", ["file", "code", "batch", "release", "killed", "failed"])
def test_what_is_news(
    lake: Settings, own_copy: Callable[[], Settings], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    mine = own_copy()
    match change:
        case "file":
            source = mine.home / "b.csv"
            source.write_text("区,出生年,出生人数\n东城区,2025,98\n")
            deliveries.land(mine, source, "place_demand", "110000", date(2025, 12, 1))
        case "code":
            monkeypatch.setattr(runs, "fingerprint", lambda _: "another")
        case "batch":
            left = mine.restricted / "batches" / "place_demand" / "0123456789abcdef.json"
            left.write_text(
                '{"batch_id": "0123456789abcdef", "feed": "place_demand", "is_read": false, "files": []}'
            )
        case "release":
            (mine.releases / "CURRENT").unlink()
        case "killed":  # after its last file had a receipt
            runs.open_run(mine)
        case "failed":
            runs.finish(mine, runs.open_run(mine).run_id, runs.FAILED)
    with pytest.raises(AssertionError, match="a service was started"):
        said(mine)


@pytest.fixture
def own_copy(
    lake: Settings, tmp_path: Path, engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Settings]:
    """A copy of the finished lake that a test may change."""

    def copy() -> Settings:
        shutil.copytree(lake.home, tmp_path / "copy" / lake.site)
        monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "copy"))
        monkeypatch.setenv("EDULAKE_SITE", lake.site)
        monkeypatch.setenv("EDULAKE_SPARK", engine_url)
        return site_settings.load().prepare()

    return copy


@pytest.mark.usefixtures("nothing_may_start")
def test_a_draft_that_waits_for_a_person_ends_the_run_at_once(own_copy: Callable[[], Settings]) -> None:
    mine = own_copy()
    draft = mine.releases / "drafts" / "2"
    shutil.copytree(mine.releases / "1", draft)
    (draft / "manifest.json").chmod(0o600)
    told = json.loads((draft / "manifest.json").read_text("utf-8")) | {"release": 2}
    (draft / "manifest.json").write_text(json.dumps(told), "utf-8")
    runs.finish(mine, runs.all_runs(mine)[-1].run_id, runs.WAITING, 2)

    def called() -> tuple[int, str]:
        done = CliRunner().invoke(app, ["run", "--scale", "0.002"], catch_exceptions=False)
        return done.exit_code, done.output

    code, output = called()
    assert (code, "等待审批 waiting for approval" in output) == (command.WAITS, True), output
    assert "release approve 2" in output
    assert "等待审批" in CliRunner().invoke(app, ["status"], catch_exceptions=False).output
    publication.reject(mine, 2, "李明", "海淀区少一所学校")
    code, output = called()
    assert (code, "已退回 rejected" in output) == (command.WAITS, True), output
    # Somebody who was forgotten took the draft along: the next run makes another.
    drafts.remove(mine)
    with pytest.raises(AssertionError, match="a service was started"):
        said(mine)


# In the reading process: our own code fails on every file.
BROKEN = """
import sys
from jobs.reading import isolated, recognize
def fails(*_):
    raise AssertionError
recognize.recognize = fails
isolated.serve(int(sys.argv[1]))
"""


def test_files_on_which_we_failed_are_told_to_the_scheduler(
    own_copy: Callable[[], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = own_copy()
    called = ["run", "--scale", "0.002"]
    assert CliRunner().invoke(app, called, catch_exceptions=False).exit_code == 0
    source = mine.home / "b.csv"
    source.write_text("区,出生年,出生人数\n东城区,2025,98\n", encoding="utf-8")
    deliveries.land(mine, source, "place_demand", "110000", date(2025, 11, 20))
    run_id = runs.open_run(mine, "test").run_id
    with monkeypatch.context() as patch:
        patch.setattr(isolated, "_idle", [])
        patch.setattr(isolated, "_SERVE", BROKEN)
        tasks.write_raw(run_id, "place_demand")
        tasks.clean_rows(run_id, "place_demand")
        for process in isolated._idle:
            process._end()
    with pytest.raises(UserError, match="1 files are not in the release"):
        tasks.check_files(run_id)
    # It was published without the file; the same code would fail again, so there is no news.
    runs.finish(mine, run_id, runs.PUBLISHED, 1)
    done = CliRunner().invoke(app, called, catch_exceptions=False)
    assert (done.exit_code, "1 file not in the release" in done.output) == (command.FILES_FAILED, True)
    (failed,) = failures.standing(mine)
    failures.retry(mine, failed)
    tasks.write_raw(run_id, "place_demand")
    tasks.clean_rows(run_id, "place_demand")
    assert tasks.check_files(run_id) == {"failed": 0}
    assert CliRunner().invoke(app, called, catch_exceptions=False).exit_code == 0


def night(settings: Settings) -> dict[str, tasks.Counts]:
    """What the scheduled DAGs do in one night: the same functions, in the order of the assets."""
    run_id = tasks.open_scheduled_run()
    done: dict[str, tasks.Counts] = {}
    for feed in settings.feeds:
        done[f"raw {feed}"] = tasks.write_raw(run_id, feed)
        done[f"clean {feed}"] = tasks.clean_rows(run_id, feed)
    for service in settings.services:
        done[service] = tasks.decide(run_id, service)
    done["marts"] = tasks.build_marts(run_id)
    done["release"] = tasks.publish_release(run_id)
    assert tasks.publish_release(run_id)["release"] == done["release"]["release"], "again: nothing"
    return done


def published_bytes(settings: Settings) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(settings.releases)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in settings.releases.rglob("*")
        if path.name != ".lock"
    }


def test_a_night_without_news_builds_and_publishes_nothing(
    own_copy: Callable[[], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = own_copy()
    before, checks = published_bytes(mine), len(tables.rows(mine, "ops__check"))
    with monkeypatch.context() as patch:
        # Neither Java nor dbt is asked for anything.
        patch.setenv("EDULAKE_SPARK", "sc://127.0.0.1:1")
        patch.setattr(marts, "build", None)
        for _ in range(2):
            done = night(mine)
            assert {counts["files"] for name, counts in done.items() if " " in name} == {0}
            assert {done[service]["unchanged"] for service in mine.services} == {1}
            assert (done["marts"], done["release"]) == ({"unchanged": 1}, {"release": 1, "unchanged": 1})
    assert published_bytes(mine) == before
    assert len(tables.rows(mine, "ops__check")) == checks
    assert [(run.state, run.release_number) for run in runs.all_runs(mine)] == [
        (runs.PUBLISHED, 1),
        (runs.UNCHANGED, 1),
        (runs.UNCHANGED, 1),
    ]
    assert not command._has_news(mine)

    # A table has another version and the same rows: the marts are built, and found equal.
    receipts = DeltaTable(str(tables.path(mine, "ops__receipt")))
    receipts.alter.set_table_properties({"delta.logRetentionDuration": "interval 90 days"})
    done = night(mine)
    assert done["marts"]["marts"] > 20
    assert done["release"] == {"release": 1, "unchanged": 1}
    assert published_bytes(mine) == before
    assert (mine.restricted / "builds").is_dir()
    assert not list((mine.restricted / "builds").glob("*.duckdb")), "what was built held rows of pupils"

    # The release is damaged: the same night heals it by a new one.
    damaged = mine.releases / "1" / "public.duckdb"
    damaged.chmod(0o600)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert night(mine)["release"] == {"release": 2}
    release.verify(release.current(mine))  # type: ignore[arg-type]


def test_a_bad_release_is_stopped_and_the_old_one_keeps_serving(own_copy: Callable[[], Settings]) -> None:
    """Every district hands in ten times its pupils: each line is possible, what is built on it is not."""
    mine = own_copy()
    before = release.current(mine)
    assert before is not None
    for file in sorted(mine.landing.glob("enrollment/*/2025-09-25_1/*")):
        sheet = reader.read(file, declare.datasets_of("enrollment"))
        assert sheet.contract is not None
        assert sheet.contract.dataset == "grade_return"
        at = sheet.positions["pupil_count"]
        source = mine.home / "outbox" / "tenfold.csv"
        source.parent.mkdir(exist_ok=True)
        with source.open("w", encoding="utf-8", newline="") as out:
            table = csv.writer(out)
            table.writerow(sheet.header)
            for _, cells in sheet.lines:
                if cells[at].isdigit():
                    table.writerow([*cells[:at], str(int(cells[at]) * 10), *cells[at + 1 :]])
        deliveries.land(mine, source, "enrollment", file.parent.parent.name, date(2025, 12, 1))
    run_id = runs.open_run(mine, "test").run_id
    tasks.write_raw(run_id, "enrollment")
    assert tasks.clean_rows(run_id, "enrollment")["accepted"] > 100
    tasks.decide(run_id, "places")
    with pytest.raises(audit.CheckFailedError, match="mape_share"):
        tasks.build_marts(run_id)
    assert release.current(mine) == before
    failed = [c for c in tables.rows(mine, "ops__check") if c["run_id"] == run_id and not c["is_success"]]
    assert {(c["table_name"], c["checked_by"]) for c in failed} >= {("fct_places_forecast_error", "gx")}
