"""Workbooks show what their senders see: merged cells, cached values of formulas, visible sheets."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from jobs import declare
from jobs.reading import reader, xlsx
from jobs.reading.sheet import UNCALCULATED

FILES = Path(__file__).parent / "files"
CELLS = [["东城区", "2020", "4321"], ["西城区", "2020", "5432"]]

Read = Callable[..., reader.Reading]
Make = Callable[..., bytes]
Said = Callable[[list[str]], list[str]]


def changed(data: bytes, member: str, change: Callable[[bytes], bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {i.filename: archive.read(i) for i in archive.infolist()}
    members[member] = change(members[member])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_workbook_with_a_merged_title_and_typed_cells(read: Read, workbook: Make) -> None:
    data = workbook(
        [
            ["2020年出生人口"],
            ["区", "出生年", "出生人数（人）"],
            ["东城区", 2020, 4321.0],
            [],
            ["西城区", 2020, 5432],
        ],
        merged="A1:C1",
    )
    found = read("名字不重要.csv", data)
    assert found.contract is not None
    assert (found.container, found.sheet, found.header_line) == ("xlsx", "Sheet1", 2)
    assert found.raw_columns() == ([3, 5], CELLS)


def test_an_identity_number_that_became_a_float_keeps_a_form_no_rule_takes(
    read: Read, workbook: Make
) -> None:
    sent = {"年级编号": "11", "班级编号": "1101", "学籍号": 110101200001011234.0, "姓名": "某某", "性别": "1"}
    found = read(
        "a.xlsx", workbook([list(sent), list(sent.values())]), declare.datasets_of("physical_fitness")
    )
    assert found.contract is not None
    assert found.contract.dataset == "test_result"
    _, cells = found.raw_columns()
    assert "e+17" in (cells[0][found.positions["pupil_national_id"]] or "")


def test_every_sheet_of_a_workbook_is_read_or_named(read: Read, said: Said) -> None:
    book = openpyxl.Workbook()
    for title, district in (("东城", "东城区"), ("西城", "西城区")):
        sheet = book.create_sheet(title)
        for row in (["区", "出生年", "出生人数"], [district, 2020, 1], [district, 2021, 2]):
            sheet.append(row)
    book["西城"].insert_cols(1)
    book.create_sheet("填表说明").append(["请填写", "区"])
    hidden = book.create_sheet("去年")
    hidden.append(["区", "出生年", "出生人数"])
    hidden.sheet_state = "hidden"
    book.create_chartsheet("图")
    stream = io.BytesIO()
    book.save(stream)
    found = read("a.xlsx", stream.getvalue())
    assert [t.sheet for t in found.tables] == ["东城", "西城"]
    assert [t.positions["unit_code"] for t in found.tables] == [0, 1]
    assert len(found.lines) == 4
    assert [r.split("”")[0] for r in said(found.remarks)] == ["工作表“填表说明", "隐藏的工作表“去年"]


def test_old_binary_workbook(read: Read, said: Said) -> None:
    found = read("a.csv", (FILES / "births.xls").read_bytes())
    assert (found.container, [t.sheet for t in found.tables]) == ("xls", ["2020年", "2021年"])
    assert found.lines[:2] == [(3, CELLS[0]), (4, CELLS[1])]
    assert len(found.lines) == 4
    assert said(found.remarks) == ["隐藏的工作表“旧数据”未读取: 如需报送请取消隐藏"]


def test_a_merged_cell_counts_for_each_of_its_rows(read: Read, workbook: Make) -> None:
    data = workbook(
        [["区", "出生年", "出生人数"], ["东城区", 2019, 1], [None, 2020, 2], [None, 2021, 3]], merged="A2:A4"
    )
    found = read("a.xlsx", data)
    assert [c[0] for c in found.raw_columns()[1]] == ["东城区"] * 3


def test_formulas_show_their_value_and_without_one_say_so(read: Read, workbook: Make) -> None:
    header = ["区", "出生年", "出生人数"]
    found = read("a.xlsx", workbook([header, ["东城区", 2020, "=1+1"], ["西城区", 2020, 2]]))
    assert found.raw_columns()[1] == [["东城区", "2020", UNCALCULATED], ["西城区", "2020", "2"]]
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, header)
        sheet.write_row(1, 0, ["东城区", 2020])
        sheet.write_formula(1, 2, "=1+1", None, 2)
    assert read("a.xlsx", stream.getvalue()).raw_columns()[1] == [["东城区", "2020", "2"]]


def test_the_declared_size_of_a_sheet_is_not_believed(read: Read, workbook: Make) -> None:
    data = changed(
        workbook([["区", "出生年", "出生人数"], ["东城区", 2020, 1]]),
        "xl/worksheets/sheet1.xml",
        lambda xml: re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', xml),
    )
    assert len(read("a.xlsx", data).lines) == 1


def test_rows_too_wide_to_hold_are_refused_before_memory_ends(
    read: Read, workbook: Make, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row, cells in enumerate((["区", "出生年", "出生人数"], ["东城区", 2020, 4321]), 1):
        for column, cell in enumerate(cells, 1):
            sheet.cell(row, column, cell)
    sheet["A1048576"] = "西城区"
    stream = io.BytesIO()
    book.save(stream)
    assert [n for n, _ in read("a.xlsx", stream.getvalue()).lines] == [2, 1048576]
    sheet["XFD1048576"] = "x"
    stream = io.BytesIO()
    book.save(stream)
    monkeypatch.setattr(xlsx, "LARGEST_SHEET", 16_000)
    (reason,) = said(read("a.xlsx", stream.getvalue()).reasons)
    assert "第1048576行" in reason
    assert "删除" in reason


def test_a_workbook_cut_in_half_is_damaged(
    read: Read,
    workbook: Make,
    said: Said,
) -> None:
    (reason,) = said(read("a.csv", workbook([["区"]])[:500]).reasons)
    assert "损坏" in reason
