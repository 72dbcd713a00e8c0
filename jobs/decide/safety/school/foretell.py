"""Mean and dispersion of each step from the steps before it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jobs.decide.safety.answers import Array
from jobs.decide.safety.school.calibration import Calibration
from jobs.decide.safety.school.coefficients import Axis, Coefficients
from jobs.decide.safety.school.dispersion import Losses, dispersion_of, fair
from jobs.decide.safety.school.evidence import outbreak_weights
from jobs.decide.safety.school.levels import Levels

Progress = Callable[[int, int], None]
_EVERY = 5


class _Foretelling:
    """What is known so far, round by round: coefficients, levels, weights and dispersion."""

    def __init__(self, y: Array, seen: Array, axis: Axis, calibrate: Calibration) -> None:
        units, steps = y.shape
        self.y, self.seen, self.axis, self.calibrate = y, seen, axis, calibrate
        self.model, self.levels = Coefficients(units, axis), Levels(units)
        self.mean, self.phi, self.doubt = np.ones_like(y), np.full_like(y, 1.3), np.zeros_like(y)
        # Means by the coefficients alone; weights that they are fitted with, and that levels learn with.
        self.base, self.weight, self.quiet = np.ones_like(y), np.ones_like(y), np.ones_like(y)
        self.common = np.ones((len(self.levels.common()), steps))
        self.dispersion, self.shared = np.full(units, 1.3), np.zeros(units)
        self.losses = Losses(units, calibrate)
        # Share of the mean that cleaning keeps of each step.
        self.kept = np.ones_like(y)
        self.learned = 0

    def _weigh(self, target: Array, foretold: Array, begin: int, end: int) -> None:
        here = np.where(self.seen[:, begin:end] > 0, foretold, 1e-3)
        counts, phi = self.y[:, begin:end], self.dispersion[:, None]
        target[:, begin:end] = outbreak_weights(counts, here, phi, self.calibrate.windows)

    def _watch(self, step: int) -> None:
        self.levels.watch(self.y[:, step], self.base[:, step], self.seen[:, step] / self.dispersion)

    def _rate(self, weight: Array, steps: slice) -> None:
        if steps.start == steps.stop:
            return
        self.losses.rate(self.y, self.mean, self.seen, weight, self.dispersion, steps)
        self.kept[:, steps.start :] = self.losses.kept[:, None]

    def begin(self, now: int) -> None:
        """Fit the baseline, the steps before `now`, three times: each cleans the next one's past."""
        for _ in range(3):
            self.model.fit(self.y, self.seen, self.weight, self.dispersion, self.kept, now)
            self.base[:, :now] = self.model.predict(0, now, now)
            self.mean[:, :now] = self.base[:, :now]
            weight = self.seen * self.weight
            self.dispersion, self.shared = dispersion_of(self.y, self.mean, weight, self.losses, now)
            self._weigh(self.weight, self.mean[:, :now], 0, now)
            self._rate(self.weight, slice(0, now))
        for step in range(now):
            self._watch(step)

    def refit(self, now: int) -> None:
        """Fit the coefficients again on all steps before `now`."""
        self._weigh(self.weight, self.model.predict(0, now, now), 0, now)
        self.model.fit(self.y, self.seen, self.weight, self.dispersion, self.kept, now)

    def learn(self, now: int) -> None:
        """Take the steps before `now` into levels and dispersion."""
        # The newest days wait: an outbreak under way is not yet known for one.
        lag = max(self.calibrate.windows)
        ready, back = max(now - lag, 0), max(self.learned - lag, 0)
        self._weigh(self.quiet, self.mean[:, back:now], back, now)
        span = slice(self.learned, ready)
        self.levels.learn(
            self.y[:, span],
            self.base[:, span],
            (self.seen * self.quiet)[:, span] / self.dispersion[:, None],
            self.common[:, span],
            self.kept[:, span],
        )
        self.learned = ready
        weight = fair(self.seen, self.axis, now) * self.quiet
        self.dispersion, self.shared = dispersion_of(self.y, self.mean, weight, self.losses, now)
        self._rate(self.quiet, span)

    def foretell(self, now: int, end: int) -> None:
        """Mean, dispersion and doubt of the steps now … end."""
        self.base[:, now:end] = self.model.predict(now, end, now)
        shares = self.levels.shares()
        for step in range(now, end):
            self.common[:, step] = self.levels.common()
            ratio = self.levels.ratio(shares, self.common[:, step])
            self.mean[:, step] = self.base[:, step] * ratio
            self._watch(step)
        self.phi[:, now:end] = self.dispersion[:, None]
        self.doubt[:, now:end] = np.maximum(self.shared[:, None], self.model.doubt(now, end, now))


def foretell(
    y: Array, seen: Array, axis: Axis, calibrate: Calibration, baseline: int, progress: Progress | None
) -> tuple[Array, Array, Array]:
    """Mean, dispersion and doubt of each open step from the steps before it.

    Steps of the baseline are foretold from the whole baseline.
    """
    steps = y.shape[1]
    state = _Foretelling(y, seen, axis, calibrate)
    for round_, now in enumerate(range(baseline, steps, _EVERY)):
        if progress:
            progress(now, steps)
        if round_ == 0:
            state.begin(now)
        elif round_ % 2 == 0:
            state.refit(now)
        state.learn(now)
        state.foretell(now, min(now + _EVERY, steps))
    state.phi[:, :baseline] = state.phi[:, [baseline]]
    state.doubt[:, :baseline] = state.doubt[:, [baseline]]
    return state.mean, state.phi, state.doubt
