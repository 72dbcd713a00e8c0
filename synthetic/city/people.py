"""Pupils who live through school years: they enter, move up grade by grade, change schools, leave.

In every autumn a school holds exactly the pupils that `schools.pupils` says; who they are is drawn. Nobody is
real: numbers use divisions 99xxxx, which no authority issues, and names are made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.settings import UserError
from synthetic.city.figures import districts
from synthetic.city.ladder import ENTRY_OF, GRADES, J1, J3, K3, P1, P6, S1, S3, STAGE_OF
from synthetic.city.numbers import Stream, rank_within, stream
from synthetic.city.schools import Schools, year_index
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
_VOLUNTARY_MOVE_SHARE = 0.015
_FAR_MOVE_SHARE = 0.5  # of those who change school, look over the whole city at once
_MOVED_BEFORE_TERM_2 = 0.35

_ENTRIES = (P1, J1, S1)
_DIVISIONS, _SEQUENCES = 10_000, 500
NUMBERS = _DIVISIONS * _SEQUENCES
_EPOCH = date(1970, 1, 1)


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


@dataclass(frozen=True)
class Roll:
    """Who is where on the statistic day of one term: one row a pupil."""

    year: int
    term: int
    person: NDArray[np.integer[Any]]
    school: NDArray[np.integer[Any]]
    grade: NDArray[np.integer[Any]]
    klass: NDArray[np.integer[Any]]  # number of the class in its grade, from 1
    entered: NDArray[np.integer[Any]]  # month of entry into this school, YYYYMM
    suspended: NDArray[np.bool_]

    def take(self, rows: NDArray[np.int64]) -> Roll:
        return Roll(
            self.year,
            self.term,
            self.person[rows],
            self.school[rows],
            self.grade[rows],
            self.klass[rows],
            self.entered[rows],
            self.suspended[rows],
        )

    def __len__(self) -> int:
        return len(self.person)

    def in_order(self) -> Roll:
        """By school, grade, class and pupil, in the small types that a large city needs."""
        key = (self.school.astype(np.int64) * GRADES + self.grade) * 1000 + self.klass
        order = np.argsort(key * NUMBERS + self.person, kind="stable")
        return Roll(
            self.year,
            self.term,
            self.person[order].astype(np.int32),
            self.school[order].astype(np.int32),
            self.grade[order].astype(np.int32),
            self.klass[order].astype(np.int32),
            self.entered[order].astype(np.int32),
            self.suspended[order],
        )


@dataclass
class Population:
    """The pupils and every roll of the years asked for; `nurseries` are the children in kindergartens."""

    people: People
    rolls: dict[tuple[int, int], Roll]
    move_count: int = 0
    nurseries: dict[tuple[int, int], Roll] = field(default_factory=dict)


def live(schools: Schools, years: tuple[int, int], seed: int) -> Population:
    """Rolls of both terms of `years[0]` … `years[1]`; of the last year the first term only."""
    whole = Population(People(), {})
    for _, now in lives(schools, years, seed):
        whole.rolls |= now.rolls
        whole.nurseries |= now.nurseries
        whole.people = now.people
        whole.move_count += now.move_count
    return whole


def lives(schools: Schools, years: tuple[int, int], seed: int) -> Iterator[tuple[int, Population]]:
    """Year by year: the rolls of the autumn before, of its two terms and of the next autumn; of the last
    year, the first term only.

    Only these are kept, so that a large city needs the memory of three years, not of all.
    """
    maker = _Maker(seed)
    first, last = years
    before: dict[tuple[int, int], tuple[Roll, Roll]] = {}
    parts = _apart(_first_roll(maker, schools, first))
    for year in range(first, last):
        following, between, moves = _next_roll(maker, schools, _together(*parts))
        held = before | {(year, 1): parts, (year, 2): _apart(between), (year + 1, 1): _apart(following)}
        del following, between
        yield year, _population(maker, held, moves)
        before, parts = {(year, 1): parts}, held[year + 1, 1]
    yield last, _population(maker, before | {(last, 1): parts}, 0)


def _apart(roll: Roll) -> tuple[Roll, Roll]:
    """Pupils of schools and children of kindergartens, each in order."""
    ordered = roll.in_order()
    is_pupil = ordered.grade >= P1
    return ordered.take(np.flatnonzero(is_pupil)), ordered.take(np.flatnonzero(~is_pupil))


def _together(pupils: Roll, children: Roll) -> Roll:
    columns = ("person", "school", "grade", "klass", "entered", "suspended")
    both = (np.concatenate([getattr(pupils, name), getattr(children, name)]) for name in columns)
    return Roll(pupils.year, pupils.term, *both).in_order()


def _population(maker: _Maker, held: dict[tuple[int, int], tuple[Roll, Roll]], moves: int) -> Population:
    rolls = {key: pupils for key, (pupils, _) in held.items()}
    return Population(maker.people, rolls, moves, {key: children for key, (_, children) in held.items()})


class _Maker:
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
        start = np.array([(date(y - 7, 9, 1) - _EPOCH).days for y in entry_year.tolist()], np.int64)
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


def _cells(schools: Schools, year: int, grades: range) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """School × grade as one number each, with its pupils, for the grades given."""
    cells = np.arange(len(schools))[:, None] * GRADES + np.array(grades)
    return cells.ravel(), schools.pupils[:, year_index(year), grades.start : grades.stop].ravel()


def _first_roll(maker: _Maker, schools: Schools, year: int) -> Roll:
    cells, counts = _cells(schools, year, range(GRADES))
    cell = np.repeat(cells, counts)
    school, grade = np.divmod(cell, GRADES)
    person = maker.make(grade, year, schools.district[school], is_start=True)
    entry_year = year - (grade - np.array(ENTRY_OF)[grade])
    klass = _new_class(schools, year, school, grade, person)
    return Roll(year, 1, person, school, grade, klass, entry_year * 100 + 9, maker.suspended(len(person)))


def _new_class(
    schools: Schools, year: int, school: NDArray[np.int64], grade: NDArray[np.int64], by: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Deal the pupils of each school and grade out to its classes in turn."""
    rank = rank_within(school * GRADES + grade, by.astype(float))
    return 1 + rank % np.maximum(schools.classes[school, year_index(year), grade], 1)


def _next_roll(maker: _Maker, schools: Schools, now: Roll) -> tuple[Roll, Roll, int]:
    """The roll of next autumn, that of this year's second term, and how many moved or came in between."""
    year = now.year + 1
    rng = stream(maker.seed, Stream.MOVE, year)
    cells, counts = _cells(schools, year, range(GRADES))
    room = np.zeros(len(schools) * GRADES, np.int64)
    room[cells] = counts

    grade = now.grade + 1
    stays = ~np.isin(now.grade, (K3, P6, J3, S3))
    cell = now.school * GRADES + np.where(stays, grade, 0)
    wants = rng.random(len(now)) + (rng.random(len(now)) < _VOLUNTARY_MOVE_SHARE)
    rank = rank_within(np.where(stays, cell, -1 - np.arange(len(now))), wants)
    kept = stays & (rank < room[cell]) & (wants < 1.0)
    to_school = np.where(kept, now.school, -1)
    room -= np.bincount(cell[kept], minlength=len(room))

    # Then those without a place: first in their own district, then anywhere; who finds none leaves the city.
    free = np.repeat(np.arange(len(room)), room)
    free = free[rng.permutation(len(free))]
    queue = np.flatnonzero(~kept & (now.grade != S3))
    order = rng.random(len(queue)) + 0.45 * maker.people.is_migrant[now.person[queue]]
    far = rng.random(len(queue)) < _FAR_MOVE_SHARE
    for near in (True, False):
        free_school, free_grade = np.divmod(free, GRADES)
        district = schools.district[now.school[queue]] if near else np.zeros(len(queue), np.int64)
        free_district = schools.district[free_school] if near else np.zeros(len(free), np.int64)
        asks, offers = district * GRADES + grade[queue], free_district * GRADES + free_grade
        asks = np.where(far & near & ~np.isin(grade[queue], _ENTRIES), -1, asks)
        pairs = _match(asks, order, offers)
        to_school[queue[pairs[:, 0]]] = free_school[pairs[:, 1]]
        keep_asking, keep_free = np.ones(len(queue), bool), np.ones(len(free), bool)
        keep_asking[pairs[:, 0]], keep_free[pairs[:, 1]] = False, False
        queue, order, far, free = queue[keep_asking], order[keep_asking], far[keep_asking], free[keep_free]

    went = np.flatnonzero(to_school >= 0)
    new_school, new_grade = np.divmod(free, GRADES)
    newcomers = maker.make(new_grade, year, schools.district[new_school])
    person = np.r_[now.person[went], newcomers]
    school, grade = np.r_[to_school[went], new_school], np.r_[grade[went], new_grade]
    same = np.r_[to_school[went] == now.school[went], np.zeros(len(newcomers), bool)]
    dealt = _new_class(schools, year, school, grade, rng.permutation(len(person)))
    klass = np.where(same, np.r_[now.klass[went], np.zeros(len(newcomers), np.int64)], dealt)
    entered = np.where(same, np.r_[now.entered[went], np.zeros(len(newcomers), np.int64)], year * 100 + 9)
    following = Roll(year, 1, person, school, grade, klass, entered, maker.suspended(len(person)))
    moved = ~same & ~np.isin(grade, (0, *_ENTRIES))
    counted = int((moved & (grade > P1)).sum())
    between = _between(now, following, to_school, moved, rng)
    # Who came in spring already has a lasting number in autumn.
    maker.people.is_temporary[between.person[maker.people.first_year[between.person] == year]] = False
    return following, between, counted


def _match(
    asks: NDArray[np.int64], order: NDArray[np.float64], offers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Pairs (position in asks, position in offers) of equal value, first come first served."""
    span = int(max(len(asks), len(offers), 1))
    ask_key = asks * span + rank_within(asks, order)
    offer_key = offers * span + rank_within(offers, np.arange(len(offers), dtype=float))
    _, at_ask, at_offer = np.intersect1d(ask_key, offer_key, assume_unique=True, return_indices=True)
    return np.stack([at_ask, at_offer], axis=1)


def _between(
    now: Roll,
    following: Roll,
    to_school: NDArray[np.int64],
    moved: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Roll:
    """The second term: some of the coming year's movers are gone already, some of its newcomers are there."""
    early = moved & (rng.random(len(following)) < _MOVED_BEFORE_TERM_2)
    leaves = (
        (to_school < 0)
        & ~np.isin(now.grade, (K3, P6, J3, S3))
        & (rng.random(len(now)) < _MOVED_BEFORE_TERM_2)
    )
    comes = following.person[early]
    stays = np.flatnonzero(~leaves & ~np.isin(now.person, comes))
    base, came = now.take(stays), following.take(np.flatnonzero(early))
    return Roll(
        now.year,
        2,
        np.r_[base.person, came.person],
        np.r_[base.school, came.school],
        np.r_[base.grade, came.grade - 1],
        np.r_[base.klass, came.klass],
        np.r_[base.entered, np.full(len(came), (now.year + 1) * 100 + 2)],
        np.r_[base.suspended, came.suspended],
    )


_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], np.int64)
_CHECK = np.frombuffer(b"10X98765432", np.uint8)


def dates_of(days: NDArray[np.int64]) -> list[date]:
    """Days since 1970-01-01 as dates."""
    return [_EPOCH + timedelta(days=d) for d in days.tolist()]


def pupil_numbers(people: People, persons: NDArray[np.integer[Any]], year: int, term: int) -> list[str]:
    """The national pupil number as the roll of a term has it, nineteen characters.

    G and the identity number, J where there is no identity card, and in the first autumn of a few L with four
    digits at the end that nobody can check.
    """
    temporary = people.is_temporary[persons] & (people.first_year[persons] == year) & (term == 1)
    marks = np.where(people.has_card[persons], "G", "J").tolist()
    numbers = identity_numbers(people, persons)
    tails = ((people.number[persons].astype(np.int64) * 7919 + 4711) % 10_000).tolist()
    return [
        f"L{number[:14]}{tail:04d}" if is_temporary else mark + number
        for number, mark, is_temporary, tail in zip(numbers, marks, temporary.tolist(), tails, strict=True)
    ]


def identity_numbers(people: People, persons: NDArray[np.integer[Any]]) -> list[str]:
    """Eighteen characters, the last a valid check (GB 11643), in divisions 990000–999999, never issued."""
    return numbers_of(people.number[persons], people.birth[persons], people.is_male[persons])


def numbers_of(
    serial: NDArray[np.integer[Any]], birth: NDArray[np.integer[Any]], is_male: NDArray[np.bool_]
) -> list[str]:
    """The identity number of each serial number (below NUMBERS), day of birth (since 1970-01-01) and sex."""
    sequence, division = np.divmod(serial.astype(np.int64), _DIVISIONS)
    stamp = birth.astype("datetime64[D]")
    year = stamp.astype("datetime64[Y]").astype(np.int64) + 1970
    month = stamp.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (stamp - stamp.astype("datetime64[M]")).astype(np.int64) + 1
    parts = [
        (990_000 + division, 6),
        (year * 10_000 + month * 100 + day, 8),
        (sequence * 2 + is_male, 3),
    ]
    digits = np.concatenate(
        [value[:, None] // 10 ** np.arange(width - 1, -1, -1) % 10 for value, width in parts], axis=1
    )
    letters = np.empty((len(serial), 18), np.uint8)
    letters[:, :17] = digits + ord("0")
    letters[:, 17] = _CHECK[digits @ _WEIGHTS % 11]
    return [row.decode("ascii") for row in letters.view("S18").ravel().tolist()]
