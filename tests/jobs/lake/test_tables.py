"""The lake's tables without an engine: where they lie, that an append happens once, what a version shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from jobs import declare
from jobs.lake import tables
from jobs.settings import Settings, UserError

PUBLIC, PERSONAL = "clean_places__birth", "clean_enrollment__pupil_roll"
CHECKS = "ops__check"


def check(name: str, **changed: Any) -> dict[str, Any]:
    row = {
        "run_id": "2025-11-20.1",
        "table_name": "fct_x",
        "check_name": name,
        "column_name": None,
        "is_success": True,
        "is_stop": True,
        "examined_count": 10,
        "unexpected_count": None,
        "checked_by": "gx",
    }
    return row | changed


def names(settings: Settings) -> list[str]:
    return sorted(row["check_name"] for row in tables.rows(settings, CHECKS))


def test_rows_of_persons_lie_apart(settings: Settings) -> None:
    assert tables.path(settings, PUBLIC).parent == settings.lake
    for table in (PERSONAL, "raw_enrollment", "person_identifier"):
        assert tables.path(settings, table).parent == settings.restricted, table


def test_a_table_that_was_never_written_is_empty_and_no_error(settings: Settings) -> None:
    assert tables.open_table(settings, CHECKS) is None
    assert tables.open_arrow(settings, CHECKS) is None
    assert tables.rows(settings, CHECKS) == []
    assert tables.pin(settings) == {}
    with duckdb.connect() as connection:
        assert tables.create_views(connection, settings, tables.readable(settings)) == []
        assert connection.sql("show tables").fetchall() == []
    # A folder that a killed first write left behind is no table either.
    (tables.path(settings, CHECKS) / "_delta_log").mkdir(parents=True)
    assert tables.open_table(settings, CHECKS) is None


def test_an_append_happens_once_for_each_app_id(settings: Settings) -> None:
    for _ in range(2):
        tables.append_rows(settings, CHECKS, [check("a"), check("b")], "marts/1", "2025-11-20.1")
    assert names(settings) == ["a", "b"]
    tables.append_rows(settings, CHECKS, [check("c")], "marts/2", "2025-11-20.1")
    assert names(settings) == ["a", "b", "c"]
    tables.append_rows(settings, CHECKS, [], "marts/3", "2025-11-20.1")
    assert tables.pin(settings) == {CHECKS: 1}, "no rows make no version"


def test_rows_take_the_declared_columns_and_nothing_else(settings: Settings) -> None:
    given = check("a") | {"examined_count": 2**40, "not_declared": "x"}
    tables.append_rows(settings, CHECKS, [given], "marts/1", "2025-11-20.1")
    (row,) = tables.rows(settings, CHECKS)
    assert set(row) == set(declare.table_columns(CHECKS))
    assert row["examined_count"] == 2**40
    with pytest.raises(pa.ArrowInvalid, match="Could not convert"):
        tables.append_rows(settings, CHECKS, [check("b", examined_count="many")], "marts/2", "2025-11-20.1")
    assert names(settings) == ["a"]


def test_batches_are_taken_to_the_end_even_when_they_are_not_written(settings: Settings) -> None:
    schema = declare.arrow_schema(declare.table_columns(CHECKS))
    taken: list[str] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for name in ("a", "b"):
            taken.append(name)
            yield pa.RecordBatch.from_pylist([check(name)], schema=schema)

    for _ in range(2):
        tables.append_batches(settings, CHECKS, batches(), schema, "marts/1", "2025-11-20.1")
    assert names(settings) == ["a", "b"]
    assert taken == ["a", "b", "a", "b"]


def test_a_pinned_version_shows_no_later_rows(settings: Settings) -> None:
    tables.append_rows(settings, CHECKS, [check("early")], "marts/1", "2025-11-20.1")
    pinned = tables.pin(settings)[CHECKS]
    tables.append_rows(settings, CHECKS, [check("late")], "marts/2", "2025-11-20.1")
    found = tables.open_table(settings, CHECKS, pinned)
    assert found is not None
    assert duckdb.read_parquet(tables.files(found)).project("check_name").fetchall() == [("early",)]
    with duckdb.connect() as connection:
        files = tables.create_views(connection, settings, [CHECKS])
        assert len(files) == 2
        shown = connection.sql(f"select count(*) from {CHECKS}").fetchall()
    assert shown == [(2,)], "views show the newest version"


def test_a_lake_of_an_earlier_version_is_refused(settings: Settings) -> None:
    tables.append_rows(settings, CHECKS, [check("a")], "marts/1", "2025-11-20.1")
    tables.check_version(settings)
    (settings.lake / PERSONAL).mkdir(parents=True)
    with pytest.raises(UserError, match="an earlier version made this lake") as refused:
        tables.check_version(settings)
    assert PERSONAL in refused.value.message


def test_a_table_of_before_a_column_was_declared_gets_it(settings: Settings) -> None:
    table = "decision_places__registration"
    declared = declare.arrow_schema(declare.table_columns(table))
    fewer = pa.schema([field for field in declared if field.name != "actual_entrant_count"])
    old = {"run_id": "1", "level": "city", "unit_code": "total"}
    tables.append_rows(settings, table, [old], "a", "1", fewer)
    tables.append_rows(settings, table, [old | {"run_id": "2", "actual_entrant_count": 5}], "b", "2")
    found = {row["run_id"]: row["actual_entrant_count"] for row in tables.rows(settings, table)}
    assert found == {"1": None, "2": 5}
