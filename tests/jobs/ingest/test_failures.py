"""A file on which our own code fails is kept, named, and taken again; the run goes on."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from jobs.cli import feed
from jobs.declare import reasons
from jobs.ingest import balance, clean, failures, journal, raw
from jobs.lake import deliveries, receipt_text, runs, tables
from jobs.reading import isolated
from jobs.run import summary
from jobs.screen import Screen
from jobs.settings import Settings, UserError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FEED = "place_demand"
TEXT = "区,出生年,出生人数\n东城区,{year},1000\n西城区,{year},1000\n"
# In the reading process: the reader meets a bug on every file that has the year 2020.
BROKEN = """
import sys
from jobs.reading import isolated, recognize
real = recognize.recognize
def recognize_(sheet, contracts):
    first = next(sheet.blocks)
    assert "2020" not in str(first)
    sheet.blocks = iter([first])
    return real(sheet, contracts)
recognize.recognize = recognize_
isolated.serve(int(sys.argv[1]))
"""


def hand_in(settings: Settings, year: int, day: date) -> None:
    source = settings.home / "outbox" / f"births_{year}.csv"
    source.parent.mkdir(exist_ok=True)
    source.write_text(TEXT.format(year=year), encoding="utf-8")
    deliveries.land(settings, source, FEED, "110000", day)


def take(settings: Settings, spark: SparkSession, run_id: str) -> dict[str, dict[str, Any]]:
    raw.write_raw(settings, run_id, FEED)
    clean.clean_rows(settings, spark, run_id, FEED)
    assert not journal.has_work(settings, FEED)
    assert balance.broken(settings) == []
    return {r["file_name"]: r for r in receipt_text.receipts(settings)}


def test_a_failed_file_is_taken_again_by_hand_and_by_new_code(
    settings: Settings, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated, "_idle", [])
    hand_in(settings, 2020, date(2021, 1, 10))
    hand_in(settings, 2021, date(2022, 1, 10))
    run_id = runs.open_run(settings, "test").run_id
    with monkeypatch.context() as patch:
        patch.setattr(isolated, "_SERVE", BROKEN)
        receipts = take(settings, spark, run_id)
        for process in isolated._idle:
            process._end()
    failed = receipts["births_2020.csv"]
    assert {n: r["outcome"] for n, r in receipts.items()} == {
        "births_2020.csv": "failed",
        "births_2021.csv": "accepted",
    }
    assert failed["reasons"] == [reasons.text("reader_failed", error="AssertionError")]
    log = failures.folder(settings) / f"{failed['receipt_id']}.txt"
    assert "jobs/reading/reader.py:" in log.read_text(encoding="utf-8")
    console = Screen(record=True, width=300)
    summary.status(settings, console)
    shown = console.export_text()
    assert "1 file failed here; no sender did anything wrong." in shown
    assert "reads 0 of them again" in shown
    assert str(log.parent) in shown

    # The same code would fail again: nothing happens by itself.
    assert failures.reopen_due(settings, FEED) == 0
    with monkeypatch.context() as patch:
        patch.setattr(runs, "fingerprint", lambda settings: "other code")
        assert failures.reopen_due(settings, FEED) == 1
        assert failures.reopen_due(settings, FEED) == 0
    receipts = take(settings, spark, run_id)
    assert {r["outcome"] for r in receipts.values()} == {"accepted"}
    assert len(tables.rows(settings, "clean_places__birth")) == 4
    assert not log.exists()
    with pytest.raises(UserError, match="was read"):
        failures.retry(settings, receipts["births_2020.csv"])


def test_a_refused_file_is_taken_again_by_hand(
    settings: Settings, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = settings.home / "outbox" / "x.csv"
    source.parent.mkdir(exist_ok=True)
    source.write_text("随便,什么\n1,2\n", encoding="utf-8")
    deliveries.land(settings, source, FEED, "110000", date(2021, 1, 10))
    run_id = runs.open_run(settings, "test").run_id
    before = take(settings, spark, run_id)["x.csv"]
    assert before["outcome"] == "refused"
    with monkeypatch.context() as patch:
        patch.setenv("EDULAKE_HOME", str(settings.home.parent))
        done = CliRunner().invoke(feed.app, ["retry", before["receipt_id"][:8], "--site", "beijing"])
    assert done.exit_code == 0, done.output
    assert tables.rows(settings, "ops__receipt") == []
    after = take(settings, spark, run_id)["x.csv"]
    assert after["batch_id"] != before["batch_id"]
    assert (after["outcome"], after["reasons"]) == (before["outcome"], before["reasons"])


DYING = "recognize.recognize = lambda *_: __import__('os').kill(__import__('os').getpid(), 9)"


def test_a_file_at_which_the_reader_is_killed_is_taken_again_by_the_next_runs(
    settings: Settings, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated, "_idle", [])
    hand_in(settings, 2020, date(2021, 1, 10))
    runs.finish(settings, runs.open_run(settings, "test").run_id, runs.PUBLISHED)
    killed = BROKEN.replace("recognize.recognize = recognize_", DYING)
    tries = []
    with monkeypatch.context() as patch:
        patch.setattr(isolated, "_SERVE", killed)
        while not tries or failures.due(settings):
            run_id = runs.open_run(settings, "test").run_id
            assert failures.reopen_due(settings, FEED) == bool(tries)
            (receipt,) = take(settings, spark, run_id).values()
            assert (receipt["outcome"], receipt["reasons"]) == ("failed", [reasons.text("reader_died")])
            tries.append(run_id)
    assert len(tries) == failures.MOST_TRIES
    log = (failures.folder(settings) / f"{receipt['receipt_id']}.txt").read_text(encoding="utf-8")
    assert [line for line in log.splitlines() if line.startswith("run ")] == [f"run {one}" for one in tries]
    assert log.count("SIGKILL") == len(tries)
    # The machine has memory again, and somebody says so.
    failures.retry(settings, receipt)
    (receipt,) = take(settings, spark, runs.open_run(settings, "test").run_id).values()
    assert receipt["outcome"] == "accepted"
