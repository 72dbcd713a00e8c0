"""From `raw_<feed>` to clean tables, refused rows, checks and receipts: judged, audited, then committed.

A delivery that breaks its contract's rules is held: its rows stay in raw, its receipt says why, and the
others go on. Each append of a batch is one Delta transaction named after the batch, so a run that was killed
is finished without writing anything twice.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import declare
from jobs.declare import Contract, reasons
from jobs.ingest import admission, journal, raw, receipts, reopening, staged, verdicts
from jobs.ingest.journal import Batch, FileNote
from jobs.ingest.staged import Judged
from jobs.ingest.verdicts import ACCEPTED, HELD
from jobs.judging import aside, audit, judge
from jobs.lake import identity, persons, tables, withdrawals
from jobs.settings import Settings

if TYPE_CHECKING:
    import pandas as pd


# Codes of no list that a receipt names; a column that holds something else would name each of its cells.
MOST_UNMAPPED = 1000
REGISTER = "school_register"


class LostLinesError(RuntimeError):
    """The number of lines read differs from the number judged: nothing of the batch is committed to clean."""


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
    by_dataset = defaultdict(list)
    for note in batch.files:
        if note.outcome is None and note.dataset is not None:
            by_dataset[note.dataset].append(note)
    # Registers first: by them the lines of other districts' schools are known.
    for dataset, notes in sorted(
        by_dataset.items(), key=lambda item: (item[0] != "school_register", item[0])
    ):
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
        _count(judged.db, part.notes)
        _decide(part)
        _commit(part, judged)
        files = [f"{note.delivery_id} {note.sha256}" for note in part.notes if note.outcome == ACCEPTED]
        if keys and files:
            kinds = {one.kind: (one.hmac, one.token) for one in staged.identifiers(contract)}
            persons.remember(settings, keys, judged.folder, kinds, part.transaction, files)


def _count(db: duckdb.DuckDBPyConnection, notes: list[FileNote]) -> None:
    """Fill in each file's counts, in one pass. Raises LostLinesError when a line is missing or twice."""
    found = db.sql(
        f"""
        select _delivery_id, _file_sha256, count(*) as lines,
            count(*) filter ({judge.IS_SOUND}) as accepted,
            count(*) filter ({judge.IS_SOUND} and len(flags) > 0) as flagged,
            count(distinct scope_key) filter ({judge.IS_SOUND}) as scopes,
            count(*) filter ({aside.is_aside()}) as aside,
            count(*) filter ({aside.is_example()}) as example,
            count(*) filter (ends_with(refused[1], ':repeated_key')) as again,
            list_distinct(flatten(list(unmapped) filter (len(unmapped) > 0))) as unmapped,
        from judged group by all
        """
    )
    rows: pa.Table = found.to_arrow_table()
    counts = {(r["_delivery_id"], r["_file_sha256"]): r for r in rows.to_pylist()}
    for note in notes:
        row = counts.get(note.key)
        judged = row["lines"] if row else 0
        if row is None or judged != note.line_count:
            raise LostLinesError(f"{note.receipt_id}: {note.line_count} lines were read and {judged} judged")
        note.accepted_count = row["accepted"]
        note.flagged_count = row["flagged"]
        note.refused_count = judged - row["accepted"]
        note.scope_count = row["scopes"]
        others = [r for r in note.remarks if reasons.code_of(r) not in verdicts.OF_LINES]
        note.remarks = [*others, *_of_lines(row)]
        note.unmapped = sorted(row["unmapped"] or [])[:MOST_UNMAPPED]


def _of_lines(row: dict[str, int]) -> list[str]:
    """The remarks on lines that are no data, or repeat another one."""
    counts = {
        reasons.text("lines_example", lines=row["example"]): row["example"],
        reasons.text("lines_aside", lines=row["aside"] - row["example"]): row["aside"] - row["example"],
        reasons.text("lines_again", lines=row["again"]): row["again"],
    }
    return [remark for remark, count in counts.items() if count]


def _decide(part: Part) -> None:
    """Accept or hold each file by the contract's bounds, among all files known with their stamps."""
    known = receipts.filed(part.settings, but=part.notes)
    gone = withdrawals.load(part.settings)
    fresh = (receipts.as_filed(part.batch, note, gone) for note in part.notes)
    now = verdicts.judge([*known, *fresh], declare.load())
    for note in part.notes:
        verdict = now[note.receipt_id]
        note.outcome, note.reasons = verdict.outcome, list(verdict.reasons)


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
