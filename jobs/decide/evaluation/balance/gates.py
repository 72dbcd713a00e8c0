"""From the state of each rule to the verdict of a district: pass or fail, and the first gate that fails.

Nothing is weighed together. Gates follow each other as the standard lists them; the first with a rule that is
not met, or of which nothing is known, is where the district fails. Within a gate a rule that is not met is
named before one that was not collected.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from jobs.decide.evaluation.balance import special
from jobs.decide.evaluation.balance.special import Facts, Number
from jobs.decide.evaluation.balance.standard import BOTH, Rule, Standard
from jobs.decide.evaluation.balance.values import FAIL, NOT_APPLICABLE, NOT_COLLECTED, PASS, exact

MET, NOT_MET = "met", "not_met"


class RuleState(NamedTuple):
    """What is known of one rule for one district (and stage; empty or `both` for the whole district)."""

    rule_code: str
    stage: str
    state: str  # met, not_met, not_collected, not_applicable
    value: float | None = None
    threshold: float | None = None
    reason: str = ""


class Verdict(NamedTuple):
    """The verdict of a district; the other three are empty where it passes."""

    verdict: str
    first_failed_gate: str
    first_failed_rule: str
    failed_state: str  # not_met or not_collected


def complete(states: Iterable[RuleState], standard: Standard) -> list[RuleState]:
    """The states in the standard's order, with a row `not_collected` for each rule of which none is given.

    A rule with limits by stage needs a state for each of them, or one for both. Raises ValueError for a rule
    that the standard does not have.
    """
    given: dict[str, list[RuleState]] = {}
    for state in states:
        given.setdefault(state.rule_code, []).append(state)
    if unknown := given.keys() - {rule.rule_code for rule in standard.gate_rules}:
        raise ValueError(f"{standard.name} has no rule {', '.join(sorted(unknown))}")
    found: list[RuleState] = []
    done: set[str] = set()
    for rule in standard.gate_rules:
        of_rule = given.get(rule.rule_code, [])
        if rule.rule_code not in done:
            found += of_rule
            done.add(rule.rule_code)
        whole = {"", BOTH}
        stages = {state.stage for state in of_rule}
        if not (stages & whole or (stages and rule.stage in whole) or rule.stage in stages):
            found.append(RuleState(rule.rule_code, rule.stage, NOT_COLLECTED, reason=NOT_COLLECTED))
    return found


def judge(states: Iterable[RuleState], standard: Standard) -> Verdict:
    """The verdict of one district from the states of its rules; rules without a state are not collected."""
    gate_of = {rule.rule_code: rule.gate for rule in standard.gate_rules}
    ordered = complete(states, standard)
    for gate in standard.gates:
        for failed in (NOT_MET, NOT_COLLECTED):
            for state in ordered:
                if gate_of[state.rule_code] == gate and state.state == failed:
                    return Verdict(FAIL, gate, state.rule_code, failed)
    return Verdict(PASS, "", "", "")


def state_of_value(rule: Rule, value: Any, *, is_item_met: bool | None = None) -> RuleState:
    """The state of a rule of a district from what was counted or reported.

    A rule with a threshold needs the value; beside it, `is_item_met` says whether the part that no number
    measures holds. A rule without one needs `is_item_met` alone (for a veto: whether nothing of the kind
    occurred). None is unknown.
    """
    if rule.threshold is None:
        known = is_item_met
    elif value is None:
        known = False if is_item_met is False else None
    else:
        amount = exact(value)
        known = rule.holds(amount.numerator, amount.denominator) and is_item_met is not False
    state = NOT_COLLECTED if known is None else MET if known else NOT_MET
    shown = None if value is None else float(value)
    limit = None if rule.threshold is None else float(rule.threshold)
    return RuleState(rule.rule_code, rule.stage, state, shown, limit, NOT_COLLECTED if known is None else "")


def limit_of_school(rule: Rule, facts: Facts, stage: str, on: date) -> tuple[Fraction | None, str | None]:
    """The threshold of a rule for one school, and the special case that eased it or left the school out.

    (None, case) for a school that is left out of this rule.
    """
    cases = special.read(rule.standard, on)
    if out := cases.left_out(facts, stage, rule.rule_code):
        return None, out
    eased, case = cases.threshold(facts, stage, rule.rule_code)
    return (rule.threshold, None) if eased is None else (eased, case)


def state_of_school(rule: Rule, value: Number | None, facts: Facts, stage: str, on: date) -> RuleState:
    """The state of a rule for one school with its special cases (G3, G4, …): the case stands in `reason`."""
    limit, case = limit_of_school(rule, facts, stage, on)
    if limit is None:
        state = NOT_APPLICABLE if case else NOT_COLLECTED
        return RuleState(rule.rule_code, stage, state, reason=case or "")
    found = state_of_value(rule._replace(threshold=limit, stage=stage), value)
    return found._replace(reason=found.reason or case or "")
