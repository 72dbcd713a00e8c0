"""The server is killed while somebody writes: what it acknowledged stays, once, and a run applies it once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import httpx
import pytest

from jobs.access.caller import ANYBODY, Caller, Role
from jobs.access.trail import Trail
from jobs.ingest import clean, raw
from jobs.ingest.events import Events
from jobs.lake import deliveries, tables
from jobs.publish import publication
from jobs.publish.published_models import Model
from jobs.publish.release import CITY
from jobs.settings import ROOT, Settings
from portal.door.writes import Writes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SERVING = """
import asyncio, socket, sys
from pathlib import Path
import uvicorn
from jobs import settings
from jobs.access.caller import Caller, Role
from portal.access.gate import EverybodyIs
from portal.app import create_app
site = settings.load("beijing", home=Path(sys.argv[1]))
app = create_app(site, EverybodyIs(Caller(Role.CITY, "person-1", unit_code="110000")))
at = socket.create_server(("127.0.0.1", 0))
print(at.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[at])
"""
_MOST = 60


@contextmanager
def _served(settings: Settings) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVING, str(settings.home.parent)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout
    try:
        yield process, f"http://127.0.0.1:{process.stdout.readline().strip()}/api/v1"
    finally:
        process.kill()
        process.wait()


def _publish(settings: Settings) -> None:
    build = settings.run / "build.duckdb"
    with duckdb.connect(str(build)) as con:
        con.execute("create table rpt_portal__service_card (service varchar)")
        con.execute("create table rpt_portal__platform_item (table_name varchar)")
        con.execute(
            "create table dim_school as select '2111000001' as school_code, '110101' as district_code"
        )
    models = {
        "rpt_portal__service_card": Model("rpt_portal__service_card", CITY),
        "rpt_portal__platform_item": Model("rpt_portal__platform_item", CITY),
        "dim_school": Model("dim_school", "district_code", "management", title_zh="学校"),
    }
    told = {"as_of_date": "2025-11-20", "known_at": "2025-11-20", "code_version": "0.1.0"}
    publication.publish(settings, "2025-11-20.1", build, models, {}, **told)


def _write(at: str, number: int) -> dict[str, Any] | None:
    """Send one comment, under a key of its own; what was acknowledged, or None."""
    body = {"about_table": "dim_school", "text": f"第 {number} 条"}
    with suppress(httpx.HTTPError):
        answer = httpx.post(f"{at}/comments", json=body, headers={"Idempotency-Key": f"{number}"}, timeout=60)
        if answer.status_code in (200, 201):
            told: dict[str, Any] = answer.json()
            return told
        assert answer.status_code >= 500, answer.text
    return None


def test_a_writer_has_one_pseudonym_however_many_servers_ask_first(settings: Settings) -> None:
    callers = [Caller(Role.DISTRICT, subject) for subject in ("a", "b", "a")]
    servers = [Writes(settings, Trail(settings)) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        first, second, third = threads.map(lambda one, caller: one.key_of(caller), servers, callers)
    assert first == third != second
    assert servers[0].key_of(ANYBODY) == ""
    (key,) = settings.secrets.iterdir()
    assert key.stat().st_mode & 0o077 == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_acknowledged_write_outlives_every_kill_and_counts_once(
    settings: Settings, spark: SparkSession, seed: int
) -> None:
    chance = random.Random(seed)
    _publish(settings.prepare())
    told: dict[int, dict[str, Any]] = {}
    number = kills = 0
    while number < _MOST:
        with _served(settings) as (process, at):
            assert _write(at, number) is not None, "the server does not come back"
            # Some writes from now the server dies, at whatever it is doing.
            end = threading.Timer(chance.random() * 1.5, process.kill)
            end.start()
            while number < _MOST and process.poll() is None:
                answer = _write(at, number)
                if answer is None:
                    break
                told[number] = answer
                number += 1
            end.cancel()
            kills += process.poll() is not None
        # Before anybody sends it again: whole, once, and at most the one that was under way beside them.
        landed = Events(settings).landed("figure_comment")
        assert {one.id for one in landed} >= {one["id"] for one in told.values()}
        assert len(landed) == len({one.id for one in landed}) <= number + 1
        assert len(deliveries.scan(settings)) == len(landed)
    assert kills >= 2
    texts = {told[n]["id"]: f"第 {n} 条" for n in range(_MOST)}
    assert {one.id: one.row["comment_text"] for one in Events(settings).landed("figure_comment")} == texts
    run = f"{date.today()}.1"
    raw.write_raw(settings, run, "portal")
    clean.clean_rows(settings, spark, run, "portal")
    columns = ["write_id", "comment_text"]
    rows = tables.rows(settings, "clean_portal__figure_comment", columns)
    assert len(rows) == _MOST
    assert {row["write_id"]: row["comment_text"] for row in rows} == texts
    assert {r["outcome"] for r in tables.rows(settings, "ops__receipt", ["outcome"])} == {"accepted"}
