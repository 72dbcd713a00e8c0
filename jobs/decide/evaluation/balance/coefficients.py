"""The coefficient of variation between the schools of a district, weighted by pupils.

For school i with P pupils and resource x: mean X = Σx / ΣP, S² = ΣP (x/P − X)² / ΣP, coefficient S / X. So a
small school moves it little; the plain deviation over schools is another measure and gives other verdicts.
A coefficient is compared with its limit exactly: floats decide where they are sure, fractions where they are
not. Source: 义务教育均衡发展差异系数计算方法.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cached_property

from jobs.decide.evaluation.balance.special import Number

# Floats are right to some 14 digits here; whatever is nearer to a limit is decided by fractions.
_SURE = 1e-9
# Digits for sums of square roots, and the difference below which two such sums are one.
_DIGITS, _SAME = 100, Decimal("1e-80")
# Fractions of split schools have denominators of their own. Beyond this size all are written to 1e-40, which
# is far more than floats show.
_LARGEST_SCALE, _FINE = 2**256, 10**40


class Spread:
    """How a resource is spread over the schools of a district and stage. At least one school, each with
    pupils."""

    def __init__(self, quantities: Sequence[Number], pupils: Sequence[int]) -> None:
        self.quantities, self.pupils = quantities, pupils
        scale = math.lcm(*{x.denominator for x in quantities})
        if scale > _LARGEST_SCALE:
            scale = _FINE
        self._scale = scale
        self._scaled = [x.numerator * scale // x.denominator for x in quantities]
        self._total, self._heads = sum(self._scaled), sum(pupils)

    def mean(self, per: int = 1) -> float:
        """Resource of all schools over all pupils, in the indicator's unit."""
        return self._total * per / (self._heads * self._scale)

    @property
    def applies(self) -> bool:
        """A district with one school has no difference between schools, one without the resource no mean."""
        return len(self.pupils) > 1 and self._total > 0

    @cached_property
    def coefficient(self) -> float:
        """The coefficient as a float. Only where it applies."""
        heads, total = self._heads, self._total
        parts = ((x * heads - total * p) ** 2 / p for x, p in zip(self._scaled, self.pupils, strict=True))
        found = math.sqrt(math.fsum(parts) / (heads * total * total))
        return found if found > 1e-30 else 0.0

    @cached_property
    def square(self) -> Fraction:
        """The square of the coefficient as an exact fraction. Only where it applies."""
        total, heads = sum(self.quantities, Fraction(0)), self._heads
        squares = _sum([Fraction(x * x) / p for x, p in zip(self.quantities, self.pupils, strict=True)])
        return squares * heads / (total * total) - 1

    def within(self, limit: Fraction) -> bool:
        """Whether the coefficient is at most the limit, exactly."""
        shown = float(limit)
        if abs(self.coefficient - shown) > _SURE * shown:
            return self.coefficient < shown
        return self.square <= limit * limit


def mean_within(spreads: Sequence[Spread], limit: Fraction) -> bool:
    """Whether the plain mean of several coefficients is at most the limit (the composite of 2012)."""
    mean, shown = math.fsum(s.coefficient for s in spreads) / len(spreads), float(limit)
    if abs(mean - shown) > _SURE * shown:
        return mean < shown
    roots = [_root(s.square) for s in spreads]
    rational = [root for root in roots if root is not None]
    if len(rational) == len(roots):
        return sum(rational, Fraction(0)) <= limit * len(spreads)
    with localcontext() as context:
        context.prec = _DIGITS
        parts = [(Decimal(s.square.numerator) / s.square.denominator).sqrt() for s in spreads]
        wanted = Decimal(limit.numerator) / limit.denominator * len(spreads)
        return sum(parts, Decimal(0)) - wanted <= _SAME


def _root(square: Fraction) -> Fraction | None:
    """The square root where it is a fraction."""
    top, bottom = math.isqrt(square.numerator), math.isqrt(square.denominator)
    return Fraction(top, bottom) if (top * top, bottom * bottom) == square.as_integer_ratio() else None


def _sum(parts: list[Fraction]) -> Fraction:
    """The sum of fractions; by halves, so that large denominators meet late."""
    if len(parts) < 3:
        return sum(parts, Fraction(0))
    middle = len(parts) // 2
    return _sum(parts[:middle]) + _sum(parts[middle:])
