"""A file that leaves out steps without a case: that is told in every rhythm, and --missing zero mends it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from jobs.decide.safety.choices import METHODS, Method
from jobs.decide.safety.detect import detect_frame
from jobs.decide.safety.gaps import completed
from jobs.settings import UserError

RHYTHMS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "days": (pd.date_range("2025-03-01", periods=400), {"freq": "daily"}, "days"),
    "school days": (pd.bdate_range("2025-03-03", periods=400), {"freq": "daily"}, "days"),
    "weeks": (pd.date_range("2015-01-05", periods=400, freq="7D"), {"freq": "weekly"}, "weeks"),
    "fortnights": (
        pd.date_range("2015-01-05", periods=400, freq="14D"),
        {"freq": "weekly", "frequency": 26},
        "steps",
    ),
    "first days of months": (
        pd.date_range("1995-01-01", periods=300, freq="MS"),
        {"freq": "daily", "frequency": 12},
        "months",
    ),
    "last days of months": (
        pd.date_range("1995-01-31", periods=300, freq="ME"),
        {"freq": "daily", "frequency": 12},
        "months",
    ),
    "quarters": (
        pd.date_range("1995-01-01", periods=120, freq="QS"),
        {"freq": "daily", "frequency": 4},
        "quarters",
    ),
    "Mondays and Thursdays": (
        pd.DatetimeIndex(
            [day for day in pd.date_range("2015-01-05", periods=1400) if day.weekday() in (0, 3)]
        ),
        {"freq": "daily", "frequency": 104},
        "days",
    ),
    "numbered steps": (np.arange(1, 401), {"freq": "daily", "frequency": 104}, "steps"),
}


def counts(steps: Any) -> pd.DataFrame:
    """Two units of about a case in two steps; both have one in the first and the last step."""
    rng = np.random.default_rng(14)
    time = "t" if isinstance(steps, np.ndarray) else "date"
    rows = pd.DataFrame({"unit": np.repeat(["a", "b"], len(steps)), time: np.tile(steps, 2)})
    rows["count"] = rng.poisson(0.7, len(rows)).astype(float)
    rows.loc[rows[time].isin([steps[0], steps[-1]]), "count"] = 4.0
    return rows


@pytest.mark.parametrize("rhythm", RHYTHMS)
def test_left_out_zeros_are_told_and_can_be_given_back(rhythm: str) -> None:
    steps, options, name = RHYTHMS[rhythm]
    whole = counts(steps)
    assert completed(whole, **options)[1] == []
    cases = whole[whole["count"] > 0]
    same, told = completed(cases, **options)
    lacking = f"{len(whole) - len(cases)} of {len(whole)} {name} of 2 units have no row"
    assert same is cases
    assert [lacking in remark and "--missing zero" in remark for remark in told] == [True], told
    filled, told = completed(cases, **options, missing="zero")
    assert [f"{lacking}, the first" in remark and "taken as zero" in remark for remark in told] == [True]
    order = ["unit", whole.columns[1]]
    pd.testing.assert_frame_equal(
        filled.sort_values(order, ignore_index=True), whole.sort_values(order, ignore_index=True)
    )


@pytest.mark.parametrize("method", METHODS)
def test_an_outbreak_in_a_list_of_cases_is_an_alarm_once_zeros_are_given_back(method: Method) -> None:
    steps = np.arange(1, 331)
    rows = pd.DataFrame({"unit": "a", "t": steps, "count": np.where(steps % 5 == 0, 1.0, 0.0)})
    rows.loc[rows["t"] >= 328, "count"] = [3.0, 5.0, 7.0]
    cases = rows[rows["count"] > 0]
    filled, _ = completed(cases, "weekly", missing="zero")
    found = detect_frame(filled, method, freq="weekly").set_index("t")["alarm"]
    # C3 looks at the two steps before.
    assert found[[328, 329, 330]].max() == 1
    assert found.loc[:325].max() < 1 or method.startswith("ears"), "EARS takes little for an outbreak"


def test_months_on_any_day_are_months_and_two_rows_in_one_are_refused() -> None:
    rows = pd.DataFrame({"unit": "a", "date": pd.to_datetime(["2025-01-15", "2025-03-31"]), "count": 1.0})
    filled, told = completed(rows, "daily", 12, missing="zero")
    assert told == ["1 of 3 months has no row, the first 2025-02-28: taken as zero"]
    assert filled["date"].iloc[-1] == pd.Timestamp("2025-02-28")
    rows.loc[1, "date"] = pd.Timestamp("2025-01-31")
    with pytest.raises(UserError, match="unit a has two rows for 2025-01"):
        completed(rows, "daily", 12)


@pytest.mark.parametrize(("step", "way_out"), [("7D", "--freq weekly"), ("MS", "--frequency 12")])
def test_counts_of_weeks_or_months_that_pass_for_days_are_noticed(step: str, way_out: str) -> None:
    days = pd.date_range("2020-01-01", periods=40, freq=step)
    _, told = completed(pd.DataFrame({"unit": "a", "date": days, "count": 1.0}), "daily")
    assert way_out in told[0]
