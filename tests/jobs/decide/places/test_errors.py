"""Errors of past forecasts: each level is judged by its own sums, in its own intervals."""

from __future__ import annotations

import pandas as pd
import pytest

from jobs.decide.places import decided_rows, errors

BOUNDS = {"lower_80": 90, "upper_80": 110, "lower_90": 80, "upper_90": 120}
UNITS = pd.DataFrame(
    {
        "school": ["a", "b", "c"],
        "district": ["110101", "110101", "110102"],
        "area": ["110101/x", "110101/x", "110102/(none)"],
        "zone": "core",
        "city": "total",
    }
)
# P1 (year 4 on the ladder) and P2 of three schools in two autumns.
COUNTS = pd.DataFrame(
    [
        (school, year, grade, count)
        for year, counts in ((2023, (60, 60, 100)), (2024, (50, 100, 40)))
        for school, count in zip("abc", counts, strict=True)
        for grade in (4, 5)
    ],
    columns=["unit", "year", "grade", "enrollment"],
)


def forecast(level: str, unit: str, grade: str, count: int, **bounds: int) -> dict[str, object]:
    near = {name: count * share // 100 for name, share in BOUNDS.items()}
    key = {"origin": 2023, "level": level, "unit": unit, "grade": grade, "year": 2024, "lead": 1}
    return {**key, "forecast": count, **near, **bounds}


def test_units_miss_apart_and_their_sums_are_judged_by_themselves() -> None:
    past = pd.DataFrame(
        [
            forecast("unit", "a", "all", 110),  # of 100 that came: 10 % too many
            forecast("unit", "b", "all", 180),  # of 200: 10 % too few
            forecast("unit", "c", "primary", 90, lower_80=82, upper_80=95),  # of 80
            forecast("unit", "c", "4", 41),  # of 40: too few to count
            forecast("parent", "110101", "all", 290),  # of 300
            forecast("area", "110101/x", "all", 290),
            forecast("total", "total", "4", 190),  # of 190
            {**forecast("total", "total", "all", 400), "year": 2030},  # has not come
        ]
    )
    found = errors.mean_errors(errors.past_errors(past, COUNTS, UNITS)).set_index(["level", "grade"])
    schools = found.loc[("unit", "all")]
    assert (schools["unit_count"], schools["origin_count"]) == (2, 1)
    assert schools["mape"] == pytest.approx(10)
    assert schools["bias"] == pytest.approx(0)
    for level in ("parent", "area"):
        assert found.loc[(level, "all"), "mape"] == pytest.approx(100 / 30)
    alone = found.loc[("unit", "primary")]
    assert (alone["held_80"], alone["held_90"]) == (0, 1)
    # 13 wide, and missed by 2: ten times that beside the width, of 80 pupils.
    assert alone["score_80"] == pytest.approx(100 * (13 + 10 * 2) / 80)
    assert found.loc[("total", "4"), "mape"] == 0
    assert ("unit", "4") not in found.index
    assert ("total", "all") not in found.index


def test_rows_of_the_table_speak_its_words() -> None:
    past = pd.DataFrame([forecast("parent", "110101", "4", 140), forecast("total", "total", "all", 400)])
    rows = decided_rows.error_rows(past, COUNTS, UNITS)
    told = set(zip(rows["level"], rows["grade_key"], strict=True))
    assert told == {("district", "P1"), ("city", "all")}
