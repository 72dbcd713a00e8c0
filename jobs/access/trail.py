"""The trail: one line for each scoped read and each write, appended, chained by hashes, never changed.

    audit/2026-12-01.jsonl   lines of that day (UTC); each holds the hash of the line before it
    audit/head.json          the last line that was acknowledged: a trail that was cut short shows
    audit/torn-…             what a kill left half written, set aside

A line says who, by which means, what, and how it ended. It has no values of persons: a family's pupil is
told by its code, and text that could be a person's number is masked. Several processes may append.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import json
import os
import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from jobs.access.caller import Caller, Scope
from jobs.files import fsync
from jobs.settings import Settings, UserError

START = "0" * 64
READ = "read"
# Acts that the trail notes about itself.
TORN, UNANCHORED = "trail-torn", "trail-unanchored"

_GROUP_SECONDS = 0.5
_MOST_WAITING = 100_000
_HEAD_BYTES = 256
_PERSON = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]?\d{15,18}[0-9Xx]?(?![0-9A-Za-z])|(?<!\d)1[3-9]\d{9}(?!\d)")


class TrailError(UserError):
    """A line could not be written: what it is about must not be acknowledged."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the audit trail cannot be written: {why}.", "Free the disk, then ask again.")


@dataclass
class _Line:
    told: dict[str, Any]
    is_waited_for: bool
    done: threading.Event = field(default_factory=threading.Event)
    fault: str = ""


class Trail:
    """The trail of a site. Reads are queued and written in groups; a write is on the disk when it returns."""

    def __init__(self, settings: Settings) -> None:
        self._folder = folder(settings)
        self._lines: deque[_Line] = deque()
        self._last: _Line | None = None
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._is_open = True
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def read(
        self,
        caller: Caller,
        route: str,
        *,
        scope: Scope | None = None,
        release: int | None = None,
        rows: int | None = None,
        outcome: str = "ok",
        **more: str | int,
    ) -> None:
        """Note a scoped read; on the disk within a second. `route` is the template, without its values.

        Raises TrailError where lines have waited too long for a disk that takes none.
        """
        if len(self._lines) >= _MOST_WAITING:
            raise TrailError("too many lines wait for it")
        told: dict[str, Any] = {"act": READ, "route": route, **_who(caller), **_seen(scope)}
        told |= {"release": release, "rows": rows, "outcome": outcome, **more}
        self._add(_Line(_plain(told), False))

    def write(
        self, caller: Caller, act: str, subject: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        """Note an act on a subject, our own key of it. Durable when it returns; raises TrailError else."""
        told = {"act": act, **_who(caller), "on": subject, **(details or {})}
        line = _Line(_plain(told), True)
        self._add(line)
        line.done.wait()
        if line.fault:
            raise TrailError(line.fault)

    def waiting(self) -> int:
        """How many lines wait for the disk."""
        return len(self._lines)

    def flush(self) -> None:
        """Have all that was noted on the disk. Raises TrailError."""
        last = self._last
        if last is not None:
            self._hurry.set()
            last.done.wait()
            if last.fault:
                raise TrailError(last.fault)

    def close(self) -> None:
        """Write what waits, and end."""
        with self._lock:
            self._is_open = False
            thread = self._thread
        atexit.unregister(self.close)
        self._wake.set()
        self._hurry.set()
        if thread is not None:
            thread.join()

    def _add(self, line: _Line) -> None:
        line.told["at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._lines.append(line)
        self._last = line
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._commit_all, name="trail", daemon=True)
                    self._thread.start()
                    atexit.register(self.close)
        if line.is_waited_for:
            self._hurry.set()
        if not self._wake.is_set():
            self._wake.set()

    def _commit_all(self) -> None:
        while self._is_open or self._lines:
            self._wake.wait()
            self._hurry.wait(_GROUP_SECONDS)
            self._wake.clear()
            self._hurry.clear()
            group = [self._lines.popleft() for _ in range(len(self._lines))]
            if not group:
                continue
            fault = ""
            try:
                _append(self._folder, [line.told for line in group])
            except OSError as error:
                fault = error.strerror or type(error).__name__
                # Who waits is told so, and has not done it. Reads were answered: their lines must come yet.
                if self._is_open:
                    self._lines.extendleft(line for line in reversed(group) if not line.is_waited_for)
                    self._wake.set()
            for line in group:
                line.fault = fault
                line.done.set()


def folder(settings: Settings) -> Path:
    """Where the trail of a site lies."""
    return settings.home / "audit"


def segments(settings: Settings) -> list[Path]:
    """The files of the trail, in the order of its lines."""
    return sorted(folder(settings).glob("[0-9]*-[0-9]*-[0-9]*.jsonl"))


def lines(settings: Settings, subject: str = "", since: str = "") -> Iterator[dict[str, Any]]:
    """The lines of the trail, oldest first: those by or on a subject, from a day or moment on."""
    for path in segments(settings):
        if path.stem < since[:10]:
            continue
        with path.open("rb") as file:
            for raw in file:
                with contextlib.suppress(orjson.JSONDecodeError):
                    line = orjson.loads(raw)
                    if line.get("at", "") >= since and (
                        not subject or subject in (line.get("by"), line.get("on"))
                    ):
                        yield line


def _who(caller: Caller) -> dict[str, str]:
    unit = caller.unit_code or caller.district_code
    return {"by": caller.subject, "role": str(caller.role), "via": caller.via, "unit": unit}


def _seen(scope: Scope | None) -> dict[str, str]:
    # A pupil's key is left out: the code that opened the way to it stands in `by`.
    if scope is None:
        return {}
    return {"audience": scope.audience, "school": scope.school_code}


def _plain(told: Mapping[str, Any]) -> dict[str, Any]:
    """The same, without what is empty, and with what could be a person's number masked."""
    plain: dict[str, Any] = {}
    for name, value in told.items():
        if value is None or value == "":
            continue
        plain[name] = value if isinstance(value, bool | int | float) else _PERSON.sub("***", str(value)[:200])
    return plain


def hashed(line: bytes) -> str:
    """The hash of a line, as the next one holds it."""
    return hashlib.sha256(line).hexdigest()


@dataclass
class _Head:
    """The last line that was acknowledged: its segment, the bytes up to its end, its number and hash."""

    segment: str = ""
    end: int = 0
    number: int = 0
    hash: str = START


def head(of: Path) -> _Head | None:
    """The head that stands in the folder; None where there is none that can be read."""
    try:
        return _Head(**orjson.loads((of / "head.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _append(of: Path, told: list[dict[str, Any]]) -> None:
    """Append lines behind the last one, alone among all processes; on the disk when it returns."""
    of.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(of / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        last, notes = _found(of)
        day = max(datetime.now(UTC).date().isoformat(), last.segment)
        is_new = day != last.segment
        end = 0 if is_new else last.end
        path = of / f"{day}.jsonl"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as segment:
            # Lines stand behind all that is there, even behind what nobody should have put there.
            segment.seek(0, os.SEEK_END)
            begin = segment.tell()
            number, previous, body = last.number, last.hash, bytearray()
            if begin:
                segment.seek(begin - 1)
                # Somebody cut a line: ours begins one of its own all the same.
                body += b"" if segment.read(1) == b"\n" else b"\n"
            for line in (*notes, *told):
                number += 1
                written = orjson.dumps({"n": number, "prev": previous, **line})
                previous = hashed(written)
                body += written + b"\n"
            try:
                segment.write(body)
                segment.flush()
                os.fsync(segment.fileno())
            except OSError:
                # Half a group would be acknowledged by the next: take it back.
                with contextlib.suppress(OSError):
                    os.ftruncate(segment.fileno(), begin)
                raise
            end = begin + len(body)
        if is_new:
            fsync(of)
        _point(of, _Head(day, end, number, previous))


def _point(of: Path, last: _Head) -> None:
    # In place and of one length, far less than a block: it is never half there.
    written = orjson.dumps(vars(last)).ljust(_HEAD_BYTES - 1) + b"\n"
    descriptor = os.open(of / "head.json", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, written, 0)
    finally:
        os.close(descriptor)


def _found(of: Path) -> tuple[_Head, list[dict[str, Any]]]:
    """The last line that stands, and what the trail must note about itself: a torn end that was set aside, a
    head that is lost.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    days = sorted(path.stem for path in of.glob("[0-9]*-[0-9]*-[0-9]*.jsonl"))
    last = head(of)
    notes: list[dict[str, Any]] = []
    if last is None:
        last = _Head()
        if days:
            notes.append({"act": UNANCHORED, "at": now})
    for day in days:
        if day < last.segment:
            continue
        path = of / f"{day}.jsonl"
        start = last.end if day == last.segment else 0
        if path.stat().st_size <= start:
            continue
        # Behind the head stands what a killed process wrote and did not acknowledge.
        with path.open("rb") as file:
            file.seek(start)
            rest = file.read()
        whole = rest[: rest.rfind(b"\n") + 1]
        for raw in whole.splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                last.number = int(json.loads(raw)["n"])
            last.hash = hashed(raw)
        last.segment, last.end = day, start + len(whole)
        if torn := rest[len(whole) :]:
            aside = of / f"torn-{day}-{last.end}-{hashed(torn)[:8]}"
            aside.write_bytes(torn)
            aside.chmod(0o600)
            fsync(aside)
            os.truncate(path, last.end)
            notes.append({"act": TORN, "at": now, "bytes": len(torn), "aside": aside.name})
    return last, notes
