"""`./edulake evaluation balance`: files in, files out."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli.main import app
from jobs.settings import UserError

HEADING = (
    "district,school,stage,pupils,qualified_teachers,backbone_teachers,pe_arts_teachers,"
    "teaching_area_m2,sports_area_m2,equipment_value_yuan,multimedia_classrooms"
)
SCHOOLS = """\
B,b1,junior,1000,53,10,9,5800,10200,2500000,24
A,a1,primary,900,60,10,9,4500,7500,2000000,9
A,a2,primary,100,6,1,1,450,750,200000,9
A,a3,primary,0,1,1,1,1,1,1,1
"""
OF_2012 = """\
district,school,stage,pupils,teaching_area_m2,sports_area_m2,equipment_value_yuan,computers,books,teachers,qualified_teachers,titled_teachers
A,a1,junior,100,9,9,9,9,9,9,9,9
A,a2,junior,100,31,31,31,31,31,31,31,31
"""


def ran(folder: Path, text: str, *more: str) -> list[dict[str, str]]:
    (folder / "schools.csv").write_text(text, encoding="utf-8")
    words = [
        "evaluation",
        "balance",
        "--input",
        str(folder / "schools.csv"),
        "--output",
        str(folder / "v.csv"),
    ]
    result = CliRunner().invoke(app, [*words, *more])
    if result.exception:
        raise result.exception
    return rows(folder / "v.csv")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_verdicts_of_2017(tmp_path: Path) -> None:
    found = ran(tmp_path, f"{HEADING}\n{SCHOOLS}", "--schools-output", str(tmp_path / "s.csv"))
    assert [(r["district"], r["stage"], r["indicator"]) for r in found] == [
        (d, s, f"R{n}") for d, s in (("B", "junior"), ("A", "primary")) for n in range(1, 8)
    ]
    assert list(found[13].values()) == ["A", "primary", "R7", "1.8", "1.33333333333", "2.3", "2", "1", "fail"]
    assert list(found[0].values()) == ["B", "junior", "R1", "5.3", "", "5.3", "1", "0", "not_applicable"]
    schools = {r["school"]: r for r in rows(tmp_path / "s.csv")}
    assert list(schools["b1"].values())[4:] == [
        "5.3",
        "1",
        "0.9",
        "5.8",
        "10.2",
        "2500",
        "2.4",
        "7",
        "1",
        "pass",
    ]
    assert (schools["a1"]["met_count"], schools["a1"]["verdict"]) == ("6", "fail")
    assert list(schools["a3"].values())[3:] == ["0", *[""] * 9, "not_applicable"]


def test_verdicts_of_2012(tmp_path: Path) -> None:
    found = ran(
        tmp_path, OF_2012, "--standard", "basic_balance_2012", "--schools-output", str(tmp_path / "s.csv")
    )
    assert [r["indicator"] for r in found] == [*(f"B{n}" for n in range(1, 9)), "B_COMPOSITE"]
    assert list(found[3].values())[3:] == ["20", "0.55", "", "2", "", "not_applicable"]
    assert list(found[8].values())[3:] == ["", "0.55", "0.55", "2", "", "pass"]
    assert {r["verdict"] for r in rows(tmp_path / "s.csv")} == {"not_applicable"}


def test_nothing_is_written_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'-5' is negative"):
        ran(tmp_path, f"{HEADING}\n{SCHOOLS.replace(',53,', ',-5,')}")
    assert not (tmp_path / "v.csv").exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--standard", "quality_balance"], "did you mean `quality_balance_2017`"),
        (["--standard", "preschool_access_2020"], "does not judge schools"),
        (["--as-of", "2010-01-01"], "begins on 2017-04-19"),
    ],
)
def test_standards_that_do_not_serve_are_told(tmp_path: Path, more: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        ran(tmp_path, f"{HEADING}\n{SCHOOLS}", *more)


def test_the_input_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="named twice"):
        ran(tmp_path, f"{HEADING}\n{SCHOOLS}", "--schools-output", str(tmp_path / "schools.csv"))
