"""The code lists: each spelling names one code."""

from __future__ import annotations

import pytest

from jobs import declare


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


def test_two_meanings_of_one_spelling_are_an_error() -> None:
    rows = ({"code": "1", "meaning_zh": "男", "also": "M"}, {"code": "2", "meaning_zh": "女", "also": "M"})
    with pytest.raises(declare.ContractError, match="M"):
        declare.CodeList("broken", rows).spellings()
