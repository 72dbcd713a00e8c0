"""What one group of rows showed in one release: its exact counts, and why some of them are hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from jobs.publish.protect.rules import Form, Panel

# Units of a group beside its parts: their sum, and what it has beyond them (pupils of no known district).
WHOLE, REST = "=", "+"
# Why a cell is hidden. Shown cells have none; void and unavailable ones come so from the model.
SHOWN, SMALL, COMPLEMENT, UNTOLD = "", "k", "c", "-"
# Of a group that no choice of cells protects, such as many small parts of a small sum: nothing is told, not
# even which parts are of nobody.
WITHHELD = "w"

Counts = npt.NDArray[np.int64]
Labels = npt.NDArray[np.str_]


@dataclass(frozen=True)
class State:
    """Units × counts of a panel. `labels` says of each cell why it is hidden."""

    values: Counts
    labels: Labels

    @property
    def hidden(self) -> npt.NDArray[np.bool_]:
        return self.labels != SHOWN

    def labelled(self, labels: Labels) -> State:
        return replace(self, labels=labels)


@dataclass(frozen=True)
class Bounds:
    """What counts as small, in units of the column's last digit (`scale` units are one person)."""

    small: int
    width: int
    scale: int

    @property
    def most_small(self) -> int:
        return self.least_large - 1

    @property
    def least_large(self) -> int:
        """The least count that is not small: 10, or 9.5 where forecasts are rounded to persons."""
        return self.small * self.scale - self.scale // 2

    @property
    def needed(self) -> int:
        """How far the ends of an interval with `width` candidates are apart."""
        return (self.width - 1) * self.scale

    def least(self, form: Form) -> int:
        return max(0, form.least * self.scale - self.scale // 2)

    def is_small(self, form: Form, row: Counts) -> bool:
        """Whether a row tells of so few by this form; a row of nobody tells nothing."""
        value = int(np.dot(form.weights, row))
        return bool(row[0] > 0) and self.least(form) <= value <= self.most_small


def first_labels(panel: Panel, values: Counts, given: Labels, before: State | None, bounds: Bounds) -> Labels:
    """Why cells must be hidden before anything is worked out: they are small, or were hidden before."""
    labels = given.copy()
    if before is not None:
        kept = (labels == SHOWN) & ~np.isin(before.labels, (SHOWN, UNTOLD, WITHHELD))
        stays = (before.labels == COMPLEMENT) & (values >= bounds.least_large)
        labels[kept] = np.where(stays, COMPLEMENT, SMALL)[kept]
    for unit, row in enumerate(values):
        for form in panel.forms:
            if not bounds.is_small(form, row):
                continue
            # A step between two parts is hidden by either of them.
            told = [place for place, weight in enumerate(form.weights) if weight and place]
            is_told = len(told) < 2 or all(labels[unit, place] == SHOWN for place in told)
            if is_told and labels[unit, form.owner] in (SHOWN, COMPLEMENT):
                labels[unit, form.owner] = SMALL
    return with_parts(labels, values)


def with_parts(labels: Labels, values: Counts) -> Labels:
    """Hide the parts of a hidden whole too: a share and its part would give it back."""
    labels = labels.copy()
    for unit in range(len(labels)):
        if labels[unit, 0] not in (SHOWN, UNTOLD):
            shown = (labels[unit] == SHOWN) & (values[unit, 0] > 0)
            labels[unit, shown] = labels[unit, 0]
    return labels


def window(states: Sequence[State]) -> list[State]:
    """The states that tell of hidden cells: none before one that showed all, none that the next repeats."""
    kept: list[State] = []
    for state in states:
        if kept and _tells_the_same(kept[-1], state):
            kept.pop()
        if not state.hidden.any():
            kept.clear()
        kept.append(state)
    return kept


def _tells_the_same(one: State, other: State) -> bool:
    same = bool((one.labels == other.labels).all())
    return same and bool((one.values == other.values)[other.hidden].all())
