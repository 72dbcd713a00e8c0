"""Safe campus (平安校园): each school judged by each dated criterion, with alerts where one is not met.

Pure functions over small tables of what is in force. The criteria are `expectations/standards/safety/
campus_criteria.csv` and `guards_required.csv`; their sources stand in each row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from jobs import clock
from jobs.decide.safety.alerts import frame, once_alert
from jobs.decide.safety.hazards import overdue
from jobs.declare import standards

KINDERGARTEN_TYPE = "11"
# A month or quarter with fewer school days asks for no drill of its own.
_LEAST_SCHOOL_DAYS = 10
_SERIOUS = ("1", "2", "3")
CRITERION_COLUMNS = [
    "school_code",
    "criterion_code",
    "criterion_zh",
    "value",
    "threshold",
    "operator",
    "unit",
    "is_required",
    "is_met",
    "missing_reason",
    "evidence_date",
    "source",
]


@dataclass(frozen=True)
class Facts:
    """What is in force: tables with the columns of the contracts, one row per school, check, drill, hazard,
    incident.

    `schools`: `school_code, school_type_code, opened_date, pupil_count` (open ones only).
    `calendar`: `date, is_open`.
    """

    schools: pd.DataFrame
    guard_checks: pd.DataFrame
    drills: pd.DataFrame
    hazards: pd.DataFrame
    incidents: pd.DataFrame
    calendar: pd.DataFrame


def guards_required(pupils: pd.Series, rules: pd.DataFrame) -> pd.Series:
    """Guards required for the number of pupils; null where the number is not known."""
    steps = rules.sort_values("pupils_from")
    at = np.searchsorted(steps["pupils_from"].to_numpy(), pupils.fillna(0).to_numpy(), side="right") - 1
    row = steps.iloc[at].reset_index(drop=True)
    per = row["one_more_per_pupils"].to_numpy(dtype=float)
    above = pupils.fillna(0).to_numpy() - row["pupils_from"].to_numpy()
    more = np.where(np.isnan(per), 0, above // np.where(np.isnan(per), 1, per))
    return pd.Series(row["guards"].to_numpy() + more, index=pupils.index).where(pupils.notna())


def judge(facts: Facts, as_of: pd.Timestamp) -> pd.DataFrame:
    """One row per open school and criterion that applies to it, in CRITERION_COLUMNS.

    `value` is null, with `missing_reason`, where there is no evidence; such a criterion is not met. `is_met`
    is null where a criterion requires nothing yet (no month is over).
    """
    criteria = standards.frame("safety/campus_criteria", as_of)
    is_young = facts.schools["school_type_code"] == KINDERGARTEN_TYPE
    rows = []
    for rule in criteria.to_dict("records"):
        own = {"all": slice(None), "school": ~is_young, "kindergarten": is_young}[rule["applies_to"]]
        schools = facts.schools[own].set_index("school_code")
        measured = _measure(rule["measure"], facts, schools, as_of, int(rule["look_back_days"]))
        measured = measured.reindex(schools.index)
        value = measured["value"]
        met = value >= rule["threshold"] if rule["operator"] == "ge" else value <= rule["threshold"]
        asks_nothing = measured["reason"].eq("nothing_due_yet")
        rows.append(
            pd.DataFrame(
                {
                    "school_code": schools.index,
                    **{n: rule[n] for n in CRITERION_COLUMNS if n in rule},
                    "value": value.to_numpy(),
                    "is_required": bool(rule["is_required"]),
                    "is_met": met.astype(object).where(~asks_nothing, None).to_numpy(),
                    "missing_reason": measured["reason"].where(value.isna(), None).to_numpy(),
                    "evidence_date": measured["day"].to_numpy(),
                }
            )
        )
    judged = pd.concat([one.astype(object) for one in rows])[CRITERION_COLUMNS].infer_objects()
    return judged.sort_values(["school_code", "criterion_code"], ignore_index=True)


def _measure(
    measure: str, facts: Facts, schools: pd.DataFrame, as_of: pd.Timestamp, look_back: int
) -> pd.DataFrame:
    """`value, reason, day` by school."""
    since = as_of - pd.Timedelta(days=look_back)
    if measure in _OF_CHECK:
        checks = facts.guard_checks
        seen = checks[(checks["checked_date"] > since) & (checks["checked_date"] <= as_of)]
        newest = seen.sort_values("checked_date").drop_duplicates("school_code", keep="last")
        newest = newest.set_index("school_code").reindex(schools.index)
        value = _OF_CHECK[measure](newest, schools, as_of)
        reason = np.where(newest["checked_date"].isna(), "no_check_within_look_back", "check_does_not_tell")
        return pd.DataFrame({"value": value, "reason": reason, "day": newest["checked_date"]}, schools.index)
    if measure in ("drill_share_month", "drill_share_quarter"):
        due = drills_due(facts, schools, as_of, look_back, "M" if measure.endswith("month") else "Q")
        measured = due.groupby("school_code").agg(
            value=("is_held", lambda held: 100.0 * held.mean()), day=("drill_date", "max")
        )
        measured = measured.reindex(schools.index)
        return measured.assign(reason=np.where(measured["value"].isna(), "nothing_due_yet", ""))
    if measure in ("drill_count_term", "drill_seconds"):
        drills = facts.drills[(facts.drills["drill_date"] > since) & (facts.drills["drill_date"] <= as_of)]
        column, how = (
            ("drill_date", "size") if measure == "drill_count_term" else ("evacuation_seconds", "median")
        )
        measured = drills.groupby("school_code").agg(value=(column, how), day=("drill_date", "max"))
        measured = measured.reindex(schools.index)
        if measure == "drill_count_term":
            measured["value"] = measured["value"].fillna(0)
        return measured.assign(reason="no_drill_with_a_time")
    if measure in ("major_overdue", "general_overdue"):
        late = overdue(facts.hazards, as_of)
        late = late[late["hazard_grade_code"] == measure.split("_")[0]]
        return _counted(late, schools, as_of)
    if measure == "serious_incidents":
        past = facts.incidents
        past = past[(past["occurred_date"] > since) & (past["occurred_date"] <= as_of)]
        return _counted(past[past["incident_level_code"].isin(_SERIOUS)], schools, as_of)
    raise ValueError(f"campus_criteria.csv: unknown measure {measure}")


def _counted(rows: pd.DataFrame, schools: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    count = rows.groupby("school_code").size().reindex(schools.index).fillna(0).astype(float)
    return pd.DataFrame({"value": count, "reason": "", "day": as_of}, schools.index)


def _guard_share(check: pd.DataFrame, schools: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series:
    steps = standards.frame("safety/guards_required", as_of, needed=True)
    needed = guards_required(schools["pupil_count"], steps)
    return 100.0 * check["guard_count"].astype(float) / needed


_Measure = Callable[[pd.DataFrame, pd.DataFrame, pd.Timestamp], pd.Series]


def _yes(column: str) -> _Measure:
    def share(check: pd.DataFrame, schools: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series:
        return check[column].map({True: 100.0, False: 0.0})

    return share


def _plain(column: str) -> _Measure:
    def value(check: pd.DataFrame, schools: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series:
        return check[column].astype(float)

    return value


def _video_cover(check: pd.DataFrame, schools: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series:
    places = check["key_part_count"].astype(float)
    return 100.0 * check["video_key_part_count"].astype(float) / places.where(places > 0)


_OF_CHECK: dict[str, _Measure] = {
    "guard_share": _guard_share,
    "closed_campus": _yes("is_closed_campus"),
    "linked_alarm": _yes("has_linked_alarm"),
    "escort_post": _yes("has_escort_post"),
    "gatehouse_hours": _plain("gatehouse_hours"),
    "patrols": _plain("patrol_count"),
    "video_cover": _video_cover,
}


def drills_due(
    facts: Facts, schools: pd.DataFrame, as_of: pd.Timestamp, look_back: int, period: str
) -> pd.DataFrame:
    """One row per school and period that is over and had school days enough: `school_code, period, is_held,
    drill_date, due_date`. A school's first duty is in the first period that it was open all through."""
    days = pd.to_datetime(facts.calendar["date"][facts.calendar["is_open"].astype(bool)])
    days = days[(days > as_of - pd.Timedelta(days=look_back)) & (days <= as_of)]
    per = days.dt.to_period(period)
    counted = per.value_counts()
    since = as_of - pd.Timedelta(days=look_back)
    enough = counted.index[counted >= _LEAST_SCHOOL_DAYS]
    whole = [p for p in enough if p.start_time >= since and p.end_time.normalize() <= as_of]
    periods = pd.DataFrame({"period": sorted(whole)})
    grid = schools.reset_index()[["school_code", "opened_date"]].merge(periods, how="cross")
    starts = pd.Series([p.start_time for p in grid["period"]], index=grid.index, dtype="datetime64[ns]")
    grid = grid[grid["opened_date"].isna() | (grid["opened_date"] <= starts)]
    held = facts.drills.assign(period=facts.drills["drill_date"].dt.to_period(period))
    held = held.groupby(["school_code", "period"])["drill_date"].max().reset_index()
    due = grid.merge(held, on=["school_code", "period"], how="left")
    ends = [p.end_time.normalize() for p in due["period"]]
    return due.assign(
        is_held=due["drill_date"].notna(), due_date=pd.to_datetime(pd.Series(ends, index=due.index))
    )


def alerts_of_criteria(judged: pd.DataFrame, facts: Facts, as_of: pd.Timestamp) -> pd.DataFrame:
    """Alerts where a criterion with a level is not met: one per school and check, or school and period.

    A criterion without evidence raises one alert per school and school year. Hazards have alerts of their
    own.
    """
    in_force = standards.frame("safety/campus_criteria", as_of).to_dict("records")
    criteria: dict[str, dict[Any, Any]] = {rule["criterion_code"]: rule for rule in in_force}
    rows = []
    failed = judged[judged["is_met"].eq(False) & judged["is_required"]]
    school_year = clock.school_year(as_of)
    for row in failed.to_dict("records"):
        rule = criteria[row["criterion_code"]]
        if pd.isna(rule["alert_level"]) or rule["measure"].startswith("drill_share"):
            continue
        missing = pd.isna(row["value"])
        by_check = rule["measure"] in _OF_CHECK and not missing
        name = f"check:{row['evidence_date'].date()}" if by_check else f"year:{school_year}"
        day = row["evidence_date"] if by_check else as_of
        rows.append(_criterion_alert(row, rule, name, day, as_of, row["value"]))
    schools = facts.schools.set_index("school_code")
    young = schools["school_type_code"] == KINDERGARTEN_TYPE
    for code, period, own in (("drill_month", "M", ~young), ("drill_quarter", "Q", young)):
        if code not in criteria:
            continue
        rule = criteria[code]
        due = drills_due(facts, schools[own], as_of, int(rule["look_back_days"]), period)
        for missed in due[~due["is_held"]].to_dict("records"):
            row = {"school_code": missed["school_code"], "criterion_code": code, "missing_reason": None}
            rows.append(
                _criterion_alert(row, rule, f"period:{missed['period']}", missed["due_date"], as_of, 0.0)
            )
    return frame(rows)


def _criterion_alert(
    row: Mapping[Any, Any],
    rule: Mapping[Any, Any],
    name: str,
    day: pd.Timestamp,
    as_of: pd.Timestamp,
    value: float,
) -> dict[str, Any]:
    facts = {"unit": rule["unit"], "source": rule["source"], "missing_reason": row["missing_reason"]}
    return once_alert(
        rule_code=f"CAMPUS_{str(row['criterion_code']).upper()}",
        rule_zh=rule["criterion_zh"],
        alert_unit_code=row["school_code"],
        condition_code=name,
        alert_date=day,
        window_start_date=day,
        last_date=day,
        observed=value,
        upper_bound=float(rule["threshold"]),
        level=rule["alert_level"],
        owner=rule["owner_zh"],
        raised_date=as_of,
        due_date=as_of + pd.Timedelta(days=int(rule["days_to_answer"])),
        evidence={key: fact for key, fact in facts.items() if pd.notna(fact)},
    )
