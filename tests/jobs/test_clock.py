"""School years, terms and days: a date, a column and SQL agree, and the rule has no second home."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import duckdb
import pandas as pd
import pytest

from jobs import clock
from jobs.settings import ROOT

# A comparison of a month that could say where a school year or a term begins or ends.
_OWN_RULE = re.compile(
    r"month(\(\w+\))?\)? *((>=|<|>|<=) *[789]|(==?|in) *\(?[189])\b|\(9, 1\)|, 9, 1\)|[\"']-?09-01[\"']"
)


@pytest.mark.parametrize(
    ("day", "year", "term"),
    [
        (date(2025, 8, 31), 2024, 2),
        (date(2025, 9, 1), 2025, 1),
        (date(2025, 12, 31), 2025, 1),
        (date(2026, 1, 31), 2025, 1),
        (date(2026, 2, 1), 2025, 2),
    ],
)
def test_a_school_year_begins_in_september_and_its_second_term_in_february(
    day: date, year: int, term: int
) -> None:
    assert clock.term(day) == (year, term)
    assert clock.school_year(day) == year
    assert clock.first_day(year) <= day < clock.first_day(year + 1)


def test_dates_columns_and_sql_agree_on_every_day_of_five_years() -> None:
    days = [date(2019, 12, 1) + timedelta(days=n) for n in range(5 * 366)]
    expected = [clock.term(day) for day in days]
    assert clock.school_years(pd.Series(pd.to_datetime(days))).tolist() == [year for year, _ in expected]
    told = duckdb.execute(
        f"select {clock.school_year_sql('day')}, {clock.term_sql('day')}"
        " from (select unnest($days) as day) order by day",
        {"days": days},
    ).fetchall()
    assert told == expected
    asked = f"select {clock.school_year_sql('day')}, {clock.term_sql('day')} from (select null::date as day)"
    assert duckdb.execute(asked).fetchall() == [(None, None)]


def test_a_day_begins_and_ends_by_the_clocks_of_its_time_zone() -> None:
    assert clock.start_of_day(date(2026, 3, 5), "Asia/Shanghai") == datetime(2026, 3, 4, 16, tzinfo=UTC)
    # Clocks go forward that night: the day has 23 hours.
    day = date(2026, 3, 8)
    length = clock.end_of_day(day, "America/New_York") - clock.start_of_day(day, "America/New_York")
    assert length == timedelta(hours=23) - timedelta(seconds=1)


def test_no_other_module_says_where_a_school_year_begins() -> None:
    sources = [file for file in (ROOT / "jobs").rglob("*.py") if file.name != "clock.py"]
    assert len(sources) > 80
    found = {
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in sources
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if _OWN_RULE.search(line)
    }
    assert found == set()


@pytest.mark.parametrize(
    "line",
    [
        "day.year - (day.month < 9)",
        "days.dt.year - (days.dt.month < 8)",
        "case when month(day) >= 9 then 1 end",
        "month(day) = 1",
        "date(year, 9, 1)",
        'year + "-09-01"',
    ],
)
def test_a_second_home_of_the_rule_is_found(line: str) -> None:
    assert _OWN_RULE.search(line)
