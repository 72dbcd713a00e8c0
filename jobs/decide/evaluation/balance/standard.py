"""A standard of balance as it is in force on a day: its rules, thresholds, gates and indicators.

Rules are the rows of `expectations/standards/evaluation/balance_rules.csv`, in the order in which they are
judged: the gates of a standard follow each other as they first appear there. Thresholds are exact fractions
of the text that stands in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cache, cached_property
from typing import NamedTuple

from jobs.declare import standards
from jobs.settings import UserError
from jobs.site import nearest

QUALITY_2017 = "quality_balance_2017"
BASIC_2012 = "basic_balance_2012"
PRESCHOOL_2020 = "preschool_access_2020"
STAGES = ("primary", "junior")
BOTH = "both"
# Rules of the resource part of 2017, and the one rule of 2012.
SIX_OF_SEVEN, SHARE_OF_REST = "RULE_6_OF_7", "RULE_85"
COMPOSITE = "B_COMPOSITE"
# Eligibility of 2017: the coefficients of the resource part are within their limits.
WITHIN_LIMITS = "E4"

_FILE = "evaluation/balance_rules"


class Rule(NamedTuple):
    """One rule of a standard for one stage (or `both`); `threshold` is None where a document decides."""

    standard: str
    gate: str
    rule_code: str
    indicator_code: str  # of the indicator or of its coefficient; empty for all other rules
    judged_by: str  # the rule through which an indicator counts; empty for a rule that counts itself
    name_zh: str
    name_en: str
    stage: str
    operator: str
    threshold: Fraction | None
    unit: str
    quantity: str  # column that the indicator divides by pupils
    per: int  # pupils that the indicator's unit counts by: 100 or 1
    evidenced: str  # counted or reported

    def holds(self, numerator: int, denominator: int = 1) -> bool:
        """Whether a value, given as an exact quotient with a positive denominator, keeps the rule's limit."""
        if self.threshold is None:
            raise ValueError(f"{self.rule_code} has no threshold")
        left, right = numerator * self.threshold.denominator, self.threshold.numerator * denominator
        return {"ge": left >= right, "le": left <= right, "lt": left < right}[self.operator]


@dataclass(frozen=True)
class Standard:
    """The rules of one standard that are in force on a day."""

    name: str
    rules: tuple[Rule, ...]

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates in the order in which they are judged."""
        return tuple(dict.fromkeys(rule.gate for rule in self.rules))

    @property
    def gate_rules(self) -> tuple[Rule, ...]:
        """The rules that count themselves: all but the indicators, which another rule judges."""
        return tuple(rule for rule in self.rules if not rule.judged_by)

    @cached_property
    def indicators(self) -> tuple[str, ...]:
        """Codes of the resource indicators, such as R1 … R7."""
        return tuple(dict.fromkeys(rule.rule_code for rule in self.rules if rule.judged_by))

    @property
    def quantities(self) -> tuple[str, ...]:
        """Columns of the raw quantities, one for each indicator."""
        return tuple(dict.fromkeys(rule.quantity for rule in self.rules if rule.quantity))

    def find(self, rule_code: str, stage: str) -> Rule | None:
        """The rule of that code for a stage; None where the standard has none."""
        return self._by_code.get((rule_code, stage)) or self._by_code.get((rule_code, BOTH))

    def rule(self, rule_code: str, stage: str) -> Rule:
        """The rule of that code for a stage. Raises KeyError where the standard has none."""
        found = self.find(rule_code, stage)
        if found is None:
            raise KeyError(f"{self.name} has no rule {rule_code} for {stage}")
        return found

    @cached_property
    def _by_code(self) -> dict[tuple[str, str], Rule]:
        return {(rule.rule_code, rule.stage): rule for rule in self.rules}

    def limit(self, indicator_code: str, stage: str) -> Rule | None:
        """The limit of an indicator's coefficient; None where it has none of its own (2012)."""
        for rule in self.rules:
            is_limit = rule.indicator_code == indicator_code and not rule.judged_by
            if is_limit and rule.stage in (stage, BOTH):
                return rule
        return None


@cache
def read(name: str, on: date) -> Standard:
    """The standard of that name in force on a day. Raises UserError for an unknown name or day."""
    known = names()
    if name not in known:
        raise UserError(
            f"there is no standard {name!r}{nearest(name, known)}.", f"Give one of: {', '.join(known)}."
        )
    rows = [row for row in standards.rows(_FILE, on) if row["standard"] == name]
    if not rows:
        begins = min(row["valid_from"] for row in standards.rows(_FILE) if row["standard"] == name)
        raise UserError(f"{name} is not in force on {on}: it begins on {begins}.", "Give a later day.")
    return Standard(name, tuple(_rule(row) for row in rows))


def names() -> Sequence[str]:
    """The standards that the file holds."""
    return list(dict.fromkeys(row["standard"] for row in standards.rows(_FILE)))


def _rule(row: dict[str, str]) -> Rule:
    return Rule(
        **{name: row[name] for name in Rule._fields if name not in ("threshold", "per")},
        threshold=Fraction(row["threshold"]) if row["threshold"] else None,
        per=int(row["per"] or 1),
    )
