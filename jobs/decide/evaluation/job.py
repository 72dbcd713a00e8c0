"""Evaluation: the plan's indicators against base and target."""

from __future__ import annotations

import pandas as pd
from pyspark.sql import SparkSession

from jobs.decide.evaluation import indicators
from jobs.decide.frames import append_frame, in_force_rows
from jobs.lake.runs import Run
from jobs.settings import Settings

INPUTS = ("clean_evaluation__indicator_value",)


def decide(settings: Settings, spark: SparkSession, run: Run) -> dict[str, int]:
    """Hold the plan's indicators against base and target, by district and for the city."""
    values = in_force_rows(settings, spark, run, "indicator_value").select(
        "district_code", "indicator_code", "indicator_year", "indicator_value", "numerator", "denominator"
    )
    rows = indicators.evaluate([row.asDict() for row in values.collect()], run.as_of_date)
    table = "decision_evaluation__indicator"
    append_frame(settings, run, table, pd.DataFrame(rows))
    return {table: len(rows)}
