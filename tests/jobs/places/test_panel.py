"""What the forecast accepts as input, and how it says what is wrong."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from jobs.places.panel import InputError, build_panel, grade_order, read_births, read_enrollment

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
    ],
)
def test_grades_are_ordered_by_progression(labels: list[str], ordered: list[str]) -> None:
    assert grade_order(labels) == ordered
