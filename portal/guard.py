"""Around every request: which hosts may ask, security headers, and an answer to unexpected errors."""

from __future__ import annotations

import logging
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs import origin
from jobs.access.caller import ANYBODY, Caller
from jobs.access.caller import Scope as Seen
from portal import problems
from portal.access import gate

_log = logging.getLogger(__name__)

_SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline';"
        " img-src 'self' data:; connect-src 'self';"
        " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    # With `no-referrer` a browser would name no origin when a form of ours is sent.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip() != "0"


def _is_over(headers: Headers, most: int) -> bool:
    told = headers.get("content-length", "")
    return told.isdecimal() and int(told) > most


def _counted(receive: Receive, most: int) -> Receive:
    """What comes of a body, ended by a problem as soon as it is more than `most` bytes."""
    left = most

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise problems.ProblemError(
                413, "too-large", "内容过大", f"a request to this address has at most {most} bytes"
            )
        return message

    return counted


def _note_read(scope: Scope, status: int, headers: MutableHeaders) -> None:
    """Put an answer to a caller whom we know into the trail; what the public reads is in the access log."""
    state = scope.get("state", {})
    caller: Caller | None = state.get("caller")
    seen: Seen | None = state.get("scope")
    if caller is None or caller == ANYBODY or (seen is None and status < 400):
        return
    release, route = headers.get("x-data-release", ""), scope.get("route")
    scope["app"].state.trail.read(
        caller,
        getattr(route, "path", "-"),
        method=scope["method"],
        scope=seen,
        release=int(release) if release.isdecimal() else None,
        rows=state.get("rows"),
        outcome=str(status),
    )


class Guard:
    """Refuse foreign hosts, set security headers, and answer an unexpected error with a problem."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_SECURITY_HEADERS)
                headers.setdefault("cache-control", "no-cache")
                if scope["app"].state.library.is_synthetic:
                    headers[origin.HEADER] = "true"
                _note_read(scope, message["status"], headers)
                started = True
            await send(message)

        host = re.sub(r":\d+$", "", Headers(scope=scope).get("host", ""))
        if host not in self._hosts:
            refusal = problems.answer(
                scope,
                421,
                "wrong-host",
                "请用本机地址访问",
                f"served for {', '.join(self._hosts)} only",
            )
            await refusal(scope, receive, guarded)
            return
        if _has_body(Headers(scope=scope)):
            most = gate.most_bytes(scope)
            if not most:
                told = "no-body", "请求不应带有内容", "nothing here takes a body"
            else:
                told = "too-large", "内容过大", f"a request to this address has at most {most} bytes"
            if not most or _is_over(Headers(scope=scope), most):
                refusal = problems.answer(scope, 413, *told)
                refusal.headers["connection"] = "close"
                await refusal(scope, receive, guarded)
                return
            receive = _counted(receive, most)
        try:
            await self._app(scope, receive, guarded)
        except Exception:
            if started:
                raise
            _log.exception("%s %s failed", scope["method"], scope["path"])
            surprise = problems.answer(scope, 500, "internal", "服务内部出错", "see the server's log")
            await surprise(scope, receive, guarded)
