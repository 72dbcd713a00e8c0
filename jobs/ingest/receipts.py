"""Receipts, one per file: what was sent, what it held, how it ended. A batch ends when they are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from jobs import clock, declare
from jobs.ingest import verdicts
from jobs.ingest.journal import Batch, FileNote
from jobs.lake import tables
from jobs.settings import Settings


def filed(settings: Settings, but: Iterable[FileNote] = ()) -> list[verdicts.Filed]:
    """Return every file with a receipt as verdicts compare them, except `but`: files that are done again."""
    left_out = {note.receipt_id for note in but}
    rows = tables.rows(settings, "ops__receipt", verdicts.COLUMNS)
    return [verdicts.filed(row) for row in rows if row["receipt_id"] not in left_out]


def as_filed(batch: Batch, note: FileNote) -> verdicts.Filed:
    """Return a file that has no receipt yet as verdicts compare it."""
    return verdicts.Filed(
        receipt_id=note.receipt_id,
        feed=batch.feed,
        sender=note.sender,
        received=note.received,
        delivery_no=note.delivery_no,
        file_name=Path(note.path).name,
        sha256=note.sha256,
        dataset=note.dataset,
        line_count=note.line_count,
        accepted_count=note.accepted_count,
        refused_count=note.refused_count,
        scope_count=note.scope_count,
        aside_count=verdicts.aside_count(note.remarks),
    )


def write(settings: Settings, run_id: str, batch: Batch) -> None:
    """Append one row per file of the batch to `ops__receipt`, once."""
    rows: list[dict[str, Any]] = []
    for note in batch.files:
        received = date.fromisoformat(note.received)
        row = {k: v for k, v in asdict(note).items() if k in declare.made_tables()["ops__receipt"]}
        first = asdict(note.tables[0]) if note.tables else {}
        row |= {k: first.get(k) for k in ("member", "sheet", "header_line", "header")}
        row["table_count"] = len(note.tables)
        rows.append(
            row
            | {
                "run_id": run_id,
                "feed": batch.feed,
                "sender_code": note.sender,
                "received_date": received,
                "file_name": Path(note.path).name,
                "file_sha256": note.sha256,
                "recorded_at": clock.start_of_day(received, settings.timezone),
                "batch_id": batch.batch_id,
            }
        )
    tables.append_rows(settings, "ops__receipt", rows, batch.batch_id, run_id)
