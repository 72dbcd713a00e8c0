"""Fitness results to be reviewed (待复核): uploads of the newest school years, judged class by class."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.decide.fitness.review import METHOD, Review, review
from jobs.decide.fitness.review_frame import COLUMN
from jobs.decide.frames import append_frame, in_force_rows
from jobs.lake import tables
from jobs.lake.runs import Run
from jobs.settings import Settings

INPUTS = (
    "clean_fitness__test_result",
    "clean_fitness__recheck_sample",
    "clean_enrollment__pupil_roll",
)
UNITS, EVIDENCE = "decision_fitness__review", "decision_fitness__review_evidence"
# School years whose results may still be put right.
_REVIEWED_YEARS = 2
_CLASS = ["school_year_start", "school_code", "class_code"]
_KEY = ["school_code", "class_code", "fitness_grade_code", "sex_code", "pupil_key"]


def decide(settings: Settings, spark: SparkSession, run: Run) -> dict[str, int]:
    """Review the newest school years, each beside its year before, its recheck and its rolls."""
    results = in_force_rows(settings, spark, run, "test_result")
    rechecks = in_force_rows(settings, spark, run, "recheck_sample")
    newest = results.agg(F.max("school_year_start")).first()
    if newest is None or newest[0] is None:
        return {UNITS: 0, EVIDENCE: 0}
    years = range(newest[0] - _REVIEWED_YEARS, newest[0] + 1)
    # Only first sittings: who sits again is a chosen few.
    first = results.where(~F.coalesce("is_retest", F.lit(False)) & F.col("school_year_start").isin(*years))
    uploads = _by_year(_with_roll(first, in_force_rows(settings, spark, run, "pupil_roll")))
    seconds = _by_year(rechecks.where(F.col("school_year_start").isin(*years)))
    found = {
        year: review(uploads[year], uploads.get(year - 1), seconds.get(year))
        for year in years[1:]
        if year in uploads
    }
    if not found:
        return {UNITS: 0, EVIDENCE: 0}
    units = pd.concat([_units(of_year, year) for year, of_year in found.items()], ignore_index=True)
    evidence = pd.concat([of.evidence.assign(school_year_start=year) for year, of in found.items()])
    append_frame(settings, run, UNITS, units)
    append_frame(settings, run, EVIDENCE, evidence.reset_index(drop=True))
    return {UNITS: len(units), EVIDENCE: len(evidence)}


def odd_classes(settings: Settings, run: Run) -> pd.DataFrame:
    """`school_year_start, school_code, class_code` of the classes that this run found to be reviewed."""
    columns = ["run_id", "review_level", "is_flagged", *_CLASS]
    found = [
        {name: row[name] for name in _CLASS}
        for row in tables.rows(settings, UNITS, columns)
        if row["run_id"] == run.run_id and row["review_level"] == "class" and row["is_flagged"]
    ]
    return pd.DataFrame(found, columns=_CLASS).astype({"school_year_start": "int32"})


def _with_roll(results: DataFrame, rolls: DataFrame) -> DataFrame:
    """Results with `is_on_roll_of_school`; null where the lake holds no roll of the school in that year."""
    of_school = ["school_code", "school_year_start"]
    pupils = rolls.select("pupil_key", *of_school).distinct().withColumn("_is_on", F.lit(True))
    schools = rolls.select(*of_school).distinct().withColumn("_has_roll", F.lit(True))
    joined = results.join(pupils, on=["pupil_key", *of_school], how="left").join(
        F.broadcast(schools), on=of_school, how="left"
    )
    return joined.withColumn(
        "is_on_roll_of_school", F.when(F.col("_has_roll"), F.coalesce("_is_on", F.lit(False)))
    )


def _by_year(rows: DataFrame) -> dict[int, pd.DataFrame]:
    """Rows by school year, in the order of their lines; measures as numbers."""
    measures = [F.col(column).cast("double").alias(column) for column in COLUMN.values()]
    more = [F.col(name) for name in ("is_on_roll_of_school",) if name in rows.columns]
    line = F.col("_line_number").alias("line_number")
    whole = rows.select("school_year_start", *_KEY, line, *measures, *more).toPandas()
    whole = whole.sort_values(["school_year_start", *_KEY[:2], "line_number", "pupil_key"], kind="stable")
    years = whole["school_year_start"].astype(int)
    return {year: whole[years == year].reset_index(drop=True) for year in sorted(set(years.tolist()))}


def _units(found: Review, year: int) -> pd.DataFrame:
    """Classes and schools in one table."""
    classes = found.classes.assign(
        review_level="class", class_count=1, flagged_class_count=found.classes["is_flagged"].astype(int)
    )
    schools = found.schools.assign(review_level="school")
    both = pd.concat([classes, schools], ignore_index=True)
    both = both.assign(
        q_value=both["q_value"].map(lambda value: _decimal(value, 8)),
        suspicion_score=both["suspicion_score"].map(lambda value: _decimal(value, 3)),
        fitness_grade_code=both["fitness_grade_code"].astype("Int32"),
        school_year_start=year,
        method=METHOD,
    )
    text = ["class_code", "main_test_code"]
    both[text] = both[text].astype(object).where(both[text].notna(), None)
    return both


def _decimal(value: float, places: int) -> Decimal | None:
    return Decimal(f"{value:.{places}f}") if pd.notna(value) else None
