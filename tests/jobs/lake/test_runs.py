"""Runs: named by the newest delivery day, counted, and never left open by a killed one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest

from jobs.lake import runs
from jobs.settings import Settings, UserError


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


def test_a_run_that_was_killed_is_failed_when_the_next_opens(settings: Settings) -> None:
    land(settings, "2025-09-10")
    first = runs.open_run(settings)
    second = runs.open_run(settings)
    assert (second.run_id, runs.get(settings, first.run_id).state) == ("2025-09-10.2", "failed")


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
    assert runs.get(settings, "2025-09-10.1").state == "failed"
