"""Files taken again: their rows leave every table, their receipts last, so that they wait in landing as new.

That happens where a file with an earlier stamp comes to light, or a delivery is withdrawn, and verdicts
change (`jobs.ingest.verdicts`), and for files on which our own code failed (`jobs.ingest.failures`). A kill
in between leaves the receipt, so the next try finds the same file again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deltalake.exceptions import CommitFailedError

from jobs import declare
from jobs.files import replacing
from jobs.ingest import verdicts
from jobs.lake import receipt_text, tables, withdrawals
from jobs.settings import Settings
from jobs.sql import literals

_TRIES = 5


def reopen_changed(settings: Settings, feed: str, because: str) -> bool:
    """Reopen every file of the feed whose verdict a batch or a withdrawal has changed. Returns True if there
    was one.
    """
    rows, gone = receipt_text.receipts(settings, verdicts.COLUMNS), withdrawals.load(settings)
    of_feed = {row["receipt_id"]: row for row in rows if row["feed"] == feed}
    known = [verdicts.filed(row, is_withdrawn=row["delivery_id"] in gone) for row in of_feed.values()]
    changed = verdicts.changed(known, declare.load())
    reopen(settings, feed, [of_feed[file.receipt_id] for file in changed], because)
    return bool(changed)


def reopen(settings: Settings, feed: str, receipts: Sequence[Mapping[str, Any]], because: str) -> None:
    """Remove the rows of these files from every table, and their receipts last.

    `receipts` are rows of `ops__receipt`. `because` names the occasion: repeated for the same one, for
    instance after a kill, it counts once.
    """
    if not receipts:
        return
    _note(settings, feed, [receipt["receipt_id"] for receipt in receipts], because)
    holding = [table for table in _tables_with_lines(feed) if tables.open_table(settings, table) is not None]
    for receipt in receipts:
        for table in holding:
            prefix = "" if table.startswith("ops__") else "_"
            _delete(
                settings,
                table,
                f"{prefix}delivery_id = {literals(receipt['delivery_id'])}"
                f" and {prefix}file_sha256 = {literals(receipt['file_sha256'])}",
            )
    ids = literals(*(receipt["receipt_id"] for receipt in receipts))
    for table in ("ops__receipt", receipt_text.TABLE):
        _delete(settings, table, f"receipt_id in ({ids})")


def sweep(settings: Settings, feed: str, receipt_ids: Sequence[str], batch_id: str) -> None:
    """Remove what a kill at the very end of `reopen` left of these files: texts of an earlier batch."""
    if again := [one for one in receipt_ids if one in times(settings, feed)]:
        which = f"receipt_id in ({literals(*again)}) and batch_id <> {literals(batch_id)}"
        _delete(settings, receipt_text.TABLE, which)


def times(settings: Settings, feed: str) -> dict[str, int]:
    """Return receipt id -> how often its file was taken again."""
    try:
        known: dict[str, int] = json.loads(_file(settings, feed).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return known


def _note(settings: Settings, feed: str, receipt_ids: Sequence[str], because: str) -> None:
    known = times(settings, feed)
    for receipt_id in receipt_ids:
        # Once per occasion, however often that is tried: the next batch's name follows from the count.
        occasion = f"{receipt_id} {because}"
        if occasion not in known:
            known[occasion] = 1
            known[receipt_id] = known.get(receipt_id, 0) + 1
    target = _file(settings, feed)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as fresh:
        fresh.write_text(json.dumps(known, sort_keys=True), encoding="utf-8")


def _file(settings: Settings, feed: str) -> Path:
    return settings.run / "batches" / feed / "taken_again"


def _tables_with_lines(feed: str) -> list[str]:
    """Tables that hold lines of files: raw, the feed's clean tables, tables made from them line by line."""
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
