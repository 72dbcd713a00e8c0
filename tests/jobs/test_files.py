"""A file is whole or not there, whoever else writes it."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.files import replacing


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


def test_a_secret_is_its_owners_from_the_first_byte(tmp_path: Path) -> None:
    target = tmp_path / "secret"
    with replacing(target, mode=0o600) as fresh:
        assert stat.S_IMODE(fresh.stat().st_mode) == 0o600
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
