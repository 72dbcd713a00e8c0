"""Places: a forecast for every unit, its parts and past errors, and the gap to the places there will be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any

import pandas as pd

from jobs.decide.frames import Spark, append_frame, known_to
from jobs.decide.places import catchment, coming, gap, housing, supply
from jobs.decide.places.decided_rows import (
    LEVEL,
    coming_rows,
    error_rows,
    forecast_rows,
    gap_rows,
    part_rows,
    place_rows,
)
from jobs.decide.places.errors import past_errors
from jobs.decide.places.events import Event
from jobs.decide.places.forecast import backtest_frame, forecast_frame
from jobs.decide.places.hierarchy import districts_of, groups_of, units_of
from jobs.decide.places.ladder import entry_lags, ladder_years, stage_spans
from jobs.decide.places.moving import moved, summed
from jobs.decide.places.registration import correct as registration
from jobs.decide.rounding import exact
from jobs.declare import standards
from jobs.lake.runs import Run
from jobs.lake.window import Window
from jobs.settings import Settings

# Past forecasts that are made again to show the last years' real errors.
BACKTEST_ORIGINS = 6
# Where none of these changed since the last release, the last decisions stand.
INPUTS = (
    *("clean_enrollment__grade_count", "clean_enrollment__school", "clean_enrollment__school_change"),
    *("clean_places__birth", "clean_places__capacity_project", "clean_places__school_age_registration"),
    *("clean_places__housing_delivery", "clean_places__catchment"),
)
TABLES = tuple(
    f"decision_places__{name}"
    for name in ("forecast", "forecast_error", "part", "supply", "coming", "gap", "registration")
)


def decide(settings: Settings, spark: Spark, run: Run) -> dict[str, int]:
    """Forecast pupils by grade for every unit, take the numbers apart, set them against the places there will
    be, and make the last years' forecasts again for their errors."""
    made = decisions(settings, spark, run)
    for table, frame in made.items():
        append_frame(settings, run, table, exact(table, frame))
    return dict.fromkeys(TABLES, 0) | {table: len(frame) for table, frame in made.items()}


HOMES = [
    *("area", "district", "dwelling_count", "delivery_date", "housing_status_code", "housing_kind_code"),
]
CATCHMENTS = ["school_code", "stage_code", "district_code", "school_year_start", "dwelling_count"]


@dataclass(frozen=True)
class Known:
    """Rows of the lake that the decisions are made from, as known on a day; `births` may have none."""

    counts: pd.DataFrame  # unit, parent_unit, year, grade (its key), enrollment
    births: pd.DataFrame  # unit, year, births
    register: pd.DataFrame
    projects: pd.DataFrame
    registrations: pd.DataFrame  # year, stage_code, district, area, registered_date, received_date
    changes: pd.DataFrame  # of schools, those announced for a day to come too
    homes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=HOMES))
    catchments: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CATCHMENTS))


def decisions(settings: Settings, spark: Spark, run: Run) -> dict[str, pd.DataFrame]:
    """Rows of each table from what is known to the run, nothing written; none where no pupil is counted."""
    rows = known(settings, spark, run)
    return {} if rows.counts.empty else decided(settings, run.as_of_date, rows)


def known(settings: Settings, spark: Spark, run: Run) -> Known:
    """The rows as known to the run."""
    datasets = ["grade_return", "birth", "school_register", "capacity_project", "school_age_registration"]
    datasets.append("housing_delivery")
    with known_to(settings, run, datasets, spark) as lake:
        counts = lake.frame(
            "select unit_code as unit, coalesce(parent_unit_code, '') as parent_unit,"
            " school_year_start as year, grade_key as grade, pupil_count as enrollment"
            f" from {lake.of('chosen', 'grade_return')} order by unit_code, school_year_start, grade_key"
        )
        born = lake.frame(
            "select unit_code as unit, birth_year as year, birth_count as births"
            f" from {lake.of('chosen', 'birth')} order by unit_code, birth_year"
        )
        register = lake.frame(f"select * from {lake.of('chosen', 'school_register')} order by school_code")
        projects = lake.frame(f"select * from {lake.of('chosen', 'capacity_project')} order by project_code")
        children = _registrations(lake, settings.timezone)
        homes = lake.frame(
            "select district_code as district, area_name, dwelling_count, delivery_date, housing_status_code,"
            f" housing_kind_code from {lake.of('chosen', 'housing_delivery')} order by housing_project_code"
        )
        homes["area"] = _named_area(homes)
    # What is announced for a day to come does not hold yet, and is known all the same.
    coming_too = replace(run, as_of_date=date.max)
    with known_to(settings, coming_too, ["school_change", "catchment"], spark) as lake:
        catchments = lake.frame(
            f"select {', '.join(CATCHMENTS)} from {lake.of('chosen', 'catchment')}"
            " order by school_year_start, catchment_code"
        )
        changes = lake.frame(
            f"select * from {lake.of('chosen', 'school_change')} order by from_school_code, change_date"
        )
    return Known(counts, born, register, projects, children, changes, homes[HOMES], catchments)


def decided(settings: Settings, day: date, rows: Known) -> dict[str, pd.DataFrame]:
    """Rows of each table from rows known on a day: no reading, no writing."""
    counts, register, projects = rows.counts, rows.register, rows.projects
    counts = counts.assign(grade=counts["grade"].map(ladder_years()).astype(int))
    lag, horizon = entry_lags(settings, counts), settings.places.horizon
    born, origin = rows.births if len(rows.births) else None, int(counts["year"].max())
    # As they were returned: a merger is part of the errors, and a move since the first origin.
    units, origins = units_of(counts, register), range(origin - BACKTEST_ORIGINS, origin)
    then = coming.settled(counts, origins[0])
    past = backtest_frame(then, born, origins, horizon, lag, groups_of(units), stage_spans())
    errors, scored = error_rows(past, then, units), past_errors(past, then, units)
    last_notes = last_spring(day, rows.registrations, past, then, units)
    counts = coming.continued(coming.settled(counts, origin), rows.changes)
    units = units_of(counts, register)
    places = place_rows(counts, register, day)
    years = range(origin + 1, origin + horizon + 1)
    events = known_events(register, projects, rows.changes, places, units, years, day)
    units = with_projects(units, events, projects)
    forecast = forecast_frame(counts, born, None, horizon, lag, groups_of(units), stage_spans(), events)
    forecast["event_count"] = forecast.get("event_count", 0)
    forecast = moved_in(day, rows, forecast, scored, units)
    forecast, notes = registered_so_far(day, rows.registrations, forecast, counts, units)
    made = forecast_rows(forecast)
    to_come = coming_rows(made, projects, day)
    return {
        "decision_places__forecast": made,
        "decision_places__forecast_error": errors,
        "decision_places__part": part_rows(
            settings,
            made.assign(
                registration=forecast["registration"],
                events=forecast["event_count"],
                housing=forecast["housing"],
            ),
            counts,
            rows.births,
            units,
        ),
        "decision_places__supply": places,
        "decision_places__coming": to_come,
        "decision_places__gap": gap_rows(made, places, to_come, units, day, counts),
        "decision_places__registration": notes if len(notes) else last_notes,
    }


def moved_in(
    day: date, rows: Known, forecast: pd.DataFrame, scored: pd.DataFrame, units: pd.DataFrame
) -> pd.DataFrame:
    """The forecast with the pupils of coming homes (column `housing`) and of changed catchments (among the
    events), as known on a day. `scored`: past forecasts beside what came."""
    spans, dated = stage_spans(), partial(standards.frame, on=day, needed=True)
    stage_of = {grade: stage for stage, grades in spans.items() for grade in grades}
    terms = dated("places/housing_terms")
    forecast = forecast.assign(housing=0)
    if len(rows.homes):
        of_homes = housing.terms_of(dated("places/housing_pupils"), terms)
        brought = housing.changes(forecast, scored, rows.homes, units, spans, of_homes)
        forecast = moved(forecast, summed(forecast, brought, units, stage_of), "housing")
    followed = float(terms.loc[terms["term"] == "catchment", "value"].iloc[0])
    origin, years = int(forecast["origin"].max()), sorted(forecast["year"].unique())
    if grown := catchment.factors(rows.catchments, origin, years, followed):
        sent = catchment.changes(forecast, grown, units, spans)
        forecast = moved(forecast, summed(forecast, sent, units, stage_of), "event_count")
    return forecast


def known_events(
    register: pd.DataFrame,
    projects: pd.DataFrame,
    changes: pd.DataFrame,
    places: pd.DataFrame,
    units: pd.DataFrame,
    years: Sequence[int],
    day: date,
) -> list[Event]:
    """Schools that open, close and merge in the years ahead, as told up to a day."""
    ladder = {key: str(year) for key, year in ladder_years().items()}
    shares = supply.opening_shares(projects, day, standards.frame("places/opening_delay", day, needed=True))
    standing = places.assign(grade_key=places["grade_key"].map(ladder))
    opening = coming.openings(projects, standing, units, stage_spans(), shares, day, years)
    return [*opening, *coming.closings(changes, register, units, years[0] - 1)]


def with_projects(units: pd.DataFrame, events: Sequence[Event], projects: pd.DataFrame) -> pd.DataFrame:
    """Units with the schools to come, each in its project's area; a new code stands where the old one did."""
    above = {str(row["school"]): row for row in units.to_dict("records")}
    over = {str(row["district"]): row for row in units.to_dict("records")}
    area_of = dict(zip(projects["project_code"], projects["area_name"], strict=True)) if len(projects) else {}
    new: dict[str, dict[Any, Any]] = {}
    for event in events:
        if event.grades and event.unit not in above:
            row = over[event.parent]
            area = f"{event.parent}/{area_of.get(event.unit) or gap.NO_UNIT}" if row["area"] else ""
            new[event.unit] = {**row, "school": event.unit, "area": area}
        for heir in event.partners:
            if heir not in above and event.unit in above:
                new[heir] = {**above[event.unit], "school": heir}
    return pd.concat([units, pd.DataFrame(new.values())], ignore_index=True) if new else units


def _registrations(lake: Window, timezone: str) -> pd.DataFrame:
    """Children registered for a school year, each with the day on which it was known."""
    children = lake.frame(
        "select school_year_start as year, stage_code, district_code as district, area_name,"
        " registered_date, recorded_at"
        f" from {lake.of('chosen', 'school_age_registration')} order by school_year_start, pupil_key"
    )
    children["received_date"] = children.pop("recorded_at").dt.tz_convert(timezone).dt.date
    children["area"] = _named_area(children)
    return children


def _named_area(rows: pd.DataFrame) -> pd.Series:
    """The area of each row, named within its district."""
    return rows["district"] + "/" + rows["area_name"].fillna("").replace("", gap.NO_UNIT)


def registered_so_far(
    day: date,
    children: pd.DataFrame,
    forecast: pd.DataFrame,
    counts: pd.DataFrame,
    units: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The forecast with the registrations of spring taken in, as known on a day, and a note for each unit.

    A spring is read up to the day of its newest delivery, and earlier springs up to the same day. `counts`
    may hold the autumn that is forecast: its entrants stand in the notes and are read by nothing."""
    forecast, notes = forecast.assign(registration=0), []
    autumn = int(forecast["origin"].max()) + 1
    this_spring = children[children["year"] == autumn]
    spans = stage_spans()
    for stage, mine in this_spring.groupby("stage_code"):
        through = min(mine["received_date"].max(), day)
        of_stage = children[children["stage_code"] == stage]
        entrants = counts[counts["grade"] == int(spans[str(stage)][0])]
        before = entrants[entrants["year"] < autumn]
        forecast, corrections = registration.correct(
            forecast, of_stage, before, units, spans[str(stage)], str(stage), through
        )
        came = _entrants(entrants[entrants["year"] == autumn], units)
        keys = zip(corrections["level"], corrections["unit_code"], strict=True)
        found = [came.get(key, 0) if came else None for key in keys]
        notes.append(corrections.assign(actual_entrant_count=pd.array(found, dtype="Int64")))
    return forecast, _named(notes, units)


def _named(notes: Sequence[pd.DataFrame], units: pd.DataFrame) -> pd.DataFrame:
    """Notes of all stages under the names of the tables' levels and units, with the district of each."""
    none = pd.DataFrame(columns=[*registration.NOTE_COLUMNS, "actual_entrant_count"])
    rows = pd.concat(notes) if notes else none
    city = rows["unit_code"].replace("total", gap.CITY)
    rows = rows.assign(level=rows["level"].map(LEVEL), unit_code=city)
    return rows.assign(district_code=districts_of(rows, units))


def _entrants(first: pd.DataFrame, units: pd.DataFrame) -> dict[tuple[str, str], int]:
    """(level, unit) -> pupils of a first grade, by the forecast's words for levels; empty of no rows."""
    if first.empty:
        return {}
    stood = first.merge(units.assign(city="total"), left_on="unit", right_on="school")
    levels = (("total", "city"), ("parent", "district"), ("area", "area"))
    sums = {level: stood.groupby(column)["enrollment"].sum() for level, column in levels}
    return {(level, str(unit)): int(n) for level, of in sums.items() for unit, n in of.items()}


def last_spring(
    day: date, children: pd.DataFrame, past: pd.DataFrame, counts: pd.DataFrame, units: pd.DataFrame
) -> pd.DataFrame:
    """Notes of the spring before the newest counts: the forecast of that autumn, made by the autumn before
    (`past`, with `counts` and `units` as returned), corrected by all that registered, beside the entrants who
    came. It changes no forecast."""
    autumn = int(counts["year"].max())
    made = past[(past["origin"] == autumn - 1) & (past["lead"] == 1)]
    if not (children["year"] == autumn).any() or made.empty:
        return _named([], units)
    return registered_so_far(day, children, made.reset_index(drop=True), counts, units)[1]
