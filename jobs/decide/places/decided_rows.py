"""Rows of each decision table, from frames of what is known: no reading, no writing."""

from __future__ import annotations

from datetime import date

import pandas as pd

from jobs.decide.places import errors, gap, supply
from jobs.decide.places.born import WHOLE, cohort_births
from jobs.decide.places.hierarchy import districts_of
from jobs.decide.places.ladder import entry_lags, ladder_years, stage_grades
from jobs.decide.places.parts import parts
from jobs.decide.places.rows import rows_of
from jobs.decide.rounding import tenths
from jobs.declare import standards
from jobs.settings import Settings

METHOD = "grade_progression"

# The forecast's words for its levels, which serve any list of units, as the words of every table.
LEVEL = errors.UNIT_OF


def place_rows(counts: pd.DataFrame, register: pd.DataFrame, day: date) -> pd.DataFrame:
    """Places of the open schools of the register, by grade of their newest return."""
    keys = {year: key for key, year in ladder_years().items()}
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
    """The parts of every number of a grade. Schools and areas rest on their district's births and pupils.

    `counts` has the grades as years on the ladder."""
    keys = {year: key for key, year in ladder_years().items()}
    counted = {keys[year] for year in counts["grade"].unique()}
    stages = {s: kept for s, of in stage_grades().items() if (kept := [g for g in of if g in counted])}
    ahead = forecast[forecast["grade_key"].isin(counted)]
    ahead = ahead.assign(forecast=ahead["forecast"].astype(float))
    stood = counts.assign(school_code=counts["unit"], grade_key=counts["grade"].map(keys))
    stood = stood.rename(columns={"year": "school_year_start", "enrollment": "pupil_count"})
    pupils = gap.summed(
        stood[["school_code", "grade_key", "school_year_start", "pupil_count"]],
        units,
        ["grade_key", "school_year_start"],
        ["pupil_count"],
    )
    lags = entry_lags(settings, counts)
    births = _births_behind(counts, born, units, lags, settings.places.horizon)
    own = {unit for unit, _, _ in births}
    source = {("city", gap.CITY): ("city", gap.CITY)}
    for row in rows_of(units):
        district = ("district", row.district)
        source[("school", row.school)] = ("school", row.school) if row.school in own else district
        source[("area", row.area)] = source[district] = district
        source[("zone", row.zone)] = ("zone", row.zone)
    key = ahead[["level", "unit_code", "grade_key", "school_year_start"]].itertuples(index=False, name=None)
    known = {at: float(n) for at, n in zip(key, ahead["events"], strict=True) if n}
    lag_of = {keys[int(year)]: lag for year, lag in lags.items()} if births else {}
    made = parts(ahead, pupils, births, source, stages, lag_of, known)
    return made.assign(district_code=districts_of(made, units))


def _births_behind(
    counts: pd.DataFrame, born: pd.DataFrame, units: pd.DataFrame, lags: dict[str, int], horizon: int
) -> dict[tuple[str, str, int], tuple[float, bool]]:
    """(unit, grade entered, autumn) -> births as the table keeps them, and whether they are known, of every
    level that has some."""
    if born.empty:
        return {}
    keys = {str(year): key for key, year in ladder_years().items()}
    made = cohort_births(counts, born, lags, horizon)
    made = made.assign(grade=made["grade"].map(keys), unit=made["unit"].replace(WHOLE, gap.CITY))
    zones = units[units["zone"] != ""].drop_duplicates("district").set_index("district")["zone"]
    of_zone = made.assign(unit=made["unit"].map(zones)).dropna(subset=["unit"])
    of_zone = of_zone.groupby(["unit", "grade", "year"], as_index=False).agg(
        {"births": "sum", "is_known": "all"}
    )
    return {
        (row.unit, row.grade, int(row.year)): (round(float(row.births), 1), bool(row.is_known))
        for rows in (of_zone, made)
        for row in rows_of(rows)
    }


def gap_rows(
    forecast: pd.DataFrame,
    places: pd.DataFrame,
    to_come: pd.DataFrame,
    units: pd.DataFrame,
    day: date,
    counts: pd.DataFrame,
) -> pd.DataFrame:
    """Places minus pupils for every unit and stage that has places, with chances and warnings. `to_come`: as
    of `coming_rows`; `counts`: the past, which tells a school that is filling up."""
    demand = forecast[forecast["grade_key"].isin(list(stage_grades()))]
    demand = demand.assign(stage_code=demand["grade_key"])
    for column in ("forecast", "lower_80", "upper_80"):
        demand[column] = demand[column].astype(float)
    years = sorted(demand["school_year_start"].unique())
    keys = {year: key for key, year in ladder_years().items()}
    stood = counts.rename(columns={"unit": "school_code", "enrollment": "pupil_count"})
    stood = stood.assign(grade_key=stood["grade"].map(keys))
    by_year = supply.standing_places(places, stood, stage_grades(), years)
    standing = gap.summed(by_year, units, ["stage_code", "school_year_start"], ["place_count"])
    rows = gap.gaps(
        demand[[*gap.KEY, "lead", "forecast", "lower_80", "upper_80"]],
        standing,
        gap.coming_by_unit(to_come, units),
        standards.frame("places/warning_levels", day, needed=True),
    )
    counted = {name: rows[name].astype(int) for name in ("place_count", "planned_place_count")}
    counted["existing_place_count"] = counted.pop("place_count")
    return rows.assign(district_code=districts_of(rows, units), **counted)


def coming_rows(forecast: pd.DataFrame, projects: pd.DataFrame, day: date) -> pd.DataFrame:
    """Each project to come with its chance to be open in each year that is forecast
    (`supply.COMING_COLUMNS`)."""
    shares = supply.opening_shares(projects, day, standards.frame("places/opening_delay", day, needed=True))
    return supply.coming_places(projects, day, sorted(forecast["school_year_start"].unique()), shares)


def forecast_rows(forecast: pd.DataFrame) -> pd.DataFrame:
    """Rows of `forecast_frame` under the table's names and levels, numbers to one decimal place."""
    numbers = ["forecast", "lower_80", "upper_80", "lower_90", "upper_90"]
    rows = pd.DataFrame(
        {
            "origin": forecast["origin"].astype(int),
            "level": forecast["level"].map(LEVEL),
            "unit_code": forecast["unit"],
            "parent_unit_code": forecast["parent_unit"],
            "grade_key": forecast["grade"].astype(str).map(_grade_keys()),
            "school_year_start": forecast["year"].astype(int),
            "lead": forecast["lead"].astype(int),
            "method": METHOD,
        }
    )
    counts = {name: forecast[name].map(tenths) for name in numbers}
    return rows.assign(**counts)


def error_rows(past: pd.DataFrame, counts: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Errors of past forecasts by level, grades and lead, of those whose year has come."""
    found = errors.mean_errors(errors.past_errors(past, counts, units))
    return pd.DataFrame(
        {
            "level": found["level"].map(LEVEL),
            "grade_key": found["grade"].map(_grade_keys()),
            "lead": found["lead"].astype(int),
            "origin_count": found["origin_count"].astype(int),
            "unit_count": found["unit_count"].astype(int),
            "mape_percent": found["mape"],
            "bias_percent": found["bias"],
            "coverage_80_share": found["held_80"],
            "coverage_90_share": found["held_90"],
            "interval_score_80_percent": found["score_80"],
            "method": METHOD,
        }
    )


def _grade_keys() -> dict[str, str]:
    """The forecast's label of grades -> the key of a grade, a stage or all."""
    keys = {str(year): key for key, year in ladder_years().items()} | {"all": "all"}
    return keys | {stage: stage for stage in stage_grades()}
