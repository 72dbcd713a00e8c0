"""Runs: named by the newest delivery day, counted, and never left open by a killed one."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest

from jobs.lake import runs
from jobs.settings import ROOT, Settings, UserError


def land(settings: Settings, day: str) -> None:
    file = settings.landing / "enrollment" / "110101" / f"{day}_1" / "a.csv"
    file.parent.mkdir(parents=True)
    file.write_text(day)


def test_nothing_landed_is_said(settings: Settings) -> None:
    with pytest.raises(UserError, match="nothing has been landed"):
        runs.open_run(settings)


def test_a_run_stands_for_the_newest_delivery_day_whole(settings: Settings) -> None:
    land(settings, "2025-09-10")
    run = runs.open_run(settings)
    assert (run.run_id, run.as_of_date) == ("2025-09-10.1", date(2025, 9, 10))
    assert run.known_at == datetime(2025, 9, 10, 15, 59, 59, tzinfo=UTC)
    land(settings, "2025-09-12")
    assert runs.open_run(settings).run_id == "2025-09-12.1"


def test_a_lake_of_an_earlier_version_is_not_gone_on_with(settings: Settings) -> None:
    land(settings, "2025-09-10")
    (settings.lake / "clean_fitness__test_result").mkdir()
    with pytest.raises(UserError, match=r"clean_fitness__test_result holds values(.|\n)*run again"):
        runs.open_run(settings)


def test_a_run_whose_process_was_killed_stands_as_interrupted(settings: Settings) -> None:
    land(settings, "2025-09-10")
    code = "from jobs import settings; from jobs.lake import runs; runs.open_run(settings.load())"
    for last in ("", "; import os, signal; os.kill(os.getpid(), signal.SIGKILL)"):
        subprocess.run(
            [sys.executable, "-P", "-c", code + last],
            check=not last,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert runs.all_runs(settings)[-1].state == "running"
        assert runs.as_they_stand(settings)[-1].state == "interrupted"
    mine = runs.open_run(settings)
    assert [run.state for run in runs.as_they_stand(settings)] == ["interrupted", "interrupted", "running"]
    runs.finish(settings, mine.run_id, runs.PUBLISHED, 1)
    assert runs.as_they_stand(settings)[-1].state == "published"


def test_a_scheduled_run_lives_as_long_as_what_it_was_told(settings: Settings) -> None:
    land(settings, "2025-09-10")
    with subprocess.Popen(["sleep", "300"]) as owner:
        runs.join_run(settings, "schedule", owner.pid)
        assert runs.as_they_stand(settings)[-1].state == "running"
        owner.kill()
    assert runs.as_they_stand(settings)[-1].state == "interrupted"
    runs.join_run(settings, "schedule")
    assert [run.state for run in runs.as_they_stand(settings)] == ["running"], "the next one takes it up"


def test_a_scheduled_task_joins_the_open_run_and_a_finished_one_stays_finished(settings: Settings) -> None:
    land(settings, "2025-09-10")
    first = runs.join_run(settings, "schedule")
    assert runs.join_run(settings, "schedule") == first
    runs.finish(settings, first.run_id, runs.PUBLISHED, 4, {"clean_places__birth": 2})
    done = runs.get(settings, first.run_id)
    assert (done.state, done.release_number, done.inputs) == ("published", 4, {"clean_places__birth": 2})
    assert runs.join_run(settings, "schedule").run_id == "2025-09-10.2"


def test_an_unknown_run_is_an_error(settings: Settings) -> None:
    with pytest.raises(UserError, match=r"2030-01-01\.1"):
        runs.get(settings, "2030-01-01.1")


def test_many_that_join_at_once_are_in_one_run(settings: Settings) -> None:
    land(settings, "2025-09-10")
    with ThreadPoolExecutor(4) as pool:
        joined = list(pool.map(lambda _: runs.join_run(settings, "schedule").run_id, range(4)))
    assert joined == ["2025-09-10.1"] * 4
    assert len(runs.all_runs(settings)) == 1


def test_a_run_left_open_by_an_earlier_day_is_not_joined(settings: Settings) -> None:
    land(settings, "2025-09-10")
    runs.join_run(settings, "schedule")
    land(settings, "2025-09-11")
    assert runs.join_run(settings, "schedule").run_id == "2025-09-11.1"
    assert runs.get(settings, "2025-09-10.1").state == "interrupted"
