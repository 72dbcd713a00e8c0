"""The evaluation of a finished lake: what the city hid of its reports is found, and nothing else."""

from __future__ import annotations

import csv
from decimal import Decimal

import duckdb
import pytest

from jobs.publish import release
from jobs.settings import Settings


@pytest.fixture(scope="module")
def full(lake: Settings) -> duckdb.DuckDBPyConnection:
    published = release.current(lake)
    assert published is not None
    return release.open_release(published, "full")


def test_each_planted_cause_is_found_and_hardly_another_is_named(
    lake: Settings, full: duckdb.DuckDBPyConnection
) -> None:
    with (lake.home / "truth" / "indicator_causes.csv").open(encoding="utf-8", newline="") as lines:
        planted = {
            (r["district_code"], int(r["indicator_year"]), r["indicator_code"]): r["cause"]
            for r in csv.DictReader(lines)
        }
    found = {
        (district, year, code): causes
        for district, year, code, causes in full.execute(
            "select district_code, indicator_year, indicator_code, causes from fct_plan_difference"
            " where unit_level = 'district' and causes is not null"
        ).fetchall()
    }
    # the smallest city may have nothing planted: each kind of cause has its case in test_plan_difference
    assert set(planted) <= set(found)
    assert sum(found[key] == cause for key, cause in planted.items()) >= len(planted) / 2
    # a degree that no list has is a fault of its own: truth/faults.csv
    others = [causes for key, causes in found.items() if key not in planted]
    assert len([causes for causes in others if not causes.startswith("codes:")]) <= 2


def test_most_of_what_districts_count_themselves_is_what_the_lake_counts(
    full: duckdb.DuckDBPyConnection,
) -> None:
    rows = full.execute(
        "select causes, value_difference, unexplained from fct_plan_difference where unit_level = 'district'"
        " and indicator_code not in ('fitness_good_or_excellent_rate', 'safe_campus_rate')"
        " and missing_reason is null"
    ).fetchall()
    assert len(rows) > 100
    same = [row for row in rows if row[0] is None and abs(row[1]) < Decimal("0.01")]
    explained = [row for row in rows if row[0] and abs(row[2]) < 1]
    assert len(same) + len(explained) >= 0.9 * len(rows)
