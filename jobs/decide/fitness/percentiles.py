"""Percentile curves by age: the LMS method (Cole and Green 1992), fitted on the lake's own results.

At each age a measure is Box–Cox normal: median M, coefficient of variation S, skewness L, each a cubic spline
of age, fitted together by penalized likelihood. Counts are first spread evenly over their unit, so that a
pile at zero has a percentile too. All pupils count: a curve is fitted on how many have each value at each
age, so neither their order nor their keys matter, and a million pupils need little more room than a thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special
from scipy.interpolate import BSpline
from scipy.optimize import minimize

Floats = NDArray[np.float64]

PERCENTILES = (3, 10, 25, 50, 75, 90, 97)
LEAST_PUPILS = 200
# Added before fitting, so that every possible value is above nought; in the item's unit.
OFFSET = {"sit_and_reach": 40.0, "pull_up": 1.0, "sit_up_1min": 1.0, "rope_skip_1min": 1.0}
UNIT = {"pull_up": 1.0, "sit_up_1min": 1.0, "rope_skip_1min": 1.0}
_MAY_BE_NEGATIVE = ("sit_and_reach",)
# Into how many equal parts a count's unit is spread.
_PARTS = 5
METHOD = "lms"
_INNER_KNOTS = {"m": 4, "s": 2, "l": 1}
_ROUGHNESS = 0.02  # weight of the squared second differences of the coefficients, a pupil


@dataclass(frozen=True)
class Curve:
    """One measure of one sex: L, M, S by month of age, of values with `offset` added."""

    age_months: NDArray[np.int64]
    l: Floats  # noqa: E741
    m: Floats
    s: Floats
    offset: float
    pupil_count: int
    least: float

    def value(self, percent: float) -> Floats:
        """The value of this percentile, by month; not below the least that the item can have."""
        z = float(special.ndtri(percent / 100))
        inner = np.maximum(1 + self.l * self.s * z, 1e-6)
        return np.maximum(self.m * inner ** (1 / self.l) - self.offset, self.least)

    def percent(self, age_months: NDArray[np.int64], values: Floats) -> Floats:
        """The percentile of each value, 0 to 100; NaN outside the ages of the curve."""
        at = np.clip(age_months - self.age_months[0], 0, len(self.age_months) - 1)
        ratio = np.maximum(values + self.offset, 1e-6) / self.m[at]
        z = (ratio ** self.l[at] - 1) / (self.l[at] * self.s[at])
        inside = (age_months >= self.age_months[0]) & (age_months <= self.age_months[-1])
        return np.where(inside, 100 * special.ndtr(z), np.nan)


class _Cells(NamedTuple):
    """How many pupils have a value at an age."""

    ages: NDArray[np.int64]
    values: Floats
    counts: Floats


def fit(age_months: Floats, values: Floats, item: str, counts: Floats | None = None) -> Curve | None:
    """Fit the curve of one item and sex. None with fewer than LEAST_PUPILS, or if ages span less than a year.

    In: age (completed months count) and value of each pupil, or of each group of `counts` alike. Rows without
    a value are left out. The same pupils give the same curve to the last digit, in whatever order or groups.
    """
    cells = _cells(age_months, values, counts)
    if cells.counts.sum() < LEAST_PUPILS:
        return None
    pupils = int(cells.counts.sum())
    offset = OFFSET.get(item, 0.0)
    y, age, weight = cells.values, cells.ages, cells.counts
    if item in UNIT:
        parts = UNIT[item] * (np.arange(_PARTS) + 0.5) / _PARTS
        y, age = (y[:, None] + parts).ravel(), np.repeat(age, _PARTS)
        weight = np.repeat(weight / _PARTS, _PARTS)
    y = y + offset
    kept = y > 0
    age, y, weight = age[kept], y[kept], weight[kept]
    first, last = _quantiles(age, weight, [0.002, 0.998])
    months = np.arange(int(np.ceil(first)), int(last) + 1)
    if len(months) < 12:
        return None
    inside = (age >= months[0]) & (age <= months[-1])
    age, y, weight = age[inside], y[inside], weight[inside]
    bases = {name: _basis(age, weight, months, knots) for name, knots in _INNER_KNOTS.items()}
    least = -np.inf if item in _MAY_BE_NEGATIVE else 0.0
    return Curve(months, *_maximize(np.log(y), weight, age - months[0], bases), offset, pupils, least)


def _cells(age_months: Floats, values: Floats, counts: Floats | None) -> _Cells:
    """Pupils of each age and value, in that order; equal ones are added up: their order is nothing."""
    known = ~np.isnan(values) & ~np.isnan(age_months)
    table = pd.DataFrame(
        {
            "age": np.floor(age_months[known]).astype(np.int64),
            "value": values[known],
            "count": np.ones(int(known.sum())) if counts is None else np.asarray(counts, float)[known],
        }
    )
    sums = table.groupby(["age", "value"], sort=True)["count"].sum().reset_index()
    return _Cells(sums["age"].to_numpy(), sums["value"].to_numpy(float), sums["count"].to_numpy(float))


def _quantiles(age: NDArray[np.int64], weight: Floats, at: Sequence[float]) -> Floats:
    """Quantiles of age: half of a month's pupils lie below it, and between two months a line."""
    months, place = np.unique(age, return_inverse=True)
    share = np.bincount(place, weight)
    below = np.cumsum(share) - share / 2
    return np.interp(np.asarray(at) * share.sum(), below, months)


def _basis(age: NDArray[np.int64], weight: Floats, months: NDArray[np.int64], inner: int) -> Floats:
    """Cubic splines at the months, one row each; knots at quantiles of age."""
    inside = _quantiles(age, weight, [float(q) for q in np.linspace(0, 1, inner + 2)[1:-1]])
    knots = np.r_[[months[0]] * 4, inside, [months[-1]] * 4].astype(float)
    return np.asarray(BSpline(knots, np.eye(len(knots) - 4), 3)(months.astype(float)))


def _maximize(
    log_y: Floats, weight: Floats, at: NDArray[np.int64], bases: dict[str, Floats]
) -> tuple[Floats, Floats, Floats]:
    """Penalized likelihood a pupil over log M, log S and L; `at` is the month. Returns L, M, S by month."""
    bm, bs, bl = bases["m"], bases["s"], bases["l"]
    count = len(bm)
    weight = weight / weight.sum()
    sizes = np.cumsum([bm.shape[1], bs.shape[1]])
    start_m, rest = _start(log_y, weight, at, bm)
    start = np.r_[start_m, np.full(bs.shape[1], np.log(max(rest, 1e-3))), np.full(bl.shape[1], 0.5)]

    def rough(coefficients: Floats) -> tuple[float, Floats]:
        second = np.diff(coefficients, 2)
        back = np.zeros(len(coefficients))
        if len(second):
            back[:-2] += second
            back[1:-1] -= 2 * second
            back[2:] += second
        return _ROUGHNESS * float(second @ second) / 2, _ROUGHNESS * back

    def loss(coefficients: Floats) -> tuple[float, Floats]:
        of_m, of_s, of_l = np.split(coefficients, sizes)
        power = bl @ of_l
        power = np.where(np.abs(power) < 1e-3, 1e-3, power)[at]
        log_s = np.clip(bs @ of_s, -8, 3)[at]
        s, log_ratio = np.exp(log_s), log_y - (bm @ of_m)[at]
        u = np.exp(np.clip(power * log_ratio, -30, 30))
        z = (u - 1) / (power * s)
        value = float(-(weight * (power * log_ratio - log_s - z * z / 2)).sum())
        by_m = -power + z * u / s  # of log M
        by_s = z * z - 1  # of log S
        by_l = log_ratio - z * (u * log_ratio * power - (u - 1)) / (power * power * s)
        slopes = ((bm, by_m), (bs, by_s), (bl, by_l))
        back = -np.concatenate([np.bincount(at, weight * by, count) @ basis for basis, by in slopes])
        parts = [rough(of) for of in (of_m, of_s, of_l)]
        return value + sum(p for p, _ in parts), back + np.concatenate([g for _, g in parts])

    enough = {"maxiter": 500, "ftol": 1e-12, "gtol": 1e-7}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=enough).x
    of_m, of_s, of_l = np.split(found, sizes)
    power = bl @ of_l
    power = np.where(np.abs(power) < 1e-3, 1e-3, power)
    return power, np.exp(bm @ of_m), np.exp(np.clip(bs @ of_s, -8, 3))


def _start(log_y: Floats, weight: Floats, at: NDArray[np.int64], basis: Floats) -> tuple[Floats, float]:
    """Coefficients of the mean of log y by month, and the spread around it."""
    share = np.bincount(at, weight, len(basis))
    mean = np.bincount(at, weight * log_y, len(basis)) / np.where(share > 0, share, 1)
    root = np.sqrt(share)
    found, *_ = np.linalg.lstsq(basis * root[:, None], mean * root, rcond=None)
    rest = log_y - (basis @ found)[at]
    return np.asarray(found, float), float(np.sqrt((weight * rest * rest).sum()))


def curves(counted: pd.DataFrame) -> pd.DataFrame:
    """Fit the curves of every item and sex: one row per month of age.

    In: one row per `item_code, sex_code, age_months, item_value` with `pupil_count`, in any order. Out:
    `item_code, sex_code, age_months, pupil_count, l, m, s, value_offset, p3 … p97, method`.
    """
    made = []
    for (sex, item), own in counted.groupby(["sex_code", "item_code"], sort=True):
        age, value, count = (
            own[name].to_numpy(float) for name in ("age_months", "item_value", "pupil_count")
        )
        curve = fit(age, value, str(item), count)
        if curve is None:
            continue
        shown = {f"p{percent}": curve.value(percent) for percent in PERCENTILES}
        rows = pd.DataFrame(
            {
                "item_code": item,
                "sex_code": sex,
                "age_months": curve.age_months,
                "pupil_count": curve.pupil_count,
                "l": curve.l,
                "m": curve.m,
                "s": curve.s,
                "value_offset": curve.offset,
                **shown,
                "method": METHOD,
            }
        )
        made.append(rows)
    return pd.concat(made, ignore_index=True) if made else pd.DataFrame()
