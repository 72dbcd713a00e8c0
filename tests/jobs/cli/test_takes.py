"""`./edulake evaluation takes` and `what-if`: files in, files out, and what a person reads."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli.main import app
from jobs.settings import UserError

SCHOOLS = """\
district,school,stage,pupils,qualified_teachers,backbone_teachers,pe_arts_teachers,teaching_area_m2,sports_area_m2,equipment_value_yuan,multimedia_classrooms
A,a1,primary,1000,42,20,9,4500,7500,2000000,23
A,a2,primary,1000,42,7,9,4500,7500,2000000,23
B,b1,primary,1000,42,7,9,4500,7500,2000000,23
B,一小,junior,1000,60,10,9,5800,10200,2500000,24
C,一小,junior,1000,60,10,9,5800,10200,2500000,24
"""


def ran(folder: Path, *words: str) -> tuple[list[dict[str, str]], str]:
    (folder / "schools.csv").write_text(SCHOOLS, encoding="utf-8")
    out = folder / "out.csv"
    given = ["evaluation", words[0], "--input", str(folder / "schools.csv"), "--output", str(out), *words[1:]]
    result = CliRunner().invoke(app, given)
    if result.exception:
        raise result.exception
    with out.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines)), result.output


def my(folder: Path, *lines: str, heading: str = "school,stage,quantity,value") -> str:
    (folder / "my.csv").write_text("\n".join([heading, *lines, ""]), encoding="utf-8")
    return str(folder / "my.csv")


def test_changes_of_every_district(tmp_path: Path) -> None:
    rows, shown = ran(tmp_path, "takes")
    assert [list(row.values()) for row in rows] == [
        ["A", "a1", "primary", "give", "backbone_teachers", "2", "a2", "0"],
        ["A", "a2", "primary", "receive", "backbone_teachers", "2", "a1", "240000"],
        ["B", "b1", "primary", "add", "backbone_teachers", "2", "", "2500000"],
    ]
    assert "2,740,000" in shown
    assert "assumed costs" in shown


def test_one_district_one_school_and_own_costs(tmp_path: Path) -> None:
    rows, _ = ran(tmp_path, "takes", "--district", "B")
    assert {row["district"] for row in rows} == {"B"}
    costs = tmp_path / "costs.csv"
    costs.write_text("quantity,change,yuan_per_unit\nbackbone_teachers,add,0.5\n", encoding="utf-8")
    rows, _ = ran(tmp_path, "takes", "--school", "a2", "--costs", str(costs))
    assert [list(row.values())[3:] for row in rows] == [["add", "backbone_teachers", "2", "", "1"]]
    with pytest.raises(UserError, match="the file has no school 'a9'"):
        ran(tmp_path, "takes", "--school", "a9")


def test_what_if_shows_both_verdicts_and_marks_every_row(tmp_path: Path) -> None:
    path = my(tmp_path, "a2,小学,backbone_teachers,9", "a1,primary,pupils,1100")
    rows, shown = ran(tmp_path, "what-if", "--changes", path)
    assert {row["is_what_if"] for row in rows} == {"1"}
    assert {row["district"] for row in rows} == {"A"}
    of_school = {(r["school"], r["indicator"]): list(r.values())[5:] for r in rows if r["school"]}
    assert of_school["a2", "R2"] == ["0.7", "0.9", "fail", "fail"]
    assert of_school["a2", ""] == ["6", "6", "fail", "pass"]
    assert of_school["a1", ""] == ["7", "1", "pass", "fail"]
    assert "not published" in shown


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("x,primary,pupils,1", "no school 'x'"),
        ("a1,junior,pupils,1", "no school 'a1' with stage 'junior'"),
        ("一小,junior,pupils,1", "is in 2 districts"),
        ("a1,primary,backbone_teacher,1", "did you mean `backbone_teachers`"),
        ("a1,primary,pupils,-1", "is negative"),
        ("a1,primary,pupils,1.5", "not a whole number"),
        ("a1,primary,pupils,900\na1,primary,pupils,901", "changed twice"),
        ("", "no change"),
    ],
)
def test_wrong_figures_are_told(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        ran(tmp_path, "what-if", "--changes", my(tmp_path, line))


def test_a_district_tells_schools_of_one_name_apart(tmp_path: Path) -> None:
    path = my(tmp_path, "C,一小,junior,pupils,2000", heading="district,school,stage,quantity,value")
    rows, _ = ran(tmp_path, "what-if", "--changes", path)
    assert {row["district"] for row in rows} == {"C"}
