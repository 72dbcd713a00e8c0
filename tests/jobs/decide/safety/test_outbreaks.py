"""One outbreak is one alert that grows, raised on evidence, due after it is raised."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from jobs.decide.safety import outbreaks
from jobs.decide.safety.alerts import ALERT_COLUMNS, LEVELS, NEW, OVER
from jobs.decide.safety.rules import event_hits, load_rules, rule_hits
from jobs.declare import standards

RULES = load_rules()
AS_OF = pd.Timestamp("2026-10-16")


def reports(*rows: tuple[str, str, int], code: str = "fever") -> pd.DataFrame:
    columns = ["school_code", "class_name", "date", "condition_code", "case_count"]
    return pd.DataFrame([("S1", name, day, code, n) for day, name, n in rows], columns=columns)


def by_rule(*rows: tuple[str, str, int], code: str = "fever") -> pd.DataFrame:
    return outbreaks.of_rules(rule_hits(reports(*rows, code=code), RULES))


def days(*rows: tuple[str, float, float], unit: str = "S1", **cells: Any) -> pd.DataFrame:
    """Answers of the detection: day, count, p."""
    found = pd.DataFrame(rows, columns=["date", "count", "p_value"])
    return found.assign(unit=unit, date=pd.to_datetime(found["date"]), expected=0.4, upper_bound=2.0, **cells)


def detected(*rows: tuple[str, float, float], level: str = "school", syndrome: str = "fever", **cells: Any):
    own = days(*rows, **cells)
    return outbreaks.of_detection(own, "ILLNESS", "异常", unit_level=level, syndrome_code=syndrome)


def alerts_of(*findings: pd.DataFrame, as_of: pd.Timestamp = AS_OF) -> pd.DataFrame:
    return outbreaks.outbreaks(outbreaks.together(findings), as_of)


def facts(alert: Any) -> dict[str, Any]:
    return dict(json.loads(alert["evidence"]))


def test_an_alert_is_a_whole_record() -> None:
    alert = alerts_of(by_rule(("2026-10-12", "C1", 3))).iloc[0]
    assert list(alert.index) == ALERT_COLUMNS
    told = ["rule_code", "school_code", "class_name", "condition_code", "level", "owner", "state"]
    assert list(alert[told]) == ["SYN_CLASS_1D", "S1", "C1", "fever", "yellow", "学校", "new"]
    assert (alert["observed"], alert["upper_bound"]) == (3, 3)
    assert "学校和托幼机构传染病疫情报告工作规范" in facts(alert)["source"]


def test_rules_classes_and_detection_of_one_rise_are_one_alert() -> None:
    alert = alerts_of(
        by_rule(("2026-10-12", "C1", 3), ("2026-10-13", "C1", 3), ("2026-10-14", "C2", 4)),
        detected(("2026-10-12", 5, 1e-7), ("2026-10-15", 6, 1e-5)),
    )
    assert len(alert) == 1
    one = alert.iloc[0]
    assert facts(one)["rules"] == ["ILLNESS", "SYN_CLASS_1D", "SYN_CLASS_3D"]
    assert facts(one)["classes"] == ["C1", "C2"]
    assert (one["alert_date"], one["last_date"]) == (pd.Timestamp("2026-10-12"), pd.Timestamp("2026-10-15"))


def test_another_school_syndrome_or_time_is_another_outbreak() -> None:
    first = by_rule(("2026-09-01", "C1", 3))
    assert len(alerts_of(first, by_rule(("2026-09-08", "C1", 3)))) == 1, "a week without a sign is not over"
    assert len(alerts_of(first, by_rule(("2026-09-09", "C1", 3)))) == 2
    assert len(alerts_of(first, by_rule(("2026-09-01", "C1", 3), code="rash"))) == 2
    assert len(alerts_of(first, first.assign(unit_code="S2"))) == 2
    assert len(alerts_of(by_rule(("2026-09-01", "C1", 3), ("2026-09-20", "C1", 3), code="rash"))) == 1, (
        "chickenpox comes again after two weeks"
    )


@pytest.mark.parametrize("level", ["class", "school", "area", "district"])
def test_no_alert_from_one_child_however_unlikely(level: str) -> None:
    day = ("2026-10-14", 1.0, 0.0)
    assert detected(day, level=level, syndrome="eye").empty
    least = min(
        int(row["cases_from"])
        for row in standards.rows("safety/illness_alerts")
        if row["unit_level"] == level
    )
    assert least >= 3, "the least that the reporting rule asks for"
    enough = detected(("2026-10-14", float(least), 0.0), level=level, syndrome="eye")
    assert list(enough["p_value"]) == [outbreaks.LEAST_P_VALUE], "a chance is never nothing"


def test_a_level_follows_evidence_and_kind() -> None:
    def level(count: float, chance: float, syndrome: str) -> list[str]:
        return list(detected(("2026-10-14", count, chance), level="class", syndrome=syndrome)["level"])

    assert level(3, 1e-9, "fever") == ["yellow"], "few cases are not urgent because they are unlikely"
    assert level(5, 1e-9, "fever") == ["yellow"]
    assert level(5, 1e-9, "gastrointestinal") == ["orange"], "food"
    assert level(5, 2e-4, "gastrointestinal") == ["yellow"]
    assert level(12, 1e-9, "fever") == ["orange"]
    assert level(12, 1e-2, "fever") == []
    urgent = alerts_of(by_rule(("2026-10-14", "C1", 10), code="varicella")).iloc[0]
    assert (urgent["level"], urgent["owner"]) == ("red", "区教委"), "the statute's own level"


def test_levels_of_the_data_are_levels() -> None:
    assert {row["alert_level"] for row in standards.rows("safety/illness_alerts")} <= set(LEVELS)


def test_an_answer_is_due_after_the_alert_is_raised() -> None:
    late = alerts_of(by_rule(("2026-10-12", "C1", 3)))
    assert list(late["raised_date"]) == [AS_OF]
    assert list(late["due_date"]) == [AS_OF + pd.Timedelta(days=1)]
    assert list(late["state"]) == [NEW]
    told_in_spring = alerts_of(by_rule(("2026-10-12", "C1", 3)), as_of=pd.Timestamp("2027-03-01"))
    assert list(told_in_spring["state"]) == [OVER], "nobody can act on an outbreak of last autumn"


def test_the_day_with_most_cases_speaks_and_a_class_before_its_school() -> None:
    school = detected(("2026-10-14", 9, 1e-6), ("2026-10-15", 4, 1e-9))
    assert alerts_of(school).iloc[0]["observed"] == 9
    klass = detected(("2026-10-14", 5, 1e-5), level="class", class_name="C2")
    one = alerts_of(school, klass).iloc[0]
    assert (one["class_name"], one["observed"], one["p_value"]) == ("C2", 5, outbreaks.LEAST_P_VALUE)


def incident(number: str, kind: str, day: str, deaths: int = 0) -> pd.DataFrame:
    row = {"school_code": "S1", "incident_code": number, "incident_type_code": kind, "date": day}
    return pd.DataFrame([row | {"death_count": deaths}])


def test_what_the_school_reports_of_its_outbreak_is_no_second_alert() -> None:
    told = pd.concat(
        [
            incident("E1", "infectious_cluster", "2026-10-13"),
            incident("E2", "infectious_cluster", "2026-03-02"),
            incident("E3", "food_borne", "2026-10-13"),
        ],
        ignore_index=True,
    )
    found = outbreaks.of_incidents(event_hits(told, RULES), told)
    alerts = alerts_of(by_rule(("2026-10-12", "C1", 3)), found)
    assert [(a["condition_code"], facts(a)["incidents"]) for _, a in alerts.iterrows()] == [
        ("E2", ["E2"]),
        ("fever", ["E1"]),
        ("E3", ["E3"]),
    ]
    assert alerts["level"].tolist() == ["orange"] * 3, "what a school reports as an event is urgent"


def test_an_event_with_a_death_is_one_alert_of_the_highest_level() -> None:
    told = incident("E1", "infectious_cluster", "2026-10-13", deaths=1)
    alerts = alerts_of(outbreaks.of_incidents(event_hits(told, RULES), told))
    assert alerts[["level", "owner"]].values.tolist() == [["red", "区教委"]]
    assert facts(alerts.iloc[0])["rules"] == ["PHE_ANY", "PHE_DEATH"]


def test_an_area_is_alerted_only_for_what_its_schools_do_not_show() -> None:
    own = detected(("2026-10-12", 40, 1e-8), ("2026-10-30", 40, 1e-8), level="area", unit="A")
    school = alerts_of(detected(("2026-10-12", 30, 1e-8)), as_of=pd.Timestamp("2026-10-30"))
    left = outbreaks.unexplained(own, school, {"S1": "A"})
    assert list(left["first_date"]) == [pd.Timestamp("2026-10-30")]
    assert len(outbreaks.unexplained(own, school, {"S1": "B"})) == 2
    small = alerts_of(detected(("2026-10-12", 3, 1e-8)))
    assert len(outbreaks.unexplained(own, small, {"S1": "A"})) == 2, "three cases are not forty"
