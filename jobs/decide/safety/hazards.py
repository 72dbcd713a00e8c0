"""Hazards against their deadlines, and who is responsible as time passes.

`expectations/standards/safety/hazard_escalation.csv`: by grade and days after the deadline the level and the
owner, dated. Pure functions.
"""

from __future__ import annotations

import pandas as pd

from jobs.decide.safety.alerts import frame, once_alert
from jobs.declare import standards

GRADE_ZH = {"major": "重大", "general": "一般"}


def is_open(hazards: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series:
    """Whether a hazard is not yet removed on that day; one reported closed without a day is closed."""
    done = hazards["hazard_done_date"]
    return (hazards["hazard_status_code"] != "closed") & (done.isna() | (done > as_of)) | (
        done.notna() & (done > as_of)
    )


def overdue(hazards: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Open hazards whose deadline has passed."""
    return hazards[is_open(hazards, as_of) & (hazards["hazard_due_date"] < as_of)]


def escalated(hazards: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Open hazards with `days_after_due` (negative: still to come), `alert_level`, `owner_zh`; null before
    the first step."""
    rows = hazards[is_open(hazards, as_of)].copy()
    rows["days_after_due"] = (as_of - rows["hazard_due_date"]).dt.days
    steps = standards.frame("safety/hazard_escalation", as_of).sort_values("days_after_due_from")
    steps = steps[["hazard_grade_code", "days_after_due_from", "alert_level", "owner_zh", "days_to_answer"]]
    rows = rows.sort_values("days_after_due").astype({"days_after_due": "int64"})
    found = pd.merge_asof(
        rows,
        steps.astype({"days_after_due_from": "int64"}),
        left_on="days_after_due",
        right_on="days_after_due_from",
        by="hazard_grade_code",
    )
    return found.sort_values(["school_code", "hazard_code"], ignore_index=True)


def alerts_of_hazards(rows: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """One alert per hazard of `escalated` that has reached a step, once for ever: later steps raise its
    level, not another alert. `observed` is days after the hazard's deadline; the answer is due in days from
    the day the alert is raised, never before."""
    alerts = []
    for hazard in rows[rows["alert_level"].notna()].to_dict("records"):
        grade = hazard["hazard_grade_code"]
        reached = hazard["hazard_due_date"] + pd.Timedelta(days=int(hazard["days_after_due_from"]))
        alerts.append(
            once_alert(
                rule_code=f"HAZARD_{grade.upper()}",
                rule_zh=f"{GRADE_ZH[grade]}隐患整改期限",
                alert_unit_code=hazard["school_code"],
                condition_code=hazard["hazard_code"],
                alert_date=min(reached, as_of),
                window_start_date=hazard["found_date"],
                last_date=as_of,
                observed=float(hazard["days_after_due"]),
                upper_bound=0.0,
                level=hazard["alert_level"],
                owner=hazard["owner_zh"],
                raised_date=as_of,
                due_date=max(
                    hazard["hazard_due_date"], as_of + pd.Timedelta(days=int(hazard["days_to_answer"]))
                ),
                evidence={
                    "category": hazard["hazard_category_code"],
                    "status": hazard["hazard_status_code"],
                    "hazard_due_date": hazard["hazard_due_date"].date().isoformat(),
                },
            )
        )
    return frame(alerts)
