"""Every table that shows a metric shows the value of its home: a release of the shared lake, by reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest

from jobs.declare import metrics
from jobs.publish import marts
from jobs.settings import Settings

from .quantities import METRIC, Models
from .test_metric_formulas import HOME, source_columns

# How far a value may be from that of its home, in its own last digit: each is rounded once.
ROUNDING = 0.51
STAGES = ("kindergarten", "primary", "junior", "senior")
FITNESS = "result_kind = 'upload' and grade_key = 'all' and sex_code = 'all'"
ALL = "grade_key = 'all' and sex_code = 'all'"


@dataclass(frozen=True)
class Reader:
    """A column that shows a metric: its unit and period in SQL, its rows, `times` of it make one."""

    table: str
    column: str
    metric: str
    level: str
    unit: str
    year: str
    where: str = "true"
    times: int = 100
    digits: int = 4
    basis: str = "counted"
    file: str = "full"


def of_units(table: str, where: str, **columns: str) -> list[Reader]:
    """Columns of a table with a row a unit and school year."""
    unit = ("unit_level", "coalesce(unit_code, 'city')", "school_year_start")
    return [Reader(table, column, metric, *unit, where) for column, metric in columns.items()]


def of_schools(table: str, year: str, **columns: str) -> list[Reader]:
    return [
        Reader(table, column, metric, "'school'", "school_code", year) for column, metric in columns.items()
    ]


GOOD, PASS = "fitness_good_or_excellent_share", "fitness_pass_share"
READERS = [
    *of_units(
        "fct_fitness_rate",
        FITNESS,
        good_or_excellent_share=GOOD,
        pass_share=PASS,
        scored_of_submitted_share="fitness_tested_share",
    ),
    *of_units(
        "fct_fitness_eyesight",
        ALL,
        poor_vision_share="poor_vision_share",
        myopic_share="screened_myopia_share",
    ),
    *of_schools(
        "fct_fitness_school_year",
        "school_year_start",
        good_or_excellent_share=GOOD,
        pass_share=PASS,
        scored_of_submitted_share="fitness_tested_share",
    ),
    *of_schools("rpt_services__school_profile", "fitness_school_year_start", good_or_excellent_share=GOOD),
    *(
        Reader(
            *("pub_fitness_district_year", column, metric, "unit_level", "coalesce(district_code, 'city')"),
            "school_year_start",
            file="public",
        )
        for column, metric in (("good_or_excellent_share", GOOD), ("pass_share", PASS))
    ),
    *(
        reader
        for stage in STAGES
        for reader in (
            Reader(
                *("fct_places_gap", "occupancy_share", f"places_occupancy_{stage}", "unit_level"),
                *("if(unit_level = 'city', 'city', unit_code)", "school_year_start"),
                f"stage_code = '{stage}' and lead_years = 1",
            ),
            Reader(
                *("fct_places_gap", "expected_shortage", f"places_short_{stage}", "unit_level"),
                *("if(unit_level = 'city', 'city', unit_code)", "school_year_start"),
                f"stage_code = '{stage}' and lead_years = 1",
                times=1,
            ),
        )
    ),
    Reader(
        *("fct_places_plan_progress", "opened_of_target_share", "plan_places_opened_share"),
        *("'city'", "'city'", "plan_year", "plan_measure = 'places'"),
    ),
    Reader(
        *("fct_safety_risk", "raw_incident_rate", "incident_rate", "'school'", "school_code"),
        "(select max(period_year) from fct_metric_value where metric_code = 'incident_rate')",
        times=1,
    ),
    *(
        Reader(
            *(
                "fct_plan_indicator",
                "indicator_value",
                metric.code,
                "unit_level",
                "unit_code",
                "indicator_year",
            ),
            f"indicator_code = '{metric.code}'",
            times=1,
            basis="reported",
        )
        for metric in metrics.load().values()
        if metric.service == "evaluation"
    ),
    *(
        Reader(
            *("pub_plan_indicator", "indicator_value", metric.code, "'city'", "'city'", "indicator_year"),
            f"indicator_code = '{metric.code}'",
            times=1,
            basis="reported",
            file="public",
        )
        for metric in metrics.load().values()
        if metric.service == "evaluation"
    ),
    Reader(
        *(
            "rpt_portal__service_card",
            "figure_value",
            GOOD,
            "'city'",
            "'city'",
            "left(period_label, 4)::integer",
        ),
        "service = 'fitness'",
        times=1,
        digits=2,
    ),
]
# Shown by sender or by class of case, of which the home has no rows: the declared formula is what they share.
FINER = {("fct_feed_quality", "refused_row_share"), ("fct_hotline_clock", "in_time_share")}


@pytest.fixture(scope="module")
def release(lake: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The newest release of the shared lake, its files as `full` and `public`."""
    folder = max((f for f in lake.releases.iterdir() if f.name.isdigit()), key=lambda f: int(f.name))
    with duckdb.connect() as connection:
        for name in ("full", "public"):
            connection.execute(f"attach '{folder / f'{name}.duckdb'}' as {name}_file (read_only)")
        connection.execute("use full_file")
        yield connection


@pytest.mark.parametrize("reader", READERS, ids=lambda r: f"{r.table}.{r.column}-{r.metric}")
def test_a_reader_shows_the_value_of_the_home(release: duckdb.DuckDBPyConnection, reader: Reader) -> None:
    pairs = release.execute(
        f"""
        with shown as (
            select {reader.level} as unit_level, {reader.unit} as unit_code, {reader.year} as period_year,
                {reader.column}::double as shown
            from {reader.file}_file.{reader.table} where {reader.where}
        )
        select shown.*, home.metric_value::double / {reader.times} as kept
        from shown inner join full_file.fct_metric_value as home using (unit_level, unit_code, period_year)
        where home.metric_code = ? and home.value_basis = ?
        """,
        [reader.metric, reader.basis],
    ).fetchall()
    both = [pair for pair in pairs if None not in pair[-2:]]
    assert both, "nothing to compare: the reader or the home has no such rows"
    assert [pair for pair in both if abs(pair[-1] - pair[-2]) > ROUNDING * 10**-reader.digits] == []


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
    compared = {(reader.table, reader.column) for reader in READERS}
    assert showing - compared - FINER == set(), "compare them, or say why they are finer than the home"
    assert showing >= FINER
    assert len(showing & compared) >= 10
