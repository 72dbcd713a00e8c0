"""The dimensions that all marts share, on the city's build."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

Rows = Callable[[str], list[tuple[Any, ...]]]


def test_days_have_what_the_school_calendar_says(rows: Rows) -> None:
    found = rows(
        "select date, school_year_start, term, iso_week, weekday_number, is_school_day, is_in_term,"
        " day_reason_zh from dim_date"
        " where date in ('2025-01-28', '2025-02-08', '2025-09-28', '2025-11-20') order by date"
    )
    assert found == [
        (date(2025, 1, 28), 2024, 1, 5, 2, False, False, "春节"),
        (date(2025, 2, 8), 2024, 2, 6, 6, False, False, "假期"),
        # a Sunday worked in exchange for the holiday
        (date(2025, 9, 28), 2025, 1, 39, 7, True, True, "调休上课"),
        (date(2025, 11, 20), 2025, 1, 47, 4, True, True, None),
    ]


def test_days_fill_the_school_years_without_gap(rows: Rows) -> None:
    (found,) = rows(
        "select count(*), max(date) - min(date) + 1, min(date), max(date), count(distinct school_year_start),"
        " count(*) filter (where is_school_day is null and date between '2019-09-01' and '2026-08-31')"
        " from dim_date"
    )
    years = rows(
        "select school_year_start, year_first_date, year_last_date from dim_school_year order by all"
    )
    assert found[0] == found[1]
    assert found[5] == 0
    assert found[2:4] == (years[0][1], years[-1][2])
    assert found[4] == len(years) == years[-1][0] - years[0][0] + 1


def test_a_pupil_has_the_newest_roll_and_no_identifier(rows: Rows) -> None:
    columns = {name for (name,) in rows("select column_name from (describe dim_pupil)")}
    personal = ("name", "birth", "document", "national", "token")
    assert not {name for name in columns if any(word in name for word in personal)}
    assert rows(
        "select count(*) from dim_pupil join fct_fitness_result using (pupil_key)"
        " where dim_pupil.school_year_start < fct_fitness_result.school_year_start"
    ) == [(0,)]
    assert rows("select count(*), count(distinct pupil_key), min(term) from dim_pupil") == [(60, 60, 1)]


def test_every_yearly_mart_of_schools_keeps_its_rows_and_finds_its_place_then_and_now(rows: Rows) -> None:
    yearly = rows(
        "select table_name from duckdb_columns() where schema_name = 'main' and table_name <> 'brg_school_as'"
        " and column_name in ('school_code', 'school_year_start') group by 1 having count(*) = 2 order by 1"
    )
    assert len(yearly) >= 8
    for (mart,) in yearly:
        (found,) = rows(
            f"with own as (select * from {mart} where school_code is not null)"
            " select count(*), count(as_now_school_code), (select count(*) from own) from own"
            " left join brg_school_as using (school_code, school_year_start)"
        )
        assert found == (found[2],) * 3, mart
    assert rows(
        "select count(*) from fct_enrollment_grade join brg_school_as using (school_code, school_year_start)"
        " where district_code <> as_then_district_code"
    ) == [(0,)]
