"""How pupils live through school years: they enter, move up grade by grade, change schools, leave.

In every autumn a school holds exactly the pupils that `schools.pupils` says; who they are is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthetic.city.ladder import ENTRY_OF, GRADES, J1, J3, K3, P1, P6, S1, S3
from synthetic.city.numbers import Stream, rank_within, stream
from synthetic.city.people import NUMBERS, Maker, People
from synthetic.city.schools import Schools, year_index

_VOLUNTARY_MOVE_SHARE = 0.015
_FAR_MOVE_SHARE = 0.5  # of those who change school, look over the whole city at once
_MOVED_BEFORE_TERM_2 = 0.35
_ENTRIES = (P1, J1, S1)


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
    maker = Maker(seed)
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


def _population(maker: Maker, held: dict[tuple[int, int], tuple[Roll, Roll]], moves: int) -> Population:
    rolls = {key: pupils for key, (pupils, _) in held.items()}
    return Population(maker.people, rolls, moves, {key: children for key, (_, children) in held.items()})


def _cells(schools: Schools, year: int, grades: range) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """School × grade as one number each, with its pupils, for the grades given."""
    cells = np.arange(len(schools))[:, None] * GRADES + np.array(grades)
    return cells.ravel(), schools.pupils[:, year_index(year), grades.start : grades.stop].ravel()


def _first_roll(maker: Maker, schools: Schools, year: int) -> Roll:
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


def _next_roll(maker: Maker, schools: Schools, now: Roll) -> tuple[Roll, Roll, int]:
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
