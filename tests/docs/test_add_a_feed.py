"""The page that tells how to add a feed, done literally: its blocks are declaration, file and answer."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

from jobs.declare import EXPECTATIONS
from jobs.lake import deliveries
from jobs.settings import ROOT, Settings

PAGE = ROOT / "docs" / "how-to" / "add-a-feed.md"
_BLOCK = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# A process of its own: declarations are read once a process, and this one's are not the checkout's.
_TAKE = """
import sys
from jobs import settings as site_settings
from jobs.declare.template import write_template
from jobs import declare
from jobs.ingest import clean, raw
from jobs.lake import tables
from jobs.spark import server
settings = site_settings.load()
write_template(declare.load()["book_loan"], settings.home / "template.xlsx")
raw.write_raw(settings, "2025-09-10.1", "resources")
with server.session(settings) as spark:
    clean.clean_rows(settings, spark, "2025-09-10.1", "resources")
columns = ["school_code", "loan_date", "book_kind_code", "loan_count"]
for row in sorted(tables.rows(settings, "clean_resources__book_loan", columns), key=str):
    print("row", *(row[c] for c in columns), sep=",")
for row in tables.rows(settings, "ops__refused_row"):
    print("refused", row["line_number"], row["column_name"], row["rule"], sep=",")
"""


def blocks() -> dict[str, str]:
    """What stands behind a block's language -> its text, of all blocks that have something there."""
    return {told: text for _, told, text in _BLOCK.findall(PAGE.read_text("utf-8")) if told}


def lines(text: str) -> list[str]:
    return [",".join(row) for row in csv.reader(io.StringIO(text))]


def test_the_page_adds_a_feed(engine_url: str, settings: Settings, tmp_path: Path) -> None:
    mine = tmp_path / "expectations"
    shutil.copytree(EXPECTATIONS, mine)
    found = blocks()
    for told, text in found.items():
        kind, _, name = told.partition("=")
        if kind == "append":
            with (mine / name).open("a", encoding="utf-8") as file:
                file.write(text)
        elif kind == "file":
            (mine / name).write_text(text, encoding="utf-8")
        elif kind == "hand-in":
            (tmp_path / name).write_text(text, encoding="gb18030")
            deliveries.land(settings, tmp_path / name, "resources", "110101", date(2025, 9, 10))
    environment = os.environ | {
        "EDULAKE_EXPECTATIONS": str(mine),
        "EDULAKE_SPARK": engine_url,
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", _TAKE], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = [line.partition(",") for line in done.stdout.splitlines()]
    assert [rest for kind, _, rest in told if kind == "row"] == lines(found["result"])
    assert [rest for kind, _, rest in told if kind == "refused"] == lines(found["refused"])
    assert (settings.home / "template.xlsx").stat().st_size > 5000


def test_every_command_of_the_page_is_one() -> None:
    """Each `./edulake` line names a command that answers `--help`."""
    shell = [
        text for kind, told, text in _BLOCK.findall(PAGE.read_text("utf-8")) if kind == "sh" and not told
    ]
    commands = {
        tuple(re.findall(r"^\./edulake ((?:feed )?[a-z]+)", line)[0].split())
        for text in shell
        for line in text.splitlines()
        if line.startswith("./edulake ")
    }
    assert len(commands) >= 6
    for command in sorted(commands):
        done = subprocess.run(
            [sys.executable, "-m", "jobs", *command, "--help"], cwd=ROOT, capture_output=True, check=False
        )
        assert done.returncode == 0, command
