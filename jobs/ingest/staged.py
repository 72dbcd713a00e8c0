"""Raw lines of one dataset as judged rows, staged for the commit: typed, coded, identifiers as tokens.

`judged` writes them to one Parquet file in the restricted zone, so that a batch is judged once though a dozen
questions about it follow.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from jobs import clock, declare
from jobs.declare import Contract, headings
from jobs.ingest import journal
from jobs.ingest.journal import Batch, FileNote
from jobs.judging import judge
from jobs.lake import forgotten, identity, persons, senders, tables
from jobs.lake.senders import Senders
from jobs.processes import CORES
from jobs.reading import shape
from jobs.settings import Settings
from jobs.sql import literals, parquet

JUDGING_MEMORY = "2GB"

# One row per table of a file, as `judge.parse` takes them.
FILES_SCHEMA = pa.schema(
    [
        ("_delivery_id", pa.string()),
        ("_file_sha256", pa.string()),
        ("_table", pa.int32()),
        ("positions", pa.list_(pa.int32())),
        ("headings", pa.list_(pa.string())),
        ("factors", pa.list_(pa.float64())),
        ("operation", pa.int32()),
        ("named", pa.int32()),
        ("widest", pa.int32()),
        ("sender_code", pa.string()),
        ("received_date", pa.date32()),
        ("delivery_no", pa.int32()),
        ("recorded_at", pa.timestamp("us", tz="UTC")),
        ("school_year_start", pa.int32()),
        ("term", pa.int32()),
    ]
)


@dataclass(frozen=True)
class Identifier:
    """The columns of one kind of identifier in judged rows: as parsed, its HMAC, its token."""

    kind: str
    parsed: str
    hmac: str
    token: str


@dataclass(frozen=True)
class Judged:
    """Judged rows of one dataset: the view `judged` of `db`, and the folder of the Parquet file behind it."""

    db: duckdb.DuckDBPyConnection
    folder: Path


@contextmanager
def judged(
    settings: Settings, batch: Batch, contract: Contract, notes: list[FileNote], keys: identity.Keys | None
) -> Iterator[Judged]:
    """Judge the batch's raw lines of one dataset; the rows stay until the block ends.

    `keys`: the site's keys where the dataset names persons, else None.
    """
    raw = tables.raw_lines(settings, batch.feed, batch.batch_id)
    with _folder(settings, contract) as folder, connection(spill_of(settings, contract.feed)) as db:
        rows = parsed(db, settings, raw, contract, notes, senders_of(settings, contract))
        yield write(db, tokened(db, settings, rows, contract, keys), folder)


def write(db: duckdb.DuckDBPyConnection, rows: str, folder: Path) -> Judged:
    """Write judged rows, a query, to a Parquet file in `folder`, and show them as the view `judged`."""
    file = folder / "judged.parquet"
    db.execute(f"copy ({rows}) to {literals(file)} (format parquet, row_group_size 50000)")
    db.execute(f"create view judged as from {parquet(file)}")
    return Judged(db, folder)


def spill_of(settings: Settings, feed: str) -> Path:
    """Where the lake's own judging of a feed spills: beside raw."""
    return settings.restricted / "stage" / f"{feed}_judging"


@contextmanager
def connection(spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection that judges raw lines within bounded memory, and spills to a folder of its own."""
    # Left by a killed process.
    shutil.rmtree(spill, ignore_errors=True)
    with duckdb.connect(config={"threads": CORES, "memory_limit": JUDGING_MEMORY}) as db:
        db.execute("set TimeZone = 'UTC'")
        db.execute("set temp_directory = $spill", {"spill": str(spill)})
        try:
            yield db
        finally:
            shutil.rmtree(spill, ignore_errors=True)


def parsed(
    db: duckdb.DuckDBPyConnection,
    settings: Settings,
    raw: str,
    contract: Contract,
    notes: list[FileNote],
    known: Senders,
) -> str:
    """Return the query of a dataset's raw lines as typed and judged rows, identifiers still in the clear."""
    scheme = settings.places.grade_scheme
    scaled = shape.scaled(contract, (table for note in notes for table in note.tables))
    files = files_table(settings, notes)
    return judge.parse(db, raw, files, contract, scheme, scaled, settings.timezone, known)


def senders_of(settings: Settings, contract: Contract, known: Senders | None = None) -> Senders:
    """The site's senders. While registers of other feeds' schools are under way, no school is another's."""
    known = known or senders.load(settings)
    register = declare.statements_of(senders.REGISTER)
    if register is None or contract.feed == register.feed or not journal.unfinished(settings, register.feed):
        return known
    return replace(known, schools=None)


def identifiers(contract: Contract) -> list[Identifier]:
    """Return the kinds of identifier that rows of the dataset carry."""
    found = []
    if contract.identity and contract.person_key:
        found.append(Identifier(contract.identity, "_identifier", "_identifier_hmac", contract.person_key))
    if contract.identity_document:
        found.append(Identifier(contract.identity_document, "_document", "_document_hmac", "document_key"))
    return found


def tokened(
    db: duckdb.DuckDBPyConnection,
    settings: Settings,
    rows: str,
    contract: Contract,
    keys: identity.Keys | None,
    *,
    keep: bool = False,
) -> str:
    """Return the query of parsed `rows` with a token and an HMAC beside each identifier.

    `keep` leaves the identifiers themselves in. The HMACs leave the rows when `persons` has noted them.
    """
    if keys is not None:
        identity.hold(db, keys)
        earlier = persons.known_elsewhere(settings, keys)
        for one in identifiers(contract):
            rows = f"select *, {identity.lookup_sql(one.parsed, one.kind)} as {one.hmac} from ({rows})"
            token = identity.token_sql(one.hmac)
            if earlier is None:
                rows = f"select *, {token} as {one.token} from ({rows})"
            else:
                db.register("_earlier", earlier.rename_columns(["_earlier_hmac", "_earlier_token"]))
                rows = (
                    f"select * exclude (_earlier_hmac, _earlier_token),"
                    f" coalesce(_earlier_token, {token}) as {one.token}"
                    f" from ({rows}) left join _earlier on {one.hmac} = _earlier_hmac"
                )
    rows = _without_forgotten(db, settings, rows, contract)
    return rows if keep else f"select * exclude (_identifier, _document) from ({rows})"


def _without_forgotten(
    db: duckdb.DuckDBPyConnection, settings: Settings, rows: str, contract: Contract
) -> str:
    """Refuse the lines of pupils whom the site has forgotten."""
    gone = forgotten.load(settings)
    if not gone.tombstones:
        return rows
    identity.hold(db, identity.Keys(0, gone.lookup, gone.lookup), "gone")
    db.register("_gone", pa.table({"tombstone": gone.tombstones}))
    for one in identifiers(contract):
        is_gone = f"{identity.lookup_sql(one.parsed, one.kind, 'gone')} in (from _gone)"
        refused = f"if({is_gone}, list_append(refused, '{one.kind}:forgotten'), refused)"
        rows = f"select * replace ({refused} as refused) from ({rows})"
    return rows


def files_table(settings: Settings, notes: list[FileNote]) -> pa.Table:
    """Return one row per table of each file, with the schema FILES_SCHEMA."""
    rows = [
        {
            "_delivery_id": note.delivery_id,
            "_file_sha256": note.sha256,
            "_table": number,
            "positions": table.positions,
            "headings": [headings.fold(table.header[at]) if at >= 0 else None for at in table.positions],
            "factors": shape.factors(declare.load()[note.dataset or ""], table),
            "operation": headings.operation_at(table.header),
            "named": shape.named(table),
            "widest": shape.widest(table),
            "sender_code": note.sender,
            "received_date": date.fromisoformat(note.received),
            "delivery_no": note.delivery_no,
            "recorded_at": clock.start_of_day(date.fromisoformat(note.received), settings.timezone),
            "school_year_start": note.school_year_start,
            "term": note.term,
        }
        for note in notes
        for number, table in enumerate(note.tables)
    ]
    return pa.Table.from_pylist(rows, schema=FILES_SCHEMA)


@contextmanager
def _folder(settings: Settings, contract: Contract) -> Iterator[Path]:
    """A folder for judged rows, from which the engine appends; gone at the end.

    Each try has a folder of its own: the engine may still read the folder of a client that was killed.
    """
    folder = settings.restricted / "stage" / f"{contract.feed}_judged"
    shutil.rmtree(folder, ignore_errors=True)
    stage = folder / uuid.uuid4().hex
    stage.mkdir(parents=True)
    try:
        yield stage
    finally:
        shutil.rmtree(folder, ignore_errors=True)
