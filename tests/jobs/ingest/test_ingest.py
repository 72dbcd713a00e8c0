"""A feed from landing to clean: judged once, receipted last, the same after any repetition."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest

from jobs import declare
from jobs.declare import reasons
from jobs.ingest import clean, journal, raw
from jobs.lake import deliveries, receipt_text, tables
from jobs.reading import shape
from jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FEED = "place_demand"
HEADER = "区,出生年,出生人数\n"
DISTRICTS = ("东城区", "西城区", "朝阳区", "丰台区", "石景山区")


def births(year: int, *, bad: int = 0) -> str:
    # Twenty years of five districts; a district of a year stands once.
    rows = [f"{d},{year - i // 5},{1000 + i}" for i, d in enumerate(DISTRICTS * 20)]
    for i in range(bad):
        rows[i] = rows[i].rsplit(",", 1)[0] + ",很多"
    return HEADER + "\n".join(rows) + "\n"


def hand_in(
    settings: Settings, text: str, day: str, name: str = "births.csv", encoding: str = "gb18030"
) -> Path:
    source = settings.home / "outbox" / name
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(text.encode(encoding))
    return deliveries.land(settings, source, FEED, "110000", date.fromisoformat(day))


def take(settings: Settings, spark: SparkSession, run_id: str = "2025-01-01.1") -> dict[str, int]:
    raw.write_raw(settings, run_id, FEED)
    return clean.clean_rows(settings, spark, run_id, FEED)


def content(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """Every table's rows without what names a run, sorted: what must be equal however it came about."""
    found = {}
    for table in ("clean_places__birth", "ops__refused_row", "ops__receipt"):
        rows = tables.rows(settings, table)
        kept = [
            tuple(str(v) for k, v in sorted(row.items()) if k not in {"run_id", "duration_ms"})
            for row in rows
        ]
        found[table] = sorted(kept)
    found["raw"] = sorted(str(sorted(r.items())) for r in tables.rows(settings, f"raw_{FEED}"))
    return found


def test_lines_in_are_rows_accepted_and_refused(settings: Settings, spark: SparkSession) -> None:
    hand_in(settings, births(2024, bad=1), "2025-01-10")
    assert take(settings, spark) == {"files": 1, "accepted": 99, "refused": 1, "held": 0}
    (receipt,) = tables.rows(settings, "ops__receipt")
    assert (receipt["outcome"], receipt["encoding"], receipt["dataset"]) == ("accepted", "gb18030", "birth")
    assert receipt["line_count"] == receipt["accepted_count"] + receipt["refused_count"] == 100
    (refused,) = tables.rows(settings, "ops__refused_row")
    assert (refused["line_number"], refused["column_name"], refused["rule"]) == (2, "birth_count", "type")
    clean = tables.rows(settings, "clean_places__birth")
    assert len(clean) == 99
    assert {row["unit_code"] for row in clean} == {"110101", "110102", "110105", "110106", "110107"}
    checks = tables.rows(settings, "ops__check")
    assert len(checks) > 5
    assert all(c["is_success"] and c["examined_count"] == 99 for c in checks)


def test_a_bad_delivery_is_held_and_the_others_go_on(settings: Settings, spark: SparkSession) -> None:
    hand_in(settings, births(2024), "2025-01-10")
    hand_in(settings, births(2025, bad=10), "2026-01-10", "late.csv")
    hand_in(settings, "随便,什么\n1,2\n", "2026-01-11", "other.csv")
    counts = take(settings, spark)
    assert (counts["accepted"], counts["held"]) == (100, 1)
    outcomes = {r["file_name"]: r for r in receipt_text.receipts(settings)}
    assert outcomes["births.csv"]["outcome"] == "accepted"
    assert outcomes["late.csv"]["outcome"] == "held"
    assert "10.0%" in reasons.sentence(outcomes["late.csv"]["reasons"][0], "en")
    assert outcomes["other.csv"]["outcome"] == "refused"
    assert {r["_delivery_id"] for r in tables.rows(settings, "clean_places__birth")} == {
        "place_demand/110000/2025-01-10_1"
    }
    assert len(tables.rows(settings, "ops__refused_row")) == 10


def test_nothing_new_changes_nothing_and_same_bytes_are_one_delivery(
    settings: Settings, spark: SparkSession
) -> None:
    where = hand_in(settings, births(2024), "2025-01-10")
    take(settings, spark)
    before = content(settings)
    assert hand_in(settings, births(2024), "2025-02-10") == where
    assert take(settings, spark) == {"files": 0, "accepted": 0, "refused": 0, "held": 0}
    assert content(settings) == before
    # Put there by hand, past the door: noted as repeated, and not taken twice.
    copy = settings.landing / FEED / "110000" / "2025-02-10_1" / "again.csv"
    copy.parent.mkdir()
    copy.write_bytes(where.read_bytes())
    take(settings, spark)
    assert [r["outcome"] for r in tables.rows(settings, "ops__receipt")].count("repeated") == 1
    assert content(settings)["clean_places__birth"] == before["clean_places__birth"]


def test_equal_bytes_in_two_batches_are_one_delivery(
    settings: Settings, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A landing too large for one batch: what an earlier batch accepts, a later one does not take again."""
    monkeypatch.setattr(journal, "BATCH_FILES", 1)
    hand_in(settings, births(2024), "2025-01-10")
    hand_in(settings, births(2024), "2025-01-11", "again.csv")
    take(settings, spark)
    receipts = receipt_text.receipts(settings)
    assert {r["file_name"]: r["outcome"] for r in receipts} == {
        "births.csv": "accepted",
        "again.csv": "repeated",
    }
    assert len(tables.rows(settings, "clean_places__birth")) == 100


def test_sheets_of_a_workbook_are_one_delivery(settings: Settings, spark: SparkSession) -> None:
    book = openpyxl.Workbook()
    for number, order in enumerate(([0, 1, 2], [2, 0, 1])):
        sheet = book.active if number == 0 else book.create_sheet(f"{number}")
        assert sheet is not None
        for row in (
            ["区", "出生年", "出生人数"],
            ["东城区", 2020 + number, 1],
            ["西城区", 2020 + number, "?"],
        ):
            sheet.append([row[i] for i in order])
    source = settings.home / "births.xlsx"
    book.save(source)
    deliveries.land(settings, source, FEED, "110000", date(2025, 1, 10))
    take(settings, spark)
    (receipt,) = tables.rows(settings, "ops__receipt")
    assert (receipt["table_count"], receipt["line_count"], receipt["refused_count"]) == (2, 4, 2)
    refused = tables.rows(settings, "ops__refused_row")
    assert {(r["table_number"], r["line_number"], r["column_name"]) for r in refused} == {
        (0, 3, "birth_count"),
        (1, 3, "birth_count"),
    }
    (typed,) = receipt_text.receipts(settings, ["sheets", "headers"])
    assert typed["sheets"] == ["Sheet", "1"]
    assert [json.loads(header)[0] for header in typed["headers"]] == ["区", "出生人数"]


def test_a_headings_unit_is_taken_and_unknown_columns_are_named(
    spark: SparkSession, settings: Settings
) -> None:
    text = "区,出生年,出生人数（万人）,备注\n东城区,2020,0.12,无\n西城区,2020,1500人,无\n"
    hand_in(settings, text, "2025-03-01")
    take(settings, spark)
    rows = tables.rows(settings, "clean_places__birth", ["unit_code", "birth_count"])
    assert sorted((r["unit_code"], r["birth_count"]) for r in rows) == [("110101", 1200), ("110102", 1500)]
    (receipt,) = receipt_text.receipts(settings)
    assert (receipt["extra_headings"], receipt["missing_columns"]) == (["备注"], [])
    assert receipt["extra_columns"] == ["1.4"]
    assert receipt["header"] == ["unit_code", "birth_year", "birth_count", None]


@pytest.mark.parametrize(("policy", "is_refused"), [("evolve", False), ("freeze", False), ("refuse", True)])
def test_a_contract_decides_about_unknown_columns(policy: str, is_refused: bool) -> None:
    contract = replace(declare.load()["birth"], extra_columns=policy)
    reason = shape.refusal(contract, ["备注"])
    assert (reason is not None and "备注" in reason) == is_refused
    assert shape.refusal(contract, []) is None
