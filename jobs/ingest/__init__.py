"""A feed from landing to clean, batch by batch: nothing twice, nothing lost, whatever is killed in between.

A batch is written down before it is worked on (`run/batches/<feed>/<batch_id>.json`), so that a killed run
is finished with the same files and so the same Delta transactions; it ends when its receipts stand. One
process at a time works on a feed: a second one waits.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import declare
from jobs.declare import Contract, headings
from jobs.files import replacing
from jobs.ingest import reopening, verdicts
from jobs.ingest.verdicts import ACCEPTED, HELD, REFUSED, REPEATED
from jobs.judging import judge
from jobs.lake import deliveries, identity, persons, tables
from jobs.lake.deliveries import LandedFile
from jobs.publish import audit
from jobs.reading import isolated, reader, shape
from jobs.reading.isolated import FoundTable
from jobs.settings import Settings
from jobs.spark import server
from jobs.sql import literals

if TYPE_CHECKING:
    import pandas as pd

# What one batch takes: bounds the memory of reading and the work that a kill can cost.
BATCH_BYTES = 64 * 1024**2
BATCH_FILES = 2000
JUDGING_MEMORY = "2GB"

# What `parse.parse` is told of each table of a file.
FILES_SCHEMA = pa.schema(
    [
        ("_delivery_id", pa.string()),
        ("_file_sha256", pa.string()),
        ("_table", pa.int32()),
        ("positions", pa.list_(pa.int32())),
        ("factors", pa.list_(pa.float64())),
        ("operation", pa.int32()),
        ("sender_code", pa.string()),
        ("received_date", pa.date32()),
        ("delivery_no", pa.int32()),
        ("recorded_at", pa.timestamp("us", tz="UTC")),
        ("school_year_start", pa.int32()),
        ("term", pa.int32()),
    ]
)


class LostLinesError(RuntimeError):
    """Lines read from a file and lines judged differ: nothing of the batch is committed to clean."""


@dataclass
class FileNote:
    """What is known of one file of a batch: how it was landed, what it turned out to be, how it ended."""

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
    extra_columns: list[str] = field(default_factory=list)
    missing_columns: list[str] = field(default_factory=list)
    duration_ms: int = 0


@dataclass
class Batch:
    """Files that are taken together. `number` is the batch's place among those that wait: they are worked off
    in that order, also after a kill.
    """

    batch_id: str
    feed: str
    is_read: bool
    files: list[FileNote]
    number: int = 0


def has_work(settings: Settings, feed: str) -> bool:
    """Whether the feed has a file without a receipt, or a batch that a killed run left."""
    return bool(unfinished(settings, feed)) or any(f.feed == feed for f in deliveries.pending(settings))


def write_raw(settings: Settings, run_id: str, feed: str) -> dict[str, int]:
    """Landing -> `raw_<feed>`: every pending file read, its lines appended once; needs no engine. Returns
    files, lines and batches.

    Raises UserError for a folder in landing that is no delivery.
    """
    counts = {"files": 0, "lines": 0, "batches": 0}
    with _feed_lock(settings, feed):
        planned = _plan(settings, feed)
        for place, batch in enumerate(planned):
            _read(settings, run_id, batch, planned[:place])
            counts["files"] += len(batch.files)
            counts["lines"] += sum(note.line_count for note in batch.files)
            counts["batches"] += 1
    return counts


def clean_rows(settings: Settings, spark: SparkSession, run_id: str, feed: str) -> dict[str, int]:
    """`raw_<feed>` -> clean tables, `ops__refused_row`, `ops__check`, `ops__receipt`: audited before each
    commit.

    A delivery that fails its rules is held: its rows stay in raw, its receipt says why, and the others go on.
    Where a file stamped earlier changes what was said of later ones, those are taken again, so that the
    order of processing leaves no trace. Raises LostLinesError when lines read and lines judged differ,
    CheckFailedError when the audit does not hold: then nothing of that dataset is committed to clean, and the
    batch waits.
    """
    counts = {"files": 0, "accepted": 0, "refused": 0, "held": 0}
    with _feed_lock(settings, feed):
        waiting = [batch for batch in unfinished(settings, feed) if batch.is_read]
        while waiting:
            reopened = False
            for batch in waiting:
                _clean_batch(settings, spark, run_id, batch)
                reopened |= reopening.reopen_changed(settings, feed, batch.batch_id)
                _path(settings, batch).unlink()
                counts["files"] += len(batch.files)
                counts["accepted"] += sum(n.accepted_count for n in batch.files if n.outcome == ACCEPTED)
                counts["refused"] += sum(n.refused_count for n in batch.files)
                counts["held"] += sum(n.outcome == HELD for n in batch.files)
            waiting = _plan(settings, feed) if reopened else []
            for place, batch in enumerate(waiting):
                _read(settings, run_id, batch, waiting[:place])
    return counts


def _read(settings: Settings, run_id: str, batch: Batch, before: list[Batch]) -> None:
    """Append the batch's raw lines, once. Without an engine: they go from the readers to the table as they
    come.
    """
    if batch.is_read:
        return
    lines = _read_batch(settings, batch, before)
    tables.append_batches(settings, f"raw_{batch.feed}", lines, reader.RAW_SCHEMA, batch.batch_id, run_id)
    batch.is_read = True
    _save(settings, batch)


def _clean_batch(settings: Settings, spark: SparkSession, run_id: str, batch: Batch) -> None:
    by_dataset = defaultdict(list)
    for note in batch.files:
        if note.outcome is None and note.dataset is not None:
            by_dataset[note.dataset].append(note)
    for dataset, notes in sorted(by_dataset.items()):
        begun = time.monotonic()
        _clean_dataset(settings, spark, run_id, batch, declare.load()[dataset], notes)
        took, lines = time.monotonic() - begun, sum(note.line_count for note in notes)
        for note in notes:
            note.duration_ms += int(took * 1000 * note.line_count / lines)
    _write_receipts(settings, run_id, batch)


# Planning


def _plan(settings: Settings, feed: str) -> list[Batch]:
    """Batches left by a killed run, as they were; then new ones of what is pending."""
    left = unfinished(settings, feed)
    taken = {note.receipt_id for batch in left for note in batch.files}
    waiting = [f for f in deliveries.pending(settings) if f.feed == feed and f.receipt_id not in taken]
    for group in _groups(waiting):
        notes = [
            FileNote(
                receipt_id=file.receipt_id,
                path=str(file.path.relative_to(settings.landing)),
                sender=_sender_today(file.sender),
                received=file.received.isoformat(),
                delivery_no=file.delivery_no,
                delivery_id=file.delivery_id,
                sha256=file.sha256,
                byte_count=file.byte_count,
            )
            for file in group
        ]
        # A file taken again makes another batch, whose transactions are not those of the first time.
        times = reopening.times(settings, feed)
        ids = sorted(f"{n.receipt_id}{times.get(n.receipt_id, '')}" for n in notes)
        digest = hashlib.sha256("".join(ids).encode()).hexdigest()
        batch = Batch(digest[:16], feed, False, notes, 1 + max((b.number for b in left), default=0))
        _save(settings, batch)
        left.append(batch)
    return left


def _sender_today(code: str) -> str:
    """A district's code of today: 密云 and 延庆 sent as counties (110228, 110229) until 2015."""
    return declare.code_list("district").spellings().get(code, code)


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


def _path(settings: Settings, batch: Batch) -> Path:
    return _folder(settings, batch.feed) / f"{batch.batch_id}.json"


def _save(settings: Settings, batch: Batch) -> None:
    with replacing(_path(settings, batch)) as fresh:
        fresh.write_text(json.dumps(asdict(batch), ensure_ascii=False), encoding="utf-8")


def unfinished(settings: Settings, feed: str) -> list[Batch]:
    found = []
    for file in _folder(settings, feed).glob("*.json"):
        noted = json.loads(file.read_text(encoding="utf-8"))
        for note in noted["files"]:
            note["tables"] = [FoundTable(**table) for table in note["tables"]]
        noted["files"] = [FileNote(**note) for note in noted["files"]]
        found.append(Batch(**noted))
    return sorted(found, key=lambda batch: batch.number)


@contextmanager
def _feed_lock(settings: Settings, feed: str) -> Iterator[None]:
    with (_folder(settings, feed) / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# Reading


def _read_batch(settings: Settings, batch: Batch, before: list[Batch]) -> Iterator[pa.RecordBatch]:
    """Read the batch's files, note beside each what it turned out to be, and give its raw lines as they
    come. `before` are the batches that will have their receipts earlier.
    """
    files = [_as_filed(b, n) for b in before for n in b.files if n.outcome not in (REFUSED, REPEATED)]
    earlier = verdicts.first_of_content([*_filed(settings), *files])
    fresh: list[FileNote] = []
    for note in batch.files:
        this = _as_filed(batch, note)
        if again := verdicts.repeated(this, earlier):
            note.outcome, note.reasons = again.outcome, list(again.reasons)
        elif any((n.delivery_id, n.sha256) == (note.delivery_id, note.sha256) for n in fresh):
            note.outcome = REFUSED
            note.reasons = ["与同一批次的另一个文件内容相同而文件名中的学期不同: 请分两批报送"]
        else:
            earlier[this.content] = this
            fresh.append(note)
    stage = settings.restricted / "stage" / batch.feed
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    try:
        paths = [settings.landing / note.path for note in fresh]
        reading = isolated.read_all(paths, declare.datasets_of(batch.feed), stage)
        for note, (found, lines) in zip(fresh, reading, strict=True):
            _note_found(note, found)
            if note.outcome is None:
                for part in lines:
                    yield _raw_lines(batch, note, part)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _note_found(note: FileNote, found: isolated.Found) -> None:
    note.container, note.encoding, note.duration_ms = found.container, found.encoding, found.milliseconds
    note.remarks, note.tables = found.remarks, found.tables
    if found.dataset is None:
        note.outcome, note.reasons = REFUSED, found.reasons
        return
    note.dataset = found.dataset
    contract = declare.load()[found.dataset]
    note.extra_columns = shape.unknown_columns(contract, found.tables)
    note.missing_columns = shape.missing_columns(contract, found.tables)
    note.line_count = sum(table.line_count for table in found.tables)
    note.school_year_start, note.term = period(note)
    if not note.line_count:
        note.outcome, note.reasons = REFUSED, ["只有表头, 没有数据行"]
    elif reason := shape.refusal(contract, note.extra_columns):
        note.outcome, note.reasons = REFUSED, [reason]


def _raw_lines(batch: Batch, note: FileNote, part: pa.RecordBatch) -> pa.RecordBatch:
    """Lines of one file with what every raw line carries."""
    table = part.column("_table")
    constant = [
        pa.repeat(pa.scalar(value, pa.string()), part.num_rows)
        for value in (batch.batch_id, note.delivery_id, note.sha256)
    ]
    places = [pa.array([getattr(t, name) for t in note.tables], pa.string()) for name in ("member", "sheet")]
    return pa.RecordBatch.from_arrays(
        [*constant, table, *(p.take(table) for p in places), *part.columns[1:]], schema=reader.RAW_SCHEMA
    )


def period(note: FileNote) -> tuple[int, int]:
    """School year and term that a file speaks of: what its name says (`…2024-2025-1…`), else the day
    received.
    """
    named = reader.period_in_name(Path(note.path).name)
    if named:
        return named
    day = date.fromisoformat(note.received)
    if day.month >= 9:
        return day.year, 1
    return (day.year - 1, 1) if day.month == 1 else (day.year - 1, 2)


# Cleaning


def _clean_dataset(
    settings: Settings,
    spark: SparkSession,
    run_id: str,
    batch: Batch,
    contract: Contract,
    notes: list[FileNote],
) -> None:
    raw = tables.raw_lines(settings, batch.feed, batch.batch_id)
    scheme = settings.places.get("grade_scheme", "cn")
    scaled = shape.scaled(contract, (table for note in notes for table in note.tables))
    own = identity.keys(settings) if contract.identity else None
    with _stage(settings, contract) as stage, judging(settings, contract.feed) as db:
        parsed = judge.parse(db, raw, files_table(settings, notes), contract, scheme, scaled)
        rows = tokened(db, settings, parsed, contract, own)
        # Judged once, though a dozen questions follow.
        judged = literals(stage / "judged.parquet")
        db.execute(f"copy ({rows}) to {judged} (format parquet, row_group_size 50000)")
        db.execute(f"create view judged as from read_parquet({judged})")
        _commit(settings, spark, run_id, batch, contract, notes, db, stage)
        files = [f"{note.delivery_id} {note.sha256}" for note in notes if note.outcome == ACCEPTED]
        if own and files:
            kinds = {kind: (found_by, made) for kind, (_, found_by, made) in identified(contract).items()}
            persons.remember(settings, own, stage, kinds, f"{batch.batch_id}/{contract.dataset}", files)


@contextmanager
def judging(settings: Settings, feed: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to judge raw lines with, bounded in memory; what it puts aside lies beside raw."""
    spill = settings.restricted / "stage" / f"{feed}_judging"
    # Left by a killed process.
    shutil.rmtree(spill, ignore_errors=True)
    with duckdb.connect(config={"threads": server.CORES, "memory_limit": JUDGING_MEMORY}) as db:
        db.execute("set TimeZone = 'UTC'")
        db.execute("set temp_directory = $spill", {"spill": str(spill)})
        try:
            yield db
        finally:
            shutil.rmtree(spill, ignore_errors=True)


def identified(contract: Contract) -> dict[str, tuple[str, str, str]]:
    """Kind of identifier -> columns: as parsed, its HMAC, its token."""
    found = {}
    if contract.identity and contract.person_key:
        found[contract.identity] = ("_identifier", "_identifier_hmac", contract.person_key)
    if contract.identity_document:
        found[contract.identity_document] = ("_document", "_document_hmac", "document_key")
    return found


def tokened(
    db: duckdb.DuckDBPyConnection,
    settings: Settings,
    parsed: str,
    contract: Contract,
    own: identity.Keys | None,
    *,
    keep: bool = False,
) -> str:
    """The query of parsed rows with tokens for identifiers, and each one's HMAC beside it until it is noted.
    `keep` leaves the identifiers themselves in.
    """
    if own is not None:
        identity.hold(db, own)
        earlier = persons.known_elsewhere(settings, own)
        for kind, (identifier, found_by, made) in identified(contract).items():
            parsed = f"select *, {identity.lookup_sql(identifier, kind)} as {found_by} from ({parsed})"
            token = identity.token_sql(found_by)
            if earlier is None:
                parsed = f"select *, {token} as {made} from ({parsed})"
            else:
                db.register("_earlier", earlier.rename_columns(["_earlier_hmac", "_earlier_token"]))
                parsed = (
                    f"select * exclude (_earlier_hmac, _earlier_token),"
                    f" coalesce(_earlier_token, {token}) as {made}"
                    f" from ({parsed}) left join _earlier on {found_by} = _earlier_hmac"
                )
    return parsed if keep else f"select * exclude (_identifier, _document) from ({parsed})"


@contextmanager
def _stage(settings: Settings, contract: Contract) -> Iterator[Path]:
    """A folder for judged rows, from which the engine appends; gone at the end.

    Each try has one of its own, so that what a killed client's ghost still reads is written by nobody else.
    """
    folder = settings.restricted / "stage" / f"{contract.feed}_judged"
    shutil.rmtree(folder, ignore_errors=True)
    stage = folder / uuid.uuid4().hex
    stage.mkdir(parents=True)
    try:
        yield stage
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _commit(
    settings: Settings,
    spark: SparkSession,
    run_id: str,
    batch: Batch,
    contract: Contract,
    notes: list[FileNote],
    db: duckdb.DuckDBPyConnection,
    stage: Path,
) -> None:
    """Count, accept or hold each delivery, audit, append what stands to clean, the rest to refused rows."""
    _count(db, notes)
    _judge(settings, batch, notes)
    held = [n for n in notes if n.outcome != ACCEPTED]
    db.register(
        "held", pa.table({"delivery": [n.delivery_id for n in held], "file": [n.sha256 for n in held]})
    )
    is_held = "(_delivery_id, _file_sha256) in (select (delivery, file) from held)"
    examined = sum(n.accepted_count for n in notes if n.outcome == ACCEPTED)
    if examined:
        checked = _frame(db, f"{judge.IS_SOUND} and not {is_held}", contract)
        checks = audit.audit(checked, contract.table, audit.contract_expectations(contract), run_id, examined)
        failed = audit.stopping(checks)
        # What passed is noted once for the batch; what failed by each run that meets it.
        noted = f"{batch.batch_id}/{contract.dataset}" + (f"/{run_id}" if failed else "")
        tables.append_rows(settings, "ops__check", checks, noted, run_id)
        if failed:
            raise audit.CheckFailedError(run_id, failed)
        judged = spark.read.schema(
            declare.spark_ddl({**contract.clean_columns(), "refused": "array<string>"})
        ).parquet(str(stage))
        sound = judged.where(F.size("refused") == 0).select(*contract.clean_columns())
        if held:
            ids = [f"{n.delivery_id} {n.sha256}" for n in held]
            sound = sound.where(~F.concat_ws(" ", "_delivery_id", "_file_sha256").isin(*ids))
        tables.append(sound, settings, contract.table, batch.batch_id, run_id)
        if contract.general_table:
            schema = declare.arrow_schema(contract.general_columns())
            listed = ", ".join(f'"{name}"' for name in schema.names)
            general = db.sql(f"select {listed} from judged where {judge.IS_SOUND} and not {is_held}")
            batches = (batch.cast(schema) for batch in general.to_arrow_reader(tables.ROW_GROUP))
            tables.append_batches(settings, contract.general_table, batches, schema, batch.batch_id, run_id)
    noted = f"{batch.batch_id}/{contract.dataset}"
    if any(n.flagged_count for n in notes if n.outcome == HELD):
        flagged = db.sql(judge.flagged_lines(f"(from judged where {is_held})", contract)).to_arrow_table()
        tables.append_rows(settings, "ops__flagged_row", flagged, noted, run_id)
    if any(n.refused_count for n in notes):
        refused = db.sql(judge.refusals("judged", contract)).to_arrow_table()
        tables.append_rows(settings, "ops__refused_row", refused, noted, run_id)


def _frame(db: duckdb.DuckDBPyConnection, which: str, contract: Contract) -> pd.DataFrame:
    """The rows that would be committed, as the audit takes them: what is not asked about stays as it is."""
    import pandas as pd

    clean = contract.clean_columns()
    listed = ", ".join(f'"{name}"' for name in clean)
    columns: dict[str, Any] = {}
    table: pa.Table = db.sql(f"select {listed} from judged where {which}").to_arrow_table()
    for name, kind in clean.items():
        column = table[name]
        if kind == "string":
            columns[name] = column.dictionary_encode().to_pandas()
        elif kind.startswith("decimal"):
            columns[name] = column.cast(pa.float64()).to_pandas()
        else:
            columns[name] = pd.Series(column, dtype=pd.ArrowDtype(column.type))
    return pd.DataFrame(columns)


def files_table(settings: Settings, notes: list[FileNote]) -> pa.Table:
    """One row a table of a file, as `parse.parse` takes them."""
    rows = [
        {
            "_delivery_id": note.delivery_id,
            "_file_sha256": note.sha256,
            "_table": number,
            "positions": table.positions,
            "factors": shape.factors(declare.load()[note.dataset or ""], table),
            "operation": headings.operation_at(table.header),
            "sender_code": note.sender,
            "received_date": date.fromisoformat(note.received),
            "delivery_no": note.delivery_no,
            "recorded_at": deliveries.start_of_day(date.fromisoformat(note.received), settings),
            "school_year_start": note.school_year_start,
            "term": note.term,
        }
        for note in notes
        for number, table in enumerate(note.tables)
    ]
    return pa.Table.from_pylist(rows, schema=FILES_SCHEMA)


def _count(db: duckdb.DuckDBPyConnection, notes: list[FileNote]) -> None:
    """Fill in each file's counts, in one pass. Raises LostLinesError when a line is missing or twice."""
    found = db.sql(
        f"""
        select _delivery_id, _file_sha256, count(*) as lines,
            count(*) filter ({judge.IS_SOUND}) as accepted,
            count(*) filter ({judge.IS_SOUND} and len(flags) > 0) as flagged,
            count(distinct scope_key) filter ({judge.IS_SOUND}) as scopes,
        from judged group by all
        """
    )
    rows: pa.Table = found.to_arrow_table()
    counts = {(r["_delivery_id"], r["_file_sha256"]): r for r in rows.to_pylist()}
    for note in notes:
        row = counts.get((note.delivery_id, note.sha256))
        judged = row["lines"] if row else 0
        if row is None or judged != note.line_count:
            raise LostLinesError(f"{note.path}: {note.line_count} lines were read and {judged} judged")
        note.accepted_count = row["accepted"]
        note.flagged_count = row["flagged"]
        note.refused_count = judged - row["accepted"]
        note.scope_count = row["scopes"]


def _judge(settings: Settings, batch: Batch, notes: list[FileNote]) -> None:
    """Accept or hold each delivery by the contract's bounds, among all files known with their stamps."""
    now = verdicts.judge(_filed(settings, but=notes) + [_as_filed(batch, n) for n in notes], declare.load())
    for note in notes:
        verdict = now[note.receipt_id]
        note.outcome, note.reasons = verdict.outcome, list(verdict.reasons)


def _filed(settings: Settings, but: Iterable[FileNote] = ()) -> list[verdicts.Filed]:
    """Every file with a receipt as verdicts see it, without those of a batch that is done again."""
    left_out = {note.receipt_id for note in but}
    rows = tables.rows(settings, "ops__receipt", verdicts.COLUMNS)
    return [verdicts.filed(row) for row in rows if row["receipt_id"] not in left_out]


def _as_filed(batch: Batch, note: FileNote) -> verdicts.Filed:
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
    )


def _write_receipts(settings: Settings, run_id: str, batch: Batch) -> None:
    """The last thing written of a batch: one row a file."""
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
                "recorded_at": deliveries.start_of_day(received, settings),
                "batch_id": batch.batch_id,
            }
        )
    tables.append_rows(settings, "ops__receipt", rows, batch.batch_id, run_id)
