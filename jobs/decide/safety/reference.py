"""Reference outbreak detectors, equal to R's `surveillance` 1.20: EARS C1, C2, C3 and both Farrington
methods.

All functions take and return arrays of units × steps; NaN is a missing count, and an answer that cannot be
given. Derived from the published methods, and from the behaviour of the package where the papers leave room:
Hutwagner et al. 2003/2005 (EARS), Farrington et al. 1996, Noufaily et al. 2013, Salmon et al. 2016 (the
package).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from jobs.settings import UserError

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

# R's double epsilon: the least mean that its log link hands back.
_LEAST_MEAN = float(np.finfo(float).eps)
# glm.control: relative change of the deviance, and the number of iterations.
_TOLERANCE, _ITERATIONS = 1e-8, 25
# Cells of a batch of fits; bounds memory, about 30 arrays of this size live at once.
_BATCH_CELLS = 500_000


@dataclass
class Detection:
    """One answer per unit and step; NaN where none can be given. `alarm` is 0, 1 or NaN."""

    expected: Array
    upper_bound: Array
    p_value: Array
    score: Array
    alarm: Array

    @classmethod
    def blank(cls, shape: tuple[int, ...]) -> Detection:
        return cls(*(np.full(shape, np.nan) for _ in range(5)))


# As in scipy.stats, whose import takes each worker longer than many a series.
def normal_tail(score: Any) -> Any:
    """The chance that a normal score is higher."""
    return special.ndtr(-score)


def normal_limit(chance: Any) -> Any:
    """The normal score that is passed with this chance."""
    return 0.0 - special.ndtri(chance)


def normal_score(p_value: Array) -> Array:
    """A p-value on the normal scale: 0 is a middling day, 3 one in 741; kept within ±37, where p
    underflows."""
    return np.clip(normal_limit(p_value), -37.0, 37.0)


# --- EARS ---------------------------------------------------------------------------------------------------


def ears(
    counts: Array,
    method: Literal["C1", "C2", "C3"],
    *,
    baseline: int = 7,
    min_sigma: float = 0.0,
    alpha: float | None = None,
) -> Detection:
    """Compare each step with mean and deviation of `baseline` steps before it (C2, C3: two steps further
    back).

    Steps are rows, not days: a calendar is applied by leaving closed days out. C3 adds up the excesses of
    the two steps before, as the package does. Default alpha: 0.001, for C3 0.025.
    """
    if baseline < 3:
        raise UserError(f"baseline is {baseline}; EARS needs 3 steps or more", "give --baseline 3 or more")
    if min_sigma < 0:
        raise UserError(f"minSigma is {min_sigma}", "give --min-sigma 0 or more")
    alpha = alpha if alpha is not None else (0.025 if method == "C3" else 0.001)
    z_alpha = float(normal_limit(alpha))
    answer = Detection.blank(counts.shape)
    lag = baseline + (0 if method == "C1" else 2)
    if counts.shape[1] <= lag + (2 if method == "C3" else 0):
        return answer
    windows = np.lib.stride_tricks.sliding_window_view(counts, baseline, axis=1)[:, : counts.shape[1] - lag]
    now = counts[:, lag:]
    mean = windows.mean(axis=2)
    sigma = np.maximum(windows.std(axis=2, ddof=1), min_sigma)
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = (now - mean) / sigma
        if method == "C3":
            lag += 2
            score = np.maximum(0.0, excess[:, :-2] - 1) + np.maximum(0.0, excess[:, 1:-1] - 1)
            now, mean, sigma = now[:, 2:], mean[:, 2:], sigma[:, 2:]
            upper = np.maximum(0.0, now + sigma * (z_alpha - score))
        else:
            # A count that equals a baseline without any spread is as usual as can be.
            score = np.where((sigma == 0) & (now == mean), 0.0, excess)
            upper = mean + z_alpha * sigma
        answer.alarm[:, lag:] = np.where(np.isnan(upper) | np.isnan(now), np.nan, now > upper)
    answer.expected[:, lag:] = mean
    answer.upper_bound[:, lag:] = upper
    answer.p_value[:, lag:] = normal_tail(score)
    answer.score[:, lag:] = np.clip(score, -37.0, 37.0)
    return answer


# --- Farrington ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FarringtonParameters:
    """R's control list of `farringtonFlexible`, in R's units: weeks mean steps, years mean years."""

    b: int = 5
    w: int = 3
    reweight: bool = True
    weights_threshold: float = 2.58
    alpha: float = 0.005
    trend: bool = True
    p_threshold_trend: float = 1.0
    limit54: tuple[int, int] = (5, 4)
    powertrans: Literal["none", "1/2", "2/3"] = "2/3"
    no_periods: int = 10
    past_weeks_not_included: int = 26
    threshold_method: Literal["delta", "nbPlugin", "muan"] = "nbPlugin"


FLEXIBLE = FarringtonParameters()
CLASSIC = FarringtonParameters(
    no_periods=1,
    weights_threshold=1.0,
    threshold_method="delta",
    p_threshold_trend=0.05,
    past_weeks_not_included=3,
)


@dataclass
class _Axis:
    """The steps of a series: day numbers if dated, else 1…n, and how many steps make a year."""

    time: Array
    dates: list[dt.date] | None
    frequency: int


def _same_day_years_back(day: dt.date, years: int) -> dt.date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return dt.date(day.year - years, 3, 1)


def _reference_steps(axis: _Axis, now: int, years: int) -> list[int] | None:
    """Positions of `now` and of the same time one, two … years back; None where the series does not reach."""
    if axis.dates is None:
        steps = [now - year * axis.frequency for year in range(years + 1)]
        return steps if steps[-1] >= 0 else None
    today = axis.dates[now]
    steps = []
    for year in range(years + 1):
        day = _same_day_years_back(today, year)
        if axis.frequency == 52:
            # The nearest same weekday, where R counts weekdays from Sunday.
            near = day - dt.timedelta(days=day.isoweekday() % 7 - today.isoweekday() % 7)
            other = near + dt.timedelta(days=-7 if near > day else 7)
            day = other if abs((near - day).days) > abs((other - day).days) else near
        position = int(np.searchsorted(axis.time, day.toordinal()))
        if position == len(axis.time) or axis.time[position] != day.toordinal():
            return None
        steps.append(position)
    return steps


def _season_blocks(axis: _Axis, now: int, p: FarringtonParameters) -> Labels | None:
    """Season of each step before `now` that the model may use: `no_periods` around each reference step, 1 …
    in between, 0 for steps left out. None where the baseline is not full."""
    steps = _reference_steps(axis, now, p.b)
    if steps is None or steps[-1] - p.w < -1:
        return None
    label = np.zeros(len(axis.time) + 1, dtype=np.int64)  # one-based, as R does: position 0 falls away
    one_based = [step + 1 for step in steps]
    label[now + 1 - p.w : now + 2] = p.no_periods
    for newer, here in pairwise(one_based):
        label[here - p.w : here + p.w + 1] = p.no_periods
        if p.no_periods == 1:
            continue
        between = newer - here - 2 * p.w - 1
        if between < p.no_periods - (2 * p.w + 1):
            raise UserError(
                f"{p.no_periods} seasonal periods do not fit between two years of {axis.frequency} steps",
                "give a smaller --no-periods or --w",
            )
        length, rest = divmod(between, p.no_periods - 1)
        start = here + p.w + 1
        for period in range(1, p.no_periods):
            end = start + length + (period <= rest) - 1
            # Monthly series have more periods than steps between: R then counts down over two steps.
            label[min(start, end) : max(start, end) + 1] = period
            start = end + 1
    label[max(now + 1 - p.past_weeks_not_included, 1) :] = 0
    return label[1:]


@dataclass
class _Fit:
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


def _fit_glm(
    y: Array, time: Array, cell: Labels, seasons: int, prior: Array, has_trend: NDArray[np.bool_]
) -> _Fit:
    """Iterate as R's `glm.fit` does, with its start, its test of convergence and its 25 iterations.

    The season factor is taken out by weighted means within seasons, so each step is a handful of sums.
    """
    batch, _ = y.shape
    flat = cell.ravel()

    def by_season(values: Array) -> Array:
        sums: Array = np.bincount(flat, weights=values.ravel(), minlength=batch * seasons).astype(float)
        return sums.reshape(batch, seasons)

    def spread(values: Array) -> Array:
        return values.ravel()[flat].reshape(y.shape)

    used = prior > 0
    positive = y > 0
    y_log_y = np.where(positive, y * np.log(np.where(positive, y, 1.0)), 0.0)

    def deviance(mean: Array) -> Array:
        terms = np.where(positive, y_log_y - y * np.log(mean) - (y - mean), mean)
        return 2 * (prior * terms).sum(axis=1)

    mean = np.where(used, y + 0.1, 1.0)
    eta = np.log(mean)
    previous = deviance(mean)
    active = np.ones(batch, dtype=bool)
    ok = np.zeros(batch, dtype=bool)
    level, season_weight, season_time = (np.zeros((batch, seasons)) for _ in range(3))
    slope, time_spread = np.zeros(batch), np.full(batch, np.inf)
    working = np.zeros_like(y)
    for _ in range(_ITERATIONS):
        weight = prior * mean
        z = eta + (y - mean) / mean
        total = by_season(weight)
        safe = np.where(total > 0, total, 1.0)
        mean_z, mean_t = by_season(weight * z) / safe, by_season(weight * time) / safe
        dev_t = time - spread(mean_t)
        s_tt = (weight * dev_t**2).sum(axis=1)
        s_tz = (weight * dev_t * (z - spread(mean_z))).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            new_slope = np.where(has_trend, s_tz / s_tt, 0.0)
        new_level = mean_z - new_slope[:, None] * mean_t
        new_eta = spread(new_level) + new_slope[:, None] * time
        new_mean = np.where(used, np.maximum(np.exp(np.minimum(new_eta, 700.0)), _LEAST_MEAN), 1.0)
        now = deviance(new_mean)
        move = active[:, None]
        level, slope = np.where(move, new_level, level), np.where(active, new_slope, slope)
        season_weight, season_time = np.where(move, total, season_weight), np.where(move, mean_t, season_time)
        time_spread = np.where(active & has_trend, s_tt, time_spread)
        working = np.where(move, weight, working)
        eta, mean = np.where(move & used, new_eta, eta), np.where(move, new_mean, mean)
        with np.errstate(invalid="ignore"):
            done = np.abs(now - previous) / (np.abs(now) + 0.1) < _TOLERANCE
        ok |= active & done
        active &= ~done & np.isfinite(now)
        previous = now
        if not active.any():
            break
    safe = np.where(season_weight > 0, season_weight, np.inf)
    leverage = working * (spread(1 / safe) + (time - spread(season_time)) ** 2 / time_spread[:, None])
    freedom = used.sum(axis=1) - (season_weight > 0).sum(axis=1) - has_trend
    return _Fit(
        ok,
        level,
        slope,
        mean,
        leverage,
        working,
        season_weight,
        season_time,
        time_spread,
        freedom.astype(float),
    )


@dataclass
class _Model:
    """The fit to predict from, its dispersion, and the second dispersion R uses for standard errors."""

    fit: _Fit
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
    fit = _fit_glm(y, time, cell, seasons, used, trend)
    retry = ~fit.ok & trend
    if retry.any():
        trend = trend & ~retry
        second = _fit_glm(y, time, cell, seasons, used, trend)
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
    fit = _fit_glm(y, time, cell, seasons, omega, trend)
    residual = np.where(omega > 0, (y - fit.mean) / fit.mean, 0.0)
    phi = np.maximum((fit.working * residual**2).sum(axis=1) / fit.freedom, 1.0)
    # The package leaves the prior weights in place of the working ones, and its standard errors come from
    # them.
    phi_of_errors = (omega * residual**2).sum(axis=1) / fit.freedom
    fit.ok = first_ok
    return _Model(fit, phi, phi_of_errors, trend)


def _negative_binomial_upper_tail(count: Array, size: Array, phi: Array) -> Array:
    """P(Y >= count); phi 1 is Poisson, where `size` is its mean."""
    above = np.maximum(count, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        negative_binomial = special.betainc(np.maximum(above, 1.0), size, 1 - 1 / phi)
        poisson = special.gammainc(np.maximum(above, 1.0), size)
    tail = np.where(phi > 1, negative_binomial, poisson)
    return np.where(np.isnan(count), np.nan, np.where(above == 0, 1.0, tail))


def _negative_binomial_quantile(alpha: float, size: Array, phi: Array) -> Array:
    """The least count whose upper tail beyond it is at most `alpha`, with R's slack of a few units in the
    last place."""
    allowed = 1 - (1 - alpha) * (1 - 64 * _LEAST_MEAN)
    low = np.full(size.shape, -1.0)
    high = np.full(size.shape, 1.0)
    # A fit without a degree of freedom left has no dispersion, and no bound.
    finite = np.isfinite(size) & np.isfinite(phi)

    def enough(count: Array) -> NDArray[np.bool_]:
        return _negative_binomial_upper_tail(count + 1, size, phi) <= allowed

    while not (good := enough(high) | ~finite).all():
        low, high = np.where(good, low, high), np.where(good, high, high * 2)
    # Beyond 2^53 neighbouring counts are one number.
    while (wide := high - low > np.maximum(1.0, 4 * _LEAST_MEAN * high)).any():
        middle = np.where(wide, np.floor((low + high) / 2), high)
        good = enough(middle)
        low, high = np.where(good, low, middle), np.where(good, middle, high)
    return np.where(finite, high, np.nan)


def farrington(
    counts: Array,
    *,
    frequency: Literal[12, 52, 365],
    dates: list[dt.date] | None = None,
    parameters: FarringtonParameters = FLEXIBLE,
    start: int | None = None,
) -> Detection:
    """Fit each step's count from the same season of earlier years, and bound it.

    `counts`: units × steps on one axis without gaps (NaN: missing). With `dates` (one per step: days, weeks
    or months), years are calendar years as R counts them for dated series; without, a year has `frequency`
    steps. `start`: first step to answer for (from 0); default is R's, `frequency · b + w`. Where the model
    does not converge all is NaN; where fewer than `limit54[0]` cases fell in `limit54[1]` steps there is no
    bound and no alarm.
    """
    p = parameters
    if p.limit54[0] < 0 or p.limit54[1] <= 0:
        raise UserError(f"limit54 is {p.limit54}", "give cases of 0 or more and a period above 0")
    units, steps = counts.shape
    answer = Detection.blank(counts.shape)
    day = np.array([d.toordinal() for d in dates], dtype=float) if dates else np.arange(1.0, steps + 1)
    axis = _Axis(day, dates, frequency)
    first = start if start is not None else frequency * p.b + p.w
    todo = []
    for now in range(max(first, 0), steps):
        label = _season_blocks(axis, now, p)
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


def _answer_batch(
    answer: Detection,
    counts: Array,
    axis: _Axis,
    work: list[tuple[int, int, Labels, Labels]],
    width: int,
    p: FarringtonParameters,
) -> None:
    batch, seasons = len(work), p.no_periods
    units = np.array([unit for unit, *_ in work])
    nows = np.array([now for _, now, *_ in work])
    y, time, used = (np.zeros((batch, width)) for _ in range(3))
    season = np.zeros((batch, width), dtype=np.int64)
    now_time = np.zeros(batch)
    for row, (unit, now, index, label) in enumerate(work):
        n = len(index)
        y[row, :n] = counts[unit, index]
        season[row, :n] = label[index] - 1
        if axis.dates is None:
            time[row, :n] = axis.time[index]
            now_time[row] = axis.time[now]
        else:
            step = axis.time[1] - axis.time[0]
            time[row, :n] = (axis.time[index] - axis.time[index[0]]) / step
            counted = index[~np.isnan(y[row, :n])]
            # R counts the step to predict from the first step that has a count.
            now_time[row] = (axis.time[now] - axis.time[counted[0]]) / step if len(counted) else np.nan
        used[row, :n] = ~np.isnan(y[row, :n])
    y = np.where(used > 0, y, 0.0)
    # A centred clock: the same model, with sums that keep their digits.
    centre = (time * used).sum(axis=1) / np.maximum(used.sum(axis=1), 1)
    time = np.where(used > 0, time - centre[:, None], 0.0)
    now_time = now_time - centre
    cell = season + np.arange(batch)[:, None] * seasons

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        trend = np.full(batch, p.trend)
        model = _fit_farrington(y, time, cell, seasons, used, trend, p)
        tested = model.has_trend & model.fit.ok
        error = np.sqrt(model.phi_of_errors / model.fit.time_spread)
        p_trend = 2 * special.stdtr(model.fit.freedom, -np.abs(model.fit.slope / error))
        mean_now = np.exp(model.fit.level[:, -1] + model.fit.slope * now_time)
        keep = (p.b >= 3) & (p_trend < p.p_threshold_trend) & (mean_now <= y.max(axis=1))
        drop = tested & ~keep
        if drop.any():
            flat = _fit_farrington(
                y[drop],
                time[drop],
                season[drop] + np.arange(drop.sum())[:, None] * seasons,
                seasons,
                used[drop],
                np.zeros(int(drop.sum()), dtype=bool),
                p,
            )
            eta, error_now, phi, ok = _predict(model, now_time)
            for whole, part in zip((eta, error_now, phi, ok), _predict(flat, now_time[drop]), strict=True):
                whole[drop] = part
        else:
            eta, error_now, phi, ok = _predict(model, now_time)
        observed = counts[units, nows]
        expected, upper, p_value, ratio = _threshold(eta, error_now, phi, observed, p)

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


def _predict(model: _Model, now_time: Array) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """Log mean, its standard error, dispersion, and whether the fit converged, for the last season."""
    fit = model.fit
    eta = fit.level[:, -1] + fit.slope * np.where(model.has_trend, now_time, 0.0)
    variance = 1 / fit.season_weight[:, -1] + (now_time - fit.season_time[:, -1]) ** 2 / fit.time_spread
    return eta, np.sqrt(variance * model.phi_of_errors), model.phi.copy(), fit.ok.copy()


def _threshold(
    eta: Array, error: Array, phi: Array, observed: Array, p: FarringtonParameters
) -> tuple[Array, Array, Array, Array]:
    """Expected count, upper bound, upper tail of what was observed, and R's exceedance score."""
    mean = np.exp(eta)
    if p.threshold_method == "delta":
        tau = phi + (error * mean) ** 2 / mean
        power, scale = {
            "none": (1.0, mean * tau),
            "1/2": (0.5, tau / 4),
            "2/3": (2 / 3, 4 / 9 * mean ** (1 / 3) * tau),
        }[p.powertrans]
        half = normal_limit(p.alpha) * np.sqrt(scale)
        upper = np.fmax((mean**power + half) ** (1 / power), (mean**power - half) ** (1 / power))
        tail = normal_tail((observed**power - mean**power) / np.sqrt(scale))
        return mean, upper, tail, (observed - mean) / (upper - mean)
    plugged = mean if p.threshold_method == "nbPlugin" else np.exp(eta + normal_limit(p.alpha) * error)
    size = np.where(phi > 1, plugged / (phi - 1), plugged)
    upper = _negative_binomial_quantile(p.alpha, size, phi)
    tail = np.where(np.isinf(plugged), np.nan, _negative_binomial_upper_tail(observed, size, phi))
    # The package measures the excess from the log mean here; alarms follow it, so we do too.
    return mean, upper, tail, (observed - eta) / (upper - eta)
