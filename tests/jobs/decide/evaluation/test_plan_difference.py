"""Each cause of a difference is found where it was planted, and the parts add to the difference exactly."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jobs.decide.evaluation.plan_counts import COLUMNS
from jobs.decide.evaluation.plan_difference import CAUSES, differences

DEGREES = "compulsory_teacher_bachelor_share"


def school(
    name: str,
    yes: int,
    known: int,
    year: int = 2025,
    district: str = "A",
    code: str = DEGREES,
    stage: str | None = "primary",
    kind: str = "21",
    owner: str = "public",
    scope: bool = True,
    missing: bool = False,
    unknown: int = 0,
) -> dict[str, Any]:
    row = (year, code, district, name, stage, kind, owner, scope, missing, yes, known, unknown)
    return dict(zip(COLUMNS, row, strict=True))


# A public, a private and a middle school; last autumn they had other teachers.
A = [
    school("p1", 95, 100),
    school("p2", 18, 30, owner="private"),
    school("m1", 50, 52, stage="junior", kind="31"),
    school("m1", 40, 40, stage="senior", kind="31", scope=False),
    school("p1", 90, 99, year=2024),
    school("p2", 17, 31, year=2024, owner="private"),
    school("m1", 46, 50, year=2024, stage="junior", kind="31"),
]


def reported(
    numerator: int | None, denominator: int | None, value: float, district: str = "A"
) -> dict[str, Any]:
    return {
        "level": "district",
        "unit_code": district,
        "indicator_code": DEGREES,
        "indicator_year": 2025,
        "indicator_value": Decimal(str(value)),
        "numerator": None if numerator is None else Decimal(numerator),
        "denominator": None if denominator is None else Decimal(denominator),
    }


def of(numerator: int, denominator: int, **more: Any) -> dict[str, Any]:
    return reported(numerator, denominator, round(100 * numerator / denominator, 2), **more)


def found(
    rows: list[dict[str, Any]], *judged: dict[str, Any], zones: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    return differences(pd.DataFrame(rows, columns=COLUMNS), judged, zones or {})


MISSING = [*A, school("p3", 38, 40, missing=True)]
UNKNOWN = [*A[1:], school("p1", 95, 100, unknown=6)]


@pytest.mark.parametrize(
    ("rows", "judged", "causes"),
    [
        (A, of(163, 182), None),
        (A, of(145, 152), "scope:without_private"),
        (A, of(113, 130), "scope:primary_only"),
        (A, of(203, 222), "scope:all_stages"),
        (A, of(153, 180), "date:last_year"),
        (A, of(136, 149), "date:last_year scope:without_private"),
        (MISSING, of(202, 223), "missing:included"),  # 39 of 41 teachers; 38 of 40 were expected
        (MISSING, of(163, 182), None),
        (UNKNOWN, of(169, 188), "codes:as_yes"),
        (UNKNOWN, of(163, 188), "codes:as_no"),
        (UNKNOWN, of(151, 158), "codes:as_yes scope:without_private"),
        # nothing that the lake could recount: near is not met
        (A, of(150, 158), None),
        (A, of(171, 190), None),
        # without counts by the value alone
        (A, reported(None, None, 95.39), "scope:without_private"),
        (A, reported(None, None, 93.3), None),
    ],
)
def test_a_cause_is_named_where_its_recount_meets_the_report(
    rows: list[dict[str, Any]], judged: dict[str, Any], causes: str | None
) -> None:
    (row,) = found(rows, judged)
    assert row["causes"] == causes
    named = {cause.split(":")[0] for cause in (causes or "").split()}
    assert {cause for cause in CAUSES if row[f"by_{cause}"]} == named
    if causes and "missing" not in causes:
        assert abs(row["unexplained"]) < Decimal("0.006"), "the report is printed with two decimals"
    if causes is None:
        assert row["unexplained"] == row["value_difference"]


def test_parts_add_exactly_and_zone_and_city_are_steps_of_sums() -> None:
    rows = [*A, *({**r, "district_code": "B"} for r in A), school("c", 10, 20, district="C")]
    city = of(471, 537) | {"level": "city", "unit_code": "city"}
    zone = of(308, 334) | {"level": "zone", "unit_code": "z"}
    judged = [of(145, 152), of(153, 180, district="B"), of(173, 205, district="C"), zone, city]
    made = found(rows, *judged, zones={"A": "z", "B": "z"})
    by_unit = {r["unit_code"]: r for r in made}
    for row in made:
        parts = [row[f"by_{cause}"] for cause in CAUSES]
        assert sum(parts, row["unexplained"]) == row["value_difference"]
        assert row["reported_indicator_value"] - row["counted_indicator_value"] == row["value_difference"]
    zone_row = by_unit["z"]
    assert zone_row["causes"] == "date:last_year scope:without_private"
    # first B's registers of the year before, then A without private schools
    counted, dated, scoped = 100 * 326 / 364, 100 * 316 / 362, 100 * 298 / 332
    assert float(zone_row["by_date"]) == pytest.approx(dated - counted, abs=1e-4)
    assert float(zone_row["by_scope"]) == pytest.approx(scoped - dated, abs=1e-4)
    assert by_unit["C"]["causes"] is None
    assert by_unit["city"]["unexplained"] != 0


def test_parts_add_exactly_whatever_is_reported() -> None:
    rng = np.random.default_rng(3)
    rows = [
        school(f"s{n}", int(known * share), known, year, d, owner=owner, missing=bool(gone), unknown=int(u))
        for n, (known, share, year, d, owner, gone, u) in enumerate(
            zip(
                rng.integers(1, 90, 120),
                rng.random(120),
                rng.integers(2024, 2026, 120),
                rng.choice(list("ABC"), 120),
                rng.choice(["public", "private"], 120),
                rng.random(120) < 0.1,
                rng.integers(0, 3, 120),
                strict=True,
            )
        )
    ]
    judged = [
        of(int(n), int(n) + 37, district=d) for n, d in zip(rng.integers(1, 900, 3), "ABC", strict=True)
    ]
    for row in found(rows, *judged):
        parts = [row[f"by_{cause}"] for cause in CAUSES]
        assert sum(parts, row["unexplained"]) == row["value_difference"]


def test_what_is_not_counted_has_a_reason_and_its_zone_too() -> None:
    rows = [*A, school("x", 0, 0, district="D", unknown=4)]
    zone = of(200, 230) | {"level": "zone", "unit_code": "z"}
    made = found(rows, of(145, 152), of(10, 12, district="D"), zone, zones={"A": "z", "D": "z"})
    assert [(r["unit_code"], r["missing_reason"]) for r in made] == [
        ("A", None),
        ("D", "not_counted"),
        ("z", "not_counted"),
    ]
    assert made[1]["value_difference"] is None
    assert made[1]["unknown_count"] == 0
