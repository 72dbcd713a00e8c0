"""A bound on the time that DuckDB works for a question; the portal and SQL of people share it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb


class Clock:
    """The time that the engine has worked for a question; interrupts it when that is used up.

    A reader that takes its rows slowly, such as a pager, uses up nothing. While the engine plans a query it
    hears no interrupt: `unheard` is called after `grace` more seconds, if it is given.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        seconds: float,
        unheard: Callable[[], None] | None = None,
        grace: float = 0,
    ) -> None:
        self._connection = connection
        self._left = seconds
        self._unheard = unheard
        self._grace = grace

    @contextmanager
    def running(self) -> Iterator[None]:
        begun = time.monotonic()
        is_done = threading.Event()
        guard = threading.Thread(target=self._interrupt_unless, args=(is_done,), daemon=True)
        guard.start()
        try:
            yield
        finally:
            is_done.set()
            guard.join()
            self._left -= time.monotonic() - begun

    def _interrupt_unless(self, is_done: threading.Event) -> None:
        wait = max(0.0, self._left)
        last = time.monotonic() + wait + self._grace
        while not is_done.wait(wait):
            self._connection.interrupt()
            if self._unheard and time.monotonic() > last:
                self._unheard()
            # Between two queries an interrupt is lost, so there is another one.
            wait = 0.05
