"""Alerts: one record for each thing that somebody must look at, raised once; its state comes back as a feed.

Every maker gives the same columns and the same kind of id, and only `only_new` decides what is raised. It
knows an alert by its id, or by the same rule, place and condition in a span that touches one raised before.
So a repeated run, a late report, or files in another order raise nothing twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

STATES = ("new", "seen", "handled", "false")
CLOSED = ("handled", "false")
LEVELS = ("red", "orange", "yellow", "blue")
ALERT_COLUMNS = [
    "alert_id",
    "rule_code",
    "rule_zh",
    "alert_unit_level",
    "alert_unit_code",
    "school_code",
    "class_name",
    "condition_code",
    "alert_date",
    "window_start_date",
    "last_date",
    "observed",
    "expected",
    "upper_bound",
    "p_value",
    "level",
    "owner",
    "due_date",
    "state",
    "evidence",
]
# What makes two alerts one, but for their days.
_SAME = ["rule_code", "alert_unit_code", "class_name", "condition_code"]
# Days of alarm that belong together: a rise that goes on after a weekend is the same one.
SAME_EPISODE_DAYS = 4


def alert_id(
    rule_code: str, unit: str, class_name: str, condition: str, first_date: pd.Timestamp | None
) -> str:
    """The same alert has the same id on every machine and in every run: 16 hex digits.

    `first_date` is None for what is raised once, whatever its days become (a hazard, a month's drill)."""
    day = "" if first_date is None else first_date.date().isoformat()
    return hashlib.sha256("|".join((rule_code, unit, class_name, condition, day)).encode()).hexdigest()[:16]


def alerts_of_rules(hits: pd.DataFrame) -> pd.DataFrame:
    """One alert per row of `rule_hits` or `event_hits`, due as the rule says, else on the next day."""
    rows = []
    for hit in hits.to_dict("records"):
        hours = 24 if pd.isna(hit["report_within_hours"]) else int(hit["report_within_hours"])
        facts = {
            name: hit[name] for name in ("threshold", "threshold_unit", "window_days", "action", "source")
        }
        rows.append(
            _alert(
                rule_code=hit["rule_code"],
                rule_zh=hit["rule_zh"],
                alert_unit_code=hit["school_code"],
                class_name=hit["class_name"],
                condition_code=hit["condition"],
                alert_date=hit["first_date"],
                window_start_date=hit["window_start"],
                last_date=hit["last_date"],
                observed=hit["observed"],
                expected=hit["expected"],
                upper_bound=hit["threshold"],
                level=hit["alert_level"],
                owner=hit["owner_zh"],
                due_date=hit["first_date"] + pd.Timedelta(days=-(-hours // 24)),
                evidence=facts,
            )
        )
    return frame(rows)


def alerts_of_detection(
    found: pd.DataFrame,
    rule_code: str,
    rule_zh: str,
    *,
    unit_level: str = "school",
    condition_code: str = "",
    owner: str = "学校",
    orange_below: float = 1e-4,
    days_to_answer: int = 1,
    since: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """One alert per unit and run of alarms of `detect_frame` (with dates); alarms up to four days apart are
    one run.

    Runs are made of all days; those that end before `since` are left out. `expected`, `observed` and
    `upper_bound` are sums over the run's alarm days, `level` goes by its least p-value.
    """
    rows = []
    alarms = found[found["alarm"].fillna(0) == 1].sort_values(["unit", "date"])
    gap = alarms.groupby("unit")["date"].diff().dt.days
    run = (gap.isna() | (gap > SAME_EPISODE_DAYS)).cumsum()
    for _, days in alarms.groupby(run):
        first, last = days["date"].iloc[0], days["date"].iloc[-1]
        if since is not None and last < since:
            continue
        p_value = float(days["p_value"].min())
        rows.append(
            _alert(
                rule_code=rule_code,
                rule_zh=rule_zh,
                alert_unit_level=unit_level,
                alert_unit_code=str(days["unit"].iloc[0]),
                condition_code=condition_code,
                alert_date=first,
                window_start_date=first,
                last_date=last,
                observed=float(days["count"].sum()),
                expected=float(days["expected"].sum()),
                upper_bound=float(days["upper_bound"].sum()),
                p_value=p_value,
                level="orange" if p_value < orange_below else "yellow",
                owner=owner,
                due_date=first + pd.Timedelta(days=days_to_answer),
                evidence={"alarm_days": len(days), "least_p_value": float(f"{p_value:.3g}")},
            )
        )
    return frame(rows)


def once_alert(**cells: Any) -> dict[str, Any]:
    """A row for `frame` of what is raised once, whatever its days become; its `condition_code` names it."""
    return _alert(**cells) | {"_once": True}


def _alert(**cells: Any) -> dict[str, Any]:
    usual = {
        "alert_unit_level": "school",
        "class_name": "",
        "condition_code": "",
        "expected": None,
        "p_value": None,
    }
    return usual | {"upper_bound": None, "_once": False} | cells


def frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of the makers as alerts, each once, in order of day and place."""
    rows = list(rows)
    alerts = pd.DataFrame(
        rows, columns=[*(set(ALERT_COLUMNS) - {"alert_id", "state", "school_code"}), "_once"]
    )
    alerts["alert_id"] = [
        alert_id(
            row["rule_code"],
            row["alert_unit_code"],
            row["class_name"],
            row["condition_code"],
            None if row["_once"] else row["alert_date"],
        )
        for row in rows
    ]
    alerts["school_code"] = alerts["alert_unit_code"].where(alerts["alert_unit_level"] == "school", None)
    alerts["state"] = "new"
    alerts["evidence"] = [
        json.dumps(facts, ensure_ascii=False, sort_keys=True) for facts in alerts["evidence"]
    ]
    for name in ("alert_date", "window_start_date", "last_date", "due_date"):
        alerts[name] = pd.to_datetime(alerts[name])
    numbers = ["observed", "expected", "upper_bound", "p_value"]
    alerts[numbers] = alerts[numbers].astype(float)
    order = ["alert_date", "alert_unit_code", "class_name", "rule_code", "condition_code"]
    return alerts.sort_values(order).drop_duplicates("alert_id")[ALERT_COLUMNS].reset_index(drop=True)


def only_new(alerts: pd.DataFrame, raised: pd.DataFrame) -> pd.DataFrame:
    """Alerts that were not raised before.

    An alert is known by its id, or as the same rule, place and condition with a span that touches (four days
    aside) the one raised: a report that comes late may move the first day, and must not raise it again.
    """
    apart = pd.Timedelta(days=SAME_EPISODE_DAYS)
    spans = raised[[*_SAME, "alert_date", "last_date"]]
    pairs = alerts.reset_index(names="_row").merge(spans, on=_SAME, suffixes=("", "_raised"))
    touch = (pairs["alert_date"] <= pairs["last_date_raised"] + apart) & (
        pairs["alert_date_raised"] <= pairs["last_date"] + apart
    )
    known = alerts["alert_id"].isin(raised["alert_id"]).to_numpy()
    known[pairs["_row"][touch].to_numpy(dtype=np.int64)] = True
    return alerts[~known].reset_index(drop=True)


def with_states(alerts: pd.DataFrame, statements: pd.DataFrame) -> pd.DataFrame:
    """Alerts with the newest state of each (`alert_id, state, stated_on`); `new` where none was stated.

    Of two states on one day the later stage counts: an alert seen and handled on a day is handled. Adds
    `closed_on`, the first day since which it stayed closed; null while it is open.
    """
    ranked = statements.assign(_step=statements["state"].map({name: k for k, name in enumerate(STATES)}))
    ranked = ranked.sort_values(["alert_id", "stated_on", "_step"], kind="stable")
    is_closed = ranked["state"].isin(CLOSED)
    # A closing counts from the first of the unbroken run of closings that ends the list.
    reopened = (~is_closed).groupby(ranked["alert_id"]).transform(lambda open_: open_[::-1].cumsum()[::-1])
    closings = ranked[is_closed & (reopened == 0)].groupby("alert_id")["stated_on"].min()
    newest = ranked.drop_duplicates("alert_id", keep="last").set_index("alert_id")["state"]
    return alerts.assign(
        state=alerts["alert_id"].map(newest).fillna("new"),
        closed_on=pd.to_datetime(alerts["alert_id"].map(closings)),
    )


def median_days_to_close(alerts: pd.DataFrame, district_of: Mapping[str, str]) -> pd.DataFrame:
    """By district: alerts, how many are open, and the median days to closing (null if none is closed)."""
    days = (pd.to_datetime(alerts["closed_on"]) - alerts["alert_date"]).dt.days
    table = pd.DataFrame({"district_code": alerts["alert_unit_code"].map(dict(district_of)), "days": days})
    return (
        table.groupby("district_code")["days"]
        .agg(alert_count="size", open_count=lambda d: int(d.isna().sum()), median_days_to_close="median")
        .reset_index()
    )
