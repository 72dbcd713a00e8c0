"""Scores are appended once for each batch of statements, without an engine."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from jobs import declare
from jobs.decide.fitness import job, review_job
from jobs.lake import tables
from jobs.lake.runs import Run
from jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RUN = Run(
    run_id="2025-10-20.1",
    site="beijing",
    as_of_date=date(2025, 10, 20),
    known_at=datetime(2025, 10, 21, tzinfo=UTC),
    trigger="test",
    code_version="code",
    seed=None,
    state="open",
    release_number=None,
    inputs={},
)
RESULTS, SCORES = "clean_fitness__test_result", "decision_fitness__score"


def statement(number: int, batch: str) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(declare.table_columns(RESULTS))
    return row | {
        "pupil_key": f"p{number}",
        "sex_code": "1",
        "fitness_grade_code": 21,
        "vital_capacity_ml": 2000 + number,
        "valid_from": date(2025, 10, 9),
        "recorded_at": datetime(2025, 10, 9, tzinfo=UTC),
        "_line_number": number,
        "_batch_id": batch,
    }


def land(settings: Settings, batch: str, count: int) -> None:
    rows = [statement(number, batch) for number in range(count)]
    tables.append_rows(settings, RESULTS, rows, batch, "run")


def test_each_batch_is_scored_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert job._score(settings, RUN, SCORES) == 0, "nothing has been written yet"
    monkeypatch.setattr(job, "_CHUNK_ROWS", 3)
    land(settings, "b1", 8)
    land(settings, "b2", 1)
    assert job._score(settings, RUN, SCORES) == 9
    assert job._score(settings, RUN, SCORES) == 0
    land(settings, "b3", 2)
    assert job._score(settings, RUN, SCORES) == 2
    rows = tables.rows(settings, SCORES)
    assert sorted((row["_batch_id"], row["_line_number"]) for row in rows) == sorted(
        (batch, number) for batch, count in (("b1", 8), ("b2", 1), ("b3", 2)) for number in range(count)
    )
    assert {row["status"] for row in rows} == {"incomplete"}
    assert all(row["points_vital_capacity"] is not None for row in rows)


def test_where_all_sat_again_there_is_nothing_to_review(settings: Settings, spark: SparkSession) -> None:
    again = {
        "school_code": "2111000001",
        "school_year_start": 2025,
        "is_retest": True,
        "scope_key": "2111000001",
    }
    rows = [
        statement(number, "b1") | again | {"is_withdrawn": False, "delivery_no": 1} for number in range(3)
    ]
    tables.append_rows(settings, RESULTS, rows, "b1", "run")
    assert review_job.decide(settings, spark, RUN) == {review_job.UNITS: 0, review_job.EVIDENCE: 0}
