"""Files taken again: their rows leave every table, their receipts last, so that they wait in landing as new.

That happens when a file with an earlier stamp comes to light (`jobs.ingest.verdicts`): rare, and then exact.
A kill in between leaves the receipt, and the next look finds the same file changed again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from deltalake.exceptions import CommitFailedError

from jobs import declare
from jobs.files import replacing
from jobs.ingest import verdicts
from jobs.lake import tables
from jobs.settings import Settings
from jobs.sql import literals

_TRIES = 5


def reopen_changed(settings: Settings, feed: str, batch_id: str) -> bool:
    """Reopen the feed's files about which something else would be said since this batch. Whether there was
    one.
    """
    rows = tables.rows(settings, "ops__receipt", [*verdicts.COLUMNS, "delivery_id"])
    own = [row for row in rows if row["feed"] == feed]
    changed = verdicts.changed([verdicts.filed(row) for row in own], declare.load())
    if not changed:
        return False
    delivery_of = {row["receipt_id"]: row["delivery_id"] for row in own}
    _note(settings, feed, [file.receipt_id for file in changed], batch_id)
    holding = [*(t for t in _tables_with_lines(feed) if tables.open_table(settings, t) is not None)]
    for file in changed:
        for table in holding:
            prefix = "" if table.startswith("ops__") else "_"
            _delete(
                settings,
                table,
                f"{prefix}delivery_id = {literals(delivery_of[file.receipt_id])}"
                f" and {prefix}file_sha256 = {literals(file.sha256)}",
            )
    ids = literals(*(file.receipt_id for file in changed))
    _delete(settings, "ops__receipt", f"receipt_id in ({ids})")
    return True


def times(settings: Settings, feed: str) -> dict[str, int]:
    """Receipt id -> how often its file was taken again."""
    try:
        known: dict[str, int] = json.loads(_file(settings, feed).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return known


def _note(settings: Settings, feed: str, receipt_ids: Sequence[str], batch_id: str) -> None:
    known = times(settings, feed)
    for receipt_id in receipt_ids:
        # Once for a batch, however often that is tried: the next batch's name follows from the count.
        because = f"{receipt_id} {batch_id}"
        if because not in known:
            known[because] = 1
            known[receipt_id] = known.get(receipt_id, 0) + 1
    target = _file(settings, feed)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as fresh:
        fresh.write_text(json.dumps(known, sort_keys=True), encoding="utf-8")


def _file(settings: Settings, feed: str) -> Path:
    return settings.run / "batches" / feed / "taken_again"


def _tables_with_lines(feed: str) -> list[str]:
    """Tables that hold lines of files: raw, the feed's clean tables, what is made line by line from them."""
    clean = [table for contract in declare.datasets_of(feed) for table in contract.tables]
    made = [
        name
        for name, columns in declare.made_tables().items()
        if {"_delivery_id", "_file_sha256"} <= columns.keys()
        or (name != "ops__receipt" and {"delivery_id", "file_sha256"} <= columns.keys())
    ]
    return [f"raw_{feed}", *clean, *made]


def _delete(settings: Settings, table: str, predicate: str) -> None:
    for attempt in range(_TRIES):
        found = tables.open_table(settings, table)
        if found is None:
            return
        try:
            found.delete(predicate)
        except CommitFailedError:  # another feed wrote the same ops table meanwhile
            if attempt == _TRIES - 1:
                raise
        else:
            return
