"""What of schools differed before pupils are known by name: one was parted in two, one changed its district.

Only returns go back that far. The parted school and the moved one stand there as they were then; from the
change on all that is sent comes from who is there now, so no other figure of the city knows of it. Which
schools they are is told by `schools`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthetic.city.figures import FIRST_YEAR
from synthetic.city.schools import PAST_YEAR, Schools


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
