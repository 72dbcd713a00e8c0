"""What becomes of files whose lines are judged: their counts, and the verdict on each. Nothing is written.

Ingest (`clean`) and the verdict without a run (`trial`) ask here, so both say the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import duckdb
import pyarrow as pa

from jobs import declare
from jobs.declare import reasons
from jobs.ingest import receipts, verdicts
from jobs.ingest.journal import Batch, FileNote
from jobs.judging import aside, judge
from jobs.lake import withdrawals
from jobs.settings import Settings

REGISTER = "school_register"
# Codes of no list that a receipt names; a column that holds something else would name each of its cells.
MOST_UNMAPPED = 1000


class LostLinesError(RuntimeError):
    """The number of lines read differs from the number judged: nothing of the batch is committed to clean."""


def by_dataset(notes: Iterable[FileNote]) -> list[tuple[str, list[FileNote]]]:
    """The files to judge by dataset; registers first: by them the lines of others' schools are known."""
    found = defaultdict(list)
    for note in notes:
        if note.outcome is None and note.dataset is not None:
            found[note.dataset].append(note)
    return sorted(found.items(), key=lambda item: (item[0] != REGISTER, item[0]))


def count(db: duckdb.DuckDBPyConnection, notes: list[FileNote]) -> None:
    """Fill in each file's counts from the view `judged`, in one pass.

    Raises LostLinesError when a line is missing or twice.
    """
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


def decide(settings: Settings, batch: Batch, notes: list[FileNote], filed: Iterable[verdicts.Filed]) -> None:
    """Accept or hold each file by the contract's bounds, among the others known, by their stamps."""
    gone = withdrawals.load(settings)
    fresh = [receipts.as_filed(batch, note, gone) for note in notes]
    now = verdicts.judge([*filed, *fresh], declare.load())
    for note in notes:
        verdict = now[note.receipt_id]
        note.outcome, note.reasons = verdict.outcome, list(verdict.reasons)
