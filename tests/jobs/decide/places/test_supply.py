"""Rules of supply: what a school holds, and when a project opens."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jobs.decide.places import gap, supply
from jobs.decide.places.supply import coming_places, opening_shares, parted, school_places, school_year_of
from jobs.declare import standards
from jobs.settings import UserError

DAY = date(2025, 11, 20)
STAGE_OF = {"P1": "primary", "P2": "primary", "J1": "junior", "S1": "senior"}
SIZE = {"P1": 40, "P2": 40, "J1": 40, "S1": 45}
PREMISES = pd.DataFrame({"stage_code": ["primary"], "area_column": ["area_m2"], "m2_per_place": [5.0]})


def school(**told: Any) -> pd.DataFrame:
    return pd.DataFrame(
        [{"school_code": "A", "place_count": 300, "class_count": 7, "area_m2": 1000.0} | told]
    )


def pupils(**counts: int) -> pd.DataFrame:
    rows = [("A", grade, count) for grade, count in counts.items()]
    return pd.DataFrame(rows, columns=["school_code", "grade_key", "pupil_count"])


def test_parts_are_whole_and_add_up_whatever_the_weights() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        total, weights = int(rng.integers(0, 900)), rng.random(int(rng.integers(1, 9))) * rng.integers(0, 2)
        parts = parted(total, weights)
        assert sum(parts) == total
        if weights.sum() > 0:
            assert np.abs(np.array(parts) - total * weights / weights.sum()).max() < 1


def test_places_of_a_school_add_up_to_the_register_and_its_classes_to_its_classes() -> None:
    found = school_places(school(), pupils(P1=121, P2=80, S1=95), STAGE_OF, SIZE, PREMISES)
    assert found["grade_key"].tolist() == ["P1", "P2", "S1"]
    assert found["place_count"].sum() == 300
    assert found["class_count"].tolist() == [3, 2, 2]
    assert found["class_place_count"].tolist() == [120, 80, 90]


def test_a_school_whose_register_states_no_places_has_those_of_its_classes() -> None:
    for none in (None, 0):
        found = school_places(school(place_count=none), pupils(P1=121, P2=80), STAGE_OF, SIZE, PREMISES)
        assert found["place_count"].tolist() == found["class_place_count"].tolist()
    alone = school_places(school(place_count=None, class_count=None), pupils(P1=81), STAGE_OF, SIZE, PREMISES)
    assert alone["class_count"].tolist() == [3]  # as few classes as hold the pupils


def test_premises_limit_where_a_norm_and_an_area_are_known() -> None:
    found = school_places(school(class_count=4), pupils(P1=80, S1=90), STAGE_OF, SIZE, PREMISES)
    by_grade = dict(zip(found["grade_key"], found["premises_place_count"], strict=True))
    # The primary grade has 80 of 170 class places, so 470.6 m², at 5 m² a place.
    assert by_grade["P1"] == 94
    assert pd.isna(by_grade["S1"])


def test_pupils_without_a_school_in_the_register_and_grades_without_pupils_hold_no_places() -> None:
    other = pupils(P1=30).assign(school_code="B")
    both = pd.concat([pupils(P1=30, P2=0), other])
    assert school_places(school(), both, STAGE_OF, SIZE, PREMISES)["school_code"].tolist() == ["A"]


def project(planned: date, status: str, opened: date | None = None, **other: Any) -> dict[str, Any]:
    return {
        "project_code": "X",
        "district_code": "110101",
        "area_name": None,
        "stage_code": "primary",
        "place_count": 100,
        "planned_opening_date": planned,
        "expected_opening_date": None,
        "actual_opening_date": opened,
        "project_status_code": status,
    } | other


NOBODY = pd.DataFrame(
    {"years_late": [0, 1, 2], "opening_share": [0.7, 0.6, 0.5], "weight_projects": [0.0] * 3}
)
PRIOR = NOBODY.assign(weight_projects=10.0)


def test_the_share_that_opens_on_time_is_read_from_the_projects() -> None:
    autumn = [date(year, 9, 1) for year in range(2020, 2028)]
    rows = [project(autumn[1], "opened", autumn[1])] * 6 + [project(autumn[1], "opened", autumn[2])] * 3
    rows += [project(autumn[1], "opened", autumn[3])] + [project(autumn[7], "planned")] * 50
    rows += [project(autumn[1], "cancelled")] * 50
    found = opening_shares(pd.DataFrame(rows), DAY, NOBODY.assign(weight_projects=1e-9))
    assert found[:2] == pytest.approx([6 / 10, 3 / 4])
    assert found[2] == pytest.approx(1.0)


def test_a_project_that_should_stand_and_does_not_lowers_the_share() -> None:
    open_ones = [project(date(2024, 9, 1), "opened", date(2024, 9, 1))] * 4
    late = [project(date(2025, 9, 1), "building")] * 4
    before = opening_shares(pd.DataFrame(open_ones), DAY, PRIOR)
    after = opening_shares(pd.DataFrame(open_ones + late), DAY, PRIOR)
    assert before[0] == pytest.approx((4 + 7) / 14)
    assert after[0] == pytest.approx((4 + 7) / 18)


def test_chances_of_opening_grow_year_by_year_and_never_before_the_next_autumn() -> None:
    shares = np.array([0.7, 0.6, 0.5])
    rows = pd.DataFrame(
        [
            project(date(2024, 9, 1), "building", project_code="late"),
            project(date(2027, 9, 1), "planned", project_code="due"),
            project(
                date(2026, 9, 1), "building", project_code="told", expected_opening_date=date(2028, 9, 1)
            ),
            project(date(2023, 9, 1), "opened", date(2023, 9, 1), project_code="open"),
            project(date(2026, 10, 5), "planned", project_code="october"),
        ]
    )
    found = coming_places(rows, DAY, range(2025, 2030), shares)
    chance = found.pivot(index="project_code", columns="school_year_start", values="open_probability")
    assert set(chance.index) == {"late", "due", "told", "october"}
    assert chance.loc["late"].tolist() == pytest.approx([0, 0.5, 0.75, 0.875, 0.9375])
    assert chance.loc["due"].tolist() == pytest.approx([0, 0, 0.7, 0.88, 0.94])
    assert chance.loc["told"].tolist() == pytest.approx([0, 0, 0, 0.5, 0.75])
    assert chance.loc["october"].tolist() == pytest.approx([0, 0, 0.7, 0.88, 0.94])
    assert school_year_of(date(2026, 9, 1)) == 2026
    assert school_year_of(date(2026, 9, 2)) == 2027


def test_settings_are_those_of_the_day() -> None:
    assert supply.class_sizes(DAY)["S3"] == 45
    assert standards.frame("places/warning_levels", DAY, needed=True)["warning_level"].tolist()[:4] == [
        "red",
        "orange",
        "yellow",
        "blue",
    ]
    with pytest.raises(UserError, match="class_size"):
        supply.class_sizes(date(1990, 1, 1))


LADDER = {"primary": ["P1", "P2", "P3"]}


def stood(*rows: tuple[str, int, str, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["school_code", "year", "grade_key", "pupil_count"])


def places_of(school: str, stated: int, by_class: int, *grades: str) -> pd.DataFrame:
    share = len(grades)
    return pd.DataFrame(
        {
            "school_code": school,
            "stage_code": "primary",
            "grade_key": list(grades),
            "class_place_count": by_class // share,
            "place_count": stated // share,
        }
    )


def test_a_school_that_fills_up_gets_places_with_each_grade_and_no_other_does() -> None:
    pupils = stood(
        ("OLD", 2022, "P1", 80),
        *[("OLD", year, grade, 80) for year in (2023, 2024) for grade in LADDER["primary"]],
        ("NEW", 2024, "P1", 110),  # opened with its first grade
        ("SHORT", 2022, "P1", 30),  # has one grade since ever
        ("SHORT", 2024, "P1", 30),
    )
    places = pd.concat(
        [
            places_of("OLD", 240, 360, "P1", "P2", "P3"),
            places_of("NEW", 120, 120, "P1"),
            places_of("SHORT", 40, 40, "P1"),
        ]
    )
    found = supply.standing_places(places, pupils, LADDER, range(2025, 2029))
    count = found.pivot(index="school_code", columns="school_year_start", values="place_count")
    assert count.loc["NEW"].tolist() == [240, 360, 360, 360]
    assert count.loc["OLD"].tolist() == [240] * 4
    assert count.loc["SHORT"].tolist() == [40] * 4
    # What the register states for the whole building holds the later grades already.
    whole = supply.standing_places(places_of("NEW", 330, 120, "P1"), pupils, LADDER, [2025, 2026])
    assert whole["place_count"].tolist() == [330, 360]


def test_places_to_come_count_at_the_school_that_is_extended_or_new() -> None:
    autumn = date(2026, 9, 1)
    rows = [
        project(autumn, "building", project_code="MORE", project_kind_code="expansion", school_code="S1"),
        # The school lies elsewhere than the project says: its places stand where the school does.
        project(autumn, "building", project_code="FAR", project_kind_code="expansion", school_code="S2"),
        project(autumn, "building", project_code="NEW", project_kind_code="new"),
        project(autumn, "building", project_code="NOBODY", project_kind_code="expansion"),
    ]
    coming = coming_places(
        pd.DataFrame(rows).assign(area_name="north"), DAY, [2026], np.array([0.5, 0.5, 0.5])
    )
    units = pd.DataFrame(
        [
            ("S1", "110101/north", "110101", "core", gap.CITY),
            ("S2", "110102/west", "110102", "core", gap.CITY),
            ("NEW", "110101/north", "110101", "core", gap.CITY),
        ],
        columns=["school", "area", "district", "zone", "city"],
    )
    found = gap.coming_by_unit(coming, units).set_index(["level", "unit_code"])["expected_place_count"]
    assert found["school"].to_dict() == {"NEW": 50, "S1": 50, "S2": 50}
    assert found["area"].to_dict() == {"110101/north": 150, "110102/west": 50}
    assert found["district"].to_dict() == {"110101": 150, "110102": 50}
    assert found["city", gap.CITY] == 200
    frame = pd.DataFrame(rows)
    assert supply.opens_school(frame, {"S1", "S2"}).tolist() == [False, False, True, False]
    # A project of another kind that names a school that stands extends it.
    named = frame.assign(project_kind_code="premises")
    assert supply.opens_school(named, {"S1", "S2"}).tolist() == [False, False, True, True]
