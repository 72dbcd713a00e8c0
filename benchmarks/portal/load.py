"""How fast and how steadily the portal answers: server on one core, readers on another.

    python benchmarks/portal/load.py cached            # most that one core answers of what is kept, public
    python benchmarks/portal/load.py mix --rate 300    # signed-in readers of districts, the city and schools
    python benchmarks/portal/load.py swap --releases 100   # small releases published under load

`cached` and `mix` serve the release of EDULAKE_HOME. Requests of `mix` are sent at their own times, whether
the server keeps up or not, and a time is counted from when a request was due. Sessions, keys, scope and trail
are the real ones; an address is asked often (warm) or for the first time (cold). `swap` makes a site of its
own, and looks at each answer for rows of another release than the one that it names.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import psutil
import uvloop

from jobs import settings as site_settings
from jobs.access import keys, sessions
from jobs.access.caller import Caller, Role, Scope, rows_open
from jobs.access.store import Store, open_store
from jobs.publish import publication
from jobs.publish import release as releases
from jobs.publish.published_models import Model
from jobs.publish.release import CITY
from jobs.settings import ROOT, Settings

API = "/api/v1"
SERVE = "import sys; from jobs import settings; from portal.serve import serve;"
SERVE += "serve(settings.load('beijing', sys.argv[1]), 0)"


class Reader(asyncio.Protocol):
    """One connection that asks one request after the other."""

    def __init__(self) -> None:
        self.told = b""
        self.answer: asyncio.Future[tuple[int, bytes, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.told += data
        head, found, body = self.told.partition(b"\r\n\r\n")
        if not found or self.answer is None:
            return
        status = int(head[9:12])
        length = next(
            (int(v[15:]) for v in head.lower().split(b"\r\n") if v.startswith(b"content-length:")), 0
        )
        if status == 304 or len(body) >= length:
            self.told = b""
            self.answer.set_result((status, head, body))

    def connection_lost(self, error: Exception | None) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error or ConnectionError("ended"))

    async def ask(self, request: bytes) -> tuple[int, bytes, bytes]:
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)  # type: ignore[attr-defined]
        return await self.answer


def written(path: str, signed: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{signed}\r\n".encode()


def by_key(store: Store, role: Role, district: str = "") -> str:
    """The header of a machine."""
    wanted = keys.Wanted(f"load {district}", role, district, per_minute=600_000)
    return f"authorization: Bearer {keys.add(store, wanted, 'load')[1]}\r\n"


def by_session(settings: Settings, store: Store, role: Role, unit: str = "", district: str = "") -> str:
    """The header of somebody's browser; each time another person's."""
    person = f"load-{secrets.token_hex(4)}"
    caller = Caller(role, person, unit_code=unit, district_code=district or unit, via="session")
    return f"cookie: edulake_{settings.site}={sessions.begin(store, caller)}\r\n"


@dataclass
class Told:
    """What was measured: seconds of each request, how each ended, the first fault."""

    times: list[float] = field(default_factory=list)
    ends: Counter[int] = field(default_factory=Counter)
    fault: str = ""

    def say(self, what: str, seconds: float, cpu: float) -> None:
        ordered = sorted(self.times)
        shown = " ".join(
            f"p{q:g} {ordered[int(len(ordered) * q / 100)] * 1e3:.1f}" for q in (50, 95, 99, 99.9)
        )
        print(
            f"{what}: {len(ordered) / seconds:.0f}/s {shown} ms;"
            f" server {cpu / seconds:.0%} of a core, {cpu / len(ordered) * 1e3:.2f} ms each;"
            f" {dict(self.ends)}; load {os.getloadavg()[0]:.1f} {self.fault}",
            flush=True,
        )


async def connected(port: int, count: int) -> list[Reader]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(Reader, "127.0.0.1", port))[1] for _ in range(count)]


async def without_pause(
    port: int, requests: list[bytes], ended: Callable[[], bool], look: Callable[[bytes, bytes], str]
) -> Told:
    told = Told()

    async def go_on(reader: Reader, at: int) -> None:
        while not ended():
            at += 1
            begun = time.perf_counter()
            status, head, body = await reader.ask(requests[at % len(requests)])
            told.times.append(time.perf_counter() - begun)
            told.ends[status] += 1
            if fault := look(head, body):
                told.fault = told.fault or fault
                told.ends[-1] += 1

    readers = await connected(port, 16)
    await asyncio.gather(*(go_on(reader, at) for at, reader in enumerate(readers)))
    return told


def for_seconds(seconds: float) -> Callable[[], bool]:
    until = time.perf_counter() + seconds
    return lambda: time.perf_counter() > until


async def at_a_rate(port: int, requests: list[bytes], rate: float) -> Told:
    told = Told()
    free: asyncio.Queue[Reader] = asyncio.Queue()
    for reader in await connected(port, 64):
        free.put_nowait(reader)

    async def one(request: bytes, due: float) -> None:
        reader = await free.get()
        status, _, body = await reader.ask(request)
        told.times.append(time.perf_counter() - due)
        told.ends[status] += 1
        if status >= 400:
            told.fault = told.fault or f"{request[:200]!r} {body[:300]!r}"
        free.put_nowait(reader)

    begun, tasks = time.perf_counter() + 0.1, []
    for number, request in enumerate(requests):
        due = begun + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(request, due)))
    await asyncio.gather(*tasks)
    return told


@contextmanager
def served(settings: Settings, *, on_one_core: bool = True) -> Iterator[tuple[int, psutil.Process]]:
    # Without `taskset` the system chooses the cores.
    pinned = ["taskset", "-c", "0"] if on_one_core and shutil.which("taskset") else []
    command = [*pinned, sys.executable, "-P", "-c", SERVE, str(settings.home.parent)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as server:
        assert server.stdout is not None
        try:
            address = server.stdout.readline().split()[0]
            yield int(address.rstrip("/").rpartition(":")[2]), psutil.Process(server.pid)
        finally:
            server.terminate()


def cpu(server: psutil.Process) -> float:
    return server.cpu_times().user + server.cpu_times().system


def measured(what: str, server: psutil.Process, run: Callable[[], object], repeats: int = 3) -> None:
    for _ in range(repeats):
        before, begun = cpu(server), time.perf_counter()
        told: Told = uvloop.run(run())  # type: ignore[arg-type]
        told.say(what, time.perf_counter() - begun, cpu(server) - before)


def cached(settings: Settings, seconds: float) -> None:
    requests = [written(API + path) for path in ("/tables", "/cards", "/platforms")]
    with served(settings) as (port, server):
        measured(
            "cached, public",
            server,
            lambda: without_pause(port, requests, for_seconds(seconds), answered),
        )


def callers(settings: Settings, release: releases.Release) -> list[tuple[str, list[str]]]:
    """(header, tables that it may read) of a browser and of a machine of each district, of as many of the
    city, and of browsers in sixteen schools.
    """
    files, told = release.manifest["files"], release.manifest["tables"]
    codes = [name[9:15] for name in files if name.startswith("district-") and "pupils" not in name]
    tables = [name for name in files[f"district-{codes[0]}.duckdb"]["tables"] if not name.startswith("rpt_")]
    store = open_store(settings)
    made = [by_session(settings, store, Role.DISTRICT, code) for code in codes]
    made += [by_key(store, Role.DISTRICT, code) for code in codes]
    made += [by_session(settings, store, Role.CITY), by_key(store, Role.CITY)] * 4
    with duckdb.connect(str(release.file(CITY)), read_only=True) as city:
        schools = city.execute(
            "select school_code, district_code from dim_school order by school_code limit 16"
        ).fetchall()
    own = Scope(f"district-{codes[0]}", schools[0][0])
    readable = [name for name in tables if rows_open(name, told[name], own) != "none"]
    in_schools = [by_session(settings, store, Role.SCHOOL, *school) for school in schools]
    return [(header, tables) for header in made] + [(header, readable) for header in in_schools]


def mix(settings: Settings, rate: float, seconds: float) -> None:
    release = releases.current(settings)
    assert release is not None
    drawn, count = random.Random(17), int(rate * seconds)
    people = callers(settings, release)
    warm = [
        (f"{API}{path}", header)
        for header, tables in people
        for path in ("/cards", "/tables", "/release", *(f"/tables/{name}?limit=50" for name in tables[:12]))
    ]
    with served(settings) as (port, server):
        uvloop.run(at_a_rate(port, [written(*asked) for asked in warm], 60))
        requests = [written(*drawn.choice(warm)) for _ in range(count)]
        measured("mix, warm", server, lambda: at_a_rate(port, requests, rate))

        def cold() -> object:
            # Every fifth with a limit that nobody asked for before.
            fresh = [drawn.choice(warm) for _ in range(count)]
            for number in range(0, count, 5):
                header, tables = drawn.choice(people)
                path = f"{API}/tables/{drawn.choice(tables)}?limit={drawn.randrange(10, 200)}"
                fresh[number] = (path, header)
            return at_a_rate(port, [written(*asked) for asked in fresh], rate)

        measured("mix, a fifth cold", server, cold)


def publish(settings: Settings, number: int) -> None:
    build = settings.home.parent / f"build-{number}.duckdb"
    build.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(build)) as con:
        for name in ("fct_a", "fct_b"):
            con.execute(f"create table {name} as select {number} as run_number, i as n from range(500) t(i)")
    models = {
        name: Model(name, CITY, public=True, protect={"key": ["n"], "harmless": {"run_number": "a number"}})
        for name in ("fct_a", "fct_b")
    }
    publication.publish(
        settings,
        f"r.{number}",
        build,
        models,
        {},
        as_of_date="2026-09-10",
        known_at="2026-09-10",
        code_version="1",
    )
    build.unlink()


def answered(head: bytes, body: bytes) -> str:
    return "" if b" 200 " in head[:20] else f"{head[:60]!r} {body[:200]!r}"


def mixed(head: bytes, body: bytes) -> str:
    if answered(head, body):
        return answered(head, body)
    told = json.loads(body)
    numbers = {row["run_number"] for row in told.get("rows", ())}
    named = {told.get("release")} | {
        int(v[16:]) for v in head.split(b"\r\n") if v.startswith(b"x-data-release: ")
    }
    return "" if numbers <= named and len(named) == 1 else f"mixed: {numbers} {named}"


def swap(count: int) -> Told:
    with tempfile.TemporaryDirectory() as folder:
        settings = site_settings.load("beijing", Path(folder) / "home")
        publish(settings, 1)
        store = open_store(settings)
        people = ("", by_key(store, Role.CITY), *(by_session(settings, store, Role.CITY) for _ in range(4)))
        paths = [f"{API}/tables/{name}?limit={size}" for name in ("fct_a", "fct_b") for size in (5, 500)]
        requests = [written(path, signed) for path in paths for signed in people]
        with served(settings) as (port, server):
            before, begun = cpu(server), time.perf_counter()
            kept = uvloop.run(_until_published(port, requests, settings, count))
            kept.say(f"{count} releases swapped", time.perf_counter() - begun, cpu(server) - before)
            return kept


async def _until_published(port: int, requests: list[bytes], settings: Settings, count: int) -> Told:
    is_over = False
    asking = asyncio.create_task(without_pause(port, requests, lambda: is_over, mixed))
    for number in range(2, count + 2):
        await asyncio.to_thread(publish, settings, number)
    is_over = True
    return await asking


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    given.add_argument("what", choices=("cached", "mix", "swap"))
    given.add_argument("--seconds", type=float, default=10)
    given.add_argument("--rate", type=float, default=300)
    given.add_argument("--releases", type=int, default=100)
    told = given.parse_args()
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    if told.what == "cached":
        cached(site_settings.load("beijing"), told.seconds)
    elif told.what == "mix":
        mix(site_settings.load("beijing"), told.rate, told.seconds)
    else:
        swap(told.releases)


if __name__ == "__main__":
    main()
