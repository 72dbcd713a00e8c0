"""Percentile curves by sex and age, fitted on the lake's own results of the two newest school years."""

from __future__ import annotations

import pandas as pd

from jobs.decide.fitness.percentiles import curves
from jobs.decide.fitness.review_frame import COLUMN
from jobs.decide.fitness.review_job import odd_classes
from jobs.decide.frames import Spark, append_frame, known_to
from jobs.lake.runs import Run
from jobs.settings import Settings

SCORES, CURVES = "decision_fitness__score", "decision_fitness__percentile"
_YEARS = 2


def decide(settings: Settings, spark: Spark, run: Run) -> dict[str, int]:
    """Fit every item and sex on first sittings in force, without the classes that are to be reviewed."""
    items = {**COLUMN, "bmi": "bmi"}
    keys = ["school_year_start", "school_code", "class_code", "pupil_key", "sex_code", "age_months"]
    measures = [f"cast({column} as double) as {column}" for column in items.values()]
    with known_to(settings, run, [SCORES], spark) as lake:
        first = (
            f"from {lake.of('newest_by_scope', SCORES)}"
            " where not coalesce(is_retest, false) and age_months is not null"
        )
        (newest,) = lake.arrow(f"select max(school_year_start) as year {first}")["year"].to_pylist()
        if newest is None:
            return {CURVES: 0}
        rows = lake.frame(
            f"select {', '.join([*keys, *measures])} {first} and school_year_start > {newest - _YEARS}"
        )
    rows = rows.merge(odd_classes(settings, run), how="left", on=keys[:3], indicator="_found")
    # In one order whatever the engine gave, so that the same lake has the same curves.
    rows = rows[rows["_found"] == "left_only"].sort_values(keys, kind="stable")
    found = curves(rows, items)
    found["pupil_count"] = found["pupil_count"].astype("int32") if len(found) else pd.Series(dtype="int32")
    append_frame(settings, run, CURVES, found)
    return {CURVES: len(found)}
