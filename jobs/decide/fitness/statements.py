"""Scores of statements: what a clean row of a test or a recheck says, with its points, classes and age."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from jobs import declare
from jobs.decide.fitness import nutrition
from jobs.decide.fitness.exact_numbers import State, day_numbers
from jobs.decide.fitness.score import INPUT_COLUMNS, OUTPUT_SCHEMA, score
from jobs.decide.fitness.standard import DEFAULTS, ScoringOptions

# Ages outside are slips of the pen in the day of birth: 4 to 25 years.
_AGE_MONTHS = (48, 300)


def score_statements(statements: pa.Table, day: str, settings: ScoringOptions = DEFAULTS) -> pa.Table:
    """Score each statement: one row out for each row in, in order.

    In: clean rows with `fitness_grade_code`, `sex_code`, the test's day in column `day` (where it is null,
    `valid_from` counts), and any of `score.MEASURE_COLUMNS` (decimals or integers; null is "not tested") and
    `score.OPTIONAL_COLUMNS`. Out: their columns, `test_date`, `grade_key`, and `score.OUTPUT_SCHEMA`, whose
    columns replace those of the same name (`bmi`). With `birth_date` also `age_months`, `national_bmi_class`
    and `is_stunted`. Raises TypeError for binary floats.
    """
    columns = dict(zip(statements.column_names, statements.columns, strict=True))
    columns["test_date"] = pc.coalesce(columns[day], columns["valid_from"])
    columns["grade_key"] = _grade_keys(columns["fitness_grade_code"])
    asked = {"grade_code": columns["fitness_grade_code"]} | {
        name: columns[name] for name in INPUT_COLUMNS if name in columns
    }
    points = score(pa.table(asked), settings)
    columns |= dict(zip(OUTPUT_SCHEMA.names, points.columns, strict=True))
    if "birth_date" in columns:
        classes = nutrition.classify(pa.table(columns))
        columns |= {name: classes[name] for name in ("national_bmi_class", "is_stunted")}
        columns["age_months"] = _age_months(columns["birth_date"], columns["test_date"])
    return pa.table(columns)


@lru_cache(maxsize=1)
def _grades() -> pa.Table:
    rows = [row for row in declare.code_list("grade").rows if row["fitness_code"]]
    codes, keys = [int(row["fitness_code"]) for row in rows], [row["code"] for row in rows]
    return pa.table({"code": pa.array(codes, pa.int32()), "key": pa.array(keys, pa.string())})


def _grade_keys(codes: pa.ChunkedArray) -> pa.ChunkedArray:
    """The grade of the ladder for the upload's code; null for a code that no grade has."""
    at = pc.index_in(codes.cast(pa.int32()), value_set=_grades()["code"], skip_nulls=True)
    return _grades()["key"].take(at)


def _age_months(born: pa.ChunkedArray, day: pa.ChunkedArray) -> pa.Array:
    """Completed months of age; null where a day is missing or the age is outside `_AGE_MONTHS`."""
    birth, test = day_numbers(born.combine_chunks()), day_numbers(day.combine_chunks())
    months = completed_months(birth.scaled, test.scaled)
    known = (birth.state == State.VALUE) & (test.state == State.VALUE)
    known &= (months >= _AGE_MONTHS[0]) & (months <= _AGE_MONTHS[1])
    return pa.array(months, pa.int32(), mask=~known)


def completed_months(since: NDArray[np.int64], until: NDArray[np.int64]) -> NDArray[np.int64]:
    """Completed months between days since 1970. The last day of a month completes one begun on a last day,
    as in Spark's and Oracle's `months_between`."""
    first, last = since.astype("datetime64[D]"), until.astype("datetime64[D]")
    first_month, last_month = first.astype("datetime64[M]"), last.astype("datetime64[M]")
    months = (last_month - first_month).astype(np.int64)
    begun = (last - last_month) < (first - first_month)
    one = np.timedelta64(1, "D")
    both_end = ((first + one).astype("datetime64[M]") != first_month) & (
        (last + one).astype("datetime64[M]") != last_month
    )
    return months - (begun & ~both_end)
