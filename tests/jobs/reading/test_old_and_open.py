"""Old binary and OpenDocument workbooks show what their senders see, as today's do.

The files were made by xlwt and odfpy, with the same cells.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.declare import reasons
from jobs.reading import containers, reader
from jobs.reading.sheet import UNCALCULATED, Sheet, UnreadableError

FILES = Path(__file__).parent / "files"
Read = Callable[..., reader.Reading]
Said = Callable[[list[str]], list[str]]

HEADER = ["区", "出生年", "出生人数", "日期", "用时", "率", "合并"]


def sheets(data: bytes) -> tuple[dict[str | None, dict[int, list[str | None]]], list[str]]:
    """Sheet -> line -> cells, and what is remarked."""
    remarks: list[str] = []

    def lines(sheet: Sheet) -> dict[int, list[str | None]]:
        found = (zip(b.column(0).to_pylist(), b.column(1).to_pylist(), strict=True) for b in sheet.blocks)
        return {number: cells for block in found for number, cells in block}

    return {sheet.name: lines(sheet) for sheet in containers.sheets(data, remarks)}, remarks


@pytest.mark.parametrize("name", ["shown.xls", "shown_1904.xls", "shown.ods"])
def test_errors_rates_days_and_times_are_what_is_shown(name: str) -> None:
    found, remarks = sheets((FILES / name).read_bytes())
    day = "2029-03-02" if "1904" in name else "2025-03-01"
    rows = found["名册"]
    assert rows[1] == HEADER
    assert rows[2] == ["东城区", "2020", "4321", day, "0:03:45.5", "90.1%", "a"]
    assert rows[3][:4] == ["西城区", "2020", "#N/A", f"{day} 08:00:00"]
    assert rows[3][5:] == ["10%", "b"]
    # A day and a time without their formats are numbers, and noise is no part of one.
    assert rows[4][3:] == ["45717", "0.5", "57.7", "c"]
    assert rows[6][3:] == ["0007", "1", "-5%", "d"]
    assert [rows[8], rows[9]] == [["丰台区", "2020", "1"], ["丰台区", "2021", "2"]]
    assert sorted(reasons.code_of(remark) for remark in remarks) == [
        "hidden_columns",
        "hidden_rows",
        "sheet_hidden",
    ]
    assert "旧" not in found


def test_an_error_in_a_row_of_its_own_is_a_row() -> None:
    for name, error in (("shown.xls", "#REF!"), ("shown.ods", "Err:502")):
        assert sheets((FILES / name).read_bytes())[0]["名册"][5] == [None, error]
    assert sheets((FILES / "shown.xls").read_bytes())[0]["名册"][7] == [None, None, "#DIV/0!"]


def test_a_formula_without_a_result_says_so() -> None:
    assert sheets((FILES / "shown.ods").read_bytes())[0]["名册"][4][2] == UNCALCULATED


def test_cells_and_rows_that_are_written_once_for_many_count_each() -> None:
    rows = sheets((FILES / "shown.ods").read_bytes())[0]["名册"]
    assert rows[10] == rows[11] == ["石景山区", "2022", "3", "3"]
    assert max(rows) == 11


def changed(old: str, new: str) -> bytes:
    """The OpenDocument file with one text of its content changed."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(FILES / "shown.ods") as source,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for info in source.infolist():
            content = source.read(info)
            if info.filename == "content.xml":
                assert old in content.decode()
                content = content.decode().replace(old, new, 1).encode()
            made.writestr(info.filename, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('table:number-rows-repeated="2"', 'table:number-rows-repeated="99999999"', "sheet_too_wide"),
        ('table:number-columns-repeated="2"', 'table:number-columns-repeated="99999999"', "sheet_too_wide"),
        ('table:number-rows-repeated="2"', 'table:number-rows-repeated="x"', "workbook_damaged"),
        ("<office:document-content", "<!DOCTYPE a><office:document-content", "workbook_damaged"),
        ('table:name="空"', 'table:name="名册"', "workbook_same_names"),
        ("</office:spreadsheet>", "", "workbook_damaged"),
    ],
)  # fmt: skip
def test_what_no_program_writes_is_refused(old: str, new: str, code: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        sheets(changed(old, new))
    assert reasons.code_of(raised.value.reason) == code


def test_notes_and_former_cells_are_no_cells() -> None:
    note = "<office:annotation><text:p>批注</text:p></office:annotation><text:p>东城区</text:p>"
    assert sheets(changed("<text:p>东城区</text:p>", note))[0]["名册"][2][0] == "东城区"


def test_an_old_workbook_cut_anywhere_is_damaged_or_read_whole() -> None:
    data = (FILES / "shown.xls").read_bytes()
    whole = sheets(data)[0]
    for end in range(0, len(data), 97):
        try:
            assert sheets(data[:end])[0] == whole
        except UnreadableError:
            continue


def test_an_old_workbook_is_a_dataset_as_it_was(read: Read) -> None:
    for name in ("shown.xls", "shown.ods"):
        found = read(name, (FILES / name).read_bytes())
        assert found.contract is not None
        assert (found.contract.dataset, found.container) == ("birth", name.rpartition(".")[2])
        assert found.lines[0] == (2, ["东城区", "2020", "4321", "2025-03-01", "0:03:45.5", "90.1%", "a"])
