"""Batches of quasi-Poisson fits with log link, iterated as R's `glm.fit` does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.decide.safety.answers import Array, Labels

# R's double epsilon: the least mean that its log link hands back.
LEAST_MEAN = float(np.finfo(float).eps)
# glm.control: relative change of the deviance, and the number of iterations.
_TOLERANCE, _ITERATIONS = 1e-8, 25


@dataclass
class Fit:
    """A batch of quasi-Poisson fits with log link: season levels and, where `has_trend`, one slope."""

    ok: NDArray[np.bool_]
    level: Array  # batch × season
    slope: Array
    mean: Array  # batch × step
    leverage: Array
    working: Array
    season_weight: Array
    season_time: Array
    time_spread: Array
    freedom: Array


class _Seasons:
    """Sums within the seasons of each fit, and back from a season to its steps."""

    def __init__(self, cell: Labels, batch: int, seasons: int) -> None:
        self.flat, self.batch, self.seasons, self.shape = cell.ravel(), batch, seasons, cell.shape

    def sums(self, values: Array) -> Array:
        """[batch, step] → [batch, season]."""
        cells = self.batch * self.seasons
        sums: Array = np.bincount(self.flat, weights=values.ravel(), minlength=cells).astype(float)
        return sums.reshape(self.batch, self.seasons)

    def spread(self, values: Array) -> Array:
        """[batch, season] → [batch, step]."""
        return values.ravel()[self.flat].reshape(self.shape)


class _Deviance:
    """Poisson deviance of each fit, given its means."""

    def __init__(self, y: Array, prior: Array) -> None:
        self.y, self.prior, self.positive = y, prior, y > 0
        self.y_log_y = np.where(self.positive, y * np.log(np.where(self.positive, y, 1.0)), 0.0)

    def __call__(self, mean: Array) -> Array:
        terms = np.where(self.positive, self.y_log_y - self.y * np.log(mean) - (self.y - mean), mean)
        return 2 * (self.prior * terms).sum(axis=1)


@dataclass
class _Step:
    """One weighted least-squares step: the new coefficients and what they were solved from."""

    level: Array
    slope: Array
    total: Array
    mean_t: Array
    s_tt: Array
    weight: Array


def _solve(z: Array, weight: Array, time: Array, by_season: _Seasons, has_trend: NDArray[np.bool_]) -> _Step:
    """The season factor is taken out by weighted means within seasons, so a step is a handful of sums."""
    total = by_season.sums(weight)
    safe = np.where(total > 0, total, 1.0)
    mean_z, mean_t = by_season.sums(weight * z) / safe, by_season.sums(weight * time) / safe
    dev_t = time - by_season.spread(mean_t)
    s_tt = (weight * dev_t**2).sum(axis=1)
    s_tz = (weight * dev_t * (z - by_season.spread(mean_z))).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(has_trend, s_tz / s_tt, 0.0)
    return _Step(mean_z - slope[:, None] * mean_t, slope, total, mean_t, s_tt, weight)


def fit_quasi_poisson(
    y: Array, time: Array, cell: Labels, seasons: int, prior: Array, has_trend: NDArray[np.bool_]
) -> Fit:
    """Iterate as R's `glm.fit` does, with its start, its test of convergence and its 25 iterations."""
    batch, _ = y.shape
    by_season, deviance, used = _Seasons(cell, batch, seasons), _Deviance(y, prior), prior > 0
    mean = np.where(used, y + 0.1, 1.0)
    eta = np.log(mean)
    previous = deviance(mean)
    active = np.ones(batch, dtype=bool)
    ok = np.zeros(batch, dtype=bool)
    level, season_weight, season_time = (np.zeros((batch, seasons)) for _ in range(3))
    slope, time_spread = np.zeros(batch), np.full(batch, np.inf)
    working = np.zeros_like(y)
    for _ in range(_ITERATIONS):
        step = _solve(eta + (y - mean) / mean, prior * mean, time, by_season, has_trend)
        new_eta = by_season.spread(step.level) + step.slope[:, None] * time
        new_mean = np.where(used, np.maximum(np.exp(np.minimum(new_eta, 700.0)), LEAST_MEAN), 1.0)
        now = deviance(new_mean)
        # A fit that has converged keeps what it has.
        move = active[:, None]
        level, slope = np.where(move, step.level, level), np.where(active, step.slope, slope)
        season_weight = np.where(move, step.total, season_weight)
        season_time = np.where(move, step.mean_t, season_time)
        time_spread = np.where(active & has_trend, step.s_tt, time_spread)
        working = np.where(move, step.weight, working)
        eta, mean = np.where(move & used, new_eta, eta), np.where(move, new_mean, mean)
        with np.errstate(invalid="ignore"):
            done = np.abs(now - previous) / (np.abs(now) + 0.1) < _TOLERANCE
        ok |= active & done
        active &= ~done & np.isfinite(now)
        previous = now
        if not active.any():
            break
    safe = np.where(season_weight > 0, season_weight, np.inf)
    spread_of_time = (time - by_season.spread(season_time)) ** 2 / time_spread[:, None]
    leverage = working * (by_season.spread(1 / safe) + spread_of_time)
    freedom = (used.sum(axis=1) - (season_weight > 0).sum(axis=1) - has_trend).astype(float)
    return Fit(*(ok, level, slope, mean, leverage, working, season_weight, season_time, time_spread, freedom))
