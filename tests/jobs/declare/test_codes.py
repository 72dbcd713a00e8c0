"""The code lists: each spelling names one code."""

from __future__ import annotations

import pytest

from jobs import declare
from jobs.declare import codes


def test_every_code_list_maps_each_spelling_to_one_code() -> None:
    names = {c.codes for k in declare.load().values() for c in k.columns if c.codes}
    assert "grade" in names
    for name in sorted(names):
        assert declare.code_list(name).spellings()


def test_grade_codes_mean_what_their_standard_says() -> None:
    grades = declare.code_list("grade")
    assert grades.spellings("jyt_code")["12"] == "S3"
    assert grades.spellings("fitness_code")["12"] == "P2"
    assert grades.spellings("us_k12_code")["0"] == "K3"


def test_a_grade_has_many_spellings_and_one_code() -> None:
    spelled = declare.code_list("grade").loose_spellings("jyt_code")
    written = [
        "七年级",
        "初一",
        "7",
        "07",
        "7.0",
        "G7",
        "Grade 07",
        "7年级",
        "07年级",
        "初中 一年级",
        "J1",
        "初中(一)年级",
        "7th grade",
    ]
    assert {spelled.get(codes.loosely(declare.fold(word))) for word in written} == {"J1"}
    # Neither a class, nor a range, nor a year of a word alone is a grade.
    unknown = ["七年级1班", "1-1", "1-2", "7-8", "-1", "K", "13", "21", "2022级", "学前班", "预备班", "七"]
    assert not [word for word in unknown if codes.loosely(word) in spelled]


def test_labels_of_one_grade_are_one_and_others_are_not() -> None:
    labels = [
        "K",
        "01",
        "2",
        "KG",
        "1",
        "02",
        "10",
        "一年级",
        "PK",
        "Pre-K",
        "pre k",
        "-1",
        "ungraded",
        "Ungraded",
    ]
    same = {"KG": "K", "1": "01", "一年级": "01", "02": "2", "pre k": "Pre-K", "Ungraded": "ungraded"}
    assert declare.same_grades(labels) == {label: same.get(label, label) for label in labels}
    ours = ["K1", "K2", "K3", "P1", "J1", "S1", "K"]
    assert declare.same_grades(ours) == {label: label for label in ours}
    assert declare.same_grades(["Year 07", "year 7", "YEAR7"]) == dict.fromkeys(
        ["Year 07", "year 7", "YEAR7"], "Year 07"
    )


@pytest.mark.parametrize(
    "labels",
    [
        "K|KG|Kindergarten|0|kg|Kinder|KDG|00|Grade K|Grade 0",
        "1|01|1.0|P1|一年级|小学一年级|小一|G1|Grade 1|Year 1|Y1|Gr. 1|First grade|Primary 1|一|一年級",
        "7|07|J1|七年级|初一|初中一年级|7年级|Grade 7|Year 7|初级中学一年级|Seventh grade|七|國中一年級",
        "10|S1|高一|高中一年级|十年级|Grade 10|Year 10|普通高中一年级",
        "K3|大班|幼儿园大班|幼儿园三年级|大|大班级",
    ],
)
def test_a_grade_spelled_otherwise_is_one_grade(labels: str) -> None:
    words = labels.split("|")
    assert set(declare.same_grades(words).values()) == {words[0]}
    assert declare.grades_of_no_list(words) == []


def test_words_of_no_list_are_told_beside_known_grades() -> None:
    assert declare.grades_of_no_list(["一年级", "学前班", "2"]) == ["学前班"]
    assert declare.grades_of_no_list(["A", "B"]) == []


def test_two_meanings_of_one_spelling_are_an_error() -> None:
    rows = ({"code": "1", "meaning_zh": "男", "also": "M"}, {"code": "2", "meaning_zh": "女", "also": "M"})
    with pytest.raises(declare.ContractError, match="M"):
        declare.CodeList("broken", rows).spellings()
