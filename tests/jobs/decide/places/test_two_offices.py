"""Two offices that count one school: the newer count stands, whole, and the run goes on."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from jobs import declare
from jobs.decide.places import job
from jobs.lake import tables
from jobs.lake.runs import Run
from jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TABLE = "clean_enrollment__grade_count"
YEARS = range(2016, 2026)
RUN = Run(
    run_id="2025-11-20.1",
    site="beijing",
    as_of_date=date(2025, 11, 20),
    known_at=datetime(2025, 11, 20, 15, 59, 59, tzinfo=UTC),
    trigger="test",
    code_version="0" * 16,
    seed=7,
    state="running",
    release_number=None,
    inputs={},
)


def counted(settings: Settings, sender: str, day: int, grades: dict[str, int]) -> None:
    """The shared school and one of its own, counted by a sender in each September."""
    rows = [
        {
            "unit_code": unit,
            "parent_unit_code": sender,
            "school_year_start": year,
            "grade_key": grade,
            "pupil_count": count,
            "valid_from": date(year, 9, 1),
            "stated_on": date(year, 9, day),
            "delivery_no": 1,
            "recorded_at": datetime(year, 9, day, tzinfo=UTC),
            "is_withdrawn": False,
            "scope_key": f"{sender}|{year}",
            "sender_code": sender,
            "_file_sha256": f"{sender}{year}",
            "_line_number": 2,
        }
        for year in YEARS
        for unit in ("shared", sender)
        for grade, count in grades.items()
    ]
    full = [{name: row.get(name) for name in declare.table_columns(TABLE)} for row in rows]
    tables.append_rows(settings, TABLE, full, sender, "r")


def no_spark() -> SparkSession:
    raise AssertionError("few rows need no Spark")


def test_two_offices_that_count_one_school_end_no_run(settings: Settings) -> None:
    counted(settings, "110101", 20, {"P1": 40, "P2": 41, "P3": 42})
    # Newer, another parent, and one grade less: the third would come back with the first parent.
    counted(settings, "110105", 25, {"P1": 50, "P2": 51})
    made = job.decisions(settings, no_spark, RUN)
    forecast = made["decision_places__forecast"]
    shared = forecast[(forecast["unit_code"] == "shared") & (forecast["lead"] == 1)]
    assert set(shared["parent_unit_code"]) == {"110105"}
    city = forecast[(forecast["level"] == "city") & (forecast["lead"] == 1)].set_index("grade_key")
    assert float(city.loc["P1", "forecast"]) == 140, "the school once (50), its neighbors 40 and 50"
