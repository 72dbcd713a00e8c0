"""Keys, codes, webhooks and the trail by command: made, listed whole, revoked, and told."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from jobs import settings as site_settings
from jobs.access import codes
from jobs.access.store import open_store
from jobs.cli.main import app

NAME = "朝阳区教育数据平台定时任务（每日凌晨）"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def told(*words: str) -> str:
    """What a command prints; it ends well, and no line of words is wider than the screen."""
    done = CliRunner().invoke(app, [*words, "--site", "beijing"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert [line for line in done.stdout.splitlines() if cell_len(line) > 80 and " " in line.strip()] == []
    return done.stdout


def test_a_key_is_shown_once_listed_whole_and_revoked(home: Path) -> None:
    made = told("access", "key", "add", NAME, "--role", "district", "--unit", "110105", "--days", "90")
    secret = made.split()[-1]
    number = made.split()[1].rstrip(",")
    listed = told("access", "key", "list")
    assert number in listed
    assert "110105" in listed
    assert secret not in listed
    assert "revoked" in told("access", "key", "revoke", number)
    shown = told("audit", "show")
    assert "key-added" in shown
    assert "key-revoked" in shown
    assert secret not in shown
    assert told("audit", "verify").startswith("2 lines, whole")


def test_a_code_is_listed_without_its_pupil(home: Path) -> None:
    store = open_store(site_settings.load("beijing"))
    code, secret = codes.add(store, codes.Pupil("pupil-1", "2111010001", "110101"), "school", 30)
    listed = told("access", "code", "list")
    assert code.prefix in listed
    assert "2111010001" in listed
    assert "pupil-1" not in listed
    assert secret not in listed
    told("access", "code", "revoke", code.prefix)


def test_a_webhook_is_listed_and_removed(home: Path) -> None:
    added = told("webhook", "add", "http://127.0.0.1:9/edulake/of/the/city", "--event", "due.late")
    number = added.split()[1].rstrip(".")
    listed = told("webhook", "list")
    assert number in listed
    assert "due.late" in listed
    told("webhook", "remove", number)
    assert number not in told("webhook", "list")
