"""A file is whole or not there, whoever else writes it."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.files import replacing
from jobs.settings import ROOT


def test_many_writers_at_once_leave_one_whole_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "note.json"
    texts = [str(number) * 50_000 for number in range(8)]

    def write(text: str) -> None:
        for _ in range(20):
            with replacing(target) as fresh:
                fresh.write_text(text)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, texts))
    assert target.read_text() in texts
    assert list(tmp_path.iterdir()) == [target]


def test_what_fails_halfway_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "note.json"
    target.write_text("before")

    def fail() -> None:
        with replacing(target) as fresh:
            fresh.write_text("half")
            raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        fail()
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_its_owners_from_the_first_byte_and_others_read_it_only_when_it_is_whole(
    tmp_path: Path,
) -> None:
    for target, mode in ((tmp_path / "note", 0o600), (tmp_path / "output", 0o644)):
        with replacing(target, *([mode] if mode == 0o644 else [])) as fresh:
            assert stat.S_IMODE(fresh.stat().st_mode) == 0o600
        assert stat.S_IMODE(target.stat().st_mode) == mode


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027])
def test_whatever_the_umask_the_lakes_files_are_the_owners_and_an_output_is_as_the_caller_has_it(
    tmp_path: Path, umask: int
) -> None:
    written = """
import subprocess, sys
from pathlib import Path
from jobs.files import OUTPUT_MODE, replacing
folder = Path(sys.argv[1])
(folder / "made").mkdir()
(folder / "made" / "file").write_text("")
subprocess.run(["touch", str(folder / "made" / "of_a_child")], check=True)
with replacing(folder / "output", OUTPUT_MODE) as fresh:
    fresh.write_text("")
"""
    subprocess.run([sys.executable, "-c", written, str(tmp_path)], check=True, cwd=ROOT, umask=umask)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {"made": 0o700, "file": 0o600, "of_a_child": 0o600, "output": 0o666 & ~umask}
