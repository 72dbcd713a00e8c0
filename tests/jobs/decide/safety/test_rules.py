"""Statutory thresholds one case either side of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from jobs.decide.safety.rules import can_be_evaluated, event_hits, load_rules, rule_hits
from jobs.declare import code_list

RULES = load_rules()


def reports(*rows: tuple[str, str, int], place: str = "C1", school: str = "S1") -> pd.DataFrame:
    columns = ["school_code", "class_name", "date", "condition_code", "case_count"]
    return pd.DataFrame([(school, place, day, code, n) for day, code, n in rows], columns=columns)


def codes(*rows: tuple[str, str, int], **options: Any) -> list[str]:
    return list(rule_hits(reports(*rows), RULES, **options)["rule_code"])


@pytest.mark.parametrize(("cases", "hit"), [(2, []), (3, ["SYN_CLASS_1D"])])
def test_three_of_a_class_in_one_day(cases: int, hit: list[str]) -> None:
    assert codes(("2026-10-12", "fever", cases)) == hit


@pytest.mark.parametrize(("last", "hit"), [(0, []), (1, ["SYN_CLASS_3D"])])
def test_five_of_a_class_in_three_days(last: int, hit: list[str]) -> None:
    assert codes(("2026-10-12", "rash", 2), ("2026-10-13", "rash", 2), ("2026-10-14", "rash", last)) == hit


def test_five_in_four_days_meet_no_rule() -> None:
    days = ("2026-10-12", "2026-10-13", "2026-10-14", "2026-10-15")
    assert codes(*((day, "rash", n) for day, n in zip(days, (2, 1, 1, 1), strict=True))) == []


def test_three_days_are_school_days() -> None:
    days = pd.date_range("2026-10-01", "2026-10-31")
    calendar = pd.DataFrame({"date": days, "is_open": days.dayofweek < 5})
    around_weekend = (("2026-10-16", "fever", 2), ("2026-10-19", "fever", 2), ("2026-10-20", "fever", 1))
    assert codes(*around_weekend, calendar=calendar) == ["SYN_CLASS_3D"]
    assert codes(*around_weekend) == [], "without a calendar every day counts"


def test_symptoms_are_counted_apart_but_diarrhea_with_vomiting() -> None:
    assert codes(("2026-10-12", "fever", 2), ("2026-10-12", "rash", 1)) == []
    assert codes(("2026-10-12", "diarrhea", 2), ("2026-10-12", "vomiting", 1)) == ["SYN_CLASS_1D"]
    assert codes(("2026-10-12", "headache", 9)) == [], "the text does not name headache"


@pytest.mark.parametrize(("cases", "hit"), [(9, []), (10, ["PHE_VARICELLA"])])
def test_ten_of_varicella_in_a_school_within_a_week(cases: int, hit: list[str]) -> None:
    rows = [("2026-10-12", "varicella", 4), ("2026-10-18", "varicella", cases - 4)]
    assert codes(*rows) == hit
    assert codes(rows[0], ("2026-10-19", "varicella", cases - 4)) == [], "the eighth day is outside the week"


def test_a_schools_cases_add_up_over_classes() -> None:
    both = pd.concat([reports(("2026-10-12", "mumps", 5)), reports(("2026-10-13", "mumps", 5), place="C2")])
    hits = rule_hits(both, RULES)
    assert list(hits["rule_code"]) == ["PHE_MUMPS"]
    assert hits["class_name"].iloc[0] == ""
    assert hits["observed"].iloc[0] == 10


@pytest.mark.parametrize(
    ("size", "cases", "hit"), [(40, 8, True), (40, 7, False), (41, 8, False), (29, 5, True)]
)
def test_beijings_fever_rule_goes_by_class_size(size: int, cases: int, hit: bool) -> None:
    found = codes(
        ("2026-10-12", "fever", cases), jurisdictions=("Beijing",), class_sizes={("S1", "C1"): size}
    )
    assert any(code.startswith("BJ_FEVER") for code in found) is hit


def of_rooms(*rows: tuple[str, str, int], size: int | None = None) -> pd.DataFrame:
    """Fever of one day, by class and room."""
    found = pd.concat([reports(("2026-10-12", "fever", n), place=place) for place, _, n in rows])
    return found.assign(dormitory_name=[room for _, room, _ in rows], dormitory_pupil_count=size)


def test_a_dormitory_counts_its_own_cases_over_classes() -> None:
    hits = rule_hits(of_rooms(("C1", "201", 2), ("C2", "201", 1), ("C2", "202", 1)), RULES)
    assert hits[["rule_code", "class_name"]].values.tolist() == [["SYN_CLASS_1D", "201"]]
    assert hits["observed"].item() == 3
    assert rule_hits(of_rooms(("C1", "201", 2), ("C2", "202", 1)), RULES).empty


@pytest.mark.parametrize(
    ("size", "cases", "hit"), [(6, 3, True), (6, 2, False), (2, 1, False), (None, 3, False)]
)
def test_half_a_room_with_fever_is_a_cluster_and_one_child_is_none(
    size: int | None, cases: int, hit: bool
) -> None:
    found = rule_hits(of_rooms(("C1", "201", cases), size=size), RULES, jurisdictions=("Beijing",))
    assert ("BJ_FEVER_DORM" in set(found["rule_code"])) is hit


@pytest.mark.parametrize(
    ("kind", "deaths", "hit"),
    [("food_borne", 1, True), ("food_borne", 0, False), ("food_borne", None, False), ("traffic", 1, False)],
)
def test_a_death_in_a_public_health_event_is_one_alert_of_the_highest_level(
    kind: str, deaths: float | None, hit: bool
) -> None:
    row = {"school_code": "S1", "incident_code": "E1", "incident_type_code": kind, "date": "2026-10-12"}
    hits = event_hits(pd.DataFrame([row | {"death_count": deaths}]), RULES)
    assert ("PHE_DEATH" in set(hits["rule_code"])) is hit


def test_a_rule_counts_only_while_in_force() -> None:
    rules = RULES[RULES["rule_code"] == "SYN_CLASS_1D"].assign(valid_to=pd.Timestamp("2026-10-13"))
    rows = reports(("2026-10-12", "fever", 3), ("2026-10-13", "fever", 3))
    assert list(rule_hits(rows, rules)["last_date"]) == [pd.Timestamp("2026-10-12")]


def test_what_reports_cannot_decide_is_known() -> None:
    apart = set(RULES["rule_code"][~can_be_evaluated(RULES)])
    assert apart == {"UNKNOWN_OUTBREAK", "PHE_ANY", "PHE_DEATH"}, "events, and what nobody reports"


def test_a_holiday_parts_two_school_days() -> None:
    days = pd.date_range("2026-09-01", "2026-10-31")
    closed = (days.dayofweek >= 5) | ((days >= "2026-10-01") & (days <= "2026-10-07"))
    calendar = pd.DataFrame({"date": days, "is_open": ~closed})
    rows = (("2026-09-29", "fever", 2), ("2026-09-30", "fever", 2), ("2026-10-08", "fever", 1))
    assert codes(*rows, calendar=calendar) == []


def test_a_case_of_a_closed_day_uses_up_no_school_day_and_moves_nobody_elses() -> None:
    days = pd.date_range("2026-10-01", "2026-10-31")
    calendar = pd.DataFrame({"date": days, "is_open": days.dayofweek < 5})
    rows = (("2026-10-15", "fever", 2), ("2026-10-17", "fever", 1), ("2026-10-19", "fever", 2))
    assert codes(*rows, calendar=calendar) == ["SYN_CLASS_3D"], "Thursday, Saturday, Monday"
    others = reports(
        ("2026-10-16", "fever", 2), ("2026-10-19", "fever", 2), ("2026-10-20", "fever", 1), place="C2"
    )
    both = pd.concat([others, reports(("2026-10-17", "fever", 1), school="S2")])
    assert list(rule_hits(both, RULES, calendar)["rule_code"]) == ["SYN_CLASS_3D"]


def test_windows_that_share_cases_are_one_episode() -> None:
    rows = [(f"2026-10-{day}", "varicella", 5) for day in (12, 13, 19, 26)]
    hits = rule_hits(reports(*rows), RULES)
    assert list(hits["first_date"]) == [pd.Timestamp("2026-10-13")]
    assert list(hits["observed"]) == [10]
    later = rule_hits(reports(*rows, ("2026-11-09", "varicella", 12)), RULES)
    assert list(later["first_date"]) == [pd.Timestamp("2026-10-13"), pd.Timestamp("2026-11-09")]


def test_expected_is_what_the_place_usually_has_in_such_a_window() -> None:
    days = [f"2026-09-{day:02d}" for day in range(1, 31)]
    rows = [(day, "fever", 1) for day in days[:-1]] + [(days[-1], "fever", 4)]
    hits = rule_hits(reports(*rows), RULES)
    one_day = hits[hits["rule_code"] == "SYN_CLASS_1D"]
    assert one_day["expected"].item() == pytest.approx(33 / 30)


def test_one_public_health_event_is_enough() -> None:
    incidents = pd.DataFrame(
        {
            "school_code": "S1",
            "incident_code": ["A1", "A2", "A3"],
            "incident_type_code": ["infectious_cluster", "sports_injury", "infectious_cluster"],
            "death_count": None,
            "date": "2026-10-12",
        }
    )
    hits = event_hits(incidents, RULES)
    assert list(hits["rule_code"]) == ["PHE_ANY", "PHE_ANY"]
    assert list(hits["condition"]) == ["A1", "A3"]
    assert (hits["report_within_hours"] == 24).all()


def test_every_condition_of_a_rule_is_a_code_that_a_report_can_carry() -> None:
    known = {row["code"] for name in ("symptom", "incident_type") for row in code_list(name).rows}
    conditions = "+".join(RULES["conditions"]).replace("|", "+").split("+")
    assert {c for c in conditions if c} <= known
    assert (RULES["rule_zh"].notna() & RULES["owner_zh"].notna()).all()
    assert set(RULES["alert_level"]) <= {"red", "orange", "yellow", "blue"}


def test_many_places_at_once_give_what_each_gives_alone() -> None:
    rng = np.random.default_rng(5)
    days = pd.date_range("2026-09-01", "2026-11-20")
    n = 1500
    many = pd.DataFrame(
        {
            "school_code": rng.choice(["S1", "S2", "S3"], n),
            "class_name": rng.choice(["C1", "C2"], n),
            "date": rng.choice(days, n),
            "condition_code": rng.choice(["fever", "rash", "mumps", "hfmd"], n),
            "case_count": rng.integers(0, 3, n),
        }
    )
    calendar = pd.DataFrame({"date": days, "is_open": days.dayofweek < 5})
    sizes = {(s, c): 24 + 10 * k for k, (s, c) in enumerate([("S1", "C1"), ("S2", "C2"), ("S3", "C1")])}
    options: dict[str, Any] = {"jurisdictions": ("national", "Beijing", "Huzhou"), "class_sizes": sizes}
    whole = rule_hits(many, RULES, calendar, **options)
    alone = [rule_hits(one, RULES, calendar, **options) for _, one in many.groupby("school_code")]
    order = ["first_date", "school_code", "class_name", "rule_code", "condition"]
    parts = pd.concat(alone).sort_values(order, ignore_index=True)
    # What is usual is counted over the days that are looked at, which differ here.
    pd.testing.assert_frame_equal(whole.drop(columns="expected"), parts.drop(columns="expected"))
    assert len(whole) > 100
    shuffled = rule_hits(many.sample(frac=1, random_state=1), RULES, calendar, **options)
    pd.testing.assert_frame_equal(whole, shuffled)
