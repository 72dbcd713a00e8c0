"""The service on a finished lake: every table is there, adds up, and scenarios start from the published."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from jobs import declare
from jobs.cli.places import app
from jobs.decide import rounding
from jobs.decide.places import gap, job, released, scenario
from jobs.lake import runs
from jobs.publish import release
from jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="module")
def marts(lake: Settings) -> duckdb.DuckDBPyConnection:
    published = release.current(lake)
    assert published is not None
    return release.open_release(published, "full")


def rows(marts: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return marts.execute(query).fetchall()


def test_five_levels_with_four_stages_reach_to_2033(marts: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        marts,
        "select unit_level, count(distinct stage_code), max(school_year_start) from fct_places_gap"
        " group by all order by all",
    )
    assert found == [(level, 4, 2033) for level in ("area", "city", "district", "school", "zone")]


def test_pupils_of_every_level_are_those_of_the_city(marts: duckdb.DuckDBPyConnection) -> None:
    sums = rows(
        marts,
        "select unit_level, sum(forecast_count) from fct_places_forecast_part group by all order by all",
    )
    assert len(sums) == 5
    assert len({total for _, total in sums}) == 1


def test_past_errors_stand_at_every_level_and_stage(marts: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        marts,
        "select unit_level, grade_span, count(*) from fct_places_forecast_error"
        " where grade_span in ('kindergarten', 'primary', 'junior', 'senior', 'all') group by all",
    )
    levels, stages = (
        ("school", "area", "district", "zone", "city"),
        ("kindergarten", "primary", "junior", "senior", "all"),
    )
    assert {key[:2] for key in found} == {(level, stage) for level in levels for stage in stages}
    # Six past years: of the first, six years ahead have come.
    assert {count for level, _, count in found if level == "city"} == {6}
    card = rows(marts, "select note_zh from rpt_portal__service_card where service = 'places'")[0][0]
    own = "where unit_level = 'city' and grade_span = 'all' and lead_years = 1"
    percent = "(100 * mape_share)::decimal(8, 1)::varchar"
    missed = rows(marts, f"select {percent} from fct_places_forecast_error {own}")[0][0]
    assert f"总数平均误差 {missed}%" in card


def test_a_district_file_holds_no_other_district(lake: Settings, marts: duckdb.DuckDBPyConnection) -> None:
    published = release.current(lake)
    assert published is not None
    with release.open_release(published, "district-110105") as own:
        for table in ("fct_places_gap", "fct_places_forecast_part", "fct_places_supply"):
            codes = rows(own, f"select distinct district_code from {table} where district_code is not null")
            assert codes == [("110105",)], table


def test_the_plan_is_progress_towards_its_places(marts: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        marts,
        "select plan_measure, due_place_count, opened_place_count, plan_target_count, opened_of_target_share"
        " from fct_places_plan_progress"
        " where plan_year = 2025 order by all",
    )
    # At scale 0.002 the plan's 160,000 and 50,000 places are 320 and 100.
    assert [(measure, due) for measure, due, *_ in found] == [("places", 320), ("quality_places", 100)]
    assert all(0 < opened <= due for _, due, opened, *_ in found)
    assert [target for *_, target, _ in found] == [320, 100]
    assert all(0.5 < share <= 1 for *_, share in found)


def test_the_last_spring_stands_beside_the_entrants_who_came(marts: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        marts,
        "select unit_level, count(*), sum(model_count), sum(corrected_count), sum(actual_entrant_count),"
        " sum(abs(model_count - actual_entrant_count)), sum(abs(corrected_count - actual_entrant_count))"
        " from fct_places_registration where school_year_start = 2025 group by all order by all",
    )
    assert [level for level, *_ in found] == ["area", "city", "district"]
    entrants = rows(
        marts,
        "select sum(pupil_count) from fct_enrollment_grade"
        " where grade_key = 'P1' and school_year_start = 2025",
    )
    for level, _, _, _, came, without, corrected in found:
        assert came == entrants[0][0], level
        assert corrected < without, level
    touched = rows(marts, "select count(*) from fct_places_forecast_part where registration_count <> 0")
    assert touched == [(0,)], "the spring that is over corrects no forecast"


def test_scenarios_start_from_what_is_published(lake: Settings, marts: duckdb.DuckDBPyConnection) -> None:
    start = released.scenario_base(partial(release.rows, marts))
    made = scenario.apply(start, [])
    told = marts.execute(
        "select district_code, stage_code, school_year_start, surplus_count::double as surplus"
        " from fct_places_gap where unit_level = 'district'"
    ).df()
    both = made.merge(told, on=scenario.KEY)
    assert len(both) == len(told) == len(made) > 400
    assert (both["gap"] - both["surplus"]).abs().max() < 0.06


def test_projects_of_a_scenario_add_up_to_the_places_that_the_gap_expects(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    told = rows(
        marts,
        "select sum(place_count * open_probability), count(distinct project_code) from fct_places_coming",
    )
    gaps = rows(marts, "select sum(expected_place_count) from fct_places_gap where unit_level = 'district'")
    assert told[0][1] > 3
    assert float(told[0][0]) == pytest.approx(float(gaps[0][0]), abs=0.01)


def test_report_draws_every_stage_and_asks_nothing_from_outside(
    lake: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDULAKE_HOME", str(lake.home.parent))
    monkeypatch.setenv("EDULAKE_SITE", lake.site)
    for words in ([], ["--district", "110105"]):
        out = tmp_path / f"report{len(words)}.html"
        done = CliRunner().invoke(app, ["report", "--output", str(out), *words])
        assert done.exit_code == 0, done.output
        text = out.read_text(encoding="utf-8")
        assert text.count("<svg") == 9  # four fans, four maps, the wave
        assert not re.search(r"(src|href)=|url\(|<script", text)
        for stage in ("幼儿园", "小学", "初中", "高中"):
            assert stage in text
    refused = CliRunner().invoke(app, ["report", "--output", str(tmp_path / "x.html"), "--district", "999"])
    assert refused.exit_code != 0


def test_command_shows_two_scenarios_and_the_cheapest_mix(
    lake: Settings, marts: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDULAKE_HOME", str(lake.home.parent))
    monkeypatch.setenv("EDULAKE_SITE", lake.site)
    start = released.scenario_base(partial(release.rows, marts))
    gaps = scenario.apply(start, [])
    place = gaps.sort_values("gap").iloc[0]
    assert place["gap"] < 0
    target = ["--district", place["district_code"], "--stage", place["stage_code"]]
    out = tmp_path / "both.csv"
    done = CliRunner().invoke(
        app,
        [
            *("scenario", "--lever", "entry +3%", "--output", str(out)),
            *(*target, "--year", str(place["school_year_start"])),
        ],
    )
    assert done.exit_code == 0, done.output
    assert "cost:" in done.output
    assert "as things stand" in done.output
    both = pd.read_csv(out)
    assert len(both) == len(gaps)
    assert both["pupils_scenario"].sum() > both["pupils_against"].sum()


def test_a_run_of_may_takes_in_what_has_registered_and_nothing_that_came_later(lake: Settings) -> None:
    newest = runs.all_runs(lake)[-1]

    def no_spark() -> SparkSession:
        raise AssertionError("a small city needs no Spark for its places")

    def made(day: date) -> dict[str, pd.DataFrame]:
        known_at = datetime.combine(day + timedelta(days=1), time(), UTC)
        return job.decisions(lake, no_spark, replace(newest, as_of_date=day, known_at=known_at))

    # The springs of 2024 and 2025 are in the lake: the second has one before it.
    second = made(date(2025, 5, 25))
    notes = second["decision_places__registration"].set_index(["level", "unit_code"])
    city = notes.loc[("city", gap.CITY)]
    assert city["remark"] == "combined"
    assert str(city["through_date"]) <= "2025-05-25"
    assert 0.6 < city["usual_share"] < 0.99
    assert notes["registered_count"].loc["district"].sum() == city["registered_count"]
    parts = second["decision_places__part"]
    product = (
        parts["birth_count"].fillna(parts["feeder_count"]) * parts["entry_ratio"] * parts["progression_ratio"]
    ).fillna(0)
    added = parts[["registration_count", "housing_count", "event_count"]].sum(axis=1)
    assert np.allclose(product + added, parts["forecast"])
    own = parts[(parts["grade_key"] == "P1") & (parts["school_year_start"] == 2025)]
    sums = own.groupby("level")["registration_count"].sum()
    assert (sums == city["registration_count"]).all()
    assert len(sums) == 5
    exact = rounding.exact("decision_places__registration", second["decision_places__registration"])
    assert set(declare.table_columns("decision_places__registration")) <= {*exact, "run_id", "recorded_at"}
