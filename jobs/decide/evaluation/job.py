"""Evaluation: the plan's indicators, schools beside similar ones, districts by the standards of balance."""

from __future__ import annotations

import pandas as pd

from jobs import declare
from jobs.decide.evaluation import indicators
from jobs.decide.evaluation.balance import decided as balance
from jobs.decide.evaluation.balance import lake as balance_lake
from jobs.decide.evaluation.compare import read as compared
from jobs.decide.evaluation.compare import similar
from jobs.decide.frames import Spark, append_frame, known_on_disk, known_to
from jobs.decide.rounding import exact
from jobs.lake.runs import Run
from jobs.settings import Settings

DATASETS = ("indicator_value", *compared.DATASETS)
INPUTS = tuple(
    declare.load()[dataset].table for dataset in dict.fromkeys((*DATASETS, *balance_lake.DATASETS))
)


def decide(settings: Settings, spark: Spark, run: Run) -> dict[str, int]:
    """Hold the plan's indicators against base, path and target, choose whom each school compares with, and
    hold schools and districts against the standards of balance."""
    with known_to(settings, run, DATASETS, spark) as lake:
        values = lake.arrow(
            "select district_code, indicator_code, indicator_year, indicator_value, numerator, denominator"
            f" from {lake.of('newest_by_scope', 'indicator_value')}"
            " order by district_code, indicator_code, indicator_year"
        )
        schools = compared.schools(lake, run.as_of_date)
    sets, members = similar.similar(schools, similar.weights(run.as_of_date))
    zones = {row["code"]: row.get("zone_code") or "" for row in declare.code_list("district").rows}
    made = {
        "decision_evaluation__indicator": pd.DataFrame(
            indicators.evaluate(values.to_pylist(), run.as_of_date, zones)
        ),
        "decision_evaluation__similar_set": schools.merge(sets, on=similar.BY, validate="1:1"),
        "decision_evaluation__similar_school": members,
    }
    for table, rows in made.items():
        append_frame(settings, run, table, exact(table, rows))
    return {table: len(rows) for table, rows in made.items()} | _balance(settings, run)


def _balance(settings: Settings, run: Run) -> dict[str, int]:
    with known_on_disk(settings, run, balance_lake.DATASETS) as (lake, _):
        known = balance_lake.known(lake, run.as_of_date)
    made = balance.decided(known, run.as_of_date) if known else {name: [] for name in balance.TABLES}
    counts = {}
    for name, rows in made.items():
        table = f"decision_evaluation__balance_{name}"
        # As objects: whole numbers with gaps would become floats.
        append_frame(settings, run, table, pd.DataFrame(rows, dtype=object))
        counts[table] = len(rows)
    return counts
