"""Faults by rate, several processes, and a killed run that is continued: always the same bytes."""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.settings import ROOT, UserError
from synthetic.city.commands import app
from synthetic.city.faults import KINDS, Faults, parse
from synthetic.city.truth import Truth
from synthetic.city.write import write_city

from .test_write import City, digest

COMMAND = [sys.executable, "-m", "jobs", "city", "--scale", "0.002", "--years", "2024-2025", "--seed", "7"]


def test_sets_and_rates_are_read() -> None:
    assert parse("none") == {}
    assert parse("standard") == {name: kind.rate for name, kind in KINDS.items()}
    assert parse("roll_double=0.01, result_sent_again=0.5") == {"roll_double": 0.01, "result_sent_again": 0.5}
    assert "roll_double" not in parse("standard,roll_double=0")
    assert parse("standard,roll_double=0.2")["roll_double"] == 0.2


@pytest.mark.parametrize(
    "text", ["", "many", "roll_double", "roll_double=x", "roll_double=2", "roll_double=-1"]
)
def test_faults_that_do_not_exist_are_named(text: str) -> None:
    with pytest.raises(UserError, match="fault"):
        parse(text)


def test_the_command_lists_every_kind_with_its_rate() -> None:
    result = CliRunner().invoke(app, ["faults"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()[2:]
    assert [line.split()[0] for line in lines] == list(KINDS)
    assert all(kind.meaning in line for line, kind in zip(lines, KINDS.values(), strict=True))


def test_lines_follow_the_rate() -> None:
    faults = Faults({"roll_double": 0.01, "result_title_row": 0.25}, 7)
    hit = sum(len(faults.lines("roll_double", f"file {n}", 150)) for n in range(400))
    assert hit == pytest.approx(600, rel=0.1)
    assert sum(faults.hits("result_title_row", f"{n}") for n in range(1000)) == pytest.approx(250, abs=45)
    assert faults.lines("roll_double", "f", 30, least_rows=40, surely=True) == []
    assert len(Faults({"roll_double": 1e-9}).lines("roll_double", "f", 50, surely=True)) == 1
    assert Faults({}).lines("roll_double", "f", 50, surely=True) == []
    assert Faults({"roll_double": 1.0}).lines("roll_double", "f", 5) == [0, 1, 2, 3, 4]


def test_one_kind_at_a_high_rate_is_written_and_noted(tmp_path: Path) -> None:
    summary = write_city(tmp_path / "landing", 0.002, 7, (2025, 2025), faults="roll_unmapped_sex=0.1")
    assert set(summary.faults) == {"roll_unmapped_sex"}
    assert summary.faults["roll_unmapped_sex"] == pytest.approx(0.1 * summary.pupils[2025], rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_can_be_had_alone(tmp_path: Path, kind: str) -> None:
    """At half of all lines, at every file or class: that kind is made, no other; each note names its file."""
    rate = 0.5 if KINDS[kind].unit == "line" else 1.0
    first = 2024 if kind == "fabricated_last_year" else 2025
    summary = write_city(tmp_path / "landing", 0.002, 7, (first, 2025), faults=f"{kind}={rate}")
    assert set(summary.faults) == {kind}
    tables = []
    for name in ("faults", "fabrications", "reporting"):
        with (tmp_path / "truth" / f"{name}.csv").open(encoding="utf-8") as lines:
            tables.append(list(csv.DictReader(lines)))
    of_files, of_classes, of_senders = tables
    kept = {"class": of_classes, "sender": of_senders}
    notes = kept.get(KINDS[kind].unit, of_files)
    assert len(notes) == summary.faults[kind] >= 1
    # A late roll stands among the files and among what is owed.
    assert all(not rows for rows in (of_files, of_classes) if rows is not notes)
    assert {row["kind"] for row in of_senders} <= {kind}
    assert {row["kind"] for row in notes} == {kind}
    assert all((tmp_path / "landing" / row["file"]).is_file() for row in of_files)


def test_two_processes_write_the_same_bytes(city: City, tmp_path: Path) -> None:
    subprocess.run([*COMMAND, "--workers", "2", "--out", str(tmp_path / "landing")], cwd=ROOT, check=True)
    assert digest(tmp_path / "landing") == digest(city[0])
    assert digest(tmp_path / "truth") == digest(city[0].parent / "truth")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_goes_on_where_it_stopped(city: City, tmp_path: Path, workers: int) -> None:
    command = [*COMMAND, "--workers", str(workers), "--out", str(tmp_path / "landing")]
    notes = tmp_path / "truth" / ".city"
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(notes.glob("20*.json"))) < 4:
        assert running.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, "nothing was written"
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "truth" / "summary.json").exists()
    with pytest.raises(UserError, match="another city"):
        write_city(tmp_path / "landing", 0.002, 8)
    before = {p: p.stat() for p in (tmp_path / "landing").rglob("*") if p.is_file() and p.name[0] != "."}
    summary = write_city(tmp_path / "landing", 0.002, 7)
    assert len(before) < summary.files
    assert all(p.stat().st_ino == found.st_ino for p, found in before.items()), "a file was written again"
    assert digest(tmp_path / "landing") == digest(city[0])
    assert digest(tmp_path / "truth") == digest(city[0].parent / "truth")


def test_what_was_removed_after_a_kill_is_written_again(city: City, tmp_path: Path) -> None:
    """The notes of a killed run are nothing without its files."""
    notes = tmp_path / "truth" / ".city"
    running = subprocess.Popen(
        [*COMMAND, "--out", str(tmp_path / "landing")], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while len(list(notes.glob("20*.json"))) < 3:
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    running.kill()
    running.wait()
    shutil.rmtree(tmp_path / "landing")
    write_city(tmp_path / "landing", 0.002, 7)
    assert digest(tmp_path / "landing") == digest(city[0])


def test_truth_tables_keep_their_columns(tmp_path: Path) -> None:
    truth = Truth()
    truth.write("some", ("a", "b"), [(1, None), (True, "x,y")])
    truth.write("some", ("a", "b"), [])
    with pytest.raises(ValueError, match="columns"):
        truth.write("some", ("a", "c"), [])
    with pytest.raises(ValueError, match="values"):
        truth.write("some", ("a", "b"), [(1,)])
    truth.save(tmp_path)
    assert (tmp_path / "some.csv").read_text(encoding="utf-8") == 'a,b\n1,\n1,"x,y"\n'
