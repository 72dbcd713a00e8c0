"""The reference methods give R's answers: golden/answers.csv is from R (golden/versions.txt) by
make_golden.R."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jobs.decide.safety.detect import detect_frame
from jobs.settings import UserError

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
# R's control lists of make_golden.R, by our names.
VARIANTS: dict[str, tuple[str, float | None, int | None, dict[str, Any]]] = {
    "ears_c1": ("ears_c1", None, None, {}),
    "ears_c2": ("ears_c2", None, None, {}),
    "ears_c3": ("ears_c3", None, None, {}),
    "ears_c2_other": ("ears_c2", 0.01, 14, {"min_sigma": 0.5}),
    "farrington_flexible": ("farrington_flexible", None, None, {}),
    "farrington_classic": ("farrington_classic", None, None, {}),
    "flexible_muan": ("farrington_flexible", 0.05, None, {"threshold_method": "muan", "reweight": False}),
    "classic_other": (
        "farrington_classic",
        0.01,
        None,
        {"powertrans": "1/2", "b": 3, "w": 2, "limit54": (3, 2), "trend": False, "no_periods": 4},
    ),
}
FREQUENCY = {"weekly": 52, "monthly": 12, "daily": 365}


def series(case: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    table = pd.read_csv(GOLDEN / "series.csv", keep_default_na=False)
    table = table[table["case"] == case]
    kind, form = case.split("_")
    options = {"freq": "weekly" if kind == "weekly" else "daily", "frequency": FREQUENCY[kind]}
    return table[["unit", "date" if form == "dated" else "t", "count"]], options


def compare(answers: pd.DataFrame, case: str, variant: str, tolerance: float) -> int:
    """Assert that our answers are R's for one case and one variant; returns how many were compared."""
    table, options = series(case)
    method, alpha, baseline, parameters = VARIANTS[variant]
    wanted = answers[(answers["case"] == case) & (answers["method"] == variant)].set_index(["unit", "t"])
    if method.startswith("farrington"):
        options["start"] = int(wanted.index.get_level_values("t").min())
        if "date" in table:
            options["start"] = pd.Timestamp(sorted(table["date"].unique())[options["start"] - 1]).date()
    chosen: Any = method
    ours = detect_frame(table, chosen, alpha=alpha, baseline=baseline, parameters=parameters, **options)
    ours["t"] = ours.groupby("unit").cumcount() + 1
    ours = ours.set_index(["unit", "t"]).loc[wanted.index]
    np.testing.assert_allclose(
        ours["upper_bound"],
        wanted["upper_bound"],
        rtol=tolerance,
        atol=1e-9,
        err_msg=f"bounds of {variant} on {case}",
    )
    differ = ours["alarm"].astype(float).fillna(-1) != wanted["alarm"].astype(float).fillna(-1)
    assert not differ.any(), f"alarms of {variant} on {case} differ at {list(wanted.index[differ])}"
    return len(wanted)


@pytest.fixture(scope="module")
def answers() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "answers.csv")


@pytest.mark.parametrize("case", ["weekly_dated", "weekly_t"])
@pytest.mark.parametrize("variant", [name for name in VARIANTS if name.startswith("ears")])
def test_ears_has_the_bounds_and_alarms_of_r(answers: pd.DataFrame, case: str, variant: str) -> None:
    assert compare(answers, case, variant, tolerance=1e-9) > 300


@pytest.mark.parametrize("case", ["weekly_dated", "weekly_t", "monthly_dated", "monthly_t"])
@pytest.mark.parametrize("variant", [name for name in VARIANTS if not name.startswith("ears")])
def test_farrington_has_the_bounds_and_alarms_of_r(answers: pd.DataFrame, case: str, variant: str) -> None:
    assert compare(answers, case, variant, tolerance=1e-6) > 50


@pytest.mark.parametrize("case", ["daily_dated", "daily_t"])
def test_classic_farrington_on_days_has_the_bounds_and_alarms_of_r(answers: pd.DataFrame, case: str) -> None:
    assert compare(answers, case, "farrington_classic", tolerance=1e-6) >= 6


def test_golden_answers_hold_alarms_and_blanks(answers: pd.DataFrame) -> None:
    assert (answers["alarm"] == 1).sum() > 30, "golden answers without alarms would prove little"
    assert answers["upper_bound"].isna().sum() > 100, (
        "golden answers should have places where R gives no bound"
    )


@pytest.mark.slow
def test_r_itself_agrees_today(tmp_path: Path) -> None:
    probe = ["Rscript", "-e", "library(surveillance)"]
    if shutil.which("Rscript") is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("NOT RUN: Rscript with the package surveillance is not on this machine")
    out = tmp_path / "answers.csv"
    subprocess.run(
        ["Rscript", HERE / "make_golden.R", GOLDEN / "series.csv", out], check=True, capture_output=True
    )
    live = pd.read_csv(out)
    compared = sum(
        compare(live, case, variant, 1e-6)
        for case, variant in live[["case", "method"]].drop_duplicates().values
    )
    assert compared == len(live) > 3000


def test_ears_steps_are_rows_and_closed_days_are_no_rows() -> None:
    days = pd.date_range("2026-09-01", periods=30)
    df = pd.DataFrame({"unit": "a", "date": days, "count": np.arange(30) % 5})
    calendar = pd.DataFrame({"date": days, "is_open": days.dayofweek < 5})
    with_calendar = detect_frame(df, "ears_c1", calendar=calendar)
    weekdays = detect_frame(df[days.dayofweek < 5], "ears_c1")
    opened = with_calendar[(days.dayofweek < 5)]
    np.testing.assert_array_equal(opened["upper_bound"], weekdays["upper_bound"])
    assert with_calendar["upper_bound"][days.dayofweek >= 5].isna().all(), "a closed day has no bound"


def test_rows_come_back_sorted_and_one_to_one() -> None:
    table, _ = series("weekly_t")
    shuffled = table.sample(frac=1.0, random_state=3)
    pd.testing.assert_frame_equal(
        detect_frame(shuffled, "ears_c2", freq="weekly"), detect_frame(table, "ears_c2", freq="weekly")
    )


def test_units_of_different_spans_are_judged_as_if_alone() -> None:
    table, options = series("weekly_dated")
    long = table[table["unit"] == "u3"]
    short = table[(table["unit"] == "u4") & (table["date"] >= "2014-06-02")]
    both = detect_frame(pd.concat([long, short]), "farrington_flexible", **options)
    for one in (long, short):
        alone = detect_frame(one, "farrington_flexible", **options)
        mine = both[both["unit"] == one["unit"].iloc[0]].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, alone)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("a", "2026-09-07", 1), ("a", "2026-09-07", 2)], "two rows for 2026-09-07"),
        ([("a", "2026-09-07", -1)], "below 0"),
        ([("a", "2026-09-07", 1), ("a", "2026-09-16", 2)], "whole number of weeks"),
    ],
)
def test_a_table_that_cannot_be_read_says_why(rows: list[tuple[str, str, int]], says: str) -> None:
    with pytest.raises(UserError, match=says):
        detect_frame(
            pd.DataFrame(rows, columns=["unit", "date", "count"]), "farrington_flexible", freq="weekly"
        )


@pytest.mark.parametrize("method", ["ears_c1", "ears_c2", "ears_c3", "farrington_flexible", "school"])
def test_a_year_may_have_any_number_of_steps(method: Any) -> None:
    rng = np.random.default_rng(104)
    rows = pd.DataFrame({"unit": "a", "t": np.arange(1, 601), "count": rng.poisson(3.0, 600)})
    rows.loc[rows["t"] == 600, "count"] = 25
    found = detect_frame(rows, method, frequency=104)
    # C3 judges the two steps before the last.
    assert found["alarm"].iloc[-1] == (0 if method == "ears_c3" else 1)
    first = found["t"][found["alarm"].notna()].min()
    wanted = {"ears_c1": 8, "ears_c2": 10, "ears_c3": 12, "farrington_flexible": 5 * 104 + 4, "school": 27}
    assert first == wanted[method]


def test_farrington_with_dates_refuses_a_year_that_r_does_not_know() -> None:
    days = pd.date_range("2018-01-01", periods=700)
    rows = pd.DataFrame({"unit": "a", "date": days[days.dayofweek.isin([0, 3])], "count": 1})
    with pytest.raises(UserError, match="no year of 104 steps") as refused:
        detect_frame(rows, "farrington_flexible", frequency=104)
    assert "column t" in refused.value.way_out
    assert detect_frame(rows, "ears_c2", frequency=104)["alarm"].notna().sum() == len(rows) - 9


def test_too_many_seasons_are_refused_with_the_option_to_change() -> None:
    table, options = series("weekly_t")
    with pytest.raises(UserError, match="seasonal periods do not fit"):
        detect_frame(table, "farrington_flexible", parameters={"no_periods": 60}, **options)
