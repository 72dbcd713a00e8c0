"""Eyesight of pupils as the school nurse measures it: naked vision, refraction, glasses.

A pupil's onset of myopia and its pace stay with him for good. Prevalence by age follows the national
screening of 2018 and 2020 (小学 36 %, 初中 71 %, 高中 80.5 % of pupils, 14 % at six years); the step from
refraction to naked vision, shares with glasses and shares not examined are assumptions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from synthetic.city.life import Roll
from synthetic.city.numbers import Stream, stream
from synthetic.city.people import People

Floats = NDArray[np.float64]

# Log of the median age of onset, and its spread: met by the prevalence at 6, 9, 13½ and 16½ years.
_ONSET_MEDIAN_LOG, _ONSET_SPREAD = 2.366, 0.446
_GIRLS_EARLIER = 0.04
_OTHER_CAUSE_SHARE = 0.025
NOT_EXAMINED_SHARE = 0.02
# Of schools: hand in refraction beside vision; hand in no eyesight at all.
REFRACTION_SHARE, NO_EYESIGHT_SHARE = 0.6, 0.05

HEADINGS = ("左眼裸眼视力", "右眼裸眼视力")
REFRACTION_HEADINGS = (
    "左眼屈光球镜S",
    "右眼屈光球镜S",
    "左眼屈光柱镜C",
    "右眼屈光柱镜C",
    "左眼屈光轴位A",
    "右眼屈光轴位A",
    "戴镜类型",
)
_EYEWEAR = ("不戴镜", "框架眼镜", "角膜塑形镜", "隐形眼镜")


@dataclass(frozen=True)
class Eyes:
    """Examined pupils, one row each; the second axis is left and right. NaN: not examined."""

    vision: Floats
    sphere: Floats
    cylinder: Floats
    axis: Floats
    eyewear: NDArray[np.int64]  # position in _EYEWEAR

    def cells(self, with_refraction: bool) -> list[list[str | float | int | None]]:
        """Columns as the upload has them: HEADINGS, then REFRACTION_HEADINGS where given."""
        columns: list[list[str | float | int | None]] = []
        for eye in (0, 1):
            columns.append([None if v != v else round(v, 1) for v in self.vision[:, eye].tolist()])
        if with_refraction:
            for values in (self.sphere, self.cylinder):
                for eye in (0, 1):
                    columns.append([None if v != v else f"{v:+.2f}" for v in values[:, eye].tolist()])
            for eye in (0, 1):
                columns.append([None if v != v else int(v) for v in self.axis[:, eye].tolist()])
            seen = ~np.isnan(self.vision[:, 0])
            columns.append(
                [
                    _EYEWEAR[w] if s else None
                    for w, s in zip(self.eyewear.tolist(), seen.tolist(), strict=True)
                ]
            )
        return columns


def examine(people: People, roll: Roll, seed: int, district: int) -> Eyes:
    """The eyes of a roll, as screened in the autumn of its year."""
    persons, count = roll.person, len(roll)
    rng = stream(seed, Stream.EYESIGHT, district, roll.year)
    age = roll.year + 0.8 - (people.birth[persons] / 365.25 + 1970)
    onset_latent, pace_latent = _lasting(people, persons, seed, 1), _lasting(people, persons, seed, 2)
    onset = np.exp(
        _ONSET_MEDIAN_LOG - _GIRLS_EARLIER * ~people.is_male[persons] + _ONSET_SPREAD * onset_latent
    )
    years = age - onset
    # Fast at first, slower from the middle teens on.
    pace = 0.62 * np.exp(0.35 * pace_latent)
    grown = pace * (np.minimum(years, 4) + 0.4 * np.maximum(years - 4, 0))
    middle = np.where(years > 0, -0.6 - grown, np.minimum(-0.4 - 0.3 * years, 1.75))
    between = 0.2 * rng.standard_normal(count)
    equivalent = (
        middle[:, None] + np.stack([between, -between], axis=1) + 0.08 * rng.standard_normal((count, 2))
    )
    cylinder = 0.0 - np.round(4 * rng.exponential(0.45, (count, 2))) / 4
    sphere = np.round(4 * (equivalent - cylinder / 2)) / 4

    short = np.maximum(-(sphere + cylinder / 2) - 0.25, 0)
    vision = 5.08 - 0.62 * np.log1p(1.2 * short) + 0.05 * rng.standard_normal((count, 2))
    other = rng.random(count) < _OTHER_CAUSE_SHARE
    vision[other] -= rng.uniform(0.15, 0.6, (int(other.sum()), 1))

    is_myopic = (sphere + cylinder / 2).min(axis=1) < -0.5
    worn = rng.random(count)
    strong = (sphere + cylinder / 2).min(axis=1) < -1.0
    eyewear = np.where(strong & (worn < 0.8), 1, 0)
    eyewear[is_myopic & (age >= 8) & (age < 17) & (worn > 0.93)] = 2
    eyewear[strong & (age >= 15) & (worn < 0.06)] = 3
    at_night = eyewear == 2
    # The lens shapes the eye for the day: vision and refraction read as nearly whole.
    vision[at_night] = np.maximum(vision[at_night], 5.0 - 0.1 * (rng.random((int(at_night.sum()), 1)) < 0.2))
    sphere[at_night] = np.maximum(sphere[at_night], -0.5)

    vision = np.clip(np.round(vision, 1), 0, 5.3)
    vision[vision < 3.0] = 0
    axis = rng.integers(0, 181, (count, 2)).astype(float)
    absent = rng.random(count) < NOT_EXAMINED_SHARE
    for values in (vision, sphere, cylinder, axis):
        values[absent] = np.nan
    return Eyes(vision, sphere, cylinder, axis, eyewear)


def _lasting(people: People, persons: NDArray[np.integer], seed: int, purpose: int) -> Floats:
    """A standard normal draw that a pupil keeps for good: it is a hash of the number."""
    mixed = people.number[persons].astype(np.uint64) * np.uint64(4) + np.uint64(purpose)
    mixed += np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return np.asarray(ndtri((mixed >> np.uint64(11)).astype(np.float64) / 2**53 * 0.999998 + 1e-6))
