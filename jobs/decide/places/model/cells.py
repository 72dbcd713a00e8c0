"""The state of each grade of each unit in each year, and sums over groups of units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.decide.places.panel import Bools, Floats, Ints


@dataclass(frozen=True)
class Cells:
    """The state of each grade of each unit in each year, [year, unit, grade]."""

    has_pupils: Bools
    has_lower: Bools  # the grade below has pupils
    consecutive: Bools  # [year] this year and the one before are in the file
    intake: Bools  # pupils come from outside the unit
    fading: Bools  # the lowest grade left, whose feeding grade went last year

    @classmethod
    def of(cls, pupils: Floats, in_file: Bools) -> Cells:
        has_pupils = pupils > 0
        has_lower = np.zeros_like(has_pupils)
        has_lower[..., 1:] = has_pupils[..., :-1]
        consecutive = np.zeros(len(in_file), dtype=bool)
        consecutive[1:] = in_file[1:] & in_file[:-1]
        had_lower = np.zeros_like(has_pupils)
        had_lower[1:] = has_lower[:-1] & consecutive[1:, None, None]
        any_lower: Bools = np.cumsum(has_pupils, axis=2) > has_pupils
        fading = has_pupils & ~has_lower & had_lower & ~any_lower
        return cls(has_pupils, has_lower, consecutive, has_pupils & ~has_lower & ~fading, fading)


def sum_groups(values: Floats, group: Ints, count: int) -> Floats:
    """Sums over units, [year, …, unit, grade] → [year, …, group, grade], by `group` [year, unit]."""
    out = np.zeros((*values.shape[:-2], count, values.shape[-1]))
    for t in range(len(values)):
        order = np.argsort(group[t], kind="stable")
        ordered = group[t][order]
        starts = np.flatnonzero(np.diff(ordered, prepend=-1))
        out[t][..., ordered[starts], :] = np.add.reduceat(values[t][..., order, :], starts, axis=-2)
    return out


def of_group(values: NDArray[Any], group: Ints) -> NDArray[Any]:
    """The group's value for each unit, [year, group, …] → [year, unit, …]."""
    return np.stack([values[t][group[t]] for t in range(len(values))])
