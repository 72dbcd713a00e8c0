"""How an error grows with the lead: cohorts that exist already stay known, entrants do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jobs.decide.places.panel import Floats

LASTING = 0.3  # of the variance of a year's surprise in a ratio stays for the years after
COMMON = 0.25  # of it is common to all grades


def step_errors(pupils: Floats, spans: Sequence[Sequence[int]], step: Floats) -> Floats:
    """The usual error that the steps from grade to grade alone would bring, [lead, grades and spans].

    `pupils` [lead, grade] expected of the whole system; `step` [grade] usual error of one step into a grade.
    A cohort that exists has only the steps since then behind it; one that enters later, its entry."""
    horizon, grades = pupils.shape
    groups = [*([g] for g in range(grades)), *spans]
    fed = np.zeros(grades, dtype=bool)
    fed[1:] = (pupils[:, :-1] > 0).all(0)
    return np.array([[_spread(pupils[h], list(g), h + 1, fed, step) for g in groups] for h in range(horizon)])


def _spread(pupils: Floats, group: list[int], lead: int, fed: np.ndarray, step: Floats) -> float:
    """Standard deviation of the log sum of a group of grades, `lead` years ahead."""
    whole = pupils[group].sum()
    if whole <= 0:
        return 0.0
    # [step into a grade, lead at which it is taken]: the share of the group's pupils that take it.
    taken = np.zeros((len(pupils), lead + 1))
    for grade in group:
        share, at, year = pupils[grade] / whole, grade, lead
        while year >= 1:
            taken[at, year] += share
            if not fed[at]:
                break
            at, year = at - 1, year - 1
    weighed = taken * step[:, None]
    # A surprise of lead l that lasts acts on every step of its grade from l on.
    lasting = np.cumsum(weighed[:, ::-1], axis=1)[:, ::-1][:, 1:]
    passing = weighed[:, 1:]

    def variance(of_step: Floats) -> float:
        own, common = (of_step**2).sum(), (of_step.sum(0) ** 2).sum()
        return float((1 - COMMON) * own + COMMON * common)

    return float(np.sqrt((1 - LASTING) * variance(passing) + LASTING * variance(lasting)))
