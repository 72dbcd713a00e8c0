"""Fitness: every statement of a test or recheck result, scored once; then what is decided from them."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.dataset as ds

from jobs import declare
from jobs.decide.fitness import percentiles_job, review_job
from jobs.decide.fitness.statements import score_statements
from jobs.decide.frames import Spark
from jobs.lake import tables
from jobs.lake.runs import Run
from jobs.settings import Settings

INPUTS = review_job.INPUTS
# Uploads of schools and the bureau's own recheck are two kinds of figure: they never share a table.
SCORES = {
    "decision_fitness__score": ("clean_fitness__test_result", "test_date"),
    "decision_fitness__recheck_score": ("clean_fitness__recheck_sample", "recheck_date"),
}
# Rows scored at a time; bounds memory, about a kilobyte a row.
_CHUNK_ROWS = 200_000


def decide(settings: Settings, spark: Spark, run: Run) -> dict[str, int]:
    """Score every statement of a test or recheck result once, batch by batch; the history stays with the
    statements. Then judge which classes are to be reviewed, and fit percentiles on the others.
    """
    scored = {table: _score(settings, run, table) for table in SCORES}
    reviewed = review_job.decide(settings, spark, run)
    return scored | reviewed | percentiles_job.decide(settings, spark, run)


def _score(settings: Settings, run: Run, table: str) -> int:
    """Append the scores of the batches that have none yet; a kill leaves whole batches. Returns their rows.

    Statements are taken as written: who is who and which one counts are asked when scores are read. In this
    process, whatever the site's size: a million statements take some ten seconds.
    """
    source, day = SCORES[table]
    statements = tables.open_arrow(settings, source)
    if statements is None:
        return 0
    schema = declare.arrow_schema(declare.table_columns(table))
    count = 0

    def scores(batch_id: str) -> Iterator[pa.RecordBatch]:
        nonlocal count
        for rows in _chunks(statements, batch_id):
            count += rows.num_rows
            yield from score_statements(rows, day).select(schema.names).cast(schema).to_batches()

    for batch_id in sorted(_batches(settings, source) - _batches(settings, table)):
        tables.append_batches(settings, table, scores(batch_id), schema, batch_id, run.run_id)
    return count


def _batches(settings: Settings, table: str) -> set[str]:
    found = tables.open_arrow(settings, table)
    parts = [] if found is None else found.to_batches(["_batch_id"])
    return {batch_id for part in parts for batch_id in part["_batch_id"].unique().to_pylist()}


def _chunks(statements: ds.Dataset, batch_id: str) -> Iterator[pa.Table]:
    """Rows of a batch, `_CHUNK_ROWS` at a time or a little more."""
    held: list[pa.RecordBatch] = []
    for part in statements.to_batches(filter=ds.field("_batch_id") == batch_id):
        held.append(part)
        if sum(one.num_rows for one in held) >= _CHUNK_ROWS:
            yield pa.Table.from_batches(held)
            held = []
    if any(one.num_rows for one in held):
        yield pa.Table.from_batches(held)
