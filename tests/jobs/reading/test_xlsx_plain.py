"""The common spelling is read in columns, and gives what the parser gives; every other one is left to it."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from jobs.reading import xlsx, xlsx_plain
from jobs.reading.sheet import UnreadableError


def lines(data: bytes) -> tuple[Any, list[str]]:
    """The lines of every sheet, or why there are none; and what is remarked."""
    remarks: list[str] = []
    found: list[Any] = []
    try:
        for sheet in xlsx.sheets(data, remarks, None):
            for block in sheet.blocks:
                found += zip(block.column(0).to_pylist(), block.column(1).to_pylist(), strict=True)
    except UnreadableError as error:
        return error.reason, []
    return found, remarks


def by_parser(data: bytes) -> tuple[Any, list[str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xlsx._Rows, "_plain", lambda self: None)
        return lines(data)


def is_left(data: bytes) -> bool:
    """Whether the parser was asked for any row."""
    asked: list[object] = []
    whole = xlsx._Rows.all

    def counted(self: xlsx._Rows, remarks: list[str]) -> Iterator[tuple[int, list[str]]]:
        asked.append(self)
        return whole(self, remarks)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xlsx._Rows, "all", counted)
        lines(data)
    return bool(asked)


def cell(draw: random.Random) -> Any:
    numbers = (
        0,
        -3,
        7,
        4321,
        2020.0,
        0.5,
        -0.25,
        154.6,
        57.699999999999996,
        1e-7,
        1e20,
        0.1 + 0.2,
        1234567.125,
    )
    texts = ("东城区", "", " a b ", "=", "<&>\"'", "_x000D_", "007", "=1+1")
    return draw.choice([None, None, True, False, datetime(2025, 3, 1, 8), *numbers, *texts])


def by_xlsxwriter(draw: random.Random) -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        kinds = [
            book.add_format({"num_format": code})
            for code in ("0.00%", "yyyy-mm-dd", "[h]:mm:ss", "0000", "0.00")
        ]
        sheet = book.add_worksheet()
        for row in range(40):
            for column in range(12):
                value, style = cell(draw), draw.choice([None, None, None, *kinds])
                if value is None or draw.random() < 0.3:
                    sheet.write_blank(row, column, None, style)
                elif isinstance(value, datetime):
                    sheet.write_datetime(row, column, value, kinds[1])
                elif value == "=1+1":
                    sheet.write_formula(row, column, value, style, draw.choice([2, "", "二", 0.901]))
                else:
                    sheet.write(row, column, value, style)
        sheet.set_row(5, None, None, {"hidden": True})
        sheet.set_column(3, 4, None, None, {"hidden": True})
    return stream.getvalue()


def by_openpyxl(draw: random.Random) -> bytes:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    for row in range(1, 41):
        if draw.random() < 0.1:
            continue
        for column in range(1, 13):
            made = sheet.cell(row, column, cell(draw))
            if draw.random() < 0.2:
                made.number_format = draw.choice(["0%", "mm:ss.0", "000", "@"])
    sheet.row_dimensions[4].hidden = True
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize("make", [by_xlsxwriter, by_openpyxl])
@pytest.mark.parametrize("seed", range(6))
def test_both_ways_give_the_same(make: Callable[[random.Random], bytes], seed: int) -> None:
    data = make(random.Random(seed))
    assert lines(data) == by_parser(data)
    assert len(lines(data)[0]) > 20


def sheet_of(change: Callable[[str], str], rows: int = 30) -> bytes:
    """A plain workbook whose sheet's XML is changed."""
    made = io.BytesIO()
    with xlsxwriter.Workbook(made) as book:
        sheet = book.add_worksheet()
        for row in range(rows):
            sheet.write_row(row, 0, [f"区{row % 3}", 2000 + row, row * 1.5])
    stream = io.BytesIO()
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(stream, "w") as archive:
        for info in source.infolist():
            data = source.read(info)
            if info.filename == "xl/worksheets/sheet1.xml":
                data = change(data.decode()).encode()
            archive.writestr(info.filename, data)
    return stream.getvalue()


def test_what_excel_writes_is_not_left_to_the_parser() -> None:
    assert not is_left(sheet_of(lambda xml: xml))


MERGED = '<mergeCells count="1"><mergeCell ref="A3:A5"/></mergeCells>'
OWN = '<c r="B7" t="inlineStr"><is><t>x</t></is>'
HIDDEN = '<row r="40" hidden="1"/>'
CHANGES: dict[str, Callable[[str], str]] = {
    "other quotation marks": lambda xml: xml.replace('r="B7"', "r='B7'"),
    "a comment": lambda xml: xml.replace('<c r="B7"', '<!-- x --><c r="B7"'),
    "CDATA": lambda xml: xml.replace("<v>2006</v>", "<v><![CDATA[2006]]></v>"),
    "a reference": lambda xml: xml.replace("<v>2006</v>", "<v>&#50;006</v>"),
    "blanks": lambda xml: xml.replace("<v>2006</v>", "<v> 2006 </v>"),
    "blanks between tags": lambda xml: xml.replace("<v>2006</v>", "<v>2006</v>\n"),
    "a text of its own": lambda xml: xml.replace('<c r="B7"><v>2006</v>', OWN),
    "an error": lambda xml: xml.replace('<c r="B7"><v>2006</v>', '<c r="B7" t="e"><v>#N/A</v>'),
    "a formula without a result": lambda xml: xml.replace('<c r="B7"><v>2006</v>', '<c r="B7"><f>A1</f>'),
    "a formula with an empty result": lambda xml: xml.replace(
        '<c r="B7"><v>2006</v>', '<c r="B7" t="str"><f>A1</f><v></v>'
    ),
    "a text that is no shared one": lambda xml: xml.replace('t="s"><v>0</v>', 't="s"><v>99</v>', 1),
    "columns that fall": lambda xml: xml.replace('r="B7"', 'r="D7"'),
    "a row of another number": lambda xml: xml.replace('<row r="7"', '<row r="6"'),
    "a cell of another row": lambda xml: xml.replace('r="B7"', 'r="B8"'),
    "a row without a number": lambda xml: xml.replace('<row r="7" ', "<row "),
    "a row twice": lambda xml: xml.replace('<row r="7"', '<row r="6" spans="1:3"></row><row r="7"'),
    "a hidden row": lambda xml: xml.replace('<row r="7"', '<row hidden="1" r="7"'),
    "a hidden row without cells": lambda xml: xml.replace('<row r="30"', f'{HIDDEN}<row r="30"'),
    "hidden rows without cells": lambda xml: xml.replace("</sheetData>", f"{HIDDEN}</sheetData>"),
    "a row that is closed twice": lambda xml: xml.replace("</row>", "</row></row>", 1),
    "a cell outside of rows": lambda xml: xml.replace('<c r="B7"', '</row><c r="B7"'),
    "merged cells": lambda xml: xml.replace("</sheetData>", f"</sheetData>{MERGED}"),
    "a column too far": lambda xml: xml.replace('r="C7"', 'r="XFE7"'),
    "a tag that is not closed": lambda xml: xml.replace("</row>", "", 1),
    "a document type": lambda xml: xml.replace("<worksheet", "<!DOCTYPE w><worksheet"),
    "noughts before a number": lambda xml: xml.replace("<v>2006</v>", "<v>02006</v>"),
    "noughts behind a number": lambda xml: xml.replace("<v>1.5</v>", "<v>1.500</v>"),
    "no number": lambda xml: xml.replace("<v>2006</v>", "<v>NaN</v>"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_every_other_spelling_is_read_as_the_parser_reads_it(change: str) -> None:
    assert CHANGES[change]("") == ""
    data = sheet_of(CHANGES[change])
    assert data != sheet_of(lambda xml: xml)
    assert lines(data) == by_parser(data)


def test_a_spelling_that_changes_within_a_sheet_loses_and_doubles_no_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(xlsx_plain, "_PIECE", 500)
    whole = sheet_of(lambda xml: xml)
    assert lines(whole) == by_parser(whole)
    assert not is_left(whole)
    late = sheet_of(CHANGES["a comment"])
    assert lines(late) == by_parser(late) == lines(whole)
    assert is_left(late)


def test_a_large_sheet_is_read_as_it_unpacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "LARGEST_HELD", 100)
    whole = sheet_of(lambda xml: xml)
    assert is_left(whole)
    assert len(lines(whole)[0]) == 30
