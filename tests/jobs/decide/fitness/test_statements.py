"""Statements are scored by the core: columns kept, the day that counts, classes and age beside the points."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jobs.decide.fitness.score import OUTPUT_SCHEMA, score
from jobs.decide.fitness.standard import ScoringOptions
from jobs.decide.fitness.statements import completed_months, score_statements


def results() -> pa.Table:
    """Boys and girls of grades 13 and 21, some with blanks."""
    counts = list(range(0, 60, 3))
    length = len(counts)
    return pa.table(
        {
            "school_code": pa.array([f"s{n}" for n in range(length)]),
            "valid_from": pa.array([date(2025, 10, 9)] * length),
            "test_date": pa.array([date(2025, 10, 8), None] * (length // 2)),
            "fitness_grade_code": pa.array([13, 21] * (length // 2), pa.int32()),
            "sex_code": pa.array(["1", "1", "2", "2"] * (length // 4)),
            "height_cm": pa.array([Decimal("150.5")] * length, pa.decimal128(4, 1)),
            "weight_kg": pa.array([Decimal("40.2")] * (length - 1) + [None], pa.decimal128(4, 1)),
            "vital_capacity_ml": pa.array([1500 + 100 * n for n in counts], pa.int32()),
            "run_50m_s": pa.array([Decimal("7.51") + n for n in range(length)], pa.decimal128(4, 2)),
            "sit_and_reach_cm": pa.array([Decimal(n) / 2 - 10 for n in counts], pa.decimal128(4, 1)),
            "rope_skip_1min_count": pa.array(counts, pa.int32()),
            "sit_up_1min_count": pa.array(counts, pa.int32()),
            "standing_long_jump_cm": pa.array([150 + n for n in counts], pa.int32()),
            "pull_up_count": pa.array([n // 3 for n in counts], pa.int32()),
            "run_1000m_s": pa.array([Decimal(200 + 4 * n) for n in counts], pa.decimal128(6, 2)),
            "run_800m_s": pa.array([Decimal(200 + 4 * n) for n in counts], pa.decimal128(6, 2)),
        }
    )


def one(**values: Any) -> dict[str, Any]:
    """The scores of one statement of a boy of grade 21."""
    row = {"fitness_grade_code": 21, "sex_code": "1", "valid_from": date(2025, 10, 9), "test_date": None}
    row |= {"height_cm": Decimal("150.5"), "weight_kg": Decimal("40.2")} | values
    days = {name: pa.date32() for name in ("valid_from", "test_date", "birth_date") if name in row}
    table = pa.table({name: pa.array([value], days.get(name)) for name, value in row.items()})
    return score_statements(table, "test_date").to_pylist()[0]


def test_every_row_is_kept_and_scored_by_the_core() -> None:
    given = results()
    made = score_statements(given, "test_date")
    kept = [name for name in given.column_names if name != "test_date"]
    assert made.select(kept).equals(given.select(kept))
    dated = given.drop_columns(["test_date"]).rename_columns({"fitness_grade_code": "grade_code"})
    assert made.select(OUTPUT_SCHEMA.names).to_pylist() == score(dated).to_pylist()
    assert set(made["status"].to_pylist()) == {"scored", "incomplete"}


def test_without_a_test_day_the_day_of_the_statement_counts() -> None:
    assert one()["test_date"] == date(2025, 10, 9)
    assert one(test_date=date(2025, 10, 1))["test_date"] == date(2025, 10, 1)
    assert one(test_date=date(1990, 1, 1))["status"] == "invalid", "no edition was in force"


def test_settings_reach_the_core() -> None:
    given = results().drop_columns(["pull_up_count"])
    strict = score_statements(given, "test_date")
    zero = score_statements(given, "test_date", ScoringOptions(missing_item="zero"))
    assert strict["total_score"].null_count == 6
    assert zero["total_score"].null_count == 0


def test_a_given_bmi_is_replaced_by_the_one_scored() -> None:
    row = one(height_cm=None, weight_kg=None, bmi=Decimal("18.146"))
    assert (row["bmi"], row["points_bmi"]) == (Decimal("18.1"), 100)


def test_the_grade_of_the_ladder_stands_beside_the_code() -> None:
    assert (one()["grade_key"], one(fitness_grade_code=99)["grade_key"]) == ("J1", None)


def test_classes_and_age_need_a_day_of_birth() -> None:
    assert "age_months" not in one()
    born = one(birth_date=date(2012, 10, 10))
    assert (born["age_months"], born["national_bmi_class"], born["is_stunted"]) == (155, "normal", False)
    none = one(birth_date=None)
    assert (none["age_months"], none["national_bmi_class"], none["is_stunted"]) == (None, None, None)
    assert one(birth_date=date(2022, 10, 9))["age_months"] is None, "nobody is tested at three"


@pytest.mark.parametrize(
    ("since", "until", "months"),
    [
        ("2012-10-09", "2025-10-09", 156),
        ("2012-10-10", "2025-10-09", 155),
        ("2024-01-31", "2024-02-29", 1),
        ("2024-01-30", "2024-02-29", 0),
        ("2024-02-29", "2024-03-31", 1),
        ("2024-02-29", "2024-03-30", 1),
    ],
)
def test_months_are_counted_as_months_between_does(since: str, until: str, months: int) -> None:
    days = [np.array([np.datetime64(day, "D").astype(np.int64)]) for day in (since, until)]
    assert completed_months(*days).tolist() == [months]
