"""The Spark job is the same core: equal rows, columns kept, null is not zero."""

from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.decide.fitness.score import OUTPUT_SCHEMA, score
from jobs.decide.fitness.spark import score_results
from jobs.decide.fitness.standard import Settings


def results() -> pa.Table:
    """Boys and girls of grades 13 and 21, some with blanks."""
    counts = list(range(0, 60, 3))
    length = len(counts)
    return pa.table(
        {
            "school_code": pa.array([f"s{n}" for n in range(length)]),
            "fitness_grade_code": pa.array([13, 21] * (length // 2), pa.int32()),
            "sex_code": pa.array(["1", "1", "2", "2"] * (length // 4)),
            "height_cm": pa.array([Decimal("150.5")] * length, pa.decimal128(4, 1)),
            "weight_kg": pa.array([Decimal("40.2")] * (length - 1) + [None], pa.decimal128(4, 1)),
            "vital_capacity_ml": pa.array([1500 + 100 * n for n in counts], pa.int32()),
            "run_50m_s": pa.array([Decimal("7.51") + n for n in range(length)], pa.decimal128(4, 2)),
            "sit_and_reach_cm": pa.array([Decimal(n) / 2 - 10 for n in counts], pa.decimal128(4, 1)),
            "rope_skip_1min_count": pa.array(counts, pa.int32()),
            "sit_up_1min_count": pa.array(counts, pa.int32()),
            "standing_long_jump_cm": pa.array([150 + n for n in counts], pa.int32()),
            "pull_up_count": pa.array([n // 3 for n in counts], pa.int32()),
            "run_1000m_s": pa.array([Decimal(200 + 4 * n) for n in counts], pa.decimal128(6, 2)),
            "run_800m_s": pa.array([Decimal(200 + 4 * n) for n in counts], pa.decimal128(6, 2)),
        }
    )


def test_spark_and_the_core_give_equal_rows(spark: SparkSession) -> None:
    given = results()
    scored = score_results(spark.createDataFrame(given)).orderBy("run_50m_s").toArrow()
    expected = score(given.rename_columns({"fitness_grade_code": "grade_code"}))
    assert scored.column_names == [*given.column_names, *OUTPUT_SCHEMA.names]
    assert scored.select(given.column_names).to_pylist() == given.to_pylist()
    assert scored.select(OUTPUT_SCHEMA.names).to_pylist() == expected.to_pylist()
    assert set(scored["status"].to_pylist()) == {"scored", "incomplete"}


def test_settings_travel_to_the_workers(spark: SparkSession) -> None:
    given = spark.createDataFrame(results()).drop("pull_up_count")
    scored = score_results(given, Settings(missing_item="zero")).where("points_vital_capacity is not null")
    assert scored.where("total_score is null").count() == 0
    assert score_results(given).where("total_score is null").count() == 6


def test_a_given_bmi_is_replaced_by_the_one_scored(spark: SparkSession) -> None:
    given = spark.createDataFrame(
        pa.table({"grade_code": ["11"], "sex_code": ["1"], "bmi": ["18.146"], "note": ["n"]})
    )
    (row,) = score_results(given).collect()
    assert (row["bmi"], row["points_bmi"], row["note"]) == (Decimal("18.1"), 100, "n")


def test_other_readers_open_the_delta_table(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "scored")
    score_results(spark.createDataFrame(results())).write.format("delta").save(path)
    listed = duckdb.read_parquet(DeltaTable(path).file_uris())
    assert listed.shape[0] == 20
