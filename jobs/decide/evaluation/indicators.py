"""The plan's twelve indicators against base and target, by district and for the city.

Rows in: reported values (`district_code, indicator_code, indicator_year, indicator_value, numerator,
denominator`). Rows out: `decision_evaluation__indicator` without its run: one a district, indicator and
year, and one for the city. The city's value is the quotient of the districts' sums, never a mean of their
rates. Source of base and target: table of main indicators of Beijing's 14th Five-Year education plan, as
dated data.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from jobs.declare import standards

CITY = "city"

_MEETS = {
    "gt": lambda value, target: value > target,
    "ge": lambda value, target: value >= target,
    # A target printed without a sign is reached when it is reached or passed.
    "eq": lambda value, target: value >= target,
}


def targets(on: date) -> dict[str, dict[str, str]]:
    """Indicator code -> its row of the plan's table in force on a day."""
    return {row["indicator_code"]: row for row in standards.rows("evaluation/plan_indicators", on)}


def evaluate(values: list[dict[str, Any]], on: date) -> list[dict[str, Any]]:
    """Judge every reported value, and the city's. A value that is missing has a reason.

    An indicator outside the plan's table is left out. The city's value needs numerator and denominator of
    every district that reported; where a district lacks them it is null, and the reason says so.
    """
    plan = targets(on)
    kept = [v for v in values if v["indicator_code"] in plan]
    rows = [
        _judged(
            plan[v["indicator_code"]],
            "district",
            v["district_code"],
            v["indicator_year"],
            v["indicator_value"],
            None,
        )
        for v in kept
    ]
    years = sorted({(v["indicator_code"], v["indicator_year"]) for v in kept})
    for code, year in years:
        parts = [v for v in kept if (v["indicator_code"], v["indicator_year"]) == (code, year)]
        value, reason = _city_value(plan[code], parts)
        rows.append(_judged(plan[code], "city", CITY, year, value, reason))
    return rows


def _city_value(target: dict[str, str], parts: list[dict[str, Any]]) -> tuple[Decimal | None, str | None]:
    if any(p["numerator"] is None or p["denominator"] is None for p in parts):
        return None, "district_without_numerator"
    whole = sum((p["denominator"] for p in parts), Decimal(0))
    if not whole:
        return None, "no_denominator"
    quotient = sum((p["numerator"] for p in parts), Decimal(0)) / whole
    return quotient * (100 if target["unit"] == "%" else 1), None


def _judged(
    target: dict[str, str], level: str, unit: str, year: int, value: Decimal | None, reason: str | None
) -> dict[str, Any]:
    base = _number(target["base_value"])
    aim = Decimal(target["target_value"])
    way = aim - base if base is not None else Decimal(0)
    return {
        "level": level,
        "unit_code": unit,
        "indicator_code": target["indicator_code"],
        "indicator_year": year,
        "indicator_value": _rounded(value),
        "base_value": base,
        "target_value": aim,
        "target_operator": target["target_operator"],
        "gap_to_target": _rounded(value - aim) if value is not None else None,
        "is_met": _MEETS[target["target_operator"]](value, aim) if value is not None else None,
        # No way to go (base and target equal, or no base printed): no share of it either.
        "progress_share": _rounded((value - base) / way)
        if value is not None and base is not None and way
        else None,
        "source": "reported",
        "missing_reason": reason,
    }


def _number(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def _rounded(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(Decimal("0.0001"))
