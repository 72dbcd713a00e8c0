"""`docs/reference/where.md`: each walk is at most three folders long, and what it promises is there."""

from __future__ import annotations

import re

import pytest

from jobs.settings import ROOT

PAGE = ROOT / "docs" / "reference" / "where.md"
ROWS = [
    [cell.strip() for cell in line.strip("| \n").split(" | ")]
    for line in PAGE.read_text("utf-8").splitlines()
    if line.startswith("| ") and "`" in line
]


def test_there_are_ten_questions() -> None:
    assert len(ROWS) == 10
    assert all(len(row) == 4 for row in ROWS)


@pytest.mark.parametrize(("question", "walk", "place", "name"), ROWS, ids=lambda cell: cell[:40])
def test_a_walk_leads_to_its_name(question: str, walk: str, place: str, name: str) -> None:
    folders = re.findall(r"`([^`]+)`", walk)
    assert 1 <= len(folders) <= 3, question
    there = ROOT.joinpath(*folders) / place.strip("`")
    files = [there] if there.is_file() else sorted(there.rglob("*"))
    sought = re.compile(rf"\b{re.escape(name.strip('`'))}\b")
    found = [
        f for f in files if f.is_file() and (sought.search(f.name) or sought.search(f.read_text("utf-8")))
    ]
    assert found, f"{question}: {name} is not in {there}"
