"""Units that gain or lose grades: how newly opened grades, and grades that fade out, have fared."""

from __future__ import annotations

import numpy as np

from jobs.decide.places.model.cells import Cells
from jobs.decide.places.panel import Floats, Ints


class Spans:
    """How grades above the top one, and grades without a feeder, have fared in all units; older years less.
    Kinds of grade below an empty one: 0 was there last year, 1 is new, 2 unknown (no last year)."""

    def __init__(self, grades: int) -> None:
        self.arrived, self.below, self.opened, self.cells = (np.zeros((3, grades)) for _ in range(4))
        self.teaching, self.going_on = np.zeros(grades), np.zeros(grades)
        self.left, self.had = 0.0, 0.0

    @staticmethod
    def kinds(cells: Cells, t: int) -> Ints:
        if not cells.consecutive[t]:
            return np.full(cells.has_pupils.shape[1:], 2)
        return np.where(cells.has_lower[t - 1], 0, 1)

    def learn(self, pupils: Floats, cells: Cells, t: int) -> None:
        """Take in what happened between t − 1 and t."""
        for table in (self.arrived, self.below, self.opened, self.cells, self.teaching, self.going_on):
            table *= 0.85
        living = (pupils[t].sum(1) > 0)[:, None]
        empty = cells.has_lower[t - 1] & ~cells.has_pupils[t - 1] & living
        lower = np.zeros_like(pupils[t])
        lower[:, 1:] = pupils[t - 1][:, :-1]
        kinds = self.kinds(cells, t - 1)
        for kind in range(3):
            mine = empty & (kinds == kind)
            self.arrived[kind] += np.where(mine, pupils[t], 0).sum(0)
            self.below[kind] += np.where(mine, lower, 0).sum(0)
            self.opened[kind] += (mine & cells.has_pupils[t]).sum(0)
            self.cells[kind] += mine.sum(0)
        self.teaching += cells.has_lower[t].sum(0)
        self.going_on += (cells.has_lower[t] & cells.has_pupils[t]).sum(0)
        fading = cells.fading[t - 1] & living
        self.left = 0.85 * self.left + float(pupils[t][fading].sum())
        self.had = 0.85 * self.had + float(pupils[t - 1][fading].sum())

    def opening_ratios(self) -> Floats:
        """Pupils of a newly opened grade per pupil of the grade below, [kind, grade]; 0 where more units than
        not stop there."""
        overall = (self.opened.sum(1, keepdims=True) + 0.5) / (self.cells.sum(1, keepdims=True) + 1)
        # A new unit stops where others do: a new kindergarten opens no primary.
        usual = np.minimum(overall, (self.going_on + 0.5) / (self.teaching + 1))
        chance = (self.opened + 5 * usual) / (self.cells + 5)
        below = self.below.sum(1, keepdims=True)
        mean = np.where(below > 0, self.arrived.sum(1, keepdims=True) / np.maximum(below, 1e-9), 0)
        expected = (self.arrived + 2000 * mean) / (self.below + 2000)
        return np.where(chance > 0.5, expected / np.maximum(chance, 0.5), 0)

    def fading_share(self) -> float:
        return (self.left + 30) / (self.had + 100)
