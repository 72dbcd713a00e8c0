"""Forecasts of the plan in cities that the method was not tuned on: docs/decisions/evaluation.md."""

from __future__ import annotations

import pytest

from benchmarks.plan_forecast import grade, summary


@pytest.mark.parametrize("kind", ["city", "walk", "saturating"])
def test_intervals_hold_what_they_promise_and_beat_what_is_known_today(kind: str) -> None:
    found = summary([g for seed in (51, 52) for g in grade(kind, seed)])
    assert 0.65 <= found["coverage"] <= 0.97
    if kind != "saturating":  # a trend that ends was not foreseen: the interval says so
        assert found["error"] < found["error_as_today"]
    assert found["brier"] < found["brier_of_share"]
