"""Connections of the portal's server: a request comes whole and in time, and there are never too many.

uvicorn waits for a request, and for a reader of its answer, as long as they like, and keeps headers of any
length. It takes every connection until the process has no descriptor left: a thousand half-sent requests
stopped the service.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Descriptors that the process needs beside its connections, or takes for a moment.
_OTHERS = 256
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
)
_LATE = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True)
class Bounds:
    """`request_seconds`: until all headers have come, and between two looks at a body that must come with
    `body_rate` bytes a second. `reading_seconds`: until a reader has taken what waits to be sent, some 50 kB.
    `connections`: open at once. `head_bytes`: of one request's address and headers. `requests_ahead`: that
    one connection may send before the first is answered.
    """

    request_seconds: float = 15.0
    reading_seconds: float = 60.0
    connections: int = 512
    head_bytes: int = 64 * 1024
    requests_ahead: int = 64
    body_rate: int = 1024

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


class _RefusedError(Exception):
    """A request that goes beyond a bound."""


class BoundedConnection(HttpToolsProtocol):
    """One connection. A new one beyond the bound takes the place of the one that has waited longest for its
    request; where all are being answered, the new one is told to come again.
    """

    bounds: ClassVar[Bounds] = Bounds()

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._late = _Timer()
        self._stalled = _Timer()
        self._idle_since = time.monotonic()
        self._is_receiving = False
        self._head_bytes = 0
        self._body_bytes = 0
        self._refusal: bytes | None = None

    @property
    def is_answering(self) -> bool:
        """Whether the head of a request has come and its answer is not complete."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def is_waiting(self) -> bool:
        """Whether all or a part of a request must still come."""
        return self._is_receiving or not self.is_answering

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
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_receiving and self._head_bytes > self.bounds.head_bytes:
            self._end(_LONG)

    def on_message_begin(self) -> None:
        """Note that a request is coming."""
        super().on_message_begin()
        self._is_receiving = True

    def on_headers_complete(self) -> None:
        """Begin to answer; a body may still come, and not slower than `body_rate`."""
        head = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if head > self.bounds.head_bytes or len(self.pipeline) >= self.bounds.requests_ahead:
            self._refusal = _LONG
            raise _RefusedError
        self._head_bytes = -sys.maxsize
        self._body_bytes = 0
        super().on_headers_complete()
        self._late.start(self.loop, self.bounds.request_seconds, self._look_at_body)

    def on_body(self, body: bytes) -> None:
        """Count what has come since the clock was looked at."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has come whole: nothing is waited for."""
        super().on_message_complete()
        self._is_receiving = False
        self._head_bytes = 0
        self._late.stop()

    def on_response_complete(self) -> None:
        """Note that the connection is idle, unless its next request has come already."""
        self._idle_since = time.monotonic()
        super().on_response_complete()
        if self._is_receiving and not self.is_answering:
            self._unset_keepalive_if_required()
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """End the connection of a request that cannot be read; never in the middle of another's answer."""
        if self._refusal is not None or (self.is_answering and self.cycle.response_started):
            self._end(self._refusal or b"")
        else:
            super().send_400_response(msg)

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

    def _look_at_body(self) -> None:
        least = self.bounds.body_rate * self.bounds.request_seconds
        if self._body_bytes < least and not self.flow.read_paused:
            self._end(_LATE)
            return
        self._body_bytes = 0
        self._late.start(self.loop, self.bounds.request_seconds, self._look_at_body)

    def _end_late(self) -> None:
        self._end(_LATE)

    def _end(self, told: bytes) -> None:
        if not self.transport.is_closing():
            if not self.is_answering or not self.cycle.response_started:
                self.transport.write(told)
            self.transport.close()

    def _make_room(self) -> None:
        others = (c for c in self.connections if isinstance(c, BoundedConnection) and c is not self)
        idle = [connection for connection in others if connection.is_waiting]
        if idle:
            min(idle, key=lambda connection: connection._idle_since).transport.abort()
        else:
            self.transport.write(_BUSY)
            self.transport.close()
