"""Any value in any of its spellings comes back as itself: many drawn values in one pass."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from jobs import declare
from jobs.judging import identifiers, judge, texts, values
from jobs.judging.expressions import Sql, col

if TYPE_CHECKING:
    from collections.abc import Callable

# Each example is a whole column: few of them.
few = examples(
    max_examples=2, deadline=None, suppress_health_check=[*HealthCheck], derandomize=True, database=None
)

_EPOCH = date(1899, 12, 30)
DATES = {
    "eight": lambda d: f"{d:%Y%m%d}",
    "dashed": lambda d: d.isoformat(),
    "short": lambda d: f"{d.year}-{d.month}-{d.day}",
    "stroked": lambda d: f"{d.year}/{d.month}/{d.day}",
    "dotted": lambda d: f"{d.year}.{d.month:02d}.{d.day:02d}",
    "chinese": lambda d: f"{d.year}年{d.month}月{d.day}日",
    "timed": lambda d: f"{d.isoformat()} 00:00:00",
    "number": lambda d: str((d - _EPOCH).days),
    "number in a float": lambda d: f"{(d - _EPOCH).days}.0",
    "eight in a float": lambda d: f"{d:%Y%m%d}.0",
}
TIMES = {
    "prime": lambda s: f"{s // 60}'{s % 60:02d}",
    "primes": lambda s: f"{s // 60}′{s % 60:02d}″",
    "quotes": lambda s: f"{s // 60}’{s % 60:02d}”",
    "colon": lambda s: f"{s // 60}:{s % 60:02d}",
    "wide colon": lambda s: f"{s // 60}：{s % 60:02d}",
    "chinese": lambda s: f"{s // 60}分{s % 60:02d}秒",
    "dotted": lambda s: f"{s // 60}.{s % 60:02d}",
    "seconds": str,
    "clock": lambda s: f"{s // 60}:{s % 60:02d}:00",
    "clock of hours": lambda s: f"0:{s // 60:02d}:{s % 60:02d}",
}
NUMBERS = {
    "plain": str,
    "wide": lambda n: "".join(chr(ord(c) + 0xFEE0) for c in str(n)),
    "apostrophe": lambda n: f"'{n}",
    "blanks": lambda n: f"  {n}\u3000",
    "float": lambda n: f"{n}.0",
    "grouped": lambda n: f"{n:,}",
}


def written(sent: list[str], read: Callable[[Sql], Sql]) -> list[Any]:
    """What `read` makes of each text, narrowed as parsing narrows it; in order."""
    with duckdb.connect() as db:
        db.execute("set TimeZone = 'UTC'")
        db.register("raw", pa.table({"i": range(len(sent)), "raw": sent}))
        text = judge._written(texts.plain(texts.narrow(col("raw")))).named("text")
        answer = db.execute(f"select {read(col('text'))} from (select i, {text} from raw) order by i")
        return [value for (value,) in answer.fetchall()]


def reader(dataset: str, name: str) -> Callable[[Sql], Sql]:
    column = declare.load()[dataset].column(name)
    return lambda text: values.value_of(column, texts.spelled(column, text), "cn", None, "Asia/Shanghai")


@few
@given(st.lists(st.dates(date(1930, 1, 1), date(2090, 12, 31)), min_size=40, max_size=60))
def test_a_day_is_itself_in_every_spelling(days: list[date]) -> None:
    cases = [(how, day) for day in days for how in DATES]
    found = written([DATES[how](day) for how, day in cases], reader("pupil_roll", "birth_date"))
    assert [c for c, v in zip(cases, found, strict=True) if v != c[1]] == []


@few
@given(st.lists(st.integers(1, 27), min_size=20, max_size=40), st.integers(2, 99))
def test_no_day_of_another_calendar_is_taken(days: list[int], year: int) -> None:
    sent = [text for d in days for text in (f"2025-13-{d:02d}", f"2025{d + 40:02d}01", f"{d}/{d}/{year:02d}")]
    found = written([*sent, "2025-02-30", "20250229"], reader("pupil_roll", "birth_date"))
    assert set(found) == {None}


@few
@given(st.lists(st.integers(61, 599), min_size=40, max_size=60))
def test_a_running_time_is_itself_in_every_notation(seconds: list[int]) -> None:
    cases = [(how, s) for s in seconds for how in TIMES]
    found = written([TIMES[how](s) for how, s in cases], reader("test_result", "run_1000m_s"))
    assert [c for c, v in zip(cases, found, strict=True) if v != Decimal(c[1])] == []


@few
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(60, 99)), min_size=20, max_size=40))
def test_sixty_seconds_and_more_are_no_time(parts: list[tuple[int, int]]) -> None:
    sent = [f"{m}{sign}{s}" for m, s in parts for sign in ("'", ":", "′", "分", ".")]
    assert set(written(sent, reader("test_result", "run_1000m_s"))) == {None}


@few
@given(st.lists(st.integers(0, 2_000_000), min_size=40, max_size=60))
def test_a_count_is_itself_in_every_form(counts: list[int]) -> None:
    cases = [(how, n) for n in counts for how in NUMBERS]
    found = written([NUMBERS[how](n) for how, n in cases], reader("grade_return", "pupil_count"))
    assert [c for c, v in zip(cases, found, strict=True) if v != c[1]] == []


def numbered(day: date, serial: int) -> str:
    body = f"999999{day:%Y%m%d}{serial:03d}"
    return body + "10X98765432"[sum(int(d) * 2 ** (17 - i) for i, d in enumerate(body)) % 11]


@few
@given(
    st.lists(
        st.tuples(st.dates(date(2000, 1, 1), date(2025, 1, 1)), st.integers(0, 999), st.integers(0, 16),
                  st.integers(1, 9)),
        min_size=60, max_size=90,
    )
)  # fmt: skip
def test_one_wrong_digit_is_found_and_what_a_sheet_cut_is_told(
    drawn: list[tuple[date, int, int, int]],
) -> None:
    sound = [numbered(day, serial) for day, serial, _, _ in drawn]
    wrong = [
        n[:at] + str((int(n[at]) + by) % 10) + n[at + 1 :]
        for n, (_, _, at, by) in zip(sound, drawn, strict=True)
    ]
    assert written(sound + wrong, identifiers.is_checked) == [True] * len(sound) + [False] * len(wrong)
    cut = [f"{float(n[:17]) * 10:.14E}" for n in sound] + [f"{n[:15]}000.0" for n in sound]
    assert set(written(cut, identifiers.is_digits_lost)) == {True}
    assert set(written(sound, identifiers.is_digits_lost)) == {False}


def test_the_drawn_days_reach_the_days_of_leap_years() -> None:
    leaps = [date(year, 2, 29) for year in range(1932, 2090, 4)] + [date(2000, 3, 1) - timedelta(days=1)]
    sent = [spell(day) for day in leaps for spell in DATES.values()]
    found = written(sent, reader("pupil_roll", "birth_date"))
    assert found == [day for day in leaps for _ in DATES]
