"""The integer programme of one district and stage: the least cost at which its schools pass.

For each school and indicator: how much it receives, how many teachers it gives away, and whether this is the
one indicator that may stay at 85 % of its threshold. Teachers who are received come from other schools
(moved) or from outside (hired): the more are given, the fewer are hired.
The limit of a coefficient is quadratic. With p the school's share of the pupils, T the sum of all x and
e = x / pT − 1 the school's distance from the mean, it says Σ e² p T ≤ limit² T. Each e² p T is convex and at
least 2e′(x − pT) − e′² p T, its tangent at any e′: so a column of its own for each school, tangents at the
points that the solver finds, and one sum. No point inside is ever cut off. One plane for all schools at once
would be right, too, and takes hundreds of rounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from jobs.decide.evaluation.balance.special import Number

Floats = NDArray[np.float64]

# Answers within this share of the bound count as the best; a large group may miss by more. Work is limited by
# nodes and not by time, so that a busy machine gives the same answer.
MANY = 40
_GAP, _GAP_OF_MANY, _MOST_NODES = 1e-7, 1e-3, 2_000
# Costs are in these units, that numbers of the programme are of like size.
_YUAN = 10_000
_PARTS = 4
_RECEIVED, _GIVEN, _MISSES, _SPREAD = range(_PARTS)
_MOST_ROUNDS = 60
# A limit that is missed by less than this share is met as far as floats know.
_INSIDE = 1e-7
# After so many answers outside, a limit is made narrower by what they miss.
_MOST_TRIES = 4


@dataclass(frozen=True)
class Kind:
    """One indicator of a group of schools; changes are whole persons, rooms, square meters or yuan."""

    indicator_code: str
    quantity: str
    now: Sequence[Number]  # by school, with what special cases add
    full: Sequence[int]  # least change with which a school meets the threshold; may be negative
    rest: Sequence[int]  # the same for the share that suffices for one indicator
    most_given: Sequence[int]  # by school; 0 for what cannot be moved
    add: float
    move: float | None
    limit: Fraction | None  # of the coefficient; None where it does not apply
    unit: int  # one column of the programme counts so much: large amounts are no whole numbers there


@dataclass(frozen=True)
class Answer:
    """Changes by kind and school, and what no answer can cost less than."""

    received: list[list[int]]
    given: list[list[int]]
    bound: float
    point: Floats


class Programme:
    """The programme of one group: columns by part (received, given, misses, spread), kind and school; then
    the sum of each kind.
    """

    def __init__(self, pupils: Sequence[int], kinds: Sequence[Kind]) -> None:
        self._kinds, self._schools = kinds, len(pupils)
        self._share = np.array(pupils, float) / sum(pupils)
        columns = _PARTS * len(kinds) * self._schools + len(kinds)
        self._cost, self._upper = np.zeros(columns), np.zeros(columns)
        self._whole = np.zeros(columns)
        self._rows: list[tuple[Sequence[int], Sequence[float], float, float]] = []
        self._now = [np.array([float(x) for x in kind.now]) / kind.unit for kind in kinds]
        self._narrower, self._tries = [0.0] * len(kinds), [0] * len(kinds)
        for at, kind in enumerate(kinds):
            self._add_kind(at, kind)
            if kind.limit is not None:
                self._add_sum(at)
        self._one_misses()
        self._has_tangents = False
        self.bound, self.point = 0.0, np.zeros(columns)
        self._gap = _GAP if self._schools <= MANY else _GAP_OF_MANY
        self._most_tries = _MOST_TRIES if self._schools <= MANY else 0
        self._relax()

    def solve(self) -> Answer:
        """The cheapest whole-numbered answer inside all tangents. Raises ArithmeticError without one."""
        found = self._solved(self._whole)
        received, given = [], []
        for at, kind in enumerate(self._kinds):
            got = found.x[self._slice(_RECEIVED, at)] * kind.unit
            received.append([math.ceil(x - 1e-4) for x in got])
            given.append([round(x) for x in found.x[self._slice(_GIVEN, at)]])
        return Answer(received, given, float(found.mip_dual_bound) * _YUAN, found.x)

    def cut(self, point: Floats, kinds: Iterable[int], *, is_sure: bool = False) -> bool:
        """Add tangents for those of the kinds whose limit the point misses. True if there were any.

        `is_sure`: the exact judge says that the point, made whole, is outside; where floats see no
        difference, the limit is made narrower by more than they err.
        """
        count = len(self._rows)
        for at in kinds:
            if self._kinds[at].limit is None:
                continue
            amounts = self._amounts(point, at)
            missed = self._missed(amounts, at)
            self._tries[at] += is_sure
            if is_sure and (missed <= _INSIDE or self._tries[at] > self._most_tries):
                self._narrower[at] += max(10 * _INSIDE, 1.1 * missed)
                self._add_limit(at)
            if missed > _INSIDE:
                self._add_tangents(at, amounts, point)
        return len(self._rows) > count

    @property
    def is_cut(self) -> bool:
        """Whether a limit of a coefficient had to be enforced."""
        return self._has_tangents

    def misses(self, point: Floats) -> list[list[bool]]:
        """By kind and school: whether a point of the programme lets the school miss this indicator."""
        kinds = range(len(self._kinds))
        return [[bool(x > 0.5) for x in point[self._slice(_MISSES, at)]] for at in kinds]

    @property
    def is_narrowed(self) -> bool:
        """Whether a limit was made narrower, so that the bound may be above an answer's cost."""
        return any(self._narrower)

    def _relax(self) -> None:
        """Find tangents while that is cheap and worth while: with fractions of persons allowed."""
        limited, before = range(len(self._kinds)), 0.0
        # One indicator by itself is solved at once, however often.
        settled = _GAP if len(self._kinds) == 1 else self._gap / 4
        for _ in range(_MOST_ROUNDS):
            found = self._solved(np.zeros_like(self._whole))
            self.bound, self.point = float(found.fun) * _YUAN, found.x
            is_settled = before > 0 and found.fun - before < settled * found.fun
            if not self.cut(found.x, limited) or is_settled:
                return
            before = found.fun

    def _slice(self, part: int, kind: int) -> slice:
        begin = (part * len(self._kinds) + kind) * self._schools
        return slice(begin, begin + self._schools)

    def _columns(self, part: int, kind: int) -> range:
        of_part = self._slice(part, kind)
        return range(of_part.start, of_part.stop)

    def _sum(self, kind: int) -> int:
        return len(self._cost) - len(self._kinds) + kind

    def _add_kind(self, at: int, kind: Kind) -> None:
        received, given, misses = (self._columns(part, at) for part in (_RECEIVED, _GIVEN, _MISSES))
        self._cost[received] = kind.add * kind.unit / _YUAN
        self._upper[received] = np.inf
        self._whole[received] = self._whole[given] = kind.unit == 1
        self._whole[misses] = 1
        if kind.move is not None:
            self._cost[given] = (kind.move - kind.add) / _YUAN
            self._upper[given] = kind.most_given
            ones = [1.0] * self._schools
            self._rows.append(([*received, *given], [*ones, *(-1.0 for _ in ones)], 0.0, np.inf))
        for school, (full, rest) in enumerate(zip(kind.full, kind.rest, strict=True)):
            if full <= -kind.most_given[school]:
                continue
            columns = [part[school] for part in (received, given, misses)]
            if full > rest:
                self._upper[columns[2]] = 1
            scale = float(kind.unit)
            self._rows.append((columns, [1.0, -1.0 / scale, (full - rest) / scale], full / scale, np.inf))

    def _add_sum(self, at: int) -> None:
        received, given = self._columns(_RECEIVED, at), self._columns(_GIVEN, at)
        ones = [1.0] * self._schools
        now = float(self._now[at].sum())
        self._upper[self._sum(at)] = np.inf
        self._upper[self._slice(_SPREAD, at)] = np.inf
        columns = [self._sum(at), *received, *given]
        self._rows.append((columns, [1.0, *(-x for x in ones), *ones], now, now))
        self._add_limit(at)

    def _add_limit(self, at: int) -> None:
        square = (float(self._kinds[at].limit or 0) * (1 - self._narrower[at])) ** 2
        columns = [self._sum(at), *self._columns(_SPREAD, at)]
        self._rows.append((columns, [square, *([-1.0] * self._schools)], 0.0, np.inf))

    def _one_misses(self) -> None:
        for school in range(self._schools):
            columns = [self._columns(_MISSES, at)[school] for at in range(len(self._kinds))]
            free = [column for column in columns if self._upper[column]]
            if len(free) > 1:
                self._rows.append((free, [-1.0] * len(free), -1.0, np.inf))

    def _amounts(self, point: Floats, at: int) -> Floats:
        return self._now[at] + point[self._slice(_RECEIVED, at)] - point[self._slice(_GIVEN, at)]

    def _missed(self, amounts: Floats, at: int) -> float:
        """By what share of it the amounts miss the limit of a coefficient."""
        limit, total = float(self._kinds[at].limit or 0) * (1 - self._narrower[at]), amounts.sum()
        if total <= 0:
            return 0.0
        away = amounts / (self._share * total) - 1
        return math.sqrt(float(self._share @ away**2)) / limit - 1

    def _add_tangents(self, at: int, amounts: Floats, point: Floats) -> None:
        self._has_tangents = True
        total = amounts.sum()
        away = amounts / (self._share * total) - 1
        spread = point[self._slice(_SPREAD, at)]
        short = away**2 * self._share * total - spread > _INSIDE * self._share * total
        for school in np.flatnonzero(short):
            e = float(away[school])
            self._add_tangent(at, int(school), e)
            # Whole persons take the places beside a point, so that the limit is right there, too.
            if self._kinds[at].unit == 1 and self._schools > MANY:
                step = 1 / float(self._share[school] * total)
                self._add_tangent(at, int(school), e - step)
                self._add_tangent(at, int(school), e + step)

    def _add_tangent(self, at: int, school: int, e: float) -> None:
        part = (_SPREAD, _RECEIVED, _GIVEN)
        columns = [*(self._columns(one, at)[school] for one in part), self._sum(at)]
        factors = [1.0, -2 * e, 2 * e, (2 * e + e * e) * float(self._share[school])]
        self._rows.append((columns, factors, 2 * e * float(self._now[at][school]), np.inf))

    def _solved(self, whole: Floats) -> Any:
        """The solver's answer; its `x` are the columns. Raises ArithmeticError without one."""
        if not self._rows:
            # Nothing is asked for: a row that always holds.
            self._rows.append(([0], [0.0], 0.0, np.inf))
        lengths = [len(columns) for columns, *_ in self._rows]
        matrix = sparse.csr_array(
            (
                np.concatenate([np.asarray(factors, float) for _, factors, _, _ in self._rows]),
                np.concatenate([np.asarray(columns, np.int64) for columns, *_ in self._rows]),
                np.concatenate([[0], np.cumsum(lengths)]),
            ),
            shape=(len(self._rows), len(self._cost)),
        )
        least, most = ([row[end] for row in self._rows] for end in (2, 3))
        found = milp(
            self._cost,
            integrality=whole,
            bounds=Bounds(0, self._upper),
            constraints=LinearConstraint(matrix, least, most),
            options={"mip_rel_gap": self._gap, "node_limit": _MOST_NODES},
        )
        if found.x is None:
            raise ArithmeticError(f"the solver has no answer: {found.message}")
        return found
