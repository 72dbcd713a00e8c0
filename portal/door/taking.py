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
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from jobs import declare
from jobs.access.caller import Caller
from jobs.declare import Contract, reasons
from jobs.files import fsync
from jobs.ingest import admission
from jobs.lake import arrival, deliveries
from jobs.lake.deliveries import LandedFile, Piece
from jobs.lake.senders import Senders
from jobs.reading import isolated, parts
from jobs.reading.parts import Part
from jobs.settings import Settings
from portal.door.store import REFUSED, TAKING, HandIn, OneFile, Store, now
from portal.door.upload import Spooled

# A file on which a reader would spend all that it may.
_TOO_MUCH = frozenset({"too_much_memory", "too_much_time"})
# Files are recognized a few at a time, however many are handed in at once.
_RECOGNIZING = threading.Semaphore(2)


def place(
    settings: Settings, known: Senders, sender: str, files: Sequence[Spooled], feed: str, dataset: str
) -> list[OneFile]:
    """What each file is and where it belongs, or why it is refused; a file of several datasets in parts.

    `feed` or `dataset`: what its sender says it is; by default its headers tell.
    """
    placed: list[OneFile] = []
    wanted = declare.load()[dataset].feed if dataset else feed
    stranger = admission.of_sender(known, sender)
    for file in files:
        if refusal := stranger or file.reason:
            found = [_Kind(file, dataset or None, None, [refusal])]
        elif dataset and (refusal := admission.of_dataset(known, sender, dataset)):
            found = [_Kind(file, dataset, None, [refusal])]
        else:
            found = _kinds(settings, known, sender, file, wanted)
        for kind in found:
            its = kind.file
            entry = OneFile(len(placed) + 1, its.name, its.sha256, its.byte_count, kind.dataset, kind.feed)
            entry.reasons = kind.reasons
            placed.append(entry)
    return placed


@dataclass(frozen=True)
class _Kind:
    """What a file, or a part of it, is of; `reasons` against it, and then no feed."""

    file: Spooled
    dataset: str | None
    feed: str | None
    reasons: list[str]


def _kinds(settings: Settings, known: Senders, sender: str, file: Spooled, feed: str) -> list[_Kind]:
    """What a file is of by its headers, one entry for each dataset; what its sender may send counts first.

    Raises OSError where our own reader failed.
    """
    contracts = declare.load()
    on = [one for one in contracts.values() if one.feed in ([feed] if feed else settings.feeds)]
    mine = [one for one in on if admission.of_dataset(known, sender, one.dataset) is None]
    with _RECOGNIZING:
        found = isolated.headers(file.path, mine)
        if not (found.datasets or found.is_refused_at_door or len(mine) == len(on)):
            found = isolated.headers(file.path, on)
    if found.traceback:
        raise OSError("a file could not be read here")
    if found.is_refused_at_door or any(reasons.code_of(one) in _TOO_MUCH for one in found.reasons):
        return [_Kind(file, None, None, found.reasons)]
    datasets = [*dict.fromkeys(found.datasets)]
    if not datasets:
        meant = [reasons.details(reason).get("dataset") for reason in found.reasons]
        nearest = next((name for name in meant if name), None)
        if not feed and nearest is None:
            # Nobody can say in which folder it belongs.
            return [_Kind(file, None, None, found.reasons or [reasons.text("file_without_data")])]
        return [_Kind(file, None, feed or contracts[nearest or ""].feed, [])]
    kinds = []
    for part in _parts(file, [contracts[name] for name in datasets]):
        name = part.dataset or datasets[0]
        refusal = admission.of_dataset(known, sender, name)
        kinds.append(_Kind(_spooled(file, part), name, None if refusal else contracts[name].feed, []))
        kinds[-1].reasons.extend([refusal] if refusal else [])
    return kinds


def _parts(file: Spooled, contracts: Sequence[Contract]) -> list[Part]:
    """A file of several datasets as one part for each, every other one as it is."""
    if len(contracts) == 1:
        return [Part(file.name, contracts[0].dataset, contracts[0].feed, file.path)]
    return parts.parts(file.path, contracts, file.name)


def _spooled(file: Spooled, part: Part) -> Spooled:
    """A part beside the file that it is of."""
    if isinstance(part.content, Path):
        return file
    digest = hashlib.sha256(part.content).hexdigest()
    path = file.path.parent / digest
    path.write_bytes(part.content)
    fsync(path)
    return Spooled(part.name, path, digest, len(part.content))


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
    day = arrival.day_of_receipt(settings)
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
