"""What a writer is given: the city, and the part of it that is to be written now.

A part is one district in one school year, or the whole city in one year, or once. Parts know nothing of each
other and may be written in any order and in any process: what two of them must agree on comes from the city,
from the rolls, or from a stream of random numbers with the same keys.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

import numpy as np

from synthetic.city.faults import Faults
from synthetic.city.life import Population, Roll
from synthetic.city.people import People
from synthetic.city.schools import Schools
from synthetic.city.truth import Truth
from synthetic.city.writers import Landing

T = TypeVar("T")


@dataclass(frozen=True)
class City:
    """What holds for all parts. `years`: first and last school year with pupils by name."""

    schools: Schools
    scale: float
    seed: int
    years: tuple[int, int]
    rates: Mapping[str, float]

    @property
    def newest(self) -> date:
        """The day of the newest delivery."""
        return date(self.years[1], 11, 20)


@dataclass
class Part:
    """One district (by its number) in one year; `district` is None where the whole city writes.

    `population` holds the rolls of the autumn before, of both terms of `year` and of the next autumn, as far
    as the city goes.
    """

    city: City
    year: int
    district: int | None
    population: Population
    landing: Landing
    shared: dict[Hashable, Any]
    truth: Truth = field(default_factory=Truth)
    faults: Faults = field(default_factory=lambda: Faults({}))
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def schools(self) -> Schools:
        return self.city.schools

    @property
    def people(self) -> People:
        return self.population.people

    @property
    def seed(self) -> int:
        return self.city.seed

    @property
    def scale(self) -> float:
        return self.city.scale

    @property
    def newest(self) -> date:
        return self.city.newest

    @property
    def number(self) -> int:
        """The district's number. Raises ValueError in a part of the whole city."""
        if self.district is None:
            raise ValueError("this part is the whole city")
        return self.district

    @property
    def is_first(self) -> bool:
        return self.year == self.city.years[0]

    @property
    def is_last(self) -> bool:
        return self.year == self.city.years[1]

    def roll(self, term: int = 1, year: int | None = None, district: int | None = None) -> Roll | None:
        """The roll of a district (else this part's) in one term, by school, grade, class and pupil.

        None where the city does not go so far."""
        return self._of(self.population.rolls, term, year, district)

    def nursery(self, term: int = 1, year: int | None = None, district: int | None = None) -> Roll | None:
        """The same of the children in kindergartens, who stand on no roll that is sent."""
        return self._of(self.population.nurseries, term, year, district)

    def _of(
        self, rolls: Mapping[tuple[int, int], Roll], term: int, year: int | None, district: int | None
    ) -> Roll | None:
        whole = rolls.get((self.year if year is None else year, term))
        return (
            None
            if whole is None
            else of_district(whole, self.schools, self.number if district is None else district)
        )

    def count(self, name: str, number: int) -> None:
        """Add to a figure of the summary."""
        self.counts[name] = self.counts.get(name, 0) + number

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once a year in each process; the same whoever makes it."""
        if key not in self.shared:
            self.shared[key] = make()
        found: T = self.shared[key]
        return found


def of_district(roll: Roll, schools: Schools, number: int) -> Roll:
    """The rows of one district; the schools of a district stand together, and so do their pupils."""
    first, last = np.searchsorted(schools.district, [number, number + 1])
    begin, end = np.searchsorted(roll.school, [first, last])
    return roll.take(np.arange(begin, end))
