"""Two schools merge: from the files of an office to the marts, the successor goes on without a jump."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from jobs.lake import runs, tables
from jobs.publish import marts
from jobs.run import tasks
from jobs.settings import Settings
from synthetic.city.forms import Dress, fill, send
from synthetic.city.writers import Landing

DISTRICT = "110101"
OLD, HEIR, BESIDE = "2111901001", "2111901002", "2111901003"
GRADES = [f"P{n}" for n in range(1, 7)]
PUPILS = {OLD: 60, HEIR: 80, BESIDE: 100}
MERGED = 2024  # since that autumn the heir has the pupils of both


def handed_in(settings: Settings, dataset: str, day: date, columns: dict[str, list[Any]]) -> None:
    dress = Dress()
    filled = fill(dataset, columns, dress)
    send(Landing(settings.landing), dataset, DISTRICT, day, dataset, filled, dress)


def returned(settings: Settings) -> None:
    """Returns of ten autumns, with the merged school's count at the heir since; register and change."""
    rows = [
        (unit, DISTRICT, year, grade, count + (year * 7 + n) % 3)
        for year in range(2016, 2026)
        for unit, size in PUPILS.items()
        for n, grade in enumerate(GRADES)
        if (count := size if year < MERGED else {OLD: 0, HEIR: 140, BESIDE: 100}[unit])
    ]
    names = ("unit_code", "parent_unit_code", "school_year_start", "grade_key", "pupil_count")
    counts = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    handed_in(settings, "grade_return", date(2025, 9, 25), counts)
    register: dict[str, list[Any]] = {
        "school_code": list(PUPILS),
        "school_name": [f"北京市东城区{name}小学" for name in ("甲", "乙", "丙")],
        "district_code": [DISTRICT] * 3,
        "area_name": ["一学区"] * 3,
        "school_type_code": ["21"] * 3,
        "place_count": [360, 900, 640],
        "class_count": [12, 24, 18],
        "opened_date": [date(1980, 9, 1)] * 3,
    }
    handed_in(settings, "school_register", date(2025, 9, 28), register)
    change = {
        "from_school_code": [OLD],
        "to_school_code": [HEIR],
        "change_kind_code": ["merge"],
        "change_date": [date(MERGED, 9, 1)],
    }
    handed_in(settings, "school_change", date(2025, 9, 30), change)


@pytest.fixture
def merged(settings: Settings, engine_url: str) -> Settings:
    returned(settings)
    run_id = runs.open_run(settings, "test", seed=7).run_id
    tasks.write_raw(run_id, "enrollment")
    tasks.clean_rows(run_id, "enrollment")
    tasks.decide(run_id, "places")
    return settings


def test_a_merger_goes_from_files_to_marts_without_a_jump(merged: Settings, tmp_path: Path) -> None:
    run = runs.all_runs(merged)[-1]
    named = ["fct_school_outlook", "fct_places_gap", "dim_school"]
    pins = tables.pin(merged)
    file = marts.build_models(merged, named, run.as_of_date, run.known_at, pins, tmp_path)
    with duckdb.connect(str(file), read_only=True) as lake:
        ahead = lake.execute(
            "select school_code, forecast_count::double, lower_80_count::double, upper_80_count::double"
            " from fct_school_outlook where lead_years = 1"
        ).fetchall()
        gaps = lake.execute(
            "select unit_code, existing_place_count from fct_places_gap where unit_level = 'school'"
            " and stage_code = 'primary' and lead_years = 1"
        ).fetchall()
        heirs = lake.execute("select school_code, successor_school_code from dim_school").fetchall()
    forecast = {unit: numbers for unit, *numbers in ahead}
    assert OLD not in {unit for unit, (count, *_) in forecast.items() if count}
    count, lower, upper = forecast[HEIR]
    # Both schools' pupils stand in one past: 840 then, 840 now.
    assert 0.97 * 840 < count < 1.03 * 846
    assert (upper - lower) / count < 0.15, "no jump in the past makes the interval wide"
    assert dict(gaps)[HEIR] == 900
    assert OLD not in dict(gaps), "whose pupils are elsewhere holds no places"
    assert dict(heirs)[OLD] == HEIR
