"""The plan's twelve indicators against base and target, by district and for the city.

Rows in: reported values (`district_code, indicator_code, indicator_year, indicator_value, numerator,
denominator`). Rows out: `decision_evaluation__indicator` without its run: one a district, indicator and
year, and one for the city. The city's value is the quotient of the districts' sums, never a mean of their
rates. The plan prints the city's base alone: a district's way begins at what the district itself reported of
the base year, and where it reported nothing of that year, its progress is unknown. Source of base and target:
table of main indicators of Beijing's 14th Five-Year education plan, as dated data.
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
    bases = {
        (v["district_code"], v["indicator_code"], v["indicator_year"]): v["indicator_value"] for v in kept
    }
    rows = []
    for v in kept:
        target = plan[v["indicator_code"]]
        base = bases.get((v["district_code"], v["indicator_code"], int(target["base_year"])))
        unit = ("district", v["district_code"])
        rows.append(_judged(target, unit, v["indicator_year"], v["indicator_value"], base))
    years = sorted({(v["indicator_code"], v["indicator_year"]) for v in kept})
    for code, year in years:
        parts = [v for v in kept if (v["indicator_code"], v["indicator_year"]) == (code, year)]
        value, reason = _city_value(plan[code], parts)
        base = _number(plan[code]["base_value"])
        rows.append(_judged(plan[code], ("city", CITY), year, value, base, reason))
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
    target: dict[str, str],
    unit: tuple[str, str],
    year: int,
    value: Decimal | None,
    base: Decimal | None,
    reason: str | None = None,
) -> dict[str, Any]:
    aim = Decimal(target["target_value"])
    return {
        "level": unit[0],
        "unit_code": unit[1],
        "indicator_code": target["indicator_code"],
        "indicator_year": year,
        "indicator_value": _rounded(value),
        "base_value": _rounded(base),
        "target_value": aim,
        "target_operator": target["target_operator"],
        "gap_to_target": _rounded(value - aim) if value is not None else None,
        "is_met": _MEETS[target["target_operator"]](value, aim) if value is not None else None,
        "progress_share": _progress(value, base, aim),
        "source": "reported",
        "missing_reason": reason,
    }


def _progress(value: Decimal | None, base: Decimal | None, aim: Decimal) -> Decimal | None:
    """Share of the way from base to target: 0 at the base or behind it, 1 at the target or beyond.

    Null where a value or the base is unknown, and where there is no way to go: the base has the target's
    value or a better one (all targets of the plan are least values).
    """
    if value is None or base is None or base >= aim:
        return None
    return _rounded(min(max((value - base) / (aim - base), Decimal(0)), Decimal(1)))


def _number(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def _rounded(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(Decimal("0.0001"))
