"""Webhooks, sent to a real receiver: signed, again until taken, and never where nothing may be sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jobs.publish import webhooks
from jobs.publish.release import Release
from jobs.settings import Settings, UserError
from portal.watch.telling import Telling


class Receiver:
    """What came, and the statuses with which it is answered, one after the other; 0 hangs up."""

    def __init__(self) -> None:
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.came.append(({k.lower(): v for k, v in self.headers.items()}, body))
                status = outer.answers.pop(0) if outer.answers else 204
                if not status:
                    self.connection.close()
                    return
                self.send_response(status)
                self.send_header("location", outer.url + "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *told: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()


def is_signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As the text of Standard Webhooks says a receiver checks it."""
    key = base64.b64decode(secret.split("_")[1])
    told = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    made = base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return headers["webhook-signature"] == f"v1,{made}" and fresh


def test_a_receiver_that_fails_twice_is_told_in_the_end(
    settings: Settings, publish: Callable[..., Release], receiver: Receiver
) -> None:
    publish(1)
    hook, secret = webhooks.add(settings, receiver.url, ("release.published",), "test")
    store = webhooks.opened(settings)
    assert webhooks.collect(settings, store) == 0, "what was before is not told"
    publish(2)
    assert webhooks.collect(settings, store) == 1
    assert webhooks.collect(settings, store) == 0, "once"
    receiver.answers = [500, 0, 200]
    at = time.time()
    assert webhooks.send(store, lambda: at)["put off"] == 1
    assert webhooks.send(store, lambda: at + 4)["put off"] == 0, "not before its time"
    assert webhooks.send(store, lambda: at + 6)["put off"] == 1
    assert webhooks.waiting(store) == 1
    assert webhooks.send(store, lambda: at + 1000)["taken"] == 1
    assert webhooks.send(store, lambda: at + 10**6) == {"taken": 0, "put off": 0, "given up": 0}
    assert len(receiver.came) == 3
    assert len({headers["webhook-id"] for headers, _ in receiver.came}) == 1
    for headers, body in receiver.came:
        assert is_signed(secret, headers, body)
        assert not is_signed(secret, headers, body + b" ")
    told = json.loads(receiver.came[-1][1])
    assert (told["type"], told["data"]["release"]) == ("release.published", 2)
    assert webhooks.listed(store)[0].id == hook.id


def test_a_sender_that_was_killed_in_between_sends_again(
    settings: Settings, publish: Callable[..., Release], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhooks.add(settings, receiver.url, (), "test")
    publish(1)
    store = webhooks.opened(settings)
    webhooks.collect(settings, store)
    count = webhooks.waiting(store)
    post = webhooks._post

    def killed(*given: str) -> tuple[bool, str]:
        post(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(webhooks, "_post", killed)
    with pytest.raises(KeyboardInterrupt):
        webhooks.send(store)
    monkeypatch.undo()
    assert webhooks.waiting(store) == count, "nothing is lost"
    webhooks.send(store, lambda: time.time() + 61)
    ids = [headers["webhook-id"] for headers, _ in receiver.came]
    assert (len(ids), len(set(ids))) == (count + 1, count), "the one that was not noted came twice"


def test_it_is_given_up_after_days_and_sent_again_when_asked(
    settings: Settings, publish: Callable[..., Release], receiver: Receiver
) -> None:
    webhooks.add(settings, receiver.url, ("release.published",), "test")
    publish(1)
    store = webhooks.opened(settings)
    webhooks.collect(settings, store)
    receiver.answers = [302] * 10
    at = time.time()
    for _ in range(10):
        told = webhooks.send(store, lambda at=at: at)
        at += 86_401
    assert told["given up"] == 1
    assert len(receiver.came) == 10, "a redirect is not followed"
    assert webhooks.listed(store)[0].given_up == 1
    assert webhooks.again(store) == 1
    assert webhooks.send(store)["taken"] == 1


def test_a_subscription_can_be_tried_and_ended(settings: Settings, receiver: Receiver) -> None:
    hook, secret = webhooks.add(settings, receiver.url, (), "test")
    store = webhooks.opened(settings)
    assert webhooks.send_test(store, hook.id) == "HTTP 204"
    assert is_signed(secret, *receiver.came[0])
    webhooks.remove(store, hook.id)
    assert webhooks.listed(store) == []
    with pytest.raises(UserError, match="no webhook"):
        webhooks.remove(store, hook.id)


def test_due_dates_are_told_once(
    settings: Settings, publish: Callable[..., Release], receiver: Receiver
) -> None:
    publish(1)
    near = [subject for kind, subject, _ in webhooks._happened(settings) if kind == webhooks.NEAR]
    assert len(near) == len({*near})
    for _, _, told in webhooks._happened(settings):
        assert "2026-09-10" <= str(told.get("due_date", "2026-09-10")) <= "2026-09-17"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/x",
        "ftp://127.0.0.1/x",
        "https://user:pass@hooks.example/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:169.254.169.254]/",
        "https://[fe80::1]/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://127.0.0.2/",
        "https:///x",
        "/x",
    ],
)
def test_nothing_is_sent_where_it_may_not_go(settings: Settings, url: str) -> None:
    with pytest.raises(UserError):
        webhooks.add(settings, url, (), "test")


def test_the_server_tells_by_itself(
    settings: Settings, publish: Callable[..., Release], receiver: Receiver
) -> None:
    webhooks.add(settings, receiver.url, ("release.published",), "test")
    publish(1)
    telling = Telling(settings, every=0.01)
    try:
        for _ in range(1000):
            if receiver.came:
                break
            threading.Event().wait(0.01)
    finally:
        telling.end()
    assert json.loads(receiver.came[0][1])["data"]["release"] == 1
    assert telling.waiting() == 0
