"""One outbreak, one alert that grows: what rules, detection and reports find of it is joined.

A finding is one sign of illness: an episode in which a statutory rule is met, a day on which a count is too
high, an incident that a school reports. Findings of one school and syndrome belong to one outbreak until it
is over (`over_after_days` of syndromes.csv). A class belongs to its school, a disease to its syndrome. Which
counts are high enough for an alert, and how urgent it is, are the dated rows of illness_alerts.csv.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from jobs.decide.safety.alerts import LEVELS, NEW, OVER, frame, illness_alert
from jobs.declare import standards

# Kinds of findings, the one that names the alert first.
RULE, DETECTION, INCIDENT = "rule", "detection", "incident"
_KINDS = (RULE, DETECTION, INCIDENT)
# What no syndrome names, and what an incident leaves open.
OTHER_SYNDROME, ANY_SYNDROME = "other", ""
FINDING_COLUMNS = [
    *("kind", "rule_code", "rule_zh", "unit_level", "unit_code", "class_name", "syndrome_code", "condition"),
    *("first_date", "last_date", "window_start", "observed", "expected", "upper_bound", "p_value", "level"),
    *("owner", "within_hours", "threshold_unit", "source"),
]
_NUMBERS = ("observed", "expected", "upper_bound", "p_value", "within_hours")
# Beyond one quiet day in 500 the model's p-values are extrapolated: no less is claimed than one in a million.
LEAST_P_VALUE = 1e-6
_HOURS = 24  # where a rule names no time
_SYNDROME_OF_INCIDENT = dict.fromkeys(("food_borne", "poisoning", "drinking_water"), "gastrointestinal")


def syndrome_of(on: pd.Timestamp | None = None) -> dict[str, str]:
    """Condition → syndrome that it is watched with."""
    groups = standards.rows("safety/syndromes", on)
    return {code: row["syndrome_code"] for row in groups for code in row["conditions"].split("|")}


def syndromes_of_reports(reports: pd.DataFrame, on: pd.Timestamp | None = None) -> pd.Series:
    """The syndrome of each report, by its `condition_code`."""
    return reports["condition_code"].map(syndrome_of(on)).fillna(OTHER_SYNDROME)


def over_after(on: pd.Timestamp | None = None) -> dict[str, int]:
    """Syndrome → days without a sign after which an outbreak is over."""
    return {r["syndrome_code"]: int(r["over_after_days"]) for r in standards.rows("safety/syndromes", on)}


def of_rules(hits: pd.DataFrame) -> pd.DataFrame:
    """One finding per row of `rules.rule_hits`."""
    syndromes = syndrome_of()
    first = hits["condition"].str.split("+").str[0]
    return _findings(
        hits,
        kind=RULE,
        unit_level="school",
        unit_code=hits["school_code"],
        syndrome_code=first.map(syndromes).fillna(OTHER_SYNDROME),
        upper_bound=hits["threshold"],
        level=hits["alert_level"],
        owner=hits["owner_zh"],
        within_hours=hits["report_within_hours"].astype(float).fillna(_HOURS),
    )


def of_incidents(hits: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    """One finding per row of `rules.event_hits`; `incidents` say by their type what the syndrome is."""
    keys = ["school_code", "incident_code"]
    types = incidents.drop_duplicates(keys).set_index(keys)["incident_type_code"]
    at = pd.MultiIndex.from_arrays([hits["school_code"], hits["condition"]])
    syndromes = types.reindex(at).map(_SYNDROME_OF_INCIDENT).fillna(ANY_SYNDROME)
    return of_rules(hits).assign(kind=INCIDENT, syndrome_code=syndromes.to_numpy())


def of_detection(
    found: pd.DataFrame,
    rule_code: str,
    rule_zh: str,
    *,
    unit_level: str = "school",
    syndrome_code: str = ANY_SYNDROME,
    on: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """One finding per unit and day whose count and p-value reach a row of illness_alerts.csv.

    `found` is of `detect_frame` (with dates), or of `classes.judged`, which names a class too. Of the rows
    that are reached the highest level counts; a row that names the syndrome stands in place of one of its
    level that names none.
    """
    steps = _steps(unit_level, syndrome_code, on)
    rank = np.full(len(found), len(LEVELS))
    for step in steps:
        reached = (found["p_value"] < float(step["p_below"])) & (found["count"] >= float(step["cases_from"]))
        rank = np.where(reached, np.minimum(rank, LEVELS.index(step["alert_level"])), rank)
    days = found[rank < len(LEVELS)]
    level = pd.Series(np.array([*LEVELS, ""], dtype=object)[rank], index=found.index)[days.index]
    by_level = {step["alert_level"]: step for step in steps}
    return _findings(
        days,
        kind=DETECTION,
        rule_code=rule_code,
        rule_zh=rule_zh,
        unit_level="school" if unit_level == "class" else unit_level,
        unit_code=days["unit"],
        class_name=days.get("class_name", ""),
        syndrome_code=syndrome_code,
        condition=syndrome_code,
        first_date=days["date"],
        last_date=days["date"],
        window_start=days["date"],
        observed=days["count"],
        p_value=days["p_value"].clip(lower=LEAST_P_VALUE),
        level=level,
        owner=level.map({name: step["owner_zh"] for name, step in by_level.items()}),
        within_hours=level.map({name: float(step["report_within_hours"]) for name, step in by_level.items()}),
        threshold_unit="cases",
        source=level.map({name: step["source"] for name, step in by_level.items()}),
    )


def alarm_level(on: pd.Timestamp | None = None) -> tuple[float, int]:
    """The highest p-value and the least count that can raise an alert: bounds are drawn there."""
    rows = standards.rows("safety/illness_alerts", on)
    return max(float(row["p_below"]) for row in rows), min(int(row["cases_from"]) for row in rows)


def _steps(unit_level: str, syndrome_code: str, on: pd.Timestamp | None) -> list[dict[str, str]]:
    rows = standards.rows("safety/illness_alerts", on)
    own = [r for r in rows if r["unit_level"] == unit_level and r["syndrome_code"] in ("", syndrome_code)]
    chosen = {r["alert_level"]: r for r in sorted(own, key=lambda row: row["syndrome_code"])}
    return list(chosen.values())


def together(findings: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Findings of several makers as one table."""
    some = [one for one in findings if not one.empty]
    return pd.concat(some, ignore_index=True) if some else pd.DataFrame(columns=FINDING_COLUMNS)


def _findings(rows: pd.DataFrame, **cells: Any) -> pd.DataFrame:
    found = rows.assign(**cells)
    found = found.reindex(columns=FINDING_COLUMNS).reset_index(drop=True)
    return found.astype(dict.fromkeys(_NUMBERS, float))


def outbreaks(findings: pd.DataFrame, as_of: pd.Timestamp, since: pd.Timestamp | None = None) -> pd.DataFrame:
    """One alert per outbreak, as raised on `as_of`; rows in are findings of any kinds in any order.

    What only detection found is left out if it ended before `since`.
    """
    over = over_after(as_of)
    rows = []
    for group in _groups(findings, over):
        last = max(row["last_date"] for row in group)
        if since is not None and last < since and all(row["kind"] == DETECTION for row in group):
            continue
        hours = min(row["within_hours"] for row in group)
        is_over = (as_of - last).days > _days(over, group[0]["syndrome_code"])
        raised = {
            "raised_date": as_of,
            "due_date": as_of + pd.Timedelta(days=math.ceil(hours / 24)),
            "state": OVER if is_over else NEW,
        }
        cells, evidence = _told(group)
        rows.append(illness_alert(cells | raised, evidence))
    return frame(rows)


def _groups(findings: pd.DataFrame, over: Mapping[str, int]) -> Iterator[list[dict[str, Any]]]:
    """Findings of one outbreak each, the one that names it first."""
    found = findings.assign(
        _kind=findings["kind"].map(_KINDS.index), _level=findings["level"].map(LEVELS.index)
    )
    order = ["first_date", "_kind", "_level", "rule_code", "class_name", "condition"]
    for _, own in found.sort_values(["unit_code", *order]).groupby("unit_code", sort=False):
        rows = [{str(name): cell for name, cell in row.items()} for row in own.to_dict("records")]
        groups: list[list[dict[str, Any]]] = []
        newest: dict[str, tuple[list[dict[str, Any]], pd.Timestamp]] = {}
        for row in (r for r in rows if r["syndrome_code"] != ANY_SYNDROME or r["kind"] != INCIDENT):
            code = row["syndrome_code"]
            group, last = newest.get(code, ([], None))
            if last is None or (row["first_date"] - last).days > _days(over, code):
                group, last = [], row["last_date"]
                groups.append(group)
            group.append(row)
            newest[code] = group, max(last, row["last_date"])
        for row in (r for r in rows if r["syndrome_code"] == ANY_SYNDROME and r["kind"] == INCIDENT):
            near = next((g for g in groups if _is_near(g, row, over)), None)
            if near is None:
                groups.append([row])
            else:
                near.append(row)
        for group in groups:
            yield sorted(group, key=lambda r: (r["_kind"], r["first_date"], r["_level"]))


def _is_near(group: list[dict[str, Any]], incident: Mapping[str, Any], over: Mapping[str, int]) -> bool:
    if group[0]["kind"] == INCIDENT and group[0]["syndrome_code"] == ANY_SYNDROME:
        # Two reports that name no syndrome are two; an event with a death is one.
        return bool(group[0]["condition"] == incident["condition"])
    apart = pd.Timedelta(days=_days(over, group[0]["syndrome_code"]))
    first, last = min(r["first_date"] for r in group), max(r["last_date"] for r in group)
    return bool(first - apart <= incident["first_date"] <= last + apart)


def _days(over: Mapping[str, int], syndrome_code: str) -> int:
    return over.get(syndrome_code, min(over.values()))


def _told(group: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The cells of an outbreak's alert, and what supports it."""
    named = group[0]
    if named["kind"] == DETECTION:  # days of a count: the highest one speaks, of a class if there is one
        days = (r for r in group if r["kind"] == DETECTION)
        named = max(days, key=lambda r: (bool(r["class_name"]), r["observed"], -r["p_value"]))
    urgent = min(group, key=lambda r: r["_level"])
    chances = [r["p_value"] for r in group if pd.notna(r["p_value"])]
    is_report = named["kind"] == INCIDENT
    cells = {
        "rule_code": named["rule_code"],
        "rule_zh": named["rule_zh"],
        "alert_unit_level": named["unit_level"],
        "alert_unit_code": named["unit_code"],
        "class_name": named["class_name"],
        "condition_code": named["condition"] if is_report else named["syndrome_code"],
        "alert_date": min(r["first_date"] for r in group),
        "window_start_date": min(r["window_start"] for r in group),
        "last_date": max(r["last_date"] for r in group),
        "observed": named["observed"],
        "expected": named["expected"],
        "upper_bound": named["upper_bound"],
        "p_value": min(chances, default=None),
        "level": urgent["level"],
        "owner": urgent["owner"],
    }
    return cells, {
        "rules": sorted({r["rule_code"] for r in group}),
        "classes": sorted({r["class_name"] for r in group} - {""}),
        "conditions": sorted({r["condition"] for r in group if r["kind"] != INCIDENT} - {""}),
        "incidents": sorted({r["condition"] for r in group if r["kind"] == INCIDENT}),
        "alarm_days": sum(r["kind"] == DETECTION for r in group),
        "unit": named["threshold_unit"],
        "source": named["source"],
    }


def unexplained(sums: pd.DataFrame, alerts: pd.DataFrame, group_of: Mapping[str, str]) -> pd.DataFrame:
    """Findings of areas or districts whose rise is not mostly that of alerts within them.

    `group_of`: code of a unit of `alerts` → code of the area or district."""
    if sums.empty or alerts.empty:
        return sums
    found = sums.reset_index(names="_row")
    inside = alerts.assign(unit_code=alerts["alert_unit_code"].map(dict(group_of)))
    inside = inside[["unit_code", "alert_date", "last_date", "observed", "expected"]]
    pairs = found.merge(inside.dropna(subset=["unit_code"]), on="unit_code", suffixes=("", "_alert"))
    pairs = pairs[pairs["first_date"].between(pairs["alert_date"], pairs["last_date_alert"])]
    risen = (pairs["observed_alert"] - pairs["expected_alert"].fillna(0.0)).groupby(pairs["_row"]).sum()
    own = sums["observed"] - sums["expected"]
    return sums[risen.reindex(sums.index, fill_value=0.0) < own / 2]
