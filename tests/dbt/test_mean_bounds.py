"""The bounds of means as the marts compute them: inside the range, and as often right as they say."""

from __future__ import annotations

from typing import Any

import duckdb
import jinja2
import numpy as np
import pandas as pd
import pytest

from jobs.publish import marts

CLASSES = 4_000


def bounds(cells: pd.DataFrame, least: int, most: int) -> pd.DataFrame:
    """`low` and `high` of each cell by the marts' own macro."""
    text = (marts.PROJECT / "macros" / "fitness.sql").read_text("utf-8")
    macros: Any = jinja2.Environment(extensions=["jinja2.ext.do"]).from_string(text).module
    low, high = (
        macros.mean_bound("cells", "mean", "deviation", "pupils", least, most, side)
        for side in ("low", "high")
    )
    with duckdb.connect() as db:
        db.register("cells", cells)
        return db.sql(
            f"select ({low})::decimal(6, 2)::double, ({high})::decimal(6, 2)::double from cells"
        ).df()


def points(rng: np.random.Generator, kind: str, size: tuple[int, int]) -> np.ndarray:
    if kind == "many at the top":
        return rng.choice([100.0, 80.0, 60.0], p=[0.72, 0.18, 0.10], size=size)
    if kind == "many at nought":
        return rng.choice([0.0, 10, 30, 50, 70, 100], p=[0.4, 0.1, 0.2, 0.1, 0.15, 0.05], size=size)
    return np.clip(rng.normal(92, 8, size), 0, 100)


@pytest.mark.parametrize("kind", ["many at the top", "many at nought", "near the top"])
@pytest.mark.parametrize("pupils", [2, 5, 12, 40])
def test_nineteen_of_twenty_hold_the_mean_and_none_leaves_the_range(kind: str, pupils: int) -> None:
    rng = np.random.default_rng(pupils)
    city = points(rng, kind, (1, 400_000))[0]
    drawn = points(rng, kind, (CLASSES, pupils))
    mean = drawn.mean(axis=1)
    cells = pd.DataFrame(
        {
            "mean": mean,
            "deviation": drawn.std(axis=1, ddof=1),
            "pupils": pupils,
            "city_mean": city.mean(),
            "city_deviation": city.std(),
        }
    )
    low, high = bounds(cells, 0, 100).to_numpy().T
    assert low.min() >= 0
    assert high.max() <= 100
    assert ((low <= mean + 0.006) & (mean - 0.006 <= high)).all()
    assert (low < high).all(), "a few equal values are no proof of certainty"
    assert 0.91 <= ((low <= city.mean()) & (city.mean() <= high)).mean() <= 0.98


def test_one_pupil_has_no_bounds_and_a_change_may_be_negative() -> None:
    cell = {"mean": -3.0, "deviation": 8.0, "pupils": 64, "city_mean": 1.0, "city_deviation": 8.0}
    alone = cell | {"deviation": None, "pupils": 1}
    found = bounds(pd.DataFrame([cell, alone]), -120, 120).to_numpy()
    assert found[0] == pytest.approx([-4.96, -1.04], abs=0.02)  # 8 / sqrt(64) either side, 1.96 times
    assert np.isnan(found[1]).all()
