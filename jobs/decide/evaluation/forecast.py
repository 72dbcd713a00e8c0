"""Where an indicator will stand in the target year: a damped local trend with an 80 % interval.

A unit has few yearly values, so little is learned from its own. The level follows its values; the trend is
its own drawn toward the mean trend of all districts, and loses 5 % a year. Both are followed in the
indicator's unit, for plans are kept in points a year; a share's middle is held within 0–100.

The interval is learned from errors, not assumed. Every earlier year is taken as an origin, with nothing known
after it, and its forecasts of one, two and three years are held against what came. Errors of one indicator at
one level, divided by what the method says that a lead adds, give one spread; a unit's own errors weigh in as
far as they are many. Districts err together, so Student's t has one degree of freedom more than there are
years that errors are about, however many the errors. Errors of shares are those of the logit of the counts,
half a case added on both sides: no end of an interval leaves 0-100, and 100 % of few schools can be reached.
Graded on held-out years of synthetic cities (`benchmarks/plan_forecast`): docs/decisions/evaluation.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from scipy.special import stdtr, stdtrit

# Tuned on seeds 1-4 of the synthetic city, graded on others.
_LEVEL, _TREND, _DAMPING = 0.8, 0.6, 0.95
# Steps of its own that weigh as much as the districts' mean trend.
_POOL_STEPS = 2.0
# Errors of its own that weigh as much as those of its level.
_POOL_ERRORS = 8.0
_LEAST_VALUES, _LEAST_ERRORS, _LONGEST_LEAD = 3, 5, 3
# A value without its counts is known as exactly as if of so many.
_PRINTED = 1000.0
# Both tails of an 80 % interval are a tenth.
_UPPER = 0.9


@dataclass(frozen=True)
class Point:
    """A value in the indicator's unit and the cases that it is of."""

    value: float
    cases: float | None = None


# Year -> what a unit reported.
Series = Mapping[int, Point]


@dataclass(frozen=True)
class Aim:
    """A target as it is printed: `gt` is not met by the value itself, `ge` and `eq` are."""

    year: int
    value: float
    operator: str


@dataclass(frozen=True)
class Forecast:
    """Of one unit for one year: middle, ends of the 80 % interval, chance to meet the target."""

    value: float
    low: float
    high: float
    probability: float


class Forecaster:
    """Forecasts of one indicator for units whose errors are alike; `districts` lend the mean trend."""

    def __init__(self, units: Mapping[str, Series], districts: Mapping[str, Series], *, share: bool) -> None:
        self._units = units
        self._districts = districts
        self._is_share = share
        self._mean_trends: dict[int, float | None] = {}
        self._errors = {code: self._errors_of(code) for code in units}

    def forecast(self, unit: str, origin: int, aim: Aim) -> Forecast | None:
        """What is expected of the target year with nothing known after `origin`.

        None where the unit has no value of the origin's year, or where fewer than three values of its own or
        five errors of its level are known by then.
        """
        known = [year for year in self._units[unit] if year <= origin]
        spread = self._spread(unit, origin)
        if origin not in known or len(known) < _LEAST_VALUES or spread is None:
            return None
        sigma, freedom = spread
        cases = self._units[unit][origin].cases
        middle = self._middle(unit, origin, aim.year)
        at = self._scaled(middle, cases)
        deviation = sigma * _growth(aim.year - origin)
        reach = float(stdtrit(freedom, _UPPER)) * deviation
        above = at - self._least(aim, cases)
        chance = float(stdtr(freedom, above / deviation)) if deviation else float(above >= 0)
        low, high = (max(self._back(at + side, cases), 0.0) for side in (-reach, reach))
        return Forecast(middle, min(low, middle), max(high, middle), chance)

    def _middle(self, unit: str, origin: int, year: int) -> float:
        level, trend, steps = _state(self._units[unit], origin)
        mean = self._mean_trend(origin)
        own = steps / (steps + _POOL_STEPS) if mean is not None else 1.0
        value = level + (own * trend + (1 - own) * (mean or 0.0)) * _damped(year - origin)
        return min(max(value, 0.0), 100.0 if self._is_share else math.inf)

    def _mean_trend(self, origin: int) -> float | None:
        if origin not in self._mean_trends:
            states = [_state(values, origin) for values in self._districts.values()]
            trends = [trend for _, trend, steps in states if steps]
            self._mean_trends[origin] = sum(trends) / len(trends) if trends else None
        return self._mean_trends[origin]

    def _errors_of(self, unit: str) -> list[tuple[int, float]]:
        """(year that it is about, error by what its lead adds) of each origin with two values or more."""
        found, values = [], self._units[unit]
        for origin in sorted(values)[1:]:
            for year in range(origin + 1, origin + 1 + _LONGEST_LEAD):
                if year in values:
                    came = self._scaled(values[year].value, values[year].cases)
                    expected = self._scaled(self._middle(unit, origin, year), values[year].cases)
                    found.append((year, (came - expected) / _growth(year - origin)))
        return found

    def _spread(self, unit: str, origin: int) -> tuple[float, float] | None:
        """Deviation of a year's error and its degrees of freedom, by what is known at the origin."""
        of_all = [e for errors in self._errors.values() for e in errors if e[0] <= origin]
        if len(of_all) < _LEAST_ERRORS:
            return None
        own = [error for year, error in self._errors[unit] if year <= origin]
        pooled = sum(error * error for _, error in of_all) / len(of_all)
        variance = (_POOL_ERRORS * pooled + sum(e * e for e in own)) / (_POOL_ERRORS + len(own))
        return math.sqrt(variance), 1.0 + len({year for year, _ in of_all})

    def _scaled(self, value: float, cases: float | None) -> float:
        """A value on the scale of errors: a share's logit, of its counts."""
        if not self._is_share:
            return value
        whole = cases or _PRINTED
        hits = min(max(value / 100, 0.0), 1.0) * whole
        return math.log((hits + 0.5) / (whole - hits + 0.5))

    def _back(self, scaled: float, cases: float | None) -> float:
        if not self._is_share:
            return scaled
        whole = cases or _PRINTED
        hits = (whole + 1) / (1 + math.exp(-scaled)) - 0.5
        return 100 * min(max(hits / whole, 0.0), 1.0)

    def _least(self, aim: Aim, cases: float | None) -> float:
        """From where on the target is met: cases are whole, so half a case below the first that meets it."""
        if not self._is_share:
            return aim.value
        whole = cases or _PRINTED
        wanted = aim.value / 100 * whole
        first = math.floor(wanted + 1e-9) + 1 if aim.operator == "gt" else math.ceil(wanted - 1e-9)
        return self._scaled(100 * (first - 0.5) / whole, whole)


def _state(values: Series, origin: int) -> tuple[float, float, int]:
    """Level, trend a year and number of steps after the values up to an origin, which has one at least or
    none counts. A year without a value widens the step.
    """
    years = sorted(year for year in values if year <= origin)
    if not years:
        return 0.0, 0.0, 0
    level, trend = values[years[0]].value, 0.0
    for nth, (before, year) in enumerate(pairwise(years)):
        wide, value = year - before, values[year].value
        if not nth:
            level, trend = value, (value - level) / wide
            continue
        expected = level + trend * _damped(wide)
        level = expected + _LEVEL * (value - expected)
        trend = trend * _DAMPING**wide + _TREND * (value - expected) / wide
    return level, trend, len(years) - 1


def _damped(lead: int) -> float:
    """How many years' worth of the trend come within a lead."""
    return sum(_DAMPING**step for step in range(1, lead + 1))


def _growth(lead: int) -> float:
    """Deviation of a lead's error in that of one year's, by the formula of the damped trend."""
    return math.sqrt(1 + sum((_LEVEL + _TREND * _damped(step)) ** 2 for step in range(1, lead)))
