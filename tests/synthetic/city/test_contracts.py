"""What a faultless city writes is accepted: every cell of every file against its contract, outside Spark."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from jobs import declare
from jobs.declare import codes
from jobs.judging.judge import NOTHING
from jobs.reading import reader
from synthetic.city.write import CitySummary

City = tuple[Path, CitySummary]


@cache
def spellings(column: declare.Column) -> dict[str, str]:
    assert column.codes
    return codes.spellings_of(column)


def complaint(column: declare.Column, cell: str) -> str | None:
    """Why the lake would refuse or flag this cell; None where it would not."""
    text = declare.fold(cell)
    if text in NOTHING:
        return "required" if column.required else None
    if column.codes:
        known = text in spellings(column) or column.codes_open
        return None if known else "unmapped code"
    value: float | None = None
    if column.type == "int":
        if not re.fullmatch(r"[+-]?\d{1,18}(\.0+)?", text):
            return "no whole number"
        value = float(text)
    elif column.type.startswith("decimal"):
        if not re.fullmatch(r"[+-]?\d{1,14}(\.\d{1,12})?", text):
            return "no number"
        value = float(text)
    elif column.type == "date":
        found = re.fullmatch(r"(\d{4})[-/]?(\d{1,2})[-/]?(\d{1,2})", text)
        if not found:
            return "no day"
        date(*map(int, found.groups()))
    if column.pattern and not re.fullmatch(column.pattern, text.upper()):
        return "pattern"
    bounds = column.ask_outside or column.refuse_outside
    if value is not None and bounds and not bounds[0] <= value <= bounds[1]:
        return "unusual"
    return None


def test_every_cell_is_accepted(faultless: City) -> None:
    looked_at: Counter[str] = Counter()
    complaints: Counter[tuple[str, str, str, str]] = Counter()
    for file in sorted(faultless[0].glob("*/*/*/*")):
        feed = file.relative_to(faultless[0]).parts[0]
        reading = reader.read(file, declare.datasets_of(feed))
        contract = reading.contract
        assert contract is not None, (file, reading.reasons)
        for number, cells in reading.lines:
            for name, at in reading.positions.items():
                column = contract.column(name)
                cell = cells[at] if at < len(cells) else ""
                why = complaint(column, cell)
                looked_at[contract.dataset] += 1
                # Somebody of thousands tested is unusual, and is asked about.
                is_asked = why == "unusual" and contract.dataset in ("test_result", "recheck_sample")
                if why and not is_asked:
                    complaints[contract.dataset, name, why, f"{file.name}:{number} {cell!r}"] += 1
    assert not complaints, complaints.most_common(20)
    assert len(looked_at) >= 18
    assert min(looked_at.values()) > 0


def test_old_and_new_workbooks_and_texts_are_all_sent(faultless: City) -> None:
    endings = Counter(p.suffix for p in faultless[0].glob("*/*/*/*"))
    assert set(endings) == {".csv", ".xlsx", ".xls", ".ndjson"}
    assert endings[".xls"] >= 5


@pytest.mark.parametrize(
    ("dataset", "least"),
    [
        ("staff_register", 300),
        ("school_register", 64),
        ("roll_change", 20),
        ("pupil_registration", 200),
        ("hotline_case", 50),
        ("digital_resource", 100),
        ("resource_use", 500),
        ("shared_facility", 20),
        ("teacher_rotation", 3),
    ],
)
def test_each_dataset_has_rows(faultless: City, dataset: str, least: int) -> None:
    rows = 0
    contract = declare.load()[dataset]
    for file in faultless[0].glob(f"{contract.feed}/*/*/*"):
        reading = reader.read(file, declare.datasets_of(contract.feed))
        if reading.contract is contract:
            rows += len(reading.lines)
    assert rows >= least


def test_some_returns_have_the_ministrys_shape(faultless: City) -> None:
    """Title, a line of groups, headings, the line that numbers the columns; the reader finds its way."""
    seen = 0
    for file in faultless[0].glob("enrollment/*/2025-09-25_1/分年级*.xls*"):
        reading = reader.read(file, declare.datasets_of("enrollment"))
        assert reading.header_line == 3
        assert reading.lines[0][0] == 5
        assert all(cells[0].isdigit() for _, cells in reading.lines)
        seen += 1
    assert seen >= 2
