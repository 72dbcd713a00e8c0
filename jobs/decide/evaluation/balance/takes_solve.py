"""From the programme of a group to changes that the exact law accepts, and a bound on what they could cost.

A small group, and one whose coefficients hold by themselves, is solved as one integer programme. In a large
group with coefficients to be brought down, the programme with fractions of persons allowed gives the bound
and says which indicator each school may miss; with that settled, indicators are apart, and each is solved by
itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jobs.decide.evaluation.balance.coefficients import Spread
from jobs.decide.evaluation.balance.takes_model import MANY, Answer, Kind, Programme

_MOST_ROUNDS = 60


def solve(pupils: Sequence[int], kinds: Sequence[Kind]) -> Answer:
    """The cheapest changes with which all schools and coefficients pass. Raises ArithmeticError if none."""
    programme = Programme(pupils, kinds)
    if len(pupils) <= MANY or not programme.is_cut:
        return _inside(programme, pupils, kinds)
    settled = [
        replace(kind, full=[r if m else f for f, r, m in zip(kind.full, kind.rest, misses, strict=True)])
        for kind, misses in zip(kinds, programme.misses(), strict=True)
    ]
    settled = [replace(kind, rest=kind.full) for kind in settled]
    parts = [_inside(Programme(pupils, [kind]), pupils, [kind]) for kind in settled]
    received = [part.received[0] for part in parts]
    return Answer(received, [part.given[0] for part in parts], programme.bound, programme.point)


def _inside(programme: Programme, pupils: Sequence[int], kinds: Sequence[Kind]) -> Answer:
    """Solve, judge the coefficients exactly, cut off what is outside, until the answer is inside."""
    bound = 0.0
    for _ in range(_MOST_ROUNDS):
        answer = programme.solve()
        if not programme.is_narrowed:
            bound = max(bound, answer.bound)
        outside = [at for at, kind in enumerate(kinds) if not _holds(kind, at, answer, pupils)]
        if not outside:
            return replace(answer, bound=bound)
        programme.cut(answer.point, outside, is_sure=True)
    raise ArithmeticError(f"no answer was inside the limits after {_MOST_ROUNDS} rounds")


def _holds(kind: Kind, at: int, answer: Answer, pupils: Sequence[int]) -> bool:
    if kind.limit is None:
        return True
    changed = zip(kind.now, answer.received[at], answer.given[at], strict=True)
    spread = Spread([now + got - gave for now, got, gave in changed], pupils)
    return not spread.applies or spread.within(kind.limit)
