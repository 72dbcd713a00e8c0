"""Percentile curves by age: the LMS method (Cole and Green 1992), fitted on the lake's own results.

At each age a measure is Box–Cox normal: median M, coefficient of variation S, skewness L, each a cubic spline
of age, fitted together by penalized likelihood. Counts are first spread evenly over their unit, so that a
pile at zero has a percentile too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special
from scipy.interpolate import BSpline
from scipy.optimize import minimize

Floats = NDArray[np.float64]

PERCENTILES = (3, 10, 25, 50, 75, 90, 97)
LEAST_PUPILS = 200
MOST_PUPILS = 4_000  # a curve of so many is nearly as smooth as one of a million, and quick
# Added before fitting, so that every possible value is above nought; in the item's unit.
OFFSET = {"sit_and_reach": 40.0, "pull_up": 1.0, "sit_up_1min": 1.0, "rope_skip_1min": 1.0}
UNIT = {"pull_up": 1.0, "sit_up_1min": 1.0, "rope_skip_1min": 1.0}
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

    def value(self, percent: float) -> Floats:
        """The value of this percentile, by month."""
        z = float(special.ndtri(percent / 100))
        inner = np.maximum(1 + self.l * self.s * z, 1e-6)
        return np.asarray(self.m * inner ** (1 / self.l) - self.offset)

    def percent(self, age_months: NDArray[np.int64], values: Floats) -> Floats:
        """The percentile of each value, 0 to 100; NaN outside the ages of the curve."""
        at = np.clip(age_months - self.age_months[0], 0, len(self.age_months) - 1)
        ratio = np.maximum(values + self.offset, 1e-6) / self.m[at]
        z = (ratio ** self.l[at] - 1) / (self.l[at] * self.s[at])
        inside = (age_months >= self.age_months[0]) & (age_months <= self.age_months[-1])
        return np.where(inside, 100 * special.ndtr(z), np.nan)


def fit(age_months: Floats, values: Floats, item: str, seed: int = 0) -> Curve | None:
    """Fit the curve of one item and sex. None with fewer than LEAST_PUPILS, or if ages span less than a year.

    Rows without a value are left out. The same rows in the same order give the same curve.
    """
    known = ~np.isnan(values) & ~np.isnan(age_months)
    age, y = age_months[known], values[known]
    if len(y) < LEAST_PUPILS:
        return None
    count = len(y)
    rng = np.random.default_rng(seed)
    if count > MOST_PUPILS:
        chosen = np.sort(rng.choice(count, MOST_PUPILS, replace=False))
        age, y = age[chosen], y[chosen]
    offset = OFFSET.get(item, 0.0)
    if item in UNIT:
        y = y + UNIT[item] * rng.random(len(y))
    y = y + offset
    kept = y > 0
    age, y = age[kept], y[kept]
    first, last = np.quantile(age, [0.002, 0.998])
    months = np.arange(int(np.ceil(first)), int(last) + 1)
    if len(months) < 12:
        return None
    inside = (age >= months[0]) & (age <= months[-1])
    age, y = age[inside], y[inside]
    bases = {name: _basis(age, months, knots) for name, knots in _INNER_KNOTS.items()}
    at_pupils = {name: basis[0] for name, basis in bases.items()}
    at_months = {name: basis[1] for name, basis in bases.items()}
    return Curve(months, *_maximize(y, at_pupils, at_months), offset, count)


def _basis(age: Floats, months: NDArray[np.int64], inner: int) -> tuple[Floats, Floats]:
    """Cubic splines at the pupils' ages and at the months, knots at quantiles of age."""
    inside = np.quantile(age, np.linspace(0, 1, inner + 2)[1:-1])
    knots = np.r_[[months[0]] * 4, inside, [months[-1]] * 4].astype(float)
    size = len(knots) - 4
    return tuple(BSpline(knots, np.eye(size), 3)(np.asarray(at, float)) for at in (age, months))


def _maximize(
    y: Floats, at_pupils: dict[str, Floats], at_months: dict[str, Floats]
) -> tuple[Floats, Floats, Floats]:
    """Penalized likelihood over log M, log S and L; returns L, M, S by month."""
    bm, bs, bl = at_pupils["m"], at_pupils["s"], at_pupils["l"]
    sizes = np.cumsum([bm.shape[1], bs.shape[1]])
    log_y = np.log(y)
    start_m, *_ = np.linalg.lstsq(bm, log_y, rcond=None)
    rest = float(np.std(log_y - bm @ start_m))
    start = np.r_[start_m, np.full(bs.shape[1], np.log(max(rest, 1e-3))), np.full(bl.shape[1], 0.5)]

    def rough(coefficients: Floats) -> tuple[float, Floats]:
        second = np.diff(coefficients, 2)
        back = np.zeros(len(coefficients))
        if len(second):
            back[:-2] += second
            back[1:-1] -= 2 * second
            back[2:] += second
        weight = _ROUGHNESS * len(y)
        return weight * float(second @ second) / 2, weight * back

    def loss(coefficients: Floats) -> tuple[float, Floats]:
        of_m, of_s, of_l = np.split(coefficients, sizes)
        log_m, log_s, power = bm @ of_m, np.clip(bs @ of_s, -8, 3), bl @ of_l
        power = np.where(np.abs(power) < 1e-3, 1e-3, power)
        s, log_ratio = np.exp(log_s), log_y - log_m
        u = np.exp(np.clip(power * log_ratio, -30, 30))
        z = (u - 1) / (power * s)
        value = float(-(power * log_ratio - log_s - z * z / 2).sum())
        by_m = -power + z * u / s  # of log M
        by_s = z * z - 1  # of log S
        by_l = log_ratio - z * (u * log_ratio * power - (u - 1)) / (power * power * s)
        back = -np.r_[bm.T @ by_m, bs.T @ by_s, bl.T @ by_l]
        parts = [rough(of) for of in (of_m, of_s, of_l)]
        return value + sum(p for p, _ in parts), back + np.concatenate([g for _, g in parts])

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    of_m, of_s, of_l = np.split(found, sizes)
    power = at_months["l"] @ of_l
    power = np.where(np.abs(power) < 1e-3, 1e-3, power)
    return power, np.exp(at_months["m"] @ of_m), np.exp(np.clip(at_months["s"] @ of_s, -8, 3))


def curves(results: pd.DataFrame, items: dict[str, str], seed: int = 0) -> pd.DataFrame:
    """Fit the curves of every item and sex: one row per month of age.

    In: `age_months`, `sex_code` and the columns of `items` (item -> column). Out: `item_code, sex_code,
    age_months, pupil_count, l, m, s, value_offset, p3 … p97, method`.
    """
    made = []
    age = pd.to_numeric(results["age_months"], errors="coerce").to_numpy(float)
    for sex in ("1", "2"):
        own = (results["sex_code"].astype(str) == sex).to_numpy()
        for item, column in items.items():
            values = pd.to_numeric(results[column], errors="coerce").to_numpy(float)
            curve = fit(age[own], values[own], item, seed)
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
