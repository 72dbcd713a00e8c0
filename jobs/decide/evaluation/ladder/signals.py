"""What the ladder looks at: for each district and metric a row of periods, each with how far it is off.

A period's extent is in the unit of the metric's rules: percent behind, days late. 0 is not
off; None is unknown. Periods stand in order, the newest last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from jobs import declare

PLAN = "plan_indicator"
# The standard of balance that is supervised.
QUALITY = "quality_balance_2017"
# Metrics without periods: no signal means that nothing is off.
SEEN_WHILE_IT_LASTS = ("overdue_hazards", "late_returns", "place_shortage")


def kind_of(metric: str) -> str:
    """The kind of signal whose rules a metric has: that of the plan's indicators, or its own name."""
    return PLAN if metric in {row["code"] for row in declare.code_list("plan_indicator").rows} else metric


@dataclass(frozen=True)
class Period:
    """One period of one metric and district; `facts` are what its sentence needs."""

    label: str
    extent: float | None
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Signal:
    """One district's metric. `is_dated`: its periods are years with values of their own, which their sender
    may correct; else it is the state of the day."""

    district_code: str
    metric_code: str
    periods: tuple[Period, ...]
    is_dated: bool = True


def of_plan(rows: Iterable[Mapping[str, Any]]) -> list[Signal]:
    """Signals of the plan's indicators, from rows of `decision_evaluation__indicator` of districts: percent
    behind the way to the target (`path_value`), or behind the target from its year on."""
    found: dict[tuple[str, str], dict[int, Period]] = {}
    for row in rows:
        if row["level"] != "district":
            continue
        due, value = _due(row), row["indicator_value"]
        extent = None if due is None or value is None else _behind(float(value), float(due), row)
        facts = {"value": _shown(value), "due": _shown(due)}
        periods = found.setdefault((row["unit_code"], row["indicator_code"]), {})
        periods[row["indicator_year"]] = Period(str(row["indicator_year"]), extent, facts)
    newest: dict[str, int] = {}
    for (_, code), periods in found.items():
        newest[code] = max(newest.get(code, 0), *periods)
    for (_, code), periods in found.items():
        # What others have reported and this district has not is unknown.
        periods.setdefault(newest[code], Period(str(newest[code]), None, {}))
    return [
        Signal(district, code, tuple(period for _, period in sorted(periods.items())))
        for (district, code), periods in sorted(found.items())
    ]


def _due(row: Mapping[str, Any]) -> Any:
    is_target_year = row["indicator_year"] >= int(row["target_year"])
    return row["target_value"] if is_target_year else row.get("path_value")


def _behind(value: float, due: float, row: Mapping[str, Any]) -> float:
    if row["is_met"] or value >= due or due <= 0:
        return 0.0
    return round(100 * (due - value) / due, 2)


def of_hazards(rows: Iterable[Mapping[str, Any]], day: date) -> list[Signal]:
    """Overdue open hazards: `district_code, days_after_due`, one a hazard. The extent is the longest."""
    days: dict[str, list[int]] = {}
    for row in rows:
        days.setdefault(row["district_code"], []).append(int(row["days_after_due"]))
    return [
        _of_the_day(district, "overdue_hazards", day, float(max(own)), {"count": len(own)})
        for district, own in sorted(days.items())
    ]


def of_returns(
    sent: Mapping[str, Sequence[tuple[str, str, date]]], districts: Sequence[str], day: date
) -> list[Signal]:
    """Returns that are missing, by dataset: `(district, period, day it was stated)` of its newest period. It
    is due when half of the districts have sent it; of several missing ones the longest late is told."""
    worst: dict[str, tuple[float, dict[str, Any]]] = {}
    for dataset, rows in sorted(sent.items()):
        newest = max((period for _, period, _ in rows), default=None)
        first: dict[str, date] = {}
        for district, period, stated in rows:
            if period == newest:
                first[district] = min(stated, first.get(district, stated))
        half = (len(districts) + 1) // 2
        if len(first) < max(half, 2):
            continue
        due = sorted(first.values())[half - 1]
        for district in districts:
            late = float((day - due).days)
            if district not in first and late > worst.get(district, (0.0, {}))[0]:
                worst[district] = late, {"dataset": dataset, "period": newest}
    return [
        _of_the_day(district, "late_returns", day, late, facts)
        for district, (late, facts) in sorted(worst.items())
    ]


def of_places(rows: Iterable[Mapping[str, Any]], day: date) -> list[Signal]:
    """Pupils beyond places: `district_code, stage_code, school_year_start, pupils, places`; of several stages
    the shortest is told. Where none is short and one's places are unknown, so is the district."""
    worst: dict[str, tuple[float | None, dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda r: (r["district_code"], r["stage_code"])):
        known, _ = worst.setdefault(row["district_code"], (0.0, {}))
        if not row["places"]:
            worst[row["district_code"]] = known or None, worst[row["district_code"]][1]
            continue
        beyond = round(100 * (row["pupils"] - row["places"]) / row["places"], 2)
        if beyond > (known or 0.0):
            facts = {
                "stage": row["stage_code"],
                "pupils": round(row["pupils"]),
                "places": round(row["places"]),
            }
            worst[row["district_code"]] = beyond, facts | {"period": _school_year(row["school_year_start"])}
    return [
        _of_the_day(district, "place_shortage", day, beyond, facts)
        for district, (beyond, facts) in sorted(worst.items())
    ]


def of_totals(rows: Iterable[Mapping[str, Any]]) -> list[Signal]:
    """Returns beside published totals, one row a district and school year: `district_code, school_year_start,
    ours, theirs`; `ours` is null where the district returned nothing."""
    found: dict[str, list[Period]] = {}
    for row in sorted(rows, key=lambda r: (r["district_code"], r["school_year_start"])):
        ours, theirs = row["ours"], row["theirs"]
        extent = round(100 * abs(ours - theirs) / theirs, 2) if ours is not None and theirs else None
        facts = {"ours": ours, "theirs": theirs}
        label = _school_year(row["school_year_start"])
        found.setdefault(row["district_code"], []).append(Period(label, extent, facts))
    return [Signal(d, "control_total", tuple(periods)) for d, periods in found.items()]


def of_balance(verdicts: Iterable[Mapping[str, Any]]) -> list[Signal]:
    """Percent of the judged rules of quality balance that are not met, from rows of
    `decision_evaluation__balance_verdict`. What nobody collected does not count: it is no evidence against a
    district. The year's figures change as schools change, so that a better one corrects nothing."""
    found = []
    for row in verdicts:
        judged = row["met_count"] + row["not_met_count"]
        if row["standard"] == QUALITY and judged:
            extent = round(100 * row["not_met_count"] / judged, 2)
            facts = {"rule": row["first_failed_rule"], "count": row["not_met_count"], "judged": judged}
            period = Period(_school_year(row["school_year_start"]), extent, facts)
            found.append(Signal(row["district_code"], "quality_balance", (period,), is_dated=False))
    return found


def _of_the_day(
    district: str, metric: str, day: date, extent: float | None, facts: Mapping[str, Any]
) -> Signal:
    return Signal(district, metric, (Period(day.isoformat(), extent, facts),), is_dated=False)


def _school_year(year: int) -> str:
    return f"{year}-{year + 1}"


def _shown(value: Any) -> str:
    return "" if value is None else f"{float(value):.2f}"
