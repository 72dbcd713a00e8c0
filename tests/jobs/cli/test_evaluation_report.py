"""`evaluation report` and `profile` from a release to files, and used wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli.evaluation import app
from jobs.cli.main import told

from ..reports.conftest import make

RUN = CliRunner()
KINDS = {"html": b"<!doctype html>", "pdf": b"%PDF-", "docx": b"PK"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make(tmp_path)
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
    return tmp_path


def test_a_report_is_written_in_three_formats_and_says_where(home: Path) -> None:
    out = home / "new" / "folder"
    done = RUN.invoke(app, ["report", "--year", "2024", "--district", "110105", "--output", str(out)])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == [f"110105-2024.{kind}" for kind in sorted(KINDS)]
    for kind, begin in KINDS.items():
        assert (out / f"110105-2024.{kind}").read_bytes().startswith(begin)
        assert f"110105-2024.{kind}" in done.output.replace("\n", "")
    assert "合成数据" in done.output


def test_a_profile_in_one_format_lies_in_the_site(home: Path) -> None:
    done = RUN.invoke(app, ["profile", "--school", "2110500003", "--format", "html"])
    assert done.exit_code == 0, done.output
    assert [path.name for path in (home / "home" / "beijing" / "reports").iterdir()] == [
        "school-2110500003-2025.html"
    ]
    done = RUN.invoke(
        app, ["profile", "--school", "2110500003", "--format", "pdf", "--output", str(home / "o")]
    )
    assert "𠮷" in done.output, "a rare character is told"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("profile", "one unit"),
        ("profile --school 2110500001 --district 110105", "one unit"),
        ("profile --school 21105", "2110500001"),
        ("report --year 1999 --district 110105", "2021–2025"),
        ("report --year 2024 --district 110105 --release 9", "no release 9"),
        ("report --year 2024 --district 110105 --output {file}", "is a file"),
    ],
)
def test_a_wrong_use_is_told(home: Path, words: str, said: str) -> None:
    (home / "file").write_text("mine")
    done = RUN.invoke(app, words.format(file=home / "file").split())
    assert done.exit_code == 1
    error = told(done.exception) if isinstance(done.exception, Exception) else None
    assert error is not None
    assert said in f"{error.message} {error.way_out}"
    assert (home / "file").read_text() == "mine"


def test_before_the_first_release_the_command_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path))
    done = RUN.invoke(app, ["profile", "--district", "110105"])
    error = told(done.exception) if isinstance(done.exception, Exception) else None
    assert error is not None
    assert "run" in error.way_out
