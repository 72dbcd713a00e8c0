"""The pages for analysts, done literally: every block of Python and every question on a finished lake."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from jobs.cli.main import app
from jobs.settings import ROOT, Settings

from .pages import blocks, commands

ELSEWHERE = ROOT / "docs" / "how-to" / "read-a-release-elsewhere.md"
ASK = ROOT / "docs" / "how-to" / "ask-with-sql.md"


def test_every_block_of_python_answers(lake: Settings, tmp_path: Path) -> None:
    (tmp_path / ".edulake").symlink_to(lake.home.parent)
    told = blocks(ELSEWHERE, "python")
    assert len(told) == 2
    checks = (
        "assert len(frame) == table.height > 0 and meanings['comment'].str.len().min() > 5",
        "assert rows.height == births.num_rows == counted[0][0] > 0",
    )
    for text, check in zip(told, checks, strict=True):
        done = subprocess.run(
            [sys.executable, "-c", f"{text}\n{check}"], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]


def test_every_question_of_the_page_is_answered(lake: Settings, tmp_path: Path) -> None:
    asked = [words for words in commands(ASK) if words[0] == "sql" and len(words) > 1]
    assert len(asked) >= 4
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        for words in asked:
            env = {"EDULAKE_HOME": str(lake.home.parent), "EDULAKE_SITE": lake.site}
            done = CliRunner().invoke(app, words, env=env, catch_exceptions=False)
            assert done.exit_code == 0, done.output
            assert done.stdout or (tmp_path / "gaps.csv").stat().st_size > 100, words
    finally:
        os.chdir(before)
