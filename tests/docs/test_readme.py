"""README, its Chinese twin and the tutorial run as pasted, on a copy of one finished small lake.

`run` needs Airflow and minutes. Here it ingests what was just handed in, all that later commands read;
the slow test runs it as it is. Servers are started, asked for a page, and ended by their process id.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs import settings as site_settings
from jobs.cli.main import app
from jobs.lake import deliveries, runs
from jobs.run import tasks
from jobs.settings import ROOT, Settings

from . import pages

README, README_ZH = ROOT / "README.md", ROOT / "README.zh.md"
TUTORIAL = ROOT / "docs" / "tutorial" / "README.md"
# Commands that serve until somebody ends them.
SERVERS = {"serve", "airflow"}


@pytest.fixture
def desk(lake: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine_url: str) -> Iterator[Path]:
    """A folder like the checkout, and a copy of the small lake as the reader's own."""
    shutil.copytree(lake.home, tmp_path / "home" / lake.site)
    for name in ("docs", "expectations", "infra"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EDULAKE_SPARK", engine_url)
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    monkeypatch.chdir(ROOT)


def call(*words: str) -> str:
    """What a command prints; it must end well."""
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, f"{' '.join(words)}\n{done.output}"
    return done.output


def take_in() -> None:
    """The part of `run` that the commands behind it read: files that wait become receipts and rows."""
    settings = site_settings.load()
    run_id = runs.open_run(settings, "test", seed=7).run_id
    for feed in sorted({file.feed for file in deliveries.pending(settings)}):
        tasks.write_raw(run_id, feed)
        tasks.clean_rows(run_id, feed)


def served(folder: Path, *words: str) -> None:
    """Start a server as its command does, wait for its page, end it by its process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-P", "-m", "jobs", *words, "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 180
            while True:
                assert process.poll() is None, "the server ended by itself"
                assert time.monotonic() < until, "the server does not answer"
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
                        assert page.status == 200
                        return
                except OSError:
                    time.sleep(0.1)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            finally:
                process.kill()


def paste(page: Path, folder: Path) -> dict[str, str]:
    """Run a page's commands in order -> what each printed, by the command as written."""
    printed: dict[str, str] = {}
    for words in pages.commands(page):
        line = " ".join(words)
        if words[0] == "serve":
            served(folder, *words)
        elif words[0] == "run":
            take_in()
        elif words[0] == "clean":
            assert "--yes" in words, "a page that is pasted must not wait for an answer"
        elif words[0] not in {"airflow", "test"}:
            printed[line] = call(*words)
    return printed


def test_readme_runs_as_pasted(desk: Path) -> None:
    printed = paste(README, desk)
    assert len(printed) >= 18
    (report,) = (text for line, text in printed.items() if line.startswith("feed report"))
    words = ("正常接收", "接收但有疑问")
    told = [f"births_2025.csv: {word}" in report for word in words]
    assert any(told), "the receipt is that of the file handed in"
    assert {p.name for p in desk.glob("*.csv")} == {
        "scored.csv",
        "backtest.csv",
        "forecast.csv",
        "alarms.csv",
        "verdicts.csv",
    }
    assert {p.suffix for p in (desk / "report").iterdir()} == {".html", ".pdf", ".docx"}, "of a district"
    assert list((desk / "reports").rglob("*.xlsx")), "the sender's report"
    assert (desk / "places.html").is_file()
    assert (desk / "city" / "city-report.html").is_file() or list(desk.rglob("city-report.html"))


def test_the_chinese_page_has_the_same_commands() -> None:
    assert pages.commands(README_ZH) == pages.commands(README)
    assert len(pages.commands(README)) >= 25


def test_tutorial_runs_as_pasted(desk: Path) -> None:
    printed = paste(TUTORIAL, desk)
    (held,) = (text for line, text in printed.items() if "--outcome held" in line)
    (report,) = (text for line, text in printed.items() if line.startswith("feed report"))
    assert "births_2025_with_a_mistake.csv" in held
    assert "births_2025_with_a_mistake.csv: 整份退回" in report
    (last,) = (
        text for line, text in printed.items() if line.startswith("feed receipts") and "held" not in line
    )
    assert re.search(r"births_2025\.csv .* accepted ", last)
    before, after = (text for line, text in printed.items() if "as districts" in line)
    assert [re.findall(r"^ *(\d+)$", text, re.MULTILINE) for text in (before, after)] == [["0"], ["16"]]


def test_questions_of_guides_are_answered(desk: Path) -> None:
    """Every query and every look at feeds in how-to pages and runbooks works on a finished lake."""
    guides = [*(ROOT / "docs" / "how-to").glob("*.md"), *(ROOT / "docs" / "runbooks").glob("*.md")]
    asked = {
        tuple(words)
        for page in guides
        if page.name != "add-a-feed.md"  # its own test adds the dataset that it asks for
        for words in pages.commands(page)
        if words != ["sql"]  # a dialog, which reads what is typed
        if words[0] in {"sql", "asof", "status"} or words[:2] in (["feed", "list"], ["feed", "receipts"])
        if "--site" not in words
    }
    assert len(asked) >= 10
    for words in sorted(asked):
        call(*words)


def test_a_day_counts_each_pupil_once(desk: Path) -> None:
    """README's own example: a day's roll has no pupil twice."""
    (asked,) = (words for words in pages.commands(README) if words[0] == "asof")
    query = (
        "select count(*) as pupils, count(distinct pupil_key) as persons from clean_enrollment__pupil_roll"
    )
    answer = CliRunner().invoke(app, [*asked[:-1], query, "--csv"], catch_exceptions=False).stdout
    ((pupils, persons),) = list(csv.reader(io.StringIO(answer)))[1:]
    assert 0 < int(persons) == int(pupils)


@pytest.mark.slow
def test_readme_runs_whole(tmp_path: Path) -> None:
    """Every command of the README in processes of their own, `run` and Airflow's page with them."""
    for name in ("docs", "expectations", "infra"):
        (tmp_path / name).symlink_to(ROOT / name)
    environment = os.environ | {"EDULAKE_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    for words in pages.commands(README):
        if words == ["test"]:
            continue
        if words[0] in SERVERS:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
                served(tmp_path, *words)
            continue
        small = ["--scale", "0.002"] if words == ["run"] else []
        done = subprocess.run(
            [sys.executable, "-P", "-m", "jobs", *words, *small],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    assert not (tmp_path / "home" / "beijing").exists(), "the last command removes the lake"
