"""Who asks: by a session's cookie, a machine's key, or nobody; kept in memory until anything changes."""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from types import MappingProxyType
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from jobs.access import keys, sessions
from jobs.access.caller import ANYBODY, Caller
from jobs.access.store import Store, open_store
from jobs.settings import Settings
from portal.access.barred import BarredError
from portal.access.limits import Limits
from portal.problems import ProblemError
from portal.replies import API

_log = logging.getLogger(__name__)
CSRF_HEADER = "x-csrf-token"
# Forms of our own pages, which carry the session's token in a field, or need none.
FORMS = frozenset({"/sign-out", "/sign-in/code", "/sign-in/demonstration"})
# Questions that are too long for an address: answered and not kept.
COMPUTED = ("/places/scenarios/run", "/places/scenarios/mix")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_KEPT = 20_000
# A person's browser asks a dozen questions for a page; a script that runs wild asks more than a core answers.
_SESSION = (400.0, 800.0)
_ADDRESS = (200.0, 400.0)
# Guesses of keys and sessions from one address.
_GUESSES = (1.0, 60.0)


@dataclass
class _Known:
    """Somebody who was found: until when he is good, how often he may ask, and what his writes must carry."""

    caller: Caller
    ends_at: float
    per_second: float
    burst: float
    csrf: str = ""
    seen_at: float = 0.0


class SiteKeeper:
    """The keeper of a site. Raises ProblemError 401 for a key or session that is not good, 403 for a write
    that another page may have sent or that the key may not do, 429 for who asks too often.
    """

    def __init__(self, settings: Settings, store: Store | None = None) -> None:
        self.store = store or open_store(settings)
        self.store.has(keys.SCHEMA).has(sessions.SCHEMA)
        self.cookie = f"edulake_{settings.site}"
        self.csrf_header = CSRF_HEADER
        self.limits = Limits()
        self._known: dict[str, _Known] = {}
        self._revision = -1
        # Cookies of sessions whose use is to be noted, and whether somebody is at it.
        self._used: set[str] = set()
        self._is_noting = False
        self._noting = threading.Lock()

    def caller(self, asked: HTTPConnection) -> Caller:
        """Who asks, limited to his rate. Without key and cookie he is the public."""
        path = asked.scope["path"]
        try:
            known = self._sent(asked)
        except BarredError as error:
            # Who opens a page with a session that is over is the public there, and can sign in again.
            if error.status != 401 or path.startswith(API) or asked.headers.get("authorization"):
                raise
            known = None
        if known is None:
            self._limit_address(asked)
            return ANYBODY
        self.limits.ask(known.caller.subject, known.per_second, known.burst)
        method = asked.scope.get("method", "GET")
        if known.caller.via == "key":
            _check_ability(known.caller, method, path)
        elif method not in _SAFE and path not in FORMS:
            self._check_own_page(asked, known)
        return known.caller

    def knows(self, subject: str) -> bool:
        """Whether a key or a session of this subject is still good."""
        if subject.startswith("key-"):
            return keys.is_good(self.store, subject.removeprefix("key-"))
        return sessions.is_there(self.store, subject)

    def csrf(self, asked: HTTPConnection) -> str:
        """What a write of this session must carry; empty for who has none."""
        known = self._sent(asked)
        return known.csrf if known else ""

    def cookie_of(self, asked: HTTPConnection) -> str:
        """The session's cookie as it was sent."""
        return asked.cookies.get(self.cookie, "")

    def is_good(self, asked: HTTPConnection) -> bool:
        """Whether a request with this cookie would be taken for somebody's."""
        try:
            return self._sent(asked) is not None
        except ProblemError:
            return False

    def _sent(self, asked: HTTPConnection) -> _Known | None:
        sent = asked.headers.get("authorization", "")
        if not sent:
            cookie = self.cookie_of(asked)
            return self._find(asked, "session", cookie) if cookie else None
        scheme, _, key = sent.partition(" ")
        if scheme.lower() != "bearer":
            raise _not_good("send `Authorization: Bearer <key>`")
        return self._find(asked, "key", key.strip())

    def _find(self, asked: HTTPConnection, kind: str, text: str) -> _Known:
        revision = self.store.revision()
        if revision != self._revision or len(self._known) > _MOST_KEPT:
            self._known, self._revision = {}, revision
        now = datetime.now(UTC).timestamp()
        known = self._known.get(text)
        if known is None or known.ends_at <= now or now - known.seen_at > sessions.NOTED.total_seconds():
            known = self._looked_up(kind, text, now)
            if known is None:
                self.limits.ask(f"guess {address(asked)}", *_GUESSES)
                if kind == "key":
                    raise _not_good("the key is not good")
                forget = f"{self.cookie}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
                raise _not_good("the session is over", {"set-cookie": forget})
            self._known[text] = known
        return known

    def _looked_up(self, kind: str, text: str, now: float) -> _Known | None:
        if kind == "key":
            key = keys.found(self.store, text)
            if key is None:
                return None
            ends = datetime.fromisoformat(key.ends_at).timestamp()
            return _Known(key.caller, ends, key.per_minute / 60, max(1.0, key.per_minute / 6), seen_at=ends)
        session = sessions.found(self.store, text)
        if session is None:
            return None
        if now - datetime.fromisoformat(session.seen_at).timestamp() > sessions.NOTED.total_seconds():
            self._note(text)
        ends = datetime.fromisoformat(session.ends_at).timestamp()
        return _Known(session.caller, ends, *_SESSION, session.csrf, now)

    def _note(self, cookie: str) -> None:
        # A commit takes milliseconds: nobody who asks waits for it, and those of one moment share it.
        with self._noting:
            self._used.add(cookie)
            if self._is_noting:
                return
            self._is_noting = True
        threading.Thread(target=self._write_notes, daemon=True).start()

    def _write_notes(self) -> None:
        while True:
            with self._noting:
                used, self._used = self._used, set()
                if not used:
                    self._is_noting = False
                    return
            try:
                sessions.seen(self.store, used)
            except Exception:
                _log.exception("that sessions are in use could not be noted")

    def _limit_address(self, asked: HTTPConnection) -> None:
        of = address(asked)
        # This machine itself, or a proxy on it that does not say for whom it asks.
        if of and not _is_here(of):
            self.limits.ask(f"address {of}", *_ADDRESS)

    def _check_own_page(self, asked: HTTPConnection, known: _Known) -> None:
        """A write by cookie must come from a page of ours: it knows the session's token."""
        check_origin(asked)
        if not hmac.compare_digest(asked.headers.get(CSRF_HEADER, "").encode(), known.csrf.encode()):
            raise ProblemError(
                403, "csrf-token-needed", "请刷新页面后重试", f"send the session's token as `{CSRF_HEADER}`"
            )


def check_origin(asked: HTTPConnection) -> None:
    """Raises ProblemError for a request that a browser sends for a page of another address."""
    origin = asked.headers.get("origin")
    site = asked.headers.get("sec-fetch-site", "same-origin")
    if (origin is not None and urlsplit(origin).netloc != asked.headers.get("host")) or site == "cross-site":
        raise ProblemError(403, "foreign-origin", "请求来自其他网站，已拒绝", "it is another site's")


def address(asked: HTTPConnection) -> str:
    """The address that asks."""
    return asked.client.host if asked.client else ""


def _is_here(of: str) -> bool:
    try:
        return ip_address(of).is_loopback
    except ValueError:
        return True  # no address of a network: a socket of this machine


def _check_ability(caller: Caller, method: str, path: str) -> None:
    needed = _ability(method, path)
    if needed not in (caller.abilities or ()):
        raise ProblemError(403, "not-for-this-key", "该密钥无此权限", f"the key lacks the ability `{needed}`")


def _ability(method: str, path: str) -> str:
    """What a key must be able to, to ask this."""
    if "/delta-sharing/" in path:
        return "share"
    if path == "/metrics":
        return "metrics"
    if method in _SAFE or path.endswith(COMPUTED):
        return "read"
    return "hand-in" if "/deliveries" in path else "write"


def _not_good(detail: str, more: Mapping[str, str] = MappingProxyType({})) -> BarredError:
    return BarredError(
        401,
        "not-signed-in",
        "登录已失效，请重新登录",
        detail,
        headers={"www-authenticate": "Bearer", **more},
    )
