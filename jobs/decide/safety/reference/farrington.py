"""Both Farrington methods (Farrington et al. 1996, Noufaily et al. 2013): a count against the same season."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from jobs.decide.safety.answers import Array, Detection, Labels, normal_score
from jobs.decide.safety.reference.parameters import FLEXIBLE, FarringtonParameters
from jobs.decide.safety.reference.quasi_poisson import Fit, fit_quasi_poisson
from jobs.decide.safety.reference.seasons import Steps, season_blocks
from jobs.decide.safety.reference.thresholds import bound
from jobs.settings import UserError

# Cells of a batch of fits; bounds memory, about 30 arrays of this size live at once.
_BATCH_CELLS = 500_000
# Steps of a year for which R counts back by calendar dates; without dates it takes any number.
DATED_YEARS = (12, 52, 365)


def farrington(
    counts: Array,
    *,
    frequency: int,
    dates: list[dt.date] | None = None,
    parameters: FarringtonParameters = FLEXIBLE,
    start: int | None = None,
) -> Detection:
    """Fit each step's count from the same season of earlier years, and bound it.

    `counts`: units × steps on one axis without gaps (NaN: missing). With `dates` (one per step: days, weeks
    or months), years are calendar years as R counts them for dated series of 365, 52 or 12 steps a year;
    without, a year has `frequency` steps, whatever their number. `start`: first step to answer for (from 0);
    default is R's, `frequency · b + w`. Where the model does not converge all is NaN; where fewer than
    `limit54[0]` cases fell in `limit54[1]` steps there is no bound and no alarm.
    """
    p = parameters
    if p.limit54[0] < 0 or p.limit54[1] <= 0:
        raise UserError(f"limit54 is {p.limit54}", "give cases of 0 or more and a period above 0")
    units, steps = counts.shape
    answer = Detection.blank(counts.shape)
    day = np.array([d.toordinal() for d in dates], dtype=float) if dates else np.arange(1.0, steps + 1)
    axis = Steps(day, dates, frequency)
    first = start if start is not None else frequency * p.b + p.w
    todo = []
    for now in range(max(first, 0), steps):
        label = season_blocks(axis, now, p)
        # No step is left where more are left out than there are.
        if label is not None and label.any():
            todo.append((now, np.flatnonzero(label), label))
    if not todo:
        return answer
    width = max(len(used) for _, used, _ in todo)
    per_batch = max(1, _BATCH_CELLS // width)
    work = [(unit, *task) for task in todo for unit in range(units)]
    for begin in range(0, len(work), per_batch):
        _answer_batch(answer, counts, axis, work[begin : begin + per_batch], width, p)
    return answer


@dataclass
class _Batch:
    """Fits of many units and steps side by side, [fit, step of the baseline]; unused places weigh 0."""

    units: Labels  # of each fit
    nows: Labels  # the step that each fit answers for
    y: Array
    time: Array
    now_time: Array
    used: Array
    season: Labels

    def cells(self, rows: NDArray[np.bool_] | slice, seasons: int) -> Labels:
        """Number of the (fit, season) that each step belongs to."""
        chosen = self.season[rows]
        return chosen + np.arange(len(chosen))[:, None] * seasons


def _gather(counts: Array, steps: Steps, work: list[tuple[int, int, Labels, Labels]], width: int) -> _Batch:
    batch = len(work)
    y, time, used = (np.zeros((batch, width)) for _ in range(3))
    season = np.zeros((batch, width), dtype=np.int64)
    now_time = np.zeros(batch)
    for row, (unit, now, index, label) in enumerate(work):
        n = len(index)
        y[row, :n] = counts[unit, index]
        season[row, :n] = label[index] - 1
        if steps.dates is None:
            time[row, :n] = steps.time[index]
            now_time[row] = steps.time[now]
        else:
            step = steps.time[1] - steps.time[0]
            time[row, :n] = (steps.time[index] - steps.time[index[0]]) / step
            counted = index[~np.isnan(y[row, :n])]
            # R counts the step to predict from the first step that has a count.
            now_time[row] = (steps.time[now] - steps.time[counted[0]]) / step if len(counted) else np.nan
        used[row, :n] = ~np.isnan(y[row, :n])
    y = np.where(used > 0, y, 0.0)
    # A centered clock: the same model, with sums that keep their digits.
    center = (time * used).sum(axis=1) / np.maximum(used.sum(axis=1), 1)
    time = np.where(used > 0, time - center[:, None], 0.0)
    units = np.array([unit for unit, *_ in work])
    nows = np.array([now for _, now, *_ in work])
    return _Batch(units, nows, y, time, now_time - center, used, season)


def _predicted(b: _Batch, p: FarringtonParameters) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """`_predict` of each fit; without its trend where the trend is not kept."""
    seasons, batch = p.no_periods, len(b.units)
    cell = b.cells(slice(None), seasons)
    model = _fit_farrington(b.y, b.time, cell, seasons, b.used, np.full(batch, p.trend), p)
    tested = model.has_trend & model.fit.ok
    error = np.sqrt(model.phi_of_errors / model.fit.time_spread)
    p_trend = 2 * special.stdtr(model.fit.freedom, -np.abs(model.fit.slope / error))
    mean_now = np.exp(model.fit.level[:, -1] + model.fit.slope * b.now_time)
    keep = (p.b >= 3) & (p_trend < p.p_threshold_trend) & (mean_now <= b.y.max(axis=1))
    drop = tested & ~keep
    found = _predict(model, b.now_time)
    if drop.any():
        cell, none = b.cells(drop, seasons), np.zeros(int(drop.sum()), dtype=bool)
        flat = _fit_farrington(b.y[drop], b.time[drop], cell, seasons, b.used[drop], none, p)
        for whole, part in zip(found, _predict(flat, b.now_time[drop]), strict=True):
            whole[drop] = part
    return found


def _answer_batch(
    answer: Detection,
    counts: Array,
    steps: Steps,
    work: list[tuple[int, int, Labels, Labels]],
    width: int,
    p: FarringtonParameters,
) -> None:
    """Write the answers of a batch of (unit, step, steps of its baseline, seasons) into `answer`."""
    batch = _gather(counts, steps, work, width)
    units, nows = batch.units, batch.nows
    observed = counts[units, nows]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        eta, error_now, phi, ok = _predicted(batch, p)
        expected, upper, p_value, ratio = bound(eta, error_now, phi, observed, p)
    cases, period = p.limit54
    recent = np.array(
        [counts[u, max(n - period + 1, 0) : n + 1].sum() for u, n in zip(units, nows, strict=True)]
    )
    enough = recent >= cases
    alarm = enough & (ratio > 1) & (observed != 0)
    bounded = enough & ~np.isnan(upper)
    for field, value in (
        (answer.expected, np.where(bounded, expected, np.nan)),
        (answer.upper_bound, np.where(enough, upper, np.nan)),
        (answer.p_value, p_value),
        (answer.score, normal_score(p_value)),
        (answer.alarm, alarm.astype(float)),
    ):
        field[units, nows] = np.where(ok, value, np.nan)


@dataclass
class _Model:
    """The fit to predict from, its dispersion, and the second dispersion R uses for standard errors."""

    fit: Fit
    phi: Array
    phi_of_errors: Array
    has_trend: NDArray[np.bool_]


def _fit_farrington(
    y: Array,
    time: Array,
    cell: Labels,
    seasons: int,
    used: Array,
    trend: NDArray[np.bool_],
    p: FarringtonParameters,
) -> _Model:
    """Fit; where it does not converge with a trend, fit without; then once more with past outbreaks weighted
    down."""
    fit = fit_quasi_poisson(y, time, cell, seasons, used, trend)
    retry = ~fit.ok & trend
    if retry.any():
        trend = trend & ~retry
        second = fit_quasi_poisson(y, time, cell, seasons, used, trend)
        fit = second
    residual = np.where(used > 0, (y - fit.mean) / fit.mean, 0.0)
    phi = np.maximum((fit.working * residual**2).sum(axis=1) / fit.freedom, 1.0)
    phi_of_errors = (fit.working * residual**2).sum(axis=1) / fit.freedom
    if not p.reweight:
        return _Model(fit, phi, phi_of_errors, trend)
    anscombe = 1.5 * (y ** (2 / 3) * fit.mean ** (-1 / 6) - np.sqrt(fit.mean))
    with np.errstate(divide="ignore", invalid="ignore"):
        anscombe /= np.sqrt(phi[:, None] * (1 - fit.leverage))
        down = np.where(anscombe > p.weights_threshold, anscombe**-2.0, 1.0) * used
    omega = down * (used.sum(axis=1) / down.sum(axis=1))[:, None]
    first_ok = fit.ok
    fit = fit_quasi_poisson(y, time, cell, seasons, omega, trend)
    residual = np.where(omega > 0, (y - fit.mean) / fit.mean, 0.0)
    phi = np.maximum((fit.working * residual**2).sum(axis=1) / fit.freedom, 1.0)
    # The package leaves the prior weights in place of the working ones, and its standard errors come from
    # them.
    phi_of_errors = (omega * residual**2).sum(axis=1) / fit.freedom
    fit.ok = first_ok
    return _Model(fit, phi, phi_of_errors, trend)


def _predict(model: _Model, now_time: Array) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """Log mean, its standard error, dispersion, and whether the fit converged, for the last season."""
    fit = model.fit
    eta = fit.level[:, -1] + fit.slope * np.where(model.has_trend, now_time, 0.0)
    variance = 1 / fit.season_weight[:, -1] + (now_time - fit.season_time[:, -1]) ** 2 / fit.time_spread
    return eta, np.sqrt(variance * model.phi_of_errors), model.phi.copy(), fit.ok.copy()
