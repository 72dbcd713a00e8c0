"""The verdict on files without a run, for the door and for `./edulake check`: the lake's own code, no copy.

Reader, rules, admission and verdicts are those of `raw` and `clean`; nothing is written to the lake, and no
engine is started. With a lake its state counts: registers, rolls, locks, the sender's last deliveries.
Without one, rules that need it are named (`unchecked`). What a file holds on the way lies in a folder of its
own that is gone afterwards.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs import declare
from jobs.declare import Contract, reasons
from jobs.files import readable, sha256
from jobs.ingest import (
    admission,
    journal,
    outcomes,
    raw,
    receipts,
    resent,
    staged,
    trial_relations,
    unchecked,
)
from jobs.ingest.journal import Batch, FileNote
from jobs.ingest.trial_relations import Judged
from jobs.ingest.unchecked import Unchecked
from jobs.ingest.verdicts import ACCEPTED, REFUSED, Filed
from jobs.judging import judge as judging
from jobs.lake import deliveries, identity, senders, withdrawals
from jobs.lake.deliveries import LandedFile
from jobs.lake.identity import Keys
from jobs.lake.senders import Senders
from jobs.reading import isolated, reader
from jobs.reading.isolated import Found
from jobs.settings import Settings
from jobs.sql import parquet

# The sender of a file that nobody told: what is asked of senders is then not checked.
NOBODY = "未注明"
_BATCH = "trial"
_STAGE = "trial-"


@dataclass(frozen=True)
class Trial:
    """What the lake says of one file, as a receipt tells it; nothing of it stands anywhere.

    `receipt`: a row of `ops__receipt` with what its sender typed. `refused` and `flagged`: rows as
    `ops__refused_row` and `ops__flagged_row` have them. `findings` and `rates`: those of relations, about
    this file's lines. `lines`: its raw lines (Parquet), where they were to be kept. `filed`: what later files
    of its sender are compared with. `feed` is None for a file that is of no dataset.
    """

    feed: str | None
    receipt: dict[str, Any]
    refused: pa.Table
    flagged: pa.Table
    filed: Filed
    unchecked: list[Unchecked]
    findings: list[dict[str, Any]] = field(default_factory=list)
    rates: list[dict[str, Any]] = field(default_factory=list)
    lines: Path | None = None

    @property
    def contract(self) -> Contract | None:
        dataset = self.receipt["dataset"]
        return declare.load()[dataset] if dataset else None


def judge(
    settings: Settings,
    files: Sequence[Path],
    sender: str | None,
    received: date,
    *,
    feed: str | None = None,
    delivery_no: int | None = None,
    offline: bool = False,
    waiting: Iterable[Filed] = (),
    keep: Path | None = None,
    tell: Callable[[int, str], None] = lambda *_: None,
) -> list[Trial]:
    """Judge files that one sender hands in together on one day, in the order given; nothing is written.

    `feed`: what they are handed in for; without it each file's own headings tell. `delivery_no`: the number
    that the delivery will have; the next one of its feed by default. `offline`: as if there were no lake, and
    then `sender` may be None. `waiting`: the `filed` of trials whose files have landed and wait for a run.
    `keep`: a folder for each file's raw lines, for a marked copy. `tell`: called with the number and name of
    each file that is read. Raises OSError when the disk is full.
    """
    with _folder(settings) as stage:
        if offline:
            settings = _nowhere(settings, stage)
        known = senders.load(settings)
        if sender is None:
            known = replace(known, districts=frozenset(), offices=frozenset())
        lines = keep or stage / "lines"
        lines.mkdir(parents=True, exist_ok=True)
        bench = _Bench(
            settings, stage, lines, sender or NOBODY, received, delivery_no, offline, [*waiting], tell
        )
        if reason := admission.of_sender(known, declare.sender_today(bench.sender)):
            made = [bench.unread(file, feed, reason) for file in files]
        else:
            made = bench.read(files, feed)
            bench.judge(made, known)
        return [bench.trial(one, known, is_kept=keep is not None) for one in made]


@dataclass
class _File:
    """One file under trial: its feed, its note, what it holds, its lines, and what became of them."""

    feed: str | None
    note: FileNote
    found: Found = field(default_factory=Found)
    lines: Path | None = None
    refused: pa.Table | None = None
    flagged: pa.Table | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    rates: list[dict[str, Any]] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    # Lines of pupils whom the site has forgotten.
    withheld: int = 0


@dataclass(frozen=True)
class _Bench:
    """Where files are judged: the lake, or an empty one; their delivery; folders for what lies there then."""

    settings: Settings
    stage: Path
    lines: Path
    sender: str
    received: date
    delivery_no: int | None
    offline: bool
    waiting: list[Filed]
    tell: Callable[[int, str], None]

    def unread(self, file: Path, feed: str | None, reason: str) -> _File:
        """A file that is refused before anybody opens it."""
        note = self._note(file, feed)
        note.outcome, note.reasons = REFUSED, [reason]
        return _File(feed, note)

    def read(self, files: Sequence[Path], feed: str | None) -> list[_File]:
        """Read the files within the readers' bounds; the lines of each go to a Parquet file."""
        contracts = declare.datasets_of(feed) if feed else _contracts(self.settings)
        made = []
        with tempfile.TemporaryDirectory(dir=self.stage, ignore_cleanup_errors=True) as aside:
            reading = isolated.read_all(files, contracts, Path(aside))
            for file, (found, lines) in zip(files, reading, strict=True):
                its = feed or _feed_of(found)
                one = _File(its, self._note(file, its), found)
                if found.dataset is not None:
                    one.lines = self._written(one, self._withheld(one, lines))
                made.append(one)
                self.tell(len(made), one.note.path.rpartition("/")[2])
        for place, (file, one) in enumerate(zip(files, made, strict=True)):
            # What is said of a sheet that fits nothing depends on what it could have been.
            if feed is None and one.feed and (one.found.reasons or one.found.remarks):
                (made[place],) = self.read([file], one.feed)
        return made

    def _note(self, file: Path, feed: str | None) -> FileNote:
        name, size = readable(file.name), file.stat().st_size
        number = self.delivery_no
        if number is None:
            number = deliveries.next_number(self.settings.landing / (feed or "") / self.sender, self.received)
        stamp = self.received, number
        return journal.note_of(LandedFile(*stamp, feed or "", self.sender, name, file, sha256(file), size))

    def _withheld(self, one: _File, lines: Iterator[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        """The lines without those that a run would take out before it reads them."""
        contract = declare.load()[one.found.dataset or ""]
        if not resent.is_asked(self.settings, contract):
            return lines
        kept, one.withheld = resent.withheld(self.settings, contract, one.found, lines)
        return kept

    def _written(self, one: _File, lines: Iterable[pa.RecordBatch]) -> Path:
        one.note.tables = one.found.tables
        file = self.lines / f"{one.note.receipt_id}.parquet"
        with pq.ParquetWriter(file, reader.RAW_SCHEMA) as writer:
            for part in lines:
                writer.write_batch(raw.with_place(self._batch([one]), one.note, part))
        # Noted with the rest, unless the file is one that came before.
        one.note.tables = []
        return file

    def _batch(self, files: Sequence[_File]) -> Batch:
        """Files of one feed as the batch that a run would make of them."""
        return Batch(_BATCH, files[0].feed or "", True, [one.note for one in files])

    def judge(self, files: Sequence[_File], known: Senders) -> None:
        """Judge what was read; the registers among it count for the other files, as in a run."""
        of_feed = {one.feed: [other for other in files if other.feed == one.feed] for one in files}
        signed = admission.locks(self.settings, known)
        under_trial = [one.note for one in files]
        filed = [
            *receipts.filed(self.settings, under_trial, declare.sender_today(self.sender)),
            *self.waiting,
        ]
        for own in of_feed.values():
            batch = self._batch(own)
            fresh = {note.receipt_id for note in raw.fresh_files(self.settings, batch, filed)}
            for one in own:
                if one.note.receipt_id in fresh:
                    raw.note_found(one.note, one.found, known, signed)
                    if one.withheld:
                        told = reasons.text("forgotten_lines", count=one.withheld)
                        one.note.remarks = [*one.note.remarks, told]
        by_note = {one.note.receipt_id: one for one in files}
        judged = []
        for dataset, notes in outcomes.by_dataset(under_trial):
            contract, own = declare.load()[dataset], [by_note[note.receipt_id] for note in notes]
            register = self._judge_dataset(contract, own, known, filed)
            known = senders.with_schools(known, register)
            accepted = [note.key for note in notes if note.outcome == ACCEPTED]
            rows = self.stage / dataset / "judged.parquet"
            judged.append(Judged(contract, rows, [note.key for note in notes], accepted))
        related = trial_relations.find(self.settings, judged, self.received, self.stage)
        for one in files:
            one.findings, one.rates, one.unasked = related.of(one.note.key)

    def _judge_dataset(
        self, contract: Contract, files: Sequence[_File], known: Senders, filed: Sequence[Filed]
    ) -> list[dict[str, Any]]:
        """Judge the files of one dataset. Returns the rows of a register that is accepted, else none."""
        notes = [one.note for one in files]
        raw_lines = parquet(*(one.lines for one in files if one.lines))
        folder = self.stage / contract.dataset
        folder.mkdir()
        with staged.connection(self.stage / "spill") as db:
            its_senders = staged.senders_of(self.settings, contract, known)
            rows = staged.parsed(db, self.settings, raw_lines, contract, notes, its_senders)
            staged.write(db, staged.tokened(db, self.settings, rows, contract, self._keys(contract)), folder)
            outcomes.count(db, notes)
            outcomes.decide(self.settings, self._batch(files), notes, filed)
            refused = db.sql(judging.refusals("judged", contract)).to_arrow_table()
            flagged = db.sql(judging.flagged_lines("judged", contract)).to_arrow_table()
            for one in files:
                one.refused, one.flagged = _own(refused, one.note), _own(flagged, one.note)
            return _register_rows(db, contract, notes)

    def _keys(self, contract: Contract) -> Keys | None:
        if not contract.identity:
            return None
        if self.offline:
            # Tokens tell who is who within these files, and go with them.
            return Keys(0, secrets.token_bytes(32), secrets.token_bytes(32))
        return identity.keys(self.settings)

    def trial(self, one: _File, known: Senders, *, is_kept: bool) -> Trial:
        """What is said of a file."""
        batch, note = self._batch([one]), one.note
        row = receipts.row(self.settings, "", batch, note) | receipts.text_row(batch, note)
        contract = declare.load()[note.dataset] if note.dataset else None
        none = pa.table({})
        return Trial(
            feed=one.feed,
            receipt=dict.fromkeys(declare.table_columns("ops__receipt")) | row | {"withdrawal": None},
            refused=none if one.refused is None else one.refused,
            flagged=none if one.flagged is None else one.flagged,
            filed=self._filed(batch, note),
            unchecked=self._unchecked(one, contract, known),
            findings=one.findings,
            rates=one.rates,
            lines=one.lines if is_kept else None,
        )

    def _unchecked(self, one: _File, contract: Contract | None, known: Senders) -> list[Unchecked]:
        if self.offline:
            return unchecked.of(contract, known, None if self.sender == NOBODY else self.sender)
        return unchecked.of_relations(contract, one.unasked) if contract else []

    def _filed(self, batch: Batch, note: FileNote) -> Filed:
        filed = receipts.as_filed(batch, note, withdrawals.load(self.settings))
        return replace(filed, outcome=note.outcome, reasons=tuple(note.reasons))


def _contracts(settings: Settings) -> list[Contract]:
    """The contracts of all feeds that are on."""
    return [contract for feed in settings.feeds for contract in declare.datasets_of(feed)]


def _feed_of(found: Found) -> str | None:
    """The feed of the dataset that a file holds, or was most likely meant to be."""
    meant = (reasons.details(reason).get("dataset") for reason in found.reasons)
    dataset = found.dataset or next((name for name in meant if name), None)
    return declare.load()[dataset].feed if dataset else None


def _own(rows: pa.Table, note: FileNote) -> pa.Table:
    delivery, sha = note.key
    return rows.filter((pc.field("delivery_id") == delivery) & (pc.field("file_sha256") == sha))


def _register_rows(
    db: duckdb.DuckDBPyConnection, contract: Contract, notes: Sequence[FileNote]
) -> list[dict[str, Any]]:
    """The sound rows of accepted registers."""
    if contract.dataset != outcomes.REGISTER:
        return []
    accepted = {note.key for note in notes if note.outcome == ACCEPTED}
    columns = ", ".join([*senders.COLUMNS, "_file_sha256"])
    found: pa.Table = db.sql(f"select {columns} from judged where {judging.IS_SOUND}").to_arrow_table()
    return [row for row in found.to_pylist() if (row["_delivery_id"], row["_file_sha256"]) in accepted]


@contextmanager
def _folder(settings: Settings) -> Iterator[Path]:
    """A folder of this trial alone, closed to others and gone at the end; beside the lake where that can be
    written. Those of killed processes go, too.
    """
    home = settings.run if os.access(settings.run, os.W_OK | os.X_OK) else None
    if home is not None:
        for left in home.glob(f"{_STAGE}*"):
            pid = left.name.removeprefix(_STAGE).partition("-")[0]
            if pid.isdecimal() and not psutil.pid_exists(int(pid)):
                shutil.rmtree(left, ignore_errors=True)
    # On some systems a file that was read cannot be removed at once.
    with tempfile.TemporaryDirectory(
        dir=home, prefix=f"{_STAGE}{os.getpid()}-", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def _nowhere(settings: Settings, stage: Path) -> Settings:
    """The site with an empty lake of its own."""
    home = stage / "home"
    return replace(
        settings,
        home=home,
        landing=home / "landing",
        lake=home / "lake",
        releases=home / "releases",
        secrets=home / "secrets",
        run=home / "run",
    )
