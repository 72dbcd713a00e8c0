"""Each case folder: from the rows given, the marts hold the rows expected, no more and no less."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from jobs.publish import marts

CASES = Path(__file__).with_name("cases")
EXPECTED = sorted(CASES.glob("*/expect/*.csv"))


def test_every_case_expects_something() -> None:
    assert len(EXPECTED) >= 10
    assert {file.parents[1] for file in EXPECTED} == {path for path in CASES.iterdir() if path.is_dir()}


@pytest.mark.parametrize("file", EXPECTED, ids=lambda file: f"{file.parents[1].name}-{file.stem}")
def test_mart_holds_the_rows_expected(file: Path, built: Callable[[str], marts.BuildResult]) -> None:
    with file.open(encoding="utf-8", newline="") as lines:
        columns, *expected = list(csv.reader(lines, strict=True))
    listed = ", ".join(f"coalesce({name}::varchar, '')" for name in columns)
    with duckdb.connect(str(built(file.parents[1].name).file), read_only=True) as connection:
        found = connection.execute(f"select {listed} from {file.stem}").fetchall()
    only_expected = sorted(set(map(tuple, expected)) - set(found))
    only_found = sorted(set(found) - set(map(tuple, expected)))
    assert (only_expected, only_found) == ([], []), f"{file}: missing and unexpected rows of {columns}"
    assert len(found) == len(expected), f"{file}: a row is there twice"
