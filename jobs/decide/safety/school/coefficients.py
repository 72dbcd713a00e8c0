"""Weekday, reopening, season and trend of each unit, shrunk towards the other units by empirical Bayes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.decide.safety.answers import Array

SEASON_YEARS = 0.95
# Log means are kept within this, so that a wild step of the fit cannot overflow.
_WIDEST = 20.0


@dataclass(frozen=True)
class Axis:
    """The steps that all units share: years since the first step, weekday (None for weekly series), and
    whether a step is one of the first after a holiday."""

    years: Array
    weekday: NDArray[np.int64] | None
    reopening: NDArray[np.bool_]


@dataclass
class _Prior:
    """Normal prior of the coefficients."""

    mean: Array
    variance: Array


class Coefficients:
    """Log mean of each unit on common regressors, with a normal prior learnt from all units."""

    def __init__(self, units: int, axis: Axis) -> None:
        angle = 2 * np.pi * axis.years
        columns = [np.ones_like(angle), axis.years]
        variance = [4.0, 0.02]
        columns += [f(k * angle) for k in (1, 2) for f in (np.cos, np.sin)]
        variance += [0.05, 0.05, 0.02, 0.02]
        if axis.weekday is not None:
            days = np.unique(axis.weekday)
            # Deviations from the mean weekday, so that no day is the reference that the others shrink to.
            columns += [(axis.weekday == day) - 1 / len(days) for day in days[1:]]
            variance += [0.03] * (len(days) - 1)
            columns.append(axis.reopening.astype(float))
            variance.append(0.03)
        self.design = np.column_stack(columns)
        self.years = axis.years
        self.default = np.array(variance)
        self.prior = _Prior(np.zeros(len(variance)), self.default.copy())
        self.beta = np.zeros((units, len(variance)))
        self.covariance: NDArray[np.floating] = np.zeros((units, len(variance), len(variance)))

    def fit(self, counts: Array, seen: Array, weight: Array, phi: Array, kept: Array, until: int) -> None:
        """Two Newton steps from the last fit on steps before `until`, then the prior from all units."""
        x = self._rows(0, until, until)
        history = self.years[until - 1] - self.years[0]
        prior_mean, prior_variance = self.prior.mean.copy(), self.prior.variance.copy()
        # Season and trend are not told apart before; until then the levels follow both.
        if history < SEASON_YEARS:
            prior_mean[1:6], prior_variance[1:6] = 0.0, 1e-6
        size = x.shape[1]
        squares = (x[:, :, None] * x[:, None, :]).reshape(until, size * size)
        information = seen[:, :until] * weight[:, :until] / phi[:, None]
        y = np.where(seen[:, :until] > 0, counts[:, :until], 0.0)
        if not self.beta.any():
            self.beta[:, 0] = np.log((y.sum(axis=1) + 0.5) / (seen[:, :until].sum(axis=1) + 1.0))
            self.prior.mean[0] = prior_mean[0] = self.beta[:, 0].mean()
        for _ in range(2):
            mean = np.exp(np.clip(self.beta @ x.T, -_WIDEST, _WIDEST)) * kept[:, :until]
            gradient = (information * (y - mean)) @ x - (self.beta - prior_mean) / prior_variance
            hessian = ((information * mean) @ squares).reshape(-1, size, size) + np.diag(1 / prior_variance)
            step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
            self.beta += np.clip(step, -1.5, 1.5)
        self.covariance = np.linalg.inv(hessian)
        spread = np.einsum("upp->up", self.covariance)
        units = len(self.beta)
        centre = self.beta.sum(axis=0) / (units + 2.0)
        centre[0] = self.beta[:, 0].mean()
        variance = (((self.beta - centre) ** 2 + spread).sum(axis=0) + 5 * self.default) / (units + 5)
        learnt = prior_variance > 1e-5
        self.prior.mean = np.where(learnt, centre, 0.0)
        self.prior.variance = np.where(learnt, np.maximum(variance, 1e-4), self.default)

    def _rows(self, begin: int, end: int, now: int) -> Array:
        x = self.design[begin:end].copy()
        x[:, 1] -= self.years[now - 1]
        return x

    def predict(self, begin: int, end: int, now: int) -> Array:
        """Mean of steps begin … end, by the coefficients fitted before `now`."""
        return np.exp(np.clip(self.beta @ self._rows(begin, end, now).T, -_WIDEST, _WIDEST))

    def doubt(self, begin: int, end: int, now: int) -> Array:
        """Relative variance of those means that the coefficients' uncertainty leaves."""
        x = self._rows(begin, end, now)
        return ((self.covariance @ x.T) * x.T).sum(axis=1)
