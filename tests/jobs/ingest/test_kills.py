"""Killed at any point of an ingest and run again: every table equals that of an undisturbed run, row for row.

Each write, rename, folder and removal that changes something between landing and receipts is a step (Python's
audit events), and so is the moment before each commit to a Delta table: killed there, what came before it
stands and it does not. A process of its own is killed with SIGKILL, so that nothing is tidied up behind it;
the engine lives on, and with it what the killed client had asked for.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from jobs import declare
from jobs import settings as site_settings
from jobs.lake import deliveries, persons, receipt_text, runs, tables
from jobs.run import tasks
from jobs.settings import ROOT, Settings
from jobs.spark import server

FEED = "place_demand"
DISTRICTS = ("东城区", "西城区", "朝阳区", "丰台区", "石景山区")

# Run in a process of its own: ingest once, dying by SIGKILL at the step of the given number, or so many
# seconds after it. Prints the steps it passed.
INGEST = """
import json, os, signal, sys, threading
home, until, delay = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
from deltalake import DeltaTable
from jobs import settings as site_settings
from jobs.ingest import outcomes
from jobs.lake import persons, runs, tables
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
        if os.path.exists(about) == (event == "os.mkdir"):
            return
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        about = str(arguments[0])
    else:
        return
    if about.startswith(home) and "/logs/" not in about and "/sessions" not in about:
        step(event)
def before(module, name):
    real = getattr(module, name)
    def wrapped(*args, **kwargs):
        step(name)
        return real(*args, **kwargs)
    setattr(module, name, wrapped)
from jobs.run import tasks
settings = site_settings.load()
run_id = runs.open_run(settings, "test").run_id
before(tables, "write_deltalake")
before(persons, "write_deltalake")
before(tables, "append")
before(outcomes, "count")
before(DeltaTable, "delete")
sys.addaudithook(hook)
counts = [tasks.write_raw(run_id, "place_demand"), tasks.clean_rows(run_id, "place_demand")]
print(json.dumps([steps, counts]))
"""


def births(year: int, *, bad: int = 0) -> bytes:
    rows = [f"{d},{year - i // 5},{1000 + i}" for i, d in enumerate(DISTRICTS * 20)]
    for i in range(bad):
        rows[i] = rows[i].rsplit(",", 1)[0] + ",很多"
    return ("区,出生年,出生人数\n" + "\n".join(rows) + "\n").encode("gb18030")


def registrations(children: range, *, bad: int = 0) -> bytes:
    """Children by their documents, so that identifiers are noted; the first one's sex is in no list."""
    contract = declare.load()["school_age_registration"]
    columns = [c for c in contract.columns if c.required or c.name == "sex_code"]
    row = {
        "school_year_start": "2026", "pupil_name": "某某", "id_document_type_code": "A",
        "birth_date": "2020-01-01", "sex_code": "男", "district_code": "110101", "stage_code": "小学",
        "registered_date": "2026-05-01", "is_local_household": "是", "audit_state_code": "审核通过",
    }  # fmt: skip
    rows = [row | {"id_document_number": f"XX{i + 4711:07d}"} for i in children]
    rows[0]["sex_code"] = "7"
    for i in range(1, 1 + bad):
        rows[i]["birth_date"] = "不详"
    lines = [[c.headings[0] for c in columns], *([r[c.name] for c in columns] for r in rows)]
    return ("\n".join(map(",".join, lines)) + "\n").encode()


def hand_in(settings: Settings, *files: tuple[str, bytes, date]) -> None:
    outbox = settings.home / "outbox"
    outbox.mkdir(parents=True, exist_ok=True)
    for name, data, day in files:
        (outbox / name).write_bytes(data)
        deliveries.land(settings, outbox / name, FEED, "110000", day)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory, engine_url: str) -> Path:
    """A site that has taken a file, whose bytes come to light with an earlier stamp: it is taken again."""
    home = tmp_path_factory.mktemp("before")
    settings = site_settings.load("beijing", home=home).prepare()
    hand_in(settings, ("e.csv", births(2024, bad=1), date(2025, 1, 13)))
    take(home, engine_url)
    hand_in(
        settings,
        ("a.csv", births(2024, bad=1), date(2025, 1, 10)),
        ("b.csv", births(2025, bad=30), date(2026, 1, 10)),
        ("c.csv", b"?,?\n1,2\n", date(2026, 1, 11)),
        ("d.csv", registrations(range(30)), date(2026, 5, 7)),
        ("f.csv", registrations(range(25, 35)), date(2026, 5, 14)),
        ("g.csv", registrations(range(100, 120), bad=5), date(2026, 5, 21)),
    )
    return home


def landed(before: Path, home: Path) -> Settings:
    """A copy of that site, with two things to take: good and held, flagged, refused and repeated."""
    shutil.copytree(before, home, dirs_exist_ok=True)
    return site_settings.load("beijing", home=home)


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
    """Ingest to the end in a process of its own; the steps passed."""
    process = start(home, url)
    out, err = process.communicate()
    assert process.returncode == 0, err
    steps: list[str] = json.loads(out.splitlines()[-1])[0]
    return steps


def take_here(home: Path, url: str) -> None:
    """Ingest to the end in this process, which has all that it takes loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDULAKE_HOME", str(home))
        patch.setenv("EDULAKE_SITE", "beijing")
        patch.setenv("EDULAKE_SPARK", url)
        run_id = runs.open_run(site_settings.load(), "test").run_id
        tasks.write_raw(run_id, FEED)
        tasks.clean_rows(run_id, FEED)


def content(settings: Settings) -> dict[str, list[str]]:
    """Every table's rows without what names a run or a moment, sorted."""
    found = {}
    for table in (*declare.all_tables(), f"raw_{FEED}", persons.IDENTIFIERS):
        if tables.open_table(settings, table) is None or table == "ops__run":
            continue
        is_receipt = table == "ops__receipt"
        rows = receipt_text.receipts(settings) if is_receipt else tables.rows(settings, table)
        found[table] = sorted(
            str(sorted((k, str(v)) for k, v in row.items() if k not in ("run_id", "duration_ms")))
            for row in rows
        )
    return found


@pytest.fixture(scope="module")
def undisturbed(
    before: Path, tmp_path_factory: pytest.TempPathFactory, engine_url: str
) -> tuple[list[str], dict[str, Any]]:
    home = tmp_path_factory.mktemp("undisturbed")
    settings = landed(before, home)
    steps = take(home, engine_url)
    found = content(settings)
    outcomes = {r["file_name"]: r["outcome"] for r in receipt_text.receipts(settings)}
    assert outcomes == {
        "a.csv": "accepted",
        "b.csv": "held",
        "c.csv": "refused",
        "d.csv": "accepted",
        "e.csv": "repeated",
        "f.csv": "accepted",
        "g.csv": "held",
    }
    return steps, found


def killed_and_taken_again(
    before: Path, home: Path, url: str, until: int, delay: float = 0
) -> tuple[bool, dict[str, list[str]]]:
    settings = landed(before, home)
    process = start(home, url, until, delay)
    _, err = process.communicate()
    was_killed = process.returncode == -signal.SIGKILL
    assert was_killed or process.returncode == 0, err
    take_here(home, url)
    assert not list((settings.restricted / "batches" / FEED).glob("*.json"))
    found = content(settings)
    shutil.rmtree(home)
    return was_killed, found


def test_steps_are_seen(undisturbed: tuple[list[str], dict[str, Any]]) -> None:
    """What the other tests count on: each table is written, persons are noted, a file is taken again."""
    steps, found = undisturbed
    assert steps.count("append") == steps.count("count") == 2
    # Without the engine: of registrations a copy without what is personal, and what senders typed.
    assert steps.count("write_deltalake") == 12
    assert steps.count("delete") >= 4
    assert steps.count("os.rename") >= 3
    assert steps[-1] == "os.remove"
    of_persons = declare.load()["school_age_registration"].tables
    assert {"clean_places__birth", *of_persons, f"raw_{FEED}"} < found.keys()
    assert {"ops__flagged_row", "ops__refused_row", "ops__check", "ops__receipt"} < found.keys()
    assert len(found[persons.IDENTIFIERS]) == 35, "children of accepted files, each once"


@pytest.mark.parametrize("share", [0.3, 0.97])
def test_killed_early_and_late(
    undisturbed: tuple[list[str], dict[str, Any]], before: Path, engine_url: str, tmp_path: Path, share: float
) -> None:
    steps, expected = undisturbed
    was_killed, found = killed_and_taken_again(before, tmp_path, engine_url, int(share * len(steps)))
    assert was_killed
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1, 9))
def test_killed_at_every_step(
    undisturbed: tuple[list[str], dict[str, Any]], before: Path, engine_url: str, tmp_path: Path, first: int
) -> None:
    """Every eighth step, from each of the first eight on."""
    steps, expected = undisturbed
    for number in range(first, len(steps) + 1, 8):
        was_killed, found = killed_and_taken_again(before, tmp_path / str(number), engine_url, number)
        assert was_killed, f"step {number}, {steps[number - 1]}"
        assert found == expected, f"step {number}, {steps[number - 1]}"


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.02, 0.1, 0.3, 0.6, 1.0, 1.5])
def test_killed_while_the_engine_writes(
    undisturbed: tuple[list[str], dict[str, Any]], before: Path, engine_url: str, tmp_path: Path, delay: float
) -> None:
    """The engine goes on with what a killed client asked for; it may commit while the next try is at work."""
    steps, expected = undisturbed
    for number, name in enumerate(steps, 1):
        if name in ("append", "count"):
            _, found = killed_and_taken_again(before, tmp_path / str(number), engine_url, number, delay)
            assert found == expected, f"{delay} s after step {number}, {name}"


@pytest.mark.slow
def test_the_engine_is_killed_halfway(
    undisturbed: tuple[list[str], dict[str, Any]], before: Path, tmp_path: Path
) -> None:
    _, expected = undisturbed
    settings = landed(before, tmp_path)
    own = server.start(settings)
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
        server.stop(settings)


def test_two_processes_take_a_feed_once(
    undisturbed: tuple[list[str], dict[str, Any]], before: Path, engine_url: str, tmp_path: Path
) -> None:
    _, expected = undisturbed
    settings = landed(before, tmp_path)
    both = [start(tmp_path, engine_url) for _ in range(2)]
    for process in both:
        _, err = process.communicate()
        assert process.returncode == 0, err
    assert content(settings) == expected
