"""From the programme of a group to changes that the exact law accepts, and a bound on what they could cost.

A small group, and one whose coefficients hold by themselves, is solved as one integer programme. In a large
group with coefficients to be brought down, the programme with fractions of persons allowed gives the bound
and says which indicator each school may miss; with that settled, indicators are apart, and each is solved by
itself. Where the solver ends without an answer, every school is raised to one level: dear, but it passes, and
the bound tells how dear.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from jobs.decide.evaluation.balance.coefficients import Spread
from jobs.decide.evaluation.balance.takes_model import MANY, Answer, Kind, Programme

_MOST_ROUNDS, _MOST_TOGETHER, _HALVINGS = 60, 4, 40
# An answer so near to the bound is the best, but for what rounding up to whole square meters and yuan adds.
_ENOUGH = 1e-6


def solve(pupils: Sequence[int], kinds: Sequence[Kind]) -> Answer:
    """The cheapest changes with which all schools and coefficients pass. Raises ArithmeticError only
    where even fractions have no answer.
    """
    programme = Programme(pupils, kinds)
    if len(pupils) <= MANY or not programme.is_cut:
        try:
            return _inside(programme, pupils, kinds)
        except ArithmeticError:
            pass  # solved one by one instead
    parts = [_one(pupils, kind) for kind in _settled(kinds, programme.misses(programme.point))]
    received = [part[0] for part in parts]
    return Answer(received, [part[1] for part in parts], programme.bound, programme.point)


def _settled(kinds: Sequence[Kind], misses: Sequence[Sequence[bool]]) -> list[Kind]:
    """The kinds, once it is settled which schools miss which: what remains is apart."""
    found = []
    for kind, missed in zip(kinds, misses, strict=True):
        least = [r if m else f for f, r, m in zip(kind.full, kind.rest, missed, strict=True)]
        found.append(replace(kind, full=least, rest=least))
    return found


def _one(pupils: Sequence[int], kind: Kind) -> tuple[list[int], list[int]]:
    """Received and given of one indicator by itself."""
    try:
        answer = _inside(Programme(pupils, [kind]), pupils, [kind])
    except ArithmeticError:
        return raised(pupils, kind), [0] * len(pupils)
    return answer.received[0], answer.given[0]


def raised(pupils: Sequence[int], kind: Kind) -> list[int]:
    """What each school receives so that all pass, when nobody gives: the least level, by halving, to which
    all schools below it are raised. There always is one, since equal schools have no coefficient.
    """

    def at(level: Fraction) -> list[int]:
        wanted = zip(kind.full, kind.now, pupils, strict=True)
        return [max(full, math.ceil(level * p - now), 0) for full, now, p in wanted]

    def is_inside(received: list[int]) -> bool:
        return _within(kind, received, [0] * len(pupils), pupils)

    low, high = (
        Fraction(0),
        max(Fraction(now) / p for now, p in zip(kind.now, pupils, strict=True)) or Fraction(1),
    )
    if is_inside(at(low)):
        return at(low)
    # Whole persons make small schools uneven; the higher the level, the less.
    while not is_inside(at(high)):
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_inside(at(middle)) else (middle, high)
    return at(high)


def _inside(programme: Programme, pupils: Sequence[int], kinds: Sequence[Kind]) -> Answer:
    """Solve, judge the coefficients exactly, cut off what is outside, until the answer is inside.

    Of several indicators, those that are outside are solved by themselves at once: often another answer of
    the same cost is inside, and nothing is cheaper than the bound.
    """
    bound, best = 0.0, None
    rounding = sum(kind.add for kind in kinds if kind.unit > 1) * len(pupils)
    for tried in range(_MOST_ROUNDS):
        answer = programme.solve()
        if not programme.is_narrowed:
            bound = max(bound, answer.bound)
        outside = [
            at
            for at, kind in enumerate(kinds)
            if not _within(kind, answer.received[at], answer.given[at], pupils)
        ]
        point = answer.point
        if outside and len(kinds) > 1:
            settled = _settled(kinds, programme.misses(point))
            for at in outside:
                answer.received[at], answer.given[at] = _one(pupils, settled[at])
        if not outside or len(kinds) > 1:
            best = min(best or answer, answer, key=lambda one: _cost(kinds, one))
        is_enough = not outside or tried >= _MOST_TOGETHER
        if best and (is_enough or _cost(kinds, best) <= bound * (1 + _ENOUGH) + rounding):
            return replace(best, bound=bound)
        programme.cut(point, outside, is_sure=True)
    raise ArithmeticError(f"no answer was inside the limits after {_MOST_ROUNDS} rounds")


def _cost(kinds: Sequence[Kind], answer: Answer) -> float:
    """Yuan that the changes cost."""
    whole = 0.0
    for kind, received, given in zip(kinds, answer.received, answer.given, strict=True):
        whole += kind.add * (sum(received) - sum(given)) + (kind.move or 0.0) * sum(given)
    return whole


def _within(kind: Kind, received: list[int], given: list[int], pupils: Sequence[int]) -> bool:
    """Whether the coefficient holds after the changes, exactly."""
    if kind.limit is None:
        return True
    changed = zip(kind.now, received, given, strict=True)
    spread = Spread([now + got - gave for now, got, gave in changed], pupils)
    return not spread.applies or spread.within(kind.limit)
