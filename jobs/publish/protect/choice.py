"""Which further cells to hide: those of least cost that make one number uncertain enough."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from jobs.publish.protect.knowledge import Asked, Cell, Outsider, Problem
from jobs.publish.protect.proof import Clock, System, matrix, system
from jobs.publish.protect.states import COMPLEMENT, REST, SHOWN, WHOLE, State

# How far a hidden cell may be from its count in a witness: enough to make another one uncertain.
_ROOM = 50


def candidates(outsider: Outsider) -> list[Cell]:
    """The cells of the last state that could be hidden: shown, and not of nobody."""
    last = len(outsider.states) - 1
    state = outsider.states[last]
    could = (state.labels == SHOWN) & (state.values > 0)
    return [
        (last, int(unit), int(count))
        for unit, count in np.argwhere(could)
        if outsider.units[int(unit)] != REST
    ]


def cost(state: State, cell: Cell) -> float:
    """What readers lose with a cell: as many as it counts."""
    return float(1 + state.values[cell[1], cell[2]])


def cheapest(outsider: Outsider, asked: Asked, clock: Clock) -> list[Cell]:
    """The cells of least cost beside which this number has an interval wide enough; all where nothing has.

    Of the parts of one sum the smaller ones go first, as whoever reads the rule expects.
    """
    could = candidates(outsider)
    if not could:
        return []
    state = outsider.states[-1]
    problem = Outsider(outsider.panel, outsider.units, outsider.states, outsider.bounds).state_all(could)
    program = _program(outsider, problem, asked, could)
    weights = np.zeros(len(program.lower))
    weights[-len(could) :] = [cost(state, cell) for cell in could]
    found = program.best(weights, clock)
    if found is None:
        return could
    chosen = [cell for cell, is_in in zip(could, found[-len(could) :], strict=True) if is_in]
    return chosen or [min(could, key=lambda cell: (cost(state, cell), cell))]


def _program(outsider: Outsider, problem: Problem, asked: Asked, could: list[Cell]) -> System:
    """The outsider's problem twice, the number low in one and high in the other, and the choice."""
    one, size = system(problem), len(problem.cells)
    bounds, state = outsider.bounds, outsider.states[-1]
    switch = {cell: 2 * size + place for place, cell in enumerate(could)}
    terms: list[tuple[int, int, float]] = []
    least: list[float] = []
    most: list[float] = []

    def row(sought: list[tuple[int, float]], low: float, high: float) -> None:
        terms.extend((len(least), place, weight) for place, weight in sought)
        least.append(low)
        most.append(high)

    for copy in (0, size):
        for sought, low, high in problem.rows:
            row([(place + copy, float(weight)) for place, weight in sought], low, high)
        for cell in could:
            value, place = float(state.values[cell[1], cell[2]]), problem.place[cell] + copy
            down = max(0.0, value - max(float(bounds.least_large), value - _ROOM * bounds.scale))
            row([(place, 1.0), (switch[cell], down)], value, np.inf)
            row([(place, 1.0), (switch[cell], -float(_ROOM * bounds.scale))], -np.inf, value)
        for hidden, shown, value in _no_larger(outsider, could):
            # While the larger one is shown, the hidden one is not larger.
            room = -float(_TOP * bounds.scale + value)
            row([(problem.place[hidden] + copy, 1.0), (switch[shown], room)], -np.inf, value)
    places = {cell: place for place, cell in enumerate(problem.cells)}
    form = outsider.panel.forms[asked.form]
    inside = [
        (places[cell], float(weight))
        for count, weight in enumerate(form.weights)
        if weight and (cell := (asked.state, asked.unit, count)) in places
    ]
    apart = [(place + size, weight) for place, weight in inside] + [(p, -w) for p, w in inside]
    row(apart, float(bounds.needed), np.inf)
    for first, second in _order(outsider, could):
        row([(switch[first], 1.0), (switch[second], -1.0)], 0, np.inf)
    columns = 2 * size + len(could)
    zeros, ones = np.zeros(len(could)), np.ones(len(could))
    return System(
        matrix(terms, (len(least), columns)),
        np.array(least),
        np.array(most),
        np.concatenate([one.lower, one.lower, zeros]),
        np.concatenate([one.upper, one.upper, ones]),
    )


# More than any count, for a row that is switched off.
_TOP = 10_000_000


def _order(outsider: Outsider, could: list[Cell]) -> list[tuple[Cell, Cell]]:
    """(first, second): the second is hidden only where the first is. Smaller parts, and parts of a whole."""
    state, pairs = outsider.states[-1], []
    for count in range(len(outsider.panel.counts)):
        own = [c for c in could if c[2] == count and outsider.units[c[1]] != WHOLE]
        ranked = sorted(own, key=lambda cell: (state.values[cell[1], cell[2]], cell))
        pairs += list(pairwise(ranked))
    pairs += [((s, u, p), (s, u, 0)) for s, u, p in could if p and (s, u, 0) in could]
    return pairs


def _no_larger(outsider: Outsider, could: list[Cell]) -> list[tuple[Cell, Cell, float]]:
    """(hidden, shown, its count): complements that are no larger than the smallest parts still shown."""
    last, state = len(outsider.states) - 1, outsider.states[-1]
    found = []
    for count in range(len(outsider.panel.counts)):
        parts = [u for u, name in enumerate(outsider.units) if name not in (WHOLE, REST)]
        beside = [(last, u, count) for u in parts if state.labels[u, count] == COMPLEMENT]
        own = [c for c in could if c[2] == count and c[1] in parts]
        for shown in own:
            value = float(state.values[shown[1], shown[2]])
            for hidden in [*beside, *own]:
                if hidden != shown and state.values[hidden[1], hidden[2]] <= value:
                    found.append((hidden, shown, value))
    return found
