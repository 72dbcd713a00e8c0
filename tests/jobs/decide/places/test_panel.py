"""What the forecast accepts as input, and how it says what is wrong."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from jobs.decide.places.input_file import InputError, read_births, read_enrollment
from jobs.decide.places.panel import build_panel, grade_order

GOOD = "unit,parent_unit,year,grade,enrollment\na,p,2000,1,10\na,p,2000,2,9\na,p,2001,1,11\nb,p,2001,1,5\n"


def write(folder: Path, text: str, name: str = "e.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_missing_row_is_zero_and_missing_year_is_known(tmp_path: Path) -> None:
    panel = build_panel(read_enrollment(write(tmp_path, GOOD + "a,p,2003,1,12\n")))
    assert panel.years.tolist() == [2000, 2001, 2002, 2003]
    assert panel.in_file.tolist() == [True, True, False, True]
    assert panel.pupils[1].tolist() == [[11, 0], [5, 0]]
    assert panel.index_of(2002) is None
    assert panel.index_of(2003) == 3


def test_byte_order_mark_spaces_blank_lines_and_gzip_are_read(tmp_path: Path) -> None:
    text = "\ufeff" + GOOD.replace("a,p,2001", " a , p,2001") + "\n,,,,\n"
    path = tmp_path / "e.csv.gz"

    path.write_bytes(gzip.compress(text.encode("utf-8")))
    assert build_panel(read_enrollment(path)).units == ["a", "b"]


def test_school_years_in_words_and_commas_at_the_end_are_read(tmp_path: Path) -> None:
    told = GOOD.replace(",2000,", ",2000-01,").replace(",2001,", ",2001/2002,").replace("\n", ",\n")
    panel = build_panel(read_enrollment(write(tmp_path, told.replace("enrollment,", "enrollment"))))
    assert panel.years.tolist() == [2000, 2001]
    assert panel.pupils[0, 0].tolist() == [10, 9]


def test_another_encoding_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_bytes(GOOD.replace("b,p", "bäh,p").encode("latin-1"))
    with pytest.raises(InputError, match=r"e\.csv, line 5: not in UTF-8"):
        read_enrollment(path)


@pytest.mark.parametrize(
    ("broken", "line", "column"),
    [
        (GOOD.replace("enrollment", "pupils"), 1, "enrollment"),
        (GOOD.replace("a,p,2001,1,11", "a,p,2001,1,many"), 4, "enrollment"),
        (GOOD.replace("a,p,2001,1,11", "a,p,2001,1,-1"), 4, "enrollment"),
        (GOOD.replace("a,p,2001,1,11", "a,p,2001,1,"), 4, "enrollment"),
        (GOOD.replace("a,p,2001,1,11", "a,p,2001.5,1,11"), 4, "year"),
        (GOOD.replace("a,p,2001,1,11", "a,p,last,1,11"), 4, "year"),
        (GOOD.replace("a,p,2001,1,11", "a,p,20010,1,11"), 4, "year"),
        (GOOD.replace("a,p,2001,1,11", ",p,2001,1,11"), 4, "unit"),
        (GOOD.replace("a,p,2001,1,11", "a,p,2001,,11"), 4, "grade"),
        (GOOD.replace("a,p,2001,1,11", "a,p,2001,all,11"), 4, "grade"),
        (GOOD.replace("a,p,2001,1,11", "a,p,2000,1,11"), 4, "grade"),
        (GOOD.replace("a,p,2000,2,9", "a,q,2000,2,9"), 3, "parent_unit"),
        (GOOD.replace("a,p,2001,1,11", "a,p,2001,1,11,12"), 4, None),
        (GOOD.replace("a,p,2000,1,10", "a,p,2000,1,10,11"), 2, None),
        (GOOD.replace("a,p,2001,1,11", "a,p,2001-05,1,11"), 4, "year"),
        (GOOD.replace("a,p,2001,1,11", "a,p,2001,Total,11"), 4, "grade"),
        (GOOD.splitlines()[0] + "\n", None, None),
        ("", None, None),
    ],
)
def test_bad_input_names_file_line_and_column(
    tmp_path: Path, broken: str, line: int | None, column: str | None
) -> None:
    path = write(tmp_path, broken)
    with pytest.raises(InputError) as caught:
        build_panel(read_enrollment(path))
    assert (caught.value.file, caught.value.line, caught.value.column) == (str(path), line, column)
    assert str(path) in str(caught.value)


def test_births_must_name_somebody_of_the_enrollment_file(tmp_path: Path) -> None:
    pupils = read_enrollment(write(tmp_path, GOOD))
    births = read_births(write(tmp_path, "unit,year,births\nz,1995,10\n", "b.csv"))
    with pytest.raises(InputError, match=r"b\.csv, line 2, column unit"):
        build_panel(pupils, births)
    with pytest.raises(InputError, match="no such file"):
        read_births(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("labels", "ordered"),
    [
        (["10", "9", "1", "0"], ["0", "1", "9", "10"]),
        (["9", "10", "K", "1", "PK"], ["PK", "K", "1", "9", "10"]),
        (["S1", "J3", "K2", "P6", "P1"], ["K2", "P1", "P6", "J3", "S1"]),
        (["reception", "middle", "top"], ["reception", "middle", "top"]),
        (["Grade 2", "Grade 10", "Grade 1"], ["Grade 1", "Grade 2", "Grade 10"]),
        (["1", "10", "2", "Kindergarten", "Pre-K"], ["Pre-K", "Kindergarten", "1", "2", "10"]),
        (["Grade 1", "Grade 2", "Grade K", "UG"], ["Grade K", "Grade 1", "Grade 2", "UG"]),
        (["Year 1", "Year 11", "Year 2", "Reception"], ["Reception", "Year 1", "Year 2", "Year 11"]),
        (["10th grade", "1st grade", "9th grade"], ["1st grade", "9th grade", "10th grade"]),
        (["Form 1", "Standard 2", "Standard 1"], ["Standard 1", "Standard 2", "Form 1"]),
        (["Secondary 1", "Primary 6", "Primary 1"], ["Primary 1", "Primary 6", "Secondary 1"]),
        (["02", "01", "KG"], ["KG", "01", "02"]),
        (["1", "0", "-1", "2"], ["-1", "0", "1", "2"]),
        (["1", "2", "P"], ["P", "1", "2"]),
    ],
)
def test_grades_are_ordered_by_progression(labels: list[str], ordered: list[str]) -> None:
    assert grade_order(labels) == ordered
