"""Every table that shows a metric shows the value of its home, in a release of the shared lake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest

from jobs.publish import marts
from jobs.settings import Settings

from .quantities import METRIC, Models
from .test_metric_formulas import HOME, source_columns

# How far a value may be from that of its home, in its own last digit: each is rounded once.
ROUNDING = 0.51


@dataclass(frozen=True)
class Reader:
    """A column that shows metrics. In SQL: which metric, level, unit and year a row is of, which rows count.

    `times` the column is the value in the metric's unit; `digits` is what the column is rounded to.
    """

    table: str
    column: str
    metric: str
    level: str = "unit_level"
    unit: str = "coalesce(unit_code, 'city')"
    year: str = "school_year_start"
    where: str = "true"
    times: int = 100
    digits: int = 4
    basis: str = "counted"
    file: str = "full"


ALL = "grade_key = 'all' and sex_code = 'all'"
UPLOAD = f"result_kind = 'upload' and {ALL}"
GOOD, PASS, TESTED = (
    f"'fitness_{what}'" for what in ("good_or_excellent_rate", "pass_share", "tested_share")
)
FITNESS = {"good_or_excellent_share": GOOD, "pass_share": PASS, "scored_of_submitted_share": TESTED}
EYES = {"poor_vision_share": "'poor_vision_share'", "myopic_share": "'screened_myopia_share'"}
# The city is `total` where the forecast names it.
PLACES = ("unit_level", "if(unit_level = 'city', 'city', unit_code)", "school_year_start", "lead_years = 1")
SCHOOL, DISTRICT, CITY = ("'school'", "school_code"), ("'district'", "district_code"), ("'city'", "'city'")
BALANCE = {
    "coefficient_of_variation": "'balance_coefficient_' || lower(indicator_code) || '_' || stage_code",
    "indicator_mean": "'balance_' || lower(indicator_code) || '_' || stage_code",
}
# A value of the run's day has the year of that day.
OF_DAY = "(select max(period_year) from fct_metric_value where metric_code = 'incident_rate')"
READERS = [
    *(Reader("fct_fitness_rate", column, metric, where=UPLOAD) for column, metric in FITNESS.items()),
    *(Reader("fct_fitness_school_year", column, metric, *SCHOOL) for column, metric in FITNESS.items()),
    *(Reader("fct_fitness_eyesight", column, metric, where=ALL) for column, metric in EYES.items()),
    Reader(
        "rpt_services__school_profile", "good_or_excellent_share", GOOD, *SCHOOL, "fitness_school_year_start"
    ),
    *(
        Reader("pub_fitness_district_year", c, FITNESS[c], "unit_level", "coalesce(district_code, 'city')")
        for c in ("good_or_excellent_share", "pass_share")
    ),
    Reader(
        "fct_resource_access",
        "use_per_pupil",
        "'digital_use_per_pupil'",
        where="is_stage_total and is_subject_total",
        times=1,
    ),
    Reader("fct_resource_coverage", "coverage_share", "metric_code", year="left(period, 4)::integer"),
    Reader("fct_places_gap", "occupancy_share", "'places_occupancy_' || stage_code", *PLACES),
    Reader("fct_places_gap", "expected_shortage", "'places_short_' || stage_code", *PLACES, times=1),
    Reader(
        "rpt_portal__service_card",
        "figure_value",
        "'pupils_forecast'",
        *CITY,
        year="left(period_label, 4)::integer",
        where="service = 'places'",
        times=1,
        digits=1,
    ),
    Reader(
        "pub_places_forecast_city",
        "forecast_count",
        "'pupils_forecast'",
        *CITY,
        where="grade_span = 'all'",
        times=1,
        digits=1,
        file="public",
    ),
    *(
        Reader(table, "forecast_count", "'pupils_forecast'", *SCHOOL, year=year, times=1, digits=1)
        for table, year in (
            ("fct_school_outlook", "school_year_start"),
            ("rpt_services__school_profile", "forecast_school_year_start"),
        )
    ),
    Reader(
        "fct_places_plan_progress",
        "opened_of_target_share",
        "'plan_places_opened_share'",
        *CITY,
        year="plan_year",
        where="plan_measure = 'places'",
    ),
    Reader("fct_safety_risk", "raw_incident_rate", "'incident_rate'", *SCHOOL, year=OF_DAY, times=1),
    Reader(
        "fct_plan_indicator",
        "indicator_value",
        "indicator_code",
        year="indicator_year",
        times=1,
        basis="reported",
    ),
    *(
        Reader(table, column, "indicator_code", year="indicator_year", times=1, basis=basis)
        for table, column, basis in (
            ("fct_plan_indicator", "computed_value", "counted"),
            ("fct_plan_difference", "reported_indicator_value", "reported"),
            ("fct_plan_difference", "counted_indicator_value", "counted"),
        )
    ),
    Reader(
        "pub_plan_indicator",
        "indicator_value",
        "indicator_code",
        *CITY,
        year="indicator_year",
        times=1,
        basis="reported",
        file="public",
    ),
    *(
        Reader(
            "fct_balance_coefficient",
            column,
            metric,
            *DISTRICT,
            where="standard = 'quality_balance_2017'",
            times=1,
        )
        for column, metric in BALANCE.items()
    ),
    Reader(
        "rpt_portal__service_card",
        "figure_value",
        GOOD,
        *CITY,
        year="left(period_label, 4)::integer",
        where="service = 'fitness'",
        times=1,
        digits=2,
    ),
]
READERS += [
    Reader(
        "fct_school_position", "metric_value", "metric_code", *SCHOOL, "left(period, 4)::integer", times=1
    ),
    *(
        Reader(
            "fct_district_position",
            "metric_value",
            "metric_code",
            *DISTRICT,
            year="left(period, 4)::integer",
            where=f"value_basis = '{basis}'",
            times=1,
            basis=basis,
        )
        for basis in ("counted", "reported")
    ),
]
# What these say of many units' values is no metric: quartiles, shares of a set, ranks, sentences.
COMPARING = {"fct_school_position", "fct_district_position"}
# Shown by sender, class of case, topic or stage, of which the home has no rows: they share the formula.
FINER = {
    ("fct_feed_quality", "refused_row_share"),
    ("fct_hotline_clock", "in_time_share"),
    # by month and topic; by stage
    *(("fct_hotline_topic", f"{answer}_share") for answer in ("responded", "resolved", "satisfied")),
    *(("fct_pupil_background", f"{group}_share") for group in ("migrant", "boarder")),
}
# Made of two values of the home: how far they are apart, and whether they are.
APART = {
    ("fct_plan_indicator", "is_computed_different"),
    *(("fct_plan_difference", c) for c in ("value_difference", "unexplained")),
    *(("fct_plan_difference", f"by_{c}") for c in ("date", "scope", "missing", "codes")),
    # the city's row again, beside each unit's
    *(("fct_resource_access", c) for c in ("city_use_per_pupil", "city_gap_use_per_pupil", "of_city_ratio")),
    *(("fct_resource_coverage", f"city_{c}_share") for c in ("coverage", "gap")),
}


@pytest.fixture(scope="module")
def release(lake: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The newest release of the shared lake, its files as `full_file` and `public_file`."""
    folder = max((f for f in lake.releases.iterdir() if f.name.isdigit()), key=lambda f: int(f.name))
    with duckdb.connect() as connection:
        for name in ("full", "public"):
            connection.execute(f"attach '{folder / f'{name}.duckdb'}' as {name}_file (read_only)")
        connection.execute("use full_file")
        yield connection


def pairs(release: duckdb.DuckDBPyConnection, reader: Reader) -> list[tuple[Any, ...]]:
    """Metric, unit, year, the value shown and that of the home, wherever both are."""
    return release.execute(
        f"""
        with shown as (
            select {reader.metric} as metric_code, {reader.level} as unit_level, {reader.unit} as unit_code,
                {reader.year} as period_year, {reader.column}::double as shown
            from {reader.file}_file.{reader.table} where {reader.where}
        )
        select shown.*, home.metric_value::double / {reader.times} as kept
        from shown
        inner join full_file.fct_metric_value as home using (metric_code, unit_level, unit_code, period_year)
        where home.value_basis = ? and shown is not null and kept is not null
        """,
        [reader.basis],
    ).fetchall()


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: f"{reader.table}.{reader.column}")
def test_a_reader_shows_the_value_of_the_home(release: duckdb.DuckDBPyConnection, reader: Reader) -> None:
    found = pairs(release, reader)
    assert found, "nothing to compare: the reader or the home has no such rows"
    assert [pair for pair in found if abs(pair[-1] - pair[-2]) > ROUNDING * 10**-reader.digits] == []


def test_every_reader_is_compared(city: marts.BuildResult) -> None:
    """Readers are found by what their columns are made of; a new one must stand in the list above."""
    file = city.file.with_name(f"{city.file.stem}.manifest.json")
    nodes: list[dict[str, Any]] = [
        node for node in json.loads(file.read_text())["nodes"].values() if node["resource_type"] == "model"
    ]
    models = Models(
        {node["name"]: node["compiled_code"] for node in nodes},
        source_columns() | {node["name"]: list(node["columns"]) for node in nodes},
    )
    showing = {
        (node["name"], column)
        for node in nodes
        if node["name"] != HOME and "scope" in node["config"]["meta"]
        for column in node["columns"]
        if any(
            name.startswith((METRIC, f"{HOME}.metric_value")) for name in models.column(node["name"], column)
        )
    }
    showing = {(table, c) for table, c in showing if table not in COMPARING or c == "metric_value"}
    compared = {(reader.table, reader.column) for reader in READERS}
    assert showing - compared - FINER - APART == set(), (
        "compare them, or say why they are finer than the home"
    )
    assert showing >= FINER
    assert len(showing & compared) >= 10
