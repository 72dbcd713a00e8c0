"""What a sender types stays in landing and the restricted zone: each byte of a finished lake is searched."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from typer.testing import CliRunner

from jobs import settings as site_settings
from jobs.cli.main import app
from jobs.lake import receipt_text, tables
from jobs.settings import ROOT, Settings

from . import canaries


def leaks(settings: Settings) -> dict[str, set[str]]:
    return canaries.found(settings.home, [settings.landing, settings.restricted])


@pytest.fixture
def own_copy(
    lake: Settings, tmp_path: Path, engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Settings]:
    """A copy of the finished lake that a test may change."""

    def copy() -> Settings:
        shutil.copytree(lake.home, tmp_path / "copy" / lake.site)
        monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "copy"))
        monkeypatch.setenv("EDULAKE_SITE", lake.site)
        monkeypatch.setenv("EDULAKE_SPARK", engine_url)
        return site_settings.load().prepare()

    return copy


def test_what_senders_typed_is_found_nowhere_else(lake: Settings, typed: dict[str, str]) -> None:
    assert len(typed) > 30
    assert {n: (typed[n], files) for n, files in leaks(lake).items()} == {}
    # Whatever of it ingest takes is kept, and beside the receipts.
    kept = canaries.found(lake.restricted, [])
    assert set(kept) <= set(typed)
    text = {n for n, files in kept.items() if any(receipt_text.TABLE in file for file in files)}
    assert {typed[n] for n in text} >= {
        "name of a workbook",
        "name of a sheet",
        "name of a sheet that is not read",
        "name of a hidden sheet",
        "name of a sheet sent back",
        "name of a member",
        "name of a picture",
        "unknown heading",
        "unknown key",
        "code of no list",
    }


def test_the_steward_is_told_and_the_report_stays_in_the_zone(
    own_copy: Callable[[], Settings], typed: dict[str, str]
) -> None:
    mine = own_copy()
    call = CliRunner()
    told = call.invoke(app, ["status"], catch_exceptions=False).output
    told += call.invoke(app, ["feed", "receipts", "--sender", "110000"], catch_exceptions=False).output
    for receipt in receipt_text.receipts(mine):
        if canaries.numbers(receipt["file_name"]):
            done = call.invoke(app, ["feed", "report", receipt["receipt_id"]], catch_exceptions=False)
            assert done.exit_code == 0
    number = {place: number for number, place in typed.items()}
    for place in ("name of a workbook", "name of a text file", "name of a sheet sent back"):
        assert number[place] in told.replace("\n", ""), place
    assert leaks(mine) == {}
    reports = canaries.found(mine.restricted / "reports", [])
    assert {typed[n] for n in reports} >= {"name of a sheet", "unknown heading", "cell of a refused line"}


def test_who_may_not_read_the_zone_is_told_in_our_own_words(
    own_copy: Callable[[], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = own_copy()
    monkeypatch.setattr(receipt_text.os, "access", lambda *_: False)
    done = CliRunner().invoke(app, ["status"], catch_exceptions=False)
    assert done.exit_code == 0
    assert not canaries.numbers(done.output)
    assert {r["file_name"] for r in receipt_text.receipts(mine)} == {None}


def _json(file: Path, text: str) -> None:
    file.write_text(json.dumps([text]), encoding="utf-8")


def _parquet(file: Path, text: str) -> None:
    pq.write_table(pa.table({"a": [[text]]}), file)


def _duckdb(file: Path, text: str) -> None:
    with duckdb.connect(str(file)) as db:
        db.execute("create table a as select ? || (i % 1)::varchar as b from range(5000) t(i)", [text])


def _sqlite(file: Path, text: str) -> None:
    with sqlite3.connect(file) as db:
        db.execute("create table a (b text)")
        db.execute("insert into a values (?)", ["x" * 3990 + text])
    db.close()


def _workbook(file: Path, text: str) -> None:
    with xlsxwriter.Workbook(str(file)) as book:
        book.add_worksheet(text)


LEAKS: dict[str, Callable[[Path, str], None]] = {
    "gb18030": lambda file, text: file.write_bytes(text.encode("gb18030")),
    "utf-16": lambda file, text: file.write_bytes(text.encode("utf-16")),
    "json": _json,
    "gzip": lambda file, text: file.write_bytes(gzip.compress(text.encode())),
    "parquet": _parquet,
    "duckdb": _duckdb,
    "sqlite": _sqlite,
    "workbook": _workbook,
    "name of a file": lambda file, text: (file.parent / text).touch(),
    "name of a folder": lambda file, text: (file.parent / text).mkdir(),
}


@pytest.mark.parametrize("form", LEAKS)
def test_a_leak_is_found_in_whatever_form(form: str, settings: Settings) -> None:
    told = canaries.Canaries()
    text = told.at("a leak")
    LEAKS[form](settings.logs / "leak", text)
    LEAKS[form](settings.restricted / "kept", text)
    assert list(leaks(settings)) == list(told.place)


@pytest.mark.parametrize("column", ["rule", "column_name"])
def test_a_leak_in_a_table_is_found(settings: Settings, column: str) -> None:
    told = canaries.Canaries()
    tables.append_rows(settings, "ops__refused_row", [{column: told.at("a cell")}] * 50, "t", "r")
    assert list(leaks(settings)) == list(told.place)


@pytest.mark.slow
def test_a_whole_run_tells_its_logs_and_databases_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = canaries.plant(settings.landing)
    command = [sys.executable, "-m", "jobs", "run", "--site", "beijing", "--scale", "0.002"]
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {n: (typed[n], files) for n, files in leaks(settings).items()} == {}
    assert list((settings.logs / "airflow").rglob("*.log"))
