"""The cells of one group that a release hides: proved with all releases before it, at least cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jobs.publish.protect.choice import candidates, cheapest, cost
from jobs.publish.protect.knowledge import Asked, Cell, Outsider
from jobs.publish.protect.proof import Clock, OutOfTimeError, unproved
from jobs.publish.protect.rules import Panel
from jobs.publish.protect.states import (
    COMPLEMENT,
    REST,
    SHOWN,
    SMALL,
    UNTOLD,
    WITHHELD,
    Bounds,
    Counts,
    Labels,
    State,
    first_labels,
    window,
    with_parts,
)


@dataclass(frozen=True)
class Outcome:
    """Labels of a group, and how they came about."""

    labels: Labels
    is_out_of_time: bool = False
    is_told_before: bool = False


class Group:
    """One group of rows that add up, and what earlier releases showed of it."""

    def __init__(
        self, panel: Panel, units: Sequence[str], past: Sequence[State], bounds: Bounds, clock: Clock
    ) -> None:
        self.panel, self.units, self.bounds, self.clock = panel, units, bounds, clock
        self.past = window(past)
        self._is_past_proved = False

    def hide(self, values: Counts, given: Labels) -> Outcome:
        """Hide what must be hidden of a new release; `given` says what is hidden whatever it counts."""
        if self.bounds.small < 2:
            return Outcome(given)
        before = self.past[-1] if self.past else None
        must = first_labels(self.panel, values, given, None, self.bounds)
        labels = first_labels(self.panel, values, given, before, self.bounds)
        if not (labels != SHOWN).any() and not any(state.hidden.any() for state in self.past):
            return Outcome(labels)
        known = len(self.past)
        try:
            found, is_proved = self._added(State(values, labels))
            if not is_proved and self._missing(self._withheld(found)):
                self.past = []
                found, is_proved = self._added(State(values, labels))
            if not is_proved:
                return Outcome(self._withheld(found).labels, is_told_before=len(self.past) < known)
            found = self._shown_again(found, must)
            return Outcome(found.labels, is_told_before=len(self.past) < known)
        except OutOfTimeError:
            return Outcome(self._all(State(values, labels)).labels, is_out_of_time=True)

    def _added(self, state: State) -> tuple[State, bool]:
        """Hide further cells until all is proved. Returns what is hidden, and whether that is proved."""
        while missing := self._missing(state):
            outsider = self._outsider(state)
            more = cheapest(outsider, missing[0], self.clock)
            if not more:
                return state, False
            state = self._hidden(state, more)
        return state, True

    def _withheld(self, state: State) -> State:
        """Nothing of the group is shown, counts of nobody neither."""
        labels = state.labels.copy()
        labels[(labels != UNTOLD) & (np.array(self.units) != REST)[:, None]] = WITHHELD
        return state.labelled(labels)

    def _shown_again(self, state: State, must: Labels) -> State:
        """Show again what is hidden without need: dearest first, of a sum's parts the largest first.

        What was small is shown only once it has grown out of all doubt.
        """
        last = len(self.past)
        free = (must == SHOWN) & state.hidden & (state.labels != UNTOLD)
        cells = [(last, int(unit), int(count)) for unit, count in np.argwhere(free)]
        grown = [cell for cell in cells if self._has_grown(state, cell)]
        # Two that hide each other can only be shown together.
        trial = self._showing(state, grown)
        if grown and not self._missing(trial):
            return trial
        stays: set[int] = set()
        for cell in sorted(grown, key=lambda cell: (-cost(state, cell), cell)):
            if cell[2] in stays:
                continue
            trial = self._showing(state, [cell])
            if self._missing(trial):
                stays.add(cell[2])
            else:
                state = trial
        return state

    def _showing(self, state: State, cells: Sequence[Cell]) -> State:
        labels = state.labels.copy()
        for _, unit, count in cells:
            labels[unit, count] = SHOWN
        return state.labelled(with_parts(labels, state.values))

    def _has_grown(self, state: State, cell: Cell) -> bool:
        """Whether a cell is no longer small, by more than anybody could know."""
        _, unit, count = cell
        if state.labels[unit, count] != SMALL:
            return True
        grown = self.bounds.least_large + self.bounds.needed
        told = [form for form in self.panel.forms if form.owner == count]
        row = state.values[unit]
        return all(int(np.dot(form.weights, row)) >= grown for form in told) or row[0] == 0

    def _missing(self, state: State) -> list[Asked]:
        """What is not proved with this state as the newest.

        Nothing takes back what earlier releases have told: where they did, the past begins after them.
        """
        missing = self._unproved([*self.past, state])
        if missing and not self._is_past_proved:
            told = len(self.past)
            while self.past and self._unproved(self.past):
                self.past = self.past[1:]
            self._is_past_proved = True
            if len(self.past) < told:
                missing = self._unproved([*self.past, state])
        return missing

    def _unproved(self, states: Sequence[State]) -> list[Asked]:
        outsider = Outsider(self.panel, self.units, states, self.bounds)
        return unproved(outsider.state_all(), self.bounds.needed, self.clock)

    def _outsider(self, state: State) -> Outsider:
        return Outsider(self.panel, self.units, [*self.past, state], self.bounds)

    def _hidden(self, state: State, cells: Sequence[Cell]) -> State:
        labels = state.labels.copy()
        for _, unit, count in cells:
            labels[unit, count] = COMPLEMENT
        return state.labelled(with_parts(labels, state.values))

    def _all(self, state: State) -> State:
        return self._hidden(state, candidates(self._outsider(state)))
