"""Names of files in a query: each stands for the file of that name, whatever DuckDB takes for a pattern."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from jobs.sql import file_literals, literals, parquet

# Each beside another name that it would match as a pattern.
NAMES = [("a[1].csv", "a1.csv"), ("a?.csv", "ab.csv"), ("*.csv", "b.csv"), ("[!a].csv", "b.csv")]
ODD = ["it's.csv", '"quoted".csv', "教 育#1.csv", "100%.csv", "a;b.csv", "{a,b}.csv", "$HOME.csv", "]a[.csv"]


@pytest.mark.parametrize(("name", "other"), [*NAMES, *((name, "x.csv") for name in ODD)])
def test_a_name_stands_for_its_file_and_for_no_other(tmp_path: Path, name: str, other: str) -> None:
    file, beside = tmp_path / name, tmp_path / other
    file.write_text("a\nmine\n")
    beside.write_text("a\nother\n")
    with duckdb.connect() as db:
        assert db.execute(f"select a from read_csv({file_literals(file)})").fetchall() == [("mine",)]
        for path in (file, beside):
            copied = literals(path.with_suffix(".parquet"))
            db.execute(f"copy (select {literals(path.name)} as a) to {copied} (format parquet)")
        rows = parquet(file.with_suffix(".parquet"))
        assert db.execute(f"select a from {rows}").fetchall() == [(name,)]
