"""A file of several datasets becomes one file for each; each sheet is read once, where its sender sees it."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import openpyxl

from jobs import declare
from jobs.declare import reasons
from jobs.declare.examples import IN_TEMPLATE, example_rows
from jobs.files import sha256
from jobs.ingest import trial
from jobs.reading import containers, parts, reader
from jobs.settings import Settings

CONTRACTS = list(declare.load().values())


def table(dataset: str, count: int, after: int = IN_TEMPLATE) -> list[list[str]]:
    """Headings and rows that a dataset takes."""
    contract = declare.load()[dataset]
    rows = [[*row.values()] for row in example_rows(contract, count, after=after)]
    return [[column.headings[0] for column in contract.columns], *rows]


def book(sheets: dict[str, list[list[str]]]) -> bytes:
    made, stream = openpyxl.Workbook(), io.BytesIO()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    made.save(stream)
    return stream.getvalue()


def several() -> bytes:
    return book(
        {
            "封面": [["学籍报送材料"], ["单位：某区教委"], ["联系人", "电话"]],
            "填写说明": [["列", "含义"], ["学籍号", "全国学籍号"]],
            "1班": [["在籍学生名册"], *table("pupil_roll", 3)],
            "2班": table("pupil_roll", 2, after=10),
            "学籍异动": table("roll_change", 4),
            "教职工": table("staff_register", 5),
            "代码表": [["代码", "含义"], ["1", "男"]],
            "成绩": table("test_result", 6),
        }
    )


def test_each_dataset_of_a_workbook_is_a_file_of_its_own(tmp_path: Path, settings: Settings) -> None:
    file = tmp_path / "学籍_2025-2026-1.xlsx"
    file.write_bytes(several())
    found = parts.parts(file, CONTRACTS)
    assert [(part.name, part.feed) for part in found] == [
        ("学籍_2025-2026-1（在籍学生名册）.xlsx", "enrollment"),
        ("学籍_2025-2026-1（学籍异动）.xlsx", "enrollment"),
        ("学籍_2025-2026-1（教职工名册）.xlsx", "enrollment"),
        ("学籍_2025-2026-1（国家学生体质健康标准测试结果）.xlsx", "physical_fitness"),
    ]
    assert parts.parts(file, CONTRACTS) == found, "the same files for the same file"
    sheets, files = {}, []
    for part in found:
        assert isinstance(part.content, bytes)
        files.append(tmp_path / part.name)
        files[-1].write_bytes(part.content)
        read = reader.read(files[-1], declare.datasets_of(part.feed or ""))
        assert read.contract is declare.load()[part.dataset or ""]
        sheets[part.dataset] = [(t.sheet, t.header_line) for t in read.tables], len(read.lines)
        others = [r for r in read.remarks if reasons.code_of(r) == "sheet_elsewhere"]
        assert len(others) + len(read.tables) == 5, "each table is read, or named as another's"
    assert sheets == {
        "pupil_roll": ([("1班", 2), ("2班", 1)], 5),
        "roll_change": ([("学籍异动", 1)], 4),
        "staff_register": ([("教职工", 1)], 5),
        "test_result": ([("成绩", 1)], 6),
    }
    assert len({*map(sha256, files)}) == 4
    assert openpyxl.load_workbook(files[0]).sheetnames[2] == "1班", "what was sent lies in each part"

    judged = trial.judge(settings, files, None, date(2025, 9, 20), offline=True)
    assert [t.receipt["dataset"] for t in judged] == list(sheets)
    assert [t.receipt["line_count"] for t in judged] == [count for _, count in sheets.values()]
    assert len({t.receipt["receipt_id"] for t in judged}) == 4


def test_a_sheet_that_nearly_fits_is_lost_in_no_part(tmp_path: Path) -> None:
    half = [row[1:] for row in table("roll_change", 2)]
    rows = {"名册": table("pupil_roll", 2), "教职工": table("staff_register", 2), "异动": half}
    (tmp_path / "a.xlsx").write_bytes(book(rows))
    for part in parts.parts(tmp_path / "a.xlsx", CONTRACTS):
        assert isinstance(part.content, bytes)
        (tmp_path / "part.xlsx").write_bytes(part.content)
        read = reader.read(tmp_path / "part.xlsx", declare.datasets_of("enrollment"))
        assert [reasons.code_of(reason) for reason in read.reasons] == ["header_lacks"]


def test_a_page_of_two_tables_lies_in_an_archive(tmp_path: Path) -> None:
    page = "".join(
        f"<table>{''.join('<tr>' + ''.join(f'<td>{c}</td>' for c in row) + '</tr>' for row in rows)}</table>"
        for rows in (table("pupil_roll", 2), table("staff_register", 3))
    )
    (tmp_path / "导出.xls").write_text(f"<html><body>{page}</body></html>", encoding="utf-8")
    found = parts.parts(tmp_path / "导出.xls", CONTRACTS)
    assert [part.name for part in found] == ["导出（在籍学生名册）.zip", "导出（教职工名册）.zip"]
    for part, count in zip(found, (2, 3), strict=True):
        assert isinstance(part.content, bytes)
        (tmp_path / "part.zip").write_bytes(part.content)
        read = reader.read(tmp_path / "part.zip", declare.datasets_of("enrollment"))
        assert (read.contract and read.contract.dataset, len(read.lines)) == (part.dataset, count)


def test_a_file_of_one_dataset_is_handed_in_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "名册.xlsx"
    sheets = {"封面": [["名册"]], "1班": table("pupil_roll", 2), "2班": table("pupil_roll", 1, 9)}
    file.write_bytes(book(sheets))
    assert parts.parts(file, CONTRACTS) == [parts.Part("名册.xlsx", "pupil_roll", "enrollment", file)]
    assert containers.is_for(file.read_bytes()) is None
    text = tmp_path / "a.csv"
    text.write_text("a,b\n1,2\n", encoding="utf-8")
    assert parts.parts(text, CONTRACTS, "名.csv") == [parts.Part("名.csv", None, None, text)]
