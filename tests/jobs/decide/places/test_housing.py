"""Homes to come: an area follows its estates, what it gains others lose, and the past is learned."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from benchmarks.places.city import YEARS, future_rows, known_rows
from jobs import settings as site
from jobs.decide.places import hierarchy, housing, job
from jobs.declare import standards
from synthetic.city.faults import SETS
from synthetic.city.part import City
from synthetic.city.schools import make_schools

DAY = date(2025, 11, 20)
KEY = ["level", "unit_code", "grade_key", "school_year_start"]
TERMS = housing.terms_of(
    standards.frame("places/housing_pupils", DAY, needed=True),
    standards.frame("places/housing_terms", DAY, needed=True),
)
Decided = dict[str, pd.DataFrame]


def estate(area: str, homes: int, status: str = "building", handed: date = date(2027, 5, 1)) -> pd.DataFrame:
    values = (area, area.partition("/")[0], homes, handed, status, "commodity")
    return pd.DataFrame([values], columns=job.HOMES)


@pytest.fixture(scope="module")
def known() -> job.Known:
    """What the lake knows of a small city, without homes."""
    city = City(make_schools(0.01, 5), 0.01, 5, YEARS, SETS["standard"])
    rows = known_rows(city)
    return replace(rows, homes=rows.homes.iloc[:0])


def decided(known: job.Known, *estates: pd.DataFrame) -> Decided:
    homes = pd.concat(estates) if estates else known.homes
    return job.decided(site.load("beijing"), DAY, replace(known, homes=homes))


@pytest.fixture(scope="module")
def area(known: job.Known) -> str:
    """An area with a primary school, in a district that has another one."""
    units = hierarchy.units_of(known.counts, known.register)
    first = known.counts[(known.counts["year"] == 2025) & (known.counts["grade"] == "P1")]["unit"]
    stood = known.counts[(known.counts["year"] == 2025) & known.counts["unit"].isin(first)]
    sizes = stood.merge(units, left_on="unit", right_on="school").groupby(["district", "area"])["enrollment"]
    shares = sizes.sum() / sizes.sum().groupby("district").sum()
    return str((shares - 0.4).abs().idxmin()[1])


@pytest.fixture(scope="module")
def both(known: job.Known, area: str) -> tuple[Decided, Decided]:
    """Without and with a thousand homes to come in that area."""
    return decided(known), decided(known, estate(area, 1000))


def forecast_of(made: Decided, level: str, unit: str, grade: str) -> np.ndarray:
    rows = made["decision_places__forecast"].query(f"level == '{level}' and grade_key == '{grade}'")
    return rows[rows["unit_code"] == unit].sort_values("lead")["forecast"].astype(float).to_numpy()


def test_a_large_estate_lifts_its_area_as_it_fills_and_its_pupils_come_from_beside(
    both: tuple[Decided, Decided], area: str
) -> None:
    without, with_homes = both
    district = area.partition("/")[0]
    gained = forecast_of(with_homes, "area", area, "primary") - forecast_of(without, "area", area, "primary")
    assert gained[0] == 0, "nobody lives there before the autumn of 2027"
    assert (np.diff(gained) > 0).all(), gained
    assert 30 < gained.max() < 105, "a thousand homes have 105 in the end, by the prior"
    more = forecast_of(with_homes, "district", district, "primary")
    more = more - forecast_of(without, "district", district, "primary")
    assert (more >= 0).all()
    assert more[-1] < 0.6 * gained[-1], "most come from the district itself"
    whole = forecast_of(with_homes, "city", "total", "primary")
    assert (np.abs(whole - forecast_of(without, "city", "total", "primary")) <= 6).all()


def test_levels_parts_and_bounds_hang_together_with_homes(both: tuple[Decided, Decided]) -> None:
    made = both[1]
    rows = made["decision_places__forecast"]
    sums = rows.assign(forecast=rows["forecast"].astype(float))
    sums = sums.groupby(["level", "grade_key", "school_year_start"])["forecast"].sum().unstack("level")
    assert (sums.sub(sums["city"], axis=0) == 0).all(axis=None)
    bounds = rows[["lower_90", "lower_80", "forecast", "upper_80", "upper_90"]].astype(float).to_numpy()
    assert (np.diff(bounds, axis=1) >= 0).all()
    parts = made["decision_places__part"]
    base = parts["birth_count"].fillna(parts["feeder_count"])
    product = (base * parts["entry_ratio"] * parts["progression_ratio"]).fillna(0)
    added = parts[["registration_count", "housing_count", "event_count"]].sum(axis=1)
    assert np.allclose(product + added, parts["forecast"])
    before = both[0]["decision_places__part"].set_index(KEY)
    now = parts.set_index(KEY)
    assert (before["housing_count"] == 0).all()
    change = now["forecast"] - before["forecast"]
    assert (change == now["housing_count"]).all()
    # Homes leave entrants per birth as they were.
    born = now["birth_count"].notna()
    assert np.allclose(now["entry_ratio"][born], before["entry_ratio"][born])


def test_an_estate_that_will_not_be_and_one_that_nobody_places_move_no_area(
    known: job.Known, area: str, both: tuple[Decided, Decided]
) -> None:
    district = area.partition("/")[0]
    made = decided(known, estate(area, 1000, "cancelled"), estate(f"{district}/nowhere", 1000))
    inside = forecast_of(made, "area", area, "primary") - forecast_of(both[0], "area", area, "primary")
    whole = forecast_of(made, "district", district, "primary")
    whole = whole - forecast_of(both[0], "district", district, "primary")
    assert (np.abs(inside) <= np.abs(whole) + 2).all(), "an estate outside of every area is the district's"


def rows_of_two_areas(per_home: float, noise: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Past forecasts of areas, half of them with an estate, which get `per_home` times the prior's pupils."""
    rng = np.random.default_rng(4)
    rows, homes = [], []
    for n in range(60):
        for side in ("a", "b"):
            name = f"D{n}/{side}"
            if side == "a":
                homes.append(estate(name, 300, "delivered", date(2020, 6, 1)))
            for lead in range(1, 5):
                rows.append(("area", name, f"D{n}", "primary", 2019, 2019 + lead, lead, 400.0))
    columns = ["level", "unit", "parent_unit", "grade", "origin", "year", "lead", "forecast"]
    scored = pd.DataFrame(rows, columns=columns)
    homes_of = pd.concat(homes)
    lived = housing.living(homes_of, range(2019, 2024), TERMS)
    more = housing.beside(scored, lived, "area")["more"]
    scored["pupils"] = scored["forecast"] + per_home * more + rng.normal(0, noise, len(scored))
    return scored, lived


@pytest.mark.parametrize("per_home", [0.5, 1.0, 1.8])
def test_how_many_come_is_learned_from_the_past(per_home: float) -> None:
    scored, lived = rows_of_two_areas(per_home, noise=2.0)
    assert housing.learned(scored, lived, "area", TERMS)["primary"] == pytest.approx(per_home, abs=0.1)


def test_without_a_past_the_prior_holds_and_homes_that_brought_nobody_count_little() -> None:
    scored, lived = rows_of_two_areas(1.0, noise=2.0)
    nothing = lived.assign(living=0.0)
    assert housing.learned(scored, nothing, "area", TERMS)["primary"] == pytest.approx(1.0)
    assert housing.learned(scored.iloc[:0], lived, "area", TERMS)["junior"] == 1.0
    empty, _ = rows_of_two_areas(0.0, noise=2.0)
    assert housing.LEAST <= housing.learned(empty, lived, "area", TERMS)["primary"] < 0.2


def test_on_the_citys_truth_areas_are_nearer_with_their_homes() -> None:
    """Error of an area's share of its district, a city that nothing was tuned on."""
    city = City(make_schools(0.02, 301), 0.02, 301, YEARS, SETS["standard"])
    rows = known_rows(city)
    truth = future_rows(city.schools, hierarchy.units_of(rows.counts, rows.register))
    errors = []
    for homes in (rows.homes, rows.homes.iloc[:0]):
        made = job.decided(site.load("beijing"), DAY, replace(rows, homes=homes))["decision_places__forecast"]
        told = made.assign(forecast=made["forecast"].astype(float)).merge(truth, on=KEY)
        told = told[(told["lead"] <= 6) & told["grade_key"].isin(["kindergarten", "primary", "junior"])]
        above = told[told["level"] == "district"].set_index(["unit_code", *KEY[2:]])[["forecast", "pupils"]]
        own = told[(told["level"] == "area") & (told["pupils"] >= 20)]
        own = own.join(above.add_suffix("_above"), on=["parent_unit_code", *KEY[2:]])
        ratio = own["forecast"] / own["forecast_above"] / (own["pupils"] / own["pupils_above"])
        errors.append((ratio - 1).abs().mean())
    assert errors[0] < 0.9 * errors[1], errors
