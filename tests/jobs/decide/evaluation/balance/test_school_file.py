"""Files of schools: what is read, and what each fault is told as."""

from __future__ import annotations

import gzip
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from jobs.decide.evaluation.balance import standard
from jobs.decide.evaluation.balance.school_file import columns, read_schools
from jobs.settings import UserError

ON = date(2025, 1, 1)
QUALITY = standard.read(standard.QUALITY_2017, ON)
HEADING = ",".join(columns(QUALITY))
GOOD = "110101,一小,primary,500,21,5,4.5,2250.5,3750,1000000,12"
CHINESE = (
    "区县,学校名称,学段,在校学生数,高于规定学历教师数,县级以上骨干教师数,体育、艺术专任教师数,"
    "教学及辅助用房面积,体育运动场馆面积,教学仪器设备值（万元）,网络多媒体教室数"
)


def written(path: Path, *lines: str, heading: str = HEADING, codec: str = "utf-8") -> Path:
    path.write_bytes("\n".join([heading, *lines, ""]).encode(codec))
    return path


def test_numbers_are_read_exactly(tmp_path: Path) -> None:
    (one,) = read_schools(written(tmp_path / "a.csv", GOOD), QUALITY, ON).schools
    assert (one.district, one.school, one.stage, one.pupils) == ("110101", "一小", "primary", 500)
    assert one.quantities["teaching_area_m2"] == Fraction("2250.5")
    assert one.quantities["pe_arts_teachers"] == Fraction(9, 2)


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_headings_in_any_encoding(tmp_path: Path, codec: str) -> None:
    line = GOOD.replace("primary", "小学").replace("1000000", "100.5")
    path = written(tmp_path / "a.csv", line, heading=CHINESE, codec=codec)
    (one,) = read_schools(path, QUALITY, ON).schools
    assert (one.school, one.stage) == ("一小", "primary")
    assert one.quantities["equipment_value_yuan"] == 1_005_000


def test_packed_files_semicolons_and_other_columns(tmp_path: Path) -> None:
    text = "\n".join([f"{HEADING},remark", f"{GOOD},x", "", GOOD.replace("一小", "二小") + ","])
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(text.replace(",", ";").encode()))
    found = read_schools(path, QUALITY, ON)
    assert [s.school for s in found.schools] == ["一小", "二小"]
    assert found.notes == ["columns that are not used: remark"]


def test_facts_of_special_cases(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.csv",
        f"{GOOD},是,",
        f"{GOOD},no,12.5".replace("一小", "二小"),
        heading=f"{HEADING},is_over_dense_center,extra_sports_area_m2",
    )
    first, second = read_schools(path, QUALITY, ON).schools
    assert first.facts == {"is_over_dense_center": 1}
    assert second.facts == {"is_over_dense_center": 0, "extra_sports_area_m2": Fraction("12.5")}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (",21,", ",,", "column qualified_teachers: is missing"),
        (",21,", ",-1,", "column qualified_teachers: '-1' is negative"),
        (",21,", ",many,", "column qualified_teachers: 'many' is not a number"),
        (",21,", ",NaN,", "column qualified_teachers: 'NaN' is not a number"),
        (",21,", ",inf,", "column qualified_teachers: 'inf' is not a number"),
        (",21,", ",1e99,", "column qualified_teachers: '1e99' is too large"),
        (",500,", ",500.5,", "column pupils: '500.5' is not a whole number"),
        (",500,", ",,", "column pupils: is missing"),
        ("primary", "senior", "column stage: unknown stage 'senior': write primary or junior"),
        ("110101", "", "column district: is missing"),
        (",12", "", "has 10 cells, the heading has 11"),
    ],
)
def test_a_wrong_cell_is_told_with_its_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = written(tmp_path / "a.csv", GOOD, GOOD.replace("一小", "二小").replace(old, new, 1))
    with pytest.raises(UserError) as error:
        read_schools(path, QUALITY, ON)
    assert f"{path}, line 3" in error.value.message
    assert told in error.value.message


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", GOOD, GOOD, GOOD.replace("primary", "x").replace("21", "-2"))
    with pytest.raises(UserError) as error:
        read_schools(path, QUALITY, ON)
    assert error.value.message.splitlines() == [
        f"{path}, line 3, column school: '一小' primary stands in line 2 already",
        f"{path}, line 4, column stage: unknown stage 'x': write primary or junior",
        f"{path}, line 4, column qualified_teachers: '-2' is negative",
    ]


def test_missing_and_doubled_columns_are_named(tmp_path: Path) -> None:
    heading = HEADING.replace("backbone_teachers", "backbone_teacher") + ",pupils"
    with pytest.raises(UserError) as error:
        read_schools(written(tmp_path / "a.csv", f"{GOOD},1", heading=heading), QUALITY, ON)
    assert "column pupils: stands 2 times" in error.value.message
    assert "column backbone_teachers: there is no such column; did you mean" in error.value.message


def test_a_school_without_pupils_needs_no_quantities(tmp_path: Path) -> None:
    (one,) = read_schools(written(tmp_path / "a.csv", "1,a,junior,0,,,,,,,"), QUALITY, ON).schools
    assert one.pupils == 0


def test_one_name_in_two_districts_is_two_schools(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", GOOD, GOOD.replace("110101", "110102"))
    found = read_schools(path, QUALITY, ON)
    assert len(found.schools) == 2
    assert found.notes == ["schools of one name in two districts, taken as two: 一小"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (f"{HEADING}\n".encode(), "no school"),
        (b"PK\x03\x04", "workbook"),
        (b"\x1f\x8b\x00", "damaged"),
        (b"a\x00b", "no text"),
        (b'a,"b\n', "is no CSV"),
    ],
)
def test_what_is_no_table_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UserError, match=told):
        read_schools(tmp_path / "a.csv", QUALITY, ON)
