"""Steps of a series without a row: how many they are, and that they are zero where a person says so.

A list of cases has no rows for days without any, a watch that was interrupted has none either. Nothing in the
file tells them apart, so they are unknown unless the person knows better.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from jobs.decide.safety.choices import Missing, Step
from jobs.settings import UserError

_ZERO = "If they had no cases, say so with --missing zero."
# With fewer rows, a rhythm is no evidence.
_LEAST_ROWS = 10
# What the steps of a year of so many are called, where they are months.
_MONTHS = {12: "months", 6: "pairs of months", 4: "quarters", 3: "terms", 2: "half-years", 1: "years"}


def completed(
    series: pd.DataFrame,
    freq: Step,
    frequency: int | None = None,
    calendar: pd.DataFrame | None = None,
    missing: Missing = "unknown",
) -> tuple[pd.DataFrame, list[str]]:
    """The series, and remarks on what is unknown in it. With `missing` zero, each step that has no row gets
    one of count 0.

    Rows in and out: unit × step. Steps run from the first to the last of the file for every unit: months (or
    quarters, by `frequency`), weeks (or fortnights), or those days of the week that the file has, without the
    closed days of a calendar. Raises UserError for weeks that begin on different days, and for a month with
    two rows of a unit.
    """
    time = "date" if "date" in series.columns else "t"
    if series.empty:
        return series, []
    steps, name = _steps(series[time], freq, frequency, calendar)
    units = series["unit"].unique()
    whole = pd.MultiIndex.from_product([units, steps], names=["unit", time])
    here = series[["unit", time]]
    if time == "date" and name in _MONTHS.values():
        here = here.assign(date=_in_month(here["date"].dt.to_period("M"), series["date"].dt.day.max()))
        if (double := here.duplicated()).any():
            unit, month = here[double].iloc[0]
            raise UserError(f"unit {unit} has two rows for {month:%Y-%m}", "Keep one row per unit and month.")
    lacking = whole.difference(pd.MultiIndex.from_frame(here))
    remarks = []
    if time == "date" and freq == "daily" and name == "days" and len(series) >= _LEAST_ROWS:
        days = series["date"].dt.day_name().unique()
        if len(days) == 1:
            remarks.append(f"every row is of a {days[0]}: for weekly counts give --freq weekly")
        elif (series["date"].dt.is_month_start | series["date"].dt.is_month_end).all():
            remarks.append("every row begins or ends a month: for monthly counts give --frequency 12")
    blank = int(series["count"].isna().sum())
    if blank:
        verbs = ("have", "are") if blank > 1 else ("has", "is")
        told = f"{blank:,} of {len(series):,} rows {verbs[0]} no count and {verbs[1]} taken as unknown"
        remarks.append(told)
    if len(lacking):
        of_units = f" of {len(units):,} units" if len(units) > 1 else ""
        have = "have" if len(lacking) > 1 else "has"
        first = _label(lacking.get_level_values(time).min())
        told = f"{len(lacking):,} of {len(whole):,} {name}{of_units} {have} no row, the first {first}"
        if missing == "zero":
            remarks.append(f"{told}: taken as zero")
            added = lacking.to_frame(index=False).assign(count=0.0)
            series = pd.concat([series, added], ignore_index=True)
        else:
            remarks.append(f"{told}, and {'are' if len(lacking) > 1 else 'is'} taken as unknown. {_ZERO}")
    return series, remarks


def _steps(
    time: pd.Series, freq: Step, frequency: int | None, calendar: pd.DataFrame | None
) -> tuple[pd.Index, str]:
    """All steps that a unit should have, and what they are called."""
    first, last = time.min(), time.max()
    if time.name == "t":
        return pd.RangeIndex(first, last + 1), "steps"
    if frequency in _MONTHS:
        months = pd.period_range(first, last, freq="M")[:: 12 // frequency]
        return pd.DatetimeIndex(_in_month(pd.Series(months), time.dt.day.max())), _MONTHS[frequency]
    if freq == "weekly":
        uneven = (time - first).dt.days % 7 != 0
        if uneven.any():
            raise UserError(
                f"{_label(time[uneven].iloc[0])} is not a whole number of weeks after {_label(first)}, the"
                " first date",
                "Give the Monday of each week, or --freq daily.",
            )
        weeks = 1 if frequency in (None, 52) or len(time) < _LEAST_ROWS else _rhythm(time) // 7
        return pd.date_range(first, last, freq=f"{7 * weeks}D"), "weeks" if weeks == 1 else "steps"
    days = pd.date_range(first, last, freq="D")
    days = days[days.dayofweek.isin(time.dt.dayofweek.unique())]
    if calendar is not None:
        closed = pd.to_datetime(calendar["date"][~calendar["is_open"].astype(bool)])
        days = days[~days.isin(closed)]
    return days, "days"


def _rhythm(time: pd.Series) -> int:
    """The longest step, in days, at which all dates of the file lie."""
    return int(np.gcd.reduce((time - time.min()).dt.days.to_numpy())) or 7


def _in_month(months: pd.Series, day: int) -> pd.Series:
    """That day of each month; its last one where it has fewer."""
    return months.dt.start_time + pd.to_timedelta(np.minimum(months.dt.days_in_month, day) - 1, unit="D")


def _label(step: Any) -> str:
    return step.date().isoformat() if isinstance(step, pd.Timestamp) else f"t={step}"
