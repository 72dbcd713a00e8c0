"""Errors grow by the steps that a cohort has still to take."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.decide.places.growth import step_errors

# Two stages of three grades. Entry errs by 8 %, the step into the second stage by 4, others by 1.
STEP = np.array([0.08, 0.01, 0.01, 0.04, 0.01, 0.01])
PUPILS = np.full((6, 6), 100.0)
SPANS = [[0, 1, 2], [3, 4, 5], [0, 1, 2, 3, 4, 5]]


def test_one_year_ahead_a_grade_errs_by_its_own_step() -> None:
    assert step_errors(PUPILS, [], STEP)[0] == pytest.approx(STEP)


def test_cohorts_that_exist_are_narrow_and_entrants_wide() -> None:
    made = step_errors(PUPILS, SPANS, STEP)
    assert (np.diff(made, axis=0) >= -1e-12).all()
    lower, upper = made[:, 6], made[:, 7]
    # The second stage of three years ahead sits in the first today: its entry alone is open.
    assert upper[2] < 0.06
    assert lower[2] > 1.3 * upper[2]
    # Six years ahead its children have not entered at all.
    assert upper[5] > 1.3 * upper[2]


def test_grades_of_a_sum_do_not_err_alike() -> None:
    made = step_errors(PUPILS, SPANS, STEP)
    assert made[0, 6] < STEP[:3].mean() * 2
    assert made[0, 8] < made[0, 6]


def test_a_grade_that_nobody_feeds_is_an_entry() -> None:
    apart = PUPILS.copy()
    apart[:, 2] = 0
    fed, unfed = step_errors(PUPILS, [], STEP)[:, 3], step_errors(apart, [], STEP)[:, 3]
    assert fed[3] > unfed[3]
    assert (step_errors(apart, [], STEP)[:, 2] == 0).all()
