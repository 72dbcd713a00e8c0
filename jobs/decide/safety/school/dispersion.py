"""How far counts scatter around their mean: by single days, and together over neighboring days."""

from __future__ import annotations

import numpy as np

from jobs.decide.safety.answers import Array
from jobs.decide.safety.school.calibration import NEIGHBORS, Calibration
from jobs.decide.safety.school.coefficients import SEASON_YEARS, Axis

# Outbreaks come and go: the mean is mended by what was removed within some months. In quiet series a few
# hundredths of a deviation a step are removed too many or too few by chance.
_OUTBREAK_HALF_LIFE, _BY_CHANCE = 30.0, 0.02
# What outbreaks leave is counted up to so many times what is removed more: sparse units leave several times
# as much, but no one knows how large outbreaks are that do not show.
_MOST_LEFT, _MOST_LEFT_OF_VARIANCE, _SHARE_OF_VARIANCE = 2.0, 1.0, 0.45


def fair(seen: Array, axis: Axis, now: int) -> Array:
    """Steps whose errors say something about today's: without those foretold before a season was known, once
    there are as many others."""
    years = axis.years - axis.years[0]
    return seen * (years >= SEASON_YEARS) if years[now - 1] > 2 * SEASON_YEARS else seen


class Losses:
    """What cleaning does to each unit's mean (`kept`), variance and covariance of neighbors: on quiet steps,
    and by what outbreaks leave in spite of it.

    How much outbreaks leave is estimated from how much more is removed than quiet steps alone would lose: in
    the last months for the mean, whose level follows them, and on all steps for the dispersion.
    """

    def __init__(self, units: int, calibrate: Calibration) -> None:
        self.calibrate = calibrate
        self.kept, self.variance, self.neighbors = np.ones(units), np.ones(units), np.zeros(units)
        self._removed, self._steps = np.zeros(2), np.zeros(2)

    def rate(self, y: Array, mean: Array, seen: Array, weight: Array, phi: Array, steps: slice) -> None:
        """Take in cleaned steps, the next ones or, from 0, all anew."""
        if steps.start == 0:
            self._removed, self._steps = np.zeros(2), np.zeros(2)
        typical = mean[:, max(steps.stop - 60, 0) : steps.stop].mean(axis=1)
        kept, variance, self.neighbors, usual, mean_left, variance_left = self.calibrate.losses_of(
            typical, phi
        )
        y, mean, seen, weight = y[:, steps], mean[:, steps], seen[:, steps], weight[:, steps]
        removed = seen * ((1 - weight) * (y - mean) / np.sqrt(phi[:, None] * mean) - usual[:, None])
        decay = np.array([0.5 ** (y.shape[1] / _OUTBREAK_HALF_LIFE), 1.0])
        self._removed = self._removed * decay + removed.sum()
        self._steps = self._steps * decay + seen.sum()
        more = np.maximum(self._removed / (self._steps + 100), 0.0)
        lately, ever = more**2 / (more + _BY_CHANCE)
        self.kept = kept * (1 + np.minimum(mean_left, _MOST_LEFT) * lately)
        # A lower dispersion makes more days look high, which lowers it again: it runs away if all is taken.
        self.variance = variance * (
            1 + _SHARE_OF_VARIANCE * np.minimum(variance_left, _MOST_LEFT_OF_VARIANCE) * ever
        )


def dispersion_of(y: Array, mean: Array, weight: Array, losses: Losses, until: int) -> tuple[Array, Array]:
    """Dispersion of single days, and the relative variance that neighboring days share: the mean's doubt."""
    m, w = mean[:, :until], weight[:, :until]
    error = y[:, :until] - m
    r, wm = w * error, w * m
    total, amount = wm.sum(axis=1), w.sum(axis=1)
    phi = _shrunk_dispersion((r * error).sum(axis=1) / losses.variance, total, amount)
    shared = _shared(r, wm, phi, -losses.neighbors * phi * m.sum(axis=1))
    mean_square = (wm * m).sum(axis=1)
    return np.maximum(phi - shared * mean_square / np.maximum(total, 1e-9), 1.0), shared


def _shrunk_dispersion(squares: Array, sums: Array, weights: Array) -> Array:
    """Variance ÷ mean of each unit, shrunk towards the usual value at its mean by how uncertain its own is.

    The usual value is a line in the mean, so that both forms of the negative binomial fit.
    """
    # The noise of each is taken at the usual value: at its own, sparse units that look calm by chance would
    # seem sure of it, and draw all others down.
    mean = np.maximum(sums / np.maximum(weights, 1.0), 1e-3)
    usual = np.full(len(sums), max(float((squares.sum() + 1.3) / (sums.sum() + 1.0)), 1.0))
    own = (squares + usual) / (sums + 1.0)
    middle = float(sums.sum() / max(weights.sum(), 1.0)) + 0.1
    between = 0.1
    for _ in range(4):
        error = (2 + 6 * (usual - 1) / mean + 1 / (mean * usual)) / np.maximum(weights, 1.0)
        # A unit that the model does not fit must not speak for the others.
        spread = usual * np.sqrt(between + error)
        value = np.clip(own, usual - 3 * spread, usual + 3 * spread)
        trust = 1 / spread**2
        x = np.minimum(mean / middle, 10.0)
        # Two pseudo-units of 1.3 at the middle.
        centre, height = float(trust @ x / trust.sum()), float((trust @ value + 2.6) / (trust.sum() + 2))
        # The slope counts as far as it exceeds two standard errors.
        known = float(trust @ (x - centre) ** 2) + 1e-9
        slope = float(trust @ ((x - centre) * value)) / known
        slope *= max(1 - 4 / (known * max(slope, 1e-9) ** 2), 0.0)
        usual = np.maximum(height + slope * (x - centre), 1.0)
        apart = (value / usual - 1) ** 2 - error
        sure = 1 / (between + error) ** 2
        between = max(float((sure @ apart + 5 * 100 * 0.1) / (sure.sum() + 5 * 100)), 0.005)
    share = between / (between + error)
    return np.maximum(share * own + (1 - share) * usual, 1.0)


def _shared(r: Array, wm: Array, phi: Array, products: Array) -> Array:
    """Relative variance that neighboring steps share: products of their errors over products of their means.

    One estimate for all units, then each unit's own as far as its noise allows.
    """
    products, weights = products.copy(), np.zeros(len(r))
    for lag in NEIGHBORS:
        products += (r[:, lag:] * r[:, :-lag]).sum(axis=1)
        weights += (wm[:, lag:] * wm[:, :-lag]).sum(axis=1)
    pooled = max(float(products.sum() / max(weights.sum(), 1e-9)), 0.0)
    # Variance of a sum of products of independent errors, each phi · mean.
    noise = phi**2 / np.maximum(weights, 1e-9)
    trust = pooled**2 / (pooled**2 + noise + 1e-12)
    return np.clip(pooled + trust * (products / np.maximum(weights, 1e-9) - pooled), 0.0, 4 * pooled)
