"""What the report reads: decisions of the places service as they stood on a day."""

from __future__ import annotations

import json
from datetime import date

import pandas as pd

from jobs.decide.places.page import CITY, Findings
from jobs.lake import window
from jobs.settings import Settings, UserError


def findings(settings: Settings, day: date, unit: str | None = None) -> Findings:
    """Read the decisions that stood on `day`; `unit` is a district, else the city. UserError without any."""
    chosen = unit or CITY
    level = "district" if unit else "city"
    forecasts, gaps, missed = (f"decision_places__{name}" for name in ("forecast", "gap", "forecast_error"))
    datasets = [forecasts, gaps, missed, "grade_return"]
    with window.opened(settings, day, window.newest_known(settings), datasets) as lake:
        past = lake.frame(
            "select coalesce(parent_unit_code, '') as district, grade_key, school_year_start,"
            f" cast(sum(pupil_count) as double) as pupil_count from {lake.of('chosen', 'grade_return')}"
            " group by parent_unit_code, grade_key, school_year_start"
        )
        forecast = lake.frame(
            "select unit_code, origin, grade_key, school_year_start, lead,"
            " cast(forecast as double) as forecast,"
            " cast(lower_80 as double) as lower_80, cast(upper_80 as double) as upper_80,"
            " cast(lower_90 as double) as lower_90, cast(upper_90 as double) as upper_90"
            f" from {lake.of('in_force', forecasts)} where level = '{level}'"
        )
        gap = lake.frame(
            "select level, unit_code, stage_code, school_year_start, cast(forecast as double) as forecast,"
            " cast(existing_place_count + expected_place_count as double) as places,"
            " cast(surplus as double) as surplus,"
            " cast(shortage_probability as double) as shortage_probability,"
            f" warning_direction, warning_level from {lake.of('in_force', gaps)}"
            " where level in ('district', 'city')"
        )
        errors = lake.frame(
            "select grade_key, lead, cast(mape_percent as double) as mape_percent,"
            " cast(coverage_80_share as double) as coverage_80_share"
            f" from {lake.of('in_force', missed)} where level = '{level}' and grade_key is not null"
        )
        kept = lake.frame(
            "select origin, lead, school_year_start, cast(forecast as double) as forecast,"
            " recorded_at, run_id"
            f" from {lake.of('every_statement', forecasts)} where level = 'city' and grade_key = 'all'"
        )
    mine = forecast[forecast["unit_code"] == chosen]
    if mine.empty:
        listing = settings.command("sql", "from dim_district")
        raise UserError(f"{chosen} has no forecast.", f"Give a district of `{listing}`.")
    vintages = _vintages(kept, past)
    if unit:
        past = past[past["district"] == unit]
    past = past.groupby(["grade_key", "school_year_start"])["pupil_count"].sum().reset_index()
    outlines = json.loads(settings.map.read_text(encoding="utf-8")) if settings.map else None
    return Findings(
        settings.title_zh, day, chosen, past, mine, gap, vintages, errors, outlines, settings.is_synthetic
    )


def _vintages(kept: pd.DataFrame, past: pd.DataFrame) -> pd.DataFrame:
    """The city's kept forecasts against what came, by origin and lead; the last made of each origin."""
    by = ["origin", "lead", "school_year_start"]
    made = kept.sort_values(["recorded_at", "run_id"]).drop_duplicates(by, keep="last")
    counts = past.groupby("school_year_start")["pupil_count"].sum().reset_index()
    both = made[[*by, "forecast"]].merge(counts, on="school_year_start")
    return both.assign(error_percent=100 * (both["forecast"] / both["pupil_count"] - 1))
