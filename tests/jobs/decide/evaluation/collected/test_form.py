"""Forms of several habits -> the items that they ask for, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest

from jobs.decide.evaluation.collected import form
from jobs.settings import UserError

Rows = Sequence[Sequence[object]]


def workbook(path: Path, rows: Rows, merged: Sequence[str] = ()) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    for cells in merged:
        sheet.merge_cells(cells)
    book.save(path)
    return path


def texts(path: Path) -> list[str]:
    return [" / ".join((*item.groups, item.text)) for item in form.items(path)]


def test_two_headers_across_below_a_merged_title(tmp_path: Path) -> None:
    rows: Rows = [
        ["附件1 ××区中小学校基本情况调查表"],
        ["填报单位：", None, None, "填报日期：", None, None, None],
        ["序号", "学校名称", "在校生数（人）", None, "教师情况", None, None, "备注"],
        [None, None, "男", "女", "人数", "学历", "职称", None],
        [1, None, None, None, None, None, None, None],
        [2, None, None, None, None, None, None, None],
        ["填表人：", None, "联系电话：", None, None, "负责人签字："],
        ["注：1.请于9月30日前报送；2.人数为实际在岗人数。"],
    ]
    file = workbook(tmp_path / "form.xlsx", rows, ["A1:H1", "C3:D3", "E3:G3", "A8:H8"])
    assert texts(file) == [
        "学校名称",
        *("在校生数（人） / 男", "在校生数（人） / 女"),
        *("教师情况 / 人数", "教师情况 / 学历", "教师情况 / 职称"),
    ]
    assert [item.line for item in form.items(file)] == [3, 4, 4, 4, 4, 4]


def test_items_down_below_their_heading_with_groups(tmp_path: Path) -> None:
    rows: Rows = [
        ["学校办学条件采集表"],
        ["序号", "一级指标", "二级指标", "计量单位", "2024年", "填报说明"],
        [1, "（一）办学规模", "1.在校生数", "人", None, "含随班就读"],
        [2, None, "2.班级数", "个", None, None],
        [3, "（二）校园", "3.★校舍建筑面积", "㎡", None, "以房产证为准。"],
        [4, None, "其中：教学及辅助用房面积", "㎡", None, None],
        ["说明：本表由学校填写。"],
    ]
    assert texts(workbook(tmp_path / "form.xlsx", rows)) == [
        "办学规模 / 在校生数",
        "办学规模 / 班级数",
        "校园 / 校舍建筑面积",
        "校园 / 其中：教学及辅助用房面积",
    ]


def test_labels_with_gaps_behind_them(tmp_path: Path) -> None:
    rows: Rows = [
        ["教师基本信息登记表"],
        ["姓名", None, "性别", None],
        ["出生日期", None, "民族", None],
        ["学历", None, "职称", None],
        ["家庭住址", None, None, None],
    ]
    assert texts(workbook(tmp_path / "form.xlsx", rows)) == [
        *("姓名", "性别", "出生日期", "民族", "学历", "职称", "家庭住址"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_plain_list_of_a_text_file(tmp_path: Path, encoding: str) -> None:
    lines = [
        "请各校报送以下数据清单",
        "1、学校标识码",
        "2、学生数（人）",
        "（三）图书册数：",
        "④ 营养午餐人数",
    ]
    file = tmp_path / "list.csv"
    file.write_text("\n".join(lines), encoding=encoding)
    assert texts(file) == ["学校标识码", "学生数（人）", "图书册数", "营养午餐人数"]


def test_a_filled_in_table_and_two_sheets(tmp_path: Path) -> None:
    rows: Rows = [["学校名称", "在校生数", "班级数"], ["东一小学", 640, 18], ["东二小学", 720, 20]]
    file = workbook(tmp_path / "form.xlsx", rows)
    book = openpyxl.load_workbook(file)
    other = book.create_sheet("教师")
    other.append(["教师姓名", "学历", "学校名称"])
    book.save(file)
    assert texts(file) == ["学校名称", "在校生数", "班级数", "教师姓名", "学历"]


@pytest.mark.parametrize("content", [b"", b"\n\n", "说明：请联系我们。".encode(), b"\x89PNG\r\n\x1a\n0000"])
def test_what_asks_for_nothing_is_an_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "form.csv"
    file.write_bytes(content)
    with pytest.raises(UserError):
        form.items(file)
