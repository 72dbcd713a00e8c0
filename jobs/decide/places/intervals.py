"""Prediction intervals from the method's own past errors: by lead, size and volatility of the unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jobs.decide.places.growth import step_errors
from jobs.decide.places.panel import Bools, Floats

SHARES = (0.8, 0.9)
# Quantiles of a normal error over its mean size; empirical ones lean on them while errors are few.
NORMAL_QUANTILES = (1.606, 2.062)
NORMAL_ERRORS, ERRORS_A_YEAR = 30.0, 5.0
YEARS_READ = 15
MEMORY = 0.8
LEAD_PRIOR_YEARS = 4.0  # how long the growth from the lead before is held against a lead's own errors
SHORT_RECORD = 2.0  # a forecast that rested on so many years erred more: it counts half
# The usual size of an error is itself known from few years: intervals are the wider for it.
SCALE_DOUBT, SCALE_YEARS = 0.5, 2.0
RESTLESS_LEADS = 3
RESTLESS_MEMORY = 0.9
RESTLESS_PRIOR = 5.0
BIN_ERRORS = 60
MAX_BINS = 8
LARGEST_ERROR = 3.0  # in logs


@dataclass(frozen=True)
class Errors:
    """Log errors of one lead with known targets, [origin, series, grade]; weight 0: unusable."""

    lead: int
    origins: list[int]
    size: Floats
    signed: Floats
    weight: Floats

    @property
    def error(self) -> Floats:
        return np.abs(self.signed)

    def worth(self, grade: int) -> float:
        """How many years of errors there are, as if none repeated another: years overlap as the lead grows,
        and what is common to all series of a year is one error."""
        weight = self.weight[..., grade]
        if not (weight > 0).any():
            return 0.0
        of_year = weight.sum(1)
        mean = (self.signed[..., grade] * weight).sum(1) / np.maximum(of_year, 1e-12)
        common = float((mean**2 * of_year).sum())
        whole = float((self.signed[..., grade] ** 2 * weight).sum())
        series = int((weight > 0).any(0).sum())
        return float(weight.max(1).sum()) / self.lead * float(np.clip(whole / max(common, 1e-12), 1, series))


def interval_bounds(
    truth: Floats, means: Floats, in_file: Bools, i: int, grades: int, spans: Sequence[Sequence[int]]
) -> Floats:
    """Bounds [lead, series, grade, 4] (lower and upper 80, lower and upper 90) of the forecasts of year i,
    whole pupils around `means[i]`. `truth` [year, series, grade]; `means` [year, lead, series, grade]. Of
    `truth` only years up to i are read. The last axis has the `grades`, then their `spans`."""
    horizon = means.shape[1]
    leads = [_errors(truth, means, in_file, i, lead) for lead in range(1, horizon + 1)]
    out = np.zeros((*means.shape[1:], 4))
    whole = means[i].sum(1)
    sizes = whole[0] / np.maximum((means[i, 0] > 0).sum(0), 1)
    steps = [_Scale().next(leads[0], g, 1.0).at(sizes[g : g + 1])[0] for g in range(grades)]
    stepped = step_errors(whole[:, :grades], spans, np.array(steps)) ** 2
    for grade in range(truth.shape[2]):
        scale = _Scale()
        known: list[tuple[Floats, Floats]] = []
        now: list[Floats] = []
        for h in range(horizon):
            usual = scale.at(sizes[grade : grade + 1])[0]
            more = max(stepped[h, grade] - stepped[max(h - 1, 0), grade], 0.0)
            scale = scale.next(leads[h], grade, np.sqrt(1 + more / usual**2))
            known.append((scale.at(leads[h].size[..., grade]), leads[h].weight[..., grade]))
            now.append(scale.at(means[i, h, :, grade]))
        restless = _restlessness(leads, [s for s, _ in known], grade, i)
        quantiles = np.array(NORMAL_QUANTILES)
        doubt = 1 + SCALE_DOUBT / (leads[0].worth(grade) + SCALE_YEARS)
        for h in range(horizon):
            errors = leads[h]
            if errors.origins:
                calm = known[h][0] * restless[errors.origins]
                scores, most = errors.error[..., grade] / calm, ERRORS_A_YEAR * errors.worth(grade)
                quantiles = _quantiles(scores, errors.weight[..., grade], most, quantiles)
            half = now[h] * restless[i] * doubt
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
        return Errors(lead, [], np.zeros(shape), np.zeros(shape), np.zeros(shape))
    at = np.array(origins)
    size, actual = means[at, lead - 1], truth[at + lead]
    error = np.clip(np.log((actual + 1) / (size + 1)), -LARGEST_ERROR, LARGEST_ERROR)
    years = np.cumsum(in_file)[at]
    age = MEMORY ** (i - lead - at) * years / (years + SHORT_RECORD)
    usable = (size > 0) & (actual > 0) & (truth[at] > 0)
    return Errors(lead, origins, size, error, np.where(usable, age[:, None, None], 0.0))


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

    def next(self, errors: Errors, grade: int, growth: float) -> _Scale:
        """The scale of this lead from its own errors; as these are few, drawn to that of the lead before,
        grown as errors do."""
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
        years = errors.worth(grade)
        order = np.argsort(size, kind="stable")
        bins = np.array_split(order, int(np.clip(len(order) // BIN_ERRORS, 1, MAX_BINS)))
        knots = np.array([np.log(np.maximum(size[b], 1)).mean() for b in bins])
        found = np.array([(error[b] * weight[b]).sum() / weight[b].sum() for b in bins])
        held = carried.at(np.exp(knots))
        own = years / (years + (LEAD_PRIOR_YEARS if errors.lead > 1 else 0.3))
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


def _quantiles(scores: Floats, weight: Floats, most: float, before: Floats) -> Floats:
    """Weighted quantiles of the scores; while scores are few, drawn to the quantiles of the lead before. They
    count as `most` at the most."""
    use = weight.ravel() > 0
    count = min(int(use.sum()), most)
    if count == 0:
        return before
    values, w = scores.ravel()[use], weight.ravel()[use]
    order = np.argsort(values, kind="stable")
    share = np.cumsum(w[order]) / (w.sum() + w.mean())
    found = np.interp(SHARES, share, values[order])
    blended: Floats = (count * found + NORMAL_ERRORS * before) / (count + NORMAL_ERRORS)
    return blended
