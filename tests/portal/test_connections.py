"""The portal's server under sockets that misbehave: others are answered, and a cut file never looks whole."""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import duckdb
import httpx
import pytest
import uvicorn

from jobs import settings as site_settings
from jobs.access.caller import Caller, Role
from jobs.publish import publication
from jobs.publish import release as releases
from jobs.publish.published_models import Model
from jobs.publish.release import CITY
from jobs.settings import ROOT, Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app
from portal.connections import BoundedConnection, Bounds
from portal.downloads import Downloads
from portal.serve import configured
from portal.snapshot import Snapshot

HALF = b"GET /api/v1/cards HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: "
WHOLE = b"GET /api/v1/healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
ROWS = 120_000
LARGE = "/api/v1/tables/fct_large"
OFFICIAL = Caller(Role.CITY, "official")
SERVE = """
import sys
from jobs import settings
from portal.serve import serve

serve(settings.load("beijing", sys.argv[1]), 0)
"""


def publish_large(settings: Settings) -> None:
    """A release with three tables of some megabytes each."""
    settings.home.parent.mkdir(parents=True, exist_ok=True)
    build = settings.home.parent / "large.duckdb"
    with duckdb.connect(str(build)) as con:
        for number in range(3):
            con.execute(
                f"create table fct_large_{number} as"
                f" select i as n, md5(i::varchar) as a, md5((i * 7)::varchar) as b from range({ROWS}) t(i)"
            )
    models = {f"fct_large_{number}": Model(f"fct_large_{number}", CITY) for number in range(3)}
    publication.publish(
        settings, "r.1", build, models, {}, as_of_date="2026-09-10", known_at="2026-09-10", code_version="1"
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A site with large tables, for tests that only read."""
    settings = site_settings.load("beijing", tmp_path_factory.mktemp("large") / "home")
    publish_large(settings)
    return settings


@contextmanager
def serving(
    app: object, bounds: Bounds = BoundedConnection.bounds, servers: list[uvicorn.Server] | None = None
) -> Iterator[int]:
    """The port of the application; its server is put into `servers`."""
    connection = type("Bounded", (BoundedConnection,), {"bounds": bounds})
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(configured(app, connection))  # type: ignore[arg-type]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            if servers is not None:
                servers.append(server)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def opened(port: int, sent: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(sent)
    return connection


def slow(port: int, path: str) -> socket.socket:
    """Asks for a file, and takes next to nothing of it into its own memory."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", port))
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n".encode())
    return connection


def received(connection: socket.socket) -> bytes:
    """All that comes until the other side ends."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            got += piece
    return got


def test_1200_half_sent_requests_do_not_stop_the_service(published: Settings) -> None:
    """The server may open 1,024 descriptors, as is usual."""
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip(f"NOT RUN: this machine lets a process open {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    command = f'ulimit -n 1024; exec "{sys.executable}" -c "$0" "$1"'
    server = subprocess.Popen(
        ["sh", "-c", command, SERVE, str(published.home.parent)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[0]
        port = int(address.rstrip("/").rsplit(":", 1)[1])
        with ExitStack() as held:
            for _ in range(1200):
                held.enter_context(opened(port, HALF))
            for path in ("", "api/v1/tables", "api/v1/tables/fct_place_outlook?format=csv"):
                assert httpx.get(address + path, timeout=60).status_code == 200, path
    finally:
        server.kill()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@pytest.mark.parametrize(
    "sent", [b"", b"GET", HALF, WHOLE + HALF], ids=["nothing", "a word", "half", "second"]
)
def test_a_request_that_does_not_come_whole_is_ended(published: Settings, sent: bytes) -> None:
    with (
        serving(create_app(published, EverybodyIs(OFFICIAL)), Bounds(request_seconds=0.2)) as port,
        opened(port, sent) as connection,
    ):
        told = received(connection)
        assert told.startswith(b"HTTP/1.1 200") == sent.startswith(WHOLE)
        assert told.endswith(b"content-length: 0\r\n\r\n") or sent.startswith(WHOLE)


def test_a_request_that_trickles_is_ended_too(published: Settings) -> None:
    with (
        serving(create_app(published, EverybodyIs(OFFICIAL)), Bounds(request_seconds=0.3)) as port,
        opened(port, HALF) as connection,
    ):
        with contextlib.suppress(ConnectionError):
            for _ in range(10_000):
                if select.select([connection], [], [], 0.01)[0]:
                    break
                connection.sendall(b"x")
            else:
                pytest.fail("it is served for as long as it trickles")
        assert b" 200 " not in received(connection)


@pytest.mark.parametrize("piece", [b"x" * 300_000, b"\r\ny: 1" * 60_000], ids=["one header", "many headers"])
@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"], ids=["half", "whole"])
def test_headers_without_end_are_refused(published: Settings, piece: bytes, end: bytes) -> None:
    with serving(create_app(published)) as port, opened(port, HALF) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(piece + end)
        assert b" 200 " not in received(connection)
        with opened(port, WHOLE) as other:
            assert other.recv(100).startswith(b"HTTP/1.1 200")


def test_a_thousand_requests_ahead_are_too_many(published: Settings) -> None:
    with serving(create_app(published)) as port:
        with opened(port, WHOLE * 20) as connection:
            told = b""
            while told.count(b"HTTP/1.1 200") < 20:
                told += connection.recv(65536)
        with opened(port, WHOLE * 1000) as connection:
            assert received(connection).count(b"HTTP/1.1 200") < 1000


async def takes_all(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An application that reads the whole body before it answers."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    head = [(b"content-length", str(len(str(size))).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": str(size).encode()})


@pytest.mark.parametrize(("rate", "ends"), [(1, b"1000"), (100_000, b"content-length: 0\r\n\r\n")])
def test_a_body_may_come_slowly_but_not_endlessly_so(rate: int, ends: bytes) -> None:
    bounds = Bounds(request_seconds=0.2, body_rate=rate)
    with serving(takes_all, bounds) as port:
        head = b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: 1000\r\n\r\n"
        with opened(port, head) as connection, contextlib.suppress(ConnectionError):
            for _ in range(50):
                connection.sendall(b"x" * 20)
                if select.select([connection], [], [], 0.02)[0]:
                    break
            assert received(connection).endswith(ends)


def test_a_body_that_trickles_makes_room(published: Settings) -> None:
    head = b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000\r\n\r\nx"
    with serving(takes_all, Bounds(connections=8)) as port, ExitStack() as held:
        waiting = [held.enter_context(opened(port, head)) for _ in range(8)]
        with opened(port, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n") as fresh:
            assert b" 200 " in fresh.recv(4096)
        assert select.select(waiting, [], [], 10)[0], "one of them was let go"


def test_beyond_the_bound_the_one_that_waits_longest_makes_room(published: Settings) -> None:
    with (
        serving(create_app(published, EverybodyIs(OFFICIAL)), Bounds(connections=8)) as port,
        ExitStack() as held,
    ):
        waiting = [held.enter_context(opened(port, HALF)) for _ in range(8)]
        with opened(port, WHOLE) as fresh:
            assert b" 200 " in fresh.recv(4096)
        ended = [at for at, one in enumerate(waiting) if select.select([one], [], [], 0)[0]]
        assert ended == [0], "the first that came, and no other"


def test_where_all_are_being_answered_a_new_one_is_told_to_come_again(large: Settings) -> None:
    with (
        serving(create_app(large, EverybodyIs(OFFICIAL)), Bounds(connections=8)) as port,
        ExitStack() as held,
    ):
        readers = [held.enter_context(slow(port, f"{LARGE}_0?format=csv")) for _ in range(8)]
        begun = [one.recv(1000) for one in readers]
        assert all(told.startswith(b"HTTP/1.1 200") for told in begun)
        with opened(port, WHOLE) as late:
            told = received(late)
        assert told.startswith(b"HTTP/1.1 503")
        assert b"retry-after" in told
        readers[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        _, _, body = (begun[0] + received(readers[0])).partition(b"\r\n\r\n")
        assert body.count(b"\r\n") == ROWS + 1, "who reads on gets the rest"


def test_a_slow_reader_of_a_download_holds_up_nobody_and_is_ended(large: Settings) -> None:
    path = f"{LARGE}_0?format=csv"
    servers: list[uvicorn.Server] = []
    with (
        serving(create_app(large, EverybodyIs(OFFICIAL)), Bounds(reading_seconds=1.0), servers) as port,
        ExitStack() as held,
    ):
        readers = [held.enter_context(slow(port, path)) for _ in range(45)]  # more than there are threads
        plain = {"accept-encoding": "identity"}
        whole = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=60, headers=plain)
        assert len(whole.content) == int(whole.headers["content-length"])
        for _ in range(2000):
            if not servers[0].server_state.connections:
                break
            select.select([], [], [], 0.05)
        assert not servers[0].server_state.connections, "who does not read is let go"
        for one in readers[:3]:
            head, _, body = received(one).partition(b"\r\n\r\n")
            assert f"content-length: {whole.headers['content-length']}".encode() in head
            assert len(body) < len(whole.content), "what came is shorter than what was announced"


def test_forty_downloads_at_once_are_whole_or_told_to_come_again(large: Settings) -> None:
    app = create_app(large, EverybodyIs(OFFICIAL))
    app.state.downloads = Downloads(at_once=1, most_waiting=1, seconds=60)

    def load(number: int) -> tuple[int, int | None, int]:
        query = f"format=csv&limit={ROWS - number % 20}"
        answer = httpx.get(f"http://127.0.0.1:{port}{LARGE}_{number % 3}?{query}", timeout=120)
        if answer.status_code == 503:
            assert answer.headers["retry-after"].isdigit()
            assert answer.json()["type"] == "urn:edulake:problem:busy"
            return 503, None, 0
        assert answer.text.endswith("\r\n")
        return answer.status_code, ROWS - number % 20, answer.text.count("\r\n") - 1

    with serving(app) as port, ThreadPoolExecutor(40) as pool:
        told = list(pool.map(load, range(40)))
    assert {status for status, _, _ in told} == {200, 503}, "some were too many at once"
    assert [(wanted, got) for status, wanted, got in told if status == 200 and wanted != got] == []


def test_a_reader_that_was_told_to_come_again_finds_his_file(large: Settings) -> None:
    app = create_app(large, EverybodyIs(OFFICIAL))
    app.state.downloads = Downloads(seconds=0.0)
    with serving(app) as port:
        url = f"http://127.0.0.1:{port}{LARGE}_0?format=csv"
        statuses = [httpx.get(url, timeout=60).status_code]
        while statuses[-1] == 503 and len(statuses) < 10_000:
            statuses.append(httpx.get(url, timeout=60).status_code)
    assert statuses[0] == 503
    assert statuses[-1] == 200


def test_a_body_is_refused(published: Settings) -> None:
    with serving(create_app(published, EverybodyIs(OFFICIAL))) as port:
        head = b"POST /api/v1/cards HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        for more in (
            b"content-length: 99999999\r\n\r\nxxx",
            b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ):
            with opened(port, head + more) as connection:
                assert received(connection).startswith(b"HTTP/1.1 413")


def test_a_query_that_takes_too_long_is_ended_and_others_are_answered(settings: Settings) -> None:
    publish_large(settings)
    release = releases.current(settings)
    assert release is not None
    file = release.file(CITY)
    file.chmod(0o600)
    with duckdb.connect(str(file)) as con:
        con.execute("alter table fct_large_0 rename to planted")
        con.execute("""
            create view fct_large_0 as select rowid, n, sha256(repeat(a, 2000)) as a, b from planted
        """)
    with serving(create_app(settings, EverybodyIs(OFFICIAL), seconds=0.5)) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}{LARGE}_0?format=csv", timeout=120)
        assert (answer.status_code, answer.json()["type"]) == (504, "urn:edulake:problem:query-timeout")
        for path in ("_0?limit=1", "_1?limit=1000"):
            assert httpx.get(f"http://127.0.0.1:{port}{LARGE}{path}", timeout=60).status_code == 200
    snapshot = Snapshot(release, CITY, seconds=0.1)
    endless = "select sum(a.i * b.i) from range(1000000) a(i), range(1000000) b(i)"
    with pytest.raises(duckdb.InterruptException), snapshot.asked() as cursor:
        cursor.execute(endless)
    with snapshot.asked() as cursor:
        assert cursor.execute("select 1").fetchall() == [(1,)], "the next one has time of its own"
