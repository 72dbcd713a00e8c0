"""Forms in which programs and sheets send a value: read as what their senders see, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from jobs import declare
from jobs.declare import units
from jobs.judging import judge as judging
from jobs.judging import texts, values
from jobs.judging.expressions import Sql, col

Judge = Callable[..., list[dict[str, Any]]]

DAY = date(2025, 3, 3)


def read(dataset: str, name: str, sent: list[str]) -> list[Any]:
    """The values of these cells in one column of a site in Beijing; in order."""
    column = declare.load()[dataset].column(name)
    with duckdb.connect() as db:
        db.execute("set TimeZone = 'UTC'")
        db.register("raw", pa.table({"i": range(len(sent)), "raw": sent}))
        written = judging._written(texts.plain(texts.narrow(col("raw"))))
        rows = f"select i, {written.named('text')} from raw"
        rows = f"select i, {texts.spelled(column, col('text')).named('text')} from ({rows})"
        value = values.value_of(column, col("text"), "cn", None, "Asia/Shanghai")
        return [found for (found,) in db.execute(f"select {value} from ({rows}) order by i").fetchall()]


INSTANTS = [
    *("2025-03-02T16:00:00.000Z", "2025-03-02T16:00Z", "2025-03-02 16:00:00+00:00", "2025-03-03T07:30:00Z"),
    *("2025-03-03T00:00:00+08:00", "2025-03-03T00:00:00+0800", "2025-03-02T11:00:00-05"),
    *("1740931200000", "1740931200", "/Date(1740931200000+0800)/", "20250303120000", "202503031200"),
    *("2025-03-02 23:59:17", "45718.99950231481", "45719.00049768519", "45718.99999999999", "45719.75"),
    *("2025/3/3 23:58:00", "2025-03-03T00:00:00", "2025年3月3日 8时30分"),
]


def test_an_instant_is_the_day_that_it_was_at_the_site() -> None:
    found = dict(zip(INSTANTS, read("illness_report", "reported_date", INSTANTS), strict=True))
    assert {sent: day for sent, day in found.items() if day != DAY} == {}


def test_what_may_be_another_day_is_none() -> None:
    assert (
        read("illness_report", "reported_date", ["03-03-2025", "3/3/25", "2025-03", "17409312"]) == [None] * 4
    )


def test_a_month_is_itself_in_every_spelling() -> None:
    sent = [
        *(
            "202009",
            "202009.0",
            "2020-09",
            "2020-9",
            "2020/9",
            "2020.9",
            "2020年9月",
            "2020年9月份",
            "2020、9",
        ),
        *("2020-09-01", "2020-09-30 00:00:00", "44075", "20200901", "9/2020", "Sep-20", "Sep 2020"),
        *("September 2020", "２０２０－０９", "2020-08-31T16:00:00Z"),
    ]
    found = dict(zip(sent, read("pupil_roll", "entry_month", sent), strict=True))
    assert {text for text, month in found.items() if month != "202009"} == set()
    # `2020.1` may be what a sheet leaves of `2020.10`.
    assert read("pupil_roll", "entry_month", ["202013", "2020", "2020.1", "3020-00"]) == [None] * 4


@pytest.mark.parametrize(
    ("sent", "right"),
    [
        *(
            (text, "57.7")
            for text in ("57.699999999999996", "57.7000000000001", "５７．７", "57。7", "57.7 cm")
        ),
        *((text, "-0.3") for text in ("-0.30000000000000004", "−0.3", "–0.3", "－.3", "﹣０．３", "-.3")),
        *((text, "5") for text in ("5.", "5.0", "+5", "٥", "\u200b5\ufeff", "=5", '="5"', "='5'", "5\n")),
        *((text, "0") for text in ("5.551115123125783e-17", "-0", "0.00000000000000005551")),
    ],
)
def test_a_number_is_read_as_it_is_seen(sent: str, right: str) -> None:
    assert read("test_result", "sit_and_reach_cm", [sent]) == [Decimal(right)]


def test_counts_stay_whole() -> None:
    sent = ["3000.0000000000005", "3 000", "3\u00a0000", "3，000", "3000.3333333333335", "3e3", "3.000,5"]
    assert read("test_result", "vital_capacity_ml", sent) == [3000] * 4 + [None] * 3


@pytest.mark.parametrize("sent", ["90.10%", "９０．１０％", "90.1 %", "901‰", "90.1", "90.09999999999999%"])
def test_a_rate_in_per_cent_is_kept_in_per_cent(sent: str) -> None:
    assert read("indicator_value", "indicator_value", [sent]) == [Decimal("90.1")]


def test_a_sign_of_per_cent_is_no_count() -> None:
    assert read("birth", "birth_count", ["50%"]) == read("indicator_value", "numerator", ["50%"]) == [None]


def test_running_times_keep_their_fraction() -> None:
    sent = ["0:03:45.5", "3:45.5", "0:03:45", "3:45:00", "3.4500000000000002", "225.50000000000003", "0.0026"]
    found = read("test_result", "run_1000m_s", sent)
    assert found == [*map(Decimal, ("225.5", "225.5", "225", "225", "225", "225.5")), None]


def test_a_school_year_is_no_month() -> None:
    sent = ["2025-2026", "2025-26", "2025/2026学年", "2025", "2025-09", "2025-2027"]
    assert read("birth", "birth_year", sent) == [2025] * 4 + [None] * 2


ERRORS = [
    *(
        "#N/A",
        "#REF!",
        "#DIV/0!",
        "#VALUE!",
        "#NAME?",
        "#NUM!",
        "#NULL!",
        "#SPILL!",
        "#CALC!",
        "#GETTING_DATA",
    ),
    *("＃N/A", "#n/a", "#BEZUG!", "########", "Err:502", "#公式未计算"),
]
COLUMNS = ("class_code", "fitness_grade_code", "vital_capacity_ml", "run_1000m_s", "test_date")


def test_an_error_is_refused_by_its_own_name_in_any_column(judge: Judge) -> None:
    rows = judge("test_result", [{name: error} for name in COLUMNS for error in ERRORS])
    assert [row["refused"] for row in rows] == [[f"{name}:formula"] for name in COLUMNS for _ in ERRORS]


def test_a_number_sign_alone_is_no_error(judge: Judge) -> None:
    (row,) = judge("test_result", [{"class_code": "#1班"}])
    assert row["refused"] == []


@pytest.mark.parametrize(
    "day", ["2025-03-01", "2025/3/1", "3月1日", "1-Mar", "Mar-01", "2025-03-01 00:00:00"]
)
def test_a_class_that_a_sheet_made_a_day_is_refused(judge: Judge, day: str) -> None:
    (row,) = judge("pupil_roll", [{"class_name": day}])
    assert row["refused"] == ["class_name:became_date"]


HEADER = ["区", "出生年", "出生人数"]


def test_cells_that_no_heading_names_refuse_their_line(judge_table: Judge) -> None:
    lines = [["东城区", "2020", "4", "321"], ["西城区", "2020", "5432"], ["朝阳区", "2020", "7", " "]]
    assert [row["refused"] for row in judge_table("birth", HEADER, lines)] == [
        ["unit_code:cells_beyond"],
        [],
        # One more cell than the heading, though a blank one.
        ["unit_code:cells_beyond"],
    ]
    lines = [["东城区", "2020", "4", "321", ""]]
    (row,) = judge_table("birth", [*HEADER, "", ""], lines)
    assert row["refused"] == ["unit_code:cells_beyond"]
    (row,) = judge_table("birth", [*HEADER, "", ""], [["东城区", "2020", "4321", "", ""]])
    assert row["refused"] == []


UNSEEN = "\x1f\u200b\u200e\u202a\u2060\u00ad\ufeff\x85\x0b\u2009\u2002\u00a0\u3000\t"


def test_what_nobody_sees_is_dropped_at_ends_and_within(judge: Judge) -> None:
    number = "G999999201501010012"
    sent = [f"{sign}{number}{sign}" for sign in UNSEEN] + [f"{number[:6]}\u200b{number[6:]}"]
    rows = judge("test_result", [{"pupil_national_id": text} for text in sent])
    assert {row["_identifier"] for row in rows} == {number}


def test_a_line_break_within_a_cell_is_no_part_of_a_name(judge: Judge) -> None:
    rows = judge("birth", [{"unit_code": "东\r\n城区"}, {"unit_code": "东城区"}])
    assert rows[0]["unit_code"] == rows[1]["unit_code"] == "110101"


def test_a_word_for_no_result_is_a_blank_that_is_asked_about(judge: Judge) -> None:
    words = ["免测", "缺考", "请假", "病假", "作弊", "伤", "DNF", "dnf", "缓 测", "无", "没有成绩"]
    rows = judge("test_result", [{"run_1000m_s": word, "vital_capacity_ml": word} for word in words])
    flags = ["vital_capacity_ml:no_result", "run_1000m_s:no_result"]
    found = [(r["run_1000m_s"], set(r["refused"]) - {"pupil_key:repeated_key"}, r["flags"]) for r in rows]
    assert found == [(None, set(), flags)] * len(words)
    others = judge("test_result", [{"run_1000m_s": word} for word in ("优秀", "很快", "4:60")])
    assert [row["refused"] for row in others] == [["run_1000m_s:type"]] * 3


def test_a_nought_is_no_result_of_what_cannot_be_nought(judge: Judge) -> None:
    names = (
        "run_1000m_s",
        "run_50m_s",
        "vital_capacity_ml",
        "standing_long_jump_cm",
        "height_cm",
        "weight_kg",
    )
    rows = judge("test_result", [{name: nought} for name in names for nought in ("0", "0.0", "00")])
    assert all(row["refused"][0].endswith((":impossible", ":type")) for row in rows)


def test_a_month_with_two_digits_of_a_year_is_asked_about(judge: Judge) -> None:
    rows = judge(
        "pupil_roll", [{"entry_month": text} for text in ("Sep-20", "Sep-2020", "20209", "2020 9", "2020.09")]
    )
    assert [row["entry_month"] for row in rows] == ["202009", "202009", None, "202009", "202009"]
    assert [row["flags"] for row in rows] == [["entry_month:month_unclear"], [], [], [], []]
    assert rows[2]["refused"] == ["entry_month:type"]


def test_numbers_of_persons_are_read_as_people_type_them(judge: Judge) -> None:
    card = "99999920150101008X"
    written = [
        card,
        card.lower(),
        "999999 20150101 008X",
        f"{card[:-1]}×",
        f"{card[:-1]}Х",
        f"{card}'",
        f"“{card}”",
    ]
    rows = judge(
        "pupil_roll",
        [
            {
                "pupil_national_id": form.replace("999999", "G999999", 1),
                "id_document_number": form,
                "id_document_type_code": "1",
            }
            for form in written
        ],
    )
    assert [row["_identifier"] for row in rows] == [f"G{card}"] * len(written)
    assert [row["_document"] for row in rows] == [card] * len(written)
    assert [row["refused"] for row in rows] == [[]] + [["pupil_key:repeated_key"]] * (len(written) - 1)


def test_a_card_of_15_digits_is_asked_about_and_a_passport_is_not(judge: Judge) -> None:
    sent = [
        ("999999150101001", "1"),
        ("999999150101001", None),
        ("9999991501", "1"),
        ("E12345678", "2"),
        ("无", "1"),
        ("", "1"),
    ]
    rows = judge("pupil_roll", [{"id_document_number": n, "id_document_type_code": kind} for n, kind in sent])
    asked = [["id_document_number:card_form"]] * 3 + [[]] * 3
    assert [[f for f in row["flags"] if "card_form" in f] for row in rows] == asked


def test_a_miscopied_number_beside_the_pupils_own_is_asked_about(judge: Judge) -> None:
    card, other = "999999201501010012", "999999201501010013"
    (sound, row) = judge(
        "pupil_roll",
        [
            {"pupil_national_id": f"G{card}", "id_document_number": card, "id_document_type_code": "1"},
            {
                "pupil_national_id": "L" + "1" * 17 + "2",
                "id_document_number": other,
                "id_document_type_code": "1",
            },
        ],
    )
    assert sound["refused"] == row["refused"] == []
    assert [f for f in sound["flags"] if "check_digit" in f] == []
    assert "id_document_number:check_digit" in row["flags"]
    rules = dict(
        declare.load()["pupil_roll"].column_rules(declare.load()["pupil_roll"].column("id_document_number"))
    )
    assert rules["check_digit"] == "flag"


def test_a_day_parted_at_its_own_comma_is_whole_again(judge_table: Judge) -> None:
    header = ["学籍号", "姓名", "性别", "出生日期", "学校标识码", "年级", "班级", "学籍状态"]
    whole = ["Mar 5, 2014", "March 5,2014", "Sept. 15th, 2014"]
    odd = ["Mar 5,14", "5,2014", "Mar 5 2014,1", "Mar 5, 2014,2014"]
    lines = [f"L{n:018d},某,男,{day},2111000001,04,1班,1" for n, day in enumerate([*whole, *odd], 1)]
    rows = judge_table("pupil_roll", header, [line.split(",") for line in lines])
    assert [(row["birth_date"], row["refused"]) for row in rows[:3]] == [
        (date(2014, 3, 5), []),
        (date(2014, 3, 5), []),
        (date(2014, 9, 15), []),
    ]
    assert all("pupil_key:cells_beyond" in row["refused"] for row in rows[3:])


def test_days_in_english_and_with_a_weekday_are_days(judge: Judge) -> None:
    written = [
        "Mar 5, 2014",
        "March 5 2014",
        "5-Mar-2014",
        "05 Mar 2014",
        "2014年03月05日 星期三",
        "2014-3-5（周三）",
        "2014-03-05 上午12:00:00",
        "2014/3/5 下午 3:05",
        "2014/3/5 12:00:00 AM",
        "Mar  5 2014 12:00AM",
        "5-Mar-2014, 08:00:00.000 p.m.",
    ]
    unclear = ["03/05/2014", "14-3-5", "5-Mar-14", "Mar 2014"]
    rows = judge("pupil_roll", [{"birth_date": text} for text in written + unclear])
    assert [str(row["birth_date"]) for row in rows] == ["2014-03-05"] * len(written) + ["None"] * len(unclear)


def number_columns() -> list[Any]:
    """One column of every kind of number that a contract has."""
    found = {}
    for contract in declare.load().values():
        for column in contract.columns:
            if not column.codes and (column.type in ("int", "double") or column.type.startswith("decimal")):
                kind = (
                    f"{column.type}{'-measured' * bool(units.siblings(column.unit))}{'-%' * column.percent}"
                )
                found[kind] = pytest.param(column, id=kind)
    return list(found.values())


@pytest.mark.parametrize("column", number_columns())
def test_every_minus_and_every_point_is_read_rightly_or_refused(column: declare.Column) -> None:
    """A sign that is typed for another one changes no number: it is the one meant, or none."""
    whole = column.type == "int"
    minus = ["-", "−", "–", "—", "﹣", "－", "‒", "‐", "‑", "⁻", "➖", "- ", "− "]
    points = [".", "．", "·", "・", "∙", "⋅", "。", "｡", "﹒"]
    written: dict[str, float] = {f"{sign}3": -3.0 for sign in minus} | {f"３{point}": 3 for point in points}
    written |= {f"3{point}0": 3 for point in points}
    if not whole:
        written |= {f"{sign}{point}5": -0.5 for sign in minus for point in points}
        written |= {f"{point}5": 0.5 for point in points} | {f"2{point}5": 2.5 for point in points}
    unclear = ["一3", "3-", "(3)", "3−", "2..5", "2·5·1", "--3", "−−3", "1,5", "·", ".", "-", "3 5", "ー3"]
    texts_ = [*written, *unclear]
    with duckdb.connect() as db:
        db.register("rows", pa.table({"i": range(len(texts_)), "text": texts_}))
        plain = texts.plain(texts.narrow(Sql("text")))
        spelled = texts.spelled(column, Sql("plain"))
        value = values.value_of(column, Sql("spelled"), "cn")
        rows = f"select *, {spelled.named('spelled')} from (select *, {plain.named('plain')} from rows)"
        found = db.execute(f"select {value} from ({rows}) order by i").fetchall()
    read = dict(zip(texts_, (v for (v,) in found), strict=True))
    assert {text: read[text] for text in written if read[text] != written[text]} == {}
    assert {text: read[text] for text in unclear if read[text] is not None} == {}
