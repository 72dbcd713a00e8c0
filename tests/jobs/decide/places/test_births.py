"""Births predict the entry of every grade that has a lag, beside the cohort that walks into it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from jobs.decide.places.born import WHOLE, cohort_births
from jobs.decide.places.forecast import backtest_frame, forecast_frame
from jobs.decide.places.model.births import LearnedShare, births_ahead

YEARS = range(2008, 2026)


def children(year: int) -> float:
    """Births of a calendar year: a wave."""
    return 1200 + 500 * np.sin(year / 2.5)


def city(share: dict[int, float] | None = None, schools: int = 6) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Kindergartens of K3 and primaries of P1–P3 in one district. All children enter P1 at six. Of an age,
    `share` went to kindergarten the year before (from the year on; else 0.8)."""
    rows = []
    for year in YEARS:
        at = max([y for y in (share or {}) if y <= year], default=None)
        taken = (share or {}).get(at, 0.8) if at is not None else 0.8
        for n in range(schools):
            rows.append((f"k{n}", "d", year, "K3", round(children(year - 5) * taken / schools)))
            rows += [
                (f"p{n}", "d", year, f"P{g}", round(children(year - 5 - g) / schools)) for g in (1, 2, 3)
            ]
    born = pd.DataFrame([("d", y, round(children(y))) for y in range(1990, 2025)])
    pupils = pd.DataFrame(rows, columns=["unit", "parent_unit", "year", "grade", "enrollment"])
    return pupils, born.set_axis(["unit", "year", "births"], axis=1)


def errors(pupils: pd.DataFrame, born: pd.DataFrame, lags: int | dict[str, int], grade: str) -> list[float]:
    frame = backtest_frame(pupils[pupils["year"] <= 2019], born[born["year"] < 2019], [2019], 5, lags)
    truth = pupils[pupils["grade"] == grade].groupby("year")["enrollment"].sum()
    mine = frame[(frame["level"] == "total") & (frame["grade"] == grade)].set_index("year")["forecast"]
    return [float(abs(mine[y] / truth[y] - 1)) for y in range(2020, 2025)]


def test_a_grade_with_a_feeder_reads_its_own_births() -> None:
    # Ever more children go to kindergarten: P1 over K3 falls from 1.25 to 1, P1 over births stands.
    shares = {y: 0.8 + 0.025 * (y - 2012) for y in range(2012, 2021)}
    pupils, born = city(shares)
    one = errors(pupils, born, {"K3": 5}, "P1")
    both = errors(pupils, born, {"K3": 5, "P1": 6}, "P1")
    assert max(both) < 0.06 < max(one), (both, one)


def test_a_cohort_that_births_do_not_explain_is_not_forced_on_them() -> None:
    # Entrants per birth break each year, and the grade below tells it exactly.
    pupils, born = city()
    rng = np.random.default_rng(3)
    moved = {year: float(np.exp(rng.normal(0, 0.25))) for year in range(1990, 2030)}
    steps = pupils["grade"].map({"K3": 5, "P1": 6, "P2": 7, "P3": 8})
    factor = (pupils["year"] - steps).map(moved)
    pupils["enrollment"] = (pupils["enrollment"] * factor).round().astype(int)
    assert errors(pupils, born, {"P1": 6}, "P1")[0] < 0.08


def test_an_unknown_grade_predicts_nothing_and_one_lag_is_the_lowest_grades() -> None:
    pupils, born = city()
    pd.testing.assert_frame_equal(
        forecast_frame(pupils, born, entry_lag=5), forecast_frame(pupils, born, entry_lag={"K3": 5})
    )


def test_births_not_known_yet_go_on_as_they_went_and_less_each_year() -> None:
    falling = 1000 * 0.95 ** np.arange(20.0)[:, None]
    ahead = births_ahead(falling, 6)[:, 0]
    steps = np.diff(np.log(np.concatenate([falling[-1], ahead])))
    assert np.log(0.95) < steps[0] < 0.7 * np.log(0.95)
    assert (np.diff(steps) > 0).all()
    assert steps[-1] < 0
    flat = np.full((20, 1), 700.0)
    assert births_ahead(flat, 3) == pytest.approx(np.full((3, 1), 700.0))


def test_births_of_a_cohort_say_whether_they_are_known() -> None:
    pupils, born = city()
    pupils["grade"] = pupils["grade"].map({"K3": 3, "P1": 4, "P2": 5, "P3": 6})
    made = cohort_births(pupils, born, {"3": 5, "4": 6}, 6).set_index(["unit", "grade", "year"])
    assert set(made.index.get_level_values("unit")) == {"d", WHOLE}
    given = born.set_index("year")["births"]
    assert made.loc[("d", "4", 2030), "births"] == given[2024]
    assert bool(made.loc[("d", "4", 2030), "is_known"])
    assert not made.loc[("d", "4", 2031), "is_known"]
    assert not made.loc[("d", "3", 2030), "is_known"]


def test_the_better_prediction_wins_and_the_first_guess_until_then() -> None:
    share = LearnedShare(0.5)
    assert share.value == 0.5
    size = np.full(8, 400.0)
    for _ in range(6):
        share.learn(np.zeros(8), np.zeros(8), np.full(8, 0.1), size)
    assert share.value > 0.9
    for _ in range(12):
        share.learn(np.zeros(8), np.full(8, 0.2), np.zeros(8), size)
    assert share.value < 0.2
