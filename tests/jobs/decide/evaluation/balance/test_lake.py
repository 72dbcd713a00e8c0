"""From clean tables to what is known of schools: each fact from the statement that counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from jobs import declare
from jobs.decide.evaluation.balance import lake
from jobs.decide.evaluation.balance.lake import Known
from jobs.lake import tables, window
from jobs.settings import Settings

ON, D = date(2025, 11, 20), "110101"
PRIMARY, JUNIOR, COMPLETE, NURSERY = "2111901001", "3111901001", "3411901001", "1111901001"
Row = dict[str, Any]


class Written:
    """Writes the statements of one district to a site's clean tables and reads what is known of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.count = settings, 0

    def state(self, dataset: str, rows: Iterable[Row], day: str = "2025-09-10", scope: str = D) -> None:
        """One delivery."""
        self.count += 1
        received = date.fromisoformat(day)
        table = declare.load()[dataset].table
        constant = {
            **{
                "valid_from": date(2020, 1, 1),
                "stated_on": received,
                "delivery_no": 1,
                "is_withdrawn": False,
            },
            **{"recorded_at": datetime(received.year, received.month, received.day, tzinfo=UTC)},
            **{"scope_key": scope, "sender_code": D, "_delivery_id": f"{D}/{day}_1"},
            "_file_sha256": f"{self.count}",
        }
        full = [constant | {"_line_number": line} | row for line, row in enumerate(rows, 2)]
        made = [{name: row.get(name) for name in declare.table_columns(table)} for row in full]
        tables.append_rows(self.settings, table, made, f"{self.count}", "r")

    def known(self, on: date = ON) -> Known:
        with window.opened(self.settings, on, datetime(2026, 8, 1, tzinfo=UTC), lake.DATASETS) as opened:
            found = lake.known(opened, on)
        assert found is not None
        return found


@pytest.fixture
def written(settings: Settings) -> Written:
    made = Written(settings)
    made.state(
        "school_register",
        [
            {"school_code": code, "school_name": code, "district_code": D, "school_type_code": code[:2]}
            | {"ownership_code": "public", "opened_date": date(2000, 9, 1), "sports_area_m2": Decimal(5000)}
            for code in (PRIMARY, JUNIOR, COMPLETE, NURSERY)
        ],
    )
    made.state("grade_return", counts(2025), day="2025-09-25", scope=f"{D}|2025")
    return made


def counts(year: int, **changed: int) -> list[Row]:
    pupils = {
        **{(PRIMARY, "P1"): 100, (PRIMARY, "P2"): 110, (JUNIOR, "J1"): 90, (COMPLETE, "J1"): 60},
        **{(COMPLETE, "S1"): 120, (NURSERY, "K1"): 30, (D, "P1"): 100},
    }
    about = {"parent_unit_code": D, "school_year_start": year}
    return [
        about | {"unit_code": code, "grade_key": grade, "pupil_count": changed.get(code, count)}
        for (code, grade), count in pupils.items()
    ]


def staff(key: str, school: str = PRIMARY, stage: str | None = "primary", **told: object) -> Row:
    usual = {
        **{"staff_post_code": "teacher", "education_level_code": "bachelor", "subject_code": "chinese"},
        **{
            "professional_title_code": "first",
            "backbone_level_code": "none",
            "joined_date": date(2010, 9, 1),
        },
    }
    return {"staff_key": key, "school_code": school, "stage_code": stage} | usual | told


def by_code(known: Known, code: str) -> lake.School:
    return next(school for school in known.schools if school.code == code)


def test_pupils_come_from_the_newest_return_by_stage_without_totals_of_districts(written: Written) -> None:
    written.state("grade_return", counts(2024), day="2024-09-25", scope=f"{D}|2024")
    known = written.known()
    assert known.year == 2025
    assert {school.code: school.pupils for school in known.schools} == {
        PRIMARY: {"primary": 210},
        JUNIOR: {"junior": 90},
        COMPLETE: {"junior": 60, "senior": 120},
        NURSERY: {"kindergarten": 30},
    }
    assert by_code(known, NURSERY).stages == []
    assert by_code(known, COMPLETE).stages == ["junior"]
    assert known.returned == {D}
    assert written.known(date(2025, 8, 31)).year == 2024, "the newest school year at the run's date"


def test_teachers_count_by_degree_level_subject_and_employment(written: Written) -> None:
    written.state(
        "staff_register",
        [
            staff("1", education_level_code="associate", backbone_level_code="school"),
            staff("2", education_level_code="senior_secondary", backbone_level_code="district"),
            staff("3", subject_code="music", employment_kind_code="contract", backbone_level_code="city"),
            staff("4", subject_code="physical_education", employment_kind_code="itinerant"),
            staff("5", subject_code="arts", employment_kind_code="substitute"),
            staff("6", staff_post_code="administrative"),
            staff("7", stage=None, professional_title_code="second", joined_date=date(2019, 9, 2)),
            staff("8", JUNIOR, "junior", education_level_code="associate", has_teaching_certificate=True),
            staff("9", JUNIOR, "junior", training_hours=360, has_teaching_certificate=False),
            staff("10", COMPLETE, None),
            staff("11", COMPLETE, "junior"),
            staff("12", COMPLETE, "senior"),
        ],
    )
    known = written.known()
    primary = by_code(known, PRIMARY).staff["primary"]
    told = ("teachers", "qualified", "backbone", "pe_arts", "pe_arts_beside", "middle_title", "may_rotate")
    assert [primary[name] for name in told] == [4, 3, 2, 1, 1, 3, 3]
    junior = by_code(known, JUNIOR).staff["junior"]
    known_of = ("teachers", "qualified", "with_certificate", "certified", "with_training", "trained")
    assert [junior[name] for name in known_of] == [2, 1, 2, 1, 1, 1]
    complete = by_code(known, COMPLETE).staff
    assert {stage: row["teachers"] for stage, row in complete.items()} == {"junior": 1, "senior": 1}


def pupil(key: str, school: str, grade: str, group: str, **told: object) -> Row:
    usual = {"pupil_status_code": "1", "is_migrant_child": False, "school_year_start": 2025, "term": 1}
    return {"pupil_key": key, "school_code": school, "grade_key": grade, "class_name": group} | usual | told


def test_classes_and_migrants_come_from_the_newest_roll_of_the_year(written: Written) -> None:
    written.state(
        "pupil_roll",
        [
            *(pupil(f"a{n}", PRIMARY, "P1", "1班", is_migrant_child=n < 2) for n in range(5)),
            *(pupil(f"b{n}", PRIMARY, "P1", "2班") for n in range(3)),
            pupil("c", PRIMARY, "P1", "1班", pupil_status_code="2", is_migrant_child=True),
            pupil("d", COMPLETE, "S1", "1班"),
        ],
        scope=f"{D}|2025|1",
    )
    rolls = by_code(written.known(), PRIMARY).rolls["primary"]
    assert {name: rolls[name] for name in ("classes", "largest_class", "migrants", "with_migrants")} == {
        **{"classes": 2, "largest_class": 5, "migrants": 2, "with_migrants": 8}
    }
    assert by_code(written.known(), PRIMARY).migrant_share == 25
    second = [pupil(f"a{n}", PRIMARY, "P1", "1班", term=2) for n in range(4)]
    written.state("pupil_roll", second, day="2026-03-05", scope=f"{D}|2025|2")
    assert by_code(written.known(), PRIMARY).rolls["primary"]["largest_class"] == 4


def test_a_merged_school_is_out_and_a_recoded_one_goes_on_under_its_new_code(written: Written) -> None:
    changed = [
        {"from_school_code": JUNIOR, "to_school_code": COMPLETE, "change_kind_code": "merge"},
        {"from_school_code": PRIMARY, "to_school_code": "2111901009", "change_kind_code": "recode"},
    ]
    written.state("school_change", [row | {"change_date": date(2025, 10, 1)} for row in changed])
    written.state("staff_register", [staff("1")])
    known = written.known()
    assert {school.code for school in known.schools} == {"2111901009", COMPLETE, NURSERY}
    moved = by_code(known, "2111901009")
    assert (moved.pupils, moved.staff["primary"]["teachers"]) == ({"primary": 210}, 1)


def test_a_school_that_the_return_lost_is_kept_with_last_years_pupils(written: Written) -> None:
    rows = counts(2024) + [{**row, "unit_code": "2111901007"} for row in counts(2024)[:1]]
    written.state("grade_return", rows, day="2024-09-25", scope=f"{D}|2024")
    assert "2111901007" not in {school.code for school in written.known().schools}, "in no register today"
    again = [row for row in counts(2025) if row["unit_code"] != JUNIOR]
    written.state("grade_return", again, day="2025-10-25", scope=f"{D}|2025")
    lost = by_code(written.known(), JUNIOR)
    assert (lost.pupils, lost.lost, lost.stages) == ({}, {"junior": 90}, ["junior"])


def test_rotation_entry_and_purchased_places_are_counted_by_district(written: Written) -> None:
    written.state("staff_register", [staff("1", backbone_level_code="city"), staff("2"), staff("3")])
    moves = {"from_school_code": PRIMARY, "to_school_code": JUNIOR, "rotation_kind_code": "full_time"}
    rows = [
        {"staff_key": "1", "rotation_start_date": date(2025, 9, 1)},
        {"staff_key": "2", "rotation_start_date": date(2024, 9, 1), "rotation_end_date": date(2026, 7, 15)},
        {"staff_key": "3", "rotation_start_date": date(2024, 9, 1), "rotation_end_date": date(2025, 7, 15)},
    ]
    written.state("teacher_rotation", [moves | row for row in rows])
    entered = {"school_code": PRIMARY, "entry_month": "202509"}
    written.state(
        "pupil_registration",
        [
            entered | {"pupil_key": "x", "entry_method_code": "11"},
            entered | {"pupil_key": "y", "entry_method_code": "12"},
            entered | {"pupil_key": "z", "entry_method_code": "12", "entry_month": "202409"},
        ],
    )
    known = written.known()
    assert (known.rotation[D]["rotating"], known.rotation[D]["backbone"]) == (2, 1)
    entry = known.entry[D]
    assert (entry["primary_known"], entry["primary_near"], entry["primary_untold"]) == (2, 1, 0)
    assert entry["junior_untold"] == 2


def test_items_of_the_newest_supervision_year_count(written: Written) -> None:
    whole = {"district_code": D, "stage_code": "both", "school_code": "DISTRICT"}
    written.state(
        "supervision_item",
        [
            whole | {"rule_code": "S1", "supervision_year": 2025, "item_value": Decimal(90)},
            whole | {"rule_code": "S1", "supervision_year": 2024, "item_value": Decimal(70)},
            whole | {"rule_code": "V1", "supervision_year": 2024, "is_item_met": True},
        ],
    )
    assert [(row["rule_code"], row["item_value"]) for row in written.known().items] == [("S1", 90)]
    assert written.known().districts == [D]
