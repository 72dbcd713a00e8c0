"""The trail: durable, chained, and told where anybody touched it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs import settings as site_settings
from jobs.access import trail as trails
from jobs.access.caller import Caller, Role, Scope
from jobs.access.trail import Trail, TrailError
from jobs.access.verify import verify
from jobs.cli.main import app
from jobs.settings import ROOT, Settings

NUMBERS = "身份证110101200801010011，电话13800138000 学籍G110101200801010011"
OFFICIAL = Caller(Role.DISTRICT, "u-1", unit_code="110101", via="session")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return site_settings.load("beijing", tmp_path / "home")


def filled(settings: Settings, count: int = 6) -> Path:
    """A trail of some lines; its segment."""
    trail = Trail(settings)
    for number in range(count):
        trail.write(OFFICIAL, "alert-seen", f"alert-{number}")
    trail.close()
    return trails.segments(settings)[-1]


def test_a_write_is_there_when_it_returns_and_a_read_within_its_group(settings: Settings) -> None:
    trail = Trail(settings)
    trail.write(OFFICIAL, "alert-seen", "alert-7", {"rows": 1})
    assert [line["on"] for line in trails.lines(settings)] == ["alert-7"]
    for _ in range(500):
        trail.read(OFFICIAL, "/api/v1/tables/{name}", scope=Scope("district-110101"), release=3, rows=10)
    trail.flush()
    assert len([*trails.lines(settings, since="2000-01-01")]) == 501
    trail.read(OFFICIAL, "/api/v1/cards")
    trail.close()
    assert verify(settings).lines == 502
    assert verify(settings).faults == []
    assert trails.folder(settings).stat().st_mode & 0o777 == 0o700
    assert trails.segments(settings)[0].stat().st_mode & 0o777 == 0o600


def test_a_line_tells_no_pupil(settings: Settings) -> None:
    family = Caller(Role.FAMILY, "code-1", district_code="110101", pupil_key="p-secret", via="code")
    trail = Trail(settings)
    trail.read(family, "/api/v1/report", scope=Scope("district-110101-pupils", pupil_key="p-secret"))
    trail.write(
        family,
        "correction",
        "e-1",
        {"note": "身份证110101200801010011，电话13800138000 学籍G110101200801010011"},
    )
    trail.close()
    told = trails.segments(settings)[0].read_text()
    for secret in ("p-secret", "110101200801010011", "13800138000"):
        assert secret not in told
    assert "code-1" in told


def _changed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b"alert-2", b"alert-9"), *lines[3:]]


DAMAGE: list[tuple[str, Callable[[list[bytes]], list[bytes]], int]] = [
    ("changed", _changed, 4),
    ("removed", lambda lines: lines[:2] + lines[3:], 3),
    ("first removed", lambda lines: lines[1:], 1),
    ("reordered", lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], 3),
    ("put in", lambda lines: [*lines[:2], lines[1], *lines[2:]], 3),
    ("last changed", lambda lines: [*lines[:-1], lines[-1].replace(b"alert-5", b"alert-9")], 0),
    ("tail cut", lambda lines: lines[:-2], 0),
    ("tail cut within a line", lambda lines: [*lines[:-2], lines[-2][:20]], 0),
    ("no line", lambda lines: [*lines[:2], b"{}\n", *lines[3:]], 3),
]


@pytest.mark.parametrize(("what", "damage", "place"), DAMAGE, ids=[what for what, _, _ in DAMAGE])
def test_what_anybody_did_to_the_trail_is_found_even_after_it_went_on(
    settings: Settings, what: str, damage: Callable[[list[bytes]], list[bytes]], place: int
) -> None:
    segment = filled(settings)
    segment.write_bytes(b"".join(damage(segment.read_bytes().splitlines(keepends=True))))
    faults = verify(settings).faults
    assert faults
    assert faults[0].segment == segment.name
    assert faults[0].line == place
    filled(settings, 2)
    assert verify(settings).faults, what
    assert [*trails.lines(settings)][-1]["on"] == "alert-1"


def test_a_segment_or_the_head_that_is_gone_is_found(settings: Settings) -> None:
    segment = filled(settings)
    earlier = segment.with_name("2020-01-01.jsonl")
    lines = segment.read_bytes().splitlines(keepends=True)
    earlier.write_bytes(b"".join(lines[:3]))
    segment.write_bytes(b"".join(lines[3:]))
    faults = [fault for fault in verify(settings).faults if "cut off" not in fault.words]
    assert faults == []
    earlier.unlink()
    assert "3 before it are gone" in verify(settings).faults[0].words
    earlier.write_bytes(b"".join(lines[:3]))
    (trails.folder(settings) / "head.json").unlink()
    assert "head.json" in verify(settings).faults[-1].segment
    filled(settings, 1)
    assert "head.json was lost" in verify(settings).faults[0].words


def test_an_anchor_that_was_noted_finds_a_trail_that_was_written_anew(settings: Settings) -> None:
    filled(settings)
    noted = verify(settings).hash
    filled(settings)
    assert verify(settings, noted).faults == []
    for file in trails.folder(settings).iterdir():
        file.unlink()
    filled(settings)
    assert verify(settings).faults == []
    assert verify(settings, noted).faults


def test_what_a_kill_left_half_written_is_set_aside_and_told(settings: Settings) -> None:
    segment = filled(settings)
    with segment.open("ab") as file:
        file.write(b'{"n":7,"prev":"abc')
    assert verify(settings).faults == []
    filled(settings, 2)
    found = verify(settings)
    assert found.faults == []
    assert "18 bytes" in found.notes[0].words
    [aside] = trails.folder(settings).glob("torn-*")
    assert aside.read_bytes() == b'{"n":7,"prev":"abc'
    aside.unlink()
    assert verify(settings).faults


def test_lines_that_were_written_but_not_acknowledged_stay(settings: Settings) -> None:
    filled(settings)
    old = (trails.folder(settings) / "head.json").read_bytes()
    filled(settings, 3)
    (trails.folder(settings) / "head.json").write_bytes(old)
    assert verify(settings).faults == []
    filled(settings, 1)
    assert (verify(settings).lines, verify(settings).faults) == (10, [])


def test_a_disk_that_takes_no_line_refuses_the_write_and_keeps_the_reads(settings: Settings) -> None:
    trails.folder(settings).parent.mkdir(parents=True)
    blocked = trails.folder(settings)
    blocked.write_text("in the way")
    trail = Trail(settings)
    trail.read(OFFICIAL, "/api/v1/cards")
    with pytest.raises(TrailError):
        trail.write(OFFICIAL, "alert-seen", "alert-1")
    blocked.unlink()
    trail.write(OFFICIAL, "alert-seen", "alert-2")
    trail.close()
    assert sorted(line["act"] for line in trails.lines(settings)) == ["alert-seen", "read"]
    assert [line["on"] for line in trails.lines(settings, "alert-2")] == ["alert-2"]


WRITER = """
import sys
from jobs import settings
from jobs.access.caller import Caller, Role
from jobs.access.trail import Trail

trail = Trail(settings.load("beijing", sys.argv[1]))
for number in range(int(sys.argv[3])):
    trail.read(Caller(Role.CITY, sys.argv[2]), "/r")
    trail.write(Caller(Role.CITY, sys.argv[2]), "act", f"{sys.argv[2]}-{number}")
    print(number, flush=True)
trail.close()
"""


def test_processes_append_together_and_a_kill_loses_nothing_that_was_acknowledged(
    settings: Settings,
) -> None:
    def started(name: str, count: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-P", "-c", WRITER, str(settings.home.parent), name, str(count)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    writers = [started("a", 40), started("b", 1_000_000)]
    acknowledged = writers[0].communicate()[0].split()
    seen = [writers[1].stdout.readline().strip() for _ in range(30)]  # type: ignore[union-attr]
    writers[1].send_signal(signal.SIGKILL)
    seen += writers[1].communicate()[0].split()
    filled(settings, 1)
    assert verify(settings).faults == []
    kept = {line["on"] for line in trails.lines(settings) if line["act"] == "act"}
    assert {f"a-{number}" for number in acknowledged} | {f"b-{number}" for number in seen if number} <= kept


def test_the_command_names_the_place_and_ends_with_1(settings: Settings) -> None:
    segment = filled(settings)
    environment = {"EDULAKE_HOME": str(settings.home.parent), "COLUMNS": "300"}
    sound = CliRunner().invoke(app, ["audit", "verify", "--site", "beijing"], env=environment)
    assert sound.exit_code == 0, sound.output
    shown = CliRunner().invoke(
        app, ["audit", "show", "--subject", "alert-3", "--site", "beijing"], env=environment
    )
    assert "alert-3" in shown.output
    assert "alert-4" not in shown.output
    segment.write_bytes(segment.read_bytes().replace(b"alert-3", b"alert-8"))
    faulty = CliRunner().invoke(app, ["audit", "verify", "--site", "beijing"], env=environment)
    assert faulty.exit_code == 1
    assert f"{segment.name} line 5" in faulty.output
