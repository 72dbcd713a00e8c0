"""Webhooks: other systems are told of a new release, of a due date that is near, and of senders who are late.

    what is so (release, calendar) -> webhook_event, once each -> webhook_delivery, one a subscription
        -> POST, signed (Standard Webhooks), again after a while until it is taken

What happened is found by looking, not told by whoever made it: a kill loses nothing. Events and deliveries
are rows of the site's store; one that was begun and not noted is sent again, under the same `webhook-id`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import duckdb
import httpx

from jobs import clock
from jobs.access.store import Store, open_store
from jobs.declare import reporting
from jobs.publish import release as releases
from jobs.publish import signing
from jobs.settings import Settings, UserError

RELEASE, NEAR, LATE, TEST = "release.published", "due.near", "due.late", "test"
KINDS = (RELEASE, NEAR, LATE)
NEAR_DAYS = 7
# Seconds until the next try, after each that failed; then it is given up.
WAITS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
_LEASE_SECONDS = 60
_SECONDS = 15.0
_LOCAL = ("127.0.0.1", "localhost", "::1")
SCHEMA = """
create table if not exists webhook (
    id text primary key, url text not null, secret text not null, kinds text not null,
    made_by text not null, made_at text not null, ended_at text);
create table if not exists webhook_event (
    id text primary key, kind text not null, subject text not null, at text not null, body text not null,
    unique (kind, subject));
create table if not exists webhook_delivery (
    event_id text not null, webhook_id text not null, tries integer not null default 0,
    next_at real not null, ended text, told text not null default '', primary key (event_id, webhook_id));
"""


@dataclass(frozen=True)
class Webhook:
    """A subscription."""

    id: str
    url: str
    kinds: tuple[str, ...]
    made_by: str
    made_at: str
    waiting: int = 0
    given_up: int = 0


def opened(settings: Settings) -> Store:
    """The site's store with the tables of webhooks."""
    return open_store(settings).has(SCHEMA)


def add(settings: Settings, url: str, kinds: tuple[str, ...], by: str) -> tuple[Webhook, str]:
    """A new subscription and its secret, which its receiver needs to know our signature. It is told of what
    happens from now on. Raises UserError for an address that nothing may be sent to.
    """
    check_address(url)
    if unknown := sorted({*kinds} - {*KINDS}):
        raise UserError(f"there is no event {', '.join(unknown)}.", f"Known: {', '.join(KINDS)}.")
    store = opened(settings)
    collect(settings, store)
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    made = Webhook(secrets.token_hex(4), url, kinds or KINDS, by, datetime.now(UTC).isoformat("T", "seconds"))
    with store.writing(is_told=False) as connection:
        values = (made.id, url, secret, " ".join(made.kinds), by, made.made_at)
        connection.execute("insert into webhook values (?, ?, ?, ?, ?, ?, null)", values)
    return made, secret


def listed(store: Store) -> list[Webhook]:
    """The subscriptions that are on, with what waits for each and what was given up."""
    query = """
        select w.*, count(d.event_id) filter (where d.ended is null) as waiting,
            count(d.event_id) filter (where d.ended = 'given up') as given_up
        from webhook as w left join webhook_delivery as d on d.webhook_id = w.id
        where w.ended_at is null group by w.id order by w.made_at, w.id
    """
    return [
        Webhook(
            *(row["id"], row["url"], tuple(row["kinds"].split()), row["made_by"], row["made_at"]),
            *(row["waiting"], row["given_up"]),
        )
        for row in store.rows(query)
    ]


def remove(store: Store, id: str) -> None:
    """End a subscription; what waits for it is not sent. Raises UserError for one that is not there."""
    _known(store, id)
    with store.writing(is_told=False) as connection:
        now = datetime.now(UTC).isoformat("T", "seconds")
        connection.execute("update webhook set ended_at = ? where id = ?", (now, id))
        connection.execute(
            "update webhook_delivery set ended = 'removed' where webhook_id = ? and ended is null", (id,)
        )


def send_test(store: Store, id: str) -> str:
    """Send a test to a subscription, once. How it was answered."""
    row = _known(store, id)
    body = _body(TEST, datetime.now(UTC), {"webhook": id})
    return _post(row["url"], row["secret"], f"evt_{secrets.token_hex(8)}", body)[1]


def again(store: Store) -> int:
    """Send once more what was given up. How many."""
    with store.writing(is_told=False) as connection:
        return connection.execute(
            "update webhook_delivery set ended = null, tries = 0, next_at = 0 where ended = 'given up'"
        ).rowcount


def waiting(store: Store) -> int:
    """How many deliveries wait."""
    row = store.row("select count(*) from webhook_delivery where ended is null")
    return int(row[0]) if row else 0


def _known(store: Store, id: str) -> Any:
    row = store.row("select * from webhook where id = ? and ended_at is null", (id,))
    if row is None:
        raise UserError(f"there is no webhook {id}.", "`./edulake webhook list` shows them.")
    return row


def collect(settings: Settings, store: Store) -> int:
    """Note what has happened since somebody looked, for all who want to know. How many events are new."""
    made = 0
    for kind, subject, told in _happened(settings):
        if store.row("select 1 from webhook_event where kind = ? and subject = ?", (kind, subject)):
            continue
        now = datetime.now(UTC)
        event = f"evt_{secrets.token_hex(12)}"
        with store.writing(is_told=False) as connection:
            fresh = connection.execute(
                "insert or ignore into webhook_event values (?, ?, ?, ?, ?)",
                (event, kind, subject, now.isoformat("T", "seconds"), _body(kind, now, told)),
            ).rowcount
            if fresh:
                connection.execute(
                    "insert into webhook_delivery (event_id, webhook_id, next_at)"
                    " select ?, id, 0 from webhook where ended_at is null and ' ' || kinds || ' ' like ?",
                    (event, f"% {kind} %"),
                )
        made += fresh
    return made


def _happened(settings: Settings) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(kind, what it is about, what is told) of all that is so now."""
    release = releases.current(settings)
    if release is None:
        return
    manifest = release.manifest
    told = {name: manifest[name] for name in ("release", "as_of_date", "published_at")}
    yield RELEASE, str(release.number), {"site": settings.site, "synthetic": release.is_synthetic, **told}
    day = releases.published_day(settings) if settings.is_synthetic else clock.today(settings.timezone)
    yield from _near(settings, day)
    try:
        late = signing.rows(settings, late=True)
    except (UserError, duckdb.Error):
        return
    counts = Counter((row["dataset"], row["period"], row["due_date"]) for row in late)
    for (dataset, period, due), senders in counts.items():
        about = {"dataset": dataset, "period": period, "due_date": str(due), "late_senders": senders}
        yield LATE, f"{dataset} {period} {due}", {"site": settings.site, **about, "release": release.number}


def _near(settings: Settings, day: date) -> Iterator[tuple[str, str, dict[str, Any]]]:
    owed = reporting.load(settings.jurisdictions)
    until = day + timedelta(days=NEAR_DAYS)
    for one in reporting.periods(owed, reporting.days_of(settings.calendar), until):
        if day <= one.due <= until:
            about = {"dataset": one.dataset, "period": one.period, "senders": one.senders}
            told = {"site": settings.site, **about, "due_date": one.due.isoformat()}
            yield NEAR, f"{one.dataset} {one.senders} {one.period} {one.due}", told


def _body(kind: str, at: datetime, told: dict[str, Any]) -> str:
    return json.dumps({"type": kind, "timestamp": at.isoformat("T", "seconds"), "data": told})


def send(store: Store, now: Callable[[], float] = time.time) -> dict[str, int]:
    """Send what is due. How many were taken, put off, and given up."""
    told = {"taken": 0, "put off": 0, "given up": 0}
    due = store.rows(
        "select d.*, e.body, w.url, w.secret from webhook_delivery as d"
        " join webhook_event as e on e.id = d.event_id join webhook as w on w.id = d.webhook_id"
        " where d.ended is null and d.next_at <= ? order by e.at, e.id",
        (now(),),
    )
    for row in due:
        key = (row["event_id"], row["webhook_id"])
        with store.writing(is_told=False) as connection:
            # Another sender of this site leaves it alone meanwhile.
            claimed = connection.execute(
                "update webhook_delivery set next_at = ? where event_id = ? and webhook_id = ?"
                " and ended is null and next_at = ?",
                (now() + _LEASE_SECONDS, *key, row["next_at"]),
            ).rowcount
        if not claimed:
            continue
        is_taken, answer = _post(row["url"], row["secret"], row["event_id"], row["body"])
        tries = row["tries"] + 1
        ended = "taken" if is_taken else "given up" if tries > len(WAITS) else None
        wait = 0 if ended else WAITS[tries - 1]
        with store.writing(is_told=False) as connection:
            connection.execute(
                "update webhook_delivery set tries = ?, ended = ?, told = ?, next_at = ?"
                " where event_id = ? and webhook_id = ? and ended is null",
                (tries, ended, answer, now() + wait, *key),
            )
        told[ended or "put off"] += 1
    return told


def signature(secret: str, id: str, at: int, body: str) -> str:
    """The signature of a message, as Standard Webhooks has it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{id}.{at}.{body}".encode(), hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def _post(url: str, secret: str, id: str, body: str) -> tuple[bool, str]:
    """Whether a message was taken, and how it was answered. What is answered is not read."""
    at = int(time.time())
    headers = {
        "content-type": "application/json",
        "user-agent": "edulake-webhooks/1",
        "webhook-id": id,
        "webhook-timestamp": str(at),
        "webhook-signature": signature(secret, id, at, body),
    }
    try:
        check_address(url)
        with (
            httpx.Client(timeout=_SECONDS, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", url, content=body.encode(), headers=headers) as answer,
        ):
            return answer.is_success, f"HTTP {answer.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UserError) as error:
        return False, error.message if isinstance(error, UserError) else type(error).__name__


def check_address(url: str) -> None:
    """Refuse an address that is not https (http on this machine), has a password, or leads to this network's
    own machinery: unspecified, multicast and link-local addresses, and, by https, this machine.
    """
    parts = urlsplit(url)
    is_local = parts.hostname in _LOCAL
    way_out = "Give an https address, such as https://hooks.example/edulake."
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        raise UserError("a webhook is sent by https only, or to this machine.", way_out)
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        raise UserError("the address has no host, or a password or fragment.", way_out)
    if is_local:
        return
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UserError(f"the host {parts.hostname} is not known.", way_out) from error
    for _, _, _, _, place in found:
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or address
        if mapped.is_loopback or mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified:
            raise UserError(f"{parts.hostname} leads to {mapped}, where nothing is sent.", way_out)
