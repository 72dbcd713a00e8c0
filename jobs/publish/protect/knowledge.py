"""What an outsider can state about a group's hidden counts, as rows of a linear program.

He has every release, knows what adds up, that a count hidden as small was small when it was first hidden,
that one hidden beside it was not and is no larger than those shown, and takes changes between two releases to
be as the published cells say: all upwards, all downwards, or none. What is not so in truth he cannot use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from jobs.publish.protect.rules import Panel
from jobs.publish.protect.states import (
    COMPLEMENT,
    REST,
    SHOWN,
    SMALL,
    UNTOLD,
    WHOLE,
    WITHHELD,
    Bounds,
    State,
)

# (state, unit, count) of a cell.
Cell = tuple[int, int, int]
# Everybody guesses a bound at last: this many times the true count, and as many persons more.
_TIMES, _MORE = 4, 1000


@dataclass(frozen=True)
class Asked:
    """A number that must stay uncertain: cells with weights, by its place and the form's."""

    state: int
    unit: int
    form: int
    terms: tuple[tuple[int, int], ...]


@dataclass
class Problem:
    """Variables are hidden cells; rows are (terms, least, most)."""

    cells: list[Cell] = field(default_factory=list)
    place: dict[Cell, int] = field(default_factory=dict)
    truth: list[int] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    rows: list[tuple[tuple[tuple[int, int], ...], float, float]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)


class Outsider:
    """Builds the problem of one group; the last state is the release to be made."""

    def __init__(self, panel: Panel, units: Sequence[str], states: Sequence[State], bounds: Bounds) -> None:
        self.panel, self.units, self.states, self.bounds = panel, units, states, bounds
        self.loose: Collection[Cell] = ()
        self.problem = Problem()

    def state_all(self, loose: Collection[Cell] = ()) -> Problem:
        """Everything known. Cells of `loose` become variables of which nothing but sums is known."""
        self.loose = set(loose)
        for number, state in enumerate(self.states):
            for unit, count in np.argwhere(state.hidden):
                self._variable((number, int(unit), int(count)))
        for cell in sorted(self.loose):
            self._variable(cell)
        for number, state in enumerate(self.states):
            self._sums(number, state)
            self._parts(number, state)
            self._labels(number, state)
            self._no_larger(number, state)
        for number in range(1, len(self.states)):
            self._links(number)
        self._questions()
        return self.problem

    def _variable(self, cell: Cell) -> None:
        problem, value = self.problem, self._value(cell)
        problem.place[cell] = len(problem.cells)
        problem.cells.append(cell)
        problem.truth.append(value)
        problem.lower.append(0)
        problem.upper.append(_TIMES * value + _MORE * self.bounds.scale)

    def _value(self, cell: Cell) -> int:
        return int(self.states[cell[0]].values[cell[1], cell[2]])

    def _row(self, terms: Iterable[tuple[Cell, int]], least: float, most: float) -> None:
        """Add what is known of a sum, unless it is not so in truth or speaks of no hidden cell."""
        problem = self.problem
        held = list(terms)
        known = sum(weight * self._value(cell) for cell, weight in held if cell not in problem.place)
        sought = tuple((problem.place[cell], weight) for cell, weight in held if cell in problem.place)
        truth = sum(problem.truth[place] * weight for place, weight in sought) + known
        if not sought or not least <= truth <= most:
            return
        least, most = least - known, most - known
        if len(sought) > 1:
            problem.rows.append((sought, least, most))
            return
        ((place, weight),) = sought
        if weight < 0:
            least, most = -most, -least
        problem.lower[place] = max(problem.lower[place], least)
        problem.upper[place] = min(problem.upper[place], most)

    def _sums(self, number: int, state: State) -> None:
        if WHOLE not in self.units:
            return
        whole = self.units.index(WHOLE)
        # Each number is rounded by itself where a unit is less than a person.
        slack = len(self.units) / 2 if self.bounds.scale > 1 else 0
        for count in range(len(self.panel.counts)):
            terms = [((number, unit, count), 1) for unit in range(len(self.units)) if unit != whole]
            self._row([*terms, ((number, whole, count), -1)], -slack, slack)

    def _parts(self, number: int, state: State) -> None:
        for unit in range(len(self.units)):
            for part, larger in self.panel.nested:
                self._row([((number, unit, larger), 1), ((number, unit, part), -1)], 0, np.inf)

    def _labels(self, number: int, state: State) -> None:
        """What the reason of a hidden cell says about its size."""
        bounds, is_last = self.bounds, number == len(self.states) - 1
        for unit, row in enumerate(state.values):
            for form in self.panel.forms:
                owner = (number, unit, form.owner)
                label = state.labels[unit, form.owner]
                if owner in self.loose or label in (SHOWN, WITHHELD):
                    continue
                terms = [((number, unit, place), weight) for place, weight in enumerate(form.weights)]
                terms = [(cell, weight) for cell, weight in terms if weight]
                if bounds.is_small(form, row):
                    # Hidden again it may have grown meanwhile, and nothing says so.
                    is_first = number == 0 or self.states[number - 1].labels[unit, form.owner] != SMALL
                    most = bounds.most_small if is_last or is_first else np.inf
                    self._row(terms, bounds.least(form), most)
                elif label == COMPLEMENT:
                    self._row(terms, bounds.least_large, np.inf)

    def _no_larger(self, number: int, state: State) -> None:
        """Complements are the smallest: none is larger than a part that is shown."""
        parts = [u for u, name in enumerate(self.units) if name not in (WHOLE, REST)]
        for count in range(len(self.panel.counts)):
            hidden = self.problem.place
            shown = [int(state.values[u, count]) for u in parts if (number, u, count) not in hidden]
            least = min((value for value in shown if value > 0), default=None)
            if least is None:
                continue
            for unit in parts:
                if state.labels[unit, count] == COMPLEMENT and (number, unit, count) not in self.loose:
                    self._row([((number, unit, count), 1)], 0, least)

    def _links(self, number: int) -> None:
        """Between two releases hidden cells move as the shown ones do."""
        before, after = self.states[number - 1], self.states[number]
        # Most cells that could be hidden will not be: they are evidence until they are.
        both = ~before.hidden & ~after.hidden
        for count in range(len(self.panel.counts)):
            moved = (after.values - before.values)[both[:, count], count]
            least: float = -np.inf if (moved < 0).any() else 0
            most: float = np.inf if (moved > 0).any() else 0
            if least < 0 < most:
                most = float(np.abs(moved).sum())
                least = -most
            for unit in range(len(self.units)):
                if len(moved):
                    self._row([((number, unit, count), 1), ((number - 1, unit, count), -1)], least, most)

    def _questions(self) -> None:
        """Every hidden cell of the last state, and all that was hidden because it was small, of any state."""
        last = len(self.states) - 1
        for number, state in enumerate(self.states):
            for unit, row in enumerate(state.values):
                for place, form in enumerate(self.panel.forms):
                    label = state.labels[unit, form.owner]
                    is_cell = sum(map(abs, form.weights)) == 1
                    is_asked = number == last and is_cell and label in (SMALL, COMPLEMENT)
                    if not is_asked and not self.bounds.is_small(form, row):
                        continue
                    terms = tuple(
                        (self.problem.place[cell], weight)
                        for count, weight in enumerate(form.weights)
                        if weight and (cell := (number, unit, count)) in self.problem.place
                    )
                    self.problem.asked.append(Asked(number, unit, place, terms))


def untold(units: Sequence[str], values: np.ndarray) -> np.ndarray:
    """Labels of what no release ever shows: the rest of a sum, where there is one."""
    labels = np.full(values.shape, SHOWN, dtype="<U1")
    if REST in units:
        rest = units.index(REST)
        labels[rest, values[rest] != 0] = UNTOLD
    return labels
