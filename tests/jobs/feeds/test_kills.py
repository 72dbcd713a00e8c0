"""Killed at any point of an ingest and run again: every table equals that of an undisturbed run, row for row.

Each write, rename, folder and removal between landing and receipts is a step (Python's audit events), and so
are the moments before and after each commit to a Delta table. A process of its own is killed with SIGKILL,
so that nothing is tidied up behind it; the engine lives on, and with it what the killed client had asked for.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from jobs import contracts
from jobs import settings as site_settings
from jobs.lake import deliveries, engine, tables
from jobs.settings import ROOT, Settings

FEED = "place_demand"
DISTRICTS = ("东城区", "西城区", "朝阳区", "丰台区", "石景山区")

# Run in a process of its own: ingest once, dying by SIGKILL at the step of the given number, or so many
# seconds after it. Prints the steps it passed.
INGEST = """
import json, os, signal, sys, threading
home, until, delay = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
from jobs import settings as site_settings
from jobs.feeds import ingest
from jobs.lake import runs, tables
steps = []
def step(name):
    steps.append(name)
    if len(steps) == until:
        if delay:
            threading.Timer(delay, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
        else:
            os.kill(os.getpid(), signal.SIGKILL)
def hook(event, arguments):
    if event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"):
        about = str(arguments[0])
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        about = str(arguments[0])
    else:
        return
    if about.startswith(home) and "/logs/" not in about and "/sessions" not in about:
        step(event)
def around(module, name):
    real = getattr(module, name)
    def wrapped(*args, **kwargs):
        step("before " + name)
        answer = real(*args, **kwargs)
        step("after " + name)
        return answer
    setattr(module, name, wrapped)
from jobs import pipeline
settings = site_settings.load()
run_id = runs.open_run(settings, "test").run_id
around(tables, "write_deltalake")
around(tables, "append")
around(ingest, "_count")
sys.addaudithook(hook)
counts = [pipeline.write_raw(run_id, "place_demand"), pipeline.clean_rows(run_id, "place_demand")]
print(json.dumps([steps, counts]))
"""


def births(year: int, *, bad: int = 0) -> bytes:
    rows = [f"{d},{year - i // 5},{1000 + i}" for i, d in enumerate(DISTRICTS * 20)]
    for i in range(bad):
        rows[i] = rows[i].rsplit(",", 1)[0] + ",很多"
    return ("区,出生年,出生人数\n" + "\n".join(rows) + "\n").encode("gb18030")


def projects() -> bytes:
    contract = contracts.load()["capacity_project"]
    header = [c.headings[0] for c in contract.columns if c.required]
    row = {
        "project_code": "X1", "project_name": "某小学", "district_code": "110101", "stage_code": "小学",
        "place_count": "960", "planned_opening_date": "2026-09-01", "project_status_code": "在建",
    }  # fmt: skip
    line = [row.get(c.name, "1") for c in contract.columns if c.required]
    return (",".join(header) + "\n" + ",".join(line) + "\n").encode()


def landed(home: Path) -> Settings:
    """A site with two things to take, good and held, refused and repeated."""
    settings = site_settings.load("beijing", home=home).prepare()
    outbox = home / "outbox"
    outbox.mkdir(parents=True)
    for name, data, sender, day in (
        ("a.csv", births(2024, bad=1), "110000", date(2025, 1, 10)),
        ("b.csv", births(2025, bad=30), "110000", date(2026, 1, 10)),
        ("c.csv", b"?,?\n1,2\n", "110000", date(2026, 1, 11)),
        ("d.csv", projects(), "110101", date(2026, 1, 12)),
        ("e.csv", births(2024, bad=1), "110000", date(2026, 1, 13)),
    ):
        (outbox / name).write_bytes(data)
        deliveries.land(settings, outbox / name, FEED, sender, day)
    return settings


def start(home: Path, url: str | None, until: int = 0, delay: float = 0) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EDULAKE_")}
    environment |= {"EDULAKE_HOME": str(home), "EDULAKE_SITE": "beijing", "PYTHONPATH": str(ROOT)}
    if url:
        environment["EDULAKE_SPARK"] = url
    return subprocess.Popen(
        [sys.executable, "-c", INGEST, str(home), str(until), str(delay)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def take(home: Path, url: str | None) -> list[str]:
    """Ingest to the end; the steps passed."""
    process = start(home, url)
    out, err = process.communicate()
    assert process.returncode == 0, err
    steps: list[str] = json.loads(out.splitlines()[-1])[0]
    return steps


def content(settings: Settings) -> dict[str, list[str]]:
    """Every table's rows without what names a run or a moment, sorted."""
    found = {}
    for table in (*contracts.all_tables(), f"raw_{FEED}"):
        if tables.open_table(settings, table) is None or table == "ops__run":
            continue
        rows = tables.rows(settings, table)
        found[table] = sorted(
            str(sorted((k, str(v)) for k, v in row.items() if k not in ("run_id", "duration_ms")))
            for row in rows
        )
    return found


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, engine_url: str
) -> tuple[list[str], dict[str, Any]]:
    home = tmp_path_factory.mktemp("undisturbed")
    settings = landed(home)
    steps = take(home, engine_url)
    found = content(settings)
    outcomes = sorted(row.split("('outcome', '")[1].split("'")[0] for row in found["ops__receipt"])
    assert outcomes == ["accepted", "accepted", "held", "refused", "repeated"]
    return steps, found


def killed_and_taken_again(
    home: Path, url: str | None, until: int, delay: float = 0
) -> tuple[bool, dict[str, list[str]]]:
    settings = landed(home)
    process = start(home, url, until, delay)
    _, err = process.communicate()
    was_killed = process.returncode == -signal.SIGKILL
    assert was_killed or process.returncode == 0, err
    take(home, url)
    assert not list((settings.run / "batches" / FEED).glob("*.json"))
    return was_killed, content(settings)


def test_steps_are_seen(undisturbed: tuple[list[str], dict[str, Any]]) -> None:
    """What the other tests count on: renames, raw, stage, clean, refused rows, checks and receipts."""
    steps, _ = undisturbed
    assert steps.count("before append") == 2
    assert steps.count("before write_deltalake") >= 3
    assert "before _count" in steps
    assert steps.count("os.rename") >= 2
    assert steps[-1] in ("os.remove", "os.rename", "shutil.rmtree")


@pytest.mark.parametrize("share", [0.3, 0.97])
def test_killed_early_and_late(
    undisturbed: tuple[list[str], dict[str, Any]], engine_url: str, tmp_path: Path, share: float
) -> None:
    steps, expected = undisturbed
    was_killed, found = killed_and_taken_again(tmp_path, engine_url, int(share * len(steps)))
    assert was_killed
    assert found == expected


@pytest.mark.slow
def test_killed_at_every_step(
    undisturbed: tuple[list[str], dict[str, Any]], engine_url: str, tmp_path: Path
) -> None:
    steps, expected = undisturbed
    for number, name in enumerate(steps, 1):
        was_killed, found = killed_and_taken_again(tmp_path / str(number), engine_url, number)
        assert was_killed, f"step {number}, {name}"
        assert found == expected, f"step {number}, {name}"


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.02, 0.1, 0.3, 0.6, 1.0, 1.5])
def test_killed_while_the_engine_writes(
    undisturbed: tuple[list[str], dict[str, Any]], engine_url: str, tmp_path: Path, delay: float
) -> None:
    """The engine goes on with what a killed client asked for; it may commit while the next try is at work."""
    steps, expected = undisturbed
    for number, name in enumerate(steps, 1):
        if name in ("before append", "before _count"):
            _, found = killed_and_taken_again(tmp_path / str(number), engine_url, number, delay)
            assert found == expected, f"{delay} s after step {number}, {name}"


@pytest.mark.slow
def test_the_engine_is_killed_halfway(undisturbed: tuple[list[str], dict[str, Any]], tmp_path: Path) -> None:
    _, expected = undisturbed
    settings = landed(tmp_path)
    own = engine.start(settings)
    assert own.pid is not None
    try:
        process = start(tmp_path, None)
        log = settings.restricted / "stage" / f"{FEED}_judged"
        while process.poll() is None and not log.exists():
            process.poll()
        os.kill(own.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode != 0
        take(tmp_path, None)
        assert content(settings) == expected
    finally:
        engine.stop(settings)


def test_two_processes_take_a_feed_once(
    undisturbed: tuple[list[str], dict[str, Any]], engine_url: str, tmp_path: Path
) -> None:
    _, expected = undisturbed
    settings = landed(tmp_path)
    both = [start(tmp_path, engine_url) for _ in range(2)]
    for process in both:
        _, err = process.communicate()
        assert process.returncode == 0, err
    assert content(settings) == expected
