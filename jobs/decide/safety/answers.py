"""What every detector answers, and the normal scale that p-values are shown on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass
class Detection:
    """One answer per unit and step; NaN where none can be given. `alarm` is 0, 1 or NaN."""

    expected: Array
    upper_bound: Array
    p_value: Array
    score: Array
    alarm: Array

    @classmethod
    def blank(cls, shape: tuple[int, ...]) -> Detection:
        """No answer for any unit and step."""
        return cls(*(np.full(shape, np.nan) for _ in range(5)))


# The same as in scipy.stats, whose import takes a process longer than judging a series.
def normal_tail(score: Any) -> Any:
    """The chance that a standard normal value is higher than `score`."""
    return special.ndtr(-score)


def normal_limit(chance: Any) -> Any:
    """The score that a standard normal value exceeds with this chance."""
    return 0.0 - special.ndtri(chance)


def normal_score(p_value: Array) -> Array:
    """A p-value on the normal scale: 0 is a middling day, 3 is one in 741. Kept within ±37: beyond, p
    underflows."""
    return np.clip(normal_limit(p_value), -37.0, 37.0)
