"""Connections of the portal's server: a request comes whole and in time, and there are never too many.

uvicorn waits for the headers of a request, and for a reader of its answer, as long as they like. It takes
every connection until the process has no descriptor left: a thousand half-sent requests stopped the service.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

# Descriptors that the process needs beside its connections, or takes for a moment.
_OTHERS = 256
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
)
_LATE = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True)
class Bounds:
    """`request_seconds`: until all headers have come. `reading_seconds`: until a reader has taken what waits
    to be sent, some 50 kB. `connections`: open at once.
    """

    request_seconds: float = 15.0
    reading_seconds: float = 60.0
    connections: int = 512

    @property
    def most(self) -> int:
        """The connections that this process can hold, whatever it may open."""
        may_open, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return max(8, min(self.connections, may_open - _OTHERS))


class _Timer:
    """Does something once after a while, unless it is stopped before."""

    def __init__(self) -> None:
        self._handle: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        return self._handle is not None

    def start(self, loop: asyncio.AbstractEventLoop, seconds: float, act: Callable[[], None]) -> None:
        self.stop()
        self._handle = loop.call_later(seconds, self._fire, act)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self, act: Callable[[], None]) -> None:
        self._handle = None
        act()


class BoundedConnection(H11Protocol):
    """One connection. A new one beyond the bound takes the place of the one that has waited longest for its
    request; where all are being answered, the new one is told to come again.
    """

    bounds: ClassVar[Bounds] = Bounds()

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._late = _Timer()
        self._stalled = _Timer()
        self._idle_since = time.monotonic()

    @property
    def is_answering(self) -> bool:
        """Whether a request has come whole and its answer is not."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > self.bounds.most:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request; the time for all of it runs from its first piece."""
        if not self._late.runs and not self.is_answering:
            self._wait()
        super().data_received(data)
        self._stop_waiting_if_answering()

    def on_response_complete(self) -> None:
        """Note that the connection is idle, unless its next request has come already."""
        self._idle_since = time.monotonic()
        super().on_response_complete()
        self._stop_waiting_if_answering()

    def pause_writing(self) -> None:
        """Begin to wait for a reader who has enough to read."""
        super().pause_writing()
        self._stalled.start(self.loop, self.bounds.reading_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the reader has read."""
        self._stalled.stop()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._late.stop()
        self._stalled.stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._idle_since = time.monotonic()
        self._late.start(self.loop, self.bounds.request_seconds, self._end_late)

    def _stop_waiting_if_answering(self) -> None:
        if self.is_answering:
            self._late.stop()

    def _end_late(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_LATE)
            self.transport.close()

    def _make_room(self) -> None:
        others = (c for c in self.connections if isinstance(c, BoundedConnection) and c is not self)
        idle = [connection for connection in others if not connection.is_answering]
        if idle:
            min(idle, key=lambda connection: connection._idle_since).transport.abort()
        else:
            self.transport.write(_BUSY)
            self.transport.close()
