"""Places: a forecast for every unit, its parts and past errors, and the gap to the places there will be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from jobs import declare
from jobs.decide.frames import Spark, append_frame, known_to, tenths
from jobs.decide.places import coming, gap, supply
from jobs.decide.places.events import Event
from jobs.decide.places.forecast import backtest_frame, forecast_frame
from jobs.decide.places.forecast import score as forecast_errors
from jobs.decide.places.parts import parts
from jobs.decide.places.registration import correct as registration
from jobs.decide.places.rows import rows_of
from jobs.declare import standards
from jobs.lake.runs import Run
from jobs.lake.window import Window
from jobs.settings import Settings

# Past forecasts that are made again to show the last years' real errors.
BACKTEST_ORIGINS = 6
METHOD = "grade_progression"
# Where none of these changed since the last release, the last decisions stand.
INPUTS = (
    *("clean_enrollment__grade_count", "clean_enrollment__school", "clean_enrollment__school_change"),
    *("clean_places__birth", "clean_places__capacity_project", "clean_places__school_age_registration"),
)
TABLES = tuple(
    f"decision_places__{name}"
    for name in ("forecast", "forecast_error", "part", "supply", "gap", "registration")
)
# The forecast's words for its levels, which serve any list of units, as the words of every table.
_LEVEL = {"unit": "school", "area": "area", "parent": "district", "zone": "zone", "total": "city"}


def decide(settings: Settings, spark: Spark, run: Run) -> dict[str, int]:
    """Forecast pupils by grade for every unit, take the numbers apart, set them against the places there will
    be, and make the last years' forecasts again for their errors."""
    made = decisions(settings, spark, run)
    for table, frame in made.items():
        append_frame(settings, run, table, exact(table, frame))
    return dict.fromkeys(TABLES, 0) | {table: len(frame) for table, frame in made.items()}


def decisions(settings: Settings, spark: Spark, run: Run) -> dict[str, pd.DataFrame]:
    """Rows of each table from what is known to the run, nothing written; none where no pupil is counted."""
    datasets = ["grade_return", "birth", "school_register", "capacity_project", "school_age_registration"]
    with known_to(settings, run, datasets, spark) as lake:
        counts = lake.frame(
            "select unit_code as unit, coalesce(parent_unit_code, '') as parent_unit,"
            " school_year_start as year, grade_key as grade, pupil_count as enrollment"
            f" from {lake.of('chosen', 'grade_return')} order by unit_code, school_year_start, grade_key"
        )
        if counts.empty:
            return {}
        born = lake.frame(
            "select unit_code as unit, birth_year as year, birth_count as births"
            f" from {lake.of('chosen', 'birth')} order by unit_code, birth_year"
        )
        register = lake.frame(f"select * from {lake.of('chosen', 'school_register')} order by school_code")
        projects = lake.frame(f"select * from {lake.of('chosen', 'capacity_project')} order by project_code")
        children = _registrations(lake, settings.timezone)
    counts["grade"] = counts["grade"].map(_ladder_years()).astype(int)
    lag, horizon = lowest_lag(settings, counts), settings.places.horizon
    known, origin = born if len(born) else None, int(counts["year"].max())
    past = backtest_frame(counts, known, range(origin - BACKTEST_ORIGINS, origin), horizon, lag)
    errors = _error_rows(past, counts)
    # A change announced for a day to come does not hold yet, and is known all the same.
    with known_to(settings, replace(run, as_of_date=date.max), ["school_change"], spark) as lake:
        changes = lake.frame(
            f"select * from {lake.of('chosen', 'school_change')} order by from_school_code, change_date"
        )
    counts = coming.continued(counts, changes)
    units = units_of(counts, register)
    places = place_rows(counts, register, run.as_of_date)
    years = range(origin + 1, origin + horizon + 1)
    events = known_events(register, projects, changes, places, units, years, run.as_of_date)
    units = with_projects(units, events, projects)
    forecast = forecast_frame(counts, known, None, horizon, lag, groups_of(units), stage_spans(), events)
    forecast["event_count"] = forecast.get("event_count", 0)
    forecast, notes = registered_so_far(run, children, forecast, counts, units)
    rows = _forecast_rows(forecast)
    return {
        "decision_places__forecast": rows,
        "decision_places__forecast_error": errors,
        "decision_places__part": part_rows(
            settings,
            rows.assign(registration=forecast["registration"], events=forecast["event_count"]),
            counts,
            born,
            units,
        ),
        "decision_places__supply": places,
        "decision_places__gap": gap_rows(rows, places, projects, units, run.as_of_date),
        "decision_places__registration": notes,
    }


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
    ladder = {key: str(year) for key, year in _ladder_years().items()}
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
    children["area"] = children["district"] + "/" + children["area_name"].fillna("").replace("", gap.NO_UNIT)
    return children


def registered_so_far(
    run: Run,
    children: pd.DataFrame,
    forecast: pd.DataFrame,
    counts: pd.DataFrame,
    units: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The forecast with the registrations of spring taken in, as known to the run, and a note for each unit.

    A spring is read up to the day of its newest delivery, and earlier springs up to the same day."""
    forecast, notes = forecast.assign(registration=0), []
    this_spring = children[children["year"] == int(forecast["origin"].max()) + 1]
    spans = stage_spans()
    for stage, mine in this_spring.groupby("stage_code"):
        through = min(mine["received_date"].max(), run.as_of_date)
        of_stage = children[children["stage_code"] == stage]
        entrants = counts[counts["grade"] == int(spans[str(stage)][0])]
        forecast, told = registration.correct(
            forecast, of_stage, entrants, units, spans[str(stage)], str(stage), through
        )
        notes.append(told)
    told = pd.concat(notes) if notes else pd.DataFrame(columns=registration.NOTE_COLUMNS)
    told = told.assign(
        level=told["level"].map(_LEVEL), unit_code=told["unit_code"].replace("total", gap.CITY)
    )
    return forecast, told.assign(district_code=_districts(told, units))


def exact(table: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Floats as the decimals that the table declares."""
    places = {
        name: int(kind.partition(",")[2].rstrip(")"))
        for name, kind in declare.table_columns(table).items()
        if kind.startswith("decimal") and name in rows and pd.api.types.is_float_dtype(rows[name])
    }
    return rows.assign(
        **{
            name: pd.Series(
                [Decimal(f"{v:.{digits}f}") if pd.notna(v) else None for v in rows[name]],
                index=rows.index,
                dtype=object,
            )
            for name, digits in places.items()
        }
    )


def _ladder_years() -> dict[str, int]:
    return {row["code"]: int(row["ladder_year"]) for row in declare.code_list("grade").rows}


def stage_grades() -> dict[str, list[str]]:
    """Each stage's grades, lowest first."""
    found: dict[str, list[str]] = {}
    for row in sorted(declare.code_list("grade").rows, key=lambda r: int(r["ladder_year"])):
        found.setdefault(row["stage_code"], []).append(row["code"])
    return found


def stage_spans() -> dict[str, list[str]]:
    """Stage -> its years on the ladder, as the forecast labels grades."""
    ladder = _ladder_years()
    return {stage: [str(ladder[g]) for g in grades] for stage, grades in stage_grades().items()}


def grade_lags(settings: Settings) -> dict[str, int]:
    """Years from birth to each grade: the site's `entry_lag` is that of its `entry_grade`."""
    ladder = _ladder_years()
    entry = ladder[settings.places.entry_grade]
    return {grade: settings.places.entry_lag + year - entry for grade, year in ladder.items()}


def lowest_lag(settings: Settings, counts: pd.DataFrame) -> int:
    """Years from birth to the lowest grade that the site counts."""
    key = {year: grade for grade, year in _ladder_years().items()}[int(counts["grade"].min())]
    return max(grade_lags(settings)[key], 0)


def units_of(counts: pd.DataFrame, register: pd.DataFrame) -> pd.DataFrame:
    """One row a school with the units above it: `school`, `area`, `district`, `zone`, `city`.

    The area is the register's, the district the newest that the returns name; an area is named within it."""
    newest = counts.sort_values("year").drop_duplicates("unit", keep="last")
    area_of = dict(zip(register["school_code"], register["area_name"], strict=True)) if len(register) else {}
    zone_of = {row["code"]: row.get("zone_code") or "" for row in declare.code_list("district").rows}
    units = pd.DataFrame({"school": newest["unit"], "district": newest["parent_unit"]}).reset_index(drop=True)
    if (units["district"] != "").any():
        units["district"] = units["district"].replace("", gap.NO_UNIT)
    areas = [area_of.get(school) or gap.NO_UNIT for school in units["school"]]
    named = units["district"] + "/" + pd.Series(areas, index=units.index)
    units["area"] = named.where((units["district"] != "") & bool(area_of), "")
    zones = units["district"].map(zone_of)
    units["zone"] = zones.fillna(gap.NO_UNIT) if zones.notna().any() else ""
    units["city"] = gap.CITY
    return units


def groups_of(units: pd.DataFrame) -> dict[str, dict[str, tuple[str, str]]]:
    """Areas and zones as further levels of the forecast; none where the site has none."""
    found = {}
    for level, above in (("area", "district"), ("zone", "city")):
        named = units[units[level] != ""]
        if len(named):
            pairs = zip(named[level], named[above], strict=True)
            found[level] = dict(zip(named["school"], pairs, strict=True))
    return found


def place_rows(counts: pd.DataFrame, register: pd.DataFrame, day: date) -> pd.DataFrame:
    """Places of the open schools of the register, by grade of their newest return."""
    keys = {year: key for key, year in _ladder_years().items()}
    newest = counts[counts["year"] == counts.groupby("unit")["year"].transform("max")]
    pupils = pd.DataFrame(
        {
            "school_code": newest["unit"],
            "grade_key": newest["grade"].map(keys),
            "pupil_count": newest["enrollment"],
        }
    )
    stage_of = {grade: stage for stage, grades in stage_grades().items() for grade in grades}
    is_open = register["closed_date"].isna() | (pd.to_datetime(register["closed_date"]) > pd.Timestamp(day))
    schools = register[is_open].drop_duplicates("school_code")
    premises = standards.frame("places/premises", day, needed=True)
    return supply.school_places(schools, pupils, stage_of, supply.class_sizes(day), premises)


def part_rows(
    settings: Settings, forecast: pd.DataFrame, counts: pd.DataFrame, born: pd.DataFrame, units: pd.DataFrame
) -> pd.DataFrame:
    """What every number of a grade is made of. Behind schools and areas stand their district's births."""
    stages = stage_grades()
    grades = [grade for of_stage in stages.values() for grade in of_stage]
    keys = {year: key for key, year in _ladder_years().items()}
    ahead = forecast[forecast["grade_key"].isin(grades)]
    ahead = ahead.assign(forecast=ahead["forecast"].astype(float))
    stood = counts.assign(school_code=counts["unit"], grade_key=counts["grade"].map(keys))
    stood = stood.rename(columns={"year": "school_year_start", "enrollment": "pupil_count"})
    pupils = gap.summed(
        stood[["school_code", "grade_key", "school_year_start", "pupil_count"]],
        units,
        ["grade_key", "school_year_start"],
        ["pupil_count"],
    )
    births: dict[str, dict[int, float]] = {}
    for unit, year, count in rows_of(born):
        births.setdefault(unit, {})[int(year)] = float(count)
    own = set(births)
    for level in ("zone", "city"):
        for unit, members in units[units[level] != ""].groupby(level)["district"]:
            parts_of = [births[d] for d in sorted(set(members)) if d in own]
            common = set.intersection(*(set(p) for p in parts_of)) if parts_of else set()
            births.setdefault(str(unit), {y: sum(p[y] for p in parts_of) for y in sorted(common)})
    behind = {("city", gap.CITY): gap.CITY}
    for row in rows_of(units):
        behind[("school", row.school)] = row.school if row.school in own else row.district
        behind[("area", row.area)] = behind[("district", row.district)] = row.district
        behind[("zone", row.zone)] = row.zone
    key = ahead[["level", "unit_code", "grade_key", "school_year_start"]].itertuples(index=False, name=None)
    known = {at: float(n) for at, n in zip(key, ahead["events"], strict=True) if n}
    made = parts(ahead, pupils, births, behind, stages, grade_lags(settings), known)
    return made.assign(district_code=_districts(made, units))


def gap_rows(
    forecast: pd.DataFrame, places: pd.DataFrame, projects: pd.DataFrame, units: pd.DataFrame, day: date
) -> pd.DataFrame:
    """Places less pupils for every unit and stage that has places, with chances and warnings."""
    demand = forecast[forecast["grade_key"].isin(list(stage_grades()))]
    demand = demand.assign(stage_code=demand["grade_key"])
    for column in ("forecast", "lower_80", "upper_80"):
        demand[column] = demand[column].astype(float)
    standing = gap.summed(places, units, ["stage_code"], ["place_count"])
    shares = supply.opening_shares(projects, day, standards.frame("places/opening_delay", day, needed=True))
    years = sorted(demand["school_year_start"].unique())
    to_open = supply.coming_places(projects, day, years, shares)
    zone_of = dict(zip(units["district"], units["zone"], strict=True))
    to_come = gap.coming_by_unit(to_open, zone_of)
    rows = gap.gaps(
        demand[[*gap.KEY, "lead", "forecast", "lower_80", "upper_80"]],
        standing,
        to_come,
        standards.frame("places/warning_levels", day, needed=True),
    )
    counted = {name: rows[name].astype(int) for name in ("place_count", "planned_place_count")}
    counted["existing_place_count"] = counted.pop("place_count")
    return rows.assign(district_code=_districts(rows, units), **counted)


def _districts(rows: pd.DataFrame, units: pd.DataFrame) -> pd.Series:
    """The district of each row's unit; null above districts."""
    of: dict[tuple[str, str], str] = {}
    for row in rows_of(units):
        of[("school", row.school)] = of[("area", row.area)] = of[("district", row.district)] = row.district
    found = [of.get(unit) for unit in zip(rows["level"], rows["unit_code"], strict=True)]
    return pd.Series(found, index=rows.index, dtype=object)


def _forecast_rows(forecast: pd.DataFrame) -> pd.DataFrame:
    keys = {str(year): key for key, year in _ladder_years().items()} | {"all": "all"}
    keys |= {stage: stage for stage in stage_grades()}
    numbers = ["forecast", "lower_80", "upper_80", "lower_90", "upper_90"]
    rows = pd.DataFrame(
        {
            "origin": forecast["origin"].astype(int),
            "level": forecast["level"].map(_LEVEL),
            "unit_code": forecast["unit"],
            "parent_unit_code": forecast["parent_unit"],
            "grade_key": forecast["grade"].astype(str).map(keys),
            "school_year_start": forecast["year"].astype(int),
            "lead": forecast["lead"].astype(int),
            "method": METHOD,
        }
    )
    counts = {name: forecast[name].map(tenths) for name in numbers}
    return rows.assign(**counts)


def _error_rows(past: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Errors of unit totals by lead, of the forecasts whose target year has come."""
    errors = forecast_errors(past, counts)
    come = past[past["year"].isin(counts["year"].unique())]
    origins = come.groupby("lead")["origin"].nunique()
    return pd.DataFrame(
        {
            "level": "school",
            "lead": errors["lead"].astype(int),
            "origin_count": errors["lead"].map(origins).astype(int),
            "unit_count": errors["forecasts"].astype(int),
            "mape_percent": [Decimal(f"{v:.3f}") for v in errors["mape"]],
            "coverage_80_share": [Decimal(f"{v:.4f}") for v in errors["coverage_80"]],
            "coverage_90_share": [Decimal(f"{v:.4f}") for v in errors["coverage_90"]],
            "method": METHOD,
        }
    )
