"""Texts in CSV files: none is run by a spreadsheet, and numbers stay numbers."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal

import pytest

from jobs import cells


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1)",
        "-",
        "-5.2",
        "＝HYPERLINK(1)",
        "＋1",
        "－1",
        "＠SUM(1)",
        "﹦1",
        "−1",
        "\t=1",
        "\tx",
        "\rx",
        "\nx",
        "\r\n=1",
        " =1",
        "　＝1",
        "\u00a0=1",
        "\u200b=1",
        "\ufeff=1",
        "\x00=1",
        " \n =1",
    ],
)
def test_a_text_that_could_be_run_gets_an_apostrophe(text: str) -> None:
    assert cells.guarded(text) == "'" + text


@pytest.mark.parametrize("text", ["", "北京市第一小学", "a=1", "5-2", "1", " 一", "'=1", "——", "（一）"])
def test_any_other_text_is_as_it_was(text: str) -> None:
    assert cells.guarded(text) == text


def test_numbers_dates_and_blanks_are_no_texts() -> None:
    values = [-5, -5.2, Decimal("-5.20"), date(2025, 9, 1), None, True]
    assert cells.row(values) == values


def test_a_file_has_guarded_columns_and_rows_that_read_back() -> None:
    out = io.StringIO()
    cells.write(out, ["=a", "b"], [["\n=1", -5.2], ['x"y,z', None]])
    assert list(csv.reader(io.StringIO(out.getvalue()))) == [["'=a", "b"], ["'\n=1", "-5.2"], ['x"y,z', ""]]
