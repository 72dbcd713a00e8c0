"""Upper bounds and tails of a predicted count: negative binomial, or a power of the count taken as normal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from jobs.decide.safety.answers import Array, normal_limit, normal_tail
from jobs.decide.safety.reference.parameters import FarringtonParameters
from jobs.decide.safety.reference.quasi_poisson import LEAST_MEAN


def bound(
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
    allowed = 1 - (1 - alpha) * (1 - 64 * LEAST_MEAN)
    low = np.full(size.shape, -1.0)
    high = np.full(size.shape, 1.0)
    # A fit without a degree of freedom left has no dispersion, and no bound.
    finite = np.isfinite(size) & np.isfinite(phi)

    def enough(count: Array) -> NDArray[np.bool_]:
        return _negative_binomial_upper_tail(count + 1, size, phi) <= allowed

    while not (good := enough(high) | ~finite).all():
        low, high = np.where(good, low, high), np.where(good, high, high * 2)
    # Beyond 2^53 neighbouring counts are one number.
    while (wide := high - low > np.maximum(1.0, 4 * LEAST_MEAN * high)).any():
        middle = np.where(wide, np.floor((low + high) / 2), high)
        good = enough(middle)
        low, high = np.where(good, low, middle), np.where(good, middle, high)
    return np.where(finite, high, np.nan)
