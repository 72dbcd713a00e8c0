"""The school method on simulated schools: its level holds, it finds what EARS does not, and it looks back
only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.safety import power
from jobs.decide.safety.detect import detect_frame, scan_groups
from jobs.decide.safety.reference.farrington import farrington
from jobs.decide.safety.school import calibration, method
from jobs.decide.safety.school.evidence import DAILY_RECENT, DAILY_WINDOWS, tail_score
from synthetic import outbreaks


def table(world: Any, prefix: str = "s") -> pd.DataFrame:
    counts = world.counts
    units, steps = counts.shape
    return pd.DataFrame(
        {
            "unit": np.repeat([f"{prefix}{k:03d}" for k in range(units)], steps),
            "date": np.tile(pd.DatetimeIndex(world.dates), units),
            "count": counts.ravel(),
        }
    ).dropna()


def grid(found: pd.DataFrame, world: Any, column: str) -> np.ndarray:
    wide = found.pivot(index="unit", columns="date", values=column)
    return wide.reindex(columns=pd.DatetimeIndex(world.dates)).to_numpy(dtype=float)


def test_the_level_holds_on_quiet_days() -> None:
    world = outbreaks.daily(301, schools=150, outbreaks=False)
    found = detect_frame(table(world), "school")
    p_value = found["p_value"].dropna()
    assert len(p_value) > 40_000
    for alpha in (0.01, 0.02, 0.05):
        rate = (p_value < alpha).mean() / alpha
        assert 0.7 < rate < 1.3, f"at level {alpha}, {rate:.2f} times as many quiet days are below it"


@pytest.mark.parametrize("kind", ["all along", "from the second year on, small", "campus"])
def test_level_and_mean_hold_between_outbreaks(kind: str) -> None:
    if kind == "campus":
        world = outbreaks.campus(302, schools=40)
    elif kind == "all along":
        world = outbreaks.daily(302, schools=150)
    else:
        world = outbreaks.daily(302, schools=150, strength=1.5, log_mean=(-0.7, 0.8), since=365)
    found = detect_frame(table(world), "school")
    quiet = power.quiet_steps(world)
    p_value = grid(found, world, "p_value")[:, world.first_watched :][quiet]
    p_value = p_value[~np.isnan(p_value)]
    for alpha in (0.01, 0.02, 0.05):
        rate = (p_value < alpha).mean() / alpha
        assert 0.7 < rate < 1.35, f"at level {alpha}, {rate:.2f} times as many quiet days are below it"
    expected = grid(found, world, "expected")[:, world.first_watched :][quiet].sum()
    too_high = expected / world.mean[:, world.first_watched :][quiet].sum()
    assert 0.93 < too_high < 1.08, f"expected values are {too_high:.3f} times the true ones"


def test_one_rise_is_news_once_and_again_when_it_grows() -> None:
    rng = np.random.default_rng(14)
    rows = pd.DataFrame(
        {
            "unit": np.repeat([f"s{k:02d}" for k in range(30)], 120),
            "date": np.tile(pd.bdate_range("2025-03-03", periods=120), 30),
            "count": rng.poisson(2.0, 3600),
        }
    )
    first = rows.index[(rows["unit"] == "s07")][100]
    rows.loc[first : first + 5, "count"] = [12, 8, 7, 25, 8, 4]
    found = detect_frame(rows, "school").loc[first : first + 5]
    assert found["alarm"].tolist() == [1, 0, 0, 1, 0, 0]
    assert (found["score"][found["alarm"] == 1] > 3).all()
    assert (found["score"][found["alarm"] == 0] < 1).all(), "an echo has no high score"
    # Without the first day, the second is news.
    rows.loc[first, "count"] = 2
    assert detect_frame(rows, "school").loc[first + 1, "alarm"] == 1


def test_a_late_start_judges_each_step_as_an_early_one() -> None:
    rows = table(outbreaks.daily(309, schools=25, days=300))
    whole = detect_frame(rows, "school")
    start = whole["date"].iloc[200]
    late = detect_frame(rows, "school", start=start.date())
    judged = whole["date"] >= start
    pd.testing.assert_frame_equal(late[judged], whole[judged], rtol=1e-9)
    assert late["alarm"][~judged].isna().all()


def test_it_finds_far_more_school_outbreaks_than_ears() -> None:
    world = outbreaks.daily(303, schools=150)
    rows = table(world)
    ours = outbreaks.power(grid(detect_frame(rows, "school"), world, "score"), world)
    ears = outbreaks.power(grid(detect_frame(rows, "ears_c2"), world, "score"), world)
    assert ours[0] > max(0.48, ears[0] + 0.25), (
        f"found at false-positive rates of 1, 2, 5 %: {ours}, EARS C2 {ears}"
    )
    assert ours[2] > 0.78, f"found at false-positive rates of 1, 2, 5 %: {ours}"


def test_it_finds_more_weekly_outbreaks_than_flexible_farrington() -> None:
    world = outbreaks.weekly(304, replicates=4)
    rows = table(world, "w")
    ours = outbreaks.power(grid(detect_frame(rows, "school", freq="weekly"), world, "score"), world)
    theirs = farrington(world.counts, frequency=52, start=world.first_watched)
    reference = outbreaks.power(theirs.score, world)
    assert np.mean(ours) > np.mean(reference) + 0.02, f"{ours} against {reference}"


def test_a_day_is_judged_by_days_before_it_only() -> None:
    world = outbreaks.daily(305, schools=25, days=300)
    rows = table(world)
    cut = pd.Timestamp(world.dates[220])
    whole = detect_frame(rows, "school")
    early = detect_frame(rows[rows["date"] <= cut], "school")
    both = early.merge(whole, on=["unit", "date"], suffixes=("", "_whole"))
    np.testing.assert_allclose(both["p_value"], both["p_value_whole"], rtol=1e-9)


def test_alarm_bound_and_p_value_say_the_same() -> None:
    world = outbreaks.daily(306, schools=40, days=420, log_mean=(1.0, 1.0))
    found = detect_frame(table(world), "school", alpha=0.02).dropna(subset=["alarm"])
    alarm = found["alarm"] == 1
    assert alarm.sum() > 50
    assert (alarm == (found["count"] > found["upper_bound"])).all()
    assert (alarm == ((found["p_value"] < 0.02) & (found["count"] > 0))).all()


def test_false_discovery_control_is_stricter_where_little_happens() -> None:
    world = outbreaks.daily(307, schools=150, days=365, outbreaks=False)
    plain = detect_frame(table(world), "school", alpha=0.05)
    controlled = detect_frame(table(world), "school", fdr=0.05)
    days_with_any = controlled.groupby("date")["alarm"].max().fillna(0).mean()
    assert plain["alarm"].mean() > 0.03
    assert days_with_any < 0.15, (
        "on quiet days false-discovery control raises an alarm anywhere on 5 % of days"
    )


def test_a_district_shows_what_no_school_shows_alone() -> None:
    world = outbreaks.daily(308, schools=60, days=330, outbreaks=False, log_mean=(0.0, 0.3))
    days = np.flatnonzero(world.is_open)[-20:-17]
    for k, day in enumerate(days):
        world.counts[k * 10 : 30, day] += 1
    rows = table(world)
    last = pd.Timestamp(world.dates[days[-1]])
    districts = {unit: "east" if unit < "s030" else "west" for unit in rows["unit"].unique()}
    found = scan_groups(rows, districts, method="school", alpha=0.01)
    there = found[(found["date"] >= pd.Timestamp(world.dates[days[0]])) & (found["date"] <= last)]
    assert there[there["unit"] == "east"]["alarm"].max() == 1
    assert there[there["unit"] == "west"]["alarm"].max() == 0
    alone = detect_frame(rows, "school", alpha=0.01)
    assert alone[alone["date"].isin(there["date"])].groupby("date")["alarm"].sum().max() < 6


def test_series_too_short_or_empty_have_blanks() -> None:
    days = pd.date_range("2026-09-01", periods=30)
    df = pd.DataFrame({"unit": "a", "date": days, "count": 0})
    assert detect_frame(df, "school")["p_value"].isna().all()
    zeros = pd.DataFrame({"unit": "a", "t": np.arange(1, 201), "count": 0})
    found = detect_frame(zeros, "school")
    assert (found["alarm"].dropna() == 0).all()
    assert found["alarm"].notna().sum() == 160


@pytest.mark.parametrize("mean", [0.05, 0.8, 6.0, 60.0])
@pytest.mark.parametrize("phi", [1.0, 1.5, 4.0])
def test_tail_score_is_the_mid_p_value_on_the_normal_scale(mean: float, phi: float) -> None:
    count = np.arange(0.0, mean + 5 * np.sqrt(phi * mean) + 2)
    law = stats.poisson(mean) if phi == 1 else stats.nbinom(mean / (phi - 1), 1 / phi)
    exact = stats.norm.isf(law.sf(count) + 0.5 * law.pmf(count))
    ours = tail_score(count, np.array(mean), np.array(phi))
    near = np.abs(exact) < 4
    tolerance = 0.12 if mean >= 0.5 else 0.3
    np.testing.assert_allclose(ours[near], exact[near], atol=tolerance, err_msg=f"mean {mean}, phi {phi}")
    assert (np.diff(ours) > 0).all()


def test_large_counts_are_foretold_too() -> None:
    rng = np.random.default_rng(4)
    days = pd.date_range("2025-09-01", periods=160)
    rows = pd.DataFrame({"unit": "a", "date": days, "count": rng.poisson(1_000_000, len(days))})
    found = detect_frame(rows, "school").dropna(subset=["expected"])
    assert len(found) == 120
    np.testing.assert_allclose(found["expected"], 1_000_000, rtol=0.02)
    assert found["upper_bound"].between(found["count"].min(), 1_100_000).all()


def test_answers_do_not_hang_on_what_was_judged_before(monkeypatch: pytest.MonkeyPatch) -> None:
    own = table(outbreaks.daily(305, schools=12))
    detect_frame(table(outbreaks.daily(306, schools=12, strength=3.0)), "school")
    after = detect_frame(own, "school")
    monkeypatch.setattr(method, "DAILY", calibration.Calibration(DAILY_WINDOWS, DAILY_RECENT))
    pd.testing.assert_frame_equal(after, detect_frame(own, "school"), check_exact=True)
