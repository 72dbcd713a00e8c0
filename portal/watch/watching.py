"""Around every request: it is counted, timed and noted in the access log, by its route, not its address."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portal.library import Library
from portal.watch.figures import Figures
from portal.watch.log import AccessLog

# The route of a request that none of ours takes: its address may be anything.
NO_ROUTE = "(none)"


class Watching:
    """What is watched in one application, and what its other parts want looked after.

    `figures`: gauges and counters. `is_ready`: by name, None or what is wrong. `at_end`: done before the
    process ends, as the last readers are gone.
    """

    def __init__(self, library: Library) -> None:
        self.figures = Figures(library)
        self.is_ready: dict[str, Callable[[], str | None]] = {}
        self.at_end: list[Callable[[], None]] = []
        self._log: AccessLog | None = None

    def log_to(self, log: AccessLog) -> None:
        """Note every request from now on."""
        self._log = log
        self.at_end.append(log.close)
        self.figures.counter("access_log_dropped", "Lines of the access log lost", lambda: log.dropped)

    def end(self) -> None:
        """Do what must be done before the process ends."""
        for act in self.at_end:
            act()

    def note(self, scope: Scope, status: int, size: int, first: float, whole: float) -> None:
        """One request was answered: `first` and `whole` are seconds until its first and its last byte."""
        state = scope["state"]
        route = state.get("route") or getattr(scope.get("route"), "path", NO_ROUTE) or NO_ROUTE
        caller = state.get("caller")
        role = str(caller.role) if caller is not None else ""
        self.figures.count(route, scope["method"], status, role, first)
        if self._log is not None:
            self._log.add(
                {
                    "at": datetime.now(UTC),
                    "method": scope["method"][:10],
                    "route": route,
                    "status": status,
                    "ms": round(first * 1000, 2),
                    "whole_ms": round(whole * 1000, 2),
                    "bytes": size,
                    "role": role,
                    "release": state.get("release"),
                }
            )


class Watch:
    """Hands each request on and notes how it went."""

    def __init__(self, app: ASGIApp, watching: Watching) -> None:
        self._app = app
        self._watching = watching

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})
        begun = time.perf_counter()
        first = 0.0
        status, size = 500, 0

        async def counted(message: Message) -> None:
            nonlocal first, status, size
            if message["type"] == "http.response.start":
                first = time.perf_counter() - begun
                status = message["status"]
                state["release"] = next(
                    (int(v) for name, v in message["headers"] if name == b"x-data-release"), None
                )
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            whole = time.perf_counter() - begun
            self._watching.note(scope, status, size, first or whole, whole)
