"""How much of a forecast change comes true: learned by lead and size of unit from past origins.

Forecast changes overshoot, the more the further ahead and the smaller the unit. What is left of a change of
log x is b·x. b is the share that would have erred least over the file's own past, held to a first guess.
"""

from __future__ import annotations

import numpy as np

from jobs.decide.places.panel import Bools, Floats, Ints

GRID = np.linspace(0, 1, 21)
MIN_PUPILS = 50  # errors are counted as the protocol counts them
MEMORY = 0.9
CLASSES = 3  # of size, each with a share of its own, where a year has so many units:
UNITS_FOR_CLASSES = 100
# The first guess a year: of large units, and how much less it is of small ones (half of it at so many
# pupils). Where births are known, a change is believed until the record says otherwise.
LARGE, LESS_IF_SMALL, SMALL_PUPILS = 0.975, 0.075, 500.0
HELD_YEARS = 2.0  # times the lead: overlapping targets repeat each other


def believed(points: Floats, pupils: Floats, in_file: Bools, has_births: bool) -> Floats:
    """Points [year, lead, unit, grade] with each unit's change drawn in, all its grades alike.

    A unit that opens or loses grades keeps its change: that is no drift. `pupils` [year, unit, grade]."""
    totals, ahead = pupils.sum(2), points.sum(3)
    years, horizon, units = ahead.shape
    groups = _size_groups(totals)
    guess = _first_guess(totals, groups, has_births)
    same = ((points > 0) == (pupils > 0)[:, None]).all(3) & (totals > 0)[:, None] & (ahead > 0)
    change = np.where(same, np.log(np.where(same, ahead, 1) / np.where(same, totals[:, None], 1)), 0.0)
    share = np.ones((years, horizon, units))
    for h in range(horizon):
        loss = np.zeros((CLASSES, len(GRID)))
        for t in range(years):
            s = t - h - 1
            loss *= MEMORY
            if s >= 1 and in_file[t] and in_file[s] and in_file[s - 1]:
                use = same[s, h] & (totals[t] >= MIN_PUPILS)
                came = np.log(np.where(use, totals[t], 1) / np.where(use, totals[s], 1))
                for k in range(CLASSES):
                    mine = use & (groups[s] == k)
                    loss[k] += _loss(came[mine], change[s, h, mine])
            held = HELD_YEARS * (h + 1) * (GRID - guess[t, :, None] ** (h + 1)) ** 2
            share[t, h] = GRID[np.argmin(loss + held, axis=1)][groups[t]]
    return points * np.exp((share - 1) * change)[..., None]


def _loss(came: Floats, change: Floats) -> Floats:
    """Mean error of a year for each share of GRID, over their mean; a few units say less."""
    if not len(came):
        return np.zeros(len(GRID))
    error = np.minimum(np.abs(came[:, None] - GRID * change[:, None]), 1.0).mean(0)
    loss: Floats = len(came) / (len(came) + 5) * error / max(error.mean(), 1e-9)
    return loss


def _size_groups(totals: Floats) -> Ints:
    """Small, middling and large units of each year, [year, unit]; all alike where a year has few units."""
    out = np.zeros(totals.shape, dtype=np.int64)
    for t, now in enumerate(totals):
        if (now >= MIN_PUPILS).sum() >= UNITS_FOR_CLASSES:
            bounds = np.quantile(now[now >= MIN_PUPILS], np.arange(1, CLASSES) / CLASSES)
            out[t] = np.searchsorted(bounds, now)
    return out


def _first_guess(totals: Floats, groups: Ints, has_births: bool) -> Floats:
    """The share believed before anything is on record, a year, [year, class], by the median size there."""
    out = np.ones((len(totals), CLASSES))
    for t, now in enumerate(totals if not has_births else ()):
        for k in range(CLASSES):
            mine = now[(groups[t] == k) & (now > 0)]
            if len(mine):
                size = float(np.median(mine))
                out[t, k] = LARGE - LESS_IF_SMALL * SMALL_PUPILS / (size + SMALL_PUPILS)
    return out
