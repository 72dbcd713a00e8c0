"""Evidence of one step: today and the sums over the last days, added up on the normal scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from jobs.decide.safety.answers import Array

# Weight of the evidence of each sum, by its number of steps. Chosen on simulated outbreaks of many shapes
# (benchmarks/safety), of which some last a day or two and others more than a week.
DAILY_WINDOWS = {1: 2.0, 2: 3.0, 3: 1.0, 5: 1.0}
WEEKLY_WINDOWS = {1: 1.0, 2: 4.0}
# A step is news if its joined score tops those of so many steps before it: sums overlap, so that one rise
# gives high scores in a row, and only the first of them, and higher ones, tell anything.
DAILY_RECENT, WEEKLY_RECENT = 3, 2
# What a score that is no news is lowered by: more than scores ever differ, so that it stands below all news.
_OLD = 1000.0
# An earlier day counts in a sum up to this many deviations above its mean: an outbreak that is over must not
# go on alarming.
_CAP = 2.0
# Excess, in deviations, above which a past step loses weight, by its third power. Firmer than the 2.58 and
# the square of Noufaily et al. 2013, because schools have outbreaks on a tenth of their days. What that
# takes from quiet days is known by simulation, and given back.
_OUTBREAK = 2.0


def window_sums(values: Array, steps: int) -> Array:
    """Sum over the last `steps` columns, fewer at the beginning."""
    total = np.cumsum(values, axis=1)
    total[:, steps:] -= total[:, :-steps].copy()
    return total


def tail_score(count: Array, mean: Array, phi: Array) -> Array:
    """Where a count lies in its negative binomial (variance phi · mean): the mid-p value on the normal scale.

    Uses the saddlepoint form of Lugannani and Rice. It is smooth, and right to a few per cent for means from
    0.01 up.
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
class Evidence:
    """What the days before add to each sum of a judged step: their counts, the sum's mean, its dispersion."""

    windows: dict[int, float]
    earlier: dict[int, Array]
    mean: dict[int, Array]
    phi: dict[int, Array]
    scale: Array

    def join(self, count: Array) -> Array:
        """The joined score of a step that has `count` cases."""
        total = np.zeros_like(count)
        for steps, weight in self.windows.items():
            total += weight * tail_score(count + self.earlier[steps], self.mean[steps], self.phi[steps])
        return total * self.scale


def evidence_of(
    y: Array, seen: Array, mean: Array, phi: Array, doubt: Array, windows: dict[int, float]
) -> Evidence:
    """Evidence of each step. `doubt` is the relative variance of the mean; the days of a sum share it, so it
    widens long sums more."""
    capped = seen * capped_counts(y, mean, phi)
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
    return Evidence(windows, earlier, sums, widened, np.sqrt(plain / shared))


def recent_high(joined: Array, judged: NDArray[np.bool_], steps: int) -> Array:
    """The highest joined score of the `steps` steps before each; -inf where none of them was judged."""
    values = np.where(judged, joined, -np.inf)
    high = np.full(joined.shape, -np.inf)
    for lag in range(1, min(steps, joined.shape[1] - 1) + 1):
        np.maximum(high[:, lag:], values[:, :-lag], out=high[:, lag:])
    return high


def as_news(joined: Array, recent: Array, risen: NDArray[np.bool_]) -> Array:
    """Joined scores, those that do not top the recent ones lowered below all that do. A day that has not
    `risen` above its mean is no news: the scores of days without a case differ by their means alone."""
    return np.where((joined > recent) & risen, joined, joined - _OLD)


def capped_counts(counts: Array, mean: Array, phi: Array) -> Array:
    """Counts as a sum takes them: at most `_CAP` deviations above their mean."""
    return np.minimum(counts, np.ceil(mean + _CAP * np.sqrt(phi * mean)))


def outbreak_weights(counts: Array, mean: Array, phi: Array, windows: dict[int, float]) -> Array:
    """1 for quiet steps; less for steps in a sum that is more than `_OUTBREAK` deviations too high.

    Deviations are Anscombe residuals.
    """
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


def upper_bound(evidence: Evidence, mean: Array, limit: Array) -> Array:
    """The largest count, 0 at least, whose joined score stays at or below `limit`."""
    low = np.zeros_like(mean)
    high = np.ceil(mean + 10 * np.sqrt(evidence.phi[1] * mean) + 10)
    while (wide := high - low > 1).any():
        middle = np.floor((low + high) / 2)
        quiet = evidence.join(middle) <= limit
        low, high = np.where(wide & quiet, middle, low), np.where(wide & ~quiet, middle, high)
    return low
