"""Errors of past forecasts by level, grades and lead: what was forecast beside what came."""

from __future__ import annotations

import pandas as pd

from jobs.decide.places.forecast import ALL_GRADES, MIN_TARGET_PUPILS
from jobs.decide.places.ladder import stage_spans

# The forecast's words for its levels, and the column of `units` that names them.
UNIT_OF = {"unit": "school", "area": "area", "parent": "district", "zone": "zone", "total": "city"}
_BY = ["level", "grade", "lead"]


def scored(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with `forecast`, its bounds and the `pupils` that came, scored: `error` (signed) and `score_80` in
    percent of the pupils, `held_80` and `held_90` (1 where the interval holds them, else 0)."""
    came, found = rows["pupils"], {"error": 100 * (rows["forecast"] / rows["pupils"] - 1)}
    for share in (80, 90):
        lower, upper = rows[f"lower_{share}"], rows[f"upper_{share}"]
        missed = (lower - came).clip(lower=0) + (came - upper).clip(lower=0)
        found[f"held_{share}"] = (missed == 0).astype(float).where(lower.notna())
        if share == 80:
            found["score_80"] = 100 * (upper - lower + 2 / (1 - share / 100) * missed) / came
    return rows.assign(**found)


def past_errors(past: pd.DataFrame, counts: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Scored rows of `past` (forecasts of past origins as `backtest_frame` gives them) whose year has come.

    `counts` as returned, grades as years on the ladder; `units` with the units above each school. Stages,
    their first grades and all grades, of units with at least MIN_TARGET_PUPILS in the year and some at the
    origin.
    """
    spans = stage_spans()
    keys = [ALL_GRADES, *spans, *(grades[0] for grades in spans.values())]
    came = _came(counts, units, keys)
    shown = past[past["grade"].isin(keys)]
    both = shown.merge(came, on=["level", "unit", "grade", "year"])
    stood = came.rename(columns={"year": "origin", "pupils": "stood"})
    both = both.merge(stood, on=["level", "unit", "grade", "origin"])
    return scored(both[(both["pupils"] >= MIN_TARGET_PUPILS) & (both["stood"] > 0)])


def mean_errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Scored rows, mean over units and then over origins: `level`, `grade`, `lead`, `origin_count`,
    `unit_count`, `mape`, `bias`, `held_80`, `held_90`, `score_80`."""
    rows = rows.assign(mape=rows["error"].abs(), bias=rows["error"], unit_count=1)
    means = dict.fromkeys(("mape", "bias", "held_80", "held_90", "score_80"), "mean")
    by_origin = rows.groupby([*_BY, "origin"]).agg(means | {"unit_count": "sum"}).reset_index()
    found = by_origin.groupby(_BY).agg(means | {"unit_count": "sum", "origin": "size"})
    return found.rename(columns={"origin": "origin_count"}).reset_index()


def _came(counts: pd.DataFrame, units: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Pupils by level, unit, grade (`keys`) and year."""
    stage_of = {grade: stage for stage, grades in stage_spans().items() for grade in grades}
    named = counts[["unit", "year", "grade", "enrollment"]].rename(columns={"unit": "school"})
    named = named.assign(grade=named["grade"].astype(str)).merge(units, on="school")
    of_spans = [named[named["grade"].isin(keys)], named.assign(grade=named["grade"].map(stage_of))]
    every = pd.concat([*of_spans, named.assign(grade=ALL_GRADES)])
    found = []
    for level, column in UNIT_OF.items():
        own = every[every[column] != ""].groupby([column, "grade", "year"])["enrollment"].sum()
        found.append(own.rename("pupils").rename_axis(["unit", "grade", "year"]).reset_index())
        found[-1]["level"] = level
    return pd.concat(found, ignore_index=True)
