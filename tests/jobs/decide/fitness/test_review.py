"""The review of classes: its statistics beside those of scipy, each kind of trouble on results made by hand,
and the whole on the truth of the city."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.fitness.review import YEARS, graded, year_of
from jobs.decide.fitness.review import review
from jobs.decide.fitness.suspicion import (
    beta_binomial_tail,
    combine,
    false_discovery,
    fisher,
    mean_of,
    set_right,
    stouffer,
    usual_share,
)


def test_tail_is_that_of_the_beta_binomial() -> None:
    hits, count = np.array([0.0, 3, 10, 30]), np.array([20.0, 20, 25, 30])
    share, spread = np.full(4, 0.2), 0.05
    mass = (1 - spread) / spread
    expected = stats.betabinom.sf(hits - 1, count, 0.2 * mass, 0.8 * mass)
    assert beta_binomial_tail(hits, count, share, spread) == pytest.approx(expected, rel=1e-9)
    assert beta_binomial_tail(hits, count, share, 0.0) == pytest.approx(stats.binom.sf(hits - 1, count, 0.2))
    assert beta_binomial_tail(np.zeros(1), np.zeros(1), np.array([0.2]), 0.1)[0] == 1


def test_usual_share_is_not_moved_by_the_classes_looked_for() -> None:
    rng = np.random.default_rng(1)
    count = np.full(1000, 30.0)
    hits = rng.binomial(30, 0.1, 1000).astype(float)
    hits[:30] = 30
    share, spread = usual_share(hits, count, least=0.001)
    assert share == pytest.approx(0.1, abs=0.01)
    assert spread < 0.06


def test_combinations_keep_their_level() -> None:
    rng = np.random.default_rng(2)
    parts = [rng.random(20_000) for _ in range(5)]
    for combined in (fisher(parts, 20_000), combine(parts)):
        assert (combined < 0.01).mean() == pytest.approx(0.01, abs=0.004)
    z = [stats.norm.isf(p) for p in parts]
    assert (stouffer(z, 20_000) < 0.01).mean() == pytest.approx(0.01, abs=0.003)


def test_no_test_that_applies_is_no_p_value() -> None:
    nothing = [np.full(3, np.nan)]
    for combined in (fisher(nothing, 3), combine(nothing), stouffer([], 3), mean_of([], 3)):
        assert np.isnan(combined).all()
    assert np.isnan(false_discovery(np.full(2, np.nan))).all()


def test_an_empirical_null_makes_too_small_p_values_honest() -> None:
    rng = np.random.default_rng(3)
    wide = stats.norm.sf(1.8 * rng.standard_normal(5_000))  # a test that overstates every oddness
    assert (wide < 0.001).mean() > 0.02
    assert (set_right(wide) < 0.001).mean() < 0.004


def honest(seed: int = 0, classes: int = 60, size: int = 30) -> pd.DataFrame:
    """Results of the first year of primary school, one class a school."""
    rng = np.random.default_rng(seed)
    count = classes * size
    skill = rng.standard_normal(count)
    return pd.DataFrame(
        {
            "school_code": [f"S{n // size:02d}" for n in range(count)],
            "class_code": "1101",
            "fitness_grade_code": 11,
            "sex_code": 1 + np.arange(count) % 2,
            "pupil_key": np.arange(count),
            "line_number": np.arange(count) + 2,
            "is_on_roll_of_school": True,
            "height_cm": np.round(122 + 5 * rng.standard_normal(count), 1),
            "weight_kg": np.round(23 + 2.5 * rng.standard_normal(count), 1),
            "vital_capacity_ml": np.round(1200 + 200 * skill + 100 * rng.standard_normal(count)),
            "run_50m_s": np.round(11 - 0.5 * skill + 0.4 * rng.standard_normal(count), 1),
            "sit_and_reach_cm": np.round(10 + 4 * rng.standard_normal(count), 1),
            "rope_skip_1min_count": np.round(
                np.clip(80 + 20 * skill + 15 * rng.standard_normal(count), 0, 250)
            ),
        }
    )


def test_honest_classes_are_left_alone() -> None:
    assert review(honest()).classes["is_flagged"].sum() <= 1


def heaped(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(
        vital_capacity_ml=(rows["vital_capacity_ml"] / 100).round() * 100,
        rope_skip_1min_count=(rows["rope_skip_1min_count"] / 10).round() * 10,
    )


def copied(rows: pd.DataFrame) -> pd.DataFrame:
    measured = rows.columns[rows.columns.get_loc("height_cm") :]
    changed = rows.copy()
    changed.loc[rows.index[10:20], measured] = rows[measured].iloc[:10].to_numpy()
    return changed


def in_jin(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(weight_kg=rows["weight_kg"] * 2)


def off_roll(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(is_on_roll_of_school=[False] * 8 + [True] * (len(rows) - 8))


@pytest.mark.parametrize(
    ("change", "test_code", "word"),
    [
        (heaped, "heaping", "整倍数"),
        (copied, "copied_rows", "完全相同"),
        (in_jin, "weight_unit", "体重指数"),
        (off_roll, "not_on_roll", "8 名"),
    ],
)
def test_each_trouble_is_found_and_put_into_words(change: object, test_code: str, word: str) -> None:
    rows = honest()
    own = rows["school_code"] == "S07"
    assert callable(change)
    rows = pd.concat([rows[~own], change(rows[own])])
    found = review(rows)
    first = found.classes.iloc[0]
    assert (first["school_code"], first["is_flagged"]) == ("S07", True)
    told = found.evidence.set_index(["school_code", "test_code"]).loc[("S07", test_code)]
    assert word in told["evidence"]
    assert bool(told["likely_repair"]) == (test_code == "weight_unit")
    school = found.schools.iloc[0]
    assert (school["school_code"], school["is_flagged"], school["flagged_class_count"]) == ("S07", True, 1)


def test_results_that_are_last_years_are_found() -> None:
    before = honest(seed=5)
    now = honest(seed=6).assign(fitness_grade_code=12)
    measured = list(now.columns[now.columns.get_loc("height_cm") :])
    own = now["school_code"] == "S03"
    now.loc[own, measured] = before.loc[own, measured]
    found = review(now, previous=before)
    assert found.classes.iloc[0]["school_code"] == "S03"
    assert "repeated_year" in set(found.evidence.loc[found.evidence["school_code"] == "S03", "test_code"])


def test_results_unlike_the_recheck_are_found() -> None:
    rows = honest(seed=8)
    rng = np.random.default_rng(9)
    again = rows[rows["school_code"].isin([f"S{n:02d}" for n in range(30)])].copy()
    again["vital_capacity_ml"] += rng.integers(-60, 60, len(again))
    again["run_50m_s"] += np.round(0.1 * rng.standard_normal(len(again)), 1)
    again["rope_skip_1min_count"] += rng.integers(-4, 5, len(again))
    own = rows["school_code"] == "S11"
    rows.loc[own, "rope_skip_1min_count"] += 40
    rows.loc[own, "vital_capacity_ml"] += 400
    found = review(rows, rechecks=again)
    assert ("S11", "unlike_recheck") in set(
        zip(found.evidence["school_code"], found.evidence["test_code"], strict=True)
    )


def test_few_small_classes_are_no_trouble() -> None:
    rows = honest(classes=3, size=4)
    found = review(rows, previous=rows.iloc[:2], rechecks=rows.iloc[:1])
    assert len(found.classes) == 3
    assert not found.classes["is_flagged"].any()
    assert not review(rows.assign(height_cm=None, weight_kg=None)).classes["is_flagged"].any()


def test_city_with_the_standard_faults_and_without() -> None:
    made, flagged, hit, clean = 0, 0, 0, []
    for seed in (1, 2):
        results, rechecks, truth = year_of(0.01, seed, "standard")
        now = truth[truth["school_year_start"] == str(YEARS[1])]
        rows = graded(review(results[YEARS[1]], results[YEARS[0]], rechecks[YEARS[1]]), now)
        is_made = rows["kind"].notna()
        made += int(is_made.sum())
        flagged += int(rows["is_flagged"].sum())
        hit += int((is_made & rows["is_flagged"]).sum())
        results, rechecks, _ = year_of(0.01, seed, "none")
        clean.append(review(results[YEARS[1]], results[YEARS[0]], rechecks[YEARS[1]]).classes["is_flagged"])
    assert made >= 15
    assert hit / made >= 0.8
    assert hit / flagged >= 0.9
    assert pd.concat(clean).mean() <= 0.01
