"""The sweep of all marts finds nonsense: each kind, planted in a copy of a sound build, is told by column."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from jobs.declare import ContractError, ranges
from jobs.publish import marts

MODELS = marts.PROJECT / "models" / "marts"
# What is planted: table, change of all or some rows, (column, fault) that must be told.
PLANTED = {
    "a share over 1": ("fct_fitness_rate", "pass_share = 1.2", ("pass_share", "above 1")),
    "a chance below 0": (
        "fct_places_gap",
        "shortage_probability = -0.1",
        ("shortage_probability", "below 0"),
    ),
    "fewer than none": ("fct_enrollment_grade", "pupil_count = -1", ("pupil_count", "below 0")),
    "points above 100": ("fct_fitness_item", "mean_high_points = 109.6", ("mean_high_points", "above 100")),
    "lower above upper": (
        "fct_places_forecast",
        "lower_80_count = upper_80_count + 1",
        ("lower_80_count", "above upper_80_count"),
    ),
    "closed before opened": (
        "dim_school",
        "opened_date = date '2020-09-01', closed_date = date '2019-09-01'",
        ("opened_date", "above closed_date"),
    ),
    "due before raised": (
        "fct_safety_alert",
        "raised_date = due_date + 1",
        ("raised_date", "above due_date"),
    ),
    "a chance of nothing": ("fct_safety_alert", "p_value = 0", ("p_value", "below 1e-06")),
    "a field's own range": ("fct_fitness_result", "height_cm = 21.5", ("height_cm", "below 80")),
    "progress of -5.2": ("fct_plan_indicator", "progress_share = -5.2", ("progress_share", "below 0")),
}


@pytest.fixture
def planted(city: marts.BuildResult, tmp_path: Path) -> Callable[[str, str], list[tuple[Any, ...]]]:
    """`planted(change, test)`: what a test finds in a copy of the city's build after a change of it."""
    tests = {test.table if test.name.startswith("sane") else test.name: test for test in city.tests}

    def found(change: str, test: str) -> list[tuple[Any, ...]]:
        copy = tmp_path / "copy.duckdb"
        shutil.copyfile(city.file, copy)
        sql_file = tests[test].sql_file
        assert sql_file is not None
        catalog = city.file.name.partition(".")[0]  # by which the compiled test calls it
        with duckdb.connect() as db:
            db.execute(f"attach '{copy}' as \"{catalog}\"")
            db.execute(f'use "{catalog}"')
            if change:
                db.execute(change)
            return db.execute(sql_file.read_text("utf-8")).fetchall()

    return found


@pytest.mark.parametrize("kind", PLANTED)
def test_nonsense_is_found_by_column_and_fault(kind: str, planted: Callable[..., Any]) -> None:
    table, change, fault = PLANTED[kind]
    assert planted("", table) == []
    told = planted(f"update {table} set {change} where rowid = (select min(rowid) from {table})", table)
    assert (*fault, 1) in told


@pytest.mark.parametrize(
    ("table", "column", "value", "dimension"),
    [
        ("fct_enrollment_grade", "grade_key", "'P9'", "dim_grade"),
        ("fct_enrollment_grade", "school_code", "'9999999999'", "dim_school"),
        ("fct_places_gap", "district_code", "'D9'", "dim_district"),
        ("fct_fitness_school_year", "school_year_start", "1999", "dim_school_year"),
        ("fct_safety_hazard", "found_date", "date '1999-01-01'", "dim_date"),
    ],
)
def test_a_key_that_its_dimension_does_not_have_is_told(
    table: str, column: str, value: str, dimension: str, planted: Callable[..., Any]
) -> None:
    change = f"update {table} set {column} = {value} where rowid = (select min(rowid) from {table})"
    assert planted(change, "keys_meet_dimensions") == [(table, column, dimension, 1)]


def test_a_column_that_tells_nothing_is_found_where_there_are_rows_enough(
    planted: Callable[..., Any],
) -> None:
    silent = {row[:2] for row in planted("", "says_nothing")}
    # None of this city's few pupils fails an item, and none is weighed.
    weighed = ("bmi_classed_count", "overweight_count", "obese_count")
    rates = {("fct_fitness_rate", name) for name in weighed}
    assert silent == {("fct_fitness_item", "item_failed_share")} | rates
    more = "insert into fct_enrollment_grade select f.* from fct_enrollment_grade as f, range(60)"
    same = "update fct_enrollment_grade set pupil_count = 30, district_code = null"
    told = planted(f"{more}; {same}", "says_nothing")
    assert {row[:2] for row in told} >= {
        ("fct_enrollment_grade", "pupil_count"),
        ("fct_enrollment_grade", "district_code"),
    }
    named = {row[1] for row in told if row[0] == "fct_enrollment_grade"}
    assert "unmapped_count" not in named
    assert "has_unmapped_code" not in named, "declared: no code is unmapped"


def test_a_reason_that_the_list_has_not_is_found(planted: Callable[..., Any]) -> None:
    assert planted("", "missing_reasons_are_listed") == []
    told = planted(
        "update fct_plan_count set missing_reason = 'moon' where rowid = 0",
        "missing_reasons_are_listed",
    )
    assert told == [("fct_plan_count", "moon")]


def test_every_mart_is_swept_and_every_declared_range_is_some_columns() -> None:
    columns = {}
    for path in MODELS.rglob("*.yml"):
        (model,) = yaml.safe_load(path.read_text("utf-8"))["models"]
        assert "sane" in model["data_tests"], path.stem
        columns[path.stem] = [column["name"] for column in model["columns"]]
    assert len(columns) > 40
    assert ranges.unused(columns) == []


def test_a_number_without_a_range_is_refused_and_a_reason_is_told() -> None:
    with pytest.raises(ContractError, match=r"fct_x\.happiness: a number without a range"):
        ranges.told("fct_x", {"happiness": "decimal(6,2)"})
    told = ranges.told("fct_x", {"a_low": "date", "p_value": "double", "scorer_by_run_id": "varchar"})
    assert told["a_low"] == {}
    assert told["p_value"] == {"between": [0.000001, 1]}
    assert told["scorer_by_run_id"]["may_be_single"]
