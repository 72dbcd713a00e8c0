"""A change is believed as far as changes came true."""

from __future__ import annotations

import numpy as np

from jobs.decide.places.belief import believed
from jobs.decide.places.panel import Floats


def world(true_share: float, units: int = 40, years: int = 16) -> tuple[Floats, Floats]:
    """Units of one grade whose forecast changes come true to a share; pupils [year, unit, grade] and points
    [year, lead, unit, grade]."""
    rng = np.random.default_rng(4)
    logs = np.log(np.full((years, units), 2000.0))
    changes = rng.normal(0, 0.08, (years, units))
    for t in range(1, years):
        logs[t] = logs[t - 1] + true_share * changes[t - 1] + rng.normal(0, 0.005, units)
    pupils = np.exp(logs)[..., None]
    points = np.stack([np.exp(logs + changes), np.exp(logs + changes)], axis=1)[..., None]
    return pupils, points


def share(pupils: Floats, points: Floats, has_births: bool = False) -> float:
    """The share of the last year's changes of lead 1 that is left."""
    in_file = np.ones(len(pupils), dtype=bool)
    made = believed(points, pupils, in_file, has_births)
    left = np.log(made[-1, 0] / pupils[-1]) / np.log(points[-1, 0] / pupils[-1])
    return float(np.median(left))


def test_the_share_is_that_of_the_past() -> None:
    assert share(*world(1.0)) >= 0.95
    assert abs(share(*world(0.5)) - 0.5) < 0.1


def test_a_short_file_is_believed_less_the_smaller_its_units_and_births_make_up_for_it() -> None:
    pupils, points = world(1.0, units=3, years=2)
    large, small = share(pupils * 1000, points * 1000), share(pupils / 20, points / 20)
    assert small < large < 1
    assert share(pupils / 20, points / 20, has_births=True) == 1


def test_a_unit_that_opens_a_grade_keeps_its_growth() -> None:
    pupils, points = (np.repeat(a, 2, axis=-1) for a in world(0.3))
    pupils[-1, 0, 1] = 0
    made = believed(points, pupils, np.ones(len(pupils), dtype=bool), False)
    assert (made[-1, :, 0] == points[-1, :, 0]).all()
    assert (made[-1, :, 1] != points[-1, :, 1]).any()


def test_later_years_change_nothing() -> None:
    pupils, points = world(0.6)
    in_file = np.ones(len(pupils), dtype=bool)
    cut = believed(points[:10], pupils[:10], in_file[:10], False)
    assert (believed(points, pupils, in_file, False)[:10] == cut).all()
