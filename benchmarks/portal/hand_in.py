"""How long senders wait for verdicts when many hand in at once, and whether each file lands once.

    python benchmarks/portal/hand_in.py                          # 50 senders, 20 files each
    python benchmarks/portal/hand_in.py --senders 16 --files 2

A copy of the site of EDULAKE_HOME is served by the real server, on all cores. Each sender hands in the rows
of its own landed file in another order, 1,000 of them at most, and the next file once it has the verdict on
the last. A verdict's time is from the first byte sent to the answer that has it, asked for as the page does.
The files are made before the first is sent. Senders and server share the machine; the seconds of processor
that the server and its processes took are told.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import hashlib
import io
import os
import random
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import duckdb
import httpx
import openpyxl
import psutil

from benchmarks.portal.load import served
from jobs import settings as site_settings
from jobs.access import keys
from jobs.access.caller import Role
from jobs.access.store import Store, open_store
from jobs.publish import release as releases
from jobs.publish.release import CITY
from jobs.settings import Settings

# In the order in which they are looked for: files about pupils are the long ones.
FEEDS = ("physical_fitness", "enrollment", "campus_safety")
# Of a sender's landed files, those that are tried.
_TRIED = 4
# Of fewer lines two orders may be the same, which is the same file.
_FEWEST = 20


@dataclass
class Told:
    """What was measured: seconds until a file was accepted, and until its verdict; what it was."""

    accepted: list[float] = field(default_factory=list)
    judged: list[float] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    digests: list[str] = field(default_factory=list)
    most_bytes: int = 0
    processor: float = 0.0


def rows_of(path: Path) -> list[list[str]]:
    """Heading and rows of a landed file; nothing of one that is not plain."""
    if path.suffix == ".csv":
        text = path.read_bytes().decode("utf-8-sig", "replace")
        return list(csv.reader(io.StringIO(text, newline="")))
    if path.suffix != ".xlsx":
        return []
    book = openpyxl.load_workbook(path, read_only=True)
    read = book.worksheets[0].iter_rows(values_only=True)
    return [["" if cell is None else str(cell) for cell in row] for row in read]


def longest(settings: Settings, sender: str) -> Iterator[tuple[str, list[list[str]]]]:
    """Name and rows of the files that a sender has in landing, the longest of each feed first."""
    for feed in FEEDS:
        found = sorted((settings.landing / feed / sender).glob("*/*"), key=lambda path: path.stat().st_size)
        for path in reversed(found):
            if len(rows := rows_of(path)) > _FEWEST:
                yield f"{path.stem}.csv", rows


def senders_of(settings: Settings) -> list[tuple[str, str]]:
    """(sender, district) of those who have files: schools first, then districts."""
    release = releases.current(settings)
    assert release is not None
    with duckdb.connect(str(release.file(CITY)), read_only=True) as city:
        known = dict(city.execute("select school_code, district_code from dim_school").fetchall())
        known |= {code: code for (code,) in city.execute("select district_code from dim_district").fetchall()}
    landed = {path.name for feed in FEEDS for path in (settings.landing / feed).iterdir()}
    return [(code, known[code]) for code in sorted(landed & set(known), key=lambda c: (-len(c), c))]


def by_key(store: Store, sender: str, district: str) -> dict[str, str]:
    role = Role.DISTRICT if sender == district else Role.SCHOOL
    wanted = keys.Wanted(f"load {sender}", role, sender, district, ("read", "hand-in"), per_minute=60_000)
    return {"authorization": f"Bearer {keys.add(store, wanted, 'load')[1]}"}


def shuffled(rows: list[list[str]], most: int, drawn: random.Random) -> bytes:
    body = rows[1:]
    drawn.shuffle(body)
    text = io.StringIO()
    csv.writer(text).writerows([rows[0], *body[:most]])
    return text.getvalue().encode("utf-8-sig")


async def hand_in(
    client: httpx.AsyncClient, header: dict[str, str], name: str, data: bytes, told: Told
) -> bool:
    """Hand a file in and wait for its verdict. Whether the door took it."""
    begun = time.perf_counter()
    answer = await client.post("/api/v1/deliveries", files={"file": (name, data)}, headers=header)
    if answer.status_code == 422:
        return False
    assert answer.status_code == 202, (answer.status_code, answer.text[:400])
    told.accepted.append(time.perf_counter() - begun)
    where = answer.headers["location"]
    pause = 0.5
    while (found := (await client.get(where, headers=header)).raise_for_status().json())[
        "state"
    ] == "waiting":
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 5)
    told.judged.append(time.perf_counter() - begun)
    told.verdicts[found["files"][0]["verdict"]["code"]] += 1
    told.digests.append(hashlib.sha256(data).hexdigest())
    return True


Hands = list[tuple[str, str, list[tuple[str, list[bytes]]]]]


def prepared(settings: Settings, options: argparse.Namespace) -> Hands:
    """(sender, district, its files, each in several orders), with some senders to spare."""
    found = []
    for sender, district in senders_of(settings)[: 2 * options.senders]:
        drawn = random.Random(sender)
        files = [
            (name, [shuffled(rows, options.rows, drawn) for _ in range(options.files)])
            for name, rows in islice(longest(settings, sender), _TRIED)
        ]
        found.append((sender, district, files))
    return found


async def everybody(
    port: int, settings: Settings, options: argparse.Namespace, server: psutil.Process, made: Hands
) -> Told:
    told, store, is_over = Told(), open_store(settings), asyncio.Event()
    # Shorter than the server keeps a connection: neither side then closes one while it is being used.
    limits = httpx.Limits(max_connections=2 * options.senders, keepalive_expiry=2)

    async def watch() -> None:
        while not is_over.is_set():
            alive = [server, *server.children(recursive=True)]
            told.most_bytes = max(told.most_bytes, sum(one.memory_info().rss for one in alive))
            times = [one.cpu_times() for one in alive]
            told.processor = sum(one.user + one.system for one in times)
            await asyncio.sleep(1)

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=300) as client:

        async def one(sender: str, district: str, files: list[tuple[str, list[bytes]]]) -> bool:
            header, taken = by_key(store, sender, district), 0
            # A city has a few files that no door takes: such a one is left for the next.
            for name, orders in files:
                for data in orders:
                    if taken == options.files or not await hand_in(client, header, name, data, told):
                        break
                    taken += 1
            return taken == options.files

        async def seat() -> None:
            while not await one(*next(waiting)):
                pass

        waiting = iter(made)
        watching = asyncio.create_task(watch())
        await asyncio.gather(*(seat() for _ in range(options.senders)))
        is_over.set()
        await watching
    return told


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    given.add_argument("--senders", type=int, default=50)
    given.add_argument("--files", type=int, default=20)
    given.add_argument("--rows", type=int, default=1000)
    options = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        site = site_settings.load("beijing").home
        shutil.copytree(site, home / site.name, ignore=shutil.ignore_patterns("door", "audit", "logs"))
        settings = site_settings.load("beijing", home)
        made = prepared(settings, options)
        begun = time.perf_counter()
        with served(settings, on_one_core=False) as (port, server):
            told = asyncio.run(everybody(port, settings, options, server, made))
        seconds = time.perf_counter() - begun
        landed = Counter(
            hashlib.sha256(path.read_bytes()).hexdigest() for path in settings.landing.rglob("*.csv")
        )
        once = sum(landed[digest] == 1 for digest in told.digests)
    for what, times in (("accepted", told.accepted), ("verdict", told.judged)):
        print(f"{what}: median {statistics.median(times):.1f} s, longest {max(times):.1f} s")
    print(
        f"{len(told.judged)} files in {seconds:.0f} s, {once} of them in landing once;"
        f" {dict(told.verdicts)}; at most {told.most_bytes / 2**20:.0f} MiB,"
        f" {told.processor:.0f} s of processor; load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
