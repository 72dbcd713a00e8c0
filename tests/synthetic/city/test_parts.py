"""The small parts: numbers that add up, the workbook, the calendar, times in six notations, the command."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from jobs.settings import UserError
from synthetic.city import calendar
from synthetic.city.commands import app, parse_years
from synthetic.city.numbers import Stream, allocate, rank_within, stream
from synthetic.city.result_habits import NOTATIONS
from synthetic.city.workbook import Table, column_letters, workbook


@given(st.integers(0, 100_000), st.lists(st.floats(0, 1e6), min_size=1, max_size=40))
def test_allocation_adds_up_and_stays_near(total: int, weights: list[float]) -> None:
    parts = allocate(np.array(total), np.array(weights))
    if sum(weights) == 0:
        assert parts.sum() == 0
        return
    exact = total * np.array(weights) / np.sum(weights)
    assert parts.sum() == total
    assert (np.abs(parts - exact) < 1.0001).all()


def test_rank_counts_from_nought_in_each_group() -> None:
    groups = np.array([7, 3, 7, 3, 7])
    assert rank_within(groups, np.array([0.3, 0.9, 0.1, 0.2, 0.2])).tolist() == [2, 1, 0, 0, 1]
    assert rank_within(np.array([], int), np.array([])).tolist() == []


def test_streams_do_not_share_numbers() -> None:
    draws = {stream(7, purpose, key).integers(1 << 62) for purpose in Stream for key in range(20)}
    assert len(draws) == len(Stream) * 20
    assert stream(7, Stream.PEOPLE).integers(1 << 62) == stream(7, Stream.PEOPLE).integers(1 << 62)


@pytest.mark.filterwarnings("error")
def test_a_general_reader_opens_the_workbook() -> None:
    table = Table(
        "成绩", ["姓名", "身高（cm）", "备注"], [["岚<一>", 152.5, None], ["霁&乐", 7, ""]], title="标题"
    )
    book = openpyxl.load_workbook(io.BytesIO(workbook([table, Table("二", ["甲"], [["乙"]])])))
    assert book.sheetnames == ["成绩", "二"]
    assert list(book["成绩"].values) == [
        ("标题", None, None),
        ("姓名", "身高（cm）", "备注"),
        ("岚<一>", 152.5, None),
        ("霁&乐", 7, None),
    ]
    assert [str(r) for r in book["成绩"].merged_cells.ranges] == ["A1:C1"]


def test_workbook_bytes_do_not_change() -> None:
    table = Table("成绩", ["姓名"], [["岚"]])
    assert workbook([table]) == workbook([table])


@pytest.mark.parametrize(("number", "letters"), [(1, "A"), (26, "Z"), (27, "AA"), (52, "AZ"), (703, "AAA")])
def test_column_letters(number: int, letters: str) -> None:
    assert column_letters(number) == letters


def test_times_are_written_in_six_ways() -> None:
    assert [write(225) for write in NOTATIONS] == ["3'45", "3′45″", "3.45", "3:45", "3分45秒", "225"]
    assert [write(125) for write in NOTATIONS][2] == "2.05"


def test_calendar_file_is_what_the_spans_make() -> None:
    assert calendar.CALENDAR_FILE.read_text(encoding="utf-8") == calendar.build()


@pytest.mark.parametrize(
    ("day", "is_school_day"),
    [
        (date(2025, 9, 1), True),
        (date(2025, 10, 1), False),
        (date(2025, 10, 11), True),  # a Saturday that makes up for the holiday
        (date(2025, 11, 15), False),
        (date(2025, 7, 20), False),
        (date(2020, 3, 16), False),  # closed
        (date(2022, 5, 16), False),  # closed
        (date(2022, 4, 24), True),
        (date(2026, 2, 28), False),  # a make-up day outside term
    ],
)
def test_school_days(day: date, is_school_day: bool) -> None:
    assert (day in calendar.school_days()) == is_school_day


def test_terms_have_a_plausible_length() -> None:
    for year in range(2019, 2026):
        for term in (1, 2):
            count = len(calendar.days_of_term(year, term))
            closed = (year, term) in {(2019, 2), (2021, 2), (2022, 1)}
            assert 10 <= count <= 65 if closed else 88 <= count <= 106, (year, term, count)


def test_command_writes_a_city_when_mounted(tmp_path: Path) -> None:
    root = typer.Typer()
    root.command("other")(lambda: None)
    root.add_typer(app, name="city")
    arguments = ["city", "--scale", "0.001", "--years", "2025", "--seed", "7", "--faults", "none"]
    result = CliRunner().invoke(root, [*arguments, "--out", str(tmp_path / "landing")])
    assert result.exit_code == 0, result.output
    assert "newest delivery 2025-11-20" in result.output
    assert list((tmp_path / "landing").glob("enrollment/110101/2025-09-20_1/*.csv"))
    assert (tmp_path / "truth" / "summary.json").is_file()


def test_command_says_what_is_wrong(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--years", "last year", "--out", str(tmp_path / "x")])
    assert result.exit_code == 2
    assert "school years" in result.output
    assert not (tmp_path / "x").exists()


def test_years_are_one_or_a_span() -> None:
    assert parse_years("2024-2025") == (2024, 2025)
    assert parse_years("2025") == (2025, 2025)
    with pytest.raises(UserError):
        parse_years("2024/25")
