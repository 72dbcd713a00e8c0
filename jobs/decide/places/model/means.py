"""Discounted means over the years: with fitted memory, without shocks, and as forecasts of log ratios."""

from __future__ import annotations

import numpy as np

from jobs.decide.places.model.candidates import Candidate
from jobs.decide.places.panel import Floats

# Past this many pupils a ratio is as good as it gets: what moves it then is no sampling noise.
WEIGHT_CAP = 3000.0
MEMORY_FIT = 10.0  # how soon the better memory of a grade wins
REBOUND = 0.2  # of an outlying year's excess that comes back in the next


def discounted_mean(x: Floats, weight: Floats, decay: float, prior: float) -> Floats:
    """Mean over the years so far, older ones discounted, pulled to zero by `prior`. NaN has no weight."""
    top, bottom, out = np.zeros(x.shape[1:]), np.zeros(x.shape[1:]), np.zeros_like(x)
    seen = np.isfinite(x)
    value, weight = np.where(seen, x, 0), np.where(seen, weight, 0)
    for t in range(len(x)):
        top = decay * top + weight[t] * value[t]
        bottom = decay * bottom + weight[t]
        out[t] = top / np.maximum(bottom + prior, 1e-9)
    return out


def fitted_mean(x: Floats, weight: Floats, decays: tuple[float, float, float], prior: float) -> Floats:
    """Discounted mean whose memory is fitted to each grade (last axis). Three memories are weighted by how
    well each predicted the next year over all units so far; at first the middle one is favored."""
    means = np.stack([discounted_mean(x, weight, decay, prior) for decay in decays])
    known = np.where(np.isfinite(x), weight, 0)
    favor = np.array([0.25, 0.5, 0.25])[:, None]
    loss, years = np.zeros((len(decays), x.shape[-1])), np.zeros(x.shape[-1])
    out = np.zeros_like(x)
    for t in range(len(x)):
        if t >= 2:
            w = known[t]
            total = np.maximum(w.sum(0), 1e-9)
            error = np.abs(np.where(w > 0, x[t] - means[:, t - 1], 0))
            usual = (error[1] * w).sum(0) / total
            loss = 0.95 * loss + (np.minimum(error, 4 * usual) * w).sum(1) / total
            years = 0.95 * years + (w.sum(0) > 0)
        excess = loss / np.maximum(loss.mean(0), 1e-12) - np.sign(loss.mean(0))
        share = favor * np.exp(-MEMORY_FIT * years * excess)
        out[t] = (share[:, None] * means[:, t]).sum(0) / share.sum(0)
    return out


def without_shocks(
    x: Floats, weight: Floats, decay: float, prior: float, clip: float
) -> tuple[Floats, Floats]:
    """Cut surprises down to `clip` times what is usual for the unit; also return what was cut off.

    A unit needs two surprises on record first. While it has few, its scale is drawn to all units' median."""
    shape = x.shape[1:]
    top, bottom, scale, count = (np.zeros(shape) for _ in range(4))
    kept, excess = np.array(x), np.zeros_like(x)
    common = 0.0
    for t in range(len(x)):
        seen = np.isfinite(x[t]) & (weight[t] > 0)
        value, w = np.where(seen, x[t], 0), np.where(seen, weight[t], 0)
        root = np.sqrt(np.maximum(w, 1e-9))
        surprise = (value - top / np.maximum(bottom + prior, 1e-9)) * root
        judged = seen & (bottom > 0)
        limit = np.where(count >= 2, clip * (scale + 3 * common) / (count + 3), np.inf)
        usual = np.where(judged, np.clip(surprise, -limit, limit), surprise)
        excess[t] = np.where(judged, (surprise - usual) / root, 0)
        kept[t] = np.where(seen, value - excess[t], np.nan)
        if judged.any():
            size = np.abs(usual)
            median = float(np.median(size[judged]))
            common = median if common == 0 else common + 0.3 * (median - common)
            scale = np.where(judged, 0.85 * scale + size, scale)
            count = np.where(judged, 0.85 * count + 1, count)
        top = decay * top + w * np.where(seen, kept[t], 0)
        bottom = decay * bottom + w
    return kept, excess


def _weighted_mean(x: Floats, weight: Floats) -> Floats:
    weight = np.where(np.isfinite(x), weight, 0)
    total: Floats = (np.where(np.isfinite(x), x, 0) * weight).sum(-1) / np.maximum(weight.sum(-1), 1e-12)
    return total


def _across_grades(x: Floats, weight: Floats, robust: bool) -> Floats:
    """Mean over grades, NaN where there is none."""
    mean = _weighted_mean(x, weight)
    for _ in range(2 if robust else 0):
        far = np.abs(x - mean[..., None])
        usual = _weighted_mean(far, weight)[..., None] + 1e-6
        mean = _weighted_mean(x, weight * np.minimum(1, usual / np.maximum(far, 1e-9)))
    return np.where(np.where(np.isfinite(x), weight, 0).sum(-1) > 0, mean, np.nan)


def _mix(fast: Floats, slow: Floats, mix: float, horizon: int, first: float) -> Floats:
    """[year, lead, …]: the fast mean gives way to the slow one as the lead grows."""
    share = mix ** (np.arange(horizon) + first)
    share = share.reshape(1, -1, *[1] * (fast.ndim - 1))
    return share * fast[:, None] + (1 - share) * slow[:, None]


def deviation_forecast(x: Floats, pupils: Floats, s: Candidate, horizon: int, is_total: bool) -> Floats:
    """Forecast [year, lead, unit, grade] of log ratios `x` (NaN: none) that rest on so many `pupils`."""
    weight = pupils / (1 + pupils / WEIGHT_CAP)
    unit = _across_grades(x, weight, s.unit_robust)
    grade = x - unit[..., None]
    behind = weight.sum(-1)
    unit_weight = behind / (1 + behind / (5 * WEIGHT_CAP))
    excess = np.zeros_like(unit)
    if is_total:
        fast = discounted_mean(unit, unit_weight, s.total_decay, 0)
        slow = discounted_mean(unit, unit_weight, s.total_slow, 0)
        grade_fast = discounted_mean(grade, weight, s.total_grade_decay, 0)
        keep, grade_prior, grade_damp = 1.0, 0.0, 1.0
    else:
        if s.unit_clip:
            unit, excess = without_shocks(unit, unit_weight, s.unit_decay, s.unit_prior, s.unit_clip)
        fast = discounted_mean(unit, unit_weight, s.unit_decay, s.unit_prior)
        slow = discounted_mean(unit, unit_weight, s.unit_slow, s.unit_prior)
        grade_fast = fitted_mean(grade, weight, s.grade_decays, s.grade_prior)
        keep, grade_prior, grade_damp = s.unit_keep, s.grade_prior, s.grade_damp
    units = keep * _mix(fast, slow, s.unit_mix, horizon, 0.5)
    units[:, 0] -= REBOUND * excess
    grades = _mix(
        grade_fast,
        discounted_mean(grade, weight, s.grade_slow, grade_prior),
        s.grade_mix,
        horizon,
        0,
    )
    grades *= (grade_damp ** np.arange(1, horizon + 1)).reshape(1, -1, 1, 1)
    total: Floats = units[..., None] + grades
    return total
