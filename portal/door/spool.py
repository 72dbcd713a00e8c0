"""Where the files of requests lie until they are landed: a folder and a lock for each server process."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


class Spool:
    """The folders of one site's door. A process holds the lock of its own folder while it lives."""

    def __init__(self, door: Path) -> None:
        self._door = door
        self._folders = door / "spool"
        self._lock = threading.Lock()
        self._own: Path | None = None
        self._own_lock: IO[bytes] | None = None

    @contextmanager
    def folder(self, kept: Callable[[], Collection[str]]) -> Iterator[Path]:
        """A folder for the files of one request; gone at the end unless `kept` then names it."""
        folder = Path(tempfile.mkdtemp(dir=self._own_folder()))
        try:
            yield folder
        finally:
            if str(folder) not in kept():
                shutil.rmtree(folder, ignore_errors=True)

    def sweep(self, kept: Callable[[], Collection[str]]) -> None:
        """Remove the folders of processes that are gone, unless `kept` names a request of theirs."""
        with self._alone():
            gone = [folder for folder in self._folders.glob("*") if is_free(folder)]
            # Asked after that: a process that is gone writes nothing more down.
            holding = {Path(one).parent for one in kept()}
            for folder in gone:
                if folder not in holding:
                    shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Give the own folder up."""
        with self._lock:
            if self._own_lock is not None:
                self._own_lock.close()
                shutil.rmtree(self._own or "", ignore_errors=True)
            self._own = self._own_lock = None

    def _own_folder(self) -> Path:
        with self._lock:
            if self._own is None:
                own = self._folders / f"{os.getpid()}-{secrets.token_hex(4)}"
                with self._alone():
                    own.mkdir(mode=0o700, parents=True)
                    self._own_lock = (own / "lock").open("wb")
                    fcntl.flock(self._own_lock, fcntl.LOCK_EX)
                self._own = own
            return self._own

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A folder that is being made has no lock yet: nobody sweeps meanwhile, in any process."""
        self._door.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._door / "spool.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def is_free(folder: Path) -> bool:
    """Whether the process is gone that kept a folder of the spool for itself."""
    with suppress(OSError), (folder / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return not (folder / "lock").exists()
