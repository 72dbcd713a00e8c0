"""An open release with its replies cached as bytes; a new release replaces it without a pause.

A release never changes, so a reply computed once is exact for as long as the release is served. A request
takes one `Snapshot` and answers from it alone; when CURRENT moves, later requests take the next one. A
snapshot is never closed: the last request to let go of it ends it.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import duckdb

from jobs.files import sha256
from jobs.publish import release as releases
from jobs.publish.release import Release, ReleaseError
from jobs.publish.time_limit import Clock
from jobs.settings import Settings, UserError
from portal import encodings

_log = logging.getLogger(__name__)

# What the queries of one request may take.
QUERY_SECONDS = 30.0
# Of the replies that are kept, of all audiences together.
_KEPT_BYTES = 192 * 1024**2
# A paging client may still be reading the release before this one; more than these are not held open.
_OLDER_OPEN = 2
# Long enough not to try a broken release at each request, short enough to heal without a restart.
_RETRY_SECONDS = 5.0


class NoReleaseError(Exception):
    """No release exists yet."""


class ReleaseGoneError(Exception):
    """A release that was published once and is no longer kept."""


@dataclass(frozen=True)
class Reply:
    """A body and the tag that names it: equal bytes of one release and audience have equal tags.

    `encoding`: how the body is compressed. `link`: the address of the next page.
    """

    body: bytes
    etag: str
    encoding: str = ""
    link: str = ""


class Replies:
    """The replies of all open snapshots, `most_bytes` of them; the one not asked for longest goes first."""

    def __init__(self, most_bytes: int = _KEPT_BYTES) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[tuple[int, str], Reply] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0
        self.hits = 0
        self.misses = 0

    def get(self, of: int, key: str) -> Reply | None:
        """The reply under `key` of the snapshot with this number."""
        with self._lock:
            reply = self._kept.get((of, key))
            if reply is not None:
                self._kept.move_to_end((of, key))
                self.hits += 1
            return reply

    def put(self, of: int, key: str, reply: Reply) -> None:
        """Keep a reply that had to be made."""
        with self._lock:
            if (of, key) not in self._kept:
                self.misses += 1
                self._kept[of, key] = reply
                self.bytes += len(reply.body)
            while self.bytes > self._most:
                self.bytes -= len(self._kept.popitem(last=False)[1].body)


_numbers = itertools.count()


class Snapshot:
    """One release, opened for one audience."""

    def __init__(
        self,
        release: Release,
        audience: str,
        is_synthetic: bool = False,
        seconds: float = QUERY_SECONDS,
        replies: Replies | None = None,
    ) -> None:
        self.release = release
        self.audience = audience
        self.is_synthetic = is_synthetic or release.is_synthetic
        self._connection = releases.open_release(release, audience)
        self._seconds = seconds
        self._replies = replies or Replies()
        self._number = next(_numbers)
        self._making: dict[str, threading.Lock] = {}
        self._whole: tuple[int, int, int] | None = None
        self._lock = threading.Lock()

    @cached_property
    def tables(self) -> dict[str, Mapping[str, Any]]:
        """What the manifest says of each table in this audience's file; `rows` are the rows of this file."""
        manifest = self.release.manifest
        rows = manifest["files"][f"{self.audience}.duckdb"]["tables"]
        return {name: {**manifest["tables"][name], "rows": rows[name]} for name in sorted(rows)}

    def damage(self) -> str | None:
        """What is wrong with the open file: that it no longer has the digest of the manifest. None if it is
        whole. It is read again only when the file has changed since it was found whole.
        """
        path = self.release.file(self.audience)
        try:
            status = path.stat()
            mark = (status.st_size, status.st_mtime_ns, status.st_ino)
            if mark == self._whole:
                return None
            if sha256(path) == self.release.manifest["files"][f"{self.audience}.duckdb"]["sha256"]:
                self._whole = mark
                return None
        except OSError as error:
            return f"release {self.release.number}: {path.name} cannot be read: {error.strerror}"
        return f"release {self.release.number}: {path.name} was changed: ./edulake lake check"

    @contextmanager
    def asked(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of its own for one request, on the same open file. What it asks within the block ends
        with an InterruptException when the time is up.
        """
        cursor = self._connection.cursor()
        with Clock(cursor, self._seconds).running():
            yield cursor

    def kept(self, key: str) -> Reply | None:
        """A reply as `reply` keeps it: under the key, a blank and the encoding."""
        return self._replies.get(self._number, key)

    def reply(self, key: str, make: Callable[[Snapshot], bytes | Reply], encoding: str = "") -> Reply:
        """The reply under `key`, compressed as `encoding` says; made now if absent, by one thread for all who
        ask for it. A full cache drops its oldest replies.
        """
        packed = f"{key} {encoding}"
        kept = self.kept(packed)
        if kept is not None:
            return kept
        with self._lock:
            alone = self._making.setdefault(key, threading.Lock())
        try:
            with alone:
                reply = self.kept(packed) or self._packed(self._plain(key, make), encoding)
                self._replies.put(self._number, packed, reply)
        finally:
            with self._lock:
                self._making.pop(key, None)
        return reply

    def _plain(self, key: str, make: Callable[[Snapshot], bytes | Reply]) -> Reply:
        kept = self.kept(f"{key} ")
        if kept is None:
            made = make(self)
            kept = made if isinstance(made, Reply) else Reply(made, "")
            kept = replace(kept, etag=self.etag(hashlib.sha256(kept.body).hexdigest()))
            self._replies.put(self._number, f"{key} ", kept)
        return kept

    def _packed(self, reply: Reply, encoding: str) -> Reply:
        if not encoding or len(reply.body) < encodings.SMALL:
            return reply
        body = encodings.compressed(reply.body, encoding)
        return replace(reply, body=body, etag=f'{reply.etag[:-1]}-{encoding}"', encoding=encoding)

    def etag(self, digest: str) -> str:
        # The audience is part of it: two people must never share a tag for what only one of them may see.
        return f'"{self.release.number}-{self.audience}-{digest[:16]}"'


class Shelf:
    """The releases of a site, as one audience reads them."""

    def __init__(
        self,
        settings: Settings,
        audience: str = releases.CITY,
        seconds: float = QUERY_SECONDS,
        replies: Replies | None = None,
    ) -> None:
        self._settings = settings
        self._seconds = seconds
        self._replies = replies or Replies()
        self.audience = audience
        self._pointer = settings.releases / "CURRENT"
        self._current: Snapshot | None = None
        self._older: OrderedDict[int, Snapshot] = OrderedDict()
        self._seen: tuple[int, int] | None = None
        self._retry_at = 0.0
        self._lock = threading.Lock()
        self.fault: str | None = None

    @property
    def is_synthetic(self) -> bool:
        """Whether what is served is of a made-up city."""
        return self._settings.is_synthetic or (self._current is not None and self._current.is_synthetic)

    def unchanged(self) -> Snapshot | None:
        """The snapshot in use if CURRENT has not moved, else None. One `stat`, so fit for an event loop."""
        if self.fault is not None and time.monotonic() >= self._retry_at:
            return None
        return self._current if self._mark() == self._seen else None

    def current(self) -> Snapshot:
        """The release that CURRENT names; if that cannot be opened, the one before it, and `fault` says why.

        Raises NoReleaseError when there is nothing to serve.
        """
        with self._lock:
            snapshot = self.unchanged()
            if snapshot is None:
                self._swap()
                snapshot = self._current
        if snapshot is None:
            raise NoReleaseError
        return snapshot

    def of(self, number: int) -> Snapshot:
        """A release by its number. ReleaseGoneError: kept no longer. KeyError: never published."""
        current = self.current()
        if number == current.release.number:
            return current
        if number > current.release.number or number < 1:
            raise KeyError(number)
        with self._lock:
            if number not in self._older:
                release = releases.find(self._settings, number)
                if release is None:
                    raise ReleaseGoneError(number)
                self._older[number] = self._opened(release)
            self._older.move_to_end(number)
            while len(self._older) > _OLDER_OPEN:
                self._older.popitem(last=False)
            return self._older[number]

    def _opened(self, release: Release) -> Snapshot:
        return Snapshot(release, self.audience, self._settings.is_synthetic, self._seconds, self._replies)

    def damage(self) -> str | None:
        """What is wrong with the files that are open, one after the other; None if all are whole."""
        return "; ".join(fault for one in self.opened() if (fault := one.damage())) or None

    def opened(self) -> list[Snapshot]:
        """The releases that are open, the one that is served first."""
        with self._lock:
            return [*([self._current] if self._current else []), *self._older.values()]

    def _mark(self) -> tuple[int, int] | None:
        try:
            stat = self._pointer.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino

    def _swap(self) -> None:
        mark = self._mark()
        try:
            release = releases.current(self._settings)
            if release is not None:
                self._current = self._opened(release)
            self.fault = None
        except (ReleaseError, UserError, KeyError, ValueError, OSError, duckdb.Error) as error:
            self.fault = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            _log.error("the release that CURRENT names cannot be opened: %s", self.fault)
        self._seen = mark
