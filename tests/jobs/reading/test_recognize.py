"""A dataset is recognized by its header, of one row or two, in whatever line it stands."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from jobs import declare
from jobs.reading import reader, recognize
from jobs.reading.sheet import Sheet, blocks

PLACES = declare.datasets_of("place_demand")
FITNESS = declare.datasets_of("physical_fitness")

Read = Callable[..., reader.Reading]
Make = Callable[..., bytes]
Said = Callable[[list[str]], list[str]]


def test_a_sheet_that_nearly_fits_stops_the_file(read: Read, said: Said) -> None:
    book = openpyxl.Workbook()
    for title, heading in (("1班", "出生人数"), ("2班", "人头")):
        sheet = book.create_sheet(title)
        sheet.append(["区", "出生年", heading])
        sheet.append(["东城区", 2020, 1])
    stream = io.BytesIO()
    book.save(stream)
    found = read("a.xlsx", stream.getvalue())
    assert found.contract is None
    assert said(found.reasons) == [
        "工作表“2班”第1行像“出生人口”的表头, 但缺少: 出生人数。请补上这些列后重新报送"
    ]


def test_a_header_of_two_rows_is_joined(read: Read, workbook: Make) -> None:
    plain = ["年级编号", "班级编号", "学籍号", "姓名", "性别"]
    rows = [
        ["体质健康测试"],
        [*plain, "身体形态", None, "机能"],
        [None, None, None, None, None, "身高(cm)", "体重", "肺活量"],
        ["14", "1401", "G1", "某某", "1", "150.5", "40", "2100"],
    ]
    for data in (
        workbook(rows, merged="F2:G2"),
        "\n".join(",".join(c or "" for c in row) for row in rows).encode(),
    ):
        found = read("a", data, FITNESS)
        assert found.contract is not None, found.reasons
        assert found.header_line == 3
        assert found.positions["height_cm"] == 5
        assert found.positions["weight_kg"] == 6
        assert found.positions["vital_capacity_ml"] == 7
        assert found.raw_columns()[0] == [4]


def test_the_line_that_numbers_a_forms_columns_is_no_data(tmp_path: Path) -> None:
    head = "学校标识码,区,学年,年级,在校生数\n"
    for numbers, lines in (
        ("甲,乙,丙,丁,1\n", 1),
        ("甲,乙,1,2,3\n", 1),
        ("甲,乙,3,2,1\n", 2),
        ("1,2,3,4,5\n", 2),
    ):
        path = tmp_path / "return.csv"
        path.write_text(f"{head}{numbers}2111900001,110108,2025,P1,30\n", encoding="utf-8")
        reading = reader.read(path, declare.datasets_of("enrollment"))
        assert reading.contract is not None
        assert len(reading.lines) == lines, numbers
        assert reading.lines[-1][0] == 3


def test_a_group_and_its_part_name_a_column_together(read: Read) -> None:
    birth = next(c for c in PLACES if c.dataset == "birth")
    columns = tuple(
        replace(c, headings=("出生/人数",)) if c.name == "birth_count" else c for c in birth.columns
    )
    own = replace(birth, columns=columns)
    text = "区,出生年,出生,,死亡\n,,男,人数,人数\n东城区,2020,2,4,1\n"
    found = read("a.csv", text.encode(), [own])
    assert found.positions["birth_count"] == 3
    assert found.header == ["区", "出生年", "出生/男", "出生/人数", "死亡/人数"]


@pytest.mark.parametrize(
    ("name", "period"),
    [
        ("在籍学生名册_2024-2025-1.csv", (2024, 1)),
        ("名册2024-2025学年第二学期.xlsx", (2024, 2)),
        ("名册_2024-2026-1.csv", None),
        ("名册.csv", None),
    ],
)
def test_period_is_read_from_the_name(name: str, period: tuple[int, int] | None) -> None:
    assert recognize.period_in_name(name) == period


def test_a_title_above_a_header_hides_none_of_its_headings() -> None:
    """A title in one cell is no group: joined with it, a heading that tells datasets apart is hidden."""
    header = [column.headings[0] for column in declare.load()["pupil_roll"].columns]
    lines = blocks(iter([(1, ["在籍学生名册"]), (2, header), (3, ["x"] * len(header))]))
    found = recognize.recognize(Sheet("xlsx", None, None, "1班", lines), declare.datasets_of("enrollment"))
    assert isinstance(found, recognize.Table)
    assert (found.contract.dataset, found.header_line, found.header) == ("pupil_roll", 2, header)
