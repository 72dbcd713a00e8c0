"""Make the rows of files again that a table lost, equal to those it had."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import CommitProperties, Transaction, WriterProperties, write_deltalake

from jobs import declare
from jobs.decide.fitness.job import SCORES
from jobs.decide.fitness.statements import score_statements
from jobs.ingest import rereading
from jobs.judging import judge
from jobs.lake import deliveries, receipt_text, tables
from jobs.reading import reader
from jobs.repair import rows
from jobs.repair.finding import Say
from jobs.repair.rows import Key
from jobs.settings import Settings
from jobs.sql import literals

Row = dict[str, Any]


def receipts(settings: Settings) -> list[Row]:
    """Every receipt with what its sender typed."""
    return receipt_text.receipts(settings)


def write_back(settings: Settings, table: str, tell: Say) -> bool:
    """Make the rows of all files again whose lines in this table are not as many as their receipts say.

    Returns whether there was a file whose rows could be made.
    """
    wrong = [one for one in rows.differing(settings) if one.table == table]
    judged = {_key(row): row for row in receipts(settings) if row["outcome"] in ("accepted", "held")}
    wanted = [judged[one.key] for one in wrong if one.key in judged]
    made = [row for row in wanted if _can_be_made(settings, table, row)]
    for row in wanted:
        if row not in made:
            tell(
                f"{table}: {row['delivery_id']} cannot be read again; {row['sender_code']} must send it again"
            )
    if not made:
        return False
    partial = {one.key for one in wrong if one.found}
    _delete(settings, table, [_key(row) for row in made if _key(row) in partial])
    schema = schema_of(table)
    with _spooled(settings, _batches(settings, table, made, schema), schema) as fresh:
        _append(settings, table, fresh, made)
    tell(f"{table}: rows of {len(made)} files made again")
    return True


def without_receipt(settings: Settings) -> list[Row]:
    """What stands in tables and has no receipt, as `reopening.reopen` takes it."""
    known = {_key(row) for row in tables.rows(settings, "ops__receipt", ["delivery_id", "file_sha256"])}
    landed = {(file.delivery_id, file.sha256): file.receipt_id for file in deliveries.scan(settings)}
    strays = {one.key for one in rows.differing(settings) if one.key not in known}
    return [
        {
            "receipt_id": landed.get(key, "-"),
            "feed": key[0].partition("/")[0],
            "delivery_id": key[0],
            "file_sha256": key[1],
        }
        for key in sorted(strays)
    ]


def _key(row: Row) -> Key:
    return row["delivery_id"], row["file_sha256"]


def _can_be_made(settings: Settings, table: str, row: Row) -> bool:
    """Raw lines need the landed file; everything else is made of rows that stand."""
    return not table.startswith("raw_") or rereading.landed(settings, row) is not None


def schema_of(table: str) -> pa.Schema:
    """The columns of a table as it is appended to."""
    if table.startswith("raw_"):
        return reader.RAW_SCHEMA
    return declare.arrow_schema(declare.table_columns(table))


def _batches(
    settings: Settings, table: str, made: Sequence[Row], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    if table.startswith("raw_"):
        yield from rereading.raw_lines(settings, made)
    elif table in SCORES:
        yield from _scores(settings, table, {_key(row) for row in made}, schema)
    else:
        for dataset in sorted({row["dataset"] for row in made}):
            own = [row for row in made if row["dataset"] == dataset]
            yield from _judged(settings, table, declare.load()[dataset], own, schema)


def _judged(
    settings: Settings, table: str, contract: declare.Contract, own: Sequence[Row], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    listed = ", ".join(f'"{name}"' for name in schema.names)
    for found in rereading.judged(settings, contract, own):
        if table == rows.REFUSED:
            query = judge.refusals("judged", contract)
        else:
            query = f"select {listed} from judged where {judge.IS_SOUND}"
        made: pa.Table = found.db.sql(query).to_arrow_table()
        yield from made.select(schema.names).cast(schema).to_batches(tables.ROW_GROUP)


def _scores(
    settings: Settings, table: str, keys: Collection[Key], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    source, day = SCORES[table]
    statements = tables.open_arrow(settings, source)
    assert statements is not None
    for delivery, digest in sorted(keys):
        is_of_file = (ds.field("_delivery_id") == delivery) & (ds.field("_file_sha256") == digest)
        stated = statements.to_table(filter=is_of_file)
        if stated.num_rows:
            yield from score_statements(stated, day).select(schema.names).cast(schema).to_batches()


def _delete(settings: Settings, table: str, keys: Sequence[Key]) -> None:
    opened = tables.open_table(settings, table)
    prefix = "" if table.startswith("ops__") else "_"
    if opened is not None and keys:
        files = literals(*(f"{delivery}|{digest}" for delivery, digest in keys))
        opened.delete(f"concat({prefix}delivery_id, '|', {prefix}file_sha256) in ({files})")


@contextmanager
def _spooled(
    settings: Settings, batches: Iterator[pa.RecordBatch], schema: pa.Schema
) -> Iterator[pa.RecordBatchReader]:
    """Make the batches before they are written: delta-rs cannot read tables while it writes one."""
    folder = settings.restricted / "stage" / "repair"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file = str(folder / "rows.arrow")
    try:
        with pa.OSFile(file, "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        with pa.OSFile(file) as source:
            yield pa.ipc.open_stream(source)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _append(settings: Settings, table: str, fresh: pa.RecordBatchReader, made: Sequence[Row]) -> None:
    """Append rows in one commit; in a table that begins anew their batches count as taken."""
    where = tables.path(settings, table)
    names = []
    if tables.open_table(settings, table) is None:
        names = sorted({f"{table}/{row['batch_id']}" for row in made})
    write_deltalake(
        str(where),
        fresh,
        mode="append",
        configuration=tables.PLAIN_TABLE,
        writer_properties=WriterProperties(max_row_group_size=tables.ROW_GROUP),
        commit_properties=CommitProperties(
            custom_metadata={"run_id": "repair"}, app_transactions=[Transaction(name, 1) for name in names]
        ),
    )
