"""A fault of our own or of the machine fails a file; only what the file itself is refuses it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from jobs import declare
from jobs.declare import reasons
from jobs.reading import isolated
from jobs.settings import ROOT

# Runs in the reading process itself, before it serves.
SERVE = "import sys; from jobs.reading import isolated, {module}; {change}; isolated.serve(int(sys.argv[1]))"
SECRET = "11010119900307123X"
TEXT = f"区,出生年,出生人数\n东城区,2020,{SECRET}\n"


def read(tmp_path: Path, *texts: str) -> list[isolated.Found]:
    paths = []
    for number, text in enumerate(texts):
        paths.append(tmp_path / f"{number}.csv")
        paths[-1].write_text(text, encoding="utf-8")
    stage = tmp_path / "stage"
    stage.mkdir()
    reading = isolated.read_all(paths, declare.datasets_of("place_demand"), stage)
    return [found for found, lines in reading if list(lines) or True]


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Readers of this test alone: those of others were started with another command."""
    own: list[object] = []
    monkeypatch.setattr(isolated, "_idle", own)
    return own


def test_a_reader_that_raises_has_failed_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idle: list[object]
) -> None:
    change = f"recognize.recognize = lambda sheet, contracts: int('{SECRET}')"
    monkeypatch.setattr(isolated, "_SERVE", SERVE.format(module="recognize", change=change))
    (found,) = read(tmp_path, TEXT)
    assert found.dataset is None
    assert found.reasons == [reasons.text("reader_failed", error="ValueError")]
    assert found.traceback is not None
    assert "jobs/reading/reader.py:" in found.traceback
    assert found.traceback.rstrip().endswith("ValueError")
    assert SECRET not in found.traceback


def test_a_process_that_cannot_start_fails_every_file_and_refuses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idle: list[object]
) -> None:
    monkeypatch.setattr(isolated, "_SERVE", "import a_module_that_is_not_there")
    found = read(tmp_path, TEXT, TEXT)
    assert [one.reasons for one in found] == [[reasons.text("reader_died")]] * 2
    assert all(one.traceback and "a_module_that_is_not_there" in one.traceback for one in found)


# What happens in the process while it reads: this machine's fault (None), or the reason to refuse the file.
DEATHS = {
    "os.kill(os.getpid(), 9)": None,  # as for want of memory
    "os._exit(1)": None,
    "os.truncate('/', 0)": None,  # as where the disk is full
    "os.write(int(sys.argv[1]), bytes(3) + b'\\4junk')": None,
    "bytearray(1 << 45)": "too_much_memory",
    "os.write(2, b'memory allocation of 9 bytes failed'); os.abort()": "too_much_memory",
    "exec('while True: pass')": "too_much_time",
}
DYING = """
import os, sys
from jobs.reading import isolated, reader
isolated.CPU_SECONDS = 1
real, read = reader.tables, []
def tables(path, *rest):
    {happens}
    return real(path, *rest)
reader.tables = tables
isolated.serve(int(sys.argv[1]))
"""


def test_a_fault_of_the_machine_fails_the_file_and_its_own_bounds_refuse_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idle: list[object]
) -> None:
    """The next file is read by a new process."""
    happens = f"exec(({[*DEATHS, 'pass']})[int(path.stem)])"
    monkeypatch.setattr(isolated, "_SERVE", DYING.format(happens=happens))
    *found, last = read(tmp_path, *([TEXT] * (len(DEATHS) + 1)))
    assert [[reasons.code_of(reason) for reason in one.reasons] for one in found] == [
        [reason or "reader_died"] for reason in DEATHS.values()
    ]
    assert [one.traceback is None for one in found] == [reason is not None for reason in DEATHS.values()]
    assert last.dataset == "birth"


def test_what_earlier_files_left_in_memory_refuses_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idle: list[object]
) -> None:
    happens = "read.append(path); assert len(read) == 1 or bytearray(1 << 45)"
    monkeypatch.setattr(isolated, "_SERVE", DYING.format(happens=happens))
    assert [one.dataset for one in read(tmp_path, TEXT, TEXT)] == ["birth", "birth"]


def test_a_sound_process_reads(tmp_path: Path, idle: list[object]) -> None:
    (found,) = read(tmp_path, TEXT)
    assert (found.dataset, found.traceback, found.reasons) == ("birth", None, [])


READS = """
import sys
from pathlib import Path
from jobs import declare
from jobs.reading import isolated
file, isolated._SERVE = Path(sys.argv[1]), sys.argv[2]
list(isolated.read_all([file], declare.datasets_of("place_demand"), file.parent))
"""


def test_a_reader_ends_with_its_killed_parent_in_the_midst_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "0.csv").write_text(TEXT, encoding="utf-8")
    note = tmp_path / "reader"
    note.touch()
    change = (
        "import os, time, pathlib; reader.tables = lambda *_: "
        f"pathlib.Path({str(note)!r}).write_text(str(os.getpid())) and time.sleep(300)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", READS, tmp_path / "0.csv", SERVE.format(module="reader", change=change)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as parent:
        while not note.read_text() and parent.poll() is None:
            time.sleep(0.02)
        reader = psutil.Process(int(note.read_text()))
        parent.kill()
    assert psutil.wait_procs([reader], 20)[1] == []
