"""From a caller to the file and the rows that he may see."""

from __future__ import annotations

import pytest

from jobs.access.caller import ANYBODY, Caller, Role, Scope, rows_open, scope_of

SCHOOL = Caller(Role.SCHOOL, "u", unit_code="2111010001", district_code="110101")
FAMILY = Caller(Role.FAMILY, "c", district_code="110101", pupil_key="p1")


@pytest.mark.parametrize(
    ("caller", "tables", "pupils"),
    [
        (ANYBODY, Scope("public"), None),
        (Caller(Role.SENDER, "u", unit_code="110000"), Scope("public"), None),
        (FAMILY, Scope("public"), Scope("district-110101-pupils", pupil_key="p1")),
        (SCHOOL, Scope("district-110101", "2111010001"), Scope("district-110101-pupils", "2111010001")),
        (Caller(Role.DISTRICT, "u", unit_code="110101"), Scope("district-110101"), None),
        (Caller(Role.CITY, "u"), Scope("city"), None),
        (Caller(Role.STEWARD, "u"), Scope("full"), Scope("full")),
        # A person of whom it is not known for whom he speaks sees what everybody sees.
        (Caller(Role.DISTRICT, "u"), Scope("public"), None),
        (Caller(Role.SCHOOL, "u", unit_code="2111010001"), Scope("public"), None),
        (Caller(Role.FAMILY, "c", pupil_key="p1"), Scope("public"), None),
    ],
)
def test_the_file_of_each_caller(caller: Caller, tables: Scope, pupils: Scope | None) -> None:
    assert scope_of(caller) == tables
    assert scope_of(caller, pupil_rows=True) == pupils


def test_no_two_scopes_share_a_tag() -> None:
    scopes = [
        *(Scope(file) for file in ("public", "city", "full", "district-110101", "district-110101-pupils")),
        Scope("district-110101", "2111010001"),
        Scope("district-110101-pupils", "2111010001"),
        Scope("district-110101-pupils", pupil_key="2111010001"),
    ]
    assert len({scope.tag for scope in scopes}) == len(scopes)


def told(*columns: str, scope: str = "district_code", **more: object) -> dict[str, object]:
    return {"columns": [{"name": name} for name in columns], "scope": scope, **more}


A_SCHOOL = Scope("district-110101", "2111010001")
A_PUPIL = Scope("district-110101-pupils", pupil_key="p1")


@pytest.mark.parametrize(
    ("table", "about", "school", "pupil"),
    [
        ("dim_school", told("school_code", "district_code"), "own", "none"),
        ("dim_grade", told("grade_key", scope="city"), "all", "none"),
        ("dim_district", told("district_code"), "none", "none"),
        ("fct_city", told("figure", scope="city"), "none", "none"),
        ("pub_place", told("district_code", scope="city", public=True), "all", "all"),
        ("fct_rate", told("unit_code", "district_code"), "none", "none"),
        ("fct_plan", told("school_code", school_rows="none"), "none", "none"),
        ("fct_due", told("sender_code", school_rows="sender_code"), "own", "none"),
        ("fct_due", told("unit_code", school_rows="sender_code"), "none", "none"),
        ("fct_pupil", told("pupil_key", "school_code", pupil_rows=True), "own", "own"),
        ("fct_pupil", told("school_code", pupil_rows=True), "own", "none"),
    ],
)
def test_a_school_and_a_family_open_what_something_opens_to_them(
    table: str, about: dict[str, object], school: str, pupil: str
) -> None:
    assert rows_open(table, about, A_SCHOOL) == school
    assert rows_open(table, about, A_PUPIL) == pupil
    assert rows_open(table, about, Scope("city")) == "all"
