"""The spool: no folder of a living process is swept, not even one that is being made."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from portal.door.spool import Spool, is_free


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "door")
    yield made
    made.close()


def test_folder_of_a_request_is_gone_at_its_end_unless_it_is_kept(spool: Spool) -> None:
    with spool.folder(lambda: ()) as folder:
        (folder / "file").write_bytes(b"x")
    assert not folder.exists()
    with spool.folder(lambda: {str(folder)}) as folder:
        (folder / "file").write_bytes(b"x")
    assert (folder / "file").read_bytes() == b"x"


def test_sweep_removes_what_the_dead_left_and_nothing_else(tmp_path: Path, spool: Spool) -> None:
    left = tmp_path / "door" / "spool"
    for name in ("dead", "waiting"):
        (left / name / "request").mkdir(parents=True)
        (left / name / "lock").write_bytes(b"")
    with spool.folder(lambda: ()) as folder:
        spool.sweep(lambda: {str(left / "waiting" / "request")})
        assert folder.is_dir()
        assert not is_free(folder.parent)
    assert {one.name for one in left.iterdir()} == {"waiting", folder.parent.name}


def test_what_a_process_wrote_down_before_it_died_is_kept(
    tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may write a request down while others look for the dead, and die before they come to it."""
    request = tmp_path / "door" / "spool" / "dying" / "request"
    request.mkdir(parents=True)
    written: set[str] = set()

    def dies(folder: Path) -> bool:
        written.add(str(request))
        return is_free(folder)

    monkeypatch.setattr("portal.door.spool.is_free", dies)
    spool.sweep(lambda: written.copy())
    assert request.is_dir()


def test_a_folder_without_its_lock_yet_is_not_swept(
    tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a folder's making and its lock, a sweep of any process has to wait."""
    other = Spool(tmp_path / "door")
    made, swept = threading.Event(), threading.Event()
    own, lock = threading.current_thread(), fcntl.flock

    def slow(file: object, how: int) -> None:
        is_own_lock = str(getattr(file, "name", "")).endswith("/lock")
        if threading.current_thread() is own and is_own_lock and how == fcntl.LOCK_EX:
            made.set()
            assert not swept.wait(0.2), "swept while the folder was being made"
        lock(file, how)  # type: ignore[arg-type]

    def sweep() -> None:
        assert made.wait(30)
        other.sweep(lambda: ())
        swept.set()

    monkeypatch.setattr(fcntl, "flock", slow)
    with ThreadPoolExecutor(1) as pool:
        sweeping = pool.submit(sweep)
        with spool.folder(lambda: ()) as folder:
            sweeping.result(30)
            assert folder.is_dir()
