"""What the detection is given: school days counted, closed ones left out, conditions by syndrome."""

from __future__ import annotations

from datetime import date

import pandas as pd

from jobs.decide.safety import absence
from jobs.declare import standards
from jobs.settings import ROOT

DAYS = pd.bdate_range("2025-08-18", "2025-09-19")
CALENDAR = pd.DataFrame({"date": pd.date_range(DAYS[0], DAYS[-1])})
CALENDAR["is_open"] = CALENDAR["date"].isin(DAYS)


def reports(*rows: tuple[str, str, str, int]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["school_code", "date", "condition_code", "absent_count"])
    frame["date"] = pd.to_datetime(frame["date"])
    return frame.assign(class_name="一(1)班", case_count=frame["absent_count"], sender_code="110101")


def test_a_day_without_a_report_is_a_day_without_absence_once_a_school_is_there() -> None:
    illness = reports(
        ("old", "2025-08-18", "fever", 2), ("new", "2025-09-10", "rash", 1), ("old", "2025-09-15", "fever", 1)
    )
    series = absence.on_school_days(illness, CALENDAR, date(2025, 9, 19))
    first = series.groupby("unit")["date"].agg(["min", "max"])
    assert first.loc["old"].tolist() == [pd.Timestamp("2025-08-18"), pd.Timestamp("2025-09-15")]
    assert first.loc["new", "min"] == pd.Timestamp("2025-09-01"), "in summer it was not open"
    assert series.groupby("unit")["count"].sum().to_dict() == {"old": 3, "new": 1}


def test_each_absence_stands_in_one_syndrome() -> None:
    illness = reports(
        ("a", "2025-09-01", "varicella", 1),
        ("a", "2025-09-01", "rash", 2),
        ("a", "2025-09-02", "dizziness", 4),
        ("b", "2025-09-03", "vomiting", 3),
    )
    as_of = pd.Timestamp("2025-09-19")
    series = absence.on_school_days(illness, CALENDAR, as_of.date())
    groups = absence.by_syndrome(illness, series, as_of)
    assert set(groups["syndrome_code"]) == set(absence.syndrome_names(as_of))
    assert len(groups) == len(series) * groups["syndrome_code"].nunique()
    some = groups[groups["count"] > 0].set_index(["syndrome_code", "unit"])["count"].to_dict()
    assert some == {("rash", "a"): 3, ("other", "a"): 4, ("gastrointestinal", "b"): 3}
    assert groups["count"].sum() == series["count"].sum()


def test_syndromes_name_known_conditions_once() -> None:
    known = set(pd.read_csv(ROOT / "expectations" / "codes" / "symptom.csv")["code"])
    named = [c for row in standards.frame("safety/syndromes")["conditions"] for c in row.split("|")]
    assert set(named) <= known
    assert len(set(named)) == len(named)
