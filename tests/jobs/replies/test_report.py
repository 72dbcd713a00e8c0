"""The sender's report: every named line with its words, no value outside the restricted zone."""

from __future__ import annotations

import re
import stat
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest
import xlsxwriter

from jobs import declare
from jobs import settings as site_settings
from jobs.declare import Contract, words
from jobs.ingest import clean, raw
from jobs.judging import judge, values
from jobs.lake import deliveries, tables
from jobs.replies import report, report_files
from jobs.settings import Settings, UserError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROLL_HEADER = "学籍号,姓名,性别,出生日期,学校标识码,年级,班级,学籍状态,是否随迁子女"


def number(serial: int, kind: str = "G") -> str:
    """A pupil number that checks."""
    body = f"99435520150101{serial:03d}"
    check = values.CHECK[sum(int(d) * w for d, w in zip(body, values.WEIGHTS, strict=True)) % 11]
    return kind + body + check


def roll(count: int) -> list[list[str]]:
    return [
        [
            number(i),
            f"赵钱孙李{i}",
            "男",
            "20150307",
            "2111000001",
            "04",
            f"勤学{i % 3}班",
            "1",
            "否",
        ]
        for i in range(1, count + 1)
    ]


def land(settings: Settings, feed: str, sender: str, name: str, data: bytes, day: str = "2025-09-20") -> Path:
    source = settings.home / "outbox" / name
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(data)
    return deliveries.land(settings, source, feed, sender, date.fromisoformat(day))


def take(settings: Settings, spark: SparkSession, feed: str) -> None:
    raw.write_raw(settings, "2025-09-20.1", feed)
    clean.clean_rows(settings, spark, "2025-09-20.1", feed)


def text_of(file: Path) -> str:
    if file.suffix == ".html":
        return file.read_text(encoding="utf-8")
    book = openpyxl.load_workbook(file)
    return "\n".join(
        str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row if cell
    )


def test_a_roll_is_answered_line_by_line_and_no_value_leaves(settings: Settings, spark: SparkSession) -> None:
    rows = roll(60)
    rows[3][0] = rows[3][0][:-1] + ("0" if rows[3][0][-1] != "0" else "1")
    rows[3][3] = "昨天"
    rows[7][6] = ""
    rows[9][2] = "7"
    data = "\n".join([ROLL_HEADER, *(",".join(row) for row in rows)]).encode("gb18030")
    land(settings, "enrollment", "110101", "名册_2025-2026-1.csv", data)
    take(settings, spark, "enrollment")
    (receipt,) = report.receipts_of(settings, "110101")
    assert (receipt["accepted_count"], receipt["flagged_count"], receipt["refused_count"]) == (58, 1, 2)

    made = report.gather(settings, report.find_receipt(settings, receipt["receipt_id"][:6]))
    assert [(p.line, p.severity, p.heading, p.rule) for p in made.problems] == [
        (5, "退回", "出生日期", "type"),
        (5, "退回", "学籍号", "check_digit"),
        (9, "退回", "班级", "required"),
        (11, "存疑", "性别", "unmapped_code"),
    ]
    files = report_files.write(settings, made)
    for kind in ("xlsx", "html"):
        told = text_of(files[kind])
        for word in ("名册_2025-2026-1.csv", "东城区 110101", "已接收", "末位校验码", "1 男", "58"):
            assert word in told, (kind, word)
        for row in rows:
            for value in (row[0], row[1], row[3], row[4], row[6] or "昨天"):
                assert value not in told, (kind, value)
    assert not [f for f in files["xlsx"].parent.iterdir() if f.name.startswith(".")]

    marked = files["marked"]
    for private in (marked.parent, marked.parent.parent):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert stat.S_IMODE(marked.stat().st_mode) == 0o600
    sheet = openpyxl.load_workbook(marked).active
    assert sheet is not None
    commented = {c.coordinate: c for line in sheet.iter_rows() for c in line if c.comment}
    assert sorted(commented) == ["A5", "C11", "D5", "G9"]
    assert commented["D5"].value == "昨天"
    assert "日期" in commented["D5"].comment.text
    assert commented["A5"].fill.fgColor.rgb != commented["C11"].fill.fgColor.rgb
    assert [c.value for c in sheet[2]] == rows[0]


def test_a_workbook_comes_back_as_it_was_with_comments(settings: Settings, spark: SparkSession) -> None:
    source = settings.home / "x.xlsx"
    book = xlsxwriter.Workbook(str(source))
    sheet = book.add_worksheet("成绩")
    sheet.merge_range(0, 0, 0, 5, "2025年体质健康测试成绩")
    headings = ["年级编号", "班级编号", "学籍号", "姓名", "性别", "身高（cm）"]
    sheet.write_row(1, 0, headings)
    for i in range(30):
        height = 1.62 if i == 4 else 131.5
        sheet.write_row(2 + i, 0, [13, "01", number(i + 1), f"姓名{i}", "1", height])
    sheet.write_formula(40, 8, "=1+1")
    book.close()
    land(settings, "physical_fitness", "2111000001", "成绩.xlsx", source.read_bytes(), "2025-10-20")
    take(settings, spark, "physical_fitness")
    (receipt,) = report.receipts_of(settings)
    made = report.gather(settings, receipt)
    problem = made.problems[0]
    assert (problem.sheet, problem.line, problem.heading, problem.rule) == (
        "成绩",
        7,
        "身高（cm）",
        "impossible",
    )
    assert "80 至 250 cm" in problem.fix_zh
    assert "不是米" in problem.fix_zh
    files = report_files.write(settings, made)
    assert "1.62" not in text_of(files["xlsx"]) + text_of(files["html"])
    copy = openpyxl.load_workbook(files["marked"])["成绩"]
    assert copy["A1"].value == "2025年体质健康测试成绩"
    assert "A1:F1" in [str(r) for r in copy.merged_cells.ranges]
    assert copy["F7"].comment is not None
    assert copy["F7"].value == 1.62


def test_each_sheet_is_marked_by_its_own_columns(settings: Settings, spark: SparkSession) -> None:
    source = settings.home / "births.xlsx"
    book = xlsxwriter.Workbook(str(source))
    for name, order in (("甲", [0, 1, 2]), ("乙", [2, 0, 1])):
        sheet = book.add_worksheet(name)
        year = 2000 if name == "甲" else 2060
        rows = [["区", "出生年", "出生人数"], *([["东城区", year + i, i] for i in range(40)])]
        rows[3][2] = "?"
        for line, row in enumerate(rows):
            sheet.write_row(line, 0, [row[i] for i in order])
    book.close()
    land(settings, "place_demand", "110000", "births.xlsx", source.read_bytes(), "2025-01-10")
    take(settings, spark, "place_demand")
    (receipt,) = report.receipts_of(settings)
    made = report.gather(settings, receipt)
    assert {(p.sheet, p.line, p.position) for p in made.problems} == {("甲", 4, 2), ("乙", 4, 0)}
    marked = openpyxl.load_workbook(report_files.write(settings, made)["marked"])
    assert [marked["甲"]["C4"].value, marked["乙"]["A4"].value] == ["?", "?"]
    for name, cell in (("甲", "C4"), ("乙", "A4")):
        commented = [c.coordinate for line in marked[name].iter_rows() for c in line if c.comment]
        assert commented == [cell]


def test_a_held_delivery_says_why_and_the_way_out(settings: Settings, spark: SparkSession) -> None:
    lines = ["区,出生年,出生人数", *(f"东城区,{2000 + i},{'很多' if i < 5 else i}" for i in range(20))]
    data = "\n".join(lines).encode()
    land(settings, "place_demand", "110000", "births.csv", data)
    land(settings, "place_demand", "110000", "other.csv", b"a,b\n1,2\n")
    take(settings, spark, "place_demand")
    by_name = {r["file_name"]: report.gather(settings, r) for r in report.receipts_of(settings)}
    facts = dict(by_name["births.csv"].facts())
    assert facts["处理结果"].startswith("暂缓")
    assert facts["整批原因"].startswith("退回 5 行, 占 25.0%")
    english = replace(settings, language="en")
    facts_en = dict(report.gather(english, by_name["births.csv"].receipt).facts())
    assert facts_en["整批原因"].startswith("5 lines are refused, 25.0% of all; at most")
    assert "重新报送整个文件" in facts["下一步"]
    assert len(by_name["births.csv"].problems) == 5
    facts = dict(by_name["other.csv"].facts())
    assert facts["处理结果"].startswith("退回")
    assert facts["数据表"] == "未能识别"
    assert set(report_files.write(settings, by_name["other.csv"])) == {"xlsx", "html"}


@pytest.mark.parametrize(("site", "language"), [("us", "en"), ("nyc", "en"), ("beijing", "zh")])
def test_a_site_reads_reasons_in_its_language(site: str, language: str, tmp_path: Path) -> None:
    assert site_settings.load(site, home=tmp_path).language == language


def test_a_receipt_is_found_by_how_it_begins(settings: Settings) -> None:
    rows = [{"receipt_id": f"{i:016x}", "sender_code": "110101"} for i in (0xABC0, 0xABC1)]
    tables.append_rows(settings, "ops__receipt", rows, "t", "r")
    assert report.find_receipt(settings, "000000000000ABC1")["receipt_id"].endswith("abc1")
    with pytest.raises(UserError, match="2 receipts begin"):
        report.find_receipt(settings, "0000")
    with pytest.raises(UserError, match="no receipt"):
        report.find_receipt(settings, "ffff")


def _rules_of(contract: Contract) -> set[tuple[str, str]]:
    """Every reason that parsing can give, read off the conditions it builds."""
    refused, flags = judge._judgements(contract, {c.name for c in contract.columns})
    return {(*reason.split(":"),) for _, reason in [*refused, *flags]}  # type: ignore[misc]


@pytest.mark.parametrize("dataset", sorted(declare.load()))
def test_every_rule_is_put_into_words(dataset: str) -> None:
    contract = declare.load()[dataset]
    for column_name, rule in [*_rules_of(contract), (contract.key[0], "repeated_key")]:
        if column_name == "operation":
            assert "撤销" in words.explain(contract, column_name, rule).fix_zh
        assert words.has_words(contract, column_name, rule), (
            f"{dataset}.{column_name}: rule {rule} has no words"
        )
        said = words.explain(contract, column_name, rule)
        for text in (said.rule_zh, said.wrong_zh, said.fix_zh):
            assert re.search("[\u4e00-\u9fff]", text), text


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("[GJL][0-9]{17}[0-9X]", "1位 G/J/L, 17位数字, 1位数字或X"),
        ("[0-9]{10}", "10位数字"),
        ("[12][0-9]{3}(0[1-9]|1[0-2])", "1位 1/2, 3位数字, 1位月份 (01至12)"),
        ("[A-Z]{2,4}", "2至4位大写字母"),
        ("(?=x)y", "(?=x)y"),
    ],
)
def test_a_pattern_is_told_in_words(pattern: str, told: str) -> None:
    assert words.pattern_words(pattern) == told


def test_bounds_in_words_follow_the_declaration() -> None:
    contract = declare.load()["test_result"]
    column: Any = contract.column("weight_kg")
    said = words.explain(contract, "weight_kg", "impossible")
    low, high = column.refuse_outside
    assert f"{low:g} 至 {high:g} kg" in said.rule_zh
