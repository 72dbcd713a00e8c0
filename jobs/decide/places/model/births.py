"""Entrants of later years as births predict them, and the weight that this prediction gets."""

from __future__ import annotations

import numpy as np

from jobs.decide.places.model.means import discounted_mean
from jobs.decide.places.panel import BIRTH_LOOKBACK, Bools, Floats

BIRTH_DECAY = 0.4  # short memory for entrants per birth, so that a break is forgotten in three years
BIRTH_WEIGHT = 0.7  # share of the births' answer until the data say otherwise
BIRTH_WEIGHT_YEARS = 3.0
LATE_BIRTH_SHARES = (
    1 / 3,
    0.0,
    1 / 2,
)  # of entrants born a calendar year earlier; a September start gives a third


def _carried(births: Floats) -> Floats:
    """Births with up to three missing years filled from the last known one."""
    out = np.array(births)
    for t in range(1, len(out)):
        out[t] = np.where(np.isfinite(out[t]), out[t], out[t - 1])
    for t in range(len(out)):
        known = np.isfinite(births[max(0, t - 3) : t + 1]).any(0)
        out[t] = np.where(known, out[t], np.nan)
    return out


def entry_from_births(
    logs: Floats, births: Floats, consecutive: Bools, entry_lag: int, horizon: int
) -> tuple[Floats, Bools]:
    """Log growth of the lowest grade, [year, lead, unit], by entrants per birth smoothed over recent years,
    and where it is known. Births after year t are never read; beyond the lag the last known ones are used."""
    years, units = logs.shape
    finite = np.isfinite(logs)
    # Across a gap another set of pupils may be counted: each run of years has its own ratio.
    runs = np.split(np.arange(years), np.flatnonzero(~consecutive))
    carried = _carried(births)
    options, losses = [], np.zeros((len(LATE_BIRTH_SHARES), years))
    for k, late in enumerate(LATE_BIRTH_SHARES):

        def born(source: Floats, t: int, late: float = late) -> Floats:
            at = t + BIRTH_LOOKBACK - entry_lag
            mixed: Floats = (1 - late) * source[at] + late * source[at - 1]
            return np.log(np.where(mixed > 0, mixed, np.nan))

        ratio = np.where(finite, logs - np.stack([born(births, t) for t in range(years)]), np.nan)
        level, known = np.zeros_like(ratio), np.zeros(ratio.shape, dtype=bool)
        for run in runs:
            level[run] = discounted_mean(ratio[run], np.ones_like(ratio[run]), BIRTH_DECAY, 0)
            known[run] = np.cumsum(np.isfinite(ratio[run]), axis=0) >= 2
        growth = np.full((years, horizon, units), np.nan)
        for t in range(years):
            for h in range(horizon):
                growth[t, h] = level[t] + born(carried, t + min(h + 1, entry_lag)) - logs[t]
        options.append(np.where(known[:, None], growth, np.nan))
        change = np.where(consecutive[1:, None], np.abs(np.diff(ratio, axis=0)), np.nan)
        losses[k, 1:] = np.nancumsum(np.where(np.isfinite(change), change, 0).sum(1))
    best = np.argmin(losses, axis=0)
    chosen = np.stack([options[best[t]][t] for t in range(years)])
    good = np.isfinite(chosen)
    return np.where(good, np.clip(chosen, -0.7, 0.7), 0), good


def births_weight(
    logs: Floats, trend: Floats, born: Floats, good: Bools, pupils: Floats, in_file: Bools, lead: int
) -> Floats:
    """Weight of the births' prediction in each year: the one with the least error so far. It starts from
    BIRTH_WEIGHT, as if that had been right for a few years."""
    grid = np.linspace(0, 1, 11)
    out = np.full(len(logs), BIRTH_WEIGHT)
    loss, years = np.zeros(len(grid)), 0.0
    for t in range(lead, len(logs)):
        s = t - lead
        use = good[s] & (pupils[t] > 0) & (pupils[s] > 0)
        if in_file[t] and in_file[s] and use.any():
            weight = pupils[s][use] / (pupils[s][use] + 100)
            guess = born[s][use][:, None] * grid + trend[s][use][:, None] * (1 - grid)
            error = (np.abs((logs[t] - logs[s])[use][:, None] - guess) * weight[:, None]).sum(0)
            share = use.sum() / (use.sum() + 5)
            loss = 0.9 * loss + share * error / max(error.mean(), 1e-9)
            years = 0.9 * years + share
        if years:
            out[t] = grid[np.argmin(loss + BIRTH_WEIGHT_YEARS * (grid - BIRTH_WEIGHT) ** 2)]
    return out
