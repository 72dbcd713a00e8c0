"""From many tests of a class to one calibrated score: tails, an empirical null, one p-value, false discovery.

A p-value is the chance that an honest class looks at least so odd. Honest classes differ by more than chance,
because testers have habits. So each test is first calibrated on all classes: most are honest, and their
spread is the measure of what is odd. Lists of tests may be empty; `count` is the number of classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Floats = NDArray[np.float64]

SMALLEST_P = 1e-300


def beta_binomial_tail(hits: Floats, count: Floats, share: Floats, spread: float) -> Floats:
    """P(X >= hits) where each class has its own share around `share`; `spread` 0 is the binomial.

    `spread` is the correlation of two hits within a class. Where `count` is 0, 1.
    """
    share = np.clip(share, 1e-9, 1 - 1e-9)
    if spread <= 1e-6:
        tail = stats.binom.sf(hits - 1, count, share)
        return np.where(count > 0, np.clip(tail, SMALLEST_P, 1), 1.0)
    mass = (1 - spread) / spread
    a, b = share * mass, (1 - share) * mass
    tail = np.zeros(len(hits))
    most = int(np.max(count, initial=0))
    fixed = special.gammaln(count + 1) - special.betaln(a, b)
    for k in range(most + 1):
        at = (k >= hits) & (k <= count)
        if at.any():
            n = count[at]
            log_mass = fixed[at] - special.gammaln(k + 1) - special.gammaln(n - k + 1)
            tail[at] += np.exp(log_mass + special.betaln(a[at] + k, b[at] + n - k))
    return np.where(count > 0, np.clip(tail, SMALLEST_P, 1), 1.0)


def usual_share(hits: Floats, count: Floats, least: float) -> tuple[float, float]:
    """Share of hits in an ordinary class, and how far classes differ in it (a correlation), robustly.

    The most striking twentieth of the classes is left out, since it is what the test is to find.
    """
    there = count > 0
    if not there.any():
        return least, 0.0
    own = hits[there] / count[there]
    kept = own <= np.quantile(own, 0.95)
    # A share seen nowhere is still possible: half a hit more.
    share = max((hits[there][kept].sum() + 0.5) / (count[there][kept].sum() + 1), least)
    odd = (hits[there] - share * count[there]) / np.sqrt(share * (1 - share) * count[there])
    inflation = max(1.0, (np.quantile(odd, 0.9) / 1.2816) ** 2, (np.quantile(odd, 0.95) / 1.6449) ** 2)
    size = float(np.mean(count[there]))
    return share, float(min((inflation - 1) / max(size - 1, 1), 0.5))


def mean_of(parts: list[Floats], count: int) -> Floats:
    """Mean over the tests that apply, class by class; NaN where none does."""
    stack = _stacked(parts, count)
    known = ~np.isnan(stack)
    applying = known.sum(axis=0)
    total = np.where(known, stack, 0).sum(axis=0)
    return np.where(applying > 0, total / np.maximum(applying, 1), np.nan)


def _stacked(parts: list[Floats], count: int) -> Floats:
    return np.stack(parts) if parts else np.full((1, count), np.nan)


def fisher(p_values: list[Floats], count: int) -> Floats:
    """Fisher's combination over independent tests; NaN is no test."""
    stack = _stacked(p_values, count)
    known = ~np.isnan(stack)
    total = -2 * np.log(np.clip(np.where(known, stack, 1), SMALLEST_P, 1)).sum(axis=0)
    applying = known.sum(axis=0)
    combined = stats.chi2.sf(total, 2 * np.maximum(applying, 1))
    return np.where(applying > 0, np.clip(combined, SMALLEST_P, 1), np.nan)


def stouffer(scores: list[Floats], count: int) -> Floats:
    """Upper tail of the sum of standard normal scores; NaN is no test."""
    stack = _stacked(scores, count)
    known = ~np.isnan(stack)
    applying = known.sum(axis=0)
    total = np.where(known, stack, 0).sum(axis=0) / np.sqrt(np.maximum(applying, 1))
    return np.where(applying > 0, np.clip(stats.norm.sf(total), SMALLEST_P, 1), np.nan)


def set_right(p: Floats) -> Floats:
    """Calibrate p-values by an empirical null: center and spread of their normal scores over all classes.

    They only become less extreme: the spread is at least 1, the center at least 0. With few classes, or
    mostly ties (a test of rare counts), they stay as they are.
    """
    known = ~np.isnan(p)
    if known.sum() < 50:
        return p
    score = stats.norm.isf(np.clip(p[known], SMALLEST_P, 1 - 1e-12))
    center = float(np.median(score))
    if center < -3:
        return p
    upper = [(np.quantile(score, q) - center) / stats.norm.ppf(q) for q in (0.84, 0.9, 0.95)]
    # Where a tenth of the classes is odd, the largest quantile is theirs.
    spread = max(1.0, float(np.median(upper)))
    out = p.copy()
    out[known] = np.clip(stats.norm.sf((score - max(center, 0.0)) / spread), SMALLEST_P, 1)
    return out


def combine(p_values: list[Floats]) -> Floats:
    """One p-value a class from all its tests, which may depend on each other (Cauchy combination)."""
    stack = np.stack(p_values)
    known = ~np.isnan(stack)
    count = known.sum(axis=0)
    # A test of rare counts often says 1, and one such must not outweigh a small p elsewhere.
    p = np.clip(np.where(known, stack, 0.5), SMALLEST_P, 0.9)
    # For small p the cotangent is 1/(pi p), and exact where the tangent would lose it.
    heavy = np.where(p < 1e-8, 1 / (p * np.pi), np.tan((0.5 - p) * np.pi))
    mean = np.where(known, heavy, 0).sum(axis=0) / np.maximum(count, 1)
    combined = np.where(mean > 1e8, 1 / (np.maximum(mean, 1.0) * np.pi), 0.5 - np.arctan(mean) / np.pi)
    return np.where(count > 0, np.clip(combined, SMALLEST_P, 1), np.nan)


def false_discovery(p: Floats) -> Floats:
    """Benjamini and Hochberg's adjusted p-value (q): flagging all below q keeps the expected share of false
    flags at q."""
    q = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    if len(known):
        q[known] = stats.false_discovery_control(p[known], method="bh")
    return q
