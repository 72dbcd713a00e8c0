"""Rules of the gap: both ways with chances, warnings by settings, five levels, and the parts of a number."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pandas as pd
import pytest

from jobs import settings as site
from jobs.decide.places import decided_rows, gap, hierarchy, ladder
from jobs.decide.places import job as service
from jobs.decide.places.forecast import forecast_frame
from jobs.declare import standards
from synthetic.city.figures import births, districts
from synthetic.city.planning import areas_of_districts, make_projects
from synthetic.city.schools import YEARS, Schools, district_births, make_schools, year_index

DAY = date(2025, 11, 20)
RULES = standards.frame("places/warning_levels", DAY, needed=True)


def test_chances_and_means_are_those_of_a_normal_gap() -> None:
    draws = np.random.default_rng(1).normal(950, 60, 400_000) - 1000
    found = gap.both_ways(950, 1000, 60, idle=0.1)
    assert found.shortage_probability == pytest.approx((draws > 0).mean(), abs=0.003)
    assert found.surplus_probability == pytest.approx((draws < -100).mean(), abs=0.003)
    assert found.shortage == pytest.approx(np.maximum(draws, 0).mean(), rel=0.02)
    assert found.surplus == pytest.approx(np.maximum(-draws, 0).mean(), rel=0.02)
    assert found.surplus - found.shortage == pytest.approx(50)


def test_a_gap_that_is_sure_has_chances_of_one_or_none() -> None:
    assert gap.both_ways(110, 100, 0) == gap.Gap(1.0, 0.0, 10.0, 0.0)
    assert gap.both_ways(80, 100, 0, idle=0.1) == gap.Gap(0.0, 1.0, 0.0, 20.0)
    assert gap.both_ways(95, 100, 0, idle=0.1) == gap.Gap(0.0, 0.0, 0.0, 5.0)


@pytest.mark.parametrize(
    ("pupils", "places", "expected"),
    [
        (1200, 1000, ("shortage", "red")),
        (1070, 1000, ("shortage", "orange")),
        (1030, 1000, ("shortage", "yellow")),
        (1001, 1000, ("shortage", "blue")),
        (970, 1000, ("", "")),
        (880, 1000, ("surplus", "blue")),
        (780, 1000, ("surplus", "yellow")),
        (680, 1000, ("surplus", "orange")),
        (500, 1000, ("surplus", "red")),
        (50, 0, ("shortage", "red")),
    ],
)
def test_warning_is_the_most_severe_level_that_is_met(
    pupils: float, places: float, expected: tuple[str, str]
) -> None:
    found = gap.both_ways(pupils, places, 10)
    assert gap.warning(found, pupils, places, 10, RULES) == expected


def test_the_less_sure_a_gap_is_the_lower_its_level() -> None:
    levels = [gap.warning(gap.both_ways(1120, 1000, s), 1120, 1000, s, RULES)[1] for s in (5, 60, 200, 2000)]
    severity = {"red": 4, "orange": 3, "yellow": 2, "blue": 1, "": 0}
    assert [severity[level] for level in levels] == sorted(
        (severity[level] for level in levels), reverse=True
    )
    assert levels[0] == "red"
    assert levels[-1] != "red"


def test_settings_set_the_level() -> None:
    strict = RULES.assign(least_gap_share=0.0, least_probability=0.0)
    assert gap.warning(gap.both_ways(990, 1000, 10), 990, 1000, 10, strict)[1] == "red"


SCALE, SEED = 0.004, 7


def pupils_of(made: Schools) -> pd.DataFrame:
    """Returns of all schools, by grade and year."""
    return pd.DataFrame(
        [
            (made.codes[s], districts()[made.district[s]].code, year, grade + 1, count)
            for s in range(len(made))
            for year in YEARS
            for grade, count in enumerate(made.pupils[s, year_index(year)].tolist())
            if count
        ],
        columns=["unit", "parent_unit", "year", "grade", "enrollment"],
    )


def births_of_districts() -> pd.DataFrame:
    table = district_births(SCALE)
    return pd.DataFrame(
        [
            (district.code, year, int(table[n, at]))
            for n, district in enumerate(districts())
            for at, year in enumerate(births())
            if year < 2025
        ],
        columns=["unit", "year", "births"],
    )


def register_of(made: Schools) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "school_code": made.codes,
            "area_name": made.areas,
            "place_count": made.places[:, 1].astype(int),
            "class_count": made.classes[:, -1].sum(1),
            "closed_date": made.closed,
        }
    )


def projects_of(made: Schools) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "project_code": p.code,
                "district_code": p.district,
                "area_name": p.area,
                "stage_code": p.stage,
                "project_kind_code": "new",
                "place_count": p.places,
                "planned_opening_date": p.opening,
                "expected_opening_date": p.expected(DAY),
                "actual_opening_date": p.true_opening if p.status(DAY) == "opened" else None,
                "project_status_code": p.status(DAY),
            }
            for p in make_projects(SCALE, SEED, areas_of_districts(made))
        ]
    )


@pytest.fixture(scope="module")
def city() -> dict[str, pd.DataFrame]:
    """The smallest city as the decision job has it, and what it decides."""
    made = make_schools(SCALE, SEED)
    counts, register, projects = pupils_of(made), register_of(made), projects_of(made)
    born = births_of_districts()
    settings = site.load("beijing")
    units = hierarchy.units_of(counts, register)
    lag, horizon = ladder.entry_lags(settings, counts), settings.places.horizon
    supply = decided_rows.place_rows(counts, register, DAY)
    stands = counts[(counts["year"] == 2025) & (counts["grade"] == 4)]["unit"].tolist()
    changes = pd.DataFrame(
        [(stands[0], stands[1], "merge", date(2026, 9, 1), DAY)],
        columns=["from_school_code", "to_school_code", "change_kind_code", "change_date", "stated_on"],
    )
    ahead = range(2026, 2026 + horizon)
    events = service.known_events(register, projects, changes, supply, units, ahead, DAY)
    units = service.with_projects(units, events, projects)
    groups, spans = hierarchy.groups_of(units), ladder.stage_spans()
    made = forecast_frame(counts, born, None, horizon, lag, groups, spans, events)
    rows = decided_rows.forecast_rows(made)
    to_come = decided_rows.coming_rows(rows, projects, DAY)
    return {
        "counts": counts,
        "forecast": rows.assign(**{n: rows[n].astype(float) for n in ("forecast", "lower_80", "upper_80")}),
        "part": decided_rows.part_rows(
            settings, rows.assign(registration=0, events=made["event_count"]), counts, born, units
        ),
        "gap": decided_rows.gap_rows(rows, supply, to_come, units, DAY, counts),
        "supply": supply,
        "projects": projects,
        "changes": changes,
    }


def test_five_levels_add_up_exactly(city: dict[str, pd.DataFrame]) -> None:
    rows = city["forecast"]
    sums = rows.groupby(["level", "grade_key", "school_year_start"])["forecast"].sum().unstack("level")
    assert set(sums.columns) == {"school", "area", "district", "zone", "city"}
    for level in sums.columns:
        assert (sums[level] == sums["city"]).all(), level
    stages = rows[rows["grade_key"].isin(["kindergarten", "primary", "junior", "senior"])]
    whole = rows[rows["grade_key"] == "all"]
    keys = ["level", "unit_code", "school_year_start"]
    assert (stages.groupby(keys)["forecast"].sum() == whole.groupby(keys)["forecast"].sum()).all()


def test_places_and_those_to_come_add_up_from_level_to_level(city: dict[str, pd.DataFrame]) -> None:
    rows = city["gap"]
    sums = rows.groupby(["level", "stage_code", "school_year_start"])[
        ["existing_place_count", "expected_place_count"]
    ].sum()
    whole = sums.loc["city"]
    for level in ("school", "area", "district", "zone"):
        assert (sums.loc[level]["existing_place_count"] == whole["existing_place_count"]).all(), level
        if level == "school":  # extensions that name no school count from their area on
            assert 0 < sums.loc[level]["expected_place_count"].sum() <= whole["expected_place_count"].sum()
        else:
            assert np.allclose(sums.loc[level]["expected_place_count"], whole["expected_place_count"])
    coming = city["projects"]["project_status_code"].isin(["planned", "building"])
    last = rows[(rows["level"] == "city") & (rows["school_year_start"] == 2033)]
    assert last["planned_place_count"].sum() == city["projects"]["place_count"][coming].sum() > 0
    assert city["supply"]["place_count"].sum() == last["existing_place_count"].sum()


def test_every_number_is_its_parts(city: dict[str, pd.DataFrame]) -> None:
    parts = city["part"]
    product = (
        parts["birth_count"].fillna(parts["feeder_count"]) * parts["entry_ratio"] * parts["progression_ratio"]
    ).fillna(0)
    assert np.allclose(
        product + parts["registration_count"] + parts["housing_count"] + parts["event_count"],
        parts["forecast"],
        rtol=1e-12,
        atol=1e-9,
    )
    shown = city["forecast"]
    grades = shown[~shown["grade_key"].isin(["all", "kindergarten", "primary", "junior", "senior"])]
    assert len(parts) == len(grades)
    at_city = parts[parts["level"] == "city"]
    assert (at_city["event_count"] == 0).all(), "a base stands behind every cohort of the city"
    # Entrants of 2029 are six years old: born in 2023; kindergartens take them at three.
    cell = at_city.set_index(["grade_key", "school_year_start"])
    assert cell["birth_year"]["P1", 2029] == cell["birth_year"]["K1", 2026] == 2023
    # Juniors are those of the sixth grade: no births are printed that nothing read.
    assert pd.isna(cell["birth_count"]["J2", 2030])
    assert cell["feeder_count"]["J2", 2030] == cell["forecast"]["P6", 2028]
    assert (
        cell["feeder_count"]["J1", 2026]
        == city["counts"].query("year == 2025 and grade == 9")["enrollment"].sum()
    )


def test_births_printed_are_those_that_the_forecast_read(city: dict[str, pd.DataFrame]) -> None:
    cell = city["part"].query("level == 'city'").set_index(["grade_key", "school_year_start"])
    entrants = city["counts"].query("grade == 4").groupby("year")["enrollment"].sum()
    births = births_of_districts().groupby("year")["births"].sum()
    # A third of an autumn's entrants was born the year before.
    mixed = {year: births[year - 7] / 3 + births[year - 6] * 2 / 3 for year in range(2016, 2031)}
    assert [cell["birth_count"]["P1", year] for year in (2026, 2029, 2030)] == pytest.approx(
        [mixed[year] for year in (2026, 2029, 2030)], abs=0.05
    )
    assert list(cell["is_birth_known"]["P1"].loc[2029:2031]) == [True, True, False]
    past = [entrants[year] / mixed[year] for year in range(2018, 2026)]
    for year in range(2026, 2032):
        assert min(past) - 0.05 < cell["entry_ratio"]["P1", year] < max(past) + 0.05, year


def test_what_is_known_to_come_moves_pupils_and_is_told_as_events(city: dict[str, pd.DataFrame]) -> None:
    parts = city["part"].set_index(["level", "unit_code", "grade_key", "school_year_start"]).sort_index()
    change = city["changes"].iloc[0]
    gone = parts.loc["school", change["from_school_code"]]
    assert (gone["forecast"] == 0).all()
    before = (
        gone["birth_count"].fillna(gone["feeder_count"]) * gone["entry_ratio"] * gone["progression_ratio"]
    )
    assert np.allclose(before.fillna(0), -gone["event_count"])
    heir = parts.loc["school", change["to_school_code"]]
    # Of its first grade, the heir may give some to a school that opens.
    assert heir["event_count"].loc["P5", 2026] == -gone["event_count"].loc["P5", 2026] > 0
    coming = city["projects"]["project_status_code"].isin(["planned", "building"])
    codes = set(city["projects"]["project_code"][coming])
    new = parts.loc["school"].loc[lambda rows: rows.index.get_level_values("unit_code").isin(codes)]
    assert new["event_count"].sum() == new["forecast"].sum() > 0
    # Pupils of new schools come from the district's others; the merged ones lie in two districts.
    moved = parts.loc["district"].query("event_count != 0").index.get_level_values("unit_code")
    assert set(moved) == {heir["district_code"].iloc[0], gone["district_code"].iloc[0]}
    assert not parts.loc["city", "event_count"].any()


def test_the_wave_empties_kindergartens_and_peaks_in_junior_then_senior_schools(
    city: dict[str, pd.DataFrame],
) -> None:
    rows = city["gap"][city["gap"]["level"] == "city"]
    wave = rows.pivot(index="school_year_start", columns="stage_code", values="forecast").astype(float)
    assert abs(int(wave["junior"].idxmax()) - 2029) <= 1
    assert abs(int(wave["senior"].idxmax()) - 2032) <= 1
    assert wave["primary"].is_monotonic_decreasing
    kindergartens = rows[rows["stage_code"] == "kindergarten"]
    assert (kindergartens["surplus_probability"] > 0.99).all()
    assert set(kindergartens["warning_direction"]) == {"surplus"}


def test_probabilities_and_levels_hang_together(city: dict[str, pd.DataFrame]) -> None:
    rows = city["gap"]
    assert rows[["shortage_probability", "surplus_probability"]].stack().between(0, 1).all()
    difference = rows["expected_surplus"] - rows["expected_shortage"] - rows["surplus"]
    assert difference.abs().max() < 1e-6
    short = rows[rows["warning_direction"] == "shortage"]
    assert len(short) > 0
    assert (short["surplus"] <= 0).all()
    assert math.isclose(rows["warning_level"].notna().mean(), rows["warning_direction"].notna().mean())
