"""Growth of grades that are filled from outside the unit: by its own trend, the level above, and births."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobs.decide.places.model.births import Born, births_weight, entry_from_births
from jobs.decide.places.model.candidates import Candidate
from jobs.decide.places.model.cells import Cells, of_group
from jobs.decide.places.model.means import WEIGHT_CAP, discounted_mean
from jobs.decide.places.model.progression import LARGEST_LOG
from jobs.decide.places.panel import Bools, Floats, Ints

ENTRY_SIZE = 1000.0  # intakes below are mostly noise, above mostly trend
FOLLOW_YEARS = 1.0  # for so long, an intake is held to its own course, whatever the record says
LEAD_BEFORE_YEARS = 3.0  # and a longer lead to the share of the lead before


@dataclass(frozen=True)
class Level:
    """One level's forecast: pupils [year, lead, unit, grade], and where births predict its entrants."""

    forecast: Floats
    from_births: dict[int, Bools]  # of each grade that births predict, [year, lead, unit]


@dataclass(frozen=True)
class Above:
    """The level above: its pupils and forecast, and which of its members each unit belongs to."""

    pupils: Floats
    level: Level
    member: Ints


def intake_growth(
    pupils: Floats,
    cells: Cells,
    in_file: Bools,
    births: Born | None,
    s: Candidate,
    horizon: int,
    above: Above | None,
) -> tuple[Floats, dict[int, tuple[Floats, Bools]]]:
    """Log growth of grades filled from outside, [year, lead, unit, grade], and what births say of the growth
    of their grades, [year, lead, unit], and where."""
    years, units, grades = pupils.shape
    logs = np.log(np.maximum(pupils, 1e-9))
    large = pupils / (pupils + ENTRY_SIZE)
    small = 1 - large
    pull = s.entry_pull[0] * small + s.entry_pull[1] * large
    level = pull * (_smoothed_intake(logs, cells, s.entry_gain) - logs)
    change = np.full_like(logs, np.nan)
    both = cells.has_pupils[1:] & cells.has_pupils[:-1] & cells.consecutive[1:, None, None]
    change[1:] = np.where(both, logs[1:] - logs[:-1], np.nan)
    weight = pupils / (1 + pupils / WEIGHT_CAP)
    momentum = discounted_mean(change, weight, 0.6, 100.0 if above is not None else 0.0)
    momentum *= s.entry_trend[0] * small + s.entry_trend[1] * large
    growth = np.zeros((years, horizon, units, grades))
    followed, clear = np.zeros_like(growth), np.zeros(growth.shape, dtype=bool)
    for h in range(horizon):
        growth[:, h] = level + momentum * (s.entry_trend_damp ** np.arange(h + 1)).sum()
        if above is not None:
            ahead = above.level.forecast[:, h]
            known = (above.pupils > 0) & (ahead > 0)
            rise = np.where(known, np.log(np.maximum(ahead, 1e-9) / np.maximum(above.pupils, 1e-9)), 0)
            followed[:, h] = of_group(np.clip(rise, -LARGEST_LOG, LARGEST_LOG), above.member)
            clear[:, h] = of_group(known, above.member)
    if above is not None:
        over = of_group(np.log(np.maximum(above.pupils, 1e-9)), above.member)
        part = np.where(over > -20, logs - over, 0)
        steady = _smoothed_intake(part, cells, s.entry_gain) - part
        shared = steady[:, None] + followed
        growth += s.entry_above * np.clip(followed, -0.5, 0.5)
        growth = _following(growth, shared, clear, logs, cells, in_file)
    said = _of_births(logs, cells, births, above, followed)
    for grade, (born, good) in said.items():
        taken = good & cells.intake[:, None, :, grade]
        for h in range(horizon):
            trend = growth[:, h, :, grade]
            share = births_weight(
                logs[..., grade], trend, born[:, h], taken[:, h], pupils[..., grade], in_file, h + 1
            )[:, None]
            growth[:, h, :, grade] = np.where(taken[:, h], share * born[:, h] + (1 - share) * trend, trend)
    return np.clip(growth, -LARGEST_LOG, LARGEST_LOG), said


def _of_births(
    logs: Floats, cells: Cells, births: Born | None, above: Above | None, followed: Floats
) -> dict[int, tuple[Floats, Bools]]:
    """Log growth of each grade that births predict, [year, lead, unit], by the births of the unit or of the
    level above, and where it is known."""
    said: dict[int, tuple[Floats, Bools]] = {}
    for grade in sorted({*(births.lags if births else ()), *(above.level.from_births if above else ())}):
        born, good = followed[..., grade], np.zeros(followed.shape[:3], dtype=bool)
        if above is not None and grade in above.level.from_births:
            good = of_group(above.level.from_births[grade].swapaxes(1, 2), above.member).swapaxes(1, 2)
        if births is not None and grade in births.lags:
            entrants = np.where(cells.has_pupils[..., grade], logs[..., grade], np.nan)
            own, known = entry_from_births(entrants, births, grade, cells.consecutive, followed.shape[1])
            born, good = np.where(known, own, born), known | good
        if good.any():
            said[grade] = born, good
    return said


def _smoothed_intake(logs: Floats, cells: Cells, gain: float) -> Floats:
    """Smoothed log intake. It restarts after a gap, because another set of pupils may be counted there."""
    out, level = np.array(logs), np.array(logs[0])
    for t in range(1, len(logs)):
        known = cells.has_pupils[t] & cells.has_pupils[t - 1] & cells.consecutive[t]
        level = np.where(known, level + gain * (logs[t] - level), logs[t])
        out[t] = level
    return out


def _following(
    own: Floats, shared: Floats, known: Bools, logs: Floats, cells: Cells, in_file: Bools
) -> Floats:
    """Growth of intakes, [year, lead, unit, grade]: a unit's own course, and its share of the level above
    (where `known`), mixed as would have erred least so far, each grade and lead for itself over all units.
    Schools that take the leavers of others follow their district's cohorts; others follow themselves."""
    years, horizon, _, grades = own.shape
    grid = np.linspace(0, 1, 6)
    out = np.array(own)
    before = np.zeros((years, grades))  # the share at the lead before
    for h in range(horizon):
        loss, record = np.zeros((len(grid), grades)), np.zeros(grades)
        for t in range(years):
            s = t - h - 1
            if s >= 0 and in_file[t] and in_file[s]:
                unit, grade = np.nonzero(known[s, h] & cells.intake[s] & cells.has_pupils[t])
                if len(unit):
                    size = np.exp(logs[s, unit, grade])
                    weight = size / (size + 100)
                    change = logs[t, unit, grade] - logs[s, unit, grade]
                    a, b = own[s, h, unit, grade], shared[s, h, unit, grade]
                    count = np.bincount(grade, minlength=grades)
                    error = np.stack(
                        [np.bincount(grade, weight * np.abs(change - a - w * (b - a)), grades) for w in grid]
                    )
                    belief = count / (count + 10)
                    loss = 0.9 * loss + belief * error / np.maximum(error.mean(0), 1e-9)
                    record = 0.9 * record + belief
            held = FOLLOW_YEARS * (1 if h == 0 else LEAD_BEFORE_YEARS) * (grid[:, None] - before[t]) ** 2
            share = np.where(record > 0, grid[np.argmin(loss + held, axis=0)], before[t])
            before[t] = share
            mixed = own[t, h] + share * (shared[t, h] - own[t, h])
            out[t, h] = np.where(known[t, h], mixed, own[t, h])
    return out
