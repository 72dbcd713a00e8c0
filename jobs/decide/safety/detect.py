"""Outbreak detection over a table of counts: one row in, one row out.

`detect_frame` is pure. The command line calls it, and so does the Spark job over all schools.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.decide.safety.answers import Array, Detection
from jobs.decide.safety.choices import Method, Step
from jobs.decide.safety.reference.ears import ears
from jobs.decide.safety.reference.farrington import DATED_YEARS, farrington
from jobs.decide.safety.reference.parameters import CLASSIC, FLEXIBLE, FarringtonParameters
from jobs.decide.safety.school.coefficients import Axis
from jobs.decide.safety.school.foretell import Progress
from jobs.decide.safety.school.method import school
from jobs.settings import UserError

ANSWERS = ("expected", "upper_bound", "p_value", "score", "alarm")
# First open days after so long a gap count as a reopening: a holiday, not a weekend with a day bridged.
_HOLIDAY_DAYS = 4
# A year of so many steps has days for steps, though perhaps school days only.
_DAYS_OF_YEAR = 180
# With so many cases on a usual day, a day without any is a day on which all are closed.
_SURELY_CLOSED = 10.0


def detect_frame(
    df: pd.DataFrame,
    method: Method = "school",
    *,
    freq: Step = "daily",
    frequency: int | None = None,
    calendar: pd.DataFrame | None = None,
    alpha: float | None = None,
    baseline: int | None = None,
    start: dt.date | int | None = None,
    fdr: float | None = None,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Expected count, upper bound, p-value, score and alarm for each row of `unit, date|t, count`.

    Rows in: a count per unit and day (or Monday, or first of a month with `frequency` 12), in any order; a
    missing row or count is missing, not 0. `t` = 1 … n stands for series without dates, whose year has
    `frequency` steps, any number (Farrington with dates: 12, 52 or 365).

    Rows out: the same, by unit and time, with `expected, upper_bound, p_value, score, alarm`; null before the
    baseline is full, before `start`, and where nothing can be said. `score` is on the normal scale (3: one in
    741).

    `calendar` (`date, is_open`) leaves closed days out. `parameters` are R's, under Python names
    (`min_sigma`; the fields of `FarringtonParameters`). `fdr`: alarms by Benjamini and Hochberg over the
    units of a step at that rate, in place of `alpha`. Raises UserError for a table that cannot be read so.
    """
    time: Literal["date", "t"] = "date" if "date" in df.columns else "t"
    df = _checked(df, time)
    if df.empty:
        return _with_answers(df, Detection.blank((0,)))
    if frequency is None:
        frequency = 52 if freq == "weekly" else 365
    is_open = _open_rows(df, time, calendar)
    series = _Series(
        df, time, frequency, 7 if freq == "weekly" else 1, is_open, calendar is None, start, progress
    )
    given = dict(parameters or {})
    if method.startswith("ears_"):
        answer = _ears(series, method, alpha, baseline, given)
    elif method == "school":
        if given:
            raise UserError(f"{method} has no parameter {min(given)}", "leave it out")
        answer = _school(series, alpha, baseline)
    else:
        p = FLEXIBLE if method == "farrington_flexible" else CLASSIC
        given |= {} if alpha is None else {"alpha": alpha}
        answer = _farrington(series, replace(p, **given), baseline)
    if start is not None:
        _blank(answer, ~_from(df[time], start))
    if fdr is not None:
        p_value = pd.Series(answer.p_value)
        found = _false_discovery(p_value, df[time], fdr) & (df["count"] > 0).to_numpy()
        answer.alarm = np.where(p_value.isna(), np.nan, found.astype(float))
    return _with_answers(df, answer)


@dataclass(frozen=True)
class _Series:
    """A checked table of `unit, date|t, count`, by unit and time, and how its steps are to be read."""

    rows: pd.DataFrame
    time: Literal["date", "t"]
    frequency: int
    step_days: int
    is_open: NDArray[np.bool_]  # by row
    guess_closed: bool  # no calendar was given
    start: dt.date | int | None
    progress: Progress | None


def _blank(answer: Detection, rows: NDArray[np.bool_]) -> None:
    for name in ANSWERS:
        getattr(answer, name)[rows] = np.nan


def scan_groups(df: pd.DataFrame, group_of: Mapping[str, str], **options: Any) -> pd.DataFrame:
    """Run `detect_frame` on sums over groups of units: a rise in a district that no school shows alone.

    `group_of` maps a unit to its district, or to the middle of its neighborhood; units that it lacks are
    left out. Rows out: one per group and time, `unit` being the group.
    """
    time = "date" if "date" in df.columns else "t"
    groups = df.assign(unit=df["unit"].map(group_of)).dropna(subset=["unit"])
    sums = groups.groupby(["unit", time])["count"].sum(min_count=1).reset_index()
    return detect_frame(sums, **options)


def _checked(df: pd.DataFrame, time: str) -> pd.DataFrame:
    lacking = {"unit", time, "count"} - set(df.columns)
    if lacking:
        raise UserError(f"no column {', '.join(sorted(lacking))}", "give unit, date (or t) and count")
    df = df[["unit", time, "count"]].copy()
    if time == "date":
        df["date"] = pd.to_datetime(df["date"])
    df = df.sort_values(["unit", time], ignore_index=True)
    double = df.duplicated(["unit", time])
    if double.any():
        row = df[double].iloc[0]
        raise UserError(
            f"unit {row['unit']} has two rows for {_label(row[time])}", "keep one row per unit and step"
        )
    if (df["count"] < 0).any():
        row = df[df["count"] < 0].iloc[0]
        raise UserError(
            f"unit {row['unit']} has a count below 0 at {_label(row[time])}", "counts are 0 or more"
        )
    return df


def _from(time: pd.Series, start: dt.date | int) -> NDArray[np.bool_]:
    return (time >= (pd.Timestamp(start) if isinstance(start, dt.date) else start)).to_numpy()


def _label(time: Any) -> str:
    return time.date().isoformat() if isinstance(time, pd.Timestamp) else f"t={time}"


def _with_answers(df: pd.DataFrame, answer: Detection) -> pd.DataFrame:
    for name in ANSWERS:
        df[name] = getattr(answer, name)
    df["alarm"] = df["alarm"].astype("Int8")
    return df


def _open_rows(df: pd.DataFrame, time: str, calendar: pd.DataFrame | None) -> NDArray[np.bool_]:
    if calendar is None:
        return np.ones(len(df), dtype=bool)
    if time == "t":
        raise UserError("a calendar needs dates, and the series has t", "leave --calendar out")
    days = pd.Series(calendar["is_open"].astype(bool).to_numpy(), index=pd.to_datetime(calendar["date"]))
    is_open = df["date"].map(days)
    if is_open.isna().any():
        day = df["date"][is_open.isna()].iloc[0]
        raise UserError(
            f"the calendar does not have {_label(day)}", "give a calendar of all days of the series"
        )
    return is_open.to_numpy(dtype=bool)


def _false_discovery(p_value: pd.Series, step: pd.Series, rate: float) -> NDArray[np.bool_]:
    """Benjamini and Hochberg 1995, among the units of each step."""
    rank = p_value.groupby(step).rank(method="first")
    tests = p_value.groupby(step).transform("count")
    passes = p_value <= rate * rank / tests
    limit = p_value.where(passes).groupby(step).transform("max")
    return (p_value <= limit).to_numpy()


def _ears(
    series: _Series, method: str, alpha: float | None, baseline: int | None, given: dict[str, Any]
) -> Detection:
    """A unit's open rows are its steps, whatever lies between them, as in R."""
    df, is_open = series.rows, series.is_open
    unit = pd.factorize(df["unit"][is_open])[0]
    answer = Detection.blank((len(df),))
    if not len(unit):
        return answer
    step = df[is_open].groupby("unit", sort=False).cumcount().to_numpy()
    counts = np.full((unit.max() + 1, step.max() + 1), np.nan)
    counts[unit, step] = df["count"][is_open].to_numpy(dtype=float)
    letter = cast(Literal["C1", "C2", "C3"], method.removeprefix("ears_").upper())
    options = given | ({} if baseline is None else {"baseline": baseline})
    found = ears(counts, letter, alpha=alpha, **options)
    for name in ANSWERS:
        getattr(answer, name)[is_open] = getattr(found, name)[unit, step]
    return answer


def _positions(df: pd.DataFrame, time: str, frequency: int, step_days: int) -> NDArray[np.int64]:
    """Each row's step on the grid that all units share: months, weeks, days, or t."""
    if time == "t":
        position = df["t"].to_numpy(dtype=np.int64)
        if (position < 1).any():
            raise UserError("t is below 1", "number the steps of a series 1 … n")
        return position - 1
    if frequency == 12:
        months = df["date"].dt.year * 12 + df["date"].dt.month
        if (df["date"].dt.day != df["date"].dt.day.iloc[0]).any():
            raise UserError("months begin on different days", "give the first of each month")
        return (months - months.min()).to_numpy(dtype=np.int64)
    days = (df["date"] - df["date"].min()).dt.days.to_numpy(dtype=np.int64)
    uneven = days % step_days != 0
    if uneven.any():
        day = _label(df["date"][uneven].iloc[0])
        raise UserError(
            f"{day} is not a whole number of weeks after the first date", "give the Monday of each week"
        )
    return days // step_days


def _farrington(series: _Series, p: FarringtonParameters, baseline: int | None) -> Detection:
    """Units with the same first and last step are fitted together; steps without a row are missing counts."""
    df, time, frequency, step_days = series.rows, series.time, series.frequency, series.step_days
    if time == "date" and frequency not in DATED_YEARS:
        raise UserError(
            f"Farrington knows no year of {frequency} steps where a series has dates",
            "number the steps in a column t instead, or choose another --method",
        )
    if time == "date" and frequency == 365 and step_days == 7:
        raise UserError("weekly dates with 365 steps a year", "give --frequency 52, or --freq daily")
    position = _positions(df, time, frequency, 7 if frequency == 52 else 1)
    answer = Detection.blank((len(df),))
    code, names = pd.factorize(df["unit"])
    first_of, last_of = np.full(len(names), np.iinfo(np.int64).max), np.zeros(len(names), dtype=np.int64)
    np.minimum.at(first_of, code, 0 if time == "t" else position)
    np.maximum.at(last_of, code, position)
    spans, span_of = np.unique(np.column_stack([first_of, last_of]), axis=0, return_inverse=True)
    begins = None if series.start is None else _from(df[time], series.start)
    for done, (first, last) in enumerate(spans):
        rows = np.flatnonzero(span_of[code] == done)
        unit = pd.factorize(code[rows])[0]
        step = position[rows] - first
        counts = np.full((unit.max() + 1, last - first + 1), np.nan)
        counts[unit, step] = np.where(
            series.is_open[rows], df["count"].iloc[rows].to_numpy(dtype=float), np.nan
        )
        dates = None
        if time == "date":
            origin = df["date"].iloc[rows].min()
            unit_of_time = pd.DateOffset(months=1) if frequency == 12 else pd.Timedelta(days=step_days)
            dates = [(origin + k * unit_of_time).date() for k in range(counts.shape[1])]
        begin = None
        if begins is not None:
            begin = int(step[begins[rows]].min()) if begins[rows].any() else counts.shape[1]
        found = farrington(counts, frequency=frequency, dates=dates, parameters=p, start=begin)
        for name in ANSWERS:
            getattr(answer, name)[rows] = getattr(found, name)[unit, step]
        if series.progress:
            series.progress(done + 1, len(spans))
    if baseline is not None:
        _blank(answer, (df.groupby("unit").cumcount() < baseline).to_numpy())
    return answer


def _school(series: _Series, alpha: float | None, baseline: int | None) -> Detection:
    """All units on one axis: they share what a weekday, a season or an epidemic does."""
    df, time, frequency, start = series.rows, series.time, series.frequency, series.start
    steps, step = np.unique(df[time].to_numpy(), return_inverse=True)
    unit = pd.factorize(df["unit"])[0]
    counts = np.full((unit.max() + 1, len(steps)), np.nan)
    counts[unit, step] = np.where(series.is_open, df["count"].to_numpy(dtype=float), np.nan)
    if time == "date":
        days = (steps - steps[0]) / np.timedelta64(1, "D")
        weekday = np.array(pd.DatetimeIndex(steps).weekday)
        years = days / 365.25
    else:
        days = steps.astype(float) - steps[0]
        # Without dates only days of a whole year have a week; school days drift off theirs with each holiday.
        weekday = steps.astype(np.int64) % 7 if frequency == 365 else np.zeros(len(steps), dtype=np.int64)
        years = days / frequency
    daily = frequency >= _DAYS_OF_YEAR
    if series.guess_closed and daily:
        counts[:, _closed(counts, weekday)] = np.nan
    opened = ~np.isnan(counts).all(axis=0)
    reopening = np.zeros(len(steps), dtype=bool)
    at = np.flatnonzero(opened)
    after = np.flatnonzero(np.diff(days[at]) > _HOLIDAY_DAYS) + 1
    reopening[at[np.minimum(np.concatenate([after, after + 1]), len(at) - 1)]] = True
    axis = Axis(years, weekday if daily else None, reopening)
    first = 0 if start is None else int(np.append(_from(pd.Series(steps), start), True).argmax())
    found = school(
        counts,
        axis,
        alpha=0.01 if alpha is None else alpha,
        baseline=baseline,
        start=first,
        progress=series.progress,
    )
    answer = Detection.blank((len(df),))
    for name in ANSWERS:
        getattr(answer, name)[:] = getattr(found, name)[unit, step]
    return answer


def _closed(counts: Array, weekday: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Steps that look closed in a series without a calendar: no unit has a case on a day (or ever on that
    weekday), although all together usually have many."""
    total = np.nansum(counts, axis=0)
    usual = float(total.mean())
    if usual >= _SURELY_CLOSED:
        return total == 0
    by_weekday = np.bincount(weekday, weights=total, minlength=7)
    often = np.bincount(weekday, minlength=7) * usual >= _SURELY_CLOSED
    return (often & (by_weekday == 0))[weekday]
