"""What a district states itself of the rules of a standard (`supervision_item`).

Rows in: items of one district, one a rule, stage and school. Rows out: one state a rule and stage; None where
the district says nothing of it. Of several statements on one rule the worst counts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from jobs.decide.evaluation.balance.gates import MET, NOT_MET, RuleState, state_of_value
from jobs.decide.evaluation.balance.standard import BOTH, Rule
from jobs.decide.evaluation.balance.values import NOT_COLLECTED

# What the contract writes where the statement is of the district as a whole.
WHOLE_DISTRICT = "DISTRICT"
# A rule that says the same as two others, for a district that states only these.
_SAME_AS = {"E3": ("Q9a", "Q9b")}


def reported(
    rule: Rule, items: Sequence[dict[str, Any]], schools: Collection[str], rules: Sequence[Rule]
) -> RuleState | None:
    """The state of a rule by the statements of a district; `schools`: codes of those the standard covers,
    `rules`: all rules of the standard."""
    whose = {WHOLE_DISTRICT, *schools}
    about = [item for item in items if _is_about(item, rule) and item["school_code"] in whose]
    if not about and rule.rule_code in _SAME_AS:
        parts = [r for r in rules if r.rule_code in _SAME_AS[rule.rule_code]]
        states = [reported(part, items, schools, rules) for part in parts]
        known = [state for state in states if state is not None]
        return _worst(rule, known) if len(known) == len(parts) else None
    if not about:
        return None
    of_schools = {item["school_code"] for item in about} - {WHOLE_DISTRICT}
    found = _worst(rule, [_state(rule, item) for item in about])
    silent = set(schools) - of_schools
    if found.state == MET and silent and all(item["school_code"] != WHOLE_DISTRICT for item in about):
        return found._replace(state=NOT_COLLECTED, reason=f"schools:{len(silent)}")
    return found


def _is_about(item: dict[str, Any], rule: Rule) -> bool:
    return item["rule_code"] == rule.rule_code and (
        rule.stage == BOTH or item["stage_code"] in (rule.stage, BOTH, None)
    )


def _state(rule: Rule, item: dict[str, Any]) -> RuleState:
    value, is_met = item["item_value"], item["is_item_met"]
    state = state_of_value(rule, value, is_item_met=is_met)
    if rule.rule_code in _SAME_AS and value is None and is_met is not None:
        # Two limits in one rule: yes says that both hold.
        return state._replace(state=MET if is_met else NOT_MET, reason="")
    return state


def _worst(rule: Rule, states: Sequence[RuleState]) -> RuleState:
    for state in (NOT_MET, NOT_COLLECTED, MET):
        found = [s for s in states if s.state == state]
        if found:
            most = -1 if rule.operator in ("le", "lt") else 1
            worst = min(found, key=lambda s: most * (s.value or 0))
            return worst._replace(rule_code=rule.rule_code, stage=rule.stage)
    raise ValueError(f"no statement on {rule.rule_code}")
