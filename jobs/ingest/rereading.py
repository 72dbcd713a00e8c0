"""Files that were taken once, read again as they were then: for a new key of identifiers, and for repairs.

Their receipts stand, so nothing is judged anew: each file keeps its batch, its lines and its verdict.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from jobs import declare
from jobs.declare import Contract, headings
from jobs.files import sha256
from jobs.ingest import journal, raw, staged
from jobs.ingest.journal import Batch, FileNote
from jobs.ingest.staged import Judged
from jobs.lake import deliveries, forgotten, identity, tables
from jobs.reading import isolated
from jobs.reading.isolated import FoundTable
from jobs.settings import Settings
from jobs.sql import parquet

Receipt = Mapping[str, Any]


def landed(settings: Settings, receipt: Receipt) -> Path | None:
    """Return where the receipt's file lies with the bytes that were sent; None where it does not."""
    path = deliveries.located(settings, receipt["delivery_id"], receipt["file_name"] or "")
    if not path.is_file():
        return None
    digest = sha256(path)
    is_same = forgotten.load(settings).aliases.get(digest, digest) == receipt["file_sha256"]
    return path if is_same else None


def notes(settings: Settings, contract: Contract, receipts: Sequence[Receipt]) -> list[FileNote]:
    """Return what is known of read files of a dataset: from landing, else from their receipts' text and raw.

    `receipts` are rows of `receipt_text.receipts`.
    """
    paths = {row["receipt_id"]: path for row in receipts if (path := landed(settings, row))}
    found: dict[str, list[FoundTable]] = {}
    with tempfile.TemporaryDirectory(dir=settings.secrets) as stage:
        reading = isolated.read_all([*paths.values()], declare.datasets_of(contract.feed), Path(stage))
        for receipt_id, (read, _) in zip(paths, reading, strict=True):
            found[receipt_id] = read.tables
    made = []
    for row in receipts:
        note = _note(row, contract)
        note.tables = found.get(row["receipt_id"]) or _told(settings, contract, row)
        note.school_year_start, note.term = journal.period(note)
        made.append(note)
    return made


def raw_lines(settings: Settings, receipts: Sequence[Receipt]) -> Iterator[pa.RecordBatch]:
    """Yield the raw lines of files that lie in landing, as they were first written."""
    by_feed = defaultdict(list)
    for row in receipts:
        by_feed[row["feed"]].append(row)
    for feed, own in by_feed.items():
        stage = settings.restricted / "stage" / feed
        stage.mkdir(parents=True, exist_ok=True)
        paths = [deliveries.located(settings, r["delivery_id"], r["file_name"]) for r in own]
        reading = isolated.read_all(paths, declare.datasets_of(feed), stage)
        for row, (found, lines) in zip(own, reading, strict=True):
            note = _note(row, declare.load()[row["dataset"]])
            note.tables = found.tables
            batch = Batch(row["batch_id"], feed, True, [note])
            for part in lines:
                yield raw.with_place(batch, note, part)


def judged(settings: Settings, contract: Contract, receipts: Sequence[Receipt]) -> Iterator[Judged]:
    """Yield the judged rows of these files batch by batch; each is gone when the next is asked for."""
    keys = identity.keys(settings) if contract.identity else None
    by_batch = defaultdict(list)
    for row in receipts:
        by_batch[row["batch_id"]].append(row)
    for batch_id, own in sorted(by_batch.items()):
        known = notes(settings, contract, own)
        batch = Batch(batch_id, contract.feed, True, known)
        with staged.judged(settings, batch, contract, known, keys) as rows:
            yield rows


def _note(row: Receipt, contract: Contract) -> FileNote:
    return FileNote(
        receipt_id=row["receipt_id"],
        path=row["file_name"] or "",
        sender=row["sender_code"],
        received=row["received_date"].isoformat(),
        delivery_no=row["delivery_no"],
        delivery_id=row["delivery_id"],
        sha256=row["file_sha256"],
        byte_count=row["byte_count"],
        dataset=contract.dataset,
    )


def _told(settings: Settings, contract: Contract, row: Receipt) -> list[FoundTable]:
    """The tables of a file by the headings that its sender typed, and by its raw lines."""
    widths = _narrowest(settings, row)
    made = []
    for number, text in enumerate(row["headers"] or []):
        header: list[str] = json.loads(text)
        places = headings.match(contract, header) or {}
        positions = [places.get(column.name, -1) for column in contract.columns]
        table = FoundTable(
            row["members"][number], row["sheets"][number], row["header_lines"][number], header, positions
        )
        table.width, table.narrowest = len(header), widths.get(number)
        made.append(table)
    return made


def _narrowest(settings: Settings, row: Receipt) -> dict[int, int]:
    files = tables.files(tables.open_table(settings, f"raw_{row['feed']}"))
    if not files:
        return {}
    found = duckdb.execute(
        f"select _table, min(len(cells)) from {parquet(*files)}"
        " where _delivery_id = ? and _file_sha256 = ? group by all",
        [row["delivery_id"], row["file_sha256"]],
    ).fetchall()
    return dict(found)
