"""Fetching jars, from a repository on loopback."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jobs.settings import ROOT, UserError
from jobs.spark import jars

NAME = "delta-storage-4.4.0.jar"
CONTENT = b"a jar"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Maven repository with one small jar, declared as the only one; its file there."""
    file = tmp_path / "maven" / "io" / "delta" / "delta-storage" / "4.4.0" / NAME
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    checksums = tmp_path / "jars.sha256"
    checksums.write_text(f"{hashlib.sha256(CONTENT).hexdigest()}  {NAME}\n")
    monkeypatch.setattr(jars, "CHECKSUMS", checksums)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "maven"))) as server:
        monkeypatch.setenv("EDULAKE_MAVEN", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield file
        server.shutdown()


def test_fetched_once_and_then_without_any_network(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "jars"
    assert jars.fetch(folder) == 1
    assert [jar.read_bytes() for jar in jars.check(folder)] == [CONTENT]
    monkeypatch.setenv("EDULAKE_MAVEN", "http://127.0.0.1:9")
    assert jars.fetch(folder) == 0


def test_wrong_checksum_names_file_expected_found_and_keeps_nothing(repository: Path, tmp_path: Path) -> None:
    repository.write_bytes(CONTENT + b" with something else in it")
    folder = tmp_path / "jars"
    with pytest.raises(UserError) as told:
        jars.fetch(folder)
    assert NAME in told.value.message
    assert hashlib.sha256(CONTENT).hexdigest() in told.value.message
    assert hashlib.sha256(repository.read_bytes()).hexdigest() in told.value.message
    assert "EDULAKE_MAVEN" in told.value.way_out
    assert list(folder.iterdir()) == []


def test_jar_changed_afterwards_is_found(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "jars"
    jars.fetch(folder)
    (folder / NAME).write_bytes(b"changed")
    for look in (jars.check, jars.fetch):
        with pytest.raises(UserError, match="checksum") as told:
            look(folder)
        assert f"Delete {folder / NAME}" in told.value.way_out


def test_unknown_jar_is_not_asked_for_again(repository: Path, tmp_path: Path) -> None:
    repository.unlink()
    with pytest.raises(UserError, match="404"):
        jars.fetch(tmp_path / "jars")


def test_no_network_and_no_jars_is_told_without_a_traceback(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{probe.getsockname()[1]}"
    done = subprocess.run(
        [sys.executable, "-m", "jobs.spark.jars", str(tmp_path / "jars")],
        cwd=ROOT,
        env={"EDULAKE_MAVEN": closed, "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"could not fetch {closed}/io/delta/" in done.stderr
    assert "EDULAKE_MAVEN" in done.stderr
    assert "Traceback" not in done.stderr


def test_declared_jars_are_of_one_version_and_the_one_locked() -> None:
    versions = {name.removesuffix(".jar").rsplit("-", 1)[1] for name in jars.declared()}
    assert versions == {"4.4.0"}
    assert 'name = "delta-spark"\nversion = "4.4.0"' in (ROOT / "uv.lock").read_text(encoding="utf-8")
