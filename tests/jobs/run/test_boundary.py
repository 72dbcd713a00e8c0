"""An unexpected error leaves a task without the cell that it quotes, whichever engine raised it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from traceback import format_exception
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.decide.evaluation import job
from jobs.judging import audit
from jobs.lake import deliveries, runs
from jobs.run import tasks
from jobs.run.boundary import UnexpectedError
from jobs.settings import Settings, UserError

from ... import canaries

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CANARY = canaries.Canaries().at("a cell")
NUMBER = CANARY.removeprefix("柳如烟")


def _cells(settings: Settings) -> str:
    """A table of the restricted zone that holds the cell."""
    path = str(settings.restricted / "cells")
    write_deltalake(path, pa.table({"name": [CANARY]}))
    return path


def _duckdb(settings: Settings, spark: Callable[[], SparkSession]) -> None:
    with duckdb.connect() as lake:
        lake.read_parquet(DeltaTable(_cells(settings)).file_uris()).select("cast(name as integer)").fetchall()


def _spark(settings: Settings, spark: Callable[[], SparkSession]) -> None:
    spark().read.format("delta").load(_cells(settings)).selectExpr("cast(name as int)").collect()


def _arrow(settings: Settings, spark: Callable[[], SparkSession]) -> None:
    pa.array([CANARY]).cast(pa.int32())


def _python(settings: Settings, spark: Callable[[], SparkSession]) -> None:
    try:
        int(CANARY)
    except ValueError as error:
        raise KeyError(CANARY) from error


def _for_a_person(settings: Settings, spark: Callable[[], SparkSession]) -> None:
    try:
        int(CANARY)
    except ValueError as error:
        raise UserError("the file is empty.", "Ask for it again.") from error


def _check(settings: Settings, spark: Callable[[], SparkSession]) -> None:
    failed = [{"table_name": "t", "check_name": "c", "checked_by": "gx"}]
    raise audit.CheckFailedError("2025-11-20.1", failed)


@pytest.fixture
def run_id(settings: Settings) -> str:
    source = settings.home / "b.csv"
    source.write_text("区,出生年,出生人数\n东城区,2020,1000\n", encoding="utf-8")
    deliveries.land(settings, source, "place_demand", "110000", date(2021, 1, 10))
    return runs.open_run(settings, "test").run_id


@pytest.mark.parametrize("fault", [_duckdb, _spark, _arrow, _python])
def test_an_unexpected_error_keeps_the_cell_in_the_restricted_zone(
    settings: Settings,
    run_id: str,
    spark: SparkSession,
    engine_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[..., None],
) -> None:
    monkeypatch.setattr(job, "decide", lambda settings, spark, run: fault(settings, spark))
    with pytest.raises(UnexpectedError) as raised:
        tasks.decide(run_id, "evaluation")
    # All that Airflow writes of it: messages, types and frames of the error and of what it came from.
    said = "".join(format_exception(raised.value))
    assert not canaries.numbers(said)
    assert "tests/jobs/run/test_boundary.py:" in said, "where it happened"
    kept = settings.restricted / "errors" / f"decide-{run_id}-evaluation.txt"
    assert str(kept) in str(raised.value)
    assert NUMBER in kept.read_text(encoding="utf-8"), "the error quoted nothing"
    for home in (settings.home, engine_home / settings.site):
        assert canaries.found(home, [home / "landing", home / "lake" / "restricted"]) == {}


@pytest.mark.parametrize("fault", [_for_a_person, _check])
def test_words_for_people_go_through_without_what_they_came_from(
    settings: Settings, run_id: str, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None]
) -> None:
    monkeypatch.setattr(job, "decide", lambda settings, spark, run: fault(settings, spark))
    with pytest.raises(UserError) as raised:
        tasks.decide(run_id, "evaluation")
    assert raised.value.way_out
    assert isinstance(raised.value, audit.CheckFailedError) == (fault is _check)
    assert not canaries.numbers("".join(format_exception(raised.value)))
    assert canaries.found(settings.home, [settings.landing, settings.restricted]) == {}


def test_a_full_disk_ends_a_task_with_words_and_no_second_try(
    settings: Settings, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("IO Error: Could not write file: No space left on device")

    monkeypatch.setattr(job, "decide", full)
    with pytest.raises(UserError, match="a disk was full"):
        tasks.decide(run_id, "evaluation")


def test_an_end_from_outside_is_no_error(
    settings: Settings, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "decide", ended)
    with pytest.raises(KeyboardInterrupt):
        tasks.decide(run_id, "evaluation")
