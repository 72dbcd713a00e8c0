"""Fitness tests of a district and year as measured: first sittings, retests, excused pupils."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.decide.fitness import score as core
from jobs.decide.fitness.exact_numbers import decimals
from jobs.decide.fitness.standard import load_measures
from synthetic.city.eyesight import Eyes, examine
from synthetic.city.fitness import Bodies, Floats, measure
from synthetic.city.ladder import grades
from synthetic.city.life import Roll
from synthetic.city.numbers import Stream, stream
from synthetic.city.people import People
from synthetic.city.schools import Schools

SCHOOL_SPREAD = 1.8  # points, standard deviation of schools around their stage
_CLASS_SPREAD = 1.2
# Assumptions; no rates are published (reference: distributions.md, 5).
MISSING_ITEM_SHARE = 0.02
ABSENT_SHARE = 0.008
EXEMPT_SHARE, DEFERRED_SHARE = 0.006, 0.003
RETEST_SHARE = 0.7  # of those who failed
_ROUNDED_SHARE = 0.05  # of the values that are read off a scale or a watch by hand
_ROUND: dict[str, float] = {"height": 0.5, "weight": 0.5, "vital_capacity": 50, "sit_and_reach": 1}
_ROUND |= {"standing_long_jump": 5, "rope_skip_1min": 5, "shuttle_run_50x8": 5, "run_1000m": 5, "run_800m": 5}
_RETEST_LIFT = 5.0  # points gained by a few weeks of training

EXCUSES = (None, "免测", "缓测")


@dataclass
class Sittings:
    """One row a pupil and sitting: who and where, each measure (NaN: none), and why there is none."""

    roll: Roll
    measures: dict[str, Floats]
    excuse: NDArray[np.int64]  # position in EXCUSES
    is_retest: NDArray[np.bool_]
    eyes: Eyes

    def __len__(self) -> int:
        return len(self.roll)

    def take(self, rows: NDArray[np.int64]) -> Sittings:
        eyes = self.eyes
        return Sittings(
            self.roll.take(rows),
            {code: values[rows] for code, values in self.measures.items()},
            self.excuse[rows],
            self.is_retest[rows],
            Eyes(
                eyes.vision[rows], eyes.sphere[rows], eyes.cylinder[rows], eyes.axis[rows], eyes.eyewear[rows]
            ),
        )

    def with_more(self, roll: Roll, measures: dict[str, Floats], is_retest: bool) -> Sittings:
        """These rows and others behind them, without eyesight; in the order in which a school lists them."""
        count = len(roll)
        empty = np.full((count, 2), np.nan)
        eyes = self.eyes
        whole = Sittings(
            Roll(
                self.roll.year,
                self.roll.term,
                np.r_[self.roll.person, roll.person],
                np.r_[self.roll.school, roll.school],
                np.r_[self.roll.grade, roll.grade],
                np.r_[self.roll.klass, roll.klass],
                np.r_[self.roll.entered, roll.entered],
                np.r_[self.roll.suspended, roll.suspended],
            ),
            {code: np.r_[values, measures[code]] for code, values in self.measures.items()},
            np.r_[self.excuse, np.zeros(count, np.int64)],
            np.r_[self.is_retest, np.full(count, is_retest)],
            Eyes(
                np.r_[eyes.vision, empty],
                np.r_[eyes.sphere, empty],
                np.r_[eyes.cylinder, empty],
                np.r_[eyes.axis, empty],
                np.r_[eyes.eyewear, np.zeros(count, np.int64)],
            ),
        )
        own = whole.roll
        order = np.lexsort((np.arange(len(whole)), own.klass, own.grade, whole.is_retest, own.school))
        return whole.take(order)


def bodies_of(people: People, roll: Roll, lift: Floats, day: np.datetime64 | None = None) -> Bodies:
    """The pupils of a roll as they stand on the day of the test (without one: 25 October)."""
    tested = np.datetime64(day or f"{roll.year}-10-25").astype("datetime64[D]").astype(np.int64)
    persons = roll.person
    return Bodies(
        sex=np.where(people.is_male[persons], 1, 2),
        grade=roll.grade.astype(np.int64),
        age=(tested - people.birth[persons]) / 365.25,
        fitness=people.fitness[persons].astype(float),
        stature=people.stature[persons].astype(float),
        build=people.build[persons].astype(float),
        lift=lift,
    )


def lift_of(roll: Roll, schools: Schools, seed: int, number: int, rng: np.random.Generator) -> Floats:
    """Points that school, for good, and class, this year, add to each pupil."""
    here = schools.of_district(number)
    of_school = SCHOOL_SPREAD * stream(seed, Stream.FITNESS, number).standard_normal(len(here))
    of_class = _CLASS_SPREAD * rng.standard_normal((len(here), 15, 64))
    at = roll.school - here[0]
    return np.asarray(of_school[at] + of_class[at, roll.grade, roll.klass % 64])


def first_sittings(people: People, roll: Roll, schools: Schools, seed: int, number: int) -> Sittings:
    """The true measures. Absent pupils, missed items and excused pupils are blank."""
    rng = stream(seed, Stream.FITNESS, number, roll.year)
    measures = measure(bodies_of(people, roll, lift_of(roll, schools, seed, number, rng)), roll.year, rng)
    absent = rng.random(len(roll)) < ABSENT_SHARE
    sitting = stream(seed, Stream.SITTING, number, roll.year)
    draw = sitting.random(len(roll))
    excuse = np.select([draw < EXEMPT_SHARE, draw < EXEMPT_SHARE + DEFERRED_SHARE], [1, 2], 0)
    for values in measures.values():
        values[absent | (excuse > 0) | (rng.random(len(roll)) < MISSING_ITEM_SHARE)] = np.nan
    _read_by_hand(roll, measures, sitting)
    eyes = examine(people, roll, seed, number)
    return Sittings(roll, measures, excuse.astype(np.int64), np.zeros(len(roll), bool), eyes)


def _read_by_hand(roll: Roll, measures: dict[str, Floats], rng: np.random.Generator) -> None:
    """Some honest testers read off round numbers more often than others: a habit of each class and item."""
    _, klass = np.unique(
        (roll.school.astype(np.int64) * 15 + roll.grade) * 1000 + roll.klass, return_inverse=True
    )
    for code, step in _ROUND.items():
        habit = rng.beta(0.8, 0.8 / _ROUNDED_SHARE, klass.max(initial=0) + 1)[klass]
        values = measures[code]
        rounded = rng.random(len(roll)) < habit
        values[rounded] = np.round(values[rounded] / step) * step


def with_retests(people: People, first: Sittings, schools: Schools, seed: int, number: int) -> Sittings:
    """The first sittings, and a second of most who failed the first."""
    rng = stream(seed, Stream.SITTING, number, first.roll.year, 1)
    failed = totals(people, first.roll, first.measures) < 60
    rows = np.flatnonzero(failed & (rng.random(len(first)) < RETEST_SHARE))
    roll = first.roll.take(rows)
    lift = lift_of(roll, schools, seed, number, stream(seed, Stream.FITNESS, number, roll.year))
    measures = measure(bodies_of(people, roll, lift + _RETEST_LIFT), roll.year, rng)
    # Height and weight are not taken again.
    measures |= {code: first.measures[code][rows] for code in ("height", "weight")}
    return first.with_more(roll, measures, is_retest=True)


def totals(people: People, roll: Roll, measures: dict[str, Floats]) -> Floats:
    """Total score of each row by the scoring core; NaN where there is none."""
    codes = np.array([int(g.fitness_code or 0) for g in grades()], np.int32)
    columns: dict[str, pa.Array] = {
        "grade_code": pa.array(codes[roll.grade]),
        "sex_code": pa.array(np.where(people.is_male[roll.person], 1, 2)),
    }
    for code, how in load_measures().items():
        if code in measures:
            values = measures[code]
            there = ~np.isnan(values)
            units = np.round(np.where(there, values, 0) * 10**how.decimals).astype(np.int64)
            columns[how.column] = decimals(units, there, 10, how.decimals)
    scored = core.score(pa.table(columns)).column("total_score").cast(pa.float64())
    return np.asarray(scored.to_numpy(zero_copy_only=False), float)
