"""What the lake itself finds for the rules of a district, beside the resource part.

Rows in: `Known` and the schools that a standard covers. Rows out: one state a rule and stage, in the rule's
own unit; None where the lake has no data for the rule. How each is counted: docs/decisions/balance.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from fractions import Fraction

from jobs.decide.evaluation.balance.gates import MET, NOT_MET, RuleState, state_of_school, state_of_value
from jobs.decide.evaluation.balance.lake import Known, School
from jobs.decide.evaluation.balance.special import Number
from jobs.decide.evaluation.balance.standard import BOTH, STAGES, Rule
from jobs.decide.evaluation.balance.values import NOT_APPLICABLE, NOT_COLLECTED, exact

# Of one school: stage -> a number, None where it is unknown; no stage: the rule is none of this school's.
Measures = dict[str, Number | None]
# Of a district: part and whole; None where the lake has no data.
Share = tuple[int, int] | None


def counted(rule: Rule, known: Known, schools: Sequence[School], on: date) -> RuleState | None:
    """What the lake finds for a rule in one district, of the schools that the standard covers; None where it
    has no data for it."""
    if rule.rule_code in _OF_SCHOOLS:
        return _of_schools(rule, _OF_SCHOOLS[rule.rule_code], schools, on)
    if rule.rule_code not in _OF_DISTRICT or not schools:
        return None
    return _of_share(rule, _OF_DISTRICT[rule.rule_code](known, schools))


def _of_share(rule: Rule, share: Share) -> RuleState | None:
    if share is None:
        return None
    part, whole = share
    if not whole:
        return RuleState(rule.rule_code, rule.stage, NOT_APPLICABLE, reason="nobody_to_count")
    return state_of_value(rule, Fraction(100 * part, whole))


def _of_schools(
    rule: Rule, measure: Callable[[School], Measures], schools: Iterable[School], on: date
) -> RuleState | None:
    """A rule that every school keeps: the value shown is that of the school furthest from its threshold."""
    found = [
        state_of_school(rule, value, facts(school, stage), stage, on)
        for school in schools
        for stage, value in measure(school).items()
        if rule.stage in (stage, BOTH)
    ]
    asked = [state for state in found if state.state != NOT_APPLICABLE]
    if not asked:
        return RuleState(rule.rule_code, rule.stage, NOT_APPLICABLE, reason="no_school")
    told = [state for state in asked if state.value is not None and state.threshold]
    if not told:
        return None
    most = -1 if rule.operator == "le" else 1
    worst = min(told, key=lambda state: most * (state.value or 0) / (state.threshold or 1))
    failing, untold = (sum(s.state == state for s in asked) for state in (NOT_MET, NOT_COLLECTED))
    state = NOT_MET if failing else NOT_COLLECTED if untold else MET
    reason = f"schools:{failing or untold}" if failing or untold else ""
    return RuleState(rule.rule_code, rule.stage, state, worst.value, worst.threshold, reason)


def facts(school: School, stage: str) -> dict[str, Number | None]:
    """What the special cases ask of one stage of a school; flags are 1 or 0, unknown ones None."""
    listed = school.register
    beside = school.staff.get(stage, {}).get("pe_arts_beside")
    flags = {
        "is_teaching_point": listed.get("is_teaching_point"),
        "is_over_dense_center": listed.get("is_over_dense_center"),
        "is_boarding_school": listed.get("is_boarding_school"),
        "is_special_or_vocational": school.is_special_or_vocational,
        "is_public": school.is_public,
        "is_rural": school.is_rural,
    }
    return {
        **{name: None if flag is None else int(flag) for name, flag in flags.items()},
        "pupils": school.pupils.get(stage, 0),
        "extra_sports_area_m2": _number(listed.get("extra_sports_area_m2")),
        "shared_pe_arts_teachers": beside,
        "built_year": school.built_year,
        "largest_class": school.largest_class,
        "migrant_share": _number(school.migrant_share),
    }


def _number(value: object) -> Number | None:
    return None if value is None else exact(value)


def _last_stage(school: School) -> str:
    """A school of both stages is held to the rooms of its junior part."""
    return school.stages[-1]


def _rooms(kind: str) -> Callable[[School], Measures]:
    """Special rooms for each twelve classes of the school, the last twelve begun counted whole."""

    def measure(school: School) -> Measures:
        rooms, classes = school.register.get(f"{kind}_room_count"), _classes(school)
        if rooms is None or not classes:
            return {_last_stage(school): None}
        return {_last_stage(school): Fraction(rooms, math.ceil(classes / 12))}

    return measure


def _classes(school: School) -> int | None:
    """Classes by the register; else those on the rolls."""
    stated = school.register.get("class_count")
    return stated or sum(roll["classes"] for roll in school.rolls.values()) or None


def _room_area(kind: str) -> Callable[[School], Measures]:
    """Mean area of the special rooms; a school without any has none of it."""

    def measure(school: School) -> Measures:
        rooms = school.register.get(f"{kind}_room_count")
        area = _number(school.register.get(f"{kind}_room_area_m2"))
        if rooms == 0:
            area, rooms = 0, 1
        return {_last_stage(school): None if rooms is None or area is None else Fraction(area) / rooms}

    return measure


def _size(of_both: bool) -> Callable[[School], Measures]:
    """Compulsory pupils of schools with one compulsory stage, or with both."""

    def measure(school: School) -> Measures:
        both = len(school.stages) == len(STAGES)
        pupils = sum(school.pupils.get(stage, 0) for stage in school.stages)
        return {_last_stage(school): pupils} if both == of_both else {}

    return measure


def _largest_class(stage: str) -> Callable[[School], Measures]:
    def measure(school: School) -> Measures:
        roll = school.rolls.get(stage)
        return {stage: roll["largest_class"] if roll else None} if stage in school.stages else {}

    return measure


_OF_SCHOOLS: dict[str, Callable[[School], Measures]] = {
    "G3a": _rooms("music"),
    "G3b": _rooms("art"),
    "G3c": _room_area("music"),
    "G3d": _room_area("art"),
    "G4a": _size(of_both=False),
    "G4b": _size(of_both=True),
    "G5a": _largest_class("primary"),
    "G5b": _largest_class("junior"),
}


def _of_teachers(part: str, told: str) -> Callable[[Known, Sequence[School]], Share]:
    """Teachers of all schools; those of whom nothing is said leave it open, unless others already fail."""

    def share(_: Known, schools: Sequence[School]) -> Share:
        all_teachers, known, done = (
            sum(school.staff.get(stage, {}).get(name, 0) for school in schools for stage in school.stages)
            for name in ("teachers", told, part)
        )
        is_open = known < all_teachers and done == known
        return None if not known or is_open else (done, known)

    return share


def _rotating(known: Known, schools: Sequence[School]) -> Share:
    moved = known.rotation.get(schools[0].district)
    public = [school for school in schools if school.is_public]
    staff = [school.staff[stage] for school in public for stage in school.stages if stage in school.staff]
    if moved is None or not any(row["with_joined"] for row in staff):
        return None
    return moved["rotating"], sum(row["may_rotate"] for row in staff)


def _backbone_rotating(known: Known, schools: Sequence[School]) -> Share:
    moved = known.rotation.get(schools[0].district)
    return (moved["backbone"], moved["rotating"]) if moved else None


def _near(stage: str) -> Callable[[Known, Sequence[School]], Share]:
    """New pupils who came to the school nearby; open as long as one school has not registered its own."""

    def share(known: Known, schools: Sequence[School]) -> Share:
        entered = known.entry.get(schools[0].district)
        if not entered or entered[f"{stage}_untold"] or not entered[f"{stage}_known"]:
            return None
        return entered[f"{stage}_near"], entered[f"{stage}_known"]

    return share


def _in_public(known: Known, schools: Sequence[School]) -> Share:
    """Migrant children in public schools or at purchased places, of all on the rolls."""
    rolls = [
        (school.is_public, school.rolls[stage])
        for school in schools
        for stage in school.stages
        if stage in school.rolls
    ]
    if not any(roll["with_migrants"] for _, roll in rolls):
        return None
    if any(owner is None and roll["migrants"] for owner, roll in rolls):
        return None
    public = sum(roll["migrants"] for owner, roll in rolls if owner)
    every = sum(roll["migrants"] for _, roll in rolls)
    return min(every, public + known.purchased.get(schools[0].district, 0)), every


_OF_DISTRICT: dict[str, Callable[[Known, Sequence[School]], Share]] = {
    "G9": _of_teachers("trained", "with_training"),
    "G11a": _rotating,
    "G11b": _backbone_rotating,
    "G12": _of_teachers("certified", "with_certificate"),
    "G13a": _near("primary"),
    "G13b": _near("junior"),
    "G15": _in_public,
}


def kindergartens(rule: Rule, schools: Iterable[School]) -> RuleState | None:
    """Children of a district in kindergartens that are public (K3), or public or inclusive (K2), of all."""
    whole = part = 0
    for school in schools:
        children = school.pupils.get("kindergarten", 0)
        inclusive = school.register.get("is_inclusive_kindergarten")
        is_part = school.is_public
        if rule.rule_code == "K2" and not is_part:
            is_part = None if is_part is None or inclusive is None else bool(inclusive)
        if children and is_part is None:
            return None
        whole += children
        part += children if is_part else 0
    if rule.rule_code not in ("K2", "K3") or not whole:
        return None
    return _of_share(rule, (part, whole))
