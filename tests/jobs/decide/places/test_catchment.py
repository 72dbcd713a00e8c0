"""Catchments that change: entrants follow their addresses, cohorts stay, districts keep their pupils."""

from __future__ import annotations

import pandas as pd
import pytest

from jobs.decide.places import catchment

SPANS = {"primary": ["4", "5", "6"]}
UNITS = pd.DataFrame(
    {"school": ["A", "B", "C"], "district": ["D", "D", "E"], "area": ["D/n", "D/n", "E/s"], "zone": "z"}
)


def stated(*rows: tuple[int, str, int]) -> pd.DataFrame:
    """Catchments of primary schools: year, school, homes."""
    made = pd.DataFrame(rows, columns=["school_year_start", "school_code", "dwelling_count"])
    district = dict(zip(UNITS["school"], UNITS["district"], strict=True))
    return made.assign(stage_code="primary", district_code=made["school_code"].map(district))


def forecast() -> pd.DataFrame:
    """A hundred pupils in each grade of each school, two years ahead of 2025."""
    return pd.DataFrame(
        [
            ("unit", school, grade, 2025 + lead, lead, 100)
            for school in ("A", "B", "C")
            for grade in SPANS["primary"]
            for lead in (1, 2)
        ],
        columns=["level", "unit", "grade", "year", "lead", "forecast"],
    )


def test_entrants_follow_the_addresses_and_their_cohort_stays_with_them() -> None:
    told = stated((2025, "A", 500), (2025, "B", 500), (2026, "A", 750), (2026, "B", 250), (2025, "C", 300))
    grown = catchment.factors(told, 2025, [2026, 2027], followed=0.8)
    assert grown["A", "primary", 2026] == pytest.approx(1.4)
    assert grown["B", "primary", 2027] == pytest.approx(0.6)
    made = catchment.changes(forecast(), grown, UNITS, SPANS).set_index(["unit", "grade", "lead"])["change"]
    assert made["A", "4", 1] == -made["B", "4", 1] == 40
    assert made["A", "4", 2] == 40, "the next entrants too"
    assert made["A", "5", 2] == 40, "the cohort of 2026 in its second year"
    assert made["A", "5", 1] == made["A", "6", 2] == 0, "who is in school stays"
    assert (made.loc["C"] == 0).all()


def test_a_catchment_that_stays_or_that_nobody_told_before_moves_nobody() -> None:
    same = stated((2024, "A", 500), (2024, "B", 500), (2025, "A", 600), (2025, "B", 600))
    assert catchment.factors(same, 2025, [2026], 0.8) == {}
    first = stated((2026, "A", 500), (2026, "B", 100))
    assert catchment.factors(first, 2025, [2026], 0.8) == {}
    assert catchment.factors(same.iloc[:0], 2025, [2026], 0.8) == {}


def test_the_past_that_entrants_came_from_is_the_mean_of_its_catchments() -> None:
    told = stated((2024, "A", 500), (2024, "B", 500), (2025, "A", 700), (2025, "B", 300))
    grown = catchment.factors(told, 2025, [2026], followed=1.0)
    # The change of this autumn is half in the past of two years already.
    assert grown["A", "primary", 2026] == pytest.approx(0.7 / 0.6)


def test_a_school_without_addresses_any_more_loses_most_entrants_to_the_others() -> None:
    told = stated((2025, "A", 500), (2025, "B", 500), (2026, "A", 1000))
    grown = catchment.factors(told, 2025, [2026], followed=1.0)
    assert grown["B", "primary", 2026] == pytest.approx(catchment.LEAST)
    made = catchment.changes(forecast(), grown, UNITS, SPANS).set_index(["unit", "grade", "lead"])["change"]
    assert made["B", "4", 1] == -made["A", "4", 1] < -80
