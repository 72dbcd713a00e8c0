"""接诉即办: hotline cases against their clocks.

`expectations/standards/safety/hotline_clocks.csv`: by class of case the hours it may take, dated. Pure.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobs.decide.safety.alerts import frame, once_alert
from jobs.declare import standards


def judged(cases: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Cases with `hours_allowed`, `due_date`, `is_open`, `is_late` (handled too late, or open past due).

    Rows in: `hotline_case_code, accepted_date, district_code, hotline_urgency_code, closed_case_date,
    handling_hours` (null: told by the days alone, of which the last one counts whole). A class without a
    clock has neither due date nor late.
    """
    clocks = standards.frame("safety/hotline_clocks", as_of).set_index("clock_code")
    hours = cases["hotline_urgency_code"].map(clocks["hours"]).astype(float)
    due = cases["accepted_date"] + pd.to_timedelta(np.ceil(hours / 24), unit="D")
    closed = cases["closed_case_date"].where(cases["closed_case_date"] <= as_of)
    by_hours = cases["handling_hours"].astype(float) > hours
    by_days = closed.fillna(as_of) > due
    late = by_hours.where(closed.notna() & cases["handling_hours"].notna(), by_days).astype(object)
    return cases.assign(
        hours_allowed=hours, due_date=due, is_open=closed.isna(), is_late=late.where(hours.notna(), None)
    )


def alerts_of_cases(rows: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """One alert per case of `judged` that is open past its clock, once for ever."""
    clocks = standards.frame("safety/hotline_clocks", as_of).set_index("clock_code").to_dict("index")
    alerts = []
    for case in rows[rows["is_open"] & rows["is_late"].eq(True)].to_dict("records"):
        clock = clocks[case["hotline_urgency_code"]]
        late = case["due_date"] + pd.Timedelta(days=1)
        alerts.append(
            once_alert(
                rule_code=f"HOTLINE_{case['hotline_urgency_code'].upper()}",
                rule_zh=f"接诉即办时限（{clock['clock_zh']}）",
                alert_unit_level="district",
                alert_unit_code=case["district_code"],
                condition_code=case["hotline_case_code"],
                alert_date=late,
                window_start_date=case["accepted_date"],
                last_date=late,
                observed=float((as_of - case["accepted_date"]).days * 24),
                upper_bound=float(case["hours_allowed"]),
                level="yellow",
                owner=clock["owner_zh"],
                raised_date=as_of,
                due_date=as_of + pd.Timedelta(days=int(clock["days_to_answer"])),
                evidence={
                    "unit": "hours",
                    "source": clock["source"],
                    "case_due_date": case["due_date"].date().isoformat(),
                },
            )
        )
    return frame(alerts)
