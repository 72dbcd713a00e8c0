"""The checklist measures the build that it is given, and dated limits judge what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from jobs import settings as site
from jobs.declare import standards
from jobs.lake import tables
from jobs.publish import checklist
from jobs.publish.checklist import AMBER, GREEN, RED, Item
from jobs.publish.contract import MAJOR, Change
from jobs.publish.protect.rules import read_rule
from jobs.settings import Settings

RULE = read_rule("pub_pupils", {"key": ["district_code"], "counts": {"pupil_count": {"reason": "why"}}})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return site.load("beijing", tmp_path / "home")


@pytest.fixture
def build(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    file = tmp_path / "build.duckdb"
    with duckdb.connect(str(file)) as con:
        con.execute("""
            create table fct_control_total as
                select unnest(['agrees', 'warns', 'warns', 'stops']) as control_verdict;
            create table fct_reporting_calendar as select * from (values
                ('110101', 'a', 12, true), ('110101', 'b', 3, true), ('110108', 'a', 5, false),
                ('110109', 'a', 40, true)) v(sender_code, dataset, days_late, is_late_now);
            create table fct_case as select i < 6 as has_unmapped_code from range(20) t(i);
            create table fct_rate as select i as n, (i < 3)::int as unmapped_count from range(20) t(i);
        """)
    with duckdb.connect() as con:
        con.execute(f"attach '{file}' as build (read_only)")
        con.execute("create schema memory.protected")
        con.execute("create table memory.protected.pub_pupils as select unnest([40, 7, null]) as pupil_count")
        yield con


def measured(settings: Settings, build: duckdb.DuckDBPyConnection, **changed: Any) -> dict[str, Item]:
    columns = [{"name": "n"}, {"name": "unmapped_count"}]
    about = {
        "run_id": "2026-09-10.1",
        "as_of_date": "2026-09-10",
        "tables": {"fct_rate": {"rows": 20, "columns": columns}, "dim_a": {"rows": 130, "columns": []}},
        "changes": [],
        **changed,
    }
    before = {"tables": {"fct_rate": {"rows": 90}, "dim_a": {"rows": 200}}}
    found = checklist.measure(settings, build, about, before, [RULE], {"groups_out_of_time": 2})
    return {item.check: item for item in found}


def test_every_check_of_the_day_is_measured(settings: Settings, build: duckdb.DuckDBPyConnection) -> None:
    checks = [("dim_a", "unique", False, True), ("dim_a", "sane", False, False), ("dim_a", "x", True, True)]
    names = ("table_name", "check_name", "is_success", "is_stop")
    rows = [dict(zip(names, row, strict=True)) | {"run_id": "2026-09-10.1"} for row in checks]
    tables.append_rows(settings, "ops__check", [*rows, rows[0] | {"run_id": "2026-09-09.1"}], "t", "t")
    found = measured(settings, build)
    assert set(found) == {row["check"] for row in standards.rows("publish/checklist", date(2026, 9, 10))}
    told = {check: (item.state, item.measured) for check, item in found.items()}
    assert told == {
        "tests_stopping": (RED, 1),
        "tests_warning": (AMBER, 1),
        "control_stops": (RED, 1),
        "control_warns": (AMBER, 2),
        "small_counts_shown": (RED, 1),
        "groups_unproved": (AMBER, 2),
        # fct_rate had fewer rows than a share of them could tell of.
        "rows_lost_share": (AMBER, 0.35),
        "rows_gained_share": (GREEN, 0.0),
        "unmapped_share": (AMBER, 0.15),
        "late_senders": (AMBER, 2),
        "breaking_changes": (GREEN, 0),
        "announced_changes": (GREEN, 0),
    }
    assert found["late_senders"].detail == "110109: 40 d; 110101: 12 d"
    assert found["tests_stopping"].detail == "dim_a: unique"


def test_what_cannot_be_measured_is_amber(settings: Settings, build: duckdb.DuckDBPyConnection) -> None:
    found = measured(settings, build)["tests_stopping"]
    assert (found.state, found.measured) == (AMBER, None)
    assert "no checks of this run" in found.detail


def test_breaks_are_red_and_those_announced_amber(
    settings: Settings, build: duckdb.DuckDBPyConnection
) -> None:
    changed = [
        Change("fct_rate", MAJOR, "column_gone", "n", is_announced=False),
        Change("dim_a", MAJOR, "member_gone", "sex_code", before="9"),
    ]
    found = measured(settings, build, changes=[vars(change) for change in changed])
    assert (found["breaking_changes"].state, found["announced_changes"].state) == (RED, AMBER)


@pytest.mark.parametrize(
    ("states", "worst"), [([], GREEN), ([GREEN, AMBER], AMBER), ([AMBER, RED, GREEN], RED)]
)
def test_the_worst_state_counts(states: list[str], worst: str) -> None:
    assert checklist.state([{"state": state} for state in states]) == worst


def test_rows_with_codes_that_nobody_mapped_are_found_by_either_mark(
    settings: Settings, build: duckdb.DuckDBPyConnection
) -> None:
    case = {"rows": 20, "columns": [{"name": "has_unmapped_code"}]}
    rate = {"rows": 20, "columns": [{"name": "unmapped_count"}]}
    item = measured(settings, build, tables={"fct_rate": rate, "fct_case": case})["unmapped_share"]
    assert (item.measured, item.detail) == (0.3, "fct_case: 30.0%; fct_rate: 15.0%")
