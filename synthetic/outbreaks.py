"""Simulated counts with known outbreaks, to measure detectors by.

Three worlds. `weekly`: the 42 scenarios of Noufaily et al. 2013 (Stat Med 32:1206), with four old outbreaks
in the baseline and one in the last 49 weeks. `daily`: schools, our own, with small counts, weekdays, terms,
holidays. `campus`: the same days, schools by syndrome, with very small counts.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Noufaily et al. 2013, the seven parameter sets that cross with m = 0, 1, 2 and with trend or none.
_THETA = (0.1, -2.0, 1.5, 0.5, 2.5, 3.75, 5.0)
_BETA = (0.0025, 0.005, 0.003, 0.002, 0.001, 0.001, 0.0001)
_GAMMA1 = (0.6, 0.1, 0.2, 0.5, 1.0, 0.1, 0.05)
_GAMMA2 = (0.6, 0.3, -0.4, 0.5, 0.1, -0.1, 0.01)
_PHI = (1.5, 2.0, 1.0, 5.0, 3.0, 1.1, 1.2)
SCENARIOS = [(i, m, trend) for i in range(7) for m in (0, 1, 2) for trend in (0, 1)]
WEEKS, WATCHED_WEEKS = 624, 49


@dataclass
class World:
    """Counts of units × steps (rows may be NaN: closed), and which steps belong to a current outbreak."""

    counts: Array
    outbreak: NDArray[np.bool_]
    dates: list[dt.date]
    is_open: NDArray[np.bool_]
    first_watched: int
    mean: Array
    phi: Array


def _negative_binomial(rng: np.random.Generator, mean: Array, phi: Array) -> Array:
    phi = np.broadcast_to(phi, mean.shape)
    rate = np.where(phi > 1, rng.gamma(np.maximum(mean / np.maximum(phi - 1, 1e-9), 1e-12)) * (phi - 1), mean)
    return rng.poisson(rate).astype(float)


def weekly(seed: int, replicates: int = 10, sizes: tuple[float, ...] = (2, 3, 5, 10)) -> World:
    """Units are scenario × replicate; a current outbreak has Poisson(k · sd) cases, k drawn from `sizes`."""
    rng = np.random.default_rng(seed)
    scenario = np.repeat(np.arange(len(SCENARIOS)), replicates)
    i, m, trend = np.array(SCENARIOS)[scenario].T
    t = np.arange(1, WEEKS + 1)
    eta = np.array(_THETA)[i][:, None] + np.where(trend, np.array(_BETA)[i], 0.0)[:, None] * t
    for j in (1, 2):
        angle = 2 * np.pi * j * t / 52
        wave = np.array(_GAMMA1)[i][:, None] * np.cos(angle) + np.array(_GAMMA2)[i][:, None] * np.sin(angle)
        eta = eta + np.where(m >= j, 1.0, 0.0)[:, None] * wave
    mean, phi = np.exp(eta), np.array(_PHI)[i]
    counts = _negative_binomial(rng, mean, phi[:, None])
    outbreak = np.zeros(counts.shape, dtype=bool)
    first = WEEKS - WATCHED_WEEKS
    for unit in range(len(counts)):
        starts = [*rng.integers(312, first, 4), rng.integers(first, WEEKS - 6)]
        for number, start in enumerate(starts):
            size = rng.poisson(rng.choice(sizes) * np.sqrt(phi[unit] * mean[unit, start]))
            if number == 4:
                size = max(size, 2)
            week = start + np.floor(rng.lognormal(0.0, 0.5, size)).astype(int)
            week = week[week < WEEKS]
            np.add.at(counts[unit], week, 1)
            if number == 4:
                outbreak[unit, week.min() : week.max() + 1] = True
    monday = dt.date(2013, 1, 7)
    dates = [monday + dt.timedelta(days=7 * int(k)) for k in range(WEEKS)]
    return World(counts, outbreak, dates, np.ones(WEEKS, dtype=bool), first, mean, phi)


def school_days(start: dt.date, days: int) -> tuple[list[dt.date], NDArray[np.bool_]]:
    """A calendar like a city's: weekends, winter and summer holidays, two national weeks, single days."""
    dates = [start + dt.timedelta(days=k) for k in range(days)]

    def is_open(day: dt.date) -> bool:
        place = (day.month, day.day)
        closed = (
            day.weekday() >= 5
            or (1, 18) <= place <= (2, 20)
            or (7, 5) <= place <= (8, 31)
            or (10, 1) <= place <= (10, 7)
            or (5, 1) <= place <= (5, 4)
            or place in ((1, 1), (4, 5), (6, 10))
        )
        return not closed

    return dates, np.array([is_open(day) for day in dates])


def daily(
    seed: int,
    schools: int = 400,
    days: int = 730,
    *,
    strength: float = 1.0,
    log_mean: tuple[float, float] = (0.4, 0.9),
    shape: str = "mixed",
    outbreaks: bool = True,
    since: int = 0,
) -> World:
    """Schools over two years; the second is watched, with outbreaks of 3–8 open days about every 60 open
    days, the first of them at step `since` or later.

    An outbreak brings `strength` × (0.6 … 2) daily standard deviations (at least one case) on each of its
    days.
    """
    rng = np.random.default_rng(seed)
    dates, open_days = school_days(dt.date(2024, 9, 1), days)
    t = np.arange(days)
    level = rng.normal(*log_mean, schools)
    weekday = np.array([0.25, 0.05, 0.0, -0.1, -0.2, 0.0, 0.0]) + rng.normal(0, 0.1, (schools, 7))
    season = 0.35 * np.cos(2 * np.pi * (t - 130) / 365.25) + rng.normal(0, 0.15, (schools, 1)) * np.sin(
        2 * np.pi * t / 365.25
    )
    trend = rng.normal(0, 0.2, (schools, 1)) * (t / 365.25)
    day_of_week = np.array([d.weekday() for d in dates])
    after_gap = np.zeros(days)
    opened = np.flatnonzero(open_days)
    after_gap[opened[1:]] = np.where(np.diff(opened) > 4, 0.3, 0.0)
    mean = np.exp(level[:, None] + weekday[:, day_of_week] + season + trend + after_gap)
    phi = 1 + rng.gamma(2.0, 0.25, schools)
    counts = _negative_binomial(rng, mean, phi[:, None])
    outbreak = np.zeros(counts.shape, dtype=bool)
    first = days // 2
    for unit in range(schools if outbreaks else 0):
        # One outbreak in the first year goes unmarked: the past has them too.
        first_open = rng.integers(10, 60)
        position = first_open
        while position < len(opened) - 9:
            length = int(rng.integers(3, 9))
            where = opened[position : position + length]
            if shape == "mixed":
                curve = rng.choice([0, 1, 2])
                weights = [np.ones(length), np.arange(1, length + 1.0), np.exp(-0.5 * np.arange(length))][
                    curve
                ]
            else:
                weights = np.ones(length)
            sd = np.sqrt(phi[unit] * mean[unit, where].mean())
            total = max(3.0, strength * rng.uniform(0.6, 2.0) * sd * length)
            extra = rng.poisson(total * weights / weights.sum())
            if where[0] >= since:
                counts[unit, where] += extra
                outbreak[unit, where] = True
            position += int(rng.integers(40, 80))
    counts[:, ~open_days] = np.nan
    return World(counts, outbreak, dates, open_days, first, mean, phi)


def campus(seed: int, schools: int = 50, days: int = 730, *, outbreaks: bool = True) -> World:
    """Units are school × syndrome of four, with 0.02 to 2 cases a day; the second year is watched.

    An outbreak brings 4–16 cases that come over some five open days, once in 80–250 open days.
    """
    rng = np.random.default_rng(seed)
    dates, open_days = school_days(dt.date(2024, 9, 1), days)
    t = np.arange(days)
    rate, wave = np.array([0.6, 0.25, 0.12, 0.06]), np.array([0.6, 0.2, 0.3, 0.0])
    syndrome = np.tile(np.arange(4), schools)
    pupils = np.repeat(rng.lognormal(0.0, 0.6, schools), 4)
    level = np.log(pupils * rate[syndrome]) + rng.normal(0, 0.2, 4 * schools)
    weekday = np.array([0.3, 0.0, 0.0, -0.05, -0.2, 0.0, 0.0])[[d.weekday() for d in dates]]
    season = wave[syndrome][:, None] * np.cos(2 * np.pi * (t - 130) / 365.25)
    mean = np.exp(level[:, None] + season + weekday)
    phi = 1 + rng.gamma(1.5, 0.2, len(level))
    counts = _negative_binomial(rng, mean, phi[:, None])
    outbreak = np.zeros(counts.shape, dtype=bool)
    opened = np.flatnonzero(open_days)
    for unit in range(len(counts) if outbreaks else 0):
        position = int(rng.integers(10, 150))
        while position < len(opened) - 15:
            after = np.floor(rng.gamma(3.0, 1.3, int(rng.integers(4, 17)))).astype(int)
            after = np.minimum(after - after.min(), len(opened) - 1 - position)
            np.add.at(counts[unit], opened[position + after], 1)
            outbreak[unit, opened[position : position + after.max() + 1]] = True
            position += int(rng.integers(80, 250))
    counts[:, ~open_days] = np.nan
    return World(counts, outbreak, dates, open_days, days // 2, mean, phi)


def power(score: Array, world: World, rates: tuple[float, ...] = (0.01, 0.02, 0.05)) -> list[float]:
    """Share of outbreaks with a step above the threshold that `rate` of the quiet watched steps exceed."""
    watched = np.zeros(score.shape, dtype=bool)
    watched[:, world.first_watched :] = world.is_open[world.first_watched :]
    # Sums still remember an outbreak for some steps after it; those are neither quiet nor found.
    recent = world.outbreak.copy()
    for lag in range(1, 11):
        recent[:, lag:] |= world.outbreak[:, :-lag]
    quiet = score[watched & ~recent]
    filled = np.where(watched & ~np.isnan(score), score, -np.inf)
    found = []
    for rate in rates:
        threshold = np.quantile(quiet[~np.isnan(quiet)], 1 - rate)
        hits = total = 0
        for unit in range(len(score)):
            marks = world.outbreak[unit, world.first_watched :] & world.is_open[world.first_watched :]
            opened = np.flatnonzero(world.is_open[world.first_watched :])
            row = marks[opened]
            edges = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(int), [0]))))
            values = filled[unit, world.first_watched :][opened]
            for begin, end in zip(edges[::2], edges[1::2], strict=True):
                total += 1
                hits += bool((values[begin:end] > threshold).any())
        found.append(hits / total)
    return found
