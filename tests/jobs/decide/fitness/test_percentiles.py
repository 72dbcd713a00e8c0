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
    assert (curve.value(3) >= 0).all(), "nobody did fewer than none"
    assert (curve.value(50) > 0).all()
    assert np.median(curve.value(50)) == pytest.approx(np.median(count) + 0.5, abs=0.7)


def test_too_few_pupils_and_one_age_have_no_curve() -> None:
    age, value = grown(6, 1.0)
    assert fit(age[:100], value[:100], "height") is None
    assert fit(np.full(COUNT, 100.0), value, "height") is None
    assert fit(age, np.full(COUNT, np.nan), "height") is None


def counted(age: np.ndarray, value: np.ndarray, item: str = "height") -> pd.DataFrame:
    sex = np.where(np.arange(len(age)) % 2 == 0, "1", "2")
    return pd.DataFrame(
        {
            "item_code": item,
            "sex_code": sex,
            "age_months": np.floor(age),
            "item_value": value,
            "pupil_count": 1,
        }
    )


def test_table_has_a_row_a_month_by_item_and_sex() -> None:
    made = curves(counted(*grown(7, 1.0)))
    assert set(zip(made["item_code"], made["sex_code"], strict=True)) == {("height", "1"), ("height", "2")}
    assert not made.duplicated(["item_code", "sex_code", "age_months"]).any()
    shown = made[[f"p{percent}" for percent in PERCENTILES]].to_numpy()
    assert (np.diff(shown, axis=1) > 0).all()
    assert curves(counted(*grown(7, 1.0)).iloc[:0]).empty


@pytest.mark.parametrize("item", ["height", "pull_up"])
def test_the_order_and_the_grouping_of_pupils_change_no_digit(item: str) -> None:
    age, value = grown(8, 1.0)
    rows = counted(age, np.round(value / 10), item)
    once = curves(rows)
    assert len(once) > 200
    mixed = rows.sample(frac=1, random_state=3).reset_index(drop=True)
    pd.testing.assert_frame_equal(once, curves(mixed), check_exact=True)
    keys = ["item_code", "sex_code", "age_months", "item_value"]
    sums = rows.groupby(keys, sort=False)["pupil_count"].sum().reset_index()
    assert len(sums) < len(rows) / 2
    pd.testing.assert_frame_equal(once, curves(sums), check_exact=True)


def test_all_pupils_count() -> None:
    """Twice the 4,000 of old, of whom half is taller: any sample of one half has another median."""
    age, value = grown(9, 1.0)
    tall = fit(np.r_[age, age], np.r_[value, value * 1.2], "height")
    assert tall is not None
    assert tall.pupil_count == 2 * COUNT
    middle = tall.value(50)[8:-8] / true_median(tall.age_months[8:-8].astype(float))
    assert middle == pytest.approx(1.1, abs=0.03)
