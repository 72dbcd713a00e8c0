"""Prediction intervals from the method's own past errors: by lead, size and volatility of the unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobs.decide.places.panel import Bools, Floats

SHARES = (0.8, 0.9)
# Quantiles of a normal error over its mean size; empirical ones lean on them while errors are few.
NORMAL_QUANTILES = (1.606, 2.062)
NORMAL_ERRORS = 30.0
YEARS_READ = 15
MEMORY = 0.87
LEAD_GROWTH = 0.9  # errors grow about so with the lead, where none of that lead is on record
LEAD_PRIOR_YEARS = 1.5
RESTLESS_LEADS = 3
RESTLESS_MEMORY = 0.9
RESTLESS_PRIOR = 5.0
BIN_ERRORS = 60
MAX_BINS = 8
LARGEST_ERROR = 3.0  # in logs


@dataclass(frozen=True)
class Errors:
    """Absolute log errors of one lead with known targets, [origin, series, grade]; weight 0: unusable."""

    origins: list[int]
    size: Floats
    error: Floats
    weight: Floats


def interval_bounds(truth: Floats, means: Floats, in_file: Bools, i: int) -> Floats:
    """Bounds [lead, series, grade, 4] (lower and upper 80, lower and upper 90) of the forecasts of year i,
    whole pupils around `means[i]`. `truth` [year, series, grade]; `means` [year, lead, series, grade]. Of
    `truth` only years up to i are read."""
    horizon = means.shape[1]
    leads = [_errors(truth, means, in_file, i, lead) for lead in range(1, horizon + 1)]
    out = np.zeros((*means.shape[1:], 4))
    for grade in range(truth.shape[2]):
        scale = _Scale()
        known: list[tuple[Floats, Floats]] = []
        now: list[Floats] = []
        for h in range(horizon):
            scale = scale.next(leads[h], grade, h + 1)
            known.append((scale.at(leads[h].size[..., grade]), leads[h].weight[..., grade]))
            now.append(scale.at(means[i, h, :, grade]))
        restless = _restlessness(leads, [s for s, _ in known], grade, i)
        quantiles = np.array(NORMAL_QUANTILES)
        for h in range(horizon):
            errors = leads[h]
            if errors.origins:
                calm = known[h][0] * restless[errors.origins]
                quantiles = _quantiles(errors.error[..., grade] / calm, errors.weight[..., grade], quantiles)
            half = now[h] * restless[i]
            center = means[i, h, :, grade]
            for k, q in enumerate(quantiles):
                width = np.exp(np.minimum(q * half, LARGEST_ERROR))
                out[h, :, grade, 2 * k] = (center + 1) / width - 1
                out[h, :, grade, 2 * k + 1] = (center + 1) * width - 1
            out[h, center <= 0, grade] = 0
    return np.rint(np.maximum(out, 0))


def _errors(truth: Floats, means: Floats, in_file: Bools, i: int, lead: int) -> Errors:
    # The first year of a run of years is forecast without one ratio: its errors tell nothing of the others'.
    origins = [
        s
        for s in range(max(1, i - lead - YEARS_READ + 1), i - lead + 1)
        if in_file[s] and in_file[s - 1] and in_file[s + lead]
    ]
    shape = (len(origins), *truth.shape[1:])
    if not origins:
        return Errors([], np.zeros(shape), np.zeros(shape), np.zeros(shape))
    at = np.array(origins)
    size, actual = means[at, lead - 1], truth[at + lead]
    error = np.minimum(np.abs(np.log((actual + 1) / (size + 1))), LARGEST_ERROR)
    age = MEMORY ** (i - lead - at)
    usable = (size > 0) & (actual > 0) & (truth[at] > 0)
    return Errors(origins, size, error, np.where(usable, age[:, None, None], 0.0))


@dataclass(frozen=True)
class _Scale:
    """Usual absolute log error by size: knots in log size, values in logs; without any, a plain guess."""

    knots: Floats | None = None
    values: Floats | None = None
    factor: float = 1.0

    def at(self, size: Floats) -> Floats:
        x = np.log(np.maximum(size, 1.0))
        if self.knots is None or self.values is None:
            guess: Floats = self.factor * np.sqrt(0.015**2 + 0.5 * np.exp(-x))
            return guess
        scale: Floats = self.factor * np.exp(np.interp(x, self.knots, self.values))
        return scale

    def next(self, errors: Errors, grade: int, lead: int) -> _Scale:
        """The scale of this lead from its own errors; with few years, drawn to that of the lead before."""
        growth = 1.0 if lead == 1 else (lead / (lead - 1)) ** LEAD_GROWTH
        carried = _Scale(self.knots, self.values, self.factor * growth)
        weight = errors.weight[..., grade].ravel()
        use = weight > 0
        if use.sum() < 3:
            return carried
        size, error, weight = (
            errors.size[..., grade].ravel()[use],
            errors.error[..., grade].ravel()[use],
            weight[use],
        )
        years = (errors.weight[..., grade].max(axis=1) > 0).sum()
        order = np.argsort(size, kind="stable")
        bins = np.array_split(order, int(np.clip(len(order) // BIN_ERRORS, 1, MAX_BINS)))
        knots = np.array([np.log(np.maximum(size[b], 1)).mean() for b in bins])
        found = np.array([(error[b] * weight[b]).sum() / weight[b].sum() for b in bins])
        held = carried.at(np.exp(knots))
        own = years / (years + (LEAD_PRIOR_YEARS if lead > 1 else 0.3))
        values = own * np.log(np.maximum(found, 1e-5)) + (1 - own) * np.log(np.maximum(held, 1e-5))
        return _Scale(knots, values)


def _restlessness(leads: list[Errors], scales: list[Floats], grade: int, i: int) -> Floats:
    """[year, series]: a unit's mean error over the usual for its size, as known in each year up to i."""
    series = leads[0].size.shape[1]
    top, count = np.zeros((i + 1, series)), np.zeros((i + 1, series))
    for h, errors in enumerate(leads[:RESTLESS_LEADS]):
        for k, origin in enumerate(errors.origins):
            seen = errors.weight[k, :, grade] > 0
            ratio = np.minimum(errors.error[k, :, grade] / scales[h][k], 6.0)
            top[origin + h + 1] += np.where(seen, ratio, 0)
            count[origin + h + 1] += seen
    out = np.ones((i + 1, series))
    if series == 1:
        return out
    sum_top, sum_count = np.zeros(series), np.zeros(series)
    for t in range(i + 1):
        sum_top = RESTLESS_MEMORY * sum_top + top[t]
        sum_count = RESTLESS_MEMORY * sum_count + count[t]
        out[t] = (RESTLESS_PRIOR + sum_top) / (RESTLESS_PRIOR + sum_count)
    return out


def _quantiles(scores: Floats, weight: Floats, before: Floats) -> Floats:
    """Weighted quantiles of the scores; while scores are few, drawn to the quantiles of the lead before."""
    use = weight.ravel() > 0
    count = int(use.sum())
    if count == 0:
        return before
    values, w = scores.ravel()[use], weight.ravel()[use]
    order = np.argsort(values, kind="stable")
    share = np.cumsum(w[order]) / (w.sum() + w.mean())
    found = np.interp(SHARES, share, values[order])
    blended: Floats = (count * found + NORMAL_ERRORS * before) / (count + NORMAL_ERRORS)
    return blended
