"""What has been landed: `landing/<feed>/<sender>/<delivery>/<file>`, never changed once it lies there.

`<delivery>` is the day on which the bureau received it and its number that day (`2025-09-10_1`). Times are
read from it, never from the clock, so the same landing gives the same lake on any day.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from jobs import clock
from jobs.files import replacing
from jobs.lake import tables
from jobs.settings import Settings, UserError, writing

_DELIVERY = re.compile(r"(\d{4}-\d{2}-\d{2})_([1-9]\d{0,3})")


@dataclass(frozen=True, order=True)
class LandedFile:
    """One file of one delivery. `sha256` is of its bytes."""

    received: date
    delivery_no: int
    feed: str
    sender: str
    path: Path
    sha256: str
    byte_count: int

    @property
    def delivery_id(self) -> str:
        return f"{self.feed}/{self.sender}/{self.received.isoformat()}_{self.delivery_no}"

    @property
    def receipt_id(self) -> str:
        """Sixteen hex digits, the same on every machine: of the delivery, the file's name and its bytes."""
        return hashlib.sha256(f"{self.delivery_id}/{self.path.name}/{self.sha256}".encode()).hexdigest()[:16]

    def recorded_at(self, settings: Settings) -> datetime:
        """The start of the received day in the site's time zone, as an instant in UTC."""
        return clock.start_of_day(self.received, settings.timezone)


def scan(settings: Settings) -> list[LandedFile]:
    """Every landed file of the feeds that are on, oldest delivery first.

    Raises UserError for a delivery folder whose name is not a day and a number.
    """
    known = _Hashes(settings.run / "hashes.json")
    found = []
    for feed in settings.feeds:
        for file in sorted((settings.landing / feed).glob("*/*/*")):
            if file.name.startswith(".") or not file.is_file():
                continue
            match = _DELIVERY.fullmatch(file.parent.name)
            if not match:
                raise UserError(
                    f"{file.parent} is not a delivery folder.",
                    "Name it by the day received and its number that day, for example 2025-09-10_1, "
                    "or hand files in with `./edulake land`.",
                )
            found.append(
                LandedFile(
                    received=date.fromisoformat(match[1]),
                    delivery_no=int(match[2]),
                    feed=feed,
                    sender=file.parent.parent.name,
                    path=file,
                    sha256=known.of(file),
                    byte_count=file.stat().st_size,
                )
            )
    known.save()
    return sorted(found)


def pending(settings: Settings, files: Iterable[LandedFile] | None = None) -> list[LandedFile]:
    """Landed files that have no receipt yet, oldest first."""
    done = {row["receipt_id"] for row in tables.rows(settings, "ops__receipt", ["receipt_id"])}
    return [file for file in (scan(settings) if files is None else files) if file.receipt_id not in done]


def land(settings: Settings, file: Path, feed: str, sender: str, received: date) -> Path:
    """Hand in one file: copy it to a new delivery of that day. Returns where it lies.

    The same bytes from the same sender are one delivery: the earlier place is returned and nothing is copied.
    Raises UserError for a feed that is off, a sender that is no folder name, or a file that cannot be read.
    """
    if feed not in settings.feeds:
        raise UserError(
            f"the feed {feed!r} is not on at {settings.site}.", f"Feeds: {', '.join(settings.feeds)}."
        )
    if not re.fullmatch(r"[\w.-]{1,64}", sender) or sender.startswith("."):
        raise UserError(f"{sender!r} cannot be a sender's code.", "Use letters, digits, - and _.")
    if not file.is_file():
        raise UserError(f"there is no file {file}.", "Name a file that can be read.")
    digest = _sha256(file)
    home = settings.landing / feed / sender
    for earlier in sorted(home.glob(f"*/{file.name}")):
        if _sha256(earlier) == digest:
            return earlier
    with writing(home):
        home.mkdir(parents=True, exist_ok=True)
        # The delivery appears with its file in it, or not at all.
        with tempfile.TemporaryDirectory(dir=home, prefix=".part-") as aside:
            fresh = Path(aside) / "delivery"
            fresh.mkdir()
            shutil.copyfile(file, fresh / file.name)
            return _as_next(fresh, home, received) / file.name


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

    def __init__(self, note: Path) -> None:
        self._note = note
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
        return str(entry[2])

    def save(self) -> None:
        if self._seen != self._known and self._note.parent.is_dir():
            with replacing(self._note) as fresh:
                fresh.write_text(json.dumps(self._seen))
