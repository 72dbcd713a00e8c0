"""What is known of each unit: the model's forecast, and registrations of this and earlier springs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from jobs.decide.places.forecast import TOTAL
from jobs.decide.places.gap import UNIT_80
from jobs.decide.places.moving import LEVEL_COLUMN
from jobs.decide.places.rows import rows_of

# Assumed until springs are on record, and worth one spring then: a spring runs so many days early or late.
SHIFT_DAYS = 2
# Years of the usual change of shares that stand beside a unit's own; the change assumed where none is known,
# and the largest one that counts (a school that opened), as squared logs.
APART_PRIOR, UNKNOWN_APART, MOST_APART = 3.0, 0.15**2, 0.7**2
COMBINED, NO_SPRING = "combined", "no_earlier_spring"
NOT_YET, NOT_HERE = "none_usually_registered_yet", "none_registered_here"


@dataclass
class Node:
    """One unit of a level: what the model says, and what registrations make of it."""

    model: float
    variance: float  # of the model's error, in logs
    apart: float = UNKNOWN_APART  # its part that is the unit's own, beside the unit above
    registered: int = 0
    springs: int = 0
    share: float = math.nan
    implied_variance: float = math.nan
    weight: float = 0.0
    factor: float = 1.0
    learned: float = 0.0  # of the variance
    remark: str = NOT_HERE


@dataclass
class Springs:
    """Children registered by the day and entrants, by unit of one level and spring."""

    now: Mapping[str, int]
    then: Mapping[int, Mapping[str, int]]
    entrants: Mapping[int, Mapping[str, float]]
    years: Sequence[int]
    # The city's alone: of all children of earlier springs, the share registered a little earlier and later.
    around: tuple[float, float] = (0.0, 0.0)
    coverage: float = 1.0


def nodes_of(first: pd.DataFrame, level: str) -> dict[str, Node]:
    """Forecast and variance of the error of each unit; the 80 % interval is taken as normal in logs."""
    rows = first[first["level"] == level]
    width = np.log((rows["upper_80"] + 1.0) / (rows["lower_80"] + 1.0)) / (2 * UNIT_80)
    values = zip(rows["unit"], rows["forecast"].astype(float), width, strict=True)
    return {str(unit): Node(value, max(float(sd), 1e-4) ** 2) for unit, value, sd in values}


def unit_above(units: pd.DataFrame, level: str) -> dict[str, str]:
    """The unit above each unit of a level: the city, the district, the area (else the district)."""
    if level == "parent":
        return dict.fromkeys(units["district"], TOTAL)
    if level == "area":
        return dict(zip(units["area"], units["district"], strict=True))
    over = units["area"].where(units["area"] != "", units["district"])
    return dict(zip(units["school"], over, strict=True))


def set_apart(
    nodes: Mapping[str, Mapping[str, Node]],
    entrants: pd.DataFrame,
    units: pd.DataFrame,
    above: Mapping[str, Mapping[str, str]],
) -> None:
    """Give each node the entrants that its own past springs say; changes the nodes."""
    counted = {level: _entrants(entrants, units, LEVEL_COLUMN[level]) for level in nodes}
    over = {
        "parent": counted[TOTAL],
        "area": counted["parent"],
        "unit": {year: counted["parent"][year] | counted["area"].get(year, {}) for year in counted["unit"]},
    }
    for level, whole in over.items():
        for unit, variance in apart_of(counted[level], whole, above[level]).items():
            if unit in nodes[level]:
                nodes[level][unit].apart = variance


def springs_of(
    registered: pd.DataFrame,
    entrants: pd.DataFrame,
    units: pd.DataFrame,
    column: str,
    autumn: int,
    through: date,
) -> Springs:
    """Counts of one level (a column of both `registered` and `units`)."""
    counted = _entrants(entrants, units, column)
    years = [int(y) for y in sorted(registered["year"].unique()) if y < autumn and y in counted]

    def by(year: int, shift: int = 0) -> dict[str, int]:
        day = _same_day(through, int(year) - autumn) + timedelta(days=shift)
        mine = (registered["year"] == year) & (registered["registered_date"] <= day)
        return {str(k): int(v) for k, v in registered.loc[mine, column].value_counts().items()}

    found = Springs(by(autumn), {y: by(y) for y in years}, counted, years)
    if column == "city" and years:
        whole = max(sum(sum(by(y, 366).values()) for y in years), 1)
        around = [sum(sum(by(y, n).values()) for y in years) / whole for n in (-SHIFT_DAYS, SHIFT_DAYS)]
        found.around = around[0], around[1]
        found.coverage = whole / max(sum(sum(counted[y].values()) for y in years), 1.0)
    return found


def _entrants(entrants: pd.DataFrame, units: pd.DataFrame, column: str) -> dict[int, dict[str, float]]:
    stood = entrants.merge(units.assign(city=TOTAL), left_on="unit", right_on="school", how="inner")
    counted: dict[int, dict[str, float]] = {}
    for year, unit, count in rows_of(stood.groupby(["year", column])["enrollment"].sum().reset_index()):
        counted.setdefault(int(year), {})[str(unit)] = float(count)
    return counted


def apart_of(
    own: Mapping[int, Mapping[str, float]], above: Mapping[int, Mapping[str, float]], of: Mapping[str, str]
) -> dict[str, float]:
    """Variance of log(unit entrants / parent entrants) from year to year, shrunk to what is usual.

    `of`: the parent of each unit.
    """
    squares: dict[str, list[float]] = {}
    for year in own:
        for unit, count in own[year].items():
            whole, before = above[year].get(of.get(unit, "")), own.get(year - 1, {}).get(unit)
            if whole and before and count:
                change = math.log(count / whole) - math.log(before / above[year - 1][of[unit]])
                squares.setdefault(unit, []).append(min(change * change, MOST_APART))
    usual = float(np.mean([s for mine in squares.values() for s in mine])) if squares else UNKNOWN_APART
    mean = {u: (sum(mine) + APART_PRIOR * usual) / (len(mine) + APART_PRIOR) for u, mine in squares.items()}
    return {u: mean.get(u, usual) for year in own.values() for u in year}


def _same_day(day: date, years: int) -> date:
    last = day.month == 2 and day.day == 29
    return (day - timedelta(days=1) if last else day).replace(year=day.year + years)
