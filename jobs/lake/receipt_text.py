"""What the sender of each file typed: its name, its sheets and members, its headings; in the restricted zone.

A heading or a name may be anything, a person's number too. `ops__receipt` therefore holds our own words,
counts and positions alone, and whoever may read the restricted zone has the rest beside them from here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from jobs import declare
from jobs.lake import tables
from jobs.settings import Settings

TABLE = "receipt_text"
# One row per receipt, of the batch that wrote both. `members`, `sheets`, `headers` and `header_lines` have an
# entry for each table of the file, in the order of `_table`; a header is a JSON list. `reasons` and `remarks`
# are the receipt's own with what was typed in them. `unmapped`: `column=code as sent`, each once.
SCHEMA = pa.schema(
    [
        ("receipt_id", pa.string()),
        ("batch_id", pa.string()),
        ("file_name", pa.string()),
        *((name, pa.list_(pa.string())) for name in ("members", "sheets", "headers")),
        ("header_lines", pa.list_(pa.int32())),
        *((name, pa.list_(pa.string())) for name in ("extra_headings", "reasons", "remarks", "unmapped")),
    ]
)


def append(settings: Settings, rows: Sequence[Mapping[str, Any]], app_id: str, run_id: str) -> None:
    """Append one row per receipt, once per `app_id`; `rows` have the columns of SCHEMA."""
    tables.append_rows(settings, TABLE, rows, app_id, run_id, SCHEMA)


def receipts(
    settings: Settings, columns: list[str] | None = None, sender: str | None = None
) -> list[dict[str, Any]]:
    """Return the rows of `ops__receipt`, each with what its sender typed beside it; of one sender if given.

    `columns` are of both tables, all by default; `receipt_id` is always there. For who may not read the
    restricted zone, what was typed is null, and reasons and remarks stay in our own words.
    """
    declared = declare.table_columns("ops__receipt")
    wanted = {*declared, *SCHEMA.names} if columns is None else {*_KEY, *columns}
    if sender is not None:
        wanted.add("sender_code")
    of_sender = ("sender_code", [sender]) if sender is not None else None
    own = tables.rows(settings, "ops__receipt", [name for name in declared if name in wanted], only=of_sender)
    typed = [name for name in SCHEMA.names if name in wanted]
    may_see = os.access(settings.restricted, os.R_OK | os.X_OK)
    theirs = ("receipt_id", [row["receipt_id"] for row in own]) if sender is not None else None
    found = tables.rows(settings, TABLE, typed, only=theirs) if may_see else []
    # A file that was taken again has another batch: what an earlier one left behind is not its text.
    beside = {tuple(row[name] for name in _KEY): row for row in found}
    unknown = {name: None for name in typed if name not in declared}
    return [row | beside.get(tuple(row[name] for name in _KEY), unknown) for row in own]


_KEY = ("receipt_id", "batch_id")
