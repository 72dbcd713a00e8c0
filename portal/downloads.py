"""Files for download, made whole before their first byte is sent: a reader gets all of it or is told why not.

A few are made at once and the others wait. A file that is asked for again is sent from disk, with its length.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

import anyio
import anyio.to_thread

_PIECE = 256 * 1024

# Writes a whole file.
Make = Callable[[IO[bytes]], None]


class BusyError(Exception):
    """A file that is not ready in time; a later request may find it."""


@dataclass(frozen=True)
class Download:
    """A whole file on disk, which has no name and goes with its last reader."""

    file: IO[bytes]
    size: int

    def pieces(self) -> Iterator[bytes]:
        """The file from its begin; many may read at once."""
        at = 0
        while piece := os.pread(self.file.fileno(), _PIECE, at):
            at += len(piece)
            yield piece


class Downloads:
    """The files that are being made, and those that were asked for last.

    `at_once` are made side by side, `most_waiting` more may wait, each request at most `seconds`; files of
    `kept_bytes` stay.
    """

    def __init__(
        self, at_once: int = 2, most_waiting: int = 64, seconds: float = 30.0, kept_bytes: int = 512 * 1024**2
    ) -> None:
        self._at_once = at_once
        self._most = at_once + most_waiting
        self._seconds = seconds
        self._most_bytes = kept_bytes
        self._limiter: anyio.CapacityLimiter | None = None
        self._making: dict[str, asyncio.Task[Download]] = {}
        self._kept: OrderedDict[str, Download] = OrderedDict()

    async def get(self, key: str, make: Make) -> Download:
        """The file under `key`, made now unless it is there or on its way. Raises BusyError, and what `make`
        raises.
        """
        if (kept := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return kept
        task = self._making.get(key)
        if task is None:
            if len(self._making) >= self._most:
                raise BusyError
            task = self._making[key] = asyncio.create_task(self._made(make))
            task.add_done_callback(lambda done: self._keep(key, done))
        try:
            # The file goes on being made when this reader gives up: it is there when he comes again.
            return await asyncio.wait_for(asyncio.shield(task), self._seconds)
        except TimeoutError as error:
            raise BusyError from error

    async def _made(self, make: Make) -> Download:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._at_once)
        return await anyio.to_thread.run_sync(_write, make, limiter=self._limiter)

    def _keep(self, key: str, done: asyncio.Task[Download]) -> None:
        self._making.pop(key, None)
        if done.cancelled() or done.exception() is not None:
            return
        self._kept[key] = done.result()
        while sum(kept.size for kept in self._kept.values()) > self._most_bytes:
            self._kept.popitem(last=False)


def _write(make: Make) -> Download:
    # Closed by its last reader.
    file = tempfile.TemporaryFile(prefix="edulake-download-")  # noqa: SIM115
    try:
        make(file)
        file.flush()
    except BaseException:
        file.close()
        raise
    return Download(file, os.fstat(file.fileno()).st_size)
