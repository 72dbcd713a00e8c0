"""What the lake knows of the schools that the law of balance judges: one SQL statement a fact.

Rows in: the chosen statements of register, yearly return, staff, rolls, rotation, new pupils and supervision
items. Rows out: one a school (`School`, with its stages), and rows of counts by district. Nothing is judged
here. Every reading and where its figure comes from: docs/decisions/balance.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from jobs import clock
from jobs.decide.evaluation.balance import statements
from jobs.lake.window import Window

Row = dict[str, Any]


@dataclass
class School:
    """One school with the facts that its quantities are made of; a fact nobody states is absent or None."""

    code: str
    district: str
    register: Row = field(default_factory=dict)
    pupils: dict[str, int] = field(default_factory=dict)  # by stage, as the yearly return counts them
    staff: dict[str, Row] = field(default_factory=dict)  # by stage
    rolls: dict[str, Row] = field(default_factory=dict)  # by stage
    # Stage -> pupils of the year before, where this year's return does not name the school at all.
    lost: dict[str, int] = field(default_factory=dict)

    @property
    def is_special_or_vocational(self) -> bool:
        """Whether a register lists it as a kind of school that the law leaves out."""
        return bool(self.register) and self.register["school_type_code"] not in (*statements.KINDS, "11")

    @property
    def is_public(self) -> bool | None:
        owner = self.register.get("ownership_code")
        return None if owner is None else owner == "public"

    @property
    def is_rural(self) -> bool | None:
        place = self.register.get("urban_rural_code")
        return None if place is None else place not in statements.TOWN

    @property
    def built_year(self) -> int | None:
        """As stated; else the year of opening."""
        opened = self.register.get("opened_date")
        return self.register.get("built_year") or (opened.year if opened else None)

    @property
    def largest_class(self) -> int | None:
        """Pupils of its largest compulsory class; None without a roll of each stage."""
        found = [self.rolls[stage]["largest_class"] for stage in self.stages if stage in self.rolls]
        return max(found) if found and len(found) == len(self.stages) else None

    @property
    def migrant_share(self) -> Fraction | None:
        """Migrant children of all on its rolls in compulsory stages, in percent."""
        rolls = [self.rolls[stage] for stage in self.stages if stage in self.rolls]
        told = sum(roll["with_migrants"] for roll in rolls)
        return Fraction(100 * sum(roll["migrants"] for roll in rolls), told) if told else None

    @property
    def stages(self) -> list[str]:
        """Compulsory stages with pupils, or that a school without pupils would have by its kind."""
        found = [s for s in statements.COMPULSORY if self.pupils.get(s) or self.lost.get(s)]
        by_kind = {"21": ["primary"], "31": ["junior"]}.get(str(self.register.get("school_type_code")), [])
        return found or by_kind


@dataclass(frozen=True)
class Known:
    """What is known of one school year at the run's dates."""

    year: int
    schools: list[School]
    districts: list[str]
    returned: frozenset[str]  # districts of which a yearly return is known
    rotation: Mapping[str, Row]
    entry: Mapping[str, Row]
    purchased: Mapping[str, int]  # migrant children in private schools at places bought by the district
    items: list[Row]


DATASETS = (
    *("school_register", "school_change", "grade_return", "staff_register", "pupil_roll"),
    *("teacher_rotation", "pupil_registration", "supervision_item"),
)


def known(lake: Window, on: date) -> Known | None:
    """All that the balance needs of the newest school year with a return; None where there is none."""
    returns = lake.of("chosen", "grade_return")
    newest = f"select max(school_year_start) as year from {returns} where school_year_start <= {{}}"
    (found,) = _rows(lake, newest.format(clock.school_year(on)))
    if found["year"] is None:
        return None
    year = int(found["year"])
    schools = {row["school_code"]: _school(row) for row in _rows(lake, statements.registered(lake, on))}
    for row in _rows(lake, statements.pupils(lake, year, on)):
        at = schools.setdefault(row["school_code"], School(row["school_code"], row["district_code"] or ""))
        at.pupils[row["stage_code"]] = int(row["pupils"])
    for row in _rows(lake, statements.pupils(lake, year - 1, on)):
        before = schools.get(row["school_code"])
        if before and row["pupils"] and not before.pupils:
            before.lost[row["stage_code"]] = int(row["pupils"])
    for name, rows in (("staff", statements.staff), ("rolls", statements.rolls)):
        for row in _rows(lake, rows(lake, year, on)):
            if row["school_code"] in schools:
                getattr(schools[row["school_code"]], name)[row["stage_code"]] = row
    judged = [s for s in schools.values() if _is_open(s, on)]
    everywhere = {s.district for s in schools.values()}
    items = list(_rows(lake, statements.items(lake, year)))
    return Known(
        year,
        sorted(judged, key=lambda s: (s.district, s.code)),
        sorted((everywhere | {row["district_code"] for row in items}) - {""}),
        frozenset(s.district for s in schools.values() if s.pupils),
        _by_district(lake, statements.rotation(lake, year, on)),
        _by_district(lake, statements.entry(lake, year, on)),
        {row["district_code"]: int(row["pupils"]) for row in _rows(lake, statements.purchased(lake, year))},
        items,
    )


def _rows(lake: Window, query: str) -> Iterator[Row]:
    yield from lake.arrow(query).to_pylist()


def _by_district(lake: Window, query: str) -> dict[str, Row]:
    return {row["district_code"]: row for row in _rows(lake, query)}


def _school(row: Row) -> School:
    return School(row["school_code"], row["district_code"] or "", row)


def _is_open(school: School, on: date) -> bool:
    """Neither closed nor merged by then; a unit in no register is open where the return counts it."""
    if school.register.get("is_ended"):
        return False
    closed = school.register.get("closed_date")
    return closed is None or closed > on
