"""The journal of a feed's batches: which files are taken together, what is known of each, what is unfinished.

A batch is written down before anyone works on it (`batches/<feed>/<batch_id>.json` in the restricted zone,
because a note has names and headings as sent). A run that was
killed is therefore finished with the same files and the same Delta transactions. The note goes when the
batch's receipts stand. One process at a time works on a feed; a second one waits.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from jobs import clock, declare
from jobs.files import replacing
from jobs.ingest import reopening
from jobs.lake import deliveries, withdrawals
from jobs.lake.deliveries import LandedFile
from jobs.reading import recognize
from jobs.reading.isolated import FoundTable
from jobs.settings import Settings

# What one batch takes: bounds the memory of reading and the work that a kill can cost.
BATCH_BYTES = 64 * 1024**2
BATCH_FILES = 2000


@dataclass
class FileNote:
    """What is known of one file of a batch: how it landed, what it holds, how it ended."""

    receipt_id: str
    path: str
    sender: str
    received: str
    delivery_no: int
    delivery_id: str
    sha256: str
    byte_count: int
    dataset: str | None = None
    container: str | None = None
    encoding: str | None = None
    tables: list[FoundTable] = field(default_factory=list)
    school_year_start: int | None = None
    term: int | None = None
    line_count: int = 0
    accepted_count: int = 0
    flagged_count: int = 0
    refused_count: int = 0
    scope_count: int = 0
    outcome: str | None = None
    reasons: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    extra_headings: list[str] = field(default_factory=list)
    missing_columns: list[str] = field(default_factory=list)
    unmapped: list[str] = field(default_factory=list)
    duration_ms: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """What every line of the file carries: its delivery and the digest of its bytes."""
        return self.delivery_id, self.sha256


@dataclass
class Batch:
    """Files that are taken together.

    `number` is the batch's place among those that wait. They are worked off in that order, also after a kill.
    """

    batch_id: str
    feed: str
    is_read: bool
    files: list[FileNote]
    number: int = 0


def has_work(settings: Settings, feed: str) -> bool:
    """Return whether the feed has a file without a receipt, or a batch that a killed run left."""
    return bool(unfinished(settings, feed)) or any(f.feed == feed for f in deliveries.pending(settings))


def reopen_after_withdrawals(settings: Settings, feed: str) -> None:
    """Reopen the files on which withdrawals of other deliveries change the verdict.

    Not while a batch is unfinished: when it ends, it reopens them itself.
    """
    version = withdrawals.version(settings)
    if version is not None:
        with feed_lock(settings, feed):
            if not unfinished(settings, feed):
                reopening.reopen_changed(settings, feed, f"withdrawals {version}")


def plan(settings: Settings, feed: str) -> list[Batch]:
    """Return the batches to work on: first those a killed run left, as they were, then new ones."""
    batches = unfinished(settings, feed)
    taken = {note.receipt_id for batch in batches for note in batch.files}
    waiting = [f for f in deliveries.pending(settings) if f.feed == feed and f.receipt_id not in taken]
    for group in _groups(waiting):
        notes = [note_of(file) for file in group]
        # A file taken again makes another batch, whose transactions are not those of the first time.
        times = reopening.times(settings, feed)
        ids = sorted(f"{n.receipt_id}{times.get(n.receipt_id, '')}" for n in notes)
        digest = hashlib.sha256("".join(ids).encode()).hexdigest()
        batch = Batch(digest[:16], feed, False, notes, 1 + max((b.number for b in batches), default=0))
        save(settings, batch)
        batches.append(batch)
    return batches


def note_of(file: LandedFile) -> FileNote:
    """What is known of a landed file before it is read."""
    return FileNote(
        receipt_id=file.receipt_id,
        path=f"{file.delivery_id}/{file.name}",
        sender=declare.sender_today(file.sender),
        received=file.received.isoformat(),
        delivery_no=file.delivery_no,
        delivery_id=file.delivery_id,
        sha256=file.sha256,
        byte_count=file.byte_count,
    )


def unfinished(settings: Settings, feed: str) -> list[Batch]:
    """Return the batches whose receipts do not stand yet, in the order in which they are worked off."""
    found = []
    for file in _notes(settings, feed).glob("*.json"):
        noted = json.loads(file.read_text(encoding="utf-8"))
        for note in noted["files"]:
            note["tables"] = [FoundTable(**table) for table in note["tables"]]
        noted["files"] = [FileNote(**note) for note in noted["files"]]
        found.append(Batch(**noted))
    return sorted(found, key=lambda batch: batch.number)


def save(settings: Settings, batch: Batch) -> None:
    """Write the batch's note, in one step."""
    with replacing(_path(settings, batch)) as fresh:
        fresh.write_text(json.dumps(asdict(batch), ensure_ascii=False), encoding="utf-8")


def remove(settings: Settings, batch: Batch) -> None:
    """Remove the note of a batch whose receipts stand."""
    _path(settings, batch).unlink()


@contextmanager
def feed_lock(settings: Settings, feed: str) -> Iterator[None]:
    """Hold the feed's lock; wait for the process that holds it."""
    with (_folder(settings, feed) / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def period(note: FileNote) -> tuple[int, int]:
    """Return the school year and term that a file is about: from its name (`…2024-2025-1…`), else from the
    day it was received.
    """
    named = recognize.period_in_name(Path(note.path).name)
    if named:
        return named
    return clock.term(date.fromisoformat(note.received))


def _groups(files: list[LandedFile]) -> Iterator[list[LandedFile]]:
    group: list[LandedFile] = []
    size = 0
    for file in files:
        if group and (size + file.byte_count > BATCH_BYTES or len(group) == BATCH_FILES):
            yield group
            group, size = [], 0
        group.append(file)
        size += file.byte_count
    if group:
        yield group


def _folder(settings: Settings, feed: str) -> Path:
    folder = settings.run / "batches" / feed
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _notes(settings: Settings, feed: str) -> Path:
    folder = settings.restricted / "batches" / feed
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _path(settings: Settings, batch: Batch) -> Path:
    return _notes(settings, batch.feed) / f"{batch.batch_id}.json"
