"""Evaluation: the plan's indicators, similar schools, the standards of balance, the supervision ladder."""

from __future__ import annotations

import pandas as pd

from jobs import declare
from jobs.decide.evaluation import indicators, plan_counts, plan_difference
from jobs.decide.evaluation.balance import decided as balance
from jobs.decide.evaluation.balance import lake as balance_lake
from jobs.decide.evaluation.compare import read as compared
from jobs.decide.evaluation.compare import similar
from jobs.decide.evaluation.ladder import climb, signals, told
from jobs.decide.evaluation.ladder import read as ladder
from jobs.decide.evaluation.ladder.rules import rules
from jobs.decide.frames import Spark, append_frame, known_on_disk, known_to
from jobs.decide.rounding import exact
from jobs.lake.runs import Run
from jobs.settings import Settings

DATASETS = tuple(dict.fromkeys(("indicator_value", *compared.DATASETS, *ladder.DATASETS)))
INPUTS = tuple(
    declare.load()[dataset].table
    for dataset in dict.fromkeys((*DATASETS, *balance_lake.DATASETS, *plan_counts.DATASETS))
)
# Deadlines and waits of the ladder pass without a new row: a new day is judged anew.
EACH_DAY = True


def decide(settings: Settings, spark: Spark, run: Run) -> dict[str, int]:
    """Hold the plan's indicators against base, path, target and what the lake counts, choose whom each school
    compares with, hold schools and districts against the standards of balance, and move districts on the
    supervision ladder.
    """
    day = run.as_of_date
    with known_to(settings, run, (*DATASETS, ladder.TABLE), spark) as lake:
        values = lake.arrow(
            "select district_code, indicator_code, indicator_year, indicator_value, numerator, denominator"
            f" from {lake.of('newest_by_scope', 'indicator_value')}"
            " order by district_code, indicator_code, indicator_year"
        )
        schools = compared.schools(lake, day)
        seen = ladder.signals_of_the_lake(lake, day)
        actions, before = ladder.memory(lake)
    sets, members = similar.similar(schools, similar.weights(day))
    zones = {row["code"]: row.get("zone_code") or "" for row in declare.code_list("district").rows}
    judged = indicators.evaluate(values.to_pylist(), day, zones)
    first = min((row["indicator_year"] for row in judged), default=day.year)
    counted = plan_counts.counted(settings, run, first)
    balanced = _balance(settings, run)
    verdicts = balanced["decision_evaluation__balance_verdict"]
    seen += [*signals.of_plan(judged), *signals.of_balance(ladder.records(verdicts))]
    steps = climb.climbed(seen, actions, before, rules(day), day)
    made = {
        "decision_evaluation__indicator": pd.DataFrame(judged),
        plan_counts.TABLE: counted,
        plan_difference.TABLE: pd.DataFrame(
            plan_difference.differences(counted, judged, zones), dtype=object
        ),
        "decision_evaluation__similar_set": schools.merge(sets, on=similar.BY, validate="1:1"),
        "decision_evaluation__similar_school": members,
        ladder.TABLE: pd.DataFrame([told.row_of(step) for step in steps]),
    }
    made = {table: exact(table, rows) for table, rows in made.items()} | balanced
    for table, rows in made.items():
        append_frame(settings, run, table, rows)
    return {table: len(rows) for table, rows in made.items()}


def _balance(settings: Settings, run: Run) -> dict[str, pd.DataFrame]:
    """Rows of each table of balance."""
    with known_on_disk(settings, run, balance_lake.DATASETS) as (lake, _):
        known = balance_lake.known(lake, run.as_of_date)
    made = balance.decided(known, run.as_of_date) if known else {name: [] for name in balance.TABLES}
    # As objects: whole numbers with gaps would become floats.
    return {
        f"decision_evaluation__balance_{name}": pd.DataFrame(rows, dtype=object)
        for name, rows in made.items()
    }
