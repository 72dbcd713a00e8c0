"""`clean`: it takes all of a site away, and nothing while a run or another command's Airflow is at work."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from jobs import processes
from jobs import settings as site_settings
from jobs.cli.main import app
from jobs.run import removal
from jobs.settings import ROOT, Settings, UserError

HOLD = """
import sys
from jobs import settings
from jobs.lake import runs
with runs.only_run(settings.load("beijing", home=sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def run_under_way(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the site as a run does."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(settings.home.parent)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def everything(settings: Settings) -> list[Path]:
    return sorted(settings.home.rglob("*"))


@pytest.mark.parametrize("answer", [["--yes"], []])
def test_clean_is_refused_while_a_run_is_under_way(
    settings: Settings, run_under_way: subprocess.Popen[str], answer: list[str]
) -> None:
    (settings.landing / "kept.csv").write_text("x")
    # What a run has started: `clean` once ended it.
    engine = subprocess.Popen(["sleep", "300"], start_new_session=True)
    (settings.run / "spark.json").write_text(
        json.dumps({"url": "sc://localhost:1/", **processes.noted(engine.pid)})
    )
    before = everything(settings)
    try:
        done = CliRunner().invoke(app, ["clean", *answer], input="y\n")
        assert isinstance(done.exception, UserError)
        assert f"under way (process {run_under_way.pid})" in done.exception.message
        assert "Remove" not in done.output, "refused before it asks"
        assert everything(settings) == before
        assert engine.poll() is None
        # And as soon as the run has ended, all goes, with what it left behind.
        run_under_way.communicate("")
        done = CliRunner().invoke(app, ["clean", *answer], input="y\n", catch_exceptions=False)
        assert done.exit_code == 0
        assert not settings.home.exists()
        engine.wait(20)
    finally:
        engine.kill()
        engine.wait()


def test_clean_is_refused_while_an_airflow_of_another_command_is_at_work(settings: Settings) -> None:
    other = subprocess.Popen(["sleep", "300"])
    try:
        noted = {name: processes.noted(other.pid) for name in ("owner", "launcher")}
        (settings.run / "airflow.json").write_text(json.dumps({"port": 1, "processes": noted}))
        with pytest.raises(UserError, match=rf"Airflow of beijing is at work .*process {other.pid}"):
            removal.remove(settings)
        assert psutil.pid_exists(other.pid)
        assert settings.landing.is_dir()
    finally:
        other.kill()
        other.wait()
    removal.remove(settings)
    assert removal.folders(settings) == []


def test_clean_takes_tables_that_are_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDULAKE_STORAGE", str(tmp_path / "disk2"))
    settings = site_settings.load("beijing", home=tmp_path / "home").prepare()
    site_settings.load("us", home=tmp_path / "home").prepare()
    removal.remove(settings)
    assert [path.name for path in (tmp_path / "disk2").iterdir()] == ["us"]
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["us"]
    # A home that a person made by hand has no folder for locks yet.
    settings.home.mkdir()
    removal.remove(settings)
    assert not settings.home.exists()
