"""Which Java is used, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.settings import UserError
from jobs.spark.java import Java, find_java


def test_missing_java_says_what_was_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDULAKE_JAVA", str(tmp_path / "java"))
    with pytest.raises(UserError, match="no Java 17 or 21") as told:
        find_java()
    assert str(tmp_path / "java") in told.value.message
    assert "OpenJDK" in told.value.way_out


def test_java_is_taken_by_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def make(name: str, version: str) -> Path:
        home = tmp_path / name
        (home / "bin").mkdir(parents=True)
        (home / "bin" / "java").write_text("#!/bin/sh\n")
        (home / "bin" / "java").chmod(0o755)
        (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
        return home

    old, new = make("eight", "1.8.0_412"), make("seventeen", "17.0.1")
    monkeypatch.setenv("PATH", str(new / "bin"))
    monkeypatch.setenv("JAVA_HOME", str(old))
    assert find_java() == Java(new / "bin" / "java", "17.0.1", "PATH")
    monkeypatch.setenv("PATH", str(old / "bin"))
    assert find_java().found == "packaged"
