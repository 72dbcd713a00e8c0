"""Fitness results to be reviewed (待复核): uploads of the newest school years, judged class by class."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd

from jobs.decide.fitness.review import METHOD, Review, review
from jobs.decide.fitness.review_frame import COLUMN
from jobs.decide.frames import Spark, append_frame, known_to
from jobs.lake import tables
from jobs.lake.runs import Run
from jobs.lake.window import Window
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


def decide(settings: Settings, spark: Spark, run: Run) -> dict[str, int]:
    """Review the newest school years, each beside its year before, its recheck and its rolls."""
    with known_to(settings, run, ["test_result", "recheck_sample", "pupil_roll"], spark) as lake:
        results = lake.of("newest_by_scope", "test_result")
        (newest,) = lake.arrow(f"select max(school_year_start) as year from {results}")["year"].to_pylist()
        if newest is None:
            return {UNITS: 0, EVIDENCE: 0}
        years = range(newest - _REVIEWED_YEARS, newest + 1)
        uploads = _by_year(_uploads(lake, years))
        seconds = _by_year(_rechecks(lake, years))
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


def _uploads(lake: Window, years: range) -> pd.DataFrame:
    """First sittings with `is_on_roll_of_school`; null where the lake holds no roll of the school then.

    Only first sittings: who sits again is a chosen few.
    """
    rolls = lake.of("newest_by_scope", "pupil_roll")
    return lake.frame(
        f"""
        select {_columns("result")},
            case when school.school_code is not null then pupil.pupil_key is not null end
                as is_on_roll_of_school
        from {lake.of("newest_by_scope", "test_result")} as result
        left join (select distinct pupil_key, school_code, school_year_start from {rolls}) as pupil
            on result.pupil_key = pupil.pupil_key
            and result.school_code = pupil.school_code
            and result.school_year_start = pupil.school_year_start
        left join (select distinct school_code, school_year_start from {rolls}) as school
            on result.school_code = school.school_code
            and result.school_year_start = school.school_year_start
        where not coalesce(result.is_retest, false)
            and result.school_year_start between {years[0]} and {years[-1]}
        """
    )


def _rechecks(lake: Window, years: range) -> pd.DataFrame:
    return lake.frame(
        f"""
        select {_columns("result")} from {lake.of("newest_by_scope", "recheck_sample")} as result
        where result.school_year_start between {years[0]} and {years[-1]}
        """
    )


def _columns(alias: str) -> str:
    """What the review reads of a result; measures as numbers."""
    kept = [f"{alias}.{name}" for name in ("school_year_start", *_KEY)]
    measures = [f"cast({alias}.{column} as double) as {column}" for column in COLUMN.values()]
    return ", ".join([*kept, f"{alias}._line_number as line_number", *measures])


def _by_year(rows: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """Rows by school year, in the order of their lines."""
    whole = rows.sort_values(["school_year_start", *_KEY[:2], "line_number", "pupil_key"], kind="stable")
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
