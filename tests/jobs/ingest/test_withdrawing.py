"""A delivery handed in by error is withdrawn: it counts no more, whatever it was, whenever that was said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from jobs import settings as site_settings
from jobs.cli import delivery as cli
from jobs.ingest import balance, clean, journal, raw, withdrawing
from jobs.lake import deliveries, receipt_text, runs, tables
from jobs.publish import asof
from jobs.replies import report
from jobs.run import command, summary
from jobs.screen import Screen
from jobs.settings import Settings, UserError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FEED, SENDER = "enrollment", "110101"
COUNT = "select sum(pupil_count) from clean_enrollment__grade_count"


def returns(schools: int, pupils: int) -> bytes:
    lines = [f"{2111000000 + n},110101,2024,{g},{pupils}" for n in range(schools) for g in ("P1", "P2")]
    return ("\n".join(["学校标识码,区,学年,年级,在校生数", *lines]) + "\n").encode()


def land(settings: Settings, name: str, data: bytes, day: str) -> str:
    source = settings.home / "outbox" / name
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(data)
    where = deliveries.land(settings, source, FEED, SENDER, date.fromisoformat(day))
    return where.parent.relative_to(settings.landing).as_posix()


def take(settings: Settings, spark: SparkSession, run_id: str = "r") -> dict[str, str]:
    """What a run does up to clean rows; delivery -> outcome."""
    journal.reopen_after_withdrawals(settings, FEED)
    raw.write_raw(settings, run_id, FEED)
    clean.clean_rows(settings, spark, run_id, FEED)
    assert not journal.has_work(settings, FEED)
    assert balance.broken(settings) == []
    return {row["delivery_id"].rpartition("/")[2]: row["outcome"] for row in receipt_text.receipts(settings)}


def pupils(settings: Settings, known: str | None = None) -> Any:
    rows = asof.query(settings, COUNT, date(2024, 10, 30), date.fromisoformat(known) if known else None)[1]
    return rows[0][0]


def test_a_wrong_file_counts_no_more_and_may_be_sent_again(settings: Settings, spark: SparkSession) -> None:
    land(settings, "a.csv", returns(20, 10), "2024-09-10")
    wrong = land(settings, "b.csv", returns(20, 99), "2024-09-20")
    land(settings, "c.csv", returns(1, 5), "2024-09-25")
    assert take(settings, spark) == {
        "2024-09-10_1": "accepted",
        "2024-09-20_1": "accepted",
        "2024-09-25_1": "held",
    }
    assert pupils(settings) == 40 * 99
    before = {table: tables.rows(settings, table) for table in ("ops__receipt", f"raw_{FEED}")}

    done = CliRunner().invoke(cli.app, ["withdraw", wrong, "--reason", "另一所学校的表", "--by", "张三"])
    assert done.exit_code == 0, done.output
    assert "from 2024-09-25 on, by 张三" in " ".join(done.output.split())
    assert pupils(settings) == 40 * 10, "what it had replaced counts again"
    assert pupils(settings, "2024-09-24") == 40 * 99, "as known before"
    assert pupils(settings, "2024-09-25") == 40 * 10
    assert {table: tables.rows(settings, table) for table in before} == before, "nothing is deleted"

    (told,) = [r for r in report.receipts_of(settings) if r["delivery_id"] == wrong]
    facts = dict(report.gather(settings, told).facts())
    assert facts["处理结果"] == "已撤回"
    assert facts["撤回"] == "2024-09-25: 另一所学校的表"
    assert facts["下一步"].startswith("本批数据已撤回")
    listed = CliRunner().invoke(cli.app, ["list"]).output
    assert "另一所学校的表" in listed.replace("\n", "")

    again = land(settings, "b.csv", returns(20, 99), "2024-09-20")
    assert again.endswith("2024-09-20_2")
    assert take(settings, spark)["2024-09-20_2"] == "accepted"
    assert pupils(settings) == 40 * 99
    twice = CliRunner().invoke(cli.app, ["withdraw", wrong, "--reason", "x"])
    assert "was withdrawn already" in twice.output


def test_held_failed_and_waiting_deliveries_are_withdrawn_too(
    settings: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    land(settings, "a.csv", returns(20, 10), "2024-09-10")
    held = land(settings, "c.csv", returns(1, 5), "2024-09-25")
    assert take(settings, spark)["2024-09-25_1"] == "held"
    waiting = land(settings, "d.csv", returns(20, 11), "2024-09-26")
    for one in (held, waiting):
        assert withdrawing.withdraw(settings, one, "somebody", "wrong").is_new
    assert take(settings, spark)["2024-09-26_1"] == "accepted", "read as any file, so any order ends alike"
    assert pupils(settings) == 40 * 10
    shown = Screen(record=True, width=200)
    summary.status(settings, shown)
    text = shown.export_text()
    assert "withdrawn" in text
    (counts,) = (line.split()[1:] for line in text.splitlines() if line.startswith("enrollment "))
    assert counts == ["1", "0", "0", "0", "0", "2"], "nobody waits for a file that was withdrawn"
    with pytest.raises(UserError, match="there is no delivery"):
        withdrawing.withdraw(settings, "enrollment/110101/2024-09-27_1", "somebody", "wrong")


STEPS: tuple[tuple[str, str, bytes], ...] = (
    ("a.csv", "2024-09-10", returns(20, 10)),
    ("b.csv", "2024-09-12", returns(40, 99)),
    ("c.csv", "2024-09-14", returns(20, 12)),
    ("d.csv", "2024-09-16", returns(40, 99)),
)
WRONG = "enrollment/110101/2024-09-12_1"


def lake_of(home: Path, moments: Sequence[str], spark: SparkSession, patch: pytest.MonkeyPatch) -> Settings:
    """Land the files named, take them (`run`), withdraw `b` (`withdraw`), in this order."""
    patch.setenv("EDULAKE_HOME", str(home))
    settings = site_settings.load("beijing").prepare()
    for moment in moments:
        if moment == "run":
            take(settings, spark)
        elif moment == "withdraw":
            withdrawing.withdraw(settings, WRONG, "somebody", "wrong school")
        else:
            name, day, data = next(step for step in STEPS if step[0] == moment)
            land(settings, name, data, day)
    return settings


def test_it_is_the_same_lake_whenever_it_is_withdrawn(
    tmp_path: Path, engine_url: str, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`b` made `c` too small and `d` a repetition; both stand once `b` is gone."""
    monkeypatch.setenv("EDULAKE_SPARK", engine_url)
    first = ("a.csv", "b.csv", "c.csv", "d.csv")
    orders = [
        [*first, "run", "withdraw", "run"],
        ["b.csv", "withdraw", "a.csv", "run", "c.csv", "run", "d.csv", "run"],
        ["d.csv", "c.csv", "run", "b.csv", "run", "a.csv", "withdraw", "run"],
    ]
    found = []
    for number, order in enumerate(orders):
        settings = lake_of(tmp_path / str(number), order, spark, monkeypatch)
        rows = tables.rows(settings, "clean_enrollment__grade_count")
        left = ("run_id", "batch_id", "_batch_id", "duration_ms")
        told = [*rows, *receipt_text.receipts(settings)]
        found.append(
            sorted(str(sorted((k, str(v)) for k, v in row.items() if k not in left)) for row in told)
        )
        outcomes = {row["file_name"]: row["outcome"] for row in receipt_text.receipts(settings)}
        assert outcomes == dict.fromkeys(first, "accepted"), order
    assert found[0] == found[1] == found[2]


def test_a_withdrawn_day_carries_no_run_there_and_a_withdrawal_is_news(
    settings: Settings, spark: SparkSession
) -> None:
    land(settings, "a.csv", returns(20, 10), "2024-09-10")
    wrong = land(settings, "b.csv", returns(20, 99), "2025-06-20")
    take(settings, spark)
    assert runs.open_run(settings).as_of_date == date(2025, 6, 20)
    runs.finish(settings, runs.all_runs(settings)[-1].run_id, runs.PUBLISHED, 1, {})
    withdrawing.withdraw(settings, wrong, "somebody", "wrong day")
    assert command._has_news(settings)
    fresh = runs.open_run(settings)
    assert fresh.as_of_date == date(2024, 9, 10)
    assert pupils(settings) == 40 * 10
