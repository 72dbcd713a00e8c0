"""The access log: one JSON line per request, without a value that a reader sent, rotated by size.

Lines are taken by the event loop and written by a thread of their own, so that a slow disk slows nobody.
A disk that refuses them costs lines, which are counted, and no answer.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import orjson

NAME = "access.jsonl"
_EVERY_SECONDS = 0.5
_MOST_WAITING = 100_000


class AccessLog:
    """The log in a folder: `files` of `size` bytes beside the one that is written."""

    def __init__(self, folder: Path, size: int = 32 * 1024**2, files: int = 9) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = RotatingFileHandler(folder / NAME, maxBytes=size, backupCount=files, encoding="utf-8")
        self._waiting: deque[Mapping[str, Any]] = deque()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="access-log", daemon=True)
        self._thread.start()
        self.dropped = 0

    def add(self, line: Mapping[str, Any]) -> None:
        """Take a line; it is written within a second."""
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append(line)
        else:
            self.dropped += 1

    def close(self) -> None:
        """Write what waits, and end."""
        self._ended.set()
        self._thread.join()
        self._write()
        self._file.close()

    def _write_on(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            self._write()

    def _write(self) -> None:
        while lines := [self._waiting.popleft() for _ in range(min(len(self._waiting), 2000))]:
            text = b"\n".join(orjson.dumps(line, option=orjson.OPT_UTC_Z) for line in lines).decode()
            record = logging.LogRecord(NAME, logging.INFO, "", 0, text, None, None)
            try:
                if self._file.shouldRollover(record):
                    self._file.doRollover()
                self._file.stream.write(text + "\n")
                self._file.flush()
            except OSError:
                self.dropped += len(lines)
