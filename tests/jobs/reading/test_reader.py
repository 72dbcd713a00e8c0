"""Files as senders send them: told by content, read line by line, never a crash."""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from jobs import declare
from jobs.reading import containers, reader, workbooks

# Made by other programs: xlwt, and Office's own encryption by msoffcrypto-tool.
FILES = Path(__file__).parent / "files"
PLACES = declare.datasets_of("place_demand")
FITNESS = declare.datasets_of("physical_fitness")
TEXT = "区,出生年,出生人数\n东城区,2020,4321\n西城区,2020,5432\n"
CELLS = [["东城区", "2020", "4321"], ["西城区", "2020", "5432"]]


def read(tmp_path: Path, name: str, data: bytes, datasets: list[declare.Contract] = PLACES) -> reader.Reading:
    file = tmp_path / name
    file.write_bytes(data)
    return reader.read(file, datasets)


def workbook(rows: list[list[object]], title: str = "Sheet1", merged: str | None = None) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(row)
    if merged:
        sheet.merge_cells(merged)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def encrypted(data: bytes) -> bytes:
    """An archive whose members are marked as encrypted, in both of their headers."""
    return data.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01").replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
    )


def changed(data: bytes, member: str, change: Callable[[bytes], bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {i.filename: archive.read(i) for i in archive.infolist()}
    members[member] = change(members[member])
    return zipped(members)


@pytest.mark.parametrize(
    ("name", "data", "container", "encoding"),
    [
        ("a.csv", TEXT.encode(), "csv", "utf-8"),
        ("a.csv", TEXT.encode("utf-8-sig"), "csv", "utf-8-sig"),
        ("a.csv", TEXT.encode("gb18030"), "csv", "gb18030"),
        ("a.csv", TEXT.encode("utf-16"), "csv", "utf-16"),
        ("a.csv", "\ufeff".encode("utf-16-be") + TEXT.encode("utf-16-be"), "csv", "utf-16"),
        ("a.csv", TEXT.encode("utf-16-le"), "csv", "utf-16-le"),
        ("a.csv", TEXT.encode("utf-16-be"), "csv", "utf-16-be"),
        ("a.csv", TEXT.replace(",", ";").encode("gb18030"), "csv", "gb18030"),
        ("a.csv", TEXT.replace(",", "|").encode(), "csv", "utf-8"),
        ("a.csv", TEXT.replace("\n", "\r").encode("gb18030"), "csv", "gb18030"),
        ("a.csv", TEXT.replace("\n", "\r\n").encode(), "csv", "utf-8"),
        ("a.xls", TEXT.replace(",", "\t").encode("gb18030"), "tsv", "gb18030"),
        ("a.csv.gz", gzip.compress(TEXT.encode()), "csv", "utf-8"),
        ("a.dat", zipped({"内/births.csv": TEXT.encode("gb18030")}), "csv", "gb18030"),
    ],
)
def test_encoding_and_container_are_told_by_content(
    tmp_path: Path, name: str, data: bytes, container: str, encoding: str
) -> None:
    found = read(tmp_path, name, data)
    assert found.contract is not None
    assert found.contract.dataset == "birth"
    assert (found.container, found.encoding) == (container, encoding)
    assert found.raw_columns() == ([2, 3], CELLS)


def test_workbook_with_a_merged_title_and_typed_cells(tmp_path: Path) -> None:
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
    found = read(tmp_path, "名字不重要.csv", data)
    assert found.contract is not None
    assert (found.container, found.sheet, found.header_line) == ("xlsx", "Sheet1", 2)
    assert found.raw_columns() == ([3, 5], CELLS)


def test_an_identity_number_that_became_a_float_keeps_a_form_no_rule_takes(tmp_path: Path) -> None:
    sent = {"年级编号": "11", "班级编号": "1101", "学籍号": 110101200001011234.0, "姓名": "某某", "性别": "1"}
    found = read(tmp_path, "a.xlsx", workbook([list(sent), list(sent.values())]), FITNESS)
    assert found.contract is not None
    assert found.contract.dataset == "test_result"
    _, cells = found.raw_columns()
    assert "e+17" in (cells[0][found.positions["pupil_national_id"]] or "")


def test_json_lines_keep_line_numbers_and_lines_that_are_no_object(tmp_path: Path) -> None:
    datasets = declare.datasets_of("campus_safety")
    keys = ["school_code", "class", "grade", "reported_on", "symptom", "absent"]
    good = dict(zip(keys, ["2111000001", "1班", "01", "2025-03-03", "fever", 3], strict=True))
    text = "\n".join([json.dumps(good), "", "{broken", json.dumps(good)])
    found = read(tmp_path, "a.ndjson", text.encode(), datasets)
    numbers, cells = found.raw_columns()
    assert found.contract is not None
    assert found.contract.dataset == "illness_report"
    assert numbers == [1, 3, 4]
    assert cells[1] == ["?"]


def test_a_json_array_is_read_by_object(tmp_path: Path) -> None:
    rows = [
        {"区": "东城区", "出生年": 2020, "出生人数": 4321},
        {"区": "西城区", "出生年": 2020, "出生人数": 5432},
    ]
    found = read(tmp_path, "a.json", json.dumps(rows, ensure_ascii=False, indent=1).encode())
    assert found.container == "json"
    assert found.raw_columns() == ([2, 7], CELLS)
    # All objects in one line: their place in the array tells them apart.
    found = read(tmp_path, "a.json", json.dumps(rows).encode())
    assert found.raw_columns() == ([1, 2], CELLS)


def test_quoted_line_breaks_count_as_the_lines_they_are(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", '区,出生年,出生人数\n"东\n城区",2020,1\n西城区,2020,2\n'.encode())
    assert found.raw_columns()[0] == [2, 4]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "空"),
        (zipped({"a.csv": TEXT.encode()})[:60], "损坏"),
        (gzip.compress(TEXT.encode())[:30], "不完整"),
        (workbook([["区"]])[:500], "损坏"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"0" * 600, "损坏"),
        (b"\x89PNG\r\n\x1a\n\xff\xff\x00\x81", "图片"),
        ("区,出生年\n东城区,2020\n".encode(), "缺少: 出生人数"),
        ("完全,不同\n1,2\n".encode(), "表头"),
        (zipped({"a.zip": zipped({"b.csv": TEXT.encode()})}), "压缩文件里还有压缩文件"),
        (encrypted(zipped({"a.csv": TEXT.encode()})), "密码"),
        ((FILES / "password.xlsx").read_bytes(), "密码"),
        (b"%PDF-1.7\n", "PDF"),
        (b"Rar!\x1a\x07\x00", "RAR"),
        (zipped({"[Content_Types].xml": b"<x/>", "word/document.xml": b"<x/>"}), "文档"),
        (
            b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
            "另存为 xlsx",
        ),
        (b"<html><body>no table</body></html>", "网页"),
        (zipped({}), "没有文件"),
        (zipped({"a.csv": TEXT.encode(), "b.csv": TEXT.encode()}).replace(b"b.csv", b"a.csv"), "同名"),
        (b'{"a": 1,\n', "JSON"),
        (b"[{]", "JSON"),
        (TEXT.encode() + b"\x00", "空字节"),
        (b'"' + b"x" * 17_000_000, "引号"),
    ],
)
def test_a_file_that_cannot_be_taken_says_why(tmp_path: Path, data: bytes, reason: str) -> None:
    found = read(tmp_path, "a.csv", data)
    assert found.contract is None
    assert any(reason in told for told in found.reasons), found.reasons


def test_a_file_of_two_encodings_names_the_line(tmp_path: Path) -> None:
    lines = [
        "区,出生年,出生人数",
        *(f"{d},{y},1" for y in range(2000, 2020) for d in ("石景山区", "门头沟区")),
    ]
    for ours, theirs in (("gb18030", "utf-8"), ("utf-8", "gb18030")):
        data = b"\n".join(line.encode(theirs if n in (11, 13) else ours) for n, line in enumerate(lines))
        (reason,) = read(tmp_path, "a.csv", data).reasons
        assert "第12行" in reason
        assert "2 行" in reason
        assert "另存" in reason
    cut = "\n".join(lines).encode() + "\n石景".encode()[:-1]
    assert "第42行" in read(tmp_path, "a.csv", cut).reasons[0]


def test_rare_characters_and_short_words_are_no_second_encoding(tmp_path: Path) -> None:
    # Four-byte characters, and the word whose GBK bytes once passed for UTF-8.
    text = "区,出生年,出生人数\n联通,2020,1\n𠮷㐂区,2020,2\n汉,2020,3\n"
    found = read(tmp_path, "a.csv", text.encode("gb18030"))
    assert found.encoding == "gb18030"
    assert [c[0] for c in found.raw_columns()[1]] == ["联通", "𠮷㐂区", "汉"]


def test_a_name_whose_bytes_pass_for_utf8_is_read_like_the_lines_around_it(tmp_path: Path) -> None:
    """Three common characters are six bytes that may be two characters of UTF-8 (seen in a register)."""
    name = "楸鸿静"
    assert name.encode("gb18030").decode("utf-8")
    lines = ["学校标识码,区,学年,年级,在校生数,备注", f"2111900001,110108,2025,P1,30,{name}"]
    lines += [f"21119{n:05d},110108,2025,P1,30,楸榕枫" for n in range(2, 40)]
    found = read(tmp_path, "a.csv", "\n".join(lines).encode("gb18030"), declare.datasets_of("enrollment"))
    assert found.encoding == "gb18030"
    assert found.raw_columns()[1][0][5] == name


def test_a_quotation_mark_that_nobody_closed_swallows_no_line(tmp_path: Path) -> None:
    few = '区,出生年,出生人数\n"东城区,2020,1\n西城区,2020,2\n'
    many = few + "西城区,2020,2\n" * 100
    for text in (few, many):
        assert "第2行的引号没有配对" in read(tmp_path, "a.csv", text.encode()).reasons[0]


def test_a_title_without_delimiters_does_not_hide_them(tmp_path: Path) -> None:
    text = "出生人口, 按区\n制表: 卫健委\n" + TEXT.replace(",", "\t")
    found = read(tmp_path, "a.xls", text.encode("gb18030"))
    assert (found.container, found.header_line) == ("tsv", 3)
    assert found.raw_columns() == ([4, 5], CELLS)


def test_every_sheet_of_a_workbook_is_read_or_named(tmp_path: Path) -> None:
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
    found = read(tmp_path, "a.xlsx", stream.getvalue())
    assert [t.sheet for t in found.tables] == ["东城", "西城"]
    assert [t.positions["unit_code"] for t in found.tables] == [0, 1]
    assert len(found.lines) == 4
    assert [r.split("”")[0] for r in found.remarks] == ["工作表“填表说明", "隐藏的工作表“去年"]


def test_a_sheet_that_nearly_fits_stops_the_file(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for title, heading in (("1班", "出生人数"), ("2班", "人头")):
        sheet = book.create_sheet(title)
        sheet.append(["区", "出生年", heading])
        sheet.append(["东城区", 2020, 1])
    stream = io.BytesIO()
    book.save(stream)
    found = read(tmp_path, "a.xlsx", stream.getvalue())
    assert found.contract is None
    assert found.reasons == ["工作表“2班”第1行像“出生人口”的表头, 但缺少: 出生人数"]


def test_every_member_of_an_archive_is_read_or_named(tmp_path: Path) -> None:
    second = TEXT.replace("2020", "2021").encode("gb18030")
    data = zipped(
        {
            "a/2020.csv": TEXT.encode(),
            "a/2021.csv": second,
            "a/2022.xlsx": workbook([["区", "出生年", "出生人数"], ["东城区", 2022, 1]]),
            "公章.png": b"\x89PNG\r\n\x1a\n",
            "__MACOSX/._a": b"x",
        }
    )
    found = read(tmp_path, "a.zip", data)
    assert [t.member for t in found.tables] == ["a/2020.csv", "a/2021.csv", "a/2022.xlsx"]
    assert [t.encoding for t in found.tables] == ["utf-8", "gb18030", None]
    assert len(found.lines) == 5
    assert found.remarks == [
        "压缩包成员“公章.png”未读取: 这是图片, 不是数据表: 请报送 xlsx、csv 或 JSON 文件"
    ]


def test_two_datasets_in_one_file_are_refused(tmp_path: Path) -> None:
    capacity = next(c for c in PLACES if c.dataset == "capacity_project")
    header = ",".join(c.headings[0] for c in capacity.columns)
    data = zipped({"a.csv": TEXT.encode(), "b.csv": f"{header}\n1\n".encode()})
    (reason,) = read(tmp_path, "a.zip", data).reasons
    assert "两种数据表" in reason


def test_old_binary_workbook(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", (FILES / "births.xls").read_bytes())
    assert (found.container, [t.sheet for t in found.tables]) == ("xls", ["2020年", "2021年"])
    assert found.lines[:2] == [(3, CELLS[0]), (4, CELLS[1])]
    assert len(found.lines) == 4
    assert found.remarks == ["隐藏的工作表“旧数据”未读取: 如需报送请取消隐藏"]


def test_a_merged_cell_counts_for_each_of_its_rows(tmp_path: Path) -> None:
    data = workbook(
        [["区", "出生年", "出生人数"], ["东城区", 2019, 1], [None, 2020, 2], [None, 2021, 3]], merged="A2:A4"
    )
    found = read(tmp_path, "a.xlsx", data)
    assert [c[0] for c in found.raw_columns()[1]] == ["东城区"] * 3


def test_a_header_of_two_rows_is_joined(tmp_path: Path) -> None:
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
        found = read(tmp_path, "a", data, FITNESS)
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


def test_a_group_and_its_part_name_a_column_together(tmp_path: Path) -> None:
    birth = next(c for c in PLACES if c.dataset == "birth")
    columns = tuple(
        replace(c, headings=("出生/人数",)) if c.name == "birth_count" else c for c in birth.columns
    )
    own = replace(birth, columns=columns)
    text = "区,出生年,出生,,死亡\n,,男,人数,人数\n东城区,2020,2,4,1\n"
    found = read(tmp_path, "a.csv", text.encode(), [own])
    assert found.positions["birth_count"] == 3
    assert found.header == ["区", "出生年", "出生/男", "出生/人数", "死亡/人数"]


def test_formulas_show_their_value_and_without_one_say_so(tmp_path: Path) -> None:
    header = ["区", "出生年", "出生人数"]
    found = read(tmp_path, "a.xlsx", workbook([header, ["东城区", 2020, "=1+1"], ["西城区", 2020, 2]]))
    assert found.raw_columns()[1] == [["东城区", "2020", workbooks.UNCALCULATED], ["西城区", "2020", "2"]]
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, header)
        sheet.write_row(1, 0, ["东城区", 2020])
        sheet.write_formula(1, 2, "=1+1", None, 2)
    assert read(tmp_path, "a.xlsx", stream.getvalue()).raw_columns()[1] == [["东城区", "2020", "2"]]


def test_a_web_page_that_calls_itself_a_workbook(tmp_path: Path) -> None:
    page = (
        '<html><meta charset="gbk"><body><table border=1><tr><th colspan=3>出生人口</th></tr>'
        "<tr><td>区</td><td>出生年<td>出生人数</td></tr>"
        "<tr><td rowspan=2>东城区</td><td>2020</td><td>4321</td></tr>"
        "<tr><td>2021</td><td>&nbsp;5&lt;</td></tr>"
        "</table></body></html>"
    )
    found = read(tmp_path, "a.xls", page.encode("gb18030"))
    assert (found.container, found.encoding, found.header_line) == ("html", "gb18030", 2)
    assert found.raw_columns() == ([3, 4], [["东城区", "2020", "4321"], ["东城区", "2021", "5<"]])


def test_the_declared_size_of_a_sheet_is_not_believed(tmp_path: Path) -> None:
    data = changed(
        workbook([["区", "出生年", "出生人数"], ["东城区", 2020, 1]]),
        "xl/worksheets/sheet1.xml",
        lambda xml: re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', xml),
    )
    assert len(read(tmp_path, "a.xlsx", data).lines) == 1


def test_cells_far_apart_are_refused_before_memory_ends(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active["A1"], book.active["XFD1048576"] = "区", "x"  # type: ignore[index]
    stream = io.BytesIO()
    book.save(stream)
    (reason,) = read(tmp_path, "a.xlsx", stream.getvalue()).reasons
    assert "第1048576行" in reason
    assert "删除" in reason


def test_a_line_of_ten_megabytes(tmp_path: Path) -> None:
    for long in ("x" * 10_000_000, "1," * 5_000_000, '"' + "x" * 10_000_000 + '"'):
        found = read(tmp_path, "a.csv", (TEXT + long + "\n北京,2020,1\n").encode())
        assert found.raw_columns()[0] == [2, 3, 4, 5]
        alone = read(tmp_path, "a.csv", long.encode())
        assert alone.contract is None
        assert alone.reasons


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "LARGEST_MEMBER", 1000)
    bomb = zipped({"a.csv": b"0" * 5000})
    # Its directory and its header say ten bytes.
    lying = bomb.replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lying != bomb
    for data in (bomb, lying, gzip.compress(b"0" * 5000), gzip.compress(b"0" * 600) * 2):
        assert "过大" in read(tmp_path, "a", data).reasons[0]


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
    assert reader.period_in_name(name) == period
