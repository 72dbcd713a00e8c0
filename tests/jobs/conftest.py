"""What the feeds' tests share: rows judged as ingest judges them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from jobs import declare
from jobs.declare import headings
from jobs.judging.judge import parse
from jobs.reading import reader

FIRST = {
    "birth": {"unit_code": "东城区", "birth_year": "2020", "birth_count": "4321"},
    "capacity_project": {
        "project_code": "X1",
        "project_name": "某小学",
        "district_code": "110101",
        "stage_code": "小学",
        "place_count": "960",
        "planned_opening_date": "2026-09-01",
        "project_status_code": "在建",
    },
    "pupil_roll": {
        "pupil_national_id": "G999999201501010012",
        "pupil_name": "某某",
        "sex_code": "男",
        "birth_date": "20150101",
        "school_code": "2111000001",
        "grade_key": "04",
        "class_name": "1班",
        "pupil_status_code": "1",
    },
    "test_result": {
        "fitness_grade_code": "14",
        "class_code": "1401",
        "pupil_national_id": "G999999201501010012",
        "pupil_name": "某某",
        "sex_code": "1",
    },
}


def _judge(dataset: str, changes: list[dict[str, str | None]]) -> list[dict[str, Any]]:
    """The first row of a dataset, changed in as many ways, through `parse`; in the order given."""
    rows = [{**FIRST.get(dataset, {}), **change} for change in changes]
    names = list(dict.fromkeys(name for row in rows for name in row))
    places = {name: at for at, name in enumerate(names) if name != "operation"}
    operation = names.index("operation") if "operation" in names else -1
    return _of_cells(dataset, [[row.get(name) for name in names] for row in rows], places, operation)


def _judge_table(dataset: str, header: list[str], lines: list[list[str]]) -> list[dict[str, Any]]:
    """The lines below a header through `parse`; in the order given."""
    places = headings.match(declare.load()[dataset], header)
    assert places is not None
    cells = [[cell or None for cell in line] for line in lines]
    return _of_cells(dataset, cells, places, headings.operation_at(header), header)


def _of_cells(
    dataset: str,
    cells: list[list[str | None]],
    places: dict[str, int],
    operation: int,
    header: list[str] | None = None,
) -> list[dict[str, Any]]:
    contract = declare.load()[dataset]
    count = len(cells)
    raw = pa.Table.from_arrays(
        [
            *[pa.array([value] * count, pa.string()) for value in ("b", "d", "f")],
            pa.array([0] * count, pa.int32()),
            *[pa.nulls(count, pa.string()) for _ in range(2)],
            pa.array(range(2, count + 2), pa.int64()),
            pa.array(cells, pa.list_(pa.string())),
        ],
        schema=reader.RAW_SCHEMA,
    )
    positions = [places.get(c.name, -1) for c in contract.columns]
    width = len(header) if header else max((len(line) for line in cells), default=0)
    file = {
        "_delivery_id": "d",
        "_file_sha256": "f",
        "_table": 0,
        "positions": positions,
        "headings": [headings.fold(header[at]) if header and at >= 0 else None for at in positions],
        "operation": operation,
        "named": len("".join("x" if name else " " for name in header).rstrip()) if header else width,
        "widest": width,
        "sender_code": "110101",
        "received_date": date(2025, 9, 20),
        "delivery_no": 1,
        "recorded_at": datetime(2025, 9, 19, 16, tzinfo=UTC),
        "school_year_start": 2025,
        "term": 1,
    }
    return sorted(judged(raw, [file], contract), key=lambda row: row["_line_number"])


def judged(raw: pa.Table, files: list[dict[str, Any]], contract: declare.Contract) -> list[dict[str, Any]]:
    """Raw lines of one dataset through `parse`."""
    with duckdb.connect() as db:
        db.execute("set TimeZone = 'UTC'")
        db.register("raw", raw)
        parsed = parse(db, "raw", pa.Table.from_pylist(files), contract, "cn")
        db.execute(f"create table judged as {parsed}")
        rows: list[dict[str, Any]] = db.sql("from judged").to_arrow_table().to_pylist()
    return rows


@pytest.fixture
def judge() -> Callable[..., list[dict[str, Any]]]:
    """`judge(dataset, changes)`: the first row of a dataset, changed in as many ways, through `parse`."""
    return _judge


@pytest.fixture
def judge_table() -> Callable[..., list[dict[str, Any]]]:
    """`judge_table(dataset, header, lines)`: the lines below a header, through `parse`."""
    return _judge_table
