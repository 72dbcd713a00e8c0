"""Percentile curves on values whose true percentiles are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special

from jobs.decide.fitness.percentiles import PERCENTILES, curves, fit

COUNT = 6_000


def grown(seed: int, power: float) -> tuple[np.ndarray, np.ndarray]:
    """Ages in months and values that are Box–Cox normal around a line, with a spread of 8 %."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(75, 216, COUNT)
    value = true_median(age) * (1 + power * 0.08 * rng.standard_normal(COUNT)) ** (1 / power)
    return age, value


def true_median(age: np.ndarray) -> np.ndarray:
    return 100 + 0.45 * (age - 75)


@pytest.mark.parametrize("power", [1.0, -0.8])
def test_curves_are_those_the_values_were_drawn_from(power: float) -> None:
    curve = fit(*grown(1, power), "height")
    assert curve is not None
    inner = slice(8, -8)  # at the very ends a curve rests on few
    median = true_median(curve.age_months.astype(float))
    for percent in PERCENTILES:
        true = median * (1 + power * 0.08 * special.ndtri(percent / 100)) ** (1 / power)
        assert curve.value(percent)[inner] == pytest.approx(true[inner], rel=0.02)


def test_as_many_lie_below_a_percentile_as_it_says() -> None:
    curve = fit(*grown(2, -0.5), "height")
    assert curve is not None
    age, value = grown(3, -0.5)  # other pupils than those of the fit
    placed = curve.percent(np.floor(age).astype(np.int64), value)
    known = placed[~np.isnan(placed)]
    for percent in PERCENTILES:
        assert (known < percent).mean() * 100 == pytest.approx(percent, abs=1.5)


def test_percent_and_value_are_each_others_inverse() -> None:
    curve = fit(*grown(4, 0.6), "height")
    assert curve is not None
    for percent in (3, 50, 97):
        assert curve.percent(curve.age_months, curve.value(percent)) == pytest.approx(percent, abs=1e-6)
    assert np.isnan(curve.percent(np.array([12]), np.array([100.0]))[0])


def test_counts_with_a_pile_at_nought_have_curves_that_do_not_fall_below_it() -> None:
    rng = np.random.default_rng(5)
    age = rng.uniform(150, 216, COUNT)
    count = rng.poisson(3, COUNT) * (rng.random(COUNT) > 0.15)
    curve = fit(age, count.astype(float), "pull_up")
    assert curve is not None
    assert (curve.value(3) > -1.001).all()
    assert np.median(curve.value(50)) == pytest.approx(np.median(count) + 0.5, abs=0.7)


def test_too_few_pupils_and_one_age_have_no_curve() -> None:
    age, value = grown(6, 1.0)
    assert fit(age[:100], value[:100], "height") is None
    assert fit(np.full(COUNT, 100.0), value, "height") is None
    assert fit(age, np.full(COUNT, np.nan), "height") is None


def test_table_has_a_row_a_month_by_item_and_sex_and_is_the_same_again() -> None:
    age, value = grown(7, 1.0)
    sex = np.where(np.arange(COUNT) % 2 == 0, "1", "2")
    rows = pd.DataFrame(
        {"age_months": np.floor(age), "sex_code": sex, "height_cm": value, "pull_up_count": None}
    )
    made = curves(rows, {"height": "height_cm", "pull_up": "pull_up_count"})
    assert set(zip(made["item_code"], made["sex_code"], strict=True)) == {("height", "1"), ("height", "2")}
    assert not made.duplicated(["item_code", "sex_code", "age_months"]).any()
    shown = made[[f"p{percent}" for percent in PERCENTILES]].to_numpy()
    assert (np.diff(shown, axis=1) > 0).all()
    pd.testing.assert_frame_equal(made, curves(rows, {"height": "height_cm", "pull_up": "pull_up_count"}))
    assert curves(rows.iloc[:0], {"height": "height_cm"}).empty
