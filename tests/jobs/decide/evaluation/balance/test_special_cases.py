"""Each special case of the law flips the verdict of a district by what its register, staff and rolls say."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from jobs.decide.evaluation.balance.lake import School

from .whole_district import City, Row, school


@pytest.mark.parametrize(
    ("spoil", "mend", "rule"),
    [
        (
            {"sports_area_m2": Decimal(6000)},
            {"is_over_dense_center": True, "extra_sports_area_m2": Decimal(1600)},
            "RULE_85",
        ),
        ({"music_room_area_m2": Decimal(160)}, {"built_year": 2016}, "G3c"),
        ({"art_room_area_m2": Decimal(140)}, {"built_year": 2016}, "G3d"),
    ],
)
def test_each_special_case_of_the_register_flips_a_verdict(spoil: Row, mend: Row, rule: str) -> None:
    city = City()
    city.schools[0].register |= spoil
    assert city.failed()[1] == rule
    city.schools[0].register |= mend
    assert city.verdict()["verdict"] == "pass"


def _of(pupils: int, **changed: object) -> School:
    """A primary school with what it has in proportion to its pupils."""
    made = school("p3", pupils=pupils)
    for name, value in made.register.items():
        if isinstance(value, Decimal) and "room" not in name:
            made.register[name] = value * pupils / 1000
    made.register |= {"multimedia_classroom_count": 5, "computer_count": 20, "book_count": 4000}
    staff = {"teachers": 10, "qualified": 9, "middle_title": 5, "backbone": 2, "pe_arts": 2}
    made.staff["primary"] |= staff | dict.fromkeys(
        ["with_education", "with_title", "with_backbone", "with_subject"], 10
    )
    for told, done in (("with_certificate", "certified"), ("with_training", "trained")):
        made.staff["primary"] |= {told: 10, done: 10}
    made.register |= {"class_count": 6} | changed
    return made


def test_a_small_rural_school_counts_shared_teachers_and_needs_smaller_rooms() -> None:
    city = City()
    small = _of(60, urban_rural_code="220", music_room_area_m2=Decimal(108))
    small.staff["primary"] |= {"pe_arts": 0, "pe_arts_beside": 1}
    small.rolls["primary"]["largest_class"] = 12
    city.schools.append(small)
    assert city.verdict()["verdict"] == "pass"
    small.register["urban_rural_code"] = "111"
    assert {row["rule_code"] for row in city.decided()["rule"] if row["state"] == "not_met"} >= {
        "RULE_85",
        "G3c",
    }


@pytest.mark.parametrize("spoil", [{"is_teaching_point": True}, {"school_type_code": "51"}])
def test_small_points_and_special_schools_are_left_out(spoil: Row) -> None:
    city = City()
    city.schools.append(_of(40, teaching_area_m2=Decimal(0)))
    assert city.verdict()["verdict"] == "fail"
    city.schools[-1].register |= spoil
    assert city.verdict()["verdict"] == "pass"
    (row,) = [r for r in city.decided()["school"] if r["school_code"] == "p3" and "2017" in r["standard"]]
    assert row["verdict"] == "not_applicable"
    assert row["missing_reason"] in ("small_point", "special_or_vocational")


@pytest.mark.parametrize("mend", ["built_2010", "mostly_migrant"])
def test_a_large_school_is_allowed_2400_where_it_is_old_or_serves_migrants(mend: str) -> None:
    city = City()
    large = city.schools[0]
    large.pupils["primary"] = 2100
    for name in ("teaching_area_m2", "sports_area_m2", "equipment_value_yuan"):
        large.register[name] *= 2
    large.register["multimedia_classroom_count"] *= 2
    large.staff["primary"] |= {"qualified": 240, "backbone": 40, "pe_arts": 40}
    assert city.failed() == ("government", "G4a", "not_met")
    if mend == "built_2010":
        large.register["opened_date"] = date(2010, 9, 1)
    else:
        large.rolls["primary"] |= {"migrants": 501, "with_migrants": 1000}
    assert city.verdict()["verdict"] == "pass"
