"""Events that people write in the portal: judged as a run judges them, landed durably, each once.

    Event -> faults: the run's own reader and rules -> put: one delivery with one file, on the disk
          -> landing/<feed>/<sender>/<delivery>/<dataset>_<event id>.ndjson -> the next run takes it

The event's id names its file: whoever writes the same again finds it there. Nothing else is kept, so what was
acknowledged stands in landing, whatever is killed.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from jobs import declare
from jobs.declare import Contract, reasons, words
from jobs.ingest import admission, journal, staged
from jobs.ingest.journal import Batch, FileNote
from jobs.ingest.raw import with_place
from jobs.judging import judge
from jobs.lake import deliveries, senders, tables, withdrawals
from jobs.lake.deliveries import Handed, Piece
from jobs.lake.entries import day_and_number, entries_of
from jobs.lake.senders import Senders
from jobs.reading import isolated
from jobs.settings import Settings

_NAME = re.compile(r"([a-z_]+)_([0-9a-f]{24})\.ndjson", re.ASCII)
_BATCH = "written"


def event_id(*parts: str) -> str:
    """The id of an event: 24 hex digits of its business key."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Event:
    """One row of a dataset that somebody wrote. `sender` hands it in; `row` has our columns."""

    dataset: str
    id: str
    sender: str
    row: Mapping[str, Any]

    @property
    def contract(self) -> Contract:
        return declare.load()[self.dataset]

    @property
    def file_name(self) -> str:
        return f"{self.dataset}_{self.id}.ndjson"

    @property
    def content(self) -> bytes:
        """The row under the headings of its contract, as one line of NDJSON."""
        named = {c.name: c.headings[0] for c in self.contract.columns}
        told = {named[name]: value for name, value in self.row.items() if value not in (None, "")}
        return (json.dumps(told, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


@dataclass(frozen=True)
class Landed:
    """An event that lies in landing: its delivery, the day on which it came, its row."""

    dataset: str
    id: str
    delivery_id: str
    received: date
    row: Mapping[str, Any]


@dataclass(frozen=True)
class Fault:
    """Why a row would be refused, in Chinese and English."""

    column: str
    zh: str
    en: str


@dataclass
class _Folder:
    """What is known of one sender's deliveries: those looked into, and the events found."""

    looked_at: set[str] = field(default_factory=set)
    events: dict[tuple[str, str], Landed] = field(default_factory=dict)


class Events:
    """The events of a site. Threads and processes may put at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folders: dict[tuple[str, str], _Folder] = {}
        self._taken: dict[tuple[str, int], frozenset[str]] = {}
        self._lock = threading.Lock()
        self._bench = _Bench(settings)

    def faults(self, event: Event, received: date) -> list[Fault]:
        """Why a run would refuse the event; none where it would take it."""
        return self._bench.faults(event, received)

    def put(self, event: Event, received: date) -> Handed:
        """Land an event that has no faults; on the disk when this returns. One of its id that stands there
        already stays as it is.
        """
        feed = event.contract.feed

        def earlier() -> Path | None:
            found = self.find(event.dataset, event.sender, event.id)
            return self._settings.landing / found.delivery_id if found else None

        piece = Piece(event.file_name, event.content)
        return deliveries.hand_in(self._settings, feed, event.sender, received, [piece], earlier)

    def find(self, dataset: str, sender: str, id: str) -> Landed | None:
        """The event of this id that lies in landing and was not withdrawn."""
        feed = declare.load()[dataset].feed
        with self._lock:
            found = self._seen(feed, sender).events.get((dataset, id))
        return None if found is None or found.delivery_id in withdrawals.load(self._settings) else found

    def landed(self, dataset: str) -> list[Landed]:
        """All events of a dataset that lie in landing and were not withdrawn, the oldest first."""
        feed, gone = declare.load()[dataset].feed, withdrawals.load(self._settings)
        found: list[Landed] = []
        for sender in entries_of(self._settings.landing / feed):
            if sender.is_dir(follow_symlinks=False):
                with self._lock:
                    found += self._seen(feed, sender.name).events.values()
        kept = [one for one in found if one.dataset == dataset and one.delivery_id not in gone]
        return sorted(kept, key=lambda one: (str(one.row.get("written_time", "")), one.received, one.id))

    def taken(self, dataset: str, versions: Mapping[str, int]) -> frozenset[str]:
        """The deliveries that a dataset's clean table had at the version that a release shows."""
        table = declare.load()[dataset].table
        version = versions.get(table)
        if version is None:
            return frozenset()
        known = self._taken.get((table, version))
        if known is None:
            rows = tables.rows(self._settings, table, ["_delivery_id"], version)
            known = frozenset(row["_delivery_id"] for row in rows)
            self._taken = {key: kept for key, kept in self._taken.items() if key[0] != table}
            self._taken[table, version] = known
        return known

    def _seen(self, feed: str, sender: str) -> _Folder:
        """What lies in a sender's folder now; only deliveries that are new are looked into."""
        folder = self._folders.setdefault((feed, sender), _Folder())
        fresh = [
            (stamp, delivery)
            for delivery in entries_of(self._settings.landing / feed / sender)
            if delivery.name not in folder.looked_at and (stamp := day_and_number(delivery.name))
        ]
        # The oldest first: of a withdrawn event that was written again the newer one stands.
        for stamp, delivery in sorted(fresh, key=lambda one: one[0]):
            place = f"{feed}/{sender}/{delivery.name}"
            for file in entries_of(delivery):
                match = _NAME.fullmatch(file.name)
                row = _row(match[1], Path(file)) if match and match[1] in declare.load() else None
                if match and row is not None:
                    folder.events[match[1], match[2]] = Landed(match[1], match[2], place, stamp[0], row)
            folder.looked_at.add(delivery.name)
        return folder


def _row(dataset: str, file: Path) -> dict[str, Any] | None:
    """The row of an event's file; None for a file that is none, though it is called so."""
    named = {c.headings[0]: c.name for c in declare.load()[dataset].columns}
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return {named[heading]: value for heading, value in told.items() if heading in named}
    except (ValueError, AttributeError):
        return None


class _Bench:
    """Where one row at a time is judged, by the reader and the rules of a run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._known: tuple[object, Senders] | None = None
        self._db: duckdb.DuckDBPyConnection | None = None

    def faults(self, event: Event, received: date) -> list[Fault]:
        contract = event.contract
        with self._lock, tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / event.file_name
            file.write_bytes(event.content)
            note = FileNote(
                receipt_id=event.id,
                path=f"{contract.feed}/{event.sender}/{file.name}",
                sender=declare.sender_today(event.sender),
                received=received.isoformat(),
                delivery_no=1,
                delivery_id=f"{contract.feed}/{event.sender}/{received}_1",
                sha256=hashlib.sha256(event.content).hexdigest(),
                byte_count=file.stat().st_size,
            )
            known = self._senders()
            if reason := self._at_door(note, contract, known):
                return [_of_file(reason)]
            ((found, lines),) = _read_once(file, contract, Path(folder))
            if found.dataset != contract.dataset:
                return [_of_file(reason) for reason in found.reasons]
            note.dataset, note.tables = found.dataset, found.tables
            note.school_year_start, note.term = journal.period(note)
            batch = Batch(_BATCH, contract.feed, True, [note])
            raw = pa.Table.from_batches([with_place(batch, note, part) for part in lines])
            return [_of_line(contract, reason) for reason in self._refused(contract, note, raw, known)]

    def _refused(self, contract: Contract, note: FileNote, raw: pa.Table, known: Senders) -> Iterator[str]:
        if self._db is None:
            self._db = duckdb.connect(config={"threads": 1})
            self._db.execute("set TimeZone = 'UTC'")
        self._db.register("_raw", raw)
        scheme, timezone = self._settings.places.grade_scheme, self._settings.timezone
        files = staged.files_table(self._settings, [note])
        rows = judge.parse(self._db, "_raw", files, contract, scheme, (), timezone, known)
        found = self._db.execute(f"select refused from ({rows})").fetchall()
        if len(found) != 1:
            yield f"{contract.key[0]}:cells_beyond"
        for (refused,) in found:
            yield from refused

    def _at_door(self, note: FileNote, contract: Contract, known: Senders) -> str | None:
        reason = admission.of_sender(known, note.sender) or admission.of_dataset(
            known, note.sender, contract.dataset
        )
        if reason is None and (signed := admission.locks(self._settings, known)):
            reason = signed.refusal(note, contract.dataset)
        return reason

    def _senders(self) -> Senders:
        """The site's senders, read again when a register or a withdrawal has come."""
        table = tables.open_table(self._settings, senders.REGISTER)
        mark = (table.version() if table else None, withdrawals.version(self._settings))
        if self._known is None or self._known[0] != mark:
            self._known = (mark, senders.load(self._settings))
        return self._known[1]


def _read_once(
    file: Path, contract: Contract, folder: Path
) -> list[tuple[isolated.Found, list[pa.RecordBatch]]]:
    reading = isolated.read_all([file], declare.datasets_of(contract.feed), folder)
    return [(found, list(lines)) for found, lines in reading]


def _of_file(reason: str) -> Fault:
    return Fault("", reasons.sentence(reason, "zh"), reasons.sentence(reason, "en"))


def _of_line(contract: Contract, reason: str) -> Fault:
    column, _, rule = reason.partition(":")
    for own in contract.rules:
        if own.reason == reason:
            return Fault(column, f"{own.zh}：{own.fix_zh}", own.en)
    told = words.explain(contract, column, rule, is_refused=True)
    return Fault(column, f"{told.wrong.zh}；{told.do.zh}", f"{told.wrong.en} {told.do.en}")
