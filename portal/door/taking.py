"""From files in the spool to deliveries in landing: what each file is, whether it may come, where it lies.

A file that can never be taken is refused here, in words, and nothing of it is kept. What may come is written
down, landed, and only then acknowledged; a hand-in that a kill cut short is landed by the next server.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import threading
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from jobs import clock, declare
from jobs.access.caller import Caller
from jobs.declare import reasons
from jobs.ingest import admission
from jobs.lake import deliveries
from jobs.lake.deliveries import LandedFile, Piece
from jobs.lake.senders import Senders
from jobs.reading import isolated
from jobs.settings import Settings
from portal.door.store import REFUSED, TAKING, HandIn, OneFile, Store, now
from portal.door.upload import Spooled

# What no reader will ever take, whoever sends it: nothing of such a file is kept.
_NEVER = frozenset(
    {
        "no_table",
        "file_empty",
        "file_too_large",
        "unpacked_too_large",
        "archive_encrypted",
        "archive_in_archive",
        "archive_empty",
        "workbook_encrypted",
        "workbook_macro",
        "excel_binary",
        "web_archive",
        "html_without_table",
        "not_text",
        "too_much_memory",
        "too_much_time",
    }
)
# Files are recognized a few at a time, however many are handed in at once.
_RECOGNIZING = threading.Semaphore(2)


def place(
    settings: Settings, known: Senders, sender: str, files: Sequence[Spooled], feed: str, dataset: str
) -> list[OneFile]:
    """What each file is and where it belongs, or why it is refused; one entry a feed for a file of several.

    `feed` or `dataset`: what its sender says it is; by default its headers tell.
    """
    placed: list[OneFile] = []
    wanted = declare.load()[dataset].feed if dataset else feed
    stranger = admission.of_sender(known, sender)
    for file in files:
        for told_dataset, its_feed, why in _told(settings, known, sender, file, wanted, dataset, stranger):
            entry = OneFile(len(placed) + 1, file.name, file.sha256, file.byte_count, told_dataset)
            entry.feed, entry.reasons = (None, why) if why else (its_feed, [])
            placed.append(entry)
    return placed


def _told(
    settings: Settings,
    known: Senders,
    sender: str,
    file: Spooled,
    feed: str,
    dataset: str,
    stranger: str | None,
) -> list[tuple[str | None, str | None, list[str]]]:
    """(dataset, feed, reasons against it) for each feed that a file is of."""
    if refusal := stranger or file.reason:
        return [(dataset or None, None, [refusal])]
    if dataset and (refusal := admission.of_dataset(known, sender, dataset)):
        return [(dataset, None, [refusal])]
    contracts = declare.load()
    on = [one for one in contracts.values() if one.feed in ([feed] if feed else settings.feeds)]
    mine = [one for one in on if admission.of_dataset(known, sender, one.dataset) is None]
    with _RECOGNIZING:
        found = isolated.headers(file.path, mine)
        if not found.datasets and len(mine) < len(on) and not _never(found.reasons):
            found = isolated.headers(file.path, on)
    if never := _never(found.reasons):
        return [(None, None, never)]
    if not found.datasets:
        meant = [reasons.details(reason).get("dataset") for reason in found.reasons]
        nearest = next((name for name in meant if name), None)
        if not feed and nearest is None:
            # Nobody can say in which folder it belongs.
            return [(None, None, found.reasons or [reasons.text("file_without_data")])]
        return [(None, feed or contracts[nearest or ""].feed, [])]
    by_feed: dict[str, str] = {}
    refused = []
    for name in dict.fromkeys(found.datasets):
        if refusal := admission.of_dataset(known, sender, name):
            refused.append((name, None, [refusal]))
        else:
            by_feed.setdefault(contracts[name].feed, name)
    return [*((name, its, []) for its, name in by_feed.items()), *refused]


def _never(found: Sequence[str]) -> list[str]:
    return [reason for reason in found if reasons.code_of(reason) in _NEVER]


def written_down(
    settings: Settings,
    store: Store,
    caller: Caller,
    sender: str,
    placed: list[OneFile],
    spool: Path,
    key: str,
) -> tuple[HandIn, bool]:
    """Write a hand-in down; from here on it is landed, whatever is killed. Returns it, and whether it is new.

    The same files of the same sender are one hand-in. Raises KeyError for a key used for other files.
    """
    taken = [file for file in placed if not file.reasons]
    told = sorted((file.name, file.sha256) for file in (taken or placed))
    digest = hashlib.sha256(repr((sender, told)).encode()).hexdigest()
    day = clock.today(settings.timezone)
    made = HandIn(
        no=0,
        id=f"{day:%Y%m%d}-{secrets.token_hex(6)}",
        sender=sender,
        subject=caller.subject,
        who=caller.name or caller.subject,
        role=str(caller.role),
        handed_at=now(),
        received=day.isoformat(),
        digest=digest,
        spool=str(spool) if taken else None,
        state=TAKING if taken else REFUSED,
        withdrawn_at=None,
        withdrawn_by=None,
        reason=None,
        files=placed,
    )
    earlier = store.begin(made, key or None)
    return (earlier, False) if earlier else (made, True)


def land(settings: Settings, store: Store, made: HandIn) -> None:
    """Land what was written down, one delivery a feed; once, however often this is called."""
    spool = Path(made.spool or "")
    received = date.fromisoformat(made.received)
    is_new: dict[str, bool] = {}
    for feed in dict.fromkeys(file.feed for file in made.files if file.feed):
        own = [file for file in made.files if file.feed == feed]
        pieces = [Piece(file.name, spool / file.sha256) for file in own]
        handed = deliveries.hand_in(settings, feed, made.sender, received, pieces)
        delivery_id = f"{feed}/{made.sender}/{handed.folder.name}"
        is_new[delivery_id] = handed.is_new
        day, _, number = handed.folder.name.partition("_")
        for file in own:
            path = handed.folder / file.name
            stamp = date.fromisoformat(day), int(number)
            landed = LandedFile(*stamp, feed, made.sender, file.name, path, file.sha256, file.bytes)
            file.delivery_id, file.receipt_id = delivery_id, landed.receipt_id
    store.landed(made, is_new)
    shutil.rmtree(spool, ignore_errors=True)
