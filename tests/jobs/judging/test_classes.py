"""A class is one class however it is written, and never another one's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Judge = Callable[..., list[dict[str, Any]]]

# Grade of the row (as the roll writes it) -> the class -> how schools write it.
WRITTEN = {
    ("03", "三年级1班"): [
        *(
            "三年级1班",
            "三年级1",
            "3年级（1）班",
            "三年级 一班",
            "三年级01班",
            "3年级1班",
            "三(1)班",
            "三（一）班",
            "三-1",
        ),
        *(
            "1班",
            "01班",
            "一班",
            "第一班",
            "第1班",
            "①班",
            "三年级①班",
            "（1）班",
            "1",
            "01",
            "1.0",
            "3-1",
            "3－1",
            "3—1",
            "03-01",
            "301",
            "0301",
            "1301",
            "13-01",
        ),
        *("小三1班", "小学三年级（1）班", "三年1班", "三年一班", "G3-1", "Grade 3 (1)", "3.01"),
    ],
    ("03", "三年级11班"): ["三年级11班", "三年级十一班", "3-11", "11", "311", "三(十一)班", "十一班"],
    ("07", "初一3班"): [
        "初一3班",
        "七年级3班",
        "七年级（三）班",
        "7年级3班",
        "初一(3)班",
        "7-3",
        "1-3",
        "2103",
        "21-03",
        "七3班",
        "一(3)班",
    ],
    ("10", "高一12班"): [
        "高一12班",
        "高一（十二）班",
        "高中一年级12班",
        "10-12",
        "1012",
        "3112",
        "十年级12班",
        "12班",
    ],
}


@pytest.mark.parametrize(("grade", "name"), WRITTEN)
def test_spellings_of_a_class_are_one_class(grade: str, name: str, judge: Judge) -> None:
    written = WRITTEN[grade, name]
    rows = judge("pupil_roll", [{"grade_key": grade, "class_name": text} for text in written])
    found = {
        text: (row["class_name"], row["refused"][1:], row["flags"])
        for text, row in zip(written, rows, strict=True)
    }
    assert found == {text: (name, [], []) for text in written}


def test_a_class_of_no_known_form_is_kept_as_sent(judge: Judge) -> None:
    written = ["火箭班", "2022级3班", "实验1班", "A班", "7-3", "2101", "三年级", "0班", "100", "一年级1班2组"]
    rows = judge("pupil_roll", [{"grade_key": "03", "class_name": text} for text in written])
    assert [row["class_name"] for row in rows] == written
    assert not any("class_name:grade_differs" in row["flags"] for row in rows)


def test_a_class_that_names_another_grade_is_asked_about_and_keeps_it(judge: Judge) -> None:
    rows = judge(
        "pupil_roll",
        [{"grade_key": "05", "class_name": text} for text in ("三年级1班", "三(1)班", "初一1班")],
    )
    assert [row["class_name"] for row in rows] == ["三年级1班", "三年级1班", "初一1班"]
    assert all(row["flags"] == ["class_name:grade_differs"] for row in rows)


def test_what_a_sheet_made_of_a_class_is_refused(judge: Judge) -> None:
    written = ["5.1", "50%", "45717", "0.2", "1E+3"]
    rows = judge("pupil_roll", [{"grade_key": "05", "class_name": text} for text in written])
    assert all("class_name:became_number" in row["refused"] for row in rows)
    kept = judge("pupil_roll", [{"grade_key": "05", "class_name": text} for text in ("5.2", "5.10", "5.12")])
    assert [row["class_name"] for row in kept] == ["五年级2班", "五年级10班", "五年级12班"]


def test_a_class_number_of_the_upload_is_the_grades_code_and_two_digits(judge: Judge) -> None:
    written = ["2101", "21-01", "1", "01", "1班", "七年级1班", "初一(1)班", "7-1", "701", "2101.0"]
    rows = judge("test_result", [{"fitness_grade_code": "21", "class_code": text} for text in written])
    assert [row["class_code"] for row in rows] == ["2101"] * len(written)
    others = ["202101", "2201", "火箭班"]
    rows = judge("test_result", [{"fitness_grade_code": "21", "class_code": text} for text in others])
    assert [row["class_code"] for row in rows] == others


def test_without_a_grade_beside_it_a_class_has_its_own_words_alone(judge: Judge) -> None:
    written = ["三年级（1）班", "01班", "3-1", "初一3班"]
    rows = judge("pupil_registration", [{"class_name": text} for text in written])
    assert [row["class_name"] for row in rows] == ["三年级1班", "1班", "3-1", "初一3班"]


def test_kindergartens_classes_go_by_their_year(judge: Judge) -> None:
    for grade, written in (
        ("大班", ["大1班", "大一班", "大（1）班", "1班", "大班1班"]),
        ("小班", ["小1班", "小一班"]),
    ):
        rows = judge("illness_report", [{"grade_key": grade, "class_name": text} for text in written])
        assert {row["class_name"] for row in rows} == {f"{grade[0]}1班"}


def test_two_spellings_of_one_class_are_one_key(judge: Judge) -> None:
    rows = judge(
        "illness_report",
        [
            {"school_code": "2111000001", "class_name": text, "grade_key": "03", "reported_date": "20250910",
             "symptom_code": "发热", "absent_count": "3", "new_case_count": "1"}
            for text in ("三年级1班", "三(1)班", "三年级2班")
        ],
    )  # fmt: skip
    assert [row["refused"] for row in rows] == [[], ["school_code:repeated_key"], []]
