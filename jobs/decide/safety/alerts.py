"""Alerts: a record for each thing that somebody must look at, raised once; its state comes back as a feed.

Every maker gives the same columns and the same kind of id. `statements` decides what a run says of them: what
is new is raised, an outbreak that goes on is stated again under its old number, and nothing is raised twice,
whichever run is repeated and in whatever order files come.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

LEVELS = ("red", "orange", "yellow", "blue")
# What the lake itself says of an alert; the rest comes back from those who look at it. `over`: the outbreak
# was over before anybody could know of it. `joined`: it turned out to be part of another alert's outbreak.
NEW, OVER, JOINED = "new", "over", "joined"
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
    "raised_date",
    "observed",
    "expected",
    "upper_bound",
    "p_value",
    "level",
    "raised_level",
    "owner",
    "due_date",
    "state",
    "evidence",
    "raised_by_run_id",
]
DAYS: Sequence[str] = ("alert_date", "window_start_date", "last_date", "raised_date", "due_date")


def alert_id(
    rule_code: str, unit: str, class_name: str, condition: str, first_date: pd.Timestamp | None
) -> str:
    """The same alert has the same id on every machine and in every run: 16 hex digits.

    `first_date` is None for what is raised once, whatever its days become (a hazard, a month's drill)."""
    day = "" if first_date is None else first_date.date().isoformat()
    return hashlib.sha256("|".join((rule_code, unit, class_name, condition, day)).encode()).hexdigest()[:16]


def once_alert(**cells: Any) -> dict[str, Any]:
    """A row for `frame` of what is raised once, whatever its days become; its `condition_code` names it."""
    return _alert(_once=True, **cells)


def illness_alert(cells: Mapping[str, Any], evidence: Mapping[str, Any]) -> dict[str, Any]:
    """A row for `frame` of an outbreak, which may grow."""
    return _alert(**cells, evidence=evidence)


def _alert(**cells: Any) -> dict[str, Any]:
    usual = {
        "alert_unit_level": "school",
        "class_name": "",
        "condition_code": "",
        "expected": None,
        "p_value": None,
        "upper_bound": None,
        "state": NEW,
        "_once": False,
    }
    return usual | cells


def frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of the makers as alerts, each once, in order of day and place."""
    rows = list(rows)
    alerts = pd.DataFrame(
        rows, columns=[*(set(ALERT_COLUMNS) - {"alert_id", "school_code", "raised_by_run_id"}), "_once"]
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
    alerts["raised_level"], alerts["raised_by_run_id"] = alerts["level"], None
    alerts["evidence"] = [_json(facts) for facts in alerts["evidence"]]
    for name in DAYS:
        alerts[name] = pd.to_datetime(alerts[name])
    numbers = ["observed", "expected", "upper_bound", "p_value"]
    alerts[numbers] = alerts[numbers].astype(float)
    order = ["alert_date", "alert_unit_code", "class_name", "rule_code", "condition_code"]
    return alerts.sort_values(order).drop_duplicates("alert_id")[ALERT_COLUMNS].reset_index(drop=True)


def statements(alerts: pd.DataFrame, raised: pd.DataFrame, over_after: Mapping[str, int]) -> pd.DataFrame:
    """What a run has to say: alerts that are new, and raised ones that grew, under their old number.

    Rows in: alerts of `frame`, each once; `raised`: the newest row of each alert of earlier runs. What is
    raised once is known by its id. An outbreak is known by its id, by an incident of it, or as one of the
    same place and syndrome whose days touch those of a raised one (`over_after` days apart, by syndrome):
    late files move days, and must raise nothing again. Where it touches several, the first goes on and the
    others are stated as joined to it.
    """
    known = _Raised(_records(raised), over_after)
    said: dict[str, dict[str, Any]] = {}
    for alert in _records(alerts):
        met = known.of(alert)
        if not met:
            known.add(alert)
            said[alert["alert_id"]] = alert
            continue
        if _is_once(alert):
            continue
        first, *others = met
        grown = _grown(first, alert)
        for other in others:
            grown = _grown(grown or first, other) or grown
            joined = {
                **other,
                "state": JOINED,
                "evidence": _json({**_facts(other), "joined_to": first["alert_id"]}),
            }
            known.add(joined)
            said[other["alert_id"]] = joined
        if grown:
            known.add(grown)
            said[grown["alert_id"]] = grown
    rows = pd.DataFrame(list(said.values()), columns=ALERT_COLUMNS)
    for name in DAYS:
        rows[name] = pd.to_datetime(rows[name])
    return rows


class _Raised:
    """Alerts that were raised, by number, by place and syndrome, and by incident."""

    def __init__(self, rows: Iterable[dict[str, Any]], over_after: Mapping[str, int]) -> None:
        self.over_after = over_after
        self.rows: dict[str, dict[str, Any]] = {}
        self.keys: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            self.add(row)

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row, in place of an older one of its number."""
        self.rows[row["alert_id"]] = row
        for key in _keys(row):
            numbers = self.keys.setdefault(key, [])
            if row["alert_id"] not in numbers:
                numbers.append(row["alert_id"])

    def of(self, alert: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Rows that are the same thing, the first first."""
        found = {number: self.rows[number] for key in _keys(alert) for number in self.keys.get(key, ())}
        if alert["alert_id"] in self.rows:
            found[alert["alert_id"]] = self.rows[alert["alert_id"]]
        met = [row for row in found.values() if row["state"] != JOINED and self._is_same(row, alert)]
        return sorted(met, key=lambda row: (row["alert_date"], row["alert_id"]))

    def _is_same(self, row: Mapping[str, Any], alert: Mapping[str, Any]) -> bool:
        shared = set(_facts(row).get("incidents", ())) & set(_facts(alert).get("incidents", ()))
        if shared or row["alert_id"] == alert["alert_id"]:
            return True
        days = self.over_after.get(alert["condition_code"], min(self.over_after.values()))
        apart = pd.Timedelta(days=days)
        touch = (
            alert["alert_date"] <= row["last_date"] + apart
            and row["alert_date"] <= alert["last_date"] + apart
        )
        return bool(touch and not _is_once(row))


def _keys(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What an alert may be known by: its place with its syndrome, and with each incident of it."""
    if _is_once(row):
        return []
    unit = row["alert_unit_code"]
    return [(unit, row["condition_code"]), *((unit, code) for code in _facts(row)["incidents"])]


def _is_once(row: Mapping[str, Any]) -> bool:
    return "incidents" not in _facts(row)


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    try:
        facts = json.loads(row["evidence"])
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _grown(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any] | None:
    """The raised alert with what is new of it; None where nothing is."""
    before, after = _facts(old), _facts(new)
    lists = {
        name: sorted({*before[name], *after[name]})
        for name in ("rules", "classes", "conditions", "incidents")
    }
    level = min(old["level"], new["level"], key=LEVELS.index)
    is_more = any(lists[name] != before[name] for name in lists) or level != old["level"]
    goes_on = new["last_date"] > old["last_date"] or new["observed"] > old["observed"]
    if not is_more and not goes_on:
        return None
    again = old["state"] == OVER and new["state"] == NEW
    chances = [row["p_value"] for row in (old, new) if pd.notna(row["p_value"])]
    kept = ["alert_id", "alert_date", "raised_level", "raised_by_run_id"]
    kept += [] if again else ["raised_date", "due_date", "state"]
    return {
        **new,
        **{name: old[name] for name in kept},
        "window_start_date": min(old["window_start_date"], new["window_start_date"]),
        "last_date": max(old["last_date"], new["last_date"]),
        "observed": max(old["observed"], new["observed"])
        if old["rule_code"] == new["rule_code"]
        else new["observed"],
        "p_value": min(chances, default=None),
        "level": level,
        "owner": new["owner"] if level != old["level"] else old["owner"],
        "evidence": _json(
            {**before, **after, **lists, "alarm_days": max(before["alarm_days"], after["alarm_days"])}
        ),
    }


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): cell for name, cell in row.items()} for row in rows.to_dict("records")]


def _json(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=False, sort_keys=True)
