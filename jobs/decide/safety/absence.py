"""Absence as counts: by school and open day, by syndrome, and as cases for the statutory rules."""

from __future__ import annotations

from datetime import date

import pandas as pd

from jobs import clock
from jobs.decide.safety.outbreaks import OTHER_SYNDROME, syndromes_of_reports
from jobs.decide.safety.rules import DORMITORY
from jobs.declare import standards

# Incidents of these kinds are cases of food poisoning, by the number of persons who came to harm.
_POISONING = ("food_borne", "poisoning")


def rule_reports(illness: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    """Reports as `rules.rule_hits` wants them, with `school_year`; food poisoning also from incidents."""
    poisoned = incidents[incidents["incident_type_code"].isin(_POISONING) & (incidents["injured_count"] > 0)]
    extra = pd.DataFrame(
        {
            "school_code": poisoned["school_code"],
            "class_name": "",
            "date": poisoned["occurred_date"],
            "condition_code": "food_poisoning",
            "case_count": poisoned["injured_count"],
        }
    )
    names = [*extra.columns, *(name for name in DORMITORY if name in illness)]
    reports = pd.concat(
        [one for one in (illness[names], extra) if not one.empty] or [extra], ignore_index=True
    )
    date_ = pd.to_datetime(reports["date"])
    return reports.assign(date=date_, school_year=clock.school_years(date_))


def on_school_days(illness: pd.DataFrame, calendar: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """`unit, date, count`: each reporting school × open day.

    A day without a report counts nobody absent, from the school year of the school's first report on and as
    far as its sender has reported; what lies beyond is missing: a school not open yet was not well.
    """
    if illness.empty:
        return pd.DataFrame(columns=["unit", "date", "count"])
    days = calendar.loc[calendar["is_open"], "date"]
    days = days[(days >= illness["date"].min()) & (days <= pd.Timestamp(as_of))]
    counts = illness.groupby(["school_code", "date"])["absent_count"].sum()
    until = illness.groupby("sender_code")["date"].max()
    sender = illness.drop_duplicates("school_code", keep="last").set_index("school_code")["sender_code"]
    grid = pd.MultiIndex.from_product([sorted(sender.index), days], names=["unit", "date"])
    series = counts.rename_axis(["unit", "date"]).reindex(grid, fill_value=0).rename("count").reset_index()
    began = illness.groupby("school_code")["date"].min()
    since = pd.to_datetime(clock.school_years(began).map(clock.first_day))
    is_covered = series["date"].between(series["unit"].map(since), series["unit"].map(sender).map(until))
    return series[is_covered].reset_index(drop=True)


def by_syndrome(illness: pd.DataFrame, series: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """`syndrome_code, unit, date, count`: the school days of `on_school_days` once for each syndrome of
    `syndromes.csv`, and for all conditions that none of them names (`other`)."""
    groups = standards.frame("safety/syndromes", as_of)
    own = illness.assign(syndrome_code=syndromes_of_reports(illness, as_of))
    sums = own.groupby(["syndrome_code", "school_code", "date"])["absent_count"].sum()
    counts = sums.rename_axis(["syndrome_code", "unit", "date"]).rename("count").reset_index()
    codes = pd.DataFrame({"syndrome_code": [*groups["syndrome_code"], OTHER_SYNDROME]})
    days = codes.merge(series[["unit", "date"]], how="cross")
    found = days.merge(counts, on=["syndrome_code", "unit", "date"], how="left")
    return found.assign(count=found["count"].fillna(0.0))


def syndrome_names(as_of: pd.Timestamp) -> dict[str, str]:
    """Code → Chinese name, with `other`."""
    groups = standards.frame("safety/syndromes", as_of)
    named = dict(zip(groups["syndrome_code"], groups["syndrome_zh"], strict=True))
    return named | {OTHER_SYNDROME: "其他症状"}
