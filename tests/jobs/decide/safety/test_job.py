"""Safety in the lake: alerts raised once over runs and late files, the Spark job, and no text gets out."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from jobs import declare
from jobs.decide.safety import job as safety
from jobs.decide.safety.choices import Method
from jobs.decide.safety.detect import detect_frame
from jobs.decide.safety.spark import detect
from jobs.lake import tables
from jobs.lake.runs import Run
from jobs.publish import release
from jobs.settings import Settings
from synthetic.city.incidents import kinds

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SCHOOL, YOUNG = "2111010001", "1111010002"


def state(settings: Settings, dataset: str, rows: Sequence[Mapping[str, Any]], day: date) -> None:
    """One delivery of a dataset as clean rows."""
    contract = declare.load()[dataset]
    schema = declare.arrow_schema(contract.clean_columns())
    constant = {
        "valid_from": date(2000, 1, 1),
        "stated_on": day,
        "delivery_no": 1,
        "recorded_at": datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
        "is_withdrawn": False,
        "scope_key": "110101",
        "sender_code": "110101",
        "_file_sha256": hashlib.sha256(f"{dataset}{day}".encode()).hexdigest(),
    }
    full = [
        {name: (constant | {"_line_number": n} | dict(row)).get(name) for name in schema.names}
        for n, row in enumerate(rows)
    ]
    where = tables.path(settings, contract.table)
    write_deltalake(str(where), pa.Table.from_pylist(full, schema=schema), mode="append")


def run_of(day: date, number: int = 1) -> Run:
    known = datetime(day.year, day.month, day.day, 23, tzinfo=UTC)
    return Run(f"{day}.{number}", "beijing", day, known, "test", "0" * 16, 7, "running", None, {})


def fever(day: date, count: int) -> dict[str, Any]:
    return {
        "school_code": SCHOOL,
        "class_name": "一(1)班",
        "reported_date": day,
        "symptom_code": "fever",
        "absent_count": count,
        "new_case_count": count,
        "stated_on": day,
    }


@pytest.fixture
def city(settings: Settings) -> Settings:
    """Two schools, of which one has an overdue hazard and a case of the hotline past its clock."""
    register = [
        {
            "school_code": code,
            "school_name": code,
            "district_code": "110101",
            "school_type_code": code[:2],
            "opened_date": date(2001, 9, 1),
        }
        for code in (SCHOOL, YOUNG)
    ]
    state(settings, "school_register", register, date(2025, 9, 10))
    returns = [
        {"unit_code": code, "school_year_start": 2025, "grade_key": "P1", "pupil_count": 240}
        for code in (SCHOOL, YOUNG)
    ]
    state(settings, "grade_return", returns, date(2025, 9, 25))
    hazard = {
        "school_code": SCHOOL,
        "hazard_code": "YH-20251001-0001",
        "found_date": date(2025, 10, 1),
        "hazard_category_code": "fire",
        "hazard_grade_code": "major",
        "hazard_due_date": date(2025, 10, 31),
        "hazard_status_code": "open",
    }
    state(settings, "hazard_register", [hazard], date(2025, 11, 1))
    case = {
        "hotline_case_code": "G1",
        "accepted_date": date(2025, 11, 3),
        "district_code": "110101",
        "hotline_urgency_code": "general",
        "hotline_topic_code": "other",
    }
    state(settings, "hotline_case", [case], date(2025, 11, 4))
    return settings


def raised(settings: Settings) -> list[tuple[str, str]]:
    rows = {row["alert_id"]: row for row in stated(settings)}
    return sorted((row["rule_code"], row["alert_date"].isoformat()) for row in rows.values())


def stated(settings: Settings) -> list[dict[str, Any]]:
    """All rows of alerts, the newest last."""
    return sorted(tables.rows(settings, "decision_safety__alert"), key=lambda row: row["run_id"])


def test_runs_repeats_and_late_files_raise_each_alert_once(city: Settings, spark: SparkSession) -> None:
    day = date(2025, 11, 11)
    state(city, "illness_report", [fever(day, 3)], day)
    safety.decide(city, lambda: spark, run_of(day))
    first = raised(city)
    assert ("SYN_CLASS_1D", "2025-11-11") in first
    assert ("HAZARD_MAJOR", "2025-11-08") in first, "a week after the deadline the city answers"
    assert ("HOTLINE_GENERAL", "2025-11-11") in first
    assert [rule for rule, _ in first if rule.startswith("CAMPUS")], "nothing is known of guards and drills"

    safety.decide(city, lambda: spark, run_of(day))
    safety.decide(city, lambda: spark, run_of(day, 2))
    assert raised(city) == first, "the same run again, and another run over the same files"

    # A late file moves the first day back and brings the rule of three days: the same outbreak, which grew.
    late = [fever(day - timedelta(days=1), 3), fever(day + timedelta(days=1), 1)]
    state(city, "illness_report", late, day + timedelta(days=2))
    safety.decide(city, lambda: spark, run_of(day + timedelta(days=2)))
    assert set(raised(city)) == set(first)
    outbreak = [row for row in stated(city) if row["rule_code"] == "SYN_CLASS_1D"]
    assert [row["run_id"] for row in outbreak] == ["2025-11-11.1", "2025-11-13.1"]
    assert json.loads(outbreak[1]["evidence"])["rules"] == ["SYN_CLASS_1D", "SYN_CLASS_3D"]
    told = ("alert_id", "raised_date", "due_date", "raised_by_run_id")
    assert len({tuple(row[name] for name in told) for row in outbreak}) == 1

    # The deadline is put off, and passes again; a month later the hazard is the same one.
    moved = {
        "school_code": SCHOOL,
        "hazard_code": "YH-20251001-0001",
        "found_date": date(2025, 10, 1),
        "hazard_category_code": "fire",
        "hazard_grade_code": "major",
        "hazard_due_date": date(2025, 12, 5),
        "hazard_status_code": "in_progress",
    }
    state(city, "hazard_register", [moved], date(2025, 11, 20))
    before = len(raised(city))
    safety.decide(city, lambda: spark, run_of(date(2025, 12, 20)))
    hazards = [rule for rule, _ in raised(city) if rule.startswith("HAZARD")]
    assert hazards == ["HAZARD_MAJOR"]
    assert len(raised(city)) >= before

    alert = next(r for r in tables.rows(city, "decision_safety__alert") if r["rule_code"] == "SYN_CLASS_1D")
    told = {
        name: alert[name]
        for name in ("school_code", "class_name", "condition_code", "level", "owner", "state")
    }
    assert told == {
        "school_code": SCHOOL,
        "class_name": "一(1)班",
        "condition_code": "fever",
        "level": "yellow",
        "owner": "学校",
        "state": "new",
    }
    assert (alert["observed"], alert["upper_bound"], alert["due_date"]) == (3, 3, date(2025, 11, 12))
    assert json.loads(alert["evidence"])["unit"] == "cases"


@pytest.mark.parametrize("method", ["school", "ears_c2"])
def test_the_spark_job_gives_the_answers_of_the_function(spark: SparkSession, method: Method) -> None:
    rng = np.random.default_rng(2)
    days = pd.bdate_range("2025-02-17", periods=90)
    series = pd.DataFrame(
        [(f"s{k:02d}", day, float(rng.poisson(1 + k % 3))) for k in range(24) for day in days],
        columns=["unit", "date", "count"],
    )
    series.loc[5, "count"] = np.nan
    calendar = pd.DataFrame({"date": pd.date_range(days[0], days[-1])})
    calendar["is_open"] = calendar["date"].isin(days)
    there = detect_frame(series, method, calendar=calendar)
    job = detect(spark.createDataFrame(series), method, calendar=calendar).toPandas()
    job = job.sort_values(["unit", "date"], ignore_index=True)
    assert there["alarm"].notna().sum() > 500
    pd.testing.assert_frame_equal(job.astype({"alarm": "Int8"}), there, check_dtype=False)


def test_what_came_back_meets_what_was_raised(lake: Settings) -> None:
    """The city's districts answer alerts by the numbers that the lake gave."""
    alerts = {row["alert_id"] for row in tables.rows(lake, "decision_safety__alert", ["alert_id"])}
    answered = {row["alert_id"] for row in tables.rows(lake, "clean_safety__alert_state", ["alert_id"])}
    # What detection found first, or joined, has a number that the city's districts cannot foretell; others
    # have the one that the rules give.
    assert len(answered & alerts) >= 2


def test_no_alert_of_the_lake_wastes_a_persons_time(lake: Settings) -> None:
    rows = pd.DataFrame(tables.rows(lake, "decision_safety__alert"))
    assert (rows["due_date"] > rows["raised_date"]).all()
    assert (rows["raised_date"] >= rows["alert_date"]).all()
    found = rows[rows["rule_code"].str.startswith("ILLNESS_")]
    assert (found["observed"].astype(float) >= 3).all()
    assert found["p_value"].between(1e-6, 1e-3).all()


def test_indicator_12_as_reported_is_what_the_citys_checks_show(lake: Settings) -> None:
    published = release.current(lake)
    assert published is not None
    asked = (
        "select indicator_value::double, computed_value::double from fct_plan_indicator"
        " where indicator_code = 'safe_campus_rate' and computed_value is not null"
        " and unit_level = 'district' and indicator_value is not null"
    )
    with duckdb.connect(str(published.folder / "city.duckdb"), read_only=True) as connection:
        values = connection.execute(asked).fetchall()
    assert len(values) > 10
    apart = [pair for pair in values if abs(pair[0] - pair[1]) > 0.1]
    assert len(apart) <= 3, "ten days and a refused file lie between them"


def test_hidden_outbreaks_are_alerted_at_their_schools(lake: Settings) -> None:
    truth = pd.read_csv(lake.home / "truth" / "outbreaks.csv", dtype=str)
    for name in ("first_day", "last_day"):
        truth[name] = pd.to_datetime(truth[name])
    alerts = pd.DataFrame(tables.rows(lake, "decision_safety__alert"))
    illness = alerts["rule_code"].str.startswith(("ILLNESS_SCHOOL", "ILLNESS_CLASS", "SYN_", "PHE_ANY"))
    alerts = alerts[illness]
    day = pd.to_datetime(alerts["alert_date"])
    found = [
        bool(((alerts["school_code"] == o.school_code) & (day >= o.first_day) & (day <= o.last_day)).any())
        for o in truth.itertuples()
    ]
    assert np.mean(found) >= 0.5


def test_no_name_of_a_text_leaves_the_restricted_zone(lake: Settings) -> None:
    """Every name that a safety file carries, looked for in each room behind raw."""
    names: set[str] = set()
    happened = [kind.what for kind in kinds()]
    for file in sorted(lake.landing.glob("campus_safety/*/*/校园安全事件_*.ndjson")):
        for line in file.read_text("utf-8").splitlines():
            record = json.loads(line)
            text = record.get("情况说明") or record["description"]
            ends = [text.index(what) for what in happened if what in text]
            if text.startswith(("学生", "幼儿")) and ends:
                names.add(text[2 : min(ends)])
    for file in sorted(lake.landing.glob("campus_safety/*/*/隐患排查治理台账_*.csv")):
        for row in csv.DictReader(file.read_text("gb18030").splitlines()):
            names |= {row["排查人"], row["整改责任人"], row["复查人"]}
    # A name of two characters may be a place's word too.
    names = {name for name in names if len(name) == 3}
    assert len(names) > 40
    pattern = "|".join(sorted(names))
    leaked: dict[str, int] = {}

    def look(connection: duckdb.DuckDBPyConnection, rows: str, where: str) -> None:
        asked = f"select count(*) from {rows} as t where regexp_matches(t::varchar, $names)"
        leaked[where] = connection.execute(asked, {"names": pattern}).fetchall()[0][0]

    for table in declare.all_tables():
        found = tables.open_arrow(lake, table)
        if found is not None and (
            table.startswith("decision_") or "safety" in table or table.startswith("ops_")
        ):
            with duckdb.connect() as connection:
                connection.register("found", found.to_table())
                look(connection, "found", table)
    published = release.current(lake)
    assert published is not None
    for file in sorted(published.folder.glob("*.duckdb")):
        with duckdb.connect(str(file), read_only=True) as connection:
            for (table,) in connection.execute(
                "select table_name from duckdb_tables() where not internal"
            ).fetchall():
                look(connection, f'"{table}"', f"{file.name}/{table}")
    for report in _reports(lake):
        leaked[report.name] = len(re.findall(pattern, report.read_text("utf-8", errors="ignore")))
    with duckdb.connect() as connection:
        look(connection, f"(select '{min(names)}' as a)", "planted")
    assert leaked.pop("planted") == 1, "it would be seen"
    assert len(leaked) > 40
    assert {where: n for where, n in leaked.items() if n} == {}


def _reports(lake: Settings) -> list[Path]:
    """Logs and reports outside the restricted zone."""
    kinds = {".json", ".log", ".csv", ".txt", ".md", ".html"}
    rooms = [lake.logs, lake.run, lake.releases]
    return [file for room in rooms for file in room.rglob("*") if file.suffix in kinds and file.is_file()]
