"""The door of one site: its book, its spool, its queue; made when somebody first comes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from jobs.access.caller import Caller
from jobs.access.trail import Trail
from jobs.settings import Settings, UserError
from portal.door import judging, taking
from portal.door.judging import Queue, Worker
from portal.door.lake import Lake
from portal.door.spool import Spool, is_free
from portal.door.store import TAKING, HandIn, OneFile, Store
from portal.door.upload import Spooled

_log = logging.getLogger(__name__)


class Desk:
    """Takes what is handed in. Nothing is made on the disk before the first question."""

    def __init__(self, settings: Settings, trail: Trail) -> None:
        self.settings = settings
        self.folder = settings.home / "door"
        self.lake = Lake(settings)
        self.trail = trail
        # A report that somebody asks for is written by a process of its own: no verdict waits for it.
        self.reporter = Worker(settings.door.verdict_seconds)
        self._lock = threading.Lock()
        self._landing = threading.Lock()
        self._store: Store | None = None
        self._queue: Queue | None = None
        self._spool = Spool(self.folder)

    @property
    def store(self) -> Store:
        """The door's book; whoever opens it first has what waits judged."""
        self.start()
        assert self._store is not None
        return self._store

    def start(self) -> None:
        """Open the door: go on with what an earlier server left."""
        with self._lock:
            if self._store is None:
                self._store = Store(self.folder)
                self._queue = Queue(self.settings, self._store, self.folder, self._recover)

    def close(self) -> None:
        """End what was started."""
        with self._lock:
            if self._queue is not None:
                self._queue.close()
            self.reporter.end()
            self._spool.close()
            self._store = self._queue = None

    def ask(self, what: str, **told: Any) -> Any:
        """What the process for reports answers to a job. Raises DiedError or RuntimeError where it cannot."""
        return self.reporter.ask(judging.job(self.settings, what, **told))

    def open_spool(self) -> AbstractContextManager[Path]:
        """A folder for the files of one request; gone at the end unless they were written down."""
        store = self.store
        return self._spool.folder(lambda: spooled(store))

    def place(self, sender: str, files: Sequence[Spooled], feed: str, dataset: str) -> list[OneFile]:
        """What each file is, or why it is refused."""
        return taking.place(self.settings, self.lake.senders(), sender, files, feed, dataset)

    def take(
        self, caller: Caller, sender: str, placed: list[OneFile], spool: Path, key: str
    ) -> tuple[HandIn, bool]:
        """Write a hand-in down and land it. Returns it, and whether it is new.

        Raises KeyError for a key that was used for other files, OSError or UserError where nothing can be
        written; then nothing was taken.
        """
        made, is_new = taking.written_down(self.settings, self.store, caller, sender, placed, spool, key)
        if made.state == TAKING:
            made = self._landed(made.id)
        return made, is_new

    def _landed(self, hand_in: str) -> HandIn:
        with self._landing:
            made = self.store.get(hand_in)
            if made is not None and made.state == TAKING:
                try:
                    taking.land(self.settings, self.store, made)
                except (OSError, UserError):
                    if not any(file.delivery_id for file in made.files):
                        self.store.given_up(hand_in)
                    raise
        if self._queue is not None:
            self._queue.wake()
        found = self.store.get(hand_in)
        assert found is not None
        return found

    def _recover(self) -> None:
        """Land what a killed server had written down, and forget what it had not."""
        store = self._store
        assert store is not None
        for made in store.interrupted():
            if made.spool and is_free(Path(made.spool).parent):
                try:
                    taking.land(self.settings, store, made)
                except (OSError, UserError):
                    _log.exception("the hand-in %s waits to be landed", made.id)
        self._spool.sweep(lambda: spooled(store))


def spooled(store: Store) -> set[str]:
    """The folders whose files are written down and wait to be landed."""
    return {made.spool for made in store.unlanded() if made.spool}
