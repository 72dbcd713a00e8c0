"""A fault of our own in the reading process is a failure with a traceback, never the sender's refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs import declare
from jobs.declare import reasons
from jobs.reading import isolated

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
    assert [one.reasons for one in found] == [[reasons.text("reader_failed", error="StartError")]] * 2
    assert all(one.traceback and "a_module_that_is_not_there" in one.traceback for one in found)


def test_a_process_that_dies_while_it_reads_refuses_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idle: list[object]
) -> None:
    """Memory, time or a damaged file: the sender can help, and the next file is read by a new process."""
    change = "reader.tables = lambda *_: __import__('os')._exit(1)"
    monkeypatch.setattr(isolated, "_SERVE", SERVE.format(module="reader", change=change))
    found = read(tmp_path, TEXT, TEXT)
    assert [one.reasons for one in found] == [[reasons.text("reader_died")]] * 2
    assert [one.traceback for one in found] == [None, None]


def test_a_sound_process_reads(tmp_path: Path, idle: list[object]) -> None:
    (found,) = read(tmp_path, TEXT)
    assert (found.dataset, found.traceback, found.reasons) == ("birth", None, [])
