"""Days, school years and terms: where a school year begins is said here and nowhere else.

A school year is named by the calendar year in which it begins. Its first term ends with January; the second
ends with the school year. The same rules stand here for a date, a column of dates, and SQL that DuckDB and
Spark share.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import pandas as pd

# Month and day on which a school year begins, and on which the statements of each term begin to hold.
YEAR_BEGINS = (9, 1)
TERM_BEGINS = {1: YEAR_BEGINS, 2: (3, 1)}
_LAST_MONTH_OF_FIRST_TERM = 1


def school_year(day: date) -> int:
    """The school year that a day lies in."""
    return day.year - ((day.month, day.day) < YEAR_BEGINS)


def school_years(days: pd.Series) -> pd.Series:
    """The school year of each day of a column of timestamps."""
    month, day = YEAR_BEGINS
    earlier = (days.dt.month < month) | ((days.dt.month == month) & (days.dt.day < day))
    return days.dt.year - earlier


def first_day(year: int) -> date:
    """The day on which a school year begins."""
    return date(year, *YEAR_BEGINS)


def term(day: date) -> tuple[int, int]:
    """The school year and the term (1 or 2) that a day lies in."""
    is_first = day >= first_day(day.year) or day.month <= _LAST_MONTH_OF_FIRST_TERM
    return school_year(day), 1 if is_first else 2


def school_year_sql(day: str) -> str:
    """The school year of an SQL expression of a date; null for null."""
    return f"(year({day}) - case when {_before_begin(day)} then 1 else 0 end)"


def term_sql(day: str) -> str:
    """The term (1 or 2) of an SQL expression of a date; null for null."""
    is_second = f"month({day}) > {_LAST_MONTH_OF_FIRST_TERM} and {_before_begin(day)}"
    return f"(case when {day} is null then null when {is_second} then 2 else 1 end)"


def _before_begin(day: str) -> str:
    month, first = YEAR_BEGINS
    return f"(month({day}) < {month} or (month({day}) = {month} and day({day}) < {first}))"


def today(timezone: str) -> date:
    """The day that the machine's clock shows in a time zone: only to refuse what claims to come after it."""
    return datetime.now(ZoneInfo(timezone)).date()


def start_of_day(day: date, timezone: str) -> datetime:
    """The moment at which a day begins in a time zone, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC)


def end_of_day(day: date, timezone: str) -> datetime:
    """The last whole second of a day in a time zone, in UTC."""
    return start_of_day(day + timedelta(days=1), timezone) - timedelta(seconds=1)
