"""Homes handed over and to come, and the pupils who move in with them: the truth that the forecast of an area
is graded on.

The city's pupils stay as they are published, and those of districts in the year of which shares are known. An
estate draws them from other districts, and in its own to the schools of its area.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from synthetic.city.figures import districts
from synthetic.city.numbers import Stream, allocate, stream
from synthetic.city.words import place_words

# Homes handed over a year in the whole city: an assumption near what the yearly bulletins tell.
_HOMES_A_YEAR, _HOMES_A_PROJECT = 95_000, 900
HOUSING_YEARS = range(2018, 2029)
# Kinds of homes, their share of estates, and children per home beside the usual: assumptions.
_KINDS = (
    ("商品住房", 0.58, 1.0),
    ("共有产权住房", 0.12, 1.2),
    ("公共租赁住房", 0.12, 0.7),
    ("安置房", 0.18, 1.1),
)
# Pupils per home by whole years since it was handed over; the last value holds on. Assumptions: young
# families move in first, and their children grow.
_PUPILS_PER_HOME = {
    "kindergarten": (0.01, 0.04, 0.065, 0.075, 0.075, 0.07, 0.06, 0.05),
    "primary": (0.01, 0.03, 0.055, 0.08, 0.10, 0.115, 0.125, 0.125, 0.12),
    "junior": (0.003, 0.008, 0.015, 0.02, 0.03, 0.035, 0.045, 0.05, 0.055),
    "senior": (0.002, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.045),
}
_FROM_OTHER_DISTRICTS = 0.4  # of those who move in; an assumption
_CITY_SPREAD, _ESTATE_SPREAD = 0.25, 0.3  # of children per home, in logs: of one city, of one estate


@dataclass(frozen=True)
class Estate:
    """One housing project; `richness` is its children per home over the usual, known to nobody."""

    code: str
    name: str
    district: int
    area: str
    homes: int
    kind_zh: str
    handed: date
    richness: float

    def pupils(self, stage: str, years: NDArray[np.int64]) -> NDArray[np.float64]:
        """Pupils of a stage who live there in the autumn of each year."""
        by_age = _PUPILS_PER_HOME[stage]
        # In the autumn after it was handed over an estate is in its year 0.
        age = years - (self.handed.year + (self.handed.month > 8))
        per_home = np.where(age < 0, 0.0, np.array(by_age)[np.clip(age, 0, len(by_age) - 1)])
        found: NDArray[np.float64] = self.homes * self.richness * per_home
        return found


def make_estates(scale: float, seed: int, areas: Mapping[int, Sequence[str]]) -> list[Estate]:
    """The estates of HOUSING_YEARS, more of them where districts grow. `areas`: district by number -> its
    areas."""
    rng, hidden = stream(seed, Stream.PLANNING, 2), stream(seed, Stream.PLANNING, 5)
    weight = np.array([d.residents * (1 + 20 * max(d.yearly_drift, 0)) for d in districts()])
    of_city = hidden.normal(0, _CITY_SPREAD)
    estates = []
    for year in HOUSING_YEARS:
        homes = round(_HOMES_A_YEAR * scale)
        count = max(4, round(homes / _HOMES_A_PROJECT))
        of = rng.choice(len(weight), count, p=weight / weight.sum())
        sizes = allocate(np.array(homes), rng.uniform(0.4, 1.8, count))
        words, where, months = place_words(rng, count), rng.random(count), rng.integers(1, 13, count)
        kinds = hidden.choice(len(_KINDS), count, p=[share for _, share, _ in _KINDS])
        richness = np.exp(of_city + hidden.normal(0, _ESTATE_SPREAD, count))
        for n in range(count):
            number, (kind, _, beside) = int(of[n]), _KINDS[kinds[n]]
            estates.append(
                Estate(
                    code=f"ZF{year}{n + 1:04d}",
                    name=f"{districts()[number].name_zh}{words[n]}家园",
                    district=number,
                    area=areas[number][int(where[n] * len(areas[number]))],
                    homes=int(sizes[n]),
                    kind_zh=kind,
                    handed=date(year, int(months[n]), 15),
                    richness=float(richness[n]) * beside,
                )
            )
    return estates


def drawn_by_estates(
    estates: Sequence[Estate],
    stage: str,
    grade_count: int,
    areas: Sequence[str],
    pupils: NDArray[np.float64],
    years: NDArray[np.int64],
) -> NDArray[np.float64]:
    """By how much each school's share in a grade grows: [school, year].

    `areas` and `pupils` [school, year] of the schools of one district as they would be without estates. The
    estates' pupils of the stage, shared over its grades, stand beside those of the area."""
    factor = np.ones(pupils.shape)
    for area in sorted({e.area for e in estates} & set(areas)):
        here = [n for n, name in enumerate(areas) if name == area]
        more = np.sum([e.pupils(stage, years) for e in estates if e.area == area], axis=0) / grade_count
        there = pupils[here].sum(axis=0)
        factor[here] += np.divide(more, there, out=np.zeros_like(there), where=there > 0)
    return factor


def drawn_by_districts(
    estates: Sequence[Estate],
    stage: str,
    pupils: NDArray[np.float64],
    years: NDArray[np.int64],
    base_year: int,
) -> NDArray[np.float64]:
    """By how much each district's share of a stage grows from the base year on: [year, district].

    `pupils` [year, district] of the stage as they would be without estates."""
    more = np.zeros(pupils.shape)
    for estate in estates:
        more[:, estate.district] += estate.pupils(stage, years)
    grown = 1 + _FROM_OTHER_DISTRICTS * more / np.maximum(pupils, 1.0)
    factor: NDArray[np.float64] = grown / grown[years == base_year]
    return factor
