"""Fitness results to be reviewed (待复核): uploads of the newest school years, judged class by class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from jobs.decide.fitness.review import METHOD, Review, review_parts, usual_of
from jobs.decide.fitness.review_frame import AGAIN, BEFORE, CLASS_KEY, COLUMN, Usual
from jobs.decide.frames import Spark, append_frame, known_on_disk
from jobs.lake.runs import Run
from jobs.lake.window import Window
from jobs.settings import Settings
from jobs.sql import literals, parquet

INPUTS = (
    "clean_fitness__test_result",
    "clean_fitness__recheck_sample",
    "clean_enrollment__pupil_roll",
)
UNITS, EVIDENCE = "decision_fitness__review", "decision_fitness__review_evidence"
# School years whose results may still be put right.
_REVIEWED_YEARS = 2
# Results of a year in one part, about; a part of so many takes some hundred megabytes.
_PART_ROWS = 100_000
# Lines as they stand in the file; nothing of a pupil, so that a key decides nothing.
_ORDER = "school_code, class_code, line_number, _file_sha256, _table"
_IS_SOUND = "(school_code, class_code) not in (select (school_code, class_code) from odd)"
_KEY = ["school_code", "class_code", "fitness_grade_code", "sex_code", "pupil_key"]


def decide(settings: Settings, _spark: Spark, run: Run) -> dict[str, int]:
    """Review the newest school years, each beside its year before, its recheck and its rolls.

    DuckDB keeps the results on disk, parted by school, and one part is tallied at a time: what is held grows
    with the classes, not with the pupils.
    """
    with known_on_disk(settings, run, ["test_result", "recheck_sample", "pupil_roll"]) as (lake, folder):
        results = _Results(lake, folder)
        newest = max(results.years, default=0)
        found = {year: results.review(year) for year in results.years if year > newest - _REVIEWED_YEARS}
    if not found:
        return {UNITS: 0, EVIDENCE: 0}
    units = pd.concat([_units(of_year, year) for year, of_year in found.items()], ignore_index=True)
    evidence = pd.concat([of.evidence.assign(school_year_start=year) for year, of in found.items()])
    append_frame(settings, run, UNITS, units)
    append_frame(settings, run, EVIDENCE, evidence.reset_index(drop=True))
    return {UNITS: len(units), EVIDENCE: len(evidence)}


class _Results:
    """First sittings and rechecks of the reviewed years and the year before them, in files of a folder.

    Only first sittings: who sits again is a chosen few.
    """

    def __init__(self, lake: Window, folder: Path) -> None:
        assert lake.connection is not None
        self._db, self._folder, self._part_count = lake.connection, folder, 1
        results = lake.of("newest_by_scope", "test_result")
        ((newest, most),) = self._ask(
            "select max(school_year_start), max(row_count) from"
            f" (select school_year_start, count(*) as row_count from {results} group by 1)"
        ).fetchall()
        self.years: list[int] = []
        if newest is None:
            return
        first = newest - _REVIEWED_YEARS
        self._part_count = -(-most // _PART_ROWS)
        self._write("sitting", _sittings(lake, first, self._part_count))
        self._write("recheck", _rechecks(lake, first))
        years = f"select distinct school_year_start from {self._of('sitting')} order by 1"
        self.years = [year for (year,) in self._ask(years).fetchall()]

    def review(self, year: int) -> Review:
        """Review one year; classes of the year before that look made up are left out of the comparison."""
        self._without([])
        usual_before = Usual()
        if year - 1 in self.years:
            odd = review_parts(lambda: self._parts(year - 1, is_alone=True), Usual()).classes
            self._without(odd.loc[odd["is_flagged"], CLASS_KEY].to_dict("records"))
            usual_before = usual_of(self._parts(year - 1, is_alone=True, are_sound=True))
        return review_parts(lambda: self._parts(year), usual_before)

    def _parts(self, year: int, *, is_alone: bool = False, are_sound: bool = False) -> Iterator[pd.DataFrame]:
        """The year's results, part by part, each beside the pupil's year before and recheck or alone."""
        for part in range(self._part_count):
            sitting = f"{self._of('sitting')} where school_year_start = {year} and part = {part}"
            if are_sound:
                sitting += f" and {_IS_SOUND}"
            beside = "" if is_alone else self._beside(year)
            columns = "" if is_alone else f"{_named('previous', BEFORE)}, {_named('again', AGAIN)}, "
            rows = self._ask(
                f"""
                with own as (select * from {sitting})
                select {columns}own.* exclude (pupil_key)
                from own {beside}
                order by {_ORDER}
                """
            ).to_arrow_table()
            if rows.num_rows:
                yield rows.to_pandas()

    def _beside(self, year: int) -> str:
        """Joins of the year before (of classes that do not look made up) and of the recheck, once a pupil."""
        mine = "pupil_key in (select pupil_key from own)"
        once = f"qualify row_number() over (partition by pupil_key order by {_ORDER}) = 1"
        return f"""
            left join (
                select * from {self._of("sitting")}
                where school_year_start = {year - 1} and {mine} and {_IS_SOUND} {once}
            ) as previous on own.pupil_key = previous.pupil_key
            left join (
                select * from {self._of("recheck")} where school_year_start = {year} and {mine} {once}
            ) as again on own.pupil_key = again.pupil_key
        """

    def _without(self, odd: Sequence[Mapping[Any, Any]]) -> None:
        schema = pa.schema([(name, pa.string()) for name in CLASS_KEY])
        self._db.register("_odd", pa.Table.from_pylist([*odd], schema=schema))
        self._db.execute("create or replace temp table odd as from _odd")

    def _write(self, name: str, query: str) -> None:
        file = literals(self._folder / f"{name}.parquet")
        self._db.execute(f"copy ({query}) to {file} (format parquet, row_group_size {_PART_ROWS})")

    def _of(self, name: str) -> str:
        return parquet(self._folder / f"{name}.parquet")

    def _ask(self, query: str) -> duckdb.DuckDBPyRelation:
        return self._db.sql(query)


def _sittings(lake: Window, first: int, part_count: int) -> str:
    """First sittings since a year; `is_on_roll_of_school` is null where the lake holds no roll of the school.

    Ordered by part, so that a part is read without the others.
    """
    rolls = lake.of("newest_by_scope", "pupil_roll")
    return f"""
        select {_columns("result")},
            case when school.school_code is not null then pupil.pupil_key is not null end
                as is_on_roll_of_school,
            hash(result.school_code) % {part_count} as part
        from {lake.of("newest_by_scope", "test_result")} as result
        left join (select distinct pupil_key, school_code, school_year_start from {rolls}) as pupil
            on result.pupil_key = pupil.pupil_key
            and result.school_code = pupil.school_code
            and result.school_year_start = pupil.school_year_start
        left join (select distinct school_code, school_year_start from {rolls}) as school
            on result.school_code = school.school_code
            and result.school_year_start = school.school_year_start
        where not coalesce(result.is_retest, false) and result.school_year_start >= {first}
        order by school_year_start, part
    """


def _rechecks(lake: Window, first: int) -> str:
    results = lake.of("newest_by_scope", "recheck_sample")
    return f"select {_columns('result')} from {results} as result where school_year_start >= {first}"


def _columns(alias: str) -> str:
    """What the review reads of a result; measures as numbers."""
    kept = [f"{alias}.{name}" for name in ("school_year_start", *_KEY, "_file_sha256", "_table")]
    measures = [f"cast({alias}.{column} as double) as {column}" for column in COLUMN.values()]
    return ", ".join([*kept, f"{alias}._line_number as line_number", *measures])


def _named(alias: str, prefix: str) -> str:
    """The columns that stand beside a result."""
    columns = ("fitness_grade_code", "sex_code", *COLUMN.values())
    return ", ".join(f"{alias}.{column} as {prefix}{column}" for column in columns)


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
