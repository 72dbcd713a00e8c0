"""Indicators against target: the city's value is a quotient of sums, operators mean what the plan prints."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from jobs.decide.evaluation.indicators import evaluate, targets

ON = date(2025, 11, 20)


def value(
    code: str, district: str, numerator: str | None, denominator: str | None, rate: str, year: int = 2025
) -> dict[str, Any]:
    return {
        "indicator_code": code,
        "district_code": district,
        "indicator_year": year,
        "numerator": Decimal(numerator) if numerator else None,
        "denominator": Decimal(denominator) if denominator else None,
        "indicator_value": Decimal(rate),
    }


def city(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return next(row for row in rows if row["level"] == "city")


def test_the_plan_has_twelve_indicators_in_its_years_only() -> None:
    assert len(targets(ON)) == 12
    assert targets(date(2020, 12, 31)) == {}


def test_city_value_is_the_quotient_of_sums_and_no_mean_of_rates() -> None:
    code = "inclusive_kindergarten_coverage"
    rows = evaluate(
        [value(code, "110101", "10", "100", "10"), value(code, "110105", "900", "900", "100")], ON
    )
    assert city(rows)["indicator_value"] == Decimal("91.0000")
    assert city(rows)["is_met"] is True
    assert [row["is_met"] for row in rows if row["level"] == "district"] == [False, True]


def test_greater_than_is_not_met_by_the_target_itself() -> None:
    gt, eq = "fitness_good_or_excellent_rate", "inclusive_kindergarten_coverage"
    assert [targets(ON)[c]["target_operator"] for c in (gt, eq)] == ["gt", "eq"]
    assert city(evaluate([value(gt, "110101", "70", "100", "70")], ON))["is_met"] is False
    assert city(evaluate([value(eq, "110101", "90", "100", "90")], ON))["is_met"] is True


def test_progress_is_the_share_of_the_way_from_base_to_target() -> None:
    row = city(evaluate([value("inclusive_kindergarten_coverage", "110101", "885", "1000", "88.5")], ON))
    assert row["progress_share"] == Decimal("0.5000")
    assert row["gap_to_target"] == Decimal("-1.5000")


def progress(code: str, base: str | None, now: str) -> tuple[Decimal | None, Decimal | None]:
    """Base and progress of a district that reports `now` in 2025 and reported `base` of 2020."""
    rows = [value(code, "110101", None, None, now)]
    if base is not None:
        rows.append(value(code, "110101", None, None, base, year=2020))
    (row,) = (r for r in evaluate(rows, ON) if r["level"] == "district" and r["indicator_year"] == 2025)
    return row["base_value"], row["progress_share"]


def test_a_districts_progress_begins_at_its_own_base_or_is_unknown() -> None:
    code = "inclusive_kindergarten_coverage"  # the city's way: 87 to 90
    assert progress(code, "80", "85") == (Decimal(80), Decimal("0.5000"))
    assert progress(code, None, "85") == (None, None), "the city's base is not the district's"
    assert progress(code, "80", "97") == (Decimal(80), Decimal("1.0000")), "the way ends at the target"
    assert progress(code, "80", "70") == (Decimal(80), Decimal("0.0000")), (
        "behind the base nothing is covered"
    )
    assert progress(code, "90.2", "95") == (Decimal("90.2"), None), "it was there already: there is no way"
    assert progress("smart_campus_coverage", "50", "60")[1] == Decimal("0.2857"), (
        "no base is printed, one reported"
    )


def test_no_way_to_go_has_no_progress_and_a_missing_part_no_city_value() -> None:
    held = city(evaluate([value("safe_campus_rate", "110101", "99", "100", "99")], ON))
    assert (held["progress_share"], held["is_met"]) == (None, False)
    code = "inclusive_kindergarten_coverage"
    rows = evaluate([value(code, "110101", "10", "100", "10"), value(code, "110105", None, None, "95")], ON)
    assert (city(rows)["indicator_value"], city(rows)["missing_reason"]) == (
        None,
        "district_without_numerator",
    )
    assert city(rows)["is_met"] is None


def test_years_of_schooling_are_no_percentage() -> None:
    row = city(evaluate([value("new_labour_schooling_years", "110101", "1580", "100", "15.8")], ON))
    assert row["indicator_value"] == Decimal("15.8000")
    assert row["is_met"] is True


def test_an_indicator_outside_the_plan_is_left_out() -> None:
    assert evaluate([value("happiness", "110101", "1", "1", "100")], ON) == []
