"""Java's archive of loaded classes: when it is used, and that each Java can make one."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.settings import load
from jobs.spark import archive, make_archive, server
from jobs.spark.java import Java, classpath, find_java


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(archive, "FOLDER", tmp_path / "archive")
    (tmp_path / "archive").mkdir()
    return tmp_path / "archive"


def _javas(monkeypatch: pytest.MonkeyPatch) -> list[Java]:
    """The packaged Java, and the machine's own where it has one."""
    found = [find_java()]
    monkeypatch.setenv("EDULAKE_JAVA", "packaged")
    return list({java.executable: java for java in [*found, find_java()]}.values())


def test_used_only_when_both_parts_are_there_for_this_java_and_these_jars(folder: Path) -> None:
    java = find_java()
    assert archive.java_options(java, "a.jar") == []
    base, top = archive.files(java, "a.jar")
    base.touch()
    assert archive.java_options(java, "a.jar") == []
    top.touch()
    assert archive.java_options(java, "a.jar") == [f"-XX:SharedArchiveFile={base}:{top}"]
    assert archive.java_options(java, "b.jar") == []
    assert archive.java_options(Java(java.executable, "17.0.99", "PATH"), "a.jar") == []


@pytest.mark.slow
def test_made_in_each_java_and_used_by_the_server(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for java in _javas(monkeypatch):
        monkeypatch.setenv("EDULAKE_JAVA", str(java.executable))
        assert make_archive.make()
        assert not make_archive.make(), "once is enough"
        site = load("beijing", home=tmp_path / "home")
        started = server.start(site)
        _, top = archive.files(find_java(), classpath())
        assert started.pid
        assert str(top) in Path(f"/proc/{started.pid}/maps").read_text(), "the archive is not mapped"
        server.stop(site)
        assert {file.suffix for file in folder.iterdir() if file.is_file()} == {"", ".jsa"}, "no part is left"
