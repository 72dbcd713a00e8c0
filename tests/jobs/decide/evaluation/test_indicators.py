"""Indicators against base, path and target: sums of counts, operators as printed, nothing of later years."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from jobs.decide.evaluation.indicators import evaluate
from jobs.declare import standards

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
    assert [
        city(evaluate([value(c, "110101", "1", "1", "100")], ON))["target_operator"] for c in (gt, eq)
    ] == [
        "gt",
        "eq",
    ]
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


def of(rows: list[dict[str, Any]], level: str, unit: str, year: int) -> dict[str, Any]:
    return next(r for r in rows if (r["level"], r["unit_code"], r["indicator_year"]) == (level, unit, year))


INCLUSIVE = "inclusive_kindergarten_coverage"


def reported(code: str, district: str, rates: dict[int, float], whole: int = 1000) -> list[dict[str, Any]]:
    return [
        value(code, district, str(round(rate * whole / 100)), str(whole), str(rate), year)
        for year, rate in rates.items()
    ]


def test_a_zone_is_its_districts_sum_and_a_district_without_zone_counts_for_the_city_alone() -> None:
    values = [
        value(INCLUSIVE, "110101", "80", "100", "80"),
        value(INCLUSIVE, "110102", "285", "300", "95"),
        value(INCLUSIVE, "999999", "10", "100", "10"),
    ]
    rows = evaluate(values, ON, {"110101": "core", "110102": "core"})
    zone = of(rows, "zone", "core", 2025)
    assert (zone["indicator_value"], zone["numerator"], zone["denominator"]) == (Decimal("91.25"), 365, 400)
    assert [r["unit_code"] for r in rows if r["level"] == "zone"] == ["core"]
    assert city(rows)["denominator"] == 500


def test_the_path_leads_from_the_units_own_base_and_the_status_follows_it() -> None:
    rates = {2020: 80.0, 2021: 82.5, 2022: 83.0, 2023: 88.5, 2024: 90.5, 2025: 89.9}
    rows = evaluate(reported(INCLUSIVE, "110101", rates), ON)
    own = [of(rows, "district", "110101", year) for year in rates]
    assert [r["path_value"] for r in own] == [80, 82, 84, 86, 88, 90]
    assert {r["path_start_year"] for r in own} == {2020}
    assert [r["status_code"] for r in own] == [
        "on_path",
        "on_path",
        "behind_path",
        "on_path",
        "met",
        "missed",
    ]
    # the city's way begins at the base that the plan prints, 87
    assert of(rows, "city", "city", 2022)["path_value"] == Decimal("88.2")
    assert {r["plan_code"] for r in rows} == {"beijing_14"}


def test_where_no_base_is_known_the_way_begins_at_the_first_value() -> None:
    rows = evaluate(reported("smart_campus_coverage", "110101", {2021: 61.0, 2023: 73.0}), ON)
    assert [
        (r["path_start_year"], r["path_value"], r["base_value"]) for r in rows if r["level"] == "city"
    ] == [
        (2021, 61, None),
        (2021, 73, None),
    ]


def test_what_is_to_be_held_must_not_fall_even_above_its_target() -> None:
    code = "nearby_enrollment_rate"  # target: more than 99, hold
    rows = evaluate(reported(code, "110101", {2020: 99.8, 2021: 99.8, 2022: 99.3}), ON)
    states = [of(rows, "district", "110101", y)["status_code"] for y in (2020, 2021, 2022)]
    assert states == ["met", "met", "behind_path"]
    assert of(rows, "district", "110101", 2022)["path_value"] == Decimal("99.8")
    # what is to rise may come back toward the target, as long as it is beyond it
    rows = evaluate(reported(INCLUSIVE, "110101", {2020: 95.0, 2021: 92.0}), ON)
    assert of(rows, "district", "110101", 2021)["status_code"] == "met"


STEADY = {f"11010{n}": {y: 80 + n / 2 + 1.5 * (y - 2020) for y in range(2020, 2024)} for n in range(1, 9)}


def steady() -> list[dict[str, Any]]:
    return [v for code, rates in STEADY.items() for v in reported(INCLUSIVE, code, rates)]


def test_a_forecast_is_made_from_three_values_on_and_never_of_the_target_year() -> None:
    values = [*steady(), value(INCLUSIVE, "110101", "880", "1000", "88", 2025)]
    rows = [r for r in evaluate(values, ON) if r["level"] == "district" and r["unit_code"] == "110101"]
    assert [r["forecast_value"] is not None for r in rows] == [False, False, True, True, False]
    last = rows[3]
    assert last["forecast_low_value"] < last["forecast_value"] < last["forecast_high_value"] < 100
    assert abs(last["forecast_value"] - 88) < Decimal("0.5"), "1.5 points a year from 80.5"


def test_who_will_miss_the_target_is_told_before() -> None:
    rows = evaluate(steady(), ON)
    slow, fast = (of(rows, "district", d, 2023) for d in ("110101", "110108"))
    assert (slow["status_code"], fast["status_code"]) == ("will_miss", "on_path")
    assert slow["target_probability"] < Decimal("0.2") < Decimal("0.8") < fast["target_probability"]
    assert slow["indicator_value"] > 84, "it rises as its neighbors do"


def test_forecasts_know_nothing_of_later_years() -> None:
    zones = {code: "ab"[int(code) % 2] for code in STEADY}
    rows = evaluate(steady(), ON, zones)
    later = steady() + [v for code in STEADY for v in reported(INCLUSIVE, code, {2024: 70.0})]
    names = (
        "forecast_value",
        "forecast_low_value",
        "forecast_high_value",
        "target_probability",
        "status_code",
    )
    for unit in (("district", "110103"), ("zone", "a"), ("city", "city")):
        before, after = of(rows, *unit, 2023), of(evaluate(later, ON, zones), *unit, 2023)
        assert [before[n] for n in names] == [after[n] for n in names]
        assert before["forecast_value"] is not None


def test_a_sum_that_lacks_a_district_has_no_value() -> None:
    values = reported(INCLUSIVE, "110101", {2023: 91.0, 2024: 92.0}) + reported(
        INCLUSIVE, "110102", {2023: 70.0}
    )
    rows = evaluate(values, ON, {"110101": "core", "110102": "core"})
    for unit in (("zone", "core"), ("city", "city")):
        row = of(rows, *unit, 2024)
        assert (row["indicator_value"], row["numerator"], row["missing_district_count"]) == (None, 920, 1)
        assert (row["is_met"], row["status_code"], row["missing_reason"]) == (
            None,
            "unknown",
            "district_not_reported",
        )
        assert of(rows, *unit, 2023)["missing_district_count"] == 0


def test_a_year_of_the_next_plan_faces_its_target_from_its_own_base() -> None:
    plans = standards.rows("evaluation/plan_indicators")
    old = next(r for r in plans if r["indicator_code"] == INCLUSIVE)
    new = old | {
        "plan_code": "beijing_15",
        "base_year": "2025",
        "base_value": "91",
        "target_year": "2030",
        "target_value": "95",
        "valid_from": "2026-03-01",
    }
    values = [v for d in STEADY for v in reported(INCLUSIVE, d, STEADY[d] | {2025: 90.0, 2026: 91.0})]
    rows = evaluate(values, date(2027, 3, 1), plan_rows=[old | {"valid_to": "2026-01-01"}, new])
    own = {y: of(rows, "district", "110101", y) for y in (2023, 2025, 2026)}
    assert [own[y]["plan_code"] for y in own] == ["beijing_14", "beijing_14", "beijing_15"]
    assert [own[y]["target_year"] for y in own] == [2025, 2025, 2030]
    assert own[2025]["status_code"] == "met", "judged by the plan whose target year it is"
    assert (own[2026]["base_value"], own[2026]["path_value"]) == (90, 91)
    assert own[2026]["forecast_value"] is not None
    assert of(rows, "city", "city", 2026)["base_value"] == 91
    # without a new plan a later year is judged by the old one
    (late,) = (
        r
        for r in evaluate(values, date(2027, 3, 1), plan_rows=[old])
        if r["unit_code"] == "110101" and r["indicator_year"] == 2026
    )
    assert (late["status_code"], late["forecast_value"]) == ("met", None)
