"""One SQLite file of a site for what the portal keeps about callers: keys, codes, sessions.

Whoever keeps something there brings its own tables: `open_store(settings).has(SCHEMA)`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.settings import Settings, writing

_WAIT_SECONDS = 10.0
_REVISION = """
create table if not exists revision (number integer not null);
insert into revision select 0 where not exists (select * from revision);
"""


class Store:
    """The file, with one connection for each thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own = threading.local()
        # Never written by: its `data_version` moves with every commit of any other, in this process or not.
        self._watcher: sqlite3.Connection | None = None
        self._watching = threading.Lock()
        self._seen = -1
        self._revision = -1
        self._schemas: set[str] = set()
        self.has(_REVISION)

    def has(self, schema: str) -> Store:
        """Make tables that are not there yet: `create … if not exists`."""
        if schema not in self._schemas:
            with writing(self.path):
                self._connection().executescript(schema)
            self._schemas.add(schema)
        return self

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        """The rows of a query."""
        return self._connection().execute(query, values).fetchall()

    def row(self, query: str, values: tuple[Any, ...] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        found: sqlite3.Row | None = self._connection().execute(query, values).fetchone()
        return found

    @contextmanager
    def writing(self, *, is_told: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction, on the disk when the block ends; undone when it raises.

        `is_told`: whoever keeps answers in memory forgets them (`revision`).
        """
        connection = self._connection()
        with writing(self.path):
            connection.execute("begin immediate")
            try:
                yield connection
                if is_told:
                    connection.execute("update revision set number = number + 1")
                connection.execute("commit")
            except BaseException:
                connection.execute("rollback")
                raise

    def revision(self) -> int:
        """A number that moves when keys, codes or sessions change, by whatever process. Some microseconds."""
        with self._watching:
            if self._watcher is None:
                self._watcher = _opened(self.path)
            seen = self._watcher.execute("pragma data_version").fetchone()[0]
            if seen != self._seen:
                self._revision = self._watcher.execute("select number from revision").fetchone()[0]
                self._seen = seen
            return self._revision

    def close(self) -> None:
        """Close the connections of this thread."""
        for connection in (getattr(self._own, "connection", None), self._watcher):
            if connection is not None:
                connection.close()
        self._own = threading.local()
        self._watcher, self._seen = None, -1

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = _opened(self.path)
        return connection


def open_store(settings: Settings) -> Store:
    """The store of a site, made where there is none; for its owner alone."""
    folder = settings.home / "access"
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / "access.sqlite"
        path.touch(mode=0o600, exist_ok=True)
        return Store(path)


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    return connection
