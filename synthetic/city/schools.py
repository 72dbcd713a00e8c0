"""Schools and kindergartens: district, years of opening and closing, pupils and classes by grade."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from synthetic.city.estates import drawn_by_districts, drawn_by_estates, make_estates
from synthetic.city.figures import (
    FIRST_YEAR,
    FUTURE_YEARS,
    LAST_YEAR,
    YEARS,
    District,
    births,
    city_pupils,
    districts,
    future_pupils,
)
from synthetic.city.ladder import ENTRY_OF, GRADES, GRADES_OF, STAGE_OF, STAGES
from synthetic.city.numbers import Stream, allocate, stream
from synthetic.city.words import place_words

# About 3,500 in all. Primary, junior and complete schools: 2019, the last published year; kindergartens:
# rounded.
CITY_SCHOOLS = {"kindergarten": 1900, "primary": 941, "junior": 336, "senior": 318}
# A senior school of the city is mostly a complete one (完全中学), which has junior grades too.
_JUNIOR_WEIGHT_OF_COMPLETE = 0.9
_CODE_PREFIX = {"kindergarten": "11", "primary": "21", "junior": "31", "senior": "34"}
_NAME_END = {"kindergarten": "幼儿园", "primary": "小学", "junior": "初级中学", "senior": "中学"}
_PRIVATE_SHARE = {"kindergarten": 0.38, "primary": 0.06, "junior": 0.06, "senior": 0.1}
_SIZE_SPREAD = {"kindergarten": 0.30, "primary": 0.42, "junior": 0.38, "senior": 0.38}
_OPENED_LATER = {"kindergarten": 0.30, "primary": 0.14, "junior": 0.14, "senior": 0.12}
# Where a district has many schools of a stage, none grows beyond what the law of balance lets it.
_MANY_SCHOOLS, _MOST_PUPILS = 20, {"primary": 2150, "junior": 1950}
_CLASS_SIZE = {"kindergarten": (24, 30), "primary": (33, 40), "junior": (32, 40), "senior": (34, 44)}
_COHORT_SPREAD = 0.05  # how much a school's part of its district moves from one entry year to the next
_DISTRICT_SPREAD = 0.012
_FIRST_UNDRAWN = LAST_YEAR + 1 - (FIRST_YEAR - 6)  # the first cohort that enters after the last year
_BASE_YEAR = 2021  # the year whose district shares are published
_RENAMED_SHARE = 0.04  # over the seven years
_CLOSING_SHARE = 0.06  # of kindergartens where a district has three or more
# In a small city schools rather than kindergartens are rounded up, so that none grows beyond all measure.
_ROUND_UP = {"kindergarten": 0.3, "primary": 0.8, "junior": 0.5, "senior": 0.75}

PAST_YEAR = 2017  # a school was parted and one moved on 1 September of it
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


@dataclass
class Schools:
    """All schools, district by district; `pupils` and `classes` are [school, year of YEARS, grade].

    `future` is [school, year of FUTURE_YEARS, grade]: the pupils that no sender knows of yet.
    """

    codes: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    areas: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    is_private: list[bool] = field(default_factory=list)
    opened: list[date] = field(default_factory=list)
    closed: list[date | None] = field(default_factory=list)
    district: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    pupils: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    future: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    classes: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    places: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    merged: dict[int, int] = field(default_factory=dict)  # closed school -> the one that took it over
    renamed: dict[int, tuple[int, str]] = field(default_factory=dict)  # school -> year, name from then on
    parted: Parted | None = None
    moved: Moved | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def of_district(self, district: int) -> NDArray[np.int64]:
        return np.flatnonzero(self.district == district)

    def name_in(self, school: int, year: int) -> str:
        """The name in the autumn of `year`."""
        since, name = self.renamed.get(school, (9999, ""))
        return name if year >= since else self.names[school]

    def has_code_since(self, school: int) -> date:
        """The day from which the school stands under its code: of one that came of another, the parting."""
        came = self.parted is not None and school in self.parted.into
        return date(PAST_YEAR, 9, 1) if came else self.opened[school]

    def is_open(self, school: int, year: int) -> bool:
        """Open in the autumn of `year`."""
        closed = self.closed[school]
        return self.opened[school] <= date(year, 9, 1) and (closed is None or closed > date(year, 9, 1))


# First digits of the code of a school by its kind, as the ministry gives them.
KIND_CODE = {"kindergarten": "11", "primary": "21", "junior": "31", "senior": "34"}


def year_index(year: int) -> int:
    """Where a school year stands in arrays by year."""
    return year - FIRST_YEAR


def district_pupils(
    scale: float, seed: int, with_future: bool = False, is_expected: bool = False
) -> NDArray[np.int64]:
    """Pupils by [district, year of YEARS (and FUTURE_YEARS), grade]; a year and grade adds up to the city's ×
    scale. `is_expected`: the future without what is drawn after the last year.
    """
    whole, years = city_pupils(), np.array(YEARS)
    if with_future:
        whole = np.concatenate([whole, future_pupils(seed, is_expected)])
        years = np.array(YEARS + FUTURE_YEARS)
    city = np.rint(whole * scale).astype(np.int64)
    weights = np.empty((len(years), GRADES, len(districts())))
    estates = make_estates(scale, seed, {number: [""] for number in range(len(districts()))})
    for number, district in enumerate(districts()):
        noise = stream(seed, Stream.DISTRICT, number).normal(0, _DISTRICT_SPREAD, (len(STAGES), 64))
        if is_expected:
            noise[:, _FIRST_UNDRAWN:] = 0
        for grade in range(GRADES):
            entry_years = years - (grade - ENTRY_OF[grade])
            stage = STAGES[STAGE_OF[grade]]
            cohort = noise[STAGE_OF[grade], entry_years - (FIRST_YEAR - 6)]
            drift = district.yearly_drift * (entry_years - _BASE_YEAR)
            weights[:, grade, number] = district.shares[stage] * np.exp(drift + cohort)
    for stage, of_stage in GRADES_OF.items():
        shares = weights[:, list(of_stage)].sum(axis=1)
        pupils = shares / shares.sum(axis=1, keepdims=True) * city[:, list(of_stage)].sum(axis=1)[:, None]
        drawn = drawn_by_districts(estates, stage, pupils, years, _BASE_YEAR)
        weights[:, list(of_stage)] *= drawn[:, None]
    return allocate(city, weights).transpose(2, 0, 1)


def district_births(scale: float) -> NDArray[np.int64]:
    """Births by [district, calendar year as in `births()`]; each year adds up to the city's × scale."""
    years = np.array(list(births()))
    city = np.rint(np.array(list(births().values())) * scale).astype(np.int64)
    drift = np.array([d.yearly_drift for d in districts()]) * (years[:, None] + 6 - _BASE_YEAR)
    shares = np.array([d.shares["births"] for d in districts()])
    return allocate(city, shares * np.exp(np.clip(drift, -0.25, 0.25))).T


def make_schools(scale: float, seed: int, is_expected: bool = False) -> Schools:
    """At least one kindergarten, primary, junior and senior school a district, the rest by scale.

    `is_expected`: `future` as one expects it who knows every rate by which it is drawn and all that is drawn
    up to the last year, yet no later draw and no birth that is not published (what no forecast can beat).
    """
    schools = Schools()
    district_of: list[int] = []
    weights: list[float] = []
    for number, district in enumerate(districts()):
        rng = stream(seed, Stream.SCHOOL, number)
        wanted = {s: CITY_SCHOOLS[s] * scale * district.shares[s] for s in STAGES}
        counts = {s: max(1, int(wanted[s] + _ROUND_UP[s])) for s in STAGES}
        areas = [f"{word}学区" for word in place_words(rng, max(2, round(sum(counts.values()) / 14)))]
        words = place_words(rng, sum(counts.values()))
        for stage in STAGES:
            for nth in range(counts[stage]):
                _add(schools, rng, district, stage, nth, counts[stage], words.pop(), areas)
                district_of.append(number)
                weights.append(float(np.exp(np.clip(rng.normal(0, _SIZE_SPREAD[stage]), -0.9, 0.9))))
    schools.district = np.array(district_of, np.int64)
    _fill(schools, np.array(weights), scale, seed, is_expected)
    _change(schools, seed)
    schools.parted, schools.moved = _past_of(schools, seed)
    return schools


def _change(schools: Schools, seed: int) -> None:
    """Merge half of the closed schools into another of their district; rename a few."""
    for number, district in enumerate(districts()):
        rng = stream(seed, Stream.SCHOOL, number, 3)
        here = schools.of_district(number).tolist()
        draws, years = rng.random((len(here), 2)), rng.integers(2019, LAST_YEAR + 1, len(here))
        words = place_words(rng, len(here))
        for nth, school in enumerate(here):
            kind = schools.kinds[school]
            if schools.closed[school] is not None:
                others = [s for s in here if schools.kinds[s] == kind and schools.closed[s] is None]
                if others and draws[nth, 0] < 0.5:
                    schools.merged[school] = others[int(draws[nth, 1] * len(others))]
            elif draws[nth, 0] < _RENAMED_SHARE and schools.opened[school].year < years[nth]:
                name = f"北京市{district.name_zh}{words[nth]}{_NAME_END[kind]}"
                schools.renamed[school] = (int(years[nth]), name)


def _past_of(schools: Schools, seed: int) -> tuple[Parted | None, Moved | None]:
    """Which schools were parted and moved in PAST_YEAR, by a stream of its own; None where a city has none
    that could have been.
    """
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


def _add(
    schools: Schools,
    rng: np.random.Generator,
    district: District,
    stage: str,
    nth: int,
    of: int,
    word: str,
    areas: list[str],
) -> None:
    # A sequence number from 900000 on: far above the numbers that have been given out.
    schools.codes.append(f"{_CODE_PREFIX[stage]}119{district.code[4:]}{nth + 1:03d}")
    schools.names.append(f"北京市{district.name_zh}{word}{_NAME_END[stage]}")
    schools.areas.append(areas[int(rng.integers(len(areas)))])
    schools.kinds.append(stage)
    schools.is_private.append(bool(rng.random() < _PRIVATE_SHARE[stage]))
    later, opened, closing = rng.random(), rng.random(), rng.random()
    if nth > 0 and (later < _OPENED_LATER[stage] or (stage == "primary" and of >= 4 and nth == of - 1)):
        is_newest = stage == "primary" and nth == of - 1
        year = YEARS[-1] if is_newest else FIRST_YEAR + 1 + int(opened * (len(YEARS) - 1))
    else:
        year = 1950 + int(opened * 60)
    schools.opened.append(date(year, 9, 1))
    closes = (
        stage == "kindergarten"
        and of >= 3
        and nth > 0
        and (closing < _CLOSING_SHARE or (of >= 6 and nth == of - 1))
    )
    schools.closed.append(date(YEARS[-1], 8, 31) if closes and year < YEARS[-1] - 2 else None)


def areas_by_number(schools: Schools) -> dict[int, list[str]]:
    """District by number -> the areas in which it has schools, in order."""
    return {
        number: sorted({schools.areas[s] for s in schools.of_district(number).tolist()})
        for number in range(len(districts()))
    }


def _fill(schools: Schools, weights: NDArray[np.float64], scale: float, seed: int, is_expected: bool) -> None:
    totals = district_pupils(scale, seed, with_future=True, is_expected=is_expected)
    years = np.array(YEARS + FUTURE_YEARS)
    kinds = np.array(schools.kinds)
    opened = np.array([d.year for d in schools.opened])
    closed = np.array([d.year if d else 9999 for d in schools.closed])
    pupils = np.zeros((len(schools), len(years), GRADES), np.int64)
    every_estate = make_estates(scale, seed, areas_by_number(schools))
    for number in range(len(districts())):
        estates = [e for e in every_estate if e.district == number]
        rng = stream(seed, Stream.SCHOOL, number, 1)
        for stage in STAGES:
            teaches = kinds == stage
            if stage == "junior":
                teaches = teaches | (kinds == "senior")
            here = np.flatnonzero((schools.district == number) & teaches)
            own = weights[here] * np.where(kinds[here] == stage, 1.0, _JUNIOR_WEIGHT_OF_COMPLETE)
            if stage in _MOST_PUPILS and len(here) >= _MANY_SCHOOLS:
                whole = totals[number][:, list(GRADES_OF[stage])].sum(axis=1).max()
                own = _capped(own, _MOST_PUPILS[stage] / whole)
            noise = np.exp(rng.normal(0, _COHORT_SPREAD, (len(here), 64)))
            if is_expected:
                noise[:, _FIRST_UNDRAWN:] = 1
            for grade in GRADES_OF[stage]:
                entry = years - (grade - ENTRY_OF[grade])
                # A new school opens with its first grade and grows by one grade a year; a closed one is
                # empty.
                takes = (opened[here, None] <= entry) & (years < closed[here, None])
                share = own[:, None] * noise[:, entry - (FIRST_YEAR - 6)] * takes
                usual = share / np.maximum(share.sum(axis=0), 1e-9) * totals[number, :, grade]
                names = [schools.areas[s] for s in here]
                share = share * drawn_by_estates(estates, stage, len(GRADES_OF[stage]), names, usual, years)
                pupils[here, :, grade] = allocate(totals[number, :, grade], share.T).T
    schools.pupils, schools.future = pupils[:, : len(YEARS)], pupils[:, len(YEARS) :]
    _make_classes(schools, seed)
    _make_places(schools, seed)


def _capped(weights: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """Weights of which none is more than the part `most` of their sum; the others take what is cut."""
    for _ in range(20):
        weights = np.minimum(weights, most * weights.sum())
    return weights


def _make_classes(schools: Schools, seed: int) -> None:
    """Classes a cohort has in a school: as many in every year as its fullest year needs."""
    schools.classes = np.zeros_like(schools.pupils)
    rng = stream(seed, Stream.SCHOOL, 100)
    for stage in STAGES:
        low, high = _CLASS_SIZE[stage]
        size = rng.integers(low, high + 1, len(schools))
        first = GRADES_OF[stage][0]
        fullest: dict[int, NDArray[np.int64]] = {}
        for at, year in enumerate(YEARS):
            for grade in GRADES_OF[stage]:
                entry = year - (grade - first)
                now = schools.pupils[:, at, grade]
                fullest[entry] = np.maximum(fullest[entry], now) if entry in fullest else now
        for at, year in enumerate(YEARS):
            for grade in GRADES_OF[stage]:
                needed = np.ceil(fullest[year - (grade - first)] / size).astype(np.int64)
                schools.classes[:, at, grade] = np.where(schools.pupils[:, at, grade] > 0, needed, 0)


def _make_places(schools: Schools, seed: int) -> None:
    """Places stated in the last two years: room for whole classes, now and then less than is needed."""
    rng = stream(seed, Stream.SCHOOL, 101)
    pupils = schools.pupils.sum(axis=2)
    for column, at in enumerate((-2, -1)):
        fullest = pupils[:, max(0, len(YEARS) + at - 4) : len(YEARS) + at + 1].max(axis=1)
        if column == 0:
            room = rng.uniform(0.92, 1.25, len(schools))
            places = np.ceil(fullest * room / 40) * 40
            schools.places = np.stack([places, places], axis=1).astype(np.int64)
        else:
            grown = np.where(fullest > schools.places[:, 0] * 1.06, np.ceil(fullest / 40) * 40, 0)
            schools.places[:, 1] = np.maximum(schools.places[:, 0], grown)


def has_junior(kind: str) -> bool:
    """Whether schools of this kind have junior grades."""
    return kind in ("junior", "senior")
