"""The school method: a negative-binomial model of quiet days, and today joined with the days just before it.

For many short, sparse series at once (a city's schools). What differs from the reference methods:

- only open days are modelled; weekday, reopening after a holiday, season and trend are coefficients of each
unit,
  shrunk towards the other units by empirical Bayes, and so is the dispersion;
- past outbreaks, of one day or of several, are weighted down (Noufaily et al. 2013) before anything is
  learnt, and what they leave in mean and dispersion is taken off, as told by what was removed;
- a slow level of several memories, weighted by how well each foretold the unit so far, follows what the
  coefficients miss;
- the evidence of today and of the sums over the last days is added up on the normal scale, and its
distribution on
  quiet days is simulated, so that one level holds for small and large schools alike.

A step is judged by steps before it only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from jobs.decide.safety.reference import Array, Detection, normal_limit, normal_score, normal_tail

# Weight of the evidence of each sum, by its number of steps. Chosen on simulated outbreaks of many shapes
# (benchmarks/safety); the choice is flat, today must weigh in by itself.
DAILY_WINDOWS = {1: 2.0, 2: 1.0, 3: 1.0, 5: 1.0}
WEEKLY_WINDOWS = {1: 1.0, 2: 4.0}
# An earlier day counts in a sum up to this many deviations above its mean: an outbreak that is over must not
# go on alarming.
_CAP = 2.0
# Excess above which the past is weighted down, by its third power, in deviations. Firmer than the 2.58 and
# the square of Noufaily et al. 2013: schools have outbreaks on a tenth of their days. What that takes from
# quiet days is known by simulation, and given back.
_OUTBREAK = 2.0
# Memories of the slow level, as half-lives in steps; a last one keeps the level of the coefficients.
_HALF_LIVES = (5.0, 15.0, 45.0, 180.0)
_LEVEL_PRIOR = 10.0
_EVERY = 5
# Distances at which days are compared to see how far they err together.
_NEIGHBOURS = (1, 2, 3, 4)
_COMMON_HALF_LIVES, _COMMON_PRIOR = (2.0, 8.0), 50.0
_MANY = 20
_SKILL_HALF_LIFE = 150.0
_SEASON_YEARS = 0.95
# Log means are kept within this, so that a wild step of the fit cannot overflow.
_WIDEST = 20.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Axis:
    """Open and closed steps of all units: years since the first step, weekday (None: weekly), steps of a
    year."""

    years: Array
    weekday: NDArray[np.int64] | None
    reopening: NDArray[np.bool_]


@dataclass
class _Prior:
    mean: Array
    variance: Array


def window_sums(values: Array, steps: int) -> Array:
    """Sum over the last `steps` columns, fewer at the beginning."""
    total = np.cumsum(values, axis=1)
    total[:, steps:] -= total[:, :-steps].copy()
    return total


def tail_score(count: Array, mean: Array, phi: Array) -> Array:
    """Where a count lies in its negative binomial (variance phi · mean), on the normal scale, at the mid-p
    value.

    Lugannani and Rice's saddlepoint form: smooth, and right to a few parts in a hundred from means of 0.01
    up.
    """
    size = np.minimum(mean / np.maximum(phi - 1, 1e-6), 1e7)
    # The form is 0/0 at the mean itself; half a thousandth beside it, it is not.
    count = np.where(
        np.abs(count - mean) < 5e-4 * np.sqrt(mean) + 1e-9, mean + 5e-4 * np.sqrt(mean) + 1e-9, count
    )
    some = np.maximum(count, 1e-9)
    tilt = np.log(some / mean) - np.log1p((some - mean) / (mean + size))
    deviance = some * np.log(some / mean) - (some + size) * np.log1p((some - mean) / (mean + size))
    root = np.sign(some - mean) * np.sqrt(2 * np.maximum(deviance, 1e-30))
    ratio = np.maximum(tilt * np.sqrt(some * (1 + some / size)) / root, 1e-12)
    none = special.ndtri(0.5 * np.exp(-size * np.log1p(mean / size)))
    return np.where(count <= 0, none, root + np.log(ratio) / root)


@dataclass
class _Evidence:
    """What the days before bring to each sum of a judged step: their counts, the sum's mean, its
    dispersion."""

    windows: dict[int, float]
    earlier: dict[int, Array]
    mean: dict[int, Array]
    phi: dict[int, Array]
    scale: Array

    def join(self, count: Array) -> Array:
        total = np.zeros_like(count)
        for steps, weight in self.windows.items():
            total += weight * tail_score(count + self.earlier[steps], self.mean[steps], self.phi[steps])
        return total * self.scale


def _evidence(
    y: Array, seen: Array, mean: Array, phi: Array, doubt: Array, windows: dict[int, float]
) -> _Evidence:
    """`doubt` is the relative variance of the mean: it is shared by the days of a sum, and widens long sums
    more."""
    capped = seen * _capped(y, mean, phi)
    expected = seen * mean
    earlier = {d: window_sums(capped, d) - capped for d in windows}
    sums = {d: window_sums(expected, d) - expected + mean for d in windows}
    widened = {d: phi + sums[d] * doubt for d in windows}
    # The same doubt makes the sums more alike than the calibration's independent days are.
    plain, shared = np.zeros_like(mean), np.zeros_like(mean)
    for a, weight_a in windows.items():
        for b, weight_b in windows.items():
            low, high = sums[min(a, b)], sums[max(a, b)]
            plain += weight_a * weight_b * np.sqrt(low / high)
            shared += (
                weight_a
                * weight_b
                * (phi * low + doubt * low * high)
                / np.sqrt(low * widened[min(a, b)] * high * widened[max(a, b)])
            )
    return _Evidence(windows, earlier, sums, widened, np.sqrt(plain / shared))


def _capped(counts: Array, mean: Array, phi: Array) -> Array:
    return np.minimum(counts, np.ceil(mean + _CAP * np.sqrt(phi * mean)))


def _outbreak_weights(counts: Array, mean: Array, phi: Array, windows: dict[int, float]) -> Array:
    """1 for quiet steps, less for those in a sum more than 2.58 deviations too high (Anscombe residuals)."""
    weight = np.ones_like(counts)
    for steps in (1, max(windows)):
        y, m = window_sums(counts, steps), window_sums(mean, steps)
        root = np.cbrt(m)
        residual = 1.5 * (np.cbrt(y) ** 2 - root**2) / np.sqrt(phi * root)
        here = (_OUTBREAK / np.maximum(residual, _OUTBREAK)) ** 3
        for back in range(min(steps, counts.shape[1])):
            span = weight[:, : counts.shape[1] - back]
            np.minimum(span, here[:, back:], out=span)
    return weight


class _Coefficients:
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
        if history < _SEASON_YEARS:
            prior_mean[1:6], prior_variance[1:6] = 0.0, 1e-6
        size = x.shape[1]
        squares = (x[:, :, None] * x[:, None, :]).reshape(until, size * size)
        information = seen[:, :until] * weight[:, :until] / phi[:, None]
        y = np.where(seen[:, :until] > 0, counts[:, :until], 0.0)
        if not self.beta.any():
            self.beta[:, 0] = np.log((y.sum(axis=1) + 0.5) / (seen[:, :until].sum(axis=1) + 1.0))
            self.prior.mean[0] = prior_mean[0] = self.beta[:, 0].mean()
        for _ in range(2):
            mean = np.exp(np.clip(self.beta @ x.T, -_WIDEST, _WIDEST)) * kept[:, None]
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


def _shrunk_dispersion(squares: Array, sums: Array, weights: Array) -> Array:
    """Variance ÷ mean of each unit, drawn towards what is usual at its mean as far as its own is uncertain.

    What is usual is a line in the mean, so that both laws of the negative binomial fit.
    """
    # The noise of each is taken at the usual value: at its own, sparse units that look calm by chance would
    # seem sure of it, and draw all others down.
    mean = np.maximum(sums / np.maximum(weights, 1.0), 1e-3)
    usual = np.full(len(sums), max(float((squares.sum() + 1.3) / (sums.sum() + 1.0)), 1.0))
    own = (squares + usual) / (sums + 1.0)
    middle = float(sums.sum() / max(weights.sum(), 1.0)) + 0.1
    between = 0.1
    for _ in range(4):
        error = (2 + 6 * (usual - 1) / mean + 1 / (mean * usual)) / np.maximum(weights, 1.0)
        # A unit that the model does not fit must not speak for the others.
        spread = usual * np.sqrt(between + error)
        value = np.clip(own, usual - 3 * spread, usual + 3 * spread)
        trust = 1 / spread**2
        x = np.minimum(mean / middle, 10.0)
        # Two pseudo-units of 1.3 at the middle.
        centre, height = float(trust @ x / trust.sum()), float((trust @ value + 2.6) / (trust.sum() + 2))
        # The slope counts as far as it exceeds two standard errors.
        known = float(trust @ (x - centre) ** 2) + 1e-9
        slope = float(trust @ ((x - centre) * value)) / known
        slope *= max(1 - 4 / (known * max(slope, 1e-9) ** 2), 0.0)
        usual = np.maximum(height + slope * (x - centre), 1.0)
        apart = (value / usual - 1) ** 2 - error
        sure = 1 / (between + error) ** 2
        between = max(float((sure @ apart + 5 * 100 * 0.1) / (sure.sum() + 5 * 100)), 0.005)
    share = between / (between + error)
    return np.maximum(share * own + (1 - share) * usual, 1.0)


class _Levels:
    """Level of each unit relative to its coefficients, under several memories, weighted by skill.

    Each memory comes alone, and on top of the level of all units together (an epidemic, a cold spell), which
    moves fast and is well known where units are many.
    """

    def __init__(self, units: int) -> None:
        self.decay = 0.5 ** (1 / np.array(_HALF_LIVES))
        self.common_decay = 0.5 ** (1 / np.array(_COMMON_HALF_LIVES if units >= _MANY else ()))
        variants = 1 + len(self.common_decay)
        shape = (variants, len(_HALF_LIVES), units)
        self.observed, self.foretold = np.zeros(shape), np.zeros(shape)
        self.skill = np.zeros((variants, len(_HALF_LIVES) + 1, units))
        self._city = np.zeros((2, len(self.common_decay)))

    def common(self) -> Array:
        """Level of all units together, for each variant; the first knows none."""
        return np.append(1.0, (self._city[0] + _COMMON_PRIOR) / (self._city[1] + _COMMON_PRIOR))

    def watch(self, y: Array, mean: Array, information: Array) -> None:
        """Take one step into the common level."""
        now = np.array([[(information * y).sum()], [(information * mean).sum()]])
        self._city = self._city * self.common_decay + now

    def _ratios(self, common: Array) -> Array:
        own = (self.observed + _LEVEL_PRIOR) / (self.foretold + _LEVEL_PRIOR)
        own = np.concatenate([own, np.ones((len(own), 1, own.shape[2]))], axis=1)
        return own * common[:, None, None]

    def shares(self) -> Array:
        """Trust of each unit in each memory; what serves most units is believed first."""
        skill = self.skill.reshape(-1, self.skill.shape[2])
        prior = np.full(len(skill), 1.0 / len(skill))
        for _ in range(5):
            share = special.softmax(skill + np.log(prior)[:, None], axis=0)
            prior = (share.sum(axis=1) + 1) / (share.shape[1] + len(prior))
        return share.reshape(self.skill.shape)

    def ratio(self, shares: Array, common: Array) -> Array:
        return (shares * self._ratios(common)).sum(axis=(0, 1))

    def learn(self, y: Array, mean: Array, information: Array, common: Array, kept: Array) -> None:
        """Take in steps (units × steps) with their coefficients' mean; information is weight ÷ dispersion."""
        for k in range(y.shape[1]):
            foretold = self._ratios(common[:, k]) * mean[:, k] * kept
            gain = information[:, k] * (y[:, k] * np.log(foretold) - foretold)
            self.skill = self.skill * 0.5 ** (1 / _SKILL_HALF_LIFE) + gain
            decay = np.where(information[:, k] > 0, self.decay[:, None], 1.0)
            self.observed = self.observed * decay + information[:, k] * y[:, k]
            told = information[:, k] * kept * mean[:, k] * common[:, k, None]
            self.foretold = self.foretold * decay + told[:, None, :]


# --- Calibration --------------------------------------------------------------------------------------------

_LOG_MEANS = np.arange(np.log(0.01), np.log(300.0), 0.4)
_LOG_PHIS = np.log([1.0, 1.15, 1.35, 1.6, 2.0, 2.7, 4.0, 7.0, 14.0])
_TABLE_STEPS = 40_000
_LEVELS = normal_limit(np.concatenate([np.linspace(0.995, 0.1, 60), np.geomspace(0.09, 0.002, 30)]))


class _Calibration:
    """Joined score → normal score, by simulating quiet steps for each cell of (mean, dispersion) that is
    met."""

    def __init__(self, windows: dict[int, float]) -> None:
        self.windows = windows
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
            capped = _capped(y, np.array(mean), np.array(phi))
            total = np.zeros(y.shape)
            for steps, weight in self.windows.items():
                sums = (y + window_sums(capped, steps) - capped).astype(int)
                score = tail_score(np.arange(sums.max() + 1.0), np.array(mean * steps), np.array(phi))
                total += weight * score[sums]
            quantiles = np.quantile(total[0, max(self.windows) :], special.ndtr(_LEVELS))
            # np.interp needs rising abscissae; sparse units have long ties.
            self.cells[cell] = np.maximum.accumulate(quantiles + 1e-9 * np.arange(len(quantiles)))
        return self.cells[cell]

    def _loss(self, cell: tuple[int, int]) -> Array:
        if cell not in self.losses:
            quiet, mean, phi = self._quiet_steps(cell)
            kept, variance, neighbours, removed = self._cleaned(quiet, mean, phi)
            sick = quiet + self._outbreaks(cell, np.sqrt(phi * mean))
            kept_sick, variance_sick, _, removed_sick = self._cleaned(sick, mean, phi)
            more = max(removed_sick - removed, 1e-9)
            left = ((kept_sick / kept - 1) / more, (variance_sick / variance - 1) / more)
            self.losses[cell] = np.array([kept, variance, neighbours, removed, *left])
        return self.losses[cell]

    def _cleaned(self, y: Array, mean: float, phi: float) -> tuple[float, float, float, float]:
        """Shares of mean and variance that stay after weighting down, covariance of neighbours, deviations
        removed."""
        weight = _outbreak_weights(y, np.full(y.shape, mean), np.array(phi), self.windows)
        error, amount = y - mean, weight.mean() * mean
        r = weight * error
        neighbours = sum(float((r[:, lag:] * r[:, :-lag]).mean()) for lag in _NEIGHBOURS)
        return (
            float((weight * y).mean() / amount),
            float((r * error).mean() / (amount * phi)),
            neighbours / (mean * phi),
            float((error - r).mean() / np.sqrt(phi * mean)),
        )

    @staticmethod
    def _outbreaks(cell: tuple[int, int], deviation: float) -> Array:
        """Cases of past outbreaks: about every 60 steps one of 3 to 8, with 0.6 to 2 deviations a step."""
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
        """The normal score of each joined score."""
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
_DAILY, _WEEKLY = _Calibration(DAILY_WINDOWS), _Calibration(WEEKLY_WINDOWS)


# --- The method ---------------------------------------------------------------------------------------------


def school(
    counts: Array,
    axis: Axis,
    *,
    alpha: float = 0.01,
    baseline: int | None = None,
    start: int = 0,
    progress: Progress | None = None,
) -> Detection:
    """Judge each step of each unit; NaN is a closed step or one without a report.

    `counts`: units × steps on one axis. `baseline`: steps with a report before the first answer (daily 40,
    weekly 26). `p_value` is the chance of a joined score so high on a quiet step, `score` the same on the
    normal scale, `upper_bound` the largest count of today that would raise no alarm, given the days before.
    A step without a case raises none.
    """
    weekly = axis.weekday is None
    windows = WEEKLY_WINDOWS if weekly else DAILY_WINDOWS
    baseline = baseline if baseline is not None else (26 if weekly else 40)
    answer = Detection.blank(counts.shape)
    columns = np.flatnonzero(~np.isnan(counts).all(axis=0))
    if len(columns) <= baseline:
        return answer
    axis = Axis(
        axis.years[columns], None if axis.weekday is None else axis.weekday[columns], axis.reopening[columns]
    )
    seen = ~np.isnan(counts[:, columns])
    y = np.where(seen, counts[:, columns], 0.0)
    calibrate = _WEEKLY if weekly else _DAILY
    mean, phi, doubt = _foretell(y, seen.astype(float), axis, calibrate, baseline, progress)

    begin = max(baseline, int(np.searchsorted(columns, start)))
    back = max(begin - max(windows), 0)
    evidence = _evidence(y[:, back:], seen[:, back:], mean[:, back:], phi[:, back:], doubt[:, back:], windows)
    joined = evidence.join(y[:, back:])
    longest = max(windows)
    typical = evidence.mean[longest] / np.minimum(longest, 1 + np.arange(back, len(columns)))
    level = float(normal_limit(alpha))
    score = calibrate(joined, typical, evidence.phi[1])
    upper = _upper_bound(evidence, mean[:, back:], calibrate.limit(level, typical, evidence.phi[1]))
    # The limit is read off the table, the score interpolated in it: where they differ by a hair, the score
    # rules.
    upper = np.where(score > level, np.minimum(upper, y[:, back:] - 1), np.maximum(upper, y[:, back:]))
    upper = np.maximum(upper, 0.0)
    p_value = normal_tail(score)
    enough = seen & (np.cumsum(seen, axis=1) > baseline)
    for field, value in (
        (answer.expected, mean[:, back:]),
        (answer.upper_bound, upper),
        (answer.p_value, p_value),
        (answer.score, normal_score(p_value)),
        (answer.alarm, (y[:, back:] > upper).astype(float)),
    ):
        field[:, columns[begin:]] = np.where(enough[:, begin:], value[:, begin - back :], np.nan)
    return answer


def _foretell(
    y: Array, seen: Array, axis: Axis, calibrate: _Calibration, baseline: int, progress: Progress | None
) -> tuple[Array, Array, Array]:
    """Mean, dispersion and doubt of each open step from the steps before it; in the baseline, from the
    baseline."""
    windows = calibrate.windows
    units, steps = y.shape
    model, levels = _Coefficients(units, axis), _Levels(units)
    mean, phi, doubt = np.ones_like(y), np.full_like(y, 1.3), np.zeros_like(y)
    base, weight, quiet = np.ones_like(y), np.ones_like(y), np.ones_like(y)
    common = np.ones((len(levels.common()), steps))
    dispersion, shared = np.full(units, 1.3), np.zeros(units)
    losses = np.array([[1.0], [1.0], [0.0], [0.0], [0.0], [0.0]]) * np.ones(units)
    lag, learnt = max(windows), 0

    def weigh(target: Array, foretold: Array, begin: int, end: int) -> None:
        here = np.where(seen[:, begin:end] > 0, foretold, 1e-3)
        target[:, begin:end] = _outbreak_weights(y[:, begin:end], here, dispersion[:, None], windows)

    for round_, now in enumerate(range(baseline, steps, _EVERY)):
        if progress:
            progress(now, steps)
        if round_ == 0:
            for _ in range(3):
                model.fit(y, seen, weight, dispersion, losses[0], now)
                base[:, :now] = model.predict(0, now, now)
                mean[:, :now] = base[:, :now]
                dispersion, shared = _dispersion(y, mean, seen * weight, losses, now)
                weigh(weight, mean[:, :now], 0, now)
                losses = _losses(calibrate, y, mean, seen, weight, dispersion, now)
            for step in range(now):
                levels.watch(y[:, step], base[:, step], seen[:, step] / dispersion)
        elif round_ % 2 == 0:
            weigh(weight, model.predict(0, now, now), 0, now)
            model.fit(y, seen, weight, dispersion, losses[0], now)
        # The newest days wait: an outbreak under way is not yet known for one.
        ready = max(now - lag, 0)
        back = max(learnt - lag, 0)
        weigh(quiet, mean[:, back:now], back, now)
        levels.learn(
            y[:, learnt:ready],
            base[:, learnt:ready],
            (seen * quiet)[:, learnt:ready] / dispersion[:, None],
            common[:, learnt:ready],
            losses[0],
        )
        learnt = ready
        dispersion, shared = _dispersion(y, mean, _fair(seen, axis, now) * quiet, losses, now)
        losses = _losses(calibrate, y, mean, seen, quiet, dispersion, now)
        end = min(now + _EVERY, steps)
        base[:, now:end] = model.predict(now, end, now)
        shares = levels.shares()
        for step in range(now, end):
            common[:, step] = levels.common()
            mean[:, step] = base[:, step] * levels.ratio(shares, common[:, step])
            levels.watch(y[:, step], base[:, step], seen[:, step] / dispersion)
        phi[:, now:end] = dispersion[:, None]
        doubt[:, now:end] = np.maximum(shared[:, None], model.doubt(now, end, now))
    phi[:, :baseline] = phi[:, [baseline]]
    doubt[:, :baseline] = doubt[:, [baseline]]
    return mean, phi, doubt


def _fair(seen: Array, axis: Axis, now: int) -> Array:
    """Steps whose errors tell of today's: none foretold without a season, once there are as many others."""
    years = axis.years - axis.years[0]
    return seen * (years >= _SEASON_YEARS) if years[now - 1] > 2 * _SEASON_YEARS else seen


def _losses(
    calibrate: _Calibration, y: Array, mean: Array, seen: Array, weight: Array, phi: Array, now: int
) -> Array:
    """What cleaning does to each unit's mean and variance: on quiet steps, and by what outbreaks leave.

    How much they leave is told by how much more is taken out of all units than quiet steps would lose.
    """
    typical = mean[:, max(now - 60, 0) : now].mean(axis=1)
    losses = calibrate.losses_of(typical, phi)
    deviation = np.sqrt(phi[:, None] * mean[:, :now])
    taken = seen[:, :now] * (
        (1 - weight[:, :now]) * (y[:, :now] - mean[:, :now]) / deviation - losses[3][:, None]
    )
    outbreaks = max(float(taken.sum() / (seen[:, :now].sum() + 100)), 0.0)
    # Half of it, at most as much as was taken: a lower mean makes more days look high, which lowers it again.
    losses[:2] *= 1 + 0.5 * np.minimum(losses[4:], 1.0) * outbreaks
    return losses


def _dispersion(y: Array, mean: Array, weight: Array, losses: Array, until: int) -> tuple[Array, Array]:
    """Dispersion of single days, and the relative variance that neighbouring days share: the doubt in the
    mean."""
    m, w = mean[:, :until], weight[:, :until]
    error = y[:, :until] - m
    r, wm = w * error, w * m
    total, amount = wm.sum(axis=1), w.sum(axis=1)
    phi = _shrunk_dispersion((r * error).sum(axis=1) / losses[1], total, amount)
    shared = _shared(r, wm, phi, -losses[2] * phi * m.sum(axis=1))
    mean_square = (wm * m).sum(axis=1)
    return np.maximum(phi - shared * mean_square / np.maximum(total, 1e-9), 1.0), shared


def _shared(r: Array, wm: Array, phi: Array, products: Array) -> Array:
    """Relative variance that neighbouring steps share: their errors' products over their means'.

    One estimate for all units, then each unit's own as far as its noise allows.
    """
    products, weights = products.copy(), np.zeros(len(r))
    for lag in _NEIGHBOURS:
        products += (r[:, lag:] * r[:, :-lag]).sum(axis=1)
        weights += (wm[:, lag:] * wm[:, :-lag]).sum(axis=1)
    pooled = max(float(products.sum() / max(weights.sum(), 1e-9)), 0.0)
    # Variance of a sum of products of independent errors, each phi · mean.
    noise = phi**2 / np.maximum(weights, 1e-9)
    trust = pooled**2 / (pooled**2 + noise + 1e-12)
    return np.clip(pooled + trust * (products / np.maximum(weights, 1e-9) - pooled), 0.0, 4 * pooled)


def _upper_bound(evidence: _Evidence, mean: Array, limit: Array) -> Array:
    """The largest count, 0 at least, whose joined score stays at or below `limit`."""
    low = np.zeros_like(mean)
    high = np.ceil(mean + 10 * np.sqrt(evidence.phi[1] * mean) + 10)
    while (wide := high - low > 1).any():
        middle = np.floor((low + high) / 2)
        quiet = evidence.join(middle) <= limit
        low, high = np.where(wide & quiet, middle, low), np.where(wide & ~quiet, middle, high)
    return low
