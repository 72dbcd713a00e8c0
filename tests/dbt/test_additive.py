"""Every mart adds up as it declares, and to what its source holds; what is declared wrongly is found."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from jobs.publish import marts, published_models
from jobs.publish.published_models import Model

from . import sums

# Words under which totals hide among the members of a key.
TOTALS = ("all", "total", "both", "全部", "合计", "全市", "总计")
PUPILS = "sum(pupil_count) from staging.stg_enrollment__grade_count"
CITY_UPLOAD = "unit_level = 'city' and result_kind = 'upload'"
# (what the mart sums, of which rows, the same from what the mart is made of)
SOURCES = [
    ("sum(pupil_count) from fct_enrollment_grade", "true", PUPILS),
    ("sum(pupil_count) from pub_enrollment_district_year", "unit_level = 'city'", PUPILS),
    *(
        (
            f"sum({side}_count) from fct_pupil_move",
            "school_year_start = 2025",
            "count(distinct pupil_key) from staging.stg_enrollment__pupil_roll"
            f" where school_year_start = {year} and pupil_status_code in ('1', '2')",
        )
        for side, year in (("before", 2024), ("now", 2025))
    ),
    (
        "sum(on_roll_count) from fct_pupil_background",
        "true",
        "count(*) from staging.int_enrollment__pupil_year",
    ),
    ("sum(staff_count) from fct_staff", "true", "count(*) from staging.stg_enrollment__staff"),
    (
        "sum(topic_case_count) from fct_hotline_topic",
        "true",
        "count(*) from staging.stg_evaluation__hotline_case",
    ),
    ("sum(our_count) from fct_control_total", "control_kind = 'pupil' and unit_level = 'city'", PUPILS),
    (
        "sum(submitted_count) from fct_fitness_rate",
        f"{CITY_UPLOAD} and not is_grade_total and not is_sex_total",
        "count(*) from fct_fitness_result",
    ),
    (
        "sum(scored_count) from fct_fitness_rate",
        f"{CITY_UPLOAD} and is_grade_total and not is_sex_total",
        "count(*) from fct_fitness_result where is_scored",
    ),
    (
        "sum(tested_count) from fct_fitness_item",
        f"{CITY_UPLOAD} and item_code = 'run_50m' and not is_grade_total and is_sex_total",
        "count(points_run_50m) from fct_fitness_result",
    ),
    (
        "sum(vision_examined_count) from fct_fitness_eyesight",
        "unit_level = 'city' and not is_grade_total and not is_sex_total",
        "count(*) from staging.int_fitness__eye_examined where is_examined",
    ),
    (
        "sum(forecast_count) from fct_places_forecast",
        "unit_level = 'district' and not is_stage_total and not is_grade_total",
        "sum(forecast) from staging.stg_places__forecast"
        " where level = 'district' and grade_key similar to '.[0-9]'",
    ),
    (
        "sum(forecast_count) from pub_places_forecast_city",
        "not is_stage_total",
        "sum(forecast) from staging.stg_places__forecast where level = 'city' and grade_key = 'all'",
    ),
    (
        "sum(incident_count) from fct_safety_incident_month",
        "true",
        "count(*) from staging.int_safety__incident_merged",
    ),
    (
        "sum(hotline_case_count) from fct_hotline_clock",
        "true",
        "count(*) from staging.stg_safety__hotline_watch",
    ),
    (
        "sum(alert_count) from fct_safety_alert_district",
        "true",
        "count(*) from fct_safety_alert where district_code is not null",
    ),
    ("sum(line_count) from fct_feed_quality", "true", "sum(line_count) from staging.stg_ops__receipt"),
    (
        "sum(cost_yuan) from fct_balance_change",
        "true",
        "sum(cost_yuan) from staging.stg_evaluation__balance_change",
    ),
    (
        "sum(place_count) from fct_capacity_project",
        "true",
        "sum(place_count) from staging.stg_places__capacity_project",
    ),
    (
        "sum(criterion_count) from fct_safety_campus_status",
        "true",
        "count(*) from fct_safety_campus_criterion where is_required",
    ),
]
# What may wrongly be declared: (mart, measure, key) -> words of the fault.
WRONG = [
    ("fct_fitness_rate", "mean_total_score", "unit_code", "units differ"),
    ("fct_fitness_rate", "pass_share", "unit_code", "units differ"),
    ("fct_fitness_rate", "good_or_excellent_low_share", "unit_code", "units differ"),
    ("fct_places_forecast", "upper_90_count", "stage_code", "totals differ"),
    ("fct_places_gap", "shortage_probability", "unit_code", "units differ"),
    ("fct_fitness_item", "scored_count", "item_code", "the same for all members"),
]


@pytest.fixture(scope="module")
def models(city: marts.BuildResult) -> dict[str, Model]:
    return published_models.read_models(city.file.with_name(f"{city.file.stem}.manifest.json"))


@pytest.fixture(scope="module")
def connection(city: marts.BuildResult) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(city.file), read_only=True) as opened:
        yield opened


def test_every_mart_adds_up_as_declared(
    connection: duckdb.DuckDBPyConnection, models: dict[str, Model]
) -> None:
    compared = sums.compare(connection, models)
    assert [found for found in compared if found.fault] == []
    told = {(found.mart, found.measure) for found in compared if found.groups}
    assert len(told) > 60, "too little was compared for this to mean anything"


@pytest.mark.parametrize(("summed", "of_rows", "source"), SOURCES, ids=[summed for summed, _, _ in SOURCES])
def test_members_add_up_to_their_source(
    connection: duckdb.DuckDBPyConnection, summed: str, of_rows: str, source: str
) -> None:
    ((members,),) = connection.execute(f"select {summed} where {of_rows}").fetchall()
    ((held,),) = connection.execute(f"select {source}").fetchall()
    assert members == held
    assert held > 0


@pytest.mark.parametrize(("mart", "measure", "key", "words"), WRONG)
def test_a_measure_that_is_declared_wrongly_is_found(
    connection: duckdb.DuckDBPyConnection,
    models: dict[str, Model],
    mart: str,
    measure: str,
    key: str,
    words: str,
) -> None:
    model = models[mart]
    columns = {name: replace(column, additive_over=None) for name, column in model.columns.items()}
    columns[measure] = replace(columns[measure], additive_over=(key,))
    found = sums.compare(connection, {mart: replace(model, columns=columns)})
    assert {one.measure for one in found if words in one.fault} == {measure}


def test_a_total_that_differs_from_its_members_is_found(
    city: marts.BuildResult, models: dict[str, Model], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.duckdb"
    shutil.copyfile(city.file, copy)
    with duckdb.connect(str(copy)) as planted:
        planted.execute(
            "update fct_fitness_rate set pass_count = pass_count - 1"
            " where is_sex_total and unit_level = 'city'"
        )
        found = sums.compare(planted, {"fct_fitness_rate": models["fct_fitness_rate"]})
    faults = {(one.measure, one.over) for one in found if one.fault}
    assert faults == {
        ("pass_count", "sex_code"),
        ("pass_count", "grade_key"),
        ("pass_count", "district to city"),
        ("pass_count", "zone to city"),
    }


def test_a_total_without_a_mark_is_found(models: dict[str, Model]) -> None:
    """Grades among which one is the sum of the others, of whatever name."""
    counted = models["fct_enrollment_grade"]
    with duckdb.connect() as planted:
        planted.execute(
            """
            create table fct_enrollment_grade as
            with grades as (
                select 'S' || school as school_code, 2025 as school_year_start, grade as grade_key,
                    (7 * school + 3 * grade * grade)::integer as pupil_count,
                from range(1, 6) as schools(school), range(1, 4) as grades(grade)
            )
            select school_code, school_year_start, 'P' || grade_key as grade_key, pupil_count from grades
            union all
            select school_code, school_year_start, 'P0', sum(pupil_count)::integer from grades group by all
            """
        )
        found = sums.compare(planted, {"fct_enrollment_grade": counted})
    assert [one.fault for one in found if "without a mark" in one.fault] == ["P0 is a total without a mark"]


def test_no_key_holds_a_word_for_totals_without_a_mark(
    connection: duckdb.DuckDBPyConnection, models: dict[str, Model]
) -> None:
    words = ", ".join(f"'{word}'" for word in TOTALS)
    seen, unmarked = set(), []
    for model in models.values():
        for key in model.grain:
            query = f"select count(*) from {model.name} where lower({key}::varchar) in ({words})"
            if connection.execute(query).fetchall() != [(0,)] and key not in model.pick_one:
                (seen.add if key in model.total_marks else unmarked.append)((model.name, key))
    assert len(seen) >= 8
    # the city is one unit of its level
    assert {(name, key) for name, key in unmarked if key != "unit_code"} == set()


def test_marks_are_true_of_totals_alone(
    connection: duckdb.DuckDBPyConnection, models: dict[str, Model]
) -> None:
    for model in models.values():
        for mark in model.total_marks.values():
            rows = connection.execute(f"select {mark}, count(*) from {model.name} group by 1").fetchall()
            assert {marked for marked, _ in rows} == {False, True}, f"{model.name}.{mark}"


def test_every_column_named_as_a_mark_belongs_to_a_key(models: dict[str, Model]) -> None:
    for model in models.values():
        named = {name for name in model.columns if name.startswith("is_") and name.endswith("_total")}
        assert named == set(model.total_marks.values()), model.name
