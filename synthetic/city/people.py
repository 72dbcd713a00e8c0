"""Pupils as they are made: sex, birth, papers, fitness. How they live is `life`, their numbers `identities`.

Nobody is real: numbers use divisions 99xxxx, which no authority issues, and names are made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.settings import UserError
from synthetic.city.figures import districts
from synthetic.city.ladder import P1, S1, STAGE_OF
from synthetic.city.numbers import Stream, stream
from synthetic.city.words import NAME_NUMBERS

MALE_SHARE = 0.523  # assumption: births of these years ran at about 110 boys to 100 girls
MINORITY_SHARE = 0.048  # census 2020
_MINORITIES = (
    ("11", 0.47),
    ("03", 0.25),
    ("02", 0.12),
    ("10", 0.04),
    ("15", 0.04),
    ("01", 0.0),
    ("08", 0.08),
)
LATE_ENTRY_SHARE = 0.02
OTHER_DOCUMENT_SHARE = 0.006  # no resident identity card: number J…, passport or permit
SUSPENDED_SHARE = 0.003
_BOARDER_SHARE = (0.0, 0.008, 0.06, 0.20)  # by stage
# Of pupils who come without papers: a temporary number L… in their first autumn, then a lasting one.
TEMPORARY_SHARE = 0.02
# Pupils from outside Beijing among P1 entrants: 46.8 % of primary pupils in 2013, 25.5 % in 2020 (secondary);
# the fall goes on in the assumption.
_NON_LOCAL_AT_ENTRY = {2010: 0.45, 2013: 0.40, 2015: 0.29, 2017: 0.26, 2020: 0.23, 2025: 0.19}
_NON_LOCAL_AFTER_JUNIOR = 0.35  # part of them that is left in senior grades: they may not sit the local exam

DIVISIONS, _SEQUENCES = 10_000, 500
NUMBERS = DIVISIONS * _SEQUENCES
EPOCH = date(1970, 1, 1)


@dataclass
class People:
    """What stays with a pupil: one row each, in the order of their making."""

    number: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    name: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    is_male: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    birth: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))  # days since 1970-01-01
    ethnic: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    has_card: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    is_migrant: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    boarding: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))  # 0–1, low boards
    first_year: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))  # first autumn
    is_temporary: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))  # an L number at first
    fitness: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))  # latent, N(0, 1)
    stature: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    build: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.number)

    def boards(self, persons: NDArray[np.integer[Any]], grade: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Who lives at school: few in primary, more in each stage above."""
        share = np.array(_BOARDER_SHARE)[np.array(STAGE_OF)[grade]]
        return self.boarding[persons] < share


class Maker:
    """Makes pupils; keeps the running number that identity numbers come from."""

    def __init__(self, seed: int) -> None:
        self.people = People()
        self.seed = seed
        self._rng = stream(seed, Stream.PEOPLE)
        self._start = int(self._rng.integers(NUMBERS))
        self._step = (
            2 * int(self._rng.integers(10_000, 200_000)) * 5 + 1
        )  # odd, not a multiple of 5: a full lap

    def make(
        self, grade: NDArray[np.int64], year: int, district: NDArray[np.int64], is_start: bool = False
    ) -> NDArray[np.int64]:
        """New children of these grades in the autumn of `year`; their row numbers.

        `is_start`: they had been there before.
        """
        rng, count, before = self._rng, len(grade), len(self.people)
        if before + count > NUMBERS:
            raise UserError(
                f"the ranges of numbers that nobody has hold {NUMBERS:,} children, not {before + count:,}.",
                "Ask for fewer years or a smaller scale.",
            )
        serial = np.arange(before, before + count)
        entry_year = year - (grade - P1)
        late = rng.random(count) < LATE_ENTRY_SHARE
        start = np.array([(date(y - 7, 9, 1) - EPOCH).days for y in entry_year.tolist()], np.int64)
        non_local = _non_local_share(entry_year, district) * np.where(
            grade >= S1, _NON_LOCAL_AFTER_JUNIOR, 1.0
        )
        codes = np.array([int(code) for code, _ in _MINORITIES])
        parts = np.array([part for _, part in _MINORITIES])
        minority = rng.random(count) < MINORITY_SHARE
        made = People(
            number=((self._start + serial * self._step) % NUMBERS).astype(np.int32),
            name=rng.integers(0, NAME_NUMBERS, count, np.int32),
            is_male=rng.random(count) < MALE_SHARE,
            birth=(start + rng.integers(0, 365, count) - 365 * late).astype(np.int32),
            ethnic=np.where(minority, rng.choice(codes, count, p=parts / parts.sum()), 1).astype(np.int8),
            has_card=rng.random(count) >= OTHER_DOCUMENT_SHARE,
            is_migrant=rng.random(count) < non_local,
            boarding=rng.random(count, np.float32),
            first_year=np.full(count, year, np.int16),
            # Those who were there before the first year have had theirs for long.
            is_temporary=_temporary(rng, grade) & (not is_start),
            fitness=rng.standard_normal(count, np.float32),
            stature=rng.standard_normal(count, np.float32),
            build=rng.standard_normal(count, np.float32),
        )
        for name, new in vars(made).items():
            setattr(self.people, name, np.concatenate([getattr(self.people, name), new]))
        return serial

    def suspended(self, count: int) -> NDArray[np.bool_]:
        return self._rng.random(count) < SUSPENDED_SHARE


def _temporary(rng: np.random.Generator, grade: NDArray[np.int64]) -> NDArray[np.bool_]:
    """A few of the newcomers; one in a first grade surely, so that a small city has one too."""
    draw = rng.random(len(grade))
    first = np.flatnonzero(grade == P1)
    if len(first):
        draw[first[draw[first].argmin()]] = 0.0
    return draw < TEMPORARY_SHARE


def _non_local_share(entry_year: NDArray[np.int64], district: NDArray[np.int64]) -> NDArray[np.float64]:
    city = np.interp(entry_year, list(_NON_LOCAL_AT_ENTRY), list(_NON_LOCAL_AT_ENTRY.values()))
    weight = np.array([d.non_local_weight for d in districts()])
    mean = sum(d.non_local_weight * d.shares["primary"] for d in districts())
    return np.clip(city * weight[district] / mean, 0.02, 0.85)
