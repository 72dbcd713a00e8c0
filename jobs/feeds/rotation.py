"""A new key for persons' identifiers: one small table is written again, and no clean row.

The identifiers are read once more from raw, in the restricted zone; each keeps its token under the new key's
HMAC. Then the old mint is destroyed: with the old key alone nobody gets from an identifier to a token.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import contracts
from jobs.contracts import Contract
from jobs.feeds import ingest, isolated, parse, shape
from jobs.feeds.verdicts import ACCEPTED
from jobs.lake import identity, persons, tables
from jobs.lake.identity import Keys
from jobs.settings import Settings


def rotate(settings: Settings, spark: SparkSession, new_lookup: bytes) -> dict[str, int]:
    """Put every known identifier under the new lookup key. Returns how many, and the new version.

    An identifier whose raw lines are gone cannot be found again: seen once more it gets another token, which
    a link joins. Killed in between, it is done again from the start.
    """
    old = identity.keys(settings)
    new = Keys(old.version + 1, new_lookup, old.mint)
    parts = [persons.IDENTIFIER_SCHEMA.empty_table()]
    for contract in contracts.load().values():
        parts += _known(settings, spark, contract, old, new)
    rows = pa.concat_tables(parts)
    unique = rows.group_by(persons.IDENTIFIER_SCHEMA.names[:-1]).aggregate([("batch_id", "min")])
    persons.rekey(settings, unique.rename_columns(persons.IDENTIFIER_SCHEMA.names), new.version)
    return {"identifiers": unique.num_rows, "version": new.version}


def next_lookup(settings: Settings, file: Path | None) -> bytes:
    """The key of the next version: derived at a synthetic site, else what the file holds."""
    if settings.is_synthetic:
        return identity.secret(settings, identity.keys(settings).version + 1)
    return identity.key_in(file) if file else b""


def _known(
    settings: Settings, spark: SparkSession, contract: Contract, old: Keys, new: Keys
) -> list[pa.Table]:
    notes = _notes(settings, contract) if contract.identity else []
    if not notes:
        return []
    raw = tables.read_raw(spark, settings, contract.feed)
    files = ingest.files_frame(settings, spark, notes)
    scaled = shape.scaled(contract, (table for note in notes for table in note.tables))
    scheme = settings.places.get("grade_scheme", "cn")
    parsed = parse.accepted(parse.parse(raw, files, contract, scheme, scaled))
    tokened = ingest.tokened(settings, spark, parsed, contract, old, keep=True)
    found = []
    for kind, (identifier, _, made) in ingest.identified(contract).items():
        again = identity.hmac_of(identity.tokens(F.col(identifier), kind, new))
        found.append(
            tokened.where(F.col(identifier).isNotNull())
            .select(
                F.lit(kind).alias("identifier_kind"),
                again.alias("identifier_hmac"),
                F.lit(new.version).alias("key_version"),
                F.lit(old.epoch).alias("epoch"),
                F.col(made).alias("person_token"),
                F.lit(f"version/{new.version}").alias("batch_id"),
            )
            .distinct()
            .toArrow()
            .cast(persons.IDENTIFIER_SCHEMA)
        )
    return found


def _notes(settings: Settings, contract: Contract) -> list[ingest.FileNote]:
    """The accepted files of a thing, each read once more for where its columns stand."""
    receipts = [
        row
        for row in tables.rows(settings, "ops__receipt")
        if (row["thing"], row["outcome"]) == (contract.thing, ACCEPTED)
    ]
    paths = [settings.landing / row["delivery_id"] / row["file_name"] for row in receipts]
    notes = []
    with tempfile.TemporaryDirectory(dir=settings.secrets) as stage:
        reading = isolated.read_all(paths, contracts.things_of(contract.feed), Path(stage))
        for row, (found, _) in zip(receipts, reading, strict=True):
            note = ingest.FileNote(
                receipt_id=row["receipt_id"],
                path=row["file_name"],
                sender=row["sender_code"],
                received=row["received_date"].isoformat(),
                delivery_no=row["delivery_no"],
                delivery_id=row["delivery_id"],
                sha256=row["file_sha256"],
                byte_count=row["byte_count"],
                thing=contract.thing,
                tables=found.tables,
            )
            note.school_year_start, note.term = ingest.period(note)
            notes.append(note)
    return notes
