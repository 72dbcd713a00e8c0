"""Fitness: every statement of a test or recheck result, scored once; then what is decided from them."""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.functions import arrow_udf

from jobs import declare
from jobs.decide.fitness import nutrition, percentiles_job, review_job
from jobs.decide.fitness.spark import score_results
from jobs.decide.frames import typed
from jobs.lake import tables
from jobs.lake.runs import Run
from jobs.settings import Settings

INPUTS = review_job.INPUTS
# Uploads of schools and the bureau's own recheck are two kinds of figure: they never share a table.
SCORES = {
    "decision_fitness__score": ("clean_fitness__test_result", "test_date"),
    "decision_fitness__recheck_score": ("clean_fitness__recheck_sample", "recheck_date"),
}


def decide(settings: Settings, spark: SparkSession, run: Run) -> dict[str, int]:
    """Score every statement of a test or recheck result once, batch by batch; the history stays with the
    statements. Then judge which classes are to be reviewed, and fit percentiles
    on the others.
    """
    scored = {table: _score(settings, spark, run, table) for table in SCORES}
    reviewed = review_job.decide(settings, spark, run)
    return scored | reviewed | percentiles_job.decide(settings, spark, run)


def _score(settings: Settings, spark: SparkSession, run: Run, table: str) -> int:
    source, day = SCORES[table]
    results = tables.read(spark, settings, source)
    scored = tables.read(spark, settings, table).select("_batch_id").distinct()
    fresh = results.select("_batch_id").distinct().join(scored, on="_batch_id", how="left_anti")
    count = 0
    for row in sorted(fresh.collect()):
        batch = results.where(F.col("_batch_id") == row["_batch_id"])
        scores = _classed(score_results(_dated(batch, day)))
        tables.append(scores.select(*typed(table)), settings, table, row["_batch_id"], run.run_id)
        count += batch.count()
    return count


def _dated(results: DataFrame, day: str) -> DataFrame:
    """Results with `grade_key` beside the upload's code, and the statement's day where no test day is
    given.
    """
    grades = {
        row["fitness_code"]: row["code"] for row in declare.code_list("grade").rows if row["fitness_code"]
    }
    pairs = [word for code, key in grades.items() for word in (F.lit(int(code)), F.lit(key))]
    return results.withColumns(
        {
            "grade_key": F.try_element_at(F.create_map(*pairs), F.col("fitness_grade_code")),
            "test_date": F.coalesce(day, "valid_from"),
        }
    )


def _classed(scores: DataFrame) -> DataFrame:
    """With age in months and the national classes of BMI and height, where the day of birth is known."""
    if "birth_date" not in scores.columns:
        return scores
    names = ["sex_code", "birth_date", "test_date", "height_cm", "bmi"]

    @arrow_udf("national_bmi_class string, is_stunted boolean")  # type: ignore[call-overload]
    def classed(*columns: pa.Array) -> pa.Array:
        found = nutrition.classify(pa.RecordBatch.from_arrays(list(columns), names))
        return found.select(["national_bmi_class", "is_stunted"]).to_struct_array()

    months = F.floor(F.months_between("test_date", "birth_date", roundOff=False))
    with_classes = scores.withColumn("_classed", classed(*(F.col(name) for name in names)))
    return with_classes.withColumns(
        {
            "age_months": F.when(months.between(48, 300), months),
            # A text of a function brings a collation into Delta's schema, which other readers refuse.
            "national_bmi_class": F.col("_classed.national_bmi_class").cast("string"),
            "is_stunted": F.col("_classed.is_stunted"),
        }
    ).drop("_classed")
