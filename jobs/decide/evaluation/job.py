"""Evaluation: the plan's indicators against base and target."""

from __future__ import annotations

import pandas as pd

from jobs.decide.evaluation import indicators
from jobs.decide.frames import Spark, append_frame, known_to
from jobs.lake.runs import Run
from jobs.settings import Settings

INPUTS = ("clean_evaluation__indicator_value",)


def decide(settings: Settings, spark: Spark, run: Run) -> dict[str, int]:
    """Hold the plan's indicators against base and target, by district and for the city."""
    with known_to(settings, run, ["indicator_value"], spark) as lake:
        values = lake.arrow(
            "select district_code, indicator_code, indicator_year, indicator_value, numerator, denominator"
            f" from {lake.of('newest_by_scope', 'indicator_value')}"
            " order by district_code, indicator_code, indicator_year"
        )
    rows = indicators.evaluate(values.to_pylist(), run.as_of_date)
    table = "decision_evaluation__indicator"
    append_frame(settings, run, table, pd.DataFrame(rows))
    return {table: len(rows)}
