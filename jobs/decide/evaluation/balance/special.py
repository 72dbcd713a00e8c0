"""Special cases of a standard as dated rules: who is left out, what may be added, which threshold is eased.

A row of `balance_special_cases.csv` applies where its condition holds: comparisons of facts of a school
with numbers, joined by `&`. A fact that nobody states makes the condition false. Effects: `left_out` (of
all rules, or of the one named), `add` (the fact in `value` is added to the indicator's quantity),
`threshold` (`value` replaces the rule's; the first row that applies counts).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import date
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from jobs.decide.evaluation.balance.standard import BOTH
from jobs.declare import standards

Number = int | Fraction
Facts = Mapping[str, Number | None]

_FILE = "evaluation/balance_special_cases"
_COMPARE: dict[str, Callable[[Number, Number], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Case(NamedTuple):
    """One special case; `condition` is (fact, comparison, number), all of which must hold."""

    case_code: str
    rule_code: str
    stage: str
    effect: str
    value: str
    condition: tuple[tuple[str, str, Fraction], ...]
    name_zh: str

    def applies(self, facts: Facts, stage: str) -> bool:
        """Whether a school with these facts is such a case."""
        if self.stage not in (stage, BOTH):
            return False
        for fact, sign, number in self.condition:
            stated = facts.get(fact)
            if stated is None or not _COMPARE[sign](stated, number):
                return False
        return True


class Cases:
    """The special cases of a standard that are in force on a day."""

    def __init__(self, cases: list[Case]) -> None:
        self.all = cases
        self._by_effect: dict[tuple[str, str], list[Case]] = {}
        for case in cases:
            self._by_effect.setdefault((case.effect, case.rule_code), []).append(case)

    def facts(self, rule_codes: frozenset[str]) -> list[str]:
        """Facts that the cases of these rules (and those of all rules) read, but for the pupils."""
        found: dict[str, None] = {}
        for case in self.all:
            if not case.rule_code or case.rule_code in rule_codes:
                found.update((fact, None) for fact, _, _ in case.condition)
                found.update({case.value: None} if case.effect == "add" else {})
        found.pop("pupils", None)
        return list(found)

    def left_out(self, facts: Facts, stage: str, rule_code: str = "") -> str | None:
        """The case for which a school is left out of all rules, or of one; None where it counts."""
        return next((c.case_code for c in self._of("left_out", rule_code) if c.applies(facts, stage)), None)

    def added(self, facts: Facts, stage: str, rule_code: str) -> tuple[Number, str | None]:
        """What may be added to an indicator's quantity, and the case; 0 and None where nothing may."""
        for case in self._of("add", rule_code):
            more = facts.get(case.value)
            if more and case.applies(facts, stage):
                return more, case.case_code
        return 0, None

    def threshold(self, facts: Facts, stage: str, rule_code: str) -> tuple[Fraction | None, str | None]:
        """The eased threshold of a rule, and the case; (None, None) where the rule's own holds."""
        for case in self._of("threshold", rule_code):
            if case.applies(facts, stage):
                return Fraction(case.value), case.case_code
        return None, None

    def _of(self, effect: str, rule_code: str) -> list[Case]:
        return self._by_effect.get((effect, rule_code), [])


@cache
def read(standard: str, on: date) -> Cases:
    """The special cases of a standard in force on a day, in the file's order."""
    rows = standards.rows(_FILE, on)
    return Cases([_case(row) for row in rows if row["standard"] == standard])


def _case(row: dict[str, str]) -> Case:
    parts = [part.split() for part in row["condition"].split("&")]
    condition = tuple((fact, sign, Fraction(number)) for fact, sign, number in parts)
    return Case(
        row["case_code"],
        row["rule_code"],
        row["stage"],
        row["effect"],
        row["value"],
        condition,
        row["name_zh"],
    )
