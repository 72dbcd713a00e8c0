"""From `raw_<feed>` to clean tables, refused rows, checks and receipts: judged, audited, then committed.

A delivery that breaks its contract's rules is held: its rows stay in raw, its receipt says why, and the
others go on. Each append of a batch is one Delta transaction named after the batch, so a run that was killed
is finished without writing anything twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import declare
from jobs.declare import Contract
from jobs.ingest import admission, journal, outcomes, raw, receipts, reopening, staged
from jobs.ingest.journal import Batch, FileNote
from jobs.ingest.staged import Judged
from jobs.ingest.verdicts import ACCEPTED, HELD
from jobs.judging import audit, judge
from jobs.lake import identity, persons, tables
from jobs.settings import Settings

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Part:
    """The files of one batch that hold one dataset, and the run that takes them."""

    settings: Settings
    spark: SparkSession
    run_id: str
    batch: Batch
    contract: Contract
    notes: list[FileNote]

    @property
    def transaction(self) -> str:
        """The name under which a table takes this part's rows once."""
        return f"{self.batch.batch_id}/{self.contract.dataset}"


def clean_rows(settings: Settings, spark: SparkSession, run_id: str, feed: str) -> dict[str, int]:
    """Judge every batch of the feed that is read, and commit it. Returns counts of files and lines.

    Where a file with an earlier stamp changes the verdict on later ones, those are taken again, so that the
    order of processing leaves no trace. Raises LostLinesError when lines read and lines judged differ,
    CheckFailedError when the audit does not hold: then nothing of that dataset is committed to clean, and the
    batch waits.
    """
    counts = {"files": 0, "accepted": 0, "refused": 0, "held": 0}
    with journal.feed_lock(settings, feed):
        waiting = [batch for batch in journal.unfinished(settings, feed) if batch.is_read]
        while waiting:
            reopened = False
            for batch in waiting:
                _clean(settings, spark, run_id, batch)
                reopened |= reopening.reopen_changed(settings, feed, batch.batch_id)
                reopened |= admission.reopen_admitted(settings, feed)
                journal.remove(settings, batch)
                counts["files"] += len(batch.files)
                counts["accepted"] += sum(n.accepted_count for n in batch.files if n.outcome == ACCEPTED)
                counts["refused"] += sum(n.refused_count for n in batch.files)
                counts["held"] += sum(n.outcome == HELD for n in batch.files)
            waiting = journal.plan(settings, feed) if reopened else []
            raw.append(settings, run_id, waiting)
    return counts


def _clean(settings: Settings, spark: SparkSession, run_id: str, batch: Batch) -> None:
    for dataset, notes in outcomes.by_dataset(batch.files):
        begun = time.monotonic()
        _clean_part(Part(settings, spark, run_id, batch, declare.load()[dataset], notes))
        took, lines = time.monotonic() - begun, sum(note.line_count for note in notes)
        for note in notes:
            note.duration_ms += int(took * 1000 * note.line_count / lines)
    receipts.write(settings, run_id, batch)


def _clean_part(part: Part) -> None:
    settings, contract = part.settings, part.contract
    keys = identity.keys(settings) if contract.identity else None
    with staged.judged(settings, part.batch, contract, part.notes, keys) as judged:
        outcomes.count(judged.db, part.notes)
        outcomes.decide(settings, part.batch, part.notes, receipts.filed(settings, but=part.notes))
        _commit(part, judged)
        files = [f"{note.delivery_id} {note.sha256}" for note in part.notes if note.outcome == ACCEPTED]
        if keys and files:
            kinds = {one.kind: (one.hmac, one.token) for one in staged.identifiers(contract)}
            persons.remember(settings, keys, judged.folder, kinds, part.transaction, files)


def _commit(part: Part, judged: Judged) -> None:
    """Audit the sound rows of accepted files and append them; append what was refused or flagged."""
    db, contract, notes = judged.db, part.contract, part.notes
    held = [n for n in notes if n.outcome != ACCEPTED]
    db.register(
        "held", pa.table({"delivery": [n.delivery_id for n in held], "file": [n.sha256 for n in held]})
    )
    is_held = "(_delivery_id, _file_sha256) in (select (delivery, file) from held)"
    examined = sum(n.accepted_count for n in notes if n.outcome == ACCEPTED)
    if examined:
        standing = f"{judge.IS_SOUND} and not {is_held}"
        _audit(part, db, standing, examined)
        _append_clean(part, judged, held)
        if contract.general_table:
            _append_general(part, db, standing)
    if any(n.flagged_count for n in notes if n.outcome == HELD):
        flagged = db.sql(judge.flagged_lines(f"(from judged where {is_held})", contract)).to_arrow_table()
        tables.append_rows(part.settings, "ops__flagged_row", flagged, part.transaction, part.run_id)
    if any(n.refused_count for n in notes):
        refused = db.sql(judge.refusals("judged", contract)).to_arrow_table()
        tables.append_rows(part.settings, "ops__refused_row", refused, part.transaction, part.run_id)


def _audit(part: Part, db: duckdb.DuckDBPyConnection, standing: str, examined: int) -> None:
    """Check the rows to commit against the contract's expectations. Raises CheckFailedError."""
    checked = _frame(db, standing, part.contract)
    expectations = audit.contract_expectations(part.contract)
    checks = audit.audit(checked, part.contract.table, expectations, part.run_id, examined)
    failed = audit.stopping(checks)
    # A passed audit is noted once for the batch; a failed one by each run that meets it.
    noted = part.transaction + (f"/{part.run_id}" if failed else "")
    tables.append_rows(part.settings, "ops__check", checks, noted, part.run_id)
    if failed:
        raise audit.CheckFailedError(part.run_id, failed)


def _append_clean(part: Part, judged: Judged, held: list[FileNote]) -> None:
    columns = part.contract.clean_columns()
    rows = part.spark.read.schema(declare.spark_ddl({**columns, "refused": "array<string>"})).parquet(
        str(judged.folder)
    )
    sound = rows.where(F.size("refused") == 0).select(*columns)
    if held:
        ids = [f"{n.delivery_id} {n.sha256}" for n in held]
        sound = sound.where(~F.concat_ws(" ", "_delivery_id", "_file_sha256").isin(*ids))
    tables.append(sound, part.settings, part.contract.table, part.batch.batch_id, part.run_id)


def _append_general(part: Part, db: duckdb.DuckDBPyConnection, standing: str) -> None:
    """Append the same rows without their sensitive columns to the general table."""
    schema = declare.arrow_schema(part.contract.general_columns())
    listed = ", ".join(f'"{name}"' for name in schema.names)
    rows = db.sql(f"select {listed} from judged where {standing}")
    batches = (batch.cast(schema) for batch in rows.to_arrow_reader(tables.ROW_GROUP))
    table = part.contract.general_table
    assert table is not None
    tables.append_batches(part.settings, table, batches, schema, part.batch.batch_id, part.run_id)


def _frame(db: duckdb.DuckDBPyConnection, standing: str, contract: Contract) -> pd.DataFrame:
    """The rows to commit as the audit takes them; columns that it does not check keep their form."""
    import pandas as pd

    clean = contract.clean_columns()
    listed = ", ".join(f'"{name}"' for name in clean)
    columns: dict[str, Any] = {}
    table: pa.Table = db.sql(f"select {listed} from judged where {standing}").to_arrow_table()
    for name, kind in clean.items():
        column = table[name]
        if kind == "string":
            columns[name] = column.dictionary_encode().to_pandas()
        elif kind.startswith("decimal"):
            columns[name] = column.cast(pa.float64()).to_pandas()
        else:
            columns[name] = pd.Series(column, dtype=pd.ArrowDtype(column.type))
    return pd.DataFrame(columns)
