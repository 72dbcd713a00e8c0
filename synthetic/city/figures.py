"""Published figures that the city must meet: pupils by year and grade, births, district shares.

Published cells stand as published. Cells between them are made: entrants from births, then grade by grade
with the survival seen in the published cells, scaled so that a stage's published total of that year is met.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from jobs.settings import ROOT
from synthetic.city.ladder import ENTRY_OF, GRADES, GRADES_OF, J1, P1, P6, S1, STAGES
from synthetic.city.numbers import Stream, stream

DATA = ROOT / "infra" / "data" / "beijing"

FIRST_YEAR = 2015  # first school year of the returns
LAST_YEAR = 2025
YEARS = tuple(range(FIRST_YEAR, LAST_YEAR + 1))
# What comes after is the generator's own truth, kept aside: no sender knows it, forecasts are graded by it.
FUTURE_YEARS = tuple(range(LAST_YEAR + 1, LAST_YEAR + 7))
_CHAIN_FROM = 2009  # six years earlier, so that every cohort of 2015 has been seen at its entry

# Entrants per birth where no count of entrants is published. 2024: chosen so that primary, junior and senior
# pupils meet the published 1,762,928 with "entrants fewer than in 2023 by over 40,000".
_ENTRANTS_PER_BIRTH = {2024: 0.955, 2025: 0.97}
_ENTRANTS_PER_BIRTH_DEFAULT = 1.01
# Published cells: 133,095 in P6 2021 -> 121,000 in J1 2022; 108,281 in J3 2021 -> 75,141 in S1 2022.
_JUNIOR_PER_GRADUATE = 0.909
_SENIOR_PER_GRADUATE = {2023: 0.70, 2024: 0.71, 2025: 0.73}
_SENIOR_PER_GRADUATE_DEFAULT = 0.60
# From the grade before, a year earlier: P1-P2 and P5-P6, J1-J2, J2-J3, S1-S2 are read off published cells.
_SURVIVAL = {P1 + 1: 1.0006, P1 + 2: 0.998, P1 + 3: 0.993, P1 + 4: 0.990, P6: 0.966}
_SURVIVAL |= {J1 + 1: 0.988, J1 + 2: 0.885, S1 + 1: 1.0, S1 + 2: 0.945}
# Children of an age who attend, beside those of the middle year; and its growth after the last published
# year.
_KINDERGARTEN_AGE = (0.93, 1.0, 1.03)
_KINDERGARTEN_LAST_PUBLISHED = 2019
_KINDERGARTEN_SHARE_2025 = 0.93
# Births of 2024 are the last known: assumptions, needed for the kindergartens of 2028 and later.
_BIRTHS_ASSUMED = {2025: 128_000, 2026: 124_000, 2027: 121_000, 2028: 119_000}
# How far the future strays from the last ratios, standard deviation a year: entrants per birth as a random
# walk, grade progression on its own each year.
_FUTURE_ENTRY_SPREAD, _FUTURE_SURVIVAL_SPREAD = 0.012, 0.004


@dataclass(frozen=True)
class District:
    """One district and its part in the city, in shares that add up to 1 over the sixteen."""

    code: str
    name_zh: str
    residents: int
    shares: dict[str, float]
    yearly_drift: float
    non_local_weight: float


def data_rows(name: str) -> Iterator[dict[str, str]]:
    """Rows of a file of published figures or assumptions, as text."""
    with (DATA / name).open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


@cache
def districts() -> tuple[District, ...]:
    """The districts of the city with their shares."""
    return tuple(
        District(
            code=row["district_code"],
            name_zh=row["name_zh"],
            residents=int(row["residents_2020"]),
            shares={s: float(row[f"{s}_share_pct"]) / 100 for s in ("births", *STAGES)},
            yearly_drift=float(row["yearly_drift"]),
            non_local_weight=float(row["non_local_weight"]),
        )
        for row in data_rows("district_model.csv")
    )


@cache
def births() -> dict[int, int]:
    """Births by calendar year, residents."""
    return {int(row["year"]): int(row["resident_births_derived"]) for row in data_rows("births.csv")}


def births_of_cohort(first_year: int, is_published: bool = False) -> float:
    """Births from 1 September of `first_year` to 31 August: a third of one calendar year, two of the next.

    Published: what nobody knows yet is not read; a year to come has as many as the last one known."""
    known = births() | _BIRTHS_ASSUMED
    if is_published:
        known |= dict.fromkeys(_BIRTHS_ASSUMED, births()[max(births())])
    return known[first_year] / 3 + known[first_year + 1] * 2 / 3


@cache
def published_totals() -> dict[tuple[str, int], int]:
    """(stage, school year) -> pupils; the stage `all_basic` is primary, junior and senior together."""
    rows = data_rows("enrollment_by_stage_year.csv")
    return {(r["stage"], int(r["school_year_start"])): int(r["enrollment"]) for r in rows if r["enrollment"]}


@cache
def published_cells() -> dict[tuple[int, int], int]:
    """(school year, grade position) -> pupils, where published; entrants count as the first grade."""
    cells = {}
    for row in data_rows("enrollment_by_stage_year.csv"):
        if row["stage"] in STAGES[1:] and row["entrants"]:
            cells[int(row["school_year_start"]), GRADES_OF[row["stage"]][0]] = int(row["entrants"])
    for row in data_rows("grade_enrollment.csv"):
        grade = GRADES_OF[row["stage"]][int(row["grade"]) - 1]
        cells[int(row["school_year_start"]), grade] = int(row["pupils"])
    return cells


@cache
def city_pupils() -> NDArray[np.float64]:
    """Pupils of the whole city, [year of YEARS, grade]."""
    known = published_cells()
    table = {year: np.zeros(GRADES) for year in range(_CHAIN_FROM, LAST_YEAR + 1)}
    for year, row in table.items():
        before = table.get(year - 1)
        for grade in range(P1, GRADES):
            row[grade] = known.get((year, grade)) or _estimate(year, grade, before)
        for stage in STAGES[1:]:
            _meet(row, year, GRADES_OF[stage], published_totals().get((stage, year)))
        _meet(row, year, tuple(range(P1, GRADES)), published_totals().get(("all_basic", year)))
        row[:P1] = _kindergarten(year)
    return np.array([table[year] for year in YEARS])


@cache
def future_pupils(seed: int, is_expected: bool = False) -> NDArray[np.float64]:
    """Pupils of the whole city after the last year, [year of FUTURE_YEARS, grade].

    The last ratios continue with noise: a forecast that knew births and ratios would still err. Expected:
    without the noise, and from the births that are published; years after the last have as many as it.
    """
    rng = stream(seed, Stream.FUTURE)
    entry = np.exp(np.cumsum(rng.normal(0, _FUTURE_ENTRY_SPREAD, len(FUTURE_YEARS))))
    onward = np.exp(rng.normal(0, _FUTURE_SURVIVAL_SPREAD, (len(FUTURE_YEARS), GRADES)))
    if is_expected:
        entry, onward = np.ones_like(entry), np.ones_like(onward)
    rows = []
    before = city_pupils()[-1]
    for at, year in enumerate(FUTURE_YEARS):
        row = np.array(
            [0.0] * P1 + [_estimate(year, grade, before, is_expected) for grade in range(P1, GRADES)]
        )
        row *= onward[at]
        row[P1] *= entry[at]
        row[:P1] = _kindergarten(year, is_expected) * onward[at, :P1] * entry[at]
        rows.append(row)
        before = row
    return np.array(rows)


def _estimate(year: int, grade: int, before: NDArray[np.float64] | None, is_published: bool = False) -> float:
    if grade == P1:
        ratio = _ENTRANTS_PER_BIRTH.get(year, _ENTRANTS_PER_BIRTH_DEFAULT)
        if year > LAST_YEAR:
            ratio = _ENTRANTS_PER_BIRTH[LAST_YEAR]
        return births_of_cohort(year - 7, is_published) * ratio
    if before is None:
        return float(published_cells().get((year, ENTRY_OF[grade]), 0))
    if grade == J1:
        return float(before[P6]) * _JUNIOR_PER_GRADUATE
    if grade == S1:
        ratio = _SENIOR_PER_GRADUATE.get(min(year, LAST_YEAR), _SENIOR_PER_GRADUATE_DEFAULT)
        return float(before[J1 + 2]) * ratio
    return float(before[grade - 1]) * _SURVIVAL[grade]


def _meet(row: NDArray[np.float64], year: int, grades: tuple[int, ...], total: int | None) -> None:
    """Scale the unpublished cells so that these grades add up to the published total."""
    made = [g for g in grades if (year, g) not in published_cells()]
    if total is None or not made:
        return
    fixed = sum(row[g] for g in grades if g not in made)
    row[made] *= (total - fixed) / row[made].sum()


def _kindergarten(year: int, is_published: bool = False) -> NDArray[np.float64]:
    def children(of_year: int) -> NDArray[np.float64]:
        born = [births_of_cohort(of_year - 4 - age, is_published) for age in range(3)]
        return np.array(born) * np.array(_KINDERGARTEN_AGE)

    published = published_totals()
    if ("kindergarten", year) in published:
        return children(year) * published["kindergarten", year] / children(year).sum()
    last = _KINDERGARTEN_LAST_PUBLISHED
    start = published["kindergarten", last] / children(last).sum()
    steps = min(1.0, (year - last) / (LAST_YEAR - last))
    return children(year) * (start + (_KINDERGARTEN_SHARE_2025 - start) * steps)
