"""Entrants of later years as births predict them, and how far this prediction is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jobs.decide.places.model.means import discounted_mean
from jobs.decide.places.panel import BIRTH_LOOKBACK, Bools, Floats

BIRTH_DECAY = 0.4  # short memory for entrants per birth, so that a break is forgotten in three years
# Share of the births' answer until the data say otherwise: beside an intake's own course, beside a cohort.
BESIDE_TREND, BESIDE_COHORT = 0.7, 0.5
BIRTH_WEIGHT_YEARS = 3.0
# Births not known yet go on as the last years' did, less from year to year.
AHEAD_DECAY, AHEAD_DAMP = 0.8, 0.8
LATE_BIRTH_SHARES = (
    1 / 3,
    0.0,
    1 / 2,
)  # of entrants born a calendar year earlier; a September start gives a third


def _carried(births: Floats) -> Floats:
    """Births with up to three missing years filled from the last known one."""
    out = np.array(births)
    for t in range(1, len(out)):
        out[t] = np.where(np.isfinite(out[t]), out[t], out[t - 1])
    for t in range(len(out)):
        known = np.isfinite(births[max(0, t - 3) : t + 1]).any(0)
        out[t] = np.where(known, out[t], np.nan)
    return out


def births_ahead(births: Floats, years: int) -> Floats:
    """Births of the years after the last row, [year, unit]: a damped trend; NaN where none are known."""
    change = np.diff(np.log(np.maximum(births, 1.0)), axis=0)
    trend = discounted_mean(change, np.ones_like(change), AHEAD_DECAY, 0.0)[-1]
    steps = np.cumsum(AHEAD_DAMP ** np.arange(1, years + 1))
    ahead: Floats = births[-1] * np.exp(steps[:, None] * np.clip(trend, -0.2, 0.2))
    return ahead


@dataclass(frozen=True)
class Born:
    """Births of a level's units, [birth year, unit]; the lag of each grade that they predict; for each of its
    grades the share of entrants born a calendar year earlier, [year]; and after how many years they are
    known."""

    counts: Floats
    lags: Mapping[int, int]
    late: Mapping[int, Floats]
    delay: int

    def as_known(self, t: int, horizon: int) -> Floats:
        """Births as known in school year t, by birth year, and a trend for those after."""
        so_far = _carried(self.counts[: t + BIRTH_LOOKBACK - self.delay + 1])
        return np.concatenate([so_far, births_ahead(so_far, self.delay + horizon)])

    def behind(self, source: Floats, grade: int, year: int, t: int) -> Floats:
        """Births of `source` behind the entrants into a grade in school year `year`, as seen from t."""
        return cohort(source, year + BIRTH_LOOKBACK - self.lags[grade], float(self.late[grade][t]))


def cohort(births: Floats, at: int, late: float) -> Floats:
    """Births of two calendar years as those of one year's entrants, [unit]; NaN where unknown or none."""
    mixed: Floats = (1 - late) * births[at] + late * births[at - 1]
    return np.where(mixed > 0, mixed, np.nan)


def late_shares(pupils: Floats, births: Floats, consecutive: Bools, lag: int) -> Floats:
    """The share of entrants born a calendar year earlier, [year]: which mix has made entrants per birth the
    steadiest up to the year. `pupils` of one grade [year, unit], `births` [birth year, unit]."""
    logs = np.log(np.where(pupils > 0, pupils, np.nan))
    at = np.arange(len(pupils)) + BIRTH_LOOKBACK - lag
    losses = np.zeros((len(LATE_BIRTH_SHARES), len(pupils)))
    for k, late in enumerate(LATE_BIRTH_SHARES):
        ratio = logs - np.log(np.stack([cohort(births, int(a), late) for a in at]))
        change = np.where(consecutive[1:, None], np.abs(np.diff(ratio, axis=0)), np.nan)
        losses[k, 1:] = np.nancumsum(np.nansum(change, axis=1))
    shares: Floats = np.array(LATE_BIRTH_SHARES)[np.argmin(losses, axis=0)]
    return shares


def entry_from_births(
    logs: Floats, born: Born, grade: int, consecutive: Bools, horizon: int
) -> tuple[Floats, Bools]:
    """Log growth of an entry grade, [year, lead, unit], by entrants per birth smoothed over recent years,
    and where it is known. Births not known in a year are never read; their trend stands for them."""
    years, units = logs.shape
    seen = np.stack([np.log(born.behind(born.counts, grade, t, t)) for t in range(years)])
    ratio = np.where(np.isfinite(logs), logs - seen, np.nan)
    level, known = np.zeros_like(ratio), np.zeros(ratio.shape, dtype=bool)
    # Across a gap another set of pupils may be counted: each run of years has its own ratio.
    for run in np.split(np.arange(years), np.flatnonzero(~consecutive)):
        level[run] = discounted_mean(ratio[run], np.ones_like(ratio[run]), BIRTH_DECAY, 0)
        known[run] = np.cumsum(np.isfinite(ratio[run]), axis=0) >= 2
    growth = np.full((years, horizon, units), np.nan)
    for t in range(years):
        births = born.as_known(t, horizon)
        for h in range(horizon):
            growth[t, h] = level[t] + np.log(born.behind(births, grade, t + h + 1, t)) - logs[t]
    growth = np.where(known[:, None], growth, np.nan)
    good = np.isfinite(growth)
    return np.where(good, np.clip(growth, -0.7, 0.7), 0), good


class LearnedShare:
    """The share of one prediction beside another that has erred least so far, held to a first guess."""

    GRID = np.linspace(0, 1, 11)

    def __init__(self, first: float) -> None:
        self.value, self._first = first, first
        self._loss, self._years = np.zeros(len(self.GRID)), 0.0

    def learn(self, actual: Floats, one: Floats, other: Floats, pupils: Floats) -> None:
        """Take in a year's outcomes, in logs, of units of so many `pupils`."""
        weight = pupils / (pupils + 100)
        guess = one[:, None] * self.GRID + other[:, None] * (1 - self.GRID)
        error = (np.abs(actual[:, None] - guess) * weight[:, None]).sum(0)
        belief = len(actual) / (len(actual) + 5)
        self._loss = 0.9 * self._loss + belief * error / max(error.mean(), 1e-9)
        self._years = 0.9 * self._years + belief
        held = self._loss + BIRTH_WEIGHT_YEARS * (self.GRID - self._first) ** 2
        self.value = float(self.GRID[np.argmin(held)])


def births_weight(
    logs: Floats, trend: Floats, born: Floats, good: Bools, pupils: Floats, in_file: Bools, lead: int
) -> Floats:
    """Weight of the births' prediction beside the trend of an intake, in each year."""
    out = np.full(len(logs), BESIDE_TREND)
    share = LearnedShare(BESIDE_TREND)
    for t in range(lead, len(logs)):
        s = t - lead
        use = good[s] & (pupils[t] > 0) & (pupils[s] > 0)
        if in_file[t] and in_file[s] and use.any():
            share.learn((logs[t] - logs[s])[use], born[s][use], trend[s][use], pupils[s][use])
        out[t] = share.value
    return out


class Reconciled:
    """Entrants whom both births and the grade below predict, mixed by the errors of both so far, by lead."""

    def __init__(self, grade: int, born: Floats, good: Bools, pupils: Floats) -> None:
        """`born` and `good` [year, lead, unit] of a grade, `pupils` [year, unit, grade]."""
        self.grade, self._pupils, self._good = grade, pupils[..., grade], good
        self._logs = np.log(np.maximum(self._pupils, 1e-9))
        self._by_births = self._logs[:, None] + born
        self._by_cohort = np.full(born.shape, np.nan)
        self._shares = [LearnedShare(BESIDE_COHORT) for _ in range(born.shape[1])]

    def learn(self, t: int) -> None:
        """Take in what came in year t."""
        for h, share in enumerate(self._shares[:t]):
            s = t - h - 1
            use = self._good[s, h] & np.isfinite(self._by_cohort[s, h]) & (self._pupils[t] > 0)
            if use.any():
                share.learn(
                    self._logs[t, use],
                    self._by_births[s, h, use],
                    self._by_cohort[s, h, use],
                    self._pupils[t, use],
                )

    def mixed(self, t: int, h: int, promoted: Floats, fed: Bools) -> Floats:
        """Pupils promoted into the grade [unit], where `fed` drawn to what births say."""
        self._by_cohort[t, h] = np.where(fed & (promoted > 0), np.log(np.maximum(promoted, 1e-9)), np.nan)
        share = self._shares[h].value
        both = share * self._by_births[t, h] + (1 - share) * self._by_cohort[t, h]
        used = self._good[t, h] & np.isfinite(both)
        return np.where(used, np.exp(np.where(used, both, 0)), promoted)
