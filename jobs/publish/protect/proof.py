"""Proof that hidden counts stay uncertain: the least and the most that each may be, in whole numbers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jobs.publish.protect.knowledge import Asked, Problem

if TYPE_CHECKING:
    # Most processes that import this prove nothing: the solver is loaded by its first use.
    from scipy.sparse import csr_matrix

Vector = npt.NDArray[np.float64]


class OutOfTimeError(Exception):
    """The time for proofs is over: what is not proved is hidden."""


@dataclass(frozen=True)
class Clock:
    """When the time for proofs ends."""

    deadline: float

    @property
    def left(self) -> float:
        """Seconds left. Raises OutOfTimeError after the last."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise OutOfTimeError
        return left


@dataclass(frozen=True)
class System:
    """Rows and bounds of a whole-number program."""

    weights: csr_matrix
    least: Vector
    most: Vector
    lower: Vector
    upper: Vector

    def best(self, objective: Vector, clock: Clock) -> Vector | None:
        """The whole numbers with the least objective; None where there are none, or no time to find them."""
        from scipy.optimize import Bounds as Box
        from scipy.optimize import LinearConstraint, milp

        rows = [LinearConstraint(self.weights, self.least, self.most)] if self.weights.shape[0] else []
        found = milp(
            objective,
            integrality=np.ones(len(objective)),
            bounds=Box(self.lower, self.upper),
            constraints=rows,
            options={"time_limit": clock.left, "mip_rel_gap": 0.0},
        )
        return None if found.status != 0 or found.x is None else np.rint(found.x)


def system(problem: Problem) -> System:
    """The problem as arrays."""
    terms = [(row, *term) for row, (sought, _, _) in enumerate(problem.rows) for term in sought]
    return System(
        matrix(terms, (len(problem.rows), len(problem.cells))),
        np.array([least for _, least, _ in problem.rows], dtype=float),
        np.array([most for _, _, most in problem.rows], dtype=float),
        np.array(problem.lower, dtype=float),
        np.array(problem.upper, dtype=float),
    )


def matrix(terms: Sequence[tuple[int, int, float]], shape: tuple[int, int]) -> csr_matrix:
    """A sparse matrix of (row, column, weight)."""
    from scipy.sparse import csr_matrix

    rows, columns, weights = zip(*terms, strict=True) if terms else ((), (), ())
    return csr_matrix((np.array(weights, dtype=float), (rows, columns)), shape=shape)


def unproved(problem: Problem, needed: int, clock: Clock) -> list[Asked]:
    """The questions whose least and most are less than `needed` apart. Raises OutOfTimeError."""
    if not problem.asked:
        return []
    sought = [(row, *term) for row, asked in enumerate(problem.asked) for term in asked.terms]
    forms = matrix(sought, (len(problem.asked), len(problem.cells)))
    whole = system(problem)
    if len(problem.rows) <= 1 and all(len(asked.terms) <= 1 for asked in problem.asked):
        low, high = _of_one_row(problem, whole)
        far = abs(forms) @ (high - low)
        return [asked for asked, range_ in zip(problem.asked, far, strict=True) if range_ < needed]
    return _by_witnesses(problem, whole, forms, needed, clock)


def _of_one_row(problem: Problem, whole: System) -> tuple[Vector, Vector]:
    """The ends of every variable where one sum is all that is known: no solver says it better."""
    low, high = whole.lower.copy(), whole.upper.copy()
    for terms, least, most in problem.rows:
        places = np.array([place for place, _ in terms])
        signs = np.array([weight for _, weight in terms])
        down = np.where(signs > 0, low[places], -high[places])
        up = np.where(signs > 0, high[places], -low[places])
        floor = np.maximum(down, least - (up.sum() - up))
        ceiling = np.minimum(up, most - (down.sum() - down))
        low[places] = np.where(signs > 0, floor, -ceiling)
        high[places] = np.where(signs > 0, ceiling, -floor)
    return np.ceil(low), np.floor(high)


def _by_witnesses(
    problem: Problem, whole: System, forms: csr_matrix, needed: int, clock: Clock
) -> list[Asked]:
    """Every solution found is a witness for all questions at once; the last ones are asked one by one."""
    values = forms @ np.array(problem.truth, dtype=float)
    low, high = values.copy(), values.copy()

    def witness(objective: Vector) -> None:
        found = whole.best(objective, clock)
        if found is not None:
            told = forms @ found
            np.minimum(low, told, out=low)
            np.maximum(high, told, out=high)

    for sign in (1.0, -1.0):
        for stride in (1, 2):
            # All at once, then every second up and the others down.
            turns = np.where(np.arange(len(values)) % 2, 1.0, sign if stride == 1 else -1.0) * sign
            witness(forms.T @ turns)
    for place in range(len(values)):
        for sign in (1.0, -1.0):
            if high[place] - low[place] < needed:
                witness(sign * forms[[place]].toarray()[0])
    return [problem.asked[place] for place in np.flatnonzero(high - low < needed)]
