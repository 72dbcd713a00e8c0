"""The resource part of a standard for any number of districts: schools, coefficients, states of its rules.

Rows in: `SchoolStage`, one a school and stage, of any districts in any order. Rows out: `Balance`, in the
order in which the districts came, primary before junior, indicators as the standard lists them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from jobs.decide.evaluation.balance.coefficients import Spread, mean_within
from jobs.decide.evaluation.balance.gates import MET, NOT_MET, RuleState
from jobs.decide.evaluation.balance.standard import (
    BOTH,
    COMPOSITE,
    SHARE_OF_REST,
    SIX_OF_SEVEN,
    STAGES,
    WITHIN_LIMITS,
    Rule,
    Standard,
)
from jobs.decide.evaluation.balance.values import (
    FAIL,
    NOT_APPLICABLE,
    NOT_COLLECTED,
    PASS,
    SchoolStage,
    SchoolVerdict,
    judge_school,
)


class Coefficient(NamedTuple):
    """One indicator of one district and stage."""

    district: str
    stage: str
    indicator_code: str
    mean: float | None  # None without schools, or where a school's quantity is missing
    coefficient: float | None
    threshold: float | None  # of the school value; None in 2012
    limit: float | None  # of the coefficient
    school_count: int
    below_count: int | None
    verdict: str  # pass, fail, not_applicable, not_collected


@dataclass(frozen=True)
class Balance:
    """The resource part: one verdict a school and stage, one row a district, stage and indicator."""

    standard: Standard
    schools: list[SchoolVerdict]
    coefficients: list[Coefficient]

    def states(self, district: str) -> list[RuleState]:
        """The states of the resource rules of a district by stage, as the judge of gates takes them.

        A stage without schools does not apply; of a district without any school nothing is known, so its
        rules are left to the judge, who takes them for not collected.
        """
        judged = [s for s in self.schools if s.school.district == district and s.verdict != NOT_APPLICABLE]
        rows = [c for c in self.coefficients if c.district == district]
        if not any(c.school_count for c in rows):
            return []
        found = []
        for stage in STAGES:
            of_stage = {c.indicator_code: c for c in rows if c.stage == stage}
            for code in (*self.standard.indicators, COMPOSITE):
                if (limit := self._limit(code, stage)) is None:
                    continue
                if (row := of_stage.get(code)) is None:
                    state = RuleState(limit.rule_code, stage, NOT_APPLICABLE, reason="no_school")
                else:
                    kind = _STATES[row.verdict]
                    shown = (row.coefficient, row.limit, _reason(row))
                    state = RuleState(limit.rule_code, stage, kind, *shown)
                found.append(state)
            found += _school_states([s for s in judged if s.school.stage == stage], stage, self.standard)
        return found

    def eligible(self, district: str) -> RuleState:
        """The state of E4: all seven coefficients of both stages within their limits."""
        verdicts = {c.verdict for c in self.coefficients if c.district == district}
        state = next((_STATES[v] for v in (FAIL, NOT_COLLECTED, PASS) if v in verdicts), NOT_COLLECTED)
        return RuleState(WITHIN_LIMITS, BOTH, state, reason=state if state == NOT_COLLECTED else "")

    def _limit(self, code: str, stage: str) -> Rule | None:
        is_composite = code == COMPOSITE
        return self.standard.find(code, stage) if is_composite else self.standard.limit(code, stage)


_STATES = {PASS: MET, FAIL: NOT_MET, NOT_APPLICABLE: NOT_APPLICABLE, NOT_COLLECTED: NOT_COLLECTED}


def evaluate(schools: Iterable[SchoolStage], standard: Standard, on: date) -> Balance:
    """Judge schools, and the differences between the schools of each district and stage."""
    verdicts = [judge_school(school, standard, on) for school in schools]
    groups: dict[tuple[str, str], list[SchoolVerdict]] = {}
    districts = dict.fromkeys(v.school.district for v in verdicts)
    for verdict in verdicts:
        groups.setdefault((verdict.school.district, verdict.school.stage), []).append(verdict)
    ordered = [(district, stage) for district in districts for stage in STAGES if (district, stage) in groups]
    rows = [row for key in ordered for row in _group(key, groups[key], standard)]
    return Balance(standard, [verdict for key in ordered for verdict in groups[key]], rows)


def _group(key: tuple[str, str], group: Sequence[SchoolVerdict], standard: Standard) -> list[Coefficient]:
    counted = [verdict for verdict in group if not verdict.reason]
    spreads: list[Spread | None] = []
    rows = []
    for code in standard.indicators:
        row, spread = _indicator(key, code, counted, standard)
        rows.append(row)
        spreads.append(spread)
    if (rule := standard.find(COMPOSITE, key[1])) is None or rule.threshold is None:
        return rows
    known = [s for s in spreads if s is not None and s.applies]
    whole, limit = None, float(rule.threshold)
    verdict = NOT_COLLECTED if any(row.verdict == NOT_COLLECTED for row in rows) else NOT_APPLICABLE
    if len(known) == len(rows):
        # Digits beyond these are noise of floats, which would turn a tie in a later comparison.
        whole = round(math.fsum(s.coefficient for s in known) / len(known), 12)
        verdict = PASS if mean_within(known, rule.threshold) else FAIL
    return [*rows, Coefficient(*key, COMPOSITE, None, whole, None, limit, len(counted), None, verdict)]


def _indicator(
    key: tuple[str, str], code: str, counted: Sequence[SchoolVerdict], standard: Standard
) -> tuple[Coefficient, Spread | None]:
    rule, limit = standard.rule(code, key[1]), standard.limit(code, key[1])
    threshold = None if rule.threshold is None else float(rule.threshold)
    values = [verdict.values[code] for verdict in counted]
    below = None if threshold is None else sum(1 for value in values if value.is_met is False)
    mean = shown = spread = None
    verdict = NOT_APPLICABLE
    known = [value.quantity for value in values if value.quantity is not None]
    if len(known) < len(values):
        verdict = NOT_COLLECTED
    elif known:
        spread = Spread(known, [verdict.school.pupils for verdict in counted])
        mean = spread.mean(rule.per)
        if spread.applies:
            shown = spread.coefficient
            # In 2012 the parts have no limit of their own: their mean has one.
            if limit is not None and limit.threshold is not None:
                verdict = PASS if spread.within(limit.threshold) else FAIL
    of_limit = None if limit is None or limit.threshold is None else float(limit.threshold)
    row = Coefficient(*key, code, mean, shown, threshold, of_limit, len(counted), below, verdict)
    return row, spread


def _school_states(judged: Sequence[SchoolVerdict], stage: str, standard: Standard) -> list[RuleState]:
    six, rest = standard.find(SIX_OF_SEVEN, stage), standard.find(SHARE_OF_REST, stage)
    if six is None or rest is None or six.threshold is None or rest.threshold is None:
        return []
    if not judged:
        return [RuleState(rule.rule_code, stage, NOT_APPLICABLE, reason="no_school") for rule in (six, rest)]
    unknown = [v for v in judged if any(value.is_met is None for value in v.values.values())]
    most = {id(v): sum(value.is_met is not False for value in v.values.values()) for v in judged}
    few = [v for v in judged if not six.holds(most[id(v)])]
    far = [v for v in judged if any(x.is_met is False and not x.is_near for x in v.values.values())]
    open_six = [v for v in unknown if not six.holds(v.met_count or 0)]
    shares = [v.lowest_share for v in judged if v.lowest_share is not None]
    return [
        _of_schools(six.rule_code, stage, few, open_six, min(most.values()), float(six.threshold)),
        _of_schools(rest.rule_code, stage, far, unknown, min(shares, default=None), float(rest.threshold)),
    ]


def _of_schools(
    code: str,
    stage: str,
    failing: Sequence[SchoolVerdict],
    unknown: Sequence[SchoolVerdict],
    value: float | None,
    limit: float,
) -> RuleState:
    if failing:
        return RuleState(code, stage, NOT_MET, value, limit, f"schools:{len(failing)}")
    state = NOT_COLLECTED if unknown else MET
    return RuleState(code, stage, state, value, limit, f"schools:{len(unknown)}" if unknown else "")


def _reason(row: Coefficient) -> str:
    """Why a coefficient is not known or does not apply."""
    if row.verdict == NOT_COLLECTED:
        return NOT_COLLECTED
    if row.verdict != NOT_APPLICABLE:
        return ""
    return ("no_school", "one_school")[row.school_count] if row.school_count < 2 else "mean_of_zero"
