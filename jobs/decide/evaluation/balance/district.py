"""One district before one standard: the states of its rules and where each comes from.

What the lake counts decides; what it has no data for is taken from the district's own statements; what
neither has is not collected. Rows in: `Known`, the judged resource part. Rows out: `found`, one state a rule
and stage.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from jobs.decide.evaluation.balance import gates
from jobs.decide.evaluation.balance.counted import counted, kindergartens
from jobs.decide.evaluation.balance.gates import MET, NOT_MET, RuleState
from jobs.decide.evaluation.balance.lake import Known
from jobs.decide.evaluation.balance.reported import reported
from jobs.decide.evaluation.balance.resource import Balance, Coefficient
from jobs.decide.evaluation.balance.stages import of_compulsory
from jobs.decide.evaluation.balance.standard import BOTH, COMPOSITE, PRESCHOOL_2020, Rule, Standard
from jobs.decide.evaluation.balance.values import FAIL, NOT_APPLICABLE, NOT_COLLECTED, PASS

COUNTED, REPORTED = "counted", "reported"
Key = tuple[str, str]  # rule and stage


class District:
    """The states of all rules of one standard for one district."""

    def __init__(self, law: Standard, known: Known, code: str, on: date) -> None:
        self.law, self.known, self.code, self.on = law, known, code, on
        self.schools = [school for school in known.schools if school.district == code]
        self.covered = of_compulsory(self.schools)
        self.items = [item for item in known.items if item["district_code"] == code]
        self.found: dict[Key, RuleState] = {}
        self.source: dict[Key, str] = {}
        self.stated: dict[Key, float | None] = {}  # the value reported, whether it decides or not
        self._coefficients: list[Coefficient] = []

    def complete(self) -> list[RuleState]:
        """The states in the standard's order; `not_collected` for each rule that has none."""
        return gates.complete(self.found.values(), self.law)

    def add_resource(self, balance: Balance) -> None:
        """What schools and coefficients say. A stage that no school of the district has does not apply."""
        mine = [v for v in balance.schools if v.school.district == self.code]
        counts = {v.school.school for v in mine if not v.reason}
        self.covered = [school for school in self.covered if school.code in counts]
        self._coefficients = [c for c in balance.coefficients if c.district == self.code]
        states = balance.states(self.code)
        for state in states:
            self._add(state, COUNTED)
        told = {(state.rule_code, state.stage) for state in states}
        if self.code in self.known.returned:
            for rule in self.law.gate_rules:
                is_resource = rule.indicator_code or rule.rule_code == COMPOSITE
                if is_resource and (rule.rule_code, rule.stage) not in told:
                    self._add(_no_school(rule), COUNTED)

    def add_eligibility(self, strict: Balance) -> None:
        """E2 from the composite of 2012 (`strict`: judged by the limits of E2), E4 from the coefficients."""
        composite = {s.stage: s for s in strict.states(self.code) if s.rule_code == COMPOSITE}
        for rule in self.law.gate_rules:
            if rule.rule_code == "E4" and self._coefficients:
                self._add(_all_within(rule, self._coefficients), COUNTED)
            if rule.rule_code == "E2" and rule.stage in composite:
                self._add(composite[rule.stage]._replace(rule_code="E2"), COUNTED)
            elif rule.rule_code == "E2" and self.code in self.known.returned:
                self._add(_no_school(rule), COUNTED)

    def add_rest(self) -> None:
        """All other rules: counted, else reported."""
        codes = {school.code for school in self.covered}
        for rule in self.law.gate_rules:
            told = reported(rule, self.items, codes, self.law.rules)
            if told is not None:
                self.stated[rule.rule_code, rule.stage] = told.value
            if any(code == rule.rule_code and rule.stage in (stage, BOTH) for code, stage in self.found):
                continue
            own = self._counted(rule)
            if own is not None and (own.state != NOT_COLLECTED or told is None):
                self._add(own, COUNTED)
            elif told is not None:
                self._add(told, REPORTED)

    def _counted(self, rule: Rule) -> RuleState | None:
        if self.law.name == PRESCHOOL_2020:
            return kindergartens(rule, self.schools)
        return counted(rule, self.known, self.covered, self.on)

    def _add(self, state: RuleState, source: str) -> None:
        self.found[state.rule_code, state.stage] = state
        if state.state != NOT_COLLECTED:
            self.source[state.rule_code, state.stage] = source


_STATES = {PASS: MET, FAIL: NOT_MET, NOT_APPLICABLE: NOT_APPLICABLE, NOT_COLLECTED: NOT_COLLECTED}


def _no_school(rule: Rule) -> RuleState:
    return RuleState(rule.rule_code, rule.stage, NOT_APPLICABLE, reason="no_school")


def _all_within(rule: Rule, coefficients: Iterable[Coefficient]) -> RuleState:
    """E4: no coefficient beyond its limit, and none unknown; the reason names those that are."""
    named: dict[str, list[str]] = {}
    for row in coefficients:
        named.setdefault(row.verdict, []).append(f"{row.indicator_code}_cv:{row.stage}")
    for verdict in (FAIL, NOT_COLLECTED):
        if rows := named.get(verdict):
            return RuleState(rule.rule_code, rule.stage, _STATES[verdict], reason=" ".join(rows))
    return RuleState(rule.rule_code, rule.stage, MET) if named.get(PASS) else _no_school(rule)
