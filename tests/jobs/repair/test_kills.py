"""Killed in the middle of a retry, a withdrawal or a repair: the same command again ends in equal tables."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs import settings as site_settings
from jobs.ingest import clean, failures, raw, withdrawing
from jobs.lake import receipt_text, tables
from jobs.repair import check, mend
from jobs.settings import ROOT, Settings

from .conftest import FEED, land, rows_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BIRTH, WRONG = "clean_places__birth", f"{FEED}/110000/2026-05-14_1"

# In a process of its own, which dies by SIGKILL at the step of the given number. Prints the steps it passed.
WORK = """
import os, signal, sys
home, until, what, about = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
from deltalake import DeltaTable
from jobs import settings as site_settings
from jobs.ingest import failures, withdrawing
from jobs.lake import receipt_text, tables
from jobs.repair import mend, mend_rows
steps = []
def step():
    steps.append(1)
    if len(steps) == until:
        os.kill(os.getpid(), signal.SIGKILL)
def hook(event, arguments):
    if event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "shutil.move"):
        about = str(arguments[0])
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        about = str(arguments[0])
    else:
        return
    if about.startswith(home):
        step()
def before(module, name):
    real = getattr(module, name)
    def wrapped(*args, **kwargs):
        step()
        return real(*args, **kwargs)
    setattr(module, name, wrapped)
for module, name in ((tables, "write_deltalake"), (mend_rows, "write_deltalake")):
    before(module, name)
for name in ("delete", "repair"):
    before(DeltaTable, name)
settings = site_settings.load()
(receipt,) = [r for r in receipt_text.receipts(settings) if r["receipt_id"] == about] or [None]
sys.addaudithook(hook)
if what == "retry":
    failures.retry(settings, receipt)
elif what == "withdraw":
    withdrawing.withdraw(settings, about, "somebody", "wrong")
else:
    mend.repair(settings)
print(len(steps))
"""


def work(home: Path, what: str, about: str = "", until: int = 0) -> int | None:
    """Do it in a process of its own; the steps passed, None where it was killed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EDULAKE_")}
    environment |= {"EDULAKE_HOME": str(home), "EDULAKE_SITE": "beijing", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(home), str(until), what, about],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return int(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def at(home: Path) -> Settings:
    return site_settings.load("beijing", home=home)


def told(settings: Settings) -> dict[str, list[str]]:
    """Every row, but for the moments at which something was noted, and runs."""
    found = rows_of(settings)
    del found["ops__run"]
    found["ops__receipt"] = [str(sorted(r.items())) for r in _receipts(settings)]
    found["ops__withdrawal"] = [
        str((row["delivery_id"], row["withdrawn_on"], row["reason"]))
        for row in tables.rows(settings, "ops__withdrawal")
    ]
    return found


def _receipts(settings: Settings) -> list[dict[str, Any]]:
    left = ("run_id", "duration_ms")
    rows = [{k: str(v) for k, v in r.items() if k not in left} for r in receipt_text.receipts(settings)]
    return sorted(rows, key=lambda row: row["receipt_id"])


@pytest.fixture(scope="module")
def refused(sound: Settings, tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Path:
    """The sound lake with a file that could not be read."""
    home = tmp_path_factory.mktemp("refused")
    shutil.copytree(sound.home, home / "beijing")
    settings = at(home)
    land(settings, "unread.csv", b"?,?\n1,2\n", date(2026, 5, 15))
    take(settings, spark)
    return home


def take(settings: Settings, spark: SparkSession) -> None:
    raw.write_raw(settings, "r", FEED)
    clean.clean_rows(settings, spark, "r", FEED)


def unread(settings: Settings) -> list[dict[str, object]]:
    return [r for r in receipt_text.receipts(settings) if r["file_name"] == "unread.csv"]


def retried(home: Path, spark: SparkSession) -> dict[str, list[str]]:
    """The retry again, as far as there is something to do, and a run."""
    settings = at(home)
    for receipt in unread(settings):
        failures.retry(settings, receipt)
    take(settings, spark)
    assert len(unread(settings)) == 1
    return told(settings)


def withdrawn(home: Path, _: SparkSession) -> dict[str, list[str]]:
    withdrawing.withdraw(at(home), WRONG, "somebody", "wrong")
    return told(at(home))


def mended(home: Path, _: SparkSession) -> dict[str, list[str]]:
    assert mend.repair(at(home)).left == []
    assert check.wrong(check.examine(at(home))) == []
    return told(at(home))


def damage(settings: Settings) -> None:
    shutil.rmtree(tables.path(settings, f"raw_{FEED}"))
    for file in tables.path(settings, BIRTH).glob("*.parquet"):
        file.write_bytes(b"garbage")
    (settings.releases / "CURRENT").write_text("garbage")
    (settings.releases / "2" / "city.duckdb").unlink()


AGAIN: dict[str, Callable[[Path, SparkSession], dict[str, list[str]]]] = {
    "retry": retried,
    "withdraw": withdrawn,
    "repair": mended,
}


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["once", "always"])
@pytest.mark.parametrize("what", AGAIN)
def test_killed_and_done_again(
    refused: Path, spark: SparkSession, tmp_path: Path, what: str, every: bool
) -> None:
    def fresh(name: str) -> Path:
        shutil.copytree(refused / "beijing", tmp_path / name / "beijing")
        if what == "repair":
            damage(at(tmp_path / name))
        return tmp_path / name

    about = {"retry": str(unread(at(refused))[0]["receipt_id"]), "withdraw": WRONG, "repair": ""}[what]
    home = fresh("whole")
    steps = work(home, what, about)
    assert steps is not None
    assert steps >= 3
    expected = AGAIN[what](home, spark)
    for until in range(1, steps + 1) if every else (steps // 2,):
        home = fresh(str(until))
        assert work(home, what, about, until) is None
        assert AGAIN[what](home, spark) == expected, f"{what} killed at step {until} of {steps}"
        shutil.rmtree(home)
