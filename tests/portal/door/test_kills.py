"""A server that is killed at any step: what was handed in lies there whole and once, or not at all."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from jobs.access.trail import Trail
from jobs.lake import deliveries
from jobs.settings import ROOT, Settings
from portal.door.desk import Desk
from portal.door.judging import judged_folder, unwritten
from portal.door.store import DONE, LANDED
from portal.door.upload import Spooled

from .conftest import CALLERS, DISTRICT
from .test_routes import landed, returns

# Hands a file in as a route does, in a process that kills itself just before or after a step.
_HAND_IN = """
import hashlib, os, signal, sys
from pathlib import Path
from jobs import settings as site_settings
from jobs.access.caller import Caller, Role
from jobs.access.trail import Trail
from jobs.lake import deliveries
from portal.door import desk as desks, judging
from portal.door.store import Store
from portal.door.upload import Spooled

home, where, data = sys.argv[1], sys.argv[2], sys.stdin.buffer.read()
settings = site_settings.load("beijing", home)
owner, name = {"store": Store, "lake": deliveries}[where.split(".")[1]], where.split(".")[2]
real = getattr(owner, name)

def killed(*given, **named):
    if where.startswith("before"):
        os.kill(os.getpid(), signal.SIGKILL)
    real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, killed)
judging.Queue._work = lambda *_: None
desk = desks.Desk(settings, Trail(settings))
caller = Caller(Role.DISTRICT, "d1", "x", "110101", "110101")
with desk.open_spool() as spool:
    digest = hashlib.sha256(data).hexdigest()
    (spool / digest).write_bytes(data)
    files = [Spooled("a.csv", spool / digest, digest, len(data))]
    desk.take(caller, "110101", desk.place("110101", files, "", ""), spool, "key")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "is_taken"),
    [
        ("before.store.begin", False),
        ("after.store.begin", True),
        ("before.lake.hand_in", True),
        ("after.lake.hand_in", True),
        ("before.store.landed", True),
        ("after.store.landed", True),
    ],
)
def test_a_hand_in_that_was_cut_short_is_whole_or_nothing(
    settings: Settings, where: str, is_taken: bool
) -> None:
    settings.prepare()
    told = [sys.executable, "-P", "-c", _HAND_IN, str(settings.home.parent), where]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(told, input=returns(), env=environment, cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    desk = Desk(settings, Trail(settings))
    try:
        desk.start()
        assert desk._queue is not None
        assert desk._queue._is_ours()
        found = desk.store.listed()
        assert [one.state for one in found] == [LANDED] * is_taken
        assert len(landed(settings)) == is_taken
        spool = desk.folder / "spool"
        assert [path for path in spool.glob("*/*") if path.name != "lock"] == []
        # The sender, who had no answer, sends it again.
        with desk.open_spool() as again:
            data = returns()
            digest = hashlib.sha256(data).hexdigest()
            (again / digest).write_bytes(data)
            files = [Spooled("a.csv", again / digest, digest, len(data))]
            placed = desk.place(DISTRICT, files, "", "")
            made, is_new = desk.take(CALLERS["district"], DISTRICT, placed, again, "")
        assert is_new != is_taken
        assert len(landed(settings)) == 1
        assert made.files[0].receipt_id == deliveries.scan(settings)[0].receipt_id
    finally:
        desk.close()


_SERVE = """
import sys
import uvicorn
from jobs import settings as site_settings
from jobs.access.caller import Caller, Role
from portal.access.gate import EverybodyIs
from portal.app import create_app

caller = Caller(Role.DISTRICT, "d1", "x", "110101", "110101")
app = create_app(site_settings.load("beijing", sys.argv[1]), EverybodyIs(caller))
app.state.desk.start()
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", lifespan="off")
"""


@pytest.mark.slow
def test_a_killed_server_goes_on_with_its_verdicts(settings: Settings, tmp_path: Path) -> None:
    settings.prepare()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def serve() -> subprocess.Popen[bytes]:
        told = [sys.executable, "-P", "-c", _SERVE, str(settings.home.parent), str(port)]
        return subprocess.Popen(told, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT)

    def ask(method: str, path: str, **more: object) -> httpx.Response:
        ends = time.monotonic() + 120
        while True:
            try:
                return httpx.request(method, f"http://127.0.0.1:{port}/api/v1{path}", timeout=60, **more)  # type: ignore[arg-type]
            except httpx.TransportError:
                assert time.monotonic() < ends
                time.sleep(0.1)

    server = serve()
    try:
        ids = []
        for number in range(3):
            files = {"file": (f"{number}.csv", returns(str(20 + number)))}
            ids.append(ask("POST", "/deliveries", files=files).raise_for_status().json()["id"])
        server.kill()
        server.wait()
        assert len(landed(settings)) == 3
        server = serve()
        ends = time.monotonic() + 120
        while any(ask("GET", f"/deliveries/{one}").json()["state"] == "waiting" for one in ids):
            assert time.monotonic() < ends
            time.sleep(0.2)
        words = [ask("GET", f"/deliveries/{one}").json()["files"][0]["verdict"]["code"] for one in ids]
        assert words == ["accepted"] * 3
        assert len(landed(settings)) == 3
    finally:
        server.kill()
        server.wait()


_DIES_BEFORE_REPORTS = """
import os, signal, sys
from portal.door.store import Store

def dies(store):
    if any("done" in made.verdicts.values() for made in store.listed()):
        os.kill(os.getpid(), signal.SIGKILL)

Store.next_unwritten = dies
"""


@pytest.mark.slow
def test_a_server_killed_between_verdict_and_reports_writes_them(settings: Settings) -> None:
    settings.prepare()
    bad = returns() + f"2111000009,{DISTRICT},2024,P9,x\n".encode()
    dies = _DIES_BEFORE_REPORTS + _HAND_IN.replace("judging.Queue._work = lambda *_: None\n", "")
    told = [sys.executable, "-P", "-c", f"{dies}\nsignal.pause()", str(settings.home.parent)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # No step of the hand-in itself dies.
    ended = subprocess.run(
        [*told, "after.store.given_up"], input=bad, env=environment, cwd=ROOT, timeout=100, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    desk = Desk(settings, Trail(settings))
    try:
        (made,) = desk.store.listed()
        assert [*made.verdicts.values()] == [DONE]
        folder = judged_folder(desk.folder, made.id)
        ends = time.monotonic() + 60
        while not (folder / "1_marked.xlsx").is_file() or unwritten(folder, 1).exists():
            assert time.monotonic() < ends
            time.sleep(0.05)
        assert desk.store.next_unwritten() is None
        assert (folder / "1.html").is_file()
    finally:
        desk.close()


@pytest.mark.slow
def test_what_kills_the_judging_process_is_left_to_the_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies at a file, each time, does not stop the others."""
    bounded = replace(settings.prepare(), door=settings.door.model_copy(update={"verdict_seconds": 1}))
    monkeypatch.setattr("portal.door.judging._SERVE", "import time; time.sleep(60)")
    desk = Desk(bounded, Trail(bounded))
    try:
        with desk.open_spool() as spool:
            data = returns()
            digest = hashlib.sha256(data).hexdigest()
            (spool / digest).write_bytes(data)
            placed = desk.place(DISTRICT, [Spooled("a.csv", spool / digest, digest, len(data))], "", "")
            made, _ = desk.take(CALLERS["district"], DISTRICT, placed, spool, "")
        ends = time.monotonic() + 60
        while desk.store.waiting():
            assert time.monotonic() < ends
            time.sleep(0.05)
        found = desk.store.get(made.id)
        assert found is not None
        assert DONE not in found.verdicts.values()
        assert len(landed(settings)) == 1
    finally:
        desk.close()
