"""What evidence looks like on quiet days, by simulation: one level then holds for small and large schools."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from jobs.decide.safety.answers import Array, normal_limit
from jobs.decide.safety.school.evidence import (
    DAILY_RECENT,
    DAILY_WINDOWS,
    WEEKLY_RECENT,
    WEEKLY_WINDOWS,
    as_news,
    capped_counts,
    outbreak_weights,
    recent_high,
    tail_score,
    window_sums,
)

# Distances at which days are compared to see how far they err together.
NEIGHBORS = (1, 2, 3, 4)
_LOG_MEANS = np.arange(np.log(0.01), np.log(300.0), 0.4)
_LOG_PHIS = np.log([1.0, 1.15, 1.35, 1.6, 2.0, 2.7, 4.0, 7.0, 14.0])
_TABLE_STEPS = 40_000
_LEVELS = normal_limit(np.concatenate([np.linspace(0.995, 0.1, 60), np.geomspace(0.09, 0.002, 30)]))


class Calibration:
    """Turns a joined score, as news, into a normal score. Quiet steps are simulated for each cell of (mean,
    dispersion) when it is first needed. `recent`: how many steps back a score is no news."""

    def __init__(self, windows: dict[int, float], recent: int) -> None:
        self.windows, self.recent = windows, recent
        self.cells: dict[tuple[int, int], Array] = {}
        self.losses: dict[tuple[int, int], Array] = {}

    @staticmethod
    def _quiet_steps(cell: tuple[int, int]) -> tuple[Array, float, float]:
        # The cell is its own seed: the same answer whichever cells were met before.
        rng = np.random.default_rng((20261124, *cell))
        mean, phi = float(np.exp(_LOG_MEANS[cell[0]])), float(np.exp(_LOG_PHIS[cell[1]]))
        rate = rng.gamma(mean / (phi - 1), phi - 1, _TABLE_STEPS) if phi > 1 else np.full(_TABLE_STEPS, mean)
        return rng.poisson(rate).astype(float)[None], mean, phi

    def _quantiles(self, cell: tuple[int, int]) -> Array:
        if cell not in self.cells:
            y, mean, phi = self._quiet_steps(cell)
            capped = capped_counts(y, np.array(mean), np.array(phi))
            total = np.zeros(y.shape)
            for steps, weight in self.windows.items():
                sums = (y + window_sums(capped, steps) - capped).astype(int)
                score = tail_score(np.arange(sums.max() + 1.0), np.array(mean * steps), np.array(phi))
                total += weight * score[sums]
            recent = recent_high(total, np.ones(total.shape, dtype=bool), self.recent)
            news = as_news(total, recent, y > mean)
            quantiles = np.quantile(news[0, max(self.windows) + self.recent :], special.ndtr(_LEVELS))
            # np.interp needs rising abscissae; sparse units have long ties.
            self.cells[cell] = np.maximum.accumulate(quantiles + 1e-9 * np.arange(len(quantiles)))
        return self.cells[cell]

    def _loss(self, cell: tuple[int, int]) -> Array:
        if cell not in self.losses:
            quiet, mean, phi = self._quiet_steps(cell)
            kept, variance, neighbors, removed = self._cleaned(quiet, mean, phi)
            sick = quiet + self._outbreaks(cell, np.sqrt(phi * mean))
            kept_sick, variance_sick, _, removed_sick = self._cleaned(sick, mean, phi)
            more = max(removed_sick - removed, 1e-9)
            left = ((kept_sick / kept - 1) / more, (variance_sick / variance - 1) / more)
            self.losses[cell] = np.array([kept, variance, neighbors, removed, *left])
        return self.losses[cell]

    def _cleaned(self, y: Array, mean: float, phi: float) -> tuple[float, float, float, float]:
        """What stays after weighting down: shares of mean and variance, covariance of neighbors, and the
        deviations removed."""
        weight = outbreak_weights(y, np.full(y.shape, mean), np.array(phi), self.windows)
        error, amount = y - mean, weight.mean() * mean
        r = weight * error
        neighbors = sum(float((r[:, lag:] * r[:, :-lag]).mean()) for lag in NEIGHBORS)
        return (
            float((weight * y).mean() / amount),
            float((r * error).mean() / (amount * phi)),
            neighbors / (mean * phi),
            float((error - r).mean() / np.sqrt(phi * mean)),
        )

    @staticmethod
    def _outbreaks(cell: tuple[int, int], deviation: float) -> Array:
        """Cases of past outbreaks: one about every 60 steps, 3 to 8 steps long, with 0.6 to 2 deviations a
        step."""
        rng = np.random.default_rng((20261125, *cell))
        starts = np.cumsum(rng.integers(40, 80, _TABLE_STEPS // 60))
        lengths = rng.integers(3, 9, len(starts))
        sizes = np.maximum(3.0, lengths * deviation * rng.uniform(0.6, 2.0, len(starts)))
        each = np.repeat(sizes / lengths, lengths)
        steps = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        extra = np.zeros((1, _TABLE_STEPS))
        inside = steps < _TABLE_STEPS
        extra[0, steps[inside]] = rng.poisson(each[inside])
        return extra

    def losses_of(self, mean: Array, phi: Array) -> Array:
        """What weighting down does to quiet steps: shares of mean and variance kept, covariance added,
        deviations removed; then what outbreaks leave in mean and variance, a deviation removed more."""
        return self._blend(mean, phi, np.zeros((6, mean.size)), lambda _, loss: loss[:, None], self._loss)

    def __call__(self, joined: Array, mean: Array, phi: Array) -> Array:
        """The normal score of each joined score `as_news`."""
        return self._blend(mean, phi, joined, self._normal, self._quantiles)

    def limit(self, level: float, mean: Array, phi: Array) -> Array:
        """The joined score that a quiet step passes as rarely as a normal one passes `level`."""
        return self._blend(mean, phi, np.full(mean.shape, level), self._joined, self._quantiles)

    def _blend(
        self,
        mean: Array,
        phi: Array,
        values: Array,
        read: Callable[[Array, Array], Array],
        table: Callable[[tuple[int, int]], Array],
    ) -> Array:
        """Read `values` (their last axes are those of `mean`) off the four tables around each mean and
        dispersion."""
        shape = values.shape
        values = values.reshape(*shape[: values.ndim - mean.ndim], mean.size)
        answer = np.zeros(values.shape)
        row = np.clip((np.log(mean.ravel()) - _LOG_MEANS[0]) / 0.4, 0, len(_LOG_MEANS) - 1.001)
        column = np.clip(
            np.interp(np.log(phi.ravel()), _LOG_PHIS, np.arange(len(_LOG_PHIS))), 0, len(_LOG_PHIS) - 1.001
        )
        low_row, low_column = row.astype(int), column.astype(int)
        cell = low_row * len(_LOG_PHIS) + low_column
        order = np.argsort(cell, kind="stable")
        edges = np.flatnonzero(np.diff(cell[order])) + 1
        for group in np.split(order, edges) if len(order) else []:
            r, c = int(low_row[group[0]]), int(low_column[group[0]])
            up, right = row[group] - r, column[group] - c
            for dr, dc, share in (
                (0, 0, (1 - up) * (1 - right)),
                (1, 0, up * (1 - right)),
                (0, 1, (1 - up) * right),
                (1, 1, up * right),
            ):
                answer[..., group] += share * read(values[..., group], table((r + dr, c + dc)))
        return answer.reshape(shape)

    @staticmethod
    def _normal(joined: Array, quantiles: Array) -> Array:
        inside = np.interp(joined, quantiles, _LEVELS)
        # Beyond one in 500 the table is thin: go on with the slope of its last stretch.
        slope = (_LEVELS[-1] - _LEVELS[-16]) / max(quantiles[-1] - quantiles[-16], 1e-6)
        return np.where(joined > quantiles[-1], _LEVELS[-1] + slope * (joined - quantiles[-1]), inside)

    @staticmethod
    def _joined(level: Array, quantiles: Array) -> Array:
        inside = np.interp(level, _LEVELS, quantiles)
        slope = (quantiles[-1] - quantiles[-16]) / (_LEVELS[-1] - _LEVELS[-16])
        return np.where(level > _LEVELS[-1], quantiles[-1] + slope * (level - _LEVELS[-1]), inside)


# One of each for the process: a cell is the same wherever it is met, and dear to simulate.
DAILY = Calibration(DAILY_WINDOWS, DAILY_RECENT)
WEEKLY = Calibration(WEEKLY_WINDOWS, WEEKLY_RECENT)
