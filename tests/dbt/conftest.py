"""A small lake to build marts from: rows of a few columns, filled up to the declared schema, as Delta."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from jobs import declare
from jobs import settings as site
from jobs.decide.places import job as service
from jobs.lake import tables
from jobs.lake.runs import Run
from jobs.publish import marts
from jobs.settings import Settings

AS_OF = date(2025, 11, 20)
KNOWN_AT = datetime(2025, 11, 20, 15, 59, 59, tzinfo=UTC)
RUN_ID = "2025-11-20.1"


def typed(value: Any, kind: pa.DataType) -> Any:
    return Decimal(str(value)) if pa.types.is_decimal(kind) and value is not None else value


class Lake:
    """Writes rows to the Delta tables of one site."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def write(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        schema = declare.arrow_schema(declare.table_columns(table))
        full = [{field.name: typed(row.get(field.name), field.type) for field in schema} for row in rows]
        where = str(tables.path(self.settings, table))
        write_deltalake(where, pa.Table.from_pylist(full, schema=schema), mode="append")

    def state(
        self,
        table: str,
        rows: Iterable[Mapping[str, Any]],
        day: str = "2025-09-10",
        sender: str = "110101",
        no: int = 1,
    ) -> None:
        """One delivery: its statements, valid for ever unless a row says otherwise."""
        file = hashlib.sha256(f"{table}{day}{sender}{no}".encode()).hexdigest()
        received = date.fromisoformat(day)
        constant: dict[str, Any] = {
            "valid_from": date(2000, 1, 1),
            "stated_on": received,
            "delivery_no": no,
            "recorded_at": datetime(received.year, received.month, received.day, tzinfo=UTC),
            "is_withdrawn": False,
            "scope_key": sender,
            "sender_code": sender,
            "_delivery_id": f"{sender}/{day}_{no}",
            "_file_sha256": file,
        }
        self.write(table, [constant | {"_line_number": line} | dict(row) for line, row in enumerate(rows, 2)])

    def decide(self, table: str, rows: Iterable[Mapping[str, Any]], run_id: str = RUN_ID) -> None:
        """One vintage of decisions, made by `run_id`."""
        day = date.fromisoformat(run_id.split(".")[0])
        recorded = datetime(day.year, day.month, day.day, 15, 59, 59, tzinfo=UTC)
        self.write(table, [{"run_id": run_id, "recorded_at": recorded} | dict(row) for row in rows])

    def run(self) -> Run:
        return Run(RUN_ID, self.settings.site, AS_OF, KNOWN_AT, "test", "0" * 16, 7, "running", None, {})

    def build(self, **options: Any) -> marts.BuildResult:
        return marts.build(self.settings, self.run(), tables.pin(self.settings), **options)


@pytest.fixture(scope="session")
def make_lake(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Lake]:
    """`make_lake("nyc")`: an empty lake of that site."""
    return lambda name: Lake(site.load(name, home=tmp_path_factory.mktemp(f"lake_{name}")).prepare())


@pytest.fixture(scope="session")
def city(make_lake: Callable[[str], Lake]) -> marts.BuildResult:
    """Two districts of Beijing with a little of everything, built with dbt's unit tests."""
    lake = make_lake("beijing")
    _enrollment(lake)
    _fitness(lake)
    _places(lake)
    _safety(lake)
    _others(lake)
    return lake.build(with_unit_tests=True)


@pytest.fixture
def rows(city: marts.BuildResult) -> Callable[[str], list[tuple[Any, ...]]]:
    """Rows of a query over the built marts of `city`."""
    return lambda query: ask(city.file, query)


def ask(file: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(query).fetchall()


PRIMARY, COMPLETE, FAR = "2111000001", "3411000002", "2111000003"
GRADES_OF = {PRIMARY: ("P1", "P6"), COMPLETE: ("J1", "S1"), FAR: ("P1",)}
STAGE_OF = {"P": "primary", "J": "junior", "S": "senior"}
DISTRICT_OF = {PRIMARY: "110101", COMPLETE: "110101", FAR: "110119"}


def _enrollment(lake: Lake) -> None:
    names = {PRIMARY: "东一小学", COMPLETE: "东二中学", FAR: "山里小学"}
    places = {PRIMARY: 240, COMPLETE: 301, FAR: 40}
    for district in ("110101", "110119"):
        own = [code for code in names if DISTRICT_OF[code] == district]
        register = [
            {
                "school_code": code,
                "school_name": names[code],
                "district_code": district,
                "school_type_code": code[:2],
                "ownership_code": "public",
                "place_count": places[code],
                "class_count": 6,
                "opened_date": date(2001, 9, 1),
            }
            for code in own
        ]
        lake.state("clean_enrollment__school", register, "2025-09-10", district)
        for year in (2024, 2025):
            returns = [
                {
                    "unit_code": code,
                    "parent_unit_code": district,
                    "school_year_start": year,
                    "grade_key": grade,
                    "pupil_count": 8 if code == FAR else 100 + 10 * at + (year - 2024),
                    "scope_key": f"{district}|{year}",
                }
                for code in own
                for at, grade in enumerate(GRADES_OF[code])
            ]
            lake.state("clean_enrollment__grade_count", returns, f"{year}-09-25", district)
        roll = [
            {
                "pupil_key": f"{code}-{n:02d}",
                "school_code": code,
                "school_year_start": 2025,
                "term": 1,
                "sex_code": str(1 + n % 2),
                "grade_key": GRADES_OF[code][0],
                "class_name": "一班",
                "pupil_status_code": "2" if n == 19 else "1",
                "scope_key": f"{district}|2025|1",
            }
            for code in own
            for n in range(20)
        ]
        lake.state("clean_enrollment__pupil_roll", roll, "2025-09-20", district)


def _fitness(lake: Lake) -> None:
    """Twenty at the primary school (twelve good, one incomplete), five at the far one, none elsewhere."""
    results = []
    for n in range(20):
        total = None if n == 0 else 95 if n <= 4 else 85 if n <= 12 else 70 if n <= 18 else 40
        level = (
            None if n == 0 else "优秀" if n <= 4 else "良好" if n <= 12 else "及格" if n <= 18 else "不及格"
        )
        results.append((PRIMARY, f"{PRIMARY}-{n:02d}", total, level))
    results += [(FAR, f"{FAR}-{n:02d}", 82, "良好") for n in range(5)]
    scores = [
        {
            "pupil_key": pupil,
            "school_code": school,
            "school_year_start": 2025,
            "sex_code": "1",
            "grade_key": "P1",
            "fitness_grade_code": 11,
            "class_code": "1",
            "test_date": date(2025, 10, 8),
            "age_months": 80,
            "vital_capacity_ml": 1100,
            "run_50m_s": "11.00",
            "points_bmi": 100,
            "points_vital_capacity": 80,
            "points_run_50m": 70,
            "points_sit_and_reach": 60,
            "points_rope_skip_1min": None if total is None else 90,
            "total_score": total,
            "standard_score": total,
            "bonus_total": None if total is None else 0,
            "level": level,
            "status": "incomplete" if total is None else "scored",
            "standard_version": "2014",
        }
        for school, pupil, total, level in results
    ]
    seen = [
        {**row, "naked_vision_left": "4.7" if n % 4 == 0 else "5.0", "naked_vision_right": "5.1"}
        for n, row in enumerate(scores)
    ]
    lake.state("decision_fitness__score", scores, "2025-10-30", PRIMARY)
    lake.state("clean_fitness__test_result", seen, "2025-10-30", PRIMARY)
    year_before = [
        {**row, "school_year_start": 2024, "total_score": total, "level": "及格"}
        for row, total in zip(scores[1:4], (75, 76, 77), strict=True)
    ]
    lake.state("decision_fitness__score", year_before, "2024-10-30", PRIMARY)
    lake.state("clean_fitness__test_result", year_before, "2024-10-30", PRIMARY)
    rechecked = [{**row, "total_score": 78, "level": "及格"} for row in scores[1:11]]
    lake.state("decision_fitness__recheck_score", rechecked, "2025-11-16", "110000")
    lake.state("clean_fitness__recheck_sample", rechecked, "2025-11-16", "110000")
    # At L = 1 the curve is the normal distribution: mean 1000, standard deviation 100.
    curve: dict[str, Any] = {"item_code": "vital_capacity", "sex_code": "1", "pupil_count": 400, "l": 1.0}
    curve |= {"m": 1000.0, "s": 0.1, "value_offset": 0.0, "method": "lms"}
    curve |= {f"p{percent}": 1000.0 + percent for percent in (3, 10, 25, 50, 75, 90, 97)}
    timed = {**curve, "item_code": "run_50m", "m": 10.0}
    lake.decide("decision_fitness__percentile", [{**row, "age_months": 80} for row in (curve, timed)])
    unit = {"school_year_start": 2025, "school_code": PRIMARY, "method": "test", "class_count": 1}
    odd: dict[str, Any] = {**unit, "pupil_count": 20, "p_value": 1e-9, "q_value": "0.00000001"}
    odd |= {"suspicion_score": "9", "is_flagged": True, "flagged_class_count": 1}
    units = [
        {**odd, "review_level": "class", "class_code": "1", "fitness_grade_code": 11, "main_test_code": "b"},
        {**odd, "review_level": "school"},
        {**unit, "review_level": "class", "class_code": "2", "is_flagged": False, "flagged_class_count": 0},
    ]
    lake.decide("decision_fitness__review", [{**units[0], "class_code": "9"}], "2025-11-10.1")
    lake.decide("decision_fitness__review", units)
    found = [
        {**unit, "class_code": "1", "test_code": code, "test_zh": zh, "p_value": p, "evidence": evidence}
        for code, zh, p, evidence in (
            ("a", "甲", 1e-4, "一"),
            ("b", "乙", 1e-9, "二"),
            ("c", "丙", 1e-4, "三"),
            ("d", "丁", 1e-3, "四"),
        )
    ]
    lake.decide("decision_fitness__review_evidence", [found[0] | {"likely_repair": "改"}, *found[1:]])


def _places(lake: Lake) -> None:
    births = [{"unit_code": "110101", "birth_year": year, "birth_count": 100} for year in (2023, 2024)]
    lake.state("clean_places__birth", births, "2025-03-31", "110000")
    projects = [
        ("XM1", "primary", 50, date(2027, 9, 1), "planned"),
        ("XM2", "primary", 30, date(2025, 9, 1), "building"),
        ("XM3", "primary", 99, date(2023, 9, 1), "opened"),
        ("XM4", "junior", 20, date(2026, 10, 15), "planned"),
        ("XM5", "primary", 77, date(2026, 9, 1), "cancelled"),
    ]
    stated = [
        {
            "project_code": code,
            "project_name": f"{code} 项目",
            "district_code": "110101",
            "stage_code": stage,
            "place_count": places,
            "planned_opening_date": opening,
            "project_status_code": status,
        }
        for code, stage, places, opening, status in projects
    ]
    lake.state("clean_places__capacity_project", stated, "2025-10-10", "110000")
    earlier, now = _vintage(999), _vintage(0)
    lake.decide("decision_places__forecast", earlier, "2025-11-01.1")
    # Nine is not newer than ten.
    lake.decide("decision_places__forecast", earlier, "2025-11-20.9")
    lake.decide("decision_places__forecast", now, "2025-11-20.10")
    _decided(lake, now, stated, births)
    errors = [
        {
            "level": "school",
            "lead": lead,
            "origin_count": 4,
            "unit_count": 30,
            "mape_percent": "2.5",
            "coverage_80_share": "0.8",
            "coverage_90_share": "0.9",
            "method": "grade_progression",
        }
        for lead in (1, 2)
    ]
    lake.decide("decision_places__forecast_error", errors)
    # Notes of an older run, and of the run whose forecast is the newest.
    for run_id, registered in (("2025-11-01.1", 70), ("2025-11-20.10", 90)):
        lake.decide("decision_places__registration", [_note(registered)], run_id)


def _note(registered: int) -> dict[str, Any]:
    return {
        "level": "city",
        "unit_code": "total",
        "district_code": None,
        "stage_code": "primary",
        "school_year_start": 2026,
        "through_date": date(2026, 5, 20),
        "registered_count": registered,
        "earlier_spring_count": 1,
        "usual_share": "0.9",
        "implied_count": "100",
        "model_count": "110",
        "model_error_share": "0.05",
        "implied_error_share": "0.05",
        "registration_weight": "0.5",
        "registration_count": "-5",
        "remark": "combined",
    }


def _decided(
    lake: Lake, forecast: list[dict[str, Any]], projects: list[dict[str, Any]], births: list[dict[str, Any]]
) -> None:
    """What the service decides of that forecast, by its own functions."""
    places = {PRIMARY: 240, COMPLETE: 301, FAR: 40}
    register = pd.DataFrame(
        [
            {
                "school_code": code,
                "area_name": None,
                "place_count": count,
                "class_count": 6,
                "closed_date": None,
            }
            for code, count in places.items()
        ]
    )
    ladder = {row["code"]: int(row["ladder_year"]) for row in declare.code_list("grade").rows}
    counts = pd.DataFrame(
        [
            (code, DISTRICT_OF[code], year, ladder[grade], 8 if code == FAR else 100 + 10 * at + year - 2024)
            for code, grades in GRADES_OF.items()
            for year in (2024, 2025)
            for at, grade in enumerate(grades)
        ],
        columns=["unit", "parent_unit", "year", "grade", "enrollment"],
    )
    days = pd.DataFrame(projects).assign(expected_opening_date=None, actual_opening_date=None, area_name=None)
    units = service.units_of(counts, register)
    rows = pd.DataFrame(forecast)
    supply = service.place_rows(counts, register, AS_OF)
    born = pd.DataFrame(births)[["unit_code", "birth_year", "birth_count"]]
    parts = service.part_rows(lake.settings, rows.assign(registration=0, events=0), counts, born, units)
    gaps = service.gap_rows(rows, supply, days, units, AS_OF)
    for name, made in (("supply", supply), ("part", parts), ("gap", gaps)):
        told = service.exact(f"decision_places__{name}", made).astype(object)
        clean = told.where(told.notna(), None).to_dict("records")
        lake.decide(f"decision_places__{name}", clean, "2025-11-20.10")


def _vintage(added: int) -> list[dict[str, Any]]:
    units: list[tuple[str, str, str, tuple[str, ...]]] = [
        ("school", code, DISTRICT_OF[code], GRADES_OF[code]) for code in GRADES_OF
    ]
    units += [
        ("district", "110101", "total", ("P1", "P6", "J1", "S1")),
        ("district", "110119", "total", ("P1",)),
        ("city", "total", "", ("P1", "P6", "J1", "S1")),
    ]
    found = []
    for level, unit, parent, grades in units:
        for lead in (1, 2):
            parts = {grade: 110 + ("P1", "P6", "J1", "S1").index(grade) + lead + added for grade in grades}
            if level == "city":
                parts["P1"] += 110 + lead + added  # of the far district
            stages = {
                stage: sum(count for grade, count in parts.items() if STAGE_OF[grade[0]] == stage)
                for stage in dict.fromkeys(STAGE_OF[grade[0]] for grade in grades)
            }
            for grade, count in (*parts.items(), *stages.items(), ("all", sum(parts.values()))):
                found.append(
                    {
                        "origin": 2025,
                        "level": level,
                        "unit_code": unit,
                        "parent_unit_code": parent,
                        "grade_key": grade,
                        "school_year_start": 2025 + lead,
                        "lead": lead,
                        "forecast": count,
                        "lower_80": count - 5,
                        "upper_80": count + 5,
                        "lower_90": count - 8,
                        "upper_90": count + 8,
                        "method": "grade_progression",
                    }
                )
    return found


def _safety(lake: Lake) -> None:
    def report(code: str, action: str, day: date, **other: Any) -> dict[str, Any]:
        return {
            "incident_code": code,
            "incident_action_code": action,
            "school_code": PRIMARY,
            "occurred_date": date(2025, 10, 3),
            "reported_date": day,
            "stated_on": day,
            "incident_type_code": "sports_injury",
            "incident_level_code": "4",
            "injured_count": 1,
        } | other

    lake.state(
        "clean_safety__incident",
        [
            report("A1", "open", date(2025, 10, 3)),
            report("A1", "update", date(2025, 10, 5), injured_count=2),
            report("A1", "close", date(2025, 10, 9), injured_count=2),
            report("A2", "open", date(2025, 11, 4), occurred_date=date(2025, 11, 4), incident_type_code=None),
        ],
        "2025-11-18",
    )
    illness = {
        "school_code": PRIMARY,
        "class_name": "一班",
        "grade_key": "P1",
        "reported_date": date(2025, 11, 17),
        "symptom_code": "fever",
        "absent_count": 6,
    }
    lake.state("clean_safety__illness_report", [illness], "2025-11-18")

    def alert(day: date, state: str = "new") -> dict[str, Any]:
        return {
            "alert_id": f"illness:{PRIMARY}:{day}",
            "rule_code": "illness_ears_c2",
            "rule_zh": "因病缺勤人数异常",
            "alert_unit_level": "school",
            "alert_unit_code": PRIMARY,
            "school_code": PRIMARY,
            "class_name": "",
            "condition_code": "",
            "alert_date": day,
            "last_date": day,
            "window_start_date": day,
            "observed": 6,
            "expected": "1.25",
            "upper_bound": "4.00",
            "p_value": 0.0005,
            "level": "yellow",
            "owner": "学校",
            "due_date": date(day.year, day.month, day.day + 1),
            "state": state,
            "evidence": "缺勤 6 人",
        }

    lake.decide(
        "decision_safety__alert", [alert(date(2025, 10, 20)), alert(date(2025, 11, 17))], "2025-11-18.1"
    )
    lake.decide("decision_safety__alert", [alert(date(2025, 11, 17), "seen"), alert(date(2025, 11, 20))])
    daily = {
        "school_code": PRIMARY,
        "report_date": date(2025, 11, 17),
        "absent_count": 6,
        "expected": "1.25",
        "upper_bound": "4",
        "p_value": 0.0005,
        "is_alarm": True,
        "method": "ears_c2",
    }
    lake.decide("decision_safety__daily", [daily])
    _answers(lake)
    _hazards(lake, alert(date(2025, 11, 6)))
    _campus(lake)
    _hotline(lake)


def _answers(lake: Lake) -> None:
    """The alert of 20 October was handled, opened again and handled; that of 17 November seen and handled on
    a day."""
    first, second = (f"illness:{PRIMARY}:{day}" for day in (date(2025, 10, 20), date(2025, 11, 17)))
    steps = [
        (first, "handled", date(2025, 10, 21)),
        (first, "seen", date(2025, 10, 23)),
        (first, "handled", date(2025, 10, 26)),
        (first, "false", date(2025, 10, 28)),
        (second, "handled", date(2025, 11, 18)),
        (second, "seen", date(2025, 11, 18)),
    ]
    columns = ("alert_id", "alert_state_code", "stated_date")
    lake.state("clean_safety__alert_state", [dict(zip(columns, s, strict=True)) for s in steps], "2025-11-19")


def _hazards(lake: Lake, alert: dict[str, Any]) -> None:
    """One overdue, one mended after its alert, one mended in time."""

    def hazard(number: int, **other: Any) -> dict[str, Any]:
        return {
            "school_code": PRIMARY,
            "hazard_code": f"YH-20251001-000{number}",
            "found_date": date(2025, 10, 1),
            "hazard_category_code": "fire",
            "hazard_grade_code": "general",
            "hazard_due_date": date(2025, 11, 5),
            "hazard_status_code": "in_progress",
        } | other

    closed = {"hazard_status_code": "closed", "hazard_done_date": date(2025, 11, 10)}
    rows = [hazard(1), hazard(2, **closed), hazard(3, **closed | {"hazard_done_date": date(2025, 10, 9)})]
    lake.state("clean_safety__hazard", rows, "2025-11-18")
    watched = {"days_after_due": 15, "escalation_level": "orange", "escalation_owner": "区教委"}
    own = {"school_code": PRIMARY, "hazard_code": "YH-20251001-0001"}
    lake.decide("decision_safety__hazard", [own | watched])
    raised = [
        alert
        | {
            "alert_id": f"hazard:{number}",
            "rule_code": "HAZARD_GENERAL",
            "condition_code": f"YH-20251001-000{number}",
            "p_value": None,
            "due_date": date(2025, 11, 5),
        }
        for number in (1, 2)
    ]
    lake.decide("decision_safety__alert", raised, "2025-11-18.2")


def _campus(lake: Lake) -> None:
    def criterion(school: str, code: str, met: bool | None, **other: Any) -> dict[str, Any]:
        return {
            "school_code": school,
            "criterion_code": code,
            "criterion_zh": code,
            "criterion_value": "100" if met else "50",
            "criterion_threshold": "100",
            "criterion_operator": "ge",
            "criterion_unit": "percent",
            "is_required": True,
            "is_criterion_met": met,
            "criterion_source": "规定",
        } | other

    untold = {"criterion_value": None, "criterion_missing_reason": "no_check_within_look_back"}
    rows = [
        criterion(PRIMARY, "guard_count", True),
        criterion(
            PRIMARY, "drill_month", None, criterion_value=None, criterion_missing_reason="nothing_due_yet"
        ),
        criterion(PRIMARY, "drill_seconds", False, is_required=False),
        criterion(FAR, "guard_count", True),
        criterion(FAR, "patrols", False, **untold),
        criterion(FAR, "video_cover", False),
    ]
    lake.decide("decision_safety__criterion", rows)
    lake.state("clean_safety__drill", [{"school_code": FAR, "drill_date": date(2025, 10, 9)}], "2025-11-01")
    lake.state("clean_safety__guard_check", [{"school_code": FAR, "guard_count": 2}], "2025-11-01")
    risk = {
        "risk_incident_count": 2,
        "pupil_years": "210",
        "raw_incident_rate": "9.5",
        "incident_rate": "4.2",
        "incident_rate_lower": "1.9",
        "incident_rate_upper": "7.1",
        "shrinkage_share": "0.7",
        "open_hazard_count": 1,
        "overdue_hazard_count": 1,
        "expected_incidents": "0.4",
    }
    lake.decide("decision_safety__risk", [risk | {"school_code": code} for code in (PRIMARY, FAR)])
    visits = [(1, PRIMARY, 1, "0.4", "0.1", "0.1"), (2, FAR, 1, "0.4", "0.1", "0.2")]
    columns = (
        "visit_rank",
        "school_code",
        "visit_number",
        "risk_before",
        "risk_lowered",
        "risk_lowered_total",
    )
    lake.decide("decision_safety__inspection", [dict(zip(columns, v, strict=True)) for v in visits])


def _hotline(lake: Lake) -> None:
    cases = [
        {
            "hotline_case_code": f"G{number}",
            "accepted_date": date(2025, 11, 3),
            "district_code": "110101",
            "hotline_urgency_code": "general",
            "hotline_topic_code": "other",
        }
        for number in (1, 2, 3, 4)
    ]
    lake.state("clean_evaluation__hotline_case", cases, "2025-11-19")
    judged = [("G1", True, True), ("G2", False, True), ("G3", False, False)]
    lake.decide(
        "decision_safety__hotline",
        [
            {
                "hotline_case_code": code,
                "hours_allowed": "168",
                "case_due_date": date(2025, 11, 10),
                "is_case_open": is_open,
                "is_case_late": is_late,
            }
            for code, is_open, is_late in judged
        ],
    )


def _others(lake: Lake) -> None:
    def judged(
        level: str, unit: str, code: str, year: int, value: str | None, met: bool | None
    ) -> dict[str, Any]:
        return {
            "level": level,
            "unit_code": unit,
            "indicator_code": code,
            "indicator_year": year,
            "indicator_value": value,
            "target_value": "85",
            "target_operator": "gt",
            "is_met": met,
            "source": "reported",
            "missing_reason": None if value else "district_without_numerator",
        }

    lake.decide(
        "decision_evaluation__indicator",
        [
            judged("district", "110101", "smart_campus_coverage", 2025, "88", True),
            judged("city", "city", "smart_campus_coverage", 2024, "80", False),
            judged("city", "city", "smart_campus_coverage", 2025, "87.5", True),
            judged("city", "city", "green_school_rate", 2024, "90", True),
            judged("city", "city", "green_school_rate", 2025, "84", False),
            judged("city", "city", "safe_campus_rate", 2025, None, None),
            judged("district", "110101", "safe_campus_rate", 2024, "90", True),
            judged("district", "110101", "safe_campus_rate", 2025, "99.96", True),
            judged("district", "110119", "safe_campus_rate", 2025, "100", True),
        ],
    )
    value = {
        "district_code": "110101",
        "indicator_code": "smart_campus_coverage",
        "indicator_year": 2025,
        "indicator_value": "88",
    }
    lake.state("clean_evaluation__indicator_value", [value], "2025-11-10")
    groups = [
        {
            "school_group_code": "110101G01",
            "school_group_name": "东城一集团",
            "school_code": code,
            "group_role_code": role,
        }
        for code, role in ((PRIMARY, "lead"), (COMPLETE, "member"))
    ]
    lake.state("clean_resources__school_group", groups, "2025-09-15")

    def receipt(
        number: int, feed: str, dataset: str | None, sender: str, outcome: str, lines: int, refused: int
    ) -> dict[str, Any]:
        return {
            "receipt_id": f"{number:016x}",
            "feed": feed,
            "dataset": dataset,
            "sender_code": sender,
            "received_date": date(2025, 9, 10),
            "outcome": outcome,
            "line_count": lines,
            "accepted_count": lines - refused,
            "flagged_count": 1,
            "refused_count": refused,
            "recorded_at": datetime(2025, 9, 10, tzinfo=UTC),
        }

    lake.write(
        "ops__receipt",
        [
            receipt(1, "enrollment", "school_register", "110101", "accepted", 40, 1),
            receipt(2, "enrollment", "school_register", "110101", "held", 10, 9),
            receipt(3, "physical_fitness", "test_result", PRIMARY, "accepted", 20, 0),
            receipt(4, "place_demand", None, "110000", "refused", 0, 0),
        ],
    )
