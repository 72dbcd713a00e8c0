"""Files on which our own code or this machine failed: what is noted, and when such a file is taken again.

A failure is no refusal: the sender did nothing wrong. The file's receipt has the outcome `failed`, and the
run goes on. Where the machine stopped the reader, each next run takes the file again, up to MOST_TRIES with
the same code. Every failed file is taken again once the code or the site's settings have changed, and by
`./edulake feed retry <receipt>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.declare import reasons
from jobs.files import replacing
from jobs.ingest.verdicts import FAILED, REFUSED
from jobs.lake import runs, spare, tables
from jobs.settings import Settings, UserError

# How often a file is read with the same code where the machine stops the reader each time.
MOST_TRIES = 3


def folder(settings: Settings) -> Path:
    """Return where the tracebacks lie, one file per receipt."""
    return settings.logs / "reading"


def log(settings: Settings, receipt_id: str, run_id: str, traceback: str | None) -> None:
    """Note a failed try of a file below the earlier ones; without a traceback, remove what was noted.

    A traceback has files, line numbers and the type of the error, and no message: that could quote a cell.
    """
    target = folder(settings) / f"{receipt_id}.txt"
    if traceback is None:
        target.unlink(missing_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    earlier = target.read_text(encoding="utf-8") if target.exists() else ""
    with replacing(target) as fresh:
        fresh.write_text(f"{earlier}run {run_id}\n{traceback}", encoding="utf-8")


def standing(settings: Settings) -> list[dict[str, Any]]:
    """Return the receipts of the files that failed and were not read since, as rows of `ops__receipt`."""
    receipts = tables.rows(settings, "ops__receipt", _COLUMNS)
    return [row for row in receipts if row["outcome"] == FAILED]


def due(settings: Settings) -> list[dict[str, Any]]:
    """Return the receipts of failed files that the next run takes again, as rows of `ops__receipt`."""
    failed = standing(settings)
    if not failed:
        return []
    today = runs.fingerprint(settings)
    version_of = {run.run_id: run.code_version for run in runs.all_runs(settings)}

    def is_due(row: Mapping[str, Any]) -> bool:
        if version_of.get(row["run_id"]) != today:
            return True
        is_machine = any(reasons.code_of(reason) == "reader_died" for reason in row["reasons"])
        return is_machine and _retries(settings, row, today) < MOST_TRIES - 1

    return [row for row in failed if is_due(row)]


def reopen_due(settings: Settings, feed: str) -> int:
    """Take again the feed's files that are due. Returns how many."""
    found = [row for row in due(settings) if row["feed"] == feed]
    today = runs.fingerprint(settings) if found else ""
    for row in found:
        _reopen(settings, row, today)
    return len(found)


def retry(settings: Settings, receipt: Mapping[str, Any]) -> None:
    """Take a failed or refused file again: its receipt goes, and it waits in landing for the next run.

    `receipt` is a row of `ops__receipt`. Raises UserError for a file that was read.
    """
    if receipt["outcome"] not in (FAILED, REFUSED):
        raise UserError(
            f"receipt {receipt['receipt_id']} is {receipt['outcome']}: its file was read.",
            "Only a failed or refused file can be taken again. To correct data, send a new delivery.",
        )
    _reopen(settings, receipt, "by hand")
    spare.keep(settings)


_COLUMNS = ["receipt_id", "run_id", "feed", "outcome", "reasons", "delivery_id", "file_sha256", "batch_id"]


def _reopen(settings: Settings, receipt: Mapping[str, Any], occasion: str) -> None:
    # Commands that only look (`status`) do not wait for the reading of files.
    from jobs.ingest import journal, reopening

    with journal.feed_lock(settings, receipt["feed"]):
        # The batch is part of the occasion: a file that fails once more does so in another batch.
        because = f"{receipt['batch_id']} retry {occasion}"
        reopening.reopen(settings, receipt["feed"], [receipt], because)


def _retries(settings: Settings, receipt: Mapping[str, Any], code_version: str) -> int:
    """How often earlier runs took the file again with this code; a retaking that was killed is not ended."""
    from jobs.ingest import reopening

    own, this = f"{receipt['receipt_id']} ", f"{receipt['receipt_id']} {receipt['batch_id']} "
    return sum(
        occasion.startswith(own) and not occasion.startswith(this) and occasion.endswith(f" {code_version}")
        for occasion in reopening.times(settings, receipt["feed"])
    )
