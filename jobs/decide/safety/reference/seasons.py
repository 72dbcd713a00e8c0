"""Which earlier steps a Farrington model may use for a step, and to which season of the year each belongs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from jobs.decide.safety.answers import Array, Labels
from jobs.decide.safety.reference.parameters import FarringtonParameters
from jobs.settings import UserError


@dataclass
class Steps:
    """The steps of a series: day numbers if dated, else 1…n, and how many steps make a year."""

    time: Array
    dates: list[dt.date] | None
    frequency: int


def _same_day_years_back(day: dt.date, years: int) -> dt.date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return dt.date(day.year - years, 3, 1)


def _reference_steps(axis: Steps, now: int, years: int) -> list[int] | None:
    """Positions of `now` and of the same time one, two … years back; None where the series does not reach."""
    if axis.dates is None:
        steps = [now - year * axis.frequency for year in range(years + 1)]
        return steps if steps[-1] >= 0 else None
    today = axis.dates[now]
    steps = []
    for year in range(years + 1):
        day = _same_day_years_back(today, year)
        if axis.frequency == 52:
            # The nearest same weekday, where R counts weekdays from Sunday.
            near = day - dt.timedelta(days=day.isoweekday() % 7 - today.isoweekday() % 7)
            other = near + dt.timedelta(days=-7 if near > day else 7)
            day = other if abs((near - day).days) > abs((other - day).days) else near
        position = int(np.searchsorted(axis.time, day.toordinal()))
        if position == len(axis.time) or axis.time[position] != day.toordinal():
            return None
        steps.append(position)
    return steps


def season_blocks(axis: Steps, now: int, p: FarringtonParameters) -> Labels | None:
    """Season of each step before `now` that the model may use: `no_periods` around each reference step, 1 …
    in between, 0 for steps left out. None where the baseline is not full."""
    steps = _reference_steps(axis, now, p.b)
    if steps is None or steps[-1] - p.w < -1:
        return None
    label = np.zeros(len(axis.time) + 1, dtype=np.int64)  # one-based, as R does: position 0 falls away
    one_based = [step + 1 for step in steps]
    label[now + 1 - p.w : now + 2] = p.no_periods
    for newer, here in pairwise(one_based):
        label[here - p.w : here + p.w + 1] = p.no_periods
        if p.no_periods == 1:
            continue
        between = newer - here - 2 * p.w - 1
        if between < p.no_periods - (2 * p.w + 1):
            raise UserError(
                f"{p.no_periods} seasonal periods do not fit between two years of {axis.frequency} steps",
                "give a smaller --no-periods or --w",
            )
        length, rest = divmod(between, p.no_periods - 1)
        start = here + p.w + 1
        for period in range(1, p.no_periods):
            end = start + length + (period <= rest) - 1
            # Monthly series have more periods than steps between: R then counts down over two steps.
            label[min(start, end) : max(start, end) + 1] = period
            start = end + 1
    label[max(now + 1 - p.past_weeks_not_included, 1) :] = 0
    return label[1:]
