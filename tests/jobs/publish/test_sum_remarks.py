"""A sum that a mart says is none is remarked upon; one that is right is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from jobs.publish import sum_remarks


def table(grain: list[str], marks: dict[str, str], **columns: list[str] | None) -> dict[str, Any]:
    told = [{"name": name, "additive_over": over} for name, over in columns.items()]
    return {"grain": grain, "total_marks": marks, "columns": told}


KEYS = ["unit_level", "unit_code", "school_year_start", "grade_key"]
TABLES = {
    "fct_rate_year": table(
        KEYS,
        {"grade_key": "is_grade_total"},
        **dict.fromkeys(KEYS),
        school_year=None,
        district_code=None,
        is_grade_total=None,
        pupil_count=["unit_code", "grade_key"],
        pass_share=[],
    ),
    "fct_school": table(
        ["school_code"], {}, school_code=None, pupil_count=["school_code"], class_count=["school_code"]
    ),
}


@pytest.fixture(scope="module")
def release() -> Iterator[duckdb.DuckDBPyConnection]:
    """Two levels, two years, a grade and the total of grades."""
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as release")
        connection.execute(
            "create table release.fct_rate_year as select level as unit_level, code as unit_code,"
            " null as district_code, year as school_year_start, year::varchar as school_year,"
            " grade as grade_key, grade = 'all' as is_grade_total, 10 as pupil_count, 0.5 as pass_share"
            " from (values ('school', 'S'), ('city', 'C')) as u(level, code), range(2024, 2026) as y(year),"
            " unnest(['P1', 'all']) as g(grade)"
        )
        connection.execute(
            "create table release.fct_school as select 'S' as school_code, 1 as pupil_count, 2 as class_count"
        )
        yield connection


WHOLE = "unit_level = 'city' and school_year_start = 2025 and is_grade_total"
RIGHT = [
    f"select sum(pupil_count) from fct_rate_year where {WHOLE}",
    "select school_year, grade_key, sum(pupil_count) from fct_rate_year"
    " where unit_level = 'city' group by all",
    "select unit_code, school_year_start, is_grade_total, sum(pupil_count) from fct_rate_year group by all",
    "select sum(pupil_count) from fct_school",
    "select avg(pass_share) from fct_rate_year",
    "select 'sum(pass_share)' from fct_rate_year -- sum(pass_share)",
    # two tables have it: nobody knows whose it is
    "select sum(pupil_count) from fct_rate_year, fct_school",
]
WRONG = [
    ("select sum(pupil_count) from fct_rate_year", {"unit_level", "school_year_start", "is_grade_total"}),
    (
        "SELECT SUM( r.pupil_count ) FROM fct_rate_year r WHERE unit_level = 'city'",
        {"school_year_start", "is_grade_total"},
    ),
    (f"select sum(pupil_count) from fct_rate_year where {WHOLE[:49]}", {"is_grade_total"}),
    (
        "select district_code, sum(pupil_count) from fct_rate_year"
        " where school_year = '2025' and not is_grade_total group by all",
        {"unit_level"},
    ),
]


@pytest.mark.parametrize("question", RIGHT)
def test_a_sum_that_is_one_is_left_alone(release: duckdb.DuckDBPyConnection, question: str) -> None:
    assert sum_remarks.remarks(release, "release", question, TABLES) == []


@pytest.mark.parametrize(("question", "keys"), WRONG)
def test_totals_levels_and_years_that_are_mixed_are_named(
    release: duckdb.DuckDBPyConnection, question: str, keys: set[str]
) -> None:
    (remark,) = sum_remarks.remarks(release, "release", question, TABLES)
    assert "fct_rate_year.pupil_count" in remark
    assert {key for key in ("unit_level", "school_year_start", "is_grade_total") if key in remark} == keys


def test_a_share_is_never_summed(release: duckdb.DuckDBPyConnection) -> None:
    question = f"select sum(pass_share) from fct_rate_year where {WHOLE}"
    (remark,) = sum_remarks.remarks(release, "release", question, TABLES)
    assert "fct_rate_year.pass_share 不可相加" in remark


def test_a_release_made_before_marts_said_so_has_no_remarks(release: duckdb.DuckDBPyConnection) -> None:
    before = {"fct_rate_year": {"columns": [{"name": "pass_share"}]}}
    assert sum_remarks.remarks(release, "release", "select sum(pass_share) from fct_rate_year", before) == []
