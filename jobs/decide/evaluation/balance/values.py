"""What each school has of each resource per pupil, against the thresholds. All comparisons are exact.

Numbers come in as whole numbers or fractions of the text that was given, never as binary floats: 21 teachers
of 500 pupils are exactly 4.2 a hundred and meet 4.2. Only what is shown becomes a float.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from jobs.decide.evaluation.balance import special
from jobs.decide.evaluation.balance.special import Number
from jobs.decide.evaluation.balance.standard import SHARE_OF_REST, SIX_OF_SEVEN, Standard

# Verdicts of schools, coefficients and rules alike.
PASS, FAIL = "pass", "fail"
NOT_APPLICABLE, NOT_COLLECTED = "not_applicable", "not_collected"
NO_PUPILS = "no_pupils"


def exact(value: Any) -> Number:
    """A number as an exact one: an int as it is, all others by their shortest text. Raises ValueError."""
    if isinstance(value, int | Fraction):
        return value
    made = Fraction(str(value))
    return made.numerator if made.denominator == 1 else made


@dataclass(frozen=True)
class SchoolStage:
    """One stage of one school. A quantity that is absent or None was not collected; `facts` are those that
    special cases read (flags are 1 or 0), and an absent one is unknown."""

    district: str
    school: str
    stage: str
    pupils: int
    quantities: Mapping[str, Number | None]
    facts: Mapping[str, Number | None] = field(default_factory=dict)


class Value(NamedTuple):
    """One indicator of one school. All but the quantity's name is None where it was not collected."""

    quantity: Number | None  # with what a special case adds
    value: float | None
    threshold: Fraction | None  # None where the standard asks for nothing (2012)
    is_met: bool | None
    share: float | None  # of the threshold
    is_near: bool | None  # the share reaches what the one that misses must reach
    special_case: str | None


@dataclass(frozen=True)
class SchoolVerdict:
    """What the standard says of one stage of one school."""

    school: SchoolStage
    reason: str  # why it is left out, or empty
    values: dict[str, Value]
    met_count: int | None
    lowest_share: float | None
    verdict: str


def judge_school(school: SchoolStage, standard: Standard, on: date) -> SchoolVerdict:
    """Judge one stage of one school: at least six of seven thresholds met, the other at 85 % of its own.

    A school without pupils, or outside the standard's scope, does not apply. Where a quantity is missing, a
    school that fails without it fails; any other is not collected. The method of 2012 judges no school.
    """
    cases = special.read(standard.name, on)
    facts = {**school.facts, "pupils": school.pupils}
    reason = cases.left_out(facts, school.stage) or ("" if school.pupils else NO_PUPILS)
    if reason:
        return SchoolVerdict(school, reason, {}, None, None, NOT_APPLICABLE)
    values = {code: _value(code, school, facts, standard, cases) for code in standard.indicators}
    least = standard.find(SIX_OF_SEVEN, school.stage)
    if least is None:
        return SchoolVerdict(school, "", values, None, None, NOT_APPLICABLE)
    known = [value for value in values.values() if value.is_met is not None]
    met = sum(1 for value in known if value.is_met)
    unknown = len(values) - len(known)
    is_near = all(value.is_met or value.is_near for value in known)
    verdict = PASS if least.holds(met) and is_near else FAIL
    if unknown and is_near and least.holds(met + unknown):
        verdict = NOT_COLLECTED
    lowest = None if unknown else min(value.share or 0.0 for value in known)
    return SchoolVerdict(school, "", values, met, lowest, verdict)


def _value(
    code: str, school: SchoolStage, facts: special.Facts, standard: Standard, cases: special.Cases
) -> Value:
    rule = standard.rule(code, school.stage)
    given = school.quantities.get(rule.quantity)
    more, case = cases.added(facts, school.stage, code)
    eased, easing = cases.threshold(facts, school.stage, code)
    threshold = rule.threshold if eased is None else eased
    if given is None:
        return Value(None, None, threshold, None, None, None, None)
    quantity = given + more if more else given
    numerator, denominator = quantity.numerator * rule.per, quantity.denominator * school.pupils
    shown = numerator / denominator
    if threshold is None:
        return Value(quantity, shown, None, None, None, None, case)
    of_threshold = (numerator * threshold.denominator, denominator * threshold.numerator)
    return Value(
        quantity,
        shown,
        threshold,
        of_threshold[0] >= of_threshold[1],
        of_threshold[0] / of_threshold[1],
        standard.rule(SHARE_OF_REST, school.stage).holds(*of_threshold),
        case or easing,
    )
