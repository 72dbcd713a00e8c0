"""Rows that are no data are left aside and named; rows that only look like them stand."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from jobs import declare
from jobs.declare.examples import IN_TEMPLATE, example_rows
from jobs.declare.model import ASIDE, SUM, Column
from jobs.declare.template import write_template
from jobs.judging import aside
from jobs.reading import reader

Judge = Callable[..., list[dict[str, Any]]]
Lines = Callable[[str, list[str]], list[list[str]]]
DATASETS = sorted(declare.load())


@pytest.fixture
def of_lines(judge_table: Judge) -> Callable[[str, list[str]], list[list[str]]]:
    """`of_lines(dataset, lines)`: the reasons of each line below the first, cells between commas."""

    def ask(dataset: str, lines: list[str]) -> list[list[str]]:
        header, *below = [line.split(",") for line in lines]
        return [row["refused"] for row in judge_table(dataset, header, below)]

    return ask


# Sums


@pytest.mark.parametrize(
    "word",
    ["合计", "合 计", "合　计", "（合计）", "【总计】", "小计：", "合计30人", "合计：30", "东城区合计",
     "共计", "全市", "全 区", "其中：公办", "Total", "TOTAL", "Subtotal", "Sub-total", "Grand total",
     "Manhattan Total", "北京市", "两区合计（人）", "小计(所)", "∑", "Σ"],
)  # fmt: skip
def test_a_row_that_sums_up_others_is_no_unit(word: str, of_lines: Lines) -> None:
    births = ["区,出生年,出生人数", "东城区,2024,9", "西城区,2024,17", f"{word},2024,90"]
    assert of_lines("birth", births) == [[], [], ["unit_code:sum_row"]]


@pytest.mark.parametrize("word", ["计划生育指导区", "总部基地", "全椒县", "本溪市", "Totality", "其他"])
def test_a_unit_whose_name_is_near_a_word_of_sums_stands(word: str, of_lines: Lines) -> None:
    assert of_lines("birth", ["区,出生年,出生人数", f"{word},2024,9"]) == [[]]


def test_a_sum_is_known_wherever_its_word_stands(of_lines: Lines) -> None:
    lines = [
        "序号,学校标识码,区,学年,年级,在校生数",
        "1,2111000001,110101,2025,P1,30",
        "合计,,,,,30",
        ",,小计,,,30",
        ",2111000001,110101,2025,合计,30",
        ",2111000001,110101,2025,P2,三十",
    ]
    assert of_lines("grade_return", lines) == [
        [],
        *([["unit_code:sum_row"]] * 3),
        ["pupil_count:type"],
    ]


def test_a_districts_own_row_among_its_schools_is_their_sum(of_lines: Lines) -> None:
    lines = [
        "学校标识码,区,学年,年级,在校生数",
        "2111000001,东城区,2025,P1,30",
        "2111000002,东城区,2025,P1,12",
        "110101,110000,2025,P1,42",
        "110101,110000,2024,P1,40",
        "110102,110000,2025,P1,99",
    ]
    # What does not add up is asked for again; a district without its schools' rows is a unit like any other.
    assert of_lines("grade_return", lines) == [
        *([[]] * 2),
        ["unit_code:sum_row"],
        ["unit_code:sum_differs"],
        [],
    ]


def test_a_unit_of_no_list_is_a_sum_only_where_that_is_certain(of_lines: Lines) -> None:
    head = "区,出生年,出生人数"
    three = ["东城区,2024,9", "西城区,2024,17", "朝阳区,2024,40"]
    assert of_lines("birth", [head, *three, "市域,2024,66"])[-1] == ["unit_code:sum_row"]
    assert of_lines("birth", [head, *three, "市域,2024,65"])[-1] == []
    assert of_lines("birth", [head, *three[:2], "市域,2024,26"])[-1] == []
    assert of_lines("birth", [head, *three, "市域,2023,66"])[-1] == []


# Notes


ROLL = "学籍号,姓名,性别,出生日期,学校标识码,年级,班级,学籍状态"
PUPIL = "G999999201501010012,某某,男,20150101,2111000001,04,1班,1"


@pytest.mark.parametrize(
    "line",
    ["制表人：某某,,,审核人：某某,,,,2025年9月20日", "注：本表一式两份,,,,,,,", "注1.本表一式两份,,,,,,,",
     "备注,,,,,,,", ",,,,填报单位（盖章）：某校,,,", "第1页 共3页,,,,,,,", "Page 1 of 3,,,,,,,",
     ",,,,,,,第 2 页", "单位负责人（签字）:,,,,,,,", "（以下空白）,,,,,,,", "某某小学在籍学生名册,,,,,,,",
     ",,,,,,,2025年9月20日",
     "Prepared by: X,,,,,,,", f"{ROLL}", "学 籍 号,,,,,,,"],
)  # fmt: skip
def test_a_note_below_the_data_is_no_data(line: str, of_lines: Lines) -> None:
    assert of_lines("pupil_roll", [ROLL, PUPIL, line]) == [[], ["pupil_key:no_data_row"]]


def test_a_line_with_nothing_but_its_number_is_no_data(of_lines: Lines) -> None:
    lines = ["序号," + ROLL, "1," + PUPIL, "2,,,,,,,,", "3,,某某,男,,,,,"]
    first, blank, half = of_lines("pupil_roll", lines)
    assert (first, blank) == ([], ["pupil_key:no_data_row"])
    # A line that has lost its number still names somebody.
    assert "pupil_national_id:required" in half


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (PUPIL.replace("某某", "注册"), None),
        (PUPIL.replace("某某", "合计"), None),
        ("G999999201501010012,,,,,,,", "pupil_name:required"),
        ("G99999920150101,某某,男,20150101,2111000001,04,1班,1", "pupil_national_id:pattern"),
        (",某某,男,20150101,2111000001,04,1班,1", "pupil_national_id:required"),
    ],
)
def test_a_pupils_line_is_never_left_aside(line: str, reason: str | None, of_lines: Lines) -> None:
    (reasons,) = of_lines("pupil_roll", [ROLL, line])
    assert reasons[:1] == ([reason] if reason else [])


# Examples


def _wide(_: Column, text: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in f" {text} ")


def _as_numbers(column: Column, text: str) -> str:
    """As a sheet shows what it took for numbers and days: long ones have lost their last digits."""
    if column.type == "date" and text:
        return f"{text.replace('-0', '/').replace('-', '/')} 0:00:00"
    if len(text) == 18 and text.isdecimal():
        return f"{float(text):.5E}"
    return f"{text}.0" if text.isdecimal() and not column.codes and column.type != "year" else text


def _in_small_letters(column: Column, text: str) -> str:
    return text.lower() if column.type == "string" else text


RETYPED = (_wide, _as_numbers, _in_small_letters)


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_a_templates_own_rows_are_right_and_left_aside_as_examples(
    dataset: str, ending: str, tmp_path: Path, judge_table: Judge
) -> None:
    contract = declare.load()[dataset]
    write_template(contract, tmp_path / "filled.xlsx")
    file = tmp_path / "filled.xlsx"
    sheet = openpyxl.load_workbook(file).worksheets[0]
    names = [c.name for c in contract.columns]
    others = [[row[name] for name in names] for row in example_rows(contract, after=IN_TEMPLATE)]
    typed = [
        [again(c, row[c.name]) for c in contract.columns]
        for again in RETYPED
        for row in example_rows(contract)
    ]
    rows = (
        [[str(cell.value or "") for cell in row] for row in sheet.iter_rows(max_row=1 + IN_TEMPLATE)]
        + others
        + typed
    )
    if ending == "xlsx":
        book = openpyxl.load_workbook(file)
        for row in others + typed:
            book.worksheets[0].append(row)
        book.save(file)
    else:
        file = tmp_path / "filled.csv"
        with file.open("w", encoding="utf-8", newline="") as lines:
            csv.writer(lines).writerows(rows)
    read = reader.read(file, declare.datasets_of(contract.feed))
    assert read.contract is contract
    found = judge_table(dataset, rows[0], [list(cells) for _, cells in read.lines])
    told = [(row["refused"], row["flags"], row["unmapped"]) for row in found]
    # Nothing else is wrong with an example, and the same row of somebody else is accepted without a question.
    example = ([f"{contract.key[0]}:example_row"], [], [])
    count = IN_TEMPLATE * 2
    assert told[:count] == [*[example] * IN_TEMPLATE, *[([], [], [])] * IN_TEMPLATE]
    # Below real rows, and typed again in another way, they are known as well.
    assert [row[0][0] for row in told[count:]] == [example[0][0]] * len(typed)


def test_an_example_whose_name_was_written_over_is_still_nobody(judge: Judge) -> None:
    example = example_rows(declare.load()["pupil_roll"])[0]
    (row,) = judge("pupil_roll", [example | {"pupil_name": "张三", "school_code": "2111000001"}])
    assert row["refused"] == ["pupil_key:example_row"]


@pytest.mark.parametrize(
    "changes",
    [
        {"pupil_national_id": "G110101201509010014"},
        {"pupil_national_id": "G999999201509010017", "pupil_name": "张三", "sex_code": "2"},
    ],
)
def test_a_row_is_an_example_by_its_number_alone(changes: dict[str, str], judge: Judge) -> None:
    (row,) = judge("pupil_roll", [example_rows(declare.load()["pupil_roll"])[0] | changes])
    is_own = changes["pupil_national_id"].startswith("G999999")
    assert ("pupil_key:example_row" in row["refused"]) == is_own


def test_a_real_figure_beside_an_examples_unit_and_year_stands(judge: Judge) -> None:
    example = example_rows(declare.load()["birth"])[0]
    rows = judge("birth", [example, example | {"birth_count": "8321"}])
    assert [row["refused"] for row in rows] == [["unit_code:example_row"], []]


def test_what_an_example_names_can_be_nothing_real() -> None:
    kinds = {row["code"] for row in declare.code_list("school_type_prefix").rows}
    for contract in declare.load().values():
        for row in example_rows(contract):
            schools = {text for name, text in row.items() if name.endswith("school_code")}
            assert all(text[:2] == "99" for text in schools)
            numbers = {text for text in row.values() if "20150901" in text}
            assert all("999999" in text for text in numbers)
    assert "99" not in kinds


def test_the_row_of_the_whole_city_is_data_where_the_contract_says_so(judge: Judge) -> None:
    """A bulletin prints the city among its districts; a sum of some districts is no unit all the same."""
    units = ["全市", "全 市", "合计", "（全市总计）", "东城区", "经济技术开发区"]
    sums = ["城六区小计", "其中：城六区"]
    given = {"stage_code": "普通小学", "published_pupil_count": "1,000"}
    rows = judge(
        "control_total",
        [
            given | {"unit_code": unit, "school_year_start": f"{year}-{year + 1}"}
            for year, unit in enumerate((*units, *sums), 2010)
        ],
    )
    assert [row["refused"] for row in rows[:6]] == [[]] * 6
    assert [row["unit_code"] for row in rows[:6]] == ["city"] * 4 + ["110101", "经济技术开发区"]
    assert [row["refused"][0].split(":")[1] for row in rows[6:]] == [SUM, SUM]
    (city_of_births,) = judge("birth", [{"unit_code": "全市", "birth_year": "2024", "birth_count": "9"}])
    assert city_of_births["refused"] == [f"unit_code:{SUM}"]


def test_the_reasons_of_rows_left_aside_are_told_apart(judge: Judge) -> None:
    rows = judge("birth", [{"unit_code": "合计"}, {"birth_count": "很多"}, {}])
    counted = [any(reason.endswith(rule) for rule in ASIDE for reason in row["refused"]) for row in rows]
    assert counted == [True, False, False]
    assert aside.is_aside()
