"""At the door: a file whose sender nobody knows, or who may not send it, is refused before a line is kept.

Its receipt says why and what to do. A refusal is not for ever: each run looks at such files again, and takes
those whose sender has become known since (a register names the school).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs import declare
from jobs.declare import reasons
from jobs.ingest import journal, reopening
from jobs.ingest.journal import FileNote
from jobs.ingest.verdicts import REFUSED
from jobs.lake import senders, tables
from jobs.lake.senders import Senders
from jobs.settings import Settings

# The reasons of files that were refused for their sender alone.
OF_SENDER = frozenset({"sender_unknown", "school_not_registered", "sender_not_for_dataset"})


def refuse_strangers(known: Senders, notes: Sequence[FileNote]) -> None:
    """Refuse the files whose sender nobody knows, before they are read."""
    for note in notes:
        if reason := of_sender(known, note.sender):
            note.outcome, note.reasons = REFUSED, [reason]


def of_sender(known: Senders, sender: str) -> str | None:
    """Why nobody of this code may send anything here, as a reason; None where he may."""
    if known.is_free or known.kind(sender) is not None:
        return None
    if known.is_code_of_school(sender):
        return reasons.text("school_not_registered", sender=sender)
    return reasons.text("sender_unknown", sender=sender)


def of_dataset(known: Senders, sender: str, dataset: str) -> str | None:
    """Why this sender may not send the dataset, as a reason; None where he may."""
    allowed = senders.may_send(declare.load()[dataset])
    if known.is_free or known.kind(sender) in allowed:
        return None
    return reasons.text("sender_not_for_dataset", dataset=dataset, sender=sender, senders=list(allowed))


def look_again(settings: Settings, feed: str) -> None:
    """Take again the feed's refused files whose sender has become known, before a run plans its batches."""
    with journal.feed_lock(settings, feed):
        reopen_admitted(settings, feed)


def reopen_admitted(settings: Settings, feed: str) -> bool:
    """Take again the feed's files that were refused for their sender, who may send them now. Returns True if
    there was one. The caller holds the feed's lock.
    """
    refused = [
        (row, reasons.details(row["reasons"][0]))
        for row in tables.rows(settings, "ops__receipt", _COLUMNS)
        if row["feed"] == feed and row["outcome"] == REFUSED and row["reasons"]
    ]
    refused = [(row, told) for row, told in refused if told["code"] in OF_SENDER]
    known = senders.load(settings) if refused else None
    found = [row for row, told in refused if known and _is_admitted(known, row["sender_code"], told)]
    for row in found:
        reopening.reopen(settings, feed, [row], f"{row['batch_id']} admitted")
    return bool(found)


_COLUMNS = [
    "receipt_id",
    "feed",
    "sender_code",
    "outcome",
    "reasons",
    "delivery_id",
    "file_sha256",
    "batch_id",
]


def _is_admitted(known: Senders, sender: str, told: Mapping[str, Any]) -> bool:
    if of_sender(known, sender):
        return False
    return "dataset" not in told or of_dataset(known, sender, told["dataset"]) is None
