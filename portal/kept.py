"""Answers to the public that were given before, sent again before any route is looked for.

An answer from a release is exact for as long as that release is served. Only whole answers are kept that were
made for somebody without key and cookie, from the current public file alone. A request that carries any
header which could change the answer, and is not part of the key, goes the long way.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.access.caller import ANYBODY, PUBLIC
from portal.library import Library
from portal.snapshot import Snapshot

_MOST_BYTES = 64 * 1024**2
_MOST_OF_ONE = 1024**2
# What an answer may depend on, and what it does not. Any other header goes the long way.
_IN_KEY = (b"host", b"accept", b"accept-encoding", b"accept-language")
_WITHOUT_EFFECT = frozenset(
    b"connection user-agent referer origin dnt pragma cache-control te priority upgrade-insecure-requests"
    b" sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-ch-ua sec-ch-ua-mobile sec-gpc"
    b" sec-ch-ua-platform x-forwarded-for x-forwarded-proto x-forwarded-host x-real-ip forwarded via"
    b" x-request-id traceparent tracestate".split()
)
# Of a 304 these say nothing.
_NO_BODY: Message = {"type": "http.response.body", "body": b""}
_OF_A_BODY = (b"content-length", b"content-type", b"content-encoding")


@dataclass(frozen=True)
class _Answer:
    snapshot: Snapshot
    route: str
    start: Message
    unchanged: Message
    body: Message
    size: int
    etag: bytes


def may_keep(scope: Scope, snapshot: Snapshot) -> None:
    """Say of a request that its answer depends on nothing but its address, its headers and this release."""
    scope["state"]["made_from"] = snapshot


class Kept:
    """Sends what is kept; hands every other request on, and keeps what it may of the answers."""

    def __init__(self, app: ASGIApp, library: Library) -> None:
        self._app = app
        self._library = library
        self._answers: OrderedDict[tuple[bytes, ...], _Answer] = OrderedDict()
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        key, known = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        answer = self._answers.get(key)
        if answer is not None and self._library.shelf(PUBLIC).unchanged() is answer.snapshot:
            self._library.replies.hits += 1
            self._answers.move_to_end(key)
            scope["state"] |= {"route": answer.route, "caller": ANYBODY}
            is_known = _is_known(known, answer.etag)
            await send(answer.unchanged if is_known else answer.start)
            await send(_NO_BODY if is_known or scope["method"] == "HEAD" else answer.body)
            return
        await self._ask(key, scope, receive, send)

    async def _ask(self, key: tuple[bytes, ...], scope: Scope, receive: Receive, send: Send) -> None:
        started: Message | None = None

        async def keeping(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = message
            elif started is not None and not message.get("more_body"):
                self._keep(key, scope, started, message)
                started = None
            else:
                started = None  # an answer in pieces is sent and not kept
            await send(message)

        await self._app(scope, receive, keeping)

    def _keep(self, key: tuple[bytes, ...], scope: Scope, start: Message, body: Message) -> None:
        state: dict[str, Any] = scope["state"]
        snapshot = state.get("made_from")
        size = len(body.get("body", b""))
        headers = dict(start["headers"])
        if (
            snapshot is None
            or scope["method"] != "GET"
            or start["status"] != 200
            or state.get("caller") != ANYBODY
            or b"set-cookie" in headers
            or b"etag" not in headers
            or size > _MOST_OF_ONE
            or self._library.shelf(PUBLIC).unchanged() is not snapshot
        ):
            return
        told = [(name, value) for name, value in start["headers"] if name not in _OF_A_BODY]
        route = getattr(scope.get("route"), "path", "")
        unchanged = {**start, "status": 304, "headers": told}
        self._forget(key)
        self._answers[key] = _Answer(snapshot, route, start, unchanged, body, size, headers[b"etag"])
        self._bytes += size + 2000
        while self._bytes > _MOST_BYTES:
            self._forget(next(iter(self._answers)))

    def _forget(self, key: tuple[bytes, ...]) -> None:
        if (old := self._answers.pop(key, None)) is not None:
            self._bytes -= old.size + 2000


def _key(scope: Scope) -> tuple[tuple[bytes, ...] | None, bytes]:
    """What names an answer, or None for a request that goes the long way; and the tags its reader has."""
    found = [scope["raw_path"], scope["query_string"], b"", b"", b"", b""]
    known = b""
    for name, value in scope["headers"]:
        if name in _WITHOUT_EFFECT:
            continue
        if name == b"if-none-match":
            known = value
        elif name in _IN_KEY:
            found[2 + _IN_KEY.index(name)] += value + b"\n"
        else:
            return None, known
    return tuple(found), known


def _is_known(known: bytes, etag: bytes) -> bool:
    return bool(known) and (
        b"*" in known
        or etag.removeprefix(b"W/") in (t.strip().removeprefix(b"W/") for t in known.split(b","))
    )
