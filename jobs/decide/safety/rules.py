"""Statutory thresholds on illness reports: which rule is met where, and when the report is due.

The rules are dated data, `expectations/standards/safety/illness_thresholds.csv` (its SOURCES.md names the
texts). Pure functions over small tables; the caller reads and writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.declare import standards

# What a report may say of a dormitory room, and the places by which a rule counts cases. The rest waits for
# what is no case: a death, an event that somebody declares (`event_hits`).
DORMITORY = ("dormitory_name", "dormitory_pupil_count")
_CLASS, _ROOM = ["school_code", "class_name"], ["school_code", "dormitory_name"]
_SETTINGS = {
    "class_or_dormitory": [_CLASS, _ROOM],
    "class": [_CLASS],
    "class_under_30": [_CLASS],
    "class_30_or_more": [_CLASS],
    "dormitory": [_ROOM],
    "school": [["school_code"]],
    "kindergarten": [["school_code"]],
}
_SHARES = ("percent_of_class", "percent_of_room")
_CLUSTER = 2  # cases that a share of a class or room needs: one child is no cluster
# A gap of more days than a weekend with a day bridged is a holiday; it counts as so many days.
_HOLIDAY_DAYS, _APART = 4, 100.0
_SMALL_CLASS = 30  # the Beijing rule's own border
HIT_COLUMNS = [
    "rule_code",
    "rule_zh",
    "jurisdiction",
    "school_code",
    "class_name",
    "condition",
    "window_start",
    "first_date",
    "last_date",
    "observed",
    "expected",
    "threshold",
    "threshold_unit",
    "window_days",
    "action",
    "alert_level",
    "owner_zh",
    "report_within_hours",
    "source",
]


def load_rules() -> pd.DataFrame:
    """The illness thresholds of all dates; `conditions` is empty where a rule is not about cases."""
    rules = standards.frame("safety/illness_thresholds").astype({"report_within_hours": "Int64"})
    return rules.assign(conditions=rules["conditions"].fillna(""))


def can_be_evaluated(rules: pd.DataFrame) -> pd.Series:
    """Whether reports of cases by class and day can decide the rule."""
    return (
        rules["setting"].isin(list(_SETTINGS))
        & rules["threshold_unit"].isin(["cases", *_SHARES])
        & (rules["conditions"] != "")
    )


def rule_hits(
    reports: pd.DataFrame,
    rules: pd.DataFrame,
    calendar: pd.DataFrame | None = None,
    *,
    jurisdictions: Sequence[str] = ("national",),
    class_sizes: Mapping[tuple[str, str], int] | None = None,
    kindergartens: frozenset[str] = frozenset(),
) -> pd.DataFrame:
    """Each episode in which a rule is met, once.

    Rows in: `school_code, class_name, date, condition_code, case_count`, new cases of a day; several rows of
    a day add up. `calendar` (`date, is_open`) tells school days, by which short windows count; a case of a
    closed day counts with the school days around it and uses up none of them. Without a calendar every day is
    one. A rule by share of a class, or for small or large classes, needs `class_sizes`; one for kindergartens
    looks at those named. Rows may name a dormitory room and its pupils (DORMITORY): a rule for rooms needs
    them. A rule counts on days on which it is in force.

    Rows out (HIT_COLUMNS): one per rule, place, condition and episode: days on which the rule is met, the
    next within a window of the last, for windows that share cases tell of one thing. `first_date` is the day
    it is first met, `last_date` the last one, `window_start` the day of the first case counted on
    `first_date`, `observed` the highest count (or percentage), `expected` what the place has of it in such a
    window on average. `class_name` is empty for a school's rule,
    and the room of one about dormitories.
    """
    reports = reports.assign(date=pd.to_datetime(reports["date"]))
    reports = reports[reports["case_count"] > 0]
    open_days = None
    if calendar is not None:
        open_days = np.sort(pd.to_datetime(calendar["date"][calendar["is_open"].astype(bool)]).to_numpy())
    found = [pd.DataFrame(columns=HIT_COLUMNS)]
    chosen = rules[can_be_evaluated(rules) & rules["jurisdiction"].isin(jurisdictions)]
    for rule in chosen.to_dict("records"):
        wanted = reports
        if rule["setting"] == "kindergarten":
            wanted = wanted[wanted["school_code"].isin(kindergartens)]
        for condition in rule["conditions"].split("|"):
            cases = wanted[wanted["condition_code"].isin(condition.split("+"))]
            if cases.empty:
                continue
            for place in _SETTINGS[rule["setting"]]:
                if not set(place) <= set(cases.columns) or cases[place[-1]].isna().all():
                    continue
                daily = cases.groupby([*place, "date"])["case_count"].sum().reset_index()
                sizes = _sizes(daily, rule, class_sizes)
                if rule["threshold_unit"] == "percent_of_room":
                    sizes = _room_sizes(cases, daily)
                daily = daily.rename(columns={"dormitory_name": "class_name"})
                named = ["class_name" if name == "dormitory_name" else name for name in place]
                hits = _episodes(daily, named, rule, sizes, open_days)
                found.append(hits.assign(condition=condition))
    hits = pd.concat([one for one in found if not one.empty] or found)
    hits["class_name"] = hits["class_name"].fillna("")
    order = ["first_date", "school_code", "class_name", "rule_code", "condition"]
    return hits[HIT_COLUMNS].sort_values(order, ignore_index=True)


def event_hits(
    incidents: pd.DataFrame, rules: pd.DataFrame, *, jurisdictions: Sequence[str] = ("national",)
) -> pd.DataFrame:
    """Each incident that alone meets a rule, or by those who died in it, in HIT_COLUMNS.

    Rows in: `school_code, incident_code, incident_type_code, death_count, date`. The incident's number stands
    in `condition`, so that two of one day are two.
    """
    found = [pd.DataFrame(columns=HIT_COLUMNS)]
    of_events = rules["threshold_unit"].isin(["event", "deaths"])
    chosen = rules[of_events & rules["jurisdiction"].isin(jurisdictions)]
    deaths = incidents["death_count"].astype(float).fillna(0.0)
    date = pd.to_datetime(incidents["date"])
    for rule in chosen.to_dict("records"):
        ends = date >= rule["valid_to"] if pd.notna(rule["valid_to"]) else False
        named = incidents["incident_type_code"].isin(rule["conditions"].split("|"))
        is_death = rule["threshold_unit"] == "deaths"
        enough = (deaths >= float(rule["threshold"])) | (not is_death)
        met = incidents[named & enough & (date >= rule["valid_from"]) & ~ends]
        days = date[met.index]
        spans = {"window_start": days, "first_date": days, "last_date": days}
        own = {name: rule[name] for name in HIT_COLUMNS if name in rule}
        facts = {"class_name": "", "condition": met["incident_code"], "expected": None}
        facts["observed"] = deaths[met.index] if is_death else 1.0
        found.append(met[["school_code"]].assign(**own, **facts, **spans))
    hits = pd.concat([one for one in found if not one.empty] or found)
    return hits[HIT_COLUMNS].sort_values(["first_date", "school_code", "condition"], ignore_index=True)


def _sizes(
    daily: pd.DataFrame, rule: Mapping[Any, Any], class_sizes: Mapping[tuple[str, str], int] | None
) -> NDArray[np.float64] | None:
    """Pupils of each row's class, NaN where the rule is not about such a class; None: no size is needed."""
    small, large = rule["setting"] == "class_under_30", rule["setting"] == "class_30_or_more"
    if rule["threshold_unit"] != "percent_of_class" and not small and not large:
        return None
    keys = zip(daily["school_code"], daily["class_name"], strict=True)
    sizes = np.array([float((class_sizes or {}).get(key) or np.nan) for key in keys])
    if small:
        sizes[sizes >= _SMALL_CLASS] = np.nan
    if large:
        sizes[sizes < _SMALL_CLASS] = np.nan
    return sizes


def _room_sizes(cases: pd.DataFrame, daily: pd.DataFrame) -> NDArray[np.float64] | None:
    """Pupils of each row's room, as the reports tell it; NaN where none does."""
    if "dormitory_pupil_count" not in cases:
        return np.full(len(daily), np.nan)
    told = cases.groupby(_ROOM)["dormitory_pupil_count"].max().rename("size").reset_index()
    sizes: NDArray[np.float64] = daily.merge(told, on=_ROOM, how="left")["size"].to_numpy(dtype=float)
    return sizes


def _episodes(
    daily: pd.DataFrame,
    place: list[str],
    rule: Mapping[Any, Any],
    sizes: NDArray[np.float64] | None,
    open_days: NDArray[np.datetime64] | None,
) -> pd.DataFrame:
    """Episodes of all places at once. `daily`: cases by place and day, by place and day in order."""
    window = int(rule["window_days"])
    date, count = daily["date"].to_numpy(), daily["case_count"].to_numpy(dtype=float)
    # A day is a day; only longer windows of school days bridge a weekend.
    if open_days is not None and rule["window_kind"] == "school_days" and window > 1:
        position, days = _school_day(date, open_days), float(len(open_days))
    else:
        position = date.astype("datetime64[D]").astype(float)
        days = float(np.ptp(position)) + 1
    group = daily.groupby(place, sort=False).ngroup().to_numpy()
    apart = position.max() - position.min() + 2 * window + 2
    key = group * apart + position
    total = np.concatenate([[0.0], np.cumsum(count)])
    first = np.searchsorted(key, key - window, side="right")
    in_window = total[1:] - total[first]
    measure = in_window
    is_share = rule["threshold_unit"] in _SHARES
    if is_share and sizes is not None:
        measure = 100 * in_window / sizes
    met = measure >= float(rule["threshold"])
    if is_share:
        met &= in_window >= _CLUSTER
    if sizes is not None:
        met &= ~np.isnan(sizes)
    met &= date >= rule["valid_from"].to_datetime64()
    if pd.notna(rule["valid_to"]):
        met &= date < rule["valid_to"].to_datetime64()
    rows = np.flatnonzero(met)
    if not len(rows):
        return pd.DataFrame(columns=HIT_COLUMNS)
    new = np.concatenate([[True], np.diff(key[rows]) > window])
    begin = rows[new]
    last = rows[np.concatenate([np.flatnonzero(new)[1:] - 1, [len(rows) - 1]])]
    usual = np.bincount(group, weights=count)[group[begin]] / max(days, 1.0) * window
    if is_share and sizes is not None:
        usual = 100 * usual / sizes[begin]
    return pd.DataFrame(
        {
            **{name: rule[name] for name in HIT_COLUMNS if name in rule},
            **{name: daily[name].to_numpy()[begin] for name in place},
            **({} if "class_name" in place else {"class_name": ""}),
            "window_start": date[first[begin]],
            "first_date": date[begin],
            "last_date": date[last],
            "observed": np.maximum.reduceat(np.where(met, measure, 0.0)[rows], np.flatnonzero(new)),
            "expected": usual,
        }
    )


def _school_day(date: NDArray[np.datetime64], open_days: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """School days up to each date; half a day more on a closed one, which follows its last school day.

    A holiday parts the days on its two sides: no window reaches over it."""
    gaps = np.diff(open_days) / np.timedelta64(1, "D")
    number = np.concatenate([[0.0, 1.0], 1 + np.cumsum(np.where(gaps > _HOLIDAY_DAYS, _APART, 1.0))])
    at = number[np.searchsorted(open_days, date, side="right")]
    is_open = np.isin(date, open_days)
    return np.where(is_open, at, at + 0.5)
