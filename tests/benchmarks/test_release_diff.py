"""The comparison of two releases: each kind of difference is found, and equal ones are equal."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from benchmarks import release_diff


def release(folder: Path, *statements: str, name: str = "full.duckdb") -> Path:
    folder.mkdir(exist_ok=True)
    with duckdb.connect(str(folder / name)) as connection:
        for statement in ("create table fct_a (code varchar, n integer)", *statements):
            connection.execute(statement)
    return folder


ROWS = "insert into fct_a values ('x', 1), ('y', 2), ('y', 2)"
SAME_ROWS = "insert into fct_a values ('y', 2), ('x', 1), ('y', 2)"


def test_equal_releases_are_equal_in_any_order_of_rows(tmp_path: Path) -> None:
    a, b = release(tmp_path / "a", ROWS), release(tmp_path / "b", SAME_ROWS)
    assert release_diff.main([str(a), str(b)]) == 0


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        (["insert into fct_a values ('x', 1), ('y', 3), ('y', 2)"], "1         1"),
        (["insert into fct_a values ('x', 1), ('y', 2)"], "1         0"),
        ([ROWS, "create table fct_b as select 1 as n"], "table only in B"),
        ([ROWS, "alter table fct_a add column m integer"], "columns only in B: m"),
        ([ROWS, "alter table fct_a alter n type bigint"], "types: n INTEGER -> BIGINT"),
    ],
)
def test_each_difference_is_told_and_ends_with_one(
    tmp_path: Path, statements: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = release(tmp_path / "a", ROWS), release(tmp_path / "b", *statements)
    assert release_diff.main([str(a), str(b), "--show", "2"]) == 1
    assert told in capsys.readouterr().out


def test_a_missing_file_and_an_empty_folder_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = release(tmp_path / "a", ROWS), release(tmp_path / "b", ROWS)
    release(b, name="city.duckdb")
    assert release_diff.main([str(a), str(b)]) == 1
    assert "file only in B" in capsys.readouterr().out
    (tmp_path / "none").mkdir()
    assert release_diff.main([str(a), str(tmp_path / "none")]) == 2
