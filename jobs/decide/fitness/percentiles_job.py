"""Percentile curves by sex and age, fitted on the lake's own results of the two newest school years."""

from __future__ import annotations

import pandas as pd

from jobs.decide.fitness.percentiles import curves
from jobs.decide.fitness.review_frame import COLUMN
from jobs.decide.fitness.review_job import UNITS
from jobs.decide.frames import Spark, append_frame, known_on_disk
from jobs.lake.history import WRITTEN
from jobs.lake.runs import Run
from jobs.lake.window import Window
from jobs.settings import Settings
from jobs.sql import literals

SCORES, CURVES = "decision_fitness__score", "decision_fitness__percentile"
_YEARS = 2
_ITEMS = {**COLUMN, "bmi": "bmi"}


def decide(settings: Settings, _spark: Spark, run: Run) -> dict[str, int]:
    """Fit every item and sex on first sittings in force, without the classes that are to be reviewed."""
    with known_on_disk(settings, run, [SCORES, UNITS]) as (lake, _):
        counted = _counted(lake, run)
    found = curves(counted)
    found["pupil_count"] = found["pupil_count"].astype("int32") if len(found) else pd.Series(dtype="int32")
    append_frame(settings, run, CURVES, found)
    return {CURVES: len(found)}


def _counted(lake: Window, run: Run) -> pd.DataFrame:
    """How many pupils have each value at each age: the columns that `curves` takes.

    The engine counts, so that the rows here do not grow with the pupils: a value is written with few digits.
    """
    sittings = f"{lake.of('newest_by_scope', SCORES)} as result where not coalesce(is_retest, false)"
    newest = f"select max(school_year_start) from {sittings} and age_months is not null"
    measures = ", ".join(f"cast({column} as double) as {column}" for column in _ITEMS.values())
    sets = ", ".join(f"(sex_code, age_months, {column})" for column in _ITEMS.values())
    found = lake.frame(
        f"""
        select sex_code, age_months, {", ".join(_ITEMS.values())}, count(*) as pupil_count
        from (
            select sex_code, age_months, {measures} from {sittings}
                and age_months is not null
                and sex_code in ('1', '2')
                and school_year_start > ({newest}) - {_YEARS}
                and not exists (
                    select 1 from {lake.of(WRITTEN, UNITS)} as odd
                    where odd.run_id = {literals(run.run_id)}
                        and odd.review_level = 'class'
                        and odd.is_flagged
                        and odd.school_year_start = result.school_year_start
                        and odd.school_code = result.school_code
                        and odd.class_code = result.class_code
                )
        ) as first_sittings
        group by grouping sets ({sets})
        """
    )
    parts = [
        found.loc[found[column].notna(), ["sex_code", "age_months", "pupil_count"]].assign(
            item_code=item, item_value=found[column].dropna()
        )
        for item, column in _ITEMS.items()
    ]
    return pd.concat(parts, ignore_index=True)
