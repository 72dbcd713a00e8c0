"""From landing to `raw_<feed>`: every new file read once, its lines appended once. Needs no engine."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from jobs import declare
from jobs.declare import reasons
from jobs.ingest import admission, failures, journal, receipts, reopening, resent, verdicts
from jobs.ingest.admission import Locks
from jobs.ingest.journal import Batch, FileNote
from jobs.ingest.verdicts import FAILED, REFUSED, UNREAD, Filed
from jobs.lake import deliveries, forgotten, senders, tables, withdrawals
from jobs.lake.senders import Senders
from jobs.reading import isolated, reader, shape
from jobs.settings import Settings


def write_raw(settings: Settings, run_id: str, feed: str) -> dict[str, int]:
    """Read every pending file of the feed into `raw_<feed>`. Returns counts of files, lines and batches.

    Raises UserError for a folder in landing that is no delivery.
    """
    counts = {"files": 0, "lines": 0, "batches": 0}
    with journal.feed_lock(settings, feed):
        resent.withhold(settings, feed)
        planned = journal.plan(settings, feed)
        append(settings, run_id, planned)
        for batch in planned:
            counts["files"] += len(batch.files)
            counts["lines"] += sum(note.line_count for note in batch.files)
            counts["batches"] += 1
    return counts


def append(settings: Settings, run_id: str, batches: list[Batch]) -> None:
    """Append the raw lines of each batch, once; the lines go from the readers to the table as they come."""
    for place, batch in enumerate(batches):
        if not batch.is_read:
            lines = _read(settings, run_id, batch, batches[:place])
            table = f"raw_{batch.feed}"
            tables.append_batches(settings, table, lines, reader.RAW_SCHEMA, batch.batch_id, run_id)
            batch.is_read = True
            journal.save(settings, batch)


def _read(settings: Settings, run_id: str, batch: Batch, before: list[Batch]) -> Iterator[pa.RecordBatch]:
    """Read the batch's files, note beside each what it holds, and yield its raw lines.

    `before` are the batches that will have their receipts earlier.
    """
    known = senders.load(settings)
    admission.refuse_strangers(known, batch.files)
    fresh, withheld = (
        fresh_files(settings, batch, _filed(settings, before)),
        forgotten.load(settings).withheld,
    )
    stage = settings.restricted / "stage" / batch.feed
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    try:
        paths = [deliveries.located(settings, note.delivery_id, Path(note.path).name) for note in fresh]
        reading = isolated.read_all(paths, declare.datasets_of(batch.feed), stage)
        signed, again = admission.locks(settings, known), _let_in(settings, batch.feed)
        for note, (found, lines) in zip(fresh, reading, strict=True):
            note_found(note, found, known, signed if note.receipt_id not in again else None)
            if count := withheld.get(note.sha256):
                note.remarks = [*note.remarks, reasons.text("forgotten_lines", count=count)]
            failures.log(settings, note.receipt_id, run_id, found.traceback)
            if note.outcome is None:
                for part in lines:
                    yield with_place(batch, note, part)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _filed(settings: Settings, before: list[Batch]) -> list[Filed]:
    """Every file with a receipt, and those of batches that will have theirs earlier."""
    gone = withdrawals.load(settings)
    waiting = [receipts.as_filed(b, n, gone) for b in before for n in b.files if n.outcome not in UNREAD]
    return [*receipts.filed(settings), *waiting]


def fresh_files(settings: Settings, batch: Batch, filed: Iterable[Filed]) -> list[FileNote]:
    """The files of the batch whose content is new among those `filed`; the others are noted as repeated or
    refused.
    """
    known, gone = [*filed], withdrawals.load(settings)
    fresh: list[FileNote] = []
    for note in (note for note in batch.files if note.outcome is None):
        this = receipts.as_filed(batch, note, gone)
        if again := verdicts.repeated(this, known, declare.load()):
            note.outcome, note.reasons = again.outcome, list(again.reasons)
        elif any(n.key == note.key for n in fresh):
            note.outcome = REFUSED
            note.reasons = [reasons.text("same_content_two_terms")]
        else:
            known.append(this)
            fresh.append(note)
    return fresh


def _let_in(settings: Settings, feed: str) -> set[str]:
    """Files that are taken again, but for those that somebody asked to be: no lock is asked about them."""
    times = reopening.times(settings, feed)
    by_hand = {occasion.partition(" ")[0] for occasion in times if occasion.endswith(" retry by hand")}
    return {receipt for receipt in times if " " not in receipt} - by_hand


def note_found(note: FileNote, found: isolated.Found, known: Senders, signed: Locks | None) -> None:
    """Note what a file holds, and refuse it where its sender may not send that, or it is no such file.

    `signed` is None for a file that is taken again: it came before the lock, or was let in since.
    """
    note.container, note.encoding, note.duration_ms = found.container, found.encoding, found.milliseconds
    note.remarks, note.tables = found.remarks, found.tables
    if found.dataset is None:
        note.outcome, note.reasons = REFUSED if found.traceback is None else FAILED, found.reasons
        return
    note.dataset = found.dataset
    at_door = admission.of_dataset(known, note.sender, found.dataset)
    at_door = at_door or (signed.refusal(note, found.dataset) if signed else None)
    if at_door:
        note.outcome, note.reasons = REFUSED, [at_door]
        return
    contract = declare.load()[found.dataset]
    note.extra_headings = shape.unknown_columns(contract, found.tables)
    note.missing_columns = shape.missing_columns(contract, found.tables)
    note.line_count = sum(table.line_count for table in found.tables)
    note.school_year_start, note.term = journal.period(note)
    if not note.line_count:
        note.outcome, note.reasons = REFUSED, [reasons.text("no_lines")]
    elif reason := shape.refusal(contract, note.extra_headings):
        note.outcome, note.reasons = REFUSED, [reason]


def with_place(batch: Batch, note: FileNote, part: pa.RecordBatch) -> pa.RecordBatch:
    """Return lines of one file with the columns that every raw line carries."""
    table = part.column("_table")
    constant = [
        pa.repeat(pa.scalar(value, pa.string()), part.num_rows)
        for value in (batch.batch_id, note.delivery_id, note.sha256)
    ]
    places = [pa.array([getattr(t, name) for t in note.tables], pa.string()) for name in ("member", "sheet")]
    return pa.RecordBatch.from_arrays(
        [*constant, table, *(p.take(table) for p in places), *part.columns[1:]], schema=reader.RAW_SCHEMA
    )
