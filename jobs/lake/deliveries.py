"""What has been landed: `landing/<feed>/<sender>/<delivery>/<file>`, never changed once it lies there.

`<delivery>` is the day on which the bureau received it and its number that day (`2025-09-10_1`). Times are
read from it, never from the clock, so the same landing gives the same lake on any day. The clock is asked for
one thing: a day after today is none. What lies in landing and is no file of a delivery is left aside and
named.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from jobs import clock
from jobs.declare import reasons
from jobs.files import LARGEST_FILE, is_hidden, readable, replacing
from jobs.lake import forgotten, tables, withdrawals
from jobs.settings import Settings, UserError, writing

_DELIVERY = re.compile(r"(\d{4}-\d{2}-\d{2})_([1-9]\d{0,3})", re.ASCII)
_SENDER = re.compile(r"(?!\.)[\w.-]{1,64}")
# Nothing was received before: a day this early is a slip of the hand.
EARLIEST = date(1970, 1, 1)
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
    for entry in _entries(settings.landing):
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
        self.known = _Hashes(settings.restricted / "hashes.json", changed.aliases)
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
        for sender in _entries(feed):
            if not self.is_folder(sender):
                continue
            if sender.is_symlink():
                self.leave(sender, reasons.text("aside_link"))
            elif not _SENDER.fullmatch(sender.name) or not sender.name.isprintable():
                self.leave(sender, reasons.text("aside_sender"))
            else:
                self._at_sender(feed.name, sender)

    def _at_sender(self, feed: str, sender: os.DirEntry[str]) -> None:
        for delivery in _entries(sender):
            if delivery.name.startswith(_UNDER_WAY) or not self.is_folder(delivery):
                continue
            stamp = _stamp(delivery.name)
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
        entries = _entries(delivery)
        names = _readable_names([entry.name for entry in entries])
        for entry in entries:
            if reason := _why_unread(entry):
                self.leave(entry, reason)
                continue
            path = Path(entry)
            file = LandedFile(
                *stamp, feed, sender, names[entry.name], path, self.known.of(path), entry.stat().st_size
            )
            self.files.append(replace(file, goes_by=self.renamed.get(file.receipt_id)))


def _entries(folder: str | Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def _why_unread(entry: os.DirEntry[str]) -> str | None:
    """Why an entry of a delivery is no file to read, as a reason; None where it is one."""
    if is_hidden(entry.name):
        return reasons.text("aside_hidden")
    if entry.is_symlink():
        return reasons.text("aside_link")
    if entry.is_dir():
        return reasons.text("aside_deep")
    if not entry.is_file() or not os.access(entry, os.R_OK):
        return reasons.text("aside_no_file")
    if entry.stat().st_size > LARGEST_FILE:
        return reasons.text("file_too_large", megabytes=LARGEST_FILE // 1024**2)
    return None


def _stamp(folder: str) -> tuple[date, int] | None:
    """The day and number that a folder is named by; None where it is no delivery."""
    match = _DELIVERY.fullmatch(folder)
    if not match:
        return None
    try:
        day = date.fromisoformat(match[1])
    except ValueError:
        return None
    return (day, int(match[2])) if day >= EARLIEST else None


def _readable_names(names: Iterable[str]) -> dict[str, str]:
    """Name on the disk -> readable name, no two alike; names that are readable already stay."""
    listed = sorted(names, key=lambda name: (readable(name) != name, os.fsencode(name)))
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in listed:
        shown = readable(name)
        if shown in taken:
            digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
            shown = f"{Path(shown).stem}~{digest}{Path(shown).suffix}"
        found[name] = shown
        taken.add(shown)
    return found


def located(settings: Settings, delivery_id: str, name: str) -> Path:
    """Where a file of a delivery lies, by its readable name; a path without a file where it is gone."""
    folder = settings.landing / delivery_id
    if not (folder / name).exists():
        for raw, shown in _readable_names(entry.name for entry in _entries(folder)).items():
            if shown == name:
                return folder / raw
    return folder / name


def pending(settings: Settings, files: Iterable[LandedFile] | None = None) -> list[LandedFile]:
    """Landed files that have no receipt yet, oldest first."""
    done = {row["receipt_id"] for row in tables.rows(settings, "ops__receipt", ["receipt_id"])}
    return [file for file in (scan(settings) if files is None else files) if file.receipt_id not in done]


def land(settings: Settings, file: Path, feed: str, sender: str, received: date) -> Path:
    """Hand in one file: copy it to a new delivery of that day. Returns where it lies.

    The same bytes of the same name from the same sender are one delivery: the earlier place is returned and
    nothing is copied. Raises UserError for a feed that is off, a sender that is no folder name, a file that
    cannot be read, is hidden or too large, and a day after today.
    """
    if earlier := same(settings, file, feed, sender):
        return earlier.path
    today = clock.today(settings.timezone)
    if not EARLIEST <= received <= today:
        raise UserError(
            f"{received} cannot be the day on which a file was received: today is {today}.",
            "Give the day received, YYYY-MM-DD, with --received.",
        )
    home = settings.landing / feed / sender
    with writing(home):
        home.mkdir(parents=True, exist_ok=True)
        # The delivery appears with its file in it, or not at all.
        with tempfile.TemporaryDirectory(dir=home, prefix=_UNDER_WAY) as aside:
            fresh = Path(aside) / "delivery"
            fresh.mkdir()
            name = readable(file.name)
            shutil.copyfile(file, fresh / name)
            return _as_next(fresh, home, received) / name


def same(settings: Settings, file: Path, feed: str, sender: str) -> LandedFile | None:
    """The landed file that has this one's sender, name and bytes, and was not withdrawn; None without one.

    Raises UserError for what `land` refuses, whatever its day.
    """
    if feed not in settings.feeds:
        raise UserError(
            f"the feed {feed!r} is not on at {settings.site}.", f"Feeds: {', '.join(settings.feeds)}."
        )
    if not _SENDER.fullmatch(sender) or not sender.isprintable():
        raise UserError(f"{readable(sender)!r} cannot be a sender's code.", "Use letters, digits, - and _.")
    name = readable(file.name)
    if not file.is_file():
        raise UserError(f"there is no file {readable(str(file))}.", "Name a file that can be read.")
    if is_hidden(name):
        raise UserError(
            f"{name} is a hidden file, or one of the system or an office program.",
            "Hand in the file itself, or rename it if this is what was sent.",
        )
    if file.stat().st_size > LARGEST_FILE:
        raise UserError(
            f"{name} is larger than {LARGEST_FILE // 1024**2} MB, and no reader takes it.",
            "Ask for several files.",
        )
    look = _Look(settings)
    digest, gone = _sha256(file), withdrawals.load(settings)
    for delivery in _entries(settings.landing / feed / sender):
        stamp = _stamp(delivery.name)
        if stamp is None or stamp[0] > look.today or delivery.is_symlink() or not delivery.is_dir():
            continue
        if f"{feed}/{sender}/{delivery.name}" in gone:
            continue
        entries = _entries(delivery)
        names = _readable_names([entry.name for entry in entries])
        for entry in entries:
            if names[entry.name] == name and not _why_unread(entry) and look.known.of(Path(entry)) == digest:
                return LandedFile(*stamp, feed, sender, name, Path(entry), digest, entry.stat().st_size)
    return None


def _as_next(fresh: Path, home: Path, received: date) -> Path:
    """Move a folder to be the day's next delivery; another process may take the number in between."""
    while True:
        numbers = [int(m[2]) for d in home.glob(f"{received}_*") if (m := _DELIVERY.fullmatch(d.name))]
        target = home / f"{received}_{max(numbers, default=0) + 1}"
        try:
            return fresh.rename(target)
        except OSError:
            if not target.exists():
                raise


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _Hashes:
    """Hashes of files that did not change since (size, time of change), so a second look does not read
    them.
    """

    def __init__(self, note: Path, aliases: Mapping[str, str]) -> None:
        self._note = note
        self._aliases = aliases
        try:
            self._known: dict[str, list[str | int]] = json.loads(note.read_text())
        except (OSError, ValueError):
            self._known = {}
        self._seen: dict[str, list[str | int]] = {}

    def of(self, file: Path) -> str:
        status = file.stat()
        entry = self._known.get(str(file))
        if not entry or entry[:2] != [status.st_size, status.st_mtime_ns]:
            entry = [status.st_size, status.st_mtime_ns, _sha256(file)]
        self._seen[str(file)] = entry
        # A file from which a pupil was taken goes by what was sent.
        return self._aliases.get(str(entry[2]), str(entry[2]))

    def save(self) -> None:
        if self._seen != self._known and self._note.parent.is_dir():
            # Who may only read the lake looks without a note, and reads the files again next time.
            with suppress(OSError), replacing(self._note) as fresh:
                fresh.write_text(json.dumps(self._seen))
