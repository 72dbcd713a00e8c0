"""Safe campus: each criterion one step either side of its threshold; hazards, hotline cases against time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from jobs.decide.safety import campus, hazards, hotline
from jobs.decide.safety.alerts import statements
from jobs.declare import standards

AS_OF = pd.Timestamp("2025-11-20")
OVER = {"fever": 7}
DAYS = pd.date_range("2025-02-17", "2025-11-20")
CLOSED = (DAYS.dayofweek >= 5) | ((DAYS >= "2025-07-06") & (DAYS <= "2025-08-31"))
CHECK: dict[str, Any] = {
    "school_code": "S1",
    "checked_date": pd.Timestamp("2025-09-05"),
    "guard_count": 3,
    "is_closed_campus": True,
    "has_linked_alarm": True,
    "has_escort_post": True,
    "key_part_count": 16,
    "video_key_part_count": 16,
    "gatehouse_hours": 24,
    "patrol_count": 5,
}
HAZARD: dict[str, Any] = {
    "school_code": "S1",
    "hazard_code": "YH-20251001-0001",
    "found_date": pd.Timestamp("2025-10-01"),
    "hazard_category_code": "fire",
    "hazard_grade_code": "general",
    "hazard_due_date": pd.Timestamp("2025-11-19"),
    "hazard_status_code": "open",
    "hazard_done_date": pd.NaT,
}


def drills(*days: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"school_code": "S1", "drill_date": pd.to_datetime(list(days)), "evacuation_seconds": 110}
    )


MONTHLY = drills("2025-05-20", "2025-06-20", "2025-09-10", "2025-10-15")
FACTS = campus.Facts(
    schools=pd.DataFrame(
        {
            "school_code": ["S1"],
            "school_type_code": "21",
            "opened_date": pd.Timestamp("2001-09-01"),
            "pupil_count": [1499.0],
        }
    ),
    guard_checks=pd.DataFrame([CHECK]),
    drills=MONTHLY,
    hazards=pd.DataFrame([HAZARD]).iloc[:0],
    incidents=pd.DataFrame(
        {
            "school_code": pd.Series(dtype=str),
            "occurred_date": pd.Series(dtype="datetime64[ns]"),
            "incident_level_code": pd.Series(dtype=str),
        }
    ),
    calendar=pd.DataFrame({"date": DAYS, "is_open": ~CLOSED}),
)


def failed(facts: campus.Facts) -> list[str]:
    rows = campus.judge(facts, AS_OF)
    return list(rows["criterion_code"][rows["is_met"].eq(False) & rows["is_required"]])


def test_a_school_that_does_all_meets_all_and_every_row_says_why() -> None:
    rows = campus.judge(FACTS, AS_OF)
    assert failed(FACTS) == []
    assert rows[["school_code", "criterion_code"]].duplicated().sum() == 0
    assert rows["source"].notna().all()
    assert "drill_quarter" not in set(rows["criterion_code"]), "that one is for kindergartens"


@pytest.mark.parametrize(
    ("column", "value", "criterion"),
    [
        ("guard_count", 2, "guard_count"),
        ("is_closed_campus", False, "closed_campus"),
        ("has_linked_alarm", False, "linked_alarm"),
        ("has_escort_post", False, "escort_post"),
        ("video_key_part_count", 15, "video_cover"),
        ("gatehouse_hours", 23.5, "gatehouse_hours"),
        ("patrol_count", 4, "patrols"),
        ("has_escort_post", None, "escort_post"),
    ],
)
def test_one_step_below_fails(column: str, value: object, criterion: str) -> None:
    assert failed(replace(FACTS, guard_checks=pd.DataFrame([CHECK | {column: value}]))) == [criterion]


@pytest.mark.parametrize(
    ("pupils", "guards"), [(0, 1), (99, 1), (100, 2), (999, 2), (1000, 3), (1499, 3), (1500, 4), (2600, 6)]
)
def test_guards_go_by_pupils(pupils: int, guards: int) -> None:
    rules = standards.frame("safety/guards_required", AS_OF)
    assert campus.guards_required(pd.Series([float(pupils)]), rules).item() == guards


def test_the_newest_check_counts_and_an_old_one_does_not() -> None:
    older = CHECK | {"checked_date": pd.Timestamp("2025-03-01"), "guard_count": 0}
    assert failed(replace(FACTS, guard_checks=pd.DataFrame([CHECK, older]))) == []
    forgotten = CHECK | {"checked_date": pd.Timestamp("2024-09-05")}
    rows = campus.judge(replace(FACTS, guard_checks=pd.DataFrame([forgotten])), AS_OF)
    told = rows[rows["criterion_code"] == "patrols"].iloc[0]
    assert (told["is_met"], told["missing_reason"]) == (False, "no_check_within_look_back")
    assert pd.isna(told["value"])


def test_a_month_without_a_drill_is_told_but_not_one_of_holidays_or_not_over() -> None:
    facts = replace(FACTS, drills=drills("2025-05-20", "2025-06-20", "2025-10-15"))
    assert failed(facts) == ["drill_month"]
    alerts = campus.alerts_of_criteria(campus.judge(facts, AS_OF), facts, AS_OF)
    assert list(alerts["condition_code"]) == ["period:2025-09"]
    assert list(alerts["alert_date"]) == [pd.Timestamp("2025-09-30")]


def test_a_new_school_owes_drills_from_its_first_whole_month() -> None:
    schools = FACTS.schools.assign(opened_date=pd.Timestamp("2025-09-15"))
    assert failed(replace(FACTS, schools=schools, drills=drills("2025-10-15"))) == []


def test_kindergartens_go_by_quarter() -> None:
    schools = FACTS.schools.assign(school_type_code="11")
    assert failed(replace(FACTS, schools=schools, drills=drills("2025-05-20", "2025-09-10"))) == []
    assert failed(replace(FACTS, schools=schools, drills=drills("2025-09-10"))) == ["drill_quarter"]


def test_a_serious_incident_within_a_year_takes_the_status() -> None:
    def with_level(level: str, day: str) -> list[str]:
        incident = {"school_code": "S1", "occurred_date": pd.Timestamp(day), "incident_level_code": level}
        return failed(replace(FACTS, incidents=pd.DataFrame([incident])))

    assert with_level("3", "2025-03-01") == ["serious_incident"]
    assert with_level("4", "2025-03-01") == with_level("3", "2024-11-19") == []


def test_criteria_raise_one_alert_a_check_and_none_again() -> None:
    facts = replace(FACTS, guard_checks=pd.DataFrame([CHECK | {"guard_count": 1, "patrol_count": 4}]))
    alerts = campus.alerts_of_criteria(campus.judge(facts, AS_OF), facts, AS_OF)
    assert list(alerts["rule_code"]) == ["CAMPUS_GUARD_COUNT", "CAMPUS_PATROLS"]
    later = AS_OF + pd.Timedelta(days=30)
    again = campus.alerts_of_criteria(campus.judge(facts, later), facts, later)
    again = again[~again["rule_code"].str.startswith("CAMPUS_DRILL")]
    assert statements(again, alerts, OVER).empty
    next_check = facts.guard_checks.assign(checked_date=pd.Timestamp("2025-11-10"))
    newer = replace(facts, guard_checks=pd.concat([facts.guard_checks, next_check]))
    assert (
        len(statements(campus.alerts_of_criteria(campus.judge(newer, AS_OF), newer, AS_OF), alerts, OVER))
        == 2
    )


@pytest.mark.parametrize(
    ("grade", "days", "level", "owner"),
    [
        ("general", 0, None, None),
        ("general", 1, "yellow", "学校"),
        ("general", 14, "yellow", "学校"),
        ("general", 15, "orange", "区教委"),
        ("general", 46, "red", "区教委"),
        ("major", -8, None, None),
        ("major", -7, "yellow", "学校"),
        ("major", 1, "red", "区教委"),
        ("major", 8, "red", "市教委"),
    ],
)
def test_hazards_escalate_by_grade_and_time(
    grade: str, days: int, level: str | None, owner: str | None
) -> None:
    hazard = HAZARD | {"hazard_grade_code": grade, "hazard_due_date": AS_OF - pd.Timedelta(days=days)}
    row = hazards.escalated(pd.DataFrame([hazard]), AS_OF).iloc[0]
    assert row["days_after_due"] == days
    assert (row["alert_level"] if level else None) == level
    assert (row["owner_zh"] if owner else None) == owner
    assert pd.isna(row["alert_level"]) == (level is None)


def test_a_mended_hazard_is_not_overdue_and_one_said_closed_is_closed() -> None:
    def late(**cells: Any) -> int:
        return len(hazards.overdue(pd.DataFrame([HAZARD | cells]), AS_OF))

    assert late() == 1
    assert late(hazard_due_date=AS_OF) == 0, "due today is not late"
    assert late(hazard_status_code="closed", hazard_done_date=pd.Timestamp("2025-11-01")) == 0
    assert late(hazard_status_code="closed") == 0
    assert late(hazard_status_code="closed", hazard_done_date=pd.Timestamp("2025-11-25")) == 1, "not yet then"


def test_a_hazard_raises_one_alert_through_all_its_steps_and_deadlines() -> None:
    rows = pd.DataFrame([HAZARD | {"hazard_grade_code": "major"}])
    first = hazards.alerts_of_hazards(hazards.escalated(rows, AS_OF), AS_OF)
    assert len(first) == 1
    later = AS_OF + pd.Timedelta(days=40)
    moved = rows.assign(hazard_due_date=AS_OF + pd.Timedelta(days=20))
    assert statements(hazards.alerts_of_hazards(hazards.escalated(moved, later), later), first, OVER).empty


def test_an_answer_is_due_after_its_alert_whatever_was_late_before() -> None:
    late = pd.DataFrame([HAZARD | {"hazard_due_date": AS_OF - pd.Timedelta(days=90)}])
    case = {
        "hotline_case_code": "G1",
        "accepted_date": AS_OF - pd.Timedelta(days=200),
        "district_code": "110105",
        "hotline_urgency_code": "urgent",
        "closed_case_date": pd.NaT,
        "handling_hours": None,
    }
    facts = replace(
        FACTS, guard_checks=pd.DataFrame([CHECK | {"patrol_count": 4}]), drills=drills("2025-10-15")
    )
    every = pd.concat(
        [
            hazards.alerts_of_hazards(hazards.escalated(late, AS_OF), AS_OF),
            hotline.alerts_of_cases(hotline.judged(pd.DataFrame([case]), AS_OF), AS_OF),
            campus.alerts_of_criteria(campus.judge(facts, AS_OF), facts, AS_OF),
        ]
    )
    assert {code.split("_")[0] for code in every["rule_code"]} == {"HAZARD", "HOTLINE", "CAMPUS"}
    assert (every["raised_date"] == AS_OF).all()
    assert (every["due_date"] > AS_OF).all()
    assert (every["alert_date"] <= AS_OF).all()


@pytest.mark.parametrize(
    ("urgency", "closed", "hours", "late", "open_"),
    [
        ("general", None, None, False, True),
        ("urgent", None, None, True, True),
        ("urgent", "2025-11-14", 2.0, False, False),
        ("urgent", "2025-11-14", 2.5, True, False),
        ("general", "2025-11-20", None, False, False),
        ("utility", "2025-11-20", None, True, False),
        ("unheard_of", None, None, None, True),
    ],
)
def test_hotline_clocks(
    urgency: str, closed: str | None, hours: float | None, late: bool | None, open_: bool
) -> None:
    case = {
        "hotline_case_code": "G1",
        "accepted_date": pd.Timestamp("2025-11-14"),
        "district_code": "110105",
        "hotline_urgency_code": urgency,
        "closed_case_date": pd.Timestamp(closed) if closed else pd.NaT,
        "handling_hours": hours,
    }
    row = hotline.judged(pd.DataFrame([case]), AS_OF)
    assert (row["is_late"].item(), row["is_open"].item()) == (late, open_)
    assert len(hotline.alerts_of_cases(row, AS_OF)) == (late is True and open_)
