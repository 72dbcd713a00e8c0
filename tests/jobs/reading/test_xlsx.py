"""What a cell shows is what is read, however its XML is spelled and its number formatted."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import openpyxl
import pytest
import xlsxwriter

from jobs.reading import reader
from jobs.reading.sheet import UNCALCULATED

Read = Callable[..., reader.Reading]
Said = Callable[[list[str]], list[str]]

XML = '<?xml version="1.0" encoding="UTF-8"?>'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
HEADER = "".join(
    f'<c r="{letter}1" t="inlineStr"><is><t>{text}</t></is></c>'
    for letter, text in zip("ABC", ("区", "出生年", "出生人数"), strict=True)
)


def package(sheet: str | bytes, book: str = "") -> bytes:
    """A workbook of one sheet, whose XML is given; `book` stands in the workbook's own XML."""
    relation = '<Relationship Id="r1" Type="{}" Target="{}"/>'
    listing = f'{XML}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("[Content_Types].xml", XML + "<Types/>")
        parts = (
            ("_rels/.rels", "officeDocument", "xl/workbook.xml"),
            ("xl/_rels/workbook.xml.rels", "worksheet", "worksheets/sheet1.xml"),
        )
        for path, kind, target in parts:
            to = relation.format(f"{OFFICE}/{kind}", target)
            archive.writestr(path, f"{listing}{to}</Relationships>")
        sheets = '<sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets>'
        archive.writestr(
            "xl/workbook.xml", f'{XML}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{book}{sheets}</workbook>'
        )
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
    return stream.getvalue()


def rows(second: str) -> str:
    return (
        f'{XML}<worksheet xmlns="{MAIN}"><sheetData><row r="1">{HEADER}</row>{second}</sheetData></worksheet>'
    )


FIRST = '<c r="A2" t="inlineStr"><is><t>东城区</t></is></c><c r="B2"><v>2020</v></c>'
SPELLINGS = {
    "plain": f'<row r="2">{FIRST}<c r="C2"><v>4321</v></c></row>',
    "single quotes, attributes in another order": "<row spans='1:3' r='2'>"
    "<c t='inlineStr' s='0' r='A2'><is><t>东城区</t></is></c><c s='0' r='B2'><v>2020</v></c>"
    "<c r = 'C2' ><v >4321</v ></c ></row>",
    "CDATA": f'<row r="2">{FIRST}<c r="C2"><v><![CDATA[4321]]></v></c></row>',
    "comments": f'<row r="2">{FIRST}<c r="C2"><!-- x --><v>43<!-- x -->21</v></c></row>',
    "references": f'<row r="2">{FIRST}<c r="&#67;2"><v>43&#50;1</v></c></row>',
    "pretty-printed": '<row r="2">\n <c r="A2" t="inlineStr">\n  <is>\n   <r><t>东</t></r>\n   <r><t>城区</t>'
    '</r>\n   <rPh sb="0" eb="1"><t>dong</t></rPh>\n  </is>\n </c>\n <c r="B2">\n  <v>2020</v>\n </c>\n'
    ' <c r="C2">\n  <v> 4321 </v>\n </c>\n</row>',
    "without places": "<row>"
    + FIRST.replace(' r="A2"', "").replace(' r="B2"', "")
    + "<c><v>4321</v></c></row>",
    "text of a formula": f'<row r="2">{FIRST}<c r="C2" t="str"><f>"4"&amp;"321"</f><v>4321</v></c></row>',
    "noise of binary arithmetic": f'<row r="2">{FIRST}<c r="C2"><v>4320.9999999999995</v></c></row>',
    "exponent": f'<row r="2">{FIRST}<c r="C2"><v>4.321E3</v></c></row>',
    "blank cells behind": f'<row r="2">{FIRST}<c r="C2"><v>4321</v></c><c r="D2"/><c r="E2"><v/></c></row>',
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_cells_are_read_in_any_spelling_of_the_xml(spelling: str, read: Read) -> None:
    assert read("a.xlsx", package(rows(SPELLINGS[spelling]))).lines == [(2, ["东城区", "2020", "4321"])]


def test_prefixes_and_utf_16_are_spellings_too(read: Read) -> None:
    plain = rows(SPELLINGS["plain"])
    prefixed = plain.replace("</", "</x:").replace("<", "<x:").replace("<x:/x:", "</x:").replace("<x:?", "<?")
    prefixed = prefixed.replace("xmlns=", "xmlns:x=")
    wide = plain.replace("UTF-8", "UTF-16").encode("utf-16")
    for sheet in (prefixed, wide):
        assert read("a.xlsx", package(sheet)).lines == [(2, ["东城区", "2020", "4321"])]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ('<c r="C2" t="e"><v>#N/A</v></c>', "#N/A"),
        ('<c r="C2" t="e"><f>A9</f><v>#REF!</v></c>', "#REF!"),
        ("<c t='e' r='C2'><f>1/0</f><v><![CDATA[#DIV/0!]]></v></c>", "#DIV/0!"),
        ('<c r="C2"><f>1+1</f></c>', UNCALCULATED),
        ('<c r="C2"><f>1+1</f><v></v></c>', UNCALCULATED),
        ("<c r='C2'><f t='shared' si='0'/><v/></c>", UNCALCULATED),
        ('<c r="C2" t="str"><f>A2</f></c>', UNCALCULATED),
        ('<c r="C2" t="str"><f>IF(1,"")</f><v></v></c><c r="D2"><v>1</v></c>', ""),
        ('<c r="C2"><v>NaN</v></c>', "#NUM!"),
        ('<c r="C2" t="b"><v>1</v></c>', "1"),
        ('<c r="C2"><v>110101201501010012</v></c>', "1.1010120150101002e+17"),
    ],
)
def test_what_has_no_result_says_so(cell: str, shown: str, read: Read) -> None:
    ((_, cells),) = read("a.xlsx", package(rows(f'<row r="2">{FIRST}{cell}</row>'))).lines
    assert cells[2] == shown


def test_a_nought_that_no_program_calculated_is_no_number(read: Read) -> None:
    sheet = rows(f'<row r="2">{FIRST}<c r="C2"><f>A1</f><v>0</v></c></row>')
    assert read("a.xlsx", package(sheet)).lines[0][1][2] == "0"
    made = package(sheet, '<calcPr calcId="1" fullCalcOnLoad="1"/>')
    assert read("a.xlsx", made).lines[0][1][2] == UNCALCULATED


@pytest.mark.parametrize(
    "sheet",
    [
        rows('<row r="3"/><row r="2"/>'),
        rows('<row r="2"><c r="XFE2"><v>1</v></c></row>'),
        rows('<row r="2"><c r="A2" t="s"><v>7</v></c></row>'),
        rows("<row>"),
        rows(SPELLINGS["plain"]).replace("<worksheet", '<!DOCTYPE w [<!ENTITY a "b">]><worksheet'),
    ],
)
def test_xml_that_no_workbook_has_is_damaged(sheet: str, read: Read, said: Said) -> None:
    (reason,) = said(read("a.xlsx", package(sheet)).reasons)
    assert "已损坏" in reason


def formatted(cells: list[tuple[float, str]], since_1904: bool = False) -> bytes:
    """One row for each number, shown in its format under 出生人数."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"date_1904": since_1904}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["区", "出生年", "出生人数"])
        for row, (value, code) in enumerate(cells, 1):
            sheet.write_row(row, 0, ["东城区", 2020])
            sheet.write_number(row, 2, value, book.add_format({"num_format": code}))
    return stream.getvalue()


HALF = 225.5 / 86400


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (0.901, "0.00%", "90.1%"),
        (0.9010149628544522, "0%", "90.1014962854452%"),
        (0.5, '0.0"%"', "0.5"),
        (5, "00", "05"),
        (3, '0"班"', "3"),
        (45719, "yyyy-mm-dd", "2025-03-03"),
        (45719, '[$-804]yyyy"年"m"月";@', "2025-03-03"),
        (45719, "d", "2025-03-03"),
        (45719.5, "m/d h:mm", "2025-03-03 12:00:00"),
        (45944.99950231481, "yyyy/m/d", "2025-10-14 23:59:17"),
        (HALF, "mm:ss.0", "0:03:45.5"),
        (HALF, "[m]:ss", "0:03:45.5"),
        (HALF, "[s]", "0:03:45.5"),
        (HALF, 'm"分"s"秒"', "0:03:45.5"),
        (225 / 86400, "h:mm:ss", "0:03:45"),
        (225 / 1440, "h:mm", "3:45:00"),
        (1450 / 1440, "h:mm", "24:10:00"),
        (-1, "yyyy-mm-dd", "########"),
        (57.699999999999996, "0.0", "57.7"),
        (-0.30000000000000004, "0.0;[Red]-0.0", "-0.3"),
        (1234.5, '#,##0.00_);[Red]"d"0', "1234.5"),
        (1e-17, "0.0", "0.00000000000000001"),
    ],
)
def test_a_number_is_read_as_its_format_shows_it(value: float, code: str, shown: str, read: Read) -> None:
    ((_, cells),) = read("a.xlsx", formatted([(value, code)])).lines
    assert cells[2] == shown


def test_days_count_from_where_the_workbook_says(read: Read) -> None:
    found = read("a.xlsx", formatted([(44257, "yyyy-mm-dd"), (HALF, "mm:ss.0")], since_1904=True)).lines
    assert [cells[2] for _, cells in found] == ["2025-03-03", "0:03:45.5"]


@pytest.mark.parametrize("number", [18, 19, 20, 21, 32, 33, 45, 46, 47])
def test_formats_known_by_number_alone_show_times(number: int, read: Read) -> None:
    book = openpyxl.load_workbook(io.BytesIO(formatted([(HALF, "mm:ss.0")])))
    stream = io.BytesIO()
    book.save(stream)
    with zipfile.ZipFile(stream) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    styles = members["xl/styles.xml"].decode()
    place = styles.index("<cellXfs")
    members["xl/styles.xml"] = (
        styles[:place]
        + styles[place:]
        .replace('numFmtId="164"', f'numFmtId="{number}"')
        .replace('numFmtId="47"', f'numFmtId="{number}"')
    ).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert read("a.xlsx", stream.getvalue()).lines[0][1][2] == "0:03:45.5"


def test_hidden_rows_and_columns_are_read_and_counted(read: Read, said: Said) -> None:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        sheet = book.add_worksheet("甲")
        for row, cells in enumerate(
            (["区", "出生年", "出生人数"], *(["东城区", y, 1] for y in range(2018, 2023)))
        ):
            sheet.write_row(row, 0, cells)
        for row in (1, 2, 4, 9):
            sheet.set_row(row, None, None, {"hidden": True})
        sheet.set_column(1, 1, None, None, {"hidden": True})
        sheet.set_column(7, 9, None, None, {"hidden": True})
    found = read("a.xlsx", stream.getvalue())
    assert len(found.lines) == 5
    rows, columns = said(found.remarks)
    assert "有 3 行是隐藏的" in rows
    assert "有 1 列是隐藏的" in columns
