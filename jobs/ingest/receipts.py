"""Receipts, one per file: what was sent, what it held, how it ended. A batch ends when they are written.

What a sender typed goes to the restricted zone beside them (`jobs.lake.receipt_text`).
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from jobs import clock, declare
from jobs.declare import reasons
from jobs.ingest import reopening, verdicts
from jobs.ingest.journal import Batch, FileNote
from jobs.lake import receipt_text, tables, withdrawals
from jobs.settings import Settings


def filed(
    settings: Settings, but: Iterable[FileNote] = (), sender: str | None = None
) -> list[verdicts.Filed]:
    """Return every file with a receipt as verdicts compare them, except `but`: files that are done again.

    `sender`: those of one alone; no file is compared with another's.
    """
    left_out, gone = {note.receipt_id for note in but}, withdrawals.load(settings)
    rows = receipt_text.receipts(settings, verdicts.COLUMNS, sender)
    return [
        verdicts.filed(row, is_withdrawn=row["delivery_id"] in gone)
        for row in rows
        if row["receipt_id"] not in left_out
    ]


def as_filed(batch: Batch, note: FileNote, withdrawn: Container[str]) -> verdicts.Filed:
    """Return a file that has no receipt yet as verdicts compare it; `withdrawn` are deliveries."""
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
        aside_count=verdicts.counted(note.remarks, verdicts.ASIDE, verdicts.EXAMPLES),
        example_count=verdicts.counted(note.remarks, verdicts.EXAMPLES),
        again_count=verdicts.counted(note.remarks, verdicts.AGAIN),
        is_withdrawn=note.delivery_id in withdrawn,
    )


def write(settings: Settings, run_id: str, batch: Batch) -> None:
    """Append one row per file of the batch to `ops__receipt`, once; before it what their senders typed."""
    reopening.sweep(settings, batch.feed, [note.receipt_id for note in batch.files], batch.batch_id)
    typed = [text_row(batch, note) for note in batch.files]
    receipt_text.append(settings, typed, batch.batch_id, run_id)
    rows = [row(settings, run_id, batch, note) for note in batch.files]
    tables.append_rows(settings, "ops__receipt", rows, batch.batch_id, run_id)


def row(settings: Settings, run_id: str, batch: Batch, note: FileNote) -> dict[str, Any]:
    """A file's receipt, with the columns of `ops__receipt`: our own words, counts and positions."""
    received = date.fromisoformat(note.received)
    known = {k: v for k, v in asdict(note).items() if k in declare.made_tables()["ops__receipt"]}
    return (
        known
        | _shape(note)
        | {
            "run_id": run_id,
            "feed": batch.feed,
            "sender_code": note.sender,
            "received_date": received,
            "file_sha256": note.sha256,
            "reasons": [reasons.without_text(reason) for reason in note.reasons],
            "remarks": [reasons.without_text(remark) for remark in note.remarks],
            "recorded_at": clock.start_of_day(received, settings.timezone),
            "batch_id": batch.batch_id,
        }
    )


def text_row(batch: Batch, note: FileNote) -> dict[str, Any]:
    """What the sender of a file typed, with the columns of `receipt_text`."""
    return {
        "receipt_id": note.receipt_id,
        "batch_id": batch.batch_id,
        "file_name": Path(note.path).name,
        "members": [table.member for table in note.tables],
        "sheets": [table.sheet for table in note.tables],
        "headers": [json.dumps(table.header, ensure_ascii=False) for table in note.tables],
        "header_lines": [table.header_line for table in note.tables],
        "extra_headings": note.extra_headings,
        "reasons": note.reasons,
        "remarks": note.remarks,
        "unmapped": note.unmapped,
    }


def _shape(note: FileNote) -> dict[str, Any]:
    """Where the tables stand and which of our columns they have, in our own words."""
    extra = {heading.strip() for heading in note.extra_headings}
    places = [
        f"{number}.{place}"
        for number, table in enumerate(note.tables, 1)
        for place, heading in enumerate(table.header, 1)
        if heading.strip() in extra and place - 1 not in table.positions
    ]
    found = {"table_count": len(note.tables), "extra_columns": places}
    if note.dataset is None or not note.tables:
        return found
    first = note.tables[0]
    header: list[str | None] = [None] * len(first.header)
    for column, place in zip(declare.load()[note.dataset].columns, first.positions, strict=True):
        if 0 <= place < len(header):
            header[place] = column.name
    return found | {"header_line": first.header_line, "header": header}
