"""Sessions of people and families: kept by the server under the hash of a random cookie."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jobs.access import codes
from jobs.access.caller import Caller, Role
from jobs.access.store import Store

IDLE = timedelta(minutes=60)
LONGEST = timedelta(hours=12)
# How often it is noted that a session is in use.
NOTED = timedelta(minutes=1)

SCHEMA = (
    codes.SCHEMA
    + """
create table if not exists session (
    hash text primary key, subject text not null, name text not null, role text not null,
    unit_code text not null, district_code text not null, code_prefix text not null, csrf text not null,
    begun_at text not null, seen_at text not null, ends_at text not null);
"""
)


@dataclass(frozen=True)
class Session:
    """A session that is good: who it is, and the token without which it writes nothing."""

    caller: Caller
    csrf: str
    seen_at: str
    ends_at: str


def begin(store: Store, caller: Caller, former: str = "", now: datetime | None = None) -> str:
    """Begin a session; the former one of the same browser ends. Returns the cookie's text."""
    moment = now or datetime.now(UTC)
    ends = moment + LONGEST
    prefix = caller.subject.removeprefix("code-") if caller.role == Role.FAMILY else ""
    cookie = secrets.token_urlsafe(32)
    with store.has(SCHEMA).writing() as connection:
        over = (_hashed(former), _at(moment))
        connection.execute("delete from session where hash = ? or ends_at < ?", over)
        connection.execute(
            "insert into session values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(_hashed(cookie), caller.subject, caller.name, str(caller.role), caller.unit_code),
                *(caller.district_code, prefix, secrets.token_urlsafe(24), _at(moment), _at(moment)),
                _at(ends),
            ),
        )
    return cookie


def found(store: Store, cookie: str, now: datetime | None = None) -> Session | None:
    """The session of a cookie; None for one that is over or idle, or whose code is."""
    moment = now or datetime.now(UTC)
    row = store.row("select * from session where hash = ?", (_hashed(cookie),))
    if row is None or row["ends_at"] <= _at(moment) or row["seen_at"] <= _at(moment - IDLE):
        return None
    caller = Caller(
        Role(row["role"]),
        row["subject"],
        row["name"],
        row["unit_code"],
        row["district_code"],
        via="session",
    )
    if caller.role == Role.FAMILY:
        code = codes.of(store, row["code_prefix"])
        if code is None or not codes.is_good(code, moment):
            return None
        caller = code.caller
    return Session(caller, row["csrf"], row["seen_at"], row["ends_at"])


def is_there(store: Store, subject: str, now: datetime | None = None) -> bool:
    """Whether a session of a person is not over."""
    over = _at(now or datetime.now(UTC))
    return store.row("select 1 from session where subject = ? and ends_at > ?", (subject, over)) is not None


def seen(store: Store, cookies: Iterable[str], now: datetime | None = None) -> None:
    """Note that sessions are in use."""
    moment = _at(now or datetime.now(UTC))
    with store.writing(is_told=False) as connection:
        connection.executemany(
            "update session set seen_at = ? where hash = ?", [(moment, _hashed(cookie)) for cookie in cookies]
        )


def end(store: Store, cookie: str) -> None:
    """End a session."""
    with store.writing() as connection:
        connection.execute("delete from session where hash = ?", (_hashed(cookie),))


def end_of(store: Store, subject: str) -> int:
    """End all sessions of a person. Returns how many there were."""
    with store.has(SCHEMA).writing() as connection:
        return connection.execute("delete from session where subject = ?", (subject,)).rowcount


def _hashed(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def _at(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
