"""Sums of units drawn to the forecast of the level above, as far as that has erred less so far."""

from __future__ import annotations

import numpy as np

from jobs.decide.places.model.cells import Cells, of_group, sum_groups
from jobs.decide.places.model.intake import Above
from jobs.decide.places.panel import Bools, Floats

GRID = np.linspace(0, 1, 6)
# For so many years the sum of units is trusted; a longer lead is held to the share of the lead before.
OWN_YEARS, LEAD_BEFORE_YEARS = 1.0, 3.0
LARGEST_STEP = 0.5  # in logs


def drawn_to_above(forecast: Floats, cells: Cells, pupils: Floats, in_file: Bools, above: Above) -> Floats:
    """Forecasts [year, lead, unit, grade], each group's grade moved as one towards what the level above
    expects. How far is learned for each grade and lead from the errors of both up to the year; at first as
    far as cohorts change units: schools that take others' leavers cannot know how many there are."""
    years, horizon, _, grades = forecast.shape
    count = above.pupils.shape[1]
    sums = sum_groups(forecast, above.member, count)
    expected, came = above.level.forecast, np.log(np.maximum(above.pupils, 1e-9))
    both = (sums > 0) & (expected > 0)
    own = np.log(np.where(both, sums, 1.0))
    step = np.clip(np.log(np.where(both, expected, 1.0)) - own, -LARGEST_STEP, LARGEST_STEP)
    out = np.array(forecast)
    moving = _moving(cells, pupils, above)
    before, passing = np.zeros((years, grades)), np.zeros((years, grades))
    for h in range(horizon):
        passing[:, 1:] = passing[:, :-1]
        passing = moving + (1 - moving) * passing
        center = np.maximum(before, passing)
        loss = np.zeros((len(GRID), grades))
        for t in range(years):
            s = t - h - 1
            if s >= 0 and in_file[t] and in_file[s]:
                use = both[s, h] & (above.pupils[t] > 0)
                weight = np.where(use, above.pupils[t], 0)
                error = np.abs(own[s, h] + GRID[:, None, None] * step[s, h] - came[t])
                error = (error * weight).sum(1) / np.maximum(weight.sum(0), 1e-9)
                loss = 0.9 * loss + error / np.maximum(error.mean(0), 1e-9)
            held = OWN_YEARS if h == 0 else LEAD_BEFORE_YEARS
            share = GRID[np.argmin(loss + held * (GRID[:, None] - center[t]) ** 2, axis=0)]
            before[t] = share
            moved = np.exp(share * step[t, h])
            out[t, h] *= moved[above.member[t]]
    return out


def _moving(cells: Cells, pupils: Floats, above: Above) -> Floats:
    """The share of each grade that comes from other units of the group, [year, grade]."""
    fed_above = np.zeros(above.pupils.shape, dtype=bool)
    fed_above[..., 1:] = (above.pupils[..., :-1] > 0) & (above.pupils[..., 1:] > 0)
    changing = cells.intake & of_group(fed_above, above.member)
    share: Floats = (pupils * changing).sum(1) / np.maximum(pupils.sum(1), 1e-9)
    return share
