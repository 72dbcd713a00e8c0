"""What has been landed: `landing/<feed>/<sender>/<delivery>/<file>`, never changed once it lies there.

`<delivery>` is the day on which the bureau received it and its number that day (`2025-09-10_1`). Times are
read from it, never from the clock, so the same landing gives the same lake on any day. The clock is asked for
one thing: a day after today is none. What lies in landing and is no file of a delivery is left aside and
named.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from jobs import clock
from jobs.declare import reasons
from jobs.files import LARGEST_FILE, fsync, is_hidden, readable, sha256
from jobs.lake import forgotten, tables, withdrawals
from jobs.lake.entries import DELIVERY, EARLIEST, day_and_number, entries_of, readable_names, why_unread
from jobs.lake.file_hashes import Hashes
from jobs.settings import Settings, UserError, writing

_SENDER = re.compile(r"(?!\.)[\w.-]{1,64}")
# A delivery that is being put together, for a moment.
_UNDER_WAY = ".part-"


@dataclass(frozen=True, order=True)
class LandedFile:
    """One file of one delivery. `sha256` is of its bytes. `name` is readable; that of `path` may not be.

    `goes_by`: the receipt id of a file whose name told of a pupil and was changed.
    """

    received: date
    delivery_no: int
    feed: str
    sender: str
    name: str
    path: Path
    sha256: str
    byte_count: int
    goes_by: str | None = field(default=None, compare=False)

    @property
    def delivery_id(self) -> str:
        return f"{self.feed}/{self.sender}/{self.received.isoformat()}_{self.delivery_no}"

    @property
    def receipt_id(self) -> str:
        """Sixteen hex digits, the same on every machine: of the delivery, the file's name and its bytes."""
        if self.goes_by:
            return self.goes_by
        return hashlib.sha256(f"{self.delivery_id}/{self.name}/{self.sha256}".encode()).hexdigest()[:16]

    def recorded_at(self, settings: Settings) -> datetime:
        """The start of the received day in the site's time zone, as an instant in UTC."""
        return clock.start_of_day(self.received, settings.timezone)


@dataclass(frozen=True, order=True)
class LeftAside:
    """What lies in landing and no run takes: its readable place there, and why (`declare.reasons`)."""

    place: str
    reason: str


@dataclass(frozen=True)
class Landing:
    """All that lies in landing: files of deliveries, the oldest first, and what is left aside."""

    files: list[LandedFile]
    left_aside: list[LeftAside]


def scan(settings: Settings) -> list[LandedFile]:
    """Every landed file of the feeds that are on, oldest delivery first."""
    return survey(settings).files


def survey(settings: Settings) -> Landing:
    """Look at everything in landing. What is no delivery is left aside, as is one dated after today."""
    look = _Look(settings)
    for entry in entries_of(settings.landing):
        if look.is_folder(entry):
            if entry.name in settings.feeds:
                look.at_feed(entry)
            elif any(Path(entry).rglob("*")):
                look.leave(entry, reasons.text("aside_feed"))
    look.known.save()
    return Landing(sorted(look.files), sorted(look.left_aside))


class _Look:
    """One look at landing, folder by folder."""

    def __init__(self, settings: Settings) -> None:
        self.landing = settings.landing
        self.today = clock.today(settings.timezone)
        changed = forgotten.load(settings)
        self.known = Hashes(settings.restricted / "hashes.json", changed.aliases)
        self.renamed = changed.renamed
        self.files: list[LandedFile] = []
        self.left_aside: list[LeftAside] = []

    def leave(self, entry: os.DirEntry[str], reason: str) -> None:
        place = Path(entry).relative_to(self.landing).parts
        self.left_aside.append(LeftAside("/".join(map(readable, place)), reason))

    def is_folder(self, entry: os.DirEntry[str]) -> bool:
        """Whether this is a folder to look into; else it is left aside."""
        if is_hidden(entry.name):
            self.leave(entry, reasons.text("aside_hidden"))
        elif not entry.is_dir():
            self.leave(entry, reasons.text("aside_loose"))
        elif not os.access(entry, os.R_OK | os.X_OK):
            self.leave(entry, reasons.text("aside_no_file"))
        else:
            return True
        return False

    def at_feed(self, feed: os.DirEntry[str]) -> None:
        for sender in entries_of(feed):
            if not self.is_folder(sender):
                continue
            if sender.is_symlink():
                self.leave(sender, reasons.text("aside_link"))
            elif not _SENDER.fullmatch(sender.name) or not sender.name.isprintable():
                self.leave(sender, reasons.text("aside_sender"))
            else:
                self._at_sender(feed.name, sender)

    def _at_sender(self, feed: str, sender: os.DirEntry[str]) -> None:
        for delivery in entries_of(sender):
            if delivery.name.startswith(_UNDER_WAY) or not self.is_folder(delivery):
                continue
            stamp = day_and_number(delivery.name)
            if delivery.is_symlink():
                self.leave(delivery, reasons.text("aside_link"))
            elif stamp is None:
                self.leave(delivery, reasons.text("aside_delivery"))
            elif stamp[0] > self.today:
                self.leave(delivery, reasons.text("aside_future"))
            else:
                self._at_delivery(feed, sender.name, stamp, delivery)

    def _at_delivery(
        self, feed: str, sender: str, stamp: tuple[date, int], delivery: os.DirEntry[str]
    ) -> None:
        entries = entries_of(delivery)
        names = readable_names([entry.name for entry in entries])
        for entry in entries:
            if reason := why_unread(entry):
                self.leave(entry, reason)
                continue
            path = Path(entry)
            file = LandedFile(
                *stamp, feed, sender, names[entry.name], path, self.known.of(path), entry.stat().st_size
            )
            self.files.append(replace(file, goes_by=self.renamed.get(file.receipt_id)))


def located(settings: Settings, delivery_id: str, name: str) -> Path:
    """Where a file of a delivery lies, by its readable name; a path without a file where it is gone."""
    folder = settings.landing / delivery_id
    if not (folder / name).exists():
        for raw, shown in readable_names(entry.name for entry in entries_of(folder)).items():
            if shown == name:
                return folder / raw
    return folder / name


def pending(settings: Settings, files: Iterable[LandedFile] | None = None) -> list[LandedFile]:
    """Landed files that have no receipt yet, oldest first."""
    done = {row["receipt_id"] for row in tables.rows(settings, "ops__receipt", ["receipt_id"])}
    return [file for file in (scan(settings) if files is None else files) if file.receipt_id not in done]


@dataclass(frozen=True)
class Piece:
    """One file to hand in: its name, and its bytes or the file that holds them."""

    name: str
    content: bytes | Path

    @property
    def byte_count(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    @property
    def digest(self) -> str:
        """The SHA-256 of its bytes."""
        if isinstance(self.content, bytes):
            return hashlib.sha256(self.content).hexdigest()
        return sha256(self.content)

    def write(self, target: Path) -> None:
        """Have the bytes on the disk before this returns."""
        if isinstance(self.content, bytes):
            target.write_bytes(self.content)
        else:
            shutil.copyfile(self.content, target)
        fsync(target)


@dataclass(frozen=True)
class Handed:
    """Where pieces lie, and whether they were not there before."""

    folder: Path
    is_new: bool


def hand_in(
    settings: Settings,
    feed: str,
    sender: str,
    received: date,
    pieces: Sequence[Piece],
    earlier: Callable[[], Path | None] | None = None,
) -> Handed:
    """Land the pieces as one new delivery of that day: on the disk when this returns, whole or not at all.

    Any number of processes may do so at once. Where one standing delivery of the sender has every piece, by
    name and bytes, that is where they lie, and nothing is written; `earlier` looks for it in another way.
    Raises UserError for a feed that is off, a sender that is no folder name, a piece that is hidden or too
    large, two pieces of one name, and a day after today.
    """
    names = _names(settings, feed, sender, pieces)
    today = clock.today(settings.timezone)
    if not EARLIEST <= received <= today:
        raise UserError(
            f"{received} cannot be the day on which a file was received: today is {today}.",
            "Give the day received, YYYY-MM-DD, with --received.",
        )
    digests = {name: piece.digest for name, piece in zip(names, pieces, strict=True)}
    if not earlier:

        def earlier() -> Path | None:
            found = _standing(settings, feed, sender, digests)
            return found[0].path.parent if found else None

    home = settings.landing / feed / sender
    with writing(home):
        lies = earlier()
        handed = Handed(lies, False) if lies else _put(settings, home, received, names, pieces, earlier)
        # Whoever put it there, or made the folders above, may have been killed before this.
        for folder in (handed.folder, home, home.parent, settings.landing, settings.home):
            fsync(folder)
    return handed


def _put(
    settings: Settings,
    home: Path,
    received: date,
    names: Sequence[str],
    pieces: Sequence[Piece],
    earlier: Callable[[], Path | None],
) -> Handed:
    home.mkdir(parents=True, exist_ok=True)
    with _aside(settings, home) as aside:
        fresh = aside / "delivery"
        fresh.mkdir()
        for name, piece in zip(names, pieces, strict=True):
            piece.write(fresh / name)
        fsync(fresh)
        with _alone(settings, home):
            lies = earlier()
            return Handed(lies, False) if lies else Handed(_as_next(fresh, home, received), True)


def land(settings: Settings, file: Path, feed: str, sender: str, received: date) -> Path:
    """Hand in one file: copy it to a new delivery of that day, as `hand_in` does. Returns where it lies."""
    folder = hand_in(settings, feed, sender, received, [_piece(file)]).folder
    return located(settings, f"{feed}/{sender}/{folder.name}", readable(file.name))


def same(settings: Settings, file: Path, feed: str, sender: str) -> LandedFile | None:
    """The landed file that has this one's sender, name and bytes, and was not withdrawn; None without one.

    Raises UserError for what `land` refuses, whatever its day.
    """
    _check_address(settings, feed, sender)
    piece = _piece(file)
    (name,) = _names(settings, feed, sender, [piece])
    return next(iter(_standing(settings, feed, sender, {name: piece.digest})), None)


def _piece(file: Path) -> Piece:
    if not file.is_file():
        raise UserError(f"there is no file {readable(str(file))}.", "Name a file that can be read.")
    return Piece(file.name, file)


def _names(settings: Settings, feed: str, sender: str, pieces: Sequence[Piece]) -> list[str]:
    """The readable names of pieces that may be landed. Raises UserError for what may not."""
    _check_address(settings, feed, sender)
    names = [readable(piece.name) for piece in pieces]
    for name, piece in zip(names, pieces, strict=True):
        if not name or is_hidden(name) or "/" in name:
            raise UserError(
                f"{name} is a hidden file, or one of the system or an office program.",
                "Hand in the file itself, or rename it if this is what was sent.",
            )
        if piece.byte_count > LARGEST_FILE:
            raise UserError(
                f"{name} is larger than {LARGEST_FILE // 1024**2} MB, and no reader takes it.",
                "Ask for several files.",
            )
        if names.count(name) > 1:
            raise UserError(f"two files are called {name}.", "Rename one, or hand them in one by one.")
    return names


def _check_address(settings: Settings, feed: str, sender: str) -> None:
    if feed not in settings.feeds:
        raise UserError(
            f"the feed {feed!r} is not on at {settings.site}.", f"Feeds: {', '.join(settings.feeds)}."
        )
    if not _SENDER.fullmatch(sender) or not sender.isprintable():
        raise UserError(f"{readable(sender)!r} cannot be a sender's code.", "Use letters, digits, - and _.")


def _standing(settings: Settings, feed: str, sender: str, digests: Mapping[str, str]) -> list[LandedFile]:
    """The files of the sender's oldest standing delivery that has each of these, by name and bytes."""
    look, gone = _Look(settings), withdrawals.load(settings)
    for delivery in entries_of(settings.landing / feed / sender):
        stamp = day_and_number(delivery.name)
        if stamp is None or stamp[0] > look.today or delivery.is_symlink() or not delivery.is_dir():
            continue
        if f"{feed}/{sender}/{delivery.name}" in gone:
            continue
        entries = entries_of(delivery)
        names = readable_names([entry.name for entry in entries])
        found = [
            LandedFile(*stamp, feed, sender, name, Path(entry), digest, entry.stat().st_size)
            for entry in entries
            if (digest := digests.get(name := names[entry.name]))
            and not why_unread(entry)
            and look.known.of(Path(entry)) == digest
        ]
        if len(found) == len(digests):
            return found
    return []


@contextmanager
def _alone(settings: Settings, home: Path) -> Iterator[None]:
    """One process at a time gives the sender's deliveries their numbers."""
    locks = settings.run / "landing"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / f"{home.parent.name} {home.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _aside(settings: Settings, home: Path) -> Iterator[Path]:
    """A folder in which a delivery is put together; those that killed processes left go."""
    with _alone(settings, home):
        for left in home.glob(f"{_UNDER_WAY}*"):
            with suppress(OSError), (left / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
        aside = Path(tempfile.mkdtemp(dir=home, prefix=_UNDER_WAY))
        own = (aside / "lock").open("a")
        fcntl.flock(own, fcntl.LOCK_EX)
    try:
        yield aside
    finally:
        # Alone: another one that looks for what was left would make its lock anew while it goes.
        with own, _alone(settings, home):
            shutil.rmtree(aside)


def next_number(home: Path, received: date) -> int:
    """The number of a sender's next delivery of a day, if nobody else takes it; `home` is his folder."""
    numbers = [int(m[2]) for d in home.glob(f"{received}_*") if (m := DELIVERY.fullmatch(d.name))]
    return max(numbers, default=0) + 1


def _as_next(fresh: Path, home: Path, received: date) -> Path:
    """Move a folder to be the day's next delivery; another process may take the number in between."""
    while True:
        target = home / f"{received}_{next_number(home, received)}"
        try:
            return fresh.rename(target)
        except OSError:
            if not target.exists():
                raise
