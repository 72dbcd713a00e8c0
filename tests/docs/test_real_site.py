"""The page on a real site, followed from the empty file to the first receipt."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs import settings as site_settings
from jobs.cli.main import app
from jobs.lake import runs
from jobs.run import tasks
from jobs.settings import ROOT, UserError

from . import pages

PAGE = ROOT / "docs" / "how-to" / "run-a-real-site.md"


@pytest.fixture
def site_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDULAKE_SITES", str(tmp_path / "sites"))
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EDULAKE_SITE", "mycity")
    file = tmp_path / "sites" / "mycity.yaml"
    file.parent.mkdir()
    file.touch()
    return file


def test_an_empty_file_is_refused_and_the_first_setting_tells_of_the_others(site_file: Path) -> None:
    with pytest.raises(UserError, match="no settings"):
        site_settings.load()
    site_file.write_text("title_zh: 某市\n", encoding="utf-8")
    with pytest.raises(UserError) as told:
        site_settings.load()
    missing = {"title_en", "timezone", "feeds", "services"}
    assert {name for name in missing if f"`{name}` is missing" in told.value.message} == missing


def test_the_pages_settings_take_a_file_in(
    site_file: Path, engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (told,) = pages.blocks(PAGE, "yaml")
    site_file.write_text(told, encoding="utf-8")
    monkeypatch.setenv("EDULAKE_SPARK", engine_url)
    monkeypatch.chdir(ROOT)
    (land,) = (words for words in pages.commands(PAGE) if words[0] == "land")
    assert CliRunner().invoke(app, land, catch_exceptions=False).exit_code == 0
    run_id = runs.open_run(site_settings.load(), "test").run_id
    tasks.write_raw(run_id, "place_demand")
    tasks.clean_rows(run_id, "place_demand")
    shown = CliRunner().invoke(app, ["feed", "receipts"], catch_exceptions=False)
    assert " accepted " in shown.output
    assert "births_2025.csv" in shown.output
