"""From schools as the lake knows them to the rows that the law judges: one a school and stage.

A quantity that nobody stated is None and has a reason; it is never zero and never guessed. A school that this
year's return lost has last year's pupils and no quantity at all, so that nothing is judged without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from jobs.decide.evaluation.balance import split
from jobs.decide.evaluation.balance.counted import facts
from jobs.decide.evaluation.balance.lake import School
from jobs.decide.evaluation.balance.special import Number
from jobs.decide.evaluation.balance.standard import STAGES
from jobs.decide.evaluation.balance.values import SchoolStage, exact

# Quantity -> column of the register, of what all stages of a school share.
_SHARED = {
    "sports_area_m2": "sports_area_m2",
    "equipment_value_yuan": "equipment_value_yuan",
    "multimedia_classrooms": "multimedia_classroom_count",
    "computers": "computer_count",
    "books": "book_count",
    "extra_sports_area_m2": "extra_sports_area_m2",
}
# Quantity -> teachers counted, and those of whom the staff register states what it takes.
_TEACHERS = {
    "teachers": ("teachers", "teachers"),
    "qualified_teachers": ("qualified", "with_education"),
    "backbone_teachers": ("backbone", "with_backbone"),
    "pe_arts_teachers": ("pe_arts", "with_subject"),
    "titled_teachers": ("middle_title", "with_title"),
}
LOST, NOT_REGISTERED, NOT_STATED = "not_in_return", "not_in_register", "not_stated"
NO_STAFF = "not_in_staff_register"


def of_compulsory(schools: Iterable[School]) -> list[School]:
    """Schools with a compulsory stage; kindergartens and schools of seniors alone are none of this law's."""
    return [school for school in schools if school.stages]


def school_stages(schools: Iterable[School], on: date) -> list[SchoolStage]:
    """The rows that the law judges, of schools with a compulsory stage."""
    return [_stage(school, stage, parts, on) for school in schools for stage, parts in _parts(school, on)]


def missing_reason(school: School, stage: str, quantity: str) -> str:
    """Why a quantity of one stage is not known."""
    if stage in school.lost:
        return LOST
    if quantity in _TEACHERS:
        return NOT_STATED if stage in school.staff else NO_STAFF
    return NOT_STATED if school.register else NOT_REGISTERED


def _parts(school: School, on: date) -> list[tuple[str, dict[str, Number | None]]]:
    shared: dict[str, Any] = {name: _stated(school, column) for name, column in _SHARED.items()}
    teaching, indoor = (_stated(school, f"{kind}_area_m2") for kind in ("teaching", "indoor_sports"))
    # Indoor sports rooms stand among the teaching rooms; where none are stated, there are none to take off.
    shared["teaching_area_m2"] = None if teaching is None else max(teaching - (indoor or 0), 0)
    taught = school.pupils | school.lost
    pupils = {stage: taught.get(stage, 0) for stage in (*STAGES, "senior")}
    if not any(pupils.values()):
        return [(stage, dict(shared)) for stage in school.stages]
    parted = split.split(pupils, shared, on)
    return [(stage, dict(parted[stage])) for stage in school.stages]


def _stage(school: School, stage: str, parts: dict[str, Number | None], on: date) -> SchoolStage:
    extra = parts.pop("extra_sports_area_m2")
    told = facts(school, stage) | {"extra_sports_area_m2": extra}
    lost = school.lost.get(stage)
    if lost:
        return SchoolStage(school.district, school.code, stage, lost, {}, told)
    teachers = {name: _teachers(school, stage, *columns) for name, columns in _TEACHERS.items()}
    pupils = school.pupils.get(stage, 0)
    return SchoolStage(school.district, school.code, stage, pupils, parts | teachers, told)


def _stated(school: School, column: str) -> Number | None:
    value = school.register.get(column)
    return None if value is None else exact(value)


def _teachers(school: School, stage: str, column: str, told: str) -> int | None:
    """Teachers of a kind. None where the school lists none, or nothing is said of any."""
    staff = school.staff.get(stage)
    if not staff or not staff["teachers"] or not staff[told]:
        return None
    return int(staff[column])
