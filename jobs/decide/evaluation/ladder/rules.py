"""Rules of the ladder, and what they call for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from jobs import declare
from jobs.decide.evaluation.ladder.signals import SEEN_WHILE_IT_LASTS, Signal, kind_of
from jobs.declare import standards

# The steps from the lowest; a step's height is its place from 1, and 0 is none.
_IN_ORDER = sorted(declare.code_list("supervision_step").rows, key=lambda row: int(row["step_number"]))
STEPS = tuple(row["code"] for row in _IN_ORDER)


@dataclass(frozen=True)
class Rule:
    """From which extent, over how many periods in a row, a step is called for."""

    code: str
    step: int
    least_extent: float
    least_periods: int
    least_days_on_last_step: int


Rules = Mapping[str, Sequence[Rule]]


def rules(on: date) -> dict[str, list[Rule]]:
    """Kind of signal -> its rules in force on a day, lowest step first."""
    found: dict[str, list[Rule]] = {}
    for row in standards.rows("evaluation/ladder_rules", on):
        rule = Rule(
            row["rule_code"],
            STEPS.index(row["supervision_step_code"]) + 1,
            float(row["least_extent"]),
            int(row["least_periods"]),
            int(row["least_days_on_last_step"]),
        )
        found.setdefault(row["signal_kind"], []).append(rule)
    return {kind: sorted(own, key=lambda rule: rule.step) for kind, own in found.items()}


def off_periods(signal: Signal, least_extent: float) -> int:
    """How many of the newest periods in a row are off by so much."""
    count = 0
    for period in reversed(signal.periods):
        if period.extent is None or period.extent < least_extent:
            break
        count += 1
    return count


def called_for(signal: Signal | None, own: Sequence[Rule]) -> Rule | None:
    """The rule of the highest step that the signal calls for; None for none."""
    if signal is None:
        return None
    met = [rule for rule in own if off_periods(signal, rule.least_extent) >= rule.least_periods]
    return max(met, key=lambda rule: rule.step, default=None)


def is_unknown(metric: str, signal: Signal | None) -> bool:
    """Whether nothing can be said about the condition: the newest period has no value, or a metric of years
    has no period. What is only seen while it lasts (an overdue hazard) has ended where it is not seen."""
    if signal is None or not signal.periods:
        return kind_of(metric) not in SEEN_WHILE_IT_LASTS
    return signal.periods[-1].extent is None
