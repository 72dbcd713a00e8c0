"""The rows of the balance's decision tables, from what is known of a school year.

Rows in: `Known`. Rows out, by table: schools, their indicators, coefficients, rules and verdicts of the three
standards. Numbers are rounded here, after everything is judged.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from jobs.decide.evaluation.balance import gates, standard
from jobs.decide.evaluation.balance.changed import changes
from jobs.decide.evaluation.balance.district import District
from jobs.decide.evaluation.balance.gates import MET, NOT_MET, RuleState
from jobs.decide.evaluation.balance.lake import Known, School
from jobs.decide.evaluation.balance.resource import Coefficient, evaluate
from jobs.decide.evaluation.balance.stages import missing_reason, of_compulsory, school_stages
from jobs.decide.evaluation.balance.standard import (
    BASIC_2012,
    COMPOSITE,
    PRESCHOOL_2020,
    QUALITY_2017,
    Standard,
)
from jobs.decide.evaluation.balance.values import NOT_APPLICABLE, NOT_COLLECTED, SchoolVerdict, Value

Row = dict[str, Any]
TABLES = ("school_indicator", "school", "coefficient", "rule", "verdict", "change")


def decided(known: Known, on: date) -> dict[str, list[Row]]:
    """The rows of each table (name without `decision_evaluation__balance_`), without their run."""
    made: dict[str, list[Row]] = {table: [] for table in TABLES}
    schools = of_compulsory(known.schools)
    by_code = {school.code: school for school in schools}
    stages = school_stages(schools, on)
    laws = {name: standard.read(name, on) for name in (QUALITY_2017, BASIC_2012, PRESCHOOL_2020)}
    resource = {name: evaluate(stages, laws[name], on) for name in (QUALITY_2017, BASIC_2012)}
    about = {"standard": QUALITY_2017, "school_year_start": known.year}
    made["change"] = [about | _priced(row) for row in changes(stages, resource[QUALITY_2017], on)]
    strict = evaluate(stages, _with_limits_of_eligibility(laws[BASIC_2012], laws[QUALITY_2017]), on)
    for name, balance in resource.items():
        about = {"standard": name, "school_year_start": known.year}
        for judged in balance.schools:
            school = by_code[judged.school.school]
            made["school"].append(about | _school(judged, school, laws[name]))
            made["school_indicator"] += [about | row for row in _indicators(judged, school, laws[name])]
        made["coefficient"] += [about | _coefficient(row) for row in balance.coefficients]
    for name, law in laws.items():
        for code in known.districts:
            district = District(law, known, code, on)
            if name in resource:
                district.add_resource(resource[name])
            if name == QUALITY_2017:
                district.add_eligibility(strict)
            district.add_rest()
            about = {"standard": name, "school_year_start": known.year, "district_code": code}
            made["rule"] += [about | row for row in _rules(district)]
            made["verdict"].append(about | _verdict(district))
    return made


def _with_limits_of_eligibility(basic: Standard, quality: Standard) -> Standard:
    """The standard of 2012 with the limits that eligibility sets to its composite (E2)."""
    rules = tuple(
        rule._replace(threshold=quality.rule("E2", rule.stage).threshold)
        if rule.rule_code == COMPOSITE
        else rule
        for rule in basic.rules
    )
    return replace(basic, rules=rules)


def _rules(district: District) -> list[Row]:
    """The rules of a district in the standard's order, those without a state among them."""
    law = district.law
    rows = []
    for number, state in enumerate(district.complete(), 1):
        rule = law.rule(state.rule_code, state.stage or "both")
        threshold = rule.threshold if state.threshold is None else state.threshold
        rows.append(
            {
                "gate": rule.gate,
                "gate_number": law.gates.index(rule.gate) + 1,
                "rule_number": number,
                "rule_code": state.rule_code,
                "stage_code": None if state.stage in ("both", "") else state.stage,
                "state": state.state,
                "value": _decimal(state.value, 4),
                "reported_value": _decimal(district.stated.get((rule.rule_code, rule.stage)), 4),
                "threshold": _decimal(threshold, 4),
                "operator": rule.operator,
                "value_source": district.source.get((state.rule_code, state.stage)),
                "reason": _reason(state),
            }
        )
    return rows


def _reason(state: RuleState) -> str | None:
    if state.state == NOT_MET and not state.reason:
        return "beyond_limit" if state.value is not None else "answered_no"
    return state.reason or None


def _verdict(district: District) -> Row:
    found, states = gates.judge(district.found.values(), district.law), district.complete()
    kinds = (MET, NOT_MET, NOT_COLLECTED, NOT_APPLICABLE)
    # A district with one school of each stage passes no standard that compares schools alone.
    is_judged = any(state.state != NOT_APPLICABLE for state in states)
    return {
        "verdict": found.verdict if is_judged else NOT_APPLICABLE,
        "first_failed_gate": found.first_failed_gate or None,
        "first_failed_rule": found.first_failed_rule or None,
        "first_failed_state": found.failed_state or None,
        **{f"{name}_count": sum(state.state == name for state in states) for name in kinds},
    }


def _school(judged: SchoolVerdict, school: School, law: Standard) -> Row:
    own = judged.school
    unknown = [code for code, value in judged.values.items() if value.quantity is None]
    reason = _missing(school, own.stage, unknown[0], law) if unknown else None
    return {
        "district_code": own.district,
        "school_code": own.school,
        "stage_code": own.stage,
        "pupil_count": None if own.stage in school.lost else own.pupils,
        "met_count": judged.met_count,
        "lowest_share_of_threshold": _decimal(judged.lowest_share, 4),
        "verdict": judged.verdict,
        "missing_reason": judged.reason or reason,
    }


def _missing(school: School, stage: str, indicator: str, law: Standard) -> str:
    return missing_reason(school, stage, law.rule(indicator, stage).quantity)


def _indicators(judged: SchoolVerdict, school: School, law: Standard) -> list[Row]:
    return [_indicator(judged, code, value, school, law) for code, value in judged.values.items()]


def _indicator(judged: SchoolVerdict, code: str, value: Value, school: School, law: Standard) -> Row:
    own = judged.school
    return {
        "district_code": own.district,
        "school_code": own.school,
        "stage_code": own.stage,
        "indicator_code": code,
        "quantity": _decimal(value.quantity, 4),
        "indicator_value": _decimal(value.value, 4),
        "threshold": _decimal(value.threshold, 4),
        "is_met": value.is_met,
        "share_of_threshold": _decimal(value.share, 4),
        "special_case": value.special_case,
        "missing_reason": _missing(school, own.stage, code, law) if value.quantity is None else None,
    }


def _coefficient(row: Coefficient) -> Row:
    return {
        "district_code": row.district,
        "stage_code": row.stage,
        "indicator_code": row.indicator_code,
        "indicator_mean": _decimal(row.mean, 4),
        "coefficient_of_variation": _decimal(row.coefficient, 6),
        "coefficient_limit": _decimal(row.limit, 4),
        "school_count": row.school_count,
        "below_count": row.below_count,
        "verdict": row.verdict,
        "missing_reason": None if row.coefficient is not None else _no_coefficient(row),
    }


def _no_coefficient(row: Coefficient) -> str:
    if row.verdict == NOT_COLLECTED:
        return NOT_COLLECTED
    return ("no_school", "one_school")[row.school_count] if row.school_count < 2 else "mean_of_zero"


def _priced(row: Row) -> Row:
    costs = {name: _decimal(row[name], 2) for name in ("cost_yuan", "least_cost_yuan")}
    return row | costs | {"amount": _decimal(row["amount"], 4)}


def _decimal(value: float | Fraction | None, digits: int) -> Decimal | None:
    """A number as the tables keep it."""
    if value is None:
        return None
    exact = Fraction(str(value)) if isinstance(value, float) else Fraction(value)
    return Decimal(round(exact * 10**digits)).scaleb(-digits)
