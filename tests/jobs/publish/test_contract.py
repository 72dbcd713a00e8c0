"""What a table promises: which change is major, minor or patch; a break without a step is stopped."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from jobs.publish import contract
from jobs.publish.contract import MAJOR, MINOR

PROMISE: dict[str, Any] = {
    "fct_rate": {
        "major": 1,
        "rows": 40,
        "digest": "a",
        "grain": ["district_code", "sex_code"],
        "scope": "district_code",
        "public": False,
        "title_zh": "率",
        "description": "rates",
        "columns": [
            {"name": "district_code", "type": "VARCHAR", "title_zh": "区", "description": "District"},
            {"name": "sex_code", "type": "VARCHAR", "title_zh": "性别", "description": "Sex"},
            {
                "name": "pass_share",
                "type": "DECIMAL(6,4)",
                "title_zh": "及格率",
                "description": "0 to 1",
                "additive_over": ["sex_code"],
            },
        ],
        "members": {"district_code": ["110101", "110108"], "sex_code": ["1", "2"]},
    }
}


def drop(table: dict[str, Any]) -> None:
    del table["columns"][2]


def rename(table: dict[str, Any]) -> None:
    old = table["columns"][2]
    table["columns"][2] = old | {"name": "passed_share"}
    table["columns"].append(old | {"alias_of": "passed_share"})


CASES: list[tuple[str, Callable[[dict[str, Any]], Any], list[str], str, bool]] = [
    ("a column goes", drop, ["column_gone"], "2.0.0", True),
    ("a type", lambda t: t["columns"][2].update(type="DOUBLE"), ["type"], "2.0.0", True),
    ("a type written otherwise", lambda t: t["columns"][2].update(type="decimal(6, 4)"), [], "1.2.3", False),
    ("the grain", lambda t: t.update(grain=["district_code"]), ["grain"], "2.0.0", True),
    ("its sums", lambda t: t["columns"][2].update(additive_over=[]), ["additive"], "2.0.0", True),
    ("who sees it", lambda t: t.update(scope="city"), ["scope"], "2.0.0", True),
    ("the public sees it", lambda t: t.update(public=True), ["opened"], "1.3.0", False),
    ("its meaning, told", lambda t: t.update(major=2), ["meaning"], "2.0.0", False),
    ("a member goes", lambda t: t["members"].update(sex_code=["1"]), ["member_gone"], "2.0.0", False),
    ("a member comes", lambda t: t["members"]["sex_code"].append("9"), ["member_added"], "1.3.0", False),
    (
        "a column comes",
        lambda t: t["columns"].append({"name": "n", "type": "INTEGER"}),
        ["column_added"],
        "1.3.0",
        False,
    ),
    ("a new name, the old one stays", rename, ["renamed"], "1.3.0", False),
    ("values", lambda t: t.update(digest="b", rows=41), ["values"], "1.2.4", False),
    ("words", lambda t: t["columns"][2].update(description="share"), ["words"], "1.2.4", False),
]


@pytest.mark.parametrize(
    ("change", "kinds", "version", "breaks"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_the_level_of_a_change(
    change: Callable[[dict[str, Any]], Any], kinds: list[str], version: str, breaks: bool
) -> None:
    after = copy.deepcopy(PROMISE)
    change(after["fct_rate"])
    found = contract.changes(PROMISE, after)
    assert [one.kind for one in found] == kinds
    assert contract.versions(PROMISE, after, {"fct_rate": "1.2.3"}, found) == {"fct_rate": version}
    assert bool(contract.breaking(found)) == breaks
    for one in found:
        assert "{" not in one.words().zh + one.words().en
    after["fct_rate"]["major"] = 2
    assert not contract.breaking(contract.changes(PROMISE, after)), "a step of `major` announces it"


def test_an_old_name_that_ends_is_major_and_announced() -> None:
    before = copy.deepcopy(PROMISE)
    rename(before["fct_rate"])
    after = copy.deepcopy(before)
    del after["fct_rate"]["columns"][3]
    (change,) = contract.changes(before, after)
    assert (change.kind, change.level, change.is_announced) == ("old_name_gone", MAJOR, True)


def test_tables_that_come_and_go() -> None:
    other = {"dim_new": PROMISE["fct_rate"] | {"major": 3}}
    came, went = contract.changes(PROMISE, other)
    assert (came.table, came.level, went.table, went.level) == ("dim_new", MINOR, "fct_rate", MAJOR)
    assert contract.breaking([came, went]) == [went]
    assert contract.versions(PROMISE, other, {}, [came, went]) == {"dim_new": "3.0.0"}


def test_members_are_those_of_classifications() -> None:
    with duckdb.connect() as db:
        db.execute(
            "create table t as select * from (values ('1', 2025, 'S1', date '2025-01-01'),"
            " ('2', 2024, 'S2', null), (null, 2024, 'S3', null))"
            " v(sex_code, school_year_start, school_code, day)"
        )
        columns = {name: kind for name, kind, *_ in db.execute("describe t").fetchall()}
        found = contract.members(db, "t", list(columns), columns)
    assert found == {"sex_code": ["1", "2"], "school_year_start": ["2024", "2025"]}


def test_the_promise_is_written_and_read_the_same(tmp_path: Path) -> None:
    declared = contract.declared()
    assert len(declared) > 40
    assert all(table["grain"] for table in declared.values())
    (tmp_path / "c.json").write_text(contract.text(declared))
    assert contract.baseline(tmp_path / "c.json") == declared
    assert contract.baseline(tmp_path / "none.json") == {}


def test_a_break_without_a_step_is_stopped_and_the_step_is_demanded() -> None:
    declared = contract.declared()
    broken = copy.deepcopy(declared)
    table = broken["fct_fitness_rate"]
    table["columns"] = [column for column in table["columns"] if column["name"] != "pass_share"]
    table["members"]["sex_code"] = ["1"]
    told = contract.problems(declared, broken)
    assert len(told) == 2
    assert all("major: 2" in line for line in told)
    table["major"] = 2
    assert contract.problems(declared, broken) == []
    del broken["fct_safety_risk"]
    assert [line.partition(":")[0] for line in contract.problems(declared, broken)] == ["fct_safety_risk"]


def test_the_command_writes_what_does_not_break(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(contract, "BASELINE", tmp_path / "c.json")
    declared = contract.declared()
    less = copy.deepcopy(declared)
    gone = less["fct_fitness_rate"]["columns"].pop()
    (tmp_path / "c.json").write_text(contract.text(less))
    monkeypatch.setattr(contract.baseline, "__defaults__", (tmp_path / "c.json",))
    assert contract.main([]) == 0
    assert gone["name"] in capsys.readouterr().out
    assert json.loads((tmp_path / "c.json").read_text())["tables"]["fct_fitness_rate"]["columns"][
        gone["name"]
    ]
    more = copy.deepcopy(declared)
    more["fct_fitness_rate"]["columns"].append({"name": "was_there", "type": "INTEGER"})
    (tmp_path / "c.json").write_text(contract.text(more))
    assert contract.main([]) == 1
    assert "was_there" in capsys.readouterr().err
    assert "was_there" in (tmp_path / "c.json").read_text(), "nothing is written"


def test_the_models_keep_what_is_promised() -> None:
    """After a change of a published model: `python -m jobs.publish.contract`, which demands the step."""
    committed, declared = contract.baseline(), contract.declared()
    assert contract.problems(committed, declared) == []
    assert contract.text(declared) == contract.BASELINE.read_text("utf-8")
