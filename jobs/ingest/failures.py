"""Files on which our own code failed: where the traceback lies, and when such a file is taken again.

A failure is no refusal: the sender did nothing wrong. The file's receipt has the outcome `failed`, and the
run goes on. The file is taken again by itself once the code or the site's settings have changed, or by
`./edulake feed retry <receipt>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.files import replacing
from jobs.ingest import journal, reopening
from jobs.ingest.verdicts import FAILED, REFUSED
from jobs.lake import runs, tables
from jobs.settings import Settings, UserError


def folder(settings: Settings) -> Path:
    """Return where the tracebacks lie, one file per receipt."""
    return settings.logs / "reading"


def log(settings: Settings, receipt_id: str, run_id: str, traceback: str | None) -> None:
    """Write the traceback of a file that failed; without one, remove that of an earlier try.

    A traceback has files, line numbers and the type of the error, and no message: that could quote a cell.
    """
    target = folder(settings) / f"{receipt_id}.txt"
    if traceback is None:
        target.unlink(missing_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as fresh:
        fresh.write_text(f"run {run_id}\n{traceback}", encoding="utf-8")


def reopen_due(settings: Settings, feed: str) -> int:
    """Take again the feed's files that failed under other code or settings than today's. Returns how many."""
    failed = [
        row
        for row in tables.rows(settings, "ops__receipt", _COLUMNS)
        if (row["feed"], row["outcome"]) == (feed, FAILED)
    ]
    if not failed:
        return 0
    today = runs.fingerprint(settings)
    version_of = {run.run_id: run.code_version for run in runs.all_runs(settings)}
    due = [row for row in failed if version_of.get(row["run_id"]) != today]
    for row in due:
        _reopen(settings, row)
    return len(due)


def retry(settings: Settings, receipt: Mapping[str, Any]) -> None:
    """Take a failed or refused file again: its receipt goes, and it waits in landing for the next run.

    `receipt` is a row of `ops__receipt`. Raises UserError for a file that was read.
    """
    if receipt["outcome"] not in (FAILED, REFUSED):
        raise UserError(
            f"receipt {receipt['receipt_id']} is {receipt['outcome']}: its file was read.",
            "Only a failed or refused file can be taken again. To correct data, send a new delivery.",
        )
    _reopen(settings, receipt)


_COLUMNS = ["receipt_id", "run_id", "feed", "outcome", "delivery_id", "file_sha256", "batch_id"]


def _reopen(settings: Settings, receipt: Mapping[str, Any]) -> None:
    with journal.feed_lock(settings, receipt["feed"]):
        # The batch is the occasion: a file that fails once more does so in another batch.
        reopening.reopen(settings, receipt["feed"], [receipt], f"{receipt['batch_id']} retry")
