"""Replace the key of persons' identifiers: one small table is written again, and no clean row.

The identifiers are read once more from raw, in the restricted zone. Each keeps its token under the new key's
HMAC. Then the old mint is destroyed: with the old key alone nobody gets from an identifier to a token.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from jobs import declare
from jobs.declare import Contract
from jobs.ingest import rereading, staged
from jobs.ingest.journal import FileNote
from jobs.ingest.verdicts import ACCEPTED
from jobs.judging import judge
from jobs.lake import identity, persons, receipt_text, tables
from jobs.lake.identity import Keys
from jobs.settings import Settings


def rotate(settings: Settings, new_lookup: bytes) -> dict[str, int]:
    """Put every known identifier under the new lookup key. Returns how many, and the new version.

    An identifier whose raw lines are gone cannot be found again: seen once more it gets another token, which
    a link joins. Killed in between, it is done again from the start.
    """
    old = identity.keys(settings)
    new = Keys(old.version + 1, new_lookup, old.mint)
    parts = [persons.IDENTIFIER_SCHEMA.empty_table()]
    for contract in declare.load().values():
        parts += _known(settings, contract, old, new)
    rows = pa.concat_tables(parts)
    unique = rows.group_by(persons.IDENTIFIER_SCHEMA.names[:-1]).aggregate([("batch_id", "min")])
    persons.rekey(settings, unique.rename_columns(persons.IDENTIFIER_SCHEMA.names), new.version)
    return {"identifiers": unique.num_rows, "version": new.version}


def next_lookup(settings: Settings, file: Path | None) -> bytes:
    """Return the key of the next version: derived at a synthetic site, else read from the file."""
    if settings.is_synthetic:
        return identity.secret(settings, identity.keys(settings).version + 1)
    return identity.key_in(file) if file else b""


def _known(settings: Settings, contract: Contract, old: Keys, new: Keys) -> list[pa.Table]:
    notes = _notes(settings, contract) if contract.identity else []
    if not notes:
        return []
    raw = tables.raw_lines(settings, contract.feed)
    found = []
    with staged.connection(staged.spill_of(settings, contract.feed)) as db:
        identity.hold(db, new, "new")
        known = staged.senders_of(settings, contract)
        parsed = staged.parsed(db, settings, raw, contract, notes, known)
        tokened = staged.tokened(db, settings, parsed, contract, old, keep=True)
        db.execute(f"create table known as select * from ({tokened}) where {judge.IS_SOUND}")
        for one in staged.identifiers(contract):
            again = identity.lookup_sql(one.parsed, one.kind, "new")
            rows: pa.Table = db.sql(
                f"select distinct '{one.kind}' as identifier_kind, {again} as identifier_hmac,"
                f" {new.version}::integer as key_version, '{old.epoch}' as epoch,"
                f" {one.token} as person_token, 'version/{new.version}' as batch_id"
                f" from known where {one.parsed} is not null"
            ).to_arrow_table()
            found.append(rows.cast(persons.IDENTIFIER_SCHEMA))
    return found


def _notes(settings: Settings, contract: Contract) -> list[FileNote]:
    """The accepted files of a dataset, each read once more to find its columns."""
    receipts = [
        row
        for row in receipt_text.receipts(settings)
        if (row["dataset"], row["outcome"]) == (contract.dataset, ACCEPTED)
    ]
    return rereading.notes(settings, contract, receipts)
