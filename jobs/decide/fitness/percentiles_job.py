"""Percentile curves by sex and age, fitted on the lake's own results of the two newest school years."""

from __future__ import annotations

import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import declare
from jobs.decide.fitness.percentiles import curves
from jobs.decide.fitness.review_frame import COLUMN
from jobs.decide.fitness.review_job import odd_classes
from jobs.decide.frames import append_frame
from jobs.lake import persons, tables
from jobs.lake.history import in_force
from jobs.lake.runs import Run
from jobs.settings import Settings

SCORES, CURVES = "decision_fitness__score", "decision_fitness__percentile"
_YEARS = 2


def decide(settings: Settings, spark: SparkSession, run: Run) -> dict[str, int]:
    """Fit every item and sex on first sittings in force, without the classes that are to be reviewed."""
    contract = declare.load()[declare.STATEMENTS_OF[SCORES]]
    scores = persons.resolved(spark, settings, tables.read(spark, settings, SCORES), run.known_at)
    known = in_force(scores, contract, run.as_of_date, run.known_at)
    known = known.where(~F.coalesce("is_retest", F.lit(False)) & F.col("age_months").isNotNull())
    newest = known.agg(F.max("school_year_start")).first()
    if newest is None or newest[0] is None:
        return {CURVES: 0}
    items = {**COLUMN, "bmi": "bmi"}
    measures = [F.col(column).cast("double").alias(column) for column in items.values()]
    keys = ["school_year_start", "school_code", "class_code", "pupil_key", "sex_code", "age_months"]
    rows = known.where(F.col("school_year_start") > newest[0] - _YEARS).select(*keys, *measures).toPandas()
    rows = rows.merge(odd_classes(settings, run), how="left", on=keys[:3], indicator="_found")
    # In one order whatever the engine gave, so that the same lake has the same curves.
    rows = rows[rows["_found"] == "left_only"].sort_values(keys, kind="stable")
    found = curves(rows, items)
    found["pupil_count"] = found["pupil_count"].astype("int32") if len(found) else pd.Series(dtype="int32")
    append_frame(settings, run, CURVES, found)
    return {CURVES: len(found)}
