"""Forms with grades or years across are the long statement, by line and column; totals are asked about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from jobs import declare
from jobs.declare import across, reasons, words
from jobs.ingest import trial
from jobs.reading import reader
from jobs.replies import report, report_files, verdict
from jobs.settings import Settings

Read = Callable[..., reader.Reading]
Make = Callable[..., bytes]

RETURN = declare.load()["grade_return"]
ENROLLMENT = declare.datasets_of("enrollment")
ONE_ROW: list[list[object]] = [
    ["2025-2026学年分年级在校生统计表"],
    ["学校标识码", "学校名称", "区", "一年级", "二年级", "三年级", "合计"],
    ["2111000001", "甲小学", "110101", 30, 31, 32, 93],
    ["2111000002", "乙小学", "110101", 20, "-", "21人", 41],
    ["合计", "", "", 50, 31, 53, 134],
]
TWO_ROWS: list[list[object]] = [
    ["学校标识码", "区", "学年", "小学", None, None, "初中", None, "总计"],
    [None, None, None, "一年级", "二年级", "小计", "一年级", "初二", None],
    ["2111000001", "110101", "2025", 30, 31, 61, None, None, 61],
    ["3111000001", "110101", "2025", 1, 2, 3, 40, 41, 84],
    ["全区", "110000", "2025", 31, 33, 64, 40, 41, 145],
]


def stated(found: reader.Reading) -> list[tuple[int, str, str]]:
    """(line, grade as written, count) of each statement."""
    rows = []
    for table in found.tables:
        at = [table.positions[name] for name in ("grade_key", "pupil_count")]
        for block in table.blocks:
            for number, cells in zip(block.column(0).to_pylist(), block.column(1).to_pylist(), strict=True):
                rows.append((number, *(cells[place] for place in at)))
    return sorted(rows)


def asked(found: reader.Reading) -> list[tuple[int, str]]:
    told = [reasons.details(r) for r in found.remarks if reasons.code_of(r) == "total_differs"]
    return [(one["line"], *one["headings"]) for one in told]


def test_grades_across_are_one_statement_each(read: Read, workbook: Make) -> None:
    found = read("a.xlsx", workbook(ONE_ROW), ENROLLMENT)
    assert (found.contract, found.reasons, asked(found)) == (RETURN, [], [])
    assert [row for row in stated(found) if row[0] < 5] == [
        *((3, f"{grade}年级", count) for grade, count in zip("一三二", ("30", "32", "31"), strict=True)),
        *((4, f"{grade}年级", count) for grade, count in zip("一三", ("20", "21人"), strict=True)),
    ]
    first = found.tables[0]
    assert first.header[-2:] == ["年级：一年级", "学年：2025"]
    assert across.own_headings(RETURN, first.header) == ONE_ROW[1]
    told = [words.heading(RETURN, table.header, "pupil_count") for table in found.tables]
    assert told == [("一年级", 3), ("二年级", 4), ("三年级", 5)]


def test_two_header_rows_name_stage_and_grade(read: Read, workbook: Make) -> None:
    found = read("a.xlsx", workbook(TWO_ROWS), ENROLLMENT)
    assert (found.contract, found.reasons, asked(found)) == (RETURN, [], [])
    assert [row for row in stated(found) if row[0] == 4] == [
        (4, "初中一年级", "40"),
        (4, "初二", "41"),
        (4, "小学一年级", "1"),
        (4, "小学二年级", "2"),
    ]


@pytest.mark.parametrize(
    ("line", "place", "wrong", "question"),
    [
        (2, 6, 94, [(3, "合计"), (5, "合计")]),
        (4, 3, 51, [(5, "合计"), (5, "一年级")]),
        (2, 3, 300, [(3, "合计"), (5, "一年级")]),
    ],
)
def test_a_total_that_is_no_sum_is_a_question(
    line: int, place: int, wrong: int, question: list[tuple[int, str]], read: Read, workbook: Make
) -> None:
    rows = [[*row] for row in ONE_ROW]
    rows[line][place] = wrong
    found = read("a.xlsx", workbook(rows), ENROLLMENT)
    assert asked(found) == question
    assert found.contract is RETURN, "a question refuses nothing"


def test_subtotals_above_a_total_are_counted_once(read: Read, workbook: Make) -> None:
    data = [["甲", "110101", 2025, 1, 2], ["乙", "110101", 2025, 3, 4], ["小计", "", "", 4, 6]]
    more = [["丙", "110101", 2025, 5, 6], ["小计", "", "", 5, 6], ["其中：民办", "", "", 1, 1]]
    head = [["学校标识码", "区", "学年", "小班", "中班"]]
    rows = [*head, *data, *more, ["总计", "", "", 9, 12]]
    assert asked(read("a.xlsx", workbook(rows), ENROLLMENT)) == []
    rows[-1][3] = 18
    assert asked(read("a.xlsx", workbook(rows), ENROLLMENT)) == [(8, "小班")]


def test_years_across_are_births(read: Read) -> None:
    text = "区,2021年,2022年出生人口,2023\n东城区,9,8,7\n西城区,6,5,\n合计,15,13,7\n"
    found = read("a.csv", text.encode())
    assert found.contract is declare.load()["birth"]
    rows = [
        (n, cells[t.positions["birth_year"]], cells[t.positions["birth_count"]])
        for t in found.tables
        for block in t.blocks
        for n, cells in zip(block.column(0).to_pylist(), block.column(1).to_pylist(), strict=True)
    ]
    assert sorted(rows)[:5] == [
        (2, "2021", "9"), (2, "2022", "8"), (2, "2023", "7"), (3, "2021", "6"), (3, "2022", "5"),
    ]  # fmt: skip


def test_a_form_without_a_year_says_what_it_lacks(read: Read, workbook: Make) -> None:
    (reason,) = read("a.xlsx", workbook(ONE_ROW[1:]), ENROLLMENT).reasons
    assert reasons.code_of(reason) == "header_lacks"


def test_a_wide_form_is_judged_and_its_sums_left_aside(
    settings: Settings, workbook: Make, tmp_path: Path
) -> None:
    rows = [[*row] for row in ONE_ROW]
    rows[2][4] = "很多"
    (tmp_path / "统计表.xlsx").write_bytes(workbook(rows))
    (made,) = trial.judge(settings, [tmp_path / "统计表.xlsx"], None, date(2025, 9, 20), offline=True)
    counts: dict[str, Any] = made.receipt
    assert counts["line_count"] == 8, "five statements, three sums"
    refused = [
        (r["line_number"], r["column_name"], r["rule"], r["table_number"]) for r in made.refused.to_pylist()
    ]
    assert (3, "pupil_count", "type", 1) in refused
    assert sum(rule == "sum_row" for _, _, rule, _ in refused) == 3


def test_the_reply_names_line_and_column_in_the_senders_own_form(
    settings: Settings, workbook: Make, tmp_path: Path
) -> None:
    rows = [[*row] for row in ONE_ROW]
    rows[2][4], rows[4][3] = "很多", 51
    file, keep = tmp_path / "统计表.xlsx", tmp_path / "keep"
    file.write_bytes(workbook(rows))
    (made,) = trial.judge(settings, [file], None, date(2025, 9, 20), offline=True, keep=keep)
    told = report.of_trial(settings, made)
    assert [(p.severity, p.line, p.heading) for p in told.problems if p.severity != "未计入"] == [
        ("退回", 3, "二年级"),
        ("核对", 5, "一年级"),
        ("核对", 5, "合计"),
    ]
    aside = [(p.line, p.rule) for p in told.problems if p.severity == "未计入"]
    assert aside == [(5, "sum_row")], "named once, not once a grade"
    # One wrong line of few holds nothing; a question alone sends nothing back.
    assert told.verdict.zh == "部分退回"
    assert verdict.of_receipt(made.receipt | {"refused_count": 0, "flagged_count": 0}).zh == "接收但有疑问"

    marked = report_files.write_trial(told, made.lines, tmp_path, "统计表")["marked"]
    _, sheet = openpyxl.load_workbook(marked)
    assert [[c.value or None for c in row] for row in sheet.iter_rows()] == [
        ["2025学年", *[None] * 7],
        [*ONE_ROW[1], "处理标注"],
        *(
            [*(None if c == "" else str(c) for c in row), mark]
            for row, mark in zip(rows[2:], ("退回", None, "核对"), strict=True)
        ),
    ]
    assert [c.coordinate for row in sheet.iter_rows() for c in row if c.comment][:2] == ["E3", "A5"]
    assert sheet.auto_filter.ref == "A2:H5"

    back = openpyxl.load_workbook(marked)
    back.worksheets[1]["E3"], back.worksheets[1]["D5"] = "31", "50"
    back.save(file)
    (again,) = trial.judge(settings, [file], None, date(2025, 9, 21), offline=True)
    assert (again.receipt["outcome"], again.receipt["accepted_count"]) == ("accepted", 5)
    assert verdict.of_receipt(again.receipt).zh == "正常接收"
