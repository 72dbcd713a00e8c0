"""Registrations of spring on the synthetic city: the error falls as they fill, and nothing later is read."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from jobs.decide.places.forecast import forecast_frame
from jobs.decide.places.hierarchy import groups_of, units_of
from jobs.decide.places.ladder import stage_spans
from jobs.decide.places.parts import parts
from jobs.decide.places.registration import correct as registration
from jobs.decide.places.registration.springs import NO_SPRING, NOT_HERE
from synthetic.city.demand import UNREGISTERED_SHARE, WEEK_SHARES
from synthetic.city.figures import YEARS, districts
from synthetic.city.schools import make_schools

ORIGIN = 2023
PRIMARY = stage_spans()["primary"]
ENTRY = int(PRIMARY[0])
LEVELS = {"total": "city", "zone": "zone", "parent": "district", "area": "area", "unit": "school"}
CITY = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]


@pytest.fixture(scope="module")
def city() -> CITY:
    """Pupils of all years, units, children registered in each spring, and the forecast of the origin."""
    schools = make_schools(0.02, 11)
    school, year, grade = np.nonzero(schools.pupils)
    counts = pd.DataFrame(
        {
            "unit": np.array(schools.codes)[school],
            "parent_unit": np.array([d.code for d in districts()])[schools.district[school]],
            "year": np.array(YEARS)[year],
            "grade": grade + 1,
            "enrollment": schools.pupils[school, year, grade],
        }
    )
    register = pd.DataFrame({"school_code": schools.codes, "area_name": schools.areas})
    units = units_of(counts, register)
    rng = np.random.default_rng(5)
    springs = []
    for autumn in YEARS:
        came = counts[(counts["grade"] == ENTRY) & (counts["year"] == autumn)]
        children = came["unit"].repeat(came["enrollment"]).to_numpy()
        children = children[rng.random(len(children)) >= UNREGISTERED_SHARE]
        weights = np.array(WEEK_SHARES) * np.exp(rng.normal(0, 0.12, len(WEEK_SHARES)))
        day = 7 * rng.choice(len(weights), len(children), p=weights / weights.sum())
        day += rng.integers(0, 7, len(children))
        days = [date(autumn, 5, 1) + timedelta(days=int(d)) for d in day]
        springs.append(pd.DataFrame({"school": children, "year": autumn, "registered_date": days}))
    children = pd.concat(springs).merge(units[["school", "district", "area"]], on="school")
    seen = counts[counts["year"] <= ORIGIN]
    made = forecast_frame(seen, None, ORIGIN, 3, 3, groups_of(units), stage_spans())
    return counts, units, children, made


def corrected(city: CITY, day: date, since: int = 2015) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The forecast and notes of a day, from no more than is known that day."""
    counts, units, children, made = city
    known = children[(children["registered_date"] <= day) & (children["year"] >= since)]
    entrants = counts[(counts["grade"] == ENTRY) & (counts["year"] <= ORIGIN)]
    return registration.correct(made, known, entrants, units, PRIMARY, "primary", day)


def test_the_error_of_every_level_falls_and_intervals_narrow_as_the_spring_fills(city: CITY) -> None:
    counts, units, _, made = city
    truth = counts[(counts["year"] == ORIGIN + 1) & (counts["grade"] == ENTRY)]
    truth = truth.merge(units.assign(city="total"), left_on="unit", right_on="school")
    days = [date(ORIGIN + 1, 5, 14), date(ORIGIN + 1, 5, 28), date(ORIGIN + 1, 6, 4)]
    stages = [made, *(corrected(city, day)[0] for day in days)]
    for level, column in LEVELS.items():
        came = truth.groupby(column)["enrollment"].sum()
        errors, widths = [], []
        for frame in stages:
            of_level = frame["level"] == level
            rows = frame[of_level & (frame["grade"] == PRIMARY[0]) & (frame["lead"] == 1)].set_index("unit")
            errors.append((rows["forecast"] - came.reindex(rows.index).fillna(0)).abs().sum())
            widths.append((rows["upper_80"] - rows["lower_80"]).sum())
        assert errors[0] > errors[1] > errors[2] > errors[3], (level, errors)
        assert widths[0] > widths[1] > widths[2] > widths[3], (level, widths)
        assert errors[3] < errors[0] * (0.75 if level == "unit" else 0.3), (level, errors)


def test_levels_stages_and_intervals_hang_together(city: CITY) -> None:
    made = city[3]
    frame, _ = corrected(city, date(ORIGIN + 1, 5, 20))
    for _, rows in frame.groupby(["grade", "lead"]):
        assert rows.groupby("level")["forecast"].sum().nunique() == 1
    grades = frame[frame["grade"].isin([str(g) for g in range(1, 16)])]
    keys = ["level", "unit", "lead"]
    whole = frame[frame["grade"] == "all"].set_index(keys)["forecast"]
    assert (grades.groupby(keys)["forecast"].sum() == whole.sort_index()).all()
    bounds = [frame[c] for c in ("lower_90", "lower_80", "forecast", "upper_80", "upper_90")]
    assert (bounds[0] >= 0).all()
    for low, high in itertools.pairwise(bounds):
        assert (low <= high).all()
    assert (frame["forecast"] - made["forecast"] == frame["registration"]).all()
    # The cohort is next year in the second grade; no other grade is touched.
    touched = frame[(frame["registration"] != 0) & (frame["level"] == "total")]
    assert set(zip(touched["grade"], touched["lead"], strict=True)) >= {("4", 1), ("5", 2), ("6", 3)}
    assert not frame[frame["grade"].isin(["3", "10"])]["registration"].any()


def test_every_number_is_its_parts_with_the_registrations(city: CITY) -> None:
    frame, _ = corrected(city, date(ORIGIN + 1, 5, 20))
    rows = frame[(frame["level"] == "total") & frame["grade"].isin(PRIMARY)].rename(
        columns={"unit": "unit_code", "grade": "grade_key", "year": "school_year_start"}
    )
    pupils = pd.DataFrame(columns=["level", "unit_code", "grade_key", "school_year_start", "pupil_count"])
    births = {("total", PRIMARY[0], year): (5000.0, True) for year in range(2000, 2040)}
    made = parts(rows, pupils, births, {}, {"primary": PRIMARY}, {PRIMARY[0]: 6})
    explained = (made["birth_count"] * made["entry_ratio"] * made["progression_ratio"]).fillna(0)
    assert np.allclose(
        explained + made["registration_count"] + made["event_count"], made["forecast"], atol=1e-9
    )
    cohort = made[(made["entry_year"] == ORIGIN + 1)]
    assert (cohort["registration_count"] != 0).all()
    assert (cohort["event_count"] == 0).all()


def test_without_an_earlier_spring_nothing_changes_and_the_remark_says_so(city: CITY) -> None:
    frame, notes = corrected(city, date(ORIGIN + 1, 6, 4), since=ORIGIN + 1)
    pd.testing.assert_frame_equal(frame.drop(columns="registration"), city[3])
    assert not frame["registration"].any()
    assert set(notes["remark"]) == {NO_SPRING}
    assert (notes["registration_count"] == 0).all()
    assert notes.loc[notes["level"] == "total", "registered_count"].item() > 0


def test_one_earlier_spring_is_enough_and_later_days_are_not_read(city: CITY) -> None:
    counts, units, children, made = city
    day = date(ORIGIN + 1, 5, 21)
    frame, notes = corrected(city, day, since=ORIGIN)
    assert (notes["earlier_spring_count"] <= 1).all()
    assert notes.loc[notes["level"] == "total", "registration_count"].item() != 0
    entrants = counts[(counts["grade"] == ENTRY) & (counts["year"] <= ORIGIN)]
    # All that registered later and in the springs after, too.
    whole = children[children["year"] >= ORIGIN]
    later = registration.correct(made, whole, entrants, units, PRIMARY, "primary", day)
    pd.testing.assert_frame_equal(frame, later[0])
    pd.testing.assert_frame_equal(notes, later[1])


def test_a_district_whose_file_is_missing_changes_nobody(city: CITY) -> None:
    counts, units, children, made = city
    day = date(ORIGIN + 1, 5, 28)
    silent = children[~((children["district"] == "110108") & (children["year"] == ORIGIN + 1))]
    entrants = counts[(counts["grade"] == ENTRY) & (counts["year"] <= ORIGIN)]
    frame, notes = registration.correct(made, silent, entrants, units, PRIMARY, "primary", day)
    full, _ = corrected(city, day)
    own = (frame["level"] == "parent") & (frame["unit"] == "110108")
    assert (frame[own]["registration"] == 0).all()
    assert notes.loc[notes["unit_code"] == "110108", "remark"].item() == NOT_HERE
    others = (frame["level"] == "parent") & ~own & (frame["grade"] == PRIMARY[0]) & (frame["lead"] == 1)
    moved = frame.loc[others, "registration"].to_numpy(), full.loc[others, "registration"].to_numpy()
    assert np.abs(moved[0] - moved[1]).sum() <= 0.35 * np.abs(moved[1]).sum()
