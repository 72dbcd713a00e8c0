"""What became of schools before pupils are known by name: one was parted in two, one changed its district.

Only returns go back that far. The parted school and the moved one stand there as they were then; from the
change on all that is sent comes from who is there now, so no other figure of the city knows of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthetic.city.figures import FIRST_YEAR, districts
from synthetic.city.ladder import GRADES_OF
from synthetic.city.numbers import Stream, stream
from synthetic.city.words import place_words

if TYPE_CHECKING:
    from synthetic.city.schools import Schools

PAST_YEAR = 2017  # both changed on 1 September of it
# Districts by number that have a border in common: one gave a school to the other.
_BORDERS = ((1, 0), (3, 2), (4, 3), (5, 4), (6, 5), (7, 6), (9, 8), (10, 9), (14, 13))
# Code and name of a parted school by the kinds that came of it: of a primary and a junior school it was one
# of nine years.
_PARTED = {("primary", "primary"): ("21", "小学"), ("primary", "junior"): ("31", "学校")}


@dataclass(frozen=True)
class Parted:
    """A school that ended in PAST_YEAR, and the two that came of it, the one with most pupils first."""

    code: str
    name: str
    district: int
    into: tuple[int, int]


@dataclass(frozen=True)
class Moved:
    """A school, and the district whose it was before PAST_YEAR."""

    school: int
    district_before: int


def past_of(schools: Schools, seed: int) -> tuple[Parted | None, Moved | None]:
    """Which schools changed, by a stream of its own; None where a city has none that could have."""
    rng = stream(seed, Stream.PAST)
    moved = None
    for before, now in rng.permutation(_BORDERS).tolist():
        movable = [s for s in _standing(schools, now) if schools.kinds[s] == "primary"]
        if movable:
            moved = Moved(int(rng.choice(movable)), before)
            break
    taken = {moved.district_before, int(schools.district[moved.school])} if moved else set()
    pairs = [
        (number, pair)
        for number in range(len(districts()))
        if number not in taken
        for pair in combinations(_standing(schools, number), 2)
        if _kinds(schools, pair) in _PARTED
    ]
    # Two primary schools rather than a primary and a junior one, which a small city has alone.
    kinds = next((k for k in _PARTED if any(k == _kinds(schools, pair) for _, pair in pairs)), None)
    pairs = [(number, pair) for number, pair in pairs if _kinds(schools, pair) == kinds]
    if kinds is None:
        return None, moved
    number, (a, b) = pairs[int(rng.integers(len(pairs)))]
    size = schools.pupils[[a, b], PAST_YEAR - FIRST_YEAR].sum(axis=1)
    prefix, ending = _PARTED[kinds]
    district = districts()[number]
    name = f"北京市{district.name_zh}{place_words(rng, 1)[0]}{ending}"
    into = (a, b) if size[0] >= size[1] else (b, a)
    return Parted(f"{prefix}119{district.code[4:]}999", name, number, into), moved


def _kinds(schools: Schools, pair: tuple[int, int]) -> tuple[str, str]:
    return schools.kinds[pair[0]], schools.kinds[pair[1]]


def _standing(schools: Schools, number: int) -> list[int]:
    """Public schools of a district that had all grades in the first year, still stand and kept their name."""
    full = FIRST_YEAR - max(len(grades) for grades in GRADES_OF.values())
    return [
        s
        for s in schools.of_district(number).tolist()
        if schools.opened[s].year <= full and schools.closed[s] is None
        if s not in schools.renamed and not schools.is_private[s]
    ]


def returned(schools: Schools, number: int, year: int) -> list[tuple[str, list[int]]]:
    """Code of each school that a district counted in a year -> the schools of today whose pupils it had."""
    units = [(schools.codes[s], [s]) for s in schools.of_district(number).tolist()]
    if year >= PAST_YEAR:
        return units
    parted, moved = schools.parted, schools.moved
    gone = {moved.school} if moved else set()
    if parted and number == parted.district:
        gone |= {*parted.into}
        units.append((parted.code, list(parted.into)))
    units = [(code, own) for code, own in units if len(own) > 1 or own[0] not in gone]
    if moved and number == moved.district_before:
        units.append((schools.codes[moved.school], [moved.school]))
    return units


def count(schools: Schools, own: list[int], year: int) -> list[int]:
    """Pupils by grade of some schools of today in a year."""
    return np.asarray(schools.pupils[own, year - FIRST_YEAR].sum(axis=0)).tolist()


def district_in(schools: Schools, year: int) -> NDArray[np.int64]:
    """The district of each school in a year."""
    found = schools.district.copy()
    if year < PAST_YEAR and schools.moved:
        found[schools.moved.school] = schools.moved.district_before
    return found


def counted_in(schools: Schools, year: int) -> NDArray[np.bool_]:
    """Which schools stood in a year; of two that were one, the one whose kind it had."""
    stood = np.array([schools.is_open(school, year) for school in range(len(schools))])
    if year < PAST_YEAR and schools.parted:
        stood[next(s for s in schools.parted.into if schools.kinds[s] == "primary")] = False
    return stood
