"""The plan's indicators on their way from base to target: district, zone and city, each reported year.

Rows in: reported values (`district_code, indicator_code, indicator_year, indicator_value, numerator,
denominator`). Rows out: `decision_evaluation__indicator` without its run, one a level, unit, indicator and
year. A zone's and the city's value is the quotient of its districts' sums, never a mean of their rates. The
plan prints the city's base alone: a district's way begins at what the district itself reported of the base
year, and where it reported nothing of that year, its progress is unknown. Base and target: the tables of main
indicators of Beijing's Five-Year education plans, as dated data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from jobs.decide.evaluation.forecast import Aim, Forecast, Forecaster, Point, Series
from jobs.decide.evaluation.plan_targets import Target, Targets
from jobs.decide.evaluation.status import Rules

CITY = "city"


@dataclass(frozen=True)
class Value:
    """What one unit has of one indicator and year. `missing_districts`: those of the unit that reported other
    years, not this one.
    """

    value: Decimal | None
    numerator: Decimal | None
    denominator: Decimal | None
    reason: str | None = None
    missing_districts: int = 0


@dataclass(frozen=True)
class Unit:
    """A district, zone or the city with its values by year."""

    level: str
    code: str
    values: Mapping[int, Value]

    def series(self) -> Series:
        return {
            year: Point(float(v.value), float(v.denominator) if v.denominator else None)
            for year, v in self.values.items()
            if v.value is not None
        }


def evaluate(
    values: Sequence[Mapping[str, Any]],
    on: date,
    zones: Mapping[str, str] | None = None,
    plan_rows: Sequence[Mapping[str, str]] | None = None,
) -> list[dict[str, Any]]:
    """Judge every reported value, and those of zones and city. A value that is missing has a reason.

    `zones`: the zone of a district; one that is in none counts for the city alone. `plan_rows`: other plans
    than those declared. An indicator that no plan known on the day has is left out. A sum needs numerator and
    denominator of every district; where one of them reported other years and not this one, there are counts
    of the others and no value.
    """
    targets, rules = Targets(on, plan_rows), Rules.on(on)
    rows: list[dict[str, Any]] = []
    for indicator in targets.codes():
        own = [v for v in values if v["indicator_code"] == indicator]
        aims = {y: t for y in {v["indicator_year"] for v in own} if (t := targets.of(indicator, y))}
        if not aims:
            continue
        units = list(_units([v for v in own if v["indicator_year"] in aims], aims, zones or {}))
        forecasts = _forecasts(units, aims)
        for unit in units:
            for year in sorted(unit.values):
                ahead = forecasts.get((unit.level, unit.code, year))
                rows.append(_judged(unit, aims[year], year, ahead, rules))
    return rows


def _units(
    rows: list[Mapping[str, Any]], aims: Mapping[int, Target], zones: Mapping[str, str]
) -> Iterator[Unit]:
    """The districts that reported an indicator, their zones, and the city."""
    districts: dict[str, dict[int, Value]] = {}
    for row in rows:
        value = Value(row["indicator_value"], row["numerator"], row["denominator"])
        districts.setdefault(row["district_code"], {})[row["indicator_year"]] = value
    for code, values in sorted(districts.items()):
        yield Unit("district", code, values)
    members: dict[tuple[str, str], list[str]] = {}
    for code in sorted(districts):
        if zones.get(code):
            members.setdefault(("zone", zones[code]), []).append(code)
        members.setdefault(("city", CITY), []).append(code)
    for (level, code), own in sorted(members.items(), reverse=True):
        parts = [districts[m] for m in own]
        years = sorted({year for part in parts for year in part})
        yield Unit(level, code, {year: _summed(aims[year], year, parts) for year in years})


def _summed(target: Target, year: int, parts: list[dict[int, Value]]) -> Value:
    found = [part[year] for part in parts if year in part]
    missing = len(parts) - len(found)
    if any(v.numerator is None or v.denominator is None for v in found):
        return Value(None, None, None, "district_without_numerator", missing)
    numerator = sum((v.numerator or Decimal(0) for v in found), Decimal(0))
    denominator = sum((v.denominator or Decimal(0) for v in found), Decimal(0))
    if missing:
        return Value(None, numerator, denominator, "district_not_reported", missing)
    if not denominator:
        return Value(None, numerator, denominator, "no_denominator", missing)
    value = numerator / denominator * (100 if target.is_share else 1)
    return Value(value, numerator, denominator, None, missing)


def _forecasts(units: list[Unit], aims: Mapping[int, Target]) -> dict[tuple[str, str, int], Forecast]:
    """Forecasts of the target year by level, unit and the year that they are made from. Errors of districts
    are alike, and those of zones and city, which are sums.
    """
    found = {}
    series = {(u.level, u.code): u.series() for u in units}
    districts = {code: s for (level, code), s in series.items() if level == "district"}
    sums = {f"{level} {code}": s for (level, code), s in series.items() if level != "district"}
    share = next(iter(aims.values())).is_share
    for group, is_sum in ((districts, False), (sums, True)):
        forecaster = Forecaster(group, districts, share=share)
        for unit in units:
            if (unit.level != "district") != is_sum:
                continue
            name = f"{unit.level} {unit.code}" if is_sum else unit.code
            for year, target in aims.items():
                if year < target.year:
                    aim = Aim(target.year, float(target.value), target.operator)
                    if ahead := forecaster.forecast(name, year, aim):
                        found[unit.level, unit.code, year] = ahead
    return found


def _judged(unit: Unit, target: Target, year: int, ahead: Forecast | None, rules: Rules) -> dict[str, Any]:
    own, base = unit.values[year], _base(unit, target)
    start = _start(unit, target, base)
    path = target.path(year, *start) if start and year >= start[0] else None
    value = own.value
    probability = ahead.probability if ahead else None
    return {
        "level": unit.level,
        "unit_code": unit.code,
        "indicator_code": target.indicator_code,
        "indicator_year": year,
        "plan_code": target.plan_code,
        "numerator": own.numerator,
        "denominator": own.denominator,
        "indicator_value": _rounded(own.value),
        "missing_district_count": own.missing_districts,
        "base_year": target.base_year,
        "base_value": _rounded(base),
        "target_year": target.year,
        "target_value": target.value,
        "target_operator": target.operator,
        "gap_to_target": _rounded(value - target.value) if value is not None else None,
        "is_met": target.is_met(value) if value is not None else None,
        "progress_share": _progress(value, base, target.value),
        "path_start_year": start[0] if path is not None and start else None,
        "path_value": _rounded(path),
        "forecast_value": _number(ahead.value if ahead else None),
        "forecast_low_value": _number(ahead.low if ahead else None),
        "forecast_high_value": _number(ahead.high if ahead else None),
        "target_probability": _number(probability),
        "status_code": rules.status(target, year, value, path, probability),
        "source": "reported",
        "missing_reason": own.reason,
    }


def _base(unit: Unit, target: Target) -> Decimal | None:
    """The value of the base year: the city's as printed, another unit's as it reported itself."""
    if unit.level == "city":
        return target.base_value
    own = unit.values.get(target.base_year)
    return own.value if own else None


def _start(unit: Unit, target: Target, base: Decimal | None) -> tuple[int, Decimal] | None:
    """Year and value from which the way to the target leads: the base, else the first whole year after it."""
    if base is not None:
        return target.base_year, base
    for year, own in sorted(unit.values.items()):
        if target.base_year <= year < target.year and own.value is not None:
            return year, own.value
    return None


def _progress(value: Decimal | None, base: Decimal | None, aim: Decimal) -> Decimal | None:
    """Share of the way from base to target: 0 at the base or behind it, 1 at the target or beyond.

    Null where a value or the base is unknown, and where there is no way to go: the base has the target's
    value or a better one (all targets of the plan are least values).
    """
    if value is None or base is None or base >= aim:
        return None
    return _rounded(min(max((value - base) / (aim - base), Decimal(0)), Decimal(1)))


def _rounded(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(Decimal("0.0001"))


def _number(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(round(value, 4)))
